"""The sums of what answers cost: by model, of which there are never too many."""

from __future__ import annotations

import json

from paddock.serving.accounts import Account, Accounts


def answered(tokens: int) -> Account:
    account = Account(0.0)
    usage = {"prompt_tokens": tokens, "completion_tokens": 1, "total_tokens": tokens + 1}
    account.spent.whole(json.dumps({"usage": usage}).encode())
    return account


def test_the_last_of_very_many_models_share_a_name() -> None:
    accounts = Accounts()
    for number in range(1000):
        accounts.add(f"far/{number}", answered(10))
    accounts.add("far/0", answered(5))
    assert len({model for model, _ in accounts.tokens}) == 201
    assert accounts.tokens["far/0", "read"] == 15
    assert accounts.tokens["other", "read"] == 800 * 10


def test_what_was_not_answered_takes_no_name() -> None:
    accounts = Accounts()
    for number in range(1000):
        accounts.add(f"far/{number}", Account(0.0))
    accounts.add("real", answered(10))
    assert {model for model, _ in accounts.tokens} == {"real"}

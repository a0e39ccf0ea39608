"""Tests which passwords may be chosen, and how they are kept."""

from __future__ import annotations

import subprocess
import sys

import pytest

from paddock.errors import BadRequest
from paddock.store import passwords


@pytest.mark.parametrize(
    "password",
    ["", "short", "123456789", "1234567890", "password12", "Password!!!", "aaaaaaaaaaaa", "annemarie1!", "x" * 1001],
)
def test_what_is_tried_first_is_not_chosen(password: str) -> None:
    with pytest.raises(BadRequest) as refused:
        passwords.checked(password, "annemarie")
    assert not password or password not in refused.value.message


@pytest.mark.parametrize("password", ["correct horse battery", "Grüße aus Köln", "🐎🐎🐎 und 🐴🐴🐴", "x7!pQ2#vLm"])
def test_what_people_make_up_is_taken(password: str) -> None:
    assert passwords.checked(password, "annemarie") == password


def test_a_password_is_kept_as_a_slow_hash_that_tells_nothing() -> None:
    one, other = passwords.hashed("correct horse"), passwords.hashed("correct horse")
    assert one.startswith("$argon2id$v=19$m=65536,t=3,p=2$")
    assert one != other
    assert passwords.matches("correct horse", one)
    assert not passwords.matches("Correct horse", one)
    assert not passwords.matches("correct horse", None)
    assert not passwords.matches("correct horse", "damaged")


AT_ONCE = """
import threading
from paddock.store import passwords
kept = passwords.hashed("correct horse")
tries = [threading.Thread(target=passwords.matches, args=(word, kept)) for word in ("correct horse", "wrong", "no")]
for one in tries:
    one.start()
for one in tries:
    one.join()
"""


def test_several_at_once_do_not_wait_for_one_another_for_ever() -> None:
    assert subprocess.run([sys.executable, "-c", AT_ONCE], timeout=60, check=False).returncode == 0

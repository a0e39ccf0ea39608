"""Tests what is made of an engine's answer to `/slots`."""

from __future__ import annotations

import pytest

from paddock.engine.slots import Slot, slots_in


def test_slots_come_the_last_used_first_and_say_what_they_hold() -> None:
    said = [
        {"id": 0, "is_processing": False, "id_task": 3, "n_prompt_tokens": 500},
        {"id": 1, "is_processing": True, "id_task": 9, "n_prompt_tokens": 10},
        {"id": 2, "is_processing": False},
    ]
    assert slots_in(said) == [
        Slot(number=1, tokens=10, is_busy=True, is_fresh=False),
        Slot(number=0, tokens=500, is_busy=False, is_fresh=False),
        Slot(number=2, tokens=None, is_busy=False, is_fresh=True),
    ]


def test_a_build_that_does_not_say_how_much_is_asked_to_save_and_one_that_says_nothing_is_taken_for_busy() -> None:
    assert slots_in([{"id": 0, "is_processing": False, "id_task": 3}]) == [
        Slot(number=0, tokens=None, is_busy=False, is_fresh=False)
    ]
    assert slots_in([{"id": 0}]) == [Slot(number=0, tokens=None, is_busy=True, is_fresh=True)]


@pytest.mark.parametrize("said", [None, {}, "slots", [None, "x", {}, {"id": "0"}]])
def test_what_are_no_slots_are_none(said: object) -> None:
    assert slots_in(said) == []

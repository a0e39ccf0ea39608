"""Shows that every setting and every option of a training has its help in German, and nothing that is gone has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from paddock.config import NAMES, describe
from paddock.training.spec import described

_WORDS = Path(__file__).resolve().parents[2] / "web" / "src" / "words" / "de"
_ENTRY = re.compile(r'^  (\w+):\s+"([^"]+)",$', re.MULTILINE)
_ENGLISH = {
    "settings": {name: describe(name) for name in NAMES},
    "training": {str(option["name"]): str(option["help"]) for option in described()},
}


def german(area: str) -> dict[str, str]:
    """What the page says in German, by name."""
    return dict(_ENTRY.findall((_WORDS / f"{area}-help.ts").read_text("utf-8")))


@pytest.mark.parametrize("area", _ENGLISH)
def test_every_one_and_no_other_has_its_help_in_german(area: str) -> None:
    told = german(area)
    assert sorted(told) == sorted(_ENGLISH[area])
    assert [name for name, english in _ENGLISH[area].items() if told[name] == english] == []


@pytest.mark.parametrize("area", _ENGLISH)
def test_what_is_to_be_typed_is_the_same_in_both_languages(area: str) -> None:
    told = german(area)
    for name, english in _ENGLISH[area].items():
        # Commands, fields and numbers; a number is a limit or a unit, and neither language may lose it.
        wanted = set(re.findall(r"`[^`]+`|\d+", english))
        assert wanted == set(re.findall(r"`[^`]+`|\d+", told[name])), name

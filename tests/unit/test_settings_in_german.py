"""Shows that every setting has its help in German, and that none is left of a setting that is gone."""

from __future__ import annotations

import re
from pathlib import Path

from paddock.config import NAMES, describe

_HELP = Path(__file__).resolve().parents[2] / "web" / "src" / "words" / "de" / "settings-help.ts"
_ENTRY = re.compile(r'^  (\w+):\s+"([^"]+)",$', re.MULTILINE)


def test_every_setting_and_no_other_has_its_help_in_german() -> None:
    told = dict(_ENTRY.findall(_HELP.read_text("utf-8")))
    assert sorted(told) == sorted(NAMES)
    assert [name for name in NAMES if told[name] == describe(name)] == []


def test_what_is_to_be_typed_is_the_same_in_both_languages() -> None:
    told = dict(_ENTRY.findall(_HELP.read_text("utf-8")))
    for name in NAMES:
        # Commands, fields and numbers; a number is a limit or a unit, and neither language may lose it.
        wanted = set(re.findall(r"`[^`]+`|\d+", describe(name)))
        assert wanted == set(re.findall(r"`[^`]+`|\d+", told[name])), name

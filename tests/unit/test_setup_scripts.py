"""The scripts that find a Python: what can be known of them without the shells of other systems."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from paddock.install import __main__ as words

ROOT = Path(__file__).resolve().parents[2]
POWERSHELL = (ROOT / "setup.ps1").read_text("utf-8")
BATCH = (ROOT / "setup.bat").read_bytes()


def options() -> set[str]:
    """The options that setup takes, but for its help."""
    return {
        option.removeprefix("--")
        for action in words.parser()._actions
        for option in action.option_strings
        if option.startswith("--") and option != "--help"
    }


def balance(text: str) -> list[str]:
    """The brackets that are left open or closed too often, outside of strings and comments."""
    bare = re.sub(r"<#.*?#>", "", text, flags=re.DOTALL)
    bare = re.sub(r"'(?:[^']|'')*'|\"(?:[^\"`]|`.|\"\")*\"", "''", bare)
    bare = re.sub(r"#.*", "", bare)
    opened: list[str] = []
    for letter in bare:
        if letter in "([{":
            opened.append(letter)
        elif letter in ")]}" and (not opened or opened.pop() + letter not in ("()", "[]", "{}")):
            return [letter]
    return opened


@pytest.mark.parametrize("shell", [name for name in ("sh", "dash", "bash") if shutil.which(name)])
def test_the_shell_script_is_read_by_every_shell_that_is_here(shell: str) -> None:
    assert subprocess.run([shell, "-n", ROOT / "setup.sh"], check=False).returncode == 0


def test_the_shell_script_uses_nothing_but_what_every_shell_has() -> None:
    text = (ROOT / "setup.sh").read_text("utf-8")
    assert text.startswith("#!/bin/sh\n")
    assert re.findall(r"(?m)\[\[|^\s*local\b|\bfunction\b|<<<|\bsource\b|\bpushd\b|\$\{\w+\[|\becho -", text) == []


def test_the_scripts_of_windows_hand_over_every_option() -> None:
    declared = {name.lower() for name in re.findall(r"^    \[(?:string|switch)\]\$(\w+)", POWERSHELL, re.MULTILINE)}
    assert declared == {option.replace("-", "") for option in options()}
    handed = set(re.findall(r'\$words \+= "--([\w-]+)"', POWERSHELL))
    assert handed == options()


def test_the_scripts_of_windows_are_whole_and_of_letters_that_any_code_page_has() -> None:
    assert balance(POWERSHELL) == []
    assert POWERSHELL.isascii()
    assert BATCH.isascii()
    assert balance("if (1) { @(2) ") == ["{"]
    assert balance("')' \"}\" # ]") == []


def test_the_batch_file_has_the_ends_of_lines_that_its_shell_needs_and_names_its_programs_whole() -> None:
    lines = BATCH.split(b"\r\n")
    assert lines[-1] == b""
    assert not any(b"\n" in line for line in lines)
    assert b"%SystemRoot%\\System32\\WindowsPowerShell" in BATCH
    assert b'"%~dp0setup.ps1" %*' in BATCH
    assert lines[-2] == b"exit /b %ERRORLEVEL%"


def test_nothing_that_slows_downloads_or_needs_an_administrator_is_asked_of_powershell() -> None:
    assert '$ProgressPreference = "SilentlyContinue"' in POWERSHELL
    assert re.findall(r"RunAs|Invoke-Expression|\biex\b|Invoke-WebRequest|HKLM|Set-ExecutionPolicy", POWERSHELL) == []


def test_what_the_scripts_take_for_a_python_is_what_paddock_needs() -> None:
    for text in (POWERSHELL, (ROOT / "setup.sh").read_text("utf-8")):
        assert "sys.version_info >= (3, 11)" in text
        assert "calcsize" in text

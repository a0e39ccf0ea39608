"""What is known of paddock by platform: whole, honest about dates and commands, told by the doctor."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from paddock import hardware
from paddock.cli.checks import platform_check
from paddock.install.host import Host, Processor, System
from paddock.install.support import Known, known, platform_of

ROOT = Path(__file__).resolve().parents[2]
TABLE = known()


def test_every_line_names_a_platform_and_a_feature_that_are_there() -> None:
    assert [cell for cell in TABLE.cells if cell[0] not in TABLE.platforms or cell[1] not in TABLE.features] == []


def test_every_feature_has_words_on_the_page() -> None:
    # The other languages are of the same keys by their type.
    words = (ROOT / "web" / "src" / "words" / "en" / "engines.ts").read_text("utf-8")
    assert [feature for feature in TABLE.features if f'"feature.{feature}":' not in words] == []


@pytest.mark.parametrize("cell", TABLE.cells.values(), ids=[" ".join(cell) for cell in TABLE.cells])
def test_what_was_run_has_a_command_and_a_day_and_what_was_not_has_none(cell: Known) -> None:
    assert cell.command
    assert cell.kind in ("tested", "table")
    assert (cell.run_on is not None) == (cell.kind == "tested")
    assert cell.run_on is None or date(2026, 1, 1) < cell.run_on
    assert [name for name in re.findall(r"tests/[\w/]+\.py", cell.command) if not (ROOT / name).exists()] == []


def test_what_has_no_line_was_never_run() -> None:
    assert TABLE.of("macos-arm64", "setup").told == "written, never run"
    assert TABLE.of("haiku-riscv", "serve").is_experimental
    assert "2026" in TABLE.of("linux-x64", "serve").told


@pytest.mark.parametrize(
    ("system", "processor", "libc", "key"),
    [
        ("linux", "x64", "glibc", "linux-x64"),
        ("linux", "x64", "musl", "linux-musl"),
        ("macos", "arm64", "", "macos-arm64"),
        ("windows", "x64", "", "windows-x64"),
    ],
)
def test_a_machine_has_the_platform_of_its_system_and_processor(
    system: System, processor: Processor, libc: str, key: str
) -> None:
    assert platform_of(Host(system=system, processor=processor, libc=libc)) == key
    assert key in TABLE.platforms


def test_the_doctor_says_where_paddock_was_never_run() -> None:
    machine = hardware.describe()
    strange = replace(machine, cpu=replace(machine.cpu, architecture="riscv64"))
    check = platform_check(strange)
    assert check.status == "warn"
    assert "experimental" in check.detail
    intel = platform_check(replace(machine, cpu=replace(machine.cpu, architecture="x86_64")))
    assert intel.status == "ok" or "experimental" in intel.detail

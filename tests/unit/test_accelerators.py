"""Which GPUs a machine has, from what its tools say. The machines are constructed after public documentation."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from paddock import hardware
from paddock.hardware.accelerators import Accelerator, Found, Readings, found_in
from paddock.hardware.memory import parse_smaps
from paddock.hardware.tools import read_cards, said

MACHINES = sorted((Path(__file__).parent / "machines").glob("*.toml"))


@pytest.mark.parametrize("path", MACHINES, ids=lambda path: path.stem)
def test_a_machine_has_the_gpus_that_its_tools_tell_of(path: Path) -> None:
    told: dict[str, Any] = tomllib.loads(path.read_text("utf-8"))
    expected = tuple(Accelerator(**one) for one in told.pop("expected"))
    troubles = tuple(told.pop("troubles", ()))
    assert told.pop("about")
    assert found_in(Readings(**told)) == Found(accelerators=expected, troubles=troubles)


def test_there_are_at_least_twelve_machines() -> None:
    assert len(MACHINES) >= 12


@pytest.mark.parametrize(
    "text", ["", "\x00", "[]", "{}", "[1, null]", '{"gpu_data": 3}', "0, a", "GPU0:\n", "Agent 1\n"]
)
def test_words_that_mean_nothing_are_no_gpu(text: str) -> None:
    readings = Readings(
        nvidia_smi=text, amd_smi_static=text, amd_smi_metric=text, rocminfo=text, vulkaninfo=text, sysctl=text
    )
    assert found_in(readings).accelerators == ()


def test_the_files_of_cards_are_read_and_outlets_are_none(tmp_path: Path) -> None:
    for name in ("card0", "card0-HDMI-A-1", "renderD128"):
        (tmp_path / name / "device").mkdir(parents=True)
        (tmp_path / name / "device" / "vendor").write_text("0x1002\n")
    cards = read_cards(tmp_path)
    assert list(cards) == ["card0"]
    assert cards["card0"]["vendor"] == "0x1002\n"
    assert cards["card0"]["mem_info_vram_total"] == ""
    assert read_cards(tmp_path / "nowhere") == {}


def test_a_tool_that_is_missing_or_hangs_says_nothing() -> None:
    assert said(["no-such-tool-of-anyone"], timeout_s=5) == ""
    assert said([sys.executable, "-c", "import time; time.sleep(60)"], timeout_s=0.2) == ""
    assert said([sys.executable, "-c", "print('words')"], timeout_s=30).strip() == "words"


def test_this_machine_can_be_asked() -> None:
    for one in hardware.find_accelerators().accelerators:
        assert one.name
        assert one.free_bytes is None or one.total_bytes is not None


SMAPS = """7f00-7f10 r--s 00000000 00:1f 12 /models/m.gguf
Size:               4000 kB
Rss:                3000 kB
Referenced:         1000 kB
Anonymous:             0 kB
7f20-7f30 rw-p 00000000 00:00 0
Rss:                 500 kB
Referenced:          300 kB
Anonymous:           500 kB
VmFlags: rd wr mr mw me ac
"""


def test_pages_of_a_file_count_where_they_were_used_and_a_process_s_own_always() -> None:
    assert parse_smaps(SMAPS) == (1000 + 500) * 1024
    assert parse_smaps("") == 0
    assert hardware.held_bytes(2**22 + 1) == 0

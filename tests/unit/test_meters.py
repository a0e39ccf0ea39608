"""What tools and files say of GPUs, and what a process and its children take."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from paddock.hardware.meters import Meters, parse_nvidia, read_amd

NVIDIA = "0, NVIDIA GeForce RTX 4090, 37, 1024, 24564, 51\n1, NVIDIA Thor, [N/A], [N/A], [N/A], 40\nNo devices\n"


def test_nvidias_words_are_read() -> None:
    first, second = parse_nvidia(NVIDIA)
    assert (first.name, first.used_share, first.used_bytes, first.celsius) == (
        "NVIDIA GeForce RTX 4090", 0.37, 1024 * 2**20, 51,
    )  # fmt: skip
    assert (second.index, second.used_share, second.total_bytes) == (1, None, None)
    assert parse_nvidia("NVIDIA-SMI has failed because it couldn't communicate with the driver.") == []


def test_amds_files_are_read(tmp_path: Path) -> None:
    files = {
        "vendor": "0x1002\n",
        "gpu_busy_percent": "12\n",
        "mem_info_vram_total": "8000\n",
        "mem_info_vram_used": "5\n",
    }
    for card, more in (("card0", files), ("card1", {"vendor": "0x8086\n"}), ("card0-DP-1", files)):
        folder = tmp_path / card / "device"
        folder.mkdir(parents=True)
        for name, text in more.items():
            (folder / name).write_text(text)
    (found,) = read_amd(tmp_path)
    assert (found.used_share, found.used_bytes, found.total_bytes) == (0.12, 5, 8000)
    assert read_amd(tmp_path / "none") == []


def test_a_process_counts_with_its_children_and_one_that_is_gone_is_left_out(tmp_path: Path) -> None:
    child = "import sys; held = b'x' * 50_000_000; print('up', flush=True); sys.stdin.read()"
    words = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    with subprocess.Popen(
        [sys.executable, "-c", words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout
        assert parent.stdout.readline() == "up\n"
        meters = Meters(cards=tmp_path)
        reading = meters.read({"paddock": os.getpid(), "parent": parent.pid, "gone": 2**22 - 1})
        parent.communicate("")
    own, theirs = reading.processes
    assert (own.name, theirs.name) == ("paddock", "parent")
    assert theirs.memory_bytes > 50_000_000
    assert theirs.busy_cores is not None
    assert reading.cpu_share is not None

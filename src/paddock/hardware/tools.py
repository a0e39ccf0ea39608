"""Owns asking the makers' tools and files about GPUs, each within a deadline; refuses to know what the words mean.

Blocks for as long as the tools take, so it runs beside the event loop. A tool that is not installed is not run; one
that hangs is given up. Nothing is kept: memory is free now or it is not.
"""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from paddock.hardware.accelerators import NVIDIA_FIELDS, OLD_NVIDIA_FIELDS, Found, Readings, found_in
from paddock.hardware.limits import text_of
from paddock.hardware.memory import Memory, read_memory

_CARDS = Path("/sys/class/drm")
_CARD_FILES = (
    "vendor", "product_name", "mem_info_vram_total", "mem_info_vram_used", "mem_info_gtt_total", "mem_info_gtt_used",
)  # fmt: skip
_TIMEOUT_S = 5.0


def find_accelerators(memory: Memory | None = None, *, timeout_s: float = _TIMEOUT_S) -> Found:
    """The GPUs of this machine and what is free of them now; `timeout_s` is for each tool."""
    return found_in(read(memory or read_memory(), timeout_s=timeout_s))


def read(memory: Memory, *, cards: Path = _CARDS, timeout_s: float = _TIMEOUT_S) -> Readings:
    """What every tool here says, word for word."""
    is_apple = sys.platform == "darwin" and platform.machine() == "arm64"
    names = ["hw.memsize", "machdep.cpu.brand_string", "iogpu.wired_limit_mb"]
    return Readings(
        nvidia_smi=_nvidia_smi(timeout_s),
        amd_smi_static=said(["amd-smi", "static", "--asic", "--vram", "--json"], timeout_s=timeout_s),
        amd_smi_metric=said(["amd-smi", "metric", "--mem-usage", "--json"], timeout_s=timeout_s),
        amd_cards=read_cards(cards),
        rocminfo=said(["rocminfo"], timeout_s=timeout_s),
        vulkaninfo=said(["vulkaninfo", "--summary"], timeout_s=timeout_s),
        sysctl=said(["sysctl", *names], timeout_s=timeout_s) if is_apple else "",
        total_bytes=memory.usable_bytes,
        available_bytes=memory.available_bytes,
    )


def read_cards(folder: Path) -> dict[str, dict[str, str]]:
    """The files of each card in a folder such as /sys/class/drm; outlets of cards are none."""
    try:
        cards = [card for card in folder.iterdir() if card.name.startswith("card") and "-" not in card.name]
    except OSError:
        return {}
    return {card.name: {name: text_of(card / "device" / name) for name in _CARD_FILES} for card in cards}


def said(words: Sequence[str], *, timeout_s: float) -> str:
    """What a program prints on both outputs; "" where it is not installed or does not end in time."""
    program = shutil.which(words[0])
    if program is None:
        return ""
    try:
        done = subprocess.run(
            [program, *words[1:]],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=timeout_s,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout


def _nvidia_smi(timeout_s: float) -> str:
    for fields in (NVIDIA_FIELDS, OLD_NVIDIA_FIELDS):
        words = ["nvidia-smi", f"--query-gpu={','.join(fields)}", "--format=csv,noheader,nounits"]
        text = said(words, timeout_s=timeout_s)
        # Drivers of before 2021 do not know the last field.
        if "is not a valid field" not in text:
            break
    return text

"""Owns what the machine's accelerators are, read from the words of their makers' tools; runs none of them.

Covered: NVIDIA, AMD and Apple with their memory; any other GPU that Vulkan lists, without. Not taken for a GPU: the
processor itself, drawing in software (llvmpipe and its like), and instruction sets that a tool names beside a GPU.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias, cast

Api = Literal["cuda", "rocm", "metal", "vulkan"]
_MIB = 2**20
_GIB = 2**30
_AMD, _NVIDIA = "0x1002", "0x10de"
_SOFTWARE = re.compile("llvmpipe|lavapipe|swiftshader|swrast|basic render", re.IGNORECASE)
# An agent's own architecture; "gfx11-generic" and the like are what code may be compiled for, not what is there.
_GFX = re.compile(r"gfx[0-9a-f]{3,5}")
# macOS lets a GPU have two thirds of a small memory and three quarters of a large one.
_APPLE_SMALL_BYTES = 36 * _GIB
_Json: TypeAlias = Any

NVIDIA_FIELDS = ("index", "name", "memory.total", "memory.free", "compute_cap")
OLD_NVIDIA_FIELDS = NVIDIA_FIELDS[:-1]


@dataclass(frozen=True, kw_only=True)
class Accelerator:
    """One GPU. Sizes are in bytes; None where nobody tells. `index` counts those of one `api`.

    `is_shared`: its memory is the machine's main memory, so what a model takes there is missing here. `architecture`
    is the maker's name for its instructions ("8.9", "gfx1100"), "" where unknown.
    """

    api: Api
    index: int
    name: str
    total_bytes: int | None = None
    free_bytes: int | None = None
    is_shared: bool = False
    architecture: str = ""


@dataclass(frozen=True, kw_only=True)
class Readings:
    """What the tools and files of one machine said, word for word; "" and {} where there is no such tool or file.

    `amd_cards` are the files of each card's folder in /sys/class/drm, by name. `available_bytes` of main memory bounds
    what a GPU that shares it can have.
    """

    nvidia_smi: str = ""
    amd_smi_static: str = ""
    amd_smi_metric: str = ""
    amd_cards: Mapping[str, Mapping[str, str]] = field(default_factory=dict[str, Mapping[str, str]])
    rocminfo: str = ""
    vulkaninfo: str = ""
    sysctl: str = ""
    total_bytes: int = 0
    available_bytes: int = 0


@dataclass(frozen=True, kw_only=True)
class Found:
    """The GPUs of a machine, and sentences on what is there and does not answer."""

    accelerators: tuple[Accelerator, ...] = ()
    troubles: tuple[str, ...] = ()


def found_in(readings: Readings) -> Found:
    """The GPUs that these readings tell of, each once."""
    nvidia, trouble = parse_nvidia_smi(readings.nvidia_smi)
    amd = parse_amd_smi(readings.amd_smi_static, readings.amd_smi_metric)
    agents = parse_rocminfo(readings.rocminfo)
    if not amd:
        amd = parse_amd_cards(readings.amd_cards, agents) or agents
    first = [*nvidia, *amd, *parse_apple(readings.sysctl)]
    # Vulkan lists every maker's GPUs again, without their memory.
    known = {one.api for one in first}
    others = [
        one
        for vendor, one in parse_vulkaninfo(readings.vulkaninfo)
        if not (vendor == _NVIDIA and "cuda" in known) and not (vendor == _AMD and "rocm" in known)
        if "metal" not in known
    ]
    every = [*first, *(replace(one, index=place) for place, one in enumerate(others))]
    return Found(accelerators=tuple(_bounded(one, readings) for one in every), troubles=(trouble,) if trouble else ())


def parse_nvidia_smi(text: str) -> tuple[list[Accelerator], str]:
    """GPUs from `nvidia-smi --query-gpu=FIELDS --format=csv,noheader,nounits`; else what is wrong, in its words."""
    gpus: list[Accelerator] = []
    for row in csv.reader(io.StringIO(text), skipinitialspace=True):
        if len(row) < len(OLD_NVIDIA_FIELDS) or not row[0].isdigit():
            continue
        total, free = _mib(row[2]), _mib(row[3])
        gpus.append(
            Accelerator(
                api="cuda",
                index=int(row[0]),
                name=row[1].strip(),
                total_bytes=total,
                free_bytes=free,
                # Those that have no memory of their own say "[N/A]".
                is_shared=total is None,
                architecture=row[4].strip() if len(row) > len(OLD_NVIDIA_FIELDS) else "",
            )
        )
    words = " ".join(text.split())
    if gpus or not words or words.startswith("No devices"):
        return gpus, ""
    return [], f"NVIDIA's driver does not answer: {words[:200]}"


def parse_amd_smi(static: str, metric: str) -> list[Accelerator]:
    """GPUs from `amd-smi static --asic --vram --json` and `amd-smi metric --mem-usage --json`."""
    used = {_whole(entry.get("gpu")): entry.get("mem_usage", {}) for entry in _entries(metric)}
    gpus: list[Accelerator] = []
    for entry in _entries(static):
        asic, index = entry.get("asic"), _whole(entry.get("gpu"))
        if not isinstance(asic, dict) or index is None:
            continue
        asic = cast("dict[str, _Json]", asic)
        memory = used.get(index, {})
        total = _amount(memory.get("total_vram")) or _amount(entry.get("vram", {}).get("size"))
        taken = _amount(memory.get("used_vram"))
        gpus.append(
            Accelerator(
                api="rocm",
                index=index,
                name=str(asic.get("market_name", "")) or "AMD GPU",
                total_bytes=total,
                free_bytes=None if total is None or taken is None else max(0, total - taken),
                architecture=_architecture(str(asic.get("target_graphics_version", ""))),
            )
        )
    return gpus


def parse_amd_cards(cards: Mapping[str, Mapping[str, str]], agents: Sequence[Accelerator] = ()) -> list[Accelerator]:
    """GPUs from the files of /sys/class/drm/card*/device, by the card's name.

    `agents` are the same GPUs as `rocminfo` names them, in the same order; where there are as many, they give name and
    architecture, and say which is a part of the processor: such a one is lent main memory beside the part set apart.
    """
    theirs = [
        (files, total)
        for _, files in sorted(cards.items(), key=lambda card: (len(card[0]), card[0]))
        if files.get("vendor", "").strip() == _AMD
        if (total := _whole(files.get("mem_info_vram_total"))) is not None
    ]
    nobody = [Accelerator(api="rocm", index=place, name="") for place in range(len(theirs))]
    gpus: list[Accelerator] = []
    for (files, own), agent in zip(theirs, agents if len(agents) == len(theirs) else nobody, strict=True):
        taken = _whole(files.get("mem_info_vram_used"))
        lent = _whole(files.get("mem_info_gtt_total")) or 0 if agent.is_shared else 0
        taken_of_it = _whole(files.get("mem_info_gtt_used")) or 0 if agent.is_shared else 0
        total = own + lent
        free = None if taken is None else max(0, total - taken - taken_of_it)
        name = agent.name or files.get("product_name", "").strip() or "AMD GPU"
        gpus.append(replace(agent, index=len(gpus), name=name, total_bytes=total, free_bytes=free))
    return gpus


def parse_rocminfo(text: str) -> list[Accelerator]:
    """GPUs that `rocminfo` lists as agents, without their memory."""
    gpus: list[Accelerator] = []
    for block in re.split(r"^Agent \d+\s*$", text, flags=re.MULTILINE)[1:]:
        # What follows "ISA Info" names instruction sets, not devices.
        about = dict(_fields(block.partition("ISA Info")[0], ":"))
        name = about.get("Name", "")
        if about.get("Device Type") != "GPU" or not _GFX.fullmatch(name):
            continue
        gpus.append(
            Accelerator(
                api="rocm",
                index=len(gpus),
                name=about.get("Marketing Name") or "AMD GPU",
                is_shared="APU" in about.get("Memory Properties", ""),
                architecture=name,
            )
        )
    return gpus


def parse_apple(text: str) -> list[Accelerator]:
    """The GPU of an Apple chip, from `sysctl hw.memsize machdep.cpu.brand_string iogpu.wired_limit_mb`."""
    about = dict(_fields(text, ":"))
    total = _whole(about.get("hw.memsize"))
    chip = about.get("machdep.cpu.brand_string", "")
    # On older Macs Metal is there, but slower than the processor.
    if total is None or not chip.startswith("Apple"):
        return []
    limit = (_whole(about.get("iogpu.wired_limit_mb")) or 0) * _MIB
    share = total * 2 // 3 if total <= _APPLE_SMALL_BYTES else total * 3 // 4
    size = min(total, limit) if limit else share
    return [Accelerator(api="metal", index=0, name=chip, total_bytes=size, free_bytes=size, is_shared=True)]


def parse_vulkaninfo(text: str) -> list[tuple[str, Accelerator]]:
    """GPUs of `vulkaninfo --summary` and their makers' numbers; one that several drivers list, once."""
    gpus: dict[str, tuple[str, Accelerator]] = {}
    for block in re.split(r"^GPU\d+:\s*$", text, flags=re.MULTILINE)[1:]:
        about = dict(_fields(block, "="))
        kind, name = about.get("deviceType", ""), about.get("deviceName", "")
        if not kind.endswith(("DISCRETE_GPU", "INTEGRATED_GPU")) or _SOFTWARE.search(name):
            continue
        one = Accelerator(api="vulkan", index=len(gpus), name=name, is_shared=kind.endswith("INTEGRATED_GPU"))
        gpus.setdefault(about.get("deviceUUID", f"{name} {len(gpus)}"), (about.get("vendorID", "").lower(), one))
    return list(gpus.values())


def _bounded(one: Accelerator, readings: Readings) -> Accelerator:
    """A GPU that shares the main memory has no more of it than there is."""
    if not one.is_shared or not readings.available_bytes:
        return one
    total = readings.total_bytes if one.total_bytes is None and one.api == "cuda" else one.total_bytes
    if total is None:
        return one
    free = total if one.free_bytes is None else one.free_bytes
    return replace(one, total_bytes=total, free_bytes=min(free, readings.available_bytes))


def _fields(text: str, mark: str) -> Iterator[tuple[str, str]]:
    """`name MARK value` of each line; the first of a name is the one that ends up in a dict."""
    pairs = [line.partition(mark) for line in text.splitlines() if mark in line]
    return ((name.strip(), value.strip()) for name, _, value in reversed(pairs))


def _entries(text: str) -> list[dict[str, _Json]]:
    """The list of GPUs in the tool's JSON, which newer releases wrap in an object."""
    try:
        data: _Json = json.loads(text)
    except ValueError:
        return []
    if isinstance(data, dict):
        data = cast("dict[str, _Json]", data).get("gpu_data", [])
    entries = cast("list[_Json]", data) if isinstance(data, list) else []
    return [cast("dict[str, _Json]", entry) for entry in entries if isinstance(entry, dict)]


def _amount(value: _Json) -> int | None:
    """`{"value": 24560, "unit": "MB"}` in bytes; the tool's MB are MiB."""
    if not isinstance(value, dict):
        return None
    amount = cast("dict[str, _Json]", value)
    number = _whole(amount.get("value"))
    factor = {"B": 1, "KB": 1024, "MB": _MIB, "GB": _GIB}.get(str(amount.get("unit", "")))
    return None if number is None or factor is None else number * factor


def _mib(text: str) -> int | None:
    number = _whole(text)
    return None if number is None else number * _MIB


def _whole(value: object) -> int | None:
    text = str(value).strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 20 else None


def _architecture(name: str) -> str:
    return name if _GFX.fullmatch(name) else ""

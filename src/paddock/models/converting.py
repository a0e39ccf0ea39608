"""Owns having weights written as GGUF, in a worker; refuses to know how that is done (`models/conversion.py` does)."""

from __future__ import annotations

import errno
import json
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from paddock.errors import PaddockError
from paddock.models import conversion
from paddock.paths import draft_of, says_disk_is_full
from paddock.process import environment
from paddock.values import table_in

# As Python ends a traceback.
_ERROR = re.compile(r"[A-Za-z_.]*(Error|Exception)\b")
_TIMEOUT_S = 6 * 3600.0


def run(words: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a program to its end."""
    return subprocess.run(
        words, capture_output=True, text=True, errors="replace", timeout=_TIMEOUT_S, check=False, env=environment()
    )


def convert(
    kind: Literal["model", "adapter"],
    source: Path,
    target: Path,
    *more: str,
    run: Callable[[list[str]], subprocess.CompletedProcess[str]] = run,
) -> None:
    """Have a folder written as GGUF, whole or not at all, by llama.cpp's converter and the Python that runs this.

    What the converter prints is printed. Raises PaddockError with its reason, OSError where the disk is
    full, and what `run` raises.
    """
    draft = draft_of(target, ".draft.gguf")
    with tempfile.TemporaryDirectory(prefix=".gguf-", suffix=".draft", dir=target.parent) as folder:
        if kind == "adapter":
            source, more = as_engines_scale(source, Path(folder)), beside_whole_numbers(more, Path(folder))
        _convert(kind, source, draft, more, run)
    draft.replace(target)


def _convert(
    kind: str,
    source: Path,
    draft: Path,
    more: tuple[str, ...],
    run: Callable[[list[str]], subprocess.CompletedProcess[str]],
) -> None:
    words = [sys.executable, "-I", conversion.__file__, kind, str(source), str(draft), *more]
    done = run(words)
    sys.stdout.write(done.stdout + done.stderr)
    if done.returncode or not draft.is_file():
        draft.unlink(missing_ok=True)
        refuse_full(done)
        raise PaddockError(
            f"{source.name} could not be written as GGUF: {_telling(done.stderr)} (output.log holds more)"
        )


def _telling(said: str) -> str:
    """The last line that names an error, else the last one: how far it was may be told behind it."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return next((line for line in reversed(lines) if _ERROR.match(line)), lines[-1] if lines else "it said nothing")


def refuse_full(done: subprocess.CompletedProcess[str]) -> None:
    """Raises OSError where a program failed because the disk is full, which it can only say in words."""
    if says_disk_is_full(done.stdout + done.stderr):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def beside_whole_numbers(words: tuple[str, ...], folder: Path) -> tuple[str, ...]:
    """The words of a conversion, with a base that says nothing of fewer bits in place of one that does, in `folder`.

    Of a base the converter of adapters reads its config alone, and refuses it where that speaks of a quantisation that
    it does not know. Raises OSError.
    """
    if "--base" not in words:
        return words
    place = words.index("--base") + 1
    base = Path(words[place])
    said = table_in(base / "config.json")
    if not said.get("quantization_config"):
        return words
    copy = folder / "base" / base.name
    copy.mkdir(parents=True)
    plain = {name: value for name, value in said.items() if name != "quantization_config"}
    (copy / "config.json").write_text(json.dumps(plain), "utf-8")
    return (*words[:place], str(copy), *words[place + 1 :])


def as_engines_scale(kept: Path, folder: Path) -> Path:
    """An adapter's folder, or a copy in `folder` of one that is scaled by the root of its rank (rsLoRA).

    An engine scales by alpha over the rank, whatever the addition was trained with: the copy has the alpha by which
    that comes to the same. Raises OSError.
    """
    settings = kept / "adapter_config.json"
    said: dict[str, Any] = json.loads(settings.read_text("utf-8")) if settings.is_file() else {}
    if not said.get("use_rslora"):
        return kept
    copy = folder / kept.name
    copy.mkdir()
    for file in kept.glob("adapter_*"):
        shutil.copyfile(file, copy / file.name)
    scaled = {**said, "use_rslora": False, "lora_alpha": said["lora_alpha"] * math.sqrt(said["r"])}
    (copy / settings.name).write_text(json.dumps(scaled), "utf-8")
    return copy

"""Owns having what was trained written as GGUF; refuses to know how that is done (`models/conversion` does)."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from paddock.errors import PaddockError
from paddock.models import conversion

_TIMEOUT_S = 3600.0


def to_gguf(kept: Path, base: Path) -> Path:
    """The file beside an adapter's or a model's folder, whole or not there. Raises PaddockError with the reason."""
    target = kept.with_name(f"{kept.name}.gguf")
    draft = kept.with_name(f".{kept.name}.draft.gguf")
    draft.unlink(missing_ok=True)
    more = ["--base", str(base)] if kept.name == "adapter" else []
    with tempfile.TemporaryDirectory(prefix=".gguf-", dir=kept.parent) as folder:
        source = _as_engines_scale(kept, Path(folder))
        words = [sys.executable, "-I", conversion.__file__, kept.name, str(source), str(draft), *more]
        done = subprocess.run(words, capture_output=True, text=True, errors="replace", timeout=_TIMEOUT_S, check=False)
    sys.stdout.write(done.stdout + done.stderr)
    if done.returncode or not draft.is_file():
        draft.unlink(missing_ok=True)
        last = next((line for line in reversed(done.stderr.splitlines()) if line.strip()), "it said nothing")
        raise PaddockError(
            f"What was trained lies in {kept.name}, and could not be written as GGUF: {last.strip()} (output.log holds "
            "more)"
        )
    draft.replace(target)
    return target


def _as_engines_scale(kept: Path, folder: Path) -> Path:
    """What was kept, or a copy of an addition that is scaled by the root of its rank (rsLoRA).

    An engine scales by alpha over the rank, whatever the addition was trained with: the copy has the alpha by which
    that comes to the same.
    """
    settings = kept / "adapter_config.json"
    said: dict[str, Any] = json.loads(settings.read_text("utf-8")) if settings.is_file() else {}
    if not said.get("use_rslora"):
        return kept
    copy = Path(shutil.copytree(kept, folder / kept.name))
    scaled = {**said, "use_rslora": False, "lora_alpha": said["lora_alpha"] * math.sqrt(said["r"])}
    (copy / settings.name).write_text(json.dumps(scaled), "utf-8")
    return copy

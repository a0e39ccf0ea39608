"""Owns having what was trained written as GGUF; refuses to know how that is done (`models/converting` does)."""

from __future__ import annotations

import json
import math
import shutil
import tempfile
from pathlib import Path
from typing import Any

from paddock.models import converting


def to_gguf(kept: Path, base: Path) -> Path:
    """The file beside an adapter's or a model's folder, whole or not there. Raises PaddockError with the reason."""
    target = kept.with_name(f"{kept.name}.gguf")
    more = ["--base", str(base)] if kept.name == "adapter" else []
    with tempfile.TemporaryDirectory(prefix=".gguf-", dir=kept.parent) as folder:
        converting.convert("adapter" if more else "model", _as_engines_scale(kept, Path(folder)), target, *more)
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

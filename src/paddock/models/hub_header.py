"""Owns reading what a model on the hub says of itself before it is fetched: the beginning of each of its files.

A file is written with its header alone and as long as the whole one, its rest being a hole, so that whatever reads
headers reads it. Refuses to judge the model.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from paddock.errors import HubUnavailable
from paddock.models.gguf_layout import MAGIC
from paddock.models.gguf_reader import Defect, read_raw
from paddock.models.hub_choice import HubFile, Plan
from paddock.models.transfer import Source, beginning

if TYPE_CHECKING:
    from collections.abc import Callable

# Tokenizers make headers long; none that was seen is longer than the last of these.
_LOOKED_AT_BYTES = tuple(2**power for power in range(20, 27))


def write_headers(plan: Plan, folder: Path, source_of: Callable[[HubFile], Source]) -> list[Path]:
    """The headers of a model's files, in a folder, the projector's after the others.

    Raises:
        HubUnavailable: the connection broke, or a file does not begin as a model does.
        httpx2.HTTPError, OSError: as the library raises them, for `hub_errors` to translate.
    """
    return [_written(file, folder / PurePosixPath(file.name).name, source_of(file)) for file in plan.files]


def _written(file: HubFile, path: Path, source: Source) -> Path:
    with path.open("w+b") as target:
        looked_at = iter(_LOOKED_AT_BYTES)
        look_at_bytes, size_bytes = next(looked_at), 0
        for block in beginning(source):
            target.write(block)
            size_bytes += len(block)
            if size_bytes < look_at_bytes and size_bytes < file.size_bytes:
                continue
            if _is_whole(path, target.flush):
                target.truncate(file.size_bytes)
                return path
            look_at_bytes = next((size for size in looked_at if size > size_bytes), 0)
            if not look_at_bytes:
                break
    raise HubUnavailable(f"'{path.name}' on {source.host} does not begin as a GGUF model does. Choose another variant.")


def _is_whole(path: Path, flush: Callable[[], None]) -> bool:
    flush()
    with path.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            return False
        file.seek(0)
        try:
            read_raw(file)
        except Defect:
            return False
    return True

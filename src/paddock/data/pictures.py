"""Owns the images that rows name: inline, or in files beside them; fetches none, and opens nothing that lies elsewhere.

Refuses to know what an image's file holds (`pixels` does), and what a model makes of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from paddock.data.json_text import parsed
from paddock.data.refusals import wrong
from paddock.errors import FieldInvalid, ImageRefused, shown
from paddock.paths import read_small
from paddock.pixels import decode_base64, upright

# The kinds of parts that are an image, and the names under which such a part holds it.
KINDS = ("image", "image_url")
_HOLD = ("image_url", "url", "path", "image", "base64")
# As large as a request's may be.
_FILE_MOST_BYTES = 20 * 2**20
_SHOWN_CHARACTERS = 80
# One letter and a colon are a drive.
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")


@dataclass(frozen=True, kw_only=True)
class Picture:
    """An image as its row names it: a data URL, or a path from the folder that its file of rows lies in."""

    source: str
    place: str


class Gallery:
    """The images of one row, gathered while its messages are read: `found` has them in their order."""

    def __init__(self, row: Mapping[str, Any], place: str) -> None:
        """Those of the row's own column, `images` or `image`, wait for parts without one. Raises FieldInvalid."""
        self._place = place
        self._column = [_source(one, f"{place}, image {n}") for n, one in enumerate(_listed(row), 1)]
        self._taken = 0
        self.found: list[Picture] = []

    def add(self, part: Mapping[str, Any]) -> None:
        """Take the image of a part, or the column's next. Raises FieldInvalid."""
        place = f"{self._place}, image {len(self.found) + 1}"
        held = next((part[name] for name in _HOLD if part.get(name) is not None), None)
        if held is None:
            if self._taken == len(self._column):
                raise self._unequal("more")
            source = self._column[self._taken]
            self._taken += 1
        else:
            is_bare = part.get("base64") is not None and isinstance(held, str) and not held.startswith("data:")
            source = f"data:image/*;base64,{held}" if is_bare else _source(held, place)
        self.found.append(Picture(source=source, place=place))

    def close(self) -> tuple[Picture, ...]:
        """All of them. Raises FieldInvalid where the column has more than the messages have places."""
        if self._taken < len(self._column):
            raise self._unequal("fewer")
        return tuple(self.found)

    def _unequal(self, which: str) -> FieldInvalid:
        return wrong(
            self._place,
            f"its images are {len(self._column)}, and its messages have {which} parts of type 'image' to put them in. "
            "Each image needs one such part",
        )


def read(picture: Picture, folder: Path) -> Any:
    """The pixels of an image, RGB and upright. Blocking.

    Args:
        picture: whose path is looked for beside the rows.
        folder: where the file of rows lies.

    Raises:
        FieldInvalid: it is not there, elsewhere, larger than 20 MiB or 50 megapixels, or no image.
    """
    try:
        return upright(_bytes(picture, folder))
    except (ImageRefused, OSError, ValueError) as error:
        reason = error.strerror or str(error) if isinstance(error, OSError) else str(error)
        raise wrong(picture.place, f"{_named(picture.source)}: {reason.rstrip('.')}") from error


def _bytes(picture: Picture, folder: Path) -> bytes:
    """Raises FieldInvalid, ImageRefused, OSError or ValueError."""
    if picture.source.startswith("data:"):
        return decode_base64(picture.source)
    inside = folder.resolve()
    path = (inside / picture.source).resolve()
    if not path.is_relative_to(inside):
        raise wrong(
            picture.place,
            f"{_named(picture.source)} lies outside {inside}. Images lie beside the file of rows, or in folders there",
        )
    return read_small(path, most_bytes=_FILE_MOST_BYTES)


def _listed(row: Mapping[str, Any]) -> Sequence[object]:
    """The row's own column of images."""
    held: object = row.get("images") or row.get("image") or []
    if isinstance(held, str) and held.lstrip().startswith("["):
        # A table of text, such as CSV, holds a list as JSON.
        try:
            held = parsed(held)
        except ValueError:
            return [held]
    return cast("list[object]", held) if isinstance(held, list) else [held]


def _source(held: object, place: str) -> str:
    """A data URL or a path. Raises FieldInvalid."""
    if isinstance(held, dict):
        table = cast("dict[str, Any]", held)
        held = next((table[name] for name in ("url", "path") if table.get(name)), None)
    if not isinstance(held, str) or not held.strip() or "\0" in held:
        raise wrong(place, f"it is {shown(held)}, neither a path nor a data URL")
    if held[:5].lower() == "data:":
        kind, comma, said = held[5:].partition(",")
        if not comma or not said.strip() or "base64" not in kind.lower().split(";"):
            raise wrong(place, "its data URL holds nothing in base64. Write data:image/png;base64,… with its bytes")
        return f"data:{held[5:]}"
    if _ADDRESS.match(held):
        raise wrong(
            place,
            f"{_named(held)} is an address, and a training fetches nothing. Put the image beside the file of rows and "
            "name that, or write it as a data URL",
        )
    return held


def _named(source: str) -> str:
    return "the data URL" if source.startswith("data:") else shown(source, limit_characters=_SHOWN_CHARACTERS)

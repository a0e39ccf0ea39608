"""Owns GGUF files in several pieces: reading them as one, and writing one as several; refuses to change a weight."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gguf

from paddock.models.entries import pieces_of

_NO, _COUNT, _TENSORS = (
    gguf.Keys.Split.LLM_KV_SPLIT_NO,
    gguf.Keys.Split.LLM_KV_SPLIT_COUNT,
    gguf.Keys.Split.LLM_KV_SPLIT_TENSORS_COUNT,
)


class Opened:
    """What a file holds, with the other pieces where it is the first of several. Raises OSError or ValueError."""

    def __init__(self, path: Path) -> None:
        readers: list[Any] = [gguf.GGUFReader(one) for one in pieces_of(path)]
        self.fields: dict[str, Any] = {
            key: field
            for key, field in readers[0].fields.items()
            if not key.startswith("GGUF.") and key not in (_NO, _COUNT, _TENSORS)
        }
        self.tensors: list[Any] = [tensor for reader in readers for tensor in reader.tensors]

    def value(self, key: str) -> Any:
        """What it says under a key; None where it says nothing."""
        return self.fields[key].contents() if key in self.fields else None

    def begun(self, target: Path, *, without: tuple[str, ...] = ()) -> Any:
        """A writer of another file that says the same of itself."""
        writer: Any = gguf.GGUFWriter(target, self.value("general.architecture"))
        for key, field in self.fields.items():
            if key != "general.architecture" and key not in without:
                first = field.types[0]
                more = {"sub_type": field.types[-1]} if first == gguf.GGUFValueType.ARRAY else {}
                writer.add_key_value(key, field.contents(), first, **more)
        return writer


def name_of(path: Path) -> str:
    """What a file is called without its kind, nor its number where it is a piece."""
    return path.name.removesuffix(".gguf").partition("-00001-of-")[0]


def found(folder: Path, name: str) -> Path | None:
    """The first piece of the file of a name, or the file; None where it is not there."""
    first = sorted(folder.glob(f"{name}-00001-of-*.gguf"))
    return first[0] if first else next((one for one in [folder / f"{name}.gguf"] if one.exists()), None)


def split(whole: Path, folder: Path, most_bytes: int) -> list[Path]:
    """Move a file into a folder, in pieces of at most about so many bytes where it has more. Raises OSError.

    What engines need to know stands in the first piece. A weight that is larger has a piece of its own.
    """
    name = whole.name.removesuffix(".gguf")
    for one in folder.glob(f"{name}-*-of-*.gguf"):
        one.unlink()
    if whole.stat().st_size <= most_bytes:
        return [whole.replace(folder / whole.name)]
    opened = Opened(whole)
    shares = _shares(opened.tensors, most_bytes)
    made: list[tuple[Path, Path]] = []
    for number, tensors in enumerate(shares, 1):
        target = folder / _piece(name, number, len(shares))
        draft = target.with_name(f".{target.stem}.draft.gguf")
        writer = opened.begun(draft) if number == 1 else gguf.GGUFWriter(draft, opened.value("general.architecture"))
        writer.add_uint16(_NO, number - 1)
        writer.add_uint16(_COUNT, len(shares))
        writer.add_int32(_TENSORS, len(opened.tensors))
        write(writer, tensors)
        made.append((draft, target))
    for draft, target in made:
        draft.replace(target)
    del opened
    whole.unlink()
    return [target for _, target in made]


def write(writer: Any, tensors: list[Any]) -> None:
    """Write what was told so far, and these weights as they are."""
    for one in tensors:
        writer.add_tensor_info(one.name, one.data.shape, one.data.dtype, one.data.nbytes, one.tensor_type)
    begin(writer)
    for one in tensors:
        writer.write_tensor_data(one.data)
    writer.close()


def begin(writer: Any) -> None:
    """Write all that stands before the weights."""
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()


def _shares(tensors: list[Any], most_bytes: int) -> list[list[Any]]:
    shares: list[list[Any]] = [[]]
    taken = 0
    for one in tensors:
        if shares[-1] and taken + one.n_bytes > most_bytes:
            shares.append([])
            taken = 0
        shares[-1].append(one)
        taken += int(one.n_bytes)
    return shares


def _piece(name: str, number: int, count: int) -> str:
    return f"{name}-{number:05}-of-{count:05}.gguf"

"""Owns what a GGUF file says about its model, and whether it can be loaded at all; refuses to load it.

The header is read with bounds (`gguf_reader`). What is checked: kind of file, version, that every tensor lies within
the file, that it is a whole model and not an adapter or the like, that all parts of a split model are there. What is
not checked: the tensors' values, and whether the engine knows the architecture.
"""

from __future__ import annotations

import re
import stat
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Literal

from paddock.errors import ModelUnusable
from paddock.models.gguf_layout import ENCODERS, MAGIC, OTHER_KINDS, QUANTISATIONS
from paddock.models.gguf_reader import Defect, LargeArray, RawHeader, Value, read_raw

SNIFF_BYTES = 512
_GUESSED_FILE_TYPE = 1024
_PART = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf", re.IGNORECASE | re.DOTALL)

# How other files begin, in lower case → what they are and what to do.
_OTHER_FORMATS = (
    (
        (b"version https://git-lfs",),
        "it is a Git LFS pointer, which only names the real file. Run 'git lfs pull', or fetch the file itself.",
    ),
    (
        (b"<!doctype", b"<html", b"<?xml"),
        "it is a web page, perhaps an error saved under this name. Fetch the file itself.",
    ),
    ((b"pk\x03\x04",), "it is a zip archive, perhaps a PyTorch checkpoint. Convert the model to GGUF."),
    (
        (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"),
        "it is a Python pickle, perhaps a PyTorch checkpoint. Convert the model to GGUF.",
    ),
    (
        (b"lmgg", b"fmgg", b"tjgg", b"algg"),
        "it is of the GGML format, which came before GGUF. Fetch or convert a GGUF file.",
    ),
    (
        (b"\x1f\x8b", b"bzh", b"\xfd7zxz", b"7z\xbc\xaf", b"\x28\xb5\x2f\xfd"),
        "it is a compressed archive. Unpack it first.",
    ),
)

Task = Literal["text", "embedding", "ranking"]
_POOLING_RANK = 4


@dataclass(frozen=True, kw_only=True)
class GgufHeader:
    """What the file says of its model. Counts of a split model are those of all its parts together.

    `head_count` and `head_count_kv` are one number, or one per layer where the layers differ. None: the file does not
    say. `files` are the parts in order, the file itself where it is not split. `bytes_by_block` are the weights of each
    layer by its number; `expert_bytes`, `embedding_bytes`, `output_bytes` and `shapes` are as in
    `gguf_reader.RawHeader`.
    """

    version: int
    files: tuple[Path, ...]
    size_bytes: int
    metadata: Mapping[str, Value]
    architecture: str
    name: str | None
    quantisation: str
    tensor_count: int
    parameter_count: int
    bytes_by_block: Mapping[int, int]
    expert_bytes: int
    embedding_bytes: int
    output_bytes: int
    trained_context_tokens: int | None
    vocabulary_size: int | None
    block_count: int | None
    embedding_length: int | None
    head_count: int | tuple[int, ...] | None
    head_count_kv: int | tuple[int, ...] | None
    key_length: int | None
    value_length: int | None
    pooling_type: int | None
    chat_template: str | None
    shapes: Mapping[str, tuple[int, int]]

    @property
    def task(self) -> Task:
        """What the model makes of a text: more text, a vector, or a score of how well it answers a query."""
        if self.pooling_type == _POOLING_RANK:
            return "ranking"
        return "embedding" if self.architecture in ENCODERS or (self.pooling_type or 0) > 0 else "text"

    @property
    def recommended_sampling(self) -> dict[str, int | float]:
        """The file's own `general.sampling.*` numbers, by their last word (`temp`, `top_k` …)."""
        prefix = "general.sampling."
        return {
            key.removeprefix(prefix): value
            for key, value in self.metadata.items()
            if key.startswith(prefix) and isinstance(value, (int, float))
        }


def read_header(path: Path) -> GgufHeader:
    """The header of a model that can be loaded: one file, or the first part of a split model with all others beside it.

    Raises:
        ModelUnusable: anything else; the message names the file without its folder, what is wrong and what to do.
    """
    try:
        return _read_model(path)
    except Defect as defect:
        raise ModelUnusable(f"'{path.name}' {defect}") from defect


def part_of(name: str) -> tuple[str, int, int] | None:
    """A split model's stem, part number (from 1) and number of parts, as its file name tells; None for other names."""
    match = _PART.fullmatch(name)
    return (match["stem"], int(match["number"]), int(match["count"])) if match else None


def _read_model(path: Path) -> GgufHeader:
    raw, size_bytes = read_part(path)
    metadata = raw.metadata
    part, parts = _integer(metadata, "split.no") or 0, _integer(metadata, "split.count") or 1
    if part > 0:
        first = _part_name(path.name, 1, parts)
        raise Defect(f"is part {part + 1} of {parts} of a model. Give the first part{f', {first!r}' if first else ''}.")
    architecture = _architecture(metadata)
    header = GgufHeader(
        version=raw.version,
        files=(path,),
        size_bytes=size_bytes,
        metadata=metadata,
        architecture=architecture,
        name=_text(metadata, "general.name"),
        quantisation=_quantisation(raw),
        tensor_count=raw.tensor_count,
        parameter_count=raw.parameter_count,
        bytes_by_block=raw.bytes_by_block,
        expert_bytes=raw.expert_bytes,
        embedding_bytes=raw.embedding_bytes,
        output_bytes=raw.output_bytes,
        trained_context_tokens=_integer(metadata, f"{architecture}.context_length"),
        vocabulary_size=_length(metadata, "tokenizer.ggml.tokens"),
        block_count=_integer(metadata, f"{architecture}.block_count"),
        embedding_length=_integer(metadata, f"{architecture}.embedding_length"),
        head_count=_per_layer(metadata, f"{architecture}.attention.head_count"),
        head_count_kv=_per_layer(metadata, f"{architecture}.attention.head_count_kv"),
        key_length=_integer(metadata, f"{architecture}.attention.key_length"),
        value_length=_integer(metadata, f"{architecture}.attention.value_length"),
        pooling_type=_integer(metadata, f"{architecture}.pooling_type"),
        chat_template=_text(metadata, "tokenizer.chat_template") or None,
        shapes=raw.shapes,
    )
    header = _with_other_parts(header, path, parts) if parts > 1 else header
    if header.tensor_count == 0:
        raise Defect("is a vocabulary without a model: it holds no tensors. Choose a file that holds the weights.")
    return header


def read_part(path: Path) -> tuple[RawHeader, int]:
    """One file's own header and its size, after checking that every tensor lies within it. Raises Defect."""
    try:
        # Opening a pipe or a device could wait for ever.
        if not stat.S_ISREG(path.stat().st_mode):
            raise Defect("cannot be read (it is no regular file). Choose a file that ends in .gguf.")
        with path.open("rb") as file:
            size_bytes = _check_magic(file)
            raw = read_raw(file)
    except OSError as error:
        raise Defect(f"cannot be read ({error.strerror or error}).") from error
    if raw.needed_bytes > size_bytes:
        raise Defect(f"is cut short: it holds {size_bytes} of {raw.needed_bytes} bytes. Fetch it again.")
    return raw, size_bytes


def _with_other_parts(header: GgufHeader, path: Path, parts: int) -> GgufHeader:
    """The header with the counts of all parts."""
    if parts > 99_999 or _part_name(path.name, 1, parts) != path.name:
        raise Defect(
            f"is the first of {parts} parts, but is not named as one. Name it 'NAME-00001-of-{parts:05}.gguf', "
            "as all the parts were named."
        )
    names = [str(_part_name(path.name, number, parts)) for number in range(1, parts + 1)]
    missing = [name for name in names if not (path.parent / name).is_file()]
    if missing:
        listed = ", ".join(f"'{name}'" for name in missing[:3])
        raise Defect(f"is one of {parts} parts and {len(missing)} of them are missing: {listed}. Fetch them too.")
    for number, name in enumerate(names[1:], start=1):
        try:
            raw, size_bytes = read_part(path.parent / name)
        except Defect as defect:
            raise Defect(f"cannot be used without its part '{name}', which {defect}") from defect
        if _integer(raw.metadata, "split.no") != number:
            raise Defect(f"cannot be used with '{name}', which is not its part {number + 1}. Fetch it again.")
        header = replace(
            header,
            files=(*header.files, path.parent / name),
            size_bytes=header.size_bytes + size_bytes,
            tensor_count=header.tensor_count + raw.tensor_count,
            parameter_count=header.parameter_count + raw.parameter_count,
            bytes_by_block=Counter(header.bytes_by_block) + Counter(raw.bytes_by_block),
            expert_bytes=header.expert_bytes + raw.expert_bytes,
            embedding_bytes=header.embedding_bytes + raw.embedding_bytes,
            output_bytes=header.output_bytes + raw.output_bytes,
            shapes={**header.shapes, **raw.shapes},
        )
    return header


def _part_name(name: str, number: int, parts: int) -> str | None:
    match = _PART.fullmatch(name)
    return f"{match['stem']}-{number:05}-of-{parts:05}{name[-5:]}" if match else None


def _check_magic(file: BinaryIO) -> int:
    """The size of a file that begins as GGUF files do; any other is named as what it seems to be."""
    opening = file.read(SNIFF_BYTES)
    size_bytes = file.seek(0, 2)
    file.seek(0)
    if not opening:
        raise Defect("is empty. Fetch it again.")
    if not opening.startswith(MAGIC):
        raise Defect(f"is not a GGUF file: {_kind_of(opening, size_bytes)}")
    return size_bytes


def _kind_of(opening: bytes, size_bytes: int) -> str:
    if len(opening) < len(MAGIC) and MAGIC.startswith(opening):
        return "it ends after its first bytes. Fetch it again."
    for beginnings, kind in _OTHER_FORMATS:
        if opening.lstrip().lower().startswith(beginnings):
            return kind
    if opening[8:9] == b"{" and 2 <= int.from_bytes(opening[:8], "little") <= size_bytes - 8:
        return "it is a safetensors file. Convert the model to GGUF."
    return "it does not begin as one. Choose a GGUF file."


def _architecture(metadata: Mapping[str, Value]) -> str:
    architecture = _text(metadata, "general.architecture")
    other = OTHER_KINDS.get(_text(metadata, "general.type") or "") or OTHER_KINDS.get(architecture or "")
    if other:
        raise Defect(f"is {other}. Choose the model's own file.")
    if not architecture:
        raise Defect("does not name its architecture (general.architecture). Convert the model again.")
    return architecture


def _quantisation(raw: RawHeader) -> str:
    file_type = _integer(raw.metadata, "general.file_type")
    if file_type is not None and file_type % _GUESSED_FILE_TYPE in QUANTISATIONS:
        return QUANTISATIONS[file_type % _GUESSED_FILE_TYPE]
    # Of mixed files, the kind that holds most of the bytes names the whole.
    return max(raw.bytes_by_kind, key=lambda kind: raw.bytes_by_kind[kind], default="unknown")


def _text(metadata: Mapping[str, Value], key: str) -> str | None:
    value = metadata.get(key)
    return value if isinstance(value, str) else None


def _integer(metadata: Mapping[str, Value], key: str) -> int | None:
    value = metadata.get(key)
    return value if type(value) is int and value >= 0 else None


def _per_layer(metadata: Mapping[str, Value], key: str) -> int | tuple[int, ...] | None:
    value = metadata.get(key)
    if isinstance(value, tuple):
        return tuple(number for number in value if type(number) is int)
    return _integer(metadata, key)


def _length(metadata: Mapping[str, Value], key: str) -> int | None:
    value = metadata.get(key)
    return value.count if isinstance(value, LargeArray) else None

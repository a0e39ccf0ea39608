"""Owns what an export can be told, and checking it; refuses to look at any weights."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, cast

from paddock.errors import FieldInvalid, shown

# Bits a weight takes, by the type of a file. The plain ones hold weights as they are.
PLAIN = {"F32": 32.0, "F16": 16.0, "BF16": 16.0}
# Those that the engine's library alone makes: every matrix in the same type.
UNIFORM = {"Q8_0": 8.5, "Q6_K": 6.5625}
# Those for which llama.cpp's own program mixes types, matrix by matrix. Bits are about those of a model of 8 billion.
MIXED = {
    "Q5_K_M": 5.7, "Q5_K_S": 5.55, "Q4_K_M": 4.9, "Q4_K_S": 4.65, "IQ4_NL": 4.65, "IQ4_XS": 4.4, "Q3_K_L": 4.3,
    "Q3_K_M": 4.0, "Q3_K_S": 3.6, "IQ3_M": 3.75, "IQ3_S": 3.65, "IQ3_XS": 3.5, "IQ3_XXS": 3.25, "Q2_K": 3.3,
    "Q2_K_S": 3.1, "IQ2_M": 2.95, "IQ2_S": 2.75, "IQ2_XS": 2.6, "IQ2_XXS": 2.4, "IQ1_M": 2.15, "IQ1_S": 2.0,
}  # fmt: skip
# Those that llama.cpp refuses to make without a matrix of what is important.
NEEDS_IMPORTANCE = ("IQ3_XXS", "Q2_K_S", "IQ2_M", "IQ2_S", "IQ2_XS", "IQ2_XXS", "IQ1_M", "IQ1_S")
QUANTISED = {**UNIFORM, **MIXED}
# What was trained alone, without its base: as its files are, and as GGUF.
ADAPTER, LORA = "ADAPTER", "LORA"
TRAINED = (ADAPTER, LORA)
# Bits a weight of the whole model takes in a file of a type.
TYPES = {**PLAIN, **QUANTISED, ADAPTER: 0.0, LORA: 0.0}
# What a file of a whole model can be evaluated by once it is made: those of `evaluation/spec.py` that need no set.
SUITES = ("tools", "pocket")
# What is made where no types are asked for.
USUAL = ("F16", "Q8_0")
# What stands between the weights and the types asked for, where no plain type is among these.
BETWEEN = "F16"
# A file that is smaller is not worth splitting.
SPLIT_LEAST_BYTES = 10**6
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")


@dataclass(frozen=True, kw_only=True)
class ExportSpec:
    """One export.

    Attributes:
        source: the id of a training, or a folder that holds an adapter or a model.
        base: the folder or name of the model that an adapter was trained on; "" as the training or the adapter says.
        name: what the files are called, before their type.
        types: the types of files, in the order in which they are made.
        certifies: whether each file is compared with what it was made of.
        importance: rows by which it is measured which weights are important, a file or an example; "" for none.
        split_bytes: about the most that a file may have; larger ones are split. 0: none is.
        evaluates: the suites by which each file of a whole model is evaluated once it is made, as one of the models.
    """

    source: str
    base: str = ""
    name: str
    types: tuple[str, ...] = USUAL
    certifies: bool = True
    importance: str = ""
    split_bytes: int = 0
    evaluates: tuple[str, ...] = ()

    @property
    def whole(self) -> tuple[str, ...]:
        """The types of files that hold the whole model."""
        return tuple(one for one in self.types if one not in TRAINED)

    @property
    def plain(self) -> str:
        """The type that others are made of."""
        return next((one for one in ("F32", "F16", "BF16") if one in self.types), BETWEEN)


def spec_of(given: Mapping[str, Any]) -> ExportSpec:
    """An export of names and values. Raises FieldInvalid."""
    known = [one.name for one in fields(ExportSpec)]
    if unknown := next((name for name in given if name not in known), None):
        raise FieldInvalid(f"There is no {shown(unknown)} in an export. There are: {', '.join(known)}.", param=unknown)
    for name in ("source", "base", "name", "importance"):
        if not isinstance(given.get(name, ""), str):
            raise FieldInvalid(f"{name} is no text.", param=name)
    source, name = given.get("source", ""), given.get("name", "")
    if not source:
        raise FieldInvalid("Say what is exported: the id of a training, or a folder.", param="source")
    if not _NAME.fullmatch(name) or name.endswith("."):
        raise FieldInvalid(
            f"name is {shown(name)}. The files of an export are called by letters, digits, '.', '_' and '-', up to 80.",
            param="name",
        )
    certifies = given.get("certifies", True)
    if not isinstance(certifies, bool):
        raise FieldInvalid("certifies is true or false.", param="certifies")
    spec = ExportSpec(
        source=source,
        base=given.get("base", ""),
        name=name,
        types=_types(given.get("types")),
        certifies=certifies,
        importance=given.get("importance", ""),
        split_bytes=_split_bytes(given.get("split_bytes", 0)),
        evaluates=_suites(given.get("evaluates")),
    )
    _refuse_importance(spec)
    if spec.evaluates and not spec.whole:
        raise FieldInvalid(
            f"evaluates says nothing to {', '.join(spec.types)}: only files of a whole model are evaluated.",
            param="evaluates",
        )
    return spec


def as_table(spec: ExportSpec) -> dict[str, Any]:
    """As it is written down and told."""
    return {**asdict(spec), "types": list(spec.types), "evaluates": list(spec.evaluates)}


def importance_in(kind: str) -> Literal["needed", "used", "unused"]:
    """What it is to a type of file that it is measured which weights are important."""
    if kind in NEEDS_IMPORTANCE:
        return "needed"
    return "used" if kind in MIXED or kind == "Q6_K" else "unused"


def name_of(text: str) -> str:
    """What files can be called that come of something of that name."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-._")[:80] or "model"


def _types(given: Any) -> tuple[str, ...]:
    if given is None:
        return USUAL
    if isinstance(given, str):
        given = given.split(",")
    if not isinstance(given, list | tuple) or not given:
        raise FieldInvalid("types is a list of types, such as F16 and Q8_0.", param="types")
    found: list[str] = []
    for one in cast("Sequence[object]", given):
        name = str(one).strip().upper()
        if name not in TYPES:
            raise FieldInvalid(
                f"{shown(str(one))} is no type of file here. There are: {', '.join(TYPES)}.", param="types"
            )
        if name not in found:
            found.append(name)
    return tuple(found)


def _suites(given: Any) -> tuple[str, ...]:
    if given is None:
        return ()
    if not isinstance(given, list | tuple):
        raise FieldInvalid(f"evaluates is a list of {' and '.join(SUITES)}.", param="evaluates")
    asked = [str(one) for one in cast("Sequence[object]", given)]
    if unknown := next((one for one in asked if one not in SUITES), None):
        raise FieldInvalid(
            f"A file is not evaluated by {shown(unknown)} after its export. There are: {', '.join(SUITES)}.",
            param="evaluates",
        )
    return tuple(one for one in SUITES if one in asked)


def _split_bytes(given: Any) -> int:
    if isinstance(given, bool) or not isinstance(given, int) or (given and given < SPLIT_LEAST_BYTES):
        raise FieldInvalid(
            f"split_bytes is {shown(str(given))}: 0, which splits nothing, or at least {SPLIT_LEAST_BYTES}.",
            param="split_bytes",
        )
    return given


def _refuse_importance(spec: ExportSpec) -> None:
    """Raises FieldInvalid where it is lacking, or of no use."""
    needing = next((one for one in spec.types if importance_in(one) == "needed"), None)
    if needing and not spec.importance:
        raise FieldInvalid(
            f"{needing} is not made without measuring which weights are important. Say importance: a file of rows as a "
            "training takes it, such as those that it learned from.",
            param="importance",
        )
    if spec.importance and all(importance_in(one) == "unused" for one in spec.types):
        raise FieldInvalid(
            f"importance says nothing to {', '.join(spec.types)}: it is for {', '.join(('Q6_K', *MIXED))}.",
            param="importance",
        )

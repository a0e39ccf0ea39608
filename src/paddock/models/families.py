"""Owns what is recommended for each family of models, and which family a model is of; refuses to apply any of it.

Covered: names as converters write them into a file, with or without an organisation before them. Not covered: a
fine-tune under a name of its own, which is of no family, and a base model where only the chat model has a row.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

from paddock.models.gguf import GgufHeader

# Sampling as paddock names it, in the order in which it is sent, and as the engine's requests name it.
SAMPLING: Mapping[str, str] = {
    "temperature": "temperature", "top_p": "top_p", "top_k": "top_k", "min_p": "min_p",
    "presence_penalty": "presence_penalty", "repetition_penalty": "repeat_penalty",
}  # fmt: skip
# The same numbers as a file may hold them (`general.sampling.*`); the engine reads these itself.
IN_FILE: Mapping[str, str] = {
    "temp": "temperature", "top_p": "top_p", "top_k": "top_k", "min_p": "min_p", "penalty_repeat": "repetition_penalty"
}  # fmt: skip

Numbers = Mapping[str, float]
Thinking = Literal["none", "always", "on", "off"]

_DATA = Path(__file__).with_name("families.toml")
# Who is named before the model in some files.
_MAKER = re.compile(r"(?:meta|nvidia|google|microsoft|ibm|openai|mistralai|qwen|unsloth)-(?=[a-z])")
_BETWEEN_WORDS = re.compile(r"[^a-z0-9.]+")


@dataclass(frozen=True, kw_only=True)
class Family:
    """One row. `sampling` is for answers without thinking, `thinking_sampling` for those with it.

    `thinking` says whether a model of this family thinks where a request says nothing; below
    `thinks_from_parameters` it does not. Only a row whose source was read is `verified`.
    """

    name: str
    title: str
    architectures: tuple[str, ...]
    pattern: re.Pattern[str]
    thinking: Thinking
    sampling: Numbers
    thinking_sampling: Numbers
    thinks_from_parameters: int
    verified: bool
    source: str
    says: str

    def thinks(self, parameter_count: int) -> bool:
        """Whether a model of that size thinks where a request says nothing."""
        if self.thinking == "on":
            return parameter_count >= self.thinks_from_parameters
        return self.thinking == "always"

    def numbers(self, *, thinks: bool) -> Numbers:
        """What is recommended for an answer with or without thinking."""
        return self.thinking_sampling if self.thinking == "always" or thinks else self.sampling

    def fits(self, architecture: str, name: str) -> bool:
        """Whether a model of this architecture and name, as `plain` writes it, is of this family."""
        return architecture in self.architectures and self.pattern.match(name) is not None


@cache
def families() -> tuple[Family, ...]:
    """Every row of the data file."""
    rows: list[dict[str, Any]] = tomllib.loads(_DATA.read_text("utf-8"))["family"]
    return tuple(_family(row) for row in rows)


def family_of(header: GgufHeader, file_name: str) -> Family | None:
    """The family of the model that a file describes, by its architecture and its name.

    The file's `general.name` decides, else its `general.basename`; `file_name` is asked only where it holds neither.
    """
    finetune = header.metadata.get("general.finetune")
    named = [header.metadata.get(f"general.{key}") for key in ("name", "basename")]
    texts = [text for text in named if isinstance(text, str) and text] or [file_name]
    for text in texts:
        name = plain(text)
        if isinstance(finetune, str) and plain(finetune) not in name:
            name = f"{name}-{plain(finetune)}"
        for family in families():
            if family.fits(header.architecture, name):
                return family
    return None


def plain(name: str) -> str:
    """A model's name as patterns read it: lower case, hyphens between words, no maker before it."""
    words = _BETWEEN_WORDS.sub("-", name.lower()).strip("-")
    return _MAKER.sub("", words, count=1) if _MAKER.match(words) else words


def in_file(header: GgufHeader) -> dict[str, float]:
    """The sampling that the file itself recommends, by paddock's names, without the noise of 32-bit numbers."""
    found = header.recommended_sampling
    return {IN_FILE[key]: float(f"{value:.6g}") if isinstance(value, float) else value
            for key, value in found.items() if key in IN_FILE}  # fmt: skip


def _family(row: dict[str, Any]) -> Family:
    thinking = row["thinking"]
    assert thinking in get_args(Thinking), f"{row['name']}: thinking is {thinking!r}"
    return Family(
        name=row["name"],
        title=row["title"],
        architectures=tuple(row["architectures"]),
        pattern=re.compile(row["pattern"]),
        thinking=thinking,
        sampling=row.get("sampling", {}),
        thinking_sampling=row.get("thinking_sampling", {}),
        thinks_from_parameters=row.get("thinks_from_parameters", 0),
        verified=row["verified"],
        source=row.get("source", ""),
        says=row.get("says", ""),
    )

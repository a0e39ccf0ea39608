"""Owns which projector (the eyes of a model, a GGUF file of its own) belongs to a model; refuses to load either.

An engine that is given a projector of another model fails to start, so a doubtful one is not taken but named.
Only the model's own folder is looked at. Covered: what both files say of themselves (the model's name, the repository
it was made from, the width of new projectors); where they say nothing, names of families, and folders that hold one
model and a projector without a family in its name. Not covered: whether an old projector's width fits.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeGuard

from paddock.models.gguf import part_of
from paddock.models.gguf_layout import MAGIC, QUANTISATIONS
from paddock.models.gguf_reader import Defect, RawHeader, read_raw

# What every engine computes quickly comes first; BF16 is slow or missing on many machines.
_PREFERRED = ("F16", "Q8_0", "F32", "BF16")
_QUANT = re.compile(
    r"(?:^|[-_. ])(?:UD[-_])?(?:I?Q\d|TQ\d|MXFP\d|NVFP\d|BF16|FP?16|FP?32)(?:_[A-Z0-9]+)*$", re.IGNORECASE
)
# Words of a projector's name that tell no family.
_KIND = re.compile(r"(?:^|[-_. ])(?:mmproj|projector|model|vision|clip)(?=$|[-_. ])", re.IGNORECASE)
# Files that lie beside models and are none, damaged projectors among them.
_COMPANION = re.compile("mmproj|imatrix", re.IGNORECASE)
_NO_NAMES = frozenset({"model", "models", "mmproj", "clip", "vision", "projector", "unknown", "untitled", "tmp", "hf"})


@dataclass(frozen=True, kw_only=True)
class Projector:
    """A projector file. `width` is that of the model it was made for, where the file says so for certain.

    `kin` are the names by which the file tells of its model.
    """

    path: Path
    quantisation: str
    width: int | None
    kin: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Beside:
    """The GGUF files of one folder: its projectors, and whatever else there is, models it is to be hoped."""

    projectors: tuple[Projector, ...]
    others: tuple[Path, ...]

    @cached_property
    def families(self) -> frozenset[tuple[str, ...]]:
        """The families of what may be models there."""
        return frozenset(family_of(other.name) for other in self.others if not _COMPANION.search(other.name))


@dataclass(frozen=True, kw_only=True)
class Match:
    """The projector of a model, or those that may be its own, by name, where none is certain."""

    path: Path | None = None
    doubtful: tuple[str, ...] = ()


def read_projector(path: Path) -> Projector | None:
    """What a file says of itself as a projector; None for anything else, damaged projectors too."""
    try:
        # Opening a pipe or a device could wait for ever.
        if not stat.S_ISREG(path.stat().st_mode):
            return None
        with path.open("rb") as file:
            if file.read(len(MAGIC)) != MAGIC:
                return None
            size_bytes = file.seek(0, 2)
            file.seek(0)
            raw = read_raw(file)
    except (OSError, Defect):
        return None
    if raw.needed_bytes > size_bytes or not _is_projector(raw):
        return None
    file_type = raw.metadata.get("general.file_type")
    named = QUANTISATIONS.get(file_type) if isinstance(file_type, int) else None
    largest = max(raw.bytes_by_kind, key=lambda kind: raw.bytes_by_kind[kind], default="unknown")
    return Projector(path=path, quantisation=named or largest, width=_width(raw), kin=kin_of(raw.metadata))


def kin_of(metadata: Mapping[str, object]) -> tuple[str, ...]:
    """The names by which a file tells of its model: its own, and the repository that it was made from.

    A model and its projector are converted from one folder of weights, so the converter writes the same into both.
    Words that converters write for want of a name do not count.
    """
    told = [metadata.get("general.name"), metadata.get("general.base_model.0.repo_url")]
    names = ["".join(character for character in one.casefold() if character.isalnum()) for one in told if _is_text(one)]
    return tuple(name for name in names if name and name not in _NO_NAMES)


def _is_text(value: object) -> TypeGuard[str]:
    return isinstance(value, str)


def match(model: Path, width: int | None, beside: Beside, kin: Sequence[str] = ()) -> Match:
    """The projector of a model among those in its folder.

    In this order: of the model's very own name; whose file tells of the same model; named for the model's family; the
    only one of a folder that holds one family.

    Args:
        model: the model's file, or its first part.
        width: the model's embedding length, if its file says it.
        beside: what lies in its folder.
        kin: the names by which the model's file tells of it.
    """
    fitting = [one for one in beside.projectors if None in (one.width, width) or one.width == width]
    family = family_of(model.name)
    own = [one for one in fitting if one.path.name == projector_name(stem_of(model.name))]
    related = [one for one in fitting if set(one.kin) & set(kin)]
    if related and not own:
        return _best(related)
    namesakes = [one for one in fitting if (words := family_of(one.path.name)) and family[: len(words)] == words]
    if own or namesakes:
        # The longest name says most: of "big" and "big-7b", big-7b-instruct belongs to the latter.
        longest = max((len(family_of(one.path.name)) for one in namesakes), default=0)
        return _best(own or [one for one in namesakes if len(family_of(one.path.name)) == longest])
    nameless = [one for one in fitting if not family_of(one.path.name)]
    if beside.families - {family}:
        return Match(doubtful=_names(nameless))
    return _best(nameless) if nameless else Match(doubtful=_names(fitting))


def projector_name(model_name: str) -> str:
    """The name of the file that is surely the projector of a model file's stem."""
    return f"mmproj-{model_name}.gguf"


def stem_of(name: str) -> str:
    """A file's name without its ending, and without the part number of a split model."""
    part = part_of(name)
    return part[0] if part else name[: -len(".gguf")] if name.lower().endswith(".gguf") else name


def family_of(name: str) -> tuple[str, ...]:
    """The words of a file's name that tell its family: without the ending, part, quantisation and words of a kind."""
    words = _QUANT.sub("", _KIND.sub("", stem_of(name))).casefold()
    return tuple(word for word in re.split(r"[-_. ]+", words) if word)


def _best(candidates: Sequence[Projector]) -> Match:
    """The candidate of the best kind; where several are equally good, none of them."""
    ranks = {one: _rank(one.quantisation) for one in candidates}
    best = [one for one in candidates if ranks[one] == min(ranks.values())]
    if len(best) == 1:
        return Match(path=best[0].path)
    return Match(doubtful=_names(best))


def _names(projectors: Iterable[Projector]) -> tuple[str, ...]:
    return tuple(sorted(one.path.name for one in projectors))


def _rank(quantisation: str) -> int:
    return _PREFERRED.index(quantisation) if quantisation in _PREFERRED else len(_PREFERRED)


def _is_projector(raw: RawHeader) -> bool:
    return raw.metadata.get("general.architecture") == "clip" or raw.metadata.get("general.type") == "mmproj"


def _width(raw: RawHeader) -> int | None:
    # Projectors of before `general.type` wrote another width under the same key.
    if raw.metadata.get("general.type") != "mmproj":
        return None
    value = raw.metadata.get("clip.vision.projection_dim")
    return value if type(value) is int else None

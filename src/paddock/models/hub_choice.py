"""Owns reading `ORG/REPO[:QUANT]` and choosing among a repository's files; pure, knows nothing of networks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from paddock.errors import BadRequest, HubUnavailable
from paddock.models.gguf import part_of

# What to fetch when nothing was asked for: small and close to the full model first.
PREFERRED = ("Q4_K_M", "Q8_0", "Q5_K_M", "Q4_K_S", "Q6_K", "Q4_0", "IQ4_XS", "IQ4_NL", "MXFP4", "Q3_K_M", "BF16", "F16")

_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}"
_SPEC = re.compile(rf"({_NAME}/{_NAME})(?::([A-Za-z0-9][A-Za-z0-9._+-]{{0,119}}))?")
_QUANT = re.compile(
    r"(?:^|[-_.])((?:UD-)?(?:I?Q\d|TQ\d|MXFP\d|NVFP\d|BF16|FP?16|FP?32)(?:_[A-Z0-9]+)*)$", re.IGNORECASE
)
# Files beside a model that are GGUF files and no models.
_COMPANIONS = ("mmproj", "imatrix")


@dataclass(frozen=True, kw_only=True)
class Spec:
    """What was asked for: a repository, and a quantisation if one was named."""

    repo: str
    quant: str | None


@dataclass(frozen=True, kw_only=True)
class HubFile:
    """One file of a repository. `digest` is `sha256:…`, or `git:…` where the file lies in git itself."""

    name: str
    size_bytes: int
    digest: str


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The files of one quantisation, the first part first, and what else there was to choose from."""

    quant: str
    files: tuple[HubFile, ...]
    available: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a pull will fetch: the files of one quantisation at one commit."""

    spec: Spec
    revision: str
    choice: Choice

    @property
    def repo(self) -> str:
        """`ORG/REPO`."""
        return self.spec.repo

    @property
    def id(self) -> str:
        """The id the model will have: `ORG/REPO:QUANT`."""
        return f"{self.spec.repo}:{self.choice.quant}"

    @property
    def size_bytes(self) -> int:
        """All files together."""
        return sum(file.size_bytes for file in self.choice.files)


def parse_spec(text: str) -> Spec:
    """`ORG/REPO` or `ORG/REPO:QUANT`.

    Raises:
        BadRequest: it is neither.
    """
    match = _SPEC.fullmatch(text.strip())
    if not match or "--" in match[1] or ".." in match[1]:
        raise BadRequest(
            f"{text[:200]!r} does not name a model on the hub. Write ORG/REPO or ORG/REPO:QUANT, such as "
            "'some-org/some-model-GGUF:Q4_K_M'.",
            param="spec",
        )
    return Spec(repo=match[1], quant=match[2])


def choose(spec: Spec, files: Sequence[HubFile]) -> Choice:
    """The files of the quantisation that was named, or of the best one by `PREFERRED`.

    A name is compared without regard to case; a file's own stem is accepted where quantisations are not enough.

    Raises:
        HubUnavailable: the repository holds no GGUF model, or not this quantisation; the message lists what it holds.
        BadRequest: it holds several models of this quantisation.
    """
    groups = _models(files)
    if not groups:
        raise HubUnavailable(f"'{spec.repo}' holds no GGUF model. {_holds(files)} Look for its GGUF conversion.")
    available = tuple(sorted({label for label, _ in groups}))
    if spec.quant is None:
        wanted = next((quant for quant in PREFERRED if quant in available), None) or _smallest(groups)
    else:
        wanted = spec.quant.upper()
    matching = [group for label, group in groups if label.upper() == wanted.upper()]
    matching = matching or [group for _, group in groups if _stem(group[0].name).upper() == wanted.upper()]
    if not matching:
        listed = ", ".join(available)
        raise HubUnavailable(f"'{spec.repo}' has no quantisation '{spec.quant}'. It has: {listed}. Choose one of them.")
    if len(matching) > 1:
        stems = ", ".join(f"'{_stem(group[0].name)}'" for group in matching[:8])
        raise BadRequest(f"'{spec.repo}' holds several models: {stems}. Name one after ':'.", param="spec")
    found = matching[0]
    label = next(label for label, group in groups if group is found)
    is_only_one = sum(label == other for other, _ in groups) == 1
    return Choice(quant=label if is_only_one else _stem(found[0].name), files=tuple(found), available=available)


def _models(files: Iterable[HubFile]) -> list[tuple[str, list[HubFile]]]:
    """The GGUF models among the files with their quantisations; the parts of a split model are one model."""
    parts: dict[str, dict[int, HubFile]] = {}
    counts: dict[str, int] = {}
    for file in sorted(files, key=lambda file: file.name):
        name = PurePosixPath(file.name).name
        if not name.lower().endswith(".gguf") or name.lower().startswith(_COMPANIONS) or "mmproj" in name.lower():
            continue
        part = part_of(name)
        key = str(PurePosixPath(file.name).parent / (f"{part[0]}-of-{part[2]}" if part else name))
        parts.setdefault(key, {})[part[1] if part else 1] = file
        counts[key] = part[2] if part else 1
    whole = [[parts[key][number] for number in sorted(parts[key])] for key in parts if len(parts[key]) == counts[key]]
    return [(_label(group[0].name), group) for group in whole]


def _label(name: str) -> str:
    """The quantisation a file's name tells, or its folder's; else the stem itself."""
    stem = _stem(name)
    for text in (stem, PurePosixPath(name).parent.name):
        match = _QUANT.search(text)
        if match:
            return re.sub(r"^FP(?=\d)", "F", match[1].upper())
    return stem


def _stem(name: str) -> str:
    base = PurePosixPath(name).name
    part = part_of(base)
    return part[0] if part else base[: -len(".gguf")]


def _smallest(groups: Sequence[tuple[str, Sequence[HubFile]]]) -> str:
    return min(groups, key=lambda pair: sum(file.size_bytes for file in pair[1]))[0]


def _holds(files: Sequence[HubFile]) -> str:
    endings = sorted({PurePosixPath(file.name).suffix or PurePosixPath(file.name).name for file in files})
    return f"It holds {len(files)} files ({', '.join(endings[:8])})." if files else "It is empty."

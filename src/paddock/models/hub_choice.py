"""Owns reading `ORG/REPO[:QUANT]` and choosing among a repository's files; pure, knows nothing of networks."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from paddock.errors import BadRequest, HubUnavailable
from paddock.models.gguf import part_of
from paddock.models.projectors import Beside, Projector, match

# What to fetch when nothing was asked for: small and close to the full model first.
PREFERRED = ("Q4_K_M", "Q8_0", "Q5_K_M", "Q4_K_S", "Q6_K", "Q4_0", "IQ4_XS", "IQ4_NL", "MXFP4", "Q3_K_M", "BF16", "F16")

_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}"
_SPEC = re.compile(rf"({_NAME}/{_NAME})(?::([A-Za-z0-9][A-Za-z0-9._+-]{{0,119}}))?")
_QUANT = re.compile(
    r"(?:^|[-_.])((?:UD-)?(?:I?Q\d|TQ\d|MXFP\d|NVFP\d|BF16|FP?16|FP?32)(?:_[A-Z0-9]+)*)$", re.IGNORECASE
)
# Files beside a model that are GGUF files and no models.
_COMPANIONS = ("imatrix",)


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
class Listing:
    """What a repository holds at its newest commit, in the hub's own spelling of its name.

    `is_gated` says that the hub sends its files only to those who accepted its terms.
    """

    repo: str
    revision: str
    files: tuple[HubFile, ...]
    licence: str | None = None
    is_gated: bool = False
    context_tokens: int | None = None


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One model of a repository: its quantisation, or its name where several have that; the first part comes first.

    `projector` is the file with its eyes, where one is certain.
    """

    quant: str
    files: tuple[HubFile, ...]
    projector: HubFile | None = None

    @property
    def all_files(self) -> tuple[HubFile, ...]:
        """What is fetched for it."""
        return (*self.files, self.projector) if self.projector else self.files

    @property
    def size_bytes(self) -> int:
        """All files together."""
        return sum(file.size_bytes for file in self.all_files)


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The files of one quantisation, the first part first, and what else there was to choose from."""

    quant: str
    files: tuple[HubFile, ...]
    available: tuple[str, ...]
    projector: HubFile | None = None


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
    def files(self) -> tuple[HubFile, ...]:
        """What is fetched: the model's files, and its projector after them."""
        projector = self.choice.projector
        return (*self.choice.files, projector) if projector else self.choice.files

    @property
    def size_bytes(self) -> int:
        """All files together."""
        return sum(file.size_bytes for file in self.files)


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
            param="model",
        )
    return Spec(repo=match[1], quant=match[2])


def choose(spec: Spec, files: Sequence[HubFile]) -> Choice:
    """The files to fetch.

    Raises:
        HubUnavailable: the repository holds no GGUF model, or not this quantisation; the message lists what it holds.
        BadRequest: it holds several models of this quantisation.
    """
    found = variants(files)
    if not found:
        raise HubUnavailable(f"'{spec.repo}' holds no GGUF model. {_holds(files)} Look for its GGUF conversion.")
    available = tuple(sorted({_label(one.files[0].name) for one in found}))
    if spec.quant is None:
        wanted = next((quant for quant in PREFERRED if quant in available), None) or _smallest(found)
    else:
        wanted = spec.quant.upper()
    matching = [one for one in found if _label(one.files[0].name).upper() == wanted.upper()]
    matching = matching or [one for one in found if _stem(one.files[0].name).upper() == wanted.upper()]
    if not matching:
        listed = ", ".join(available)
        raise HubUnavailable(f"'{spec.repo}' has no quantisation '{spec.quant}'. It has: {listed}. Choose one of them.")
    if len(matching) > 1:
        stems = ", ".join(f"'{_stem(one.files[0].name)}'" for one in matching[:8])
        raise BadRequest(f"'{spec.repo}' holds several models: {stems}. Name one after ':'.", param="model")
    (one,) = matching
    return Choice(quant=one.quant, files=one.files, available=available, projector=one.projector)


def variants(files: Sequence[HubFile]) -> list[Variant]:
    """The GGUF models among a repository's files, each with its parts and, where one is certain, its projector."""
    groups = _models(files)
    quants = names_of_variants([group[0].name for group in groups])
    eyes = [file for file in files if _is_projector(file.name)]
    return [
        Variant(quant=quants[group[0].name], files=tuple(group), projector=_projector_of(group[0], groups, eyes))
        for group in groups
    ]


def names_of_variants(names: Sequence[str]) -> dict[str, str]:
    """What each model of a repository is called after `:`, by the name of its first file."""
    counts = Counter(_label(name) for name in names)
    return {name: _label(name) if counts[_label(name)] == 1 else _stem(name) for name in names}


def _projector_of(first: HubFile, groups: Sequence[Sequence[HubFile]], eyes: Sequence[HubFile]) -> HubFile | None:
    """The projector of a model by the rules that hold for a folder, with names alone to go by."""
    by_path = {Path(file.name): file for file in eyes}
    beside = Beside(
        projectors=tuple(Projector(path=path, quantisation=_label(path.name), width=None) for path in by_path),
        others=tuple(Path(group[0].name) for group in groups),
    )
    found = match(Path(first.name), None, beside).path
    return by_path[found] if found else None


def _is_projector(name: str) -> bool:
    return name.lower().endswith(".gguf") and "mmproj" in PurePosixPath(name).name.lower()


def _models(files: Iterable[HubFile]) -> list[list[HubFile]]:
    """The GGUF models among the files; the parts of a split model are one model."""
    parts: dict[str, dict[int, HubFile]] = {}
    counts: dict[str, int] = {}
    for file in sorted(files, key=lambda file: file.name):
        name = PurePosixPath(file.name).name
        if not name.lower().endswith(".gguf") or name.lower().startswith(_COMPANIONS) or _is_projector(name):
            continue
        part = part_of(name)
        key = str(PurePosixPath(file.name).parent / (f"{part[0]}-of-{part[2]}" if part else name))
        parts.setdefault(key, {})[part[1] if part else 1] = file
        counts[key] = part[2] if part else 1
    return [[parts[key][number] for number in sorted(parts[key])] for key in parts if len(parts[key]) == counts[key]]


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
    return part[0] if part else base[: -len(".gguf")] if base.lower().endswith(".gguf") else base


def _smallest(found: Sequence[Variant]) -> str:
    return _label(min(found, key=lambda one: sum(file.size_bytes for file in one.files)).files[0].name)


def _holds(files: Sequence[HubFile]) -> str:
    endings = sorted({PurePosixPath(file.name).suffix or PurePosixPath(file.name).name for file in files})
    return f"It holds {len(files)} files ({', '.join(endings[:8])})." if files else "It is empty."

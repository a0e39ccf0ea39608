"""Owns what a push sends: which files of an export, and with what card; refuses to send or to ask for anything.

Only files with a certificate that passes are sent, unless it is said otherwise. Nothing outside of the export's own
folder of files is, and nothing that is sent tells a folder of this machine.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from paddock.data.files import place_of
from paddock.errors import BadRequest, Conflict, FieldInvalid, PaddockError, shown
from paddock.export.card import Card, CardData, CardEvaluation, CardFile, CardTraining, card_of
from paddock.export.spec import ADAPTER, ExportSpec
from paddock.models.certificates import MOST_BYTES, beside, certificate_of, digests_in
from paddock.models.hub_choice import parse_spec
from paddock.models.hub_push import CARD, Upload

_MODELFILE = ".Modelfile"
_SETTINGS = "adapter_config.json"


@dataclass(frozen=True, kw_only=True)
class PushSpec:
    """One push.

    Attributes:
        export: the id of the export whose files it sends.
        repo: where to, OWNER/NAME.
        is_public: whether a repository that is made is open to all, and one that is so already will do.
        types: the types of files that are sent; empty: all that may be.
        uncertified: whether files without a certificate that passes are sent as well.
        card: whether a README.md is sent with them.
    """

    export: str
    repo: str
    is_public: bool = False
    types: tuple[str, ...] = ()
    uncertified: bool = False
    card: bool = True

    def as_table(self) -> dict[str, Any]:
        """As it is written down and told."""
        return {**asdict(self), "types": list(self.types)}


@dataclass(frozen=True, kw_only=True)
class Known:
    """What is known of an export that others keep: its training, and evaluations by the digest of a file."""

    training: CardTraining | None = None
    data: Mapping[str, str] = field(default_factory=dict[str, str])
    """The files of rows that it learned from, as they were named, by their use."""
    learned_s: float | None = None
    """When it began to learn, in seconds since 1970."""
    evaluations: Mapping[str, Sequence[CardEvaluation]] = field(default_factory=dict[str, "list[CardEvaluation]"])
    base: str = ""
    version: str = ""


@dataclass(frozen=True, kw_only=True)
class Parcel:
    """The files that are sent, by their type, and why others stay."""

    uploads: Sequence[Upload]
    files: Mapping[str, CardFile]
    left_out: Mapping[str, str]

    @property
    def size_bytes(self) -> int:
        """All files together. Raises OSError."""
        return sum(one.size_bytes for one in self.uploads)


def packed(spec: PushSpec, exported: ExportSpec, root: Path) -> Parcel:
    """What is sent of an export whose files lie in `root`.

    Raises:
        FieldInvalid: the repository's name is none, or a type is none of the export's.
        Conflict: there is nothing to send.
    """
    _refuse_name(spec.repo)
    if unknown := next((one for one in spec.types if one not in exported.types), None):
        raise FieldInvalid(
            f"{shown(unknown)} is none of this export's types, which are {', '.join(exported.types)}.", param="types"
        )
    found = {kind: _of_kind(root, exported, kind) for kind in spec.types or exported.types}
    files = {kind: _card_file(kind, paths) for kind, paths in found.items() if paths}
    left_out = {kind: "its file is not there any more" for kind, paths in found.items() if not paths}
    for kind in [kind for kind, one in files.items() if one.standing != "pass" and not spec.uncertified]:
        left_out[kind] = _why_not(files.pop(kind))
    if not files:
        told = "; ".join(f"{kind}: {why}" for kind, why in left_out.items())
        raise Conflict(
            f"Of this export nothing is pushed ({told}). What has no certificate that passes is sent where "
            "`uncertified` is said.",
            current={"left_out": left_out},
        )
    uploads = [upload for kind in files for upload in _uploads(root, found[kind], files[kind])]
    return Parcel(uploads=uploads, files=files, left_out=left_out)


def card_for(name: str, parcel: Parcel, known: Known) -> str:
    """The card of what is sent. Reads the files of rows that were learned from."""
    files = list(parcel.files.values())
    evaluations: list[CardEvaluation] = []
    for file in files:
        if file.standing != "changed":
            found = known.evaluations.get(str(file.certificate.get("sha256")), ())
            evaluations += [replace(one, file=file.name) for one in found]
    data = [_data(use, name, known.learned_s) for use, name in known.data.items()]
    training = replace(known.training, data=data) if known.training else None
    return card_of(
        Card(name=name, base=known.base, version=known.version, files=files, training=training, evaluations=evaluations)
    )


def _refuse_name(repo: str) -> None:
    """Raises FieldInvalid."""
    try:
        if parse_spec(repo).repo == repo:
            return
    except BadRequest:
        pass
    raise FieldInvalid(f"repo is {shown(repo)}: OWNER/NAME, such as 'my-account/my-model-GGUF'.", param="repo")


def _of_kind(root: Path, exported: ExportSpec, kind: str) -> list[Path]:
    """The files that an export made of a type: one, its pieces, or those of an adapter. No link is followed."""
    name = f"{exported.name}-{kind}"
    if kind == ADAPTER:
        # What PEFT writes to be filled in names folders of this machine.
        found = [one for one in sorted((root / f"{exported.name}-adapter").glob("*")) if one.name != CARD]
    else:
        found = (
            [root / f"{name}.gguf"] if (root / f"{name}.gguf").is_file() else sorted(root.glob(f"{name}-*-of-*.gguf"))
        )
    return [one for one in found if one.is_file() and not one.is_symlink() and not one.name.startswith(".")]


def _card_file(kind: str, paths: Sequence[Path]) -> CardFile:
    first = paths[0]
    said = None if kind == ADAPTER else certificate_of(first)
    return CardFile(
        name=f"{first.parent.name}/" if kind == ADAPTER else first.name,
        kind=kind,
        size_bytes=sum(one.stat().st_size for one in paths),
        standing=said.standing if said else None,
        changed=said.changed if said else (),
        certificate=_read(beside(first)) if said else {},
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        told: object = json.loads(path.read_bytes()[:MOST_BYTES])
    except (OSError, ValueError, RecursionError):
        return {}
    return cast("dict[str, Any]", told) if isinstance(told, dict) else {}


def _why_not(file: CardFile) -> str:
    if file.standing is None:
        return "it has no certificate"
    if file.standing == "changed":
        # The name of a file in one piece says no more.
        named = f" ({', '.join(file.changed)})" if file.certificate.get("pieces") else ""
        return f"its certificate is of other bytes{named}"
    return "its certificate does not pass"


def _uploads(root: Path, paths: Sequence[Path], file: CardFile) -> list[Upload]:
    """What is sent of a type: its files, its certificate and its Modelfile."""
    is_known = file.standing not in (None, "changed")
    digests = digests_in(dict(file.certificate)) if is_known else []
    found: list[Upload] = []
    for number, path in enumerate(paths):
        if path.name == _SETTINGS:
            found.append(Upload(name=path.relative_to(root).as_posix(), text=_without_folders(path)))
            continue
        sha256 = digests[number] if number < len(digests) else ""
        found.append(Upload(name=path.relative_to(root).as_posix(), path=str(path), sha256=sha256))
    others = [beside(paths[0])] if file.certificate else []
    others += [paths[0].with_suffix(_MODELFILE)] if file.kind != ADAPTER else []
    return found + [Upload(name=one.name, path=str(one)) for one in others if one.is_file() and not one.is_symlink()]


def _without_folders(path: Path) -> str:
    """An adapter's settings, in which its base is told by its name alone. Raises OSError."""
    told = _read(path)
    if base := told.get("base_model_name_or_path"):
        told["base_model_name_or_path"] = own_name(str(base))
    return json.dumps(told, indent=2)


def own_name(path: str) -> str:
    """A path's last part, for what goes out: no folder of this machine is told."""
    return path.replace("\\", "/").rstrip("/").rpartition("/")[2] or path


def _data(use: str, name: str, learned_s: float | None) -> CardData:
    """A file of rows as it is now."""
    try:
        path = place_of(name)
        status = path.stat()
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, PaddockError):
        return CardData(use=use, name=own_name(name), sha256="", size_bytes=0, is_as_then=None)
    is_as_then = None if learned_s is None else status.st_mtime < learned_s
    return CardData(use=use, name=path.name, sha256=sha256, size_bytes=status.st_size, is_as_then=is_as_then)

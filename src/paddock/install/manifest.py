"""Owns what can be installed: a pinned llama.cpp release, its archives with sizes and checksums, and source archives.

Pure: reads and writes texts, fetches nothing. Nothing in here is typed by hand: a release's entries are made from what
its API says (`of_release`), and the shipped file holds only what was downloaded and hashed.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from importlib.resources import files
from typing import Any, Literal, cast

from paddock.errors import BuildRefused
from paddock.install.host import Processor, System

Accelerator = Literal["cpu", "cuda", "rocm", "vulkan", "metal", "other"]

SHIPPED = "manifest.json"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_TAG = re.compile(r"[A-Za-z0-9][\w.-]{0,63}")
_NAME = re.compile(r"[A-Za-z0-9][\w.+-]{0,199}")
_ARCHIVES = (".zip", ".tar.gz", ".tgz")
_SYSTEMS: dict[str, System] = {"ubuntu": "linux", "linux": "linux", "macos": "macos", "win": "windows"}
_PROCESSORS: dict[str, Processor] = {"x64": "x64", "arm64": "arm64", "s390x": "other", "x86": "other"}
_ACCELERATORS: dict[str, Accelerator] = {
    "cpu": "cpu", "cuda": "cuda", "hip": "rocm", "rocm": "rocm", "vulkan": "vulkan",
    "sycl": "other", "opencl": "other", "openvino": "other", "cann": "other", "kleidiai": "other",
}  # fmt: skip
_VERSION = re.compile(r"\d+(?:\.\d+)+")


@dataclass(frozen=True, kw_only=True)
class Archive:
    """One file to fetch: its name, its size in bytes and its SHA-256 in hexadecimal."""

    asset: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Offer:
    """A build that a release has for one system, processor and accelerator.

    `version` is the accelerator's, such as (12, 4) for CUDA, where the name tells one. `companions` are further
    archives of the same release, whose files belong beside the build's.
    """

    name: str
    system: System
    processor: Processor
    accelerator: Accelerator
    version: tuple[int, ...]
    variant: str
    archive: Archive
    companions: tuple[Archive, ...] = ()

    @property
    def size_bytes(self) -> int:
        """All that has to be fetched."""
        return self.archive.size_bytes + sum(archive.size_bytes for archive in self.companions)


@dataclass(frozen=True, kw_only=True)
class SourceArchive:
    """llama.cpp's sources inside a package of the Python index. `root` is the folder in it that holds them."""

    package: str
    version: str
    root: str
    archive: Archive


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What can be installed of one release. The shipped one has sources alone."""

    tag: str
    offers: tuple[Offer, ...] = ()
    sources: tuple[SourceArchive, ...] = ()


def shipped() -> Manifest:
    """The manifest in the package: the pinned tag, and the entries that were verified."""
    return read(files("paddock.install").joinpath(SHIPPED).read_text("utf-8"))


def read(text: str) -> Manifest:
    """A manifest from the text that `write` made.

    Raises:
        BuildRefused: it is not one; the message says where.
    """
    try:
        said: dict[str, Any] = json.loads(text)
        offers = tuple(_offer(entry) for entry in said.get("offers", []))
        sources = tuple(_source(entry) for entry in said.get("sources", []))
        return Manifest(tag=checked_tag(said["tag"]), offers=offers, sources=sources)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BuildRefused(f"The manifest of builds cannot be read: {error!r}. Install paddock again.") from error


def write(manifest: Manifest) -> str:
    """The text of a manifest, for a person to review."""
    return json.dumps(asdict(manifest), indent=2) + "\n"


def checked_tag(tag: object) -> str:
    """A release's tag, which becomes a part of addresses and folders.

    Raises:
        BuildRefused: it cannot be one.
    """
    if not isinstance(tag, str) or not _TAG.fullmatch(tag):
        raise BuildRefused(f"{tag!r} is not a llama.cpp release such as 'b11434'.")
    return tag


def of_release(release: object, tag: str) -> Manifest:
    """What a release holds, by its API's description: the assets' names, sizes and `digest` fields.

    An asset without a SHA-256 digest, or whose name tells no system, is left out: it could not be checked, or chosen.

    Raises:
        BuildRefused: this is no description of that release.
    """
    try:
        said = cast("dict[str, Any]", release)
        if said["tag_name"] != tag:
            raise BuildRefused(f"What came describes the release {said['tag_name']!r:.80} and not '{tag}'. Try again.")
        archives = [found for asset in said["assets"] if (found := _archive_of(asset))]
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise BuildRefused(f"What came does not describe the release '{tag}'. Check the tag and the mirror.") from error
    offers = [offer for archive in archives if (offer := _offer_of(archive, tag, archives))]
    return Manifest(tag=tag, offers=tuple(sorted(offers, key=lambda offer: offer.name)))


def _archive_of(asset: dict[str, Any]) -> Archive | None:
    kind, _, sha256 = str(asset.get("digest") or "").partition(":")
    name, size_bytes = str(asset["name"]), int(asset["size"])
    if kind != "sha256" or not _SHA256.fullmatch(sha256) or not _NAME.fullmatch(name) or size_bytes <= 0:
        return None
    return Archive(asset=name, size_bytes=size_bytes, sha256=sha256)


def _offer_of(archive: Archive, tag: str, all_archives: list[Archive]) -> Offer | None:
    """The build in an archive of this name, such as `llama-TAG-bin-win-cuda-12.4-x64.zip`."""
    words = re.fullmatch(rf"llama-{re.escape(tag)}-bin-(.+?)({'|'.join(map(re.escape, _ARCHIVES))})", archive.asset)
    if not words:
        return None
    parts = words[1].split("-")
    system, processor = _SYSTEMS.get(parts[0]), _PROCESSORS.get(parts[-1])
    if system is None or processor is None:
        return None
    middle = parts[1:-1]
    named: list[Accelerator] = [_ACCELERATORS[part] for part in middle if part in _ACCELERATORS]
    unknown = [part for part in middle if part not in _ACCELERATORS and not _VERSION.fullmatch(part)]
    is_apple = (system, processor) == ("macos", "arm64")
    accelerator: Accelerator = named[0] if named else "other" if unknown else "metal" if is_apple else "cpu"
    version = next((part for part in middle if _VERSION.fullmatch(part)), "")
    return Offer(
        name=f"{tag}-{words[1]}",
        system=system,
        processor=processor,
        accelerator=accelerator,
        version=tuple(int(number) for number in version.split(".") if number),
        variant="-".join(middle),
        archive=archive,
        companions=tuple(other for other in all_archives if other.asset == f"cudart-llama-bin-{words[1]}{words[2]}"),
    )


def _archive(entry: dict[str, Any]) -> Archive:
    archive = Archive(asset=str(entry["asset"]), size_bytes=int(entry["size_bytes"]), sha256=str(entry["sha256"]))
    if not _SHA256.fullmatch(archive.sha256) or not _NAME.fullmatch(archive.asset) or archive.size_bytes <= 0:
        raise ValueError(f"{archive.asset!r} has no checksum, size or name that can be used")
    return archive


def _offer(entry: dict[str, Any]) -> Offer:
    made: dict[str, Any] = {
        **entry,
        "version": tuple(map(int, entry["version"])),
        "archive": _archive(entry["archive"]),
        "companions": tuple(_archive(other) for other in entry["companions"]),
    }
    return Offer(**made)


def _source(entry: dict[str, Any]) -> SourceArchive:
    made: dict[str, Any] = {**entry, "archive": _archive(entry["archive"])}
    return SourceArchive(**made)

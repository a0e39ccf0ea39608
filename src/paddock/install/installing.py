"""Owns the journey of a build into use: fetched or made, unpacked beside, probed, placed, tried, activated; and back.

Until the last step nothing touches the active build; whatever fails before leaves it as it was. Blocking.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from paddock.engine.known_flags import identity_of
from paddock.engine.pool import EMBEDDED
from paddock.errors import BuildBroken, BuildError, BuildRefused, BuildUnknown, HomeUnusable
from paddock.install import release, source
from paddock.install.builds import EMBEDDED_NAME, Build, Builds, Pointer, find_program, installed_program, program_of
from paddock.install.canary import Canary, Candidate, keep, kept, refuse_failed
from paddock.install.manifest import Offer, SourceArchive
from paddock.install.probe import Probe, probe
from paddock.install.release import Origin
from paddock.install.unpack import unpack
from paddock.install.watch import QUIET, Watch
from paddock.paths import Home

_QUICK_NAME = 12


def install_release(
    offer: Offer, tag: str, home: Home, origin: Origin, *, watch: Watch = QUIET, canary: Canary | None = None
) -> Build:
    """Fetch, check, unpack, probe, try and activate a build of a release.

    Raises:
        BuildUnavailable, BuildRefused, BuildBroken, CanaryFailed, InstallBusy, HomeUnusable: at the step of that name.
    """
    builds = Builds(home)
    with builds.alone():
        if build := _reused(builds, offer.archive.sha256, watch):
            return _put_to_use(builds, build, canary, watch)
        with builds.staging() as staging:
            unpacked = staging / "build"
            unpacked.mkdir()
            archives = (offer.archive, *offer.companions)
            files = [release.fetched(archive, tag, home, origin, watch=watch) for archive in archives]
            watch.say(f"Unpacking {', '.join(file.name for file in files)}.")
            binary = _unpacked(files, unpacked)
            build = Build(
                name=offer.name, origin="release", binary=binary, accelerator=offer.accelerator, tag=tag,
                sha256=offer.archive.sha256,
            )  # fmt: skip
            placed = _placed(builds, build, unpacked, watch)
        for file in files:
            file.unlink(missing_ok=True)
        return _put_to_use(builds, placed, canary, watch)


def install_source(
    wanted: SourceArchive,
    home: Home,
    *,
    archive: Path | None = None,
    defines: Sequence[str] = (),
    jobs: int = 1,
    watch: Watch = QUIET,
    canary: Canary | None = None,
) -> Build:
    """Make a build from source, probe, try and activate it. Raises as `source.make` and `install_release` do."""
    builds = Builds(home)
    made_of = hashlib.sha256(repr((wanted.archive.sha256, tuple(defines))).encode()).hexdigest()
    with builds.alone():
        if build := _reused(builds, made_of, watch):
            return _put_to_use(builds, build, canary, watch)
        with builds.staging() as staging:
            built = source.make(wanted, home, staging, archive=archive, defines=defines, jobs=jobs, watch=watch)
            binary = find_program(built)
            assert binary
            build = Build(
                name=f"{wanted.package}-{wanted.version}-source", origin="source", binary=binary,
                accelerator=_accelerator(defines), tag=f"{wanted.package} {wanted.version}", sha256=made_of,
            )  # fmt: skip
            placed = _placed(builds, build, built, watch)
        return _put_to_use(builds, placed, canary, watch)


def use(name: str | None, home: Home, *, watch: Watch = QUIET, canary: Canary | None = None) -> Build | None:
    """Probe an installed build, try it and activate it; None goes back to the embedded engine.

    Raises:
        BuildUnknown, BuildBroken, CanaryFailed, InstallBusy, HomeUnusable: the active build is as it was.
    """
    builds = Builds(home)
    with builds.alone():
        if name is None:
            builds.activate(None)
            return None
        build = builds.find(name)
        _try(builds, build, watch)
        return _put_to_use(builds, build, canary, watch)


def use_path(path: Path, home: Home, *, watch: Watch = QUIET, canary: Canary | None = None) -> Build:
    """Probe, try and activate a person's own build where it lies: a llama-server, or a folder that holds one.

    Raises:
        BuildUnknown: there is none.
        BuildBroken, CanaryFailed, InstallBusy, HomeUnusable: the active build is as it was.
    """
    binary = _own(path)
    builds = Builds(home)
    with builds.alone():
        for build in builds.all():
            if build.origin == "path" and build.binary == binary:
                _try(builds, build, watch)
                return _put_to_use(builds, build, canary, watch)
        with builds.staging() as staging:
            staged = staging / "build"
            staged.mkdir()
            name = f"own-{hashlib.sha256(str(binary).encode()).hexdigest()[:_QUICK_NAME]}"
            placed = _placed(builds, Build(name=name, origin="path", binary=binary), staged, watch)
        return _put_to_use(builds, placed, canary, watch)


def probe_build(build: Build, home: Home) -> Probe:
    """Try an installed build. Raises BuildBroken."""
    return probe(build.binary, Builds(home).kept_flags(build), accelerator=build.accelerator)


def program(home: Home, chosen: str) -> tuple[str, ...] | None:
    """The words that start the engine of the setting `engine`; None for the embedded one.

    Args:
        home: the data home.
        chosen: "" for the active build, "embedded", an installed build's name, or the path of a llama-server.

    Raises:
        BuildUnknown, BuildBroken: it is not there.
    """
    builds = Builds(home)
    if chosen in ("", "embedded"):
        return program_of(builds, builds.active()) if not chosen else None
    if not os.path.exists(chosen):
        return program_of(builds, builds.find(chosen))
    binary = _own(Path(chosen))
    quick = hashlib.sha256(str(binary).encode()).hexdigest()[:_QUICK_NAME]
    return installed_program(binary, home.engines / f"flags-{quick}.json")


def _own(path: Path) -> Path:
    binary = path if os.path.isfile(path) else find_program(path) if os.path.isdir(path) else None
    if binary is None:
        raise BuildUnknown(f"There is no llama-server at {path}. Name the program, or a folder that holds it.")
    return binary.absolute()


def _unpacked(files: Sequence[Path], folder: Path) -> Path:
    """All archives of one build, unpacked; its llama-server. What a companion holds goes beside that."""
    try:
        unpack(files[0], folder)
        binary = find_program(folder)
        if binary is None:
            raise BuildRefused(f"The archive '{files[0].name}' holds no llama-server. Install another build.")
        binary.chmod(0o755)
        for number, companion in enumerate(files[1:]):
            apart = folder / f".companion-{number}"
            apart.mkdir()
            unpack(companion, apart)
            for file in apart.rglob("*"):
                if file.is_file() and not (binary.parent / file.name).exists():
                    file.replace(binary.parent / file.name)
            shutil.rmtree(apart)
    except OSError as error:
        raise HomeUnusable(
            f"The build cannot be unpacked into the data home ({error.strerror or error}). Free space or mend its "
            "rights. The active build is as it was."
        ) from error
    return binary


def _placed(builds: Builds, build: Build, staged: Path, watch: Watch) -> Build:
    """Probe a staged build and give it its place, where it outlives whatever comes next."""
    watch.say("Trying it: version, devices, one answer and one tool call of the bundled model.")
    heard = probe(build.binary, staged / "flags.json", accelerator=build.accelerator)
    return builds.place(replace(build, version=heard.version, devices=heard.devices), staged)


def _put_to_use(builds: Builds, build: Build, canary: Canary | None, watch: Watch) -> Build:
    """Activate a build that passed its probe, once it passes the canary; one that was in use before needs none."""
    if canary is not None and not _was_in_use(builds, build):
        folder, before = builds.folder / build.name, kept(builds.folder / build.name)
        candidate = _candidate(builds, build)
        if canary.anyway and before and before.status == "failed" and before.identity == candidate.identity:
            watch.say(f"'{build.name}' failed its canary before, and is used all the same.")
        else:
            record = canary.look(candidate)
            if record.status != "skipped" or before is None or before.identity != candidate.identity:
                try:
                    keep(record, folder)
                except OSError as error:
                    reason = error.strerror or error
                    raise HomeUnusable(
                        f"{folder} cannot be written ({reason}). The active build is as it was."
                    ) from error
            if not canary.anyway:
                refuse_failed(record)
    builds.activate(build.name)
    return build


def _was_in_use(builds: Builds, build: Build) -> bool:
    """Whether this is the active build, or the one before it, and is still what was tried then."""
    pointer = _pointer(builds)
    if build.name not in (pointer.active, pointer.previous):
        return False
    record = kept(builds.folder / build.name)
    return build.origin != "path" or record is None or record.identity == identity_of(build.binary)


def _candidate(builds: Builds, build: Build) -> Candidate:
    try:
        active = builds.active()
        program = None if active == build else program_of(builds, active) or EMBEDDED
    except BuildBroken:
        program = None
    words = program_of(builds, build)
    assert words
    return Candidate(
        build=build.name, program=words, identity=identity_of(build.binary),
        against=_pointer(builds).active or EMBEDDED_NAME, active=program, has_devices=bool(build.devices),
    )  # fmt: skip


def _pointer(builds: Builds) -> Pointer:
    try:
        return builds.pointer()
    except BuildBroken:
        return Pointer()


def _reused(builds: Builds, sha256: str, watch: Watch) -> Build | None:
    """The same build where it is here and still works; one that is damaged is made anew beside it."""
    for build in builds.all():
        if build.sha256 == sha256:
            try:
                _try(builds, build, watch)
            except BuildError as error:
                watch.say(f"'{build.name}' is here but damaged ({error.message}), and is installed anew.")
                continue
            return build
    return None


def _try(builds: Builds, build: Build, watch: Watch) -> None:
    if not build.binary.is_file():
        raise BuildBroken(f"'{build.name}' has lost its llama-server. Install it again.")
    watch.say(f"Trying '{build.name}'.")
    probe(build.binary, builds.kept_flags(build), accelerator=build.accelerator)


def _accelerator(defines: Sequence[str]) -> str:
    """What a build from source is to compute on, by its definitions."""
    names = {"GGML_CUDA=ON": "cuda", "GGML_HIP=ON": "rocm", "GGML_VULKAN=ON": "vulkan"}
    return next((names[define] for define in defines if define in names), "cpu")

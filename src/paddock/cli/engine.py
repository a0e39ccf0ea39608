"""Owns `paddock engine`: the builds of llama.cpp here, in words; refuses to know how one is fetched, made or tried.

Exit status: 0 done; 3 nothing suits this machine, or a tool is missing; 4 a build cannot be fetched; 5 what came is not
what was promised; 6 a build fails its probe, or cannot be made; 7 another paddock is installing; 8 a build fails its
canary; else as everywhere.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from paddock.cli import printing
from paddock.config import Settings, load
from paddock.errors import BuildUnfit, BuildUnknown

if TYPE_CHECKING:
    from paddock.install.builds import Build, Builds
    from paddock.install.canary import Canary
    from paddock.install.manifest import SourceArchive
    from paddock.install.rank import Ranked
    from paddock.install.watch import Watch
    from paddock.paths import Home

app = typer.Typer(help="Builds of llama.cpp: list, install, use, remove, probe, doctor.")
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Models = Annotated[
    list[str] | None,
    typer.Option("--models", metavar="MODEL", help="A model that the canary tries; may be repeated."),
]
NoCanary = Annotated[bool, typer.Option("--no-canary", help="Use it after its probe alone.")]
Anyway = Annotated[bool, typer.Option("--anyway", help="Use it whatever its canary finds.")]
_EMBEDDED = "embedded"


@app.callback(invoke_without_command=True)
def engine(context: typer.Context) -> None:
    """Print the help when no command was typed."""
    printing.help_when_bare(context)


@app.command("list")
def list_builds(
    available: Annotated[
        bool, typer.Option("--available", help="Also what could be installed, best first, with reasons.")
    ] = False,
    tag: Annotated[str | None, typer.Option("--tag", metavar="TAG", help="Another llama.cpp release.")] = None,
    as_json: Json = False,
) -> None:
    """List the builds that are installed; the embedded engine is always there."""
    from paddock.install.builds import Builds

    settings = load()
    builds = Builds(settings.home)
    pointer = builds.pointer()
    ranked = rank_builds(settings, tag)[1] if available else ()
    if as_json:
        printing.data(
            {
                "active": pointer.active or _EMBEDDED,
                "previous": pointer.previous,
                "builds": [_entry(build, settings.home) for build in builds.all()],
                "available": [{"name": one.name, "fits": one.fits, "reason": one.reason} for one in ranked],
            }
        )
        return
    marks = {pointer.active or _EMBEDDED: "active", pointer.previous: "previous"}
    rows = [(_EMBEDDED, marks.get(_EMBEDDED, ""), "wheel", "cpu", "", "")]
    rows += [
        (one.name, marks.get(one.name, ""), one.origin, one.accelerator, _verdict(builds, one), one.version)
        for one in builds.all()
    ]
    printing.table(("BUILD", "USE", "ORIGIN", "COMPUTES ON", "CANARY", "VERSION"), rows)
    if ranked:
        print()
        printing.table(
            ("AVAILABLE", "FITS", "WHY"), [(one.name, "yes" if one.fits else "no", one.reason) for one in ranked]
        )


@app.command("install")
def install(
    build: Annotated[
        str | None, typer.Option("--build", metavar="NAME", help="This build, not the one that suits best.")
    ] = None,
    tag: Annotated[
        str | None, typer.Option("--tag", metavar="TAG", help="Another llama.cpp release than the pinned one.")
    ] = None,
    from_source: Annotated[
        bool, typer.Option("--from-source", help="Make it here, from a verified archive. Takes minutes.")
    ] = False,
    archive: Annotated[
        Path | None, typer.Option("--archive", metavar="FILE", help="The source archive, where it is here already.")
    ] = None,
    package: Annotated[
        str | None, typer.Option("--package", metavar="NAME", help="The package whose sources are taken.")
    ] = None,
    define: Annotated[
        list[str] | None,
        typer.Option("--define", metavar="NAME=VALUE", help="A definition for cmake, such as GGML_CUDA=ON."),
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", min=0, help="Compilers at work at once; 0: one per core.")] = 0,
    afresh: Annotated[bool, typer.Option("--afresh", help="Ask again what the release holds.")] = False,
    models: Models = None,
    no_canary: NoCanary = False,
    anyway: Anyway = False,
    as_json: Json = False,
) -> None:
    """Fetch or make a build, check it, try it, and use it. Ctrl+C stops it; the same command goes on."""
    from paddock.hardware import usable_cores
    from paddock.install import installing
    from paddock.install.release import Origin

    settings = load()
    settings.home.ensure()
    canary = _canary(settings, models, is_skipped=no_canary, anyway=anyway)
    if not from_source:
        release_tag, ranked = rank_builds(settings, tag, afresh=afresh)
        chosen = choose_build(ranked, build)
        printing.say(f"{chosen.name}: {chosen.reason}")
        if chosen.offer is not None:
            with _shown(chosen.name) as watch:
                origin = Origin.of(settings.engine_mirror)
                done = installing.install_release(
                    chosen.offer, release_tag, settings.home, origin, watch=watch, canary=canary
                )
            _told(done, settings.home, as_json=as_json)
            return
    with _shown("Compiling", is_percent=True) as watch:
        done = installing.install_source(
            source_archive(package),
            settings.home,
            archive=archive,
            defines=define or [],
            jobs=jobs or usable_cores(),
            watch=watch,
            canary=canary,
        )
    _told(done, settings.home, as_json=as_json)


@app.command("use")
def use(
    name: Annotated[
        str | None, typer.Argument(metavar="BUILD", help="A name from the list, 'previous', or 'embedded'.")
    ] = None,
    path: Annotated[
        Path | None, typer.Option("--path", metavar="DIR", help="A build of your own: its folder, or llama-server.")
    ] = None,
    models: Models = None,
    no_canary: NoCanary = False,
    anyway: Anyway = False,
    as_json: Json = False,
) -> None:
    """Use another build from the next start on, once it passes its probe and canary; going back needs no canary."""
    from paddock.install import installing
    from paddock.install.builds import PREVIOUS, Builds

    settings = load()
    settings.home.ensure()
    if (name is None) == (path is None):
        raise typer.BadParameter("name a build, or say --path DIR")
    canary = _canary(settings, models, is_skipped=no_canary, anyway=anyway)
    with _shown("") as watch:
        if path is not None:
            done = installing.use_path(path, settings.home, watch=watch, canary=canary)
        else:
            wanted = Builds(settings.home).previous() if name == PREVIOUS else None if name == _EMBEDDED else name
            done = installing.use(wanted, settings.home, watch=watch, canary=canary)
    _told(done, settings.home, as_json=as_json)


@app.command("remove")
def remove(
    names: Annotated[list[str], typer.Argument(metavar="BUILD...", help="Names from `paddock engine list`.")],
) -> None:
    """Remove builds and free their space. The active one stays."""
    from paddock.install.builds import Builds

    builds = Builds(load().home)
    with builds.alone():
        for name in names:
            builds.remove(name)
            print(f"{printing.line(name)} is removed.")


@app.command("probe")
def probe(
    name: Annotated[str | None, typer.Argument(metavar="BUILD", help="The active one if left out.")] = None,
    as_json: Json = False,
) -> None:
    """Try a build: version, devices, flags, one answer and one tool call of the bundled model."""
    from dataclasses import asdict

    from paddock.install.builds import Builds
    from paddock.install.installing import probe_build

    home = load().home
    build = Builds(home).find(name) if name else Builds(home).active()
    if build is None:
        raise BuildUnknown("The embedded engine is active: `paddock doctor` tries it. Name a build to try that.")
    heard = probe_build(build, home)
    if as_json:
        printing.data({"build": _entry(build, home), "probe": asdict(heard)})
        return
    print(f"{build.name} works: version {printing.clean(heard.version)}, {heard.flag_count} flags.")
    for device in heard.devices or ("the processor",):
        print(f"  computes on {printing.clean(device)}")


@app.command("doctor")
def doctor(as_json: Json = False) -> None:
    """Look at what builds need here, and try the active one. Ends with 1 if something fails."""
    from paddock.cli import doctor as printed
    from paddock.cli.engine_checks import all_checks

    printed.show(all_checks(load()), as_json=as_json, well="Builds of llama.cpp work here.")


@contextmanager
def _shown(title: str, *, is_percent: bool = False) -> Generator[Watch]:
    """Shows on stderr how an installation goes, for as long as the block lasts."""
    from paddock.cli.progress import Progress
    from paddock.install.watch import Watch

    with Progress(title, is_percent=is_percent) as bar:
        yield Watch(say=printing.say, progress=bar.advance_to)


def rank_builds(settings: Settings, tag: str | None, *, afresh: bool = False) -> tuple[str, tuple[Ranked, ...]]:
    """The release's tag, and everything that could be installed, best first. Raises as `release.description` does."""
    from dataclasses import replace

    from paddock import hardware
    from paddock.install import manifest, release, source
    from paddock.install.host import this_host
    from paddock.install.rank import rank

    pinned = manifest.shipped()
    wanted = tag or pinned.tag
    found = release.description(wanted, settings.home, release.Origin.of(settings.engine_mirror), afresh=afresh)
    host = this_host(hardware.describe(), has_compiler=source.has_tools())
    return wanted, rank(host, replace(found, sources=pinned.sources))


def choose_build(ranked: tuple[Ranked, ...], name: str | None) -> Ranked:
    """The build of that name, else the one that suits best. Raises BuildUnknown or BuildUnfit."""
    from paddock.install.rank import best

    if name is not None:
        named = next((one for one in ranked if one.name == name), None)
        if named is None:
            raise BuildUnknown(f"The release has no build '{name}'. `paddock engine list --available` shows them.")
        return named
    found = best(ranked)
    if found is None:
        reasons = " ".join(f"{one.name}: {one.reason}" for one in ranked[:6])
        raise BuildUnfit(f"Nothing that could be installed suits this machine. {reasons}")
    return found


def source_archive(package: str | None) -> SourceArchive:
    """The verified sources of a package, or the first. Raises BuildUnknown."""
    from paddock.install import manifest

    sources = manifest.shipped().sources
    found = next((one for one in sources if package in (None, one.package)), None)
    if found is None:
        known = ", ".join(one.package for one in sources)
        raise BuildUnknown(f"There is no verified source '{package}'. Verified: {known}.")
    return found


def _canary(settings: Settings, models: list[str] | None, *, is_skipped: bool, anyway: bool) -> Canary:
    from paddock.cli.canary import canary_of

    return canary_of(settings, models=models or [], is_skipped=is_skipped, anyway=anyway, say=printing.say)


def _told(build: Build | None, home: Home, *, as_json: bool) -> None:
    name = build.name if build else _EMBEDDED
    if as_json:
        printing.data({"active": name, "build": _entry(build, home) if build else None})
    else:
        print(f"{name} is used from the next start on. `paddock engine use previous` goes back.")


def _verdict(builds: Builds, build: Build) -> str:
    """What became of a build's canary, in two words."""
    from paddock.install.canary import kept

    record = kept(builds.folder / build.name)
    return f"{record.status} {time.strftime('%Y-%m-%d', time.gmtime(record.made_s))}" if record else "none"


def _entry(build: Build, home: Home) -> dict[str, object]:
    """One build as `--json` prints it; the keys are stable."""
    from paddock.install.canary import entry

    return {**entry(build, home.engines / build.name), "binary": str(build.binary)}

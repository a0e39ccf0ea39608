"""Owns what `paddock engine doctor` looks at: one function a check; refuses to mend anything.

Covered: the active build, its libraries and what its canary found, what building needs, the release's address. Not
covered: GPUs' drivers beyond what a build says of its devices.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator

from paddock.cli.canary import told
from paddock.cli.checks import Check
from paddock.config import Settings
from paddock.engine.known_flags import identity_of
from paddock.errors import BuildError, HomeUnusable
from paddock.install import installing, manifest, release, source
from paddock.install.builds import Build, Builds
from paddock.install.canary import kept
from paddock.install.release import Origin

_LIBRARIES_TIMEOUT_S = 20.0
_MISSING = re.compile(r"^\s*(\S+) => not found", re.MULTILINE)


def all_checks(settings: Settings) -> Iterator[Check]:
    """Every check, each as soon as it is known. Never raises for what it finds."""
    builds = Builds(settings.home)
    try:
        build = builds.active()
    except BuildError as error:
        yield Check(name="active", status="fail", detail=error.message, advice="paddock engine use embedded")
        build = None
    else:
        yield Check(name="active", status="ok", detail=build.name if build else "the embedded engine")
    if build is not None:
        yield libraries_check(build)
        yield probe_check(build, settings)
        yield canary_check(build, settings)
    yield tools_check()
    yield release_check(settings)


def libraries_check(build: Build) -> Check:
    """Whether the loader finds every library of the build; on Linux, elsewhere the probe tells."""
    ldd = shutil.which("ldd")
    if sys.platform != "linux" or ldd is None:
        return Check(name="library", status="ok", detail="the probe loads them")
    try:
        told = subprocess.run(
            [ldd, str(build.binary)],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_LIBRARIES_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Check(name="library", status="warn", detail=f"ldd fails: {error}", advice="The probe tells more.")
    if missing := _MISSING.findall(told.stdout):
        advice = "Install them, or another build: `paddock engine list --available`."
        return Check(name="library", status="fail", detail=f"not found: {', '.join(missing)}", advice=advice)
    return Check(name="library", status="ok", detail="all found")


def probe_check(build: Build, settings: Settings) -> Check:
    """Whether the build answers."""
    try:
        heard = installing.probe_build(build, settings.home)
    except BuildError as error:
        return Check(name="probe", status="fail", detail=error.message, advice="paddock engine use previous")
    devices = ", ".join(heard.devices) or "the processor"
    return Check(name="probe", status="ok", detail=f"version {heard.version} answers, and computes on {devices}")


def canary_check(build: Build, settings: Settings) -> Check:
    """What the build's canary found when it was sent; nothing is tried again."""
    record = kept(settings.home.engines / build.name)
    if record is None:
        return Check(name="canary", status="ok", detail="none was sent: this build was in use before")
    detail = "; ".join(told(record))
    if record.status == "failed":
        return Check(name="canary", status="warn", detail=detail, advice="paddock engine use previous")
    if build.origin == "path" and build.binary.is_file() and record.identity != identity_of(build.binary):
        advice = f"paddock engine use {build.name}"
        return Check(name="canary", status="warn", detail=f"the program changed since; {detail}", advice=advice)
    return Check(name="canary", status="ok", detail=detail)


def tools_check() -> Check:
    """Whether a build could be made from source here."""
    if missing := source.missing_tools():
        detail = f"{' and '.join(missing)} not found"
        return Check(name="tools", status="warn", detail=detail, advice="Only building from source needs them.")
    return Check(name="tools", status="ok", detail="cmake and a C++ compiler are here")


def release_check(settings: Settings) -> Check:
    """Whether the pinned release can be asked for."""
    tag = manifest.shipped().tag
    try:
        found = release.description(tag, settings.home, Origin.of(settings.engine_mirror))
    except (BuildError, HomeUnusable) as error:
        return Check(
            name="release", status="warn", detail=error.message, advice="Builds that are here are not touched."
        )
    return Check(name="release", status="ok", detail=f"{tag} has {len(found.offers)} builds")

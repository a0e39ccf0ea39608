"""Owns what the doctor looks at: one function a check, each an observation and the next step; refuses to mend anything.

Covered: Python, the engine's library, CPU, memory, GPUs, walls for code, disk, the data home, its database, the port,
the models, and one real answer of the bundled model. Not covered: speed, and models other than by their file's header.
"""

from __future__ import annotations

import importlib.metadata
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from paddock import __version__, hardware
from paddock.cli import connection, ports
from paddock.config import Settings, load
from paddock.errors import PaddockError, SettingInvalid, StoreBusy, StoreDamaged, StoreUnusable, size
from paddock.paths import Home, default_root

Status = Literal["ok", "warn", "fail"]

_IMPORT_TIMEOUT_S = 60.0
_LOW_DISK_BYTES = 2 * 10**9
_NO_DISK_BYTES = 50 * 10**6
_LOW_MEMORY_BYTES = 2**30
_TRIAL_TOKENS = 16
# Folders of other programs may hold thousands of models.
_NAMES_MOST = 20


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing looked at: what was seen, and what to do where that is not well ("" where it is)."""

    name: str
    status: Status
    detail: str
    advice: str = ""


def all_checks() -> Iterator[Check]:
    """Every check, each as soon as it is known; the slow ones last. Never raises for what it finds."""
    settings, check = settings_check()
    machine = hardware.describe()
    yield check
    yield python_check()
    yield cpu_check(machine.cpu)
    yield memory_check(machine.memory)
    yield platform_check(machine)
    yield gpu_check(hardware.find_accelerators(machine.memory))
    yield walls_check()
    home = home_check(settings.home)
    yield home
    yield disk_check(settings.home)
    yield database_check(settings)
    yield port_check(settings)
    if home.status != "fail":
        yield models_check(settings)
    library = library_check()
    yield library
    if home.status != "fail" and library.status != "fail":
        yield trial_check(settings)


def settings_check() -> tuple[Settings, Check]:
    """The settings, or the defaults if they cannot be used."""
    try:
        settings = load()
    except SettingInvalid as error:
        fallback = Settings(home=Home(root=default_root()))
        return fallback, _fail("settings", error.message, "The checks below use the defaults.")
    changed = [f"{name} ({source})" for name, source in settings.sources.items() if source != "default"]
    return settings, _ok("settings", ", ".join(changed) or "all defaults")


def python_check() -> Check:
    """The interpreter and paddock's own version."""
    seen = f"{platform.python_version()} on {platform.system()} {platform.machine()}, paddock {__version__}"
    if (3, 11) <= sys.version_info[:2] <= (3, 14):
        return _ok("python", seen)
    return _warn("python", seen, "Paddock is tested on Python 3.11 to 3.14: use one.")


def cpu_check(cpu: hardware.Cpu) -> Check:
    """Cores that may be used, and the features a model's arithmetic gains from."""
    quota = f" (a container's quota of {cpu.quota_cores:g})" if cpu.quota_cores else ""
    features = " ".join(cpu.features) or "no vector units"
    detail = f"{cpu.name}, {cpu.usable_cores} of {cpu.cores} cores{quota}, {features}"
    if "AVX2" in cpu.features or "NEON" in cpu.features:
        return _ok("cpu", detail)
    return _warn(
        "cpu", detail, "Models run slowly without AVX2 or NEON. In a virtual machine, pass the host's CPU through."
    )


def memory_check(memory: hardware.Memory) -> Check:
    """Memory that a model could take now."""
    limit = f" (a container's limit of {_gib(memory.limit_bytes)})" if memory.limit_bytes else ""
    detail = f"{_gib(memory.available_bytes)} available of {_gib(memory.total_bytes)}{limit}"
    if memory.available_bytes >= _LOW_MEMORY_BYTES:
        return _ok("memory", detail)
    return _warn("memory", detail, "Close programs, raise the limit, or keep to tiny models.")


def gpu_check(found: hardware.Found) -> Check:
    """The GPUs that there are, and those that do not answer."""
    if found.troubles:
        return _warn("gpu", " ".join(found.troubles), "Mend the driver, or go without: models run on the processor.")
    if not found.accelerators:
        return _ok("gpu", "none found: models run on the processor")
    return _ok("gpu", "; ".join(_told(one) for one in found.accelerators))


def walls_check() -> Check:
    """Whether code that models write can be run here, within walls, and by which Python."""
    from paddock.sandbox import probing, pythons

    if reason := probing.available():
        return _warn("walls", reason, "Until then the tools that run code, python and terminal, are off.")
    return _ok("walls", f"code of models runs within {probing.kind_here()}, {pythons.best().told()}")


def _told(one: hardware.Accelerator) -> str:
    kind = f"{one.api} {one.architecture}".strip()
    if one.total_bytes is None or one.free_bytes is None:
        return f"{one.name} ({kind}, memory not told)"
    shared = " of main memory" if one.is_shared else ""
    return f"{one.name} ({kind}, {_gib(one.free_bytes)} free of {_gib(one.total_bytes)}{shared})"


def platform_check(machine: hardware.Machine) -> Check:
    """Whether paddock was ever run on such a machine."""
    from paddock.install import support
    from paddock.install.host import host_of

    platform_key = support.platform_of(host_of(machine))
    table = support.known()
    name = table.platforms.get(platform_key, platform_key)
    untried = table.untried(platform_key)
    if not untried:
        return _ok("platform", f"{name}: everything was tried on such a machine, or over tables of them")
    if "serve" not in untried:
        words = ", ".join(table.features[key] for key in untried)
        return _ok("platform", f"{name}; written and never run there: {words}")
    detail = f"{name}: experimental, since paddock was never run on such a machine"
    return _warn("platform", detail, "Much should work all the same; please report what does not. docs/support.md")


def home_check(home: Home) -> Check:
    """Whether the data home can be written."""
    try:
        home.ensure()
    except PaddockError as error:
        return _fail("home", str(home.root), error.message)
    return _ok("home", f"{home.root} can be written")


def disk_check(home: Home) -> Check:
    """Space for models where the data home lies."""
    folder = next(path for path in (home.root, *home.root.parents) if path.exists())
    free_bytes = shutil.disk_usage(folder).free
    detail = f"{size(free_bytes)} free"
    if free_bytes >= _LOW_DISK_BYTES:
        return _ok("disk", detail)
    advice = "Most models need several GB: free space, or move the data home with PADDOCK_HOME."
    return _warn("disk", detail, advice) if free_bytes >= _NO_DISK_BYTES else _fail("disk", detail, advice)


def database_check(settings: Settings) -> Check:
    """Whether the database is whole, as far as SQLite can tell by reading all of it; nothing is written."""
    from paddock.store import copying, integrity

    path = copying.file_of(settings.database_url, settings.home)
    if path is None:
        return _ok("database", "another program's, as database_url names it; not looked at")
    try:
        is_there = integrity.is_there(path, is_read_whole=True)
    except StoreBusy as error:
        return _warn("database", error.message, "Run `paddock doctor` again once nobody holds it.")
    except StoreDamaged as error:
        return _fail(
            "database", error.message, "Copy it and what lies beside it (-wal, -journal), then do one of these."
        )
    except StoreUnusable as error:
        return _fail("database", error.message, "Mend that, then run `paddock doctor` again.")
    if not is_there:
        return _ok("database", "none yet: it is begun when something is kept")
    return _ok("database", f"{path} is whole, {size(path.stat().st_size)}")


def port_check(settings: Settings) -> Check:
    """Whether `paddock serve` could listen now."""
    host, port = settings.host, settings.port
    if ports.is_free(host, port):
        return _ok("port", f"{port} on {host} is free" if port else "the system chooses one")
    if connection.is_paddock(connection.Address(host=host, port=port)):
        return _ok("port", f"paddock serves on {port} already: {ports.listener(port)}")
    return _warn("port", f"{port} on {host} cannot be used", ports.refusal(host, port))


def models_check(settings: Settings) -> Check:
    """The models that can be served, and the files that cannot."""
    from paddock.models.catalog import Catalog

    catalog = Catalog.of(settings)
    names = [model.id for model in catalog.models()]
    broken = catalog.broken()
    if broken:
        reasons = "; ".join(f"{file.id}: {file.reason}" for file in broken[:_NAMES_MOST])
        detail = f"{len(names)} usable, {len(broken)} not: {reasons}"
        return _warn("models", detail, "Remove them with `paddock models rm`, or pull again.")
    if not names:
        return _fail("models", "none", "Install paddock again: its bundled model is gone.")
    more = f" and {len(names) - _NAMES_MOST} more" if len(names) > _NAMES_MOST else ""
    return _ok("models", ", ".join(names[:_NAMES_MOST]) + more)


def library_check() -> Check:
    """Whether the engine's library can be loaded."""
    try:
        version = importlib.metadata.version("xllamacpp")
    except importlib.metadata.PackageNotFoundError:
        return _fail("library", "xllamacpp is not installed", "pip install xllamacpp")
    try:
        # In a process of its own: a crash in the library must not end this one.
        tried = subprocess.run(
            [sys.executable, "-c", "import xllamacpp"],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_IMPORT_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        detail = f"xllamacpp {version} did not load within {_IMPORT_TIMEOUT_S:g} s"
        return _fail("library", detail, "Close programs that keep this machine busy.")
    if tried.returncode == 0:
        return _ok("library", f"llama.cpp by xllamacpp {version} loads")
    words = (tried.stderr.strip().splitlines() or [f"exit status {tried.returncode}"])[-1]
    return _fail("library", f"xllamacpp {version}: {words}", library_advice(words))


def library_advice(words: str) -> str:
    """What to do about the loader's last words."""
    if "libgomp" in words:
        return "apt install libgomp1 (Debian, Ubuntu), dnf install libgomp (Fedora) or apk add libgomp (Alpine)."
    if "libstdc++" in words or "GLIBC" in words:
        return "This system is too old for the engine's wheel: use a newer one, such as Debian 12 or Ubuntu 22.04."
    if words.startswith("exit status -4") or "Illegal instruction" in words:
        return "This CPU lacks instructions that the engine's wheel needs: use a machine with AVX2 or NEON."
    return "Install it again: pip install --force-reinstall xllamacpp"


def trial_check(settings: Settings) -> Check:
    """Start the engine with the bundled model and let it answer, for real."""
    begun_s = time.perf_counter()
    first_s = 0.0
    words = 0
    try:
        with connection.started(replace(settings, model=Settings.model)) as address:
            ready_s = time.perf_counter() - begun_s
            body: dict[str, object] = {"messages": [{"role": "user", "content": "Hello!"}], "max_tokens": _TRIAL_TOKENS}
            for piece in connection.answer(address, body, timeout_s=settings.load_timeout_s):
                first_s = first_s or time.perf_counter() - begun_s - ready_s
                words += len(piece.text)
    except PaddockError as error:
        return _fail("engine", error.message, "See the lines above, then try again.")
    if not words:
        return _fail("engine", "the bundled model gave an empty answer", "Install paddock again.")
    whole_s = time.perf_counter() - begun_s
    times = f"ready in {ready_s:.2f} s, first word after {first_s:.2f} s, {whole_s:.2f} s in all"
    return _ok("engine", f"the bundled model answers: {times}")


def _ok(name: str, detail: str) -> Check:
    return Check(name=name, status="ok", detail=detail)


def _warn(name: str, detail: str, advice: str) -> Check:
    return Check(name=name, status="warn", detail=detail, advice=advice)


def _fail(name: str, detail: str, advice: str) -> Check:
    return Check(name=name, status="fail", detail=detail, advice=advice)


def _gib(size_bytes: int) -> str:
    return f"{size_bytes / 2**30:.1f} GiB"

"""Owns where paddock's files lie under its data home; refuses to know what is in them."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import stat
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from paddock import process
from paddock.errors import FieldInvalid, HomeUnusable, shown

# A full disk, a spent share of one, a file that may not be longer.
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# How libraries tell of a full disk, beside the number; the last is NumPy's.
_FULL = re.compile(r"no space left|enospc|filewrite|\d+ requested and \d+ written", re.IGNORECASE)
# A name may have 255 bytes; a draft's is longer than that of what it becomes.
_NAME_MOST_BYTES = 180


@dataclass(frozen=True, kw_only=True)
class Home:
    """The data home: one folder that holds everything of paddock's own. `PADDOCK_HOME` moves it."""

    root: Path

    @property
    def config_file(self) -> Path:
        """The settings a person may write."""
        return self.root / "config.toml"

    @property
    def models(self) -> Path:
        """Imported models, and records of pulled ones."""
        return self.root / "models"

    @property
    def scanned(self) -> Path:
        """What the files of models said when they were last read."""
        return self.root / "scanned.json"

    @property
    def downloads(self) -> Path:
        """The state of each download."""
        return self.root / "downloads"

    @property
    def aliases(self) -> Path:
        """The other names of models."""
        return self.root / "aliases.json"

    @property
    def model_settings(self) -> Path:
        """What was set for single models."""
        return self.root / "model-settings.json"

    @property
    def templates(self) -> Path:
        """Chat templates that take the place of models' own."""
        return self.root / "templates"

    @property
    def measured(self) -> Path:
        """How much memory models were seen to need."""
        return self.root / "measured.json"

    @property
    def database(self) -> Path:
        """The database, where no other was named."""
        return self.root / "paddock.db"

    @property
    def key_secret(self) -> Path:
        """The secret by which keys are hashed."""
        return self.root / "keys.secret"

    @property
    def certificate(self) -> Path:
        """The certificate that was made here."""
        return self.root / "self-signed.pem"

    @property
    def certificate_key(self) -> Path:
        """Its key."""
        return self.root / "self-signed.key"

    @property
    def secrets_key(self) -> Path:
        """The key under which secrets are kept."""
        return self.root / "secrets.key"

    @property
    def remotes(self) -> Path:
        """The engines elsewhere, without their keys."""
        return self.root / "remotes.json"

    @property
    def toolservers(self) -> Path:
        """The servers of tools, without their secrets."""
        return self.root / "toolservers.json"

    @property
    def toolservers_on(self) -> Path:
        """Which of them a person turned on, on this machine."""
        return self.root / "toolservers-on.json"

    @property
    def requests(self) -> Path:
        """What the flight recorder kept."""
        return self.root / "requests"

    @property
    def slots(self) -> Path:
        """What slots of models that went held; conversations, so for the owner alone."""
        return self.root / "slots"

    @property
    def serving(self) -> Path:
        """Locked by the paddock that serves on this home; says which that is."""
        return self.root / "serving.lock"

    @property
    def clock(self) -> Path:
        """How long this home has lived, by which things are forgotten."""
        return self.root / "clock.json"

    @property
    def present(self) -> Path:
        """A lock for each paddock that works on this home, held from before it reads anything of it to its end."""
        return self.root / "present"

    @property
    def scratch(self) -> Path:
        """Folders for the length of a request, such as what a document is read from."""
        return self.root / "scratch"

    @property
    def workspaces(self) -> Path:
        """The folders in which tools of the server work, one for each chat."""
        return self.root / "workspaces"

    @property
    def stack(self) -> Path:
        """The training stack: an environment of its own beside paddock's."""
        return self.root / "stack"

    @property
    def jobs(self) -> Path:
        """A folder for each job: what it was told, what it told, what it made."""
        return self.root / "jobs"

    @property
    def trackers(self) -> Path:
        """The libraries of trackers, a folder each: behind the training stack's own, and no part of it."""
        return self.root / "trackers"

    @property
    def tracked(self) -> Path:
        """What trackers keep of trainings on this machine, a folder for each tracker."""
        return self.root / "tracked"

    @property
    def engines(self) -> Path:
        """Builds of llama.cpp that were installed, and which of them is active."""
        return self.root / "engines"

    @property
    def restoring(self) -> Path:
        """What a restore that is under way, or was cut short, has gathered."""
        return self.root / "restoring"

    @property
    def replaced(self) -> Path:
        """What restores took the place of, a dated folder for each."""
        return self.root / "replaced"

    def ensure(self) -> None:
        """Make the home, readable by its owner alone, and prove that it can be written.

        Raises:
            HomeUnusable: the folder cannot be made or written; the message names it.
        """
        try:
            self.models.mkdir(parents=True, exist_ok=True)
            self.root.chmod(0o700)
            probe = self.root / f".writable-{os.getpid()}"
            probe.write_bytes(b"")
            probe.unlink()
        except OSError as error:
            raise HomeUnusable(
                f"The data home {self.root} cannot be written ({error.strerror}). "
                "Free space, mend its rights, or choose another folder with PADDOCK_HOME."
            ) from error


def default_root(environ: dict[str, str] | None = None) -> Path:
    """`PADDOCK_HOME` if set and not empty, else the platform's folder for a user's application data."""
    chosen = (os.environ if environ is None else environ).get("PADDOCK_HOME")
    if chosen:
        try:
            return typed(chosen, "PADDOCK_HOME").absolute()
        except FieldInvalid as error:
            raise HomeUnusable(error.message) from error
    # Before anything is installed this module is read by a bare Python: `paddock.install.prefix` is.
    import platformdirs

    return Path(platformdirs.user_data_dir("paddock", appauthor=False))


_PATIENCE_S = 5.0
_PATIENCE_STEP_S = 0.1


def take_place(draft: Path, target: Path) -> None:
    """Rename `draft` to `target` in one step; a target that is a file is replaced.

    A virus scanner that holds either of them is waited for, at most five seconds.

    Raises:
        OSError: it cannot be done; both are then as they were.
    """
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            draft.replace(target)
            return
        except PermissionError:
            # On other systems a refusal does not pass.
            if os.name != "nt" or time.monotonic() > deadline:
                raise
            time.sleep(_PATIENCE_STEP_S)


def says_disk_is_full(text: str) -> bool:
    """Whether that is what a library, or a program, means by it."""
    return _FULL.search(text) is not None


def draft_of(path: Path, end: str = ".draft") -> Path:
    """A name beside `path` for what gets its place once it is whole; it says which process writes it."""
    name = os.fsencode(path.name)[:_NAME_MOST_BYTES].decode("utf-8", "ignore")
    return path.with_name(f".{name}.{process.this()}-{secrets.token_hex(4)}{end}")


def write_whole(path: Path, text: str) -> None:
    """Write a file whole or not at all, also through a power cut; its folder is made. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = draft_of(path)
    try:
        with draft.open("w", encoding="utf-8") as file:
            file.write(text)
            on_disk(file)
        take_place(draft, path)
        names_on_disk(path.parent)
    finally:
        draft.unlink(missing_ok=True)


def on_disk(file: IO[Any]) -> None:
    """Have what was written into a file outlast a power cut. Raises OSError."""
    file.flush()
    os.fsync(file.fileno())


def names_on_disk(folder: Path) -> None:
    """Have the names in a folder outlast a power cut, where the system can be asked for that."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        # The disks of some networks have no such thing.
        with contextlib.suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def lock_of(path: Path) -> Path:
    """The file by which `alone` keeps others from changing a file."""
    return path.with_name(f".{path.name}.lock")


@contextmanager
def alone(path: Path) -> Generator[None]:
    """Nobody else changes that file within the block, in this process or another: no change is lost. Others wait.

    Where nothing can be locked, as on disks of some networks, it is done without. Raises OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with lock_of(path).open("a+b") as file:
        with contextlib.suppress(OSError):
            if sys.platform == "win32":
                import msvcrt

                msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
            else:
                import fcntl

                fcntl.flock(file, fcntl.LOCK_EX)
        yield


def version_of(path: Path) -> tuple[int, int] | None:
    """What tells a file that was written whole from the one before it; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    # Two of one moment have the same time.
    return found.st_mtime_ns, found.st_ino


def typed(text: str, param: str) -> Path:
    """A path that somebody wrote, in a request, on the command line or in a file; `~` is a home. Blocking.

    What lies there, and whether it may be read, is asked by whoever takes it: nothing need be there.

    Raises:
        FieldInvalid: no path can be so, or its folder cannot be searched; `param` is what holds it.
    """
    try:
        path = Path(text).expanduser()
    except RuntimeError as error:
        raise FieldInvalid(
            f"{param} is {shown(text)}, which begins with the home of nobody here. Write the whole path.", param=param
        ) from error
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return path
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise FieldInvalid(f"{param} is {shown(text)}, where nothing can lie: {reason}.", param=param) from error
    except ValueError as error:
        raise FieldInvalid(
            f"{param} is {shown(text)}, which is no path: no name holds a NUL, or half of a character.", param=param
        ) from error
    return path


# What else than a file a path may name.
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def kind_of(path: Path) -> str:
    """What a path names that is no regular file, in words; "" for a file, and for what is not there."""
    try:
        return _KINDS.get(stat.S_IFMT(os.stat(path).st_mode), "")
    except (OSError, ValueError):
        return ""


def read_small(path: Path, *, most_bytes: int) -> bytes:
    """A file that a person named, whole: a pipe would be waited for, and a device never ends.

    Raises:
        OSError: it is no regular file, has more bytes than `most_bytes`, or cannot be read.
        ValueError: no path can be so.
    """
    if kind := kind_of(path):
        raise OSError(errno.EINVAL, f"it is {kind}")
    with path.open("rb") as file:
        data = file.read(most_bytes + 1)
    if len(data) > most_bytes:
        raise OSError(errno.EINVAL, f"it has more than {most_bytes} bytes")
    return data

"""`setup.sh` as a person starts it: real environments of small packages, in an odd home, cut short and mended."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.fakes.paddock_wheels import requirement, write_engine, write_paddock

ROOT = Path(__file__).resolve().parents[2]
WAIT_S = 120.0


@dataclass(frozen=True, kw_only=True)
class Person:
    """Somebody with a home, and an index of packages on the disk."""

    home: Path
    index: Path

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON", "PADDOCK"))}
        return kept | {
            "HOME": str(self.home),
            "XDG_DATA_HOME": "",
            "PADDOCK_PYTHON": sys.executable,
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(self.index),
            "PIP_CONFIG_FILE": os.devnull,
            # What would lead pip elsewhere does not.
            "PIP_USER": "1",
            "PYTHONPATH": str(self.home),
        }

    @property
    def place(self) -> Path:
        return self.home / ".local" / "share" / "paddock" / "program"

    @property
    def command(self) -> Path:
        return self.home / ".local" / "bin" / "paddock"

    def call(self, *words: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            words, env=self.environment, cwd="/", capture_output=True, text=True, timeout=WAIT_S, check=False
        )

    def setup(self, *words: str | Path, shell: str = "sh") -> subprocess.CompletedProcess[str]:
        return self.call(shell, ROOT / "setup.sh", *words)

    def version(self) -> str:
        return self.call(self.command, "--version").stdout.strip()


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("packages")


@pytest.fixture(scope="module")
def lock(index: Path) -> str:
    return requirement(write_engine(index))


@pytest.fixture(scope="module")
def person(tmp_path_factory: pytest.TempPathFactory, index: Path) -> Person:
    """One person, who goes through all of it, step by step."""
    home = tmp_path_factory.mktemp("homes") / "Jürgen O'Neill $HOME"
    home.mkdir()
    return Person(home=home, index=index)


@pytest.fixture(scope="module")
def installed(person: Person, index: Path, lock: str) -> Person:
    done = person.setup("--from", write_paddock(index, "1.0", lock))
    assert done.returncode == 0, done.stdout + done.stderr
    return person


def test_what_will_be_done_is_told_and_a_dry_run_does_nothing(tmp_path: Path, index: Path, lock: str) -> None:
    person = Person(home=tmp_path, index=index)
    done = person.setup("--dry-run", "--from", write_paddock(index, "1.0", lock))
    assert done.returncode == 0, done.stderr
    assert "Downloads paddock's packages" in done.stdout
    assert str(person.place) in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_wheel_is_installed_and_its_command_starts_it_from_any_folder(installed: Person) -> None:
    assert installed.version() == "paddock 1.0"
    assert installed.call(installed.command, "x", "a b").stdout == "paddock 1.0 a b\n"
    assert (installed.place / "current").read_text("utf-8") == "env-1\n"


def test_an_installation_that_fails_leaves_the_one_before_in_use(installed: Person, index: Path, lock: str) -> None:
    for version, needs, main, told in (
        ("1.1", lock, "raise SystemExit('it is damaged')", "does not start: it is damaged"),
        ("1.2", lock.replace("sha256:", "sha256:0")[:-2] + "\n", "", "not what was promised"),
        ("1.3", "nothing-of-that-name==1 --hash=sha256:" + "0" * 64 + "\n", "", "no build of a package"),
    ):
        done = installed.setup("--from", write_paddock(index / "bad", version, needs, main=main))
        assert done.returncode == 1
        assert told in done.stderr
        assert installed.version() == "paddock 1.0"
        assert [path.name for path in installed.place.glob("env-*")] == ["env-1"]


def test_one_that_is_killed_leaves_the_one_before_and_the_next_run_goes_on(
    installed: Person, index: Path, lock: str
) -> None:
    words = ["sh", ROOT / "setup.sh", "--from", write_paddock(index, "2.0", lock)]
    with subprocess.Popen(
        words, env=installed.environment, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("Installing"):
                break
        os.killpg(process.pid, signal.SIGKILL)
    assert (installed.place / "env-2").is_dir()
    assert installed.version() == "paddock 1.0"
    done = installed.setup("--from", index / "paddock-2.0-py3-none-any.whl", shell="dash")
    assert done.returncode == 0, done.stdout + done.stderr
    assert installed.version() == "paddock 2.0"
    assert (installed.place / "previous").read_text("utf-8") == "env-1\n"
    assert sorted(path.name for path in installed.place.glob("env-*")) == ["env-1", "env-2"]


def test_one_that_is_stopped_clears_away_what_it_began(installed: Person, index: Path, lock: str) -> None:
    words = ["sh", ROOT / "setup.sh", "--from", write_paddock(index, "2.1", lock)]
    before = sorted(installed.place.glob("env-*"))
    with subprocess.Popen(
        words, env=installed.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        for line in process.stdout:
            if line.startswith("Making"):
                break
        process.send_signal(signal.SIGTERM)
        assert "What was installed before is as it was" in process.stderr.read()
        assert process.wait(timeout=WAIT_S) == 130
    assert sorted(installed.place.glob("env-*")) == before


def test_a_command_of_somebody_else_is_not_replaced(tmp_path: Path, index: Path, lock: str) -> None:
    person = Person(home=tmp_path / "home", index=index)
    person.command.parent.mkdir(parents=True)
    person.command.write_text("#!/bin/sh\necho mine\n", "utf-8")
    done = person.setup("--from", write_paddock(index, "1.0", lock), "--prefix", tmp_path / "elsewhere")
    assert done.returncode == 1
    assert "is not paddock's" in done.stderr
    assert person.command.read_text("utf-8") == "#!/bin/sh\necho mine\n"


def test_uninstalling_removes_the_program_and_nothing_else(installed: Person) -> None:
    data = installed.place.parent / "paddock.db"
    data.write_text("chats", "utf-8")
    done = installed.setup("--uninstall")
    assert done.returncode == 0, done.stderr
    assert not installed.command.exists()
    assert not installed.place.exists()
    assert data.read_text("utf-8") == "chats"
    again = installed.setup("--uninstall")
    assert again.returncode == 1
    assert "Nothing is installed" in again.stderr


def test_a_machine_without_a_fitting_python_is_told_how_to_get_one(tmp_path: Path) -> None:
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\nexit 1\n", "utf-8")
    old.chmod(0o755)
    for name in ("dirname", "cat"):
        (tmp_path / name).symlink_to(shutil.which(name) or name)
    words = ["/bin/sh", str(ROOT / "setup.sh")]
    found = {"PATH": str(tmp_path), "HOME": str(tmp_path)}
    done = subprocess.run(words, env=found, capture_output=True, text=True, timeout=WAIT_S, check=False)
    assert done.returncode == 1
    assert "sudo apt install python3 python3-venv" in done.stderr
    assert "uv python install" in done.stderr

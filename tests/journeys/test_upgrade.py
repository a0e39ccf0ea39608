"""`paddock upgrade` and `paddock uninstall` from within an installation: the real commands, real environments."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from paddock.install import launcher
from paddock.install.prefix import Prefix, Record
from tests.fakes.paddock_wheels import requirement, write_engine, write_paddock, write_wheel

SOURCES = Path(__file__).resolve().parents[2] / "src"
WAIT_S = 120.0


class Installed:
    """An installation whose environment sees this tree and its libraries, as if they were its own."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "dätä"
        self.prefix = Prefix(self.home / "program")
        environment = self.prefix.fresh()
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
        base = {"base": str(environment), "platbase": str(environment)}
        site = Path(sysconfig.get_path("purelib", scheme="venv", vars=base))
        site.joinpath("tree.pth").write_text(f"{SOURCES}\n{sysconfig.get_path('purelib')}\n", "utf-8")
        self.prefix.finish(environment, Record(version="0.1", source="paddock==0.1", python="3", made_s=0))
        self.prefix.use(environment.name)
        self.command = launcher.write_launcher(self.prefix.root, folder / "bin")
        self.prefix.note_outside({"launcher": str(self.command)})
        self.index = folder / "packages"
        self.lock = requirement(write_engine(self.index))

    def call(self, *words: str | Path, said: str = "") -> subprocess.CompletedProcess[str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PADDOCK"))}
        kept |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.index), "PIP_CONFIG_FILE": os.devnull}
        return subprocess.run(
            [self.command, *words],
            env=kept | {"PADDOCK_HOME": str(self.home)},
            input=said,
            capture_output=True,
            text=True,
            timeout=WAIT_S,
            check=False,
        )


@pytest.fixture
def installed(tmp_path: Path) -> Installed:
    return Installed(tmp_path)


def test_an_upgrade_is_told_asked_for_tried_and_can_be_gone_back_from(installed: Installed) -> None:
    newer = write_paddock(installed.index, "7.0", installed.lock)
    declined = installed.call("upgrade", "--from", newer)
    assert declined.returncode == 1
    assert "Downloads paddock's packages" in declined.stderr
    assert "nobody agreed" in declined.stderr
    broken = installed.call(
        "upgrade", "--yes", "--from", write_paddock(installed.index / "x", "6.0", installed.lock, main="1 / 0")
    )
    assert broken.returncode == 1
    assert "does not start" in broken.stderr
    assert installed.prefix.current() == "env-1"

    # As it was installed: by its name, in the newest version.
    done = installed.call("upgrade", said="y\n")
    assert done.returncode == 0, done.stderr
    assert "paddock 7.0 is used from the next start on" in done.stdout
    assert installed.call("--version").stdout.startswith("paddock 7.0")
    # The new one's own command goes back; this one is a stand-in, so the old one is asked.
    old = installed.prefix.root / "env-1" / "bin" / "python"
    back = subprocess.run(
        [old, "-P", "-m", "paddock", "upgrade", "--roll-back"], capture_output=True, text=True, check=False
    )
    assert back.returncode == 0, back.stderr
    assert "paddock 0.1 is used" in back.stdout
    assert installed.call("--version").stdout.startswith("paddock 0.1.")


@pytest.mark.parametrize("has_traces", [False, True])
def test_an_upgrade_brings_what_traces_need_where_that_was_installed(installed: Installed, has_traces: bool) -> None:
    if has_traces:
        (site,) = (installed.prefix.root / "env-1").glob("lib/python*/site-packages")
        (site / "opentelemetry_sdk-1.0.dist-info").mkdir()
    opentelemetry = requirement(write_wheel(installed.index, "opentelemetry_sdk", "1.0", {"spans.py": ""}))
    newer = write_paddock(installed.index, "7.0", installed.lock, traces_lock=installed.lock + opentelemetry)
    done = installed.call("upgrade", "--yes", "--from", newer)
    assert done.returncode == 0, done.stderr
    assert bool(list((installed.prefix.root / "env-2").glob("lib/python*/site-packages/spans.py"))) == has_traces


LOCKS = (".clock.json.lock", ".config.toml.lock")
KEPT = (
    "paddock.db",
    "clock.json",
    "config.toml",
    "self-signed.pem",
    "self-signed.key",
    "models/m.gguf",
    "mine.txt",
    *LOCKS,
)


def test_uninstalling_leaves_the_data_unless_the_words_are_typed(installed: Installed) -> None:
    kept = [installed.home / name for name in KEPT]
    for path in kept:
        path.parent.mkdir(exist_ok=True)
        path.touch()
    refused = installed.call("uninstall", "--data", "--yes", said="yes\n")
    assert refused.returncode == 1
    assert "not what was to be typed" in refused.stderr
    assert installed.command.exists()
    done = installed.call("uninstall", "--data", said="remove my data\n")
    assert done.returncode == 0, done.stderr
    assert not installed.command.exists()
    # What paddock did not make is not its to remove.
    assert [path.name for path in installed.home.iterdir()] == ["mine.txt"]
    assert "mine.txt" in done.stderr


def test_uninstalling_without_more_words_keeps_every_file_of_the_data(installed: Installed) -> None:
    data = installed.home / "paddock.db"
    data.touch()
    assert installed.call("uninstall").returncode == 1
    done = installed.call("uninstall", said="y\n")
    assert done.returncode == 0, done.stderr
    assert "Your data stays" in done.stdout
    assert data.exists()
    assert not installed.prefix.root.exists()

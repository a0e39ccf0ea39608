"""Where paddock is installed: which environment is used, what a rename decides, what lies outside and is removed."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

import pytest

from paddock.errors import DiskTooFull, InstallBusy, NotInstalled, SetupFailed
from paddock.install import launcher
from paddock.install.environment import Source, check_python, check_space
from paddock.install.pip import environment_of, reason
from paddock.install.prefix import Prefix, Record, default_place
from paddock.paths import default_root

ODD = 'a b\'c "d" $HOME `id` ü%u'


def made(prefix: Prefix, version: str = "1") -> str:
    """An environment with a record and a Python that says its own place and its words."""
    environment = prefix.fresh()
    python = environment / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\nprintf "%s\\n" "$0" "$@"\n', "utf-8")
    python.chmod(0o755)
    prefix.finish(environment, Record(version=version, source="paddock", python="3.12.1", made_s=0))
    return environment.name


def test_the_place_is_in_the_data_home_that_paddock_itself_would_choose() -> None:
    assert default_place() == default_root() / "program"
    chosen = {"PADDOCK_HOME": "/srv/data home"}
    assert default_place(chosen) == default_root(chosen) / "program"


@pytest.mark.parametrize(
    ("system", "environ", "place"),
    [
        ("linux", {"HOME": "/home/ä"}, "/home/ä/.local/share/paddock/program"),
        ("linux", {"HOME": "/h", "XDG_DATA_HOME": "/data"}, "/data/paddock/program"),
        ("darwin", {"HOME": "/Users/a"}, "/Users/a/Library/Application Support/paddock/program"),
        ("win32", {"HOME": "/h", "LOCALAPPDATA": "/h/AppData/Local"}, "/h/AppData/Local/paddock/program"),
    ],
)
def test_each_system_has_its_own_place(system: str, environ: dict[str, str], place: str) -> None:
    assert default_place(environ, system) == Path(place)


def test_what_is_used_is_changed_by_one_word_and_the_one_before_can_be_used_again(tmp_path: Path) -> None:
    prefix = Prefix(tmp_path)
    first = made(prefix)
    prefix.use(first)
    assert (prefix.current(), prefix.previous()) == (first, None)
    with pytest.raises(NotInstalled, match="no environment before"):
        prefix.roll_back()
    second = made(prefix)
    prefix.use(second)
    assert (prefix.current(), prefix.previous()) == (second, first)
    assert prefix.roll_back() == first
    assert (prefix.current(), prefix.previous()) == (first, second)


def test_what_is_not_whole_is_never_used_and_is_swept(tmp_path: Path) -> None:
    prefix = Prefix(tmp_path)
    for _ in range(3):
        prefix.use(made(prefix))
    half = prefix.fresh()
    half.mkdir()
    with pytest.raises(NotInstalled, match="not a whole environment"):
        prefix.use(half.name)
    (tmp_path / "env-mine").mkdir()
    prefix.sweep()
    assert sorted(path.name for path in tmp_path.glob("env-*")) == ["env-2", "env-3", "env-mine"]
    (tmp_path / "current").write_text("../../etc", "utf-8")
    assert prefix.current() is None


def test_two_setups_do_not_work_on_one_place(tmp_path: Path) -> None:
    with Prefix(tmp_path).alone(), pytest.raises(InstallBusy, match=str(os.getpid())), Prefix(tmp_path).alone():
        pass


def test_a_paddock_that_setup_did_not_make_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(NotInstalled, match="pip or git"):
        Prefix.around(tmp_path / "env-1")
    prefix = Prefix(tmp_path)
    assert Prefix.around(tmp_path / made(prefix)).root == tmp_path


def test_removing_it_leaves_what_it_did_not_make(tmp_path: Path) -> None:
    prefix = Prefix(tmp_path / "program")
    prefix.use(made(prefix))
    prefix.note_outside({"launcher": "/x"})
    (prefix.root / "mine").touch()
    assert [path.name for path in prefix.remove()] == ["mine"]
    (prefix.root / "mine").unlink()
    assert prefix.remove() == []
    assert not prefix.root.exists()


def test_the_command_starts_the_environment_in_use_in_a_place_of_any_name(tmp_path: Path) -> None:
    prefix = Prefix(tmp_path / ODD)
    prefix.use(made(prefix))
    command = launcher.write_launcher(prefix.root, tmp_path / ODD / "bin")
    for name in (prefix.current(), made(prefix)):
        assert name
        prefix.use(name)
        said = subprocess.run([command, "x", "a b"], cwd="/", capture_output=True, text=True, check=True).stdout
        python = str(prefix.root / name / "bin" / "python")
        assert said.splitlines() == [python, "-P", "-m", "paddock", "x", "a b"]


def test_a_command_whose_place_is_gone_says_so(tmp_path: Path) -> None:
    command = launcher.write_launcher(tmp_path / "gone", tmp_path)
    done = subprocess.run([command], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Run setup.sh again" in done.stderr


def test_an_entry_of_the_menu_quotes_its_command_by_the_rules_of_its_file(tmp_path: Path) -> None:
    command = tmp_path / ODD / "paddock"
    text = launcher.write_menu(command, tmp_path / "paddock.desktop").read_text("utf-8")
    line = next(line for line in text.splitlines() if line.startswith("Exec="))
    # The file's own escapes are undone first, then the command's, whose rules within quotes are a shell's.
    value = line.removeprefix("Exec=").replace("\\\\", "\\").replace("%%", "%")
    assert shlex.split(value) == [str(command).replace("$HOME", "\\$HOME").replace("`", "\\`"), "serve"] or shlex.split(
        value.replace("\\$", "$").replace("\\`", "`")
    ) == [str(command), "serve"]


def test_files_of_others_are_neither_replaced_nor_removed(tmp_path: Path) -> None:
    theirs = tmp_path / "paddock"
    theirs.write_text("#!/bin/sh\n", "utf-8")
    with pytest.raises(SetupFailed, match="is not paddock's"):
        launcher.write_launcher(tmp_path, tmp_path)
    assert not launcher.remove(theirs)
    assert theirs.exists()
    theirs.unlink()
    ours = launcher.write_launcher(tmp_path, tmp_path)
    assert launcher.remove(ours)
    assert not ours.exists()


def test_a_folder_that_is_not_searched_is_told() -> None:
    assert launcher.path_advice(Path("/a"), {"PATH": "/b:/a"}) == ""
    assert "export PATH='/a b'" in launcher.path_advice(Path("/a b"), {"PATH": "/b"})


def test_pip_is_told_of_the_bundle_of_certificates_and_of_no_other_place() -> None:
    told = environment_of(
        {"SSL_CERT_FILE": "/ca.pem", "PIP_USER": "1", "PIP_TARGET": "/x", "PIP_INDEX_URL": "i", "PYTHONPATH": "/p"}
    )
    certificates = {"SSL_CERT_FILE": "/ca.pem", "PIP_CERT": "/ca.pem", "NODE_EXTRA_CA_CERTS": "/ca.pem"}
    assert told == {**certificates, "PIP_INDEX_URL": "i"}
    assert environment_of({"SSL_CERT_FILE": "/a", "PIP_CERT": "/b"})["PIP_CERT"] == "/b"


@pytest.mark.parametrize(
    ("line", "advice"),
    [
        ("OSError: [Errno 28] No space left on device", "The disk is full"),
        ("SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED]", "SSL_CERT_FILE"),
        ("Failed to establish a new connection: NewConnectionError", "HTTPS_PROXY"),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE", "not what was promised"),
        ("ERROR: No matching distribution found for x", "no build of a package"),
        ("ERROR: something else", "The lines below say why"),
    ],
)
def test_why_pip_failed_is_a_sentence_with_a_next_step(line: str, advice: str) -> None:
    assert advice in reason(["Collecting x", line])
    assert line in reason(["Collecting x", line])


def test_what_is_installed_from_is_a_checkout_a_wheel_or_a_name(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "p-1-py3-none-any.whl").touch()
    assert Source.of(str(tmp_path)).kind == "checkout"
    assert Source.of(str(tmp_path / "p-1-py3-none-any.whl")).kind == "wheel"
    assert Source.of("paddock==1.2.3").kind == "package"
    for text in ("--index-url=x", "a b", "", "https://host/x.whl", str(tmp_path / "none.whl")):
        with pytest.raises(SetupFailed, match="neither a checkout"):
            Source.of(text)


def test_this_python_fits_and_a_full_disk_is_told_before_anything_is_fetched(tmp_path: Path) -> None:
    check_python()
    check_space(tmp_path / "not" / "there", 1)
    with pytest.raises(DiskTooFull, match="--prefix"):
        check_space(tmp_path, 2**62)

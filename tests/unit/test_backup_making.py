"""Tests that every backup that is made is one that is taken back: odd names, links and times are met beforehand."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path

import pytest

from paddock.backup import making, manifest, restoring, tar
from paddock.backup.making import Choice
from paddock.backup.manifest import Manifest
from paddock.config import Settings
from paddock.errors import BackupFailed
from paddock.paths import Home

EVERYTHING = Choice(models=True, recordings=True, trainings=True)


def nothing(_: int, __: int) -> None:
    """Progress that nobody looks at."""


def put(path: Path, text: str = "x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(root=tmp_path / "home")
    home.ensure()
    put(home.config_file, "slots = 3\n")
    return home


@pytest.fixture
def target(tmp_path: Path) -> Path:
    (tmp_path / "place").mkdir()
    return tmp_path / "place" / "b.tar"


def made(home: Home, target: Path, choice: Choice = EVERYTHING) -> Manifest:
    """A backup, which is one for who checks it too."""
    said = making.make(Settings(home=home), target, choice, nothing)
    assert restoring.check(target, nothing) == said
    return said


def held(said: Manifest) -> set[str]:
    return {file.path for file in said.files}


def left_out(said: Manifest) -> dict[str, str]:
    return {one.path: one.why for one in said.left_out}


@pytest.mark.parametrize("time_s", [-5.0, 0.0, 8589934591.0, 8589934592.0, 99999999999.0])
def test_a_file_of_any_time_is_taken(home: Home, target: Path, time_s: float) -> None:
    os.utime(put(home.templates / "t"), (time_s, time_s))
    assert "templates/t" in held(made(home, target))
    with tarfile.open(target) as archive:
        assert archive.getmember("templates/t").mtime == min(max(time_s, 0), 8**11 - 1)


def test_two_names_that_are_one_elsewhere_are_told_before_anything_is_written(home: Home, target: Path) -> None:
    for name in ("Mine.gguf", "mine.gguf"):
        put(home.models / name)
    with pytest.raises(BackupFailed, match=r"'models/Mine.gguf' and 'models/mine.gguf' .* Rename one of them"):
        made(home, target)
    assert list(target.parent.iterdir()) == []
    assert "models/mine.gguf" not in held(made(home, target, Choice()))


ODD = (b"con.jinja", b"a:b.jinja", b"ends in a dot.", b"\xff\xfe.jinja", b"two\nlines", b"back\\slash")


@pytest.mark.parametrize("odd", ODD)
def test_an_odd_name_is_left_out_and_told_of_and_the_rest_is_taken(home: Home, target: Path, odd: bytes) -> None:
    put(home.templates / "fine")
    name = Path(os.fsdecode(os.fsencode(home.templates) + b"/" + odd))
    put(name)
    said = made(home, target)
    assert held(said) == {"config.toml", "templates/fine"}
    shown = f"templates/{odd.decode('utf-8', 'backslashreplace')}"
    assert left_out(said) == {shown: "has a name that not every system can hold"}


def test_a_model_with_an_odd_name_that_is_not_taken_is_no_hindrance(home: Home, target: Path) -> None:
    put(Path(os.fsdecode(os.fsencode(home.models) + b"/\xff.gguf")))
    said = made(home, target, Choice())
    assert [one.origin for one in said.absent_models] == ["imported"]
    assert said.left_out == ()


def test_a_link_that_leads_out_is_not_followed(home: Home, target: Path, tmp_path: Path) -> None:
    outside = put(tmp_path / "outside" / "private", "hush")
    put(home.secrets_key, "hush")
    put(home.templates / "inside", "fine")
    put(home.jobs / "job_1" / "order.json", "{}")
    for link, leads_to in {
        "templates/out": outside, "templates/secret": home.secrets_key, "templates/fine": home.templates / "inside",
        "jobs/job_1/output.log": outside, "jobs/job_1/model/adapter": outside.parent, "jobs/job_2": outside.parent,
        "requests/gone": tmp_path / "nowhere", "templates/folder": outside.parent,
    }.items():  # fmt: skip
        place = home.root / link
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(leads_to)
    said = made(home, target, Choice(secrets=False, recordings=True, trainings=True))
    assert held(said) == {"config.toml", "templates/inside", "templates/fine", "jobs/job_1/order.json"}
    assert b"hush" not in target.read_bytes()
    out, folder = "is a link that leads out of its folder", "is a link to a folder"
    assert left_out(said) == {
        "templates/out": out, "templates/secret": out, "jobs/job_1/output.log": out, "jobs/job_1/model/adapter": folder,
        "jobs/job_2": folder, "requests/gone": "is a link to what is not there",
    }  # fmt: skip


def test_links_of_imported_models_and_of_settings_are_followed(home: Home, target: Path, tmp_path: Path) -> None:
    (home.models / "linked.gguf").symlink_to(put(tmp_path / "elsewhere" / "weights", "bytes of the model"))
    (home.models / "gone.gguf").symlink_to(tmp_path / "nowhere")
    home.config_file.rename(tmp_path / "settings.toml")
    home.config_file.symlink_to(tmp_path / "settings.toml")
    said = made(home, target)
    assert held(said) == {"config.toml", "models/linked.gguf"}
    assert b"bytes of the model" in target.read_bytes()
    assert left_out(said) == {"models/gone.gguf": "is a link to what is not there"}


def test_more_than_an_archive_holds_is_told_before_it_is_written(
    home: Home, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(home.templates / "t")
    monkeypatch.setattr(tar, "MOST_MEMBERS", 2)
    with pytest.raises(BackupFailed, match="more than 2 files"):
        made(home, target)
    assert list(target.parent.iterdir()) == []
    monkeypatch.setattr(tar, "MOST_MEMBERS", 3)
    made(home, target)


def test_a_manifest_that_nobody_would_read_is_not_written(
    home: Home, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manifest, "MOST_BYTES", 100)
    with pytest.raises(BackupFailed, match=r"names .* take more than"):
        made(home, target)
    assert list(target.parent.iterdir()) == []


def test_settings_that_no_restore_would_read_are_not_taken(home: Home, target: Path) -> None:
    put(home.config_file, "# " + "x" * 2**20)
    with pytest.raises(BackupFailed, match=r"config\.toml .* more than 1048576 bytes"):
        made(home, target)
    assert list(target.parent.iterdir()) == []

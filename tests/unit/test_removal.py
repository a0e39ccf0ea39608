"""What removing a model takes away, what it tells beforehand, and what stays because something else needs it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from paddock.errors import HomeUnusable
from paddock.models.catalog import Catalog
from paddock.models.importing import kept_as
from paddock.models.places import Place
from paddock.models.records import PulledFile, PulledRecord, let_go, note_fetched, record_path, write_record
from paddock.models.removal import finish
from paddock.paths import Home
from tests.fakes import model_places as other
from tests.fakes.gguf_files import gguf, split

REPO = "org/one"
ONE, TWO, EYES = gguf(more={"general.name": "One"}), gguf(more={"general.name": "Two"}), b"eyes"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(root=tmp_path / "home")
    home.ensure()
    return home


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def file_of(pointer: Path, *, fetched: bool = True) -> PulledFile:
    return PulledFile(path=str(pointer), size_bytes=pointer.stat().st_size, digest="sha256:0", fetched=fetched)


def pulled(home: Home, quant: str, pointer: Path, eyes: Path | None = None, *, fetched: bool = True) -> str:
    record = PulledRecord(
        id=f"{REPO}:{quant}",
        repo=REPO,
        revision=other.COMMIT,
        pulled_s=1,
        files=(file_of(pointer, fetched=fetched),),
        projector=file_of(eyes) if eyes else None,
    )
    write_record(home.models, record)
    return record.id


def test_a_removal_tells_its_size_beforehand_and_does_nothing_yet(home: Home, cache: Path) -> None:
    pointer = other.hub_cache(cache, REPO, "one-Q8_0.gguf", ONE)
    model_id = pulled(home, "Q8_0", pointer)
    removal = Catalog(home).removal(model_id)
    assert removal.frees_bytes == len(ONE)
    assert removal.staying == ()
    assert pointer.read_bytes() == ONE
    blob = pointer.resolve()
    Catalog(home).remove(model_id)
    assert not blob.exists()
    assert not pointer.is_symlink()


@pytest.mark.parametrize("removed", range(3))
def test_a_removal_that_was_killed_at_any_step_is_finished_later(home: Home, cache: Path, removed: int) -> None:
    pointer = other.hub_cache(cache, REPO, "one-Q8_0.gguf", ONE)
    model_id = pulled(home, "Q8_0", pointer)
    steps = [pointer.resolve(), pointer]
    let_go(record_path(home.models, model_id))
    for path in steps[:removed]:
        path.unlink()
    assert model_id not in [entry.id for entry in Catalog(home).models()]
    assert list(Catalog(home).broken()) == []
    finish(home.models)
    assert [path for path in steps if path.exists() or path.is_symlink()] == []
    assert list(home.models.iterdir()) == []


def test_what_is_fetched_again_meanwhile_is_kept(home: Home, cache: Path) -> None:
    pointer = other.hub_cache(cache, REPO, "one-Q8_0.gguf", ONE)
    model_id = pulled(home, "Q8_0", pointer)
    leaving = let_go(record_path(home.models, model_id))
    note_fetched(home.models, model_id, [file_of(pointer)])
    finish(home.models)
    assert leaving.exists()
    note_fetched(home.models, model_id, [])
    assert pulled(home, "Q8_0", pointer) == model_id
    finish(home.models)
    assert pointer.read_bytes() == ONE
    assert not leaving.exists()
    assert Catalog(home).removal(model_id).frees_bytes == len(ONE)


def test_a_model_whose_files_cannot_be_removed_is_there_for_another_try(
    home: Home, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pointer = other.hub_cache(cache, REPO, "one-Q8_0.gguf", ONE)
    model_id = pulled(home, "Q8_0", pointer)
    blob, unlink = pointer.resolve(), Path.unlink

    def refusing(path: Path, missing_ok: bool = False) -> None:
        if path == blob:
            raise PermissionError(13, "Permission denied")
        unlink(path, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", refusing)
    with pytest.raises(HomeUnusable, match="Permission denied"):
        Catalog(home).remove(model_id)
    monkeypatch.undo()
    assert Catalog(home).removal(model_id).frees_bytes == len(ONE)
    assert [path.name for path in home.models.iterdir()] == [record_path(home.models, model_id).name]


def test_a_projector_that_another_model_needs_stays_until_that_one_goes(home: Home, cache: Path) -> None:
    eyes = other.hub_cache(cache, REPO, "mmproj-F16.gguf", EYES)
    first = pulled(home, "Q8_0", other.hub_cache(cache, REPO, "one-Q8_0.gguf", ONE), eyes)
    second = pulled(home, "Q4_0", other.hub_cache(cache, REPO, "one-Q4_0.gguf", TWO), eyes)
    removal = Catalog(home).removal(first)
    assert [(one.path.name, one.reason) for one in removal.staying] == [("mmproj-F16.gguf", f"'{second}' needs it")]
    assert removal.frees_bytes == len(ONE)
    Catalog(home).remove(first)
    assert eyes.read_bytes() == EYES
    Catalog(home).remove(second)
    assert not eyes.exists()


def test_what_another_program_put_into_the_cache_stays(home: Home, cache: Path) -> None:
    pointer = other.hub_cache(cache, REPO, "one-Q8_0.gguf", ONE)
    model_id = pulled(home, "Q8_0", pointer, fetched=False)
    removal = Catalog(home).removal(model_id)
    assert (removal.frees_bytes, removal.going) == (0, ())
    assert "before paddock pulled" in removal.staying[0].reason
    catalog = Catalog(home, [Place(origin="hub-cache", folder=cache)])
    assert catalog.find(model_id).origin == "pulled"
    catalog.remove(model_id)
    assert catalog.find(model_id).origin == "hub-cache"


def test_bytes_that_another_revision_needs_stay(home: Home, cache: Path) -> None:
    pointer = other.hub_cache(cache, REPO, "one-Q8_0.gguf", ONE)
    older = other.hub_cache(cache, REPO, "one-Q8_0.gguf", ONE, commit=other.OLDER, ref=None)
    model_id = pulled(home, "Q8_0", pointer)
    (going,) = Catalog(home).removal(model_id).going
    assert (going.frees_bytes, going.note) == (0, "another revision (ddddddd) needs the bytes, which stay")
    Catalog(home).remove(model_id)
    assert older.read_bytes() == ONE
    assert not pointer.is_symlink()


def test_a_commit_that_has_another_name_in_the_cache_stays(home: Home, cache: Path) -> None:
    pointer = other.hub_cache(cache, REPO, "one-Q8_0.gguf", ONE)
    other.hub_cache(cache, REPO, "README.md", b"#", ref="v1.0")
    model_id = pulled(home, "Q8_0", pointer)
    assert "'v1.0'" in Catalog(home).removal(model_id).staying[0].reason
    Catalog(home).remove(model_id)
    assert pointer.read_bytes() == ONE


def test_an_import_by_hard_link_takes_no_space_and_outlives_its_original(home: Home, tmp_path: Path) -> None:
    original = tmp_path / "one.gguf"
    original.write_bytes(ONE)
    model = Catalog(home).import_file(original)
    assert kept_as(model.path) == "hard link"
    assert model.path.samefile(original)
    removal = Catalog(home).removal("one")
    assert removal.frees_bytes == 0
    assert "elsewhere on this disk" in removal.going[0].note
    original.unlink()
    assert Catalog(home).find("one").path.read_bytes() == ONE
    assert Catalog(home).removal("one").frees_bytes == len(ONE)


def test_an_import_of_what_ollama_has_names_it_as_the_one_that_needs_the_bytes(home: Home, tmp_path: Path) -> None:
    blob = other.ollama(tmp_path / "ollama", "library/one/latest", [("model", ONE)])
    catalog = Catalog(home, [Place(origin="ollama", folder=tmp_path / "ollama")])
    catalog.import_file(blob, "mine")
    assert catalog.find("one:latest").id == "mine"
    assert "(ollama: one:latest)" in catalog.removal("mine").going[0].note
    catalog.remove("mine")
    assert blob.read_bytes() == ONE
    assert catalog.find("one:latest").origin == "ollama"


def test_an_import_from_the_cache_links_the_bytes_and_not_the_link(home: Home, cache: Path) -> None:
    pointer = other.hub_cache(cache, REPO, "one-Q8_0.gguf", ONE)
    model = Catalog(home).import_file(pointer)
    assert (kept_as(model.path), model.path.is_symlink()) == ("hard link", False)
    pulled_id = pulled(home, "Q8_0", pointer)
    (_, bytes_file) = Catalog(home).removal(pulled_id).going
    assert (bytes_file.frees_bytes, bytes_file.note) == (0, "the same bytes have another name elsewhere, which stays")


@pytest.mark.skipif(not os.path.isdir("/dev/shm"), reason="needs a second file system")
def test_an_import_from_another_disk_is_a_symbolic_link(home: Home) -> None:
    folder = Path("/dev/shm") / f"paddock-test-{os.getpid()}"
    folder.mkdir()
    try:
        paths = split(folder, "big", 2)
        model = Catalog(home).import_file(paths[0], "mine")
        assert kept_as(model.path) == "symbolic link"
        assert model.size_bytes == sum(path.stat().st_size for path in paths)
        removal = Catalog(home).removal("mine")
        assert (removal.frees_bytes, len(removal.going)) == (0, 2)
        assert removal.going[0].note == "a link; the file it leads to stays"
        Catalog(home).remove("mine")
        assert all(path.exists() for path in paths)
        assert list(home.models.iterdir()) == []
    finally:
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()


def test_an_import_whose_original_is_gone_is_told_and_can_be_removed(home: Home, tmp_path: Path) -> None:
    (home.models / "one.gguf").symlink_to(tmp_path / "gone.gguf")
    (broken,) = Catalog(home).broken()
    assert "is gone" in broken.reason
    Catalog(home).remove("one")
    assert list(home.models.iterdir()) == []


def test_an_import_that_copies_needs_no_other(home: Home, tmp_path: Path) -> None:
    original = tmp_path / "one.gguf"
    original.write_bytes(ONE)
    model = Catalog(home).import_file(original, how="copy")
    assert kept_as(model.path) == "copy"
    assert Catalog(home).removal("one").frees_bytes == len(ONE)

"""Which models the catalogue lists and finds, and how files get into and out of the data home."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from paddock.errors import BadRequest, HomeUnusable, ModelUnknown, ModelUnusable
from paddock.models.catalog import BUNDLED, Catalog
from paddock.models.importing import STALE_DRAFT_S, sweep
from paddock.models.records import PulledFile, PulledRecord, note_fetched, record_path, write_record
from paddock.paths import Home
from tests.fakes.gguf_files import gguf, split

REPO, COMMIT = "ours/tiny-GGUF", "c" * 40
FORBIDDEN_NAMES = [
    *(
        "",
        ".",
        "..",
        "../x",
        "a/b",
        "a\\b",
        "/abs",
        ".hidden",
        "a\0b",
        "con",
        "LPT1.x",
        "a:b",
        "x" * 121,
        "a\nb",
        "end.",
    ),
    *("big-00001-of-00002", "-flag", "a*b", "é" * 121),
]
NO_RECORDS = [
    *("", "[]", "{}", "null", "nonsense", '{"files": []}', '{"files": [{}]}', '{"files": 3}', "[" * 9999),
    """{"id": "a/b:c", "repo": "a/b", "revision": "r", "pulled_s": 1,
        "files": [{"path": 3, "size_bytes": 1, "digest": "", "fetched": true}]}""",
]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(root=tmp_path / "home")
    home.ensure()
    return home


@pytest.fixture
def catalog(home: Home) -> Catalog:
    return Catalog(home)


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    path = tmp_path / "elsewhere" / "tiny.gguf"
    path.parent.mkdir()
    path.write_bytes(gguf())
    return path


def pulled(home: Home, cache: Path, quant: str = "Q8_0", *, fetched: bool = True) -> Path:
    """A record of a pulled model, and its file in a cache laid out like the hub library's."""
    folder = cache / "models--ours--tiny-GGUF"
    blob = folder / "blobs" / quant.rjust(64, "0")
    pointer = folder / "snapshots" / COMMIT / f"tiny-{quant}.gguf"
    for path in (blob, pointer):
        path.parent.mkdir(parents=True, exist_ok=True)
    blob.write_bytes(gguf())
    pointer.symlink_to(os.path.relpath(blob, pointer.parent))
    file = PulledFile(path=str(pointer), size_bytes=blob.stat().st_size, digest=f"sha256:{blob.name}", fetched=fetched)
    write_record(home.models, PulledRecord(id=f"{REPO}:{quant}", repo=REPO, revision=COMMIT, pulled_s=7, files=(file,)))
    return pointer


def test_the_bundled_model_is_there_from_the_start(catalog: Catalog) -> None:
    (pocket,) = catalog.models()
    assert (pocket.id, pocket.origin, pocket.path) == ("pocket-v0", "bundled", BUNDLED["pocket-v0"])
    assert (pocket.quantisation, pocket.trained_context_tokens) == ("Q8_0", 131072)
    assert pocket.has_chat_template
    assert pocket.task == "text"
    assert pocket.size_bytes == pocket.path.stat().st_size


def test_a_home_that_does_not_exist_yet_has_the_bundled_model(tmp_path: Path) -> None:
    assert [model.id for model in Catalog(Home(root=tmp_path / "nowhere")).models()] == ["pocket-v0"]


def test_models_come_bundled_first_then_by_name(catalog: Catalog, home: Home, tmp_path: Path) -> None:
    for name in ("zebra", "Alpaca"):
        (home.models / f"{name}.gguf").write_bytes(gguf())
    pulled(home, tmp_path / "cache")
    assert [model.id for model in catalog.models()] == ["pocket-v0", "Alpaca", "ours/tiny-GGUF:Q8_0", "zebra"]


def test_an_id_never_holds_a_folder(catalog: Catalog, home: Home, tiny: Path, tmp_path: Path) -> None:
    (home.models / "dropped.gguf").write_bytes(gguf())
    pulled(home, tmp_path / "cache")
    catalog.resolve(str(tiny))
    assert all(str(tmp_path) not in model.id for model in catalog.models())


def test_broken_files_are_listed_apart_with_their_reason(catalog: Catalog, home: Home) -> None:
    (home.models / "bad.gguf").write_bytes(b"hello")
    (home.models / "empty.gguf").write_bytes(b"")
    assert [model.id for model in catalog.models()] == ["pocket-v0"]
    assert [(model.id, model.reason.split(".")[0]) for model in catalog.broken()] == [
        ("bad", "'bad"),
        ("empty", "'empty"),
    ]
    assert "is empty" in catalog.broken()[1].reason
    with pytest.raises(ModelUnusable, match="is empty"):
        catalog.find("empty")


def test_a_repaired_file_is_noticed(catalog: Catalog, home: Home) -> None:
    path = home.models / "late.gguf"
    path.write_bytes(gguf()[:-200])
    assert [model.id for model in catalog.broken()] == ["late"]
    path.write_bytes(gguf())
    assert catalog.broken() == []
    assert catalog.find("late").architecture == "llama"


def test_a_part_that_arrives_late_is_noticed(catalog: Catalog, home: Home, tmp_path: Path) -> None:
    first, second = split(tmp_path, "big", 2)
    shutil.copy(first, home.models)
    assert [model.id for model in catalog.broken()] == ["big"]
    shutil.copy(second, home.models)
    assert catalog.find("big").path.name == "big-00001-of-00002.gguf"
    (home.models / second.name).unlink()
    assert [model.id for model in catalog.broken()] == ["big"]


def test_a_name_is_found_without_regard_to_case(catalog: Catalog, home: Home) -> None:
    assert catalog.find("POCKET-V0").id == "pocket-v0"
    (home.models / "Pocket-V0.gguf").write_bytes(gguf())
    assert catalog.find("Pocket-V0").origin == "imported"
    assert catalog.find("pocket-v0").origin == "bundled"


def test_a_pulled_model_is_found_without_its_quantisation_while_there_is_one(
    catalog: Catalog, home: Home, tmp_path: Path
) -> None:
    pulled(home, tmp_path / "cache")
    assert catalog.find("ours/tiny-gguf").id == "ours/tiny-GGUF:Q8_0"
    pulled(home, tmp_path / "cache", "F16")
    with pytest.raises(ModelUnknown):
        catalog.find("ours/tiny-GGUF")


def test_an_unknown_name_tells_what_there_is(catalog: Catalog) -> None:
    with pytest.raises(ModelUnknown) as caught:
        catalog.find("poket-v0")
    assert caught.value.known == ("pocket-v0",)
    assert "Did you mean 'pocket-v0'?" in caught.value.message


@pytest.mark.parametrize("name", ["", "x" * 5000, "../../etc/passwd", "a\0b", "CON", "é"])
def test_strange_names_are_unknown_and_nothing_worse(catalog: Catalog, name: str) -> None:
    with pytest.raises(ModelUnknown):
        catalog.find(name)


def test_a_file_joins_the_catalogue_under_its_name(catalog: Catalog, tiny: Path) -> None:
    model = catalog.resolve(str(tiny))
    assert (model.id, model.origin, model.path) == ("tiny", "file", tiny)
    assert catalog.find("tiny") == model
    assert [model.id for model in catalog.models()] == ["pocket-v0", "tiny"]


def test_a_file_hides_an_entry_of_its_name(catalog: Catalog, tmp_path: Path) -> None:
    path = tmp_path / "pocket-v0.gguf"
    path.write_bytes(gguf())
    assert catalog.resolve(str(path)).origin == "file"
    assert [(model.id, model.origin) for model in catalog.models()] == [("pocket-v0", "file")]


def test_an_id_goes_before_a_file_of_the_same_name_here(
    catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pocket-v0").write_bytes(gguf())
    (tmp_path / "plain").write_bytes(gguf())
    monkeypatch.chdir(tmp_path)
    assert catalog.resolve("pocket-v0").origin == "bundled"
    assert catalog.resolve("./pocket-v0").origin == "file"
    assert catalog.resolve("plain").origin == "file"


@pytest.mark.parametrize("words", ["./nothere.gguf", "/no/such/model.gguf", "~/nothere-paddock.gguf", "nothere.gguf"])
def test_a_path_that_leads_nowhere_is_named(catalog: Catalog, words: str) -> None:
    with pytest.raises(ModelUnusable, match=r"There is no file '[\w-]+\.gguf'"):
        catalog.resolve(words)


@pytest.mark.parametrize("words", ["ours/absent", "org/repo:Q4_K_M", "a\0.gguf", "~nobody-of-that-name/x", "x" * 9000])
def test_words_that_are_no_path_are_unknown_models(catalog: Catalog, words: str) -> None:
    with pytest.raises((ModelUnknown, ModelUnusable)):
        catalog.resolve(words)


def test_a_folder_is_named(catalog: Catalog, tiny: Path) -> None:
    with pytest.raises(ModelUnusable, match="'elsewhere' is a folder"):
        catalog.resolve(str(tiny.parent))


def test_an_import_that_copies_has_bytes_of_its_own(catalog: Catalog, home: Home, tiny: Path) -> None:
    told: list[tuple[int, int]] = []
    model = catalog.import_file(tiny, progress=lambda done, total: told.append((done, total)), how="copy")
    assert (model.id, model.origin, model.path) == ("tiny", "imported", home.models / "tiny.gguf")
    assert told[-1] == (len(gguf()), len(gguf()))
    tiny.write_bytes(b"changed later")
    assert catalog.find("tiny").size_bytes == len(gguf())
    assert sorted(path.name for path in home.models.iterdir()) == ["tiny.gguf"]


def test_a_split_model_is_imported_with_all_its_parts(catalog: Catalog, home: Home, tmp_path: Path) -> None:
    model = catalog.import_file(split(tmp_path, "big", 3)[0], "mine")
    assert model.path.name == "mine-00001-of-00003.gguf"
    assert len(list(home.models.iterdir())) == 3
    catalog.remove("mine")
    assert list(home.models.iterdir()) == []


@pytest.mark.parametrize("name", FORBIDDEN_NAMES)
def test_names_that_could_leave_the_home_are_refused(catalog: Catalog, home: Home, tiny: Path, name: str) -> None:
    with pytest.raises(BadRequest, match="cannot be a model's name"):
        catalog.import_file(tiny, name)
    assert list(home.models.iterdir()) == []


@pytest.mark.parametrize("name", ["Llama-3.2_1B", "Qwen 3 (mine)", "modèle", "a", "v1.0+x@y"])
def test_usual_names_are_taken(catalog: Catalog, tiny: Path, name: str) -> None:
    assert catalog.import_file(tiny, name).id == name
    assert catalog.find(name).id == name


@pytest.mark.parametrize("name", ["pocket-v0", "POCKET-V0", "Tiny"])
def test_a_name_that_is_taken_is_refused(catalog: Catalog, tiny: Path, name: str) -> None:
    catalog.import_file(tiny)
    with pytest.raises(BadRequest, match="There is a model"):
        catalog.import_file(tiny, name)


def test_what_cannot_be_loaded_is_not_imported(catalog: Catalog, home: Home, tmp_path: Path) -> None:
    path = tmp_path / "bad.gguf"
    path.write_bytes(gguf()[:-100])
    with pytest.raises(ModelUnusable, match="is cut short"):
        catalog.import_file(path)
    with pytest.raises(ModelUnusable, match=r"There is no file 'absent.gguf'"):
        catalog.import_file(tmp_path / "absent.gguf")
    assert list(home.models.iterdir()) == []


def test_an_import_that_is_broken_off_leaves_nothing(catalog: Catalog, home: Home, tmp_path: Path) -> None:
    def leave(done: int, total: int) -> None:
        if done > total // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        catalog.import_file(split(tmp_path, "big", 3)[0], "mine", progress=leave, how="copy")
    assert list(home.models.iterdir()) == []
    assert catalog.broken() == []


def test_a_file_that_grows_while_it_is_copied_is_refused(catalog: Catalog, home: Home, tiny: Path) -> None:
    def grow(done: int, total: int) -> None:
        tiny.write_bytes(gguf() + b"more")

    with pytest.raises(ModelUnusable, match="changed while it was copied"):
        catalog.import_file(tiny, progress=grow, how="copy")
    assert list(home.models.iterdir()) == []


def test_a_home_that_cannot_be_written_is_named(tmp_path: Path, tiny: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(HomeUnusable, match="cannot be linked into the data home"):
        Catalog(Home(root=tmp_path / "file")).import_file(tiny)
    with pytest.raises(HomeUnusable, match="cannot be copied into the data home"):
        Catalog(Home(root=tmp_path / "file")).import_file(tiny, how="copy")


def test_an_import_that_does_not_fit_is_refused_before_it_begins(catalog: Catalog, home: Home, tiny: Path) -> None:
    with tiny.open("r+b") as file:
        file.truncate(shutil.disk_usage(home.models).free + 2**34)
    with pytest.raises(HomeUnusable, match=r"The copy needs [\d.]+ GB and the data home has"):
        catalog.import_file(tiny, how="copy")
    assert list(home.models.iterdir()) == []


def test_a_draft_of_a_killed_import_is_swept_away(home: Home) -> None:
    old, new = home.models / ".old.gguf.1234.draft", home.models / ".new.gguf.1234.draft"
    # When a file was made cannot be set: so it is looked at from much later, and one is written to until then.
    later_s = time.time() + STALE_DRAFT_S + 60
    old.touch()
    new.touch()
    os.utime(new, (later_s, later_s))
    sweep(home.models, now_s=later_s)
    assert (old.exists(), new.exists()) == (False, True)


def test_the_bundled_model_cannot_be_removed(catalog: Catalog) -> None:
    with pytest.raises(BadRequest, match="comes with paddock"):
        catalog.remove("pocket-v0")
    assert BUNDLED["pocket-v0"].exists()


def test_a_file_served_where_it_lies_cannot_be_removed(catalog: Catalog, tiny: Path) -> None:
    catalog.resolve(str(tiny))
    with pytest.raises(BadRequest, match="file of your own"):
        catalog.remove("tiny")
    assert tiny.exists()


@pytest.mark.parametrize("name", ["../outside", "/etc/hostname", "", "tin", "TINY", "outside.gguf"])
def test_only_an_exact_id_is_removed(catalog: Catalog, home: Home, tiny: Path, name: str) -> None:
    outside = home.root / "outside.gguf"
    outside.write_bytes(gguf())
    catalog.import_file(tiny)
    with pytest.raises(ModelUnknown):
        catalog.remove(name)
    assert outside.exists()
    assert catalog.find("tiny")


def test_a_broken_model_can_be_removed(catalog: Catalog, home: Home) -> None:
    (home.models / "bad.gguf").write_bytes(b"hello")
    catalog.remove("bad")
    assert catalog.broken() == []


def test_a_pulled_model_is_removed_with_its_bytes(catalog: Catalog, home: Home, tmp_path: Path) -> None:
    pointer = pulled(home, tmp_path / "cache")
    blob = pointer.resolve()
    assert catalog.find("ours/tiny-GGUF:Q8_0").created_s == 7
    catalog.remove("ours/tiny-GGUF:Q8_0")
    assert not pointer.is_symlink()
    assert not blob.exists()
    assert [model.id for model in catalog.models()] == ["pocket-v0"]


def test_what_the_cache_had_before_stays(catalog: Catalog, home: Home, tmp_path: Path) -> None:
    pointer = pulled(home, tmp_path / "cache", fetched=False)
    catalog.remove("ours/tiny-GGUF:Q8_0")
    assert pointer.exists()
    assert not record_path(home.models, "ours/tiny-GGUF:Q8_0").exists()


def test_bytes_that_another_commit_needs_stay(catalog: Catalog, home: Home, tmp_path: Path) -> None:
    pointer = pulled(home, tmp_path / "cache")
    other = pointer.parents[1] / ("d" * 40) / pointer.name
    other.parent.mkdir()
    other.symlink_to(os.path.relpath(pointer.resolve(), other.parent))
    catalog.remove("ours/tiny-GGUF:Q8_0")
    assert other.exists()
    assert not pointer.is_symlink()


def test_a_record_cannot_make_us_remove_other_files(catalog: Catalog, home: Home, tiny: Path) -> None:
    file = PulledFile(path=str(tiny), size_bytes=1, digest="sha256:0", fetched=True)
    record = PulledRecord(id=f"{REPO}:Q8_0", repo=REPO, revision=COMMIT, pulled_s=7, files=(file,))
    write_record(home.models, record)
    catalog.remove(record.id)
    assert tiny.exists()


def test_a_pulled_file_that_is_gone_is_said_to_be(catalog: Catalog, home: Home, tmp_path: Path) -> None:
    pulled(home, tmp_path / "cache").unlink()
    (broken,) = catalog.broken()
    assert broken.id == "ours/tiny-GGUF:Q8_0"
    assert "is gone" in broken.reason


@pytest.mark.parametrize("content", NO_RECORDS)
def test_a_damaged_record_is_listed_and_removable(catalog: Catalog, home: Home, content: str) -> None:
    path = record_path(home.models, "a/b:c")
    path.write_text(content)
    (broken,) = catalog.broken()
    assert broken.id == path.name
    assert "Remove it, then pull again" in broken.reason
    catalog.remove(path.name)
    assert catalog.broken() == []


def test_a_record_under_another_name_is_not_believed(catalog: Catalog, home: Home, tmp_path: Path) -> None:
    pulled(home, tmp_path / "cache")
    record_path(home.models, f"{REPO}:Q8_0").rename(record_path(home.models, "other/repo:Q8_0"))
    assert [model.id for model in catalog.models()] == ["pocket-v0"]
    assert "is not the record its name says" in catalog.broken()[0].reason


def test_notes_of_unfinished_pulls_are_no_models(catalog: Catalog, home: Home) -> None:
    note_fetched(home.models, "a/b:c", [PulledFile(path="/x", size_bytes=1, digest="", fetched=True)])
    assert catalog.broken() == []
    assert [model.id for model in catalog.models()] == ["pocket-v0"]

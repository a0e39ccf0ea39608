"""Which models the catalogue finds in other programs' folders, and what they are called; nothing is written there."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from paddock.config import load
from paddock.errors import BadRequest, ModelUnknown, ModelUnusable
from paddock.models.catalog import Catalog
from paddock.models.entries import Origin
from paddock.models.facts import FactsCache
from paddock.models.hub_cache import cache_folder
from paddock.models.places import Place, places_of
from paddock.paths import Home
from tests.fakes import model_places as other
from tests.fakes.gguf_files import MODEL, Tensor, gguf, split

ONE, TWO = gguf(more={"general.name": "One"}), gguf(more={"general.name": "Two"})


def projector(name: str = "", *, width: int = 64, file_type: int = 1) -> bytes:
    about = {"general.architecture": "clip", "general.type": "mmproj", "general.file_type": file_type}
    about |= {"clip.vision.projection_dim": width} | ({"general.name": name} if name else {})
    return gguf(about, [Tensor("mm.0.weight", (64,))])


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(root=tmp_path / "home")
    home.ensure()
    return home


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "place"
    folder.mkdir()
    return folder


def listed(catalog: Catalog) -> dict[str, str]:
    """Ids and origins of what can be loaded, without the bundled model."""
    return {model.id: model.origin for model in catalog.models() if model.origin != "bundled"}


def everything_in(folder: Path) -> dict[str, tuple[int, int]]:
    return {
        str(path): (path.lstat().st_mtime_ns, path.lstat().st_size) for path in [folder, *sorted(folder.rglob("*"))]
    }


def test_the_hubs_cache_is_listed_with_the_ids_that_a_pull_would_give(home: Home, folder: Path) -> None:
    other.hub_cache(folder, "org/one-GGUF", "one-Q8_0.gguf", ONE)
    other.hub_cache(folder, "org/two-GGUF", "base-Q8_0.gguf", ONE + b"\0")
    other.hub_cache(folder, "org/two-GGUF", "chat-Q8_0.gguf", TWO)
    catalog = Catalog(home, [Place(origin="hub-cache", folder=folder)])
    assert listed(catalog) == dict.fromkeys(
        ("org/one-GGUF:Q8_0", "org/two-GGUF:base-Q8_0", "org/two-GGUF:chat-Q8_0"), "hub-cache"
    )
    assert catalog.find("ORG/one-gguf").id == "org/one-GGUF:Q8_0"


def test_another_revision_in_the_cache_has_its_commit_in_its_id(home: Home, folder: Path) -> None:
    other.hub_cache(folder, "org/one", "one-Q8_0.gguf", ONE, commit=other.OLDER, ref=None)
    other.hub_cache(folder, "org/one", "one-Q8_0.gguf", TWO)
    catalog = Catalog(home, [Place(origin="hub-cache", folder=folder)])
    assert sorted(listed(catalog)) == ["org/one:Q8_0", "org/one:Q8_0@ddddddd"]
    assert catalog.find("org/one:Q8_0").path.read_bytes() == TWO


def test_lmstudios_models_have_ids_without_folders(home: Home, folder: Path) -> None:
    other.lmstudio(folder, "org/one-GGUF", "one-Q4_K_M.gguf", ONE)
    other.lmstudio(folder, "org/one-GGUF", "mmproj-F16.gguf", projector())
    other.lmstudio(folder, "loose", "two.gguf", TWO)
    other.lmstudio(folder, ".hidden", "three.gguf", ONE)
    catalog = Catalog(home, [Place(origin="lmstudio", folder=folder)])
    assert sorted(listed(catalog)) == ["org/one-GGUF:Q4_K_M", "two"]
    eyes = catalog.find("org/one-GGUF:Q4_K_M").projector_path
    assert eyes is not None
    assert eyes.name == "mmproj-F16.gguf"
    assert catalog.broken() == []


def test_ollamas_models_have_its_own_names(home: Home, folder: Path) -> None:
    other.ollama(folder, "library/tiny/1b", [("model", ONE), ("projector", projector()), ("template", b"x")])
    other.ollama(folder, "org/tiny/latest", [("model", TWO), ("params", b"{}")])
    catalog = Catalog(home, [Place(origin="ollama", folder=folder)])
    assert listed(catalog) == {"tiny:1b": "ollama", "org/tiny:latest": "ollama"}
    tiny = catalog.find("tiny:1b")
    assert tiny.path.read_bytes() == ONE
    assert tiny.projector_path is not None
    assert tiny.projector_path.read_bytes() == projector()
    assert catalog.find("org/tiny:latest").projector_path is None


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ([("model", ONE), ("adapter", TWO)], "an adapter laid over it"),
        ([("model", ONE), ("model", TWO)], "2 model files"),
        ([("template", b"x")], "0 model files"),
    ],
)
def test_what_of_ollamas_cannot_be_read_is_told(
    home: Home, folder: Path, layers: list[tuple[str, bytes]], words: str
) -> None:
    other.ollama(folder, "library/odd/latest", layers)
    catalog = Catalog(home, [Place(origin="ollama", folder=folder)])
    (broken,) = catalog.broken()
    assert (broken.id, broken.origin) == ("odd:latest", "ollama")
    assert words in broken.reason
    with pytest.raises(ModelUnusable, match=words):
        catalog.find("odd:latest")


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"layers": 3}', '{"layers": [{}]}', "[" * 9999, '{"layers": [3]}']
)
def test_a_damaged_manifest_is_told(home: Home, folder: Path, content: str) -> None:
    manifest = folder / "manifests" / "host" / "library" / "odd" / "latest"
    manifest.parent.mkdir(parents=True)
    manifest.write_text(content)
    (broken,) = Catalog(home, [Place(origin="ollama", folder=folder)]).broken()
    assert broken.id == "odd:latest"


def test_a_manifest_cannot_name_a_file_outside_the_blobs(home: Home, folder: Path) -> None:
    manifest = folder / "manifests" / "host" / "library" / "odd" / "latest"
    manifest.parent.mkdir(parents=True)
    layer = {"mediaType": other.MEDIA + "model", "digest": "sha256:../../secret", "size": 1}
    manifest.write_text(json.dumps({"layers": [layer]}))
    (broken,) = Catalog(home, [Place(origin="ollama", folder=folder)]).broken()
    assert "0 model files" in broken.reason


def test_chosen_folders_are_walked_and_two_files_of_one_name_keep_lasting_ids(home: Home, folder: Path) -> None:
    for name, content in (("a/tiny.gguf", ONE), ("b/tiny.gguf", TWO), ("b/deep/er/other.gguf", ONE + b"\0")):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    catalog = Catalog(home, [Place(origin="folder", folder=folder)])
    first, second = (model.id for model in catalog.models() if model.id.startswith("tiny"))
    assert first == "tiny"
    assert second.startswith("tiny@")
    assert str(folder) not in second
    assert catalog.find(second).path.read_bytes() == TWO
    (folder / "a" / "tiny.gguf").unlink()
    assert catalog.find(second).path.read_bytes() == TWO
    assert catalog.find("tiny").path.read_bytes() == TWO


def test_a_circle_of_links_is_not_walked(home: Home, folder: Path) -> None:
    (folder / "tiny.gguf").write_bytes(ONE)
    (folder / "again").symlink_to(folder, target_is_directory=True)
    assert listed(Catalog(home, [Place(origin="folder", folder=folder)])) == {"tiny": "folder"}


def test_a_chosen_folder_that_is_not_there_is_told(home: Home, folder: Path) -> None:
    (broken,) = Catalog(home, [Place(origin="folder", folder=folder / "gone")]).broken()
    assert "is not there" in broken.reason
    assert Catalog(home, [Place(origin="lmstudio", folder=folder / "gone")]).broken() == []


def test_missing_parts_are_told_wherever_they_are_missing(home: Home, folder: Path) -> None:
    for stem, gone in (("first", 1), ("middle", 2)):
        split(folder, stem, 3)[gone - 1].unlink()
    catalog = Catalog(home, [Place(origin="folder", folder=folder)])
    reasons = {broken.id: broken.reason for broken in catalog.broken()}
    assert "without part 1 of 3" in reasons["first"]
    assert "middle-00002-of-00003.gguf" in reasons["middle"]
    assert listed(catalog) == {}


def test_a_model_that_was_listed_before_is_found_as_it_is_now(home: Home, folder: Path) -> None:
    (folder / "tiny.gguf").write_bytes(ONE)
    catalog = Catalog(home, [Place(origin="folder", folder=folder)])
    assert catalog.find("tiny").origin == "folder"
    (home.models / "tiny.gguf").write_bytes(TWO)
    assert catalog.find("tiny").origin == "imported"
    (home.models / "tiny.gguf").unlink()
    assert catalog.find("tiny").origin == "folder"
    (folder / "tiny.gguf").unlink()
    with pytest.raises(ModelUnknown):
        catalog.find("tiny")


def test_the_same_file_is_told_once_and_answers_to_all_its_names(home: Home, tmp_path: Path) -> None:
    cache, lm, ollama = tmp_path / "cache", tmp_path / "lm", tmp_path / "ollama"
    pointer = other.hub_cache(cache, "org/one", "one-Q8_0.gguf", ONE)
    other.ollama(ollama, "library/one/latest", [("model", ONE)])
    linked = lm / "org" / "linked" / "other-Q8_0.gguf"
    linked.parent.mkdir(parents=True)
    os.link(pointer.resolve(), linked)
    catalog = Catalog(
        home,
        [
            Place(origin="hub-cache", folder=cache),
            Place(origin="lmstudio", folder=lm),
            Place(origin="ollama", folder=ollama),
        ],
    )
    assert listed(catalog) == {"org/one:Q8_0": "hub-cache"}
    model = catalog.find("one:latest")
    assert model.id == "org/one:Q8_0"
    assert [(copy.id, copy.origin) for copy in model.copies] == [
        ("org/linked:Q8_0", "lmstudio"), ("one:latest", "ollama"),
    ]  # fmt: skip
    assert catalog.find("org/linked").id == "org/one:Q8_0"


def test_what_belongs_to_others_is_never_written_nor_removed(home: Home, tmp_path: Path) -> None:
    layouts: dict[Origin, Path] = {
        "hub-cache": tmp_path / "cache",
        "lmstudio": tmp_path / "lm",
        "ollama": tmp_path / "o",
        "folder": tmp_path / "f",
    }
    other.hub_cache(layouts["hub-cache"], "org/one", "one-Q8_0.gguf", ONE)
    other.lmstudio(layouts["lmstudio"], "org/two", "two-Q8_0.gguf", TWO)
    other.ollama(layouts["ollama"], "library/three/latest", [("model", TWO + b"\0")])
    other.lmstudio(layouts["folder"], "x", "four.gguf", ONE + b"\0")
    before = {name: everything_in(folder) for name, folder in layouts.items()}
    catalog = Catalog(home, [Place(origin=name, folder=folder) for name, folder in layouts.items()])
    assert len(listed(catalog)) == 4
    for model_id in listed(catalog):
        with pytest.raises(BadRequest, match=r"removes it|Remove it there|Delete it there"):
            catalog.remove(model_id)
        with pytest.raises(BadRequest):
            catalog.removal(model_id)
    assert {name: everything_in(folder) for name, folder in layouts.items()} == before


def test_a_projector_is_matched_by_what_the_files_say_rather_than_by_name(home: Home, folder: Path) -> None:
    for name in ("One", "Two"):
        (folder / f"weights-{name}.gguf").write_bytes(gguf(more={"general.name": f"Seer {name}"}))
    (folder / "weights-One-mmproj.gguf").write_bytes(projector("Seer Two"))
    (folder / "eyes.gguf").write_bytes(projector("Seer One"))
    catalog = Catalog(home, [Place(origin="folder", folder=folder)])
    eyes = {model.id: model.projector_path and model.projector_path.name for model in catalog.models()}
    assert eyes == {"pocket-v0": None, "weights-One": "eyes.gguf", "weights-Two": "weights-One-mmproj.gguf"}


@pytest.mark.parametrize("name", ["Model", "mmproj", ""])
def test_words_that_name_nothing_match_nothing(home: Home, folder: Path, name: str) -> None:
    for stem in ("a", "b"):
        (folder / f"{stem}.gguf").write_bytes(gguf(more={"general.name": name}))
    (folder / "mmproj-F16.gguf").write_bytes(projector(name))
    catalog = Catalog(home, [Place(origin="folder", folder=folder)])
    assert catalog.find("a").projector_path is None
    assert catalog.find("a").doubtful_projectors == ("mmproj-F16.gguf",)


def test_facts_are_kept_over_restarts_and_not_read_again(home: Home, folder: Path) -> None:
    (folder / "tiny.gguf").write_bytes(ONE)
    (folder / "mmproj.gguf").write_bytes(projector())
    (folder / "bad.gguf").write_bytes(b"bad")
    first = Catalog(home, [Place(origin="folder", folder=folder)])
    models, broken = first.models(), first.broken()
    status = (folder / "tiny.gguf").stat()
    # Bytes that would read otherwise, in a file that says it has not changed: they are not looked at.
    (folder / "tiny.gguf").write_bytes(bytes(len(ONE)))
    os.utime(folder / "tiny.gguf", ns=(status.st_atime_ns, status.st_mtime_ns))
    second = Catalog(home, [Place(origin="folder", folder=folder)])
    assert (second.models(), second.broken()) == (models, broken)
    os.utime(folder / "tiny.gguf")
    assert "tiny" in [model.id for model in Catalog(home, [Place(origin="folder", folder=folder)]).broken()]


@pytest.mark.parametrize("content", ["", "[]", "{}", "null", '{"layout": 3}', "[" * 9999])
def test_kept_facts_that_are_damaged_are_read_anew(home: Home, folder: Path, content: str) -> None:
    (folder / "tiny.gguf").write_bytes(ONE)
    catalog = Catalog(home, [Place(origin="folder", folder=folder)])
    catalog.models()
    home.scanned.write_text(content)
    assert "tiny" in listed(Catalog(home, [Place(origin="folder", folder=folder)]))


def test_facts_of_another_shape_are_read_anew(home: Home, folder: Path) -> None:
    path = folder / "tiny.gguf"
    path.write_bytes(ONE)
    Catalog(home, [Place(origin="folder", folder=folder)]).models()
    kept = json.loads(home.scanned.read_text())
    kept["files"][str(path)][2] = {"unknown": 1}
    home.scanned.write_text(json.dumps(kept))
    assert "tiny" in listed(Catalog(home, [Place(origin="folder", folder=folder)]))


def test_another_file_of_the_same_time_and_size_is_another_file(home: Home, folder: Path) -> None:
    path, spare = folder / "tiny.gguf", folder / "spare"
    path.write_bytes(ONE)
    spare.write_bytes(bytes(len(ONE)))
    cache = FactsCache(home.scanned)
    before = cache.of(path)
    status = path.stat()
    spare.replace(path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert cache.of(path) != before


def test_the_settings_say_where_is_looked(tmp_path: Path) -> None:
    chosen = os.pathsep.join([str(tmp_path / "a"), str(tmp_path / "b")])
    flags = {"model_folders": chosen, "lmstudio_folder": str(tmp_path / "lm")}
    environ = {"HF_HUB_CACHE": str(tmp_path / "hf"), "OLLAMA_MODELS": str(tmp_path / "o")}
    settings = load(flags, environ={"PADDOCK_HOME": str(tmp_path)})
    assert [(place.origin, place.folder.name) for place in places_of(settings, environ)] == [
        ("folder", "a"), ("folder", "b"), ("hub-cache", "hf"), ("lmstudio", "lm"), ("ollama", "o"),
    ]  # fmt: skip
    off = load({**flags, "scan_others": False}, environ={"PADDOCK_HOME": str(tmp_path)})
    assert [place.origin for place in places_of(off, environ)] == ["folder", "folder"]


def test_the_usual_places_are_known(tmp_path: Path) -> None:
    places = places_of(load(environ={"PADDOCK_HOME": str(tmp_path)}), {})
    told = [place.folder.as_posix() for place in places]
    for ending in (".cache/huggingface/hub", ".lmstudio/models", ".cache/lm-studio/models", ".ollama/models"):
        assert any(folder.endswith(ending) for folder in told)


@pytest.mark.parametrize(
    ("environ", "wanted"),
    [
        ({"HF_HUB_CACHE": "/x/hub", "HF_HOME": "/y"}, "/x/hub"),
        ({"HUGGINGFACE_HUB_CACHE": "/old"}, "/old"),
        ({"HF_HOME": "/y"}, "/y/hub"),
        ({"XDG_CACHE_HOME": "/z"}, "/z/huggingface/hub"),
    ],
)
def test_the_hubs_cache_is_where_its_variables_say(environ: dict[str, str], wanted: str) -> None:
    assert cache_folder(environ) == Path(wanted)


def test_only_metadata_makes_a_model(home: Home, folder: Path) -> None:
    (folder / "named-like-a-projector-mmproj.gguf").write_bytes(gguf(MODEL))
    assert listed(Catalog(home, [Place(origin="folder", folder=folder)])) == {"named-like-a-projector-mmproj": "folder"}


@pytest.mark.parametrize("text", ["x" * 5000, "~nobodyhere/x", "/" + "x" * 5000])
def test_a_setting_that_can_be_no_folder_holds_nothing_and_is_no_fault(home: Home, text: str) -> None:
    settings = load(
        {"model_folders": text, "lmstudio_folder": text, "ollama_folder": text, "scan_others": True},
        environ={"PADDOCK_HOME": str(home.root)},
    )
    for name in ("HF_HUB_CACHE", "HF_HOME"):
        catalog = Catalog(home, places_of(settings, {name: text}))
        assert listed(catalog) == {}
        (told,) = catalog.broken()
        assert "model_folders names a folder" in told.reason

"""Tests which projector belongs to a model: not BF16 where F16 is there, not another family's in a flat folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from paddock.config import load
from paddock.engine.flags import EngineFlags
from paddock.errors import ModelUnusable
from paddock.models.catalog import Catalog
from paddock.models.projectors import family_of, read_projector
from paddock.paths import Home
from paddock.serving.shelf import Shelf
from tests.fakes.gguf_files import Tensor, gguf, split

F16, BF16, F32, Q8 = 1, 32, 0, 7
WIDTH = 64


def projector(file_type: int = F16, *, width: int = WIDTH, is_old: bool = False) -> bytes:
    """A projector's header with one tensor; old ones say nothing of their type, and a width of their own."""
    metadata: dict[str, object] = {
        "general.architecture": "clip",
        "general.file_type": file_type,
        "clip.vision.projection_dim": 768 if is_old else width,
    }
    return gguf(metadata if is_old else {**metadata, "general.type": "mmproj"}, [Tensor("mm.0.weight", (WIDTH,))])


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(root=tmp_path / "home")
    home.ensure()
    return home


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "flat"
    folder.mkdir()
    return folder


def filled(folder: Path, models: list[str], projectors: dict[str, bytes]) -> None:
    for name in models:
        (folder / name).write_bytes(gguf())
    for name, data in projectors.items():
        (folder / name).write_bytes(data)


def seen_from(home: Home, model: Path) -> tuple[str | None, tuple[str, ...]]:
    """The projector a model gets and the doubtful ones, by name."""
    found = Catalog(home).resolve(str(model))
    return found.projector_path.name if found.projector_path else None, found.doubtful_projectors


# The model that is asked for, what else lies there, and the projector it gets or the doubtful ones.
FOLDERS: dict[str, tuple[str, list[str], dict[str, bytes], str | None, tuple[str, ...]]] = {
    "none": ("a-Q4_K_M.gguf", [], {}, None, ()),
    "one of no family": ("a-Q4_K_M.gguf", [], {"mmproj-F16.gguf": projector()}, "mmproj-F16.gguf", ()),
    "two quantisations of one model": (
        "a-Q4_K_M.gguf", ["a-UD-Q8_0.gguf"], {"mmproj-model-f16.gguf": projector()}, "mmproj-model-f16.gguf", (),
    ),
    "F16 over BF16": (
        "a-Q4_0.gguf", ["imatrix.gguf"],
        {"mmproj-BF16.gguf": projector(BF16), "mmproj-F16.gguf": projector(), "mmproj-F32.gguf": projector(F32)},
        "mmproj-F16.gguf", (),
    ),
    "BF16 where there is no other": ("a.gguf", [], {"mmproj-BF16.gguf": projector(BF16)}, "mmproj-BF16.gguf", ()),
    "the file's word over its name": (
        "a.gguf", [], {"mmproj-a.F16.gguf": projector(BF16), "mmproj-a.BF16.gguf": projector(F16)},
        "mmproj-a.BF16.gguf", (),
    ),
    "of one family in a flat folder": (
        "a-vl-7b-Q4_0.gguf", ["b-Q4_0.gguf"],
        {"mmproj-a-vl-7b-f16.gguf": projector(), "b-mmproj-F16.gguf": projector()}, "mmproj-a-vl-7b-f16.gguf", (),
    ),
    "of another family": ("a-Q4_0.gguf", ["b-Q4_0.gguf"], {"mmproj-b-f16.gguf": projector()}, None, ()),
    "of no family in a flat folder": (
        "a-Q4_0.gguf", ["b-Q4_0.gguf"], {"mmproj-f16.gguf": projector()}, None, ("mmproj-f16.gguf",),
    ),
    "of another name beside one model": (
        "a-Q4_0.gguf", [], {"mmproj-b-f16.gguf": projector()}, None, ("mmproj-b-f16.gguf",),
    ),
    "equally good ones": (
        "a.gguf", [], {"mmproj-1-f16.gguf": projector(), "mmproj-2-f16.gguf": projector()}, None,
        ("mmproj-1-f16.gguf", "mmproj-2-f16.gguf"),
    ),
    "the longest name": (
        "a-vl-7b-it.gguf", ["a-vl-2b-it.gguf"],
        {"mmproj-a-vl.gguf": projector(), "mmproj-a-vl-7b.gguf": projector(BF16), "mmproj-a-vl-2b.gguf": projector()},
        "mmproj-a-vl-7b.gguf", (),
    ),
    "its very own": (
        "a-Q4_0.gguf", ["a-Q8_0.gguf"], {"mmproj-a-Q4_0.gguf": projector(BF16), "mmproj-a-Q8_0.gguf": projector()},
        "mmproj-a-Q4_0.gguf", (),
    ),
    "of another width": ("a.gguf", [], {"mmproj-a.gguf": projector(width=128)}, None, ()),
    "an old one": ("a.gguf", [], {"mmproj-a.gguf": projector(is_old=True)}, "mmproj-a.gguf", ()),
    "damaged ones": (
        "a.gguf", [], {"mmproj-a.gguf": projector()[:-40], "mmproj-b.gguf": b"", "mmproj-c.gguf": b"GGUF"}, None, (),
    ),
    "one that is not called so": ("a-Q4_0.gguf", [], {"a-vision.gguf": projector()}, "a-vision.gguf", ()),
}  # fmt: skip


@pytest.mark.parametrize("case", FOLDERS)
def test_a_model_gets_the_projector_that_is_surely_its_own(home: Home, folder: Path, case: str) -> None:
    model, others, projectors, wanted, doubtful = FOLDERS[case]
    filled(folder, [model, *others], projectors)
    assert seen_from(home, folder / model) == (wanted, doubtful)


def test_a_model_in_parts_gets_its_projector(home: Home, folder: Path) -> None:
    paths = split(folder, "big", 2)
    filled(folder, [], {"mmproj-big-F16.gguf": projector()})
    assert seen_from(home, paths[0])[0] == "mmproj-big-F16.gguf"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("mmproj-F16.gguf", ()),
        ("mmproj-model-f16.gguf", ()),
        ("MMPROJ.GGUF", ()),
        ("mmproj-Qwen2.5-VL-7B-Instruct-Q8_0.gguf", ("qwen2", "5", "vl", "7b", "instruct")),
        ("gemma-3-4b-it-f16-mmproj.gguf", ("gemma", "3", "4b", "it")),
        ("a_b-UD-Q4_K_XL-00001-of-00002.gguf", ("a", "b")),
        ("modelling.gguf", ("modelling",)),
    ],
)
def test_a_name_tells_its_family(name: str, words: tuple[str, ...]) -> None:
    assert family_of(name) == words


def test_a_projector_is_no_model_and_not_listed_as_a_broken_one(home: Home) -> None:
    filled(home.models, ["a-Q4_0.gguf"], {"mmproj-a-f16.gguf": projector(), "broken.gguf": b"GGUF"})
    catalog = Catalog(home)
    listed = {model.id: model for model in catalog.models()}
    assert sorted(listed) == ["a-Q4_0", "pocket-v0"]
    assert listed["a-Q4_0"].projector_path == home.models / "mmproj-a-f16.gguf"
    assert [broken.id for broken in catalog.broken()] == ["broken"]
    with pytest.raises(ModelUnusable, match="projector"):
        catalog.find("mmproj-a-f16")


def test_a_projector_that_is_finished_later_is_found(home: Home) -> None:
    whole = projector()
    filled(home.models, ["a.gguf"], {"mmproj-a.gguf": whole[:-40]})
    catalog = Catalog(home)
    assert catalog.find("a").projector_path is None
    (home.models / "mmproj-a.gguf").write_bytes(whole)
    assert catalog.find("a").projector_path is not None
    (home.models / "mmproj-a.gguf").unlink()
    assert catalog.find("a").projector_path is None


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_beside_a_model_is_not_opened(home: Home) -> None:
    os.mkfifo(home.models / "mmproj-a.gguf")
    filled(home.models, ["a.gguf"], {})
    assert Catalog(home).find("a").projector_path is None
    assert read_projector(home.models) is None


def test_importing_a_model_brings_its_projector_and_removing_it_takes_both(home: Home, folder: Path) -> None:
    filled(folder, ["a-Q4_0.gguf"], {"mmproj-F16.gguf": projector()})
    told: list[tuple[int, int]] = []
    catalog = Catalog(home)
    one = catalog.import_file(folder / "a-Q4_0.gguf", name="one", progress=lambda done, of: told.append((done, of)))
    two = catalog.import_file(folder / "a-Q4_0.gguf", name="two")
    assert [model.projector_path and model.projector_path.name for model in (one, two)] == [
        "mmproj-one.gguf", "mmproj-two.gguf",
    ]  # fmt: skip
    assert told[-1][0] == told[-1][1] == sum(file.stat().st_size for file in folder.iterdir())
    catalog.remove("one")
    assert sorted(file.name for file in home.models.iterdir()) == ["mmproj-two.gguf", "two.gguf"]


def test_an_engine_is_started_with_the_projector(home: Home) -> None:
    filled(home.models, ["a.gguf"], {"mmproj-a.gguf": projector()})
    shelf = Shelf(Catalog(home), load(environ={"PADDOCK_HOME": str(home.root)}))
    flags = shelf.plan_for("a").flags
    argv = flags.to_argv()
    assert argv[argv.index("--mmproj") + 1] == str(home.models / "mmproj-a.gguf")
    assert EngineFlags.from_argv(argv) == flags
    assert "--mmproj" not in shelf.plan_for("pocket-v0").flags.to_argv()

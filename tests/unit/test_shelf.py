"""Tests which model a request's name means, and with which flags that model is loaded."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from paddock.config import load
from paddock.errors import ModelUnknown, ModelUnusable
from paddock.models.catalog import Catalog
from paddock.paths import Home
from paddock.serving.shelf import Shelf
from tests.fakes.gguf_files import MODEL, gguf

pytestmark = pytest.mark.anyio

EMBEDDER = {**MODEL, "general.architecture": "bert", "bert.context_length": 512, "bert.pooling_type": 1}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(root=tmp_path / "home")
    made.ensure()
    return made


@pytest.fixture
def shelf_of(home: Home) -> Callable[..., Shelf]:
    def built(**flags: Any) -> Shelf:
        return Shelf(Catalog(home), load(flags, {"PADDOCK_HOME": str(home.root)}))

    return built


def put(home: Home, name: str, **values: Any) -> Path:
    """A model in the data home, with a time of change that no earlier one has."""
    path = home.models / f"{name}.gguf"
    path.write_bytes(gguf({**MODEL, **values}))
    touch(home)
    return path


def touch(home: Home) -> None:
    state = os.stat(home.models)
    os.utime(home.models, ns=(state.st_atime_ns, state.st_mtime_ns + 10**9))


async def ids(shelf: Shelf) -> list[str]:
    return [model.id for model in await shelf.models()]


@pytest.mark.parametrize("name", [None, "", "pocket-v0"])
async def test_a_request_that_names_no_model_gets_the_default(shelf_of: Callable[..., Shelf], name: str | None) -> None:
    shelf = shelf_of()
    assert (await shelf.find(name)) is shelf.default
    assert shelf.default.id == "pocket-v0"


async def test_an_unknown_name_is_told_with_what_exists(home: Home, shelf_of: Callable[..., Shelf]) -> None:
    put(home, "tiny")
    with pytest.raises(ModelUnknown) as caught:
        await shelf_of().find("tinny")
    assert set(caught.value.known) == {"pocket-v0", "tiny"}
    assert caught.value.nearest == "tiny"


async def test_a_model_that_arrives_is_found_at_once_and_one_that_goes_is_not(
    home: Home, shelf_of: Callable[..., Shelf]
) -> None:
    shelf = shelf_of()
    with pytest.raises(ModelUnknown):
        await shelf.find("tiny")
    path = put(home, "tiny")
    assert (await shelf.find("tiny")).id == "tiny"
    assert await ids(shelf) == ["pocket-v0", "tiny"]
    path.unlink()
    touch(home)
    with pytest.raises(ModelUnknown):
        await shelf.find("tiny")


async def test_a_name_that_was_found_is_not_looked_up_again(home: Home, shelf_of: Callable[..., Shelf]) -> None:
    put(home, "tiny")
    shelf = shelf_of()
    assert await shelf.find("tiny") is await shelf.find("tiny")


async def test_a_file_that_cannot_be_loaded_is_told_as_such(home: Home, shelf_of: Callable[..., Shelf]) -> None:
    put(home, "tiny").write_bytes(b"GGUF")
    shelf = shelf_of()
    with pytest.raises(ModelUnusable):
        await shelf.find("tiny")
    assert await ids(shelf) == ["pocket-v0"]


async def test_the_default_may_be_a_file_and_comes_first(
    tmp_path: Path, home: Home, shelf_of: Callable[..., Shelf]
) -> None:
    file = tmp_path / "mine.gguf"
    file.write_bytes(gguf(MODEL))
    put(home, "tiny")
    shelf = shelf_of(model=str(file))
    assert (shelf.default.id, shelf.default.path) == ("mine", file)
    assert await shelf.find(None) is shelf.default
    assert await shelf.find("mine") is shelf.default
    assert await ids(shelf) == ["mine", "pocket-v0", "tiny"]
    with pytest.raises(ModelUnknown) as caught:
        await shelf.find("nowhere")
    assert set(caught.value.known) == {"mine", "pocket-v0", "tiny"}


def test_a_default_that_does_not_exist_is_told_before_anything_is_served(shelf_of: Callable[..., Shelf]) -> None:
    with pytest.raises(ModelUnknown):
        shelf_of(model="nowhere")
    with pytest.raises(ModelUnusable):
        shelf_of(model="./nowhere.gguf")


@pytest.mark.parametrize(
    ("trained", "wanted", "context_tokens"),
    [(2048, 0, 2048), (2048, 1000, 1000), (2048, 9999, 2048), (10**6, 0, 16384), (10**6, 30000, 30000)],
)
async def test_the_context_is_what_was_asked_for_within_what_was_trained(
    home: Home, shelf_of: Callable[..., Shelf], trained: int, wanted: int, context_tokens: int
) -> None:
    put(home, "tiny", **{"llama.context_length": trained})
    shelf = shelf_of(context_tokens=wanted)
    assert shelf.context_tokens(await shelf.find("tiny")) == context_tokens


async def test_the_flags_share_out_one_context_for_each_slot(home: Home, shelf_of: Callable[..., Shelf]) -> None:
    path = put(home, "tiny")
    flags = shelf_of(slots=3, context_tokens=1000, batch_tokens=64, threads=5).plan_for("tiny").flags
    assert (flags.model_path, flags.alias) == (str(path), "tiny")
    assert (flags.context_tokens, flags.slots) == (3000, 3)
    assert (flags.batch_tokens, flags.ubatch_tokens) == (64, 64)
    assert (flags.threads, flags.embeddings) == (5, False)


def test_a_batch_is_never_larger_than_the_context(shelf_of: Callable[..., Shelf]) -> None:
    flags = shelf_of(context_tokens=32, batch_tokens=128).plan_for("pocket-v0").flags
    assert (flags.batch_tokens, flags.ubatch_tokens) == (32, 32)


async def test_an_embedding_model_reads_its_whole_input_in_one_batch(
    home: Home, shelf_of: Callable[..., Shelf]
) -> None:
    put(home, "embedder", **EMBEDDER)
    shelf = shelf_of(batch_tokens=64)
    assert (await shelf.find("embedder")).task == "embedding"
    flags = shelf.plan_for("embedder").flags
    assert flags.embeddings is True
    assert (flags.batch_tokens, flags.ubatch_tokens) == (512, 512)


def test_a_plan_for_a_model_that_is_gone_is_refused(shelf_of: Callable[..., Shelf]) -> None:
    with pytest.raises(ModelUnknown):
        shelf_of().plan_for("nowhere")


async def test_what_is_set_for_a_model_decides_how_it_alone_is_loaded(
    shelf_of: Callable[..., Shelf], home: Home
) -> None:
    put(home, "other")
    shelf = shelf_of(slots=2)
    before = shelf.plan_for("other").flags
    shelf.saved.update(
        "pocket-v0",
        {"context_tokens": 512, "slots": 3, "threads": 5, "batch_tokens": 64, "kv_type": "q8_0", "rope_freq_base": 1e4}
        | {"flash_attention": "on", "draft_model": "other", "chat_template": "{{ messages }}"},
    )
    flags = shelf.plan_for("pocket-v0").flags
    assert (flags.context_tokens, flags.slots, flags.threads, flags.batch_tokens) == (1536, 3, 5, 64)
    assert (flags.kv_type_k, flags.kv_type_v, flags.flash_attention, flags.rope_freq_base) == (
        "q8_0",
        "q8_0",
        "on",
        1e4,
    )
    assert (flags.draft_path, flags.speculation) == (str(home.models / "other.gguf"), "draft-simple")
    assert flags.template_path == str(shelf.saved.template_path(shelf.saved.get("pocket-v0")))
    assert shelf.context_tokens(shelf.default) == 512
    assert shelf.plan_for("other").flags == before
    shelf.saved.update("pocket-v0", {"draft_model": "gone"})
    with pytest.raises(ModelUnknown):
        shelf.plan_for("pocket-v0")


def test_what_an_engine_holds_is_remembered_of_the_file_that_it_loaded(
    home: Home, shelf_of: Callable[..., Shelf]
) -> None:
    path = put(home, "tiny")
    loaded = path.read_bytes()
    state = os.stat(path)
    shelf = shelf_of()
    planned = shelf.plan_for("tiny")
    path.unlink()
    shelf.observe(planned, os.getpid())
    path.write_bytes(gguf({**MODEL, "general.name": "Another"}))
    assert shelf.plan_for("tiny").memory_bytes == planned.memory_bytes
    path.write_bytes(loaded)
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    seen_bytes = shelf.plan_for("tiny").memory_bytes
    assert seen_bytes == json.loads(home.measured.read_text("utf-8"))[planned.remembered_as]
    assert seen_bytes != planned.memory_bytes

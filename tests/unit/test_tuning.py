"""Tests which adapters a request's name means, which adapters fit a model, and what its engine is told of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from paddock.config import load
from paddock.errors import AdapterUnknown, BadRequest, ModelUnknown, ModelUnusable
from paddock.models.adapters import Adapter, AdapterFacts, misfit, read_adapter, within
from paddock.models.catalog import Catalog, Model
from paddock.models.gguf import read_header
from paddock.models.measured import Measured, key_of
from paddock.paths import Home
from paddock.serving.prepare import prepare
from paddock.serving.shelf import Shelf
from paddock.serving.tuning import tuned
from tests.fakes.adapter_files import POCKET, TINY, adapter, pairs
from tests.fakes.gguf_files import Tensor, gguf
from tests.unit.test_shelf import put, touch

pytestmark = pytest.mark.anyio


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


def lay(home: Home, name: str, **how: Any) -> Path:
    """An adapter of zeros in the data home."""
    path = home.models / f"{name}.gguf"
    path.write_bytes(adapter(**how))
    touch(home)
    return path


def scales(model: Model) -> dict[str, float]:
    return {one.id: one.scale for one in model.adapters}


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("pocket-v0+formal", {"formal": 1.0}),
        ("pocket-v0+FORMAL", {"formal": 1.0}),
        ("pocket-v0+formal:0.5", {"formal": 0.5}),
        ("pocket-v0+formal:-10+brief:0", {"formal": -10.0, "brief": 0.0}),
        ("pocket-v0+brief+formal:2", {"brief": 1.0, "formal": 2.0}),
    ],
)
async def test_a_name_lays_adapters_over_its_model(
    home: Home, shelf_of: Callable[..., Shelf], name: str, wanted: dict[str, float]
) -> None:
    lay(home, "formal")
    lay(home, "brief")
    found = await shelf_of().find(name)
    assert (found.id, scales(found)) == ("pocket-v0", wanted)


async def test_a_tuned_name_is_told_as_it_was_asked_for(home: Home, shelf_of: Callable[..., Shelf]) -> None:
    lay(home, "formal")
    lay(home, "brief")
    found = await shelf_of().find("pocket-v0+formal+brief:0.25")
    assert found.tuned_id == "pocket-v0+formal+brief:0.25"


@pytest.mark.parametrize(
    ("name", "kind", "told"),
    [
        ("pocket-v0+frmal", AdapterUnknown, "no adapter 'frmal'. Adapters that fit 'pocket-v0': 'formal'"),
        ("pocket-v0+frmal:0.5", AdapterUnknown, "no adapter 'frmal'"),
        ("pocket-v0+", BadRequest, "no adapter after it"),
        ("pocket-v0+:2", BadRequest, "no adapter after it"),
        ("pocket-v0+formal+", BadRequest, "no adapter after it"),
        ("pocket-v0+formal:much", BadRequest, "scale 'much' of the adapter 'formal'"),
        ("pocket-v0+formal:10.5", BadRequest, "from -10 to 10"),
        ("pocket-v0+formal:nan", BadRequest, "scale 'nan'"),
        ("pocket-v0+formal:inf", BadRequest, "scale 'inf'"),
        ("pocket-v0+formal+formal:2", BadRequest, "'formal' twice"),
        ("pocket-v0+other", ModelUnusable, "'other' does not fit 'pocket-v0': it was made for the architecture gemma3"),
        ("pocket-v0+wide", ModelUnusable, "as 512 by 256 numbers, and the model has 256 by 256"),
        ("nowhere+formal", ModelUnknown, "no model 'nowhere+formal'"),
        ("+formal", ModelUnknown, "no model '+formal'"),
        ("formal", ModelUnusable, "is an adapter, which is laid over a model"),
    ],
)
async def test_a_name_that_means_nothing_is_refused_by_what_is_wrong_with_it(
    home: Home, shelf_of: Callable[..., Shelf], name: str, kind: type[Exception], told: str
) -> None:
    lay(home, "formal")
    lay(home, "other", architecture="gemma3")
    lay(home, "wide", matrices={"blk.0.attn_q.weight": (512, 256)})
    with pytest.raises(kind) as caught:
        await shelf_of().find(name)
    assert type(caught.value) is kind
    assert told in str(caught.value)


async def test_a_model_with_a_plus_in_its_id_is_itself_and_can_be_tuned(
    home: Home, shelf_of: Callable[..., Shelf]
) -> None:
    put(home, "c++")
    put(home, "c")
    lay(home, "formal", matrices=TINY, architecture="llama")
    shelf = shelf_of()
    for _ in range(2):
        assert (await shelf.find("c++")).id == "c++"
    assert scales(await shelf.find("c+++formal")) == {"formal": 1.0}
    assert (await shelf.find("c+++formal")).id == "c++"


async def test_an_alias_can_be_tuned(home: Home, shelf_of: Callable[..., Shelf]) -> None:
    lay(home, "formal")
    home.aliases.write_text('{"claude-*": "pocket-v0"}')
    assert scales(await shelf_of().find("claude-x+formal")) == {"formal": 1.0}
    with pytest.raises(AdapterUnknown):
        await shelf_of().find("claude-x+frmal")


async def test_an_adapter_that_arrives_is_found_at_once_and_one_that_goes_is_not(
    home: Home, shelf_of: Callable[..., Shelf]
) -> None:
    shelf = shelf_of()
    with pytest.raises(AdapterUnknown):
        await shelf.find("pocket-v0+formal")
    path = lay(home, "formal")
    assert scales(await shelf.find("pocket-v0+formal")) == {"formal": 1.0}
    path.unlink()
    touch(home)
    with pytest.raises(AdapterUnknown):
        await shelf.find("pocket-v0+formal")


async def test_adapters_are_listed_apart_with_the_models_that_they_fit(
    home: Home, shelf_of: Callable[..., Shelf]
) -> None:
    put(home, "tiny")
    lay(home, "a+b")
    lay(home, "small", matrices=TINY, architecture="llama")
    lay(home, "lost", architecture="gemma3")
    shelf = shelf_of()
    models = await shelf.models()
    assert [model.id for model in models] == ["pocket-v0", "tiny"]
    assert [model.tuned_id for model in await shelf.tuned_models(models)] == ["pocket-v0+a_b", "tiny+small"]
    assert Catalog(home).broken() == []


def test_a_model_is_loaded_with_what_fits_it_and_its_memory_counts(home: Home, shelf_of: Callable[..., Shelf]) -> None:
    shelf = shelf_of()
    before = shelf.plan_for("pocket-v0")
    paths = [lay(home, "a, b"), lay(home, "formal", matrices=dict(list(POCKET.items())[:3]))]
    lay(home, "lost", architecture="gemma3")
    after = shelf.plan_for("pocket-v0")
    assert (before.flags.lora_paths, before.flags.lora_init_without_apply) == ((), False)
    assert set(after.flags.lora_paths) == {str(path) for path in paths}
    assert after.flags.lora_init_without_apply is True
    # An engine with adapters keeps no prompts that left their slot: 256 MiB less.
    assert after.memory_bytes == before.memory_bytes - 2**28 + sum(path.stat().st_size for path in paths)
    assert type(after.flags).from_argv(after.flags.to_argv()) == after.flags


def test_what_a_tuned_engine_was_seen_to_hold_is_what_it_is_planned_with(
    home: Home, shelf_of: Callable[..., Shelf]
) -> None:
    lay(home, "formal")
    shelf = shelf_of(memory_budget_bytes=2**32)
    tuned_plan = shelf.plan_for("pocket-v0")
    files = read_header(Path(tuned_plan.flags.model_path)).files
    key = key_of(files, tuned_plan.flags.to_argv())
    Measured(home).put(key, 2**30)
    assert shelf.plan_for("pocket-v0").memory_bytes == 2**30
    # More than there is room for: the model is loaded all the same, alone.
    Measured(home).put(key, 2**33)
    alone = shelf.plan_for("pocket-v0")
    assert alone.flags.lora_paths == ()
    assert alone.memory_bytes < 2**32


def test_adapters_that_memory_has_no_room_for_stay_out_and_the_model_is_loaded() -> None:
    def one(name: str, size_bytes: int) -> Adapter:
        facts = AdapterFacts(size_bytes=size_bytes, architecture="llama", matrices=())
        return Adapter(id=name, path=Path(name), origin="imported", facts=facts)

    adapters = [one("large", 100), one("small", 1), one("middle", 10)]
    assert [chosen.id for chosen in within(adapters, 11)] == ["small", "middle"]
    assert within(adapters, 0) == ()
    assert within(adapters, -5) == ()
    assert len(within(adapters, 111)) == 3


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (adapter(more={"adapter.type": "dora"}), "of another kind than LoRA"),
        (adapter(without=("general.architecture",)), "does not name its architecture"),
        (adapter(more={"adapter.alora.invocation_tokens": [1, 2]}), "activated LoRA"),
        (gguf({"general.type": "adapter", "general.architecture": "x", "adapter.type": "lora"}, []), "no pair"),
    ],
)
def test_an_adapter_that_no_engine_could_use_is_named(tmp_path: Path, data: bytes, told: str) -> None:
    path = tmp_path / "bad.gguf"
    path.write_bytes(data)
    with pytest.raises(ModelUnusable, match=told):
        read_adapter(path)


@pytest.mark.parametrize(
    ("tensors", "told"),
    [
        (pairs({"m.weight": (8, 8)})[:1], "half of what it has for m.weight is missing"),
        ([*pairs({"m.weight": (8, 8)}), Tensor("m.weight", (8, 8))], "it has a tensor 'm.weight'"),
        ([Tensor("m.weight.lora_a", (8, 4)), Tensor("m.weight.lora_b", (5, 8))], "do not fit each other"),
    ],
)
def test_an_adapter_with_tensors_that_make_no_pairs_is_named(tmp_path: Path, tensors: list[Tensor], told: str) -> None:
    about = {"general.type": "adapter", "general.architecture": "llama", "adapter.type": "lora"}
    path = tmp_path / "bad.gguf"
    path.write_bytes(gguf(about, tensors))
    with pytest.raises(ModelUnusable, match=told):
        read_adapter(path)


def test_a_model_and_a_damaged_file_are_no_adapters(tmp_path: Path) -> None:
    (tmp_path / "model.gguf").write_bytes(gguf())
    (tmp_path / "cut.gguf").write_bytes(adapter()[:-9000])
    assert read_adapter(tmp_path / "model.gguf") is None
    assert read_adapter(tmp_path / "cut.gguf") is None


def test_the_table_of_tokens_is_compared_the_other_way_round(tmp_path: Path) -> None:
    (tmp_path / "model.gguf").write_bytes(gguf())
    (tmp_path / "a.gguf").write_bytes(adapter(TINY, architecture="llama"))
    facts = read_adapter(tmp_path / "a.gguf")
    assert facts is not None
    assert facts.matrices == ("token_embd.weight 64 3",)
    one = Adapter(id="a", path=tmp_path / "a.gguf", origin="file", facts=facts)
    header = read_header(tmp_path / "model.gguf")
    assert misfit(one, header) is None
    assert "which the model does not have" in str(misfit(one, replace(header, shapes={})))


def test_an_engine_with_adapters_is_told_the_scale_of_each() -> None:
    plain = prepare("/v1/completions", {"prompt": "x", "lora": [{"id": 0, "scale": 9}]})
    assert tuned(plain, {}, ()) is plain
    told = tuned(plain, {"/b": 0.5}, ("/a", "/b")).body["lora"]
    assert told == [{"id": 0, "scale": 0.0}, {"id": 1, "scale": 0.5}]

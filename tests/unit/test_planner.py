"""What the planner makes of models and machines: what goes where, what gives way, what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paddock.errors import ModelUnusable, size
from paddock.hardware import Accelerator, Memory
from paddock.models.explaining import explain
from paddock.models.fit import ENGINE_BYTES, Load, estimate
from paddock.models.gguf import GgufHeader, read_header
from paddock.models.measured import MOST_ENTRIES, Measured, key_of
from paddock.models.planner import (
    DEVICE_RESERVE_BYTES,
    LEAST_CONTEXT_TOKENS,
    RESERVE_BYTES,
    Plan,
    Wish,
    plan,
)
from paddock.paths import Home
from tests.fakes.gguf_files import Tensor, gguf

MIB = 2**20
LAYERS = 8
# Keys and values of a token: 8 heads of 64, 2 bytes each, for key and value, in every layer.
TOKEN = 8 * 64 * 2 * 2 * LAYERS


@pytest.fixture(scope="module")
def header(tmp_path_factory: pytest.TempPathFactory) -> GgufHeader:
    """Eight layers of 4 MiB, a matrix of 2 MiB behind them, and a table of tokens of 2 MiB."""
    path = tmp_path_factory.mktemp("m") / "m.gguf"
    tensors = [Tensor(f"blk.{place}.ffn_up.weight", (512, 2048)) for place in range(LAYERS)]
    tensors += [Tensor("token_embd.weight", (512, 1024)), Tensor("output.weight", (512, 1024))]
    path.write_bytes(
        gguf(
            {
                "general.architecture": "llama",
                "llama.context_length": 131072,
                "llama.block_count": LAYERS,
                "llama.embedding_length": 512,
                "llama.feed_forward_length": 1024,
                "llama.attention.head_count": 8,
            },
            tensors,
        )
    )
    return read_header(path)


def memory(free_mib: float) -> Memory:
    """Main memory of which so much may be used: the reserve comes on top."""
    free = int(free_mib * MIB) + RESERVE_BYTES
    return Memory(total_bytes=max(64 * 2**30, free), available_bytes=free, limit_bytes=None)


def card(free_mib: float, name: str = "card", *, is_shared: bool = False) -> Accelerator:
    """A GPU of which so much may be used: the reserve comes on top."""
    free = int(free_mib * MIB) + DEVICE_RESERVE_BYTES
    return Accelerator(api="cuda", index=0, name=name, total_bytes=free, free_bytes=free, is_shared=is_shared)


def total(header: GgufHeader, context: int, slots: int = 2) -> int:
    return estimate(header, Load(context_tokens=context, slots=slots, batch_tokens=512)).total_bytes


def test_with_room_everything_is_as_wished(header: GgufHeader) -> None:
    found = plan(header, Wish(), memory=memory(100_000))
    assert (found.load.context_tokens, found.load.slots, found.load.key_type) == (16384, 2, "f16")
    assert (found.verdict, found.changes, found.shares) == ("fits", (), ())
    assert found.needed_bytes == total(header, 16384) == found.memory.total_bytes
    assert explain(found)[-1] == "It fits."


def test_a_context_that_nobody_fixed_is_halved_until_it_fits_and_that_is_told(header: GgufHeader) -> None:
    room = memory(total(header, 4096) / MIB + 1)
    found = plan(header, Wish(), memory=room)
    assert found.load.context_tokens == 4096
    assert found.changes == ("The context of each slot was reduced from 16384 to 4096 tokens.",)
    assert found.changes[0] in explain(found)


def test_a_context_that_somebody_fixed_stays_or_is_refused_with_what_would_fit(header: GgufHeader) -> None:
    room = memory(total(header, 4096) / MIB + 1)
    found = plan(header, Wish(context_tokens=16384, slots=2), memory=room)
    assert (found.verdict, found.load.context_tokens) == ("does not fit", 16384)
    assert found.fitting_context_tokens is not None
    assert total(header, found.fitting_context_tokens) <= found.free_bytes
    assert total(header, found.fitting_context_tokens + 256) > found.free_bytes
    assert f"with a context of {found.fitting_context_tokens} tokens it would" in explain(found)[-1]


def test_where_no_context_fits_the_refusal_says_so(header: GgufHeader) -> None:
    found = plan(header, Wish(), memory=memory(20))
    assert (found.verdict, found.fitting_context_tokens) == ("does not fit", None)
    assert found.load.context_tokens == 16384
    assert "any context" in explain(found)[-1]


def test_what_gives_way_after_the_context_is_the_kv_and_then_a_slot(header: GgufHeader) -> None:
    # of 2048 tokens in f16 for two slots, half a MiB is missing
    room = memory(total(header, LEAST_CONTEXT_TOKENS) / MIB - 0.5)
    both = plan(header, Wish(kv_types=("f16", "q8_0")), memory=room)
    assert (both.load.context_tokens, both.load.key_type, both.load.slots) == (LEAST_CONTEXT_TOKENS, "q8_0", 2)
    assert "Keys and values are kept as q8_0 rather than f16." in both.changes
    fixed = plan(header, Wish(), memory=room)
    assert (fixed.load.key_type, fixed.load.slots) == ("f16", 1)
    assert "There is one slot rather than 2." in fixed.changes
    assert plan(header, Wish(slots=2), memory=room).verdict == "does not fit"


def test_copies_of_state_give_way_before_the_context_does(tmp_path: Path) -> None:
    path = tmp_path / "r.gguf"
    keys = {"general.architecture": "rwkv6", "rwkv6.block_count": 4, "rwkv6.embedding_length": 512,
            "rwkv6.wkv.head_size": 64}  # fmt: skip
    path.write_bytes(gguf(keys, [Tensor("output_norm.weight", (64,))]))
    recurrent = read_header(path)
    # one copy of two slots: (2 rows of 512 and 512 × 64) × 4 bytes × 4 layers × 2 slots, a little over 1 MiB
    state = (2 * 512 + 512 * 64) * 4 * 4 * 2
    roomy = plan(recurrent, Wish(), memory=memory(5000))
    assert (roomy.load.checkpoints, roomy.memory.checkpoint_bytes) == (32, 32 * state)
    room = memory((roomy.memory.total_bytes - 24 * state) / MIB + 0.5)
    found = plan(recurrent, Wish(), memory=room)
    assert (found.load.checkpoints, found.load.context_tokens) == (8, 16384)
    assert found.changes == ("Of each slot's state 8 copies are kept rather than 32.",)
    assert plan(recurrent, Wish(checkpoints=32), memory=room).verdict == "does not fit"
    assert "for 8 copies of each slot's state" in explain(found)[0]


def test_a_slot_gets_no_more_than_the_model_was_trained_for(header: GgufHeader) -> None:
    found = plan(header, Wish(context_tokens=200_000), memory=memory(100_000))
    assert found.load.context_tokens == 131072
    assert found.changes == ("The model was trained for 131072 tokens, so no slot gets 200000.",)
    refused = plan(header, Wish(context_tokens=200_000), memory=memory(100))
    assert refused.changes == found.changes


def test_a_plan_that_nearly_fills_what_is_free_is_tight(header: GgufHeader) -> None:
    need = total(header, 4096) / MIB
    wish = Wish(context_tokens=4096)
    assert plan(header, wish, memory=memory(need / 0.84)).verdict == "fits"
    assert plan(header, wish, memory=memory(need / 0.9)).verdict == "tight"
    assert plan(header, wish, memory=memory(need + 0.01)).verdict == "tight"
    assert "tightly" in explain(plan(header, wish, memory=memory(need / 0.9)))[-1]


def test_a_small_container_keeps_a_tenth_rather_than_the_whole_reserve(header: GgufHeader) -> None:
    room = Memory(total_bytes=2**36, available_bytes=1000 * MIB, limit_bytes=1000 * MIB)
    assert plan(header, Wish(context_tokens=2048), memory=room).free_bytes == 900 * MIB


def test_a_measured_need_takes_the_place_of_the_estimate(header: GgufHeader) -> None:
    found = plan(header, Wish(), memory=memory(5000), measured=lambda load: 7 * MIB + load.context_tokens)
    assert (found.needed_bytes, found.is_measured, found.verdict) == (7 * MIB + 16384, True, "fits")
    assert any("was measured to need" in sentence for sentence in explain(found))


def per_layer(context: int, slots: int = 2) -> int:
    return 4 * MIB + context * slots * TOKEN // LAYERS


def test_a_card_with_room_takes_every_layer_and_what_is_behind_them(header: GgufHeader) -> None:
    found = plan(header, Wish(context_tokens=4096), memory=memory(5000), accelerators=[card(5000)])
    assert (found.gpu_layers, found.layers, found.tensor_split) == (LAYERS + 1, LAYERS + 1, ())
    compute = found.memory.compute_bytes
    assert found.shares[0].needed_bytes == LAYERS * per_layer(4096) + 2 * MIB + compute
    # the table of tokens, the engine and its working memory stay in main memory, and the file's own head
    assert found.needed_bytes == found.memory.total_bytes - LAYERS * per_layer(4096) - 2 * MIB
    assert found.needed_bytes - 2 * MIB - ENGINE_BYTES - compute < 10_000
    assert "9 of 9 layers go to card" in explain(found)[1]


def test_a_card_that_is_too_small_takes_the_last_layers(header: GgufHeader) -> None:
    compute = estimate(header, Load(context_tokens=4096, slots=2, batch_tokens=512)).compute_bytes
    room = (3 * per_layer(4096) + 2 * MIB + compute) / MIB + 1
    found = plan(header, Wish(context_tokens=4096), memory=memory(5000), accelerators=[card(room)])
    assert found.gpu_layers == 4
    assert any("The processor computes the other 5" in sentence for sentence in explain(found))


def test_a_card_is_used_for_a_model_that_main_memory_cannot_hold(header: GgufHeader) -> None:
    alone = plan(header, Wish(context_tokens=16384), memory=memory(200))
    assert alone.verdict == "does not fit"
    helped = plan(header, Wish(context_tokens=16384), memory=memory(200), accelerators=[card(5000)])
    assert helped.verdict == "fits"


def test_several_cards_share_the_layers_and_the_third_is_used(header: GgufHeader) -> None:
    compute = estimate(header, Load(context_tokens=4096, slots=2, batch_tokens=512)).compute_bytes
    room = (3 * per_layer(4096) + compute) / MIB + 0.5
    cards = [card(room, "a"), card(room, "b"), card(room, "c")]
    found = plan(header, Wish(context_tokens=4096), memory=memory(5000), accelerators=cards)
    assert found.tensor_split == (3, 3, 3)
    assert found.gpu_layers == LAYERS + 1
    assert [share.accelerator.name for share in found.shares] == ["a", "b", "c"]


def test_a_model_that_one_card_holds_is_not_split_and_the_emptiest_card_has_it(header: GgufHeader) -> None:
    cards = [card(600, "full"), card(5000, "empty")]
    found = plan(header, Wish(context_tokens=2048), memory=memory(5000), accelerators=cards)
    assert [share.accelerator.name for share in found.shares] == ["empty"]


def test_a_gpu_that_shares_main_memory_adds_none(header: GgufHeader) -> None:
    shared = card(50_000, "part of the processor", is_shared=True)
    wish = Wish(context_tokens=16384, slots=2)
    assert plan(header, wish, memory=memory(200), accelerators=[shared]).verdict == "does not fit"
    found = plan(header, wish, memory=memory(5000), accelerators=[shared])
    assert found.gpu_layers == LAYERS + 1
    assert found.needed_bytes > found.shares[0].needed_bytes


def test_layers_that_somebody_fixed_are_told_as_wished(header: GgufHeader) -> None:
    few = plan(header, Wish(context_tokens=4096, gpu_layers=2), memory=memory(5000), accelerators=[card(5000)])
    assert (few.gpu_layers, few.verdict) == (2, "fits")
    many = plan(header, Wish(context_tokens=4096, gpu_layers=99), memory=memory(5000), accelerators=[card(40)])
    assert (many.gpu_layers, many.verdict) == (LAYERS + 1, "does not fit")
    none = plan(header, Wish(gpu_layers=5), memory=memory(5000), accelerators=[])
    assert "No GPU can be used here: every layer stays with the processor." in none.changes


def test_a_gpu_whose_memory_nobody_tells_is_given_nothing(header: GgufHeader) -> None:
    unknown = Accelerator(api="vulkan", index=0, name="some card")
    assert plan(header, Wish(), memory=memory(5000), accelerators=[unknown]).shares == ()


def test_a_projector_goes_to_the_card_where_there_is_room_and_else_stays(header: GgufHeader) -> None:
    wish = Wish(context_tokens=4096, gpu_layers=LAYERS + 1, projector_bytes=800 * MIB)
    roomy = plan(header, wish, memory=memory(5000), accelerators=[card(5000)])
    assert roomy.is_projector_on_gpu
    assert roomy.shares[0].needed_bytes > 800 * MIB
    small = plan(header, wish, memory=memory(5000), accelerators=[card(500)])
    assert (small.is_projector_on_gpu, small.gpu_layers, small.verdict) == (False, LAYERS + 1, "fits")
    assert small.needed_bytes > 800 * MIB
    assert "The projector stays with the processor." in explain(small)


def test_an_embedding_model_reads_a_text_in_one_go(tmp_path: Path) -> None:
    path = tmp_path / "e.gguf"
    keys = {
        "general.architecture": "qwen3", "qwen3.context_length": 32768, "qwen3.block_count": 2,
        "qwen3.embedding_length": 512, "qwen3.attention.head_count": 8, "qwen3.pooling_type": 3,
        "tokenizer.ggml.tokens": ["a"] * 10_000,
    }  # fmt: skip
    path.write_bytes(gguf(keys, [Tensor("output_norm.weight", (64,))]))
    # its working memory grows with the context: 10,000 numbers of 4 bytes for each token of it
    found = plan(read_header(path), Wish(), memory=memory(400))
    assert found.load.batch_tokens == found.load.context_tokens == 4096


def test_a_kind_of_kv_that_does_not_suit_the_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    keys = {"general.architecture": "llama", "llama.block_count": 1, "llama.embedding_length": 80,
            "llama.attention.head_count": 1}  # fmt: skip
    path.write_bytes(gguf(keys, [Tensor("output_norm.weight", (64,))]))
    with pytest.raises(ModelUnusable, match="Choose f16"):
        plan(read_header(path), Wish(kv_types=("q4_0",)), memory=memory(5000))


@given(
    free=st.floats(0, 3000),
    cards=st.lists(st.floats(0, 600), max_size=3),
    context=st.one_of(st.none(), st.integers(256, 131072)),
    slots=st.one_of(st.none(), st.integers(1, 4)),
)
def test_a_plan_is_never_over_what_is_free_and_keeps_what_is_fixed(
    header: GgufHeader, free: float, cards: list[float], context: int | None, slots: int | None
) -> None:
    wish = Wish(context_tokens=context, slots=slots)
    found = plan(header, wish, memory=memory(free), accelerators=[card(room) for room in cards])
    assert context in (None, found.load.context_tokens)
    assert slots in (None, found.load.slots)
    if found.verdict != "does not fit":
        assert found.needed_bytes <= found.free_bytes
        assert all(share.needed_bytes <= share.free_bytes for share in found.shares)
    more = plan(header, wish, memory=memory(free + 500), accelerators=[card(room) for room in cards])
    assert _rank(more) >= _rank(found)


def _rank(found: Plan) -> tuple[bool, int, int]:
    return found.verdict != "does not fit", found.load.context_tokens, found.load.slots


def test_a_measured_peak_is_remembered_and_only_grows(tmp_path: Path) -> None:
    memory_of = Measured(Home(root=tmp_path))
    assert memory_of.get("a") is None
    memory_of.put("a", 100)
    memory_of.put("a", 50)
    memory_of.put("b", 7)
    again = Measured(Home(root=tmp_path))
    assert (again.get("a"), again.get("b")) == (100, 7)
    (tmp_path / "measured.json").write_text(json.dumps({"a": 9} | {f"n{number}": 1 for number in range(MOST_ENTRIES)}))
    again.put("b", 7)
    assert (again.get("a"), again.get("n0"), again.get("n1"), again.get("b")) == (None, None, 1, 7)
    assert [path.name for path in tmp_path.iterdir()] == ["measured.json"]


@pytest.mark.parametrize("text", ["", "[1]", '{"a": -1, "b": true, "c": "7"}', "\x00"])
def test_a_spoilt_file_of_measurements_is_as_good_as_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "measured.json").write_text(text)
    memory_of = Measured(Home(root=tmp_path))
    assert [memory_of.get(key) for key in "abc"] == [None, None, None]
    memory_of.put("a", 5)
    assert memory_of.get("a") == 5


def test_another_file_or_another_word_is_another_load(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(b"1")
    first = key_of([path], ["--ctx-size", "1"])
    assert key_of([path], ["--ctx-size", "1"]) == first
    assert key_of([path], ["--ctx-size", "2"]) != first
    path.write_bytes(b"22")
    assert key_of([path], ["--ctx-size", "1"]) != first


def test_sizes_are_written_for_people() -> None:
    assert [size(number) for number in (7, 999, 1500, 5_053_440, 48_000_000_000)] == [
        "7 bytes", "999 bytes", "1.5 kB", "5.1 MB", "48.0 GB",
    ]  # fmt: skip

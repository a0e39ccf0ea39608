"""What each family of models needs, against figures worked out by hand from llama.cpp's rules; each shows its sum."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paddock.errors import ModelUnusable
from paddock.models import architectures
from paddock.models.catalog import BUNDLED
from paddock.models.fit import ENGINE_BYTES, KV_TYPES, MERGE_BYTES, PIECE_BYTES, KvType, Load, estimate
from paddock.models.gguf import read_header
from paddock.models.layout import layout_of
from tests.fakes.gguf_files import MODEL, Tensor, Typed, gguf
from tests.fakes.headers import flags, header_of, integers, kv, needs


def test_every_head_of_plain_attention_keeps_a_key_and_a_value(tmp_path: Path) -> None:
    header = header_of(tmp_path, "llama", attention__head_count=8)
    # 8 heads of 512 / 8 numbers, key and value, 2 bytes each, in 4 layers, for 4096 tokens
    assert kv(header) == 8 * 64 * 2 * 2 * 4 * 4096


def test_few_key_heads_keep_less(tmp_path: Path) -> None:
    header = header_of(
        tmp_path, "qwen3", attention__head_count=8, attention__head_count_kv=2, attention__key_length=128
    )
    # 2 heads: keys of 128, values of 512 / 8 = 64; 2 bytes, 4 layers, 2 slots of 4096
    assert kv(header, slots=2) == 2 * (128 + 64) * 2 * 4 * 2 * 4096


def test_heads_of_each_layer_are_counted_for_that_layer(tmp_path: Path) -> None:
    header = header_of(tmp_path, "deci", attention__head_count=8, attention__head_count_kv=integers(8, 0, 2, 1))
    # 8 + 0 + 2 + 1 heads of 64
    assert kv(header) == (8 + 0 + 2 + 1) * 64 * 2 * 2 * 4096


def test_contexts_are_rounded_up_to_the_engines_256(tmp_path: Path) -> None:
    header = header_of(tmp_path, "llama", attention__head_count=8)
    assert kv(header, context=4097) == kv(header, context=4352) == 8 * 64 * 2 * 2 * 4 * 4352


@pytest.mark.parametrize(
    ("kind", "bytes_of_32"),
    [
        ("f32", 128), ("f16", 64), ("bf16", 64), ("q8_0", 34), ("q5_1", 24), ("q5_0", 22), ("q4_1", 20), ("q4_0", 18),
        ("iq4_nl", 18),
    ],
)  # fmt: skip
def test_quantised_keys_and_values_are_counted_in_blocks(tmp_path: Path, kind: KvType, bytes_of_32: int) -> None:
    header = header_of(tmp_path, "llama", attention__head_count=8)
    # 512 numbers of a layer's key are 16 blocks of 32
    assert kv(header, key_type=kind, value_type=kind) == 16 * bytes_of_32 * 2 * 4 * 4096
    # values alone: the keys stay at 512 numbers of 2 bytes
    assert kv(header, value_type=kind) == (1024 + 16 * bytes_of_32) * 4 * 4096


def test_keys_that_blocks_do_not_divide_are_refused_for_that_kind(tmp_path: Path) -> None:
    header = header_of(tmp_path, "llama", attention__head_count=1, attention__key_length=80)
    with pytest.raises(ModelUnusable, match="80 numbers, which q8_0"):
        needs(header, key_type="q8_0", value_type="q8_0")


@pytest.mark.parametrize(
    ("architecture", "layers", "keys", "full", "window"),
    [
        # every sixth of 12 sees everything
        ("gemma3", 12, {"attention__sliding_window": 512}, 2, 512),
        # every second, and 4096 where the file does not say
        ("gemma2", 12, {}, 6, 4096),
        ("gpt-oss", 12, {"attention__sliding_window": 128}, 6, 128),
        ("cohere2", 12, {"attention__sliding_window": 4096}, 3, 4096),
        # chunks of 8192 whatever the file says, three of four layers
        ("llama4", 12, {"attention__sliding_window": 4}, 3, 8192),
        ("llama4", 12, {"attention__sliding_window": 0}, 12, 0),
        # the engine takes phi3's window for none
        ("phi3", 12, {"attention__sliding_window": 2048}, 12, 0),
        ("gemma3", 12, {"attention__sliding_window": 512, "attention__sliding_window_pattern": 4}, 3, 512),
        ("gemma3", 12, {}, 12, 0),
        # a period whose first layer is the full one: places 0, 4, 8
        ("smallthinker", 12, {"attention__sliding_window": 1}, 3, 4096),
        # only models of 64 layers slide
        ("exaone4", 12, {"attention__sliding_window": 4096}, 12, 0),
    ],
)
def test_layers_that_see_a_window_keep_a_window(
    tmp_path: Path, architecture: str, layers: int, keys: dict[str, object], full: int, window: int
) -> None:
    header = header_of(tmp_path, architecture, block_count=layers, attention__head_count=8, **keys)
    # a window, and a batch that is read at once, rounded up to 256
    kept = min(32768, -(-(window + 512) // 256) * 256) if window else 0
    token = 8 * 64 * 2 * 2
    assert kv(header, context=32768) == (full * 32768 + (layers - full) * kept) * token


def test_a_pattern_in_the_file_names_the_layers_that_slide(tmp_path: Path) -> None:
    header = header_of(
        tmp_path,
        "mimo2",
        attention__head_count=8,
        attention__sliding_window=128,
        attention__sliding_window_pattern=flags(False, True, True, True),
        attention__key_length=64,
        attention__key_length_swa=32,
    )
    # one full layer with keys and values of 64; three that keep 128 + 512 → 768 tokens, their keys of 32
    assert kv(header) == 8 * 2 * ((64 + 64) * 4096 + 3 * (32 + 64) * 768)


def test_a_full_window_keeps_the_whole_context_and_shared_slots_share_it(tmp_path: Path) -> None:
    header = header_of(tmp_path, "gemma2", attention__head_count=8)
    token = 8 * 64 * 2 * 2
    assert kv(header, context=32768, has_full_window=True) == 4 * 32768 * token
    # shared: 2 × 16384 cells for two layers; for the others the windows of both slots and one batch
    assert kv(header, context=16384, slots=2, is_shared=True) == (2 * 32768 + 2 * (2 * 4096 + 512)) * token


def test_copies_to_go_back_to_hold_windows_and_state_and_nothing_else(tmp_path: Path) -> None:
    plain = header_of(tmp_path, "llama", attention__head_count=8)
    assert needs(plain, checkpoints=32).checkpoint_bytes == 0
    sliding = header_of(tmp_path, "gemma2", attention__head_count=8)
    # two of four layers slide: windows of 4096 + 512 tokens, 2 slots, 3 copies
    assert needs(sliding, context=32768, slots=2, checkpoints=3).checkpoint_bytes == 3 * 2 * 2 * 4608 * 8 * 64 * 2 * 2
    assert needs(sliding, checkpoints=3, has_full_window=True).checkpoint_bytes == 0
    recurrent = header_of(tmp_path, "rwkv6", wkv__head_size=64)
    memory = needs(recurrent, slots=2, checkpoints=3)
    assert memory.checkpoint_bytes == 3 * memory.recurrent_bytes


def test_a_tokenizer_costs_by_piece_and_by_pair(tmp_path: Path) -> None:
    more = {"tokenizer.ggml.merges": ["a b"] * 50}
    path = tmp_path / "m.gguf"
    path.write_bytes(gguf({**MODEL, **more}, [Tensor("output_norm.weight", (64,))]))
    assert needs(read_header(path)).overhead_bytes == ENGINE_BYTES + 3 * PIECE_BYTES + 50 * MERGE_BYTES


def test_compressed_keys_hold_the_values_too(tmp_path: Path) -> None:
    header = header_of(
        tmp_path,
        "deepseek2",
        attention__head_count=16,
        attention__head_count_kv=1,
        attention__kv_lora_rank=256,
        attention__key_length=256 + 32,
        attention__value_length=256,
        attention__key_length_mla=96,
        attention__value_length_mla=64,
    )
    # one vector of rank 256 and 32 that are turned by position
    assert kv(header) == (256 + 32) * 2 * 4 * 4096


def test_an_older_file_of_such_a_model_keeps_all_heads(tmp_path: Path) -> None:
    header = header_of(
        tmp_path,
        "deepseek2",
        attention__head_count=16,
        attention__kv_lora_rank=256,
        attention__key_length=96,
        attention__value_length=64,
    )
    assert kv(header) == 16 * (96 + 64) * 2 * 4 * 4096


def test_a_sparse_index_is_kept_beside_the_keys(tmp_path: Path) -> None:
    header = header_of(
        tmp_path,
        "deepseek32",
        attention__head_count=16,
        attention__head_count_kv=1,
        attention__key_length=288,
        attention__value_length=256,
        attention__key_length_mla=96,
        attention__value_length_mla=64,
        attention__indexer__key_length=128,
    )
    assert kv(header) == (288 + 128) * 2 * 4 * 4096


def test_layers_that_use_the_keys_of_others_keep_none(tmp_path: Path) -> None:
    keys: dict[str, object] = {"block_count": 25, "attention__head_count": 8, "attention__sliding_window": 512}
    header = header_of(tmp_path, "gemma3n", **keys)
    # 20 layers keep; every fifth of those sees everything: 4, and 16 keep 512 + 512
    assert kv(header) == (4 * 4096 + 16 * 1024) * 8 * 64 * 2 * 2
    pattern = flags(*([True] * 4 + [False]) * 5)
    shared = header_of(
        tmp_path, "gemma4", attention__shared_kv_layers=5, attention__sliding_window_pattern=pattern, **keys
    )
    assert kv(shared) == (4 * 4096 + 16 * 1024) * 8 * 64 * 2 * 2


def test_blocks_that_guess_ahead_keep_nothing(tmp_path: Path) -> None:
    header = header_of(tmp_path, "glm4moe", attention__head_count=8, nextn_predict_layers=1)
    assert kv(header) == 3 * 8 * 64 * 2 * 2 * 4096


def test_a_model_that_embeds_keeps_nothing_between_texts(tmp_path: Path) -> None:
    header = header_of(tmp_path, "bert", attention__head_count=8)
    assert (kv(header, context=512), kv(header, context=8192)) == (0, 0)
    # 3 × 1024 and 5 × 512 numbers of 4 bytes and one bit of 2 for each pair, for each of 512 tokens; 100 for the slot
    assert needs(header, context=512).compute_bytes == 512 * (4 * (3 * 1024 + 5 * 512) + 2 * 512) + 4 * 100


def test_a_text_model_that_embeds_gives_out_every_token_of_a_batch(tmp_path: Path) -> None:
    plain = header_of(tmp_path, "qwen3", attention__head_count=8)
    embeds = header_of(tmp_path, "qwen3", attention__head_count=8, pooling_type=3)
    assert embeds.task == "embedding"
    big = {"context": 512, "batch": 512}
    # 512 × 5632 numbers inside are more than 512 × (100 + 2560) behind; with a larger vocabulary it turns
    assert needs(plain, **big).compute_bytes == needs(embeds, **big).compute_bytes
    path = tmp_path / "m.gguf"
    tokens = ["a"] * 10_000
    large = {"general.architecture": "qwen3", "tokenizer.ggml.tokens": tokens, "qwen3.block_count": 4,
             "qwen3.embedding_length": 512, "qwen3.attention.head_count": 8, "qwen3.pooling_type": 3}  # fmt: skip
    path.write_bytes(gguf(large, [Tensor("output_norm.weight", (64,))]))
    expected = 4 * 512 * (10_000 + 5 * 512) + 4 * 10_000 + 2 * 512 * 512
    assert needs(read_header(path), **big).compute_bytes == expected


def test_experts_count_by_the_file_and_by_how_many_work_at_once(tmp_path: Path) -> None:
    header = header_of(
        tmp_path, "qwen3moe", attention__head_count=8, expert_count=32, expert_used_count=8,
        expert_feed_forward_length=768,
    )  # fmt: skip
    memory = needs(header, context=512)
    assert memory.weights_bytes == header.size_bytes
    # 3 × 8 × 768 and 5 × 512 numbers for each token of a batch, the mask, and 100 outputs
    assert memory.compute_bytes == 512 * 4 * (3 * 8 * 768 + 5 * 512) + 2 * 512 * 512 + 4 * 100


def test_an_unknown_architecture_is_named_and_taken_for_the_dearest(tmp_path: Path) -> None:
    header = header_of(
        tmp_path, "novel", attention__head_count=8, attention__sliding_window=128, ssm__conv_kernel=4,
        ssm__inner_size=1024, ssm__state_size=16,
    )  # fmt: skip
    memory = needs(header, context=32768)
    assert memory.kv_bytes == 8 * 64 * 2 * 2 * 4 * 32768
    assert memory.recurrent_bytes == (3 * 1024 + 16 * 1024) * 4 * 4
    assert any("'novel' is unknown" in doubt for doubt in memory.doubts)
    assert needs(header_of(tmp_path, "llama", attention__head_count=8)).doubts == ()


def test_families_are_known_names() -> None:
    families = {
        *architectures.WITHOUT_CACHE, *architectures.RECURRENT, *architectures.HYBRID_BY_HEADS, *architectures.SLIDING,
        *architectures.HYBRID_BY_HEADS_AND_FEED_FORWARD, *architectures.HYBRID_IN_EACH_LAYER,
        *architectures.HYBRID_BY_INTERVAL, *architectures.KEEPING_LAYERS, *architectures.INDEXED,
        *architectures.APPROXIMATE,
    }  # fmt: skip
    assert families <= architectures.KNOWN


def test_the_bundled_model_is_estimated() -> None:
    memory = estimate(read_header(BUNDLED["pocket-v0"]), Load(context_tokens=16384, slots=2, batch_tokens=128))
    # 5 layers, 4 heads of 64, key and value of 2 bytes, 2 slots of 16384
    assert memory.kv_bytes == 5 * 4 * 64 * 2 * 2 * 2 * 16384
    assert memory.total_bytes > memory.kv_bytes + memory.weights_bytes


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"block_count": 0}, "block_count"),
        ({"block_count": 2**30}, "block_count"),
        ({"embedding_length": 0}, "embedding_length"),
        ({"attention__head_count": integers(1, 2)}, "a list of 2 for 4 layers"),
        ({"attention__head_count_kv": integers(1, 2, -3, 4)}, "attention.head_count_kv"),
        ({"attention__key_length": Typed(-5, 5)}, "attention.key_length"),
        ({"attention__key_length": Typed(2**40, 10)}, "attention.key_length"),
    ],
)
def test_a_header_that_says_the_impossible_is_refused(tmp_path: Path, keys: dict[str, object], words: str) -> None:
    header = header_of(tmp_path, "llama", **{"attention__head_count": 8, **keys})
    with pytest.raises(ModelUnusable, match=words) as caught:
        needs(header)
    assert str(tmp_path) not in caught.value.message


def test_a_header_without_layers_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(gguf({"general.architecture": "llama"}))
    with pytest.raises(ModelUnusable, match=r"does not say 'llama\.block_count'"):
        layout_of(read_header(path))


@given(
    architecture=st.sampled_from(sorted(architectures.KNOWN)),
    context=st.integers(256, 2**20),
    more=st.integers(0, 2**18),
    slots=st.integers(1, 8),
    kind=st.sampled_from(sorted(KV_TYPES)),
)
def test_more_of_anything_never_needs_less(
    tmp_path_factory: pytest.TempPathFactory, architecture: str, context: int, more: int, slots: int, kind: KvType
) -> None:
    folder = tmp_path_factory.mktemp("m")
    header = header_of(
        folder, architecture, attention__head_count=8, attention__head_count_kv=2, attention__sliding_window=512,
        ssm__conv_kernel=4, ssm__inner_size=1024, ssm__state_size=16,
    )  # fmt: skip

    def total(**how: object) -> int:
        load = {"context_tokens": context, "slots": slots, "key_type": kind, "value_type": kind, **how}
        return estimate(header, Load(**load)).total_bytes  # pyright: ignore[reportArgumentType]

    assert total(context_tokens=context + more) >= total()
    assert total(slots=slots + 1) >= total()
    assert total(batch_tokens=1024) >= total(batch_tokens=128)
    assert total(key_type="f32", value_type="f32") >= total()
    assert total(has_full_window=True) >= total()
    assert total(projector_bytes=more) == total() + more

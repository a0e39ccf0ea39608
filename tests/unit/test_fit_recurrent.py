"""What models with a state need, against figures worked out by hand from llama.cpp's rules; each shows its sum."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.headers import flags, header_of, integers, kv, needs


def test_mamba_keeps_a_state_whatever_the_context(tmp_path: Path) -> None:
    ssm: dict[str, object] = {"ssm__conv_kernel": 4, "ssm__inner_size": 1024, "ssm__state_size": 16}
    header = header_of(tmp_path, "mamba", **ssm)
    # (4 - 1) × 1024 of the convolution, 16 × 1024 of state, 4 bytes, 4 layers, 2 slots
    assert needs(header, slots=2).recurrent_bytes == (3 * 1024 + 16 * 1024) * 4 * 4 * 2
    assert kv(header, context=2**20) == 0
    grouped = header_of(tmp_path, "mamba2", ssm__group_count=2, **ssm)
    # groups widen the convolution by 2 × 2 × 16
    assert needs(grouped).recurrent_bytes == (3 * (1024 + 64) + 16 * 1024) * 4 * 4


def test_rwkv_keeps_two_rows_and_a_square_for_each_head(tmp_path: Path) -> None:
    header = header_of(tmp_path, "rwkv6", wkv__head_size=64)
    # two rows of 512 and 512 × 64, 4 bytes, 4 layers
    assert needs(header).recurrent_bytes == (2 * 512 + 512 * 64) * 4 * 4
    assert kv(header) == 0


@pytest.mark.parametrize("architecture", ["jamba", "granitehybrid", "plamo2"])
def test_layers_without_key_heads_keep_a_state(tmp_path: Path, architecture: str) -> None:
    header = header_of(
        tmp_path,
        architecture,
        attention__head_count=8,
        attention__head_count_kv=integers(0, 0, 2, 0),
        ssm__conv_kernel=4,
        ssm__inner_size=1024,
        ssm__state_size=16,
    )
    assert kv(header) == 2 * 64 * 2 * 2 * 4096
    assert needs(header).recurrent_bytes == 3 * (3 * 1024 + 16 * 1024) * 4


def test_nemotron_has_layers_that_keep_nothing(tmp_path: Path) -> None:
    header = header_of(
        tmp_path,
        "nemotron_h",
        attention__head_count=8,
        attention__head_count_kv=integers(0, 0, 2, 0),
        feed_forward_length=integers(0, 1024, 0, 0),
        ssm__conv_kernel=4,
        ssm__inner_size=1024,
        ssm__state_size=16,
    )
    # layers 0 and 3 keep a state, 1 is feed-forward alone, 2 attends
    assert kv(header) == 2 * 64 * 2 * 2 * 4096
    assert needs(header).recurrent_bytes == 2 * (3 * 1024 + 16 * 1024) * 4


def test_falcon_h1_keeps_both_in_every_layer(tmp_path: Path) -> None:
    ssm: dict[str, object] = {"ssm__conv_kernel": 4, "ssm__inner_size": 1024, "ssm__state_size": 16}
    header = header_of(tmp_path, "falcon-h1", attention__head_count=8, attention__head_count_kv=2, **ssm)
    assert kv(header) == 2 * 64 * 2 * 2 * 4 * 4096
    assert needs(header).recurrent_bytes == (3 * 1024 + 16 * 1024) * 4 * 4


def test_every_fourth_layer_of_qwen3next_attends(tmp_path: Path) -> None:
    keys: dict[str, object] = {
        "block_count": 8, "attention__head_count": 8, "attention__head_count_kv": 2, "attention__key_length": 64,
        "attention__value_length": 64, "ssm__conv_kernel": 4, "ssm__inner_size": 1024, "ssm__state_size": 128,
        "ssm__group_count": 4,
    }  # fmt: skip
    header = header_of(tmp_path, "qwen3next", **keys)
    state = 3 * (1024 + 2 * 4 * 128) + 128 * 1024
    assert kv(header) == 2 * 2 * 64 * 2 * 2 * 4096
    assert needs(header).recurrent_bytes == 6 * state * 4
    every_second = header_of(tmp_path, "qwen3next", full_attention_interval=2, **keys)
    assert needs(every_second).recurrent_bytes == 4 * state * 4
    told = header_of(tmp_path, "qwen3next", attention__recurrent_layers=flags(*[True] * 7, False), **keys)
    assert needs(told).recurrent_bytes == 7 * state * 4


def test_lfm2_keeps_the_last_columns_of_its_short_convolution(tmp_path: Path) -> None:
    header = header_of(
        tmp_path, "lfm2", attention__head_count=8, attention__head_count_kv=integers(0, 2, 0, 2), shortconv__l_cache=3
    )
    assert kv(header) == 2 * 2 * 64 * 2 * 2 * 4096
    assert needs(header).recurrent_bytes == 2 * 512 * (3 - 1) * 4


def test_kimi_linear_keeps_three_convolutions_and_squares(tmp_path: Path) -> None:
    header = header_of(
        tmp_path,
        "kimi-linear",
        attention__head_count=8,
        attention__head_count_kv=integers(0, 0, 0, 1),
        attention__key_length=288,
        attention__value_length=256,
        attention__key_length_mla=96,
        attention__value_length_mla=64,
        kda__head_dim=64,
        ssm__conv_kernel=4,
    )
    # 3 convolutions of 3 columns over 8 heads of 64, and 64 × 64 for each of 8 heads
    assert needs(header).recurrent_bytes == 3 * (3 * 3 * 8 * 64 + 64 * 64 * 8) * 4
    assert kv(header) == 288 * 2 * 4096


def test_minimax_keeps_a_square_for_each_head_in_seven_of_eight_layers(tmp_path: Path) -> None:
    header = header_of(
        tmp_path, "minimax-01", block_count=8, attention__head_count=8, attention__head_count_kv=2,
        attention__key_length=64, attention__value_length=64,
    )  # fmt: skip
    assert needs(header).recurrent_bytes == 7 * 64 * 64 * 8 * 4
    assert kv(header) == 2 * 64 * 2 * 2 * 4096

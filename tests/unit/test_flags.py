"""Tests that an engine's flags survive the way through a command line, in llama-server's own spelling."""

from __future__ import annotations

import dataclasses
from dataclasses import fields

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from paddock.engine.flags import EngineFlags

FLAGS = EngineFlags(
    model_path="/models/x.gguf", alias="x", context_tokens=8192, slots=2, batch_tokens=128, ubatch_tokens=128
)
words = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12)
counts = st.integers(0, 2**31 - 1)


def spelled(name: str) -> str:
    return EngineFlags.__dataclass_fields__[name].metadata["flag"]


def test_every_flag_has_a_spelling_of_its_own_and_a_help_text() -> None:
    spellings = [spelled(spec.name) for spec in fields(EngineFlags)]
    assert len(set(spellings)) == len(spellings)
    assert all(spelling.startswith("--") for spelling in spellings)
    assert all(spec.metadata["help"] for spec in fields(EngineFlags))


def test_flags_are_written_as_llama_server_reads_them() -> None:
    assert FLAGS.to_argv() == [
        "--model", "/models/x.gguf", "--alias", "x", "--ctx-size", "8192", "--parallel", "2", "--batch-size", "128",
        "--ubatch-size", "128", "--ctx-checkpoints", "32", "--threads", "0",
    ]  # fmt: skip


def test_a_switch_is_written_only_when_it_is_on() -> None:
    assert "--embeddings" not in FLAGS.to_argv()
    on = dataclasses.replace(FLAGS, embeddings=True)
    assert on.to_argv().count("--embeddings") == 1
    assert EngineFlags.from_argv(on.to_argv()).embeddings is True


@given(
    model_path=words, alias=words, context_tokens=counts, slots=counts, batch_tokens=counts, ubatch_tokens=counts,
    threads=counts, embeddings=st.booleans(),
)  # fmt: skip
@example(
    model_path="-", alias="-x", context_tokens=1, slots=1, batch_tokens=1, ubatch_tokens=1, threads=0, embeddings=True
)
@example(
    model_path="--embeddings", alias="", context_tokens=1, slots=1, batch_tokens=1, ubatch_tokens=1, threads=0,
    embeddings=False,
)  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_reading_is_the_inverse_of_writing(
    model_path: str,
    alias: str,
    context_tokens: int,
    slots: int,
    batch_tokens: int,
    ubatch_tokens: int,
    threads: int,
    embeddings: bool,
) -> None:
    flags = EngineFlags(
        model_path=model_path,
        alias=alias,
        context_tokens=context_tokens,
        slots=slots,
        batch_tokens=batch_tokens,
        ubatch_tokens=ubatch_tokens,
        threads=threads,
        embeddings=embeddings,
    )
    assert EngineFlags.from_argv(flags.to_argv()) == flags


def test_a_file_that_is_not_there_is_left_out() -> None:
    assert "--mmproj" not in FLAGS.to_argv()
    with_eyes = dataclasses.replace(FLAGS, projector_path="-eyes.gguf")
    assert with_eyes.to_argv()[-2:] == ["--mmproj", "-eyes.gguf"]
    assert EngineFlags.from_argv(with_eyes.to_argv()) == with_eyes


def test_numbers_with_a_point_and_choices_survive_the_way() -> None:
    chosen = dataclasses.replace(
        FLAGS, rope_freq_base=1e6, rope_freq_scale=0.25, kv_type_k="q8_0", flash_attention="on", speculation="ngram-mod"
    )
    assert EngineFlags.from_argv(chosen.to_argv()) == chosen
    assert "--rope-freq-scale" not in FLAGS.to_argv()


def test_what_has_a_default_may_be_left_out() -> None:
    argv = FLAGS.to_argv()
    at = argv.index("--threads")
    assert EngineFlags.from_argv(argv[:at] + argv[at + 2 :]) == FLAGS


@pytest.mark.parametrize(
    "extra", [["--nope"], ["--nope", "1"], ["--embed"], ["--threads", "many"], ["--threads", "1.5"], ["word"]]
)
def test_a_flag_that_is_not_known_or_not_a_number_ends_with_status_2(
    extra: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        EngineFlags.from_argv([*FLAGS.to_argv(), *extra])
    assert caught.value.code == 2
    assert "error:" in capsys.readouterr().err

"""Tests how the end of an engine is read: from its status, its last words and what it reported itself."""

from __future__ import annotations

import typing
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paddock.engine.exits import Exit, ExitKind, classify, last_words, runaway

KINDS: tuple[ExitKind, ...] = typing.get_args(ExitKind)

# How it ended (None: it did not), what it printed, what it reported, what that means.
ENDS: dict[str, tuple[int | None, Sequence[str], str | None, ExitKind]] = {
    "killed": (-9, [], None, "killed"),
    "terminated": (-15, [], None, "killed"),
    "killed within a shell": (137, [], None, "killed"),
    "terminated within a shell": (143, [], None, "killed"),
    "segmentation fault": (-11, [], None, "crashed"),
    "abort": (-6, ["GGML_ASSERT(n_batch > 0) failed"], None, "crashed"),
    "abort within a shell": (134, [], None, "crashed"),
    "access violation": (3221225477, [], None, "crashed"),
    "orderly": (0, [], None, "ended"),
    "one": (1, ["something odd"], None, "ended"),
    "still running": (None, [], None, "silent"),
    "a flag by status": (2, [], None, "unknown-flag"),
    "a flag": (2, ["paddock.engine.embedded: error: unrecognized arguments: --nope"], None, "unknown-flag"),
    "a flag of llama-server": (1, ["error: invalid argument: --nope"], None, "unknown-flag"),
    "memory": (1, ["ggml_backend_cpu_buffer: failed to allocate buffer of size 9"], None, "out-of-memory"),
    "memory of a GPU": (-6, ["CUDA error: out of memory"], None, "out-of-memory"),
    "memory of the language": (-6, ["terminate called after an instance of 'std::bad_alloc'"], None, "out-of-memory"),
    "memory while loading": (
        1,
        ["llama_model_load: error loading model: unable to allocate CUDA0 buffer"],
        "failed to load model",
        "out-of-memory",
    ),
    "memory, then killed": (-9, ["mmap: Cannot allocate memory"], None, "out-of-memory"),
    "library": (
        1,
        ["ImportError: libgomp.so.1: cannot open shared object file: No such file or directory"],
        None,
        "missing-library",
    ),
    "library, reported": (1, [], "the engine library cannot be loaded: No module named 'x'", "missing-library"),
    "template": (
        1,
        [
            "E common_chat_templates_init: failed to initialize chat template",
            "E srv init: exiting due to model loading error",
        ],
        "Failed to init server, please check the input params.",
        "bad-template",
    ),
    "file": (1, ["gguf_init_from_file_impl: invalid magic characters: 'abcd'"], None, "bad-file"),
    "file that is cut": (1, ["tensor 'a' is not within bounds, model is corrupted or incomplete"], None, "bad-file"),
    "file, reported": (1, [], "failed to load model", "bad-file"),
}


@pytest.mark.parametrize("name", ENDS)
def test_an_end_is_classified(name: str) -> None:
    returncode, stderr, reported, kind = ENDS[name]
    assert classify(returncode=returncode, stderr=stderr, reported=reported).kind == kind


def test_every_kind_has_a_case_and_a_sentence_with_a_next_step() -> None:
    assert {kind for _, _, _, kind in ENDS.values()} | {runaway("").kind} == set(KINDS)
    for returncode, stderr, reported, _ in ENDS.values():
        sentence = classify(returncode=returncode, stderr=stderr, reported=reported).sentence
        assert sentence.count(". ") >= 1
        assert sentence.endswith(".")


def test_the_engines_own_words_stand_in_the_message() -> None:
    told = classify(returncode=-6, stderr=["loading", "GGML_ASSERT(x) failed"], reported=None)
    assert told.message == f"{told.sentence} The engine said: GGML_ASSERT(x) failed"
    silent = classify(returncode=-9, stderr=[], reported=None)
    assert silent.message == silent.sentence


@pytest.mark.parametrize(
    ("stderr", "reported", "words"),
    [
        ([], None, ""),
        ([], "it said so", "it said so"),
        (["a", "b", "c"], None, "b | c"),
        (["a", "b"], "reported", "a | b"),
        (["error: one", "fine", "error: two", "fine", "error: three", "bye"], None, "error: two | error: three"),
        (["  error: one  ", "", "   "], None, "error: one"),
        (["0.00.123.456 E error: one"], None, "error: one"),
        (["0.12 E cannot", "1.00.1 I fine"], None, "cannot"),
        (
            [
                "E error: Unknown statement: x",
                "E please consider disabling jinja",
                "E exiting due to model loading error",
            ],
            None,
            "E error: Unknown statement: x",
        ),
        (["E exiting due to model loading error"], None, "E exiting due to model loading error"),
    ],
)
def test_the_last_words_are_the_telling_ones(stderr: list[str], reported: str | None, words: str) -> None:
    assert last_words(stderr, reported) == words


@pytest.mark.parametrize("file", ["x.gguf", "Qwen3-0.6B-Q8_0.gguf", "übung.gguf"])
@pytest.mark.parametrize(
    "folder",
    ["/home/jane/models/", "/x/", "C:\\Users\\jane\\models\\", "c:/Users/jane/", "/home/jane/.cache/hub--a/blobs/"],
)
def test_the_last_words_hold_the_file_and_not_its_folder(folder: str, file: str) -> None:
    for line in ("failed to open {}", "error: '{}' is cut", 'cannot read "{}"', "{}: error", "error=({})"):
        assert last_words([line.format(folder + file)]) == line.format(file)


@pytest.mark.parametrize("folder", ["/home/Jane Doe/my models/", "C:\\Users\\Jane Doe\\models\\"])
def test_a_quoted_folder_with_spaces_is_left_out_too(folder: str) -> None:
    for line in ("failed to open '{}'", 'error: "{}" is cut'):
        assert last_words([line.format(f"{folder}x.gguf")]) == line.format("x.gguf")


def test_one_that_was_ended_for_what_it_did_is_told_so() -> None:
    told = runaway("It held 9 MiB.")
    assert (told.kind, told.message) == ("runaway", "The engine ran away, and was ended. It held 9 MiB.")


def test_a_folder_in_what_was_reported_is_left_out_too() -> None:
    assert "jane" not in classify(returncode=1, stderr=[], reported="cannot load /home/jane/x.gguf").message


@pytest.mark.parametrize("words", ["error: read/write/execute", "failed at 3/4/5", "error in layer 1/2"])
def test_words_with_strokes_between_them_stay_whole(words: str) -> None:
    assert last_words([words]) == words


def test_the_last_words_are_short() -> None:
    assert len(last_words(["error " + "x" * 1000, "error " + "y" * 1000])) == 300
    assert len(last_words(["error " + "x" * 1000], limit_characters=20)) == 20


@given(
    returncode=st.none() | st.integers(-64, 300),
    stderr=st.lists(st.text(max_size=20), max_size=3),
    reported=st.none() | st.text(max_size=20),
)
@settings(max_examples=40, deadline=None)
def test_every_end_is_of_some_kind(returncode: int | None, stderr: list[str], reported: str | None) -> None:
    told = classify(returncode=returncode, stderr=stderr, reported=reported)
    assert isinstance(told, Exit)
    assert told.kind in KINDS
    assert told.message.startswith(told.sentence)

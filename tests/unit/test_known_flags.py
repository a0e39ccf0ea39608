"""Tests that a build's flags are read from its own help, and that no other flag is ever passed to it."""

from __future__ import annotations

from typing import Any

import pytest

from paddock.engine.flags import EngineFlags
from paddock.engine.installed import server_words
from paddock.engine.known_flags import parse_help
from paddock.errors import EngineFailedToStart
from paddock.install.probe import parse_devices
from tests.fakes.scripted_llama_server import HELP

KNOWN = parse_help(HELP)


def flags(**more: Any) -> EngineFlags:
    made: dict[str, Any] = {"model_path": "m.gguf", "alias": "m", "context_tokens": 64, "slots": 2}
    made |= {"batch_tokens": 8, "ubatch_tokens": 8, **more}
    return EngineFlags(**made)


def test_every_spelling_in_the_first_column_counts_and_nothing_else() -> None:
    text = "-- x --\n\n-c,    --ctx-size N     see --keep\n       --not-this\n--host HOST   ip\n-fit, --fit [on|off] x"
    assert parse_help(text) == {"-c", "--ctx-size", "--host", "-fit", "--fit"}


def test_what_is_passed_is_known() -> None:
    words = server_words(flags(threads=3, projector_path="p.gguf", embeddings=True), KNOWN)
    passed = [word for word in words if word.startswith("-")]
    assert set(passed) <= KNOWN
    assert len(passed) == len(set(passed))
    for flag, value in {"--host": "127.0.0.1", "--port": "0", "--fit": "off", "--threads": "3"}.items():
        assert words[words.index(flag) + 1] == value


def test_threads_are_left_to_the_engine_unless_they_were_chosen() -> None:
    assert "--threads" not in server_words(flags(), KNOWN)


@pytest.mark.parametrize(
    "flag", ["--fit", "--cache-ram", "--threads-http", "--slots", "--metrics", "--jinja", "--no-ui"]
)
def test_what_only_makes_it_tidy_is_left_out_of_an_older_build(flag: str) -> None:
    words = server_words(flags(), KNOWN - {flag})
    assert flag not in words
    assert {word for word in words if word.startswith("--")} <= KNOWN


def test_an_older_build_is_told_in_its_own_spelling() -> None:
    assert "--no-webui" in server_words(flags(), KNOWN - {"--no-ui"})


@pytest.mark.parametrize(
    ("more", "flag"),
    [({"projector_path": "p"}, "--mmproj"), ({"reranking": True}, "--reranking"), ({}, "--ctx-size"), ({}, "--port")],
)
def test_a_build_that_lacks_what_was_asked_for_is_refused_by_name(more: dict[str, Any], flag: str) -> None:
    with pytest.raises(EngineFailedToStart, match=f"does not know {flag} "):
        server_words(flags(**more), KNOWN - {flag})


def test_values_that_look_like_flags_are_no_flags() -> None:
    assert "--odd" in server_words(flags(alias="--odd"), KNOWN)


def test_adapters_are_one_word_as_the_build_splits_it_and_leave_no_memory_of_prompts() -> None:
    known = KNOWN | {"--lora", "--lora-init-without-apply"}
    words = server_words(flags(lora_paths=("/a, b.gguf", '/c"d.gguf', "/e.gguf"), lora_init_without_apply=True), known)
    assert words[words.index("--lora") + 1] == '"/a, b.gguf","/c""d.gguf",/e.gguf'
    assert "--lora-init-without-apply" in words
    assert words[words.index("--cache-ram") + 1] == "0"
    assert "--lora" not in server_words(flags(), known)
    assert server_words(flags(), known)[-1] == "256"


def test_devices_are_the_lines_under_their_heading() -> None:
    assert parse_devices("ggml: noise\nAvailable devices:\n  CUDA0: A card (24 GiB, 20 GiB free)\n  (none)\n") == (
        "CUDA0: A card (24 GiB, 20 GiB free)",
    )
    assert parse_devices("Available devices:\n  (none)\n") == ()
    assert parse_devices("") == ()


def test_what_is_at_its_default_is_left_out_of_a_build_that_lacks_it() -> None:
    words = server_words(flags(), KNOWN)
    assert "--ctx-checkpoints" not in words
    assert "--ctx-checkpoints" in server_words(flags(), KNOWN | {"--ctx-checkpoints"})
    with pytest.raises(EngineFailedToStart, match="does not know --ctx-checkpoints "):
        server_words(flags(checkpoints=0), KNOWN)


def test_a_folder_for_slots_is_told_to_builds_that_know_it_and_left_out_for_others() -> None:
    saving = flags(slot_save_path="/home/slots")
    words = server_words(saving, KNOWN | {"--slot-save-path"})
    assert words[words.index("--slot-save-path") + 1] == "/home/slots"
    assert server_words(saving, KNOWN - {"--slot-save-path"}) == server_words(flags(), KNOWN)

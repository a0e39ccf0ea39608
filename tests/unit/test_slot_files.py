"""Tests for which engine a saved slot is good, and what becomes of the files."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from paddock import clock
from paddock.engine.flags import EngineFlags
from paddock.engine.slot_files import (
    ABANDONED_S,
    KEEP_S,
    FileState,
    SlotFiles,
    can_keep,
    identity,
    identity_now,
    made_of,
    parts_of,
    state_of,
)
from paddock.paths import Home

FLAGS = EngineFlags(
    model_path="/models/x.gguf", alias="x", context_tokens=8192, slots=2, batch_tokens=128, ubatch_tokens=128
)
MODEL = FileState(path="/models/x.gguf", size_bytes=1000, changed_ns=5, number=7)
EYES = FileState(path="/models/mmproj.gguf", size_bytes=10, changed_ns=6, number=8)
ROOMY = 2**40
ONE, OTHER = "1" * 64, "2" * 64


def identity_with(
    flags: EngineFlags = FLAGS, files: tuple[FileState, ...] = (MODEL, EYES), engine: Any = ("b1",), boot: str = "run"
) -> str:
    return identity(flags=flags, files=files, engine=engine, boot=boot)


def other_than(value: object) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    return (*value, "/a.gguf") if isinstance(value, tuple) else f"{value or ''}other"


@pytest.mark.parametrize("name", [spec.name for spec in fields(EngineFlags) if spec.name != "slot_save_path"])
def test_every_flag_tells_engines_apart(name: str) -> None:
    changed: dict[str, Any] = {name: other_than(getattr(FLAGS, name))}
    if name in ("rope_freq_base", "rope_freq_scale"):
        changed[name] = 0.5
    assert identity_with(replace(FLAGS, **changed)) != identity_with()


def test_where_slots_are_kept_does_not() -> None:
    assert identity_with(replace(FLAGS, slot_save_path="/home/slots")) == identity_with()


@pytest.mark.parametrize(
    "more",
    [
        *({"files": (replace(MODEL, **{spec.name: other_than(getattr(MODEL, spec.name))}), EYES)}
          for spec in fields(FileState)),
        {"files": (MODEL, replace(EYES, changed_ns=0))},
        {"files": (MODEL,)},
        {"engine": ("b2",)},
        {"engine": (MODEL,)},
        {"boot": "the next run"},
    ],
)  # fmt: skip
def test_another_file_build_or_run_of_the_system_is_another_engine(more: dict[str, Any]) -> None:
    assert identity_with(**more) != identity_with()


def test_what_flags_and_files_say_cannot_pass_into_each_other() -> None:
    one = identity_with(replace(FLAGS, alias="a", model_path="b"))
    assert one != identity_with(replace(FLAGS, alias="b", model_path="a"))


@pytest.mark.parametrize(
    "more",
    [
        {"lora_paths": ("/a.gguf",)}, {"draft_path": "/d.gguf"}, {"speculation": "ngram-mod"}, {"embeddings": True},
        {"reranking": True},
    ],
)  # fmt: skip
def test_engines_whose_slots_hold_more_than_a_file_tells_keep_nothing(more: dict[str, Any]) -> None:
    assert can_keep(FLAGS)
    assert not can_keep(replace(FLAGS, **more))


def test_a_model_in_parts_is_all_of_them() -> None:
    assert [path.name for path in parts_of(Path("/m/x-00001-of-00003.gguf"))] == [
        "x-00001-of-00003.gguf", "x-00002-of-00003.gguf", "x-00003-of-00003.gguf",
    ]  # fmt: skip
    assert parts_of(Path("/m/x.gguf")) == [Path("/m/x.gguf")]


def test_a_build_is_its_program_and_the_libraries_beside_it(tmp_path: Path) -> None:
    binary, library, notes, kept = (tmp_path / name for name in ("llama-server", "libllama.so.1", "notes", "kept"))
    for path in (binary, library, notes, kept):
        path.write_bytes(b"x")
    program = ("python", "-m", "paddock.engine.installed", str(binary), str(kept))
    assert made_of(program) == [state_of(binary), state_of(library)]
    before = made_of(program)
    os.utime(library, (1, 1))
    assert made_of(program) != before


def test_the_engine_of_the_wheel_is_its_version() -> None:
    from importlib.metadata import version

    assert made_of(("python", "-m", "paddock.engine.embedded")) == ["xllamacpp", version("xllamacpp")]


def test_a_model_whose_second_part_changed_is_another(tmp_path: Path) -> None:
    parts = parts_of(tmp_path / "x-00001-of-00002.gguf")
    for path in parts:
        path.write_bytes(b"x")
    flags = replace(FLAGS, model_path=str(parts[0]))
    before = identity_now(flags, ())
    assert identity_now(flags, ()) == before
    os.utime(parts[1], (1, 1))
    assert identity_now(flags, ()) != before
    parts[1].unlink()
    with pytest.raises(FileNotFoundError):
        identity_now(flags, ())


@pytest.fixture
def files(tmp_path: Path) -> SlotFiles:
    made = SlotFiles(tmp_path / "slots", most_bytes=1000)
    made.ensure()
    return made


@pytest.fixture
def save(files: SlotFiles) -> Callable[..., str]:
    def saved(identity: str = ONE, *, size_bytes: int = 100, age_s: float = 0) -> str:
        draft = files.draft()
        (files.folder / draft).write_bytes(bytes(size_bytes))
        name = files.keep(draft, identity, size_bytes=size_bytes)
        age(files.folder / name, age_s)
        return name

    return saved


def age(path: Path, age_s: float) -> None:
    used_s = time.time() - age_s
    os.utime(path, (used_s, used_s))


def names_in(files: SlotFiles) -> set[str]:
    return {path.name for path in files.folder.iterdir()}


def test_an_engine_finds_what_was_saved_for_it_the_last_used_first(files: SlotFiles, save: Callable[..., str]) -> None:
    old, new, middle = save(age_s=30), save(age_s=10), save(age_s=20)
    save(OTHER)
    assert files.good_for(ONE, most=9) == [new, middle, old]
    assert files.good_for(ONE, most=2) == [new, middle]
    files.touch(old)
    assert files.good_for(ONE, most=1) == [old]


def test_a_file_that_became_shorter_is_not_given_out_but_removed(files: SlotFiles, save: Callable[..., str]) -> None:
    name = save()
    os.truncate(files.folder / name, 99)
    assert files.good_for(ONE, most=9) == []
    assert names_in(files) == set()


def test_a_draft_that_is_not_as_long_as_the_engine_said_is_removed(files: SlotFiles) -> None:
    draft = files.draft()
    (files.folder / draft).write_bytes(b"half")
    with pytest.raises(OSError, match="4 bytes were written, not 8"):
        files.keep(draft, ONE, size_bytes=8)
    assert names_in(files) == set()


def test_room_is_made_by_the_least_lately_used(files: SlotFiles, save: Callable[..., str]) -> None:
    old, middle, new = save(size_bytes=400, age_s=30), save(size_bytes=300, age_s=20), save(size_bytes=200, age_s=10)
    assert files.tidy(100)
    assert names_in(files) == {old, middle, new}
    assert files.tidy(101)
    assert names_in(files) == {middle, new}
    assert files.tidy(801)
    assert names_in(files) == set()


def test_what_needs_more_than_all_the_room_makes_none(files: SlotFiles, save: Callable[..., str]) -> None:
    name = save()
    assert not files.tidy(1001)
    assert names_in(files) == {name}


def test_a_disk_never_gives_more_than_a_tenth_of_what_it_has(tmp_path: Path) -> None:
    files = SlotFiles(tmp_path / "slots", most_bytes=2**60)
    files.ensure()
    assert not files.tidy(2**59)


def test_what_nobody_took_up_for_days_goes(files: SlotFiles, save: Callable[..., str], tmp_path: Path) -> None:
    clock.begin_at(Home(root=tmp_path), None)
    save(age_s=KEEP_S + 10)
    young = save(age_s=KEEP_S - 1000)
    assert files.tidy()
    assert names_in(files) == {young}


def test_a_draft_goes_once_nobody_writes_it(files: SlotFiles) -> None:
    # Of a process that was never there.
    old, new = (f"draft-99999999-1-{letter * 32}" for letter in "ab")
    for name, age_s in ((old, ABANDONED_S + 5), (new, ABANDONED_S - 30)):
        (files.folder / name).write_bytes(b"half")
        age(files.folder / name, age_s)
    assert files.tidy()
    assert names_in(files) == {new}


def test_what_is_gone_already_is_no_fault(files: SlotFiles, save: Callable[..., str]) -> None:
    name = save()
    files.remove(name, name)
    files.touch(name)
    assert names_in(files) == set()


def test_two_that_save_for_the_same_engine_keep_a_file_each(files: SlotFiles, save: Callable[..., str]) -> None:
    assert save() != save()
    assert len(names_in(files)) == 2

"""Tests which images rows may name: inline or beside them, each in its place, else refused in words beforehand."""

from __future__ import annotations

import base64
import io
import json
import os
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from paddock.data.files import first_rows, rows_in
from paddock.data.pictures import Picture, read
from paddock.data.preferences import judged_of, pair_of, task_of
from paddock.data.rows import Row, row_of, seen_row_of
from paddock.errors import FieldInvalid
from paddock.models.bases import trainable
from paddock.training.estimate import estimated
from paddock.training.sight import refuse_unseen, shows_images
from paddock.training.spec import spec_of
from tests.fakes import bombs

Json = dict[str, Any]
ANSWER = {"role": "assistant", "content": "red"}
WORDS = {"type": "text", "text": "Which colour?"}
TALK = {"messages": [{"role": "user", "content": "Hello"}, ANSWER]}


def packed(form: str = "PNG", size: tuple[int, int] = (3, 2)) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, (220, 30, 30)).save(file, form)
    return file.getvalue()


def url(data: bytes | None = None) -> str:
    return "data:image/png;base64," + base64.b64encode(data or packed()).decode()


def asked(*parts: Json, **more: Any) -> Json:
    return {"messages": [{"role": "user", "content": [*parts, WORDS]}, ANSWER], **more}


def sources(raw: Json) -> list[str]:
    return [picture.source for picture in seen_row_of(raw, "Row 1").images]


def refused(raw: Json) -> str:
    with pytest.raises(FieldInvalid) as error:
        seen_row_of(raw, "Row 1")
    assert error.value.param == "data"
    assert "Row 1" in error.value.message
    return error.value.message


@pytest.mark.parametrize(
    "raw",
    [
        asked({"type": "image_url", "image_url": {"url": "a.png"}}, {"type": "image_url", "image_url": "b.png"}),
        asked({"type": "image", "path": "a.png"}, {"type": "image", "image": "b.png"}),
        asked({"type": "image"}, {"type": "image"}, images=["a.png", {"path": "b.png"}]),
        asked({"type": "image"}, {"type": "image"}, images='["a.png", "b.png"]'),
        asked({"type": "image"}, {"type": "image", "url": "b.png"}, image="a.png"),
        {
            "conversations": [{"from": "human", "value": "<image>\nand <image>?"}, {"from": "gpt", "value": "red"}],
            "image": ["a.png", "b.png"],
        },
        {
            "prompt": [{"role": "user", "content": [{"type": "image"}, {"type": "image"}, WORDS]}],
            "completion": [ANSWER], "images": ["a.png", "b.png"],
        },
    ],
    ids=["OpenAI", "parts", "column", "table", "both", "LLaVA", "prompt"],
)  # fmt: skip
def test_images_are_found_in_each_form_in_their_order(raw: Json) -> None:
    row = seen_row_of(raw, "Row 1")
    assert [picture.source for picture in row.images] == ["a.png", "b.png"]
    assert [picture.place for picture in row.images] == ["Row 1, image 1", "Row 1, image 2"]
    assert [part["type"] for part in row.messages[0]["content"] if part["type"] == "image"] == ["image", "image"]


def test_images_lie_inline_too() -> None:
    inline = url()
    assert sources(asked({"type": "image_url", "image_url": {"url": inline}})) == [inline]
    (bare,) = sources(asked({"type": "image", "base64": inline.partition(",")[2]}))
    for source in (inline, bare):
        assert read(Picture(source=source, place="Row 1"), Path("/nowhere")).size == (3, 2)


def test_rows_of_words_stay_as_they_were() -> None:
    row = seen_row_of({"messages": [{"role": "user", "content": [WORDS, WORDS]}, ANSWER]}, "Row 1")
    assert row.messages[0]["content"] == "Which colour?Which colour?"
    assert row.images == ()


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (asked({"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}), "fetches nothing"),
        (asked({"type": "image_url", "image_url": {"url": "HTTP://example.com/a.png"}}), "fetches nothing"),
        (asked({"type": "image", "url": "file:///etc/passwd"}), "fetches nothing"),
        (asked({"type": "image"}, images=["s3://bucket/a.png"]), "fetches nothing"),
        (asked({"type": "image"}), "more parts"),
        (asked({"type": "image"}, {"type": "image"}, images=["a.png"]), "more parts"),
        (asked({"type": "image"}, images=["a.png", "b.png"]), "fewer parts"),
        (asked(images=["a.png"]), "fewer parts"),
        ({"instruction": "Which?", "output": "red", "images": ["a.png"]}, "fewer parts"),
        (asked({"type": "image", "path": 7}), "neither a path nor a data URL"),
        (asked({"type": "image"}, images=[None]), "neither a path nor a data URL"),
        (asked({"type": "image"}, images=["a\0.png"]), "neither a path nor a data URL"),
        (asked({"type": "image"}, images=["data:image/png;base64,"]), "holds nothing in base64"),
        (asked({"type": "image"}, images=["data:image/png,AAAA"]), "holds nothing in base64"),
        (asked({"type": "input_audio"}), "text and images"),
        ({"messages": [{"role": "user", "content": "Draw"}, {"role": "assistant", "content": [{"type": "image"}]}],
          "images": ["a.png"]}, "an answer with an image"),
    ],
)  # fmt: skip
def test_what_names_no_image_that_could_be_read_is_refused_with_its_place(raw: Json, words: str) -> None:
    assert words in refused(raw)


@pytest.mark.parametrize("form", [row_of, pair_of, judged_of, task_of])
def test_no_other_method_learns_from_images(form: Any) -> None:
    turns = [{"role": "user", "content": [{"type": "image", "path": "a.png"}]}, ANSWER]
    raw = {"messages": turns, "chosen": turns, "rejected": turns, "completion": turns, "label": True}
    with pytest.raises(FieldInvalid, match="method sft alone"):
        form({"messages": turns} if form in (row_of, task_of) else raw, "Row 1")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of rows with an image in a folder of its own, and a secret beside it."""
    (tmp_path / "secret.png").write_bytes(packed())
    (tmp_path / "rows" / "images").mkdir(parents=True)
    (tmp_path / "rows" / "images" / "a.png").write_bytes(packed())
    return tmp_path / "rows"


def test_a_file_lies_beside_the_rows(folder: Path) -> None:
    for source in ("images/a.png", "images/../images/a.png", str(folder / "images" / "a.png")):
        assert read(Picture(source=source, place="Row 1"), folder).getpixel((0, 0)) == (220, 30, 30)


def test_an_image_is_turned_upright(folder: Path) -> None:
    image = Image.new("RGB", (4, 2))
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(folder / "turned.jpg", exif=exif)
    assert read(Picture(source="turned.jpg", place="Row 1"), folder).size == (2, 4)


@pytest.mark.attack("malicious notebooks and data sets")
@pytest.mark.parametrize("source", ["../secret.png", "images/../../secret.png", "/etc/hostname", "link.png", "deep/a"])
def test_no_file_elsewhere_is_opened(folder: Path, source: str) -> None:
    (folder / "link.png").symlink_to(folder.parent / "secret.png")
    (folder / "deep").symlink_to(folder.parent)
    (folder.parent / "a").write_bytes(packed())
    with pytest.raises(FieldInvalid, match="lies outside"):
        read(Picture(source=source, place="Row 1, image 1"), folder)


@pytest.mark.attack("bombs")
def test_what_is_no_image_or_too_large_is_refused(folder: Path) -> None:
    made: dict[str, bytes] = {
        "none.png": b"",
        "text.png": b"red",
        "page.svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        "half.png": packed(size=(90, 90))[:60],
        "bomb.png": bombs.png(20_000, 20_000),
        "large.png": packed() + bytes(21 * 2**20),
    }
    for name, data in made.items():
        (folder / name).write_bytes(data)
    os.mkfifo(folder / "pipe.png")
    for name in (*made, "pipe.png", "images", "missing.png", "a" * 5000):
        with pytest.raises(FieldInvalid) as error:
            read(Picture(source=name, place="Row 7, image 1"), folder)
        assert error.value.param == "data"
        assert error.value.message.startswith("Row 7, image 1 cannot be learnt from: ")
        assert len(error.value.message) < 1000


def written(folder: Path, *rows: Json) -> str:
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return str(path)


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """What says that it sees; nothing loads it."""
    made = tmp_path / "seer"
    made.mkdir()
    (made / "config.json").write_text('{"model_type": "llava"}', "utf-8")
    (made / "preprocessor_config.json").write_text("{}", "utf-8")
    return made


GOOD: Json = {"makes_gguf": False, "dry_run": "no"}
SEEN = asked({"type": "image"}, images=["images/a.png"])


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"makes_gguf": True}, "makes_gguf"),
        ({"dry_run": "first"}, "dry_run"),
        ({"packs": True}, "packs"),
        ({"processes": 2}, "processes"),
        ({"cluster": "ray"}, "cluster"),
    ],
)
def test_what_images_exclude_is_refused_before_anything_begins(
    folder: Path, base: Path, more: Json, param: str
) -> None:
    data = written(folder, TALK, SEEN)
    refuse_unseen(spec_of({"data": data, **GOOD}), base)
    with pytest.raises(FieldInvalid, match="Rows hold images") as error:
        refuse_unseen(spec_of({"data": data, **GOOD, **more}), base)
    assert error.value.param == param
    refuse_unseen(spec_of({"data": written(folder, TALK), **GOOD, **more}), base)


def test_a_base_that_reads_words_alone_is_refused_before_anything_begins(folder: Path) -> None:
    spec = spec_of({"data": written(folder, SEEN), **GOOD})
    with pytest.raises(FieldInvalid, match="reads words alone") as error:
        refuse_unseen(spec, trainable("pocket-v0"))
    assert error.value.param == "base"


@pytest.mark.parametrize("option", ["data", "eval_data"])
def test_an_image_that_is_not_there_is_refused_before_anything_begins(folder: Path, base: Path, option: str) -> None:
    good = written(folder, SEEN)
    (folder / "others.jsonl").write_text(json.dumps(asked({"type": "image"}, images=["no.png"])), "utf-8")
    given = {"data": good, "eval_data": good, option: str(folder / "others.jsonl"), **GOOD}
    with pytest.raises(FieldInvalid, match=r"Row 1 of others\.jsonl, image 1.*no\.png") as error:
        refuse_unseen(spec_of(given), base)
    assert error.value.param == option


def test_images_are_looked_for_in_all_rows(folder: Path) -> None:
    spec = spec_of({"data": written(folder, *[TALK] * 3), "eval_share": 0, **GOOD})
    assert not shows_images(spec)
    assert shows_images(spec_of({"data": written(folder, *[TALK] * 3, SEEN), **GOOD}))
    assert not shows_images(spec_of({"data": "llama-keeper"}))


def test_an_estimate_takes_rows_with_images_as_long_as_they_may_be_and_says_what_it_leaves_out(folder: Path) -> None:
    pocket = trainable("pocket-v0")
    words = estimated(spec_of({"data": written(folder, *[TALK] * 4), "eval_share": 0, "steps": 1}), pocket)
    seen = estimated(spec_of({"data": written(folder, *[SEEN] * 4), "eval_share": 0, "steps": 1}), pocket)
    assert words
    assert seen
    assert (words.not_counted, words.tokens_most < 800) == ("", True)
    assert seen.tokens_most == 8 * 2048
    assert "images themselves is not counted" in seen.not_counted


def test_a_table_names_images_as_json(folder: Path) -> None:
    turns = json.dumps(asked({"type": "image"})["messages"]).replace('"', '""')
    (folder / "rows.csv").write_text(f'messages,images\n"{turns}","[""images/a.png""]"\n"{turns}",images/a.png\n')
    rows: list[Row] = rows_in(str(folder / "rows.csv"), seen_row_of)
    assert [row.images[0].source for row in rows] == ["images/a.png"] * 2
    assert first_rows(str(folder / "rows.csv"), 1, seen_row_of) == rows[:1]

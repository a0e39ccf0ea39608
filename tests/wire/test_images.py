"""Tests how the images of a request reach the engine (rows 33-39)."""

from __future__ import annotations

import base64
import io
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from PIL import Image

from tests.wire.conftest import visit
from tests.wire.rig import TOOL, USER, Json, Rig, body_of, scripted_studio

pytestmark = pytest.mark.anyio
SIZE = (6, 4)


@pytest.fixture(scope="module")
async def seeing_studio(anyio_backend: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Rig]:
    script: Any = {"props": {"modalities": {"vision": True}}}
    async with scripted_studio(tmp_path_factory.mktemp("seeing"), script=script) as rig:
        yield rig


@pytest.fixture
async def seeing(seeing_studio: Rig) -> AsyncGenerator[Rig]:
    """Paddock before an engine whose model sees."""
    async with visit(seeing_studio) as rig:
        yield rig


def picture(mode: str = "RGB", form: str = "PNG", **options: Any) -> bytes:
    """The bytes of a small image of one mode."""
    packed = io.BytesIO()
    image = Image.new("RGB", SIZE, (200, 100, 50)).convert("L" if mode == "I;16" else mode)
    if mode == "I;16":
        image = Image.frombytes("I;16", SIZE, b"\x10\x27" * (SIZE[0] * SIZE[1]))
    image.save(packed, format=form, **options)
    return packed.getvalue()


def data_url(data: bytes, kind: str = "image/png") -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def part(url: Any) -> Json:
    return {"type": "image_url", "image_url": {"url": url}}


def read(sent: Json) -> Image.Image:
    """The image of a part as the engine gets it."""
    head, _, payload = sent["image_url"]["url"].partition(",")
    assert head in ("data:image/png;base64", "data:image/jpeg;base64")
    image = Image.open(io.BytesIO(base64.b64decode(payload)))
    image.load()
    return image


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


IMAGES = {
    "legacy": {"image_base64": text(picture())},
    "inline": {
        "messages": [{"role": "user", "content": [{"type": "text", "text": "What?"}, part(data_url(picture()))]}]
    },
}


@pytest.mark.parametrize("kind", IMAGES)
@pytest.mark.parametrize("tools", [None, [TOOL]])
@pytest.mark.parametrize("stream", [False, True])
async def test_rows_33_and_34_an_image_for_a_text_model_is_a_clear_400(
    rig: Rig, kind: str, tools: Any, stream: bool
) -> None:
    response = await rig.chat(tools=tools, stream=stream, **IMAGES[kind])
    assert response.status_code == 400, response.text
    assert "image" in response.json()["error"]["message"]
    assert await rig.engine.seen() == []


@pytest.mark.parametrize("kind", IMAGES)
@pytest.mark.parametrize("stream", [False, True])
async def test_an_image_for_a_text_model_is_a_400_also_when_it_must_be_loaded_to_know(
    tmp_path: Any, kind: str, stream: bool
) -> None:
    async with scripted_studio(tmp_path, warm=False) as cold:
        response = await cold.chat(stream=stream, **IMAGES[kind])
        assert response.status_code == 400, response.text


@pytest.mark.parametrize("content", ["What?", [{"type": "text", "text": "What?"}]])
async def test_row_35_a_legacy_image_joins_the_last_user_message(seeing: Rig, content: Any) -> None:
    messages = [USER, {"role": "assistant", "content": "Hm"}, {"role": "user", "content": content}]
    body = await seeing.forwarded(
        messages=[*messages, {"role": "assistant", "content": "So"}], image_base64=text(picture("RGBA"))
    )
    assert "image_base64" not in body
    assert body["messages"][:2] == messages[:2]
    assert body["messages"][3]["content"] == "So"
    first, last = body["messages"][2]["content"]
    assert first == {"type": "text", "text": "What?"}
    image = read(last)
    assert (image.format, image.mode, image.size) == ("PNG", "RGB", SIZE)


async def test_row_36_without_a_user_message_the_image_is_one(seeing: Rig) -> None:
    system = {"role": "system", "content": "Look."}
    body = await seeing.forwarded(messages=[system], image_base64=text(picture()))
    assert body["messages"][0] == system
    assert [message["role"] for message in body["messages"]] == ["system", "user"]
    assert [item["type"] for item in body["messages"][1]["content"]] == ["image_url"]


MODES = {
    "RGBA": "PNG", "P": "PNG", "L": "PNG", "LA": "PNG", "CMYK": "JPEG", "I": "TIFF", "I;16": "PNG", "F": "TIFF",
    "1": "PNG",
}  # fmt: skip


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("tools", [None, [TOOL]])
async def test_row_37_an_image_of_any_mode_arrives_as_rgb(seeing: Rig, mode: str, tools: Any) -> None:
    data = picture(mode, MODES[mode])
    assert Image.open(io.BytesIO(data)).mode == mode
    body = await seeing.forwarded(image_base64=text(data), tools=tools)
    assert read(body["messages"][-1]["content"][-1]).mode == "RGB"


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "GIF", "BMP"])
async def test_a_legacy_image_may_be_any_common_file_and_a_data_url(seeing: Rig, form: str) -> None:
    data = picture("RGB", form)
    for given in (text(data), data_url(data, f"image/{form.lower()}")):
        body = await seeing.forwarded(image_base64=given)
        assert read(body["messages"][-1]["content"][-1]).size == SIZE


def bomb() -> bytes:
    """Fifty kilobytes that unpack to 400 million pixels."""
    packed = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(packed, format="PNG")
    return packed.getvalue()


BAD_IMAGES = {
    "not base64": "§§§",
    "not an image": text(b"hello, I am a text file"),
    "truncated": text(picture()[:40]),
    "nothing inside": text(b"\x89PNG\r\n\x1a\n"),
    "a bomb": text(bomb()),
}


@pytest.mark.parametrize("name", BAD_IMAGES)
@pytest.mark.parametrize("stream", [False, True])
async def test_row_38_an_image_that_cannot_be_read_is_a_400(seeing: Rig, name: str, stream: bool) -> None:
    bad = BAD_IMAGES[name]
    inline = [{"role": "user", "content": [part("data:image/png;base64," + bad)]}]
    for fields in ({"image_base64": bad}, {"messages": inline}):
        response = await seeing.chat(stream=stream, **fields)
        assert response.status_code == 400, response.text
        assert "image" in response.json()["error"]["message"].lower()
    assert await seeing.engine.seen() == []


@pytest.mark.parametrize("form", ["PNG", "JPEG"])
async def test_row_39_inline_images_are_left_untouched(seeing: Rig, form: str) -> None:
    url = data_url(picture("RGB", form), f"image/{form.lower()}")
    content = [part(url), {"type": "text", "text": "One"}, part(url), {"type": "text", "text": "Two"}]
    messages = [{"role": "user", "content": content}]
    assert (await seeing.forwarded(messages=messages, tools=[TOOL]))["messages"] == messages


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1/x.png", "https://example.invalid/x.png", "file:///etc/passwd", "x.png", "", None]
)
@pytest.mark.parametrize("stream", [False, True])
async def test_row_39_an_image_that_would_have_to_be_fetched_is_a_named_400(
    seeing: Rig, url: Any, stream: bool
) -> None:
    response = await seeing.chat(messages=[{"role": "user", "content": [part(url)]}], stream=stream)
    assert response.status_code == 400, response.text
    assert response.json()["error"]["param"].startswith("messages.0.content.0")
    assert await seeing.engine.seen() == []


async def test_an_inline_image_that_engines_do_not_read_arrives_as_one_that_they_do(seeing: Rig) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: turned by a quarter
    turned = data_url(picture("RGB", "JPEG", exif=exif), "image/jpeg")
    for url, size in ((data_url(picture("RGB", "WEBP"), "image/webp"), SIZE), (turned, (SIZE[1], SIZE[0]))):
        body = await seeing.forwarded(messages=[{"role": "user", "content": [part(url)]}])
        image = read(body["messages"][0]["content"][0])
        assert (image.mode, image.size) == ("RGB", size)


async def test_a_user_message_may_be_an_image_alone(seeing: Rig) -> None:
    messages = [{"role": "user", "content": [part(data_url(picture()))]}]
    response = await seeing.chat(messages=messages)
    assert response.status_code == 200
    assert body_of((await seeing.engine.seen())[0])["messages"] == messages


@pytest.mark.parametrize("kind", ["input_audio", "file"])
async def test_parts_that_are_not_supported_are_named(seeing: Rig, kind: str) -> None:
    response = await seeing.chat(messages=[{"role": "user", "content": [{"type": kind, kind: {"data": "x"}}]}])
    assert (response.status_code, response.json()["error"]["param"]) == (400, "messages.0.content.0")

"""Tests how the images of a request reach the engine (rows 33-39)."""

from __future__ import annotations

import asyncio
import base64
import io
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
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


def picture(mode: str = "RGB", form: str = "PNG", *, size: tuple[int, int] = SIZE, **options: Any) -> bytes:
    """The bytes of a small image of one mode."""
    packed = io.BytesIO()
    image = Image.new("RGB", size, (200, 100, 50)).convert("L" if mode == "I;16" else mode)
    if mode == "I;16":
        image = Image.frombytes("I;16", size, b"\x10\x27" * (size[0] * size[1]))
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


def inline(url: str) -> Json:
    return {"messages": [{"role": "user", "content": [{"type": "text", "text": "What?"}, part(url)]}]}


IMAGES: dict[str, Json] = {"legacy": {"image_base64": text(picture())}, "inline": inline(data_url(picture()))}


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
    for fields in ({"image_base64": bad}, inline("data:image/png;base64," + bad)):
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


# What no image can come from, and a word of the reason.
SOURCES: dict[Any, str] = {
    "file:///etc/passwd": "only http and https",
    "ftp://images.example/x.png": "only http and https",
    "x.png": "only http and https",
    "": "'url'",
    None: "'url'",
    "http://user:secret@images.example/x.png": "user name",
    "http://127.0.0.1:25/x.png": "port 25",
    "data:image/svg+xml;base64,PHN2Zy8+": "SVG",
    "data:image/png;base64,": "empty",
    "data:image/png,x": "not base64",
    "data:image/png;base64,aGVsbG8": "padding",
    "data:text/html;base64,aGk=": "no image",
}


@pytest.mark.parametrize("url", SOURCES)
@pytest.mark.parametrize("stream", [False, True])
async def test_an_image_from_nowhere_is_a_named_400_with_its_reason(seeing: Rig, url: Any, stream: bool) -> None:
    response = await seeing.chat(messages=[{"role": "user", "content": [part(url)]}], stream=stream)
    assert response.status_code == 400, response.text
    error = response.json()["error"]
    assert error["param"].startswith("messages.0.content.0")
    assert SOURCES[url] in error["message"]
    assert await seeing.engine.seen() == []


@asynccontextmanager
async def counting() -> AsyncGenerator[tuple[int, list[str]]]:
    """A port of loopback, of both families, and a note of each connection that came to it."""
    came: list[str] = []

    async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.append(str(writer.get_extra_info("peername")))
        writer.close()

    four = await asyncio.start_server(note, "127.0.0.1", 0)
    port = four.sockets[0].getsockname()[1]
    six = await asyncio.start_server(note, "::1", port)
    try:
        yield port, came
    finally:
        for server in (four, six):
            server.close()
            await server.wait_closed()


@pytest.mark.rule("images-never-inside")
@pytest.mark.parametrize("stream", [False, True])
async def test_row_39_no_connection_to_a_private_address_is_ever_opened(seeing: Rig, stream: bool) -> None:
    async with counting() as (port, came):
        for host in ("127.0.0.1", "localhost", "[::1]", "0.0.0.0", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]"):
            url = f"http://{host}:{port}/x.png"
            content = [part(data_url(picture())), part(url)]
            response = await seeing.chat(messages=[{"role": "user", "content": content}], stream=stream)
            assert response.status_code == 400, response.text
            error = response.json()["error"]
            assert error["param"] == "messages.0.content.1.image_url"
            assert "is not fetched" in error["message"]
        assert came == []
    assert await seeing.engine.seen() == []


async def test_a_text_model_has_nothing_fetched_for_it(rig: Rig) -> None:
    async with counting() as (port, came):
        response = await rig.chat(messages=[{"role": "user", "content": [part(f"http://127.0.0.1:{port}/x.png")]}])
        assert response.status_code == 400
        assert "reads text only" in response.json()["error"]["message"]
        assert came == []


@pytest.mark.parametrize("stream", [False, True])
async def test_with_fetching_turned_off_a_remote_image_is_a_named_400(tmp_path: Any, stream: bool) -> None:
    script: Any = {"props": {"modalities": {"vision": True}}}
    async with scripted_studio(tmp_path, script=script, fetch_images=False) as rig:
        response = await rig.chat(**inline("http://images.example/x"), stream=stream)
        assert response.status_code == 400, response.text
        assert response.json()["error"]["param"] == "messages.0.content.1.image_url"
        assert "fetch_images" in response.json()["error"]["message"]


@pytest.mark.rule("images-refused")
@pytest.mark.parametrize("fields", IMAGES.values(), ids=IMAGES)
async def test_an_image_file_above_the_setting_is_a_named_400(tmp_path: Any, fields: Json) -> None:
    big = picture("RGB", "BMP", size=(40, 40))
    script: Any = {"props": {"modalities": {"vision": True}}}
    async with scripted_studio(tmp_path, script=script, image_most_bytes=1024) as rig:
        given = {"image_base64": text(big)} if "image_base64" in fields else inline(data_url(big))
        response = await rig.chat(**given)
        assert response.status_code == 400, response.text
        assert "image_most_bytes" in response.json()["error"]["message"]


@pytest.mark.rule("images-form")
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


@pytest.mark.rule("audio")
@pytest.mark.parametrize("kind", ["input_audio", "file"])
async def test_parts_that_are_not_supported_are_named(seeing: Rig, kind: str) -> None:
    response = await seeing.chat(messages=[{"role": "user", "content": [{"type": kind, kind: {"data": "x"}}]}])
    assert (response.status_code, response.json()["error"]["param"]) == (400, "messages.0.content.0")

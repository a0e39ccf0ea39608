"""Tests which images a request may bring, by a look at its body, and how what was fetched takes its place."""

from __future__ import annotations

import base64
import copy
import io
from typing import Any

import pytest
from PIL import Image

from paddock.errors import BadRequest, ImageRefused
from paddock.pixels import decode_base64
from paddock.serving.images import (
    MOST_IMAGES,
    MOST_REMOTE_IMAGES,
    Intake,
    admit,
    check_sources,
    has_images,
    settle,
    settled,
)

Json = dict[str, Any]
USER: Json = {"role": "user", "content": "What?"}
TEXT: Json = {"type": "text", "text": "What?"}


def flat(mode: str, form: str = "PNG") -> bytes:
    """The bytes of a small image of one colour."""
    held = io.BytesIO()
    Image.new("RGB", (6, 4), (200, 100, 50)).convert(mode).save(held, format=form)
    return held.getvalue()


GOOD = flat("RGB")


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def url_of(data: bytes, kind: str = "png") -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def part(url: Any) -> Json:
    return {"type": "image_url", "image_url": {"url": url}}


def user(*parts: Any) -> Json:
    return {"role": "user", "content": list(parts)}


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://x", "x.png", "//x/y.png", "http:/x", "httpx://x", "blob:http://x", "\ud800"]
)
def test_an_image_at_what_is_no_web_address_is_refused_with_its_place(url: str) -> None:
    with pytest.raises(BadRequest, match="only http and https") as caught:
        check_sources({"messages": [USER, user(TEXT, part(url))]})
    assert caught.value.param == "messages.1.content.1.image_url"


@pytest.mark.anyio
@pytest.mark.parametrize("url", ["http://images.example/x.png", "HTTPS://images.example/x"])
async def test_an_image_at_a_web_address_passes_unless_fetching_is_turned_off(url: str) -> None:
    body: Json = {"messages": [USER, user(TEXT, part(url))]}
    check_sources(body)
    assert has_images(body)
    with pytest.raises(ImageRefused, match="fetch_images") as caught:
        await settle(body, None, Intake(fetches=False))
    assert caught.value.param == "messages.1.content.1.image_url"


@pytest.mark.anyio
async def test_for_a_text_model_no_image_is_looked_at() -> None:
    body: Json = {"messages": [user(part("http://127.0.0.1:1/x")), user(part("data:image/png;base64,§"))]}
    with pytest.raises(ImageRefused, match="'tiny' reads text only"):
        await admit(body, None, model_id="tiny", sees_images=False)


def test_messages_that_are_none_bring_no_images() -> None:
    assert not has_images({"messages": ["x", None, 5, {"content": 5}]})


# A data URL that cannot hold an image we read, and the word of the reason.
DATA_URLS = {
    "data:image/svg+xml;base64,PHN2Zy8+": "SVG",
    "data:image/svg+xml;utf8,<svg/>": "SVG",
    "data:text/html;base64,aGk=": "text/html",
    "data:application/pdf;base64,aGk=": "application/pdf",
    "data:image/png,hello": "not base64",
    "data:image/png;base64": "not base64",
    "data:": "not base64",
    "data:image/png;base64,": "empty",
    "data:image/png;base64, \n": "empty",
}


@pytest.mark.rule("images-refused")
@pytest.mark.parametrize("url", DATA_URLS)
def test_a_data_url_of_no_image_is_refused_with_its_place_and_reason(url: str) -> None:
    with pytest.raises(ImageRefused, match=DATA_URLS[url]) as caught:
        check_sources({"messages": [USER, user(TEXT, part(url))]})
    assert caught.value.param == "messages.1.content.1.image_url"
    with pytest.raises(ImageRefused, match=DATA_URLS[url]) as caught:
        check_sources({"messages": [USER], "image_base64": url})
    assert caught.value.param == "image_base64"


@pytest.mark.rule("images-sources")
@pytest.mark.parametrize("head", ["data:image/png;base64", "data:;base64", "DATA:IMAGE/PNG;charset=x;BASE64",
                                  "data:application/octet-stream;base64"])  # fmt: skip
def test_a_data_url_may_be_written_in_any_usual_way(head: str) -> None:
    body: Json = {"messages": [user(part(f"{head},{base64.b64encode(GOOD).decode()}"))]}
    check_sources(body)
    assert settled(body, None) == body


@pytest.mark.rule("images-refused")
@pytest.mark.parametrize("text", ["aGVsbG8", "aGVsbG8==", "aGVsb"])
def test_wrong_padding_is_named(text: str) -> None:
    for given in (text, f"data:image/png;base64,{text}"):
        with pytest.raises(ImageRefused, match="padding") as caught:
            settled({"messages": [user(part(url_of(GOOD)), part(given))]}, None)
        assert caught.value.param == "messages.0.content.1.image_url"


def test_more_images_than_any_context_holds_are_refused() -> None:
    inline, remote = part(url_of(GOOD)), [part(f"http://images.example/{n}") for n in range(MOST_REMOTE_IMAGES)]
    check_sources({"messages": [user(*[inline] * MOST_IMAGES)]})
    check_sources({"messages": [user(*remote, *remote)]})
    with pytest.raises(BadRequest, match=f"{MOST_IMAGES + 1} images"):
        check_sources({"messages": [user(*[inline] * MOST_IMAGES), user(inline)]})
    with pytest.raises(BadRequest, match="remote images"):
        check_sources({"messages": [user(*remote, part("http://images.example/more"))]})


def test_an_image_file_above_the_bound_is_refused_before_it_is_read() -> None:
    small = Intake(most_bytes=len(GOOD) - 1)
    for body, legacy in (
        ({"messages": [user(part(url_of(GOOD)))]}, None),
        ({"messages": [USER]}, base64.b64encode(GOOD).decode()),
    ):
        with pytest.raises(ImageRefused, match="image_most_bytes") as caught:
            settled(body, legacy, None, small)
        assert caught.value.param in ("messages.0.content.0.image_url", "image_base64")


def test_a_fetched_image_takes_the_place_of_its_address() -> None:
    one, two = "https://images.example/one", "http://images.example/two"
    jpeg, clear = flat("RGB", "JPEG"), flat("RGBA")
    body: Json = {"messages": [user(part(one), TEXT, {**part(two), "x": 1}, {"type": "image_url", "image_url": one})]}
    before = copy.deepcopy(body)
    first, text, second, again = settled(body, None, {one: jpeg, two: clear})["messages"][0]["content"]
    assert body == before
    assert (first, text, again) == (part(url_of(jpeg, "jpeg")), TEXT, first)
    assert second["x"] == 1
    assert opened(decode_base64(second["image_url"]["url"])).mode == "RGB"
    assert settled({"messages": [user(part(one))]}, None, {one: GOOD})["messages"][0]["content"] == [part(url_of(GOOD))]
    with pytest.raises(ImageRefused, match="not fetched") as caught:
        settled(body, None, {one: jpeg})
    assert caught.value.param == "messages.0.content.2.image_url"


@pytest.mark.parametrize("value", [None, {}, {"url": None}, {"url": ""}, {"url": 5}, {"url": [1]}, 5, []])
def test_an_image_without_an_address_is_refused_with_its_place(value: Any) -> None:
    with pytest.raises(BadRequest, match="'url'") as caught:
        check_sources({"messages": [user({"type": "image_url", "image_url": value})]})
    assert caught.value.param == "messages.0.content.0.image_url"


@pytest.mark.parametrize("kind", ["input_audio", "file", "video_url", "tomorrow"])
def test_parts_that_no_engine_takes_are_refused_with_their_place(kind: str) -> None:
    with pytest.raises(BadRequest, match=kind) as caught:
        check_sources({"messages": [user(TEXT, {"type": kind})]})
    assert caught.value.param == "messages.0.content.1"

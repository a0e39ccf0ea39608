"""Tests the way of remote images into a request, on real sockets: 127.0.0.2 plays a public address."""

from __future__ import annotations

import base64
import io
from ipaddress import ip_address
from typing import Any

import pytest
from PIL import Image

from paddock.errors import ImageRefused
from paddock.fetch.addresses import Address, Policy
from paddock.serving.images import Intake, admit, settle
from tests.wire.test_fetch import OPEN, Listener, listening, redirect, whole

pytestmark = pytest.mark.anyio
Json = dict[str, Any]


def only_open(address: Address) -> bool:
    return address == ip_address(OPEN)


INTAKE = Intake(timeout_s=20, policy=Policy(is_allowed=only_open))


def picture(mode: str = "RGB", form: str = "PNG", **options: Any) -> bytes:
    held = io.BytesIO()
    Image.new("RGB", (6, 4), (200, 100, 50)).convert(mode).save(held, form, **options)
    return held.getvalue()


def bomb() -> bytes:
    """A file of fifty kilobytes that unpacks to 400 million pixels."""
    held = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(held, format="PNG")
    return held.getvalue()


def body(listener: Listener, *paths: str) -> Json:
    parts = [{"type": "image_url", "image_url": {"url": f"http://{OPEN}:{listener.port}{path}"}} for path in paths]
    return {"messages": [{"role": "user", "content": [{"type": "text", "text": "What?"}, *parts]}]}


def urls(settled: Json) -> list[str]:
    return [part["image_url"]["url"] for part in settled["messages"][0]["content"][1:]]


@pytest.mark.rule("images-sources")
async def test_several_remote_images_arrive_as_data_urls_each_fetched_once() -> None:
    data = picture()
    async with listening(OPEN, whole(data)) as opened:
        got = urls(await settle(body(opened, "/a", "/b", "/a", "/c", "/d", "/e"), None, INTAKE))
        assert opened.connections == 5
    assert got == ["data:image/png;base64," + base64.b64encode(data).decode()] * 6


@pytest.mark.rule("images-form")
async def test_a_remote_image_of_any_mode_arrives_as_rgb_and_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: turned by a quarter
    for data, size in (
        (picture("RGBA"), (6, 4)),
        (picture("L", "GIF"), (6, 4)),
        (picture("RGB", "JPEG", exif=exif), (4, 6)),
    ):
        async with listening(OPEN, redirect("/there"), whole(data, kind="application/octet-stream")) as opened:
            (url,) = urls(await settle(body(opened, "/a"), None, INTAKE))
        image = Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))
        assert (image.mode, image.size) == ("RGB", size)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (whole(bomb()), "pixels"),
        (whole(b"<svg/>", kind="image/svg+xml; charset=utf-8"), "SVG"),
        (whole(b"<svg/>"), "cannot be read"),
        (whole(b"<html>", kind="text/html"), "text/html"),
        (whole(b""), "empty"),
        (whole(status="404 Not Found"), "status 404"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2147483648\r\n\r\n", "larger than"),
        (redirect("http://127.0.0.1:9/"), "not fetched"),
    ],
)
async def test_a_remote_image_that_cannot_be_used_is_refused_with_its_place(answer: bytes, reason: str) -> None:
    async with listening(OPEN, answer) as opened:
        with pytest.raises(ImageRefused, match=reason) as caught:
            await settle(body(opened, "/a", "/a"), None, INTAKE)
    assert str(caught.value.param).startswith("messages.0.content.")


@pytest.mark.rule("images-refused")
async def test_an_endless_image_is_cut_off_at_the_bound() -> None:
    async with listening(OPEN, b"HTTP/1.1 200 OK\r\n\r\n" + bytes(200_000)) as opened:
        with pytest.raises(ImageRefused, match="larger than 5000 bytes"):
            await settle(body(opened, "/a"), None, Intake(most_bytes=5000, policy=INTAKE.policy))


async def test_one_image_that_fails_ends_the_fetching_of_the_others() -> None:
    async with listening(OPEN, b"", is_silent=True) as silent, listening(OPEN, whole(status="410 Gone")) as gone:
        both = body(silent, "/a")
        both["messages"] += body(gone, "/b")["messages"]
        with pytest.raises(ImageRefused, match="status 410") as caught:
            await settle(both, None, INTAKE)
    assert caught.value.param == "messages.1.content.1.image_url"


async def test_for_a_text_model_nothing_is_fetched() -> None:
    async with listening(OPEN, whole(picture())) as opened:
        with pytest.raises(ImageRefused, match="reads text only"):
            await admit(body(opened, "/a"), None, model_id="m", sees_images=False, intake=INTAKE)
        assert opened.connections == 0
        seen = await admit(body(opened, "/a"), None, model_id="m", sees_images=True, intake=INTAKE)
        assert (opened.connections, urls(seen)[0][:15]) == (1, "data:image/png;")

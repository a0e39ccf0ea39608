"""Tests that images reach a real engine: pocket with untrained eyes, made by tools/pocket/projector.py."""

from __future__ import annotations

import asyncio
import base64
import io
import shutil
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from paddock.app import Studio, running
from paddock.config import load
from paddock.models.catalog import BUNDLED
from tests.engine import environ
from tools.pocket import projector

pytestmark = pytest.mark.anyio
Json = dict[str, Any]
TEXT: Json = {"type": "text", "text": "What is this?"}


@pytest.fixture
async def seeing(anyio_backend: str, tmp_path: Path) -> AsyncGenerator[Studio]:
    """Paddock with the real engine and a model that takes in images, found by their names alone."""
    model = tmp_path / "pocket-eyes-Q8_0.gguf"
    shutil.copyfile(BUNDLED["pocket-v0"], model)
    projector.write(tmp_path / "mmproj-pocket-eyes-F16.gguf", width=projector.width_of(model))
    settings = load(
        {"port": 0, "context_tokens": 2048, "threads": 1, "model": str(model)},
        environ=environ(tmp_path / "home"),
    )
    async with running(settings) as studio:
        yield studio


@pytest.fixture
async def http(seeing: Studio) -> AsyncGenerator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=seeing.url, trust_env=False, timeout=60) as client:
        yield client


def picture(mode: str) -> Image.Image:
    """Left half red, right half blue."""
    image = Image.new("RGB", (40, 20), (220, 20, 20))
    image.paste((20, 20, 220), (20, 0, 40, 20))
    return image.convert(mode)


def data_url(mode: str = "RGB", form: str = "PNG", **options: Any) -> str:
    held = io.BytesIO()
    picture(mode).save(held, form, **options)
    return f"data:image/{form.lower()};base64,{base64.b64encode(held.getvalue()).decode()}"


def turned() -> str:
    exif = Image.Exif()
    exif[0x0112] = 6
    return data_url("RGB", "JPEG", exif=exif)


IMAGES = {
    "PNG": data_url(),
    "JPEG": data_url("RGB", "JPEG"),
    "RGBA": data_url("RGBA"),
    "palette": data_url("P", "GIF"),
    "turned by EXIF": turned(),
    "WebP": data_url("RGB", "WEBP"),
}


def chat(*urls: str) -> Json:
    parts = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    return {"messages": [{"role": "user", "content": [TEXT, *parts]}], "max_tokens": 4, "temperature": 0}


async def prompt_tokens(http: httpx.AsyncClient, body: Json) -> int:
    response = await http.post("/v1/chat/completions", json=body)
    assert response.status_code == 200, response.text
    answer = response.json()
    assert answer["choices"][0]["message"]["content"]
    return int(answer["usage"]["prompt_tokens"])


@pytest.mark.rule("images-seen")
async def test_an_image_of_any_kind_is_seen_by_a_real_engine(http: httpx.AsyncClient) -> None:
    plain = await prompt_tokens(http, chat())
    for name, url in IMAGES.items():
        assert await prompt_tokens(http, chat(url)) == plain + projector.IMAGE_TOKENS, name
    assert await prompt_tokens(http, chat(*IMAGES.values())) == plain + len(IMAGES) * projector.IMAGE_TOKENS
    legacy = {**chat(), "image_base64": IMAGES["PNG"]}
    assert await prompt_tokens(http, legacy) == plain + projector.IMAGE_TOKENS


async def test_a_model_with_a_projector_says_that_it_sees(seeing: Studio, http: httpx.AsyncClient) -> None:
    async with seeing.pool.lease("pocket-eyes-Q8_0") as lease:
        assert lease.abilities.sees_images
    one, _ = (await http.get("/v1/models")).json()["data"]
    assert "vision" in one["capabilities"]


@pytest.mark.rule("images-seen")
@pytest.mark.parametrize("streamed", [False, True])
async def test_the_image_is_seen_in_every_dialect(http: httpx.AsyncClient, streamed: bool) -> None:
    media_type, _, data = IMAGES["RGBA"].removeprefix("data:").partition(";base64,")
    source = {"type": "base64", "media_type": media_type, "data": data}
    asked: dict[str, Json] = {
        "/v1/chat/completions": chat(IMAGES["RGBA"]),
        "/v1/messages": {
            "model": "pocket-eyes-Q8_0",
            "max_tokens": 4,
            "messages": [{"role": "user", "content": [TEXT, {"type": "image", "source": source}]}],
        },
        "/v1/responses": {
            "model": "pocket-eyes-Q8_0",
            "max_output_tokens": 4,
            "store": False,
            "input": [
                {
                    "role": "user",
                    "content": [
                        {"type": "input_text", "text": TEXT["text"]},
                        {"type": "input_image", "image_url": IMAGES["RGBA"]},
                    ],
                }
            ],
        },
    }
    for path, body in asked.items():
        response = await http.post(path, json={**body, "stream": streamed})
        assert response.status_code == 200, (path, response.text)
        assert not any(mark in response.text for mark in ("event: error", '"error": {', '"error":{')), path
        if not streamed:
            usage = response.json()["usage"]
            tokens = usage.get("prompt_tokens") or usage["input_tokens"] + usage.get("cache_read_input_tokens", 0)
            assert tokens > projector.IMAGE_TOKENS, path


async def test_the_tokens_of_an_image_are_counted_as_the_engine_counts_them(http: httpx.AsyncClient) -> None:
    source = {"type": "url", "url": "http://127.0.0.1:8080/x.png"}
    media_type, _, data = IMAGES["JPEG"].removeprefix("data:").partition(";base64,")
    counts: list[int] = []
    for parts in ([], [{"type": "image", "source": {"type": "base64", "media_type": media_type, "data": data}}]):
        body: Json = {"model": "pocket-eyes-Q8_0", "messages": [{"role": "user", "content": [TEXT, *parts]}]}
        response = await http.post("/v1/messages/count_tokens", json=body)
        assert response.status_code == 200, response.text
        counts.append(response.json()["input_tokens"])
    assert counts[1] - counts[0] == projector.IMAGE_TOKENS
    body = {
        "model": "pocket-eyes-Q8_0",
        "messages": [{"role": "user", "content": [{"type": "image", "source": source}]}],
    }
    response = await http.post("/v1/messages/count_tokens", json=body)
    assert response.status_code == 400
    assert "not at a public address" in response.text


@pytest.mark.rule("images-never-inside")
@pytest.mark.parametrize("kind", ["image_url", "video_url", "input_video"])
async def test_the_engine_is_never_given_an_address_to_fetch(http: httpx.AsyncClient, kind: str) -> None:
    # The engine would: it fetches what these parts name by itself, also where it only renders or counts a prompt.
    came: list[str] = []

    async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.append(str(writer.get_extra_info("peername")))
        writer.close()

    server = await asyncio.start_server(note, "127.0.0.1", 0)
    try:
        address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/x"
        body: Json = {"messages": [{"role": "user", "content": [TEXT, {"type": kind, kind: {"url": address}}]}]}
        for path in ("/v1/chat/completions", "/apply-template"):
            response = await http.post(path, json=body)
            assert response.status_code == 400, (path, response.text)
        assert came == []
    finally:
        server.close()
        await server.wait_closed()


async def test_a_text_model_beside_it_refuses_images(http: httpx.AsyncClient) -> None:
    response = await http.post("/v1/chat/completions", json={**chat(IMAGES["PNG"]), "model": "pocket-v0"})
    assert response.status_code == 400
    assert "reads text only" in response.json()["error"]["message"]

"""Tests the tools of the web on real sockets: searches by a SearXNG, pages read as words, and what is refused."""

from __future__ import annotations

import json
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from paddock.caller import LOCAL
from paddock.config import load
from paddock.fetch.addresses import Policy
from paddock.protocol.turns import Outcome
from paddock.tools import web
from paddock.tools.tool import Given, Unfit
from paddock.tools.workspaces import workspace
from tests.shapes.responses_streams import calls, says
from tests.wire.rig import Json, Rig, scripted_studio
from tests.wire.test_fetch import OPEN, listening, only_open
from tests.wire.test_toolloop import asks, conversations, turn

pytestmark = pytest.mark.anyio
PAGE = (
    "<!doctype html><html><head><title>Hay</title></head><body><nav><a href=/x>Shop</a></nav>"
    "<main><article><h1>Hay</h1>"
    "<p>Hay is grass that was cut and dried in the sun, which takes two to four days in good weather.</p>"
    "<table><tr><th>Kind</th><th>Days</th></tr><tr><td>Clover</td><td>4</td></tr></table>"
    "<p>See <a href='https://example.org/bales'>more on bales</a>, which are round or square: Käse für Öfen.</p>"
    "</article></main><script>alert(1)</script></body></html>"
)


def answer(body: bytes | str, kind: str = "text/html; charset=utf-8", status: str = "200 OK") -> bytes:
    data = body.encode() if isinstance(body, str) else body
    return f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data


async def used(home: Path, name: str, arguments: Json, **settings: Any) -> Outcome:
    """A call of a tool of the web, which may fetch from what plays a public address."""
    found = load({"port": 0, **settings}, environ={"PADDOCK_HOME": str(home)})
    (tool,) = [one for one in web.tools(found, Policy(is_allowed=only_open)) if one.name == name]

    async def tell(_: str) -> None:
        raise AssertionError

    async with AsyncExitStack() as stack:
        place = await stack.enter_async_context(workspace(found.home, LOCAL, ""))
        return await tool.carry_out(Given(arguments=arguments, workspace=place, tell=tell))


async def test_a_page_is_read_as_markdown_without_its_menus(tmp_path: Path) -> None:
    async with listening(OPEN, answer(PAGE)) as server:
        found = (await used(tmp_path, "web_fetch", {"url": f"http://{OPEN}:{server.port}/hay"})).text
    assert "# Hay" in found
    assert "| Clover | 4 |" in found
    assert "[more on bales](https://example.org/bales)" in found
    assert "Käse für Öfen" in found
    assert not any(word in found for word in ("Shop", "alert"))


async def test_a_long_text_is_read_in_pieces(tmp_path: Path) -> None:
    words = "".join(f"{n:07} " for n in range(5000))
    async with listening(OPEN, answer(words, "text/plain")) as server:
        url = f"http://{OPEN}:{server.port}/long.txt"
        first = (await used(tmp_path, "web_fetch", {"url": url})).text
        second = (await used(tmp_path, "web_fetch", {"url": url, "first_character": 20_000})).text
    assert first.endswith("[characters 0 to 20000 of 40000]")
    assert first[:20_000] + second[:20_000] == words


@pytest.mark.parametrize(
    ("body", "kind", "why"),
    [
        (b"\x00\x01\x02", "application/octet-stream", "cannot be read as words"),
        ("<html><body><script>render()</script></body></html>", "text/html", "There are no words in it"),
        ("", "text/html", "no HTML|no words"),
        (b"%PDF-1.7 broken", "application/pdf", "cannot be read"),
        ("<p>" + "<div>" * 200_000, "text/html", "no words|no HTML|memory|characters"),
    ],
)
async def test_what_holds_no_words_is_told(tmp_path: Path, body: bytes | str, kind: str, why: str) -> None:
    async with listening(OPEN, answer(body, kind)) as server:
        with pytest.raises(Unfit, match=why):
            await used(tmp_path, "web_fetch", {"url": f"http://{OPEN}:{server.port}/x"})


@pytest.mark.attack("having paddock connect elsewhere")
@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:{port}/", "http://localhost:{port}/", "http://[::1]:{port}/", "http://0x7f000001:{port}/",
     "file:///etc/passwd", "gopher://127.0.0.1:{port}/", "http://user:pass@127.0.0.2:{port}/", "//127.0.0.1:{port}/"],
)  # fmt: skip
async def test_no_page_is_fetched_from_this_machine_or_its_network(tmp_path: Path, url: str) -> None:
    async with listening("127.0.0.1", answer(PAGE)) as server:
        with pytest.raises(Unfit):
            await used(tmp_path, "web_fetch", {"url": url.format(port=server.port)})
        assert server.connections == 0


@pytest.mark.attack("having paddock connect elsewhere")
async def test_no_redirect_leads_to_this_machine(tmp_path: Path) -> None:
    async with listening("127.0.0.1", answer(PAGE)) as closed:
        there = f"http://127.0.0.1:{closed.port}/".encode()
        moved = b"HTTP/1.1 302 Found\r\nLocation: " + there + b"\r\nContent-Length: 0\r\n\r\n"
        async with listening(OPEN, moved) as server:
            with pytest.raises(Unfit, match="not at a public address"):
                await used(tmp_path, "web_fetch", {"url": f"http://{OPEN}:{server.port}/"})
        assert closed.connections == 0


FOUND = {"results": [{"title": f"T{n}", "url": f"https://e.org/{n}", "content": "a\n b " * 500} for n in range(30)]}


@pytest.mark.parametrize("path", ["", "/", "/searx", "/searx/search"])
async def test_a_search_asks_the_searxng_that_was_set(tmp_path: Path, path: str) -> None:
    async with listening("127.0.0.1", answer(json.dumps(FOUND), "application/json")) as server:
        address = f"http://127.0.0.1:{server.port}{path}"
        found = await used(tmp_path, "web_search", {"query": "hay & bales", "results": 3}, search_address=address)
        asked = server.asked[0].decode()
    below = "/searx" if "searx" in path else ""
    assert asked.startswith(f"GET {below}/search?q=hay+%26+bales&format=json HTTP/1.1")
    assert found.text.count("https://e.org/") == 3
    assert found.text.startswith("1. T0\nhttps://e.org/0\na b a b")
    assert len(found.text) < 2000


@pytest.mark.parametrize(
    ("told", "why"),
    [
        (answer("<html>", "text/html"), "format json"),
        (answer("[1, 2]", "application/json"), ""),
        (answer("no", status="429 Too Many"), "status 429"),
        (answer("[" * 100_000, "application/json"), "format json"),
    ],
)
async def test_a_search_that_fails_says_how(tmp_path: Path, told: bytes, why: str) -> None:
    async with listening("127.0.0.1", told) as server:
        address = f"http://127.0.0.1:{server.port}"
        if why:
            with pytest.raises(Unfit, match=why):
                await used(tmp_path, "web_search", {"query": "x"}, search_address=address)
        else:
            nothing = await used(tmp_path, "web_search", {"query": "x"}, search_address=address)
            assert nothing.text == "Nothing was found for 'x'."


async def test_a_model_searches_where_that_was_set_up(tmp_path: Path) -> None:
    call = calls('{"query": "hay"}', name="web_search", call_id="s")
    async with (
        listening("127.0.0.1", answer(json.dumps(FOUND), "application/json")) as server,
        scripted_studio(tmp_path, search_address=f"http://127.0.0.1:{server.port}") as rig,
    ):
        await rig.script(asks(call), turn(says("Found.")))
        await rig.chat(enable_tools=True, enabled_tools=["web"])
        assert (await conversations(rig))[1][-1]["content"].startswith("1. T0")


async def test_a_search_that_was_not_set_up_is_off_and_says_what_helps(rig: Rig) -> None:
    refused = await rig.chat(enable_tools=True, enabled_tools=["web_search"])
    assert (refused.status_code, "Set search_address" in refused.text) == (400, True)

"""Tests that no text which anybody may send makes paddock, or its engine, connect to a private address.

A listener on every address of this machine counts what comes: nothing. Every text of every route is tried, as
`parameters.py` derives them: a slice of the addresses daily, all in full; those that name images are tried with all.
What a name resolves to, changes of it between check and use, and redirects are `test_fetch.py`'s; that a remote's
redirect is not followed is `test_remotes.py`'s.
"""

from __future__ import annotations

import base64
import socket
from collections.abc import Iterator
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from paddock.paths import Home
from tests.fuzz.sending import Sent, exchange
from tests.wire import attacked
from tests.wire.parameters import Place, places, spellings, written
from tests.wire.rig import Rig, scripted_studio
from tests.wire.test_fetch import listening, whole

pytestmark = [pytest.mark.anyio, pytest.mark.attack("having paddock connect elsewhere")]
# What may be fetched is named by these; all else is no address to paddock.
IMAGES = ("url", "image_url", "source", "images", "image_base64")


def ways(port: int) -> list[str]:
    """Addresses of this machine and of its network, in every spelling that some program reads as one."""
    hosts = [
        "127.0.0.1", "localhost", "LocalHost", "localhost.", "ip6-localhost", socket.gethostname(), "0.0.0.0", "0",
        "127.1", "127.0.1", "2130706433", "017700000001", "0177.0.0.1", "0x7f000001", "0x7f.1", "0x7F.0.0.0x1",
        "127.0.0.1.", "127.000.000.001", "127.127.127.127", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]",
        "[0:0:0:0:0:ffff:127.0.0.1]", "[::127.0.0.1]", "[0000::0001]", "[::1%25lo]", "[64:ff9b::127.0.0.1]",
        "[2002:7f00:1::]", "①②⑦.⓪.⓪.①", "127。0。0。1", "１２７.0.0.1", "%31%32%37.0.0.1", "127.0.0.1%00.example.org",
    ]  # fmt: skip
    here = f"127.0.0.1:{port}"
    return [
        *(f"http://{host}:{port}/x.png" for host in hosts),
        f"https://{here}/x.png", f"HTTP://{here}/x.png", f"http:\\\\{here}\\x.png", f"http:/{here}/x.png",
        f"http:{here}/x.png",
        f"//{here}/x.png", f"{here}/x.png", f"http://example.org@{here}/x.png", f"http://example.org:80@{here}/x.png",
        f"http://{here}\\@example.org/", f"http://{here}#@example.org/", f"http://example.org#@{here}/",
        f"http://{here}%23@example.org/", f"http://example.org\\@{here}/", f"http://user:word@{here}/x.png",
        f"http://[::1]:{port}@example.org/", f"http://127.0.0\t.1:{port}/x.png", f"http://{here}/x.png\r\nHost: x",
        f"\thttp://{here}/x.png", f" http://{here}/x.png", f"gopher://{here}/_x", f"file://{here}/etc/passwd",
        f"ftp://{here}/x.png", f"dict://{here}/x", f"ldap://{here}/x", f"ws://{here}/x", f"unix://{here}/x",
        f"jar:http://{here}!/x", f"url:http://{here}/x", f"view-source:http://{here}/", f"postgresql://{here}/x",
        "http://169.254.169.254/latest/meta-data/", "http://[fd00:ec2::254]/", "http://metadata.google.internal/",
        f"org@{here}/repo", f"{here}/repo:Q4_K_M", f"..@{here}/x",
    ]  # fmt: skip


def attempts(port: int, *, full: bool) -> Iterator[tuple[Place, str]]:
    every = ways(port)
    for number, place in enumerate(places()):
        names_an_image = any(key in IMAGES for key in place.keys)
        chosen = every if full or names_an_image else [every[number % len(every)], every[(3 * number + 7) % len(every)]]
        yield from ((place, text) for text in chosen)


async def test_no_text_makes_paddock_connect_to_this_machine(
    tmp_path: Path, full: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The hub and the place of builds are elsewhere than the listener, and do not answer.
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    beside = tmp_path / "laid"
    laid = attacked.files(beside, Home(root=tmp_path / "home"))
    async with (
        listening("0.0.0.0", whole()) as four,
        listening("::", whole(), port=four.port) as six,
        scripted_studio(tmp_path, script=attacked.SEES, worker_program=attacked.WORKER, **attacked.FLAGS) as rig,
        attacked.jobs(rig, tmp_path / "home", beside, laid) as made,
    ):
        sent = await anyio.to_thread.run_sync(lambda: _try_all(rig, four.port, made, full))
        await attacked.evaluated(rig)
        assert (four.connections, six.connections, four.asked, six.asked) == (0, 0, [], [])
        # Whoever came would have been counted.
        for host in ("127.0.0.1", "::1"):
            async with await anyio.connect_tcp(host, four.port) as stream:
                await stream.send(b"GET / HTTP/1.1\r\n\r\n")
                await stream.receive()
        assert (four.connections, six.connections) == (1, 1)
        assert sent > 1000


def _try_all(rig: Rig, port: int, laid: dict[str, str], full: bool) -> int:
    host, own = rig.studio.url.removeprefix("http://").split(":")
    count = 0
    for place, text in attempts(port, full=full):
        for spelt in spellings(place, text):
            method, target, body = written(place, spelt, seeds=attacked.SEEDS, laid=laid)
            got = exchange((host, int(own)), Sent(method=method, target=target.encode(), body=body or b""))
            count += 1
            assert got.status != 500, (place, text, got.body[:300])
    return count


async def test_what_is_sent_to_the_engine_holds_no_address(tmp_path: Path) -> None:
    # The engine would fetch it by itself, from anywhere.
    images = [place for place in places() if place.where == "body" and (*IMAGES, "data", 0).count(place.keys[-1])]
    images = [place for place in images if any(key in IMAGES for key in place.keys)]
    async with scripted_studio(tmp_path, script=attacked.SEES, fetch_timeout_s=0.3) as rig:
        for place in images:
            assert (await rig.post(place.body_with("http://127.0.0.1:9/x.png"), place.path)).status_code != 500
        await attacked.evaluated(rig)
        seen = (await rig.engine.record())["requests"]
        assert not [one for one in seen if b"127.0.0.1:9/" in base64.b64decode(one["body"])]
    assert len(images) > 5

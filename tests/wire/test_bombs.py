"""Tests files that are small and unpack to much, against a server of its own: refused in words, its memory bounded.

The server is a real process, whose peak of memory the kernel tells. While it reads a bomb it answers others.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.fakes import bombs
from tests.fakes.bombs import DOCUMENTS, IMAGES, JSONS, MIB
from tests.fuzz.sending import Broken, Got, Hung, Sent, exchange
from tests.fuzz.stage import Stage, standing

pytestmark = pytest.mark.attack("bombs")
CHAT, IMPORT, ATTACH = b"/v1/chat/completions", b"/api/chats/import", b"/api/attachments?name=x"
# A body of 60 MiB is there three times while it is read.
BODY_MOST_BYTES = 320 * MIB
SMALL_MOST_BYTES = 128 * MIB
# Two images of 25 million pixels at once, of four bytes and then of three; all eight would take twice as much.
IMAGES_MOST_BYTES = 640 * MIB


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Generator[Stage]:
    with standing(tmp_path_factory.mktemp("bombs")) as made:
        yield made


def memory_bytes(stage: Stage, name: str) -> int:
    status = Path(f"/proc/{stage.process.pid}/status").read_text()
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith(f"{name}:"))


@contextmanager
def bounded(stage: Stage, most_bytes: int) -> Generator[None]:
    """Within the block the server's memory grows by no more than that, and it answers others."""
    Path(f"/proc/{stage.process.pid}/clear_refs").write_text("5")
    before, is_over, faults = memory_bytes(stage, "VmRSS"), threading.Event(), list[str]()

    def look() -> None:
        # Whoever is kept waiting for long raises here, too.
        while not is_over.wait(0.05):
            try:
                assert exchange(stage.address, Sent(method="GET", target=b"/health")).status == 200
            except (AssertionError, Hung, Broken) as fault:
                faults.append(repr(fault))

    others = threading.Thread(target=look)
    others.start()
    try:
        yield
    finally:
        is_over.set()
        others.join()
    grown = memory_bytes(stage, "VmHWM") - before
    assert grown < most_bytes, f"{grown // MIB} MiB"
    assert faults == []
    assert stage.process.poll() is None


def told(got: Got) -> str:
    assert got.status in (400, 413, 415, 422), (got.status, got.body[:300])
    message = json.loads(got.body)["error"]["message"]
    assert 10 < len(message) < 1000
    return str(message)


def some(table: dict[str, Callable[[], bytes]], *, full: bool) -> Sequence[tuple[str, bytes]]:
    """All of them in full; else every third."""
    names = list(table)
    return [(name, table[name]()) for name in (names if full else names[::3])]


def sent(path: bytes, body: bytes, *headers: tuple[bytes, bytes]) -> Sent:
    return Sent(method="POST", target=path, body=body, headers=headers)


def test_images_that_unpack_to_much_are_refused(stage: Stage) -> None:
    for name, make in IMAGES.items():
        data = make()
        asked = json.dumps(bombs.image_request(data)).encode()
        with bounded(stage, SMALL_MOST_BYTES):
            assert "mage" in told(exchange(stage.address, sent(CHAT, asked))), name
            assert told(exchange(stage.address, sent(ATTACH, data, (b"content-type", b"image/png")))), name


def test_large_images_are_read_few_at_a_time(stage: Stage) -> None:
    body = json.dumps(bombs.image_request(bombs.png(5000, 5000, depth=8, color=6))).encode()
    statuses: list[int] = []

    def ask() -> None:
        statuses.append(exchange(stage.address, sent(CHAT, body)).status)

    with bounded(stage, IMAGES_MOST_BYTES):
        clients = [threading.Thread(target=ask) for _ in range(8)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
    assert set(statuses) == {200}
    assert len(statuses) == len(clients)


def test_a_document_that_unpacks_to_much_is_refused(stage: Stage, full: bool) -> None:
    for name, data in some(dict(DOCUMENTS), full=full):
        with bounded(stage, SMALL_MOST_BYTES):
            got = exchange(stage.address, sent(ATTACH, data))
            # The one page that it has is read, whatever it says.
            assert got.status == 201 if name == "a pdf that says to have many pages" else told(got), name
            assert b"root:x:" not in got.body
            assert told(exchange(stage.address, sent(IMPORT, data))), name


def test_json_that_unpacks_to_much_is_refused(stage: Stage, full: bool) -> None:
    for name, data in some(dict(JSONS), full=full):
        with bounded(stage, BODY_MOST_BYTES):
            assert told(exchange(stage.address, sent(CHAT, data))), name


@pytest.mark.parametrize("path", [CHAT, b"/v1/messages", b"/v1/responses", b"/api/chat", b"/tokenize", b"/api/keys"])
@pytest.mark.parametrize("how", ["gzip", "deflate", "br"])
def test_a_packed_body_is_not_unpacked(stage: Stage, path: bytes, how: str) -> None:
    with bounded(stage, SMALL_MOST_BYTES):
        got = exchange(stage.address, sent(path, bombs.packed(how), (b"content-encoding", how.encode())))
        assert got.status == 400
        assert b"UTF-8" in got.body


def test_chats_that_unpack_to_much_are_refused_one_by_one(stage: Stage) -> None:
    chat = {"id": "a", "conversations": [{"from": "human", "value": "x" * (70 * MIB)}]}
    small = {"id": "b", "conversations": [{"from": "human", "value": "Hello"}]}
    data = json.dumps([chat, small]).encode()
    with bounded(stage, SMALL_MOST_BYTES):
        got = exchange(stage.address, sent(IMPORT, bombs.zipped({"conversations.json": data})))
    assert got.status == 200, got.body[:300]
    large, well = json.loads(got.body)["chats"]
    assert "may have 64" in large["fault"]
    assert (well["fault"], well["is_brought"]) == (None, True)


def test_a_zip_whose_chats_are_endless_is_refused(stage: Stage) -> None:
    data = bombs.zipped({"conversations.json": b"[      ]"}, blanks="conversations.json")
    with bounded(stage, SMALL_MOST_BYTES):
        assert "larger than 512 MiB" in told(exchange(stage.address, sent(IMPORT, data)))

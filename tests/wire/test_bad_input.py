"""Tests what is sent by mistake or in malice: each is a named refusal, and none is a 500."""

from __future__ import annotations

import json
import struct
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import anyio
import pytest

from paddock.app import running
from paddock.config import load
from paddock.errors import HomeUnusable, ModelUnknown, ModelUnusable, PortBusy
from tests.fakes.gguf_files import gguf
from tests.wire.rig import CHAT, COMPLETIONS, USER, Json, Rig, engine_program, scripted_studio

pytestmark = pytest.mark.anyio
GREETING = b'{"messages":[{"role":"user","content":"Hello"}]'


async def refused(rig: Rig, body: bytes, status: int = 400, path: str = CHAT, **headers: str) -> Json:
    response = await rig.post(body, path, headers=headers)
    assert response.status_code == status, response.text
    error = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["type"] == "invalid_request_error"
    assert (await rig.engine.record())["requests"] == []
    return error


NOT_JSON = {
    "empty": b"",
    "spaces": b"  \n",
    "text": b"hello",
    "half": GREETING,
    "two": GREETING + b"}{}",
    "single quotes": b"{'messages': []}",
    "comment": b"{} // x",
    "utf-16": '{"messages":[]}'.encode("utf-16"),
    "latin-1": b'{"messages":[{"role":"user","content":"\xe9"}]}',
    "nul": b'{"messages":"\x00"}',
    "a form": b"messages=hello",
    "gzip": b"\x1f\x8b\x08\x00",
    "long digits": b'{"seed":' + b"9" * 5000 + b"}",
}


@pytest.mark.rule("error-body")
@pytest.mark.parametrize("name", NOT_JSON)
@pytest.mark.parametrize("path", [CHAT, COMPLETIONS, "/v1/embeddings"])
async def test_a_body_that_is_not_json_is_a_400(rig: Rig, name: str, path: str) -> None:
    await refused(rig, NOT_JSON[name], path=path)


@pytest.mark.rule("error-body")
@pytest.mark.parametrize("body", [b"[]", b'"hello"', b"5", b"null", b"true", b"1.5", b'[{"messages":[]}]'])
async def test_a_body_that_is_no_object_is_a_400(rig: Rig, body: bytes) -> None:
    assert "object" in (await refused(rig, body))["message"]


@pytest.mark.rule("error-body")
@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity"])
@pytest.mark.parametrize("place", [b',"temperature":%s}', b',"unknown":{"deep":[%s]}}'])
async def test_numbers_that_are_none_are_a_400(rig: Rig, number: bytes, place: bytes) -> None:
    await refused(rig, GREETING + place % number)


@pytest.mark.rule("error-body")
@pytest.mark.parametrize("depth", [101, 1000, 100_000, 1_000_000])
@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
async def test_deep_nesting_is_a_400(rig: Rig, depth: int, opening: bytes, closing: bytes) -> None:
    await refused(rig, GREETING + b',"x":' + opening * depth + b"1" + closing * depth + b"}")


async def test_nesting_within_the_limit_passes(rig: Rig) -> None:
    response = await rig.post(GREETING + b',"x":' + b"[" * 98 + b"]" * 98 + b"}")
    assert response.status_code == 200, response.text


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "x", ""])
async def test_a_wrong_content_type_is_read_all_the_same(rig: Rig, kind: str) -> None:
    response = await rig.post(GREETING + b"}", headers={"Content-Type": kind})
    assert response.status_code == 200, response.text


async def test_a_byte_order_mark_is_read_over(rig: Rig) -> None:
    assert (await rig.post(b"\xef\xbb\xbf" + GREETING + b"}")).status_code == 200


class TestLargeBodies:
    """The limit is 64 MiB by default; a smaller one shows the same without moving as much."""

    LIMIT = 100_000

    @pytest.fixture(scope="class")
    async def small(self, anyio_backend: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Rig]:
        async with scripted_studio(tmp_path_factory.mktemp("small"), max_body_bytes=self.LIMIT) as rig:
            yield rig

    def body(self, size: int) -> bytes:
        start = GREETING + b',"user":"'
        return start + b"x" * (size - len(start) - 2) + b'"}'

    async def test_the_default_is_64_mib(self) -> None:
        assert load({}, environ={}).max_body_bytes == 64 * 2**20

    async def test_a_body_of_exactly_the_limit_passes(self, small: Rig) -> None:
        assert (await small.post(self.body(self.LIMIT))).status_code == 200

    async def test_a_larger_body_is_a_413(self, small: Rig) -> None:
        await small.engine.clear()
        await refused(small, self.body(self.LIMIT + 1), 413)

    async def test_a_larger_body_without_a_length_is_a_413(self, small: Rig) -> None:
        async def parts() -> AsyncGenerator[bytes]:
            for _ in range(20):
                yield b" " * 10_000

        response = await small.http.post(CHAT, content=parts())
        assert response.status_code == 413
        assert (await small.chat()).status_code == 200

    async def test_an_endless_body_is_refused_without_reading_it_all(self, small: Rig) -> None:
        host, port = small.studio.url.removeprefix("http://").split(":")
        async with await anyio.connect_tcp(host, int(port)) as stream:
            await stream.send(f"POST {CHAT} HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
            answer = b""
            with anyio.fail_after(20):
                async with anyio.create_task_group() as group:

                    async def feed() -> None:
                        try:
                            while True:
                                await stream.send(b"2710\r\n" + b" " * 10_000 + b"\r\n")
                        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
                            pass

                    group.start_soon(feed)
                    while b"body_too_large" not in answer:
                        answer += await stream.receive()
                    group.cancel_scope.cancel()
            assert answer.startswith(b"HTTP/1.1 413")

    async def test_a_length_beyond_the_limit_is_refused_before_the_body(self, small: Rig) -> None:
        host, port = small.studio.url.removeprefix("http://").split(":")
        async with await anyio.connect_tcp(host, int(port)) as stream:
            await stream.send(f"POST {CHAT} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 99999999999\r\n\r\n".encode())
            with anyio.fail_after(20):
                assert (await stream.receive()).startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize(
    "request_text",
    ["nonsense\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "POST /v1/models HTTP/1.1\r\nContent-Length: x\r\n\r\n"],
)
async def test_what_is_not_http_does_not_hurt(rig: Rig, request_text: str) -> None:
    host, port = rig.studio.url.removeprefix("http://").split(":")
    async with await anyio.connect_tcp(host, int(port)) as stream:
        await stream.send(request_text.encode())
        with anyio.fail_after(20):
            assert b" 500 " not in await stream.receive()
    assert (await rig.chat()).status_code == 200


async def test_a_client_that_leaves_in_the_middle_of_its_body_does_not_hurt(rig: Rig) -> None:
    host, port = rig.studio.url.removeprefix("http://").split(":")
    async with await anyio.connect_tcp(host, int(port)) as stream:
        await stream.send(f"POST {CHAT} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 1000\r\n\r\n{{".encode())
        await anyio.sleep(0.05)
    assert (await rig.chat()).status_code == 200
    assert (await rig.engine.record())["hits"] == {CHAT: 1}


MAGIC = b"GGUF"
FILES: dict[str, bytes] = {
    "empty": b"",
    "another kind": b"PK\x03\x04" + b"zip" * 100,
    "text": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
    "magic alone": MAGIC,
    "newer": MAGIC + struct.pack("<IQQ", 99, 0, 0),
    "older": MAGIC + struct.pack("<IQQ", 1, 0, 0),
    "other byte order": MAGIC + struct.pack(">IQQ", 3, 0, 0),
    "countless keys": MAGIC + struct.pack("<IQQ", 3, 0, 2**60),
    "countless tensors": MAGIC + struct.pack("<IQQ", 3, 2**60, 0),
    "nothing in it": MAGIC + struct.pack("<IQQ", 3, 0, 0),
}


def bundled() -> Path:
    import paddock

    (found,) = (Path(paddock.__file__).parent / "models" / "bundled").glob("*.gguf")
    return found


def bad_file(folder: Path, name: str) -> Path:
    path = folder / "bad.gguf"
    if name.startswith("cut at"):
        whole = bundled().read_bytes()
        path.write_bytes(whole[: int(len(whole) * float(name.rsplit(maxsplit=1)[-1]))])
    else:
        path.write_bytes(FILES[name])
    return path


@pytest.mark.parametrize("name", [*FILES, "cut at 0.001", "cut at 0.02", "cut at 0.5", "cut at 0.999"])
async def test_a_file_that_is_no_model_is_named_before_the_engine_tries(tmp_path: Path, name: str) -> None:
    journal = tmp_path / "journal"
    path = bad_file(tmp_path, name)
    settings = load({"port": 0, "model": str(path)}, environ={"PADDOCK_HOME": str(tmp_path / "home")})
    with pytest.raises(ModelUnusable, match=r"bad\.gguf"):
        async with running(settings, engine_program=engine_program(tmp_path, {"journal": str(journal)})):
            pass
    assert not journal.exists()


@pytest.mark.parametrize("name", ["empty", "another kind", "newer", "cut at 0.5"])
@pytest.mark.parametrize("stream", [False, True])
async def test_a_bad_file_in_the_home_is_a_named_error_and_never_started(
    tmp_path: Path, name: str, stream: bool
) -> None:
    journal = tmp_path / "journal"
    folder = tmp_path / "home" / "models"
    folder.mkdir(parents=True)
    bad_file(folder, name)
    async with scripted_studio(tmp_path, script={"journal": str(journal)}) as rig:
        listed = (await rig.http.get("/v1/models")).json()["data"]
        assert "pocket-v0" in [model["id"] for model in listed]
        before = journal.read_text()
        response = await rig.chat(model="bad", stream=stream)
        assert 400 <= response.status_code < 500, response.text
        assert "bad" in response.json()["error"]["message"]
        assert str(tmp_path) not in response.text
        assert journal.read_text() == before
        assert (await rig.chat()).status_code == 200


async def test_a_model_that_does_not_exist_is_told_before_listening(tmp_path: Path) -> None:
    for name in ("nothing-of-the-kind", str(tmp_path / "gone.gguf")):
        settings = load({"port": 0, "model": name}, environ={"PADDOCK_HOME": str(tmp_path / "home")})
        with pytest.raises((ModelUnknown, ModelUnusable)):
            async with running(settings, engine_program=engine_program(tmp_path)):
                pass


async def test_a_busy_port_is_said_and_not_moved_from(rig: Rig, tmp_path: Path) -> None:
    port = int(rig.studio.url.rsplit(":", 1)[1])
    settings = load({"port": port}, environ={"PADDOCK_HOME": str(tmp_path)})
    with pytest.raises(PortBusy, match=str(port)):
        async with running(settings, engine_program=engine_program(tmp_path)):
            pass


@pytest.mark.parametrize("home", ["file/home", "file", "/proc/self/home"])
async def test_a_home_that_cannot_be_made_is_said(tmp_path: Path, home: str) -> None:
    (tmp_path / "file").write_text("I am in the way")
    settings = load({"port": 0}, environ={"PADDOCK_HOME": str(tmp_path / home)})
    with pytest.raises(HomeUnusable, match="PADDOCK_HOME"):
        async with running(settings, engine_program=engine_program(tmp_path)):
            pass


JUNK: list[Any] = [None, True, 0, -1, 1e308, "", "x" * 5000, "\x00", "\ud800", [], [[]], {}, {"": None}, [None] * 50]
CHAT_FIELDS = [
    "messages", "model", "stream", "tools", "tool_choice", "stop", "max_tokens", "temperature", "n", "seed",
    "stream_options", "response_format", "parallel_tool_calls", "image_base64", "enable_tools", "session_id",
    "modalities", "logprobs", "repetition_penalty", "enable_thinking", "chat_template_kwargs", "return_progress",
    "max_completion_tokens", "heal", "enabled_tools", "functions", "audio",
]  # fmt: skip


@pytest.mark.parametrize("field", CHAT_FIELDS)
async def test_junk_in_any_field_is_never_a_500(rig: Rig, field: str) -> None:
    for junk in JUNK:
        response = await rig.chat(**{"tools": [{"type": "function", "function": {"name": "f"}}], field: junk})
        assert response.status_code < 500, f"{field}={junk!r}: {response.text}"


@pytest.mark.parametrize("field", ["role", "content", "tool_calls", "tool_call_id", "name"])
@pytest.mark.parametrize("role", ["system", "user", "assistant", "tool"])
async def test_junk_in_any_message_is_never_a_500(rig: Rig, field: str, role: str) -> None:
    parts: list[Any] = [[None], [{}], [{"type": "image_url"}], [{"type": "image_url", "image_url": 5}], [{"id": 5}]]
    for junk in JUNK + parts:
        response = await rig.chat(messages=[USER, {"role": role, "content": "x", field: junk}])
        assert response.status_code < 500, f"{role}.{field}={junk!r}: {response.text}"


@pytest.mark.parametrize(
    "choice",
    [
        {}, {"type": None}, {"type": "function", "function": None}, {"type": "function", "function": {"name": None}},
        {"type": "allowed_tools"}, {"type": "allowed_tools", "allowed_tools": None},
        {"type": "allowed_tools", "tools": 5}, {"type": "allowed_tools", "allowed_tools": {"mode": [], "tools": []}},
        {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [None]}},
        {"function": {"name": "f"}}, {"type": "custom", "custom": {"name": "f"}},
    ],
)  # fmt: skip
@pytest.mark.parametrize("tools", [[{}], [{"type": "function"}], [{"type": "function", "function": {"name": "f"}}]])
async def test_junk_in_a_tool_choice_is_a_named_refusal(rig: Rig, choice: Json, tools: list[Json]) -> None:
    response = await rig.chat(tools=tools, tool_choice=choice)
    assert response.status_code in (400, 422), response.text
    assert json.loads(response.content)["error"]["param"]


ODD: list[tuple[str, Json, int]] = [
    ("/infill", {"model": ["x"], "input_prefix": "a", "input_suffix": "b"}, 422),
    ("/v1/rerank", {"model": {}, "query": "a", "documents": ["b"]}, 422),
    ("/tokenize", {"model": 1, "content": "a"}, 422),
    ("/v1/completions", {"prompt": "a", "image_base64": "AAAA"}, 400),
    ("/v1/completions", {"prompt": "a", "image_base64": 1, "messages": None}, 400),
    ("/v1/responses", {"input": [{"type": "item_reference", "id": ["x"]}]}, 400),
    ("/api/generate", {"model": "pocket-v0", "prompt": "a", "options": {"num_predict": {}}}, 400),
    ("/api/chat", {"model": "pocket-v0", "messages": [USER], "options": {"num_predict": "-1"}}, 400),
]


@pytest.mark.parametrize(("path", "body", "status"), ODD)
async def test_a_value_of_another_kind_is_a_named_refusal(rig: Rig, path: str, body: Json, status: int) -> None:
    response = await rig.post(body, path)
    assert response.status_code == status, response.text
    assert response.json()["error"]


@pytest.mark.parametrize("messages", [None, 5, {}, {"0": USER}, "Hello", [None]])
async def test_messages_where_none_are_read_are_left_to_the_engine(rig: Rig, messages: Any) -> None:
    response = await rig.post({"prompt": "a", "messages": messages}, COMPLETIONS)
    assert response.status_code == 200, response.text


@pytest.mark.parametrize("number", ["--1", "-", "1e3", ""])
async def test_a_number_in_a_query_that_is_none_is_a_400(rig: Rig, number: str) -> None:
    response = await rig.http.get(f"/v1/responses/resp_0?stream=true&starting_after={number}")
    assert response.status_code == 400, response.text
    assert response.json()["error"]["param"] == "starting_after"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/chat", {"model": "pocket-v0", "messages": [USER], "options": {"a\r\nx-made: up\x00\ud800": 1}}),
        ("/v1/responses", {"input": "a", "tools": [{"type": "a\r\nx-made: up\x00\ud800"}]}),
    ],
)
async def test_a_callers_word_that_no_header_can_hold_is_told_with_question_marks(
    rig: Rig, path: str, body: Json
) -> None:
    response = await rig.post({**body, "stream": False}, path)
    assert response.status_code == 200, response.text
    assert "a??x-made: up??" in response.headers["x-paddock-adapted"]
    assert "x-made" not in response.headers


async def test_a_stream_is_not_made_where_there_is_none_nor_a_vector_of_nothing(tmp_path: Path) -> None:
    models = tmp_path / "home" / "models"
    models.mkdir(parents=True)
    (models / "embedder.gguf").write_bytes(gguf(more={"general.architecture": "bert", "bert.context_length": 512}))
    async with scripted_studio(tmp_path) as rig:
        # The model is loaded for it, which is when a stream would be opened.
        response = await rig.post({"model": "embedder", "input": "a", "stream": True}, "/v1/embeddings")
        assert response.headers["content-type"].startswith("application/json")
        assert len(response.json()["data"]) == 1
        nothings: list[Json] = [{"model": "embedder", "input": ""}, {"model": "embedder", "input": []}]
        for body in nothings:
            response = await rig.post(body, "/api/embed")
            assert response.status_code == 200, response.text
            assert response.json()["embeddings"] == []

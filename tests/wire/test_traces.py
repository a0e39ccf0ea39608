"""Tests the traces: what a collector gets of a request, that it hears nothing that was said, and holds nobody up."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from paddock.errors import SettingInvalid
from paddock.paths import Home
from paddock.tracing.traces import Traces
from tests.fakes.collector import Collector, Span, collecting
from tests.fakes.remote_engine import remote_engine
from tests.wire.rig import CHAT, HANG_GUARD_S, USER, Engine, Rig, header_of, scripted_studio
from tests.wire.test_metrics import TOLD, families, value
from tests.wire.test_pool import FIRST, SECOND, three_models
from tests.wire.test_remotes import KEY, MODEL, name

pytestmark = pytest.mark.anyio
SERVER = f"POST {CHAT}"
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SAID = "the secret of the llamas"


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spans are sent at once rather than every five seconds."""
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "20")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")


@asynccontextmanager
async def traced(folder: Path, **flags: Any) -> AsyncGenerator[tuple[Rig, Collector]]:
    """Paddock that sends traces to a collector."""
    with collecting() as collector:
        async with scripted_studio(folder, trace_endpoint=collector.url, **flags) as rig:
            yield rig, collector


async def spans_of(collector: Collector, request_id: str, *, count: int) -> dict[str, Span]:
    """The spans of one request's trace by their names, once there are so many."""

    def trace(spans: list[Span]) -> list[Span]:
        ids = {span.trace_id for span in spans if span.attributes.get("paddock.request_id") == request_id}
        return [span for span in spans if span.trace_id in ids]

    def are_there(spans: list[Span]) -> bool:
        return len(trace(spans)) >= count

    found = trace(await anyio.to_thread.run_sync(collector.until, are_there))
    assert len(found) == count, [span.name for span in found]
    return {span.name: span for span in found}


async def test_a_stream_is_told_in_spans_of_the_clients_trace(tmp_path: Path) -> None:
    async with traced(tmp_path) as (rig, collector):
        await rig.script({"generate": {"chunks": 3, "usage": True}})
        answer = await rig.post(
            {"messages": [USER], "stream": True, "temperature": 0.5, "max_tokens": 9},
            headers={"traceparent": f"00-{TRACE}-{PARENT}-01"},
        )
        request_id = answer.headers["x-request-id"]
        found = await spans_of(collector, request_id, count=2)
        asked, told = found[SERVER], found[f"chat {FIRST}"]
        assert (asked.trace_id, asked.parent_id, asked.kind) == (TRACE, PARENT, "server")
        assert (told.trace_id, told.parent_id, told.kind) == (TRACE, asked.span_id, "client")
        assert asked.attributes == {
            "http.request.method": "POST", "http.route": CHAT, "http.response.status_code": 200, "url.scheme": "http",
            "paddock.request_id": request_id,
        }  # fmt: skip
        assert told.attributes.pop("gen_ai.response.time_to_first_chunk") > 0
        assert told.attributes == {
            "gen_ai.operation.name": "chat", "gen_ai.provider.name": "llama.cpp", "gen_ai.request.model": FIRST,
            "gen_ai.request.stream": True, "gen_ai.request.temperature": 0.5, "gen_ai.request.max_tokens": 9,
            "gen_ai.usage.input_tokens": 7, "gen_ai.usage.cache_read.input_tokens": 0, "gen_ai.usage.output_tokens": 3,
        }  # fmt: skip
        assert told.events == ["first token"]
        assert not asked.is_error
        assert not told.is_error
        assert set(collector.paths) == {"/v1/traces"}
        assert collector.resources[-1]["service.name"] == "paddock"


async def test_a_whole_answer_tells_its_cached_tokens_and_begins_a_trace(tmp_path: Path) -> None:
    async with traced(tmp_path) as (rig, collector):
        await rig.script(TOLD)
        answer = await rig.chat()
        found = await spans_of(collector, answer.headers["x-request-id"], count=2)
        assert found[SERVER].parent_id == ""
        told = found[f"chat {FIRST}"]
        names = ("gen_ai.usage.input_tokens", "gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.output_tokens")
        assert [told.attributes[name] for name in names] == [30, 20, 7]
        assert told.events == []


async def test_waiting_and_loading_are_spans_of_their_own(tmp_path: Path) -> None:
    with collecting() as collector:
        async with three_models(tmp_path, models_most=1, trace_endpoint=collector.url) as rig:
            first = await rig.chat(model=FIRST)
            second = await rig.chat(model=SECOND)
            loaded = await spans_of(collector, first.headers["x-request-id"], count=3)
            assert set(loaded) == {SERVER, "load a model", f"chat {FIRST}"}
            swapped = await spans_of(collector, second.headers["x-request-id"], count=4)
            assert set(swapped) == {SERVER, "wait for a model", "load a model", f"chat {SECOND}"}
            root = swapped.pop(SERVER)
            assert {span.parent_id for span in swapped.values()} == {root.span_id}


async def test_a_fault_is_told_by_name_and_a_wrong_request_is_no_fault(tmp_path: Path) -> None:
    async with traced(tmp_path) as (rig, collector):
        await rig.script({"end": "reset", "no_head": True})
        broken = await rig.chat()
        assert broken.status_code == 502
        found = await spans_of(collector, broken.headers["x-request-id"], count=2)
        assert (found[SERVER].is_error, found[SERVER].attributes["error.type"]) == (True, "EngineUnreachable")
        assert found[f"chat {FIRST}"].is_error
        wrong = await rig.chat(model="nope")
        found = await spans_of(collector, wrong.headers["x-request-id"], count=1)
        assert (found[SERVER].is_error, found[SERVER].attributes["error.type"]) == (False, "ModelUnknown")


async def test_a_client_that_leaves_ends_its_spans(tmp_path: Path) -> None:
    async with traced(tmp_path) as (rig, collector):
        await rig.script({"generate": {"chunks": 100_000, "per_s": 100}})
        async with rig.http.stream("POST", CHAT, json={"messages": [USER], "stream": True}) as answer:
            await answer.aiter_raw().__anext__()
            request_id = answer.headers["x-request-id"]
        found = await spans_of(collector, request_id, count=2)
        assert found[f"chat {FIRST}"].is_error
        assert found[f"chat {FIRST}"].attributes["gen_ai.usage.output_tokens"] >= 1


async def test_no_span_holds_what_was_said(tmp_path: Path) -> None:
    async with traced(tmp_path) as (rig, collector):
        said = {"role": "user", "content": SAID}
        headers = {"User-Agent": SAID, "X-Other": SAID}
        last = ""
        for stream in (False, True):
            for path, body in (
                (CHAT, {"messages": [said], "stop": [SAID], "user": SAID, "metadata": {"a": SAID}}),
                ("/v1/messages", {"messages": [said], "max_tokens": 5, "system": SAID}),
                ("/v1/responses", {"input": SAID, "instructions": SAID}),
                ("/v1/completions", {"prompt": SAID}),
                (CHAT, {"messages": [said], "tools": SAID}),
                (CHAT, {"messages": SAID}),
                (CHAT, {"messages": [said], "temperature": SAID, "top_p": SAID}),
            ):
                last = (await rig.post({**body, "stream": stream}, path, headers)).headers["x-request-id"]
        await rig.http.get(f"/v1/models/{SAID}?{SAID}", headers=headers)
        await rig.script({"status": 400, "json": {"error": {"message": SAID}}})
        last = (await rig.chat(messages=[said])).headers["x-request-id"]
        await spans_of(collector, last, count=2)
        assert len(collector.spans) > 20
        assert not [body for body in collector.bodies if SAID.encode() in body or b"llamas" in body]


async def test_what_only_watches_is_not_traced(tmp_path: Path) -> None:
    async with traced(tmp_path) as (rig, collector):
        for path in ("/health", "/health/ready", "/metrics", "/api/system/log", "/api/models/loaded"):
            await rig.http.get(path)
        last = await rig.http.get("/v1/models")
        await spans_of(collector, last.headers["x-request-id"], count=1)
        assert not [span.name for span in collector.spans if "health" in span.name or "system" in span.name]
        assert not [span.name for span in collector.spans if span.name == "GET /metrics"]


async def test_a_trace_that_the_client_does_not_sample_is_not_sent(tmp_path: Path) -> None:
    async with traced(tmp_path) as (rig, collector):
        await rig.post({"messages": [USER]}, headers={"traceparent": f"00-{TRACE}-{PARENT}-00"})
        for nonsense in ("", "00-0-0-00", "x" * 5000, f"00-{'0' * 32}-{PARENT}-01"):
            answer = await rig.post({"messages": [USER]}, headers={"traceparent": nonsense, "tracestate": "a=b," * 999})
            found = await spans_of(collector, answer.headers["x-request-id"], count=2)
            assert found[SERVER].parent_id == ""
        assert TRACE not in {span.trace_id for span in collector.spans}


async def test_a_remote_goes_on_with_the_trace(tmp_path: Path) -> None:
    with remote_engine(KEY) as port:
        async with traced(tmp_path, warm=False) as (rig, collector):
            await anyio.to_thread.run_sync(name, Home(root=tmp_path / "home"), f"http://127.0.0.1:{port}")
            far = Engine(port=port, http=rig.http)
            answer = await rig.chat(model=MODEL)
            assert answer.status_code == 200
            found = await spans_of(collector, answer.headers["x-request-id"], count=2)
            told = found[f"chat {MODEL}"]
            assert told.attributes["gen_ai.provider.name"] == "far"
            carried = header_of((await far.seen())[-1], "traceparent") or ""
            assert carried.startswith(f"00-{told.trace_id}-{told.span_id}-")
            await far.rest()


async def test_an_engine_here_is_not_told_of_traces(tmp_path: Path) -> None:
    async with traced(tmp_path) as (rig, _):
        await rig.post({"messages": [USER]}, headers={"traceparent": f"00-{TRACE}-{PARENT}-01"})
        assert header_of((await rig.engine.seen())[-1], "traceparent") is None


async def test_nothing_is_sent_and_nothing_imported_where_the_setting_is_empty(tmp_path: Path) -> None:
    program = (
        "import sys, anyio\n"
        "from pathlib import Path\n"
        "from tests.wire.rig import scripted_studio\n"
        "async def main():\n"
        "    async with scripted_studio(Path(sys.argv[1])) as rig:\n"
        "        assert (await rig.chat()).status_code == 200\n"
        "    print([name for name in sys.modules if name.split('.')[0] in ('opentelemetry', 'google', 'requests')])\n"
        "anyio.run(main)\n"
    )
    with collecting() as collector:
        environ = {
            "PATH": "/usr/bin:/bin",
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_TRACES_EXPORTER": "otlp",
        }
        command = [sys.executable, "-c", program, str(tmp_path)]
        done = await anyio.run_process(command, cwd=Path(__file__).parents[2], env=environ)
        assert done.stdout.strip() == b"[]"
        assert collector.paths == []


@pytest.mark.parametrize("kind", ["refuses", "hangs", "is not there"])
async def test_a_collector_that_takes_nothing_holds_nobody_up(
    tmp_path: Path, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    with collecting(status=503 if kind == "refuses" else 200, is_hanging=kind == "hangs") as collector:
        url = "http://127.0.0.1:9" if kind == "is not there" else collector.url
        async with scripted_studio(tmp_path, trace_endpoint=url) as rig:
            async with anyio.create_task_group() as tasks:
                for _ in range(20):
                    tasks.start_soon(rig.chat)
            assert (await rig.chat()).status_code == 200
            with anyio.fail_after(20):
                while not value(await families(rig), "paddock_trace_spans_lost_total"):
                    await anyio.sleep(0.05)
            lines = [record.getMessage() for record in caplog.records if "takes no spans" in record.getMessage()]
            assert len(lines) == 1
            assert url in lines[0]
            assert not [record for record in caplog.records if record.name.startswith("opentelemetry")]


async def test_a_collector_that_hangs_does_not_hold_up_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "600")
    with collecting(is_hanging=True) as collector, anyio.move_on_after(HANG_GUARD_S) as guard:
        async with scripted_studio(tmp_path, trace_endpoint=collector.url) as rig:
            assert (await rig.chat()).status_code == 200
    # What ends paddock is shielded, so it is asked rather than cancelled.
    assert not guard.cancel_called


async def test_a_collector_that_comes_back_is_told_of_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with collecting(status=400) as collector:
        async with scripted_studio(tmp_path, trace_endpoint=collector.url) as rig:
            with anyio.fail_after(20):
                while not value(await families(rig), "paddock_trace_spans_lost_total"):
                    await anyio.sleep(0.05)
            collector.status = 200
            answer = await rig.chat()
            await spans_of(collector, answer.headers["x-request-id"], count=2)
        words = [record.getMessage() for record in caplog.records if record.name == "paddock.tracing.otlp"]
        assert len(words) == 2
        assert "takes no spans" in words[0]
        assert "takes spans again" in words[1]


async def test_what_is_left_is_sent_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "3600000")
    with collecting() as collector:
        async with scripted_studio(tmp_path, trace_endpoint=collector.url) as rig:
            await rig.chat()
            assert collector.spans == []
        assert f"chat {FIRST}" in [span.name for span in collector.spans]


def test_without_opentelemetry_the_start_is_refused_with_what_to_install(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "sys.modules['opentelemetry'] = None\n"
        "from paddock.cli import main\n"
        "sys.argv = ['paddock', 'serve', '--port', '0', '--trace-endpoint', 'http://127.0.0.1:4318']\n"
        "sys.exit(main())\n"
    )
    environ = {"PATH": "/usr/bin:/bin", "PADDOCK_HOME": str(tmp_path), "PADDOCK_SCAN_OTHERS": "0"}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, env=environ, check=False)
    assert done.returncode != 0
    assert done.stdout == ""
    assert f"{sys.executable} -m pip install opentelemetry-sdk" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "endpoint", ["collector:4318", "grpc://collector", "http://", "http://[x", "http://a:99999", "/v1"]
)
def test_what_is_no_address_is_refused(endpoint: str) -> None:
    with pytest.raises(SettingInvalid, match="trace_endpoint"):
        Traces(endpoint, version="1")

"""Tests the metrics as Prometheus reads them: their form, what they count, and that strangers add no series."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from docs import generate
from paddock.api.metric_families import FAMILIES
from paddock.models.download_states import Download, write_state
from paddock.models.hub_choice import HubFile
from paddock.paths import Home
from tests.fakes.scripted_shapes import Answer
from tests.wire.rig import CHAT, HANG_GUARD_S, USER, Rig, killed, pieces, refusal, scripted_studio
from tests.wire.test_pool import FIRST, SECOND, stalled, three_models

pytestmark = pytest.mark.anyio
ENDINGS = {"counter": {""}, "gauge": {""}, "histogram": {"_bucket", "_sum", "_count"}}
USAGE = {
    "prompt_tokens": 30,
    "completion_tokens": 7,
    "total_tokens": 37,
    "prompt_tokens_details": {"cached_tokens": 20},
}
TOLD: Answer = {"json": {"object": "chat.completion", "choices": [], "usage": USAGE}}


async def families(rig: Rig) -> dict[str, Metric]:
    """What `/metrics` tells, as Prometheus' own parser reads it, by the names that are written."""
    answer = await rig.http.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    found = list(text_string_to_metric_families(answer.text))
    told = {one.name + ("_total" if one.type == "counter" else ""): one for one in found}
    assert len(told) == len(found), "a family is told twice"
    check(told)
    return told


def check(told: Mapping[str, Metric]) -> None:
    """What the parser lets pass: names, labels, types, order of classes, samples told twice."""
    known = {family.name: family for family in FAMILIES}
    for name, metric in told.items():
        family = known[name]
        assert (metric.type, metric.documentation) == (family.kind, family.says)
        seen: set[Any] = set()
        classes: dict[Any, list[tuple[float, float]]] = {}
        counts: dict[Any, float] = {}
        for sample in metric.samples:
            labels = dict(sample.labels)
            end = labels.pop("le", None)
            assert tuple(labels) == family.labels, name
            assert sample.name.removeprefix(name) in ENDINGS[family.kind], sample.name
            assert sample.value >= 0 or family.kind == "gauge"
            identity = (sample.name, *sorted(sample.labels.items()))
            assert identity not in seen
            seen.add(identity)
            if end is not None:
                classes.setdefault((*labels.values(),), []).append((float(end), sample.value))
            elif sample.name.endswith("_count") and family.kind == "histogram":
                counts[(*labels.values(),)] = sample.value
        for key, ends in classes.items():
            assert ends == sorted(ends)
            assert ends[-1] == (math.inf, counts[key])
            assert [count for _, count in ends] == sorted(count for _, count in ends)


def value(told: Mapping[str, Metric], name: str, ending: str = "", **labels: str) -> float:
    """One sample's value; 0 where there is none of these labels."""
    found = [
        one.value for one in told[name].samples if one.name == name + ending and labels.items() <= one.labels.items()
    ]
    return sum(found)


@pytest.mark.rule("also-health")
async def test_every_family_is_told_and_documented(rig: Rig) -> None:
    await rig.chat()
    told = await families(rig)
    assert list(told) == [family.name for family in FAMILIES]
    text = generate.OPERATIONS.read_text("utf-8")
    assert generate.with_metrics(text) == text, "docs/operations.md is stale; run: python3 dev.py fmt"
    rows = [line for line in text.splitlines() if line.startswith(("| `paddock_", "| `process_"))]
    assert [row.split("`")[1] for row in rows] == list(told)


async def test_requests_are_counted_and_timed_by_route(rig: Rig) -> None:
    before = await families(rig)
    await rig.chat()
    await rig.post({"messages": []}, CHAT)
    await rig.http.get("/v1/models/nope")
    await rig.http.get("/v1/models/nothing-of-that-kind")
    await rig.http.get("/nowhere")
    await rig.http.get("/v1/models", headers={"Host": "evil.example"})
    after = await families(rig)

    def grown(name: str, ending: str = "", **labels: str) -> float:
        return value(after, name, ending, **labels) - value(before, name, ending, **labels)

    assert grown("paddock_requests_total", method="POST", path=CHAT, status="200") == 1
    assert grown("paddock_requests_total", method="POST", path=CHAT, status="422") == 1
    assert grown("paddock_requests_total", path="/v1/models/{id:path}", status="404") == 2
    assert grown("paddock_requests_total", path="other", status="404") == 1
    assert grown("paddock_requests_total", path="/v1/models", status="403") == 1
    assert grown("paddock_request_duration_seconds", "_count", path=CHAT, status_class="2xx") == 1
    assert grown("paddock_request_duration_seconds", "_count", path=CHAT, status_class="4xx") == 1
    assert 0 < grown("paddock_request_duration_seconds", "_sum", path=CHAT, status_class="2xx") < HANG_GUARD_S
    assert grown("paddock_errors_total", error="FieldInvalid") == 1
    assert grown("paddock_errors_total", error="ModelUnknown") == 2
    assert grown("paddock_errors_total", error="PageForbidden") == 1
    assert value(after, "paddock_requests_in_flight") == 1


async def test_whoever_makes_names_up_adds_no_series(rig: Rig) -> None:
    await families(rig)
    await rig.http.get("/nowhere")
    await rig.chat(model="nope")
    await rig.http.request("DELETE", "/nowhere")
    before = len((await rig.http.get("/metrics")).text.splitlines())
    for number in range(30):
        await rig.http.get(f"/nowhere/{number}")
        await rig.http.request("DELETE", f"/v1/{number}")
        await rig.chat(model=f"nope-{number}")
        await rig.http.request("PROPFIND", f"/{number}")
        await rig.http.get(f"/v1/models/{number}", headers={"User-Agent": f"{number}", "X-Forwarded-For": f"{number}"})
    text = (await rig.http.get("/metrics")).text
    assert len(text.splitlines()) - before <= 40
    assert "nope" not in text
    assert "PROPFIND" not in text


async def test_tokens_are_told_apart_and_by_model(rig: Rig) -> None:
    await rig.script(TOLD, {"generate": {"chunks": 3, "usage": True}}, refusal(400, "no"))
    before = await families(rig)
    await rig.chat()
    after = await families(rig)
    kinds = {
        kind: value(after, "paddock_tokens_total", model=FIRST, kind=kind) for kind in ("read", "cached", "written")
    }
    was = {kind: value(before, "paddock_tokens_total", model=FIRST, kind=kind) for kind in kinds}
    assert {kind: kinds[kind] - was[kind] for kind in kinds} == {"read": 10, "cached": 20, "written": 7}
    await rig.stream()
    streamed = await families(rig)
    assert value(streamed, "paddock_tokens_total", model=FIRST, kind="written") == kinds["written"] + 3
    assert (await rig.chat()).status_code == 400
    assert value(await families(rig), "paddock_tokens_total") == value(streamed, "paddock_tokens_total")


async def test_a_stream_tells_when_its_first_byte_and_its_first_token_came(rig: Rig) -> None:
    await rig.script({"generate": {"chunks": 2}}, TOLD)
    before = await families(rig)
    await rig.stream()
    await rig.chat()
    after = await families(rig)
    for name, labels in (
        ("paddock_time_to_first_byte_seconds", {"path": CHAT, "status_class": "2xx"}),
        ("paddock_time_to_first_token_seconds", {"model": FIRST}),
    ):
        assert value(after, name, "_count", **labels) - value(before, name, "_count", **labels) == 1


async def test_an_error_within_a_stream_is_counted_though_its_status_is_200(rig: Rig) -> None:
    await rig.script({**pieces(b'data: {"choices": [{"delta": {"content": "a"}}]}\n\n'), "end": "reset"})
    before = await families(rig)
    await rig.stream()
    after = await families(rig)
    assert value(after, "paddock_errors_total", error="EngineUnreachable") == 1 + value(
        before, "paddock_errors_total", error="EngineUnreachable"
    )
    assert value(after, "paddock_requests_total", status="502") == value(before, "paddock_requests_total", status="502")


async def test_a_client_that_leaves_first_is_counted_as_no_status(rig: Rig) -> None:
    await rig.script({"wait_s": None})
    with pytest.raises(httpx.ReadTimeout):
        await rig.http.post(CHAT, json={"messages": [USER]}, timeout=0.2)
    with anyio.fail_after(HANG_GUARD_S):
        while not value(told := await families(rig), "paddock_requests_total", path=CHAT, status="0"):
            await anyio.sleep(0.01)
    assert value(told, "paddock_request_duration_seconds", "_count", path=CHAT, status_class="none") == 1


async def test_the_lives_of_engines_are_counted_with_why_they_ended(tmp_path: Path) -> None:
    async with three_models(tmp_path, models_most=1, idle_unload_s=3600) as rig:
        await rig.chat(model=FIRST)
        await rig.chat(model=SECOND)
        await killed(rig.process.pid or 0)
        await rig.chat(model=SECOND)
        await rig.post({}, f"/api/models/{SECOND}/unload")
        told = await families(rig)
        ends = {
            (one.labels["model"], one.labels["reason"]): one.value for one in told["paddock_engine_ends_total"].samples
        }
        assert ends == {(FIRST, "evicted"): 1, (SECOND, "killed"): 1, (SECOND, "unloaded"): 1}
        starts = {one.labels["model"]: one.value for one in told["paddock_engine_starts_total"].samples}
        assert starts == {FIRST: 1, SECOND: 2}
        assert value(told, "paddock_model_load_seconds", "_count", model=SECOND) == 2
        assert value(told, "paddock_model_load_seconds", "_sum", model=SECOND) > 0
        assert value(told, "paddock_queue_wait_seconds", "_count", model=SECOND) == 2
        assert value(told, "paddock_model_slots") == 0


async def test_what_nobody_uses_ends_as_idle(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path, idle_unload_s=0.2) as rig:
        with anyio.fail_after(HANG_GUARD_S):
            while not value(await families(rig), "paddock_engine_ends_total", reason="idle"):
                await anyio.sleep(0.01)


async def test_a_queue_shows_who_waits_and_why_others_were_refused(tmp_path: Path) -> None:
    async with three_models(tmp_path, models_most=1, queue_most=1) as rig, stalled(rig, FIRST):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: rig.chat(model=SECOND))
            with anyio.fail_after(HANG_GUARD_S):
                while value(await families(rig), "paddock_requests_waiting") < 1:
                    await anyio.sleep(0.01)
            assert (await rig.chat(model=SECOND)).status_code == 429
            tasks.cancel_scope.cancel()
        told = await families(rig)
        assert value(told, "paddock_errors_total", error="TooBusy") == 1
        assert value(told, "paddock_requests_total", status="429") == 1
        assert value(told, "paddock_model_leases", model=FIRST) == 1
        assert value(told, "paddock_model_slots", model=FIRST) == 2
        assert value(told, "paddock_memory_budget_bytes") > value(told, "paddock_model_memory_bytes", model=FIRST) > 0


async def test_processes_tell_what_they_take(rig: Rig) -> None:
    told = await families(rig)
    assert value(told, "process_resident_memory_bytes") > 2**20
    assert value(told, "process_cpu_seconds_total") > 0
    assert 0 < value(told, "process_open_fds") < value(told, "process_max_fds")
    assert value(told, "process_threads") >= 1
    assert value(told, "process_start_time_seconds") > 1e9
    assert value(told, "paddock_engine_resident_memory_bytes", model=FIRST) > 2**20
    assert value(told, "paddock_home_free_bytes") > 0
    (info,) = told["paddock_info"].samples
    assert (info.value, info.labels["engine"]) == (1, "embedded")


async def test_a_database_that_fails_is_counted(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path, database_url="postgresql://nobody@127.0.0.1:1/none") as rig:
        assert (await rig.http.get("/api/chats")).status_code >= 500
        assert value(await families(rig), "paddock_database_errors_total") >= 1


async def test_downloads_that_are_not_over_are_told(tmp_path: Path) -> None:
    folder = Home(root=tmp_path / "home").downloads
    folder.mkdir(parents=True)
    file = HubFile(name="m-Q8_0.gguf", size_bytes=1000, digest="sha256:0")
    paused = Download(id="dl_a", model="a/b:Q8_0", revision="c" * 40, files=(file,), created_s=1)
    write_state(folder, paused.then(10, "paused", done_bytes=250))
    async with scripted_studio(tmp_path, warm=False) as rig:
        with anyio.fail_after(HANG_GUARD_S):
            # They are read beside the start.
            while not value(told := await families(rig), "paddock_downloads"):
                await anyio.sleep(0.01)
        assert {one.labels["state"]: one.value for one in told["paddock_downloads"].samples} == {
            "queued": 0, "running": 0, "paused": 1, "failed": 0,
        }  # fmt: skip
        assert value(told, "paddock_download_received_bytes") == 250
        assert value(told, "paddock_download_expected_bytes") == 1000


def test_a_metric_that_breaks_the_form_is_found() -> None:
    broken = (
        "# HELP paddock_queue_wait_seconds Time until a request was given its model, loaded or not.\n"
        "# TYPE paddock_queue_wait_seconds histogram\n"
        'paddock_queue_wait_seconds_bucket{model="a",le="1.0"} 3\n'
        'paddock_queue_wait_seconds_bucket{model="a",le="+Inf"} 2\n'
        'paddock_queue_wait_seconds_count{model="a"} 2\n'
    )
    for text in (
        broken,
        broken.replace("} 3", "} 1").replace("model=", "modell="),
        broken.replace("} 3", "} 2") + broken,
    ):
        told = {one.name: one for one in text_string_to_metric_families(text)}
        with pytest.raises(AssertionError):
            check(told)

"""Tests the agent programs on the real engine, where the protocol is judged: the bundled model is too small for a task.

Every request is answered, the program ends cleanly, complains of no answer, and what was read is not read again.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from paddock.app import Studio, running
from paddock.config import load
from tests.clients.programs import PROGRAMS, Command, Place, aider, run
from tests.wire.rig import HANG_GUARD_S

pytestmark = pytest.mark.anyio
COMMANDS = {program.name: program.command for program in PROGRAMS}
NAMES = [*COMMANDS, "aider"]
# Of the longest prompt of a second run, so much must have been there from the first.
REUSED_LEAST = 0.95
# What programs say of an answer that they cannot read.
COMPLAINTS = re.compile(
    r"parse error|unexpected token|JSON Parse|invalid JSON|stream (closed|disconnected|error)|Reconnecting|ZodError"
    r"|AI_\w*Error|APIError|Traceback|is not a function|undefined is not",
    re.IGNORECASE,
)
# What they say of a call that was cut off at the bound of an answer's length: a complaint only where none was.
CUT_CALL = re.compile(r"JSON Parse error: (?:Unterminated string|Unexpected EOF|Expected \S+)")
ENDED_IN_CALL = re.compile(r'"tool_calls".*"finish_reason":\s*"length"', re.DOTALL)
# How programs end that were told of a bound: Claude Code of its turns', Codex of an answer's, which it takes for final.
ENDED_BY_BOUND = re.compile(r'"subtype":"error_max_turns"|Incomplete response returned, reason: max_output_tokens')
REFUSED = re.compile(r'paddock_requests_total\{.*status="[45]\d\d".*')
COUNTED = re.compile(r'"prompt_tokens":\s*(\d+).*?"cached_tokens":\s*(\d+)')
# How each dialect tells of a fault in a stream that has already opened with 200.
BROKEN = re.compile(r'^(?:event: (?:error|response\.failed)\b.*|data: \{"error".*|\{"error".*)', re.MULTILINE)


@pytest.fixture
async def studio(anyio_backend: str, tmp_path: Path) -> AsyncGenerator[Studio]:
    """Paddock with the real engine, a context that holds Claude Code's prompt, and the flight recorder on.

    Codex and aider set no bound for an answer, and a small model may then write until its context is full.
    """
    settings = load(
        {"port": 0, "context_tokens": 65536, "record": True, "answer_tokens_most": 512},
        environ={"PADDOCK_HOME": str(tmp_path / "paddock")},
    )
    async with running(settings) as studio:
        yield studio


def command_of(name: str, place: Place) -> Command:
    return COMMANDS[name](place) if name in COMMANDS else aider(place, "Write a greeting into hello.txt.")


async def recorded(http: httpx.AsyncClient) -> list[dict[str, Any]]:
    """What the program asked, and what it got; forgotten afterwards."""
    listed: list[dict[str, Any]] = []
    before: list[dict[str, Any]] = []
    with anyio.fail_after(HANG_GUARD_S):
        # One is written after its answer's last byte, which the program may not have waited for.
        while not listed or len(listed) != len(before):
            before = listed
            await anyio.sleep(0.5)
            every = (await http.get("/api/requests")).json()["data"]
            listed = [record for record in every if record["method"] == "POST"]
    found = [(await http.get(f"/api/requests/{record['id']}")).json() for record in listed]
    await http.delete("/api/requests")
    return found


def broken(record: dict[str, Any]) -> list[str]:
    """The faults that an answer told of after it had opened."""
    return [found[:300] for found in BROKEN.findall(str(record["sections"].get("outbound", "")))]


@pytest.mark.parametrize(
    ("outbound", "faults"),
    [
        (': keep-alive\n\ndata: {"error": {"message": "x"}}\n\n', 1), ('{"error":"x"}\n', 1),
        ('event: error\ndata: {"type":"error"}\n\n', 1), ('event: response.failed\ndata: {}\n\n', 1),
        ('event: message_stop\ndata: {"text": "event: error"}\n\ndata: {"choices": []}\n\ndata: [DONE]\n\n', 0),
    ],
)  # fmt: skip
def test_a_fault_within_an_answer_is_found_in_every_dialect(outbound: str, faults: int) -> None:
    assert len(broken({"sections": {"outbound": outbound}})) == faults


def complaints(said: str, records: list[dict[str, Any]]) -> list[str]:
    """What a program says of answers that it cannot read, but for calls whose answers ended at their bound."""
    cut = sum(bool(ENDED_IN_CALL.search(str(record["sections"].get("outbound", "")))) for record in records)
    return [found.group() for found in COMPLAINTS.finditer(CUT_CALL.sub("", said, count=cut) if cut else said)]


def test_a_call_that_was_cut_off_is_no_complaint_and_one_that_was_whole_is() -> None:
    said = "Invalid Tool: JSON Parse error: Unterminated string"
    cut = {"sections": {"outbound": 'data: {"delta":{"tool_calls":[]}}\n\ndata: {"finish_reason":"length"}\n\n'}}
    whole = {"sections": {"outbound": 'data: {"delta":{"tool_calls":[]}}\n\ndata: {"finish_reason":"tool_calls"}\n\n'}}
    assert complaints(said, [cut, whole]) == []
    assert complaints(said, [whole]) == ["JSON Parse"]
    assert complaints(f"{said} {said}", [cut]) == ["JSON Parse"]


def counts(record: dict[str, Any]) -> tuple[int, int]:
    """Tokens of a request's prompt, and of them those that were there; zeros for what the program broke off."""
    told = COUNTED.findall(str(record["sections"].get("engine", "")))
    return (int(told[-1][0]), int(told[-1][1])) if told else (0, 0)


@pytest.mark.rule("prefix-stable", "agents")
@pytest.mark.parametrize("name", NAMES)
async def test_a_program_speaks_with_the_real_engine_without_a_fault(name: str, studio: Studio, tmp_path: Path) -> None:
    longest = (0, 0)
    async with httpx.AsyncClient(base_url=studio.url, timeout=60) as http:
        for _ in range(2):
            place = Place(url=studio.url, folder=tmp_path / "work", home=tmp_path / "home", lets_it_act=False)
            for folder in (place.folder, place.home):
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
            done = await anyio.to_thread.run_sync(run, command_of(name, place), place)
            said = f"exit {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
            records = await recorded(http)
            assert records, said
            assert [(record["status"], record["path"]) for record in records if record["status"] != 200] == [], said
            assert all(record["sections"].get("outbound") for record in records), said
            assert [fault for record in records for fault in broken(record)] == [], said
            assert complaints(said, records) == [], said
            assert done.returncode == 0 or ENDED_BY_BOUND.search(done.stdout + done.stderr), said
            assert REFUSED.findall((await http.get("/metrics")).text) == [], said
            longest = max(counts(record) for record in records)
    prompt, cached = longest
    print(f"{name}: {prompt} tokens, {cached} of them reused ({cached / max(prompt, 1):.1%})")
    assert cached >= REUSED_LEAST * prompt > 0

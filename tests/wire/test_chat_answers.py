"""Tests answers in the page's chats: watched, left, stopped, gone on with, and carried through what dies."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.fakes.scripted_shapes import Answer, Script
from tests.shapes.responses_streams import calls, stream
from tests.wire.chatting import CHATS, ask, asked, message, new_chat, say, sent, settled, text_of, until
from tests.wire.rig import CHAT, Rig, body_of, client, engine_program, pieces, refusal, scripted_studio

pytestmark = pytest.mark.anyio
Json = dict[str, Any]
LONG: Answer = {"generate": {"chunks": 100_000, "per_s": 40}}
SHORT: Answer = {"generate": {"chunks": 3}}


async def watched(rig: Rig, response_id: str, after: int = -1) -> list[Json]:
    """The events of a response until its end."""
    answer = await rig.http.get(f"/v1/responses/{response_id}?stream=true&starting_after={after}")
    assert answer.status_code == 200, answer.text
    return [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: ")]


async def test_an_answer_is_in_its_message_before_the_last_event_is_out(rig: Rig) -> None:
    chat_id, told = await asked(rig)
    assert told["message"]["status"] == "generating"
    assert told["message"]["response_id"] == told["response_id"]
    events = await watched(rig, told["response_id"])
    now = await message(rig, told["message"])
    assert events[-1]["type"] == "response.completed"
    assert (now["status"], text_of(now), now["model"]) == ("complete", " hello" * 5, "pocket-v0")
    assert now["usage"] == {"input_tokens": 7, "cached_tokens": 0, "output_tokens": 5, "total_tokens": 12}
    assert (now["timings"]["output_tokens"], now["timings"]["total_s"] >= now["timings"]["wait_s"] > 0) == (5, True)
    assert now["timings"] == events[-1]["response"]["timings"]
    chat = await sent(rig, "GET", f"{CHATS}/{chat_id}")
    assert (chat["title"], chat["leaf_id"], chat["is_generating"]) == ("Hello", now["id"], False)


async def test_the_engine_gets_the_thread_with_its_settings(rig: Rig) -> None:
    chat_id = await new_chat(rig, settings={"system": "Be brief", "temperature": 0.25, "top_k": 7})
    first = await say(rig, chat_id, "One")
    answer = await ask(rig, chat_id, first)
    await settled(rig, answer["message"])
    again = await say(rig, chat_id, "Two", answer["message"]["id"])
    await settled(rig, (await ask(rig, chat_id, again, settings={"temperature": 0.5, "thinking": False}))["message"])
    body = body_of((await rig.engine.seen())[-1])
    assert body["messages"] == [
        {"role": "system", "content": "Be brief"},
        {"role": "user", "content": "One"},
        {"role": "assistant", "content": " hello" * 5},
        {"role": "user", "content": "Two"},
    ]
    assert (body["temperature"], body["top_k"]) == (0.5, 7)
    assert body["chat_template_kwargs"] == {"enable_thinking": False}


async def test_what_the_model_read_is_told_as_it_was_then(rig: Rig) -> None:
    note = await rig.http.post("/api/attachments?name=note.md", content=b"The word is kumquat.")
    chat_id = await new_chat(rig, settings={"system": "Be brief"})
    content = [{"type": "text", "text": "Which?"}, {"type": "document", "attachment_id": note.json()["id"]}]
    said = await say(rig, chat_id, content=content)
    first = (await ask(rig, chat_id, said))["message"]
    await settled(rig, first)
    await sent(rig, "PATCH", f"{CHATS}/{chat_id}", {"settings": {"system": "Be long"}})
    path = f"{CHATS}/{chat_id}/messages"
    read = (await sent(rig, "GET", f"{path}/{first['id']}/prompt"))["prompt"]
    assert "Be brief" in read
    assert "Be long" not in read
    assert "The word is kumquat." in read
    second = (await ask(rig, chat_id, said))["message"]
    await settled(rig, second)
    assert "Be long" in (await sent(rig, "GET", f"{path}/{second['id']}/prompt"))["prompt"]
    await sent(rig, "GET", f"{path}/{said}/prompt", status=422)
    await sent(rig, "GET", f"{path}/nowhere-1/prompt", status=404)


async def test_an_answer_that_is_asked_for_again_may_follow_other_settings(rig: Rig) -> None:
    chat_id, told = await asked(rig, id="asked-for-twice")
    await sent(rig, "PATCH", f"{CHATS}/{chat_id}", {"settings": {"system": "Be long"}})
    again = await ask(rig, chat_id, told["message"]["parent_id"], id="asked-for-twice")
    assert again["message"]["id"] == told["message"]["id"]


async def test_two_tabs_see_one_answer_and_one_that_nobody_watches_is_kept(rig: Rig) -> None:
    await rig.script({"generate": {"chunks": 20, "per_s": 100}})
    _, told = await asked(rig)
    seen: list[list[Json]] = []

    async def watch() -> None:
        seen.append(await watched(rig, told["response_id"]))

    async with anyio.create_task_group() as group:
        group.start_soon(watch)
        await anyio.sleep(0.05)
        group.start_soon(watch)
    assert seen[0] == seen[1]
    _, unwatched = await asked(rig)
    assert text_of(await settled(rig, unwatched["message"])) == " hello" * 20


async def test_an_answer_is_stopped_from_anywhere_and_goes_on_where_it_ended(rig: Rig) -> None:
    await rig.script(LONG, SHORT)
    chat_id, told = await asked(rig)
    begun = await until(rig, told["message"], text_of)
    assert (await sent(rig, "GET", f"{CHATS}?limit=1"))["data"][0]["is_generating"]
    await sent(rig, "PATCH", f"{CHATS}/{chat_id}/messages/{begun['id']}", {"content": "x"}, 409)
    await rig.post({}, f"/v1/responses/{told['response_id']}/cancel")
    stopped = await message(rig, told["message"])
    assert stopped["status"] == "stopped"
    assert len(text_of(stopped)) >= len(text_of(begun))
    assert stopped["timings"]["total_s"] > 0
    going = await ask(rig, chat_id, continues=begun["id"])
    assert going["message"]["id"] == begun["id"]
    assert going["message"]["base"] == stopped["content"]
    whole = await settled(rig, going["message"])
    assert (whole["status"], text_of(whole)) == ("complete", text_of(stopped) + " hello" * 3)
    assert whole["base"] == []
    last = body_of((await rig.engine.seen())[-1])["messages"][-1]
    assert last == {"role": "assistant", "content": text_of(stopped)}


async def test_regenerating_makes_a_sibling_and_a_retry_makes_nothing(rig: Rig) -> None:
    chat_id, told = await asked(rig)
    parent_id = told["message"]["parent_id"]
    await settled(rig, told["message"])
    second = await ask(rig, chat_id, parent_id, id="another-answer", model="pocket-v0")
    retried = await ask(rig, chat_id, parent_id, id="another-answer", model="pocket-v0")
    assert retried["message"]["id"] == second["message"]["id"]
    await settled(rig, second["message"])
    branch = await sent(rig, "GET", f"{CHATS}/{chat_id}?leaf=another-answer")
    assert branch["siblings"]["another-answer"] == [told["message"]["id"], "another-answer"]
    assert len(await rig.engine.seen()) == 2


async def test_what_cannot_be_answered_has_failed_with_its_cause_in_the_thread(rig: Rig) -> None:
    chat_id, told = await asked(rig, model="nowhere")
    assert (told["response_id"], told["message"]["status"]) == (None, "failed")
    assert told["message"]["error"]["code"] == "model_not_found"
    assert (await message(rig, told["message"]))["error"] == told["message"]["error"]
    overflow = {"n_prompt_tokens": 9999, "n_ctx": 4096}
    await rig.script(refusal(400, "too long", "exceed_context_size_error", **overflow))
    _, told = await asked(rig)
    failed = await settled(rig, told["message"])
    assert (failed["status"], failed["error"]["code"]) == ("failed", "context_length_exceeded")
    assert "9999" in failed["error"]["message"]
    await sent(rig, "POST", f"{CHATS}/{chat_id}/answers", {"continues": told["message"]["parent_id"]}, 404)
    await sent(rig, "POST", f"{CHATS}/{chat_id}/answers", {"parent_id": "nowhere-1"}, 422)
    await sent(rig, "POST", f"{CHATS}/{chat_id}/answers", {}, 422)


async def test_deleting_stops_what_is_being_made(rig: Rig) -> None:
    await rig.script(LONG)
    chat_id, told = await asked(rig)
    await until(rig, told["message"], text_of)
    await sent(rig, "DELETE", f"{CHATS}/{chat_id}")
    assert (await sent(rig, "GET", f"/v1/responses/{told['response_id']}"))["status"] == "cancelled"
    await sent(rig, "POST", f"{CHATS}/{chat_id}/restore")
    assert (await message(rig, told["message"]))["status"] == "stopped"


WORDS = [{"choices": [{"finish_reason": None, "index": 0, "delta": {"content": f" {n}"}}]} for n in range(4)]
CRASH: Answer = {"chunks": [{"text": f"data: {json.dumps(one)}\n\n", "delay_s": 0.02} for one in WORDS], "end": "crash"}


async def test_an_engine_that_dies_in_mid_answer_loses_nothing_once(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path) as rig:
        await rig.script(CRASH)
        _, told = await asked(rig)
        whole = await settled(rig, told["message"])
        assert (whole["status"], text_of(whole)) == ("complete", " 0 1 2 3" + " hello" * 5)
        assert whole["response_id"] != told["response_id"]
        first = await sent(rig, "GET", f"/v1/responses/{told['response_id']}")
        assert first["status"] == "failed"


async def test_an_engine_that_dies_each_time_leaves_the_text_and_the_error(tmp_path: Path) -> None:
    script: Script = {"routes": {CHAT: [CRASH]}}
    async with scripted_studio(tmp_path, script=script, warm=False) as rig:
        _, told = await asked(rig)
        failed = await settled(rig, told["message"])
        assert (failed["status"], failed["error"]["code"]) == ("failed", "engine_unreachable")
        assert text_of(failed) == " 0 1 2 3" * 2


async def test_where_an_engine_goes_on_with_no_turn_the_answer_begins_anew(tmp_path: Path) -> None:
    cut: Answer = {
        "chunks": [{"text": 'data: {"choices":[{"index":0,"delta":{"content":"half"}}]}\n\n'}],
        "end": "drop",
    }
    no = refusal(400, "Assistant response prefill is incompatible with enable_thinking.")
    async with scripted_studio(tmp_path) as rig:
        await rig.script(cut, no, SHORT)
        _, told = await asked(rig)
        whole = await settled(rig, told["message"])
        assert (whole["status"], text_of(whole)) == ("complete", " hello" * 3)
        assert [body_of(seen)["messages"][-1]["role"] for seen in await rig.engine.seen()] == [
            "user", "assistant", "user",
        ]  # fmt: skip


PADDOCK = """
import anyio, sys
from paddock.app import running
from paddock.config import load
async def main():
    settings = load({"port": 0, "scan_others": False}, environ={"PADDOCK_HOME": sys.argv[1]})
    async with running(settings, engine_program=sys.argv[2:]) as studio:
        print(studio.url, flush=True)
        await anyio.sleep_forever()
anyio.run(main)
"""


@contextmanager
def started(words: list[str]) -> Generator[tuple[str, int]]:
    """The address and the process id of a paddock of its own."""
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as paddock:
        assert paddock.stdout is not None
        try:
            yield paddock.stdout.readline().strip(), paddock.pid
        finally:
            paddock.kill()


@pytest.mark.parametrize("how", ["killed", "stopped"])
async def test_a_paddock_that_ends_in_mid_answer_leaves_it_to_the_next(tmp_path: Path, how: str) -> None:
    script: Script = {"routes": {CHAT: [LONG]}}
    if how == "stopped":
        async with scripted_studio(tmp_path, script=script, warm=False) as rig:
            chat_id, told = await asked(rig)
            begun = text_of(await until(rig, told["message"], text_of))
    else:
        (tmp_path / "script").mkdir()
        program = engine_program(tmp_path / "script", script)
        words = [sys.executable, "-c", PADDOCK, str(tmp_path / "home"), *program]
        with started(words) as (url, pid):
            chat_id, told, begun = await begun_at(url)
            os.kill(pid, signal.SIGKILL)
    async with scripted_studio(tmp_path, script={"routes": {CHAT: [SHORT]}}, warm=False) as rig:
        whole = await settled(rig, told["message"])
        assert whole["status"] == "complete"
        assert text_of(whole).startswith(begun)
        assert text_of(whole).endswith(" hello" * 3)
        assert whole["response_id"] != told["response_id"]
        thread = await sent(rig, "GET", f"{CHATS}/{chat_id}")
        assert [one["status"] for one in thread["messages"]] == ["complete", "complete"]
        assert body_of((await rig.engine.seen())[-1])["messages"][-1]["content"] == text_of(whole)[: -len(" hello" * 3)]


async def test_what_the_next_paddock_goes_on_with_has_the_files_and_the_rights_of_whoever_asked(tmp_path: Path) -> None:
    written = calls('{"path": "a.txt", "content": "mine"}', name="write_file", call_id="w")
    read = calls('{"path": "a.txt"}', name="read_file", call_id="r")
    script: Script = {"routes": {CHAT: [pieces(stream([written], reason="tool_calls")), LONG]}}
    async with scripted_studio(tmp_path, script=script, warm=False) as rig:
        await sent(rig, "PUT", "/api/tools/permissions", {"permissions": {"write_file": "always"}})
        _, told = await asked(rig, settings={"tools": ["files"]})
        await until(rig, told["message"], text_of)
    again = [pieces(stream([read], reason="tool_calls")), SHORT]
    async with scripted_studio(tmp_path, script={"routes": {CHAT: again}}, warm=False) as rig:
        whole = await settled(rig, told["message"])
        assert whole["status"] == "complete"
        outputs = [part["output"] for part in whole["content"] if part["type"] == "tool_result"]
        # An answer whose tools were at work begins anew.
        assert outputs == ["mine"]


async def begun_at(url: str) -> tuple[str, Json, str]:
    """An answer of a paddock in another process, of which something was written down."""
    async with client(url) as http:
        rig = Rig(studio=None, http=http)  # type: ignore[arg-type]
        chat_id, told = await asked(rig)
        now = await until(rig, told["message"], text_of)
        return chat_id, told, text_of(now)

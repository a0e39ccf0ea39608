"""Tests the flight recorder: what is kept and when, that secrets are not, and that it stays within its bounds."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from paddock.errors import HomeUnusable
from paddock.recorder.recorder import Entry, Recorder
from paddock.recorder.secrets import header_shown, without_secrets
from tests.wire.rig import CHAT, COMPLETIONS, HANG_GUARD_S, TOOL, USER, Rig, refusal, scripted_studio

pytestmark = pytest.mark.anyio
SECRETS = [
    "pdk-CqV_04jWJufdBMlsV6OUFFREcyIzBdRCfq8QFND29As",
    "pds-CqV_04jWJufdBMlsV6OUFFREcyIzBdRCfq8QFND29As",
    "pdl-CqV_04jWJufdBMlsV6OUFFREcyIzBdRCfq8QFND29As",
    "sk-proj-abcdefghijklmnop1234",
    "sk-ant-api03-abcdefghijklmnop",
    "hf_abcdefghijklmnopqrstuv",
    "ghp_abcdefghijklmnopqrstuvwx",
    "github_pat_11ABCDEFG0abcdefghij",
    "glpat-abcdefghijklmnopqrst",
    "AKIAIOSFODNN7EXAMPLE",
    "ASIAIOSFODNN7EXAMPLE",
    "AIzaSyA1234567890abcdefghijklmnopqrstu",
    "xoxb-1234567890-abcdefghij",
    "npm_abcdefghijklmnopqrstuvwxyz",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N",
    "Bearer abcdefghijklmnop1234",
    '"password": "hunter2hunter2"',
    '"api_key":"plainword99"',
    '\\"api_key\\": \\"plainword99\\"',
    '"client_secret": "s3cr3tw0rd"',
    '"access_token": "t0kenw0rd"',
    "gsk_abcdefghijklmnopqrstuvwx",
    "xai-abcdefghijklmnopqrstuvwx",
    "sk_live_abcdefghijklmnop1234",
    '"OPENAI_API_KEY": "plainword99"',
    '"db_password": "hunter2"',
    '"token": "t0kenw0rd"',
    '\\\\\\"password\\\\\\": \\\\\\"hunter2hunter2\\\\\\"',
    "key:\\nsk-abcdefghijklmnop1234",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEsecret\n-----END RSA PRIVATE KEY-----",
    "-----BEGIN PRIVATE KEY-----\\nMIIEsecret",
]


@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_of_a_known_form_is_removed(secret: str) -> None:
    data = without_secrets(f'{{"text": "before {secret} after"}}'.encode()).decode()
    core = secret.split('"')[-2].strip("\\") if secret.endswith('"') else secret.removeprefix("Bearer ")
    core = core.removeprefix("key:\\n")
    assert core not in data
    assert "[removed]" in data
    assert "before" in data


def test_what_is_no_secret_stays() -> None:
    text = (
        b'{"task": "skim the sky-blue sketch", "pdk": 1, "tokens": 5, "keypad": "x", "max_tokens": "12345678", '
        b'"prompt_tokens": 9, "token": " hello", "token": "hi", "password": {"type": "string"}}'
    )
    assert without_secrets(text) == text


def test_a_removed_text_leaves_the_json_around_it_whole() -> None:
    inner = {"password": 'a"b\\c', "n": 1}
    for _ in range(3):
        inner = {"password": "hunter2", "body": json.dumps(inner), "n": 1}
    read = json.loads(without_secrets(json.dumps(inner).encode()))
    for _ in range(3):
        assert (read["password"], read["n"]) == ("[removed]", 1)
        read = json.loads(read["body"])
    assert read == {"password": "[removed]", "n": 1}


@pytest.mark.parametrize(
    "secret", ["sk-abcdefghijklmnop123456", 'say {"password": "hunter2hunter2", "x": 1}', "Bearer abcdefghijklmnop1234"]
)
@pytest.mark.parametrize("size", [1, 3, 7])
def test_a_secret_that_a_stream_tells_in_pieces_is_removed(secret: str, size: int) -> None:
    said = f"before {secret} after"
    pieces = [said[at : at + size] for at in range(0, len(said), size)]
    frames = [f"data: {json.dumps({'n': n, 'delta': {'content': piece}})}\n\n" for n, piece in enumerate(pieces)]
    cleaned = without_secrets("".join(frames).encode()).decode()
    read = [json.loads(line[6:]) for line in cleaned.splitlines() if line]
    joined = "".join(one["delta"]["content"] for one in read)
    assert [one["n"] for one in read] == list(range(len(pieces)))
    for word in ("abcdefghijkl", "hunter2"):
        assert word not in joined
    assert "[removed]" in joined
    assert (joined[:7], joined[-6:]) == ("before ", " after")


@pytest.mark.parametrize(
    "piece",
    [
        b"\\",
        b'"',
        b'"a',
        b'\\"',
        b'"password"',
        b"eyJaaaaaaaaaaa.",
        b"-----BEGIN ",
        b"bearer ",
        b'"content":"',
        b" ",
        b"-",
        b"a_",
    ],
)
def test_looking_for_secrets_takes_time_in_proportion(piece: bytes) -> None:
    # What takes its square in time does not end within hours.
    cleaned = without_secrets(piece * (2**20 // len(piece)) + b" sk-abcdefghijklmnop123456")
    assert cleaned.endswith(b"[removed]")


HEADERS = ["X-Goog-Api-Key", "Ocp-Apim-Subscription-Key", "X-Custom-Token", "Helicone-Auth", "Authorization", "Cookie"]


@pytest.mark.parametrize("name", [*HEADERS, "x-password", "X-Client-Secret"])
def test_a_header_named_like_a_secret_is_hidden(name: str) -> None:
    assert header_shown(name, "plain") == "[removed]"
    assert header_shown("user-agent", "plain") == "plain"


async def test_what_is_cut_does_not_end_in_the_beginning_of_a_key(tmp_path: Path) -> None:
    recorder = Recorder(folder=tmp_path, is_on=True, most_bytes=2**30, most_age_s=1000)
    recording = recorder.begin(request_id="r", method="POST", path="/v1/x", headers=[], asked=None)
    assert recording is not None
    recording.inbound(b" " * (4 * 2**20 - 10) + b"sk-abcdefghijklmnop123456")
    await recording.close()
    record = recorder.read(recording.record_id)
    assert record["sections"]["inbound"].strip() == ""
    assert record["cut"] == ["inbound"]


def test_recordings_in_a_home_that_is_no_folder_are_told_as_such(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    recorder = Recorder(folder=tmp_path / "file" / "requests", is_on=True, most_bytes=1, most_age_s=1)
    with pytest.raises(HomeUnusable, match="requests"):
        recorder.entries()


async def until_listed(rig: Rig, count: int) -> list[dict[str, Any]]:
    """The recordings once there are so many: a request's is written after its last byte."""
    with anyio.fail_after(HANG_GUARD_S):
        while len(found := (await rig.http.get("/api/requests")).json()["data"]) < count:
            await anyio.sleep(0.01)
    return found


async def test_whoever_shows_a_recorded_key_is_recorded_whatever_its_header_says(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path) as rig:
        shown = {
            name: (await rig.post({"name": name, "record": name == "watched"}, "/api/keys")).json()["key"]
            for name in ("watched", "other")
        }
        for name, is_recorded in (("watched", True), ("other", False)):
            headers = {"x-api-key": shown[name], "x-paddock-record": "0"}
            answer = await rig.post({"messages": [USER]}, CHAT, headers)
            assert ("x-paddock-recording" in answer.headers) == is_recorded


async def test_a_request_is_recorded_where_its_header_asks_for_it(tmp_path: Path) -> None:
    secret = "sk-abcdefghijklmnop123456"
    async with scripted_studio(tmp_path) as rig:
        plain = await rig.post({"messages": [USER]}, CHAT)
        assert "x-paddock-recording" not in plain.headers
        body: dict[str, Any] = {"messages": [{"role": "user", "content": f"My key is {secret}"}], "stream": True}
        answer = await rig.post(body, CHAT, {"x-paddock-record": "1", "authorization": f"Bearer {secret}"})
        recording = answer.headers["x-paddock-recording"]
        listed = await until_listed(rig, 1)
        shown = (await rig.http.get(f"/api/requests/{recording[:20]}")).json()
        refused = await rig.post({"messages": []}, CHAT, {"x-paddock-record": "1"})
        await until_listed(rig, 2)
        told = (await rig.http.get(f"/api/requests/{refused.headers['x-paddock-recording']}")).json()
        assert (await rig.http.get("/api/requests/none")).status_code == 404
        assert (await rig.http.delete("/api/requests")).json() == {"removed": 2}
    assert [record["id"] for record in listed] == [recording]
    assert shown["sections"]["outbound"] == answer.text
    assert shown["upstream_path"] == CHAT
    assert secret not in repr(shown)
    assert {"inbound", "upstream", "engine", "outbound", "end"} <= shown["times_ms"].keys()
    assert (told["status"], "messages" in told["sections"]["outbound"]) == (422, True)


RECORD = {"x-paddock-record": "1"}


async def recording_of(rig: Rig, answer: httpx.Response) -> dict[str, Any]:
    """What was recorded of an answer, asked for at once."""
    return (await rig.http.get(f"/api/requests/{answer.headers['x-paddock-recording']}")).json()


@pytest.mark.parametrize("path", [CHAT, "/v1/messages", "/v1/responses", COMPLETIONS])
@pytest.mark.parametrize("stream", [False, True])
async def test_a_recording_is_there_as_soon_as_its_answer_with_all_of_its_parts(
    rig: Rig, path: str, stream: bool
) -> None:
    body: dict[str, Any] = {"messages": [USER], "max_tokens": 9}
    if path == "/v1/responses":
        body = {"input": "Hello"}
    if path == COMPLETIONS:
        body = {"prompt": "Hello"}
    body["stream"] = stream
    record: dict[str, Any] = {}
    for _ in range(5):
        record = await recording_of(rig, await rig.post(body, path, RECORD))
        assert record["sections"].keys() == {"inbound", "upstream", "prompt", "engine", "events", "outbound"}
    events = [json.loads(line) for line in record["sections"]["events"].splitlines()]
    assert [event["type"] for event in events] == ["text", "finish_reason", "usage"]
    assert events[0]["text"].strip()
    assert "Hello" in record["sections"]["prompt"]


async def test_a_call_is_one_event_of_the_recording(rig: Rig) -> None:
    body = {"messages": [USER], "tools": [TOOL], "tool_choice": "required"}
    record = await recording_of(rig, await rig.post(body, CHAT, RECORD))
    call = json.loads(record["sections"]["events"].splitlines()[0])
    assert (call["type"], call["name"], call["arguments"]) == ("call", "get_weather", "{}")


async def test_a_prompt_that_cannot_be_rendered_breaks_no_answer_and_is_told(rig: Rig) -> None:
    await rig.engine.set({"routes": {"/apply-template": [refusal(400, "no template")]}})
    answer = await rig.post({"messages": [USER]}, CHAT, RECORD)
    assert answer.status_code == 200
    record = await recording_of(rig, answer)
    assert "no template" in record["notes"]["prompt"]
    assert "prompt" not in record["sections"]


async def test_a_request_that_is_not_recorded_asks_for_no_prompt(rig: Rig) -> None:
    await rig.post({"messages": [USER]}, CHAT)
    assert "/apply-template" not in (await rig.engine.record())["hits"]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_background_response_is_recorded_to_its_end(rig: Rig, stream: bool) -> None:
    body = {"input": "Hello", "background": True, "stream": stream}
    record = await recording_of(rig, await rig.post(body, "/v1/responses", RECORD))
    assert record["sections"].keys() == {"inbound", "upstream", "prompt", "engine", "events", "outbound"}
    assert record["upstream_path"] == CHAT


async def test_a_recorder_that_is_on_keeps_all_but_what_asks_not_to_be_kept(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path, record=True) as rig:
        await until_listed(rig, 1)
        assert (await rig.http.delete("/api/requests")).json()["removed"] >= 1
        await rig.post({"messages": [USER]}, CHAT)
        await rig.post({"messages": [USER]}, CHAT, {"x-paddock-record": "0"})
        assert len(await until_listed(rig, 1)) == 1


async def test_the_oldest_recordings_make_room(tmp_path: Path) -> None:
    recorder = Recorder(folder=tmp_path / "requests", is_on=True, most_bytes=30_000, most_age_s=1000)
    for _ in range(6):
        recording = recorder.begin(request_id="r", method="POST", path="/v1/x", headers=[], asked=None)
        assert recording is not None
        recording.inbound(os.urandom(6000))
        await recording.close()
    kept = recorder.entries()
    assert 0 < sum(entry.size_bytes for entry in kept) <= 30_000
    assert len(kept) < 6
    os.utime(kept[-1].path, (1, 1))
    # Ages are looked at once a minute, and at the first recording after a start.
    recorder = Recorder(folder=tmp_path / "requests", is_on=True, most_bytes=30_000, most_age_s=1000)
    last = recorder.begin(request_id="r", method="POST", path="/v1/x", headers=[], asked=None)
    assert last is not None
    await last.close()
    assert kept[-1].record_id not in [entry.record_id for entry in recorder.entries()]


async def test_a_full_recorder_does_not_look_at_every_file_at_each_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder(folder=tmp_path / "requests", is_on=True, most_bytes=200_000, most_age_s=1000)
    looks = 0
    entries = recorder.entries

    def counted() -> list[Entry]:
        nonlocal looks
        looks += 1
        return entries()

    monkeypatch.setattr(recorder, "entries", counted)
    for _ in range(60):
        recording = recorder.begin(request_id="r", method="POST", path="/v1/x", headers=[], asked=None)
        assert recording is not None
        recording.inbound(os.urandom(6000))
        await recording.close()
        assert sum(path.stat().st_size for path in (tmp_path / "requests").iterdir()) <= 200_000
    assert looks < 20


async def test_a_folder_that_cannot_be_written_breaks_no_answer(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "requests").write_text("in the way")
    async with scripted_studio(tmp_path) as rig:
        assert (await rig.post({"messages": [USER]}, CHAT, {"x-paddock-record": "1"})).status_code == 200


async def test_a_file_that_another_request_just_took_away_is_no_fault(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = Recorder(folder=tmp_path, is_on=True, most_bytes=30_000, most_age_s=1000)
    for name in (".gone.draft", "20260101-gone.json.gz"):
        # Listed, and not there when it is looked at.
        (tmp_path / name).symlink_to(tmp_path / "nowhere")
    recording = recorder.begin(request_id="r", method="POST", path="/v1/x", headers=[], asked=None)
    assert recording is not None
    await recording.close()
    assert [entry.record_id for entry in recorder.entries()] == [recording.record_id]
    assert caplog.records == []

"""Tests the flight recorder: what is kept and when, that secrets are not, and that it stays within its bounds."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import anyio
import pytest

from paddock.recorder.recorder import Entry, Recorder
from paddock.recorder.secrets import without_secrets
from tests.wire.rig import CHAT, HANG_GUARD_S, USER, Rig, scripted_studio

pytestmark = pytest.mark.anyio
SECRETS = [
    "pdk-CqV_04jWJufdBMlsV6OUFFREcyIzBdRCfq8QFND29As",
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
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEsecret\n-----END RSA PRIVATE KEY-----",
    "-----BEGIN PRIVATE KEY-----\\nMIIEsecret",
]


@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_of_a_known_form_is_removed(secret: str) -> None:
    data = without_secrets(f'{{"text": "before {secret} after"}}'.encode()).decode()
    core = secret.split('"')[-2].strip("\\") if secret.endswith('"') else secret.removeprefix("Bearer ")
    assert core not in data
    assert "[removed]" in data
    assert "before" in data


def test_what_is_no_secret_stays() -> None:
    text = b'{"task": "skim the sky-blue sketch", "pdk": 1, "tokens": 5, "keypad": "x"}'
    assert without_secrets(text) == text


async def until_listed(rig: Rig, count: int) -> list[dict[str, Any]]:
    """The recordings once there are so many: a request's is written after its last byte."""
    with anyio.fail_after(HANG_GUARD_S):
        while len(found := (await rig.http.get("/api/requests")).json()["data"]) < count:
            await anyio.sleep(0.01)
    return found


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

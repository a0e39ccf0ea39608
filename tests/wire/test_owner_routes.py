"""Tests the routes that are the owner's: keys, and recording what everybody asks; and what clients are told."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import anyio
import pytest

from paddock.api.clients import ClientList
from paddock.api.keys import KeyList, KeyRevoked, NewKey
from paddock.api.requests import RecordingList, RecordingShape
from paddock.caller import ALL
from paddock.clients.known import CLIENTS
from paddock.rehearsal.shapes import expanded
from paddock.store.keys import Terms
from tests.wire.rig import CHAT, USER, Rig, scripted_studio
from tests.wire.test_keys import keys_in

pytestmark = pytest.mark.anyio
KEYS, RECORDING = "/api/keys", "/api/requests/recording"


async def test_a_key_is_made_shown_once_used_and_revoked(rig: Rig) -> None:
    made = await rig.post({"name": "laptop", "expires_days": 2, "record": True}, KEYS)
    assert made.status_code == 201
    assert made.headers["cache-control"] == "no-store"
    key = made.json()
    NewKey.model_validate(key)
    text = key.pop("key")
    assert (key["name"], key["state"], key["recorded"], key["ends_with"]) == ("laptop", "valid", True, text[-4:])
    assert 2 * 86400 - 60 < key["expires"] - key["created"] < 2 * 86400 + 60
    shown = {"authorization": f"Bearer {text}"}
    assert (await rig.post({"messages": [USER]}, CHAT, shown)).status_code == 200
    listed = (await rig.http.get(KEYS)).json()
    KeyList.model_validate(listed)
    assert listed["can_change"]
    assert text not in json.dumps(listed)
    (own,) = [one for one in listed["data"] if one["id"] == key["id"]]
    assert own["last_used"] > 0
    KeyRevoked.model_validate((await rig.http.delete(f"{KEYS}/{key['id']}")).json())
    # At once: the server that revoked it need not read the keys again after a while.
    assert (await rig.post({"messages": [USER]}, CHAT, shown)).status_code == 401
    again = await rig.http.delete(f"{KEYS}/{key['id']}")
    assert (again.status_code, again.json()["error"]["code"]) == (404, "key_not_found")


@pytest.mark.parametrize("body", [{}, {"name": "", "expires_days": None, "record": False}])
async def test_a_key_needs_no_name_and_no_end(rig: Rig, body: dict[str, Any]) -> None:
    key = (await rig.post(body, KEYS)).json()
    assert (key["name"], key["expires"], key["recorded"]) == ("", None, False)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"expires_days": 0}, "expires_days"),
        ({"expires_days": 40000}, "expires_days"),
        ({"expires_days": "soon"}, "expires_days"),
        ({"name": "x" * 201}, "name"),
        ({"name": 1}, "name"),
        ({"record": 1}, "record"),
        ({"scope": "all"}, "scope"),
    ],
)
async def test_a_key_that_cannot_be_is_refused(rig: Rig, body: dict[str, Any], param: str) -> None:
    refused = await rig.post(body, KEYS)
    assert (refused.status_code, refused.json()["error"]["param"]) == (422, param)


async def test_a_key_makes_no_keys_and_sees_itself_alone(tmp_path: Path) -> None:
    keys = keys_in(tmp_path)
    key, text = await anyio.to_thread.run_sync(lambda: keys.create("guest", terms=Terms(rights=ALL - {"manage"})))
    other, _ = await anyio.to_thread.run_sync(keys.create, "other")
    async with scripted_studio(tmp_path, warm=False, require_key=True) as rig:
        rig.http.headers["authorization"] = f"Bearer {text}"
        listed = (await rig.http.get(KEYS)).json()
        assert ([one["id"] for one in listed["data"]], listed["can_change"]) == ([key.key_id], False)
        for answer in (
            await rig.post({}, KEYS),
            await rig.http.delete(f"{KEYS}/{other.key_id}"),
            await rig.post({"on": True}, RECORDING),
        ):
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "not_permitted")
        assert not (await rig.http.get("/api/requests")).json()["can_change"]
        clients = (await rig.http.get("/api/clients")).json()
        assert clients["needs_key"]
        assert clients["data"][0]["environment"]["ANTHROPIC_AUTH_TOKEN"] == "pdk-YOUR-KEY"
    await keys.close()


async def test_a_page_of_an_allowed_origin_makes_no_keys(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path, warm=False, allowed_origins="https://app.example") as rig:
        rig.http.headers["origin"] = "https://app.example"
        assert (await rig.http.get("/v1/models")).status_code == 200
        assert (await rig.post({}, KEYS)).status_code == 403
        assert (await rig.http.get(KEYS)).json()["data"] == []


@pytest.mark.parametrize("stranger", ["page", "proxied", "proxied by its scheme", "proxied by a cloud", "key"])
async def test_what_is_the_owners_is_refused_to_everybody_else(tmp_path: Path, stranger: str) -> None:
    keys = keys_in(tmp_path)
    _, text = await anyio.to_thread.run_sync(lambda: keys.create("guest", terms=Terms(rights=ALL - {"manage"})))
    headers = {
        "page": {"Origin": "https://app.example"},
        "proxied": {"X-Forwarded-For": "203.0.113.7"},
        "proxied by its scheme": {"X-Forwarded-Proto": "https"},
        "proxied by a cloud": {"CF-Connecting-IP": "203.0.113.7"},
        "key": {"Authorization": f"Bearer {text}"},
    }[stranger]
    asked: dict[str, Any] = {"allowed_origins": "https://app.example", "require_key": stranger == "key"}
    async with scripted_studio(tmp_path, warm=False, **asked) as rig:
        rig.http.headers.update(headers)
        answers = [
            await rig.post({}, KEYS),
            await rig.post({"on": True}, RECORDING),
            await rig.http.patch("/api/settings", json={"slots": 3}),
            await rig.post({}, "/api/engines/look"),
            await rig.post({}, "/api/shutdown"),
            await rig.http.delete("/api/requests"),
        ]
        told = [(answer.status_code, answer.json()["error"]["code"]) for answer in answers]
        assert told == [(403, "not_permitted")] * 6
        assert not rig.studio.ended.is_set()
        assert [(await rig.http.get(path)).json()["can_change"] for path in ("/api/settings", "/api/engines")] == [
            False
        ] * 2
        assert (await rig.http.get("/api/system")).json()["can_end"] is False
    await keys.close()


async def test_recording_is_turned_on_and_off_while_paddock_runs(rig: Rig) -> None:
    body = {"model": "pocket-v0", "messages": [USER]}
    await rig.http.delete("/api/requests")
    assert not (await rig.http.get("/api/requests")).json()["recording"]
    assert (await rig.post({"on": True}, RECORDING)).json() == {"recording": True}
    record_id = (await rig.post(body, CHAT)).headers["x-paddock-recording"]
    assert (await rig.post({"on": False}, RECORDING)).json() == {"recording": False}
    assert "x-paddock-recording" not in (await rig.post(body, CHAT)).headers
    RecordingShape.model_validate((await rig.http.get(f"/api/requests/{record_id}")).json())
    RecordingList.model_validate((await rig.http.get("/api/requests")).json())
    for _ in range(2):
        (shown,) = (await rig.http.get("/api/requests")).json()["data"]
        assert (shown["id"], shown["model"], "sections" in shown) == (record_id, "pocket-v0", False)
    await rig.http.delete("/api/requests")
    assert (await rig.http.get("/api/requests")).json()["data"] == []
    assert (await rig.post({"on": "yes"}, RECORDING)).status_code == 422


async def test_a_recording_becomes_a_command_and_a_test_case(rig: Rig) -> None:
    body = {"messages": [{"role": "user", "content": "it's"}]}
    sent = {"x-paddock-record": "1", "authorization": "Bearer sk-abcdefghijklmnop1234", "x-extra": "kept"}
    record_id = (await rig.post(body, CHAT, sent)).headers["x-paddock-recording"]
    words = shlex.split((await rig.http.get(f"/api/requests/{record_id}/curl")).json()["curl"])
    assert json.loads(words[-1]) == body
    assert f"{rig.studio.url}{CHAT}" in words
    case = await rig.http.get(f"/api/requests/{record_id}/case")
    assert f'filename="paddock-{record_id}.jsonl"' in case.headers["content-disposition"]
    head, request = (json.loads(line) for line in case.text.splitlines())
    assert head == {"client": "recorded", "version": record_id}
    assert (request["method"], request["path"], expanded(request["body"])) == ("POST", CHAT, body)
    assert request["headers"]["authorization"] == "Bearer KEY"
    assert request["headers"]["x-extra"] == "kept"
    assert "x-paddock-record" not in request["headers"]


async def test_a_request_without_a_json_body_becomes_no_test_case(rig: Rig) -> None:
    refused = await rig.post(b"{", CHAT, {"x-paddock-record": "1"})
    answer = await rig.http.get(f"/api/requests/{refused.headers['x-paddock-recording']}/case")
    assert answer.status_code == 400
    assert "no JSON body" in answer.json()["error"]["message"]


async def test_clients_are_told_this_very_address(rig: Rig) -> None:
    told = (await rig.http.get("/api/clients", params={"model": "pocket-v0"})).json()
    ClientList.model_validate(told)
    assert (told["url"], told["model"], told["needs_key"]) == (rig.studio.url, "pocket-v0", False)
    assert [one["client"] for one in told["data"]] == [client.name for client in CLIENTS]
    for one in told["data"]:
        said = json.dumps([one["environment"], one["file"]])
        assert rig.studio.url in said or one["client"] == "cursor", one
        assert one["command"] == f"paddock connect {one['client']} --model pocket-v0"
    assert (await rig.http.get("/api/clients", params={"model": "no-such"})).status_code == 404

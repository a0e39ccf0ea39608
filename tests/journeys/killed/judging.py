"""Owns what a server that was started anew shows of all that the ledger knows, and whether its answers are whole."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx

from paddock.protocol.chat_thread import text_of
from tests.journeys.killed.fetching import REPOS, id_of
from tests.journeys.killed.hands import MODEL, counted
from tests.journeys.killed.ledger import Ledger, Values
from tests.journeys.killed.stage import WAIT_S, Server, sent

_SAMPLING = ("temperature", "top_p", "min_p", "presence_penalty")
_SETTINGS = ("fetch_timeout_s", "receive_timeout_s", "keepalive_s", "record_days")
_ENDED = ("complete", "cut", "stopped")
_AT_REST = ("done", "cancelled")


def seen(server: Server, ledger: Ledger, texts: dict[str, str]) -> Values:
    """Every thing that there is, as the ledger names it."""
    with server.client() as http:
        found = dict(_chats(http))
        for folder in sent(http, "GET", "/api/folders")["data"]:
            found[f"folder/{folder['id']}"] = folder["name"]
        for name in ledger.of("attachment"):
            data = http.get(f"/api/attachments/{name}/content")
            found[f"attachment/{name}"] = sha256(data.content).hexdigest() if data.is_success else None
        for name in ledger.of("response"):
            answer = http.get(f"/v1/responses/{name}")
            found[f"response/{name}"] = answer.json()["output"] if answer.is_success else None
        for name in ledger.of("background"):
            is_whole = http.get(f"/v1/responses/{name}").json()["status"] in ("completed", "incomplete", "failed")
            found[f"background/{name}"] = "there" if is_whole else "not ended"
        found |= _set(http)
        found |= _people(http, ledger, server)
        found |= _keys(http, texts)
        found |= _models(http, ledger)
    return found


def _chats(http: httpx.Client) -> Iterator[tuple[str, Any]]:
    cursor = ""
    while True:
        page = sent(http, "GET", f"/api/chats?limit=200&archived=any{cursor}")
        for listed in page["data"]:
            chat = sent(http, "GET", f"/api/chats/{listed['id']}")
            fields = {name: chat[name] for name in ("title", "folder_id", "pinned")}
            yield f"chat/{chat['id']}", {**fields, "draft": chat["draft"] and chat["draft"]["text"]}
            for one in chat["messages"]:
                if one["role"] == "user":
                    yield f"message/{chat['id']}/{one['id']}", [one["parent_id"], one["content"]]
                else:
                    yield f"answer/{chat['id']}/{one['id']}", one["parent_id"]
        if not page["next_cursor"]:
            return
        cursor = f"&cursor={page['next_cursor']}"


def _set(http: httpx.Client) -> Values:
    own = sent(http, "GET", f"/api/models/{MODEL}/settings")["settings"]
    written = {one["name"]: one["in_file"] for one in sent(http, "GET", "/api/settings")["settings"]}
    aliases = sent(http, "GET", "/api/aliases")["data"]
    return {
        **{f"sampling/{name}": own.get(name) for name in _SAMPLING},
        **{f"setting/{name}": written[name] for name in _SETTINGS},
        **{f"alias/{one['pattern']}": one["model"] for one in aliases},
    }


def _people(http: httpx.Client, ledger: Ledger, server: Server) -> Values:
    users = [one for one in sent(http, "GET", "/api/users")["data"] if one["name"] != "admin"]
    found: Values = {f"user/{one['name']}": [one["role"], one["disabled"]] for one in users}
    for cookie in ledger.of("session"):
        with server.client(cookie) as browser:
            answer = browser.get("/api/session/places")
            found[f"session/{cookie}"] = browser.get("/api/session").json()["name"] if answer.is_success else None
    deeds = {f"audit/{one['deed']} {one['about'].split()[0]}" for one in _audited(http)}
    return found | dict.fromkeys((f"audit/{name}" for name in ledger.of("audit") if f"audit/{name}" in deeds), "there")


def _audited(http: httpx.Client) -> Iterator[Values]:
    before = 0
    while True:
        page = sent(http, "GET", f"/api/audit?limit=1000&before={before}")
        yield from (one for one in page["data"] if one["about"])
        if not page["has_more"]:
            return
        before = page["data"][-1]["id"]


def _keys(http: httpx.Client, texts: dict[str, str]) -> Values:
    """The keys as they are listed; one whose text is known is also shown, and must be let in or refused so."""
    found: Values = {}
    for key in sent(http, "GET", "/api/keys")["data"]:
        state = key["state"]
        if text := texts.get(key["name"]):
            with httpx.Client(base_url=http.base_url, trust_env=False, timeout=WAIT_S) as program:
                status = program.get("/v1/models", headers={"authorization": f"Bearer {text}"}).status_code
            # It must be let in, or not, as it is listed.
            state += "" if status == (200 if state == "valid" else 401) else f", and answered with {status}"
        found[f"key/{key['name']}"] = [state, key["may"], key["requests_per_minute"]]
    return found


def _models(http: httpx.Client, ledger: Ledger) -> Values:
    listed = sent(http, "GET", "/api/models")
    states = dict.fromkeys((one["id"] for one in listed["models"]), "there")
    states |= {one["id"]: f"broken: {one['reason']}" for one in listed["broken"]}
    pulled = {f"pulled/{id_of(repo)}": states.pop(id_of(repo), None) for repo in REPOS}
    del states[MODEL]
    downloads: Values = {}
    for one in sent(http, "GET", "/api/downloads")["data"]:
        wish = "wanted" if one["state"] in ("queued", "running", "done") else one["state"]
        downloads[f"download/{one['model']}"] = wish if wish != "failed" else one["error"]
        # Nobody is told of it but by this: a download that is wanted has brought its model.
        name = f"pulled/{one['model']}"
        if wish == "wanted" and pulled[name] == "there" and one["model"] not in ledger.of("pulled"):
            ledger.note({name: "there"})
        if one["state"] == "done" and pulled[name] is None:
            pulled[name] = "removed"
    return {**{f"model/{name}": state for name, state in states.items()}, **pulled, **downloads}


@dataclass(kw_only=True)
class Answers:
    """What is known of the answers in chats.

    `before` holds the status and the text of each when its server died, by its id; `engines` which had a part in it.
    """

    before: dict[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])
    engines: dict[str, set[str]] = field(default_factory=dict[str, set[str]])

    def left(self, found: dict[str, tuple[str, str]], engine: str) -> None:
        """What the database held when a server with this engine was dead."""
        for name, state in found.items():
            if self.before.get(name) != state or state[0] == "generating":
                self.engines.setdefault(name, set()).add(engine)
        self.before = found

    def judge(self, server: Server, ledger: Ledger) -> list[str]:
        """What is wrong with them, once a server that was started anew has ended each."""
        for name, (status, _) in self.before.items():
            if status == "generating":
                self.engines[name].add(server.engine)
        with server.client() as http:
            return [fault for name in ledger.of("answer") if (fault := self._fault(http, server, *name.split("/")))]

    def _fault(self, http: httpx.Client, server: Server, chat_id: str, answer_id: str) -> str:
        path = f"/api/chats/{chat_id}/messages/{answer_id}"
        now = _ended(http, path)
        if now["status"] == "failed" and now["error"]["code"] == "given_up":
            # It was killed too often to go on by itself; whoever asked may let it.
            self.engines[answer_id].add(server.engine)
            sent(http, "POST", f"/api/chats/{chat_id}/answers", {"continues": answer_id})
            now = _ended(http, path)
        text, (status, earlier) = text_of(now["content"]), self.before.get(answer_id, ("", ""))
        told = f"answer {answer_id} was {status}, {earlier!r}, and is {now['status']}, {text!r}, {now['error']}"
        if now["status"] not in _ENDED or not text.startswith(earlier):
            return told
        if status in _ENDED and (status, earlier) != (now["status"], text):
            return told
        is_counted = self.engines.get(answer_id) == {"scripted"}
        is_whole = text == counted() if now["status"] == "complete" else counted().startswith(text)
        return told if is_counted and not is_whole else ""


def _ended(http: httpx.Client, path: str) -> Any:
    began_s = time.monotonic()
    while (now := sent(http, "GET", path))["status"] == "generating" and time.monotonic() - began_s < WAIT_S:
        time.sleep(0.05)
    return now


def fetched(server: Server, cache: Path) -> list[str]:
    """What is wrong with the downloads and the hub's cache, once all that were wanted or paused have ended."""
    began_s = time.monotonic()
    with server.client() as http:
        while left := [one for one in sent(http, "GET", "/api/downloads")["data"] if one["state"] not in _AT_REST]:
            if time.monotonic() - began_s > WAIT_S:
                return [f"the download does not end: {one}" for one in left]
            for one in left:
                if one["state"] == "paused":
                    sent(http, "POST", f"/api/downloads/{one['id']}/resume")
            time.sleep(0.1)
    # Also one that holds a part alone has another checksum than its name says.
    return [f"{path} is not whole" for path in cache.rglob("blobs/*") if _checksum(path) != path.name]


def _checksum(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()

"""Owns those who work with a server until it dies: what each asks for, and what the ledger learns of it.

Each hand has things of its own, which nobody else changes, and works in a thread of its own.
"""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from hashlib import sha256
from typing import Any

import httpx

from tests.fakes.documents import pdf
from tests.journeys.killed.ledger import Ledger, Refused, Values
from tests.journeys.killed.stage import COUNTED, Server, cookie_of, sent

MODEL = "pocket-v0"
PASSWORD = "a long enough password"
CHATS_MOST = 12


class Hand:
    """One of them. `steps` are what it does, by chance; the more often one is named, the oftener."""

    def __init__(self, name: str, server: Server, ledger: Ledger, chance: random.Random) -> None:
        self.name, self.server, self.ledger, self.chance = name, server, ledger, chance
        self.faults: list[str] = []
        self.deeds = 0
        self.http = httpx.Client()
        self.thread = threading.Thread(target=self._work, name=f"hand {name}")

    @property
    def steps(self) -> Sequence[Callable[[], object]]:
        raise NotImplementedError

    def new_id(self) -> str:
        return f"{self.name}-{self.chance.getrandbits(64):016x}"

    def own(self, kind: str) -> Values:
        """The things of a kind that are its own."""
        return {name: value for name, value in self.ledger.of(kind).items() if name.startswith(f"{self.name}-")}

    def any_of(self, things: Values) -> str | None:
        return self.chance.choice(sorted(things)) if things else None

    def send(self, method: str, path: str, json: Any = None, **more: Any) -> Any:
        return sent(self.http, method, path, json, **more)

    def _work(self) -> None:
        self.http.close()
        with self.server.client() as self.http:
            while not self.server.is_killed.is_set():
                try:
                    self.chance.choice(self.steps)()
                    self.deeds += 1
                except httpx.TransportError as error:
                    # It may be that the process is gone, and whoever killed it has yet to say so.
                    if not self.server.is_killed.wait(1):
                        self.faults.append(f"{self.name}: {error!r}")
                    return
                except Exception as error:
                    self.faults.append(f"{self.name}: {error!r}")
                    return


class Talker(Hand):
    """Chats with their messages, answers, folders and attachments."""

    @property
    def steps(self) -> Sequence[Callable[[], object]]:
        often = [self.say, self.say, self.answer, self.answer, self.watch]
        return (*often, self.open, self.change, self.edit, self.attach, self.file, self.unfile, self.stop, self.drop)

    def open(self) -> None:
        if len(self.own("chat")) >= CHATS_MOST:
            self.drop()
            return
        chat_id, folder = self.new_id(), self.any_of(self.own("folder"))
        chat = {"title": f"Chat {chat_id}", "folder_id": folder, "pinned": False, "draft": None}
        with self.ledger.change({f"chat/{chat_id}": chat}):
            self.send("POST", "/api/chats", {"id": chat_id, "title": chat["title"], "folder_id": folder})

    def change(self) -> None:
        if chat_id := self.any_of(self.own("chat")):
            number = self.chance.randrange(10**6)
            new = {"title": f"Title {number}", "pinned": number % 2 == 0, "draft": f"draft {number}"}
            with self.ledger.change({f"chat/{chat_id}": {**self.own("chat")[chat_id], **new}}):
                draft: Values = {"text": new["draft"], "attachments": []}
                self.send("PATCH", f"/api/chats/{chat_id}", {**new, "draft": draft})

    def drop(self) -> None:
        """Delete a chat, and restore it, or not."""
        if chat_id := self.any_of(self.own("chat")):
            gone = {f"chat/{chat_id}": self.own("chat")[chat_id]}
            for kind in ("message", "answer"):
                of_chat = {name: one for name, one in self.own(kind).items() if name.startswith(f"{chat_id}/")}
                gone |= {f"{kind}/{name}": one for name, one in of_chat.items()}
            with self.ledger.change(dict.fromkeys(gone)):
                self.send("DELETE", f"/api/chats/{chat_id}")
            if self.chance.random() < 0.5:
                with self.ledger.change(gone):
                    self.send("POST", f"/api/chats/{chat_id}/restore")

    def file(self) -> None:
        folder_id = self.new_id()
        if len(self.own("folder")) < CHATS_MOST:
            with self.ledger.change({f"folder/{folder_id}": f"Folder {folder_id}"}):
                self.send("POST", "/api/folders", {"id": folder_id, "name": f"Folder {folder_id}"})

    def unfile(self) -> None:
        """Delete a folder: its chats stay, in none."""
        if folder_id := self.any_of(self.own("folder")):
            inside = {name: one for name, one in self.own("chat").items() if one["folder_id"] == folder_id}
            changes = {f"chat/{name}": {**one, "folder_id": None} for name, one in inside.items()}
            with self.ledger.change({f"folder/{folder_id}": None, **changes}):
                self.send("DELETE", f"/api/folders/{folder_id}")

    def say(self) -> None:
        if chat_id := self.any_of(self.own("chat")):
            said = [name for name in self.own("message") if name.startswith(f"{chat_id}/")]
            parent_id = self.chance.choice(said).rpartition("/")[2] if said else None
            text = f"{self.new_id()} " + "word ü\n" * self.chance.choice((1, 10, 30))
            content: list[Values] = [{"type": "text", "text": text}]
            free = self.own("attachment")
            if free and self.chance.random() < 0.3:
                content.append({"type": "document", "attachment_id": self.any_of(free)})
            message_id = self.new_id()
            with self.ledger.change({f"message/{chat_id}/{message_id}": [parent_id, content]}):
                body = {"id": message_id, "parent_id": parent_id, "role": "user", "content": content}
                self.send("POST", f"/api/chats/{chat_id}/messages", body)

    def edit(self) -> None:
        if name := self.any_of(self.own("message")):
            chat_id, message_id = name.split("/")
            content = [{"type": "text", "text": f"edited {self.new_id()}"}]
            with self.ledger.change({f"message/{name}": [self.own("message")[name][0], content]}):
                self.send("PATCH", f"/api/chats/{chat_id}/messages/{message_id}", {"content": content})

    def attach(self) -> None:
        made_id = self.new_id()
        words = f"{made_id} holds " + "line\n" * self.chance.choice((1, 100, 400))
        data = pdf(words[:40]) if self.chance.random() < 0.3 else words.encode()
        with self.ledger.change({f"attachment/{made_id}": sha256(data).hexdigest()}):
            self.send("POST", f"/api/attachments?name={made_id}.txt&id={made_id}", content=data)

    def answer(self) -> str | None:
        """Ask for an answer, and leave it; the id of its response."""
        if (name := self.any_of(self.own("message"))) is None:
            return None
        chat_id, parent_id = name.split("/")
        answer_id = self.new_id()
        with self.ledger.change({f"answer/{chat_id}/{answer_id}": parent_id}):
            body = {"id": answer_id, "parent_id": parent_id, "settings": {"max_output_tokens": 40}}
            return self.send("POST", f"/api/chats/{chat_id}/answers", body)["response_id"]

    def watch(self) -> None:
        """Ask for an answer, and read all of its stream: it is in its message before the last event is out."""
        if response_id := self.answer():
            events = self.http.get(f"/v1/responses/{response_id}", params={"stream": "true"}).text
            last = json.loads(events.rstrip().rsplit("\n", 1)[1].removeprefix("data: "))
            if last["type"] == "response.completed" and self.server.engine == "scripted":
                assert last["response"]["output"][0]["content"][0]["text"] == counted(), events[-2000:]

    def stop(self) -> None:
        if response_id := self.answer():
            self.send("POST", f"/v1/responses/{response_id}/cancel")


class Asker(Hand):
    """Programs that ask models: responses that are kept, in the background too, and chats that are not."""

    @property
    def steps(self) -> Sequence[Callable[[], object]]:
        return self.ask, self.ask, self.go_on, self.ask_in_background, self.forget, self.chat

    def ask(self, **more: Any) -> None:
        body = {"input": f"Say something. {self.new_id()}", "store": True, "max_output_tokens": 30, **more}
        if self.chance.random() < 0.5:
            answer = self.send("POST", "/v1/responses", body)
        else:
            events = self.http.post("/v1/responses", json={**body, "stream": True}).text
            answer = json.loads(events.rstrip().rsplit("\n", 1)[1].removeprefix("data: "))["response"]
        self.ledger.note({f"response/{answer['id']}": answer["output"]})

    def go_on(self) -> None:
        if before := self.any_of(self.ledger.of("response")):
            self.ask(previous_response_id=before)

    def ask_in_background(self) -> None:
        body = {"input": "Say something.", "background": True, "max_output_tokens": 30}
        self.ledger.note({f"background/{self.send('POST', '/v1/responses', body)['id']}": "there"})

    def forget(self) -> None:
        if len(self.ledger.of("response")) > CHATS_MOST and (name := self.any_of(self.ledger.of("response"))):
            with self.ledger.change({f"response/{name}": None}):
                self.send("DELETE", f"/v1/responses/{name}")

    def chat(self) -> None:
        body = {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 20, "stream": True}
        self.http.post("/v1/chat/completions", json=body)


class Tuner(Hand):
    """Settings of a model, two of paddock's own, and other names. Two tuners have fields of their own in one file."""

    def __init__(self, *about: Any, sampling: tuple[str, str], settings: tuple[str, str]) -> None:
        super().__init__(*about)
        self.sampling, self.settings = sampling, settings

    @property
    def steps(self) -> Sequence[Callable[[], object]]:
        return self.tune, self.tune, self.set, self.alias, self.alias, self.unalias

    def tune(self) -> None:
        values = {name: round(self.chance.uniform(0.1, 0.9), 6) for name in self.sampling}
        with self.ledger.change({f"sampling/{name}": value for name, value in values.items()}):
            self.send("PUT", f"/api/models/{MODEL}/settings", values)

    def set(self) -> None:
        values = {name: round(self.chance.uniform(20, 40), 6) for name in self.settings}
        with self.ledger.change({f"setting/{name}": value for name, value in values.items()}):
            self.send("PATCH", "/api/settings", values)

    def alias(self) -> None:
        pattern = f"{self.name}-{self.chance.randrange(30)}-*"
        with self.ledger.change({f"alias/{pattern}": MODEL}):
            self.send("PUT", f"/api/aliases/{pattern}", {"model": MODEL})

    def unalias(self) -> None:
        if pattern := self.any_of(self.own("alias")):
            with self.ledger.change({f"alias/{pattern}": None}):
                self.send("DELETE", f"/api/aliases/{pattern}")


def counted() -> str:
    """All that the scripted engine says in an answer."""
    return "".join(f" {number}" for number in COUNTED)


class KeyMaker(Hand):
    """Keys, made and revoked over the API; a second one types commands instead."""

    texts: dict[str, str]

    def __init__(self, *about: Any, texts: dict[str, str], types: bool) -> None:
        super().__init__(*about)
        self.texts, self.types = texts, types

    @property
    def steps(self) -> Sequence[Callable[[], object]]:
        return self.make, self.revoke

    def make(self) -> None:
        name, limit = self.new_id(), self.chance.randrange(1000, 2000)
        with self.ledger.change({f"key/{name}": ["valid", ["ask", "load"], limit]}):
            if self.types:
                words = ("--name", name, "--may", "ask,load", "--requests-per-minute", str(limit), "--json")
                made = json.loads(self._typed("keys", "create", *words))
            else:
                body = {"name": name, "may": ["ask", "load"], "requests_per_minute": limit}
                made = self.send("POST", "/api/keys", body)
        self.texts[name] = made["key"]
        self.ledger.note({f"audit/key made {made['id']}": "there"})

    def revoke(self) -> None:
        if name := self.any_of(
            {one: it for one, it in self.own("key").items() if it[0] == "valid" and one in self.texts}
        ):
            state = self.own("key")[name]
            key_id = next(one["id"] for one in self.send("GET", "/api/keys")["data"] if one["name"] == name)
            with self.ledger.change({f"key/{name}": ["revoked", *state[1:]]}):
                if self.types:
                    self._typed("keys", "revoke", key_id)
                else:
                    self.send("DELETE", f"/api/keys/{key_id}")
            self.ledger.note({f"audit/key revoked {key_id}": "there"})

    def _typed(self, *words: str) -> str:
        done = self.server.stage.command(*words)
        assert done.returncode == 0, done.stderr
        return done.stdout


class Host(Hand):
    """Accounts, the links by which their passwords are chosen, and who is signed in."""

    @property
    def steps(self) -> Sequence[Callable[[], object]]:
        return self.invite, self.sign_in, self.sign_out, self.change, self.remove

    def invite(self) -> None:
        name = self.new_id()
        if len(self.own("user")) < CHATS_MOST:
            with self.ledger.change({f"user/{name}": ["user", False]}):
                made = self.send("POST", "/api/users", {"name": name})
            self._come_in(name, "/api/session/link", {"token": made["link"].partition("#")[2], "password": PASSWORD})

    def sign_in(self) -> None:
        if name := self.any_of({one: it for one, it in self.own("user").items() if not it[1]}):
            with suppress(Refused):  # its password was perhaps not chosen yet
                self._come_in(name, "/api/session", {"name": name, "password": PASSWORD})

    def sign_out(self) -> None:
        if cookie := self.any_of(self.ledger.of("session")):
            with self.server.client(cookie) as http, self.ledger.change({f"session/{cookie}": None}):
                sent(http, "DELETE", "/api/session")

    def change(self) -> None:
        if name := self.any_of(self.own("user")):
            role, is_disabled = self.own("user")[name]
            ended = {} if is_disabled else self._sessions_of(name)
            with self.ledger.change({f"user/{name}": [role, not is_disabled], **ended}):
                self.send("PATCH", f"/api/users/{name}", {"disabled": not is_disabled})

    def remove(self) -> None:
        if name := self.any_of(self.own("user")):
            with self.ledger.change({f"user/{name}": None, **self._sessions_of(name)}):
                self.send("DELETE", f"/api/users/{name}")

    def _come_in(self, name: str, path: str, body: Values) -> None:
        with self.server.client("") as http:
            answer = http.post(path, json=body)
            if answer.status_code >= httpx.codes.BAD_REQUEST:
                raise Refused(answer.status_code, answer.text)
            self.ledger.note({f"session/{cookie_of(answer)}": name})

    def _sessions_of(self, name: str) -> Values:
        return {f"session/{cookie}": None for cookie, whose in self.ledger.of("session").items() if whose == name}

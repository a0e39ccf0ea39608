"""Tests what a key may do, and how much: rights, models, paths, requests and tokens."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from paddock.caller import ALL, OF_KEY, Right
from paddock.errors import QuotaSpent
from paddock.serving.admission import Admission
from paddock.store.key_uses import KeyUses
from paddock.store.keys import Terms
from tests.fakes.gguf_files import MODEL, gguf
from tests.fakes.scripted_shapes import Script
from tests.wire.rig import CHAT, HANG_GUARD_S, USER, Rig, scripted_studio
from tests.wire.test_accounts import home_in
from tests.wire.test_keys import keys_in

pytestmark = pytest.mark.anyio
EMBED = "/v1/embeddings"
BODY: dict[str, Any] = {"messages": [USER]}
DIALECTS: list[tuple[str, dict[str, Any]]] = [
    (CHAT, BODY),
    ("/v1/messages", {"model": "pocket-v0", "max_tokens": 40, "messages": [USER]}),
    ("/v1/responses", {"input": "x"}),
    ("/api/chat", {"model": "pocket-v0", "messages": [USER]}),
]


@asynccontextmanager
async def keyed(folder: Path, script: Script | None = None, **terms: Any) -> AsyncGenerator[Rig]:
    """Paddock that asks for a key, and a client that shows one with these terms."""
    keys = keys_in(folder)
    _, text = await anyio.to_thread.run_sync(lambda: keys.create("k", terms=Terms(**terms)))
    await keys.close()
    async with scripted_studio(folder, script=script, warm=False, require_key=True) as rig:
        rig.http.headers["authorization"] = f"Bearer {text}"
        yield rig


async def test_a_new_key_asks_and_does_no_more(tmp_path: Path) -> None:
    assert Terms().rights == OF_KEY == {"ask"}
    async with keyed(tmp_path) as rig:
        assert (await rig.post(BODY, CHAT)).status_code == 200
        assert (await rig.http.get("/v1/models")).status_code == 200
        for method, path in (
            ("GET", "/api/chats"), ("POST", "/api/models/pocket-v0/unload"), ("DELETE", "/api/models/pocket-v0"),
            ("GET", "/api/requests"), ("GET", "/api/system/log"), ("POST", "/api/shutdown"), ("GET", "/api/users"),
            ("POST", "/api/pull"), ("GET", "/metrics"), ("GET", "/api/settings"),
        ):  # fmt: skip
            refused = await rig.http.request(method, path)
            assert (refused.status_code, "not_permitted" in refused.text or "error" in refused.text) == (403, True)
        assert not rig.studio.ended.is_set()


async def test_a_key_has_models_run_code_only_if_it_may(tmp_path: Path) -> None:
    code: dict[str, Any] = {**BODY, "enable_tools": True, "enabled_tools": ["python"]}
    async with keyed(tmp_path / "asks") as rig:
        refused = await rig.post(code, CHAT)
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "not_permitted")
        assert "--may tools" in refused.json()["error"]["message"]
        assert (await rig.post({**code, "enabled_tools": ["files"]}, CHAT)).status_code == 403
        assert (await rig.post({**code, "enabled_tools": ["calculator"]}, CHAT)).status_code == 200
        assert (await rig.post({**BODY, "enable_tools": True}, CHAT)).status_code == 200
        assert (await rig.http.get("/api/tools/file?session_id=s&path=p")).status_code == 403
    async with keyed(tmp_path / "may", rights=frozenset(("ask", "tools"))) as rig:
        assert (await rig.post({**code, "enabled_tools": ["files"]}, CHAT)).status_code == 200
        assert (await rig.http.get("/api/tools/file?session_id=s&path=p")).status_code == 404


@pytest.mark.parametrize(
    ("right", "method", "path"),
    [("chats", "GET", "/api/chats"), ("inspect", "GET", "/api/requests"), ("manage", "GET", "/api/users")],
)
async def test_a_right_opens_what_it_says(tmp_path: Path, right: Right, method: str, path: str) -> None:
    async with keyed(tmp_path, rights=frozenset((right,))) as rig:
        assert (await rig.http.request(method, path)).status_code == 200
        refused = await rig.post(BODY, CHAT)
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "not_permitted")


@pytest.mark.parametrize(
    "terms",
    [{"models": ("pocket-*",)}, {"requests_per_day": 9}, {"tokens_per_day": 9}, {"rights": frozenset(("train",))}],
    ids=["models", "requests", "tokens", "does not ask"],
)
async def test_a_key_of_bounds_trains_exports_and_evaluates_nothing(tmp_path: Path, terms: dict[str, Any]) -> None:
    given: dict[str, Any] = {"rights": frozenset(("ask", "train", "download")), **terms}
    async with keyed(tmp_path, **given) as rig:
        for method, path, body in (
            ("GET", "/api/training", None),
            ("POST", "/api/training", {"spec": {"data": "llama-keeper"}}),
            ("POST", "/api/exports", {"source": "pocket-v0"}),
            ("GET", "/api/exports/job_1/files/pocket-v0-F16.gguf", None),
            ("POST", "/api/training/job_1/checkpoints/1/try", {"model": "pocket-v0"}),
            ("POST", "/api/evaluations", {"suite": "tools"}),
            ("GET", "/api/evaluations", None),
            ("DELETE", "/api/evaluations/job_1", None),
            ("POST", "/api/evaluations/job_1/ballot", {"number": 1, "choice": "left"}),
            ("POST", "/api/evaluations/job_1/show", None),
            ("GET", "/api/evaluations/job_1/votes", None),
            ("POST", "/api/evaluation-sets", {"name": "x", "lines": "{}"}),
            ("DELETE", "/api/evaluation-sets/set_1", None),
        ):
            refused = await rig.http.request(method, path, json=body)
            assert (refused.status_code, refused.json()["error"]["code"]) == (403, "not_permitted"), path
            assert "train" in refused.json()["error"]["message"]
    (tmp_path / "open").mkdir()
    async with keyed(tmp_path / "open", rights=frozenset(("ask", "train"))) as rig:
        assert (await rig.http.get("/api/evaluations")).status_code == 200


async def test_a_key_whose_terms_contradict_one_another_is_not_made(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path, warm=False) as rig:
        for asked, param in (
            ({"may": ["ask", "train"], "models": ["a*"]}, "may"),
            ({"may": ["ask", "train"], "tokens_per_day": 5}, "may"),
            ({"may": ["train"]}, "may"),
            ({"models": [" "]}, "models"),
            ({"paths": ["/v1/*", " "]}, "paths"),
        ):
            refused = await rig.http.post("/api/keys", json=asked)
            assert (refused.status_code, refused.json()["error"]["param"]) == (422, param), refused.text
        assert (await rig.http.get("/api/keys")).json()["data"] == []
        assert (await rig.http.post("/api/keys", json={"may": ["ask", "train"]})).status_code == 201


async def test_a_key_lets_nobody_else_in_whatever_it_may(tmp_path: Path) -> None:
    async with keyed(tmp_path, rights=ALL) as rig:
        for method, path, body in (
            ("POST", "/api/keys", {}),
            ("POST", "/api/users", {"name": "eve", "role": "admin"}),
            ("PATCH", "/api/users/eve", {"role": "admin"}),
            ("POST", "/api/users/eve/link", None),
            ("DELETE", "/api/users/eve", None),
        ):
            refused = await rig.http.request(method, path, json=body)
            assert (refused.status_code, refused.json()["error"]["code"]) == (403, "not_permitted")
        assert (await rig.http.get("/api/users")).json()["data"] == []


async def test_a_key_uses_the_models_that_it_names_alone_in_every_dialect(tmp_path: Path) -> None:
    async with keyed(tmp_path, models=("other-*",)) as rig:
        for path, body in (
            (CHAT, BODY),
            (CHAT, {**BODY, "model": "pocket-v0"}),
            ("/v1/completions", {"prompt": "x"}),
            ("/v1/messages", {"model": "pocket-v0", "max_tokens": 4, "messages": [USER]}),
            ("/v1/messages/count_tokens", {"model": "pocket-v0", "messages": [USER]}),
            ("/v1/responses", {"input": "x"}),
            ("/v1/responses", {"input": "x", "background": True}),
            ("/api/chat", {"model": "pocket-v0", "messages": [USER]}),
            ("/api/generate", {"model": "pocket-v0", "prompt": "x"}),
            ("/tokenize", {"content": "x"}),
            ("/apply-template", BODY),
        ):
            refused = await rig.post(body, path)
            assert (refused.status_code, "other-*" in refused.text) == (403, True), (path, refused.text)
    async with keyed(tmp_path, models=("pocket-*",)) as rig:
        assert (await rig.post(BODY, CHAT)).status_code == 200


async def test_a_key_has_nothing_to_do_with_other_models(tmp_path: Path) -> None:
    models = tmp_path / "home" / "models"
    models.mkdir(parents=True)
    (models / "secret.gguf").write_bytes(gguf(MODEL))
    async with keyed(tmp_path, rights=ALL, models=("pocket-*",)) as rig:
        await rig.studio.pool.pin("secret")
        for method, path in (
            ("POST", "/api/models/secret/unload"), ("POST", "/api/models/secret/unpin"),
            ("POST", "/api/models/secret/load"), ("GET", "/api/models/secret/removal"),
            ("DELETE", "/api/models/secret"), ("GET", "/api/doctor/clients?model=secret"),
            ("GET", "/api/models/secret/settings"), ("PUT", "/api/aliases/pocket-x"),
        ):  # fmt: skip
            refused = await rig.http.request(method, path, json={"model": "secret"})
            assert (refused.status_code, "pocket-*" in refused.text) == (403, True), (path, refused.text)
        assert rig.studio.pool.residents["secret"].is_pinned


async def test_a_key_calls_the_paths_that_it_names_alone(tmp_path: Path) -> None:
    async with keyed(tmp_path, paths=(CHAT,)) as rig:
        assert (await rig.post(BODY, CHAT)).status_code == 200
        refused = await rig.post({"prompt": "x"}, "/v1/completions")
        assert (refused.status_code, CHAT in refused.text) == (403, True)


async def test_a_key_asks_so_often_a_minute_and_is_told_when_again(tmp_path: Path) -> None:
    async with keyed(tmp_path, requests_per_minute=2) as rig:
        told = [(await rig.post(BODY, CHAT)).status_code for _ in range(3)]
        assert told == [200, 200, 429]
        refused = await rig.post({"model": "x", "max_tokens": 4, **BODY}, "/v1/messages")
        assert (refused.status_code, refused.json()["error"]["type"]) == (429, "rate_limit_error")
        assert 0 < int(refused.headers["retry-after"]) <= 61
        # Looking is not asking.
        assert (await rig.http.get("/v1/models")).status_code == 200


async def test_requests_of_a_day_are_counted_over_restarts(tmp_path: Path) -> None:
    keys = keys_in(tmp_path)
    key, text = await anyio.to_thread.run_sync(lambda: keys.create("k", terms=Terms(requests_per_day=3)))
    await keys.close()
    told: list[int] = []
    listed: dict[str, Any] = {}
    for _ in range(2):
        async with scripted_studio(tmp_path, warm=False, require_key=True) as rig:
            rig.http.headers["authorization"] = f"Bearer {text}"
            told += [(await rig.post(BODY, CHAT)).status_code for _ in range(2)]
            listed = (await rig.http.get("/api/keys")).json()["data"][0]
    assert told == [200, 200, 200, 429]
    assert (listed["id"], listed["requests_per_day"]) == (key.key_id, 3)


@pytest.mark.parametrize("is_streamed", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize(("path", "body"), DIALECTS)
async def test_tokens_are_counted_in_every_dialect(
    tmp_path: Path, path: str, body: dict[str, Any], is_streamed: bool
) -> None:
    async with keyed(tmp_path, tokens_per_day=12) as rig:
        # The scripted engine says seven tokens of prompt and five of answer.
        assert (await rig.post({**body, "stream": is_streamed}, path)).status_code == 200
        refused = await rig.post({**body, "stream": is_streamed}, path)
        assert (refused.status_code, "has used 12" in refused.text) == (429, True), refused.text


ENDLESS: Script = {"routes": {CHAT: [{"generate": {"chunks": 100_000, "per_s": 100}}]}}


async def test_an_answer_that_broke_off_is_counted_by_its_pieces_and_its_prompt(tmp_path: Path) -> None:
    async with keyed(tmp_path, script=ENDLESS, tokens_per_day=90) as rig:
        asked = {"messages": [{**USER, "content": "word " * 80}], "stream": True}
        async with rig.http.stream("POST", CHAT, json=asked) as answer:
            lines = answer.aiter_lines()
            for _ in range(8):
                await anext(lines)
        refused = await until_refused(rig)
        # A hundred tokens of prompt, and what came.
        used = int(refused.split("has used ")[1].split(".")[0])
        assert 100 < used < 190


async def test_answers_under_way_may_take_the_rest(tmp_path: Path) -> None:
    async with keyed(tmp_path, script=ENDLESS, tokens_per_day=1000) as rig:
        async with rig.http.stream("POST", CHAT, json={**BODY, "stream": True}) as answer:
            lines = answer.aiter_lines()
            await anext(lines)
            for path, body in DIALECTS:
                refused = await rig.post(body, path)
                assert (refused.status_code, refused.headers.get("retry-after")) == (429, "5"), (path, refused.text)
                assert "Ask again when that is answered" in refused.text
        with anyio.fail_after(HANG_GUARD_S):
            while (await rig.post({"prompt": "x"}, "/v1/completions")).status_code != 200:
                await anyio.sleep(0.01)


async def until_refused(rig: Rig) -> str:
    """What a request is refused with, once what was left has been counted."""
    with anyio.fail_after(HANG_GUARD_S):
        while True:
            async with rig.http.stream("POST", CHAT, json={**BODY, "stream": True}) as answer:
                text = "" if answer.status_code == 200 else (await answer.aread()).decode()
                if "has used" in text and "answered" not in text:
                    return text
            await anyio.sleep(0.05)


async def test_many_at_once_ask_no_more_than_one_after_the_other(tmp_path: Path) -> None:
    told: list[int] = []
    async with keyed(tmp_path, requests_per_day=3) as rig, anyio.create_task_group() as group:

        async def ask() -> None:
            told.append((await rig.post(BODY, CHAT)).status_code)

        for _ in range(12):
            group.start_soon(ask)
    assert sorted(told) == [200] * 3 + [429] * 9


async def test_what_is_being_written_down_counts(tmp_path: Path) -> None:
    database, _ = home_in(tmp_path)
    keys = keys_in(tmp_path)
    key, _ = await anyio.to_thread.run_sync(lambda: keys.create("k", terms=Terms(requests_per_day=2)))
    admission = Admission(KeyUses(database))
    await admission.enter(key)
    await admission.enter(key)
    with database.engine().begin():
        async with anyio.create_task_group() as group:
            # It waits for the writer's place, which is taken.
            group.start_soon(admission.close)
            await anyio.wait_all_tasks_blocked()
            with pytest.raises(QuotaSpent):
                await admission.enter(key)
            group.cancel_scope.cancel()
    await database.close()
    await keys.close()


async def test_embeddings_in_ollamas_dialect_are_counted(tmp_path: Path) -> None:
    models = tmp_path / "home" / "models"
    models.mkdir(parents=True)
    (models / "embedder.gguf").write_bytes(gguf({**MODEL, "general.architecture": "bert", "bert.context_length": 512}))
    async with keyed(tmp_path, tokens_per_day=1) as rig:
        asked = {"model": "embedder", "input": "Hello"}
        told = [(await rig.post(asked, "/api/embed")).status_code for _ in range(2)]
        assert told == [200, 429]


async def test_two_paddocks_count_together(tmp_path: Path) -> None:
    keys = keys_in(tmp_path)
    key, _ = await anyio.to_thread.run_sync(keys.create, "k")
    database, _ = home_in(tmp_path)
    one, other = KeyUses(database), KeyUses(database)
    assert await one.add(20_000, {key.key_id: (2, 30)}) == {key.key_id: (2, 30)}
    assert await other.add(20_000, {key.key_id: (1, 5), "gone": (1, 1)}) == {key.key_id: (3, 35)}
    assert await anyio.to_thread.run_sync(other.latest, 20_000) == {key.key_id: (3, 35)}
    assert await one.add(20_001, {key.key_id: (0, 0)}) == {key.key_id: (0, 0)}
    await database.close()
    await keys.close()


async def test_a_key_that_is_older_than_rights_keeps_what_it_could(tmp_path: Path) -> None:
    keys = keys_in(tmp_path)
    key, text = await anyio.to_thread.run_sync(keys.create, "old")

    def age(connection: Any) -> None:
        from sqlalchemy import update

        from paddock.store.tables import keys as table

        connection.execute(update(table).where(table.c.id == key.key_id).values(rights=None, models=None, paths=None))

    database, _ = home_in(tmp_path)
    await anyio.to_thread.run_sync(database.do, age)
    await database.close()
    found = await keys.verify(text)
    assert found is not None
    assert found.caller.rights == {"ask", "chats", "load", "download", "delete", "inspect"}
    await keys.close()

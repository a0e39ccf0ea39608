"""Tests that what is attacked is taken unattacked: of a body that is refused for something else, no text is looked at.

Every body of the table in `parameters.py` is sent as it is, to paddock as the attacks find it. It is taken; or refused
by the name of the one text that it holds; or for the reason that stands here, behind which no text of it is looked at.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from paddock.paths import Home
from tests.wire import attacked
from tests.wire.parameters import APART, BODIES, IN_PATHS, Place, places, plain
from tests.wire.rig import Rig, scripted_studio

pytestmark = pytest.mark.anyio
REFUSED = {
    "POST /v1/embeddings": "There is no model 'embedder'",
    "POST /v1/rerank": "There is no model 'embedder'",
    "POST /api/embed": "There is no model 'embedder'",
    "POST /api/embeddings": "makes no embeddings",
    "POST /v1/responses": "There is no stored response 'RESPONSE-ID'",
    "POST /v1/responses/input_tokens": "There is no stored response 'RESPONSE-ID'",
    "POST /infill": "File Not Found",
    "POST /api/pull": "Models are managed with",
    "POST /api/push": "Models are managed with",
    "POST /api/create": "Models are managed with",
    "POST /api/copy": "Models are managed with",
    "DELETE /api/delete": "Models are managed with",
    "POST /api/models/import": "There is no file 'x'",
    "PUT /api/models/{id}/settings": "There is no model 'x'",
    "POST /api/chats": "There is no folder",
    "PATCH /api/chats/{id}": "There is no chat",
    "POST /api/chats/{id}/fork": "There is no chat",
    "POST /api/chats/{id}/messages": "There is no chat",
    "PATCH /api/chats/{id}/messages/{message}": "There is no message",
    "POST /api/chats/{id}/answers": "There is no chat",
    "PATCH /api/folders/{id}": "There is no folder",
    "PATCH /api/presets/{id}": "There is no preset",
    "POST /api/downloads": "cannot be reached",
    "POST /api/engines/install": "Builds are being worked on already",
    "POST /api/engines/use": "There is no build 'x'",
    "POST /api/engines/remove": "There is no build 'x'",
    "POST /api/session": "let nobody in",
    "POST /api/session/link": "This link is unknown",
    "PUT /api/session/password": "is for those who are signed in",
    "POST /api/tools/approvals/{id}": "waits for your answer",
    "PATCH /api/knowledge/{id}": "There is no collection",
    "POST /api/knowledge/search": "There is no collection",
    "PUT /api/knowledge/{id}/folder": "There is no collection",
}


def asked() -> list[Place]:
    """A place of every body, and of every path that leads to what lies there and is changed by nobody who asks."""
    found: dict[str, Place] = {}
    for place in places():
        if place.seed or (place.path.startswith(tuple(IN_PATHS)) and place.method == "GET"):
            found.setdefault(f"{place.operation} {json.dumps(place.seed)}", place)
    return list(found.values())


def own_texts(place: Place) -> list[str]:
    """The names that lead to a text of the body."""
    every = [one for one in places() if (one.operation, one.seed, one.where) == (place.operation, place.seed, "body")]
    return [str(one.keys[-1]) for one in every]


async def refusal(rig: Rig, place: Place, made: dict[str, str]) -> tuple[str, object]:
    """What is said of a body as it is, and of which field; "" where it is taken."""
    method, target, body = plain(place, seeds=attacked.SEEDS, laid=made)
    answer = await rig.http.request(method, target, content=body)
    if answer.status_code < 400:
        return "", None
    error = answer.json()["error"]
    return (error, None) if isinstance(error, str) else (error["message"], error.get("param"))


async def test_every_body_that_is_attacked_is_taken_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    home = Home(root=tmp_path / "home")
    laid, needed = attacked.files(tmp_path / "laid", home), set[str]()
    async with (
        scripted_studio(tmp_path, script=attacked.SEES, worker_program=attacked.WORKER, **attacked.FLAGS) as rig,
        attacked.jobs(rig, home.root, tmp_path / "laid", laid) as made,
    ):
        for place in asked():
            message, param = await refusal(rig, place, made)
            reason = REFUSED.get(place.operation)
            if not message or own_texts(place) == [param]:
                continue
            assert reason is not None, f"{place.operation} {place.seed}: {message}"
            assert reason in message, f"{place.operation} {place.seed}"
            needed.add(place.operation)
        await attacked.evaluated(rig)
    assert needed == set(REFUSED)


def test_a_body_that_is_refused_is_none_of_a_path() -> None:
    # These take files of this machine, or words that models and programs read: each of their texts is looked at.
    whole = ("/api/training", "/api/exports", "/api/evaluations", "/api/evaluation-sets")
    assert not [name for name in REFUSED if name.partition(" ")[2].startswith(whole)]
    taking = {place.operation for place in places() if place.where == "body" and place.path.startswith(whole)}
    assert taking - set(BODIES) == {"POST /api/exports/{id}/files/{name}/import"}
    assert not taking & set(APART)

"""Shows what lies here over HTTP: listing, bringing in by a link, removing, templates as text, other names."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path
from urllib.parse import quote

import pytest

from paddock.models.catalog import BUNDLED
from tests.fakes.adapter_files import adapter
from tests.fakes.gguf_files import gguf
from tests.wire.rig import Json, Rig, scripted_studio

pytestmark = pytest.mark.anyio
POCKET = BUNDLED["pocket-v0"]


@pytest.fixture
async def here(tmp_path: Path) -> AsyncGenerator[Rig]:
    async with scripted_studio(tmp_path, warm=False) as rig:
        yield rig


async def brought(rig: Rig, path: Path, **more: str) -> Json:
    answer = await rig.post({"path": str(path), **more}, "/api/models/import")
    assert answer.status_code == 201, answer.text
    return answer.json()


async def listed(rig: Rig) -> Json:
    return (await rig.http.get("/api/models")).json()


async def test_everything_that_lies_here_is_listed_without_its_folder(here: Rig, tmp_path: Path) -> None:
    models = tmp_path / "home" / "models"
    (models / "style.gguf").write_bytes(adapter())
    (models / "torn.gguf").write_bytes(b"GGUF")
    answer = await here.http.get("/api/models")
    told = answer.json()
    (pocket,) = told["models"]
    assert (pocket["id"], pocket["origin"], pocket["quantization"]) == ("pocket-v0", "bundled", "Q8_0")
    assert pocket["size_bytes"] == POCKET.stat().st_size
    assert [(one["id"], one["fits"]) for one in told["adapters"]] == [("style", ["pocket-v0"])]
    assert [(one["id"], one["origin"]) for one in told["broken"]] == [("torn", "imported")]
    assert told["default"] == "pocket-v0"
    assert str(tmp_path) not in answer.text
    assert not here.studio.pool.residents


async def test_a_file_is_brought_in_by_a_link_and_removed_again(here: Rig, tmp_path: Path) -> None:
    (tmp_path / "mine.gguf").write_bytes(POCKET.read_bytes())
    told = await brought(here, tmp_path / "mine.gguf", name="ours")
    assert told == {"imported": [{"id": "ours", "kind": "model", "kept_as": "hard link"}], "refused": []}
    assert [one["id"] for one in (await listed(here))["models"]] == ["pocket-v0", "ours"]
    assert (await here.http.put("/api/models/ours/settings", json={"temperature": 0.5})).status_code == 200
    assert (await here.post({}, "/api/models/ours/load")).status_code == 200

    plan = (await here.http.get("/api/models/ours/removal")).json()
    assert (plan["frees_bytes"], plan["loaded"], plan["live_requests"]) == (0, True, 0)
    assert "the same bytes have another name" in plan["going"][0]["note"]
    assert len((await listed(here))["models"]) == 2

    assert (await here.http.delete("/api/models/ours")).json()["removed"] is True
    assert [one["id"] for one in (await listed(here))["models"]] == ["pocket-v0"]
    assert (tmp_path / "mine.gguf").is_file()
    assert not here.studio.pool.residents
    assert (await here.http.get("/v1/models/ours")).status_code == 404
    await brought(here, tmp_path / "mine.gguf", name="ours")
    assert (await here.http.get("/api/models/ours/settings")).json()["settings"] == {}


async def test_a_folder_brings_in_each_of_its_models_and_says_what_it_could_not(here: Rig, tmp_path: Path) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    (folder / "one.gguf").write_bytes(gguf())
    (folder / "style.gguf").write_bytes(adapter())
    (folder / "torn.gguf").write_bytes(b"GGUF")
    told = await brought(here, folder)
    assert [(one["id"], one["kind"]) for one in told["imported"]] == [("one", "model"), ("style", "adapter")]
    assert [one["file"] for one in told["refused"]] == ["torn.gguf"]
    again = await brought(here, folder)
    assert again["imported"] == []
    assert "There is a model 'one' already" in again["refused"][0]["reason"]


@pytest.mark.parametrize(
    ("path", "words"),
    [("mine.gguf", "a whole path"), ("", "a whole path"), ("/no/such/file.gguf", "There is no file 'file.gguf'")],
)
async def test_a_path_that_leads_nowhere_is_refused(here: Rig, path: str, words: str) -> None:
    answer = await here.post({"path": path}, "/api/models/import")
    assert answer.status_code == 400
    assert words in answer.json()["error"]["message"]


async def test_an_empty_folder_and_one_name_for_many_are_refused(here: Rig, tmp_path: Path) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    empty = await here.post({"path": str(folder)}, "/api/models/import")
    assert (empty.status_code, "holds no GGUF file" in empty.text) == (400, True)
    for name in ("one", "two"):
        (folder / f"{name}.gguf").write_bytes(gguf())
    named = await here.post({"path": str(folder), "name": "both"}, "/api/models/import")
    assert (named.status_code, named.json()["error"]["param"]) == (400, "name")
    assert (await here.post({"path": 3}, "/api/models/import")).status_code == 422


async def test_files_are_not_brought_in_for_those_who_reach_paddock_from_elsewhere(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path, warm=False, host="0.0.0.0", unsafe_no_auth=True) as rig:
        answer = await rig.http.post(
            f"http://127.0.0.1:{rig.http.base_url.port}/api/models/import", json={"path": str(POCKET)}
        )
        assert answer.status_code == 400
        assert "paddock models import" in answer.json()["error"]["message"]


async def test_what_is_not_paddocks_own_is_not_removed(here: Rig) -> None:
    for path in ("/api/models/pocket-v0/removal", "/api/models/pocket-v0"):
        method = "GET" if path.endswith("removal") else "DELETE"
        answer = await here.http.request(method, path)
        assert answer.status_code == 400
        assert "answers the requests that name no model" in answer.json()["error"]["message"]
    assert (await here.http.delete("/api/models/nobody")).status_code == 404


async def test_a_template_is_told_as_text_without_loading_its_model(here: Rig) -> None:
    told = (await here.http.get("/api/models/pocket-v0/chat-template")).json()
    assert (told["from"], told["mentions"]["tools"]) == ("model", True)
    assert "{%" in told["template"]
    await here.http.put("/api/models/pocket-v0/settings", json={"chat_template": "{{ enable_thinking }}"})
    told = (await here.http.get("/api/models/pocket-v0/chat-template")).json()
    assert told["from"] == "override"
    assert told["template"] == "{{ enable_thinking }}"
    assert told["mentions"] == {"tools": False, "thinking": True}
    assert not here.studio.pool.residents


async def test_other_names_are_set_listed_used_and_forgotten(here: Rig) -> None:
    path = f"/api/aliases/{quote('claude-*')}"
    assert (await here.http.put(path, json={"model": "Pocket-V0"})).json()["model"] == "pocket-v0"
    told = (await here.http.get("/api/aliases")).json()
    assert told["data"] == [{"pattern": "claude-*", "model": "pocket-v0"}]
    assert (await here.http.get("/api/models/claude-sonnet/settings")).json()["id"] == "pocket-v0"
    assert (await here.http.delete(path)).json()["deleted"] is True
    assert (await here.http.delete(path)).status_code == 404
    assert (await here.http.put(path, json={"model": "nobody"})).status_code == 404
    assert (await here.http.put(path, json={"model": 3})).status_code == 422
    assert (await here.http.put(f"/api/aliases/{quote('claude-[')}", json={"model": "pocket-v0"})).status_code == 400

"""Tests steering what is loaded: by clients that leave, of models whose file is gone, and in Ollama's way."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from tests.wire.rig import HANG_GUARD_S, scripted_studio
from tests.wire.test_pool import ASKED, FIRST, SECOND, loaded, three_models, until

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("path", ["load", "pin", "template"])
async def test_a_client_that_leaves_a_load_holds_nothing(tmp_path: Path, path: str) -> None:
    async with three_models(tmp_path, {"starts": [{"delay_s": HANG_GUARD_S}]}) as rig:
        method = "GET" if path == "template" else "POST"
        with pytest.raises(httpx.ReadTimeout):
            await rig.http.request(method, f"/api/models/{SECOND}/{path}", timeout=0.5)
        await until(rig, lambda models: models[SECOND]["live_requests"] == 0)
        with pytest.raises(httpx.ReadTimeout):
            await rig.http.post("/v1/messages/count_tokens", json={**ASKED, "model": SECOND}, timeout=0.5)
        await until(rig, lambda models: models[SECOND]["live_requests"] == 0)


async def test_a_loaded_model_whose_file_is_gone_can_be_unpinned_and_unloaded(tmp_path: Path) -> None:
    async with three_models(tmp_path) as rig:
        assert (await rig.http.post(f"/api/models/{SECOND}/pin")).status_code == 200
        for file in (tmp_path / "home" / "models").glob(f"{SECOND}*"):
            file.unlink()
        assert (await rig.http.post(f"/api/models/{SECOND}/unpin")).json()["pinned"] is False
        assert (await rig.http.post(f"/api/models/{SECOND}/unload")).json()["state"] == "stopped"
        assert SECOND not in await loaded(rig)


async def test_a_pin_that_is_set_for_a_model_outlives_paddock(tmp_path: Path) -> None:
    async with three_models(tmp_path, models_most=1) as rig:
        told = await rig.http.put(f"/api/models/{SECOND}/settings", json={"pinned": True})
        assert told.json()["settings"] == {"pinned": True}
        assert (await rig.http.post(f"/api/models/{FIRST}/pin")).json()["pinned"] is True
    async with scripted_studio(tmp_path, warm=False, models_most=1) as rig:
        assert await loaded(rig) == {}
        assert (await rig.chat(model=FIRST)).status_code == 200
        assert (await loaded(rig))[FIRST]["pinned"] is False
        assert (await rig.chat(model=SECOND)).status_code == 200
        assert (await loaded(rig))[SECOND]["pinned"] is True
        assert f"{SECOND} is pinned" in (await rig.chat(model=FIRST)).json()["error"]["message"]
        assert (await rig.http.post(f"/api/models/{SECOND}/unpin")).json()["pinned"] is False
        assert (await rig.chat(model=FIRST)).status_code == 200
        assert list(await loaded(rig)) == [FIRST]


async def test_a_place_that_pinned_models_hold_is_told_as_that(tmp_path: Path) -> None:
    async with three_models(tmp_path, models_most=1) as rig:
        assert (await rig.http.post(f"/api/models/{FIRST}/pin")).status_code == 200
        refused = await rig.chat(model=SECOND)
        assert refused.status_code == 400
        assert "models_most is 1" in refused.json()["error"]["message"]


async def test_ollamas_way_to_unload_a_model_unloads_it(tmp_path: Path) -> None:
    async with three_models(tmp_path) as rig:
        await rig.chat(model=SECOND)
        told = (await rig.post({"model": SECOND, "prompt": "", "keep_alive": 0}, "/api/generate")).json()
        assert (told["done"], told["done_reason"]) == (True, "unload")
        assert SECOND not in await loaded(rig)

"""Whether a model fits, asked over HTTP: the planner's own numbers, and refusals that name the parameter."""

from __future__ import annotations

from pathlib import Path

import pytest

from paddock.models.catalog import BUNDLED
from paddock.models.fit import Load, estimate
from paddock.models.gguf import read_header
from tests.wire.rig import scripted_studio

pytestmark = pytest.mark.anyio


async def test_a_model_s_fit_is_told_in_numbers_and_words(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path, warm=False) as rig:
        answer = await rig.http.get("/api/models/pocket-v0/fit", params={"ctx": 4096, "slots": 3, "kv": "q8_0"})
        told = answer.json()
        assert answer.status_code == 200, answer.text
        assert (told["model"], told["verdict"], told["context_length"]) == ("pocket-v0", "fits", 4096)
        assert (told["slots"], told["kv_type"], told["changes"]) == (3, "q8_0", [])
        load = Load(context_tokens=4096, slots=3, key_type="q8_0", value_type="q8_0", batch_tokens=128)
        expected = estimate(read_header(BUNDLED["pocket-v0"]), load)
        assert told["memory"]["kv_bytes"] == expected.kv_bytes
        assert told["memory"]["total_bytes"] == told["needed_bytes"] == expected.total_bytes + 256 * 2**20
        assert told["needed_bytes"] <= told["free_bytes"]
        assert told["explanation"][-1] == "It fits."
        assert not rig.studio.pool.residents


async def test_a_slot_is_told_to_get_no_more_than_the_model_was_trained_for(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path, warm=False) as rig:
        params = {"ctx": 2**24, "slots": 64, "kv": "f32"}
        told = (await rig.http.get("/api/models/pocket-v0/fit", params=params)).json()
        assert told["context_length"] == 131072
        assert "trained for 131072 tokens" in told["changes"][0]
        # 86 GB: whether there is that much depends on the machine
        assert (told["verdict"] == "does not fit") == (told["needed_bytes"] > told["free_bytes"])


async def test_settings_are_asked_where_the_request_is_silent(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path, warm=False, context_tokens=1024, slots=5) as rig:
        told = (await rig.http.get("/api/models/pocket-v0/fit")).json()
        assert (told["context_length"], told["slots"]) == (1024, 5)


@pytest.mark.parametrize(
    ("params", "name"),
    [({"ctx": "0"}, "ctx"), ({"ctx": "a"}, "ctx"), ({"slots": "65"}, "slots"), ({"slots": "²"}, "slots"),
     ({"kv": "q9"}, "kv"), ({"ctx": "9" * 30}, "ctx")],
)  # fmt: skip
async def test_what_cannot_be_asked_is_refused_by_name(tmp_path: Path, params: dict[str, str], name: str) -> None:
    async with scripted_studio(tmp_path, warm=False) as rig:
        answer = await rig.http.get("/api/models/pocket-v0/fit", params=params)
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, name)


async def test_an_unknown_model_has_no_fit(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path, warm=False) as rig:
        answer = await rig.http.get("/api/models/nobody/fit")
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "model_not_found")

"""Tests texts that can be no path, wherever a route takes one: the field is named, and nothing is at fault."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.wire.rig import scripted_studio
from tests.wire.test_training import ROW, WORKER

pytestmark = pytest.mark.anyio
Json = dict[str, Any]
NO_PATHS = ["x" * 5000, "../" * 2000, "/" + "x" * 5000, "~nobodyhere/x", "x\0y", "\udc80", "loop/x"]
DEEP = "[" * 100_000
# What is posted with a text as a path, by the field that holds it.
TAKING: dict[str, tuple[str, Callable[[str], Json]]] = {
    "exports source": ("/api/exports", lambda text: {"source": text}),
    "exports base": ("/api/exports", lambda text: {"source": "<adapter>", "base": text}),
    "exports/estimate source": ("/api/exports/estimate", lambda text: {"source": text}),
    "exports/estimate base": ("/api/exports/estimate", lambda text: {"source": "<adapter>", "base": text}),
    "training base": ("/api/training", lambda text: {"spec": {"base": text, "data": "llama-keeper"}}),
    "training data": ("/api/training", lambda text: {"spec": {"data": text}}),
    "training eval_data": ("/api/training", lambda text: {"spec": {"data": "llama-keeper", "eval_data": text}}),
    "training reward_code": ("/api/training", lambda text: {"spec": {
        "method": "grpo", "data": "<rows>", "rewards": "python", "reward_code": text, "runs_code": True,
    }}),
    "training/estimate base": ("/api/training/estimate", lambda text: {"spec": {"base": text, "data": "llama-keeper"}}),
    "training/estimate data": ("/api/training/estimate", lambda text: {"spec": {"data": text}}),
    "models/import path": ("/api/models/import", lambda text: {"path": text}),
}  # fmt: skip


@pytest.fixture
def beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What is named beside the text; paddock works where `loop` is a link to itself."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "adapter").mkdir()
    (tmp_path / "adapter" / "adapter_config.json").write_text("{}")
    (tmp_path / "rows.jsonl").write_text(json.dumps(ROW) + "\n")
    return {"<adapter>": str(tmp_path / "adapter"), "<rows>": str(tmp_path / "rows.jsonl")}


def told(body: Json, beside: dict[str, str]) -> bytes:
    text = json.dumps(body)
    for name, path in beside.items():
        text = text.replace(name, path)
    return text.encode()


async def test_a_text_that_can_be_no_path_is_refused_by_the_name_of_its_field(
    tmp_path: Path, beside: dict[str, str]
) -> None:
    async with scripted_studio(tmp_path, warm=False, worker_program=WORKER) as rig:
        for name, (path, body) in TAKING.items():
            for text in NO_PATHS:
                answer = await rig.post(told(body(text), beside), path)
                error = answer.json()["error"]
                assert answer.status_code == 422 or (text == "\udc80" and answer.status_code == 400), (name, error)
                assert error["param"] == name.partition(" ")[2] or answer.status_code == 400, (name, text[:20], error)
                assert len(error["message"]) < 500, (name, error)


@pytest.mark.parametrize("path", ["/api/exports", "/api/exports/estimate"])
async def test_what_an_adapter_says_of_its_base_is_a_path_or_is_refused(tmp_path: Path, path: str) -> None:
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    said = [json.dumps({"base_model_name_or_path": text}) for text in NO_PATHS]
    said += [DEEP, "5", json.dumps({"base_model_name_or_path": None}), "{"]
    async with scripted_studio(tmp_path, warm=False, worker_program=WORKER) as rig:
        for text in said:
            (adapter / "adapter_config.json").write_text(text)
            answer = await rig.post({"source": str(adapter)}, path)
            assert (answer.status_code, answer.json()["error"]["param"]) == (422, "base"), (text[:60], answer.text)


@pytest.mark.parametrize("path", ["/api/exports", "/api/exports/estimate", "/api/training", "/api/training/estimate"])
async def test_a_base_that_is_nested_too_deeply_or_no_table_is_no_fault_of_paddock(tmp_path: Path, path: str) -> None:
    base = tmp_path / "base"
    base.mkdir()
    body = {"source": str(base)} if "exports" in path else {"spec": {"base": str(base), "data": "llama-keeper"}}
    header = len(DEEP).to_bytes(8, "little") + DEEP.encode()
    async with scripted_studio(tmp_path, warm=False, worker_program=WORKER) as rig:
        for config, weights in ((DEEP, b""), ("{}", header), ("{}", b"\1" + bytes(7) + b"5"), (DEEP, header)):
            (base / "config.json").write_text(config)
            (base / "model.safetensors").write_bytes(weights)
            answer = await rig.post(body, path)
            assert (answer.status_code, answer.json()["error"]["param"]) == (422, "base"), answer.text

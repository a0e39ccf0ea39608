"""Owns the second half of a dry run: whether the engine loads what two steps made, and answers; refuses to train."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread

from paddock.data.files import first_rows
from paddock.data.likenesses import Likeness
from paddock.data.rows import Row
from paddock.engine.flags import EngineFlags
from paddock.engine.private import engine_for
from paddock.errors import PaddockError
from paddock.jobs.ended import Error
from paddock.jobs.folder import JobFolder, Report
from paddock.training.endings import DRY_RUN
from paddock.training.spec import Sample, form_of

if TYPE_CHECKING:
    from paddock.engine.client import EngineClient
    from paddock.engine.process import Endpoint

_LOAD_S, _ANSWER_S = 600.0, 300.0
_CONTEXT_TOKENS_MOST, _BATCH_TOKENS = 4096, 128
_LOOK_EVERY_S = 0.3
_ANSWER_TOKENS, _PROMPT_CHARACTERS = 16, 500


async def is_ordered(folder: JobFolder) -> bool:
    """Whether the worker that is at it, or was, only tries. Raises OSError."""
    return bool((await anyio.to_thread.run_sync(folder.order)).get(DRY_RUN))


async def tried(folder: JobFolder, program: Sequence[str]) -> Error | None:
    """Have the engine answer with what a dry run made, tell the answer, and clear away; None where all went well.

    None also where somebody wished it to stop meanwhile. Raises OSError.
    """
    spec = (await anyio.to_thread.run_sync(folder.order))["spec"]
    flags = EngineFlags(
        model_path=str(folder.dry_run / "model.gguf"),
        alias=DRY_RUN,
        context_tokens=min(_CONTEXT_TOKENS_MOST, spec["context_tokens"]),
        slots=1,
        batch_tokens=_BATCH_TOKENS,
        ubatch_tokens=_BATCH_TOKENS,
        embeddings=spec["method"] == "embedding",
    )
    row = (await anyio.to_thread.run_sync(first_rows, spec["data"], 1, form_of(spec["method"])))[0]

    async def work(endpoint: Endpoint, client: EngineClient) -> str:
        path, body = _question(row)
        return _answer(await client.ask(endpoint, path, body))

    fault: Error | None = None
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_until_wished, folder, tasks.cancel_scope)
        try:
            answer = await engine_for(program, flags, work, load_s=_LOAD_S, work_s=_ANSWER_S)
            await anyio.to_thread.run_sync(_tell, folder, answer)
        except (PaddockError, TimeoutError) as error:
            fault = _fault(error)
        tasks.cancel_scope.cancel()
    return fault


def _fault(error: PaddockError | TimeoutError) -> Error:
    said = error.message if isinstance(error, PaddockError) else "It did not answer in time."
    return {
        "kind": "export",
        "message": f"Two steps were trained and written as GGUF, and the engine cannot answer with that: {said} "
        "Nothing more was trained. `dry_run: no` trains all the same.",
    }


async def _until_wished(folder: JobFolder, scope: anyio.CancelScope) -> None:
    while True:
        if await anyio.to_thread.run_sync(folder.wish):
            scope.cancel()
        await anyio.sleep(_LOOK_EVERY_S)


def _tell(folder: JobFolder, answer: str) -> None:
    report = Report(folder)
    report.tell("tried", answer=answer)
    report.close()
    shutil.rmtree(folder.dry_run, ignore_errors=True)


def _question(row: Sample) -> tuple[str, dict[str, Any]]:
    """What is asked: the beginning of the first row, as far as its first answer."""
    if isinstance(row, Likeness):
        return "/v1/embeddings", {"input": row.anchor[:_PROMPT_CHARACTERS]}
    sampling = {"temperature": 0, "max_tokens": _ANSWER_TOKENS}
    if isinstance(row, Row) and not row.messages:
        return "/v1/completions", {"prompt": row.text[:_PROMPT_CHARACTERS] or "The", **sampling}
    messages = row.messages if isinstance(row, Row) else row.prompt
    asked = next((str(one.get("content")) for one in messages if one["role"] == "user"), "Hello")
    return "/v1/chat/completions", {
        "messages": [{"role": "user", "content": asked[:_PROMPT_CHARACTERS]}],
        **sampling,
    }


def _answer(said: Mapping[str, Any]) -> str:
    """The text of an answer, or the calls that it consists of. Raises PaddockError."""
    if said.get("data"):
        vector = said["data"][0]["embedding"]
        if not any(vector):
            raise PaddockError("Its vector is of zeros.")
        return f"a vector of {len(vector)} numbers"
    if not said.get("choices") or not said.get("usage", {}).get("completion_tokens"):
        raise PaddockError("It wrote no token.")
    choice = said["choices"][0]
    message = choice.get("message") or {"content": choice.get("text")}
    calls = message.get("tool_calls")
    return str(message.get("content") or (json.dumps(calls) if calls else ""))

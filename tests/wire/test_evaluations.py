"""Tests evaluations as clients see them, before a scripted engine: queue, results, going on, refusals, scores."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from paddock.api.evaluations import Evaluation, EvaluationList, EvaluationResults, EvaluationsCompared
from paddock.evaluation.trying import Trier
from tests.fakes.scripted_shapes import Answer
from tests.wire.rig import CHAT, HANG_GUARD_S, Rig, body_of, plain, refusal, scripted_studio

pytestmark = pytest.mark.anyio
EVALUATIONS = "/api/evaluations"
Json = dict[str, Any]
SET: list[Json] = [
    {"name": "hello", "prompt": "Hello", "contains": "says hello"},
    {"name": "never", "prompt": "Hello", "exact": "Never."},
    {"name": "words", "prompt": "Hello", "regex": "^The .* hello[.]$"},
]
SILENT: Answer = {"wait_s": None}


def said(text: str) -> Answer:
    """An answer of these words."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return plain(json.dumps({"id": "a", "model": "m", "object": "chat.completion", "choices": [choice]}).encode())


async def begun(rig: Rig, rows: list[Json] | None = None, **more: Any) -> str:
    asked = {"suite": "set", "set": rows or SET, "name": "mine", **more}
    answer = await rig.http.post(EVALUATIONS, json=asked)
    assert answer.status_code == 202, answer.text
    return str(Evaluation.model_validate(answer.json()).id)


async def until(rig: Rig, job_id: str, is_so: Callable[[Json], bool]) -> Json:
    with anyio.fail_after(HANG_GUARD_S):
        while not is_so(found := (await rig.http.get(f"{EVALUATIONS}/{job_id}")).json()):
            await anyio.sleep(0.05)
    return Evaluation.model_validate(found).model_dump()


async def ended(rig: Rig, job_id: str) -> Json:
    return await until(rig, job_id, lambda job: job["state"] not in ("queued", "running", "stopping"))


async def results(rig: Rig, job_id: str, query: str = "") -> list[Json]:
    return EvaluationResults.model_validate((await rig.http.get(f"{EVALUATIONS}/{job_id}/results{query}")).json()).data


async def test_a_set_is_tried_and_each_result_told_kept_and_removed(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path) as rig:
        job_id = await begun(rig)
        with anyio.fail_after(HANG_GUARD_S):
            told = (await rig.http.get(f"{EVALUATIONS}/{job_id}/events")).text
        events = [json.loads(line[6:]) for line in told.splitlines() if line.startswith("data: {")]
        assert [event["kind"] for event in events] == ["result"] * 3 + ["done"]
        found = await ended(rig, job_id)
        assert (found["state"], found["error"]) == ("done", None)
        total = found["figures"]["report"]["total"]
        assert (total["passed"], total["of"], found["figures"]["tried"]) == (2, 3, 3)
        subject = found["figures"]["subject"]
        assert len(subject["file_digest"]) == len(subject["template_digest"]) == 64
        assert subject["engine"].startswith("embedded")
        (failed,) = await results(rig, job_id, "?failed=true")
        assert (failed["name"], failed["said"]) == ("never", "The scripted engine says hello.")
        assert failed["asked"][0]["messages"] == [{"role": "user", "content": "Hello"}]
        assert body_of((await rig.engine.seen())[0])["temperature"] == 0
        # A set of one's own is no score of the model.
        assert "evaluations" not in (await rig.http.get("/v1/models/pocket-v0")).json()
        listed = EvaluationList.model_validate((await rig.http.get(EVALUATIONS)).json())
        assert [one.id for one in listed.data] == [job_id]
        assert (await rig.http.delete(f"{EVALUATIONS}/{job_id}")).json() == {"id": job_id, "deleted": True}
        assert (await rig.http.get(f"{EVALUATIONS}/{job_id}")).status_code == 404
        assert not (tmp_path / "home" / "jobs" / job_id).exists()


async def test_the_score_of_tools_stands_with_the_model_of_exactly_that_file_and_template(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path) as rig:
        assert "evaluations" not in (await rig.http.get("/v1/models/pocket-v0")).json()
        answer = await rig.http.post(EVALUATIONS, json={"suite": "tools", "answer_tokens": 64})
        job = await ended(rig, answer.json()["id"])
        assert job["state"] == "done", job
        cases = {one["case"]: one for one in job["figures"]["report"]["cases"]}
        assert len(cases) == 12
        # The scripted engine says the same words whatever it is asked, others in a stream, and calls only where forced,
        # without arguments: also where the answer is cut, which it does not tell.
        assert cases["none"]["share"] == cases["no tool fits"]["share"] == 1.0
        assert cases["nested"]["share"] == cases["60 tools"]["share"] == cases["streamed"]["share"] == 0.0
        assert cases["forced"]["share"] == 0.0
        cut = await results(rig, job["id"], "?failed=true")
        assert {one["name"] for one in cut if one["case"] == "truncated"} == {f"{n} tokens" for n in (4, 8, 12, 16, 24)}
        score = (await rig.http.get("/v1/models/pocket-v0")).json()["evaluations"]["tools"]
        total = job["figures"]["report"]["total"]
        assert (score["id"], score["passed"], score["of"]) == (job["id"], total["passed"], total["of"])
        assert score["low"] < score["share"] < score["high"]
        (listed,) = [one for one in (await rig.http.get("/v1/models")).json()["data"] if one["id"] == "pocket-v0"]
        (native,) = [one for one in (await rig.http.get("/api/models")).json()["models"] if one["id"] == "pocket-v0"]
        assert listed["evaluations"]["tools"] == native["evaluations"]["tools"] == score
        changed = await rig.http.put("/api/models/pocket-v0/settings", json={"chat_template": "{{ messages }}"})
        assert changed.status_code == 200, changed.text
        assert "evaluations" not in (await rig.http.get("/v1/models/pocket-v0")).json()
        await rig.http.put("/api/models/pocket-v0/settings", json={"chat_template": None})
        assert (await rig.http.get("/v1/models/pocket-v0")).json()["evaluations"]["tools"] == score
    # The next paddock knows it, too.
    async with scripted_studio(tmp_path, warm=False) as rig:
        assert (await rig.http.get("/v1/models/pocket-v0")).json()["evaluations"]["tools"] == score
        assert (await rig.http.delete(f"{EVALUATIONS}/{job['id']}")).status_code == 200
        assert "evaluations" not in (await rig.http.get("/v1/models/pocket-v0")).json()


async def test_one_that_is_cancelled_in_the_middle_of_an_answer_is_gone_on_with_by_the_same_command(
    tmp_path: Path,
) -> None:
    async with scripted_studio(tmp_path) as rig:
        await rig.script({}, SILENT)
        job_id = await begun(rig)
        await until(rig, job_id, lambda job: job["figures"].get("tried") == 1)
        await rig.engine.until(lambda record: record["hits"].get(CHAT, 0) == 2)
        assert (await rig.http.post(f"{EVALUATIONS}/{job_id}/cancel")).json()["state"] == "stopping"
        assert (await ended(rig, job_id))["state"] == "cancelled"
        again = await rig.http.post(f"{EVALUATIONS}/{job_id}/cancel")
        assert (again.status_code, again.json()["error"]["current"]) == (409, {"state": "cancelled"})
        await rig.engine.clear()
        assert await begun(rig, name="called otherwise") == job_id
        assert (await ended(rig, job_id))["state"] == "done"
        assert len(await rig.engine.seen()) == 2
        assert [one["name"] for one in await results(rig, job_id)] == [row["name"] for row in SET]
        # One that is whole is not gone on with, and another set is another evaluation.
        assert await begun(rig) != job_id
        assert await begun(rig, SET[:1]) != job_id


async def test_a_paddock_that_ends_leaves_it_to_the_next_which_tries_only_the_rest(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path) as rig:
        await rig.script({}, SILENT)
        job_id = await begun(rig)
        await until(rig, job_id, lambda job: job["figures"].get("tried") == 1)
    async with scripted_studio(tmp_path, warm=False) as rig:
        found = await ended(rig, job_id)
        assert (found["state"], found["figures"]["tried"]) == ("done", 3)
        assert len(await rig.engine.seen()) == 2


async def test_results_of_two_templates_are_not_mixed(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path) as rig:
        await rig.script({}, SILENT)
        job_id = await begun(rig)
        await until(rig, job_id, lambda job: job["figures"].get("tried") == 1)
        await rig.http.post(f"{EVALUATIONS}/{job_id}/cancel")
        await ended(rig, job_id)
        await rig.http.put("/api/models/pocket-v0/settings", json={"chat_template": "{{ messages }}"})
        assert (await rig.http.post(f"{EVALUATIONS}/{job_id}/resume")).status_code == 200
        found = await ended(rig, job_id)
        assert (found["state"], found["error"]["kind"]) == ("failed", "changed")


async def test_a_request_that_is_refused_fails_its_try_and_an_engine_that_dies_the_evaluation(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path) as rig:
        await rig.script(refusal(400, "no such thing"), {"end": "crash", "no_head": True})
        job_id = await begun(rig)
        found = await ended(rig, job_id)
        assert (found["state"], found["figures"]["tried"]) == ("failed", 1)
        assert "pocket-v0" in found["error"]["message"]
        (first,) = await results(rig, job_id)
        assert first["why"] == "it was refused: no such thing"
        await rig.http.post(f"{EVALUATIONS}/{job_id}/resume")
        assert (await ended(rig, job_id))["figures"]["tried"] == 3


async def test_a_judge_is_asked_for_a_verdict_and_one_without_has_not_passed(tmp_path: Path) -> None:
    row = {"name": "kind", "prompt": "Hello", "judge": "It is kind."}
    async with scripted_studio(tmp_path) as rig:
        await rig.script(said("Hi."), said('{"reason": "It greets.", "passes": true}'), said("Hi."), said("Well…"))
        job_id = await begun(rig, [row, {**row, "name": "again"}], judge="pocket-v0")
        assert (await ended(rig, job_id))["state"] == "done"
        one, two = await results(rig, job_id)
        assert (one["passed"], two["passed"], two["why"]) == (True, False, "the judge gave no verdict")
        asked = body_of((await rig.engine.seen())[1])
        assert "Criterion: It is kind." in asked["messages"][1]["content"]
        assert asked["response_format"]["json_schema"]["schema"]["required"] == ["reason", "passes"]


async def test_two_of_the_same_tries_are_compared_and_others_are_not(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path) as rig:
        one = await begun(rig)
        await ended(rig, one)
        await rig.script(refusal(400, "no such thing"), said("The scripted engine says hello."))
        two, other = await begun(rig), await begun(rig, SET[:1])
        await ended(rig, two)
        await ended(rig, other)
        told = EvaluationsCompared.model_validate((await rig.http.get(f"{EVALUATIONS}/{one}/against/{two}")).json())
        assert told.lost == [{"case": "contains", "name": "hello"}]
        assert told.total is not None
        assert (told.total["before"], told.total["after"]) == (2, 1)
        refused = await rig.http.get(f"{EVALUATIONS}/{one}/against/{other}")
        assert (refused.status_code, "only the same tries" in refused.json()["error"]["message"]) == (409, True)


@pytest.mark.parametrize(
    ("asked", "status", "param"),
    [
        ({"suite": "all"}, 422, "suite"),
        ({"suite": "tools", "set": SET}, 422, "set"),
        ({"suite": "set"}, 422, "set"),
        ({"suite": "set", "set": [{"prompt": "a", "regex": "("}]}, 422, "set"),
        ({"suite": "set", "set": [{"prompt": "a", "judge": "b"}]}, 422, "set"),
        ({"suite": "tools", "model": "nobody"}, 404, "model"),
        ({"suite": "tools", "judge": "nobody"}, 404, "model"),
        ({"suite": "tools", "answer_tokens": -1}, 422, "answer_tokens"),
        ({"suite": "tools", "more": 1}, 422, "more"),
    ],
)
async def test_what_makes_no_sense_is_refused_before_anything_is_begun(
    rig: Rig, asked: Json, status: int, param: str
) -> None:
    answer = await rig.http.post(EVALUATIONS, json=asked)
    assert (answer.status_code, answer.json()["error"]["param"]) == (status, param), answer.text
    assert (await rig.http.get(EVALUATIONS)).json()["data"] == []


async def test_a_second_paddock_of_the_data_home_says_who_evaluates(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path) as rig:
        await ended(rig, await begun(rig))
        async with scripted_studio(tmp_path, warm=False) as second:
            answer = await second.http.post(EVALUATIONS, json={"suite": "tools"})
            assert answer.status_code == 409
            assert "Another paddock of this data home" in answer.json()["error"]["message"]


async def test_a_fault_of_paddock_ends_the_job_alone_also_after_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise TypeError("nobody foresaw\nthis")

    with monkeypatch.context() as patched:
        patched.setattr(Trier, "tried", broken)
        async with scripted_studio(tmp_path) as rig:
            first = await begun(rig)
            found = await ended(rig, first)
            assert (found["state"], found["error"]["kind"]) == ("failed", "system")
            assert "(TypeError: nobody foresaw this)" in found["error"]["message"]
            # The server is as well as before.
            assert (await rig.http.post(CHAT, json={"messages": [{"role": "user", "content": "Hello"}]})).is_success
    async with scripted_studio(tmp_path) as rig:
        assert (await rig.http.post(f"{EVALUATIONS}/{first}/resume")).status_code == 200
        assert (await ended(rig, first))["state"] == "done"


async def test_one_that_is_begun_cancelled_and_removed_at_once_again_and_again_harms_nobody(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path) as rig:
        for number in range(40):
            job_id = await begun(rig, name=f"mine {number}", anew=True)
            await anyio.sleep(number % 8 * 0.003)
            await rig.http.post(f"{EVALUATIONS}/{job_id}/cancel")
            with anyio.fail_after(HANG_GUARD_S):
                while (await rig.http.delete(f"{EVALUATIONS}/{job_id}")).status_code == 409:
                    await anyio.sleep(0.005)
        assert (await ended(rig, await begun(rig, anew=True)))["state"] == "done"

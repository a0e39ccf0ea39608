"""Tests votes on two models' answers before a scripted engine: blind until names are shown, whole, gone on with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from paddock.api.evaluation_votes import Ballot, VotesTold
from paddock.models.catalog import BUNDLED
from tests.fakes.scripted_shapes import Answer
from tests.wire.rig import CHAT, Rig, body_of, refusal, scripted_studio
from tests.wire.test_evaluations import EVALUATIONS, SILENT, ended, said, until

pytestmark = pytest.mark.anyio
Json = dict[str, Any]
PROMPTS: list[Json] = [{"prompt": f"Question {number}"} for number in range(1, 5)]
TUNED = "tuned"


async def other_model(rig: Rig, folder: Path) -> None:
    """Another model, of the bundled one's file."""
    file = folder / f"{TUNED}.gguf"
    if not file.exists():
        file.write_bytes(BUNDLED["pocket-v0"].read_bytes())
        answer = await rig.http.post("/api/models/import", json={"path": str(file)})
        assert answer.status_code == 201, answer.text
    assert (await rig.http.post(f"/api/models/{TUNED}/load")).is_success
    await rig.engine_of(TUNED).clear()


async def answering(rig: Rig, firsts: list[Answer], seconds: list[Answer]) -> None:
    """Have the first model give these answers, in turn, and the other those."""
    for model, answers in (("pocket-v0", firsts), (TUNED, seconds)):
        await rig.engine_of(model).set({"routes": {CHAT: answers}})


async def voting(rig: Rig, folder: Path, rows: list[Json] = PROMPTS, **more: Any) -> str:
    """A vote whose answers there are: of the first model "a1", "a2" and so on, of the other "b1", "b2"."""
    await other_model(rig, folder)
    a, b = ([said(f"{model}{number}") for number in range(1, len(rows) + 1)] for model in "ab")
    await answering(rig, a, b)
    job_id = await begun(rig, rows, **more)
    assert (await ended(rig, job_id))["state"] == "done"
    return job_id


async def begun(rig: Rig, rows: list[Json] = PROMPTS, **more: Any) -> str:
    asked = {"suite": "vote", "model": "pocket-v0", "against": TUNED, "set": rows, "name": "which", **more}
    answer = await rig.http.post(EVALUATIONS, json=asked)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


async def ballot(rig: Rig, job_id: str, query: str = "") -> Ballot:
    answer = await rig.http.get(f"{EVALUATIONS}/{job_id}/ballot{query}")
    assert answer.status_code == 200, answer.text
    return Ballot.model_validate(answer.json())


async def chosen(rig: Rig, job_id: str, number: int, choice: str) -> Ballot:
    answer = await rig.http.post(f"{EVALUATIONS}/{job_id}/ballot", json={"number": number, "choice": choice})
    assert answer.status_code == 200, answer.text
    return Ballot.model_validate(answer.json())


async def for_model(rig: Rig, job_id: str, number: int, letter: str) -> None:
    """Vote for the side on which one model's answer stands, which a person would have to guess."""
    pair = (await ballot(rig, job_id, f"?number={number}")).pair
    assert pair is not None
    await chosen(rig, job_id, number, "left" if pair.left.text.startswith(letter) else "right")


async def votes(rig: Rig, job_id: str) -> VotesTold:
    return VotesTold.model_validate((await rig.http.get(f"{EVALUATIONS}/{job_id}/votes")).json())


async def test_two_models_answer_the_same_and_what_is_chosen_is_told_with_intervals_once_names_are_shown(
    tmp_path: Path,
) -> None:
    async with scripted_studio(tmp_path) as rig:
        job_id = await voting(rig, tmp_path)
        for model in ("pocket-v0", TUNED):
            seen = [body_of(one) for one in await rig.engine_of(model).seen()]
            assert [one["messages"][0]["content"] for one in seen] == [row["prompt"] for row in PROMPTS]
        first = await ballot(rig, job_id)
        assert (first.of, first.ready, first.voted, first.shown_s) == (4, 4, 0, None)
        assert first.pair is not None
        assert {first.pair.left.text, first.pair.right.text} == {"a1", "b1"}
        await for_model(rig, job_id, 1, "a")
        await for_model(rig, job_id, 2, "a")
        assert (await ballot(rig, job_id)).pair.number == 3  # type: ignore[union-attr]
        await chosen(rig, job_id, 3, "tie")
        over = await chosen(rig, job_id, 4, "bad")
        assert (over.voted, over.pair) == (4, None)
        assert (await votes(rig, job_id)).report is None
        shown = await rig.http.post(f"{EVALUATIONS}/{job_id}/show")
        told = VotesTold.model_validate(shown.json())
        assert told.report is not None
        assert [(one.model, one.count, one.of) for one in told.report.models] == [("pocket-v0", 2, 4), (TUNED, 0, 4)]
        assert told.report.models[0].low < 0.5 < told.report.models[0].high
        assert (told.report.tie.count, told.report.bad.count, told.report.is_whole) == (1, 1, True)
        assert (told.report.preferred.share, told.report.preferred.of, told.report.chance) == (1.0, 2, 0.5)
        for pair in told.data:
            for side in (pair.left, pair.right):
                assert side.model == ("pocket-v0" if side.text.startswith("a") else TUNED)
        assert told == await votes(rig, job_id)
        (listed,) = (await rig.http.get(EVALUATIONS)).json()["data"]
        assert listed["vote"] == {"of": 4, "ready": 4, "voted": 4, "shown_s": told.shown_s}


async def test_nothing_that_is_told_before_the_names_are_shown_hangs_on_whose_an_answer_is(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path) as rig:
        rows = [{"prompt": f"Question {number}"} for number in range(64)]
        job_id = await voting(rig, tmp_path, rows)
        ways = ("", "/ballot", "/votes", "/results", "/events", *(f"/ballot?number={n}" for n in range(1, 65)))
        told = [(await rig.http.get(f"{EVALUATIONS}/{job_id}{way}")).text for way in ways]
        sides = [json.loads(text)["pair"] for text in told[5:]]
        lefts = {pair["left"]["text"][0] for pair in sides}
        # Both models stand on both sides: of 64 fair draws all are alike once in 10^19 runs.
        assert lefts == {"a", "b"}
        for pair in sides:
            assert set(pair) == {"number", "name", "asked", "left", "right", "choice", "voted_s"}
            assert set(pair["left"]) == set(pair["right"]) == {"text", "is_refused"}
        for text in told[1:]:
            # Whoever wants a vote names the models in the order of the request, and nothing else names one.
            bare = text.replace(json.dumps(["pocket-v0", TUNED], separators=(",", ":")), "")
            assert "pocket-v0" not in bare, text[:200]
            assert TUNED not in bare, text[:200]
        blind = await votes(rig, job_id)
        assert all(side.model is None for pair in blind.data for side in (pair.left, pair.right))


async def test_a_reason_that_names_the_model_is_told_with_the_names_alone(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path) as rig:
        await other_model(rig, tmp_path)
        await answering(rig, [refusal(400, "pocket-v0 will not")], [said("b1")])
        job_id = await begun(rig, PROMPTS[:1])
        assert (await ended(rig, job_id))["state"] == "done"
        pair = (await ballot(rig, job_id)).pair
        assert pair is not None
        assert sorted((side.text, side.is_refused) for side in (pair.left, pair.right)) == [("", True), ("b1", False)]
        assert "will not" not in (await rig.http.get(f"{EVALUATIONS}/{job_id}/votes")).text
        await rig.http.post(f"{EVALUATIONS}/{job_id}/show")
        assert "pocket-v0 will not" in (await rig.http.get(f"{EVALUATIONS}/{job_id}/votes")).text


async def test_a_vote_survives_a_restart_and_goes_on_where_it_was_left(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path) as rig:
        job_id = await voting(rig, tmp_path)
        before = [(await ballot(rig, job_id, f"?number={number}")).pair for number in range(1, 5)]
        await chosen(rig, job_id, 1, "left")
        # A choice is another one as long as nobody knows the names.
        await chosen(rig, job_id, 1, "right")
    async with scripted_studio(tmp_path, warm=False) as rig:
        left = await ballot(rig, job_id)
        assert (left.voted, left.pair) == (1, before[1])
        assert (await ballot(rig, job_id, "?number=1")).pair.choice == "right"  # type: ignore[union-attr]
        assert (await ballot(rig, job_id, "?number=3")).pair == before[2]


async def test_answers_come_to_their_end_behind_a_restart_and_none_is_asked_twice(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path) as rig:
        await other_model(rig, tmp_path)
        await answering(rig, [said(f"a{number}") for number in range(1, 5)], [said("b1"), SILENT])
        job_id = await begun(rig)
        await until(rig, job_id, lambda job: job["figures"].get("tried") == 5)
        half = await ballot(rig, job_id)
        assert (half.of, half.ready) == (4, 1)
        await chosen(rig, job_id, 1, "tie")
        refused = await rig.http.post(f"{EVALUATIONS}/{job_id}/ballot", json={"number": 2, "choice": "tie"})
        assert (refused.status_code, refused.json()["error"]["param"]) == (422, "number")
        early = await rig.http.post(f"{EVALUATIONS}/{job_id}/show")
        assert (early.status_code, "still answer" in early.json()["error"]["message"]) == (409, True)
    async with scripted_studio(tmp_path, warm=False) as rig:
        found = await ended(rig, job_id)
        assert (found["state"], found["figures"]["tried"], found["figures"]["of"]) == ("done", 8, 8)
        assert len(await rig.engine.seen()) == 3
        assert found["vote"]["voted"] == 1


async def test_names_that_are_shown_end_the_vote(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path) as rig:
        job_id = await voting(rig, tmp_path)
        await for_model(rig, job_id, 1, "b")
        told = VotesTold.model_validate((await rig.http.post(f"{EVALUATIONS}/{job_id}/show")).json())
        assert told.report is not None
        assert (told.voted, told.report.is_whole, told.report.models[1].count) == (1, False, 1)
        again = await rig.http.post(f"{EVALUATIONS}/{job_id}/show")
        assert again.json()["shown_s"] == told.shown_s
        refused = await rig.http.post(f"{EVALUATIONS}/{job_id}/ballot", json={"number": 2, "choice": "left"})
        assert (refused.status_code, "would not be blind" in refused.json()["error"]["message"]) == (409, True)
        assert (await ballot(rig, job_id)).pair is None
        # The same asked once more is another vote.
        assert await begun(rig) != job_id


async def test_what_is_cancelled_and_shown_is_not_gone_on_with_and_goes_whole_when_it_is_removed(
    tmp_path: Path,
) -> None:
    async with scripted_studio(tmp_path) as rig:
        await other_model(rig, tmp_path)
        await answering(rig, [said("a1"), SILENT], [])
        job_id = await begun(rig)
        await rig.engine.until(lambda record: record["hits"].get(CHAT, 0) == 2)
        await rig.http.post(f"{EVALUATIONS}/{job_id}/cancel")
        await ended(rig, job_id)
        assert (await rig.http.post(f"{EVALUATIONS}/{job_id}/show")).json()["ready"] == 0
        refused = await rig.http.post(f"{EVALUATIONS}/{job_id}/resume")
        assert (refused.status_code, "names of this vote" in refused.json()["error"]["message"]) == (409, True)
        await rig.engine.clear()
        assert await begun(rig) != job_id
        assert (await rig.http.delete(f"{EVALUATIONS}/{job_id}")).status_code == 200
        for way in ("ballot", "votes"):
            assert (await rig.http.get(f"{EVALUATIONS}/{job_id}/{way}")).status_code == 404


@pytest.mark.parametrize(
    ("asked", "status", "param"),
    [
        ({"against": ""}, 422, "against"),
        ({"against": "pocket-v0"}, 422, "against"),
        ({"against": "nobody"}, 404, "model"),
        ({"set": None}, 422, "set"),
        ({"set": []}, 422, "set"),
        ({"set": PROMPTS * 251}, 422, "set"),
        ({"set": [{"text": "x"}]}, 422, "set"),
        ({"set": [{"prompt": "x", "more": 1}]}, 422, "set"),
        ({"suite": "tools", "set": None}, 422, "against"),
        ({"set_id": "set_1"}, 422, "set_id"),
        ({"set": None, "set_id": "set_1"}, 404, None),
    ],
)
async def test_a_vote_that_makes_no_sense_is_refused_before_anything_is_begun(
    tmp_path: Path, asked: Json, status: int, param: str | None
) -> None:
    async with scripted_studio(tmp_path, warm=False) as rig:
        await other_model(rig, tmp_path)
        body = {"suite": "vote", "model": "pocket-v0", "against": TUNED, "set": PROMPTS, **asked}
        answer = await rig.http.post(EVALUATIONS, json=body)
        assert (answer.status_code, answer.json()["error"]["param"]) == (status, param), answer.text
        assert (await rig.http.get(EVALUATIONS)).json()["data"] == []


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        ({"number": 1, "choice": "first"}, 422, "choice"),
        ({"number": 0, "choice": "left"}, 422, "number"),
        ({"number": True, "choice": "left"}, 422, "number"),
        ({"number": 900, "choice": "left"}, 422, "number"),
        ({"number": 10**30, "choice": "left"}, 422, "number"),
        ({"choice": "left"}, 422, "number"),
        ({"number": 1, "choice": "left", "model": "pocket-v0"}, 422, "model"),
    ],
)
async def test_a_ballot_that_makes_no_sense_changes_nothing(
    tmp_path: Path, body: Json, status: int, param: str
) -> None:
    async with scripted_studio(tmp_path) as rig:
        job_id = await voting(rig, tmp_path, PROMPTS[:1])
        answer = await rig.http.post(f"{EVALUATIONS}/{job_id}/ballot", json=body)
        assert (answer.status_code, answer.json()["error"]["param"]) == (status, param), answer.text
        for number, code in (("x", 400), ("-1", 400), ("9" * 40, 400), ("7", 422)):
            assert (await rig.http.get(f"{EVALUATIONS}/{job_id}/ballot?number={number}")).status_code == code
        assert (await ballot(rig, job_id)).voted == 0


async def test_what_is_no_vote_has_no_ballot_and_a_vote_is_not_compared(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path) as rig:
        job_id = await voting(rig, tmp_path, PROMPTS[:1])
        asked = {"suite": "set", "set": [{"prompt": "a", "contains": "b"}], "name": "mine"}
        other = (await rig.http.post(EVALUATIONS, json=asked)).json()["id"]
        await ended(rig, other)
        assert (await rig.http.get(f"{EVALUATIONS}/{other}/ballot")).status_code == 409
        assert (await rig.http.get(f"{EVALUATIONS}/{other}/votes")).status_code == 409
        assert (await rig.http.post(f"{EVALUATIONS}/{other}/show")).status_code == 409
        assert (await rig.http.get(f"{EVALUATIONS}/{job_id}/against/{other}")).status_code == 409

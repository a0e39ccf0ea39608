"""Tests sets of one's own that are kept here: looked at line by line, kept whole or not at all, tried, removed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from paddock.api.evaluation_sets import EvaluationSet, SetList, SetLook
from tests.wire.rig import Rig, scripted_studio
from tests.wire.test_evaluations import EVALUATIONS, SET, ended

pytestmark = pytest.mark.anyio
SETS = "/api/evaluation-sets"
LINES = "\n".join(json.dumps(row) for row in SET)
Json = dict[str, Any]


async def kept(rig: Rig, name: str = "mine", lines: str = LINES) -> EvaluationSet:
    answer = await rig.http.post(SETS, json={"name": name, "lines": lines})
    assert answer.status_code == 201, answer.text
    return EvaluationSet.model_validate(answer.json())


async def looked(rig: Rig, lines: str) -> SetLook:
    return SetLook.model_validate((await rig.http.post(f"{SETS}/check", json={"lines": lines})).json())


async def test_a_set_is_kept_changed_tried_and_removed_while_what_was_tried_stays(tmp_path: Path) -> None:
    odd = json.dumps({"prompt": "grüß \U0001f999 \x00", "contains": "hello"}, ensure_ascii=False)
    async with scripted_studio(tmp_path) as rig:
        first = await kept(rig)
        assert (first.name, first.lines, first.tries) == ("mine", LINES, 3)
        second = await kept(rig, "  two ", "\n" + json.dumps(SET[0]) + "\n\n")
        assert (second.name, second.tries) == ("two", 1)
        changed = await rig.http.put(f"{SETS}/{second.id}", json={"name": "three", "lines": odd.replace("\x00", "")})
        assert EvaluationSet.model_validate(changed.json()).created_s == second.created_s
        listed = SetList.model_validate((await rig.http.get(SETS)).json())
        assert [(one.name, one.tries) for one in listed.data] == [("three", 1), ("mine", 3)]
        asked = {"suite": "set", "set_id": first.id}
        job = await ended(rig, (await rig.http.post(EVALUATIONS, json=asked)).json()["id"])
        assert (job["state"], job["name"], job["figures"]["report"]["total"]["passed"]) == ("done", "mine", 2)
    async with scripted_studio(tmp_path, warm=False) as rig:
        found = EvaluationSet.model_validate((await rig.http.get(f"{SETS}/{first.id}")).json())
        assert found == first
        assert (await rig.http.delete(f"{SETS}/{first.id}")).json() == {"id": first.id, "deleted": True}
        for method in ("GET", "DELETE"):
            gone = await rig.http.request(method, f"{SETS}/{first.id}")
            assert (gone.status_code, gone.json()["error"]["code"]) == (404, "set_not_found")
        gone = await rig.http.put(f"{SETS}/{first.id}", json={"name": "x", "lines": LINES})
        assert gone.status_code == 404
        assert (await rig.http.get(f"{EVALUATIONS}/{job['id']}")).json()["state"] == "done"


async def test_every_line_that_is_wrong_is_told_with_its_reason(rig: Rig) -> None:
    lines = "\n".join(
        (
            json.dumps(SET[0]),
            "",
            "{not json",
            json.dumps({"prompt": "a", "regex": "("}),
            json.dumps(SET[0]),
            json.dumps({"prompt": "a", "judge": "It is kind.", "case": "kind"}),
            '{"prompt": "a", "json": NaN}',
            "[1]",
        )
    )
    found = await looked(rig, lines)
    assert [one.line for one in found.faults] == [3, 4, 5, 7, 8]
    for one, words in zip(found.faults, ("no JSON", "regex", "has the name 'hello'", "NaN", "an object"), strict=True):
        assert one.says.startswith(f"Line {one.line} of the set")
        assert words in one.says
    assert ({one.case: one.tries for one in found.cases}, found.has_judged) == ({"contains": 1, "kind": 1}, True)
    refused = await rig.http.post(SETS, json={"name": "x", "lines": lines})
    assert (refused.status_code, refused.json()["error"]["param"]) == (422, "lines")
    assert refused.json()["error"]["message"] == found.faults[0].says
    assert (await rig.http.get(SETS)).json()["data"] == []


async def test_of_many_faults_the_first_fifty_are_told_and_an_empty_set_is_one(rig: Rig) -> None:
    assert len((await looked(rig, "x\n" * 500)).faults) == 50
    assert [one.says for one in (await looked(rig, " \n\n")).faults] == ["The set holds no line."]


@pytest.mark.parametrize(
    ("asked", "param"),
    [
        ({"name": "", "lines": LINES}, "name"),
        ({"name": "a\nb", "lines": LINES}, "name"),
        ({"name": "x" * 101, "lines": LINES}, "name"),
        ({"name": "x", "lines": ""}, "lines"),
        ({"name": "x", "lines": [1]}, "lines"),
        ({"name": "x"}, "lines"),
        ({"name": "x", "lines": LINES, "more": 1}, "more"),
        ({"name": "x", "lines": "x" * (8 * 2**20 + 1)}, "lines"),
    ],
    ids=["no name", "lines in the name", "long name", "nothing", "no text", "no lines", "unknown", "too much"],
)
async def test_what_is_no_set_is_not_kept(rig: Rig, asked: Json, param: str) -> None:
    answer = await rig.http.post(SETS, json=asked)
    assert (answer.status_code, answer.json()["error"]["param"]) == (422, param), answer.text[:300]
    assert (await rig.http.get(SETS)).json()["data"] == []

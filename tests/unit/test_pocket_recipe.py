"""That the rows pocket is made from are the same for the same seed, whole, and apart from those it is scored on."""

from __future__ import annotations

import hashlib
import itertools
import json
import random
import re
from typing import Any

import jsonschema_rs
import pytest

from recipes.pocket import concepts, held, inventions, questions, rows, spec, words
from tools.pocket import score

Row = dict[str, Any]
COUNT = 400
PROMPTS = "eaabc47dd75b2a4f2c208ae95abbb54908ff6ee0ce8582c6672e3561aa43444c"


def made(seed: int, count: int = COUNT) -> list[Row]:
    return list(itertools.islice(rows.rows(seed, talk=0.25, tools=5), count))


def asked(row: Row) -> list[str]:
    return [message["content"] for message in row["messages"] if message["role"] == "user"]


def calls(row: Row) -> list[dict[str, Any]]:
    return [call["function"] for message in row["messages"] for call in message.get("tool_calls", [])]


@pytest.fixture(scope="module")
def training() -> list[Row]:
    return made(5, 3000)


@pytest.fixture(scope="module")
def prompts() -> list[Row]:
    return list(held.prompts())


def test_a_seed_makes_the_same_rows_and_another_seed_makes_others() -> None:
    assert json.dumps(made(3)) == json.dumps(made(3))
    assert json.dumps(made(3)) != json.dumps(made(4))


def test_every_call_is_of_an_offered_tool_and_fits_its_schema(training: list[Row], prompts: list[Row]) -> None:
    checked = 0
    for row in [*training, *prompts]:
        tools = {tool["function"]["name"]: tool["function"]["parameters"] for tool in row["tools"]}
        wanted: list[dict[str, Any]] = [*calls(row), *(row.get("calls") or [])]
        for call in wanted:
            arguments = call["arguments"]
            given = json.loads(arguments) if isinstance(arguments, str) else arguments
            jsonschema_rs.validate(tools[call["name"]], given)
            assert set(given) <= set(tools[call["name"]]["properties"])
            checked += 1
    assert checked > COUNT


def test_every_value_of_a_call_stands_in_its_request(training: list[Row]) -> None:
    for row in training:
        said = ""
        for message in row["messages"]:
            said = message["content"] if message["role"] == "user" else said
            for call in message.get("tool_calls", []):
                for value in call["function"]["arguments"].values():
                    assert isinstance(value, bool) or str(value).lower() in said.lower(), (said, value)


def test_the_tools_of_a_row_have_names_of_their_own(training: list[Row]) -> None:
    for row in training:
        names = [tool["function"]["name"] for tool in row["tools"]]
        assert len(set(names)) == len(names)


def bare(phrasing: str) -> str:
    """A phrasing without signs and capitals, with one sign for each value."""
    return " ".join(re.findall(r"[a-z']+|_", re.sub(r"\{\w+\}", " _ ", phrasing).lower()))


def test_no_phrasing_of_the_evaluation_is_one_of_training_in_other_signs() -> None:
    read = [said for concept in concepts.SEEN for said in concept.seen]
    read += [said for question in questions.QUESTIONS for said in question.seen]
    read += [*questions.UNKNOWN_SEEN, *inventions.CLAUSES, *inventions.FRAMES]
    read += [clause for parameter in inventions.PARAMETERS for clause in parameter.seen]
    scored = [said for concept in (*concepts.SEEN, *concepts.HELD) for said in concept.held]
    scored += [said for question in questions.QUESTIONS for said in question.held]
    scored += [*questions.UNKNOWN_HELD, *inventions.HELD_CLAUSES, *inventions.HELD_FRAMES]
    scored += [clause for parameter in inventions.PARAMETERS for clause in parameter.held]
    assert len(scored) > 100
    both = {bare(said) for said in scored} & {bare(said) for said in read}
    assert not [said for said in both if re.search("[a-z]", said)]


def test_the_prompts_of_the_evaluation_are_those_that_all_figures_are_of(prompts: list[Row]) -> None:
    said = "".join(json.dumps(prompt, ensure_ascii=False, separators=(",", ":")) + "\n" for prompt in prompts)
    assert hashlib.sha256(said.encode()).hexdigest() == PROMPTS


def test_phrasings_of_the_evaluation_are_none_of_training() -> None:
    for concept in (*concepts.SEEN, *concepts.HELD):
        assert not set(concept.held) & set(concept.seen), concept.group
    for question in questions.QUESTIONS:
        assert not set(question.held) & set(question.seen), question.answer
    assert not set(inventions.CLAUSES) & set(inventions.HELD_CLAUSES)
    assert not set(inventions.FRAMES) & set(inventions.HELD_FRAMES)
    assert not set(questions.UNKNOWN_SEEN) & set(questions.UNKNOWN_HELD)


def test_tools_and_words_of_the_evaluation_are_none_of_training() -> None:
    assert not set(inventions.VERBS) & set(inventions.HELD_VERBS)
    assert not set(inventions.THINGS) & set(inventions.HELD_THINGS)
    assert not set(words.WORDS) & set(words.HELD_WORDS)
    assert not set(words.CITIES) & set(words.HELD_CITIES)
    assert not set(inventions.MORE_VERBS) & set(inventions.HELD_VERBS)
    assert not set(inventions.MORE_THINGS) & set(inventions.HELD_THINGS)
    seen = {name for concept in concepts.SEEN for name in (*concept.names, *concept.also)}
    assert not seen & {name for concept in concepts.HELD for name in concept.names}


def test_no_prompt_of_the_evaluation_and_no_unseen_tool_occurs_in_training(
    training: list[Row], prompts: list[Row]
) -> None:
    known = {said for row in training for said in asked(row)}
    for prompt in prompts:
        if prompt["cell"].startswith("call"):
            assert asked(prompt)[-1] not in known
    names = {tool["function"]["name"] for row in training for tool in row["tools"]}
    wanted = {call["name"] for prompt in prompts if "unseen" in prompt["cell"] for call in prompt["calls"]}
    assert not names & wanted


def test_the_evaluation_has_five_hundred_prompts_with_four_tools_and_is_always_the_same(prompts: list[Row]) -> None:
    assert len(prompts) >= 500
    assert {len(prompt["tools"]) for prompt in prompts if prompt["cell"] != "no call: no tools"} == {4}
    assert prompts == list(held.prompts())
    assert prompts != list(held.prompts(seed=1))


def test_a_request_that_no_tool_fits_names_no_offered_tool() -> None:
    source = random.Random(9)
    met = 0
    for row in (rows.talk_row(source, tools=3) for _ in range(COUNT)):
        assert not calls(row)
        if row["messages"][-1]["content"] == questions.NO_TOOL:
            met += 1
    assert met > COUNT / 10


def test_the_recipe_is_whole_and_refuses_words_it_does_not_know(tmp_path: Any) -> None:
    recipe = spec.read()
    assert recipe.shape.width % 64 == 0
    assert all(stage.rate > 0 and stage.steps > 0 for stage in recipe.stages)
    wrong = tmp_path / "recipe.yaml"
    wrong.write_text(spec.RECIPE.read_text("utf-8").replace("seed:", "sead:"), "utf-8")
    with pytest.raises(TypeError, match="sead"):
        spec.read(wrong)


def test_the_goals_are_counted_over_the_cells_they_are_about(prompts: list[Row]) -> None:
    right, wrong = score.Verdict(True, True, True), score.Verdict(False, False, False)
    named = score.Verdict(True, True, False)
    said = score.report([(prompt["cell"], named if "call" in prompt["cell"] else right) for prompt in prompts])
    assert "| valid call | 300 of 300 | 100.0% | 99% |" in said
    assert "| exact arguments | 0 of 300 | 0.0% | 90% |" in said
    assert "| tool result used in the answer | 120 of 120 | 100.0% | 95% |" in said
    assert "| no call where none fits | 120 of 120 | 100.0% | 95% |" in said
    assert "goal" not in score.report([("call: known tools", wrong)])

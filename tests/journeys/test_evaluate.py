"""Tests `paddock eval` as it is typed, on the real engine with the bundled model."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from paddock.models.catalog import BUNDLED

PADDOCK = [sys.executable, "-m", "paddock"]
WAIT_S = 600.0
ROWS: list[dict[str, Any]] = [
    {"name": "greeting", "prompt": "Hello!", "regex": "[A-Za-z]"},
    {"name": "never", "prompt": "Hello!", "exact": "Never."},
    {"name": "choice", "prompt": "What is the weather in", "choices": [" the city", " xq#"], "answer": 0},
    {"name": "chat", "messages": [{"role": "user", "content": "Hello!"}], "choices": ["Hello", "#qx"], "answer": 0},
    {"case": "texts", "name": "plain", "text": "Hello! I am a model."},
    # Its letters are made of several tokens each, none of them a whole character.
    {"case": "texts", "name": "halves", "text": "Zürich, 東京."},
]


def environment(home: Path) -> dict[str, str]:
    # Nothing answers on port 9, so that one is started.
    return {**os.environ, "PADDOCK_HOME": str(home), "PADDOCK_PORT": "9"}


def run(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PADDOCK, "eval", *words], env=environment(home), capture_output=True, text=True, timeout=WAIT_S, check=False
    )


def written(folder: Path, rows: list[dict[str, Any]], name: str = "mine.jsonl") -> str:
    path = folder / name
    path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), "utf-8")
    return str(path)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("evaluated") / "home"


def test_a_set_of_every_kind_is_tried_shown_and_compared(home: Path, tmp_path: Path) -> None:
    file = written(tmp_path, ROWS)
    ran = run(home, "run", "pocket-v0", "--set", file, "--answer-tokens", "16", "--json")
    assert ran.returncode == 0, ran.stderr
    job = json.loads(ran.stdout)
    report = job["figures"]["report"]
    assert (report["total"]["passed"], report["total"]["of"]) == (3, 4), report
    assert (report["text"]["texts"], report["text"]["low"] < report["text"]["perplexity"]) == (2, True)
    assert 1 < report["text"]["perplexity"] < 2048**2
    shown = run(home, "show", job["id"])
    assert shown.returncode == 0
    assert "exact: never" in shown.stdout
    assert "perplexity" in shown.stdout
    again = run(home, "run", "pocket-v0", "--set", file, "--answer-tokens", "16", "--json")
    other = json.loads(again.stdout)
    assert other["id"] != job["id"]
    # The same model says the same: greedy answers, and probabilities.
    assert other["figures"]["report"] == report
    compared = json.loads(run(home, "compare", job["id"], other["id"], "--json").stdout)
    assert (compared["gained"], compared["lost"], compared["total"]["difference"]) == ([], [], 0)
    assert compared["text"]["difference"] == 0
    told = run(home, "compare", job["id"], other["id"])
    assert "less is better" in told.stdout


def test_two_models_answer_for_a_vote_whose_names_are_shown_last(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "tuned.gguf"
    file.write_bytes(BUNDLED["pocket-v0"].read_bytes())
    brought = subprocess.run(
        [*PADDOCK, "models", "import", str(file)], env=environment(home), capture_output=True, text=True, check=False
    )
    assert brought.returncode == 0, brought.stderr
    prompts = written(tmp_path, [{"prompt": f"Hello {n}!"} for n in range(2)])
    ran = run(home, "vote", "pocket-v0", "tuned", "--set", prompts, "--answer-tokens", "8")
    assert ran.returncode == 0, ran.stderr
    assert "Vote on the page of `paddock serve`, at /evaluations/job_" in ran.stdout
    job_id = ran.stdout.partition("/evaluations/")[2].partition(";")[0]
    hidden = run(home, "show", job_id)
    assert "0 of 2 are voted on; 2 have both answers." in hidden.stdout
    assert "is hidden" in hidden.stdout
    told = json.loads(run(home, "show", job_id, "--names", "--json").stdout)
    assert (told["models"], told["report"]["is_whole"]) == (["pocket-v0", "tuned"], False)
    # The same file answers the same, greedily.
    assert all(pair["left"]["text"] == pair["right"]["text"] != "" for pair in told["data"])
    assert "neither better" in run(home, "show", job_id).stdout


def test_one_that_ctrl_c_stopped_is_gone_on_with_by_the_same_command(home: Path, tmp_path: Path) -> None:
    rows = [{"prompt": f"Hello {n}!", "regex": "."} for n in range(120)]
    words = ["run", "pocket-v0", "--set", written(tmp_path, rows), "--answer-tokens", "8"]
    with subprocess.Popen(
        [*PADDOCK, "eval", *words], env=environment(home), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("25 of 120"):
                process.send_signal(signal.SIGINT)
                break
        process.communicate(timeout=WAIT_S)
    assert process.returncode == 130
    listed = json.loads(run(home, "list", "--json").stdout)
    (left,) = [one for one in listed if one["figures"]["of"] == 120]
    assert left["state"] == "cancelled"
    assert 25 <= left["figures"]["tried"] < 120
    before_s = time.time()
    ran = run(home, *words, "--json")
    assert ran.returncode == 0, ran.stderr
    job = json.loads(ran.stdout)
    assert (job["id"], job["state"], job["figures"]["tried"]) == (left["id"], "done", 120)
    assert job["started_s"] < before_s
    assert job["figures"]["report"]["total"]["of"] == 120


def test_a_bad_set_is_an_error_that_names_the_line(home: Path, tmp_path: Path) -> None:
    ran = run(home, "run", "pocket-v0", "--set", written(tmp_path, [*ROWS, {"prompt": "a", "regex": "("}], "bad.jsonl"))
    assert ran.returncode == 1
    assert "Line 7 of the set has a regex that cannot be used" in ran.stderr
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe\x00")
    assert "is no UTF-8 text" in run(home, "run", "pocket-v0", "--set", str(binary)).stderr
    assert "cannot be read" in run(home, "run", "pocket-v0", "--set", str(tmp_path / "none")).stderr
    assert run(home, "run", "pocket-v0").returncode == 2


def test_what_no_paddock_would_go_on_with_is_not_begun(home: Path) -> None:
    before = run(home, "list", "--json").stdout
    ran = run(home, "pocket", "--detach")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "No paddock runs that would go on with it" in ran.stderr
    assert run(home, "list", "--json").stdout == before


def test_the_score_of_tools_is_told_by_case_and_kept_with_its_failing_tries(home: Path) -> None:
    ran = run(home, "tools", "--answer-tokens", "24")
    assert ran.returncode == 0, ran.stderr
    lines = {line.split("  ")[0]: line for line in ran.stdout.splitlines()}
    # What is paddock's and its engine's own to keep holds with any model.
    assert "6 of 6" in lines["streamed"]
    assert "10 of 10" in lines["truncated"]
    assert "of 73" in lines["in all"]
    listed = json.loads(run(home, "list", "--json").stdout)
    (tools,) = [one for one in listed if one["spec"]["suite"] == "tools"]
    shown = json.loads(run(home, "show", tools["id"], "--json").stdout)
    total = shown["figures"]["report"]["total"]
    assert len(shown["failed"]) == total["of"] - total["passed"] > 0
    assert all(one["asked"] and one["why"] for one in shown["failed"])
    # An id that two begin with is none.
    assert run(home, "show", "job_").returncode == 1


def test_each_token_has_the_probability_that_the_whole_vocabulary_gives_it(home: Path) -> None:
    """The bias that makes a token come changes nothing of what is told: both ways give the same figures."""
    code = """
import json, math, sys
import anyio
from functools import partial
from paddock.cli import connection
from paddock.config import load
from paddock.evaluation.asking import Asker
from paddock.evaluation.positions import log_likelihoods, tokens_of

async def main(address):
    async def send(path, body):
        return await anyio.to_thread.run_sync(partial(connection.whole, address, "POST", path, json.loads(body)))
    asker = Asker(send=send, model="pocket-v0")
    tokens = await tokens_of(asker, "Hello, Zürich 東京!", begins=True)
    forced = await log_likelihoods(asker, tokens, 1)
    letter = (await tokens_of(asker, "a", begins=False))[-1]
    for place, one in enumerate(forced, start=1):
        said = await asker.ask("/v1/completions", {"prompt": tokens[:place], "max_tokens": 1, "temperature": 0,
            "n_probs": 2048, "logit_bias": [[letter, 1000.0]]})
        told = said["choices"][0]["logprobs"]["content"][0]["top_logprobs"]
        assert len(told) == 2048, len(told)
        assert abs(math.fsum(math.exp(each["logprob"]) for each in told) - 1) < 1e-3
        (meant,) = [each["logprob"] for each in told if each["id"] == tokens[place]]
        assert abs(meant - one) < 1e-3, (place, meant, one)
    print(len(forced))

with connection.started(load()) as address:
    anyio.run(main, address)
"""
    ran = subprocess.run(
        [sys.executable, "-c", code], env=environment(home), capture_output=True, text=True, timeout=WAIT_S, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert int(ran.stdout) > 8

"""Tests `paddock models loaded` as it is typed, against a running paddock with the real engine."""

from __future__ import annotations

import json
import subprocess
import urllib.request

import pytest

from paddock.models.catalog import BUNDLED
from tests.journeys.test_cli import PADDOCK, WAIT_S, env, line_of, run, serving

__all__ = ["env"]


def test_what_is_loaded_is_printed_for_people_and_for_programs(env: dict[str, str]) -> None:
    with serving(env) as process:
        url = line_of(process).strip()
        assert "Nothing is loaded" in run(env, "models", "loaded", "--url", url).stdout
        pin = urllib.request.Request(f"{url}/api/models/pocket-v0/pin", method="POST")
        with urllib.request.urlopen(pin, timeout=60) as answer:
            context_tokens = json.load(answer)["context_length"]
        line = run(env, "models", "loaded", "--url", url).stdout.splitlines()[1].split()
        assert (line[0], line[1], line[-1]) == ("pocket-v0", "ready", "yes")
        told = json.loads(run(env, "models", "loaded", "--url", url, "--json").stdout)
        (model,) = told["models"]
        assert (model["context_length"], model["pinned"], model["live_requests"]) == (context_tokens, True, 0)
        assert 0 < model["memory_bytes"] <= told["memory_budget_bytes"]
        unloaded = run(env, "models", "unload", "pocket-v0", "--url", url)
        assert (unloaded.returncode, unloaded.stdout) == (0, "pocket-v0 is not loaded any more.\n")
        assert "Nothing is loaded" in run(env, "models", "loaded", "--url", url).stdout
        unknown = run(env, "models", "unload", "no/such?model#%2f", "--url", url, "--json")
        assert unknown.returncode == 1
        assert "'no/such?model#%2f'" in json.loads(unknown.stdout)["error"]["message"]


def test_to_remove_what_a_running_paddock_has_loaded_says_what_that_means(env: dict[str, str]) -> None:
    for name in ("mine", "other"):
        assert run(env, "models", "import", str(BUNDLED["pocket-v0"]), "--name", name).returncode == 0
    with serving(env) as process:
        url = line_of(process).strip()
        load = urllib.request.Request(f"{url}/api/models/mine/load", method="POST")
        with urllib.request.urlopen(load, timeout=60):
            pass
        assert "has it loaded" not in run(env, "models", "rm", "other", "--yes").stderr
        asked = run(env, "models", "rm", "mine")
        assert asked.returncode == 1
        assert f"The paddock at {url} has it loaded" in asked.stderr
        assert "`paddock models unload mine`" in asked.stderr
        assert run(env, "models", "rm", "mine", "--yes").returncode == 0
        assert run(env, "models", "unload", "mine", "--url", url).returncode == 0
        (line,) = [line for line in run(env, "models", "list").stdout.splitlines() if "mine" in line] or [""]
        assert line == ""
    assert run(env, "models", "import", str(BUNDLED["pocket-v0"]), "--name", "mine").returncode == 0
    assert "has it loaded" not in run(env, "models", "rm", "mine", "--yes").stderr


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("models", "rm", "mine"), "Not confirmed: 'mine' is not removed."),
        (("remotes", "add", "far", "http://127.0.0.1:9", "--key-stdin"), "The standard input"),
        (("chat",), ""),
    ],
)
def test_a_command_whose_input_was_closed_does_as_with_an_empty_one(
    env: dict[str, str], words: tuple[str, ...], sentence: str
) -> None:
    assert run(env, "models", "import", str(BUNDLED["pocket-v0"]), "--name", "mine").returncode == 0
    shell = ["sh", "-c", 'exec "$@" <&-', "sh", *PADDOCK, *words]
    closed = subprocess.run(shell, env=env, capture_output=True, text=True, timeout=WAIT_S, check=False)
    empty = run(env, *words)
    assert (closed.returncode, closed.stdout, closed.stderr) == (empty.returncode, empty.stdout, empty.stderr)
    assert sentence in closed.stderr


def test_without_a_paddock_there_the_command_says_so(env: dict[str, str]) -> None:
    outcome = run(env, "models", "loaded", "--url", "http://127.0.0.1:9")
    assert outcome.returncode == 1
    assert "No paddock answers at http://127.0.0.1:9" in outcome.stderr

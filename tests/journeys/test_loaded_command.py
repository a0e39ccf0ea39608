"""Tests `paddock models loaded` as it is typed, against a running paddock with the real engine."""

from __future__ import annotations

import json
import urllib.request

from tests.journeys.test_cli import env, line_of, run, serving

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


def test_without_a_paddock_there_the_command_says_so(env: dict[str, str]) -> None:
    outcome = run(env, "models", "loaded", "--url", "http://127.0.0.1:9")
    assert outcome.returncode == 1
    assert "No paddock answers at http://127.0.0.1:9" in outcome.stderr

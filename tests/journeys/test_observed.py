"""What a real server tells those who look after it: lines of JSON, metrics and spans, of the real engine's answers."""

from __future__ import annotations

import json
import urllib.request

from tests.fakes.collector import collecting
from tests.journeys import test_cli
from tests.journeys.test_cli import WAIT_S, ask, line_of, serving

env = test_cli.env


def test_the_same_request_is_told_in_the_log_the_metrics_and_a_trace(env: dict[str, str]) -> None:
    with collecting() as collector:
        words = ("--log-format", "json", "--log-level", "info", "--trace-endpoint", collector.url)
        with serving(env, *words) as process:
            url = line_of(process).strip()
            usage = ask(line_of(process))["usage"]
            with urllib.request.urlopen(f"{url}/health/ready", timeout=WAIT_S) as answer:
                assert json.loads(answer.read()) == {"status": "ready"}
            with urllib.request.urlopen(f"{url}/metrics", timeout=WAIT_S) as answer:
                metrics = answer.read().decode()
            process.terminate()
            printed = process.communicate(timeout=WAIT_S)[1]
    told = [json.loads(line) for line in printed.splitlines()]
    assert {one["logger"] for one in told} >= {"paddock.access", "paddock.engine.process", "paddock.engine.resident"}
    (line,) = [one for one in told if one.get("path") == "/v1/chat/completions"]
    (span,) = [one for one in collector.spans if one.attributes.get("paddock.request_id") == line["request_id"]]
    (answered,) = [one for one in collector.spans if one.name == "chat pocket-v0"]
    assert span.trace_id == answered.trace_id == line["trace_id"]
    read, cached, written = line["read_tokens"], line["cached_tokens"], line["written_tokens"]
    assert (read + cached, written) == (usage["prompt_tokens"], usage["completion_tokens"])
    assert answered.attributes["gen_ai.usage.input_tokens"] == read + cached
    assert answered.attributes["gen_ai.usage.output_tokens"] == written
    for kind, count in (("read", read), ("cached", cached), ("written", written)):
        assert f'paddock_tokens_total{{model="pocket-v0",kind="{kind}"}} {count}\n' in metrics
    assert {one.name for one in collector.spans} >= {"load a model"}

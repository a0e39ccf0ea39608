"""Tests a served model as a judge, before a server of this test: what it is asked, and what its replies are worth."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from paddock.errors import FieldInvalid, PaddockError
from paddock.training.judging import Judge
from paddock.training.rewards import Answer, checked_rewards, rules_of
from paddock.training.spec import spec_of


class Served(ThreadingHTTPServer):
    """Replies with the answer that it is asked about, or with `status` and `body`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Replying)
        self.asked: list[dict[str, Any]] = []
        self.status, self.body = 200, b""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Replying(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Served)
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append({"path": self.path, **asked})
        answer = asked["messages"][-1]["content"].rpartition("Answer:\n")[2]
        body = self.server.body or json.dumps({"choices": [{"message": {"content": answer}}]}).encode()
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


@pytest.fixture
def served() -> Iterator[Served]:
    with Served() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def judge(server: Served) -> Judge:
    return Judge(server.url, "wise", "Rate it.", patience_s=0.0)


def test_a_number_is_worth_its_tenth(served: Served) -> None:
    replies = ["7", "10 of 10", "0", "I say 2.5.", "-3", "99", "no"]
    assert judge(served).rate([("How?", reply) for reply in replies]) == [0.7, 1.0, 0.0, 0.25, 0.0, 1.0, "no"]


def test_it_is_asked_as_any_client_asks(served: Served) -> None:
    judge(served).rate([("How?", "5")])
    (asked,) = served.asked
    assert (asked["path"], asked["model"], asked["temperature"]) == ("/v1/chat/completions", "wise", 0)
    assert [one["content"] for one in asked["messages"]] == ["Rate it.", "Question:\nHow?\n\nAnswer:\n5"]


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (404, b'{"error": {"message": "There is no model wise."}}', r"refuses \(404\): There is no model wise"),
        (401, b'{"error": {"message": "A key is needed."}}', "A key is needed"),
        (200, b"<html>", "no answer of a served model"),
        (200, b'{"choices": []}', "no answer of a served model"),
        (500, b"[]", "no answer of a served model"),
    ],
)
def test_what_is_no_judge_is_told(served: Served, status: int, body: bytes, words: str) -> None:
    served.status, served.body = status, body
    with pytest.raises(FieldInvalid, match=words) as refused:
        judge(served).rate([("How?", "5")])
    assert refused.value.param == "judge_model"


def test_one_that_does_not_answer_is_told_after_a_while(served: Served) -> None:
    served.status = 503
    with pytest.raises(PaddockError, match=r"does not answer: status 503\. Resume when it does"):
        judge(served).rate([("How?", "5")])


def test_where_a_key_or_tls_is_needed_nobody_is_asked() -> None:
    spec = spec_of({"data": "x", "method": "grpo", "rewards": "judge", "judge_model": "wise"})
    with pytest.raises(FieldInvalid, match="here it needs one") as refused:
        checked_rewards(spec, "")
    assert refused.value.param == "rewards"
    checked_rewards(spec, "http://127.0.0.1:1")


def test_a_reply_without_a_number_is_worth_nothing_unless_every_one_is_so(served: Served) -> None:
    spec = spec_of({"data": "x", "method": "grpo", "rewards": "judge", "judge_model": "wise"})
    (rule, _) = rules_of(spec, served.url)["judge"]
    answers = [Answer(text=text, tokens=1, question="How?", expected=(), row={}) for text in ("8", "fine")]
    assert rule(answers) == [0.8, 0.0]
    with pytest.raises(FieldInvalid, match="The judge gives no number: 'fine'"):
        rule(answers[1:])

"""Owns the fuzzed server's life and one exchange with it: sent, counted, judged; makes up no request."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.fuzz.judging import Wrong, judge
from tests.fuzz.seeds import RECORD_ID, RESPONSE_ID
from tests.fuzz.sending import Address, Broken, Got, Hung, Sent, Visit, exchange, visit_all
from tests.fuzz.server import SCRIPT
from tests.fuzz.strategies import BODIES

ROOT = Path(__file__).resolve().parents[2]
_RESPONSE = re.compile(rb"resp_[0-9a-f]{32}")
# Within it connections that wait for a next request are given up, and threads end.
_SETTLE_S = 20.0
_STOP_S = 20.0
# The scripted engine remembers every request until it is told to forget.
_FORGET_EVERY = 250


@dataclass(kw_only=True)
class Tally:
    """What was sent, and what came of it."""

    began_s: float = field(default_factory=time.monotonic)
    routes: Counter[str] = field(default_factory=Counter[str])
    statuses: Counter[str] = field(default_factory=Counter[str])
    parts: dict[str, tuple[int, float]] = field(default_factory=dict[str, tuple[int, float]])
    rss_mib: list[int] = field(default_factory=list[int])

    @property
    def sent(self) -> int:
        """Requests in all."""
        return self.routes.total()

    def count(self, sent: Sent, outcome: str) -> None:
        known = sent.path if sent.path in BODIES else re.sub(r"resp_\w+", "{id}", sent.path)
        is_known = sent.path in BODIES or re.fullmatch(r"[\w/.{}-]{1,40}", known)
        self.routes[f"{sent.method if is_known else ''} {known if is_known else 'odd paths'}".strip()] += 1
        self.statuses[outcome] += 1

    @contextlib.contextmanager
    def part(self, name: str) -> Generator[None]:
        """Note how many requests a part sends, and how long it takes."""
        sent, began_s = self.sent, time.monotonic()
        yield
        self.parts[name] = (self.sent - sent, time.monotonic() - began_s)

    def lines(self) -> list[str]:
        """The figures, to be printed."""
        few = [(route, count) for route, count in self.routes.most_common() if count < 10]
        many = [(route, count) for route, count in self.routes.most_common() if count >= 10]
        return [
            *(f"{count:7} {route}" for route, count in many),
            f"{sum(count for _, count in few):7} of {len(few)} others",
            f"{self.sent:7} in all, {time.monotonic() - self.began_s:.0f} s",
            "by part: " + ", ".join(f"{name} {count} in {took:.0f} s" for name, (count, took) in self.parts.items()),
            "by status: " + ", ".join(f"{status}: {count}" for status, count in sorted(self.statuses.items())),
            f"the server's memory: {' -> '.join(str(mib) for mib in self.rss_mib)} MiB",
        ]


@dataclass(kw_only=True)
class Stage:
    """The server, and everything that is remembered of its answers."""

    address: Address
    process: subprocess.Popen[str]
    log: Path
    tally: Tally
    before: dict[str, Any] = field(default_factory=dict[str, Any])
    response_ids: deque[bytes] = field(default_factory=lambda: deque[bytes](maxlen=8))
    record_ids: deque[bytes] = field(default_factory=lambda: deque[bytes](maxlen=8))
    routes: dict[str, Any] = field(default_factory=dict[str, Any])

    def warm(self) -> None:
        """Ask everything once as it should be asked, so that whatever is made once has been made."""
        for path in ("/", "/health", "/metrics", "/v1/models", "/api/requests", "/api/system", "/nowhere"):
            self.ask(Sent(method="GET", target=path.encode()))
        for path, held in BODIES.items():
            for body in held:
                self.ask(Sent(method="POST", target=path.encode(), body=json.dumps(body).encode()))

    def ask(self, sent: Sent) -> Got:
        """Send one request, count it and judge its answer. Raises Wrong."""
        sent = self._filled(sent)
        try:
            got = exchange(self.address, sent)
        except (Hung, Broken) as error:
            self.tally.count(sent, type(error).__name__.lower())
            raise Wrong(f"{type(error).__name__}: {error}\nasked {sent!r}\n  {sent.body[:3000]!r}") from error
        self.tally.count(sent, str(got.status))
        if got.status == 200 and sent.path == "/v1/responses" and b'"store": false' not in sent.body:
            self.response_ids.extend(_RESPONSE.findall(got.body)[:1])
        if record := got.headers.get("x-paddock-recording"):
            self.record_ids.append(record.encode())
        self._forget_now_and_then()
        judge(sent, got)
        return got

    def receive(self, visits: list[Visit]) -> None:
        """Let clients come and leave, and count them."""
        filled = [replace(visit, sent=self._filled(visit.sent)) for visit in visits]
        try:
            visit_all(self.address, filled)
        except Hung as error:
            raise Wrong(f"{error}: {visits!r}") from error
        for visit in filled:
            self.tally.count(visit.sent, "left")
            self._forget_now_and_then()

    def state(self) -> dict[str, Any]:
        """What the server holds now."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return dict(json.loads(self.process.stdout.readline()))

    def settled(self, is_right: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        """What the server holds once that is right, or once it has had its time."""
        deadline = time.monotonic() + _SETTLE_S
        while not is_right(now := self.state()) and time.monotonic() < deadline:
            time.sleep(0.25)
        self.tally.rss_mib.append(now["rss_mib"])
        return now

    def play(self, routes: dict[str, Any]) -> None:
        """Let the engine give these answers too, and forget what it saw."""
        self.routes = routes
        if (port := self.state()["port"]) is not None:
            script = {**SCRIPT, "routes": {**SCRIPT["routes"], **routes}}
            for path, body in ((b"/__clear", {}), (b"/__script", script)):
                with contextlib.suppress(OSError, Broken):  # the engine may just be making room for another
                    exchange(("127.0.0.1", port), Sent(method="POST", target=path, body=json.dumps(body).encode()))

    def _forget_now_and_then(self) -> None:
        if self.tally.sent % _FORGET_EVERY == 0:
            self.play(self.routes)

    def _filled(self, sent: Sent) -> Sent:
        """With the ids of what exists in place of the words that stand for them."""
        response_id = self.response_ids[self.tally.sent % len(self.response_ids)] if self.response_ids else b"resp_0"
        record_id = self.record_ids[-1] if self.record_ids else b"0"
        names = {RESPONSE_ID.encode(): response_id, RECORD_ID.encode(): record_id}
        target, body = sent.target, sent.body
        for name, value in names.items():
            target, body = target.replace(name, value), body.replace(name, value)
        return replace(sent, target=target, body=body)


@contextlib.contextmanager
def standing(folder: Path) -> Generator[Stage]:
    """A server for the length of a `with`, warmed by one request of every seed."""
    log = folder / "log.txt"
    command = [sys.executable, "-W", "default", "-m", "tests.fuzz.server", str(folder)]
    with (
        log.open("w") as errors,
        subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True
        ) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            host, port = json.loads(process.stdout.readline())["url"].removeprefix("http://").split(":")
            stage = Stage(address=(host, int(port)), process=process, log=log, tally=Tally())
            stage.warm()
            stage.before = stage.settled(lambda now: now["held"]["files"].get("socket", 0) <= 6)["held"]
            yield stage
            process.stdin.close()
            assert process.wait(_STOP_S) == 0, log.read_text("utf-8", "replace")[-3000:]
        finally:
            process.kill()

"""Tests that a server that is killed at any moment loses nothing that it acknowledged, and leaves nothing behind.

`paddock serve` is started, put under load by clients of all kinds, and killed; the next one on the same data home is
asked for everything that was acknowledged, and then killed too. What was in the air may be done or not, but is whole.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.fakes import postgres
from tests.fakes.hub import running_hub
from tests.journeys.killed import judging, leftovers
from tests.journeys.killed.fetching import Fetcher, Loader, filled
from tests.journeys.killed.hands import Asker, Hand, Host, KeyMaker, Talker, Tuner
from tests.journeys.killed.judging import Answers
from tests.journeys.killed.ledger import Ledger
from tests.journeys.killed.stage import WAIT_S, Engine, Server, Stage, cookie_of

pytestmark = [pytest.mark.kill, pytest.mark.attack("damage")]
PASSWORD = "the password of the admin"
# It dies after so many deeds at most, wherever it is then; a machine that is slow gets no longer than this for them.
DEEDS_MOST = 60
LOAD_MOST_S = 15.0
AFTER_S = (0.0, 0.3)
START_S = (0.0, 1.5)
STARTING_SHARE = 0.15
EMBEDDED_SHARE = 0.25
# A data home goes through so many rounds in a full run, then a new one begins.
ROUNDS_OF_A_HOME = 20


@dataclass(kw_only=True)
class Campaign:
    """The rounds of one data home."""

    stage: Stage
    seed: int
    ledger: Ledger = field(default_factory=Ledger)
    texts: dict[str, str] = field(default_factory=dict[str, str])
    answers: Answers = field(default_factory=Answers)
    counts: Counter[str] = field(default_factory=Counter[str])
    longest_s: float = 0.0

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.stage.ready()

    def play(self, rounds: int) -> None:
        """So many kills, each judged by what the next server shows, and then a server that ends in order."""
        began_s = time.monotonic()
        for _ in range(rounds):
            self.counts["rounds"] += 1
            engine: Engine = "embedded" if self.chance.random() < EMBEDDED_SHARE else "scripted"
            with self.stage.server(engine) as server:
                if self.chance.random() < STARTING_SHARE:
                    self.counts["killed while they started"] += 1
                    time.sleep(self.chance.uniform(*START_S))
                else:
                    self.counts[engine] += 1
                    self.judge(server)
                    self.load(server)
            self.look(server)
        # What is left of the downloads comes at once.
        self.stage.hub.misbehave()
        with self.stage.server("scripted") as server:
            self.judge(server)
            self.faultless(server, judging.fetched(server, self.stage.folder / "hf" / "hub"))
            server.process.terminate()
            assert server.process.wait(WAIT_S) == 0
            assert server.left() == []
        self.tell(time.monotonic() - began_s)

    def load(self, server: Server) -> None:
        """All hands at work for a while; at its end the server is dead, and they have noticed."""
        hands = self.hands(server)
        for hand in hands:
            hand.thread.start()
        wanted, until_s = self.chance.randrange(DEEDS_MOST), time.monotonic() + LOAD_MOST_S
        while sum(hand.deeds for hand in hands) < wanted and time.monotonic() < until_s:
            time.sleep(0.001)
        time.sleep(self.chance.uniform(*AFTER_S))
        server.kill()
        for hand in hands:
            hand.thread.join(WAIT_S)
        self.counts["deeds"] += sum(hand.deeds for hand in hands)
        self.faultless(server, [fault for hand in hands for fault in hand.faults])

    def hands(self, server: Server) -> list[Hand]:
        def about(name: str) -> tuple[str, Server, Ledger, random.Random]:
            return name, server, self.ledger, random.Random(self.chance.random())

        return [
            Talker(*about("talker-a")),
            Talker(*about("talker-b")),
            Asker(*about("asker")),
            Tuner(*about("tuner-a"), sampling=("temperature", "top_p"), settings=("fetch_timeout_s", "keepalive_s")),
            Tuner(
                *about("tuner-b"), sampling=("min_p", "presence_penalty"), settings=("receive_timeout_s", "record_days")
            ),
            KeyMaker(*about("maker"), texts=self.texts, types=False),
            KeyMaker(*about("typist"), texts=self.texts, types=True),
            Host(*about("host")),
            Fetcher(*about("fetcher")),
            Loader(*about("loader")),
        ]

    def look(self, server: Server) -> None:
        """What the dead server left: its processes end by themselves, what lies in its home is whole or known."""
        self.longest_s = max(self.longest_s, server.last_process_s())
        faults = leftovers.faults_of(self.stage.home)
        with leftovers.database(self.stage.home, self.stage.database_url) as connection:
            faults += leftovers.damage(connection)
            found = leftovers.answers_in(connection)
        self.answers.left(found, server.engine)
        self.counts["left half written"] += len(leftovers.passing(self.stage.home))
        self.counts["answers under way"] += sum(status == "generating" for status, _ in found.values())
        leftovers.age(self.stage.home)
        self.faultless(server, faults)

    def judge(self, server: Server) -> None:
        """A server that was started anew has everything, and cleans up."""
        server.await_ready()
        if not self.stage.cookie:
            with server.client() as http:
                body = {"token": server.first_link, "password": PASSWORD}
                self.stage.cookie = cookie_of(http.post("/api/session/link", json=body))
        faults = self.ledger.judge(judging.seen(server, self.ledger, self.texts))
        faults += self.answers.judge(server, self.ledger)
        until_s = time.monotonic() + WAIT_S
        while (left := leftovers.passing(self.stage.home)) and time.monotonic() < until_s:
            time.sleep(0.05)
        faults += [f"{name} is left" for name in left]
        faults += [f"{path} is left" for path in self.stage.scratch.iterdir()]
        self.faultless(server, faults)

    def faultless(self, server: Server, faults: list[str]) -> None:
        said = server.said()
        about = f"seed {self.seed}, round {self.counts['rounds']}, {server.engine} engine"
        faults = [*faults, *(f"it said {word}" for word in ("Traceback", "ERROR", "is held by") if word in said)]
        assert not faults, "\n".join([about, *faults, said[-5000:]])

    def tell(self, took_s: float) -> None:
        """Print the figures, for a person to read."""
        told = ", ".join(f"{count} {name}" for name, count in self.counts.items())
        print(
            f"{told}; {self.ledger.acknowledged} acknowledged, {self.ledger.in_doubt} in the air; {took_s:.0f} s; "
            f"the last process of a killed server ended after {self.longest_s:.2f} s"
        )


def campaigns(full: bool, *, of_all: int, of_slice: int) -> list[int]:
    """How many rounds each data home goes through."""
    return [ROUNDS_OF_A_HOME] * (of_all // ROUNDS_OF_A_HOME) if full else [of_slice]


def test_a_killed_server_loses_nothing(tmp_path: Path, full: bool) -> None:
    for number, rounds in enumerate(campaigns(full, of_all=160, of_slice=4)):
        with running_hub(tmp_path / "hub") as hub:
            filled(hub)
            Campaign(stage=Stage(folder=tmp_path / str(number), hub=hub), seed=number).play(rounds)


def test_a_killed_server_loses_nothing_of_what_is_in_postgresql(tmp_path: Path, full: bool) -> None:
    for number, rounds in enumerate(campaigns(full, of_all=40, of_slice=2)):
        with running_hub(tmp_path / "hub") as hub, postgres.serving() as url:
            filled(hub)
            stage = Stage(folder=tmp_path / str(number), hub=hub, database_url=url)
            Campaign(stage=stage, seed=1000 + number).play(rounds)

"""Owns votes: two models' answers to the same, which side each stands on, what a person chose, whose the answers are.

A side is drawn once, when the vote is begun, and stays here: nothing that is told before the names are shown hangs on
it. Once they are, nothing is chosen any more. Refuses to ask models, and to know who votes.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from paddock.errors import Conflict, FieldInvalid
from paddock.evaluation.asking import Answer
from paddock.evaluation.intervals import sign_test, wilson
from paddock.protocol.strict_reading import Heard
from paddock.store.jobs import Job
from paddock.store.pairs import Choice, Pair, PairStore, Place, Tally

PLACES: tuple[Place, Place] = ("first", "second")
_DIGITS = 6


def pairs_of(prompts: Sequence[tuple[str, dict[str, Any]]]) -> list[Pair]:
    """Pairs of answers to come, each with its sides drawn."""
    return [
        Pair(number=number, name=name, asked=body, is_turned=bool(secrets.randbits(1)))
        for number, (name, body) in enumerate(prompts, start=1)
    ]


def answer_of(answer: Answer) -> dict[str, Any]:
    """What is kept of an answer: its words, and why there is none. A reason may name the model, and is told last."""
    if answer.heard is None:
        return {"text": "", "refused": answer.refused}
    return {"text": _words(answer.heard), "refused": ""}


@dataclass(frozen=True, kw_only=True)
class Votes:
    """The votes of one data home. Each job that is handed over is one of the suite "vote"."""

    store: PairStore

    async def answered(self, job_id: str) -> dict[str, int]:
        """How many answers there are and will be, as an evaluation's figures. Raises FieldInvalid or StoreUnusable."""
        pairs = await self.store.of(job_id)
        if not pairs:
            raise FieldInvalid("The prompts of this vote are gone. Begin anew.", param="set")
        tried = sum((one.first is not None) + (one.second is not None) for one in pairs)
        return {"tried": tried, "of": len(PLACES) * len(pairs)}

    async def refuse_shown(self, job: Job) -> None:
        """Raises Conflict for a vote of which the names are known, or StoreUnusable."""
        if await self.is_shown(job):
            raise Conflict(
                "The names of this vote are shown: there is nothing to choose any more. Begin another vote.",
                current={"state": job.state},
            )

    async def is_shown(self, job: Job) -> bool:
        """Whether it is a vote of which the names are known. Raises StoreUnusable."""
        tally = (await self.store.tallies()).get(job.id) if job.spec.get("suite") == "vote" else None
        return tally is not None and tally.shown_s is not None

    async def tallies(self) -> Mapping[str, Tally]:
        """How far each vote is. Raises StoreUnusable."""
        return await self.store.tallies()

    async def ballot(self, job: Job, number: int | None = None) -> dict[str, Any]:
        """How far a vote is, and one pair: of that number, else the next that nobody has voted on, if there is one.

        Raises FieldInvalid, Conflict or StoreUnusable.
        """
        refuse_other(job)
        tally = (await self.store.tallies()).get(job.id, Tally(of=0, ready=0, voted=0, shown_s=None))
        is_over = number is None and tally.shown_s is not None
        pair = None if is_over else await self.store.one(job.id, number)
        if pair is None and number is not None:
            raise _no_pair(number, tally)
        return {
            "object": "ballot", "id": job.id, **asdict(tally),
            "pair": None if pair is None else _blind(pair),
        }  # fmt: skip

    async def choose(self, job: Job, number: int, choice: Choice) -> dict[str, Any]:
        """Keep what somebody chose of a pair, also in place of an earlier choice, and go on to the next.

        Raises FieldInvalid, Conflict or StoreUnusable.
        """
        refuse_other(job)
        if not await self.store.choose(job.id, number, choice):
            tally = (await self.store.tallies())[job.id]
            if tally.shown_s is not None:
                raise Conflict(
                    "The names of this vote are shown: what is chosen now would not be blind. Begin another vote.",
                    current=asdict(tally),
                )
            raise _no_pair(number, tally)
        return await self.ballot(job)

    async def show(self, job: Job) -> dict[str, Any]:
        """Show the names, which ends the vote; returns what `whole` does. Raises Conflict or StoreUnusable."""
        refuse_other(job)
        if job.is_live:
            raise Conflict(
                "The models still answer. Wait for their end, or cancel the evaluation, and then show the names.",
                current={"state": job.state},
            )
        await self.store.show(job.id)
        return await self.whole(job)

    async def whole(self, job: Job) -> dict[str, Any]:
        """Every pair that was answered and what was chosen; with names and report once they are shown.

        Raises Conflict or StoreUnusable.
        """
        refuse_other(job)
        pairs = await self.store.of(job.id)
        shown_s = next((one.shown_s for one in pairs if one.shown_s is not None), None)
        models = {"first": str(job.spec["model"]), "second": str(job.spec["against"])}
        ready = [one for one in pairs if one.is_ready]
        return {
            "object": "votes", "id": job.id, "name": job.name, "models": list(models.values()), "of": len(pairs),
            "ready": len(ready), "voted": sum(one.choice is not None for one in pairs), "shown_s": shown_s,
            "report": None if shown_s is None else report_of(pairs, models),
            "data": [_blind(one) if shown_s is None else _shown(one, models) for one in ready],
        }  # fmt: skip


def refuse_other(job: Job) -> None:
    """Raises Conflict for an evaluation that is no vote."""
    if job.spec.get("suite") != "vote":
        raise Conflict(f"{job.id} is no vote: nobody chooses there.", current={"suite": job.spec.get("suite")})


def report_of(pairs: Sequence[Pair], models: Mapping[str, str]) -> dict[str, Any]:
    """Shares of what was chosen, with intervals.

    `preferred` is the first model's share of the pairs in which one was better, `chance` how likely so uneven a choice
    is by chance alone, and `left` the share of the left side among them, whichever model stood there.
    """
    voted = [one for one in pairs if one.choice is not None]
    won = dict.fromkeys(PLACES, 0)
    for one in voted:
        if one.choice in ("left", "right"):
            won[_place(one, one.choice)] += 1
    decided = won["first"] + won["second"]
    lefts = sum(one.choice == "left" for one in voted)
    return {
        "models": [{"model": models[place], **_share(won[place], len(voted))} for place in PLACES],
        "tie": _share(sum(one.choice == "tie" for one in voted), len(voted)),
        "bad": _share(sum(one.choice == "bad" for one in voted), len(voted)),
        "preferred": _share(won["first"], decided),
        "chance": round(sign_test(won["first"], won["second"]), _DIGITS),
        "left": _share(lefts, decided),
        "is_whole": len(voted) == len(pairs),
    }


def _share(count: int, of: int) -> dict[str, Any]:
    low, high = wilson(count, of)
    share = count / of if of else 0.0
    return {
        "count": count,
        "of": of,
        **{n: round(v, _DIGITS) for n, v in (("share", share), ("low", low), ("high", high))},
    }


def _place(pair: Pair, side: str) -> Place:
    """Whose answer stands on a side."""
    return "second" if (side == "left") == pair.is_turned else "first"


def _sides(pair: Pair) -> dict[str, Mapping[str, Any]]:
    answers = {"first": pair.first or {}, "second": pair.second or {}}
    return {side: answers[_place(pair, side)] for side in ("left", "right")}


def _blind(pair: Pair) -> dict[str, Any]:
    """A pair without a word on whose its answers are."""
    answers = {
        side: {"text": str(answer.get("text", "")), "is_refused": bool(answer.get("refused"))}
        for side, answer in _sides(pair).items()
    }
    return {
        "number": pair.number, "name": pair.name, "asked": pair.asked.get("messages", []), **answers,
        "choice": pair.choice, "voted_s": pair.voted_s,
    }  # fmt: skip


def _shown(pair: Pair, models: Mapping[str, str]) -> dict[str, Any]:
    blind = _blind(pair)
    for side, answer in _sides(pair).items():
        blind[side] |= {"model": models[_place(pair, side)], "refused": str(answer.get("refused", ""))}
    return blind


def _words(heard: Heard) -> str:
    calls = [f"{call.name}({call.arguments})" for call in heard.calls]
    return "\n".join(filter(None, (heard.text, *calls)))


def _no_pair(number: int, tally: Tally) -> FieldInvalid:
    return FieldInvalid(
        f"There is no pair {number} with two answers; {tally.ready} of {tally.of} have them so far.", param="number"
    )

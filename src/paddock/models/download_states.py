"""Owns what is known of a download and what happened to it, and the file that keeps it; refuses to fetch anything."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, cast, get_args

from paddock.errors import HomeUnusable
from paddock.models.hub_choice import Choice, HubFile, Plan, parse_spec
from paddock.paths import write_whole

State = Literal["queued", "running", "paused", "done", "failed", "cancelled"]

# Those on which somebody still waits; a second wish for such a model is the same download.
UNFINISHED: frozenset[State] = frozenset({"queued", "running", "paused", "failed"})
# Nothing happens any more unless somebody asks.
AT_REST: frozenset[State] = frozenset({"done", "failed", "cancelled"})
_SUFFIX = ".json"
_PERCENT = 100


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happened. `number` grows from each to the next, over restarts too: it is its time in ms.

    `is_progress` tells that only the bytes changed.
    """

    number: int
    state: State
    done_bytes: int
    bytes_per_s: int = 0
    error: str | None = None
    is_progress: bool = False


@dataclass(frozen=True, kw_only=True)
class Download:
    """One download. `model` is the id that the model will have, `files` are what is fetched, its projector among them.

    `is_swept` tells that what a cancelled one had fetched was taken away.
    """

    id: str
    model: str
    revision: str
    files: tuple[HubFile, ...]
    created_s: int
    events: tuple[Event, ...] = ()
    error_kind: str | None = None
    is_swept: bool = False

    @property
    def last(self) -> Event:
        """What happened last."""
        return self.events[-1]

    @property
    def state(self) -> State:
        """What is being done about it."""
        return self.last.state

    @property
    def size_bytes(self) -> int:
        """All files together."""
        return sum(file.size_bytes for file in self.files)

    @property
    def left_bytes(self) -> int:
        """What is not there yet."""
        return max(0, self.size_bytes - self.last.done_bytes)

    @property
    def plan(self) -> Plan:
        """What is fetched, as a pull knows it."""
        spec = parse_spec(self.model)
        return Plan(
            spec=spec, revision=self.revision, choice=Choice(quant=str(spec.quant), files=self.files, available=())
        )

    def then(
        self,
        now_ms: int,
        state: State,
        *,
        done_bytes: int | None = None,
        bytes_per_s: int = 0,
        error: tuple[str, str] | None = None,
    ) -> Download:
        """This download after another event. Of the events of one percent of the way, the newest is kept.

        Args:
            now_ms: the time.
            state: what it is now.
            done_bytes: what is there; as before if None.
            bytes_per_s: how quickly it came lately.
            error: kind and message of what went wrong.
        """
        before = self.events[-1:]
        number = max([now_ms, *(event.number + 1 for event in before)])
        if done_bytes is None:
            done_bytes = before[0].done_bytes if before else 0
        kind, message = error or (None, None)
        event = Event(
            number=number,
            state=state,
            done_bytes=done_bytes,
            bytes_per_s=bytes_per_s,
            error=message,
            is_progress=state == "running" and any(earlier.state == state for earlier in before),
        )
        kept = self.events[:-1] if self._is_same_percent(event) else self.events
        return replace(self, events=(*kept, event), error_kind=kind)

    def swept(self) -> Download:
        """This download once what it had fetched is taken away."""
        return replace(self, is_swept=True, events=self.events)

    def _is_same_percent(self, event: Event) -> bool:
        if not event.is_progress or not self.last.is_progress:
            return False
        share = max(1, self.size_bytes)
        return self.last.done_bytes * _PERCENT // share == event.done_bytes * _PERCENT // share


def write_state(folder: Path, download: Download) -> None:
    """Keep a download, whole or not at all. Raises HomeUnusable."""
    path = folder / f"{download.id}{_SUFFIX}"
    try:
        write_whole(path, json.dumps(asdict(download)))
    except OSError as error:
        raise HomeUnusable(
            f"The state of a download cannot be written in the data home ({error.strerror}). Free space or mend its "
            "rights."
        ) from error


def forget_state(folder: Path, download_id: str) -> None:
    """Forget a download. Raises HomeUnusable."""
    try:
        (folder / f"{download_id}{_SUFFIX}").unlink(missing_ok=True)
    except OSError as error:
        raise HomeUnusable(
            f"A download cannot be forgotten ({error.strerror}). Mend the rights of its file."
        ) from error


def read_states(folder: Path) -> Iterator[Download]:
    """Every download that was kept and can be read, the oldest first."""
    found: list[Download] = []
    for path in folder.glob(f"*{_SUFFIX}"):
        with contextlib.suppress(OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError):
            found.append(_read_state(path))
    yield from sorted(found, key=lambda download: (download.events[0].number, download.id))


def _read_state(path: Path) -> Download:
    raw: Any = json.loads(path.read_text("utf-8"))
    files = tuple(HubFile(**file) for file in cast("list[dict[str, Any]]", raw.pop("files")))
    events = tuple(Event(**event) for event in cast("list[dict[str, Any]]", raw.pop("events")))
    download = Download(files=files, events=events, **raw)
    if f"{download.id}{_SUFFIX}" != path.name or not events or any(e.state not in get_args(State) for e in events):
        raise ValueError("not the state its name says")
    return download

"""Owns which metrics there are, and their text in Prometheus' form, version 0.0.4; refuses to know the numbers.

Names end in their units. Every label has few values: routes and not paths, names of models that answered, classes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal, TypeAlias

from paddock.counts import ENDS_S, Times

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
Kind = Literal["counter", "gauge", "histogram"]
# The values of a family's labels, in its order, and the number.
Sample: TypeAlias = tuple[Sequence[str], float | Times]


@dataclass(frozen=True, kw_only=True)
class Family:
    """One metric: its name, what it says, and the names of its labels."""

    name: str
    kind: Kind
    says: str
    labels: tuple[str, ...] = ()


def _family(kind: Kind, name: str, says: str, *labels: str) -> Family:
    return Family(name=name, kind=kind, says=says, labels=labels)


FAMILIES: tuple[Family, ...] = (
    _family(
        "gauge", "paddock_info", "1; the labels tell what runs.", "version", "python", "system", "engine"
    ),
    _family(
        "counter", "paddock_requests_total", "Requests by route and status; 0 is a client that left first.",
        "method", "path", "status",
    ),
    _family("gauge", "paddock_requests_in_flight", "Requests being answered now."),
    _family(
        "histogram", "paddock_request_duration_seconds", "Time until the last byte of an answer.",
        "path", "status_class",
    ),
    _family(
        "histogram", "paddock_time_to_first_byte_seconds",
        "Time until the first byte of an answer that is sent in pieces.", "path", "status_class",
    ),
    _family(
        "histogram", "paddock_time_to_first_token_seconds",
        "Time until the engine's first piece of a streamed answer, with all waiting and loading.", "model",
    ),
    _family("counter", "paddock_errors_total", "Errors that clients were told, also within streams.", "error"),
    _family(
        "counter", "paddock_tokens_total",
        "Tokens of prompts worked through (read) or known already (cached), and of answers (written).", "model", "kind",
    ),
    _family("gauge", "paddock_requests_waiting", "Requests that wait for a model."),
    _family(
        "histogram", "paddock_queue_wait_seconds", "Time until a request was given its model, loaded or not.", "model"
    ),
    _family("gauge", "paddock_model_leases", "Requests that hold a loaded model.", "model"),
    _family("gauge", "paddock_model_slots", "Requests that a loaded model works on at once; more wait.", "model"),
    _family("gauge", "paddock_model_memory_bytes", "Memory that a loaded model is taken to need.", "model"),
    _family("gauge", "paddock_memory_budget_bytes", "Memory that loaded models may take together."),
    _family("gauge", "paddock_engines_ready", "Engines that are ready."),
    _family("counter", "paddock_engine_starts_total", "Starts of engines.", "model"),
    _family("counter", "paddock_engine_ends_total", "Ends of engines, and why.", "model", "reason"),
    _family("histogram", "paddock_model_load_seconds", "Time from an engine's start until it is ready.", "model"),
    _family("gauge", "paddock_engine_resident_memory_bytes", "Resident memory of an engine's process.", "model"),
    _family("counter", "paddock_engine_cpu_seconds_total", "Processor time of an engine's process.", "model"),
    _family("gauge", "paddock_downloads", "Downloads that are not over, by what they do.", "state"),
    _family("gauge", "paddock_download_received_bytes", "What has come of the downloads that are not over."),
    _family("gauge", "paddock_download_expected_bytes", "The size of the downloads that are not over."),
    _family("counter", "paddock_database_errors_total", "Transactions that the database could not do."),
    _family("gauge", "paddock_home_free_bytes", "Free space on the disk of the data home."),
    _family("counter", "paddock_trace_spans_lost_total", "Spans that the collector did not take."),
    _family("counter", "process_cpu_seconds_total", "Processor time of paddock's own process."),
    _family("gauge", "process_resident_memory_bytes", "Resident memory of paddock's own process."),
    _family("gauge", "process_threads", "Threads of paddock's own process."),
    _family("gauge", "process_open_fds", "Open files and connections of paddock's own process."),
    _family("gauge", "process_max_fds", "How many of them it may have."),
    _family("gauge", "process_start_time_seconds", "When paddock's own process began, in unix time."),
)  # fmt: skip


def text_of(told: Mapping[str, Iterable[Sample]]) -> str:
    """The samples of every family, by its name. Raises KeyError for a family that is not told of."""
    return "".join(f"{line}\n" for family in FAMILIES for line in _lines(family, told[family.name]))


def _lines(family: Family, samples: Iterable[Sample]) -> Iterator[str]:
    yield f"# HELP {family.name} {family.says}"
    yield f"# TYPE {family.name} {family.kind}"
    for values, number in sorted(samples, key=lambda sample: tuple(sample[0])):
        labels = [f'{name}="{_escaped(value)}"' for name, value in zip(family.labels, values, strict=True)]
        if isinstance(number, Times):
            yield from _classes(family.name, labels, number)
        else:
            yield f"{_named(family.name, labels)} {_written(number)}"


def _classes(name: str, labels: list[str], times: Times) -> Iterator[str]:
    counts = list(accumulate(times.classes))
    for end, count in zip((*map(_written, ENDS_S), "+Inf"), counts, strict=True):
        end_label = f'le="{end}"'
        yield f"{_named(f'{name}_bucket', [*labels, end_label])} {count}"
    yield f"{_named(f'{name}_sum', labels)} {_written(times.sum_s)}"
    yield f"{_named(f'{name}_count', labels)} {counts[-1]}"


def _named(name: str, labels: list[str]) -> str:
    return f"{name}{{{','.join(labels)}}}" if labels else name


def _written(number: float) -> str:
    return repr(number)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")

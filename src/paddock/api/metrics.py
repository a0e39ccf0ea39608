"""Owns `GET /metrics`: gathering the numbers that the parts of paddock keep; judges none, and counts nothing itself."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Iterator
from typing import TypeAlias

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from paddock import __version__
from paddock.api.edge import Edge
from paddock.api.metric_families import MEDIA_TYPE, Sample, text_of
from paddock.api.observing import Answered
from paddock.hardware.processes import Taken, taken_by
from paddock.models.download_states import UNFINISHED, Download

# A family's name, and its samples.
_Told: TypeAlias = tuple[str, list[Sample]]


def route(edge: Edge, answered: Answered) -> Route:
    """The route that tells the numbers."""

    async def metrics(request: Request) -> Response:
        """What is counted and measured, for Prometheus."""
        pids = {one.model_id: one.engine.pid for one in edge.pool.residents.values() if one.engine.pid}
        downloads = [one for one in await edge.downloads.listed() if one.state in UNFINISHED]
        told = {**dict(_requests(edge, answered)), **dict(_models(edge)), **dict(_rest(edge, downloads))}
        told |= await anyio.to_thread.run_sync(lambda: dict(_machine(edge, pids)))
        return Response(text_of(told), media_type=MEDIA_TYPE)

    return Route("/metrics", metrics)


def _requests(edge: Edge, answered: Answered) -> Iterator[_Told]:
    yield (
        "paddock_requests_total",
        [((method, path, str(status)), count) for (method, path, status), count in answered.requests.items()],
    )
    yield "paddock_requests_in_flight", _one(answered.in_flight)
    yield "paddock_request_duration_seconds", [*answered.took.items()]
    yield "paddock_time_to_first_byte_seconds", [*answered.began.items()]
    yield "paddock_time_to_first_token_seconds", [*edge.accounts.firsts.items()]
    yield "paddock_errors_total", [((name,), count) for name, count in answered.errors.items()]
    yield "paddock_tokens_total", [*edge.accounts.tokens.items()]


def _models(edge: Edge) -> Iterator[_Told]:
    residents, tally = edge.pool.residents.values(), edge.pool.tally
    yield "paddock_requests_waiting", _one(len(edge.pool.waiting))
    yield "paddock_queue_wait_seconds", [*tally.waits.items()]
    yield "paddock_model_leases", [((one.model_id,), one.leases) for one in residents]
    yield "paddock_model_slots", [((one.model_id,), one.plan.flags.slots) for one in residents]
    yield "paddock_model_memory_bytes", [((one.model_id,), one.plan.memory_bytes) for one in residents]
    limits = edge.pool.limits
    yield "paddock_memory_budget_bytes", _one(limits.memory_budget_bytes if limits else None)
    yield "paddock_engines_ready", _one(sum(one.engine.state == "ready" for one in residents))
    yield "paddock_engine_starts_total", [((model,), count) for model, count in tally.starts.items()]
    yield "paddock_engine_ends_total", [*tally.ends.items()]
    yield "paddock_model_load_seconds", [*tally.loads.items()]


def _rest(edge: Edge, downloads: list[Download]) -> Iterator[_Told]:
    about = (__version__, platform.python_version(), platform.system(), edge.engine)
    yield "paddock_info", [(about, 1)]
    states = [one.state for one in downloads]
    yield "paddock_downloads", [((state,), states.count(state)) for state in UNFINISHED]
    yield "paddock_download_received_bytes", _one(sum(one.last.done_bytes for one in downloads))
    yield "paddock_download_expected_bytes", _one(sum(one.size_bytes for one in downloads))
    yield "paddock_database_errors_total", _one(edge.database.errors)
    yield "paddock_trace_spans_lost_total", _one(edge.traces.lost)


def _machine(edge: Edge, pids: dict[str, int]) -> Iterator[_Told]:
    """What the system is asked, which may block."""
    engines = {model: taken for model, pid in pids.items() if (taken := taken_by(pid))}
    yield "paddock_engine_resident_memory_bytes", [((model,), one.memory_bytes) for model, one in engines.items()]
    yield "paddock_engine_cpu_seconds_total", [((model,), one.cpu_s) for model, one in engines.items()]
    try:
        free_bytes = shutil.disk_usage(edge.settings.home.root).free
    except OSError:
        free_bytes = None
    yield "paddock_home_free_bytes", _one(free_bytes)
    yield from _own(taken_by(os.getpid()))


def _own(taken: Taken | None) -> Iterator[_Told]:
    yield "process_cpu_seconds_total", _one(taken and taken.cpu_s)
    yield "process_resident_memory_bytes", _one(taken and taken.memory_bytes)
    yield "process_threads", _one(taken and taken.threads)
    yield "process_open_fds", _one(taken and taken.open_files)
    yield "process_max_fds", _one(taken and taken.open_files_most)
    yield "process_start_time_seconds", _one(taken and taken.started_s)


def _one(number: float | None) -> list[Sample]:
    """The only sample of a family without labels; none of what is not known."""
    return [] if number is None else [((), number)]

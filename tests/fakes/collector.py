"""Owns a collector of traces: an HTTP server on loopback that takes OTLP in protobuf, or misbehaves as told."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

_WAIT_S = 20.0


@dataclass(frozen=True, kw_only=True)
class Span:
    """One span as it came. Ids are hex digits; `parent_id` is "" for a root, `events` are names."""

    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    attributes: dict[str, Any]
    events: list[str]
    is_error: bool


@dataclass(kw_only=True)
class Collector:
    """What came, and how to answer: with `status`, after `released` is set."""

    url: str
    status: int = 200
    spans: list[Span] = field(default_factory=list[Span])
    resources: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    paths: list[str] = field(default_factory=list[str])
    bodies: list[bytes] = field(default_factory=list[bytes])
    released: threading.Event = field(default_factory=threading.Event)

    def until(self, done: Callable[[list[Span]], object]) -> list[Span]:
        """Wait until the spans that came satisfy `done`."""
        deadline_s = time.monotonic() + _WAIT_S
        while not done(self.spans):
            assert time.monotonic() < deadline_s, f"only these came: {[span.name for span in self.spans]}"
            time.sleep(0.01)
        return list(self.spans)

    def take(self, path: str, body: bytes) -> None:
        """Keep what a request holds."""
        told = ExportTraceServiceRequest.FromString(body)
        self.paths.append(path)
        self.bodies.append(body)
        for resource in told.resource_spans:
            self.resources.append(_values(resource.resource.attributes))
            for scope in resource.scope_spans:
                self.spans += [
                    Span(
                        name=span.name,
                        kind=span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower(),
                        trace_id=span.trace_id.hex(),
                        span_id=span.span_id.hex(),
                        parent_id=span.parent_span_id.hex(),
                        attributes=_values(span.attributes),
                        events=[event.name for event in span.events],
                        is_error=span.status.code == 2,
                    )
                    for span in scope.spans
                ]


def _values(pairs: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}


@contextmanager
def collecting(*, status: int = 200, is_hanging: bool = False) -> Generator[Collector]:
    """A collector for the length of the block. One that hangs takes requests and answers none until the end."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            collector.released.wait()
            if collector.status == 200:
                collector.take(self.path, body)
            self.send_response(collector.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    collector = Collector(url=f"http://127.0.0.1:{server.server_address[1]}", status=status)
    if not is_hanging:
        collector.released.set()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield collector
    finally:
        collector.released.set()
        server.shutdown()
        server.server_close()
        thread.join()

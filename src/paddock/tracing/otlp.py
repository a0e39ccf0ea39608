"""Owns the way of spans to a collector, over OTLP in HTTP; refuses to let anybody wait for it.

Imported only where a collector is set. A thread of OpenTelemetry's sends what has ended, every few seconds. What does
not fit into its queue, or is not taken, is dropped and counted.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Sequence

import anyio
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from paddock.log import named
from paddock.masking import masked

_log = named(__name__)
_CLOSE_S = 1.0
_LOOK_EVERY_S = 0.01
_CARRIED = (b"traceparent", b"tracestate")


class Collector:
    """A collector, and the thread that sends to it.

    Args:
        address: where spans are sent.
        version: of paddock.
    """

    def __init__(self, address: str, *, version: str) -> None:
        self._words = _Words()
        self._propagator = TraceContextTextMapPropagator()
        self._exporter = _Exporter(address, self._words)
        # What the environment says of the service has the last word.
        about = Resource({"service.name": "paddock", "service.version": version})
        self._provider = TracerProvider(resource=about.merge(OTELResourceDetector().detect()), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(self._exporter))
        self.tracer = self._provider.get_tracer("paddock", version)

    @property
    def lost(self) -> int:
        """Spans that were not taken."""
        return self._exporter.lost

    def context_of(self, headers: Iterable[tuple[bytes, bytes]], otherwise: Context | None) -> Context:
        """What the headers of a request say it belongs to."""
        carrier = {name.decode(): value.decode("latin-1") for name, value in headers if name in _CARRIED}
        return self._propagator.extract(carrier, otherwise or Context())

    async def close(self) -> None:
        """Send what is left, within a second; a thread that still waits for the collector ends with the process."""
        ending = threading.Thread(target=self._end, name="paddock-traces-end", daemon=True)
        ending.start()
        with anyio.move_on_after(_CLOSE_S):
            while ending.is_alive():  # noqa: ASYNC110 - a thread's end sets no event
                await anyio.sleep(_LOOK_EVERY_S)
        self._exporter.hurry()

    def _end(self) -> None:
        self._provider.shutdown()
        self._words.close()


class _Exporter(SpanExporter):
    """OpenTelemetry's own, which says once that spans are not taken, and once that they are again."""

    def __init__(self, address: str, words: _Words) -> None:
        self.lost = 0
        self._address = address
        self._words = words
        self._inner = OTLPSpanExporter(endpoint=address)
        self._is_failing = False
        self._is_closed = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send some."""
        if self._is_closed:
            self.lost += len(spans)
            return SpanExportResult.FAILURE
        result = self._inner.export(spans)
        has_failed = result is not SpanExportResult.SUCCESS
        if has_failed:
            self.lost += len(spans)
        if has_failed and not self._is_failing:
            _log.warning(
                "the collector at %s takes no spans, requests go on without: %s",
                masked(self._address),
                self._words.last,
            )
        elif self._is_failing and not has_failed:
            _log.warning("the collector at %s takes spans again; %d were lost", masked(self._address), self.lost)
        self._is_failing = has_failed
        return result

    def shutdown(self) -> None:
        """Send no more."""
        self.hurry()

    def hurry(self) -> None:
        """Give up waiting for another try."""
        if not self._is_closed:
            self._is_closed = True
            self._inner.shutdown()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Nothing is held here."""
        return True


class _Words(logging.Handler):
    """What OpenTelemetry last said; it says it for every batch, which is too often for a log."""

    def __init__(self) -> None:
        super().__init__()
        self.last = "it gave no reason"
        self._source = logging.getLogger("opentelemetry")
        self._propagated, self._source.propagate = self._source.propagate, False
        self._source.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it."""
        self.last = record.getMessage()

    def close(self) -> None:
        """Let it speak for itself again."""
        self._source.removeHandler(self)
        self._source.propagate = self._propagated
        super().close()

"""Owns the spans of what a request waits for; refuses to hold what anybody said, and to know where spans go.

What paddock does for a request is told in spans with names and numbers: no prompt, no answer, no path or query as they
were sent. Where nothing is traced nothing of OpenTelemetry is imported, and a span is one look at a variable.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Span as OtelSpan
    from opentelemetry.trace import Tracer

Value: TypeAlias = str | int | float | bool
Kind = Literal["internal", "client", "server"]


class Active(NamedTuple):
    """What spans that begin now belong to: the span around them is in `context`."""

    tracer: Tracer
    context: Context


_active: ContextVar[Active | None] = ContextVar("trace", default=None)


class Span:
    """Something that takes time. One that is not traced takes what it is told and forgets it."""

    __slots__ = ("_span", "context")

    def __init__(self, span: OtelSpan | None = None, context: Context | None = None) -> None:
        self._span = span
        self.context = context

    @property
    def trace_id(self) -> str:
        """32 hex digits; "" where nothing is traced."""
        return "" if self._span is None else f"{self._span.get_span_context().trace_id:032x}"

    def note(self, values: Mapping[str, Value | None]) -> None:
        """Tell attributes; None is not told."""
        if self._span is not None:
            self._span.set_attributes({name: value for name, value in values.items() if value is not None})

    def event(self, name: str) -> None:
        """Something happened just now."""
        if self._span is not None:
            self._span.add_event(name)

    def rename(self, name: str) -> None:
        """What it is called, once that is known."""
        if self._span is not None:
            self._span.update_name(name)

    def fail(self, error: str) -> None:
        """It went wrong: `error` is the name of an error, never its words."""
        if self._span is not None:
            from opentelemetry.trace import StatusCode

            self._span.set_status(StatusCode.ERROR)
            self._span.set_attribute("error.type", error)

    def left_by(self, kind: type[BaseException] | None, *rest: object) -> Literal[False]:
        """Its block was left, by such an exception if by any, which goes on."""
        if kind is not None:
            self.fail(kind.__name__)
        return False

    def headers(self) -> dict[str, str]:
        """What another server needs to go on with this trace."""
        if self._span is None:
            return {}
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        carrier: dict[str, str] = {}
        TraceContextTextMapPropagator().inject(carrier, self.context)
        return carrier


UNTRACED = Span()


@contextmanager
def span(name: str, kind: Kind = "internal") -> Generator[Span]:
    """A span of the request that is being worked on, for the length of the block."""
    active = _active.get()
    if active is None:
        yield UNTRACED
        return
    with begun(active, name, kind) as found:
        yield found


@contextmanager
def begun(active: Active, name: str, kind: Kind) -> Generator[Span]:
    """A span in `active`, for the length of the block; what leaves that by an exception went wrong."""
    from opentelemetry.trace import SpanKind, set_span_in_context

    made = active.tracer.start_span(name, context=active.context, kind=SpanKind[kind.upper()])
    found = Span(made, set_span_in_context(made, active.context))
    with ExitStack() as stack:
        stack.callback(made.end)
        stack.push(found.left_by)
        yield found


@contextmanager
def within(active: Active) -> Generator[None]:
    """Spans of the block, and of what it begins, belong to `active`."""
    token = _active.set(active)
    try:
        yield
    finally:
        _active.reset(token)


def current() -> Active | None:
    """What a span that began now would belong to."""
    return _active.get()

"""Owns the traces of one paddock as its edge begins them; refuses to know how spans reach a collector (`otlp`)."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from paddock.errors import SettingInvalid
from paddock.masking import masked
from paddock.tracing.spans import UNTRACED, Active, Span, begun, current, within

if TYPE_CHECKING:
    from paddock.tracing.otlp import Collector

_PATH = "/v1/traces"
_MISSING = (
    "trace_endpoint is set, but OpenTelemetry is not installed. Install it into paddock's environment: {python} -m pip "
    "install opentelemetry-sdk opentelemetry-exporter-otlp-proto-http. Or empty trace_endpoint."
)


class Traces:
    """The traces of one paddock; none where the collector's address is empty.

    Args:
        endpoint: the address. `/v1/traces` follows where it has no path.
        version: of paddock, which the collector is told.

    Raises:
        SettingInvalid: the address is none, or OpenTelemetry is not installed.
    """

    def __init__(self, endpoint: str, *, version: str) -> None:
        self._collector: Collector | None = None
        if not endpoint:
            return
        address = _address_of(endpoint)
        try:
            from paddock.tracing.otlp import Collector
        except ImportError as error:
            raise SettingInvalid(_MISSING.format(python=sys.executable)) from error
        self._collector = Collector(address, version=version)

    @property
    def is_on(self) -> bool:
        """Whether anything is traced."""
        return self._collector is not None

    @property
    def lost(self) -> int:
        """Spans that the collector did not take."""
        return self._collector.lost if self._collector else 0

    @contextmanager
    def request(self, name: str, headers: Iterable[tuple[bytes, bytes]]) -> Generator[Span]:
        """The span of a request, for the length of the block: of the trace that its client began, if it did."""
        if self._collector is None:
            yield UNTRACED
            return
        inherited = current()
        around = self._collector.context_of(headers, inherited.context if inherited else None)
        with begun(Active(self._collector.tracer, around), name, "server") as found:
            assert found.context is not None
            with within(Active(self._collector.tracer, found.context)):
                yield found

    async def close(self) -> None:
        """Send what is left, as far as that is done within a second."""
        if self._collector is not None:
            await self._collector.close()


def _address_of(endpoint: str) -> str:
    """Where spans are sent. Raises SettingInvalid."""
    try:
        parts = urlsplit(endpoint)
        if parts.scheme in ("http", "https") and parts.hostname and parts.port != 0:
            return endpoint.rstrip("/") + _PATH if parts.path in ("", "/") else endpoint
    except ValueError:
        pass
    raise SettingInvalid(
        f"trace_endpoint is {masked(endpoint)!r}, which is no address. Give that of a collector, such as "
        "http://127.0.0.1:4318, or leave it empty."
    )

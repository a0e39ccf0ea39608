"""Owns what a span tells of one question to an engine; refuses to tell anything that was said.

The names are those of OpenTelemetry's semantic conventions for generative AI, which are in development; what they have
no name for begins with `paddock.`.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from paddock.serving.accounts import Account
from paddock.serving.prepare import Prepared
from paddock.tracing.spans import Span, Value, span

LOCAL = "llama.cpp"
FIRST = "first token"
_OPERATIONS = {
    "/v1/chat/completions": "chat", "/v1/completions": "text_completion", "/completion": "text_completion",
    "/infill": "text_completion", "/v1/embeddings": "embeddings", "/v1/rerank": "rerank",
}  # fmt: skip
# Numbers of a request by the names that the conventions have for them.
_NUMBERS = {
    "max_tokens": "max_tokens", "max_completion_tokens": "max_tokens", "temperature": "temperature", "top_p": "top_p",
    "top_k": "top_k", "frequency_penalty": "frequency_penalty", "presence_penalty": "presence_penalty", "seed": "seed",
}  # fmt: skip


@contextmanager
def asking(prepared: Prepared, account: Account, *, model: str, provider: str = LOCAL) -> Generator[Span]:
    """The span of a question, from before it is sent until its answer's last byte; it tells the tokens at its end."""
    operation = _OPERATIONS.get(prepared.path) or prepared.path.rpartition("/")[2]
    with span(f"{operation} {model}", "client") as found:
        if not found.trace_id:
            yield found
            return
        numbers: dict[str, Value | None] = {
            f"gen_ai.request.{name}": value
            for field, name in _NUMBERS.items()
            if isinstance(value := prepared.body.get(field), (int, float))
        }
        found.note(
            {
                "gen_ai.operation.name": operation,
                "gen_ai.provider.name": provider,
                "gen_ai.request.model": model,
                "gen_ai.request.stream": prepared.streamed,
                **numbers,
            }
        )
        try:
            yield found
        finally:
            _tell(found, account)


def _tell(found: Span, account: Account) -> None:
    spent = account.spent
    if spent.tokens:
        # As the conventions have it, what was cached is among what went in.
        found.note(
            {
                "gen_ai.usage.input_tokens": spent.read + spent.cached,
                "gen_ai.usage.cache_read.input_tokens": spent.cached,
                "gen_ai.usage.output_tokens": spent.written,
            }
        )
    found.note({"gen_ai.response.time_to_first_chunk": account.first_s})

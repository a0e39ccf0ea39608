"""Owns which dialect a path speaks and how that dialect tells an error; refuses to know where the error came from."""

from __future__ import annotations

from paddock.api.faults import anthropic_error, encoded, ollama_error, openai_error, status_of
from paddock.errors import ModelUnloaded, StoreBusy, TooBusy
from paddock.serving.relay import Dialect


def refuse_openai(error: BaseException) -> tuple[int, bytes]:
    """Status and body of an error for callers of the OpenAI routes."""
    return status_of(error), encoded({"error": openai_error(error)})


def refuse_anthropic(error: BaseException) -> tuple[int, bytes]:
    """Status and body of an error for callers of Messages: a broken field rule is a 400 there."""
    status = status_of(error)
    return 400 if status == 422 else status, encoded({"type": "error", "error": anthropic_error(error)})


def refuse_ollama(error: BaseException) -> tuple[int, bytes]:
    """Status and body of an error for callers of Ollama's routes."""
    status = status_of(error)
    return 400 if status == 422 else status, encoded(ollama_error(error))


def headers_of(error: BaseException) -> dict[str, str]:
    """What an error says in headers, in every dialect."""
    if isinstance(error, ModelUnloaded):
        # The services' own clients would ask again at once, and so undo what a person did.
        return {"x-should-retry": "false"}
    return {"retry-after": str(error.retry_after_s)} if isinstance(error, TooBusy | StoreBusy) else {}


OPENAI = Dialect(refuse=refuse_openai, describe=openai_error, headers=headers_of)
ANTHROPIC = Dialect(refuse=refuse_anthropic, describe=anthropic_error, headers=headers_of)
OLLAMA = Dialect(refuse=refuse_ollama, describe=ollama_error, headers=headers_of)

_OLLAMA_PATHS = frozenset(
    f"/api/{name}"
    for name in (
        "version", "tags", "show", "chat", "generate", "embed", "embeddings", "ps",
        "pull", "push", "create", "copy", "delete", "blobs",
    )
)  # fmt: skip


def dialect_of(path: str) -> Dialect:
    """The dialect that the callers of a path expect."""
    if path == "/v1/messages" or path.startswith("/v1/messages/"):
        return ANTHROPIC
    return OLLAMA if path in _OLLAMA_PATHS else OPENAI

"""Owns the one table from error class to status and shape; refuses to know where an error came from."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from paddock import errors
from paddock.errors import PaddockError
from paddock.paths import NO_ROOM


@dataclass(frozen=True, kw_only=True)
class Fault:
    """How one class of error looks from outside. `status` 0 stands for the engine's own status."""

    status: int
    openai_type: str
    openai_code: str | None
    anthropic_type: str


_INVALID = "invalid_request_error"

TABLE: dict[type[PaddockError], Fault] = {
    errors.BadRequest: Fault(status=400, openai_type=_INVALID, openai_code=None, anthropic_type=_INVALID),
    errors.FieldInvalid: Fault(status=422, openai_type=_INVALID, openai_code=None, anthropic_type=_INVALID),
    errors.FileUnreadable: Fault(
        status=400, openai_type=_INVALID, openai_code="file_unreadable", anthropic_type=_INVALID
    ),
    errors.ImageRefused: Fault(status=400, openai_type=_INVALID, openai_code="image_refused", anthropic_type=_INVALID),
    errors.ContextOverflow: Fault(
        status=400, openai_type=_INVALID, openai_code="context_length_exceeded", anthropic_type=_INVALID
    ),
    errors.BodyTooLarge: Fault(
        status=413, openai_type=_INVALID, openai_code="body_too_large", anthropic_type="request_too_large"
    ),
    errors.BodyTooSlow: Fault(status=408, openai_type=_INVALID, openai_code="body_too_slow", anthropic_type=_INVALID),
    errors.PageForbidden: Fault(
        status=403, openai_type="permission_error", openai_code="page_forbidden", anthropic_type="permission_error"
    ),
    errors.NotPermitted: Fault(
        status=403, openai_type="permission_error", openai_code="not_permitted", anthropic_type="permission_error"
    ),
    errors.KeyRefused: Fault(
        status=401,
        openai_type="authentication_error",
        openai_code="invalid_api_key",
        anthropic_type="authentication_error",
    ),
    errors.SignInRefused: Fault(
        status=401,
        openai_type="authentication_error",
        openai_code="sign_in_refused",
        anthropic_type="authentication_error",
    ),
    errors.LinkSpent: Fault(status=410, openai_type=_INVALID, openai_code="link_spent", anthropic_type=_INVALID),
    errors.QuotaSpent: Fault(
        status=429, openai_type="rate_limit_error", openai_code="quota_spent", anthropic_type="rate_limit_error"
    ),
    errors.TriesSpent: Fault(
        status=429, openai_type="rate_limit_error", openai_code="tries_spent", anthropic_type="rate_limit_error"
    ),
    errors.AccountUnknown: Fault(
        status=404, openai_type=_INVALID, openai_code="account_not_found", anthropic_type="not_found_error"
    ),
    errors.TooBusy: Fault(
        status=429, openai_type="rate_limit_error", openai_code="too_busy", anthropic_type="rate_limit_error"
    ),
    errors.ResponseUnknown: Fault(
        status=404, openai_type=_INVALID, openai_code="response_not_found", anthropic_type="not_found_error"
    ),
    errors.ChatUnknown: Fault(
        status=404, openai_type=_INVALID, openai_code="chat_not_found", anthropic_type="not_found_error"
    ),
    errors.Conflict: Fault(status=409, openai_type=_INVALID, openai_code="conflict", anthropic_type=_INVALID),
    errors.ModelUnknown: Fault(
        status=404, openai_type=_INVALID, openai_code="model_not_found", anthropic_type="not_found_error"
    ),
    errors.ModelUnusable: Fault(
        status=400, openai_type=_INVALID, openai_code="model_unusable", anthropic_type=_INVALID
    ),
    errors.ModelTooLarge: Fault(
        status=400, openai_type=_INVALID, openai_code="model_too_large", anthropic_type=_INVALID
    ),
    errors.RequestUnknown: Fault(
        status=404, openai_type=_INVALID, openai_code="request_not_found", anthropic_type="not_found_error"
    ),
    errors.KeyUnknown: Fault(
        status=404, openai_type=_INVALID, openai_code="key_not_found", anthropic_type="not_found_error"
    ),
    errors.StoreUnusable: Fault(
        status=503, openai_type="api_error", openai_code="store_unusable", anthropic_type="overloaded_error"
    ),
    errors.StoreFull: Fault(status=507, openai_type="api_error", openai_code="disk_full", anthropic_type="api_error"),
    errors.HubUnavailable: Fault(
        status=502, openai_type="api_error", openai_code="hub_unavailable", anthropic_type="api_error"
    ),
    errors.RepositoryUnknown: Fault(
        status=404, openai_type=_INVALID, openai_code="repository_not_found", anthropic_type="not_found_error"
    ),
    errors.RepositoryClosed: Fault(
        status=403, openai_type="permission_error", openai_code="repository_closed", anthropic_type="permission_error"
    ),
    errors.DownloadUnknown: Fault(
        status=404, openai_type=_INVALID, openai_code="download_not_found", anthropic_type="not_found_error"
    ),
    errors.JobUnknown: Fault(
        status=404, openai_type=_INVALID, openai_code="job_not_found", anthropic_type="not_found_error"
    ),
    errors.SetUnknown: Fault(
        status=404, openai_type=_INVALID, openai_code="set_not_found", anthropic_type="not_found_error"
    ),
    errors.ExportFileUnknown: Fault(
        status=404, openai_type=_INVALID, openai_code="export_file_not_found", anthropic_type="not_found_error"
    ),
    errors.ToolFileUnknown: Fault(
        status=404, openai_type=_INVALID, openai_code="tool_file_not_found", anthropic_type="not_found_error"
    ),
    errors.ApprovalUnknown: Fault(
        status=404, openai_type=_INVALID, openai_code="approval_not_found", anthropic_type="not_found_error"
    ),
    errors.KnowledgeUnknown: Fault(
        status=404, openai_type=_INVALID, openai_code="knowledge_not_found", anthropic_type="not_found_error"
    ),
    errors.ToolServerUnknown: Fault(
        status=404, openai_type=_INVALID, openai_code="tool_server_not_found", anthropic_type="not_found_error"
    ),
    errors.ToolServerFault: Fault(
        status=502, openai_type="api_error", openai_code="tool_server_failed", anthropic_type="api_error"
    ),
    errors.HubTokenMissing: Fault(
        status=409, openai_type=_INVALID, openai_code="hub_token_missing", anthropic_type=_INVALID
    ),
    errors.PushRefused: Fault(status=409, openai_type=_INVALID, openai_code="push_refused", anthropic_type=_INVALID),
    errors.NoTrainingStack: Fault(
        status=409, openai_type=_INVALID, openai_code="no_training_stack", anthropic_type=_INVALID
    ),
    errors.DownloadsElsewhere: Fault(
        status=409, openai_type=_INVALID, openai_code="downloads_elsewhere", anthropic_type=_INVALID
    ),
    errors.DiskTooFull: Fault(
        status=507, openai_type="api_error", openai_code="disk_too_full", anthropic_type="api_error"
    ),
    errors.BuildUnknown: Fault(
        status=404, openai_type=_INVALID, openai_code="build_not_found", anthropic_type="not_found_error"
    ),
    errors.BuildRefused: Fault(status=400, openai_type=_INVALID, openai_code="build_refused", anthropic_type=_INVALID),
    errors.InstallBusy: Fault(status=409, openai_type=_INVALID, openai_code="install_busy", anthropic_type=_INVALID),
    errors.EngineFailedToStart: Fault(
        status=502, openai_type="api_error", openai_code="engine_failed_to_start", anthropic_type="api_error"
    ),
    errors.EngineUnreachable: Fault(
        status=502, openai_type="api_error", openai_code="engine_unreachable", anthropic_type="api_error"
    ),
    errors.EngineUnavailable: Fault(
        status=503, openai_type="api_error", openai_code="engine_unavailable", anthropic_type="overloaded_error"
    ),
    errors.ModelUnloaded: Fault(
        status=503, openai_type="api_error", openai_code="model_unloaded", anthropic_type="api_error"
    ),
    errors.EngineTimeout: Fault(
        status=504, openai_type="api_error", openai_code="engine_timeout", anthropic_type="api_error"
    ),
    errors.EngineRefused: Fault(
        status=0, openai_type="api_error", openai_code="engine_refused", anthropic_type="api_error"
    ),
    PaddockError: Fault(status=500, openai_type="api_error", openai_code="internal", anthropic_type="api_error"),
}

INTERNAL_MESSAGE = "Something went wrong inside paddock. The log tells more; look for this request's id there."


# By name, since neither library is to be imported for this: our client's exceptions, and those of tools and SDKs.
_TRANSPORT_ROOTS = {("aiohttp", "ClientError"), ("httpx", "RequestError"), ("httpx2", "RequestError")}


def is_transport_fault(error: BaseException) -> bool:
    """Whether a foreign error means a lost connection: the whole trees of aiohttp and httpx, and the system's own."""
    if isinstance(error, (ConnectionError, TimeoutError)):
        return True
    return any((cls.__module__.split(".")[0], cls.__name__) in _TRANSPORT_ROOTS for cls in type(error).__mro__)


def mapped(error: BaseException) -> BaseException:
    """The error itself, or ours in place of a foreign one that means a lost connection or a full disk."""
    cause = error.__cause__ if isinstance(error, errors.HomeUnusable) else error
    if isinstance(cause, OSError) and cause.errno in NO_ROOM:
        return errors.DiskTooFull(
            "The disk is full, or what paddock may write there is used up. Nothing of this was written. Free space, "
            "and ask again."
        )
    is_lost = not isinstance(error, PaddockError) and is_transport_fault(error)
    return errors.EngineUnreachable() if is_lost else error


def name_of(error: BaseException) -> str:
    """What an error is called where errors are counted: by its class, or that of a fault of paddock's own."""
    error = mapped(error)
    return type(error if isinstance(error, PaddockError) else PaddockError("")).__name__


def fault_of(error: BaseException) -> Fault:
    """The table's row for an error: its class's own, or that of its nearest ancestor."""
    for cls in type(error).__mro__:
        if cls in TABLE:
            return TABLE[cls]
    return TABLE[PaddockError]


def status_of(error: BaseException) -> int:
    """The HTTP status for an error."""
    error = mapped(error)
    return error.status if isinstance(error, errors.EngineRefused) else fault_of(error).status


def openai_error(error: BaseException) -> dict[str, Any]:
    """The error object on the OpenAI routes."""
    error = mapped(error)
    fault = fault_of(error)
    kind = fault.openai_type
    if isinstance(error, errors.EngineRefused) and error.status < 500:
        kind = _INVALID if error.status != 429 else "rate_limit_error"
    param = error.param if isinstance(error, errors.BadRequest) else None
    if isinstance(error, errors.ModelUnknown):
        param = "model"
    told = {"message": _message_of(error), "type": kind, "param": param, "code": fault.openai_code}
    return {**told, "current": error.current} if isinstance(error, errors.Conflict) else told


# What the service itself says for a status; an engine's refusal is told by its status alone.
_ANTHROPIC_TYPES = {
    400: _INVALID, 401: "authentication_error", 403: "permission_error", 404: "not_found_error",
    413: "request_too_large", 429: "rate_limit_error", 503: "overloaded_error", 529: "overloaded_error",
}  # fmt: skip


def anthropic_error(error: BaseException) -> dict[str, Any]:
    """The error object on the Messages routes."""
    error = mapped(error)
    kind = fault_of(error).anthropic_type
    if isinstance(error, errors.EngineRefused):
        kind = _ANTHROPIC_TYPES.get(error.status, _INVALID if error.status < 500 else "api_error")
    message = _message_of(error)
    if isinstance(error, errors.ContextOverflow):
        # Word for word what clients look for before they shorten the conversation.
        message = f"prompt is too long: {error.prompt_tokens} tokens > {error.context_tokens} maximum"
    return {"type": kind, "message": message}


def ollama_error(error: BaseException) -> dict[str, Any]:
    """The body of an error on Ollama's routes."""
    return {"error": _message_of(mapped(error))}


def _message_of(error: BaseException) -> str:
    """What a caller may read: ours where the class is known, else nothing of the inside."""
    is_ours = isinstance(error, PaddockError) and fault_of(error) is not TABLE[PaddockError]
    return error.told if is_ours and isinstance(error, PaddockError) else INTERNAL_MESSAGE


def encoded(body: dict[str, Any]) -> bytes:
    """An error body's bytes; what cannot be encoded was part of the caller's own words and becomes a question mark."""
    return json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")

"""Owns the errors about the server's own tools and what they know; `errors/__init__.py` draws their tree."""

from __future__ import annotations

from collections.abc import Sequence

from paddock.errors.base import PaddockError, shown


class ToolFileUnknown(PaddockError):
    """The workspace of a session holds no such file, or no longer: one is kept for a week after its last use."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(
            f"There is no file {shown(path)} in this session's workspace ({why[:200]}). Workspaces are kept for a week "
            "after they were last used; have the model make it again."
        )


class ApprovalUnknown(PaddockError):
    """No call waits under that id for an answer of whoever gives one."""

    def __init__(self, approval_id: str) -> None:
        super().__init__(
            f"No call {shown(approval_id)} waits for your answer: it was answered, its time is over, its answer ended "
            "or was begun anew, or another account or key asked for it. GET /api/tools/approvals lists those that wait."
        )


class KnowledgeUnknown(PaddockError):
    """No collection, document or passage of that id is there for whoever asks."""

    def __init__(self, what: str, name: str) -> None:
        super().__init__(f"There is no {what} {shown(name)}. `paddock knowledge list` shows what there is.")


class ToolServerUnknown(PaddockError):
    """No server of tools has that name. `known` are those there are."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        listed = ", ".join(known) or "none"
        super().__init__(f"There is no server of tools {shown(name)}. Servers here: {listed}. See `paddock mcp list`.")


class ToolServerFault(PaddockError):
    """A server of tools cannot be begun or asked, ended, refused, or said what cannot be read; `why` tells which."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"The server of tools {name} {why.rstrip('.')}.")
        self.why = why

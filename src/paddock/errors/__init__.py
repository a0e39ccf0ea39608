"""Owns every error that paddock raises on purpose; knows nothing of HTTP, of dialects or of who is asking.

    PaddockError
    ├── BadRequest                what the caller sent cannot be used (not JSON, an unsupported value)
    │   ├── FieldInvalid          one of the request's field rules is broken
    │   ├── ImageRefused          an image on a text model, or an image that cannot be read
    │   ├── FileUnreadable        a file of chats or a document that cannot be read
    │   ├── ContextOverflow       the prompt is longer than the context
    │   ├── BodyTooLarge          more bytes than paddock reads
    │   └── BodyTooSlow           the rest of a body does not come
    ├── PageForbidden             a web page of another origin, or a foreign Host, asked
    ├── NotPermitted              whoever asked is let in, but may not do that
    ├── KeyRefused                no key and no sign-in, or one that is unknown, expired or revoked
    │   └── SignInRefused         no account of that name and password
    ├── LinkSpent                 a link to choose a password is unknown, too old or was used
    ├── TooBusy                   more work is waiting than is accepted; later it may be
    │   ├── QuotaSpent            a key has used what it may use for now
    │   └── TriesSpent            too many wrong passwords came
    ├── ResponseUnknown           no stored response of that id
    ├── ChatUnknown               no chat, message, folder, preset or attachment of that id
    ├── Conflict                  what is there is newer than, or other than, what the caller thinks
    ├── ModelUnknown              no model of that name
    │   └── AdapterUnknown        no adapter of that name
    ├── ModelUnusable             the file is not a model that can be loaded
    ├── ModelTooLarge             the model needs more memory than engines may take
    ├── HubUnavailable            the hub cannot be reached, or does not have what was asked for
    │   ├── RepositoryUnknown     the hub has no such repository, or shows it to others only
    │   └── RepositoryClosed      the hub holds the repository back until its terms are accepted, or a token is shown
    ├── DownloadUnknown           no download of that id
    ├── DownloadsElsewhere        another paddock works on the downloads of this data home
    ├── JobUnknown                no training or export of that id
    ├── ExportFileUnknown         an export has no file of that name
    ├── ToolFileUnknown           the workspace of a session has no file of that name
    ├── ApprovalUnknown           no call of a tool waits for that answer
    ├── KnowledgeUnknown          no collection, document or passage of that id
    ├── ToolServerUnknown         no server of tools of that name
    ├── ToolServerFault           a server of tools cannot be begun or asked, or said what cannot be read
    ├── SetUnknown                no set of one's own of that id
    ├── HubTokenMissing           the hub lets nobody write without a token, and there is none
    ├── PushRefused               the repository or a file is other than what a push may write to or send
    ├── NoTrainingStack           the libraries that train and export are not installed
    ├── RequestUnknown            no recorded request of that id
    ├── StoreUnusable             the database cannot be opened, read or written
    │   ├── StoreBusy             it is held, or cannot be reached just now
    │   ├── StoreFull             its disk is full
    │   └── StoreDamaged          its file is no whole database any more
    ├── KeyUnknown                no key of that id
    ├── AccountUnknown            no account of that name
    ├── RemoteUnknown             no remote engine of that name
    ├── SettingInvalid            a setting has a value that cannot be used
    ├── HomeUnusable              the data home cannot be written
    │   └── DiskTooFull           the disk cannot hold what is to be fetched
    ├── HomeBusy                  another process works on the data home
    ├── BackupFailed              a backup cannot be made or restored
    │   └── BackupRefused         what is to be restored is no backup, is damaged, or is of a newer paddock
    ├── PortBusy                  another program listens there
    ├── BuildError                something about a build of llama.cpp that is, or is to be, installed
    │   ├── BuildUnknown          no build of that name is here
    │   ├── BuildUnfit            no build suits this machine, or what building one needs is missing
    │   ├── BuildUnavailable      a build cannot be fetched now
    │   ├── BuildRefused          what came is not what was promised, or is not safe to unpack
    │   ├── BuildBroken           a build cannot be made, or fails its probe
    │   ├── CanaryFailed          a build fails at what paddock or the person's models need, or is clearly slower
    │   └── InstallBusy           another paddock is installing
    ├── SetupFailed               paddock itself, or its training stack, cannot be installed, changed or removed
    │   └── NotInstalled          there is no installation of paddock, or none before, where one was meant
    └── EngineError
        ├── EngineFailedToStart   the engine ended before it was ready; carries its last words
        ├── EngineUnreachable     the engine was lost while it was answering
        │   └── EngineNotConnected    no byte reached it: the request may be sent again without harm
        ├── EngineUnavailable     no engine, and loads are refused at present
        │   └── ModelUnloaded     somebody had the model unloaded while a request waited for its load
        ├── EngineTimeout         our own deadline passed before the engine answered
        └── EngineRefused         the engine answered with a status of its own

A message names the value and the next step. It never holds a stack, nor a path outside the data home.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from paddock.errors.access import (
    AccountUnknown,
    KeyRefused,
    KeyUnknown,
    LinkSpent,
    NotPermitted,
    PageForbidden,
    QuotaSpent,
    SignInRefused,
    TooBusy,
    TriesSpent,
)
from paddock.errors.backups import BackupFailed, BackupRefused, HomeBusy
from paddock.errors.base import PaddockError, shown, size
from paddock.errors.builds import (
    BuildBroken,
    BuildError,
    BuildRefused,
    BuildUnavailable,
    BuildUnfit,
    BuildUnknown,
    CanaryFailed,
    InstallBusy,
    NotInstalled,
    SetupFailed,
)
from paddock.errors.downloads import DownloadsElsewhere, DownloadUnknown
from paddock.errors.jobs import ExportFileUnknown, HubTokenMissing, JobUnknown, NoTrainingStack, PushRefused, SetUnknown
from paddock.errors.keeping import DiskTooFull, HomeUnusable, StoreBusy, StoreDamaged, StoreFull, StoreUnusable
from paddock.errors.tools import (
    ApprovalUnknown,
    KnowledgeUnknown,
    ToolFileUnknown,
    ToolServerFault,
    ToolServerUnknown,
)

# What is made in the files beside this one.
__all__ = [
    "AccountUnknown",
    "ApprovalUnknown",
    "BackupFailed",
    "BackupRefused",
    "BuildBroken",
    "BuildError",
    "BuildRefused",
    "BuildUnavailable",
    "BuildUnfit",
    "BuildUnknown",
    "CanaryFailed",
    "DiskTooFull",
    "DownloadUnknown",
    "DownloadsElsewhere",
    "ExportFileUnknown",
    "HomeBusy",
    "HomeUnusable",
    "HubTokenMissing",
    "InstallBusy",
    "JobUnknown",
    "KeyRefused",
    "KeyUnknown",
    "KnowledgeUnknown",
    "LinkSpent",
    "NoTrainingStack",
    "NotInstalled",
    "NotPermitted",
    "PaddockError",
    "PageForbidden",
    "PushRefused",
    "QuotaSpent",
    "SetUnknown",
    "SetupFailed",
    "SignInRefused",
    "StoreBusy",
    "StoreDamaged",
    "StoreFull",
    "StoreUnusable",
    "TooBusy",
    "ToolFileUnknown",
    "ToolServerFault",
    "ToolServerUnknown",
    "TriesSpent",
    "shown",
    "size",
]


class BadRequest(PaddockError):
    """The request cannot be used as it is. `param` names the field, where one field is to blame."""

    def __init__(self, message: str, *, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param


class FieldInvalid(BadRequest):
    """A rule of the request's fields is broken (rules 1-18 of the wire table)."""


class ImageRefused(BadRequest):
    """The model has no eyes, or the image cannot be read."""


class FileUnreadable(BadRequest):
    """A file of chats or a document that cannot be read; the message says why, and what helps."""


class ContextOverflow(BadRequest):
    """The prompt needs more tokens than the context holds. Counts come from the engine's own tokenizer."""

    def __init__(self, *, prompt_tokens: int, context_tokens: int) -> None:
        super().__init__(
            f"The message is too long: it has {prompt_tokens} tokens and this model's context holds "
            f"{context_tokens}. Shorten the conversation, or start paddock with a larger --ctx."
        )
        self.prompt_tokens = prompt_tokens
        self.context_tokens = context_tokens


class BodyTooLarge(BadRequest):
    """The body has more bytes than paddock reads."""

    def __init__(self, *, limit_bytes: int) -> None:
        shown_most = f"{limit_bytes // 2**20} MiB" if limit_bytes >= 2**20 else f"{limit_bytes / 1024:g} KiB"
        super().__init__(
            f"The request body is larger than {limit_bytes} bytes ({shown_most}). "
            "Send less, for example smaller images."
        )
        self.limit_bytes = limit_bytes


class BodyTooSlow(BadRequest):
    """The body was begun, and its rest did not come: nothing more for `waited_s`, or not all `is_in_all` that time."""

    def __init__(self, *, received_bytes: int, waited_s: float, is_in_all: bool = False) -> None:
        rest = f"and not all of it within {waited_s:g} s" if is_in_all else f"and nothing more for {waited_s:g} s"
        super().__init__(f"Of the request's body {received_bytes} bytes came, {rest}. Send it again.")


class ResponseUnknown(PaddockError):
    """No stored response has that id: it was never stored, was deleted, or has grown too old."""

    def __init__(self, response_id: str) -> None:
        super().__init__(
            f'There is no stored response {shown(response_id)}: it was made with "store": false, was deleted, '
            "or is too old. Send the whole conversation as 'input' instead."
        )
        self.response_id = response_id


class ChatUnknown(PaddockError):
    """Nothing of the page's chats has that id. `what` is a chat, message, folder, preset or attachment."""

    def __init__(self, what: str, name: str) -> None:
        super().__init__(f"There is no {what} {shown(name)}: it was never made, or was deleted. Read the list again.")
        self.what = what


class Conflict(PaddockError):
    """The caller acts on an older or other state than what is there, which is `current`."""

    def __init__(self, message: str, *, current: Mapping[str, Any]) -> None:
        super().__init__(message)
        self.current = dict(current)


class ModelUnknown(PaddockError):
    """No model of that name. `known` are the ids that exist, for the caller to choose from."""

    def __init__(self, model: str, *, known: Sequence[str], nearest: str | None = None) -> None:
        listed = ", ".join(f"'{name}'" for name in known) or "none yet"
        hint = f" Did you mean '{nearest}'?" if nearest else ""
        super().__init__(f"There is no model {shown(model)}.{hint} Models here: {listed}.")
        self.model = model
        self.known = tuple(known)
        self.nearest = nearest


class AdapterUnknown(ModelUnknown):
    """No adapter of that name. `known` are those that fit the model."""

    def __init__(self, adapter: str, *, base: str, known: Sequence[str]) -> None:
        listed = ", ".join(f"'{name}'" for name in known) or "none yet"
        PaddockError.__init__(self, f"There is no adapter {shown(adapter)}. Adapters that fit '{base}': {listed}.")
        self.model = adapter
        self.known = tuple(known)
        self.nearest = None


class ModelUnusable(PaddockError):
    """The file is not a GGUF model that this engine can load (truncated, newer, empty, of another kind)."""


class ModelTooLarge(PaddockError):
    """The model needs more memory than engines may take, or than pinned models leave of that. Sizes are in bytes."""

    def __init__(
        self, model_id: str, *, need_bytes: int, budget_bytes: int, pinned: Sequence[str], models_most: int = 0,
        is_lent: bool = False,
    ) -> None:  # fmt: skip
        self.need_bytes = need_bytes
        self.budget_bytes = budget_bytes
        if models_most and len(pinned) >= models_most:
            super().__init__(
                f"The model '{model_id}' finds no place: models_most is {models_most}, and {', '.join(pinned)} "
                f"{'is' if len(pinned) == 1 else 'are'} pinned. Unpin a model, or raise models_most."
            )
            return
        need, budget = size(need_bytes), size(budget_bytes)
        held = f", and {', '.join(pinned)} {'is' if len(pinned) == 1 else 'are'} pinned" if pinned else ""
        advice = f"{'Unpin a model' if pinned else 'Choose a smaller model or context'}, or raise memory_budget_bytes"
        if is_lent:
            held, advice = f"{held}, until a training ends that has the rest", "Wait for that, or stop it"
        super().__init__(
            f"The model '{model_id}' needs {need} of memory; the models together may take {budget}{held}. {advice}."
        )


class HubUnavailable(PaddockError):
    """The hub cannot be reached, or does not have the repository or file."""


class RepositoryUnknown(HubUnavailable):
    """The hub has no such repository, or does not show it to this caller; the message says how to get access."""


class RepositoryClosed(HubUnavailable):
    """The repository is gated, or the account may not read it; the message says how to get access."""


class RequestUnknown(PaddockError):
    """No recorded request has that id."""

    def __init__(self, record_id: str, *, matches: int = 0, reason: str = "") -> None:
        several = f"{matches} recorded requests begin with {shown(record_id)}. Give more of the id."
        none = f"There is no recorded request {shown(record_id)}{': ' + reason if reason else ''}. "
        super().__init__(several if matches > 1 else none + "`paddock requests list` shows what there is.")
        self.record_id = record_id


class RemoteUnknown(PaddockError):
    """No remote engine has that name."""


class SettingInvalid(PaddockError):
    """A setting's value cannot be used; the message names the setting, its source and what is allowed."""


class PortBusy(PaddockError):
    """Another program listens on the address."""


class EngineError(PaddockError):
    """Something about the engine process or its answer."""


class EngineFailedToStart(EngineError):
    """The engine ended, or stayed silent, before it was ready. `kind` is the exit classifier's verdict."""

    def __init__(self, message: str, *, kind: str) -> None:
        super().__init__(message)
        self.kind = kind


class EngineUnreachable(EngineError):
    """The connection to the engine broke: it crashed, was ended, or stopped talking."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(
            message
            or "Lost connection to the model: the engine may have crashed. It is started again by the next "
            "request; if this repeats, load a smaller model or context."
        )


class EngineNotConnected(EngineUnreachable):
    """The engine does not listen: no byte of the request reached it, so it may be sent again without harm."""


class EngineUnavailable(EngineError):
    """No engine is running and loads are refused at present (paddock is stopping)."""


class ModelUnloaded(EngineUnavailable):
    """Somebody had the model unloaded while it was being loaded, and a request waited for it."""

    def __init__(self, model_id: str) -> None:
        super().__init__(f"The model '{model_id}' was unloaded before it was ready. Ask again to load it anew.")
        self.model_id = model_id


class EngineTimeout(EngineError):
    """The engine accepted the request but gave no answer within our own deadline."""

    def __init__(self, *, timeout_s: float) -> None:
        super().__init__(
            f"The model gave no answer within {timeout_s:g} s. Ask for a shorter answer, stream it, "
            "or raise answer_timeout_s."
        )
        self.timeout_s = timeout_s


class EngineRefused(EngineError):
    """The engine answered with a status other than 200. `reason` is its own words, at most 500 characters."""

    REASON_CHARACTERS = 500

    def __init__(self, *, status: int, reason: str) -> None:
        cut = reason[: self.REASON_CHARACTERS]
        super().__init__(cut or f"The engine refused the request with status {status} and no reason.")
        self.status = status
        self.reason = cut

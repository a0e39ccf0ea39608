"""Tests the one table from error class to status and shape: every class, both dialects, streamed and not (row 48)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from paddock import errors
from paddock.api import faults
from paddock.api.dialects import refuse_anthropic, refuse_ollama, refuse_openai
from paddock.errors import PaddockError
from paddock.serving.passage import Straight

Json = dict[str, Any]

SECRET = "Traceback /srv/secret.py line 7"
ADDRESS = "postgresql://me:…@db.example/name"


def tree(root: type[PaddockError]) -> list[type[PaddockError]]:
    found = {root: None}
    for child in root.__subclasses__():
        if child.__module__.startswith("paddock."):
            found.update(dict.fromkeys(tree(child)))
    return list(found)


# One error of every class.
SAMPLES: list[PaddockError] = [
    errors.BadRequest("Not JSON.", param="messages"),
    errors.FieldInvalid("messages: must hold at least one message.", param="messages"),
    errors.ImageRefused("The image cannot be read."),
    errors.ContextOverflow(prompt_tokens=10014, context_tokens=4096),
    errors.BodyTooLarge(limit_bytes=2**26),
    errors.BodyTooSlow(received_bytes=10, waited_s=60.0),
    errors.PageForbidden("Host 'x' is not a name of this server."),
    errors.FileUnreadable("It is no text."),
    errors.NotPermitted("Making a key", "`paddock keys create`"),
    errors.KeyRefused("A key is needed."),
    errors.SignInRefused(),
    errors.LinkSpent(),
    errors.QuotaSpent("This key may ask twice a minute."),
    errors.TriesSpent("Too many wrong passwords."),
    errors.AccountUnknown("anna"),
    errors.TooBusy("256 responses are waiting; ask again later."),
    errors.ResponseUnknown("resp_1"),
    errors.ChatUnknown("chat", "chat-1"),
    errors.Conflict("The chat was changed meanwhile.", current={"id": "chat-1"}),
    errors.RequestUnknown("2026"),
    errors.StoreUnusable(f"The database cannot be used: {ADDRESS}."),
    errors.StoreBusy(f"Another program holds the database: {ADDRESS}."),
    errors.StoreFull(f"The disk of the database is full: {ADDRESS}."),
    errors.StoreDamaged(f"The database is damaged: {ADDRESS}."),
    errors.KeyUnknown("No key has the id 'x'."),
    errors.RemoteUnknown("No remote has the name 'x'."),
    errors.ModelUnknown("gpt", known=["pocket-v0"], nearest="pocket-v0"),
    errors.AdapterUnknown("formal", base="pocket-v0", known=["brief"]),
    errors.ModelUnusable("'x.gguf' is not a GGUF file."),
    errors.ModelTooLarge("m", need_bytes=2**40, budget_bytes=2**34, pinned=[]),
    errors.HubUnavailable("The hub cannot be reached."),
    errors.RepositoryUnknown("There is no repository 'a/b'."),
    errors.RepositoryClosed("'a/b' is gated."),
    errors.DownloadUnknown("dl_1"),
    errors.DownloadsElsewhere(),
    errors.JobUnknown("job_1"),
    errors.SetUnknown("set_1"),
    errors.ExportFileUnknown("x.gguf", []),
    errors.ToolFileUnknown("plot.png", "no such file"),
    errors.ApprovalUnknown("apr_1"),
    errors.KnowledgeUnknown("collection", "col_1"),
    errors.ToolServerUnknown("files", ("notes",)),
    errors.ToolServerFault("files", "ended with status 3"),
    errors.HubTokenMissing("There is no token. Keep one."),
    errors.PushRefused("It is open to all. Say public."),
    errors.NoTrainingStack(),
    errors.DiskTooFull("'a/b:Q8_0' needs 3 GB more."),
    errors.SettingInvalid("--port is 70000."),
    errors.HomeUnusable("The data home /srv/secret cannot be written."),
    errors.PortBusy("Port 1 is taken."),
    *(cls("It is so. Do this.") for cls in (errors.BuildError, *errors.BuildError.__subclasses__())),
    *(cls("It is so. Do this.") for cls in (errors.SetupFailed, errors.NotInstalled)),
    *(cls("It is so. Do this.") for cls in (errors.HomeBusy, errors.BackupFailed, errors.BackupRefused)),
    errors.EngineFailedToStart("The model could not be started.", kind="killed"),
    errors.EngineUnreachable(),
    errors.EngineNotConnected(),
    errors.EngineUnavailable("paddock is stopping."),
    errors.ModelUnloaded("m"),
    errors.EngineTimeout(timeout_s=600),
    errors.EngineRefused(status=400, reason="no such slot"),
    errors.EngineError(SECRET),
    PaddockError(SECRET),
]
NAMED = [error for error in SAMPLES if faults.fault_of(error) is not faults.TABLE[PaddockError]]

# The statuses of the conventions; 0 stands for the engine's own.
STATUSES: dict[type[PaddockError], int] = {
    errors.BadRequest: 400, errors.FieldInvalid: 422, errors.ImageRefused: 400, errors.ContextOverflow: 400,
    errors.BodyTooLarge: 413, errors.BodyTooSlow: 408, errors.FileUnreadable: 400, errors.PageForbidden: 403,
    errors.ModelUnknown: 404,
    errors.AdapterUnknown: 404,
    errors.NotPermitted: 403, errors.KeyUnknown: 404,
    errors.SignInRefused: 401, errors.LinkSpent: 410, errors.QuotaSpent: 429, errors.TriesSpent: 429,
    errors.AccountUnknown: 404,
    errors.KeyRefused: 401, errors.TooBusy: 429, errors.ResponseUnknown: 404, errors.RequestUnknown: 404,
    errors.ChatUnknown: 404, errors.Conflict: 409,
    errors.StoreUnusable: 503, errors.StoreFull: 507, errors.StoreBusy: 503, errors.StoreDamaged: 503,
    errors.ModelUnusable: 400, errors.ModelTooLarge: 400, errors.HubUnavailable: 502,
    errors.RepositoryUnknown: 404, errors.RepositoryClosed: 403, errors.DownloadUnknown: 404,
    errors.ExportFileUnknown: 404, errors.JobUnknown: 404, errors.SetUnknown: 404, errors.ToolFileUnknown: 404,
    errors.ApprovalUnknown: 404,
    errors.KnowledgeUnknown: 404,
    errors.ToolServerUnknown: 404, errors.ToolServerFault: 502,
    errors.HubTokenMissing: 409, errors.PushRefused: 409,
    errors.NoTrainingStack: 409, errors.DownloadsElsewhere: 409, errors.DiskTooFull: 507,
    errors.BuildUnknown: 404, errors.BuildRefused: 400, errors.InstallBusy: 409,
    errors.EngineFailedToStart: 502, errors.EngineUnreachable: 502, errors.EngineNotConnected: 502,
    errors.EngineUnavailable: 503, errors.ModelUnloaded: 503, errors.EngineTimeout: 504, errors.EngineRefused: 0,
}  # fmt: skip
OPENAI_TYPES = {"invalid_request_error", "authentication_error", "permission_error", "rate_limit_error", "api_error"}
ANTHROPIC_TYPES = {
    "invalid_request_error", "authentication_error", "permission_error", "not_found_error", "request_too_large",
    "rate_limit_error", "api_error", "overloaded_error",
}  # fmt: skip


def of_frame(data: bytes) -> Json:
    assert data.startswith(b"data: ")
    assert data.endswith(b"\n\n")
    assert data.count(b"\n") == 2
    return json.loads(data[6:])


def name_of(error: BaseException) -> str:
    return type(error).__name__


def test_every_class_of_the_tree_has_a_sample() -> None:
    assert {type(error) for error in SAMPLES} == set(tree(PaddockError))


def test_the_table_holds_classes_of_the_tree_and_none_is_without_a_row() -> None:
    assert set(faults.TABLE) <= set(tree(PaddockError))
    # At start, or to the one who types.
    told_elsewhere = {
        errors.SettingInvalid,
        errors.HomeUnusable,
        errors.PortBusy,
        errors.RemoteUnknown,
    }
    told_elsewhere |= {errors.BuildError, *errors.BuildError.__subclasses__()}
    told_elsewhere |= {errors.SetupFailed, errors.NotInstalled}
    told_elsewhere |= {errors.HomeBusy, errors.BackupFailed, errors.BackupRefused}
    told_elsewhere -= {errors.BuildUnknown, errors.BuildRefused, errors.InstallBusy}
    rows = set(faults.TABLE) - {PaddockError}
    without = {cls for cls in tree(PaddockError) if rows.isdisjoint(cls.__mro__)}
    assert without == told_elsewhere | {errors.EngineError, PaddockError}


def test_every_row_has_a_status_and_a_type_in_each_dialect() -> None:
    for cls, fault in faults.TABLE.items():
        assert fault.status == STATUSES.get(cls, 500), cls
        assert fault.openai_type in OPENAI_TYPES, cls
        assert fault.anthropic_type in ANTHROPIC_TYPES, cls


@pytest.mark.rule("error-shapes")
@pytest.mark.parametrize("error", SAMPLES, ids=name_of)
def test_every_error_has_its_status_and_the_shape_of_its_dialect_streamed_and_not(error: PaddockError) -> None:
    status, data = refuse_openai(error)
    assert status == (STATUSES.get(type(error), 500) or getattr(error, "status", 0))
    body = json.loads(data)
    assert set(body) == {"error"}
    shown = {"current"} if isinstance(error, errors.Conflict) else set[str]()
    assert set(body["error"]) == {"message", "type", "param", "code"} | shown
    assert body["error"]["type"] in OPENAI_TYPES
    assert body["error"]["message"] == (error.told if error in NAMED else faults.INTERNAL_MESSAGE)
    assert of_frame(Straight().fail(faults.openai_error(error))) == {"error": {**body["error"], "type": "server_error"}}


@pytest.mark.parametrize("error", [one for one in SAMPLES if ADDRESS in one.message], ids=name_of)
@pytest.mark.parametrize("refuse", [refuse_openai, refuse_anthropic, refuse_ollama])
def test_no_caller_is_told_where_the_database_is(
    refuse: Callable[[BaseException], tuple[int, bytes]], error: PaddockError
) -> None:
    said = refuse(error)[1].decode()
    assert "db.example" not in said
    assert error.told in said


def test_what_the_caller_can_act_on_has_a_code_and_a_parameter() -> None:
    codes = {name_of(error): faults.openai_error(error)["code"] for error in SAMPLES}
    assert codes["ContextOverflow"] == "context_length_exceeded"
    assert codes["ModelUnknown"] == "model_not_found"
    assert (codes["EngineUnreachable"], codes["EngineNotConnected"]) == ("engine_unreachable", "engine_unreachable")
    assert (codes["EngineUnavailable"], codes["EngineTimeout"]) == ("engine_unavailable", "engine_timeout")
    params = {name_of(error): faults.openai_error(error)["param"] for error in SAMPLES}
    assert {name: param for name, param in params.items() if param} == {
        "BadRequest": "messages", "FieldInvalid": "messages", "ModelUnknown": "model", "AdapterUnknown": "model",
    }  # fmt: skip


FOREIGN: list[BaseException] = [
    ValueError(SECRET),
    KeyError(SECRET),
    OSError(5, SECRET, "/srv/secret"),
    RuntimeError(SECRET),
    UnicodeDecodeError("utf-8", b"\xff", 0, 1, SECRET),
    ExceptionGroup(SECRET, [ValueError(SECRET)]),
    PaddockError(SECRET),
    errors.EngineError(SECRET),
    errors.HomeUnusable(SECRET),
]


@pytest.mark.parametrize("error", FOREIGN, ids=name_of)
def test_an_error_that_nobody_foresaw_tells_nothing_of_the_inside(error: BaseException) -> None:
    status, data = refuse_openai(error)
    assert status == 500
    for text in (data.decode(), Straight().fail(faults.openai_error(error)).decode()):
        assert "secret" not in text
        assert "Traceback" not in text
        assert faults.INTERNAL_MESSAGE in text
    assert json.loads(data)["error"]["type"] == "api_error"
    assert json.loads(data)["error"]["code"] == "internal"


def test_row_48_a_lost_connection_reads_the_same_everywhere_and_the_rest_tells_nothing() -> None:
    lost: list[BaseException] = [
        errors.EngineUnreachable(),
        errors.EngineNotConnected(),
        ConnectionResetError(104, SECRET),
        TimeoutError(SECRET),
    ]
    messages = {faults.openai_error(error)["message"] for error in lost}
    messages |= {of_frame(Straight().fail(faults.openai_error(error)))["error"]["message"] for error in lost}
    assert messages == {errors.EngineUnreachable().message}
    assert {faults.status_of(error) for error in lost} == {502}
    for error in FOREIGN:
        assert faults.openai_error(error)["message"] == faults.INTERNAL_MESSAGE


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (404, "invalid_request_error"),
        (413, "invalid_request_error"),
        (429, "rate_limit_error"),
        (500, "api_error"),
        (503, "api_error"),
    ],
)
def test_the_engines_own_status_is_kept(status: int, kind: str) -> None:
    error = errors.EngineRefused(status=status, reason="no such slot")
    assert faults.status_of(error) == status
    told = faults.openai_error(error)
    assert (told["type"], told["message"], told["code"]) == (kind, "no such slot", "engine_refused")
    assert of_frame(Straight().fail(faults.openai_error(error)))["error"]["type"] == "server_error"


def test_the_engines_reason_is_cut_to_500_characters_and_never_empty() -> None:
    for length in (1, 499, 500, 501, 100_000):
        assert len(errors.EngineRefused(status=500, reason="x" * length).message) == min(length, 500)
    assert "503" in errors.EngineRefused(status=503, reason="").message


def test_an_overflow_tells_exact_numbers_and_an_unknown_model_tells_what_exists() -> None:
    assert "10014 tokens" in errors.ContextOverflow(prompt_tokens=10014, context_tokens=4096).message
    unknown = errors.ModelUnknown("gpt", known=["a", "b"], nearest="a").message
    assert "'gpt'" in unknown
    assert "Did you mean 'a'?" in unknown
    assert "'a', 'b'" in unknown
    assert "none yet" in errors.ModelUnknown("gpt", known=[]).message


@pytest.mark.parametrize(
    "words", ["\ud800", "ü \U0001f999", 'quotes " and \\ and\nlines\r\n\r\n', "\x00\x1f", "\u2028"]
)
def test_the_callers_own_words_never_break_an_answer_or_a_frame(words: str) -> None:
    error = errors.BadRequest(f"There is no '{words}'.", param=words)
    _, data = refuse_openai(error)
    assert json.loads(data)["error"]["message"].startswith("There is no '")
    assert of_frame(Straight().fail(faults.openai_error(error)))["error"]["type"] == "server_error"
    if "\ud800" not in words:
        assert json.loads(data)["error"]["param"] == words

"""What the log keeps in memory, whatever is printed; and that nobody forges a line of it."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import re
from collections.abc import Generator

import anyio
import anyio.to_thread
import pytest

from paddock.log import ACCESS, Json, Ring, Text, about, fields, kept

_log = logging.getLogger("paddock.tests.log")


def test_older_lines_leave_and_numbers_go_on() -> None:
    with kept(Ring(clean=str.upper, most=3)) as ring:
        for number in range(5):
            _log.info("line %d", number)
        assert [(line.number, line.message) for line in ring.lines()] == [(3, "LINE 2"), (4, "LINE 3"), (5, "LINE 4")]
        assert ring.last == 5
        assert ring.lines(most=0) == []
    _log.warning("after it was closed")
    assert ring.last == 5


def test_paddocks_info_is_kept_and_that_of_others_is_not() -> None:
    with kept(Ring(clean=str)) as ring:
        logging.getLogger("elsewhere.tests").info("chatter")
        logging.getLogger("elsewhere.tests").error("trouble")
        _log.debug("detail")
        _log.info("news")
    assert [(line.level, line.message) for line in ring.lines()] == [("error", "trouble"), ("info", "news")]
    assert [line.message for line in ring.lines(level="warning")] == ["trouble"]


def test_the_level_of_paddocks_loggers_is_as_it_was_afterwards() -> None:
    before = logging.getLogger("paddock").level
    with kept(Ring(clean=str)):
        assert logging.getLogger("paddock").isEnabledFor(logging.INFO)
    assert logging.getLogger("paddock").level == before


# What ends a line, steers a terminal, turns the writing round, or is invisible.
UNSAFE = "\n\r\x00\x1b[2J\x7f\x85\u2028\u2029\u202e\u200b\ufeff"
FORGED = "2026-01-01 00:00:00,000 ERROR paddock.access: all is lost"


@contextlib.contextmanager
def printed(formatter: logging.Formatter) -> Generator[io.StringIO]:
    """What paddock's loggers print in that form."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    with kept(Ring(clean=str)):
        logging.getLogger().addHandler(handler)
        try:
            yield stream
        finally:
            logging.getLogger().removeHandler(handler)


def fail(message: str) -> None:
    try:
        raise ValueError(message)
    except ValueError:
        _log.exception("it failed: %s", message)


@pytest.mark.attack("log injection")
@pytest.mark.parametrize("separator", [*UNSAFE, "\r\n", UNSAFE], ids=ascii)
def test_no_message_can_forge_a_line_of_text(separator: str) -> None:
    said = f"x{separator}{FORGED}"
    with printed(Text()) as stream, about("0123456789abcdef"):
        _log.info("model %s", said)
        fail(said)
    text = stream.getvalue()
    first, second, *below = text.split("\n")[:-1]
    assert re.fullmatch(r"[\d-]+ [\d:,]+ INFO paddock\.tests\.log \[0123456789abcdef\]: model x.+", first)
    assert re.fullmatch(r"[\d-]+ [\d:,]+ ERROR paddock\.tests\.log \[0123456789abcdef\]: it failed: x.+", second)
    assert below[0] == "    Traceback (most recent call last):"
    assert all(line.startswith("    ") for line in below)
    assert text.replace("\n", "").isprintable()


@pytest.mark.attack("log injection")
@pytest.mark.parametrize("separator", [*UNSAFE, "\r\n", UNSAFE], ids=ascii)
def test_no_message_can_forge_a_line_of_json(separator: str) -> None:
    said = f'x{separator}"}}{separator}{{"level": "error", "message": "{FORGED}"}}'
    with printed(Json()) as stream, about("0123456789abcdef", "f" * 32):
        _log.info("model %s", said, extra=fields(path=said, status=200))
        fail(said)
    lines = stream.getvalue().splitlines()
    assert len(lines) == 2
    told, failed = map(json.loads, lines)
    assert {name: told[name] for name in ("level", "logger", "request_id", "trace_id", "path", "status")} == {
        "level": "info", "logger": "paddock.tests.log", "request_id": "0123456789abcdef", "trace_id": "f" * 32,
        "path": said, "status": 200,
    }  # fmt: skip
    assert told["message"].startswith("model x")
    assert told["message"].isprintable()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", told["time"])
    assert failed["level"] == "error"
    assert "Traceback" in failed["exception"]


@pytest.mark.attack("log injection")
def test_half_a_character_is_written_as_what_it_is() -> None:
    # Formatted here: whoever gathers what tests log could not write it down.
    record = logging.LogRecord("paddock", logging.INFO, __file__, 1, "model %s", ("x\ud800y",), None)
    assert Text().format(record).isprintable()
    assert json.loads(Json().format(record))["message"].isprintable()
    assert Json().format(record).isascii()


def test_what_is_about_no_request_says_so_and_json_leaves_it_out() -> None:
    with printed(Json()) as stream:
        _log.warning("news")
    assert sorted(json.loads(stream.getvalue())) == ["level", "logger", "message", "time"]


def test_secrets_are_printed_in_neither_form() -> None:
    for form in (Text, Json):
        with printed(form(lambda text: text.replace("hunter2", "[removed]"))) as stream:
            _log.info("password %s", "hunter2", extra=fields(path="/hunter2"))
            fail("hunter2")
        assert "hunter2" not in stream.getvalue()
        assert stream.getvalue().count("[removed]") >= 3


def test_a_thread_and_a_task_that_a_request_begins_are_about_it() -> None:
    async def work() -> None:
        with about("0123456789abcdef"):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(anyio.to_thread.run_sync, _log.info, "in a thread of a task")
        _log.info("afterwards")

    with kept(Ring(clean=str)) as ring:
        anyio.run(work)
        assert [(line.message, line.request_id) for line in ring.lines()] == [
            ("in a thread of a task", "0123456789abcdef"), ("afterwards", ""),
        ]  # fmt: skip
        assert [line.message for line in ring.lines(contains="789AB")] == ["in a thread of a task"]


def test_answered_requests_push_nothing_else_out() -> None:
    with kept(Ring(clean=str, most=3)) as ring:
        _log.error("trouble")
        for number in range(5):
            logging.getLogger(ACCESS).info("GET /%d", number)
        _log.info("news")
        assert [line.message for line in ring.lines()] == ["trouble", "GET /2", "GET /3", "GET /4", "news"]

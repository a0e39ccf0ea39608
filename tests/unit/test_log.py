"""What the log keeps in memory: the newest lines, whatever is printed."""

from __future__ import annotations

import logging

from paddock.log import Ring, kept

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

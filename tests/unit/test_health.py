"""Tests when a remote engine is left alone, and what is told of its state."""

from __future__ import annotations

from paddock.engine.health import Health


def test_two_failures_in_a_row_stop_nobody() -> None:
    health = Health()
    for _ in range(2):
        health.failed("gone", now_s=100.0, at_s=5.0)
    assert not health.is_resting(100.0)
    assert (health.state, health.reason, health.failures) == ("unreachable", "gone", 2)


def test_from_the_third_failure_on_the_rest_doubles_up_to_thirty_seconds() -> None:
    health = Health()
    rests: list[float] = []
    for _ in range(60):
        health.failed("gone", now_s=100.0, at_s=5.0)
        rests.append(max(0.0, health.retry_s - 100.0))
    assert rests[:9] == [0, 0, 1, 2, 4, 8, 16, 30, 30]
    assert max(rests) == 30
    assert health.is_resting(129.9)
    assert not health.is_resting(130.0)


def test_an_answer_of_any_status_ends_the_rest() -> None:
    health = Health()
    for _ in range(5):
        health.failed("gone", now_s=100.0, at_s=5.0)
    health.answered(500, at_s=6.0)
    assert (health.state, health.failures, health.is_resting(100.0)) == ("ok", 0, False)


def test_a_refused_key_is_a_state_of_its_own() -> None:
    for status in (401, 403):
        health = Health()
        health.answered(status, at_s=1.0)
        assert (health.state, health.reason) == ("key refused", f"it answered {status}")


def test_since_stays_while_the_state_does_and_the_last_check_moves() -> None:
    health = Health()
    health.failed("gone", now_s=1.0, at_s=10.0)
    health.failed("still gone", now_s=2.0, at_s=20.0)
    assert (health.since_at_s, health.checked_at_s, health.reason) == (10.0, 20.0, "still gone")
    health.answered(200, at_s=30.0)
    assert (health.since_at_s, health.checked_at_s, health.reason) == (30.0, 30.0, "")

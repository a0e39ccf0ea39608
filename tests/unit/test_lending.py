"""Tests which models have to go where memory is lent to somebody else; pure."""

from __future__ import annotations

import pytest

from paddock.engine.policy import Held, superfluous


def held(name: str, size_bytes: int, **more: bool | int | float | str) -> Held:
    return Held(**{"model_id": name, "memory_bytes": size_bytes, "slots": 1, "state": "ready", **more})  # pyright: ignore[reportArgumentType]


OLD, NEW = held("old", 4, last_used_s=1), held("new", 4, last_used_s=2)
BUSY, PINNED = held("busy", 4, leases=1), held("pinned", 4, is_pinned=True)
LEAVING, STOPPING = held("leaving", 4, is_leaving=True), held("stopping", 4, state="stopping")


@pytest.mark.parametrize(
    ("models", "size_bytes", "going"),
    [
        ([OLD, NEW], 8, []),
        ([NEW, OLD], 7, ["old"]),
        ([NEW, OLD], 3, ["old", "new"]),
        ([BUSY, NEW, OLD], 8, ["old"]),
        ([BUSY, NEW, OLD], 0, ["old", "new", "busy"]),
        ([PINNED, OLD], 0, ["old"]),
        ([LEAVING, STOPPING, OLD], 4, []),
        ([LEAVING, STOPPING, OLD], 3, ["old"]),
    ],
)
def test_what_nobody_uses_goes_first_and_what_is_pinned_stays(
    models: list[Held], size_bytes: int, going: list[str]
) -> None:
    assert superfluous(models, size_bytes) == going

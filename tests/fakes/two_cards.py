"""Starts a training's worker as on a machine with two cards: `PYTHON THIS-FILE MODULE FOLDER [more]`.

torch counts two cards, and the library that divides a model between processes takes each for one with a card. What is
computed is computed on the processor, by the same code that divides and gathers weights between cards.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from typing import Any

WORKER = Path(__file__).resolve().parents[2] / "src" / "paddock" / "jobs" / "worker.py"


def count_two_cards() -> None:
    cuda: Any = importlib.import_module("torch.cuda")
    cuda.device_count = lambda: 2


def take_processes_for_cards() -> None:
    state: Any = importlib.import_module("accelerate.state")
    begin = state.PartialState.__init__

    def begin_with_cards(self: Any, *words: Any, **more: Any) -> None:
        begin(self, *words, **more)
        shared = self._shared_state
        if shared["distributed_type"] == state.DistributedType.MULTI_CPU:
            shared["distributed_type"] = state.DistributedType.MULTI_GPU

    state.PartialState.__init__ = begin_with_cards


def main(words: list[str]) -> int:
    count_two_cards()
    take_processes_for_cards()
    spec = importlib.util.spec_from_file_location("paddock_worker", WORKER)
    assert spec
    assert spec.loader
    worker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(worker)
    return int((worker.main if len(words) == 2 else worker.beside)(*words))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Owns which trackers a training's figures can go to, where each may send them, and whether its library is here.

A tracker's library is no part of the training stack: each lies in a folder of its own, which the process of that
tracker alone looks into, so that none changes what trains. Refuses to import any of them (that process does).
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from paddock.errors import FieldInvalid, shown
from paddock.training.libraries import has_module

ONLINE = "online"


@dataclass(frozen=True, kw_only=True)
class Tracker:
    """A tracker: what is imported, what is installed, and where it can send figures.

    `address` is the name in paddock's own environment that says where, "" for one that cannot; `known` is where if that
    is not set. No training says where: it would have paddock connect to whatever address somebody names.
    """

    module: str
    requirement: str
    address: str = ""
    known: str = ""


TRACKERS: Mapping[str, Tracker] = {
    "tensorboard": Tracker(module="tensorboard", requirement="tensorboard==2.20.0"),
    "wandb": Tracker(
        module="wandb", requirement="wandb==0.31.0", address="WANDB_BASE_URL", known="https://api.wandb.ai"
    ),
    "mlflow": Tracker(module="mlflow", requirement="mlflow-skinny==3.17.2", address="MLFLOW_TRACKING_URI"),
    "trackio": Tracker(module="trackio", requirement="trackio==0.43.0"),
}


def trackers_of(text: str) -> dict[str, bool]:
    """The trackers that `trackers` names, and whether each sends its figures away. Raises FieldInvalid."""
    found: dict[str, bool] = {}
    for part in filter(None, (one.strip() for one in text.split(","))):
        name, _, place = (word.strip() for word in part.partition("="))
        if name not in TRACKERS:
            raise FieldInvalid(f"trackers has {shown(name)}; there are {', '.join(TRACKERS)}.", param="trackers")
        if name in found:
            raise FieldInvalid(f"trackers has {name} twice. Name it once.", param="trackers")
        sends = ", ".join(f"{one}={ONLINE}" for one, tracker in TRACKERS.items() if tracker.address)
        if place and (place != ONLINE or not TRACKERS[name].address):
            raise FieldInvalid(
                f"trackers has {shown(part)}. {name} alone keeps figures here; what can send them is {sends}.",
                param="trackers",
            )
        found[name] = bool(place)
    return found


def address_of(name: str) -> str:
    """Where a tracker sends figures, by the environment of this process; "" where that says nothing."""
    return os.environ.get(TRACKERS[name].address, "") or TRACKERS[name].known


def refuse_missing(text: str, folder: Path, python: str) -> None:
    """Raises FieldInvalid where a tracker's library is not here, with the command that installs it. Blocking.

    So it does where it is not known where figures should be sent.

    Args:
        text: the option.
        folder: where the libraries of trackers lie.
        python: that of the training stack.
    """
    for name, sends in trackers_of(text).items():
        tracker, library = TRACKERS[name], folder / name
        if sends and not address_of(name):
            raise FieldInvalid(
                f"trackers sends {name} away, and {tracker.address} is not set where paddock was started. Set it there "
                f"to the server's address, or say {name} alone.",
                param="trackers",
            )
        if not has_module(python, tracker.module, library):
            words = [python, "-m", "pip", "install", "--target", str(library), tracker.requirement]
            raise FieldInvalid(
                f"trackers has {name}, and its library is not here. Install it in a folder of its own: {_typed(words)}",
                param="trackers",
            )


def _typed(words: Sequence[str]) -> str:
    return subprocess.list2cmdline(words) if sys.platform == "win32" else shlex.join(words)

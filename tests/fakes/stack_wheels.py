"""Wheels that stand for the training stack: a torch that takes one step, and its neighbours."""

from __future__ import annotations

from pathlib import Path

from tests.fakes.paddock_wheels import requirement, write_wheel

_NEIGHBOURS = ("transformers", "trl", "peft", "datasets", "accelerate", "sentence_transformers")
_TORCH = """
import math, types

__version__ = "2.13.0+cpu"
version = types.SimpleNamespace(hip=None)
cuda = types.SimpleNamespace(is_available=lambda: False)
backends = types.SimpleNamespace(mps=cuda)


class Tensor:
    def __init__(self, value):
        self.value = value

    def detach(self):
        return self

    def clone(self):
        return Tensor(self.value)

    def square(self):
        return self

    mean = backward = square


class Linear:
    def __init__(self, *sizes):
        self.weight = Tensor(1.0)

    def to(self, kind):
        return self

    def parameters(self):
        return [self.weight]

    def __call__(self, given):
        return self.weight


class SGD:
    def __init__(self, parameters, lr):
        self.parameters = parameters

    def step(self):
        for one in self.parameters:
            one.value -= STEP


STEP = 0.5
nn = types.SimpleNamespace(Linear=Linear)
optim = types.SimpleNamespace(SGD=SGD)


def ones(*sizes, device):
    return Tensor(1.0)


def isfinite(one):
    return math.isfinite(one.value)


def equal(one, other):
    return one.value == other.value
"""


def write_stack(folder: Path, *, does_learn: bool = True) -> Path:
    """The wheels in a folder, and their lock, which is returned. One that does not learn fails its proof."""
    text = _TORCH if does_learn else _TORCH.replace("STEP = 0.5", "STEP = 0.0")
    write_wheel(folder, "torch", "2.13.0+cpu", {"torch.py": text})
    lock = folder / "training.txt"
    wheels = [write_wheel(folder, name, "1.0", {f"{name}.py": ""}) for name in _NEIGHBOURS]
    lock.write_text("".join(map(requirement, wheels)), "utf-8")
    return lock

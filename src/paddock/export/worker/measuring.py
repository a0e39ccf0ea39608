"""Owns the figures of a certificate: how far apart texts, tokens, weights and distributions are; judges none of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from safetensors import safe_open

from paddock.export.worker.joining import Joints, are_same, places
from paddock.export.worker.pieces import Opened
from paddock.models.weights import packed_in, told_in

_OWN_OF_TYPE = ("general.file_type", "general.quantization_version", "quantize.imatrix.")
_BLOCK = 256
_NAMED = 5


def apart(source: Any, other: Any) -> dict[str, float | int]:
    """How far distributions are apart, position by position: arrays of (positions, vocabulary) of logarithms.

    `kl` is the Kullback-Leibler divergence of the other from the source in nats. `scores` is the distance of the
    scores from one another by their own size, each without its mean, which is all that probabilities leave of them: it
    also tells of models whose probabilities are nearly even.
    """
    kls: list[float] = []
    distances: list[float] = []
    same = 0
    for one, two in zip(source, other, strict=True):
        first, second = one.astype(np.float64), two.astype(np.float64)
        kls.append(max(0.0, float(np.sum(np.exp(first) * (first - second)))))
        own, theirs = first - first.mean(), second - second.mean()
        distances.append(float(np.linalg.norm(own - theirs) / max(1e-12, float(np.linalg.norm(own)))))
        same += int(one.argmax() == two.argmax())
    return {
        "positions": len(kls),
        "kl_mean": float(np.mean(kls)),
        "kl_most": float(np.max(kls)),
        "scores_mean": float(np.mean(distances)),
        "scores_most": float(np.max(distances)),
        "same_first": same,
    }


def merged_weights(expected: Any, base: Any, folder: Path) -> dict[str, Any]:
    """The weights in a folder beside those expected, and beside those without what was trained.

    Args:
        expected: names to tensors in 32 bits, as the source makes them.
        base: the same of the base.
        folder: where the merged model lies.

    `share` is how much of what was trained is found in the file: 1 is right, 0 is none of it, 2 is twice.
    """
    tally = _Tally()
    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(file, "pt") as tensors:
            for name in tensors.keys():  # noqa: SIM118 - it is no table
                tally.add(name, tensors.get_tensor(name), expected.get(name), base.get(name))
    found = tally.found
    return tally.told(name for name in expected if name not in found and not _is_tied(name, expected, found))


def joined_weights(base: Path, joints: Joints, folder: Path) -> dict[str, Any]:
    """The same of an adapter that is merged matrix by matrix, of which one is held at a time."""
    tally = _Tally()
    theirs = {place.name: (file, place) for file in sorted(folder.glob("*.safetensors")) for place in places(file)}
    lacking: list[str] = []
    for file in sorted(base.glob("*.safetensors")):
        with file.open("rb") as opened:
            for place in places(file):
                if place.name not in theirs:
                    lacking.append(place.name)
                    continue
                made, other = theirs.pop(place.name)
                with made.open("rb") as beside:
                    if place.name not in joints.names:
                        tally.note(place.name, is_right=are_same(place, opened, other, beside))
                        continue
                    before = place.read(opened).float()
                    tally.add(place.name, other.read(beside), joints.joined(place.name, before), before)
    for name in theirs:
        tally.note(name, is_right=False)
    return tally.told(lacking)


def unpacked_weights(base: Path, folder: Path) -> dict[str, Any]:
    """The weights in a folder beside a base that bitsandbytes keeps in 4 bits, by its own reading of them."""
    # Slow to import, and only there for such a base.
    from bitsandbytes import functional

    tally = _Tally()
    lacking: list[str] = []
    theirs = {place.name: (file, place) for file in sorted(folder.glob("*.safetensors")) for place in places(file)}
    for file in sorted(base.glob("*.safetensors")):
        packed = packed_in(file)
        with safe_open(file, "pt") as kept, file.open("rb") as opened:
            own = {place.name: place for place in places(file)}
            for name in told_in(file):
                if name not in theirs:
                    lacking.append(name)
                    continue
                made, place = theirs.pop(name)
                with made.open("rb") as beside:
                    if name not in packed:
                        tally.note(name, is_right=are_same(own[name], opened, place, beside))
                        continue
                    before = f"{name}."
                    parts = {one.removeprefix(before): kept.get_tensor(one) for one in own if one.startswith(before)}
                    state = functional.QuantState.from_dict(parts, torch.device("cpu"))
                    bits = kept.get_tensor(name).view(torch.uint8).reshape(-1, 1)
                    meant: Any = functional.dequantize_4bit(bits, state)
                    found = place.read(beside)
                    tally.note(name, is_right=found.dtype == meant.dtype and torch.equal(found, meant))
    for name in theirs:
        tally.note(name, is_right=False)
    return tally.told(lacking)


class _Tally:
    """What is found of merged weights, one tensor after another."""

    def __init__(self) -> None:
        self.found: set[str] = set()
        self._wrong: list[str] = []
        self._along, self._length = 0.0, 0.0

    def note(self, name: str, *, is_right: bool) -> None:
        """A tensor that nothing was trained of."""
        self.found.add(name)
        if not is_right:
            self._wrong.append(name)

    def add(self, name: str, kept: Any, meant: Any, before: Any) -> None:
        """A tensor as it stands in the file, as it is meant to be, and as it was before; None where it is unknown."""
        if meant is None or meant.shape != kept.shape:
            self.note(name, is_right=False)
            return
        allowed = max(float(torch.finfo(kept.dtype).eps), 1e-5) * meant.abs() + 1e-7
        self.note(name, is_right=bool(((kept.float() - meant).abs() <= allowed).all()))
        change = (meant - before).double()
        self._along += float(((kept.float() - before).double() * change).sum())
        self._length += float((change * change).sum())

    def told(self, lacking: Iterable[str]) -> dict[str, Any]:
        """As a certificate tells it."""
        return {
            "tensors": len(self.found),
            "wrong": len(self._wrong),
            "named": sorted(self._wrong)[:_NAMED],
            "lacking": sorted(lacking)[:_NAMED],
            "share": self._along / self._length if self._length else None,
        }


def quantised_weights(plain: Path, file: Path, importance: Path | None = None) -> dict[str, Any]:
    """The weights of a file beside those that it was made of, and the metadata in which they differ.

    Where it was measured what is important, each column counts by that: the others may well become something else.
    """
    one, two = Opened(plain), Opened(file)
    important = {tensor.name: tensor.data for tensor in Opened(importance).tensors} if importance else {}
    theirs = {tensor.name: tensor for tensor in two.tensors}
    errors: dict[str, float] = {}
    wrong = [tensor.name for tensor in two.tensors if tensor.name not in {mine.name for mine in one.tensors}]
    for tensor in one.tensors:
        other = theirs.get(tensor.name)
        if other is None or list(other.shape) != list(tensor.shape):
            wrong.append(tensor.name)
            continue
        errors[tensor.name] = _error(tensor, other, important.get(f"{tensor.name}.in_sum2"))
    keys = {key for key in {*one.fields, *two.fields} if not key.startswith(_OWN_OF_TYPE)}
    differing = [key for key in sorted(keys) if one.value(key) != two.value(key)]
    narrow = [tensor for tensor in two.tensors if _is_too_narrow(tensor)]
    worst = max(errors, key=lambda name: errors[name], default="")
    return {
        "tensors": len(errors),
        "wrong": wrong[:_NAMED],
        "error_most": errors.get(worst, 0.0),
        "worst": worst,
        "metadata": differing[:_NAMED],
        "kinds": dict(Counter(gguf.GGMLQuantizationType(tensor.tensor_type).name for tensor in two.tensors)),
        "narrow": len(narrow),
        "is_weighed": bool(important),
    }


def _error(tensor: Any, other: Any, important: Any) -> float:
    """The distance of two tensors by the size of the first; `important` weighs their columns, of each expert apart."""
    mine = gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
    made = gguf.quants.dequantize(other.data, other.tensor_type).astype(np.float32)
    if important is not None:
        columns = mine.shape[-1]
        weights = np.sqrt(np.asarray(important, np.float64)).reshape(-1, 1, columns)
        mine, made = (one.reshape(len(weights), -1, columns) * weights for one in (mine, made))
    size, distance = float(np.linalg.norm(mine)), float(np.linalg.norm(mine - made))
    return distance / size if size else (0.0 if distance == 0 else float("inf"))


def metadata(file: Path, *keys: str) -> dict[str, Any]:
    """What a file says of itself under these keys; None where it says nothing."""
    opened = Opened(file)
    return {key: opened.value(key) for key in keys}


def _is_too_narrow(tensor: Any) -> bool:
    """Whether it is a matrix whose rows do not come in blocks of 256 numbers, as most types of few bits need."""
    return len(tensor.shape) > 1 and tensor.name.endswith(".weight") and int(tensor.shape[0]) % _BLOCK != 0


def _is_tied(name: str, expected: Any, found: set[str]) -> bool:
    """Whether the same numbers stand in the file under another name."""
    return any(expected[name].data_ptr() == expected[other].data_ptr() for other in found if other in expected)

"""Owns the heads of pocket's hand-set circuit: what each compares, gates and writes; knows nothing of vocabularies.

The slots are explained in `model.py`. All heads are set in place, in the weights of a Qwen2 attention layer.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor

HEAD = 64
CODE = 46
BACK = 40
MATCHED = 38
"""Signs of a code that a match compares: the slow rotary dimensions, less two for gates."""
SAID = 48
"""Dimensions of a head that carry a code; those after it are left to training."""


NEARNESS = ((4, 10.0, 0.5), (5, 13.0, 0.9), (6, 16.0, 1.1), (7, 16.0, 1.2), (8, 16.0, 1.3))
"""Rotary pairs from fast to slow, with weights and phases such that a score falls by three to four with every token."""
LOOKED = 0.9
"""How much of what it sees a look back writes."""
MARK = 4.0
"""What a mark of layer 0 is after the norm; by embeddings of other lengths it would be more or less."""


def _lean(attention: Any, start: int) -> None:
    """Let a head prefer what is near, evenly from the first token on."""
    for pair, weight, phase in NEARNESS:
        attention.q_proj.bias[start + pair] = weight * math.cos(phase)
        attention.q_proj.bias[start + pair + HEAD // 2] = weight * math.sin(phase)
        attention.k_proj.bias[start + pair] = weight


class Slots(NamedTuple):
    """Where the parts of the stream lie."""

    here: slice = slice(0, 48)
    before: slice = slice(48, 88)
    twice: slice = slice(88, 128)
    thrice: slice = slice(128, 152)
    out: slice = slice(152, 200)
    tool: slice = slice(201, 241)
    start: slice = slice(241, 282)
    """The first signs of the code of the piece that the word or value around a token begins with, and its capital."""
    mode: int = 282
    """Positive in what is said and in values, negative where names of tools and parameters are written."""
    after: int = 283
    """Positive after the list of tools."""
    turns: int = 284
    """A mark of pieces that change the mode, to what `side` says."""
    side: int = 285
    ends: int = 286
    """A mark of the list's end."""
    breaks: int = 287
    """A mark of pieces after which a word begins."""
    broken: int = 288
    """Positive for what begins a word."""
    free: slice = slice(289, None)
    gate: int = 200
    """1 for most tokens, 0 where a value opens."""
    opens: int = 290
    """The second of the free ones begins as a mark of where a value opens."""
    plain: int = 289
    """The first begins as a mark of signs, letters and joints, which say nothing about a tool."""


SLOTS = Slots()


def look_back(attention: Any, head: int, back: int, slot: slice, inverse: Tensor, sharpness: float = 11.0) -> None:
    """A head of layer 0 that attends `back` places back, by biases alone, and writes that token's code to `slot`."""
    rows = slice(head * HEAD, (head + 1) * HEAD)
    attention.q_proj.weight[rows] = 0
    attention.k_proj.weight[rows] = 0
    attention.k_proj.bias[rows] = torch.cat([torch.full((HEAD // 2,), sharpness), torch.zeros(HEAD // 2)])
    attention.q_proj.bias[rows] = sharpness * torch.cat([torch.cos(inverse * back), -torch.sin(inverse * back)])
    attention.v_proj.weight[rows] = 0
    attention.v_proj.bias[rows] = 0
    attention.o_proj.weight[:, rows] = 0
    for n in range(slot.stop - slot.start):
        attention.v_proj.weight[head * HEAD + n, n] = 1
        attention.o_proj.weight[slot.start + n, head * HEAD + n] = LOOKED
    if back == 1:
        attention.v_proj.weight[head * HEAD + HEAD - 1, SLOTS.breaks] = 1
        attention.o_proj.weight[SLOTS.broken, head * HEAD + HEAD - 1] = LOOKED


def look_for(attention: Any, head: int, mark: int, taken: int, target: int, *, near: bool) -> None:
    """A head of layer 0 that attends what has a mark, the nearest if `near`, and writes one dimension of it."""
    start = head * HEAD
    for part in (attention.q_proj, attention.k_proj, attention.v_proj):
        part.weight[start : start + HEAD] = 0
        part.bias[start : start + HEAD] = 0
    row = start + HEAD // 2 - 1
    attention.q_proj.bias[row] = 32.0
    attention.k_proj.weight[row, mark] = 8.0 if near else 4.0
    if near:
        _lean(attention, start)
    attention.o_proj.weight[:, start : start + HEAD] = 0
    attention.v_proj.weight[start, taken] = 1
    attention.o_proj.weight[target, start] = 0.3


class Match(NamedTuple):
    """Sets heads that compare codes in the rotary dimensions `dims`."""

    dims: Tensor
    turns: tuple[Tensor, ...]
    """How the signs of the second and the third pair of a match are turned, so that they add to the first."""
    anchor: Tensor
    """What the first token of a row has in `here` and `before`, and no other has in both."""
    ended: Tensor
    """The code of the list's end, `[48]`: what a token after it has in `tool`, as far as that holds it."""

    def _clear(self, attention: Any, head: int, out: float) -> int:
        """Empty a head and let it write the code of what it looks at to `out`; gives its first row."""
        start = head * HEAD
        for part in (attention.q_proj, attention.k_proj):
            part.weight[start : start + HEAD] = 0
            part.bias[start : start + HEAD] = 0
        self._carry(attention, start, out)
        return start

    def _carry(self, attention: Any, start: int, out: float) -> None:
        """What a head takes along: the code, to `out`, and what training makes of the rest, to `free`."""
        attention.v_proj.weight[start : start + SAID] = 0
        attention.v_proj.bias[start : start + HEAD] = 0
        attention.o_proj.weight[:, start : start + SAID] = 0
        attention.o_proj.weight[: SLOTS.free.start, start + SAID : start + HEAD] = 0
        for n in range(SAID):
            attention.v_proj.weight[start + n, SLOTS.here.start + n] = 1
            attention.o_proj.weight[SLOTS.out.start + n, start + n] = out

    def set(
        self,
        attention: Any,
        head: int,
        pairs: list[tuple[slice, slice, float]],
        *,
        out: float,
        gated: bool = False,
    ) -> None:
        """A head that compares its query slot with its key slot, for each pair; a match of the pair scores its gain."""
        start = self._clear(attention, head, out)
        rows = (start + self.dims[:MATCHED])[:, None]
        for number, (asked, found, gain) in enumerate(pairs):
            signs = min(MATCHED, found.stop - found.start)
            each = math.sqrt(gain * math.sqrt(HEAD) / signs)
            basis = (torch.eye(MATCHED) if number == 0 else self.turns[number - 1])[:, :signs] * each
            attention.q_proj.weight[rows, torch.arange(asked.start, asked.start + signs)] += basis
            attention.k_proj.weight[rows, torch.arange(found.start, found.start + signs)] += basis
        if gated:
            self._gate(attention, start, 18.0)
        elif out:
            self._side(attention, start, 12.0)

    def _side(self, attention: Any, start: int, gain: float) -> None:
        """Prefer what follows the list for what is said and for values, and the list itself for names."""
        row = int(start + self.dims[MATCHED])
        each = math.sqrt(gain * math.sqrt(HEAD))
        attention.q_proj.weight[row, SLOTS.mode] = each
        attention.k_proj.weight[row, SLOTS.after] = each

    def begin(self, attention: Any, head: int) -> None:
        """A head by which a token learns the first piece of the word or value that it stands in."""
        start = self._clear(attention, head, 0.0)
        row = int(start + self.dims[0])
        attention.q_proj.bias[row] = 32.0
        attention.k_proj.weight[row, SLOTS.broken] = 5.2
        _lean(attention, start)
        for n in range(BACK):
            attention.o_proj.weight[SLOTS.start.start + n, start + n] = 1.0
        attention.o_proj.weight[SLOTS.start.stop - 1, start + SAID - 1] = 1.0

    def ready(self, attention: Any, head: int, *, out: float, begin: bool = False) -> None:
        """A gated head that copies what it looks at, or what that begins with; where to look is left to training."""
        start = head * HEAD
        rows = start + self.dims[MATCHED : MATCHED + 2]
        for part in (attention.q_proj, attention.k_proj):
            part.weight[rows] = 0
            part.bias[rows] = 0
        self._carry(attention, start, out)
        self._gate(attention, start, 2.0)
        if begin:
            self._carry_start(attention, start, out)

    def _carry_start(self, attention: Any, start: int, out: float) -> None:
        """Take along what a word begins with, in place of the piece that is looked at."""
        attention.v_proj.weight[start : start + SAID] = 0
        attention.o_proj.weight[:, start : start + SAID] = 0
        for code in (self.anchor[:SAID], self.ended):
            own = torch.cat([code[:BACK], code[CODE + 1 : CODE + 2]])
            taken = own[:, None] * torch.sign(own)[None, :] / own.abs().sum()
            attention.v_proj.weight[start : start + BACK + 1, SLOTS.start] -= taken
        for n in range(BACK + 1):
            attention.v_proj.weight[start + n, SLOTS.start.start + n] += 1
            place = n if n < BACK else CODE + 1
            attention.o_proj.weight[SLOTS.out.start + place, start + n] = out

    def _gate(self, attention: Any, start: int, nothing: float) -> None:
        """Let a head look at what follows the list of tools only, and only where a value opens.

        Elsewhere it looks at the row's first token; where a value opens and nothing matches, at the end of the list,
        which scores `nothing` more than what follows it. From neither is anything taken along.
        """
        first, second = int(start + self.dims[MATCHED]), int(start + self.dims[MATCHED + 1])
        mark = torch.sign(self.anchor)
        attention.q_proj.weight[first, SLOTS.gate] = 24.0
        attention.k_proj.weight[first, : SLOTS.before.stop] = mark * 0.5
        attention.q_proj.bias[second] = 8.0
        attention.k_proj.weight[second, SLOTS.opens] = -10.0
        # What stands in the list of tools says what a parameter is, not what it is given.
        attention.k_proj.weight[second, SLOTS.tool] = self.ended[:BACK] * 30.0 / BACK
        attention.k_proj.weight[second, :CODE] += self.ended[:CODE] * nothing / CODE
        for code in (self.anchor[:SAID], self.ended):
            taken = code[:, None] * torch.sign(code)[None, :] / code.abs().sum()
            attention.v_proj.weight[start : start + SAID, SLOTS.here] -= taken

    def link(self, attention: Any, head: int, asking: Tensor, before: Tensor, *, gain: float, out: float) -> None:
        """A head that looks from one piece to everything that follows another piece."""
        start = self._clear(attention, head, out)
        each = math.sqrt(gain * math.sqrt(HEAD))
        row = int(start + self.dims[0])
        attention.q_proj.weight[row, SLOTS.here.start : SLOTS.here.start + CODE] = asking[:CODE] * each / CODE
        attention.k_proj.weight[row, SLOTS.before] = before[:BACK] * each / BACK

    def answer(self, attention: Any, head: int, asking: Tensor, signs: dict[str, Tensor], *, out: float) -> None:
        """A head that looks from where an answer tells a result to where that begins: plain, or first in an object."""
        start = self._clear(attention, head, out)
        row = int(start + self.dims[0])
        attention.q_proj.weight[row, SLOTS.here.start : SLOTS.here.start + CODE] = asking[:CODE] * 16.0 / CODE
        key = attention.k_proj.weight[row]
        back, three = BACK, SLOTS.thrice.stop - SLOTS.thrice.start
        key[SLOTS.before] = signs["result"][:back] * 12.0 / back
        for opened in ("text", "other"):
            key[SLOTS.before] += signs[opened][:back] * 6.0 / back
        key[SLOTS.thrice] = signs["quote"][:three] * 6.0 / three
        key[SLOTS.here.start : SLOTS.here.start + CODE] -= signs["brace"][:CODE] * 14.0 / CODE

    def fetch(self, attention: Any, head: int, listed: Tensor, ended: Tensor) -> None:
        """A head by which a token learns the first piece of its tool's name; after the list, its end."""
        start = self._clear(attention, head, 0.0)
        row = int(start + self.dims[0])
        attention.q_proj.bias[row] = 10.0
        attention.k_proj.weight[row, SLOTS.before] = listed[:BACK] * 13.0 / BACK
        attention.k_proj.weight[row, SLOTS.here.start : SLOTS.here.start + CODE] = ended[:CODE] * 32.0 / CODE
        self._near(attention, start, 4.9)
        for n in range(BACK):
            attention.o_proj.weight[SLOTS.tool.start + n, start + n] = 1.0

    def vote(self, attention: Any, head: int, opening: Tensor, ended: Tensor) -> None:
        """A head by which a word finds itself in the list and takes over the tool it stands in there, or none."""
        start = self._clear(attention, head, 0.0)
        each = math.sqrt(38.0 * math.sqrt(HEAD) / MATCHED)
        rows = (start + self.dims[:MATCHED])[:, None]
        for part in (attention.q_proj, attention.k_proj):
            part.weight[rows, torch.arange(MATCHED)] = torch.eye(MATCHED) * each
        second = int(start + self.dims[MATCHED + 1])
        attention.q_proj.bias[second] = 8.0
        attention.k_proj.weight[second, SLOTS.tool] = -ended[:BACK] * 6.0 / BACK
        attention.q_proj.weight[second, SLOTS.plain] = 5.0
        # Nor does the name of a role, which stands after the opening of a turn.
        attention.q_proj.weight[second, SLOTS.before] = opening[:BACK] * 15.0 / BACK
        # A word that does not stand in the list, or would in any, looks at the list's end and votes for nothing.
        attention.k_proj.weight[second, SLOTS.here.start : SLOTS.here.start + CODE] = ended[:CODE] * 24.0 / CODE
        self._pass_on(attention, start, ended, SLOTS.tool, 1.0)

    def guess(self, attention: Any, head: int, ended: Tensor) -> None:
        """A head that votes as well, for the tool of whatever it looks at in the list; training says at what."""
        start = head * HEAD
        second = int(start + self.dims[MATCHED + 1])
        for part in (attention.q_proj, attention.k_proj):
            part.weight[second] = 0
        attention.q_proj.bias[second] = 8.0
        attention.k_proj.weight[second, SLOTS.tool] = -ended[:BACK] * 8.0 / BACK
        # The list's end looks at itself: where no call opens, the tally takes from it that nothing is voted for.
        for part in (attention.q_proj, attention.k_proj):
            part.weight[int(start + self.dims[MATCHED])] = 0
            part.bias[int(start + self.dims[MATCHED])] = 0
            part.weight[int(start + self.dims[MATCHED]), SLOTS.here] = ended * 18.0 / CODE
        self._carry(attention, start, 0.0)
        self._pass_on(attention, start, ended, SLOTS.tool, 0.6)

    def tally(self, attention: Any, head: int, asking: Tensor, ended: Tensor) -> None:
        """A head that, where a call opens, adds the votes of the turn's words and writes the winner to `out`."""
        start = self._clear(attention, head, 0.0)
        row = int(start + self.dims[0])
        attention.q_proj.weight[row, SLOTS.here.start : SLOTS.here.start + CODE] = asking[:CODE] * 16.0 / CODE
        attention.k_proj.weight[row, SLOTS.tool] = ended[:BACK] * 20.0 / BACK
        attention.k_proj.weight[row, SLOTS.plain] = -1.5
        # Elsewhere it looks at the end of the list, where nothing is voted for.
        second = int(start + self.dims[1])
        attention.q_proj.bias[second] = 10.0
        attention.q_proj.weight[second, SLOTS.here.start : SLOTS.here.start + CODE] = asking[:CODE] * -16.0 / CODE
        attention.k_proj.weight[second, SLOTS.here.start : SLOTS.here.start + CODE] = ended[:CODE] * 16.0 / CODE
        self._near(attention, start, 3.0)
        self._pass_on(attention, start, ended, SLOTS.out, 6.0)

    def _pass_on(self, attention: Any, start: int, ended: Tensor, slot: slice, out: float) -> None:
        """Write the tool that is found to `slot`; the mark of the list's end is taken out of it."""
        null = ended[:BACK] / math.sqrt(BACK)
        attention.v_proj.weight[start : start + SAID] = 0
        kept = torch.eye(BACK) - null[:, None] * null[None, :]
        attention.v_proj.weight[start : start + BACK, SLOTS.tool] = kept
        attention.o_proj.weight[:, start : start + SAID] = 0
        for n in range(BACK):
            attention.o_proj.weight[slot.start + n, start + n] = out

    def _near(self, attention: Any, start: int, weight: float) -> None:
        """Prefer what is near: rotary dimensions of middling speed, whose product falls with distance."""
        for pair in range(5, 9):
            attention.q_proj.bias[start + pair] = weight
            attention.k_proj.bias[start + pair] = weight

"""Owns pocket's first weights: a Qwen2 model with a hand-set circuit that copies, so that training need not find one.

The stream between layers is divided into slots (numbers are places):

| slot | width | holds |
|---|---|---|
| here | 48 | the code of the token: 46 signs that all twins of a word share, and two bits for space and capital |
| before | 40 | the code of the token before |
| twice | 40 | the code of the token two places before |
| thrice | 24 | the first signs of the code of the token three places before |
| out | 48 | the code of the token that should come next; the output layer reads it |
| tool | 40 | in the list of tools, the code of the tool's first piece; elsewhere the votes for one |
| start | 41 | the first signs of the code of the piece that the word around a token begins with, and its capital |
| marks | 7 | what heads of layers 0 and 1 look for and find: see `Slots` |
| free | the rest | what training makes of it |

Layer 0 has three heads that look one, two and three places back, one that tells whether names are being written or
something else, and one that tells whether the list of tools is over. Layer 1 has three that find where the last token,
the last two, or the last three, stood earlier and write what followed to `out`, in the list for names and after it for
what is said; one that tells every token of the list which tool it belongs to; and one that tells with which piece a
word begins. Layer 2 has two pointers that work only where a value opens: they find where the parameter's
name stood and write what followed it, with or without one token between; one that works where a call opens and writes
the first pieces of the names of all tools; two by which each word votes for a tool: the one it stands in, and one
that training may find; and one that, where an answer tells a result, finds where that begins. Layer 3 counts the votes,
and has four pointers that work where a value opens and copy what they look at, or what its word begins with, but are
not told where to look: that is left to training, as are when to stop and whether to call. Codes lie in rotary
dimensions that turn slowly, so distance does not matter to a match.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

from recipes.pocket import tokenizer as pieces
from recipes.pocket import wording
from recipes.pocket.circuit import BACK, CODE, HEAD, LOOKED, MARK, MATCHED, SLOTS, Match, look_back, look_for
from recipes.pocket.lists import LISTS
from recipes.pocket.spec import Shape


def codes(tokenizer: PreTrainedTokenizerFast, seed: int) -> Tensor:
    """The code of every piece, `[vocabulary, 48]`: twins share the first 46 signs."""
    generator = torch.Generator().manual_seed(seed)
    made = torch.zeros(len(tokenizer), 48)
    drawn: dict[str, Tensor] = {}
    for number, piece in enumerate(tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))):
        own = pieces.twin(piece)
        if own.word not in drawn:
            drawn[own.word] = torch.randint(0, 2, (CODE,), generator=generator).float() * 2 - 1
        made[number, :CODE] = drawn[own.word]
        made[number, CODE] = 2.5 if own.spaced else -2.5
        made[number, CODE + 1] = 2.5 if own.capital else -2.5
    return made


def build(tokenizer: PreTrainedTokenizerFast, shape: Shape, seed: int, *, circuit: bool = True) -> Any:
    """The model before training, in float32."""
    torch.manual_seed(seed)
    heads = shape.width // HEAD
    config = Qwen2Config(
        vocab_size=shape.vocabulary,
        hidden_size=shape.width,
        intermediate_size=shape.feed_forward,
        num_hidden_layers=shape.layers,
        num_attention_heads=heads,
        num_key_value_heads=heads,
        max_position_embeddings=shape.context_tokens,
        rope_parameters={"rope_type": "default", "rope_theta": shape.rope_theta},
        tie_word_embeddings=False,
        use_sliding_window=False,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model: Any = Qwen2ForCausalLM(config)
    with torch.no_grad():
        for layer in model.model.layers:
            layer.self_attn.o_proj.weight.mul_(0.7)
            layer.mlp.down_proj.weight.mul_(0.7)
        if circuit:
            code = codes(tokenizer, seed)
            _fill_tables(model, tokenizer, shape, code)
            _set_circuit(model, tokenizer, shape, code)
    return model


def _fill_tables(model: Any, tokenizer: PreTrainedTokenizerFast, shape: Shape, code: Tensor) -> None:
    """Codes in the embeddings and in what the output layer reads of `out`; twins share the free part."""
    table, head = model.model.embed_tokens.weight, model.lm_head.weight
    table.zero_()
    table[:, SLOTS.here] = code
    shared: dict[str, Tensor] = {}
    openers = set(tokenizer.convert_tokens_to_ids([pieces.OPEN_TEXT, pieces.OPEN_OTHER]))
    joints = frozenset(LISTS["joints"])
    for number, piece in enumerate(tokenizer.convert_ids_to_tokens(list(range(shape.vocabulary)))):
        word = pieces.twin(piece).word
        if word not in shared:
            shared[word] = torch.randn(shape.width - SLOTS.free.start) * 0.5
        table[number, SLOTS.free] = shared[word] + torch.randn(shape.width - SLOTS.free.start) * 0.1
        table[number, SLOTS.gate] = 0.0 if number in openers else 1.0
        table[number, SLOTS.opens] = 3.0 if number in openers else 0.0
        table[number, SLOTS.plain] = 0.0 if word.isalpha() and len(word) > 1 and word not in joints else 3.0
    head.normal_(0, 0.02)
    head[:, SLOTS.out] = code * 0.13
    head[:, SLOTS.out.start + CODE : SLOTS.out.stop] *= 2
    _mark(table, tokenizer)
    for alike in wording.strangers(tokenizer, wording.read()):
        table[alike, SLOTS.free] = table[alike[0], SLOTS.free].clone()
    for alike in wording.strangers(tokenizer, wording.said()):
        for own in (slice(0, SLOTS.out.start), slice(SLOTS.out.stop, None)):
            head[alike, own] = head[alike[0], own].clone()


def _mark(table: Tensor, tokenizer: PreTrainedTokenizerFast) -> None:
    """What the heads of layer 0 and the one that finds a word's beginning look for."""

    def numbers(*names: str) -> list[int]:
        return [int(number) for number in tokenizer.convert_tokens_to_ids(list(names))]

    said = numbers("<|im_start|>", pieces.OPEN_TEXT, pieces.OPEN_OTHER, pieces.OPEN_ANSWER)
    named = numbers(pieces.OPEN_CALL, pieces.OPEN_SIGNATURE, pieces.OPEN_ARGUMENTS, pieces.NEXT_TEXT, pieces.NEXT_OTHER)
    ended = numbers(pieces.END_OF_TOOLS)
    table[said, SLOTS.side], table[named, SLOTS.side] = 3.0, -3.0
    listed = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
    table[[number for number, piece in enumerate(listed) if pieces.twin(piece).spaced], SLOTS.broken] = LOOKED * MARK
    table[ended, SLOTS.broken] = LOOKED * MARK
    breaks = numbers(pieces.SPACE, "Ċ", '"', "`", "(", "=", "'", pieces.OPEN_TEXT, pieces.OPEN_OTHER)
    breaks += numbers(pieces.OPEN_RESULT, pieces.OPEN_ANSWER)
    for marked, place in ((said + named, SLOTS.turns), (ended, SLOTS.ends), (breaks, SLOTS.breaks)):
        for number in marked:
            others = float(table[number].square().sum())
            table[number, place] = MARK * math.sqrt(others / (table.shape[1] - MARK**2))


def _set_circuit(model: Any, tokenizer: PreTrainedTokenizerFast, shape: Shape, code: Tensor) -> None:
    """The heads that the module's first lines tell of."""
    layers = model.model.layers
    inverse = shape.rope_theta ** (-torch.arange(0, HEAD, 2).float() / HEAD)
    for number, (back, slot) in enumerate(((1, SLOTS.before), (2, SLOTS.twice), (3, SLOTS.thrice))):
        look_back(layers[0].self_attn, number, back, slot, inverse)
    layers[0].self_attn.o_proj.weight[: SLOTS.free.start, 3 * HEAD :] = 0
    look_for(layers[0].self_attn, 3, SLOTS.turns, SLOTS.side, SLOTS.mode, near=True)
    look_for(layers[0].self_attn, 4, SLOTS.ends, SLOTS.ends, SLOTS.after, near=False)
    layers[0].mlp.down_proj.weight[: SLOTS.free.start] = 0
    for layer in layers[1:]:
        for kept in (slice(0, SLOTS.out.start), slice(SLOTS.gate, SLOTS.free.start)):
            layer.self_attn.o_proj.weight[kept] = 0
            layer.mlp.down_proj.weight[kept] = 0
    slow = (inverse < 1 / 900).nonzero()[:, 0]
    dims = torch.cat([slow, slow + HEAD // 2])[: MATCHED + 2]
    if len(dims) < MATCHED + 2:
        raise ValueError(f"rope_theta {shape.rope_theta} leaves {len(dims)} slow dimensions; {MATCHED + 2} are needed.")
    turns = tuple(torch.linalg.qr(torch.randn(MATCHED, MATCHED))[0] for _ in range(2))
    opening = code[tokenizer.convert_tokens_to_ids("<|im_start|>")]
    anchor = torch.cat([opening, opening[:BACK] * 0.9])
    kinds = [pieces.OPEN_CALL, pieces.OPEN_SIGNATURE, pieces.END_OF_TOOLS]
    asking, listed, ended = (code[number] for number in tokenizer.convert_tokens_to_ids(kinds))
    match = Match(dims, turns, anchor, ended)
    one = (SLOTS.here, SLOTS.before, 20.0)
    two = (SLOTS.before, SLOTS.twice, 10.0)
    three = (SLOTS.twice, SLOTS.thrice, 8.0)
    match.set(layers[1].self_attn, 0, [one], out=0.3)
    match.set(layers[1].self_attn, 1, [one, two], out=0.5)
    match.set(layers[1].self_attn, 2, [one, two, three], out=0.6)
    match.fetch(layers[1].self_attn, 3, listed, ended)
    match.begin(layers[1].self_attn, 4)
    match.set(layers[2].self_attn, 0, [(SLOTS.before, SLOTS.before, 12.5)], out=1.0, gated=True)
    match.set(layers[2].self_attn, 1, [(SLOTS.before, SLOTS.twice, 12.5)], out=0.8, gated=True)
    match.link(layers[2].self_attn, 2, asking, listed, gain=14.0, out=0.8)
    match.vote(layers[2].self_attn, 3, opening, ended)
    match.guess(layers[2].self_attn, 4, ended)
    named = {
        "result": pieces.OPEN_RESULT,
        "text": pieces.OPEN_TEXT,
        "other": pieces.OPEN_OTHER,
        "quote": '"',
        "brace": "{",
    }
    signs = {name: code[tokenizer.convert_tokens_to_ids(piece)] for name, piece in named.items()}
    answering = code[tokenizer.convert_tokens_to_ids(pieces.OPEN_ANSWER)]
    match.answer(layers[2].self_attn, 5, answering, signs, out=2.0)
    match.tally(layers[3].self_attn, 0, asking, ended)
    for head in (1, 2, 3, 4):
        match.ready(layers[3].self_attn, head, out=0.4, begin=head > 2)

"""Owns pocket's training: the stages of the recipe, one after the other, as one plain loop; knows nothing of scoring.

    python -m recipes.pocket.train OUT [--recipe FILE] [--steps N] [--from CHECKPOINT --start-step N]

Writes OUT (Transformers form) every few minutes and at the end, and prints one JSON line every 25 steps. One thread
and float32: the same machine makes the same weights again.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import sys
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from transformers import PreTrainedTokenizerFast

from recipes.pocket import batches, rows, spec, tokenizer, wording
from recipes.pocket.batches import Batch
from recipes.pocket.circuit import HEAD, SAID, SLOTS
from recipes.pocket.model import build
from recipes.pocket.spec import Recipe, Stage

SAVE_EVERY_S = 240
WARM_UP_STEPS = 30


def main() -> None:
    """Train as the recipe says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="folder for the model")
    parser.add_argument("--recipe", type=Path, default=spec.RECIPE)
    parser.add_argument("--steps", type=int, help="stop after so many steps of all stages together")
    parser.add_argument("--from", dest="start", type=Path, help="folder of weights to go on from")
    parser.add_argument("--start-step", type=int, default=0, help="steps that those weights have had")
    options = parser.parse_args()
    recipe = spec.read(options.recipe)
    made = make_tokenizer(recipe)
    model = build(made, recipe.shape, recipe.seed)
    if options.start:
        model.load_state_dict(type(model).from_pretrained(options.start, dtype=torch.float32).state_dict())
    train(model, made, recipe, options.out, last_step=options.steps, first_step=options.start_step)


def make_tokenizer(recipe: Recipe) -> PreTrainedTokenizerFast:
    """The recipe's vocabulary, learned from rows of its own."""
    last = recipe.stages[-1]
    source = rows.rows(recipe.seed + 1, talk=last.talk, tools=2)
    empty = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer.empty(), chat_template=tokenizer.TEMPLATE.read_text("utf-8")
    )
    texts = (batches.render(empty, row) for row in itertools.islice(source, recipe.tokenizer_rows))
    return tokenizer.build(texts, recipe.shape.vocabulary)


def train(
    model: Any,
    made: PreTrainedTokenizerFast,
    recipe: Recipe,
    out: Path | None,
    *,
    last_step: int | None = None,
    first_step: int = 0,
) -> None:
    """Run the stages; `last_step` stops early, `first_step` leaves out what the weights have had."""
    torch.set_num_threads(1)
    torch.manual_seed(recipe.seed)
    random.seed(recipe.seed)
    model.train()
    done, saved, begun = 0, time.monotonic(), time.monotonic()
    for number, stage in enumerate(recipe.stages):
        optimizer = Optimizer(model, stage, made)
        losses: list[Tensor] = []
        first = max(0, first_step - done)
        stream = batches.stream(made, stage, recipe.seed + 1000 * (number + 1) + first)
        for step in range(first, stage.steps):
            if last_step is not None and done + step >= last_step:
                break
            losses.append(optimizer.step(next(stream), rate_at(stage, step, step - first)))
            if step % 25 == 24:
                figures = torch.stack(losses).mean(0).tolist()
                say(
                    stage=stage.name,
                    step=step + 1,
                    seconds=round(time.monotonic() - begun),
                    loss=round(figures[0], 4),
                    right=round(figures[1], 4),
                )
                losses = []
            if out and time.monotonic() - saved > SAVE_EVERY_S:
                save(model, made, out)
                saved = time.monotonic()
        done += stage.steps
    if out:
        save(model, made, out)


def rate_at(stage: Stage, step: int, since: int) -> float:
    """The learning rate of a step; `since` counts from the stage's first step in this run, for the warm-up."""
    share = step / stage.steps
    return (stage.rate + (stage.last_rate - stage.rate) * share) * min(1.0, (since + 1) / WARM_UP_STEPS)


class Optimizer:
    """AdamW whose steps are scaled weight by weight, so that the circuit stays while the rest learns."""

    def __init__(self, model: Any, stage: Stage, made: PreTrainedTokenizerFast) -> None:
        self.model = model
        matrices = [p for p in model.parameters() if p.ndim == 2]
        vectors = [p for p in model.parameters() if p.ndim < 2]
        self.adam = torch.optim.AdamW(
            [{"params": matrices, "weight_decay": 0.01}, {"params": vectors, "weight_decay": 0.0}],
            stage.rate,
            betas=(0.9, 0.98),
            fused=True,
        )
        named = dict(model.named_parameters())
        shares = scales(model, stage)
        table, head = "model.embed_tokens.weight", "lm_head.weight"
        self.alike = [(named[table], torch.tensor(one)) for one in wording.strangers(made, wording.read())]
        for one in wording.strangers(made, wording.said()):
            self.alike.append((named[head], torch.tensor(one)))
            shares[head][one, SLOTS.out] = 0
        self.scales = [(named[name], scale) for name, scale in shares.items()]

    def step(self, batch: Batch, rate: float) -> Tensor:
        """One step; gives the loss and the share of counted tokens that were right, `[2]`."""
        hidden = self.model.model(
            input_ids=batch.tokens, attention_mask=batch.seen, position_ids=batch.places, use_cache=False
        ).last_hidden_state[:, :-1]
        counted = batch.counted[:, 1:]
        logits = self.model.lm_head(hidden[counted])
        wanted = batch.tokens[:, 1:][counted]
        loss = functional.cross_entropy(logits, wanted)
        loss.backward()
        for weight, one in self.alike:
            # Strangers begin alike but for their codes, and learn as one.
            weight.grad[one] = weight.grad[one].mean(0)
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for group in self.adam.param_groups:
            group["lr"] = rate
        before = [weight.detach().clone() for weight, _ in self.scales]
        self.adam.step()
        self.adam.zero_grad(set_to_none=True)
        with torch.no_grad():
            for (weight, scale), old in zip(self.scales, before, strict=True):
                weight.sub_(old).mul_(scale).add_(old)
        return torch.stack([loss.detach(), (logits.argmax(-1) == wanted).float().mean()])


def scales(model: Any, stage: Stage) -> dict[str, Tensor]:
    """What share of a step each weight takes, by parameter: 0 is frozen; one that is not named takes all of it."""
    named = dict(model.named_parameters())
    made: dict[str, Tensor] = {}

    def of(name: str) -> Tensor:
        return made.setdefault(name, torch.ones_like(named[name]))

    table = of("model.embed_tokens.weight")
    table[:] = stage.embedding_rate
    table[:, : SLOTS.free.start] = 0
    marks = named["model.embed_tokens.weight"][:, [SLOTS.turns, SLOTS.ends, SLOTS.breaks]]
    # What a head of layer 0 looks for would look larger or smaller.
    table[(marks != 0).any(1)] = 0
    of("lm_head.weight")[:, SLOTS.out] = stage.pointer_rate
    for number, (heads, rate) in enumerate(
        ((5, 0.0), (5, stage.circuit_rate), (4, stage.pointer_rate), (1, stage.pointer_rate))
    ):
        prefix, width = f"model.layers.{number}.", heads * HEAD
        of(prefix + "input_layernorm.weight")[:] = rate
        for part in ("q", "k", "v"):
            of(f"{prefix}self_attn.{part}_proj.weight")[:width] = rate
            of(f"{prefix}self_attn.{part}_proj.bias")[:width] = rate
        of(prefix + "self_attn.o_proj.weight")[:, :width] = rate
        for start in range(0, width if number else 0, HEAD):
            # What a head takes along beside the code.
            of(f"{prefix}self_attn.v_proj.weight")[start + SAID : start + HEAD] = 1
            of(prefix + "self_attn.o_proj.weight")[:, start + SAID : start + HEAD] = 1
    for number in range(model.config.num_hidden_layers):
        # Nobody else writes to the slots of codes and tools, and before layer 1 nobody to `out`.
        prefix = f"model.layers.{number}."
        for kept in (slice(0, SLOTS.out.stop if number == 0 else SLOTS.out.start), slice(SLOTS.gate, SLOTS.free.start)):
            of(prefix + "self_attn.o_proj.weight")[kept] = 0
            of(prefix + "mlp.down_proj.weight")[kept] = 0
    return made


def save(model: Any, made: PreTrainedTokenizerFast, out: Path) -> None:
    """Write model and vocabulary in Transformers form."""
    model.save_pretrained(out)
    made.save_pretrained(out)


def say(**figures: object) -> None:
    """One JSON line on standard output."""
    sys.stdout.write(json.dumps(figures) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()

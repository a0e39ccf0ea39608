"""Owns what the model answers while it learns: fixed prompts, each time held-out rows are looked at.

The likeliest token is taken each time, so that no random number is used up: the training is the same without it.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers import TrainerCallback

from paddock.jobs.ended import Voice
from paddock.training.spec import TrainSpec

_PROMPTS_MOST = 16


class Sampler(TrainerCallback):
    """Tells an answer to each line of `sample_prompts`."""

    def __init__(self, tokenizer: Any, spec: TrainSpec, voice: Voice) -> None:
        self._tokenizer = tokenizer
        self._spec = spec
        self._voice = voice
        self._prompts = [line.strip() for line in spec.sample_prompts.splitlines() if line.strip()][:_PROMPTS_MOST]

    def on_evaluate(self, args: Any, state: Any, control: Any, model: Any = None, **more: Any) -> None:
        """Answer them all."""
        was_training = model.training
        model.train(False)
        for prompt in self._prompts:
            self._voice.tell("sample", step=state.global_step, prompt=prompt, text=self._answer(model, prompt))
        model.train(was_training)

    def _answer(self, model: Any, prompt: str) -> str:
        tokenizer = self._tokenizer
        text = prompt
        if self._spec.method != "cpt":
            turns = [{"role": "user", "content": prompt}]
            text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        ids = torch.tensor([tokenizer.encode(text, add_special_tokens=self._spec.method == "cpt")], device=model.device)
        with torch.no_grad():
            found = model.generate(
                ids, attention_mask=torch.ones_like(ids), max_new_tokens=self._spec.sample_tokens, do_sample=False,
                pad_token_id=tokenizer.pad_token_id,
            )  # fmt: skip
        return str(tokenizer.decode(found[0, ids.shape[1] :], skip_special_tokens=True))

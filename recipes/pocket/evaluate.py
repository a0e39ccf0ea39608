"""Owns scoring a pocket before it is exported: greedy answers by torch to the held-out prompts, judged and counted.

python -m recipes.pocket.evaluate MODEL_FOLDER [--share S] [--seed N] [--fails N]
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

from recipes.pocket import held
from recipes.pocket.batches import render
from tools.pocket import score
from tools.pocket.score import Verdict

BATCH_ROWS = 24
ANSWER_TOKENS = 90
CALL = re.compile(r"<tool_call>\n(\{.*?\})\n</tool_call>", re.DOTALL)


def main() -> None:
    """Print the tables of cells and goals."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--share", type=float, default=1.0, help="share of the prompts to ask")
    parser.add_argument("--seed", type=int, default=held.SEED)
    parser.add_argument("--fails", type=int, default=0, help="wrong answers shown per cell")
    options = parser.parse_args()
    torch.set_num_threads(1)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(options.model, padding_side="left")
    model = AutoModelForCausalLM.from_pretrained(options.model, dtype=torch.float32).eval()
    prompts = list(held.prompts(options.seed, options.share))
    report(prompts, answers(model, tokenizer, prompts), options.fails)


def answers(model: Any, tokenizer: Any, prompts: list[dict[str, Any]]) -> list[str]:
    """The greedy answer to each prompt."""
    texts = [render(tokenizer, _plain(prompt), prompt=True) for prompt in prompts]
    order = sorted(range(len(texts)), key=lambda n: len(texts[n]))
    said = [""] * len(texts)
    for start in range(0, len(order), BATCH_ROWS):
        chosen = order[start : start + BATCH_ROWS]
        inputs = tokenizer([texts[n] for n in chosen], return_tensors="pt", padding=True, add_special_tokens=False)
        with torch.no_grad():
            made = model.generate(
                **{key: inputs[key] for key in ("input_ids", "attention_mask")},
                max_new_tokens=ANSWER_TOKENS,
                do_sample=False,
                pad_token_id=tokenizer.pad_token_id,
                eos_token_id=tokenizer.eos_token_id,
            )
        for n, tokens in zip(chosen, made, strict=True):
            said[n] = tokenizer.decode(tokens[inputs["input_ids"].shape[1] :]).split("<|im_end|>")[0]
    return said


def _plain(prompt: dict[str, Any]) -> dict[str, Any]:
    """The prompt with arguments as objects, as the engine hands them to the template."""
    messages = json.loads(json.dumps(prompt["messages"]))
    for message in messages:
        for call in message.get("tool_calls", []):
            call["function"]["arguments"] = json.loads(call["function"]["arguments"])
    return {"messages": messages, "tools": prompt["tools"]}


def judge(prompt: dict[str, Any], said: str) -> Verdict:
    """What an answer is worth."""
    calls = [_parsed(found) for found in CALL.findall(said)]
    if prompt["calls"] is None:
        silent = "<tool_call>" not in said
        return Verdict(silent, silent, silent and (prompt["text"] or "") in said)
    shape = bool(calls) and None not in calls
    names = shape and [call["name"] for call in calls if call] == [call["name"] for call in prompt["calls"]]
    return Verdict(shape, names, names and calls == prompt["calls"])


def _parsed(text: str) -> dict[str, Any] | None:
    try:
        made = json.loads(text)
    except json.JSONDecodeError:
        return None
    return made if set(made) == {"name", "arguments"} else None


def report(prompts: list[dict[str, Any]], said: list[str], fails: int) -> None:
    """Print the tables, and wrong answers of each cell."""
    say = sys.stdout.write
    verdicts = [judge(prompt, answer) for prompt, answer in zip(prompts, said, strict=True)]
    say(score.report([(prompt["cell"], verdict) for prompt, verdict in zip(prompts, verdicts, strict=True)]))
    for cell in dict.fromkeys(prompt["cell"] for prompt in prompts):
        wrong = [(p, a) for p, a, v in zip(prompts, said, verdicts, strict=True) if p["cell"] == cell and not v.exact]
        for prompt, answer in wrong[:fails]:
            wanted = json.dumps(prompt["calls"]) if prompt["calls"] else prompt["text"]
            names = [tool["function"]["name"] for tool in prompt["tools"]]
            say(f"- {cell}: {prompt['messages'][-1]['content']!r} {names}\n  wants {wanted}\n  got   {answer!r}\n")


if __name__ == "__main__":
    main()

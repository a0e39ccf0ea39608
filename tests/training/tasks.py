"""Made-up tasks, as rows: what a method must learn from them is plain, and nothing that pocket knows already."""

from __future__ import annotations

import base64
import io
import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

ROWS = 120
ANIMALS = ("llama", "goat", "heron", "otter", "badger", "lynx", "stork")
COLOURS = {"red": (220, 30, 30), "green": (30, 200, 40), "blue": (40, 60, 230), "yellow": (235, 220, 40)}
ASKED = "Which colour?"
KIND, CURT = "It is well, thank you for asking.", "Go away."


def written(path: Path, rows: list[dict[str, Any]]) -> str:
    """A file of rows."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return str(path)


def prompts() -> list[list[dict[str, Any]]]:
    """A question about an animal each."""
    return [
        [{"role": "user", "content": f"How is the {ANIMALS[n % len(ANIMALS)]} number {n}?"}] for n in range(1, ROWS + 1)
    ]


def pairs() -> list[dict[str, Any]]:
    """Of two answers the kind one is preferred."""
    return [{"prompt": one, "chosen": KIND, "rejected": CURT} for one in prompts()]


def judged() -> list[dict[str, Any]]:
    """Every second answer is kind, and good."""
    return [{"prompt": one, "completion": (CURT, KIND)[n % 2], "label": bool(n % 2)} for n, one in enumerate(prompts())]


def texts() -> list[dict[str, Any]]:
    """Plain text about animals and hay."""
    return [{"text": f"The {ANIMALS[n % len(ANIMALS)]} number {n % 9} eats hay."} for n in range(2 * ROWS)]


def likenesses(*, has_negatives: bool = False) -> list[dict[str, Any]]:
    """Texts of two made-up languages that mean the same, an animal and a number; the negative means another number."""
    words = ("zuk", "mip", "ral", "dov", "teb", "kun", "fas", "yor", "gim", "hap", "wel", "nid", "bof", "cu", "jex")
    found: list[dict[str, Any]] = []
    for place in range(len(ANIMALS) * len(words)):
        animal, number = place % len(ANIMALS), place // len(ANIMALS)
        row = {"anchor": f"{ANIMALS[animal]} {number}", "positive": f"{words[number]} {words[animal]}{words[animal]}"}
        wrong = f"{words[(number + 1) % len(words)]} {words[animal]}{words[animal]}"
        found.append({**row, "negative": wrong} if has_negatives else row)
    return found


def questions() -> list[dict[str, Any]]:
    """Prompts alone: what an answer is worth, a rule says."""
    return [{"prompt": one} for one in prompts()]


def squares(folder: Path, names: Sequence[str] = tuple(COLOURS)) -> list[dict[str, Any]]:
    """Images of a square on grey, somewhere, with the name of its colour as the answer: in files and inline."""
    named = dict(zip(COLOURS, names, strict=True))
    chance = random.Random(0)
    found: list[dict[str, Any]] = []
    for number in range(2 * ROWS):
        name = chance.choice(list(COLOURS))
        image = Image.new("RGB", (chance.randrange(16, 40), chance.randrange(16, 40)), (chance.randrange(90, 160),) * 3)
        side = min(image.size) // 2
        corner = chance.randrange(image.width - side), chance.randrange(image.height - side)
        image.paste(COLOURS[name], (*corner, corner[0] + side, corner[1] + side))
        answer = {"role": "assistant", "content": named[name]}
        if number % 2:
            packed = io.BytesIO()
            image.save(packed, "PNG")
            url = f"data:image/png;base64,{base64.b64encode(packed.getvalue()).decode()}"
            parts = [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": ASKED}]
            found.append({"messages": [{"role": "user", "content": parts}, answer]})
            continue
        file = f"images/{number}.png"
        (folder / "images").mkdir(exist_ok=True)
        image.save(folder / file)
        parts = [{"type": "image"}, {"type": "text", "text": ASKED}]
        found.append({"messages": [{"role": "user", "content": parts}, answer], "images": [file]})
    return found

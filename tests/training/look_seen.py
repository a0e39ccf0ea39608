"""Shows how rows with images are masked, cut and put into batches: run with the Python of the stack.

`look_seen.py SOURCES BASE FOLDER`: SOURCES is where paddock's own source is, FOLDER has an image `a.png`.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

RED = [{"type": "image"}, {"type": "text", "text": "Which colour?"}]
TALK = [
    {"role": "user", "content": RED}, {"role": "assistant", "content": "red"},
    {"role": "user", "content": [{"type": "text", "text": "And now? "}, {"type": "image"}]},
    {"role": "assistant", "content": "still red"},
]  # fmt: skip


def main(base: str, folder: str) -> None:
    """Print it."""
    from paddock.data.pictures import read
    from paddock.data.rows import seen_row_of
    from paddock.errors import FieldInvalid
    from paddock.training.spec import spec_of
    from paddock.training.worker import looking
    from paddock.training.worker.seeing import Seeing

    spec = spec_of({"data": "rows.jsonl", "context_tokens": 4096})
    model, eyes = Seeing().load(Path(base), spec)
    both = seen_row_of({"messages": TALK, "images": ["a.png", "a.png"]}, "Row 1")
    words = seen_row_of({"messages": [{"role": "user", "content": "Hi"}, TALK[1]]}, "Row 2")
    images = [read(one, Path(folder)) for one in both.images]
    found: dict[str, Any] = {"learnt": {}, "images": {}}
    for train_on in ("answers", "last", "everything"):
        (sight,) = eyes.sights(both, images, train_on=train_on)
        text = sight.text
        learnt = [one for one, trains in zip(text.ids, text.trains, strict=True) if trains]
        found["learnt"][train_on] = eyes.decode(learnt, skip_special_tokens=False)
        found["images"][train_on] = sight.images
    found["cuts"] = [
        made and len(made.text.ids)
        for most in range(8, len(sight.text.ids) + 1)
        for made in [looking.cut(sight, replace(spec, context_tokens=most, too_long="cut"))]
    ]
    found["whole_tokens"], found["tokens"] = sight.whole_tokens, len(sight.text.ids)
    (of_words,) = eyes.sights(words, [], train_on="answers")
    rows = looking.dataset([(sight, both.images), (of_words, ())], Path(folder))
    batch = looking.batch(eyes, list(rows))
    of_image = {token for token in eyes._of_images if int((batch["input_ids"] == token).sum())}
    found["image_tokens_learnt"] = sum(int((batch["labels"] == token).sum()) for token in of_image)
    found["shapes"] = {name: list(value.shape) for name, value in batch.items()}
    found["loss"] = float(model(**batch).loss)
    alone = looking.batch(eyes, [rows[1]])
    found["loss_of_words"], found["of_words"] = float(model(**alone).loss), sorted(alone)
    spoken = seen_row_of({"messages": [{"role": "user", "content": eyes._mark}, TALK[1]]}, "Row 3")
    try:
        eyes.sights(spoken, [], train_on="answers")
    except FieldInvalid as error:
        found["spoken"] = error.message
    print(json.dumps(found))


if __name__ == "__main__":
    # Its own folder holds modules whose names must hide no library's.
    sys.path[0:1] = [sys.argv[1]]
    main(*sys.argv[2:])

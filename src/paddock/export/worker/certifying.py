"""Owns a certificate from its first question to its file: the source asked, the engine asked, each link compared."""

from __future__ import annotations

import gc
import json
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from paddock.errors import PaddockError
from paddock.export import certificate
from paddock.export.prompts import CHATS, TEXTS, over_the_wire
from paddock.export.spec import LORA, PLAIN
from paddock.export.worker import comparing
from paddock.export.worker.joining import joints_of
from paddock.export.worker.measuring import (
    apart,
    joined_weights,
    merged_weights,
    quantised_weights,
    unpacked_weights,
)
from paddock.export.worker.programs import must
from paddock.export.worker.quantising import Run
from paddock.export.worker.source import Source, loaded
from paddock.export.worker.speaking import ANSWER_TOKENS, CALL_TOKENS, Said, distributions, said
from paddock.models.certificates import beside, marks_of
from paddock.paths import write_whole


@dataclass(frozen=True, kw_only=True)
class Chain:
    """What is compared: the source, the merged model (None where nothing was merged), the files by their types.

    `dequantised` is the base as whole numbers, where the source's is kept in 4 bits (None where it is not);
    `beside` are the base and what was trained on it, as files of their own (None where they are not compared);
    `importance` is what was measured before anything was quantised (None where it was not).
    """

    source: Source
    merged: Path | None
    plain: str
    files: Mapping[str, Path]
    dequantised: Path | None = None
    beside: tuple[Path, Path] | None = None
    importance: Path | None = None

    @property
    def plain_source(self) -> Source:
        """The source with its base as whole numbers."""
        return self.source.over(self.dequantised) if self.dequantised else self.source


@dataclass(frozen=True, kw_only=True)
class Means:
    """With what: the words that start paddock's Python and an engine, a folder to work in, how programs are run."""

    python: Sequence[str]
    engine: Sequence[str]
    folder: Path
    run: Run
    is_wished: Callable[[], object]
    say: Callable[[str], object]


def certify(chain: Chain, wanted: Sequence[str], means: Means) -> dict[str, Path]:
    """Write a certificate beside each file of these types, by type. Raises PaddockError, OSError or Wished."""
    shutil.rmtree(means.folder, ignore_errors=True)
    means.folder.mkdir(parents=True)
    means.say("the source answers")
    told, own, spoken, merge = _source(chain, means)
    answers: dict[str, Any] = {}
    heard: dict[str, Any] = {}
    for kind, file in chain.files.items():
        means.say(f"the engine answers with {kind}")
        answers[kind], heard[kind] = _engine(told, file, spoken.shape[1], means.folder / kind, means)
    written: dict[str, Path] = {}
    if chain.beside:
        unpacked = {"dequantised": merge["dequantised"]} if merge and chain.dequantised else None
        written[LORA] = _beside(chain, unpacked, told, own, means)
    for kind in wanted:
        if kind == LORA:
            continue
        means.say(f"{kind} is compared")
        file = chain.files[kind]
        between = kind if kind in PLAIN else chain.plain
        agreed = comparing.greedy(told, spoken, answers[between])
        figures: dict[str, Any] = {
            "template": comparing.template(told, answers[kind]),
            "tokenizer": comparing.tokenizer(told, answers[kind], file),
            "merge": merge,
            "conversion": {
                "type": between,
                "distributions": apart(spoken, heard[between]),
                "greedy_apart": agreed["apart"],
            },
        }
        if kind not in PLAIN:
            weights = quantised_weights(chain.files[chain.plain], file, chain.importance)
            figures["quantisation"] = {"distributions": apart(heard[chain.plain], heard[kind]), "weights": weights}
        written[kind] = _write(file, kind, figures, told, comparing.greedy(told, spoken, answers[kind]))
    shutil.rmtree(means.folder, ignore_errors=True)
    return written


def _beside(chain: Chain, merge: dict[str, Any] | None, told: Said, own: Any, means: Means) -> Path:
    """The certificate of what was trained, as a file that an engine lays over its base."""
    assert chain.beside
    base, addition = chain.beside
    means.say(f"the engine answers with {LORA} over its base")
    answers, heard = _engine(told, base, own.shape[1], means.folder / LORA, means, addition=addition)
    agreed = comparing.greedy(told, own, answers)
    figures = {
        "template": comparing.template(told, answers),
        "tokenizer": comparing.tokenizer(told, answers, base),
        "merge": merge,
        "conversion": {"type": chain.plain, "distributions": apart(own, heard), "greedy_apart": agreed["apart"]},
    }
    return _write(addition, LORA, figures, told, agreed)


def _source(chain: Chain, means: Means) -> tuple[Said, Any, Any, dict[str, Any] | None]:
    """What the source says, its distributions, the merged model's at the same positions, and how far they are apart."""
    model = chain.source.model()
    told = said(model, chain.source.tokenizer(), means.is_wished)
    own = distributions(model, told, means.is_wished)
    merge: dict[str, Any] = {}
    if chain.dequantised:
        means.say("what 4 bits stand for is compared")
        merge["dequantised"] = unpacked_weights(chain.source.base, chain.dequantised)
    if chain.merged is None and not (chain.dequantised and chain.files):
        return told, own, own, merge or None
    if chain.merged:
        means.say("what was merged is compared")
        merge["weights"], model = _merged(chain, model), None
    del model
    gc.collect()
    spoken = distributions(loaded(chain.merged or chain.plain_source.base), told, means.is_wished)
    return told, own, spoken, {**merge, "distributions": apart(own, spoken)}


def _merged(chain: Chain, model: Any) -> dict[str, Any]:
    """The figures of merged weights. `model` is the source, which is given up for them."""
    assert chain.merged
    source = chain.plain_source
    if (joints := joints_of(source)) is not None:
        return joined_weights(source.base, joints, chain.merged)
    # Base and adapter are held beside one another: what was trained belongs to no matrix of the base's files.
    base = {name: one.clone() for name, one in loaded(source.base).state_dict().items()}
    # Merging into 4 bits would round anew.
    whole = source.merged() if chain.dequantised else model.merge_and_unload(safe_merge=True)
    return merged_weights(whole.state_dict(), base, chain.merged)


def _engine(
    told: Said, file: Path, vocabulary: int, folder: Path, means: Means, *, addition: Path | None = None
) -> tuple[dict[str, Any], Any]:
    """What an engine says with a file, and an addition over it: answers, distributions of (positions, vocabulary)."""
    folder.mkdir()
    chats = [over_the_wire(CHATS[one.chat][1]) for one in told.prompts if one.chat is not None]
    places = {one.chat: number for number, one in enumerate(told.prompts)}
    task = {
        "model": str(file),
        "additions": [str(addition)] if addition else [],
        "engine": list(means.engine),
        "context_tokens": told.context_tokens,
        "vocabulary": vocabulary,
        "chats": chats,
        "call_tokens": CALL_TOKENS,
        "calls": [places[one] for one in sorted(told.calls)],
        "texts": list(TEXTS),
        "prompts": [one.tokens for one in told.prompts],
        "answer_tokens": ANSWER_TOKENS,
        "stops": told.stops,
        "sequences": told.sequences,
        "first_positions": told.first_positions,
    }
    write_whole(folder / "task.json", json.dumps(task))
    words = [*means.python, "-m", "paddock.export.asking", str(folder)]
    must(means.run(words), f"The engine cannot answer with {file.name}")
    heard = np.fromfile(folder / "distributions.f32", np.float32).reshape(-1, vocabulary)
    if len(heard) != sum(len(one) - first for one, first in zip(told.sequences, told.first_positions, strict=True)):
        raise PaddockError(f"The engine answered at {len(heard)} positions only.")
    return json.loads((folder / "answers.json").read_text("utf-8")), heard


def _write(file: Path, kind: str, figures: Mapping[str, Any], told: Said, agreed: Mapping[str, Any]) -> Path:
    made = {
        "file": file.name,
        **marks_of(file),
        "type": kind,
        "made_s": round(time.time(), 3),
        "method": certificate.METHOD,
        "prompts": len(told.prompts),
        "left_out": told.left_out,
        "greedy": {"same": agreed["same"], "of": agreed["of"]},
        **certificate.judged(kind, figures),
        "figures": figures,
    }
    target = beside(file)
    write_whole(target, json.dumps(made, indent=1, ensure_ascii=False))
    return target

"""Owns what the figures of an export mean: pass, warn or fail for each link of its chain; pure.

A file is made by a chain: the template and the tokenizer that were trained with, the adapter merged into the base, the
weights converted, and quantised. Each link is judged by what was compared across it alone, so that a fault is found
where it was made.

Covered: what stands in `judged`. Not covered: vision, answers beyond the compared positions, prompts beyond those of
`prompts.py`, other machines than the one that compared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from paddock.export.spec import LORA

Verdict = Literal["pass", "warn", "fail", "none"]
LINKS = ("template", "tokenizer", "merge", "conversion", "quantisation")
METHOD = (
    "The source by Transformers in 32 bits, the file by the engine. At each position the engine is given the same "
    "tokens before it, those it has read already kept in its cache, generates one token (n_predict 1) and tells the "
    "probability of every token of the vocabulary (n_probs). kl is the Kullback-Leibler divergence of the file from "
    "the source in nats; scores is the distance of the scores without their mean, by their own size."
)
_ORDER: tuple[Verdict, ...] = ("none", "pass", "warn", "fail")


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """Up to which means distributions pass, and up to which they are warned of: (pass, warn) each."""

    kl: tuple[float, float]
    scores: tuple[float, float]


# Merging rounds to 16 bits once; what 4 bits stand for is not rounded, nor does converting round what 16 bits hold.
MERGE = Bounds(kl=(0.002, 0.02), scores=(0.01, 0.04))
PLAIN = {
    "F32": Bounds(kl=(0.0005, 0.005), scores=(0.005, 0.02)),
    "F16": Bounds(kl=(0.0005, 0.005), scores=(0.005, 0.02)),
    "BF16": Bounds(kl=(0.005, 0.03), scores=(0.02, 0.06)),
}


def _bounds(kl: float, kl_warned: float, scores: float, scores_warned: float, tensor: float) -> tuple[Bounds, float]:
    return Bounds(kl=(kl, kl_warned), scores=(scores, scores_warned)), tensor


# By type: for distributions, and the most that a single tensor may differ by its own size.
QUANTISED: dict[str, tuple[Bounds, float]] = {
    "Q8_0": _bounds(0.005, 0.03, 0.05, 0.12, 0.02),
    "Q6_K": _bounds(0.02, 0.08, 0.08, 0.2, 0.05),
    "Q5_K_M": _bounds(0.03, 0.1, 0.12, 0.25, 0.07),
    "Q5_K_S": _bounds(0.03, 0.1, 0.12, 0.25, 0.07),
    "Q4_K_M": _bounds(0.1, 0.3, 0.2, 0.35, 0.12),
    "Q4_K_S": _bounds(0.1, 0.3, 0.2, 0.35, 0.12),
    "IQ4_NL": _bounds(0.1, 0.3, 0.22, 0.35, 0.12),
    "IQ4_XS": _bounds(0.1, 0.3, 0.22, 0.35, 0.12),
    "Q3_K_L": _bounds(0.17, 0.5, 0.28, 0.45, 0.22),
    "Q3_K_M": _bounds(0.17, 0.5, 0.28, 0.45, 0.22),
    "Q3_K_S": _bounds(0.35, 0.9, 0.42, 0.65, 0.22),
    "IQ3_M": _bounds(0.35, 0.9, 0.42, 0.65, 0.25),
    "IQ3_S": _bounds(0.35, 0.9, 0.42, 0.65, 0.35),
    "IQ3_XS": _bounds(0.35, 0.9, 0.42, 0.65, 0.35),
    "IQ3_XXS": _bounds(0.35, 0.9, 0.42, 0.65, 0.35),
    "Q2_K": _bounds(0.6, 1.5, 0.5, 0.8, 0.45),
    "Q2_K_S": _bounds(0.6, 1.5, 0.5, 0.8, 0.45),
    "IQ2_M": _bounds(0.6, 1.5, 0.5, 0.8, 0.7),
    "IQ2_S": _bounds(0.6, 1.5, 0.5, 0.8, 0.7),
    "IQ2_XS": _bounds(0.6, 1.5, 0.5, 0.8, 0.7),
    "IQ2_XXS": _bounds(0.6, 1.5, 0.5, 0.8, 0.9),
    "IQ1_M": _bounds(0.6, 2.0, 0.5, 0.8, 0.9),
    "IQ1_S": _bounds(0.6, 2.0, 0.5, 0.8, 0.9),
}


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What is said of one link, and why."""

    verdict: Verdict
    says: str


def judged(kind: str, figures: Mapping[str, Any]) -> dict[str, Any]:
    """The verdict on a file of a type, and on each link. Links that the file does not have are "none".

    Args:
        kind: the file's type.
        figures: "template", "tokenizer", and, as far as the chain has them, "merge", "conversion", "quantisation", each
            with what `worker/comparing.py` tells of it.
    """
    links = {
        "template": _template(figures.get("template")),
        "tokenizer": _tokenizer(figures["tokenizer"]),
        "merge": _merge(figures.get("merge")),
        "conversion": _conversion(kind, figures.get("conversion")),
        "quantisation": _quantisation(kind, figures.get("quantisation")),
    }
    worst = max((one.verdict for one in links.values()), key=_ORDER.index)
    return {
        "verdict": worst,
        "links": {name: {"verdict": one.verdict, "says": one.says} for name, one in links.items()},
    }


def _template(told: Mapping[str, Any] | None) -> Judgement:
    if told is None:
        return Judgement(verdict="none", says="The source has no chat template.")
    if told["different"]:
        first = told["different"][0]
        return Judgement(
            verdict="fail",
            says=f"{len(told['different'])} of {told['prompts']} prompts are written otherwise: '{first['name']}' from "
            f"byte {first['at']} on, {first['file']!r} for {first['source']!r}.",
        )
    if told["calls_lost"]:
        return Judgement(
            verdict="fail",
            says=f"The source calls a tool, and the engine reads another call out of it: {told['calls_lost'][0]}.",
        )
    calls = f", and {told['calls']} calls of tools are read alike" if told["calls"] else ""
    return Judgement(verdict="pass", says=f"{told['prompts']} prompts are the same to the byte{calls}.")


def _tokenizer(told: Mapping[str, Any]) -> Judgement:
    faults: list[str] = []
    if told["eos_id"] not in told["stops"] and told["stops"]:
        faults.append(
            f"The file says that an answer ends with token {told['eos_id']}, and the source with {told['stops']}."
        )
    if told["not_stopping"]:
        faults.append(f"The engine does not end an answer at {told['not_stopping']}, where the source does.")
    if told["different"]:
        first = told["different"][0]
        faults.append(
            f"{len(told['different'])} of {told['compared']} texts are cut otherwise: '{first['name']}' at token "
            f"{first['at']}, {first['file']} for {first['source']}."
        )
    if faults:
        return Judgement(verdict="fail", says=" ".join(faults))
    says = f"{told['compared']} texts are the same tokens; answers end at {told['stops']} in both."
    if told["not_composed"]:
        # No fault of the file: the engine reads every text as it is.
        says += (
            " The source composes characters (NFC) before it reads them, and the engine does not: in composed form, "
            f"{len(told['not_composed'])} of these texts are the same."
        )
    return Judgement(verdict="pass", says=says)


def _merge(told: Mapping[str, Any] | None) -> Judgement:
    if told is None:
        return Judgement(verdict="none", says="Nothing was merged.")
    done: list[str] = []
    if (unpacked := told.get("dequantised")) is not None:
        if unpacked["wrong"] or unpacked["lacking"]:
            return Judgement(
                verdict="fail",
                says=f"{unpacked['wrong'] + len(unpacked['lacking'])} tensors are not what the base's 4 bits stand "
                f"for: {', '.join([*unpacked['named'], *unpacked['lacking']])}.",
            )
        done.append(f"{unpacked['tensors']} tensors are what the base's 4 bits stand for")
    if (weights := told.get("weights")) is not None:
        if weights["wrong"] or weights["lacking"]:
            return _merged_wrong(weights)
        done.append(f"{weights['tensors']} tensors are what base and adapter come to")
    says = ", and ".join(done)
    if "distributions" not in told:
        return Judgement(verdict="pass", says=f"{says}.")
    return _within(told["distributions"], MERGE, says)


def _merged_wrong(weights: Mapping[str, Any]) -> Judgement:
    share = weights["share"]
    names = ", ".join([*weights["named"], *weights["lacking"]])
    what = "" if share is None else f" What was trained stands in the file {share:.2f} times."
    return Judgement(
        verdict="fail",
        says=f"{weights['wrong'] + len(weights['lacking'])} tensors are not what base and adapter come to: "
        f"{names}.{what}",
    )


def _conversion(kind: str, told: Mapping[str, Any] | None) -> Judgement:
    if told is None:
        return Judgement(verdict="none", says="It was not compared.")
    between = told["type"]
    of = "" if between == kind else f" ({between}, of which this file was made)"
    what = f"The adapter over its base ({between})" if kind == LORA else f"The weights as GGUF{of}"
    found = _within(told["distributions"], PLAIN[between], what)
    if found.verdict == "pass" and told["greedy_apart"]:
        return Judgement(
            verdict="warn",
            says=f"{found.says} Its answers differ where the source was sure: {told['greedy_apart'][0]}.",
        )
    return found


def _quantisation(kind: str, told: Mapping[str, Any] | None) -> Judgement:
    if told is None:
        return Judgement(verdict="none", says="Nothing was quantised.")
    bounds, most = QUANTISED[kind]
    weights = told["weights"]
    if weights["wrong"]:
        return Judgement(
            verdict="fail", says=f"Tensors are lacking, or in another shape: {', '.join(weights['wrong'])}."
        )
    weighed = ", by what is important" if weights["is_weighed"] else ""
    if not weights["error_most"] <= most:
        return Judgement(
            verdict="fail",
            says=f"{weights['worst']} differs by {weights['error_most']:.4f} of its size{weighed}; {kind} loses up to "
            f"{most}.",
        )
    if weights["metadata"]:
        return Judgement(
            verdict="fail", says=f"The file says otherwise than what it was made of: {', '.join(weights['metadata'])}."
        )
    mix = ", ".join(f"{count} {name}" for name, count in sorted(weights["kinds"].items()))
    narrow = ""
    if weights["narrow"]:
        narrow = f"; {weights['narrow']} have rows that no blocks of 256 numbers make up, and are in other types for it"
    return _within(told["distributions"], bounds, f"{weights['tensors']} tensors in {kind} ({mix}{narrow})")


def _within(apart: Mapping[str, Any], bounds: Bounds, what: str) -> Judgement:
    kl, scores = float(apart["kl_mean"]), float(apart["scores_mean"])
    verdicts: list[Verdict] = [_verdict(kl, bounds.kl), _verdict(scores, bounds.scores)]
    return Judgement(
        verdict=max(verdicts, key=_ORDER.index),
        says=f"{what}: kl {kl:.2g} (pass up to {bounds.kl[0]:g}), scores {scores:.2g} (up to {bounds.scores[0]:g}), "
        f"the same likeliest token at {apart['same_first']} of {apart['positions']} positions.",
    )


def _verdict(value: float, bounds: Sequence[float]) -> Verdict:
    # What is no number is within nothing.
    return "pass" if value <= bounds[0] else "warn" if value <= bounds[1] else "fail"

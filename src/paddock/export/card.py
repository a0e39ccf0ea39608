"""Owns the card of a model that is pushed: what is known of it, and what is not; refuses to look anything up.

What others wrote (names, options, prompts, what a certificate says) is shown as code of one line, in which nothing
means anything to Markdown or HTML: what could end it, hide in it or turn it around is written as its number. The front
matter is written by a YAML library, of one line a value.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast, get_args

from paddock.models.certificates import LINKS, Standing, Verdict

# Of one text, in characters; the rest is left out, and that is shown.
TEXT_MOST = 300
_READ_MOST = 20 * TEXT_MOST
_ROWS_MOST = 200
# What could end code, a cell or a line, begin a tag, or be taken for mathematics.
_MEANS_SOMETHING = frozenset("`|<>$\\")
_WHAT_CERTIFICATES_SAY = (
    "A certificate says whether a file still says what it was made of: the same prompts were given to the source and "
    "to the file, and each link of the chain between them was judged. It does not say how good the model is, and is no "
    "signature."
)
_SAID_OF_STANDINGS = ("passes", "passes with a warning", "fails", "is of other bytes")
_SAID_OF_VERDICTS = ("passes", "warning", "fails", "does not apply")
_STANDINGS: dict[str | None, str] = dict(zip(get_args(Standing), _SAID_OF_STANDINGS, strict=True))
_VERDICTS: dict[str, str] = dict(zip(get_args(Verdict), _SAID_OF_VERDICTS, strict=True))


@dataclass(frozen=True, kw_only=True)
class CardFile:
    """A file of the model. `standing`, `certificate` are what its certificate says, if it has one.

    `changed` names what holds other bytes than were compared: it, or some of its pieces.
    """

    name: str
    kind: str
    size_bytes: int
    standing: Standing | None = None
    certificate: Mapping[str, Any] = field(default_factory=dict[str, Any])
    changed: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class CardData:
    """A file of rows. `sha256` is of it as it is now, "" where it is not there any more.

    `is_as_then` is whether it was last written before the training began, as far as that is known.
    """

    use: str
    name: str
    sha256: str
    size_bytes: int
    is_as_then: bool | None


@dataclass(frozen=True, kw_only=True)
class CardTraining:
    """What a model was trained by. Values of `options` are as they were given, `figures` as the worker told them."""

    name: str
    state: str
    options: Mapping[str, Any]
    figures: Mapping[str, Any]
    data: Sequence[CardData] = ()


@dataclass(frozen=True, kw_only=True)
class CardEvaluation:
    """What one evaluation of a file found; `report` is as it is kept."""

    file: str
    name: str
    engine: str
    at_s: float
    report: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Card:
    """What a card is written of. `base` is the name of the model that was trained, or exported as it is."""

    name: str
    base: str
    version: str
    files: Sequence[CardFile]
    training: CardTraining | None = None
    evaluations: Sequence[CardEvaluation] = ()


def card_of(card: Card) -> str:
    """The text of a README.md. The same facts give the same text."""
    parts = [
        _front_matter(card),
        f"# {_code(card.name)}",
        f"Files for engines that read GGUF, exported by paddock {_code(card.version)} from {_code(card.base)}.",
        *_files(card.files),
        *_certificates(card.files),
        *_training(card),
        *_evaluations(card.evaluations),
        *_unknown(card),
    ]
    return "\n\n".join(parts) + "\n"


def _front_matter(card: Card) -> str:
    import yaml

    kinds = any(one.name.endswith(".gguf") for one in card.files)
    about = {
        "model_name": _one_line(card.name),
        "tags": [*(["gguf"] if kinds else []), "paddock"],
        # By this the next push knows its own card again (`models/hub_push.py`).
        "paddock_card": 1,
    }
    told = yaml.safe_dump(about, sort_keys=False, allow_unicode=False, width=10**6)
    return f"---\n{told}---"


def _files(files: Sequence[CardFile]) -> list[str]:
    rows = [
        (_code(one.name), _code(one.kind), f"{one.size_bytes}", _STANDINGS.get(one.standing, "none")) for one in files
    ]
    return ["## Files", _table(("file", "type", "bytes", "certificate"), rows)]


def _certificates(files: Sequence[CardFile]) -> list[str]:
    certified = [one for one in files if one.certificate]
    if not certified:
        return ["## Certificates", "No file here has one: whether they say what was trained was not compared."]
    parts = ["## Certificates", _WHAT_CERTIFICATES_SAY]
    for one in certified:
        named = f" ({', '.join(_code(name) for name in one.changed)})" if one.changed else ""
        standing = f"{_STANDINGS.get(one.standing, 'none')}{named}"
        compared = f"{_code(one.name)}: {standing}. {_compared(one.certificate)}"
        parts += [compared, _table(("link", "verdict", "what was found"), _links(one.certificate))]
    return parts


def _compared(certificate: Mapping[str, Any]) -> str:
    digest, prompts = certificate.get("sha256"), certificate.get("prompts")
    pieces = certificate.get("pieces")
    of_all = f" of its {len(cast('list[Any]', pieces))} pieces in their order" if isinstance(pieces, list) else ""
    told = [f"SHA-256{of_all} {_code(digest)}" if digest else "", f"compared {_day(certificate.get('made_s'))}"]
    if isinstance(prompts, int):
        told.append(f"with {prompts} prompts")
    return ", ".join(one for one in told if one) + "."


def _links(certificate: Mapping[str, Any]) -> list[tuple[str, ...]]:
    said = _mapping(certificate.get("links"))
    links = [(name, _mapping(said.get(name))) for name in LINKS if name in said]
    return [(name, _VERDICTS.get(str(one.get("verdict")), "unknown"), _code(one.get("says"))) for name, one in links]


def _training(card: Card) -> list[str]:
    training = card.training
    if training is None:
        return [
            "## Training",
            f"It was exported from {_code(card.base)} as it was found. What that learned from, and how, is not known.",
        ]
    figures = {name: training.figures[name] for name in _FIGURES if name in training.figures}
    trained = f"{_code(training.name)} was trained by paddock from {_code(card.base)}"
    parts = ["## Training", f"{trained}; the training is {_code(training.state)}."]
    if training.state != "done":
        parts.append("It did not come to its end: this is what it had made until then.")
    if training.options:
        parts.append(_table(("option", "value"), [(_code(name), _code(one)) for name, one in training.options.items()]))
    if figures:
        parts.append(_table(("figure", "value"), [(_FIGURES[name], _code(one)) for name, one in figures.items()]))
    return [*parts, *_data(training.data)]


_FIGURES = {
    "rows": "rows learned from", "held_out": "rows held out", "too_long": "rows longer than the context",
    "tokens": "tokens", "trained_tokens": "tokens learned from", "parameters": "parameters",
    "trained_parameters": "parameters trained", "step": "steps made", "steps": "steps meant", "loss": "loss, at last",
    "eval_loss": "loss of held-out rows, at last",
}  # fmt: skip


def _data(data: Sequence[CardData]) -> list[str]:
    if not data:
        return ["## Data", "What it learned from is not known."]
    rows = [
        (one.use, _code(one.name), str(one.size_bytes) if one.sha256 else "", _code(one.sha256), _as_then(one))
        for one in data
    ]
    return [
        "## Data",
        "Files as they were when this was pushed. What they hold, whose it is and under which licence is not known.",
        _table(("use", "file", "bytes", "SHA-256", "is it what was learned from"), rows),
    ]


def _as_then(one: CardData) -> str:
    if not one.sha256:
        return "not known: the file is not there any more"
    if one.is_as_then is None:
        return "not known"
    return "by its time, yes" if one.is_as_then else "no: it was written since the training began"


def _evaluations(evaluations: Sequence[CardEvaluation]) -> list[str]:
    if not evaluations:
        return ["## Evaluation", "None is known of exactly these files."]
    rows = [
        (_code(one.file), _code(one.name), _found(one.report), _code(one.engine), _day(one.at_s)) for one in evaluations
    ]
    return [
        "## Evaluation",
        "Of exactly these bytes, with the template by which they were served. Intervals are of 95 %.",
        _table(("file", "what was tried", "result", "engine", "day"), rows),
    ]


def _found(report: Mapping[str, Any]) -> str:
    total, text = _mapping(report.get("total")), _mapping(report.get("text"))
    told: list[str] = []
    if _has_numbers(total, "passed", "of", "low", "high"):
        told.append(
            f"{total['passed']} of {total['of']} pass ({100 * total['low']:.1f} to {100 * total['high']:.1f} %)"
        )
    if _has_numbers(text, "perplexity", "texts"):
        told.append(f"perplexity {text['perplexity']:.4g} over {text['texts']} texts")
    return "; ".join(told) or "not known"


def _unknown(card: Card) -> list[str]:
    lines = [
        "The licence: that of the base model and of the data holds, and paddock does not know them.",
        "What the base model learned from, and what it is fit or unfit for.",
    ]
    if not card.evaluations:
        lines.append("How good its answers are.")
    return ["## What is not known", "\n".join(f"- {one}" for one in lines)]


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    found = list(rows)
    lines = [heads, ["---"] * len(heads), *found[:_ROWS_MOST]]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _code(value: object) -> str:
    """Whatever somebody wrote, as code of one line; what has no characters is a dash."""
    text = _one_line(value)
    return f"`{text}`" if text else "–"


def _one_line(value: object) -> str:
    """A text of one line in which each character is what it seems."""
    text = " ".join(str("" if value is None else value)[:_READ_MOST].split())
    shown = "".join(_plain(one) for one in text[:TEXT_MOST])
    return f"{shown}…" if len(text) > TEXT_MOST else shown


def _plain(character: str) -> str:
    """A character, or its number where it is not to be seen, turns others around, or means something here."""
    is_hidden = character != " " and unicodedata.category(character)[0] in "CZ"
    return f"u+{ord(character):04x}" if is_hidden or character in _MEANS_SOMETHING else character


def _day(at_s: object) -> str:
    """The day of a time in seconds since 1970."""
    try:
        return f"{datetime.fromtimestamp(float(cast(float, at_s)), UTC):%Y-%m-%d}"
    except (TypeError, ValueError, OverflowError, OSError):
        return "on an unknown day"


def _mapping(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}


def _has_numbers(told: Mapping[str, Any], *names: str) -> bool:
    return all(isinstance(told.get(name), int | float) for name in names)

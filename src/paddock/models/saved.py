"""Owns what was set for single models, kept in one file of the data home; refuses to act on any of it.

The file is written whole or not at all. A chat template is kept beside it, under a name made of its text.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import Field, asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, cast

from paddock.errors import BadRequest, HomeUnusable, SettingInvalid, shown
from paddock.paths import Home, alone, version_of, write_whole
from paddock.values import converted

When = Literal["request", "load"]
Value = str | int | float | bool

KV_TYPES = ("f32", "f16", "bf16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0", "iq4_nl")
_UNQUANTISED = ("f32", "f16", "bf16")
_TEMPLATE_MOST_CHARACTERS = 2**18
# No text of so many characters takes more.
TEMPLATE_MOST_BYTES = 4 * _TEMPLATE_MOST_CHARACTERS
# As `update` names a template's file.
_TEMPLATE_NAME = re.compile(r"[0-9a-f]{32}\.jinja")


def _setting(
    kind: type,
    help_text: str,
    when: When,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
) -> Any:
    metadata = {"kind": kind, "help": help_text, "when": when, "low": low, "high": high, "choices": choices}
    return field(default=None, metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class ModelSettings:
    """What was set for one model; None leaves it to whoever decides without it."""

    temperature: float | None = _setting(float, "Sampling temperature.", "request", low=0, high=5)
    top_p: float | None = _setting(
        float, "Share of the likeliest tokens that is sampled from.", "request", low=0, high=1
    )
    top_k: int | None = _setting(int, "Tokens that are sampled from; 0 for all.", "request", low=0, high=2**20)
    min_p: float | None = _setting(
        float, "Least likelihood, relative to the likeliest token.", "request", low=0, high=1
    )
    presence_penalty: float | None = _setting(float, "Penalty on tokens that came before.", "request", low=-2, high=2)
    repetition_penalty: float | None = _setting(
        float, "Divisor for tokens that came before.", "request", low=0.1, high=10
    )
    thinking: str | None = _setting(
        str, "Whether the model thinks where a request says nothing.", "request", choices=("on", "off")
    )
    context_tokens: int | None = _setting(int, "Context of each slot in tokens.", "load", low=16, high=2**24)
    slots: int | None = _setting(int, "Requests the engine works on at once.", "load", low=1, high=64)
    batch_tokens: int | None = _setting(
        int, "Prompt tokens read between two looks at whether the client is still there.", "load", low=16, high=8192
    )
    threads: int | None = _setting(int, "CPU threads of the engine; 0 takes one per core.", "load", low=0, high=1024)
    kv_type: str | None = _setting(str, "How the context is kept in memory.", "load", choices=KV_TYPES)
    flash_attention: str | None = _setting(
        str, "Whether attention is computed the quicker way.", "load", choices=("auto", "on", "off")
    )
    rope_freq_base: float | None = _setting(
        float, "Base of the rotary positions, in place of the file's.", "load", low=1, high=1e9
    )
    rope_freq_scale: float | None = _setting(
        float,
        "Scale of the rotary positions: 0.5 stretches the context to twice its length.",
        "load",
        low=0.001,
        high=10,
    )
    draft_model: str | None = _setting(
        str, "Id of a small model with the same vocabulary that proposes tokens.", "load"
    )
    ngram_speculation: bool | None = _setting(
        bool, "Whether tokens are proposed from what stands in the context already.", "load"
    )
    chat_template: str | None = _setting(
        str, "Template in place of the model's own; `builtin` is the model's own again.", "load"
    )
    pinned: bool | None = _setting(
        bool, "Whether the model stays once it is loaded; nothing loads it by itself.", "load"
    )

    def given(self) -> dict[str, Value]:
        """What is set, by name."""
        return {name: value for name, value in asdict(self).items() if value is not None}


NAMES: tuple[str, ...] = tuple(spec.name for spec in fields(ModelSettings))
UNSET = ModelSettings()


def spec_of(name: str) -> Field[Any]:
    """The declaration of one setting. Raises BadRequest, with the nearest name, where there is none of that name."""
    if name not in NAMES:
        nearest = difflib.get_close_matches(name, NAMES, n=1)
        hint = f" Did you mean '{nearest[0]}'?" if nearest else ""
        listed = ", ".join(NAMES)
        raise BadRequest(f"There is no setting {shown(name)} of a model.{hint} Settings: {listed}.", param=name[:80])
    return ModelSettings.__dataclass_fields__[name]


def checked(name: str, raw: object) -> Value:
    """`raw`, perhaps typed as text, as that setting takes it. Raises BadRequest with the name as `param`."""
    about = spec_of(name).metadata
    try:
        value = converted(about["kind"], raw, name, low=about["low"], high=about["high"])
    except SettingInvalid as error:
        raise BadRequest(error.message, param=name) from error
    if about["choices"] and value not in about["choices"]:
        raise BadRequest(f"{name} is {shown(value)}; it must be one of {', '.join(about['choices'])}.", param=name)
    if value == "" or (name == "chat_template" and len(str(value)) > _TEMPLATE_MOST_CHARACTERS):
        raise BadRequest(f"{name} must be text of 1 to {_TEMPLATE_MOST_CHARACTERS} characters.", param=name)
    return value


class Saved:
    """The settings of every model of one data home. They are read again whenever their file has changed."""

    def __init__(self, home: Home) -> None:
        self._path = home.model_settings
        self._templates = home.templates
        self._read_as: tuple[int, int] | None = None
        self._models: dict[str, ModelSettings] = {}

    def get(self, model_id: str) -> ModelSettings:
        """What is set for a model; nothing for one of which nothing was. Raises HomeUnusable for a damaged file."""
        return self._all().get(model_id, UNSET)

    def update(self, model_id: str, changes: Mapping[str, object]) -> ModelSettings:
        """Set some settings of a model, or clear those that are None. A chat template is given as its text.

        Raises:
            BadRequest: an unknown name, a value of another kind or outside its range, or two that exclude each other.
            HomeUnusable: the data home cannot be written.
        """
        values = {name: None if raw is None else checked(name, raw) for name, raw in changes.items() if spec_of(name)}
        if values.get("chat_template") == "builtin":
            values["chat_template"] = None
        template = values.get("chat_template")
        if isinstance(template, str):
            if "\0" in template or any("\ud800" <= character <= "\udfff" for character in template):
                raise BadRequest("chat_template holds NUL or half a character.", param="chat_template")
            values["chat_template"] = f"{hashlib.sha256(template.encode()).hexdigest()[:32]}.jinja"
        try:
            with alone(self._path):
                models = self._read()
                settings = replace(models.get(model_id, UNSET), **cast("dict[str, Any]", values))
                _refuse_contradiction(settings)
                if isinstance(template, str):
                    write_whole(self._templates / str(values["chat_template"]), template)
                models = {**models, model_id: settings}
                written = {name: one.given() for name, one in sorted(models.items()) if one != UNSET}
                write_whole(self._path, json.dumps(written, indent=1, ensure_ascii=False) + "\n")
        except OSError as error:
            raise HomeUnusable(f"{self._path.name} in the data home cannot be written ({error.strerror}).") from error
        return settings

    def template_path(self, settings: ModelSettings) -> Path | None:
        """Where the template lies that takes the place of the model's own."""
        return self._templates / settings.chat_template if settings.chat_template else None

    def _all(self) -> dict[str, ModelSettings]:
        read_as = version_of(self._path)
        if read_as is None:
            return {}
        if read_as != self._read_as:
            self._models, self._read_as = self._read(), read_as
        return self._models

    def _read(self) -> dict[str, ModelSettings]:
        try:
            read = cast("dict[str, dict[str, Value]]", json.loads(self._path.read_text("utf-8")))
            return {model_id: _restored(values) for model_id, values in read.items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, AttributeError, TypeError, BadRequest) as error:
            raise HomeUnusable(f"{self._path.name} in the data home cannot be read. Mend or remove it.") from error

    def forget_templates(self) -> None:
        """Remove the templates of no model. For the start of a server: an engine that runs needs its own again."""
        kept = {one.chat_template for one in self._all().values()}
        for path in self._templates.glob("*.jinja"):
            if path.name not in kept:
                path.unlink(missing_ok=True)


def _restored(values: Mapping[str, Value]) -> ModelSettings:
    """What the file holds for one model. It may be a stranger's backup's: a template lies nowhere but beside it."""
    template = values.get("chat_template")
    if template is not None and not _TEMPLATE_NAME.fullmatch(str(template)):
        raise BadRequest(f"chat_template {shown(template)} is no name that paddock gave.", param="chat_template")
    return ModelSettings(**cast("dict[str, Any]", {name: checked(name, value) for name, value in values.items()}))


def _refuse_contradiction(settings: ModelSettings) -> None:
    if settings.flash_attention == "off" and settings.kv_type not in (None, *_UNQUANTISED):
        raise BadRequest(
            f"kv_type {settings.kv_type} needs flash attention. Set flash_attention to auto or on, or kv_type to f16.",
            param="kv_type",
        )
    if settings.draft_model and settings.ngram_speculation:
        raise BadRequest(
            "Tokens are proposed either by draft_model or by ngram_speculation. Clear one of them.", param="draft_model"
        )

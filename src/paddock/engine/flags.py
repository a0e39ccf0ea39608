"""Owns the flags an engine is started with, in llama-server's own spelling; refuses to know who chose them.

To add a flag, add one field here; `docs/engine-flags.md` walks through it.
"""

from __future__ import annotations

import argparse
import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, cast


def _flag(spelling: str, help_text: str, default: Any = ..., *, may_lack: bool = False) -> Any:
    """`may_lack`: a build that does not know the flag serves the model all the same."""
    metadata = {"flag": spelling, "help": help_text, "may_lack": may_lack}
    return field(metadata=metadata) if default is ... else field(default=default, metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class EngineFlags:
    """What one engine process runs with. Contexts are in tokens; `context_tokens` is shared out over the slots."""

    model_path: str = _flag("--model", "GGUF file to load")
    alias: str = _flag("--alias", "name the engine gives the model in its answers")
    context_tokens: int = _flag("--ctx-size", "context of all slots together, in tokens")
    slots: int = _flag("--parallel", "requests worked on at once")
    batch_tokens: int = _flag("--batch-size", "prompt tokens handed to the engine in one go")
    ubatch_tokens: int = _flag("--ubatch-size", "prompt tokens computed in one go")
    checkpoints: int = _flag("--ctx-checkpoints", "copies of a slot's state to go back to, where it has one", 32)
    threads: int = _flag("--threads", "CPU threads; 0 takes one per core", 0)
    embeddings: bool = _flag("--embeddings", "serve embeddings instead of text", False)
    reranking: bool = _flag("--reranking", "serve scores of documents instead of text", False)
    projector_path: str | None = _flag(
        "--mmproj", "GGUF file with the model's eyes; without it, it reads text only", None
    )
    template_path: str | None = _flag("--chat-template-file", "chat template in place of the model's own", None)
    kv_type_k: str | None = _flag("--cache-type-k", "how keys are kept in the context, such as q8_0", None)
    kv_type_v: str | None = _flag("--cache-type-v", "how values are kept in the context, such as q8_0", None)
    flash_attention: str | None = _flag("--flash-attn", "on, off or auto", None)
    rope_freq_base: float | None = _flag(
        "--rope-freq-base", "base of the rotary positions, in place of the file's", None
    )
    rope_freq_scale: float | None = _flag("--rope-freq-scale", "scale of the rotary positions", None)
    draft_path: str | None = _flag("--model-draft", "GGUF file of a small model that proposes tokens", None)
    speculation: str | None = _flag("--spec-type", "what proposes tokens: draft-simple or ngram-mod", None)

    lora_paths: tuple[str, ...] = _flag("--lora", "GGUF files of adapters, with commas between them", ())
    lora_init_without_apply: bool = _flag("--lora-init-without-apply", "apply adapters to those who ask alone", False)
    slot_save_path: str | None = _flag(
        "--slot-save-path", "folder where slots are saved and restored from", None, may_lack=True
    )

    def to_argv(self) -> list[str]:
        """The flags as command-line words; switches that are off and files that are not there are left out."""
        words: list[str] = []
        for spec in fields(self):
            value = getattr(self, spec.name)
            if value is True:
                words.append(spec.metadata["flag"])
            elif value is not False and value is not None and value != ():
                words += [spec.metadata["flag"], word_of(value)]
        return words

    @classmethod
    def from_argv(cls, argv: Sequence[str]) -> EngineFlags:
        """The inverse of `to_argv`; exits with status 2, as argparse does, on a flag it does not know."""
        parser = argparse.ArgumentParser(prog="paddock.engine.embedded", allow_abbrev=False)
        for spec in fields(cls):
            flag, text = spec.metadata["flag"], spec.metadata["help"]
            if spec.type == "bool":
                parser.add_argument(flag, dest=spec.name, action="store_true", help=text)
            else:
                parser.add_argument(flag, dest=spec.name, type=_kind_of(str(spec.type)), help=text)
        # Joined, since argparse takes a value that begins with a dash for a flag.
        valued = {spec.metadata["flag"] for spec in fields(cls) if spec.type != "bool"}
        words = iter(argv)
        joined = [f"{word}={next(words, '')}" if word in valued else word for word in words]
        given = {name: value for name, value in vars(parser.parse_args(joined)).items() if value is not None}
        return cls(**given)


def word_of(value: Any) -> str:
    """A flag's value as one word; several are a row with commas, quoted as in a spreadsheet."""
    if not isinstance(value, tuple):
        return str(value)
    row = io.StringIO()
    csv.writer(row, lineterminator="").writerow(cast("tuple[str, ...]", value))
    return row.getvalue()


def _values_in(word: str) -> tuple[str, ...]:
    return tuple(next(csv.reader([word])))


def _kind_of(annotation: str) -> Callable[[str], Any]:
    """What makes a flag's value of its word, from how its field is annotated."""
    kinds: dict[str, Callable[[str], Any]] = {"int": int, "float": float, "tuple[str, ...]": _values_in}
    return kinds.get(annotation.removesuffix(" | None"), str)

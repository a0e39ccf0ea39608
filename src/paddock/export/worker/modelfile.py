"""Owns what Ollama is told of a file: where it lies, how chats are written, what it is best asked with; runs no Ollama.

Ollama writes chats by templates of another language than those of Transformers, of which none can be made. So a
template stands in a Modelfile only where it is shown to write the same: chats in the form that is most spread, with or
without words of the system's own.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

from paddock.export.worker.source import Source
from paddock.paths import write_whole

_PARAMETERS = {
    "temperature": "temperature", "top_p": "top_p", "top_k": "top_k", "min_p": "min_p",
    "repetition_penalty": "repeat_penalty",
}  # fmt: skip
_USER = {"role": "user", "content": "What is rain?"}
_SYSTEM = {"role": "system", "content": "Be brief."}
_SAID = {"role": "assistant", "content": "Water."}
_CHATS = ([_USER], [_SYSTEM, _USER], [_USER, _SAID, _USER], [_SYSTEM, _USER, _SAID, _USER])
_TEMPLATE = '''TEMPLATE """{{- range .Messages }}<|im_start|>{{ .Role }}
{{ .Content }}<|im_end|>
{{ end }}<|im_start|>assistant
"""'''
_NO_TEMPLATE = (
    "# No TEMPLATE: the model's own cannot be said in Ollama's language. Ollama takes one that it knows by that in\n"
    "# the file, or none; compare what it answers with what paddock answers."
)


def write(source: Source, file: Path) -> Path:
    """Write what Ollama needs to know of a file beside it. Raises OSError or PaddockError."""
    target = file.with_suffix(".Modelfile")
    tokenizer = source.tokenizer()
    said = _generation(source.base)
    lines = [f"FROM ./{file.name}", *_template(tokenizer)]
    lines += [f"PARAMETER {name} {said[own]}" for own, name in _PARAMETERS.items() if _is_number(said.get(own))]
    stops: Any = said.get("eos_token_id")
    ids = [tokenizer.eos_token_id, *(cast("list[Any]", stops) if isinstance(stops, list) else [stops])]
    texts = {str(tokenizer.decode([one])) for one in ids if isinstance(one, int)}
    lines += [f'PARAMETER stop "{one}"' for one in sorted(texts) if one and '"' not in one and one.isprintable()]
    write_whole(target, "\n".join(lines) + "\n")
    return target


def _template(tokenizer: Any) -> list[str]:
    """How Ollama writes chats, as the model's own template writes them; else that it does not."""
    if tokenizer.chat_template:
        try:
            written = [_rendered(tokenizer, chat) for chat in _CHATS]
        except Exception:  # a template is a stranger's program, and raises what it likes
            return [_NO_TEMPLATE]
        own = written[0].removeprefix("<|im_start|>system\n").partition("<|im_end|>")[0]
        for system in ("", own):
            if written == [_written(chat, system) for chat in _CHATS] and '"""' not in system:
                return [_TEMPLATE, *([f'SYSTEM """{system}"""'] if system else [])]
    return [_NO_TEMPLATE]


def _rendered(tokenizer: Any, chat: list[dict[str, str]]) -> str:
    text = tokenizer.apply_chat_template(chat, add_generation_prompt=True, tokenize=False)
    return str(text).removeprefix(tokenizer.bos_token or "")


def _written(chat: list[dict[str, str]], system: str) -> str:
    opening = [{"role": "system", "content": system}] if system and chat[0]["role"] != "system" else []
    said = "".join(f"<|im_start|>{one['role']}\n{one['content']}<|im_end|>\n" for one in [*opening, *chat])
    return f"{said}<|im_start|>assistant\n"


def _generation(folder: Path) -> dict[str, Any]:
    """What a model is best asked with, as its folder says."""
    try:
        said: Any = json.loads((folder / "generation_config.json").read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return cast("dict[str, Any]", said) if isinstance(said, dict) else {}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)

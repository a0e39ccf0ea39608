"""Owns looking for models on the hub, and what the hub tells of a repository; refuses to fetch anything.

Blocking; call it from the hub's own process. The words that are looked for are sent to the hub, and nothing else is.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from paddock.models.hub_errors import hub_errors

if TYPE_CHECKING:
    from paddock.models.download import Hub

# What is asked of the hub for each repository.
_TOLD = ["downloads", "gated", "gguf", "lastModified", "likes", "pipeline_tag", "tags"]
_LICENCE = "license:"
ASK_TIMEOUT_S = 10.0


@dataclass(frozen=True, kw_only=True)
class Told:
    """What the hub says of a repository beside its files; None is what it does not say."""

    licence: str | None
    is_gated: bool
    parameter_count: int | None
    context_tokens: int | None


@dataclass(frozen=True, kw_only=True)
class Found:
    """A repository that a search found. `changed` is the day of its last change, as the hub writes it."""

    repo: str
    downloads: int
    likes: int
    changed: str | None
    task: str | None
    licence: str | None
    is_gated: bool
    parameter_count: int | None
    context_tokens: int | None


def search(words: str, *, most: int, hub: Hub) -> list[Found]:
    """The repositories with GGUF files that match these words, the most used first.

    Raises:
        HubUnavailable: the hub cannot be reached, or refuses.
    """
    library: Any = import_module("huggingface_hub")
    asked = {"search": words, "filter": "gguf", "sort": "downloads", "limit": most, "expand": _TOLD}
    with hub_errors(words, hub.host):
        # The library's own listing tries for half a minute before it tells that the hub is away.
        answer = library.get_session().get(
            f"{hub.address}/api/models", params=asked, headers=hub.headers(), timeout=ASK_TIMEOUT_S
        )
        library.utils.hf_raise_for_status(answer)
        try:
            return [_found(library.ModelInfo(**{"siblings": None, **one})) for one in answer.json()]
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError("not an answer of the hub") from error


def told_of(info: Any) -> Told:
    """What the hub's answer about one repository says, whatever of it is missing or strange."""
    tags: object = getattr(info, "tags", None)
    words = [str(tag) for tag in cast("list[object]", tags)] if isinstance(tags, list) else []
    gguf: object = getattr(info, "gguf", None)
    numbers = cast("dict[str, object]", gguf) if isinstance(gguf, dict) else dict[str, object]()
    return Told(
        licence=next((word.removeprefix(_LICENCE) for word in words if word.startswith(_LICENCE)), None),
        is_gated=bool(getattr(info, "gated", False)),
        parameter_count=_count(numbers.get("total")),
        context_tokens=_count(numbers.get("context_length")),
    )


def _found(info: Any) -> Found:
    about = told_of(info)
    changed = getattr(info, "last_modified", None)
    task = getattr(info, "pipeline_tag", None)
    return Found(
        repo=str(info.id),
        downloads=_count(getattr(info, "downloads", 0)) or 0,
        likes=_count(getattr(info, "likes", 0)) or 0,
        changed=changed.date().isoformat() if changed else None,
        task=str(task) if task else None,
        licence=about.licence,
        is_gated=about.is_gated,
        parameter_count=about.parameter_count,
        context_tokens=about.context_tokens,
    )


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and value > 0 else None

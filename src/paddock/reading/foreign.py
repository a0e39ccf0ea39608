"""Owns the exports of ChatGPT, Open WebUI and LM Studio, as far as they are known; recognises and writes nothing. Pure.

Each reader gives the chats of one entry of a file. What it cannot bring is told in the chat's `left_out`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from paddock.reading.values import (
    Json,
    chat,
    id_of,
    message,
    text_part,
    thing,
    things,
    time_s,
    title_of,
    with_thoughts,
    words,
)

_ROLES = ("user", "assistant", "system", "tool")
_THOUGHTS, _THOUGHTS_END = '<details type="reasoning"', "</details>"
_DURATION = re.compile(r"duration=\"(\d{1,6})\"")
_DATA_URL = re.compile(r"data:(image/[a-z]+);base64,([A-Za-z0-9+/=\s]+)\Z")
_MESSAGES_MOST = 100_000


def is_chatgpt(one: Json) -> bool:
    """Whether an entry is a conversation of ChatGPT."""
    return isinstance(one.get("mapping"), dict)


def chatgpt(place: int, one: Json) -> Iterator[Json]:
    """A conversation of ChatGPT: nodes by id, each with its parent; some hold no message, and some are not shown."""
    key = id_of("chatgpt", one.get("conversation_id") or one.get("id") or json.dumps(one.get("mapping")))
    nodes = {name: thing(node) for name, node in thing(one.get("mapping")).items()}
    left_out: dict[str, None] = {}
    told: dict[str, Json] = {}
    for name, node in nodes.items():
        made = thing(node.get("message"))
        role = str(thing(made.get("author")).get("role"))
        content = _chatgpt_content(thing(made.get("content")), left_out)
        if thing(made.get("metadata")).get("is_visually_hidden_from_conversation") is True or role not in _ROLES:
            continue
        if role == "tool":
            left_out["what tools answered"] = None
        elif content:
            model = words(thing(made.get("metadata")).get("model_slug"))[:400] or None
            at_s = time_s(made.get("create_time"))
            told[name] = {"role": role, "content": content, "created_s": at_s, "model": model}
    parents = {name: words(node.get("parent")) for name, node in nodes.items()}
    messages, ids = _tree(key, told, parents)
    yield chat(
        key,
        title=title_of(one.get("title")),
        created_s=time_s(one.get("create_time")),
        updated_s=time_s(one.get("update_time")),
        archived=one.get("is_archived") is True,
        messages=messages,
        leaf_id=_nearest(words(one.get("current_node")), ids, parents),
        left_out=list(left_out),
    )


def _chatgpt_content(content: Json, left_out: dict[str, None]) -> list[Json]:
    kind = content.get("content_type")
    if kind == "thoughts":
        thoughts = [words(thing(one).get("content")) for one in things(content.get("thoughts"))]
        text = "\n\n".join(filter(None, thoughts))
        return [{"type": "reasoning", "text": text}] if text else []
    if kind == "code" and words(content.get("text")):
        return [text_part(f"```\n{words(content['text'])}\n```")]
    made: list[Json] = []
    for part in things(content.get("parts")):
        # What was spoken has its words beside the sound.
        said = part if isinstance(part, str) else thing(part).get("text")
        if isinstance(said, str):
            made += [text_part(words(said))] if said.strip() else []
        else:
            left_out["images and files"] = None
    if not made and kind not in (None, "text", "multimodal_text", "user_editable_context", "model_editable_context"):
        left_out[f"parts of the kind {words(kind)[:40]!r}"] = None
    return made


def is_open_webui(one: Json) -> bool:
    """Whether an entry is a chat of Open WebUI."""
    return isinstance(thing(thing(one.get("chat")).get("history")).get("messages"), dict)


def open_webui(place: int, one: Json) -> Iterator[Json]:
    """A chat of Open WebUI: messages by id under `chat.history`, with `currentId` for the end of what is shown."""
    held = thing(one.get("chat"))
    history = thing(held.get("history"))
    key = id_of("open-webui", one.get("id") or held.get("id") or json.dumps(history))
    left_out: dict[str, None] = {}
    told: dict[str, Json] = {}
    attachments: list[Json] = []
    nodes = {name: thing(node) for name, node in thing(history.get("messages")).items()}
    for name, node in nodes.items():
        role = str(node.get("role"))
        if role not in _ROLES:
            continue
        content = _open_webui_content(node.get("content"), left_out)
        for file in map(thing, things(node.get("files"))):
            if part := _image(key, file, attachments):
                content.append(part)
            else:
                left_out["files"] = None
        model = words(node.get("model"))[:400] or None
        told[name] = {"role": role, "content": content, "created_s": time_s(node.get("timestamp")), "model": model}
    parents = {name: words(node.get("parentId")) for name, node in nodes.items()}
    messages, ids = _tree(key, told, parents)
    system = words(thing(held.get("params")).get("system") or held.get("system"))
    yield chat(
        key,
        title=title_of(one.get("title") or held.get("title")),
        created_s=time_s(one.get("created_at") or held.get("timestamp")),
        updated_s=time_s(one.get("updated_at")),
        pinned=one.get("pinned") is True,
        archived=one.get("archived") is True,
        settings={"system": system} if system else {},
        messages=messages,
        leaf_id=_nearest(words(history.get("currentId")), ids, parents),
        attachments=attachments,
        left_out=list(left_out),
    )


def _open_webui_content(content: object, left_out: dict[str, None]) -> list[Json]:
    if isinstance(content, str):
        return _with_thoughts(words(content))
    made: list[Json] = []
    for part in map(thing, things(content)):
        if isinstance(part.get("text"), str):
            made += _with_thoughts(words(part["text"]))
        else:
            left_out["files"] = None
    return made


def _with_thoughts(text: str) -> list[Json]:
    """Thoughts stand in the text there, as a folded block of quoted lines."""
    made: list[Json] = []
    end = 0
    while (start := text.find(_THOUGHTS, end)) >= 0 and (close := text.find(_THOUGHTS_END, start)) >= 0:
        before = text[end:start].strip()
        made += [text_part(before)] if before else []
        head, _, inner = text[start:close].partition("</summary>")
        thoughts = "\n".join(line.removeprefix(">").removeprefix(" ") for line in inner.strip().splitlines())
        took = _DURATION.search(head.partition(">")[0])
        made.append({"type": "reasoning", "text": thoughts, **({"duration_s": float(took[1])} if took else {})})
        end = close + len(_THOUGHTS_END)
    if not made:
        return with_thoughts(text)
    rest = text[end:].strip()
    return [*made, text_part(rest)] if rest else made


def _image(key: str, file: Json, attachments: list[Json]) -> Json | None:
    """The part for an image that stands in the file itself; None for what is elsewhere."""
    found = _DATA_URL.match(words(file.get("url"))) if file.get("type") == "image" else None
    if not found:
        return None
    name = words(file.get("name"))[:300] or "image"
    attachment_id = id_of(key, "image", found[2])
    attachments.append({"id": attachment_id, "name": name, "media_type": found[1], "data": found[2]})
    return {"type": "image", "attachment_id": attachment_id, "name": name}


def is_lm_studio(one: Json) -> bool:
    """Whether an entry is a conversation of LM Studio."""
    first = thing(next(iter(things(one.get("messages"))), None))
    return isinstance(first.get("versions"), list)


def lm_studio(place: int, one: Json) -> Iterator[Json]:
    """A conversation of LM Studio: messages in a row, each with its versions and the one that is shown."""
    key = id_of("lm-studio", one.get("createdAt") or json.dumps(one.get("messages")), one.get("name"))
    left_out: dict[str, None] = {}
    made: list[Json] = []
    parent_id: str | None = None
    for number, entry in enumerate(map(thing, things(one.get("messages")))):
        shown = entry.get("currentlySelected")
        following = parent_id
        for version, held in enumerate(map(thing, things(entry.get("versions")))):
            role = str(held.get("role"))
            if role not in _ROLES:
                continue
            message_id = id_of(key, number, version)
            model = words(thing(held.get("senderInfo")).get("senderName"))[:400] or None
            content = _lm_studio_content(held, left_out)
            made.append(message(message_id, parent_id, role, content, model=model if role == "assistant" else None))
            if version == shown or following == parent_id:
                following = message_id
        parent_id = following
    system = words(one.get("systemPrompt"))
    yield chat(
        key,
        title=title_of(one.get("name")),
        created_s=time_s(one.get("createdAt")),
        updated_s=time_s(one.get("assistantLastMessagedAt") or one.get("userLastMessagedAt")),
        pinned=one.get("pinned") is True,
        settings={"system": system} if system else {},
        messages=made,
        leaf_id=parent_id,
        left_out=list(left_out),
    )


def _lm_studio_content(held: Json, left_out: dict[str, None]) -> list[Json]:
    """What a version says: its own content, or that of its steps."""
    blocks = [(False, one) for one in things(held.get("content"))]
    for step in map(thing, things(held.get("steps"))):
        is_thought = thing(step.get("style")).get("type") == "thinking"
        blocks += [(is_thought, one) for one in things(step.get("content"))]
    made: list[Json] = []
    for is_thought, block in blocks:
        text = thing(block).get("text")
        if not isinstance(text, str):
            left_out["files and calls of tools"] = None
        elif text:
            made.append({"type": "reasoning", "text": words(text)} if is_thought else text_part(words(text)))
    return made


def _tree(key: str, told: dict[str, Json], parents: dict[str, str]) -> tuple[list[Json], dict[str, str]]:
    """The messages, parents before their children, and the new id of each; a ring of parents is cut."""
    ids = {name: id_of(key, name) for name in list(told)[:_MESSAGES_MOST]}
    above_of = _shortened(parents, ids)
    made: dict[str, Json] = {}
    for first in ids:
        path: dict[str, None] = {}
        name: str | None = first
        while name is not None and name not in made and name not in path:
            path[name] = None
            name = above_of.get(name)
        for one in reversed(path):
            above = above_of.get(one)
            parent_id = ids[above] if above in made else None
            fields: dict[str, Any] = told[one]
            made[one] = message(ids[one], parent_id, fields["role"], fields["content"], **_rest(fields))
    return list(made.values()), ids


def _shortened(parents: dict[str, str], ids: dict[str, str]) -> dict[str, str | None]:
    """Of each node that became a message, the one above it; chains of others between are gone through once."""
    ends: dict[str, str] = {}
    found: dict[str, str | None] = {}
    for name in ids:
        at, passed = parents.get(name, ""), dict[str, None]()
        while at and at not in ids and at not in ends and at not in passed:
            passed[at] = None
            at = parents.get(at, "")
        end = "" if at in passed else ends.get(at, at)
        ends |= dict.fromkeys(passed, end)
        found[name] = end or None
    return found


def _rest(fields: Json) -> Json:
    return {name: value for name, value in fields.items() if name not in ("role", "content")}


def _kept(name: str, ids: dict[str, str], parents: dict[str, str]) -> str | None:
    """The nearest node from this one upwards that became a message."""
    passed: set[str] = set()
    while name and name not in ids:
        if name in passed:
            return None
        passed.add(name)
        name = parents.get(name, "")
    return name or None


def _nearest(name: str, ids: dict[str, str], parents: dict[str, str]) -> str | None:
    found = _kept(name, ids, parents)
    return ids[found] if found else next(reversed(ids.values()), None)

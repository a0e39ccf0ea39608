"""Owns chats as other programs and people read them: paddock's own form, ShareGPT, Markdown. Pure; reads nothing.

Paddock's own form keeps everything: the tree, settings, times. The others are of the branch that is shown.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

Json = dict[str, Any]
_FROM = {"user": "human", "assistant": "gpt", "system": "system", "tool": "observation"}
_HEADS = {"user": "User", "assistant": "Assistant", "system": "System", "tool": "Tool"}
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_CHAT = ("id", "title", "created_s", "updated_s", "pinned", "archived", "settings", "leaf_id")
_MESSAGE = ("id", "parent_id", "role", "model", "content", "created_s", "usage", "timings", "error")


def own(chat: Json, messages: Sequence[Json], folder: str | None) -> str:
    """A chat in paddock's own form, as JSON. An answer under way is told as one that was cut off."""
    told = [
        {
            **{name: one[name] for name in _MESSAGE},
            "status": "cut" if one["status"] == "generating" else one["status"],
        }
        for one in messages
    ]
    return json.dumps({**{name: chat[name] for name in _CHAT}, "folder": folder, "messages": told})


def branch(chat: Json, messages: Sequence[Json]) -> list[Json]:
    """The messages from the root to the end of the branch that is shown."""
    known = {one["id"]: one for one in messages}
    path: list[Json] = []
    at = chat["leaf_id"]
    while at in known:
        path.append(known.pop(at))
        at = path[-1]["parent_id"]
    return path[::-1]


def sharegpt(chat: Json, messages: Sequence[Json]) -> str:
    """A chat as one line of ShareGPT: thoughts stand between <think> tags, as data sets have them."""
    system = chat["settings"].get("system")
    turns = [{"from": "system", "value": system}] if system else []
    for one in branch(chat, messages):
        turns += _turns(one)
    return json.dumps({"id": chat["id"], "title": chat["title"], "conversations": turns}, ensure_ascii=False)


def _turns(message: Json) -> Iterator[Json]:
    said = ""
    for part in message["content"]:
        if part["type"] == "text":
            said += part["text"]
        elif part["type"] == "reasoning":
            said += f"<think>\n{part['text']}\n</think>\n\n"
        elif part["type"] == "tool_call":
            if said:
                yield {"from": _FROM[message["role"]], "value": said}
                said = ""
            call = {"name": part["name"], "arguments": _parsed(part["arguments"])}
            yield {"from": "function_call", "value": json.dumps(call, ensure_ascii=False)}
        elif part["type"] == "tool_result":
            yield {"from": "observation", "value": part["output"]}
        else:
            said += f"[{part['type']}: {part.get('name') or part['attachment_id']}]\n"
    if said:
        yield {"from": _FROM[message["role"]], "value": said}


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def markdown(chat: Json, messages: Sequence[Json]) -> str:
    """A chat to be read by people."""
    told = [f"# {' '.join((chat['title'] or chat['id']).split())}\n"]
    for one in branch(chat, messages):
        by = f" ({one['model']})" if one["model"] else ""
        told.append(f"## {_HEADS[one['role']]}{by}\n")
        told += [f"{_told(part)}\n" for part in one["content"]]
    return "\n".join(told) + "\n"


def _told(part: Json) -> str:
    match part["type"]:
        case "text":
            return _closed(part["text"])
        case "reasoning":
            return "\n".join(f"> {line}".rstrip() for line in part["text"].splitlines())
        case "tool_call":
            return f"Calls `{part['name']}`:\n\n{_fenced(part['arguments'], 'json')}"
        case "tool_result":
            return _fenced(part["output"], "")
        case kind:
            return f"[{kind}: {part.get('name') or part['attachment_id']}]"


def _closed(text: str) -> str:
    """A text whose code has an end: one that was stopped within it would make code of all that follows."""
    fence = ""
    for line in text.splitlines():
        mark = _FENCE.match(line)
        if mark and not fence:
            fence = mark[1]
        elif mark and mark[1][0] == fence[0] and len(mark[1]) >= len(fence) and not line.strip(fence[0] + " "):
            fence = ""
    return f"{text}\n{fence}" if fence else text


def _fenced(text: str, language: str) -> str:
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}{language}\n{text}\n{fence}"

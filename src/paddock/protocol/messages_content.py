"""Owns bringing the turns of a Messages conversation, block by block, into chat messages. Pure."""

from __future__ import annotations

import json
from typing import Any

from paddock.errors import BadRequest, FieldInvalid, shown
from paddock.protocol.shape import as_array, as_object

# Claude Code puts a text that changes with every request at the very beginning of the system prompt, where it would
# spoil the prefix for all that follows.
_BILLING = "x-anthropic-billing-header"
Parts = list[dict[str, Any]]


def system_text(system: Any, notes: dict[str, None]) -> str:
    """The system prompt, a text or text blocks, as one text."""
    if isinstance(system, str):
        return "" if system.startswith(_BILLING) else system
    texts: list[str] = []
    for place, block in enumerate(as_array(system) or []):
        text = (as_object(block) or {}).get("text")
        if not isinstance(text, str):
            raise FieldInvalid(f"system.{place}: must be a text block.", param=f"system.{place}")
        if place == 0 and text.startswith(_BILLING):
            notes["system: the billing text was left out, so that the prompt keeps its prefix"] = None
        elif text:
            texts.append(text)
    return "\n\n".join(texts)


class Turns:
    """The chat messages of a conversation, as its turns are added. `notes` gathers what was put otherwise."""

    def __init__(self, notes: dict[str, None]) -> None:
        self.messages: list[dict[str, Any]] = []
        self._notes = notes

    def add(self, place: int, message: dict[str, Any]) -> None:
        """One turn, checked for its role and the form of its content already."""
        content: Any = message["content"]
        blocks: Parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
        where = f"messages.{place}.content"
        if message["role"] == "system":
            self._add_system(system_text(content, self._notes))
        elif message["role"] == "assistant":
            self._add_assistant(where, blocks)
        else:
            self._add_user(where, blocks)

    def _add_system(self, text: str) -> None:
        """Most templates refuse a system turn past the first: its text joins the user's turn before it."""
        if not text:
            return
        self._notes["messages: a system turn within the conversation became part of the user's turn"] = None
        part = f"<system>\n{text}\n</system>"
        last = self.messages[-1] if self.messages else None
        if last is None or last["role"] != "user":
            self.messages.append({"role": "user", "content": part})
        elif isinstance(last["content"], str):
            last["content"] += f"\n\n{part}"
        else:
            last["content"].append({"type": "text", "text": part})

    def _add_assistant(self, where: str, blocks: Parts) -> None:
        texts: list[str] = []
        thoughts: list[str] = []
        calls: list[dict[str, Any]] = []
        for place, block in enumerate(blocks):
            kind = block["type"]
            if kind == "text":
                texts.append(_text(block, f"{where}.{place}"))
            elif kind == "thinking":
                thoughts.append(str(block.get("thinking") or ""))
            elif kind == "tool_use":
                calls.append(_call(block, f"{where}.{place}"))
            elif kind != "redacted_thinking":
                texts.append(self._told(block))
        turn: dict[str, Any] = {"role": "assistant", "content": "\n\n".join(text for text in texts if text) or None}
        if any(thoughts):
            turn["reasoning_content"] = "\n\n".join(thoughts)
        if calls:
            turn["tool_calls"] = calls
        if turn["content"] or calls:
            self.messages.append(turn)

    def _add_user(self, where: str, blocks: Parts) -> None:
        parts: Parts = []
        for place, block in enumerate(blocks):
            at = f"{where}.{place}"
            if block["type"] == "tool_result":
                result, shown_parts = self._result(block, at)
                self.messages.append(result)
                parts += shown_parts
            else:
                parts += self._parts(block, at)
        if not parts:
            return
        if all(part["type"] == "text" for part in parts):
            text = "\n\n".join(part["text"] for part in parts if part["text"])
            if text:
                self.messages.append({"role": "user", "content": text})
        else:
            self.messages.append({"role": "user", "content": parts})

    def _result(self, block: dict[str, Any], where: str) -> tuple[dict[str, Any], Parts]:
        """A tool's result as a message, and its images, which such a message cannot hold, for the user's turn."""
        call_id = block.get("tool_use_id")
        if not isinstance(call_id, str) or not call_id:
            raise FieldInvalid(f"{where}.tool_use_id: must name the call it answers.", param=f"{where}.tool_use_id")
        content: Any = block.get("content")
        inner: Parts = [{"type": "text", "text": content}] if isinstance(content, str) else as_array(content) or []
        parts = [part for place, one in enumerate(inner) for part in self._parts(one, f"{where}.content.{place}")]
        texts = [part["text"] for part in parts if part["type"] == "text"]
        images = [part for part in parts if part["type"] != "text"]
        text = "\n\n".join(texts)
        if block.get("is_error"):
            text = f"Error: {text}"
        if images:
            self._notes["messages: images of a tool's result became part of the user's turn"] = None
            text = text or "The result is shown in the next message."
        return {"role": "tool", "tool_call_id": call_id, "content": text}, images

    def _parts(self, block: Any, where: str) -> Parts:
        read = as_object(block)
        kind = read.get("type") if read else None
        if read is None or not isinstance(kind, str):
            raise FieldInvalid(f"{where}: must be a block, an object with a 'type'.", param=where)
        if kind == "text":
            return [{"type": "text", "text": _text(read, where)}]
        if kind == "image":
            return [{"type": "image_url", "image_url": {"url": _image_url(read, where)}}]
        if kind == "document":
            return self._document(read, where)
        return [{"type": "text", "text": self._told(read)}]

    def _document(self, block: dict[str, Any], where: str) -> Parts:
        source = as_object(block.get("source")) or {}
        title = [{"type": "text", "text": str(block["title"])}] if block.get("title") else []
        if source.get("type") == "text" and isinstance(source.get("data"), str):
            return [*title, {"type": "text", "text": source["data"]}]
        if source.get("type") == "content":
            inner: Any = source.get("content")
            blocks: Parts = [{"type": "text", "text": inner}] if isinstance(inner, str) else as_array(inner) or []
            return [*title, *(part for one in blocks for part in self._parts(one, f"{where}.source.content"))]
        given = shown(source.get("type"))
        raise BadRequest(
            f"{where}.source: documents of type {given} are not supported. Send the document's text.",
            param=f"{where}.source",
        )

    def _told(self, block: dict[str, Any]) -> str:
        """A block of a kind that no model here knows, as its JSON: told rather than lost."""
        self._notes[f"messages: blocks of type {str(block['type'])[:40]} became text"] = None
        return json.dumps({name: value for name, value in block.items() if name != "cache_control"}, ensure_ascii=False)


def _text(block: dict[str, Any], where: str) -> str:
    text = block.get("text")
    if not isinstance(text, str):
        raise FieldInvalid(f"{where}.text: must be text.", param=f"{where}.text")
    return text


def _call(block: dict[str, Any], where: str) -> dict[str, Any]:
    call_id, name = block.get("id"), block.get("name")
    if not isinstance(call_id, str) or not call_id or not isinstance(name, str) or not name:
        raise FieldInvalid(f"{where}: a tool_use block needs an 'id' and a 'name'.", param=where)
    arguments = json.dumps(block.get("input") or {}, ensure_ascii=False, separators=(",", ":"))
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def _image_url(block: dict[str, Any], where: str) -> str:
    source = as_object(block.get("source")) or {}
    data, url = source.get("data"), source.get("url")
    if source.get("type") == "base64" and isinstance(data, str) and data:
        return f"data:{source.get('media_type') or 'image/png'};base64,{data}"
    if source.get("type") == "url" and isinstance(url, str) and url:
        return url
    kind = shown(source.get("type"))
    raise BadRequest(
        f"{where}.source: images of type {kind} are not supported. Send base64 data or a url.", param=f"{where}.source"
    )

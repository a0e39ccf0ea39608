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
        turn = _Spoken(self.messages)
        for place, block in enumerate(blocks):
            at, kind = f"{where}.{place}", block["type"]
            if kind == "mcp_tool_result" and turn.has_asked(block.get("tool_use_id")):
                # As the model read it, which is with the word Error where that was part of it.
                result, _ = self._result({**block, "is_error": False}, at)
                turn.answered(result)
                continue
            turn.go_on()
            if kind == "text":
                turn.texts.append(_text(block, at))
            elif kind == "thinking":
                turn.thoughts.append(str(block.get("thinking") or ""))
            elif kind == "tool_use":
                turn.calls.append(_call(block, at))
            elif kind == "mcp_tool_use" and block.get("server_name") == "paddock":
                turn.ask(_call(block, at))
            elif kind != "redacted_thinking":
                turn.texts.append(self._told(block))
        turn.end()

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


class _Spoken:
    """An assistant's message, which is several turns where the server's own tools were used in between."""

    def __init__(self, messages: list[dict[str, Any]]) -> None:
        self.texts: list[str] = []
        self.thoughts: list[str] = []
        self.calls: list[dict[str, Any]] = []
        self._messages = messages
        self._asked: dict[str, dict[str, Any] | None] = {}

    def ask(self, call: dict[str, Any]) -> None:
        """A call that the server has carried out."""
        self.calls.append(call)
        self._asked[call["id"]] = None

    def has_asked(self, call_id: Any) -> bool:
        """Whether this turn has such a call, and no result of it yet."""
        return isinstance(call_id, str) and call_id in self._asked and self._asked[call_id] is None

    def answered(self, result: dict[str, Any]) -> None:
        """What came of a call of this turn."""
        self._asked[result["tool_call_id"]] = {**result, "content": result["content"] or "(nothing)"}

    def go_on(self) -> None:
        """Something else is said; after results that is the next turn."""
        if any(self._asked.values()):
            self.end()

    def end(self) -> None:
        """The turn, and the results of its calls; one that was never told is told as such, since templates want it."""
        turn: dict[str, Any] = {
            "role": "assistant",
            "content": "\n\n".join(text for text in self.texts if text) or None,
        }
        if any(self.thoughts):
            turn["reasoning_content"] = "\n\n".join(self.thoughts)
        if self.calls:
            turn["tool_calls"] = self.calls
        if turn["content"] or self.calls:
            self._messages.append(turn)
        for call_id, result in self._asked.items():
            self._messages.append(result or {"role": "tool", "tool_call_id": call_id, "content": "(no result)"})
        self.texts, self.thoughts, self.calls, self._asked = [], [], [], {}


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

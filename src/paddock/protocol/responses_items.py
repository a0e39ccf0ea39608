"""Owns bringing the items of a Responses conversation into chat messages. Pure."""

from __future__ import annotations

import json
from typing import Any

from paddock.errors import BadRequest, FieldInvalid, shown
from paddock.protocol.responses_tools import ToolMap
from paddock.protocol.shape import as_array, as_object, is_json, objects_in

Parts = list[dict[str, Any]]
_ROLES = ("user", "assistant", "system", "developer")


class Turns:
    """The chat messages of a conversation, as its items are added. `notes` gathers what was put otherwise."""

    def __init__(self, tools: ToolMap, notes: dict[str, None]) -> None:
        self.messages: list[dict[str, Any]] = []
        self.system: list[str] = []
        self._tools = tools
        self._notes = notes
        self._thoughts: list[str] = []

    def add(self, where: str, item: dict[str, Any]) -> None:
        """One item. Raises FieldInvalid or BadRequest with the field's path."""
        kind = item.get("type", "message" if "role" in item else None)
        if kind == "message":
            self._message(where, item)
        elif kind in ("function_call", "custom_tool_call"):
            self._call(where, item, is_custom=kind == "custom_tool_call")
        elif kind in ("function_call_output", "custom_tool_call_output"):
            self._output(where, item)
        elif kind == "reasoning":
            texts = [*objects_in(item.get("content")), *objects_in(item.get("summary"))]
            self._thoughts += [str(text["text"]) for text in texts[:1] if text.get("text")]
        elif not isinstance(kind, str):
            raise FieldInvalid(f"{where}: must be an item, an object with a 'type'.", param=where)
        else:
            self._notes[f"input: items of type {kind[:40]} became text"] = None
            self._assistant()["content"] = json.dumps(item, ensure_ascii=False)

    def _message(self, where: str, item: dict[str, Any]) -> None:
        role = item.get("role")
        if role not in _ROLES:
            sentence = f"{where}.role: must be user, assistant, system or developer (got {shown(role)})."
            raise FieldInvalid(sentence, param=f"{where}.role")
        parts = _parts(f"{where}.content", item.get("content"))
        text = "\n\n".join(part["text"] for part in parts if part["type"] == "text" and part["text"])
        if role == "assistant":
            if text:
                turn = self._assistant()
                turn["content"] = text
        elif role in ("system", "developer"):
            self._instruct(text)
        elif any(part["type"] != "text" for part in parts):
            self._turn({"role": "user", "content": parts})
        elif text:
            self._turn({"role": "user", "content": text})

    def _instruct(self, text: str) -> None:
        """At the beginning it is the system prompt; later, where templates refuse one, the user's words."""
        if not text:
            return
        if not self.messages:
            self.system.append(text)
            return
        self._notes["input: instructions within the conversation became part of the user's turn"] = None
        part = f"<system>\n{text}\n</system>"
        last = self.messages[-1]
        if last["role"] == "user" and isinstance(last["content"], str):
            last["content"] += f"\n\n{part}"
        else:
            self._turn({"role": "user", "content": part})

    def _turn(self, message: dict[str, Any]) -> None:
        self._thoughts = []
        self.messages.append(message)

    def _assistant(self) -> dict[str, Any]:
        """A new turn of the assistant, with the thoughts that came before it."""
        turn: dict[str, Any] = {"role": "assistant", "content": None}
        if self._thoughts:
            turn["reasoning_content"] = "\n\n".join(self._thoughts)
            self._thoughts = []
        self.messages.append(turn)
        return turn

    def _call(self, where: str, item: dict[str, Any], *, is_custom: bool) -> None:
        name, call_id = item.get("name"), item.get("call_id")
        if not isinstance(name, str) or not name or not isinstance(call_id, str) or not call_id:
            raise FieldInvalid(f"{where}: a call needs a 'name' and a 'call_id'.", param=where)
        arguments = str(item.get("arguments") or "{}")
        if is_custom:
            arguments = json.dumps({"input": str(item.get("input") or "")}, ensure_ascii=False)
        elif not is_json(arguments):
            self._notes["input: arguments that are no JSON were wrapped"] = None
            arguments = json.dumps({"unreadable": arguments}, ensure_ascii=False)
        flat = self._tools.flat(name, item.get("namespace"))
        last = self.messages[-1] if self.messages else None
        # Calls that follow one another, and a text before them, are one turn.
        turn = last if last is not None and last["role"] == "assistant" and not self._thoughts else self._assistant()
        call = {"id": call_id, "type": "function", "function": {"name": flat, "arguments": arguments}}
        turn.setdefault("tool_calls", []).append(call)

    def _output(self, where: str, item: dict[str, Any]) -> None:
        call_id = item.get("call_id")
        if not isinstance(call_id, str) or not call_id:
            raise FieldInvalid(f"{where}.call_id: must name the call it answers.", param=f"{where}.call_id")
        output: Any = item.get("output")
        if as_object(output) is not None:
            output = json.dumps(output, ensure_ascii=False)
        parts = _parts(f"{where}.output", output)
        images = [part for part in parts if part["type"] != "text"]
        text = "\n\n".join(part["text"] for part in parts if part["type"] == "text")
        if images:
            self._notes["input: images of a tool's output became a user's turn"] = None
            text = text or "The output is shown in the next message."
        self.messages.append({"role": "tool", "tool_call_id": call_id, "content": text})
        if images:
            self.messages.append({"role": "user", "content": images})


def _parts(where: str, content: Any) -> Parts:
    if content is None:
        return []
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    listed = as_array(content)
    if listed is None:
        raise FieldInvalid(f"{where}: must be text or a list of parts.", param=where)
    return [_part(f"{where}.{place}", as_object(part) or {}) for place, part in enumerate(listed)]


def _part(where: str, part: dict[str, Any]) -> dict[str, Any]:
    kind = part.get("type")
    if kind in ("input_text", "output_text", "text", "refusal", "summary_text", "reasoning_text"):
        text = part.get("refusal" if kind == "refusal" else "text")
        if not isinstance(text, str):
            raise FieldInvalid(f"{where}.text: must be text.", param=f"{where}.text")
        return {"type": "text", "text": text}
    if kind in ("input_image", "image_url"):
        image: Any = part.get("image_url")
        url = (as_object(image) or {}).get("url") if as_object(image) is not None else image
        if isinstance(url, str) and url:
            return {"type": "image_url", "image_url": {"url": url}}
        sentence = f"{where}: an image needs an 'image_url'; files are not kept here."
        raise BadRequest(sentence, param=f"{where}.image_url")
    raise BadRequest(f"{where}: parts of type {shown(kind)} are not supported. Send text or images.", param=where)

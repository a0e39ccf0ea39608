"""Owns bringing the items of a Responses conversation into chat messages. Pure."""

from __future__ import annotations

import json
from typing import Any

from paddock.errors import BadRequest, FieldInvalid, shown
from paddock.protocol.responses_tools import ToolMap
from paddock.protocol.shape import as_array, as_object, is_json, objects_in

Parts = list[dict[str, Any]]
_ROLES = ("user", "assistant", "system", "developer")
_OUTPUTS = ("function_call_output", "custom_tool_call_output")
# Items that are the service's own affair and hold no word of the conversation.
_SILENT = ("additional_tools", "configuration_update", "compaction", "compaction_summary", "context_compaction",
           "compaction_trigger")  # fmt: skip
# Fields of an item told as text that a model cannot read: opaque, or the bytes of an image.
_UNTOLD = ("id", "status", "encrypted_content", "result")


def kind_of(item: dict[str, Any]) -> Any:
    """An item's type; what has a role and no type is a message."""
    return item.get("type") or ("message" if "role" in item else None)


class Turns:
    """The chat messages of a conversation, as its items are added. `notes` gathers what was put otherwise.

    What the assistant says, thinks and calls until someone else speaks is one turn. What belongs to the user but comes
    between the outputs of one turn's calls waits until those are through, since templates want them side by side.
    """

    def __init__(self, tools: ToolMap, notes: dict[str, None]) -> None:
        self.system: list[str] = []
        self._messages: list[dict[str, Any]] = []
        self._tools = tools
        self._notes = notes
        self._thoughts: list[str] = []
        self._unanswered: set[str] = set()
        self._waiting: list[dict[str, Any]] = []

    def messages(self) -> list[dict[str, Any]]:
        """The messages so far, without the leading system prompt, which is `system`."""
        return [*self._messages, *self._waiting]

    def add(self, where: str, item: dict[str, Any]) -> None:
        """One item. Raises FieldInvalid or BadRequest with the field's path."""
        kind = kind_of(item)
        if not isinstance(kind, str):
            raise FieldInvalid(f"{where}: must be an item, an object with a 'type'.", param=where)
        if kind in _OUTPUTS:
            self._output(where, item)
        elif kind == "message":
            self._message(where, item)
        elif kind in ("function_call", "custom_tool_call"):
            self._call(where, item, is_custom=kind == "custom_tool_call")
        elif kind == "mcp_call" and item.get("server_label") == "paddock":
            # A tool of the server's own: a call and what came of it, in one item.
            self._call(where, {**item, "call_id": item.get("id")}, is_custom=False)
            output = item.get("error") if item.get("output") is None else item["output"]
            self._output(where, {"call_id": item.get("id"), "output": output})
        elif kind == "reasoning":
            texts = objects_in(item.get("content")) or objects_in(item.get("summary"))
            self._thoughts += [str(text["text"]) for text in texts if text.get("text")]
        elif kind in _SILENT:
            if kind != "additional_tools":
                self._notes[f"input: items of type {kind} left out"] = None
        else:
            self._other(kind, item)

    def _other(self, kind: str, item: dict[str, Any]) -> None:
        """An item of a tool that the service runs itself: told as text, by whoever would have said it."""
        self._notes[f"input: items of type {kind[:40]} became text"] = None
        told = json.dumps({name: item[name] for name in item if name not in _UNTOLD}, ensure_ascii=False)
        if kind.endswith(("_output", "_response")):
            self._hear(told)
        else:
            self._say(told)

    def _message(self, where: str, item: dict[str, Any]) -> None:
        role = item.get("role")
        if role not in _ROLES:
            sentence = f"{where}.role: must be user, assistant, system or developer (got {shown(role)})."
            raise FieldInvalid(sentence, param=f"{where}.role")
        parts = _parts(f"{where}.content", item.get("content"))
        has_images = any(part["type"] != "text" for part in parts)
        text = "\n\n".join(part["text"] for part in parts if part["type"] == "text" and part["text"])
        if has_images and role != "user":
            sentence = f"{where}.content: only a user's message may hold images."
            raise BadRequest(sentence, param=f"{where}.content")
        if has_images:
            self._turn({"role": "user", "content": [part for part in parts if part.get("text") != ""]})
        elif not text:
            self._notes["input: empty messages left out"] = None
        elif role == "assistant":
            self._say(text)
        elif role == "user":
            self._turn({"role": "user", "content": text})
        elif self._messages:
            self._notes["input: instructions within the conversation became part of the user's turn"] = None
            self._hear(f"<system>\n{text}\n</system>")
        else:
            # At the beginning it is the system prompt; later most templates refuse one.
            self.system.append(text)

    def _hear(self, text: str) -> None:
        """Words that are not the assistant's own: part of the user's turn, or one of their own."""
        last = self._messages[-1] if self._messages else None
        if self._unanswered:
            self._waiting.append({"role": "user", "content": text})
        elif self._waiting or last is None or last["role"] != "user":
            self._turn({"role": "user", "content": text})
        elif isinstance(last["content"], str):
            last["content"] += f"\n\n{text}"
        else:
            last["content"].append({"type": "text", "text": text})

    def _turn(self, message: dict[str, Any]) -> None:
        self._settle()
        self._thoughts = []
        self._messages.append(message)

    def _settle(self) -> None:
        """No more outputs are waited for: what waited for them takes its place."""
        self._messages += self._waiting
        self._waiting = []
        self._unanswered.clear()

    def _say(self, text: str) -> None:
        turn = self._assistant()
        turn["content"] = f"{turn['content']}\n\n{text}" if turn["content"] else text

    def _assistant(self) -> dict[str, Any]:
        """The assistant's turn, with the thoughts that came since; a new one where someone else spoke last."""
        if not self._messages or self._messages[-1]["role"] != "assistant" or self._waiting:
            self._settle()
            self._messages.append({"role": "assistant", "content": None})
        turn = self._messages[-1]
        if self._thoughts:
            before = [turn["reasoning_content"]] if "reasoning_content" in turn else []
            turn["reasoning_content"] = "\n\n".join([*before, *self._thoughts])
            self._thoughts = []
        return turn

    def _call(self, where: str, item: dict[str, Any], *, is_custom: bool) -> None:
        name, call_id, namespace = item.get("name"), item.get("call_id"), item.get("namespace")
        if not isinstance(name, str) or not name or not isinstance(call_id, str) or not call_id:
            raise FieldInvalid(f"{where}: a call needs a 'name' and a 'call_id'.", param=where)
        arguments = item.get("arguments") or "{}"
        if is_custom:
            arguments = json.dumps({"input": str(item.get("input") or "")}, ensure_ascii=False)
        elif not isinstance(arguments, str):
            arguments = json.dumps(arguments, ensure_ascii=False)
        elif not is_json(arguments):
            self._notes["input: arguments that are no JSON were wrapped"] = None
            arguments = json.dumps({"unreadable": arguments}, ensure_ascii=False)
        flat = self._tools.flat(name, namespace if isinstance(namespace, str) and namespace else None)
        call = {"id": call_id, "type": "function", "function": {"name": flat, "arguments": arguments}}
        self._assistant().setdefault("tool_calls", []).append(call)
        self._unanswered.add(call_id)

    def _output(self, where: str, item: dict[str, Any]) -> None:
        call_id, name = item.get("call_id"), item.get("name")
        if call_id is None and isinstance(name, str) and name:
            # Codex tells the model of its own tools' state so, without any call of the model's.
            told = {key: item[key] for key in ("namespace", "name", "output") if item.get(key) is not None}
            self._notes["input: outputs that answer no call became text"] = None
            self._hear(json.dumps(told, ensure_ascii=False))
            return
        if call_id is None and len(self._unanswered) == 1:
            call_id = next(iter(self._unanswered))
            self._notes["input: a missing call_id was filled in"] = None
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
        self._messages.append({"role": "tool", "tool_call_id": call_id, "content": text})
        self._unanswered.discard(call_id)
        if images:
            self._waiting.append({"role": "user", "content": images})


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
        field = "file_id" if part.get("file_id") else "image_url"
        sentence = f"{where}.{field}: an image needs an 'image_url', a data URL or an address; files are not kept here."
        raise BadRequest(sentence, param=f"{where}.{field}")
    raise BadRequest(f"{where}: parts of type {shown(kind)} are not supported. Send text or images.", param=where)

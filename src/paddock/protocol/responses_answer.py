"""Owns turning the engine's chat answer into a response, whole or as events; refuses to know requests. Pure."""

from __future__ import annotations

import json
from typing import Any

from paddock.protocol.chat import Frames, calls_in, is_cut, usage_of
from paddock.protocol.responses_object import Item, Snapshot, function_item, reasoning_item, text_item
from paddock.protocol.responses_tools import ToolMap
from paddock.protocol.shape import as_object, is_json, objects_in
from paddock.protocol.sse import comment


class ResponsesPassage:
    """One answer's way from the engine's chat lane to a Responses client.

    Args:
        snapshot: the response as it is before it is answered; it is filled as the answer comes.
        tools: where each of the chat body's functions came from.
    """

    content_type = b"text/event-stream"

    def __init__(self, *, snapshot: Snapshot, tools: ToolMap) -> None:
        self.snapshot = snapshot
        self._tools = tools
        self._frames = Frames()
        self._number = 0
        self._open: Item | None = None
        self._calls: list[dict[str, Any]] = []
        self._current = -1
        self._reason: str | None = None
        self._is_over = False

    def opening(self) -> bytes:
        """`response.created` and `response.in_progress`; a background response is queued in between."""
        is_background = self.snapshot.request.get("background") is True
        self.snapshot.status = "queued" if is_background else "in_progress"
        out = self._event("response.created", response=self.snapshot.response())
        if is_background:
            out += self._event("response.queued", response=self.snapshot.response())
            self.snapshot.status = "in_progress"
        return out + self._event("response.in_progress", response=self.snapshot.response())

    def life(self, note: str) -> bytes:
        """An SSE comment."""
        return comment(note)

    def feed(self, data: bytes) -> bytes:
        """The events for these bytes of the engine's stream."""
        return b"".join(self._chunk(chunk) for chunk in self._frames.feed(data))

    def finish(self) -> bytes:
        """What ends the response: its last item's end and the whole response."""
        out = [self._chunk(chunk) for chunk in self._frames.finish()]
        if not self._is_over:
            self._is_over = True
            is_unfinished = self._reason == "length" or any(is_cut(call["arguments"]) for call in self._calls)
            out += [self._rest_of_calls(), self._close()]
            self.snapshot.end(is_unfinished=is_unfinished, is_filtered=self._reason == "content_filter")
            out.append(self._event(f"response.{self.snapshot.status}", response=self.snapshot.response()))
        return b"".join(out)

    def fail(self, error: dict[str, Any]) -> bytes:
        """`response.failed`; nothing follows."""
        self._is_over = True
        self.snapshot.fail(str(error.get("code") or "server_error"), str(error.get("message") or ""))
        return self._event("response.failed", response=self.snapshot.response())

    def whole(self, body: bytes) -> bytes:
        """The response for a whole chat completion."""
        answer = as_object(json.loads(body)) or {}
        choice = (objects_in(answer.get("choices")) or [dict[str, Any]()])[0]
        said = as_object(choice.get("message")) or {}
        snapshot = self.snapshot
        if said.get("reasoning_content"):
            snapshot.add(reasoning_item(snapshot.item_id("rs"), str(said["reasoning_content"])))
        if said.get("content"):
            snapshot.add(text_item(snapshot.item_id("msg"), str(said["content"])))
        calls = calls_in(said)
        for call_id, name, arguments in calls:
            item = function_item(snapshot.item_id("fc"), call_id, self._tools.origin(name), arguments or "{}")
            snapshot.add(item)
        snapshot.usage = _usage(as_object(answer.get("usage")) or {})
        reason = choice.get("finish_reason")
        is_unfinished = reason == "length" or any(is_cut(arguments) for _, _, arguments in calls)
        snapshot.end(is_unfinished=is_unfinished, is_filtered=reason == "content_filter")
        return json.dumps(snapshot.response(), ensure_ascii=False).encode("utf-8", "replace")

    def _chunk(self, chunk: dict[str, Any]) -> bytes:
        if "error" in chunk:
            error = as_object(chunk["error"]) or {"message": str(chunk["error"])}
            return self.fail({"code": "server_error", "message": error.get("message") or "The engine failed."})
        if usage := as_object(chunk.get("usage")):
            self.snapshot.usage = _usage(usage)
        out = b""
        for choice in objects_in(chunk.get("choices"))[:1]:
            delta = as_object(choice.get("delta")) or {}
            if thought := delta.get("reasoning_content"):
                out += self._text("reasoning", thought)
            if text := delta.get("content"):
                out += self._text("message", text)
            if delta.get("tool_calls"):
                out += b"".join(self._call(call) for call in objects_in(delta["tool_calls"]))
            self._reason = choice.get("finish_reason") or self._reason
        return out

    def _text(self, kind: str, text: str) -> bytes:
        out = b""
        if self._open is None or self._open.fields["type"] != kind:
            out = self._rest_of_calls() + self._close()
            item_id = self.snapshot.item_id("rs" if kind == "reasoning" else "msg")
            item = reasoning_item(item_id, "") if kind == "reasoning" else text_item(item_id, "")
            out += self._begin(item)
        assert self._open is not None
        self._open.pieces.append(text)
        return out + self._delta(self._open, text)

    def _begin(self, item: Item) -> bytes:
        self._open = item
        self.snapshot.add(item)
        out = self._event("response.output_item.added", output_index=item.index, item=item.begun())
        if part := item.part(""):
            out += self._event(
                "response.content_part.added", item_id=item.id, output_index=item.index, content_index=0, part=part
            )
        return out

    def _close(self) -> bytes:
        """The end of the open item, with all it came to hold."""
        item, self._open = self._open, None
        if item is None:
            return b""
        place = {"item_id": item.id, "output_index": item.index}
        out = b""
        if item.done_event:
            out += self._event(item.done_event, **place, **item.done_fields())
        if part := item.part(item.text):
            out += self._event("response.content_part.done", **place, content_index=0, part=part)
        return out + self._event("response.output_item.done", output_index=item.index, item=item.whole())

    def _call(self, call: dict[str, Any]) -> bytes:
        """One delta of a call. Items follow one another: a call that is not the newest one waits for its turn."""
        place = call.get("index")
        place = place if isinstance(place, int) else max(len(self._calls) - 1, 0)
        while place >= len(self._calls):
            self._calls.append({"id": "", "name": "", "arguments": "", "sent": 0})
        held = self._calls[place]
        function = as_object(call.get("function")) or {}
        held["id"] = held["id"] or str(call.get("id") or "")
        held["name"] = held["name"] or str(function.get("name") or "")
        held["arguments"] += str(function.get("arguments") or "")
        is_next = place == self._current + 1 and held["name"]
        if place == self._current or (
            is_next and (self._current < 0 or is_json(self._calls[self._current]["arguments"]))
        ):
            return self._show(place)
        return b""

    def _show(self, place: int) -> bytes:
        """What is known of a call and not yet sent."""
        held, out = self._calls[place], b""
        if place != self._current:
            self._current = place
            item_id = self.snapshot.item_id("fc")
            call_id = held["id"] or f"call_{item_id[3:]}"
            out = self._close() + self._begin(function_item(item_id, call_id, self._tools.origin(held["name"]), ""))
        item, piece = self._open, held["arguments"][held["sent"] :]
        if item is not None and item.is_call and piece:
            held["sent"] = len(held["arguments"])
            item.pieces.append(piece)
            # The text of a custom tool stands within JSON: it is sent once it can be read.
            out += b"" if item.is_custom else self._delta(item, piece)
        return out

    def _rest_of_calls(self) -> bytes:
        """The calls that waited for their turn; one without any arguments has none."""
        out = b""
        for place in range(max(self._current, 0), len(self._calls)):
            held = self._calls[place]
            held["arguments"] = held["arguments"] or "{}"
            out += self._show(place)
        return out

    def _delta(self, item: Item, text: str) -> bytes:
        """One delta: the most frequent event, so put together by hand."""
        number, self._number = self._number, self._number + 1
        kind, more = item.delta_event, item.delta_fields
        return (
            f'event: {kind}\ndata: {{"type": "{kind}", "sequence_number": {number}, "item_id": "{item.id}", '
            f'"output_index": {item.index}, {more}"delta": {json.dumps(text)}}}\n\n'
        ).encode()

    def _event(self, kind: str, **fields: Any) -> bytes:
        number, self._number = self._number, self._number + 1
        data = {"type": kind, "sequence_number": number, **fields}
        text = json.dumps(data, ensure_ascii=False).encode("utf-8", "replace")
        return b"event: " + kind.encode() + b"\ndata: " + text + b"\n\n"


def _usage(usage: dict[str, Any]) -> dict[str, Any]:
    prompt, completion, cached = usage_of(usage)
    return {
        "input_tokens": prompt,
        "input_tokens_details": {"cached_tokens": cached, "cache_write_tokens": 0},
        "output_tokens": completion,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": prompt + completion,
    }

"""Owns turning the engine's chat answer into a response, whole or as events; refuses to know requests. Pure."""

from __future__ import annotations

import json
from typing import Any

from paddock.protocol.chat import Frames, usage_of
from paddock.protocol.responses_object import InputText, Item, Kind, Snapshot
from paddock.protocol.responses_tools import ToolMap
from paddock.protocol.shape import as_object, is_json, objects_in
from paddock.protocol.sse import comment
from paddock.protocol.turns import tool_event

# How an engine names a prompt that outgrew its context while it was answering.
_OVERFLOW = "exceed_context_size_error"
# As json.dumps writes a value, without looking at options first.
_json_of = json.JSONEncoder().encode


class ResponsesPassage:
    """One answer's way from the engine's chat lane to a Responses client.

    Items follow one another. Only one is live, and its pieces go out as they come; what belongs to a later one is held
    until the live one has ended, which a call has when its arguments are JSON.

    Args:
        snapshot: the response as it is before it is answered; it is filled as the answer comes.
        tools: where each of the chat body's functions came from.
    """

    content_type = b"text/event-stream"
    keeps_turns = True

    def __init__(self, *, snapshot: Snapshot, tools: ToolMap) -> None:
        self.snapshot = snapshot
        self._tools = tools
        self._frames = Frames()
        self._number = 0
        self._lane = _Lane()
        self._working: dict[str, Item] = {}
        self._reason: str | None = None
        self._answered_s: int | None = None
        self._is_waiting = False
        self._is_opened = False
        self._is_over = False

    def opening(self) -> bytes:
        """`response.created` and `response.in_progress`.

        A response in the background is queued in between; one whose model is being loaded is queued until its engine
        answers.
        """
        snapshot, self._is_opened = self.snapshot, True
        is_background = snapshot.request.get("background") is True
        is_queued = is_background or self._is_waiting
        # A client in the foreground may leave at any time: what is kept of its response then was in progress.
        snapshot.status = "queued" if is_background else "in_progress"
        shown = {**snapshot.response(), "status": "queued" if is_queued else "in_progress"}
        out = self._event("response.created", response=shown)
        if is_queued:
            out += self._event("response.queued", response=shown)
        return out if self._is_waiting else out + self._begun()

    def life(self, note: str) -> bytes:
        """An SSE comment. A stream that is opened to say that the model is loading is queued from then on."""
        if not self._is_opened and note.startswith("loading"):
            self._is_waiting = True
        return comment(note)

    def feed(self, data: bytes) -> bytes:
        """The events for these bytes of the engine's stream."""
        out = [self._begun()] if self._is_waiting and self._is_opened else []
        texts = None if self._is_over else self._frames.texts(data)
        if texts is None:
            out += [self._chunk(chunk) for chunk in self._frames.feed(data)]
        else:
            out += [self._text("message", text) for text in texts]
        return b"".join(out)

    def finish(self) -> bytes:
        """What ends the response: its last item's end and the whole response."""
        out = [self._chunk(chunk) for chunk in self._frames.finish()]
        if not self._is_over:
            out.append(self._end())
            out.append(self._event(f"response.{self.snapshot.status}", response=self.snapshot.response()))
        return b"".join(out)

    def fail(self, error: dict[str, Any]) -> bytes:
        """`response.failed`; nothing follows."""
        self._is_over = True
        code = error.get("code")
        if error.get("type") == _OVERFLOW:
            code = "context_length_exceeded"
        elif code is None and error.get("type") == "invalid_request_error":
            # The request is to blame: to repeat it would be of no use.
            code = "invalid_prompt"
        self.snapshot.fail(str(code), str(error.get("message") or "The engine failed."))
        return self._event("response.failed", response=self.snapshot.response())

    def whole(self, body: bytes) -> bytes:
        """The response for a whole chat completion: the same way as a stream's, in one step."""
        answer = as_object(json.loads(body)) or {}
        choice = (objects_in(answer.get("choices")) or [dict[str, Any]()])[0]
        said = as_object(choice.get("message")) or {}
        calls = [{**call, "index": place} for place, call in enumerate(objects_in(said.get("tool_calls")))]
        for turn in objects_in((as_object(answer.get("paddock")) or {}).get("turns")):
            self._chunk({"choices": [{"delta": turn}]})
            for event in [{**event, "state": "running"} for event in turn["tools"]] + turn["tools"]:
                self._tool(event)
            said = {}
        self._chunk({**answer, "choices": [{**choice, "delta": {**said, "tool_calls": calls}}]})
        if not self._is_over:
            self._end()
        return json.dumps(self.snapshot.response(), ensure_ascii=False).encode("utf-8", "replace")

    def _begun(self) -> bytes:
        self._is_waiting = False
        self.snapshot.status = "in_progress"
        return self._event("response.in_progress", response=self.snapshot.response())

    def _end(self) -> bytes:
        """Close every item and the response."""
        self._is_over = True
        is_filtered = self._reason == "content_filter"
        is_unfinished = self._reason == "length"
        out = self._advance(is_over=True, is_broken=is_unfinished or is_filtered)
        is_unfinished = is_unfinished or any(item.is_cut for item in self.snapshot.output)
        self.snapshot.end(is_unfinished=is_unfinished, is_filtered=is_filtered, at_s=self._answered_s)
        return out

    def _chunk(self, chunk: dict[str, Any]) -> bytes:
        if self._is_over:
            return b""
        if "error" in chunk:
            return self.fail(as_object(chunk["error"]) or {"message": str(chunk["error"])})
        if self.snapshot.watch and (timings := as_object(chunk.get("timings"))):
            self.snapshot.watch.engine = timings
        if usage := as_object(chunk.get("usage")):
            self.snapshot.usage = _usage(usage)
            if isinstance(chunk.get("created"), int):
                self._answered_s = chunk["created"]
        if event := tool_event(chunk):
            return self._tool(event)
        out = b""
        for choice in objects_in(chunk.get("choices"))[:1]:
            delta = as_object(choice.get("delta")) or {}
            if thought := delta.get("reasoning_content"):
                out += self._text("reasoning", str(thought))
            if text := delta.get("content"):
                odds = None if delta.get("tool_calls") else choice.get("logprobs")
                out += self._text("message", str(text), _odds(odds, str(text)) if odds else None)
            for call in objects_in(delta.get("tool_calls")):
                out += self._call(call)
            self._reason = choice.get("finish_reason") or self._reason
        return out

    def _tool(self, event: dict[str, Any]) -> bytes:
        """What a tool of the server does. Its item stands apart: several may be at work side by side."""
        if event["state"] == "running":
            out = self._advance(is_over=True)
            item = self._working[event["id"]] = Item(kind="tool", event_of_tool=event)
            self.snapshot.add(item)
            out += self._event("response.output_item.added", output_index=item.index, item=item.whole())
            place = {"item_id": item.id, "output_index": item.index}
            out += self._event("response.mcp_call.in_progress", **place)
            return out + self._event("response.mcp_call_arguments.done", **place, arguments=event["arguments"])
        item = self._working[event["id"]]
        place = {"item_id": item.id, "output_index": item.index}
        if event["state"] == "output":
            return self._event("response.mcp_call.output.delta", **place, delta=event["output"])
        if event["state"] in ("asking", "answered"):
            told = "requested" if event["state"] == "asking" else "answered"
            return self._event(f"response.mcp_call.approval.{told}", **place, approval=event["approval"])
        item.status, item.event_of_tool = "completed", event
        outcome = "failed" if event["state"] == "failed" else "completed"
        return self._event(f"response.mcp_call.{outcome}", **place) + self._event(
            "response.output_item.done", output_index=item.index, item=item.whole()
        )

    def _text(self, kind: Kind, text: str, odds: list[dict[str, Any]] | None = None) -> bytes:
        lane = self._lane
        item = lane.items[-1] if lane.items else None
        if item is None or item.kind != kind or item.status != "in_progress":
            item = Item(kind=kind)
            lane.items.append(item)
        item.pieces.append(text)
        if odds is not None:
            item.logprobs += odds
        elif item is lane.live and lane.sent == len(item.pieces) - 1:
            lane.sent += 1
            return self._delta(text)
        return self._advance(odds=odds)

    def _call(self, call: dict[str, Any]) -> bytes:
        """One delta of a call."""
        lane = self._lane
        function = as_object(call.get("function")) or {}
        call_id, name = str(call.get("id") or ""), str(function.get("name") or "")
        item = lane.call(call.get("index"), call_id, is_named=bool(name))
        item.call_id = item.call_id or call_id
        if name and not item.origin.name:
            item.origin = self._tools.origin(name)
        if item.status == "in_progress" and (piece := function.get("arguments")):
            item.pieces.append(piece if isinstance(piece, str) else json.dumps(piece, ensure_ascii=False))
        return self._advance()

    def _advance(
        self, *, is_over: bool = False, is_broken: bool = False, odds: list[dict[str, Any]] | None = None
    ) -> bytes:
        """Send what the live item has, and go on to the next one while it has ended."""
        lane, out = self._lane, b""
        while (item := lane.next()) is not None:
            is_last = item is lane.items[-1]
            if item.kind == "call" and not item.origin.name and not is_over:
                break
            if item is not lane.live:
                out += self._begin(item)
            if item.kind == "call" and is_over and not item.pieces:
                item.pieces.append("{}")
            if lane.sent < len(item.pieces):
                piece = "".join(item.pieces[lane.sent :])
                lane.sent = len(item.pieces)
                out += self._delta(lane.input.feed(piece) if item.is_custom else piece, odds)
            if not is_over and (is_last or not lane.has_ended()):
                break
            is_cut = item.is_cut if item.kind == "call" else is_broken and is_last
            out += self._close(item, "incomplete" if is_cut else "completed")
        return out

    def _begin(self, item: Item) -> bytes:
        self.snapshot.add(item)
        item.began_s = self.snapshot.watch.now() if self.snapshot.watch else None
        out = self._event("response.output_item.added", output_index=item.index, item=item.begun())
        place = {"item_id": item.id, "output_index": item.index}
        if part := item.part(""):
            out += self._event("response.content_part.added", **place, content_index=0, part=part)
        kind, content = f"{item.event}.delta", '"content_index": 0, ' if part else ""
        head = f'event: {kind}\ndata: {{"type": "{kind}", "item_id": "{item.id}", "output_index": {item.index}, '
        self._lane.begin(item, f"{head}{content}")
        return out

    def _close(self, item: Item, status: Any) -> bytes:
        """The end of the live item, with all it came to hold."""
        item.status = status
        item.note_end(self.snapshot.watch)
        place = {"item_id": item.id, "output_index": item.index}
        out, done = b"", item.done_fields()
        if item.is_custom:
            # What could not be read as it came is sent now.
            out += self._delta(done["input"][self._lane.input_characters :])
        out += self._event(f"{item.event}.done", **place, **done)
        if part := item.part(item.text):
            out += self._event("response.content_part.done", **place, content_index=0, part=part)
        self._lane.close()
        return out + self._event("response.output_item.done", output_index=item.index, item=item.whole())

    def _delta(self, text: str, odds: list[dict[str, Any]] | None = None) -> bytes:
        """One delta of the live item: the most frequent event, so put together by hand."""
        lane = self._lane
        if not text:
            return b""
        lane.input_characters += len(text)
        number, self._number = self._number, self._number + 1
        listed = f'"logprobs": {_json_of(odds) if odds else "[]"}, ' if lane.is_message else ""
        return f'{lane.head}{listed}"sequence_number": {number}, "delta": {_json_of(text)}}}\n\n'.encode()

    def _event(self, kind: str, **fields: Any) -> bytes:
        number, self._number = self._number, self._number + 1
        return _event(kind, number, **fields)


def endings(response: dict[str, Any], number: int) -> list[tuple[int, bytes]]:
    """The last event of a response that ended before its stream did, by its status, as (sequence number, event).

    `number` is the event's; at 0 nothing was sent before, and `response.created` comes first. A cancelled response is
    told by `response.incomplete`, with its status: the dialect has no event of its own for it.
    """
    status = response["status"]
    kind = f"response.{status if status in ('completed', 'failed') else 'incomplete'}"
    begun = {**response, "status": "queued", "error": None, "incomplete_details": None, "completed_at": None}
    told = [] if number else [(0, _event("response.created", 0, response=begun))]
    number += len(told)
    return [*told, (number, _event(kind, number, response=response))]


def _event(kind: str, number: int, **fields: Any) -> bytes:
    text = json.dumps({"type": kind, "sequence_number": number, **fields}, ensure_ascii=False)
    return b"event: " + kind.encode() + b"\ndata: " + text.encode("utf-8", "replace") + b"\n\n"


class _Lane:
    """The items in the order in which they came, and which of them is live."""

    def __init__(self) -> None:
        self.items: list[Item] = []
        self.live: Item | None = None
        self.sent = 0
        self.head = ""
        self.is_message = False
        self.input = InputText()
        self.input_characters = 0
        self._at = 0
        self._calls: dict[int, Item] = {}
        self._looked_at = -1

    def call(self, index: Any, call_id: str, *, is_named: bool) -> Item:
        """The call that a delta belongs to: the one of its index, else the newest, unless it begins one."""
        newest = max(self._calls, default=-1)
        place = index if isinstance(index, int) else max(newest, 0)
        item = self._calls.get(place)
        # An engine may count anew with each round of calls, or not at all: another id with a name is another call.
        is_another = item is not None and is_named and call_id != "" and item.call_id not in ("", call_id)
        if item is None or is_another:
            place = place if isinstance(index, int) else newest + 1
            item = self._calls[place] = Item(kind="call")
            self.items.append(item)
        return item

    def next(self) -> Item | None:
        """The first item that is not closed."""
        return self.items[self._at] if self._at < len(self.items) else None

    def begin(self, item: Item, head: str) -> None:
        """Make an item the live one. `head` is what each of its deltas begins with."""
        self.live, self.head, self.is_message = item, head, item.kind == "message"
        self.sent, self.input, self.input_characters, self._looked_at = 0, InputText(), 0, -1

    def close(self) -> None:
        """The live item has ended."""
        self.live = None
        self._at += 1

    def has_ended(self) -> bool:
        """Whether the live item, after which another one came, is complete."""
        item = self.live
        if item is None or item.kind != "call":
            return True
        if self._looked_at == len(item.pieces) or not item.pieces or not item.pieces[-1].rstrip().endswith("}"):
            return False
        self._looked_at = len(item.pieces)
        return is_json(item.text)


def _odds(logprobs: Any, text: str) -> list[dict[str, Any]]:
    """How likely the tokens of a text were, as the dialect writes it; of thoughts before it nothing is told."""
    tokens = objects_in((as_object(logprobs) or {}).get("content"))
    left, start = len(text), len(tokens)
    while start and left > 0:
        start -= 1
        left -= len(str(tokens[start].get("token")))
    return [_odd(token) for token in tokens[start:]]


def _odd(token: dict[str, Any]) -> dict[str, Any]:
    others = [_likely(other) for other in objects_in(token.get("top_logprobs"))]
    return {**_likely(token), "top_logprobs": others}


def _likely(token: dict[str, Any]) -> dict[str, Any]:
    text = str(token.get("token"))
    return {
        "token": text,
        "logprob": token.get("logprob") or 0.0,
        "bytes": token.get("bytes") or list(text.encode("utf-8", "replace")),
    }


def _usage(usage: dict[str, Any]) -> dict[str, Any]:
    prompt, completion, cached = usage_of(usage)
    return {
        "input_tokens": prompt,
        "input_tokens_details": {"cached_tokens": cached, "cache_write_tokens": 0},
        "output_tokens": completion,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": prompt + completion,
    }

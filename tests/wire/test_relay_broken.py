"""Tests an answer that cannot be handed over to its end: only a stream is ended by an event, a whole one breaks."""

from __future__ import annotations

import anyio
import pytest
from starlette.types import Message

from paddock.api.dialects import OPENAI
from paddock.errors import PaddockError, StoreUnusable
from paddock.serving.passage import Straight
from paddock.serving.prepare import prepare
from paddock.serving.relay import Patience, Relay
from tests.wire.rig import CHAT, USER, Rig

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("stream", [False, True])
async def test_an_error_after_the_head_is_written_into_a_stream_alone(rig: Rig, stream: bool) -> None:
    sent: list[Message] = []

    async def receive() -> Message:
        await anyio.sleep_forever()
        raise AssertionError

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body" and not any(one["type"] == message["type"] for one in sent):
            sent.append({**message, "body": b""})
            raise StoreUnusable("The database is gone.")
        sent.append(message)

    patience = Patience(status_deadline_s=10, keepalive_s=10, answer_timeout_s=10)
    prepared = prepare(CHAT, {"messages": [USER], "stream": stream})
    relay = Relay(
        prepared, pool=rig.studio.pool, model_id="pocket-v0", dialect=OPENAI, passage=Straight(), patience=patience
    )
    if stream:
        await relay({"type": "http"}, receive, send)
        assert b"The database cannot be used." in sent[-1]["body"]
        return
    with pytest.raises(ExceptionGroup) as caught:
        await relay({"type": "http"}, receive, send)
    assert caught.group_contains(PaddockError)
    assert b"".join(message.get("body", b"") for message in sent) == b""

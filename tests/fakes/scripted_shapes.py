"""Owns the shapes of the scripted engine's script and record, for the program and the tests; holds no behaviour."""

from __future__ import annotations

from typing import Any, Literal, TypedDict


class Chunk(TypedDict, total=False):
    """Bytes (`data`, base64) or `text`, sent `delay_s` after the one before. `stamp` fills SENT_S with the time."""

    data: str
    text: str
    delay_s: float
    stamp: bool


class Generate(TypedDict, total=False):
    """A stream made on the fly: `chunks` frames of `text` at `per_s` a second (0: at once), after `progress` frames."""

    chunks: int
    per_s: float
    text: str
    stamp: bool
    lane: Literal["chat", "completions"]
    model: str
    progress: int
    progress_every_s: float
    usage: bool


class Answer(TypedDict, total=False):
    """One answer. A body is `json` or `body` (base64), a stream is `chunks` or `generate`.

    `wait_s` is the silence before the head (None: for ever); `framing` is how the body is delimited; `end` is what
    happens after the last byte: the right end, a FIN (`drop`), an RST (`reset`), silence (`stall`), a FIN of the
    sending side alone (`half`), SIGKILL of the engine (`crash`) or its exit with `code`.
    """

    wait_s: float | None
    status: int
    reason: str
    headers: list[tuple[str, str]]
    json: Any
    body: str
    chunks: list[Chunk]
    generate: Generate
    framing: Literal["chunked", "length", "close"]
    declared_length: int
    no_head: bool
    end: Literal["end", "drop", "reset", "stall", "half", "crash", "exit"]
    code: int


class Start(TypedDict, total=False):
    """How one start goes.

    `stubborn` ignores SIGTERM and the end of stdin; `chatter_bytes` are printed to each pipe once it is ready.
    """

    delay_s: float
    stderr: list[str]
    stdout: list[str]
    then: Literal["ready", "fail", "exit", "signal", "silent"]
    message: str
    code: int
    signal: int
    stubborn: bool
    chatter_bytes: int


class Act(TypedDict, total=False):
    """What an agent's model does next: a call of `tool` with `arguments`, or a `text`."""

    tool: str
    arguments: dict[str, Any]
    text: str


class Script(TypedDict, total=False):
    """All that can be set. `slot_tokens` are what the first slots hold; a scripted answer to a save leaves half a file.

    `props` is laid over the default /props; `journal` is a file that gets a line per start.

    `plot` is played on the chat lane where no route is scripted: act n answers a request with n tool results.
    """

    routes: dict[str, list[Answer]]
    props: dict[str, Any]
    starts: list[Start]
    plot: list[Act]
    slot_tokens: list[int]
    journal: str


class Seen(TypedDict):
    """One request as it arrived (`body` base64), with times of the monotonic clock and how its peer left."""

    method: str
    path: str
    query: str
    headers: list[tuple[str, str]]
    body: str
    began_s: float
    answered_s: float | None
    closed_s: float | None
    closed_how: str | None
    chunks_sent: int

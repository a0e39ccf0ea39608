"""Owns spoiling what the API answers to the page, at once or as it happens; refuses to know what is shown of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast

from playwright.sync_api import BrowserContext

from tests.page.hostile import payload

# Rows of one kind have one place.
_ONE = re.compile(
    r"(?<=/api/chats)/(?!events)[^/]+|(?<=/messages)/[^/]+|(?<=/requests)/[^/]+|(?<=/attachments)/[^/]+"
    r"|(?<=/responses)/[^/]+|(?<=/api/training)/job_[^/]+|(?<=/api/exports)/job_[^/]+|(?<=/files)/[^/]+"
    r"|(?<=/api/evaluations)/job_[^/]+|(?<=/api/evaluation-sets)/set_[^/]+"
    r"|(?<=/api/knowledge)/col_[^/]+|(?<=/api/knowledge/passages)/[^/]+"
)
# What page and API know one another by: changed, it would not be shown at all, and nothing would be tried.
KEPT = frozenset(
    [
        "id",
        "parent_id",
        "chat_id",
        "folder_id",
        "message_id",
        "attachment_id",
        "response_id",
        "selected_leaf",
        "task",
        "object",
        "role",
        "rights",
        "type",
        "status",
        "state",
        "kind",
        "of",
        "outcome",
        "format",
        "fits",
        "mode",
        "methods",
        "capabilities",
        "verdict",
        "standing",
        "code",
        "param",
        "created_at",
        "updated_at",
        "finished_at",
        "at",
        "expires_at",
        "since",
        "url",
        "own_url",
        "device",
        "default",
        "choice",
        "choices",
        "level",
        "endpoint",
        "dialect",
    ]
)
# The same, where the word means something else elsewhere.
KEPT_AT = frozenset(
    [
        "/api/training/options.data[].name",
        "/api/settings.settings[].source",
        "/api/hub/search.data[].repo",
        "/api/exports.types[].name",
        "/api/exports/ID.figures.artifacts.F16.path",
        "/api/evaluations.data[].spec.suite",
        "/api/evaluations/ID.spec.suite",
    ]
)
# Each answer goes out to the test and comes back spoilt; one that is streamed does so event by event.
_ANSWERS = """
const fetched = window.fetch;
window.fetch = async (...asked) => {
    const answer = await fetched(...asked);
    const { url, status, headers } = answer;
    const kind = headers.get('content-type') ?? '';
    if (!answer.body || !/json|text/.test(kind) || !/^.(api|v1|health)/.test(new URL(url).pathname)) return answer;
    if (!kind.startsWith('text/event-stream'))
        return new Response(await __spoilt(url, kind, await answer.text()), { status, headers });
    let rest = '';
    const spoilt = new TransformStream({
        async transform(text, out) {
            const lines = (rest + text).split('\\n');
            rest = lines.pop();
            for (const line of lines) {
                const isData = line.startsWith('data: {');
                const told = isData ? `data: ${await __spoilt(url, 'application/json', line.slice(6))}` : line;
                out.enqueue(`${told}\\n`);
            }
        },
    });
    const body = answer.body.pipeThrough(new TextDecoderStream()).pipeThrough(spoilt);
    return new Response(body.pipeThrough(new TextEncoderStream()), { status, headers });
};
"""


@dataclass(kw_only=True)
class Poisoner:
    """Puts a payload behind every text of what the API answers to the page, refusals too, but those of `KEPT`."""

    places: dict[str, str] = field(default_factory=dict[str, str])
    answered: set[str] = field(default_factory=set[str])

    def watch(self, context: BrowserContext) -> None:
        """Spoil all that the pages of a profile are answered from their next load on."""
        context.expose_function("__spoilt", self._answer)  # pyright: ignore[reportUnknownMemberType]
        context.add_init_script(_ANSWERS)

    def _answer(self, url: str, kind: str, text: str) -> str:
        """What was answered, or the data of one event of it, spoilt."""
        path = self._path(url)
        if kind.startswith("application/json"):
            return json.dumps(self._spoilt(json.loads(text), path, ""))
        return text + payload(self._mark(path))

    def _path(self, url: str) -> str:
        """The path of an address that was answered, without what only one row has."""
        path = _ONE.sub("/ID", re.sub(r"^https?://[^/]+|\?.*", "", url))
        self.answered.add(path)
        return path

    def _spoilt(self, value: Any, place: str, key: str) -> Any:
        if isinstance(value, str):
            return value if key in KEPT or place in KEPT_AT else value + payload(self._mark(place))
        if isinstance(value, list):
            return [self._spoilt(one, f"{place}[]", key) for one in cast("list[Any]", value)]
        if isinstance(value, dict):
            read = cast("dict[str, Any]", value)
            return {name: self._spoilt(one, f"{place}.{name}", name) for name, one in read.items()}
        return value

    def _mark(self, place: str) -> str:
        """The mark of a place, the same for each of its rows; no text that is put somewhere has one so high."""
        return self.places.setdefault(place, f"m{20_000 + len(self.places)}q")

    def shown(self, seen: set[str]) -> Iterator[str]:
        """The places whose payload was there to be read."""
        return (place for place, mark in self.places.items() if mark in seen)

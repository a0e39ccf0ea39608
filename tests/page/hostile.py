"""Owns texts that try to run in the page, and the trap that notices if one does; refuses to know where they stand."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast

from playwright.sync_api import BrowserContext, Dialog, Page, Route

from tests.page.rig import Tab

ELSEWHERE = "evil.example"
# Rows of one kind have one place.
_ONE = re.compile(r"(?<=/api/chats)/[^/]+|(?<=/requests)/[^/]+|(?<=/attachments)/[^/]+")
# What page and API know one another by: changed, it would not be shown at all, and nothing would be tried.
KEPT = frozenset(
    [
        "id",
        "parent_id",
        "chat_id",
        "folder_id",
        "message_id",
        "attachment_id",
        "selected_leaf",
        "task",
        "object",
        "role",
        "type",
        "status",
        "state",
        "kind",
        "source",
        "outcome",
        "format",
        "fits",
        "mode",
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
        "choices",
        "level",
        "endpoint",
        "dialect",
    ]
)
_RUNS = """
window.__ran = [];
window.__xss = mark => window.__ran.push(`ran: ${mark}`);
for (const name of ['alert', 'confirm', 'prompt', 'open'])
    window[name] = text => window.__ran.push(`${name}: ${text}`);
document.addEventListener('securitypolicyviolation', event =>
    window.__ran.push(`the policy stopped ${event.violatedDirective}: ${event.blockedURI} ${event.sample}`));
"""
# The policy of the page stops most of what would run. That nothing of it was even made is looked for by itself.
_FOUND = r"""() => {
    const found = [...window.__ran];
    const addresses = ['href', 'src', 'srcset', 'action', 'formaction', 'data', 'poster', 'background', 'xlink:href'];
    const makers = 'iframe,frame,object,embed,applet,base,portal,form[action],meta[http-equiv],'
        + 'svg script,svg foreignObject,svg animate,svg set,svg use,video,audio,source,marquee';
    for (const one of document.querySelectorAll(makers)) found.push(`made: ${one.outerHTML.slice(0, 200)}`);
    for (const one of document.querySelectorAll('script'))
        if (!one.src.startsWith(location.origin) || one.textContent) found.push(`script: ${one.outerHTML}`);
    for (const one of document.querySelectorAll('*')) {
        for (const { name, value } of one.attributes) {
            if (/^on/i.test(name)) found.push(`listens: ${one.outerHTML.slice(0, 200)}`);
            if (name === 'style' && /url\(|expression|@import/i.test(value)) found.push(`styled: ${value}`);
            if (!addresses.includes(name.toLowerCase()) || !value) continue;
            const scheme = new URL(value, location.href).protocol;
            const safe = ['http:', 'https:', 'mailto:', 'xmpp:', 'irc:', 'ircs:', 'blob:'].includes(scheme);
            const image = one.localName === 'img' && /^data:image\/(png|jpeg|webp|gif);/.test(value);
            if (!safe && !image) found.push(`leads: ${one.outerHTML.slice(0, 200)}`);
        }
    }
    return found;
}"""


def payload(mark: str) -> str:
    """A text that runs wherever it is taken for HTML, in an attribute or a script too."""
    return (
        f"{mark}'\"></style></script></textarea></title><img src=x onerror=__xss('{mark}')>"
        f"<svg onload=__xss('{mark}')></svg><script>__xss('{mark}')</script>"
        f"<iframe srcdoc=\"<script>parent.__xss('{mark}')</script>\"></iframe><img src=//{ELSEWHERE}/{mark}.png>"
    )


def short(mark: str) -> str:
    """The same for a name: at most 60 characters."""
    return f"{mark}\"'><img src=x onerror=__xss('{mark}')><svg>"


@dataclass(kw_only=True)
class Trap:
    """Looks over one profile: what ran, what was made of a payload, which marks were there to be read."""

    found: list[str] = field(default_factory=list[str])
    seen: set[str] = field(default_factory=set[str])

    def look(self, page: Page) -> None:
        """Note what stands on the page now."""
        at = page.evaluate("location.pathname")
        self.found += [f"{at}: {one}" for one in page.evaluate(_FOUND)]
        read = page.evaluate(
            "[document.title, document.body.innerText, ...[...document.querySelectorAll('*')].flatMap("
            "one => [one.value, one.title, one.ariaLabel].filter(text => typeof text === 'string'))].join('\\n')"
        )
        self.seen |= set(re.findall(r"m\d+q", read))


def set_up(tab: Tab) -> Trap:
    """The trap, in every page of the profile from its next load on."""
    trap = Trap()
    tab.context.add_init_script(_RUNS)

    def asked(dialog: Dialog) -> None:
        trap.found.append(f"a dialog: {dialog.message}")
        dialog.dismiss()

    tab.page.on("dialog", asked)
    tab.context.on("page", lambda page: trap.found.append(f"another page was opened: {page.url}"))
    return trap


@dataclass(kw_only=True)
class Poisoner:
    """Puts a payload behind every text of what the API answers to the page, but those of `KEPT`."""

    places: dict[str, str] = field(default_factory=dict[str, str])
    answered: set[str] = field(default_factory=set[str])
    # What is only ever streamed, and would be waited for.
    streams: re.Pattern[str] = re.compile(r"/events|/meters|stream=true|[?&]after=|/log\?")

    def watch(self, context: BrowserContext) -> None:
        context.route(re.compile(r"^https?://[^/]+/(api|v1|health)\b"), self._answer)

    def _answer(self, route: Route) -> None:
        request = route.request
        path = _ONE.sub("/ID", re.sub(r"^https?://[^/]+|\?.*", "", request.url))
        if request.method != "GET" or self.streams.search(request.url):
            route.continue_()
            return
        response = route.fetch()
        self.answered.add(path)
        kind = response.headers.get("content-type", "")
        if not kind.startswith("application/json"):
            route.fulfill(response=response, body=response.text() + payload(self._mark(path)))
            return
        route.fulfill(response=response, json=self._spoilt(response.json(), path, ""))

    def _spoilt(self, value: Any, place: str, key: str) -> Any:
        if isinstance(value, str):
            return value if key in KEPT else value + payload(self._mark(place))
        if isinstance(value, list):
            return [self._spoilt(one, f"{place}[]", key) for one in cast("list[Any]", value)]
        if isinstance(value, dict):
            read = cast("dict[str, Any]", value)
            return {name: self._spoilt(one, f"{place}.{name}", name) for name, one in read.items()}
        return value

    def _mark(self, place: str) -> str:
        """The mark of a place, the same for each of its rows."""
        return self.places.setdefault(place, f"m{len(self.places)}q")

    def shown(self, seen: set[str]) -> Iterator[str]:
        """The places whose payload was there to be read."""
        return (place for place, mark in self.places.items() if mark in seen)


def told(values: Any) -> str:
    """Values for a message of a failed test."""
    return json.dumps(values, indent=1, ensure_ascii=False)

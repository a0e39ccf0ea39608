"""Owns the tools that search the web and read pages of it; refuses to know how a page becomes words.

Pages are fetched from public addresses alone. Searches go to the one SearXNG that a setting names, wherever that is.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from urllib.parse import urlencode, urlsplit, urlunsplit

import anyio
import anyio.to_thread

from paddock.config import Settings
from paddock.errors import BadRequest, FileUnreadable
from paddock.fetch.addresses import PUBLIC, Address, Policy
from paddock.fetch.guarded import Fetched, fetch
from paddock.protocol.shape import as_object, objects_in
from paddock.protocol.turns import Outcome
from paddock.reading import apart
from paddock.scratch import private_folder
from paddock.tools.tool import Given, Tool, Unfit, takes, text, whole_number

_PAGE_MOST_BYTES = 8 * 2**20
_FOUND_MOST_BYTES = 2 * 2**20
_FETCH_S, _READ_S = 20.0, 60.0
_SHOWN_CHARACTERS = 20_000
_FOUND_MOST, _FOUND_USUAL = 20, 6
_ABSTRACT_CHARACTERS = 400
_HTML = ("text/html", "application/xhtml+xml")
_DOCUMENTS = ("application/pdf", "application/vnd.openxmlformats-officedocument.wordprocessingml.document")
_NO_SEARCH = "no search is set up. Set search_address to the address of a SearXNG that answers as JSON."


def tools(settings: Settings, policy: Policy = PUBLIC) -> tuple[Tool, ...]:
    """The tools of the web. `policy` says where pages may come from; for tests alone another than everybody's."""
    # Each takes a process with much memory.
    reading = anyio.Semaphore(2)

    async def web_fetch(given: Given) -> Outcome:
        url, first = given.arguments["url"], given.arguments.get("first_character", 0)
        try:
            came = await fetch(url, most_bytes=_PAGE_MOST_BYTES, timeout_s=_FETCH_S, policy=policy)
            async with reading:
                said = await _words(settings, came)
        except (BadRequest, FileUnreadable) as error:
            raise Unfit(error.message.rstrip(".")) from None
        shown = said[first : first + _SHOWN_CHARACTERS]
        end = first + len(shown)
        more = f"\n[characters {first} to {end} of {len(said)}]" if len(shown) < len(said) else ""
        return Outcome(text=f"{shown}{more}" or "(nothing)")

    async def web_search(given: Given) -> Outcome:
        query, most = given.arguments["query"], given.arguments.get("results", _FOUND_USUAL)
        url = _searching(settings.search_address, query)
        try:
            # Whoever set the address chose where it leads.
            came = await fetch(url, most_bytes=_FOUND_MOST_BYTES, timeout_s=_FETCH_S, policy=Policy(is_allowed=_any))
            told = as_object(json.loads(came.data)) or {}
        except BadRequest as error:
            raise Unfit(f"the search cannot be asked: {error.message.rstrip('.')}") from None
        except (ValueError, RecursionError):
            raise Unfit("the search did not answer as JSON; its SearXNG must have the format json turned on") from None
        found = objects_in(told.get("results"))[:most]
        lines = [_told(place, one) for place, one in enumerate(found, start=1)]
        return Outcome(text="\n\n".join(lines) or f"Nothing was found for {query!r}.")

    return (
        _tool("web_search", "Searches the web, and tells titles, addresses and what they say in brief.", web_search,
              takes({"query": text("What to look for.")},
                    results=whole_number("How many results to tell.", minimum=1, maximum=_FOUND_MOST)),
              lambda: "" if settings.search_address else _NO_SEARCH),
        _tool("web_fetch", "Reads a web page, PDF or text file by its address, as Markdown.", web_fetch,
              takes({"url": text("The address, with https.")},
                    first_character=whole_number("Where to go on reading a long page.", minimum=0))),
    )  # fmt: skip


def _tool(
    name: str,
    description: str,
    carry_out: Callable[[Given], Awaitable[Outcome]],
    parameters: dict[str, object],
    why_off: Callable[[], str] = lambda: "",
) -> Tool:
    return Tool(
        name=name, description=description, parameters=parameters, carry_out=carry_out, group="web", why_off=why_off
    )


def _any(address: Address) -> bool:
    return True


def _searching(address: str, query: str) -> str:
    """The address of a search, below whatever path the SearXNG has."""
    parts = urlsplit(address)
    path = f"{parts.path.rstrip('/').removesuffix('/search')}/search"
    return urlunsplit((parts.scheme, parts.netloc, path, urlencode({"q": query, "format": "json"}), ""))


def _told(place: int, found: dict[str, object]) -> str:
    title, url, abstract = (" ".join(str(found.get(name) or "").split()) for name in ("title", "url", "content"))
    return f"{place}. {title}\n{url}\n{abstract[:_ABSTRACT_CHARACTERS]}".rstrip()


async def _words(settings: Settings, came: Fetched) -> str:
    """What was fetched, as words. Raises FileUnreadable."""
    kind = "page" if came.content_type in _HTML else "document" if came.content_type in _DOCUMENTS else ""
    if not kind:
        if b"\0" in came.data[:4096]:
            raise FileUnreadable(f"It is {came.content_type or 'no text'}, which cannot be read as words.")
        return came.data.decode("utf-8", "replace")
    async with private_folder(settings.home) as folder:
        source, made = folder / "source", folder / "text"
        await anyio.to_thread.run_sync(source.write_bytes, came.data)
        told = await apart.read("page" if kind == "page" else "document", source, made, timeout_s=_READ_S)
        said = await anyio.to_thread.run_sync(lambda: made.read_text("utf-8"))
    return f"# {told['title']}\n\n{said}" if told.get("title") else said

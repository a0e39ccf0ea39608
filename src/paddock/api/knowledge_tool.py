"""Owns the tool by which a model finds passages in collections that a request names; knows not how they are found."""

from __future__ import annotations

from collections.abc import Sequence

from paddock.caller import current
from paddock.errors import BadRequest, NotPermitted
from paddock.knowledge.knowledge import Knowledge
from paddock.knowledge.searching import Hit
from paddock.protocol.turns import Outcome
from paddock.store.knowledge import Collection
from paddock.tools.tool import Given, Tool, takes, text, whole_number

NAME = "search_knowledge"
_COLLECTIONS_MOST = 20
_USUAL, _MOST = 5, 20
_NAMES_CHARACTERS = 300


async def knowledge_tool(knowledge: Knowledge, ids: Sequence[str], taken: frozenset[str]) -> Tool:
    """The tool for these collections of whoever asks. Raises KnowledgeUnknown, NotPermitted or BadRequest."""
    if not current().may("chats"):
        how = "It needs the right 'chats': `paddock keys create --may ask --may chats` makes a key that has it."
        raise NotPermitted("A collection of documents", how)
    if len(ids) > _COLLECTIONS_MOST:
        raise BadRequest(f"knowledge names {len(ids)} collections; at most {_COLLECTIONS_MOST}.", param="knowledge")
    if NAME in taken:
        raise BadRequest(f"tools has a {NAME} of its own, which is the server's where knowledge is.", param="tools")
    found = [await knowledge.store.find(one) for one in dict.fromkeys(ids)]
    caller_sees = [one.id for one in found]

    async def search(given: Given) -> Outcome:
        most = int(given.arguments.get("passages", _USUAL))
        findings = await knowledge.search(caller_sees, given.arguments["query"], limit=most)
        return Outcome(text=_told(findings.hits, findings.note))

    return Tool(
        name=NAME,
        description=f"Finds passages in the user's documents ({_names(found)}). Cite what you use by its [number].",
        parameters=takes(
            {"query": text("What to look for, in words of the documents or by what it means.")},
            passages=whole_number("How many passages to tell.", minimum=1, maximum=_MOST),
        ),
        carry_out=search,
        group="knowledge",
        only_looks=True,
    )


def _names(found: Sequence[Collection]) -> str:
    return ", ".join(one.name for one in found)[:_NAMES_CHARACTERS]


def _told(hits: Sequence[Hit], note: str) -> str:
    """Passages as a model reads them, each with the number by which it is cited and where it stands.

    Each of their lines is quoted: none of them can look like the head of another passage.
    """
    said = [f"[{hit.passage.id}] {where(hit)}\n{_quoted(hit.passage.text)}" for hit in hits]
    if not said:
        said = ["Nothing was found."]
    return "\n\n".join([*said, *([f"({note})"] if note else [])])


def _quoted(text: str) -> str:
    return "\n".join(f"> {line}" for line in text.splitlines())


def where(hit: Hit) -> str:
    """Where a passage stands, and the address at which the page opens it."""
    one = hit.passage
    page = f", page {one.page}" if one.page else ""
    section = f", {one.section}" if one.section else ""
    return f"{one.document}{page}{section} (/knowledge/{one.collection_id}?passage={one.id})"

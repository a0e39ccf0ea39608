"""Owns by what a call is let or not: what was decided, what the request states, and what else is usual. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

from paddock.store.tool_permissions import Decided
from paddock.tools.tool import Tool

Word = Literal["ask", "always", "never"]
WORDS: tuple[Word, ...] = get_args(Word)
Answer = Literal["once", "chat", "always", "no", "never"]
ANSWERS: tuple[Answer, ...] = get_args(Answer)
# By what a call is let: nobody is asked for such a tool; the request says so; or it was decided for the chat, for good.
How = Literal["usual", "request", "chat", "always", "never", "ask"]
# In a request: every tool for which a person would be asked.
ALL = "*"


def word_for(tool: Tool, words: Mapping[str, str]) -> str | None:
    """What these words say of a tool: by its own name, else by its group's."""
    return words.get(tool.name) or (words.get(tool.group) if tool.group else None)


def _is_never(tool: Tool, words: Mapping[str, str]) -> bool:
    """Whether these words refuse a tool, by its own name or its group's: what else they say of it does not matter."""
    return "never" in (words.get(tool.name), words.get(tool.group) if tool.group else None)


def decide(tool: Tool, stated: Mapping[str, str], decided: Decided) -> How:
    """By what a call of this tool is let; "never" where it is not, "ask" where a person must be asked.

    `stated` is what the request says of tools. Who turned a tool on and says nothing of it has consented. A "never"
    holds whoever said it: the request, the caller, or the account that a key belongs to.
    """
    kept, chat = word_for(tool, decided.everywhere), word_for(tool, decided.chat)
    word = word_for(tool, stated) or stated.get(ALL)
    is_for_all = word_for(tool, stated) is None
    if any(_is_never(tool, words) for words in (decided.everywhere, decided.chat, decided.account)):
        return "never"
    if word == "never" and (not is_for_all or tool.wants_asking):
        return "never"
    if word != "ask":
        return "request" if tool.wants_asking else "usual"
    if "always" in (chat, kept):
        return "chat" if chat == "always" else "always"
    return "usual" if is_for_all and kept is None and not tool.wants_asking else "ask"

"""Owns how addresses are told without the passwords in them."""

from __future__ import annotations

import re
from urllib.parse import unquote_plus

# An address within a text ends where a blank, a quote or an angle bracket stands.
_WORD = re.compile(r"[^\s\"'`<>]+")
# Up to where a password begins. What follows the colon is as a rule a port where browsers go; a database's password may
# begin with digits and hold what it likes.
_USER = re.compile(r"https?://[^/:]*:(?!\d*[/?#])|(?<!http)(?<!https)://[^/:]*:", re.IGNORECASE)
_PARAMETER = re.compile(r"[?&]([^=&?]*)=([^&]*)")
_SECRET_NAME = re.compile(r"passw|passphrase|pwd|secret|token$|api[_-]?key", re.IGNORECASE)


def masked(text: str) -> str:
    """A text without the passwords of addresses in it: `postgresql://user:…@host/name?sslpassword=…`."""
    return _WORD.sub(lambda word: masked_address(word[0]), text) if "://" in text else text


def masked_address(address: str) -> str:
    """An address without its passwords.

    A password ends at the last `@`, and one in the query at the next `&`, whatever either holds unescaped.
    """
    names = [one for one in _PARAMETER.finditer(address) if _SECRET_NAME.search(unquote_plus(one[1]))]
    hidden = [one.span(2) for one in names]
    head, at, _ = address.rpartition("@")
    if at and (user := _USER.search(head)):
        hidden.append((user.end(), len(head)))
    kept, done = "", 0
    for start, end in sorted(hidden):
        kept, done = kept + (f"{address[done:start]}…" if start >= done else ""), max(done, end)
    return kept + address[done:]

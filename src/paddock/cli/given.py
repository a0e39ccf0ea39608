"""Owns taking a secret from a person: from the environment or the standard input, and never as an argument."""

from __future__ import annotations

import os
import sys

from paddock.errors import BadRequest, shown

_CHARACTERS_MOST = 4096


def secret(what: str, variable: str | None, *, from_stdin: bool) -> str:
    """The secret, from where it was said to be; "" for none. As an argument others could read it. Raises BadRequest.

    `what` is how it is called in the options and in what is said of it.
    """
    if variable is not None and from_stdin:
        raise BadRequest(f"--{what}-from-env and --{what}-stdin are two places for one {what}. Give one of them.")
    if variable is not None:
        found = os.environ.get(variable, "").strip()
        if not found:
            raise BadRequest(f"The environment variable {shown(variable)} is empty or not set.")
    elif from_stdin:
        found = sys.stdin.readline(_CHARACTERS_MOST + 2).strip()
        if not found:
            raise BadRequest(f"The standard input held no {what}.")
    else:
        return ""
    if not (found.isascii() and found.isprintable()) or " " in found or len(found) > _CHARACTERS_MOST:
        raise BadRequest(f"That is no {what}: it holds a space, a line break or a foreign letter, or is too long.")
    return found

"""Owns holding a JSON value to a JSON schema; refuses to know where either comes from."""

from __future__ import annotations

import json
from typing import Any

_SHOWN_CHARACTERS = 160


def faults_of(text: str, schema: Any) -> list[str]:
    """What in a JSON text breaks the schema; or, as one line, why it cannot be held to it.

    No reference is followed out of the schema, and patterns are matched in linear time.
    """
    # Here and not above: it takes memory that a server without tools can do without.
    import jsonschema_rs

    try:
        options = jsonschema_rs.RegexOptions()
        validator = jsonschema_rs.validator_for(schema, offline=True, pattern_options=options)
        found = list(validator.iter_errors(json.loads(text)))
    except (ValueError, RecursionError) as error:
        # A schema that cannot be used is a ValidationError, which is a ValueError.
        return [f"not checked, its schema cannot be used: {line(str(error).partition(chr(10))[0])}"]
    return [line(f"/{'/'.join(map(str, error.instance_path))} {error.message}") for error in found]


def unusable(schema: Any) -> str | None:
    """Why no value can be held to a schema; None where one can."""
    import jsonschema_rs

    try:
        jsonschema_rs.validator_for(schema, offline=True, pattern_options=jsonschema_rs.RegexOptions())
    except (ValueError, RecursionError) as error:
        return line(str(error).partition("\n")[0])
    return None


def line(text: str) -> str:
    """A text, cut to what one line shows."""
    return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 1] + "…"

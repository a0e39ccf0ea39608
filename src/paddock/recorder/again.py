"""Owns what a recorded request is made of again: a command, a test case; sends nothing and knows no dialect."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import Any

from paddock.errors import BadRequest
from paddock.recorder.secrets import REMOVED

# What belongs to one connection or browser, not to the request.
_LEFT_OUT = ("host", "content-length", "connection", "accept-encoding", "x-paddock-record", "origin", "referer")


def curl_text(record: Mapping[str, Any], url: str) -> str:
    """A command that sends the request again to the paddock at `url`; a removed key is taken from PADDOCK_API_KEY.

    Raises:
        BadRequest: its body was larger than is kept.
    """
    if "inbound" in record.get("cut", ()):
        raise BadRequest(f"The request {record['id']} had a larger body than is kept: it cannot be sent again.")
    words = ["curl", "-N", f"{url}{record['path']}"]
    for name, value in _kept(record):
        words += ["-H", f"{name}: {value}"]
    line = shlex.join(words) + ' -H "Authorization: Bearer ${PADDOCK_API_KEY:-not-needed}"'
    return f"{line} --data-raw {shlex.quote(record['sections'].get('inbound', ''))}"


def body_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """The request's body. Raises BadRequest where it was no JSON object, or larger than is kept."""
    try:
        # What was cut is no JSON any more.
        body = json.loads(record["sections"].get("inbound", ""))
    except ValueError as error:
        raise BadRequest(f"The request {record['id']} had no JSON body, or a larger one than is kept.") from error
    if not isinstance(body, dict):
        raise BadRequest(f"The request {record['id']} had a body that is no JSON object.")
    return body  # pyright: ignore[reportUnknownVariableType]


def case_text(record: Mapping[str, Any]) -> str:
    """The request as a test case: two lines of JSON, whose it is and what it asks, without credentials.

    Raises:
        BadRequest: its body was no JSON object, or larger than is kept.
    """
    request = {
        "method": record["method"],
        "path": record["path"],
        "headers": {"authorization": "Bearer KEY", **dict(_kept(record))},
        "body": body_of(record),
    }
    return "".join(f"{json.dumps(line)}\n" for line in ({"client": "recorded", "version": record["id"]}, request))


def _kept(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        (name, value)
        for name, value in record["headers"]
        if name not in _LEFT_OUT and not name.startswith("sec-") and value != REMOVED
    ]

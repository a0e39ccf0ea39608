"""Owns taking secrets out of what is recorded; refuses to know where it came from.

Covered: the credentials of headers, keys of the well-known forms, private keys, and JSON fields named like secrets.
Not covered: secrets without a form, such as a password within a sentence.
"""

from __future__ import annotations

import re

REMOVED = "[removed]"
_HIDDEN_HEADERS = frozenset(
    ("authorization", "proxy-authorization", "x-api-key", "api-key", "cookie", "set-cookie", "x-auth-token")
)
_FORMS = re.compile(
    rb"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
    rb"|(?<![A-Za-z0-9_-])(?:"
    rb"pdk-[A-Za-z0-9_-]{16,}"
    rb"|sk-[A-Za-z0-9_-]{16,}"
    rb"|(?:hf|gho|ghp|ghu|ghs|ghr|github_pat|glpat|npm|pypi|xox[abprs])[_-][A-Za-z0-9_-]{16,}"
    rb"|(?:AKIA|ASIA)[A-Z0-9]{16}"
    rb"|AIza[A-Za-z0-9_-]{30,}"
    rb"|eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}"
    rb")",
    re.DOTALL,
)
_BEARER = re.compile(rb"(?i)(bearer\s+)[A-Za-z0-9._~+/=-]{12,}")
_FIELDS = re.compile(
    rb'(?i)(\\?"(?:api[_-]?key|apikey|password|passwd|secret|client_secret|access_token|refresh_token|auth_token|'
    rb'private_key|authorization)\\?"\s*:\s*\\?")((?:[^"\\]|\\[^"])*)'
)


def without_secrets(data: bytes) -> bytes:
    """The bytes with every secret of a known form replaced by `[removed]`."""
    mark = REMOVED.encode()
    data = _FORMS.sub(mark, data)
    data = _BEARER.sub(rb"\1" + mark, data)
    return _FIELDS.sub(rb"\1" + mark, data)


def header_shown(name: str, value: str) -> str:
    """A header's value as it may be recorded."""
    return (
        REMOVED
        if name.lower() in _HIDDEN_HEADERS
        else without_secrets(value.encode("latin-1", "replace")).decode("latin-1")
    )

"""Owns reading an Origin header; judges none."""

from __future__ import annotations

from urllib.parse import urlsplit


def is_of_server(origin: str, host: str, scheme: str) -> bool:
    """Whether an Origin header names the server that was asked by this Host header over `scheme`.

    A page that came unencrypted is none of a server that speaks HTTPS: whoever sits on the way could have written it.
    The other way round, a proxy may have taken the encryption off.
    """
    try:
        parts = urlsplit(origin)
        return parts.netloc.lower() == host.lower() and bool(host) and (parts.scheme, scheme) != ("http", "https")
    except ValueError:
        return False

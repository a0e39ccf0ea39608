"""Owns passwords as they are kept: slow hashes of what people choose, and what may not be chosen; stores nothing."""

from __future__ import annotations

import os
import threading

from paddock.errors import BadRequest

LEAST_CHARACTERS = 10
# Longer ones would let a stranger have us hash whole books.
MOST_CHARACTERS = 1000
# As RFC 9106 recommends where memory is dear: 64 MiB and three passes take about a fifth of a second.
_ITERATIONS, _LANES, _MEMORY_KIB = 3, 2, 65536
# OpenSSL takes threads for the lanes from a number that all hashes share: two at once wait for one another for ever.
_TURN = threading.Lock()
# What everybody tries first.
_COMMON = ("password", "passwort", "1234567890", "0123456789", "qwertyuiop", "qwertzuiop", "administrator", "letmein")


def checked(password: str, name: str) -> str:
    """A password that may be chosen by that account. Raises BadRequest, never with the password in it."""
    if len(password) < LEAST_CHARACTERS:
        raise BadRequest(
            f"The password has {len(password)} characters; it needs {LEAST_CHARACTERS}. A few words in a row make a "
            "good one.",
            param="password",
        )
    if len(password) > MOST_CHARACTERS:
        raise BadRequest(
            f"The password has more than {MOST_CHARACTERS} characters. Take a shorter one.", param="password"
        )
    low = password.lower()
    bare = next((word for word in (*_COMMON, name.lower()) if word and low.strip("0123456789!?. ") == word), None)
    if bare is not None or len(set(low)) < 4 or low in _COMMON:
        raise BadRequest("This password is among those that are tried first. Choose another one.", param="password")
    return password


def hashed(password: str) -> str:
    """The hash of a password, in the form that tells how it was made. Takes about 0.2 s and 64 MiB, one at a time."""
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

    kdf = Argon2id(salt=os.urandom(16), length=32, iterations=_ITERATIONS, lanes=_LANES, memory_cost=_MEMORY_KIB)
    with _TURN:
        return kdf.derive_phc_encoded(password.encode("utf-8", "replace"))


def matches(password: str, kept: str | None) -> bool:
    """Whether a password is the one that is kept. Without one it takes as long, so that time tells nothing."""
    from cryptography.exceptions import InvalidKey
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

    compared = kept or _nobodys()
    with _TURN:
        try:
            Argon2id.verify_phc_encoded(password[:MOST_CHARACTERS].encode("utf-8", "replace"), compared)
        except InvalidKey:
            return False
    return kept is not None


_NOBODYS: list[str] = []


def _nobodys() -> str:
    if not _NOBODYS:
        _NOBODYS.append(hashed(os.urandom(16).hex()))
    return _NOBODYS[0]

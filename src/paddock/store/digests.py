"""Owns recognising random words without keeping them: their keyed hashes, and the secret that these are made with.

Such a word is 256 random bits, so a fast keyed hash protects it as well as a slow one would: there is nothing to guess.
Looking a hash up tells nothing of the word to one who measures the time. Not for passwords, which people choose.
"""

from __future__ import annotations

import hashlib
import secrets

import anyio.to_thread

from paddock.paths import Home
from paddock.store.key_files import key_in


class Digests:
    """The hashes of one data home, whose secret lies beside the database and not in it."""

    def __init__(self, home: Home) -> None:
        self._path = home.key_secret
        self._secret = b""

    def of(self, text: str) -> str:
        """The hash of a word, 64 characters. Raises HomeUnusable."""
        self._secret = self._secret or key_in(
            self._path, "The secret for keys", "Restore it, or remove it and make new keys."
        )
        return hashlib.blake2b(text.encode("utf-8", "replace"), key=self._secret, digest_size=32).hexdigest()

    async def quickly(self, text: str) -> str:
        """As `of`, without keeping the event loop: the secret is read in a thread, once. Raises HomeUnusable."""
        return self.of(text) if self._secret else await anyio.to_thread.run_sync(self.of, text)


def new_word(prefix: str) -> str:
    """A word that nobody guesses."""
    return prefix + secrets.token_urlsafe(32)

"""Owns the token of the hub that paddock keeps, and to whom it is shown; refuses to know how it is sealed.

A token belongs to the hub that it was given for, by its address: neither another hub nor a mirror is shown it. One in
the environment goes before it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping

from paddock.paths import Home
from paddock.store.db import Database
from paddock.store.secrets import Secrets

IN_ENVIRONMENT = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")


class HubToken:
    """The token of the hub that the environment names. Every call blocks, and raises StoreUnusable or HomeUnusable."""

    def __init__(self, database: Database, home: Home, environ: Mapping[str, str] | None = None) -> None:
        self._database = database
        self._secrets = Secrets(database, home)
        self._environ = os.environ if environ is None else environ

    @property
    def hub(self) -> str:
        """The hub's address."""
        return (self._environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")

    def keep(self, token: str) -> None:
        """Keep a token, in place of the one that was kept for this hub."""
        self._secrets.put(self._name, token)

    def forget(self) -> None:
        """Forget it; one that is not there stays so."""
        if self._database.is_there:
            self._secrets.remove(self._name)

    def kept(self) -> str | None:
        """The token that is kept for this hub."""
        return self._secrets.get(self._name) if self._database.is_there else None

    def to_show(self) -> str | None:
        """The token that is kept for this hub; None where the environment has one, which is the library's to find."""
        if any(self._environ.get(name) for name in IN_ENVIRONMENT):
            return None
        return self.kept()

    @property
    def _name(self) -> str:
        # An address may be long, and hold a password.
        return f"hub {hashlib.blake2b(self.hub.encode(), digest_size=32).hexdigest()}"

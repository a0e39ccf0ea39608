"""Tests that no secret is compared letter by letter: what is shown becomes a keyed hash, and that is looked up.

A comparison that ends at the first wrong letter tells by its time how much was right. Of a keyed hash that tells
nothing. How long nearly right keys take is measured by `python3 dev.py bench --only access`.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import NoReturn

import pytest

from paddock.paths import Home
from paddock.store.access import Access
from paddock.store.db import Database

pytestmark = pytest.mark.attack("timing of key comparison")
SOURCES = Path(__file__).resolve().parents[2] / "src" / "paddock"
# Whatever sees the word that somebody shows.
FILES = (
    "api/credentials.py", "api/session.py", "api/let_in.py", "store/accounts.py", "store/digests.py", "store/keys.py",
    "store/known.py", "store/passwords.py", "store/sessions.py",
)  # fmt: skip
# A new password is compared with common ones, which are no secrets.
PERMITTED = {"store/passwords.py": 1}
SECRETS = {"text", "word", "key", "secret", "password", "token", "shown", "given", "session"}


def compared(source: str) -> list[int]:
    """The lines where a secret is compared with something that is not a constant."""
    found: list[int] = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Compare) or not all(isinstance(one, ast.Eq | ast.NotEq) for one in node.ops):
            continue
        sides = [node.left, *node.comparators]
        names = {side.id for side in sides if isinstance(side, ast.Name)}
        names |= {side.attr for side in sides if isinstance(side, ast.Attribute)}
        if names & SECRETS and not any(isinstance(side, ast.Constant) for side in sides):
            found.append(node.lineno)
    return found


@pytest.mark.parametrize("name", FILES)
def test_no_secret_is_compared_by_its_letters(name: str) -> None:
    assert len(compared((SOURCES / name).read_text("utf-8"))) == PERMITTED.get(name, 0)


def test_a_planted_comparison_is_found() -> None:
    assert compared("def verify(text):\n    return any(text == key for key in keys)") == [2]
    assert compared("def verify(self, given):\n    return given != self._row.secret") == [2]
    assert compared("if text == '':\n    pass") == []


def test_every_file_that_hashes_or_looks_up_what_is_shown_is_looked_at() -> None:
    marks = ("Digests(", "digests import", "known import", "hashlib.blake2b(text")
    users = {
        path.relative_to(SOURCES).as_posix()
        for path in SOURCES.rglob("*.py")
        if any(mark in path.read_text("utf-8") for mark in marks)
    }
    assert {name for name in users if name.startswith("store/")} <= {*FILES, "store/access.py"}, users


class Guess(str):
    """A text that may be hashed as bytes, and fails whoever compares it or looks into it."""

    def compared(self, *_: object) -> NoReturn:
        raise AssertionError("a guess was compared, letter by letter")

    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __contains__ = __getitem__ = compared  # pyright: ignore
    __hash__ = compared
    startswith = endswith = find = index = count = partition = compared  # pyright: ignore


@pytest.mark.anyio
async def test_keys_and_sessions_are_looked_up_without_a_look_at_what_is_shown(tmp_path: Path) -> None:
    home = Home(root=tmp_path)
    database = Database("", home)
    access = Access.of(database, home)
    key, text = access.keys.create("one")
    account = access.accounts.create("anna", "admin")
    _, word = await access.sessions.begin(account, address="127.0.0.1", program="x")
    found = await access.keys.verify(Guess(text))
    assert found is not None
    assert found.key_id == key.key_id
    assert await access.sessions.verify(Guess(word)) is not None
    for wrong in (text[:-1] + "!", text[:4], "", text + "x", text.upper()):
        assert await access.keys.verify(Guess(wrong)) is None
        assert await access.sessions.verify(Guess(wrong)) is None
    await database.close()

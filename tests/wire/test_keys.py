"""Tests who is let in: keys on an address that others reach, in every dialect, and what a revoked one is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest

from paddock.errors import KeyUnknown
from paddock.paths import Home
from paddock.store.db import Database
from paddock.store.keys import Keys
from tests.wire.rig import CHAT, HANG_GUARD_S, USER, scripted_studio

pytestmark = pytest.mark.anyio


def keys_in(folder: Path) -> Keys:
    home = Home(root=folder / "home")
    home.ensure()
    return Keys(Database("", home), home)


@pytest.mark.rule("credentials")
@pytest.mark.parametrize("header", ["authorization", "x-api-key"])
async def test_a_key_is_asked_for_and_lets_in_until_it_is_revoked(tmp_path: Path, header: str) -> None:
    keys = keys_in(tmp_path)
    key, text = await anyio.to_thread.run_sync(keys.create, "laptop")
    shown = {header: f"Bearer {text}" if header == "authorization" else text}
    async with scripted_studio(tmp_path, warm=False, require_key=True) as rig:
        body: dict[str, Any] = {"messages": [USER]}
        assert (await rig.post(body, CHAT)).status_code == 401
        assert (await rig.post(body, CHAT, {header: "Bearer pdk-wrong"})).status_code == 401
        assert (await rig.post(body, CHAT, shown)).status_code == 200
        assert (await rig.http.get("/health")).status_code == 200
        await anyio.to_thread.run_sync(keys.revoke, key.key_id)
        with anyio.fail_after(HANG_GUARD_S):
            while (await rig.post(body, CHAT, shown)).status_code != 401:
                await anyio.sleep(0.1)
    await keys.close()


@pytest.mark.rule("credentials")
async def test_a_word_in_one_header_does_not_hide_the_key_in_the_other(tmp_path: Path) -> None:
    keys = keys_in(tmp_path)
    _, text = await anyio.to_thread.run_sync(keys.create, "laptop")
    async with scripted_studio(tmp_path, warm=False, require_key=True) as rig:
        for shown in (
            {"x-api-key": "not-needed", "authorization": f"Bearer {text}"},
            {"x-api-key": text, "authorization": "Bearer not-needed"},
        ):
            assert (await rig.post({"messages": [USER]}, CHAT, shown)).status_code == 200
    await keys.close()


@pytest.mark.rule("credentials")
async def test_a_refusal_speaks_the_callers_dialect(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path, warm=False, require_key=True) as rig:
        openai = (await rig.post({}, CHAT)).json()["error"]
        anthropic = (await rig.post({}, "/v1/messages")).json()
        ollama = (await rig.post({}, "/api/chat")).json()
    assert (openai["type"], openai["code"]) == ("authentication_error", "invalid_api_key")
    assert (anthropic["type"], anthropic["error"]["type"]) == ("error", "authentication_error")
    assert isinstance(ollama["error"], str)


async def test_a_key_that_has_expired_lets_nobody_in(tmp_path: Path) -> None:
    keys = keys_in(tmp_path)
    _, text = await anyio.to_thread.run_sync(lambda: keys.create("old", expires_s=1.0))
    assert await keys.verify(text) is None
    await keys.close()


async def test_neither_the_database_nor_the_list_holds_a_key(tmp_path: Path) -> None:
    keys = keys_in(tmp_path)
    _, text = await anyio.to_thread.run_sync(keys.create, "laptop")
    listed = await anyio.to_thread.run_sync(keys.listed)
    await keys.close()
    assert text not in repr(listed)
    for path in (tmp_path / "home").iterdir():
        if path.is_file():
            assert text.encode() not in path.read_bytes()
            assert path.stat().st_mode & 0o077 == 0, path


async def test_a_key_that_is_not_there_cannot_be_revoked(tmp_path: Path) -> None:
    keys = keys_in(tmp_path)
    with pytest.raises(KeyUnknown, match="keys list"):
        await anyio.to_thread.run_sync(keys.revoke, "key_none")
    await keys.close()

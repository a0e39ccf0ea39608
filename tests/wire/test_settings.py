"""Tests the settings over the API: what is told of each, what may be written into the file, and what is refused."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from paddock.config import NAMES, load
from tests.wire.rig import Rig, scripted_studio

pytestmark = pytest.mark.anyio
PASSED_ON = {"X-Forwarded-For": "203.0.113.7"}
PATH = "/api/settings"


@pytest.fixture
async def own(tmp_path: Path) -> AsyncGenerator[Rig]:
    """A paddock whose file holds a comment and two settings."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "config.toml").write_text('# mine\nslots = 3  # not more\nengine_mirror = "https://me:pw@mirror.example"\n')
    async with scripted_studio(tmp_path, warm=False, queue_most=50) as rig:
        yield rig


async def entries(rig: Rig) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in (await rig.http.get(PATH)).json()["settings"]}


def text(folder: Path) -> str:
    return (folder / "home" / "config.toml").read_text("utf-8")


async def test_every_setting_is_told_with_where_it_comes_from(own: Rig) -> None:
    told = await entries(own)
    assert tuple(told) == NAMES
    assert [(one["value"], one["source"], one["in_file"]) for one in (told["slots"], told["queue_most"])] == [
        (3, "file", 3), (50, "flag", None),
    ]  # fmt: skip
    assert (told["threads"]["source"], told["threads"]["low"], told["threads"]["high"]) == ("default", 0, 1024)
    assert told["log_level"]["choices"] == ["debug", "info", "warning", "error"]
    assert all(one["help"].endswith(".") for one in told.values())


async def test_a_password_is_masked(own: Rig) -> None:
    assert "pw" not in (await own.http.get(PATH)).text
    assert (await entries(own))["engine_mirror"]["value"] == "https://me:…@mirror.example"


async def test_the_databases_password_is_masked_in_the_query_too(tmp_path: Path) -> None:
    url = "postgresql://127.0.0.1:1/name?user=me&password=hush"
    async with scripted_studio(tmp_path, warm=False, database_url=url) as rig:
        assert (await entries(rig))["database_url"]["value"] == "postgresql://127.0.0.1:1/name?user=me&password=…"


async def test_a_change_is_written_beside_comments_and_waits_for_a_restart(own: Rig, tmp_path: Path) -> None:
    answer = await own.http.patch(PATH, json={"slots": 4, "idle_unload_s": 90.5, "record": True, "queue_most": 60})
    assert answer.status_code == 200, answer.text
    told = {one["name"]: one for one in answer.json()["settings"]}
    assert [told["slots"][name] for name in ("value", "in_file", "next_value")] == [3, 4, 4]
    # What the command line says goes before the file.
    assert [told["queue_most"][name] for name in ("value", "in_file", "next_value")] == [50, 60, 50]
    written = text(tmp_path)
    assert written.startswith("# mine\nslots = 4  # not more\n")
    settings = load(environ={"PADDOCK_HOME": str(tmp_path / "home")})
    assert (settings.slots, settings.idle_unload_s, settings.record) == (4, 90.5, True)
    cleared = await own.http.patch(PATH, json={"slots": None, "threads": None})
    assert cleared.status_code == 200
    assert "slots" not in text(tmp_path)
    assert (await entries(own))["slots"]["next_value"] == 2


@pytest.mark.parametrize(
    ("values", "param", "words"),
    [
        ({"slots": 0}, "slots", "must lie between 1 and 64"),
        ({"slots": "many"}, "slots", "not a whole number"),
        ({"threads": 2, "log_level": "loud"}, "log_level", "must be one of"),
        ({"model": "a\nb"}, "model", "one line"),
        ({"model": ["x"]}, "model", "not text"),
        ({"colour": 1}, "colour", "no setting"),
        ({"host": "0.0.0.0"}, "host", "--host"),
        ({"unsafe_no_auth": True}, "unsafe_no_auth", "opens the machine"),
        ({"engine": "/opt/x"}, "engine", "PADDOCK_ENGINE"),
        ({"require_key": True}, "require_key", "config.toml"),
    ],
)
async def test_what_cannot_or_may_not_be_set_changes_nothing(
    own: Rig, tmp_path: Path, values: dict[str, Any], param: str, words: str
) -> None:
    before = text(tmp_path)
    answer = await own.http.patch(PATH, json=values)
    assert (answer.status_code, answer.json()["error"]["param"]) == (422, param)
    assert words in answer.json()["error"]["message"]
    assert text(tmp_path) == before


async def test_only_this_machine_changes_settings(own: Rig, tmp_path: Path) -> None:
    before = text(tmp_path)
    answer = await own.http.patch(PATH, json={"slots": 4}, headers=PASSED_ON)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "not_permitted")
    assert text(tmp_path) == before
    told = (await own.http.get(PATH, headers=PASSED_ON)).json()
    assert told["can_change"] is False
    assert "ssh -L" in told["why_not"]


async def test_a_file_that_was_broken_meanwhile_is_told_and_kept(own: Rig, tmp_path: Path) -> None:
    (tmp_path / "home" / "config.toml").write_text("slots = \n")
    assert "cannot be read" in (await own.http.get(PATH)).json()["fault"]
    answer = await own.http.patch(PATH, json={"slots": 4})
    assert answer.status_code == 400
    assert "cannot be read" in answer.json()["error"]["message"]
    assert text(tmp_path) == "slots = \n"


async def test_a_folder_in_the_place_of_the_file_is_told(own: Rig, tmp_path: Path) -> None:
    (tmp_path / "home" / "config.toml").unlink()
    (tmp_path / "home" / "config.toml").mkdir()
    answer = await own.http.patch(PATH, json={"slots": 4})
    assert answer.status_code == 400
    assert "cannot be read" in answer.json()["error"]["message"]

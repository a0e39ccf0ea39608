"""Tests that a tool takes whole numbers as JSON may write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from paddock.caller import LOCAL
from paddock.paths import Home
from paddock.store.db import Database
from paddock.tools.files import FILES
from paddock.tools.permits import Permissions, permit_of
from paddock.tools.toolbox import Box
from paddock.tools.workspaces import workspace

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        ('{"path": "a.txt", "first_line": 2.0}', "two\n"),
        ('{"path": "a.txt", "lines": 1.0}', "one\n\n[lines 1 to 1 of 2]"),
        ('{"path": "a.txt", "first_line": 1e30}', "\n[lines "),
    ],
)
async def test_a_whole_number_may_be_written_as_a_decimal(tmp_path: Path, arguments: str, wanted: str) -> None:
    async def nobody(text: str) -> None:
        del text

    home = Home(root=tmp_path)
    permissions = Permissions.of(Database("", home))
    permit = permit_of(permissions, FILES, {}, "s")
    box = Box(FILES, permit, lambda: workspace(home, LOCAL, "s"))
    async with box.at_work():
        await box.call("write_file", '{"path": "a.txt", "content": "one\\ntwo\\n"}', nobody)
        said = await box.call("read_file", arguments, nobody)
    assert wanted in said.text
    assert not said.is_error

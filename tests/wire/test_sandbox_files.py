"""What code leaves to deceive whoever looks at it: files that are none, names that lie, answers that are forged."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from paddock.sandbox.workspace import Result, Session
from tests.wire.workspaces import WAIT_S, opened

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.attack("code that a model writes"),
    pytest.mark.skipif(sys.platform != "linux", reason="the walls are Linux's"),
]


@pytest.fixture
async def session(tmp_path: Path) -> AsyncGenerator[Session]:
    async with opened(tmp_path / "workspaces" / "mine") as session:
        yield session


async def cell(session: Session, code: str) -> Result:
    return await session.python(code, timeout_s=WAIT_S)


def names(result: Result) -> list[str]:
    return sorted(one.name for one in result.files)


async def test_what_was_made_and_changed_comes_back(session: Session) -> None:
    made = await cell(
        session, "import os; os.mkdir('a'); open('a/b.csv','w').write('1,2'); open('c.bin','wb').write(b'1')"
    )
    assert {(one.name, one.size_bytes, one.media_type, one.is_new) for one in made.files} == {
        ("a/b.csv", 3, "text/csv", True), ("c.bin", 1, "application/octet-stream", True),
    }  # fmt: skip
    changed = await session.terminal("echo more >> a/b.csv", timeout_s=WAIT_S)
    assert [(one.name, one.is_new) for one in changed.files] == [("a/b.csv", False)]
    assert await session.read("a/b.csv", most_bytes=100) == b"1,2more\n"
    assert (await cell(session, "1")).files == ()


async def test_a_figure_comes_back_without_being_saved(session: Session) -> None:
    code = "import matplotlib.pyplot as plt\nplt.plot([1, 4, 2])\nplt.show()"
    result = await cell(session, code)
    assert [(one.name, one.media_type) for one in result.files] == [("figure-1.png", "image/png")]
    assert result.text == ""
    assert (await session.read("figure-1.png", most_bytes=2**20)).startswith(b"\x89PNG")
    assert names(await cell(session, "plt.figure(); plt.plot([1]); plt.figure(); plt.plot([2]);")) == [
        "figure-2.png",
        "figure-3.png",
    ]


@pytest.mark.parametrize("target", ["/etc/shadow", "/etc/passwd", "{outside}", "../../../outside.txt"])
async def test_a_link_is_not_followed(session: Session, tmp_path: Path, target: str) -> None:
    outside = tmp_path / "outside.txt"
    outside.write_text("secret")
    result = await cell(session, f"import os; os.symlink({target.format(outside=outside)!r}, 'plot.png')")
    assert result.files == ()
    assert "is not handed on: a link" in result.note
    with pytest.raises(OSError, match=r"[Ss]ymbolic|symlink|link"):
        await session.read("plot.png", most_bytes=100)


async def test_a_folder_that_is_a_link_is_not_entered(session: Session, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.txt").write_text("secret")
    result = await cell(session, f"import os; os.symlink({str(tmp_path / 'outside')!r}, 'folder')")
    assert result.files == ()
    with pytest.raises(OSError, match=r"directory|symbolic|link"):
        await session.read("folder/secret.txt", most_bytes=100)


async def test_a_file_of_several_names_is_not_handed_on(session: Session, tmp_path: Path) -> None:
    outside = tmp_path / "outside.txt"
    outside.write_text("secret")
    await cell(session, "1")
    # As code without walls could make it.
    os.link(outside, session.folder / "plot.png")
    assert (await cell(session, "open('plot.png').close()")).files == ()
    with pytest.raises(PermissionError, match="no regular file of one name"):
        await session.read("plot.png", most_bytes=100)


@pytest.mark.parametrize(
    "deed",
    [
        "os.mkfifo('plot.png')",
        "socket.socket(socket.AF_UNIX).bind('plot.png')",
        "os.mkdir('plot.png')",
    ],
)
async def test_what_is_no_file_is_not_read_and_not_waited_for(session: Session, deed: str) -> None:
    result = await cell(session, f"import os, socket\n{deed}")
    assert result.files == ()
    with (
        pytest.raises(OSError, match=r"plot\.png|Is a dir|No such device|no regular|link|more than"),
        anyio.fail_after(5),
    ):
        await session.read("plot.png", most_bytes=100)


@pytest.mark.parametrize(
    "name", ["line\nbreak.txt", "\x1b[31mred.txt", "\u202egnp.txt", "back\\slash.txt", "caf\udce9.txt", "bell\x07"]
)
async def test_a_name_that_cannot_be_told_is_not_told(session: Session, name: str) -> None:
    result = await cell(session, f"open({name.encode('utf-8', 'surrogateescape')!r}, 'w').write('x')")
    assert result.files == ()
    assert "a name that cannot be told" in result.note


@pytest.mark.parametrize("name", ["../outside.txt", "a/../../outside.txt", "/etc/passwd", "", ".", "a//b", "a\0b"])
async def test_a_name_leads_nowhere_else(session: Session, tmp_path: Path, name: str) -> None:
    await cell(session, "import os; os.mkdir('a')")
    (session.folder.parent / "outside.txt").write_text("secret")
    with pytest.raises(FileNotFoundError):
        await session.read(name, most_bytes=100)


@pytest.mark.parametrize("swap", ["symlink", "fifo", "gone", "longer"])
async def test_a_file_that_changes_between_look_and_read_is_not_another(session: Session, swap: str) -> None:
    result = await cell(session, "open('plot.png', 'w').write('fine')")
    assert names(result) == ["plot.png"]
    deed = {
        "symlink": "os.symlink('/etc/passwd', 'plot.png')", "fifo": "os.mkfifo('plot.png')", "gone": "pass",
        "longer": "open('plot.png', 'w').write('x' * 1000)",
    }[swap]  # fmt: skip
    await cell(session, f"import os; os.unlink('plot.png'); {deed}")
    with (
        pytest.raises(OSError, match=r"plot\.png|Is a dir|No such device|no regular|link|more than"),
        anyio.fail_after(5),
    ):
        await session.read("plot.png", most_bytes=100)


async def test_a_file_that_changes_all_the_time_is_never_another(session: Session) -> None:
    await cell(session, "open('plot.png', 'w').write('fine')")
    command = "while :; do ln -sf /etc/passwd plot.png; rm plot.png; echo fine > plot.png; done"
    read: set[bytes] = set()
    async with anyio.create_task_group() as group:
        group.start_soon(lambda: session.terminal(command, timeout_s=2))
        for _ in range(2000):
            try:
                read.add((await session.read("plot.png", most_bytes=10_000))[:4])
            except OSError:
                read.add(b"not")
            await anyio.lowlevel.checkpoint()
        group.cancel_scope.cancel()
    assert read <= {b"fine", b"not", b""}


async def test_a_file_of_a_terabyte_is_read_in_bounds(session: Session) -> None:
    result = await cell(session, "open('big.csv', 'wb').truncate(60 * 2**20)")
    assert [one.size_bytes for one in result.files] == [60 * 2**20]
    with pytest.raises(OSError, match="more than 1000 bytes"):
        await session.read("big.csv", most_bytes=1000)


@pytest.mark.parametrize(
    ("head", "name", "kind"),
    [
        (b"<script>alert(1)</script>", "plot.png", "application/octet-stream"),
        (b"\x89PNG\r\n\x1a\n", "note.txt", "image/png"), (b"\0\1", "note.txt", "application/octet-stream"),
        (b"a,b", "rows.CSV", "text/csv"), (b"x", "run.exe", "application/octet-stream"),
    ],
)  # fmt: skip
async def test_a_file_is_what_it_begins_with(session: Session, head: bytes, name: str, kind: str) -> None:
    result = await cell(session, f"open({name!r}, 'wb').write({head!r})")
    assert [one.media_type for one in result.files] == [kind]


def forging(line: str) -> str:
    """Code that writes a line where the interpreter answers, and goes on."""
    return f"""
import json, os, sys, time
frame = sys._getframe()
while "told" not in frame.f_locals or "asked" not in frame.f_locals:
    frame = frame.f_back
told, order = frame.f_locals["told"], frame.f_locals["order"]
os.write(told, {line})
time.sleep(0.2)
"""


@pytest.mark.parametrize(
    "line",
    [
        'b"garbage\\n"', 'b"\\xff\\xfe\\n"', 'b"[]\\n"', 'b"[" * 100000 + b"\\n"', 'b"x" * 200000',
        'json.dumps({"call": "other", "error": "", "dropped_bytes": 0}).encode() + b"\\n"',
        'json.dumps({"call": order["call"], "error": 5, "dropped_bytes": 0}).encode() + b"\\n"',
        'json.dumps({"call": order["call"], "error": "", "dropped_bytes": -1}).encode() + b"\\n"',
        '2 * (json.dumps({"call": order["call"], "error": "", "dropped_bytes": 0}).encode() + b"\\n")',
    ],
)  # fmt: skip
async def test_a_forged_answer_costs_the_interpreter_that_gave_it(session: Session, tmp_path: Path, line: str) -> None:
    async with opened(tmp_path / "workspaces" / "other") as other:
        await cell(other, "kept = 'mine'")
        result = await cell(session, forging(line))
        assert result.exit is None
        assert "wrote over the interpreter's own answers" in result.note
        assert (await cell(other, "kept")).text == "'mine'\n"
    assert (await cell(session, "'anew'")).text == "'anew'\n"


async def test_an_answer_that_is_forged_well_ends_its_own_cell_alone(session: Session) -> None:
    line = 'json.dumps({"call": order["call"], "error": "forged", "dropped_bytes": 0}).encode() + b"\\n"'
    first = await cell(session, forging(line) + "\nopen('late.txt', 'w').write('x')")
    assert first.text == "forged"
    # What it goes on with is no answer to the next, which is told.
    second = await cell(session, "1 + 1")
    assert second.is_state_lost
    assert (await cell(session, "1 + 1")).text == "2\n"


async def test_a_child_of_an_interpreter_cannot_answer_for_it_later(session: Session) -> None:
    code = "import os, time\nif os.fork() == 0:\n    time.sleep(0.2)\n    while True: time.sleep(0.01)\n"
    await cell(session, code)
    assert (await cell(session, "3")).text == "3\n"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "red"), ("\x1b]0;title\x07after", "after"),
        ("\x1b]8;;x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b[2J\x1b[Hgone?", "gone?"), ("10%\r20%\r\n", "10%\n20%\n"), ("a\x08b\x00c\x7f", "abc"),
        ("\u202eturned\u202c", "turned"), ("\x9b31mred", "red"), ("\x1bP1;2|secret\x1b\\kept", "kept"),
        ("\x1b[6n\x1b[c?", "?"), ("half \x1b[3", "half "), ("caf\xe9 \U0001f600", "caf\xe9 \U0001f600"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("size", [1, 4096])
async def test_nothing_steers_a_terminal(session: Session, said: str, shown: str, size: int) -> None:
    heard: list[str] = []
    parts = [said.encode()[place : place + size] for place in range(0, len(said.encode()), size)]
    code = f"import os, time\nfor part in {parts!r}:\n    os.write(1, part); time.sleep({0.005 if size == 1 else 0})"
    result = await session.python(code, timeout_s=WAIT_S, on_output=heard.append)
    assert (result.text.rstrip("\x1b[3"), "".join(heard)) == (shown.rstrip("\x1b[3"), result.text)
    assert "\x1b" not in result.text


async def test_bytes_that_are_no_text_are_told_as_such(session: Session) -> None:
    result = await session.terminal("head -c 1000 /dev/urandom; printf 'end'", timeout_s=WAIT_S)
    assert result.text.endswith("end")
    assert json.loads(json.dumps(result.text)) == result.text

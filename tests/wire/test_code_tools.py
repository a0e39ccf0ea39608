"""Tests the tools that run what a model writes, in a message: their output, files, sessions, ends, and being off."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import anyio
import pytest

from paddock.sandbox import probing
from tests.shapes.responses_streams import calls, says
from tests.wire.rig import CHAT, HANG_GUARD_S, USER, Json, Rig, data_of, scripted_studio
from tests.wire.test_toolloop import asks, conversations, events, turn

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(probing.available() is not None, reason=f"no walls here: {probing.available()}"),
]


def python(code: str, call_id: str = "p") -> Json:
    return calls(json.dumps({"code": code}), name="python", call_id=call_id)


def terminal(command: str, call_id: str = "t") -> Json:
    return calls(json.dumps({"command": command}), name="terminal", call_id=call_id)


async def results(rig: Rig) -> list[str]:
    return [turns[-1]["content"] for turns in await conversations(rig) if turns[-1]["role"] == "tool"]


async def test_python_keeps_its_variables_and_files_within_a_session(rig: Rig) -> None:
    on: Json = {"enable_tools": True, "enabled_tools": ["python", "terminal", "files"]}
    read = calls('{"path": "made.txt"}', name="read_file", call_id="r")
    await rig.script(
        asks(python("x = 6 * 7\nx")), asks(python("open('made.txt', 'w').write(str(x))")), asks(read), turn(says("42")),
        asks(python("x + 1")), asks(terminal("cat made.txt; exit 3")), turn(says("43")),
        asks(python("x")), turn(says("Not there.")),
    )  # fmt: skip
    first = (await rig.chat(session_id="mine", **on)).json()
    (made,) = first["paddock"]["turns"][1]["tools"][0]["files"]
    assert (made["path"], made["size_bytes"], made["media_type"]) == ("made.txt", 2, "text/plain")
    await rig.chat(session_id="mine", **on)
    await rig.chat(session_id="another", **on)
    said = await results(rig)
    assert said[0] == "42"
    assert said[2] == "42"
    assert said[3] == "43"
    assert said[4] == "42\n[It ended with status 3.]"
    assert "NameError" in said[5]


async def test_a_figure_comes_back_as_a_picture_of_its_session(rig: Rig) -> None:
    # Matplotlib may not be there; what it would write is a file as any other.
    pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
    code = (
        f"import base64; open('plot 1.png', 'wb').write(base64.b64decode('{pixel}')); open('x.html', 'w').write('<p>')"
    )
    await rig.script(asks(python(code)), turn(says("Drawn.")))
    asked: Json = {"input": "Draw", "enable_tools": True, "enabled_tools": ["python"], "session_id": "my/session"}
    answer = (await rig.post(asked, "/v1/responses")).json()
    made = {file["path"]: file for file in answer["output"][0]["files"]}
    assert made["plot 1.png"]["media_type"] == "image/png"
    assert made["plot 1.png"]["url"] == "/api/tools/file?session_id=my%2Fsession&path=plot+1.png"
    picture = await rig.http.get(made["plot 1.png"]["url"])
    assert (picture.status_code, picture.headers["content-type"]) == (200, "image/png")
    assert picture.content.startswith(b"\x89PNG")
    page = await rig.http.get(made["x.html"]["url"])
    # What a model wrote is never a page of ours.
    assert page.headers["content-type"] == "application/octet-stream"
    assert page.headers["content-disposition"] == "attachment"
    for path in ("gone.png", "../../../paddock.db", "/etc/passwd", "", "x\0y"):
        asked = {"session_id": "my/session", "path": path}
        refused = await rig.http.get("/api/tools/file", params=asked)
        assert refused.status_code == 404, path


async def test_what_a_file_tool_writes_code_can_change(rig: Rig) -> None:
    write = calls('{"path": "a/b.txt", "content": "one"}', name="write_file", call_id="w")
    read = calls('{"path": "a/b.txt"}', name="read_file", call_id="r")
    change = terminal("cat a/b.txt && echo two >> a/b.txt && ls -la a")
    await rig.script(asks(write), asks(change), asks(read), turn(says("Done.")))
    await rig.chat(enable_tools=True, enabled_tools=["terminal", "files"])
    said = await results(rig)
    assert said[1].startswith("one")
    assert said[2] == "onetwo\n"


async def test_what_is_printed_is_told_while_it_runs(rig: Rig) -> None:
    slow = "import time\nfor n in range(3):\n    print(n, flush=True)\n    time.sleep(0.2)"
    await rig.script(asks(python(slow)), turn(says("Done.")))
    seen = await events(rig, enabled_tools=["python"])
    told = [one["output"] for one in seen if one["state"] == "output"]
    assert "".join(told) == "0\n1\n2\n"
    assert len(told) > 1


async def test_a_message_without_a_session_leaves_nothing(rig: Rig, tmp_path: Path) -> None:
    marked = f"left-{tmp_path.name}.txt"
    await rig.script(asks(python(f"open('{marked}', 'w').write('x'); x = 1")), turn(says("Done.")))
    on: Json = {"enable_tools": True, "enabled_tools": ["python"]}
    answer = (await rig.chat(**on)).json()
    assert answer["paddock"]["turns"][0]["tools"][0]["files"][0]["path"] == marked
    homes = list(tmp_path.parent.glob("*/home"))
    assert homes
    with anyio.fail_after(HANG_GUARD_S):
        while any(list(home.rglob(marked)) for home in homes):
            await anyio.sleep(0.02)
    await rig.script(asks(python("x")), turn(says("Gone.")))
    await rig.chat(**on)
    assert "NameError" in (await results(rig))[-1]


async def test_a_call_that_takes_too_long_is_ended_and_told(rig: Rig) -> None:
    await rig.script(asks(terminal("sleep 600")), turn(says("Too slow.")))
    answer = (await rig.chat(enable_tools=True, enabled_tools=["terminal"], tool_call_timeout=0.5)).json()
    assert answer["choices"][0]["message"]["content"] == "Too slow."
    assert "took longer than 0.5 s and was stopped" in (await results(rig))[0]


async def test_a_client_that_leaves_ends_what_its_tool_does(rig: Rig) -> None:
    mark = "paddock_test_leaves"
    await rig.script(asks(terminal(f"exec -a {mark} sleep 600")))
    body: Json = {
        "messages": [USER], "stream": True, "enable_tools": True, "enabled_tools": ["terminal"],
    }  # fmt: skip

    def is_there() -> bool:
        for place in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                if mark.encode() in place.read_bytes().split(b"\0")[0]:
                    return True
            except OSError:
                continue
        return False

    async with rig.http.stream("POST", CHAT, json=body):
        with anyio.fail_after(30):
            while not is_there():
                await anyio.sleep(0.02)
    with anyio.fail_after(30):
        while is_there():
            await anyio.sleep(0.02)


@pytest.mark.parametrize("code", ["print('x' * 10**9)", "import os; os.write(1, bytes(range(256)) * 100000)"])
async def test_endless_and_binary_output_is_cut_and_the_chat_goes_on(rig: Rig, code: str) -> None:
    await rig.script(asks(python(code)), turn(says("Much.")))
    answer = await rig.chat(enable_tools=True, enabled_tools=["python"])
    assert answer.json()["choices"][0]["message"]["content"] == "Much."
    said = (await results(rig))[0]
    assert "Its output was cut" in said
    assert len(said) < 70_000


async def test_an_interpreter_that_dies_is_begun_anew_and_that_is_told(rig: Rig) -> None:
    await rig.script(asks(python("y = 1; import os; os._exit(1)")), asks(python("y")), turn(says("Anew.")))
    await rig.chat(enable_tools=True, enabled_tools=["python"])
    said = await results(rig)
    assert "What cells had defined is gone" in said[0]
    assert "NameError" in said[1]


async def test_where_there_are_no_walls_code_tools_are_off_and_say_why(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*, is_unsafe: bool = False) -> str:
        return "Install bubblewrap."

    monkeypatch.setattr(probing, "available", refused)
    listed: list[Any] = (await rig.http.get("/api/tools")).json()["data"]
    assert {one["name"]: one["why_off"] for one in listed if one["name"] in ("python", "terminal")} == {
        "python": "Install bubblewrap.", "terminal": "Install bubblewrap.",
    }  # fmt: skip
    response = await rig.chat(enable_tools=True, enabled_tools=["python"])
    assert (response.status_code, response.json()["error"]["message"]) == (
        400, "The tool python is off: Install bubblewrap.",
    )  # fmt: skip


async def test_unsafe_tools_run_without_walls_where_somebody_typed_that(tmp_path: Path) -> None:
    async with scripted_studio(tmp_path, tools_unsafe=True) as rig:
        await rig.script(asks(terminal("ls -d /root")), turn(says("Seen.")))
        raw = await rig.stream(enable_tools=True, enabled_tools=["terminal"])
        assert b"[DONE]" in data_of(raw)
        assert (await results(rig))[0] == "/root"


def sql(query: str, call_id: str = "s", **more: Any) -> Json:
    return calls(json.dumps({"query": query, **more}), name="sql", call_id=call_id)


async def put(rig: Rig, session_id: str, path: str, data: bytes) -> Any:
    return await rig.http.put("/api/tools/file", params={"session_id": session_id, "path": path}, content=data)


async def test_sql_asks_the_files_that_were_put_into_a_session(rig: Rig) -> None:
    made = await put(rig, "mine 0", "sales of 2025.csv", b"city,sold\nRome,3\nOslo,5\nRome,4\n")
    assert made.json() == {"path": "sales of 2025.csv", "size_bytes": 31, "media_type": "text/csv"}
    await put(
        rig, "mine 0", "more/cities.jsonl", b'{"city": "Rome", "land": "Italy"}\n{"city": "Oslo", "land": "Norway"}\n'
    )
    joined = (
        "SELECT land, sum(sold)::INT AS sold FROM sales_of_2025 JOIN cities USING (city) GROUP BY land ORDER BY land"
    )
    await rig.script(
        asks(sql(joined)), asks(sql(f"COPY ({joined}) TO 'by land.parquet'")),
        asks(sql("SELECT sold FROM 'by land.parquet'; SELECT * FROM by_land", rows=1)),
        asks(sql("SELECT * FROM nowhere")), asks(sql("")), turn(says("Italy sold most.")),
    )  # fmt: skip
    on: Json = {"enable_tools": True, "enabled_tools": ["sql"]}
    turns = (await rig.chat(session_id="mine 0", **on)).json()["paddock"]["turns"]
    assert [one["path"] for one in turns[1]["tools"][0]["files"]] == ["by land.parquet"]
    said = await results(rig)
    assert said[0] == "land | sold\nItaly | 7\nNorway | 5"
    assert said[2] == "land | sold\nItaly | 7\n[the first 1 rows; there are more]"
    assert said[3].startswith("Catalog Error: Table with name nowhere does not exist!")
    assert (
        "Tables: by_land (by land.parquet), sales_of_2025 (sales of 2025.csv), cities (more/cities.jsonl)." in said[3]
    )
    assert said[4] == "Done."


async def test_sql_reaches_nothing_beyond_its_workspace(rig: Rig, tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("a\n1\n", "utf-8")
    await put(rig, "another 1", "theirs.csv", b"a\n1\n")
    tries = (
        f"SELECT * FROM '{secret}'",
        "SELECT * FROM read_text('/proc/1/environ')",
        "SELECT * FROM glob('../../*/files/*')",
        "INSTALL httpfs",
        "SELECT * FROM theirs",
    )
    await rig.script(*(asks(sql(one)) for one in tries), turn(says("Nothing.")))
    await rig.chat(session_id="mine 1", enable_tools=True, enabled_tools=["sql"])
    said = await results(rig)
    assert "No files found" in said[0]
    assert "Error" in said[1]
    assert said[2] == "file"
    assert "Error" in said[3]
    assert "theirs does not exist" in said[4]


async def test_files_of_a_session_are_listed_read_replaced_and_removed(rig: Rig) -> None:
    asked = {"session_id": "mine 2"}
    assert (await rig.http.get("/api/tools/files", params=asked)).json()["data"] == []
    for data in (b"one\n", b"two, and more\n"):
        await put(rig, "mine 2", "notes/a.md", data)
    await rig.script(
        asks(terminal("cat notes/a.md; ln -s notes/a.md link; echo out > 'made here.txt'")), turn(says("Read."))
    )
    await rig.chat(session_id="mine 2", enable_tools=True, enabled_tools=["terminal"])
    assert (await results(rig))[0].startswith("two, and more")
    listed = (await rig.http.get("/api/tools/files", params=asked)).json()["data"]
    assert [(one["path"], one["size_bytes"], one["media_type"]) for one in listed] == [
        ("made here.txt", 4, "text/plain"), ("notes/a.md", 14, "text/markdown"),
    ]  # fmt: skip
    named = {**asked, "path": "notes/a.md"}
    assert (await rig.http.get("/api/tools/file", params=named)).content == b"two, and more\n"
    assert (await rig.http.delete("/api/tools/file", params=named)).json() == {"path": "notes/a.md", "deleted": True}
    assert (await rig.http.delete("/api/tools/file", params=named)).status_code == 404
    other = (await rig.http.get("/api/tools/files", params={"session_id": "another 2"})).json()["data"]
    assert other == []


@pytest.mark.attack("path traversal")
@pytest.mark.parametrize(
    "path", ["../up.txt", "/etc/passwd", "a/../../b", "", ".", "a//b", "a\0b", "x" * 301, "link/a.txt"]
)
async def test_no_file_is_put_or_removed_outside_a_session(rig: Rig, tmp_path: Path, path: str) -> None:
    await put(rig, "mine 3", "there.txt", b"x")
    await rig.script(asks(terminal("ln -s / link")), turn(says("Linked.")))
    await rig.chat(session_id="mine 3", enable_tools=True, enabled_tools=["terminal"])
    refused = await put(rig, "mine 3", path, b"planted")
    assert refused.status_code in {400, 422}, refused.text
    assert refused.json()["error"]["param"] == "path"
    gone = await rig.http.delete("/api/tools/file", params={"session_id": "mine 3", "path": path})
    assert gone.status_code == 404
    listed = (await rig.http.get("/api/tools/files", params={"session_id": "mine 3"})).json()["data"]
    assert [one["path"] for one in listed] == ["there.txt"]


async def test_a_file_without_a_session_or_too_large_is_refused(rig: Rig) -> None:
    refused = await put(rig, "", "a.txt", b"x")
    assert (refused.status_code, refused.json()["error"]["param"]) == (422, "session_id")
    refused = await put(rig, "s" * 201, "a.txt", b"x")
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "session_id")
    named = {"session_id": "mine 4", "path": "a.txt"}
    refused = await rig.http.put("/api/tools/file", params=named, content=bytes(2**26 + 1))
    assert refused.status_code == 413

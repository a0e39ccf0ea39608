"""Tests which servers of tools are kept, and reading them from the files of other programs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from paddock.errors import BadRequest, HomeUnusable, ToolServerUnknown
from paddock.paths import Home
from paddock.toolservers.importing import found_in
from paddock.toolservers.records import Record, Records, checked
from paddock.toolservers.saying import contents, name_for, said

NPX = Record(name="files", command="npx", arguments=("-y", "@x/files", "/tmp"))
CLAUDE = {
    "mcpServers": {
        "filesystem": {"command": "npx", "args": ["-y", "server-filesystem", "/home/me"], "env": {"KEY": "v"}},
        "Brave Search": {"command": "uvx", "args": ["brave"]},
        "remote": {"url": "https://mcp.example.org/mcp", "headers": {"Authorization": "Bearer v"}},
    }
}
VSCODE = """{
  // what VS Code writes, with comments
  "inputs": [{"type": "promptString", "id": "key", "password": true}],
  "servers": {
    "github": {"type": "http", "url": "https://api.example.org/mcp", "headers":
      {"Authorization": "Bearer ${input:key}"}},
    "perp/lexity": {"type": "stdio", "command": "npx", "args": ["-y", "x", "--key=${input:key}"],
      "env": {"A": "//b",},},
    "old": {"type": "sse", "url": "https://example.org/sse"}, /* the older way */
    "file": {"command": "x", "envFile": ".env"},
    "": {"command": "x"}, "none": {}, "both": 5,
  },
}"""


def test_a_file_of_claude_desktop_or_cursor_is_read() -> None:
    found = found_in(json.dumps(CLAUDE), {})
    assert [record.name for record, _ in found.servers] == ["filesystem", "brave-search", "remote"]
    assert found.servers[0] == (
        Record(name="filesystem", command="npx", arguments=("-y", "server-filesystem", "/home/me")), {"KEY": "v"},
    )  # fmt: skip
    assert found.servers[2][1] == {"Authorization": "Bearer v"}
    assert found.left_out == {}


def test_a_file_of_vs_code_is_read_with_what_it_leaves_to_be_asked_for() -> None:
    without = found_in(VSCODE, {})
    assert without.servers == []
    assert "it needs key" in without.left_out["github"]
    found = found_in(VSCODE, {"key": "s3cret"})
    assert [record.name for record, _ in found.servers] == ["github", "perp-lexity"]
    assert found.servers[0][1] == {"Authorization": "Bearer s3cret"}
    record, secrets = found.servers[1]
    # A secret in an argument stands in no file, and reaches the program.
    assert record.arguments[-1] == "--key=${input:key}"
    assert secrets == {"input:key": "s3cret", "A": "//b"}
    assert checked(record, secrets).words(secrets)[-1] == "--key=s3cret"
    assert list(found.left_out) == ["old", "file", "", "none", "both"]
    settings = found_in('{"mcp": ' + VSCODE + "}", {"key": "s3cret"})
    assert settings.servers == found.servers


@pytest.mark.attack("bombs")
@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "{", "5", '{"servers": []}', "[" * 200_000, '{"mcpServers": ' * 60_000,
        "/*" * 130_000, '"' + '\\"' * 120_000 + "\\", ",/**/" * 50_000, "," * 250_000,
        '{"servers": {' + '"a": {}, ' * 30,
        json.dumps({"servers": {f"s{n}": {"command": "x"} for n in range(101)}}),
    ],
    ids=lambda text: text[:12],
)  # fmt: skip
def test_a_file_that_is_none_is_refused_in_words(text: str) -> None:
    with pytest.raises(BadRequest):
        found_in(text, {})


@pytest.mark.parametrize(
    ("change", "secrets"),
    [
        ({"name": "Files"}, {}), ({"name": ""}, {}), ({"name": "a__b"}, {}), ({"name": "../x"}, {}),
        ({"name": "import"}, {}), ({"name": "x" * 31}, {}), ({"command": ""}, {}), ({"url": "https://h/mcp"}, {}),
        ({"command": "a\0b"}, {}), ({"arguments": ("\ud800",)}, {}), ({"arguments": ("x",) * 101}, {}),
        ({}, {"A B": "x"}), ({}, {"A": "x\0"}), ({}, {"A": "x" * 9000}), ({}, {f"A{n}": "" for n in range(51)}),
    ],
)  # fmt: skip
def test_what_no_server_can_be_is_refused(change: dict[str, Any], secrets: dict[str, str]) -> None:
    with pytest.raises(BadRequest):
        checked(replace(NPX, **change), secrets)


@pytest.mark.parametrize(
    ("url", "headers"),
    [
        ("http://example.org/mcp", {}), ("ftp://example.org", {}), ("https://u:p@example.org/", {}), ("https://", {}),
        ("https://exämple.org/", {}), ("https://h/ x", {}), ("https://h:99999/", {}), ("https://h/#x", {}),
        ("https://h/mcp", {"Host": "x"}), ("https://h/mcp", {"mcp-session-id": "x"}),
        ("https://h/mcp", {"A": "x\r\nB: c"}),
        ("https://h/mcp", {"A:": "x"}),
    ],
)  # fmt: skip
def test_what_no_address_can_be_is_refused(url: str, headers: dict[str, str]) -> None:
    with pytest.raises(BadRequest):
        checked(Record(name="far", url=url), headers)


def test_only_what_was_turned_on_is_on_also_after_it_was_changed_by_hand(tmp_path: Path) -> None:
    home = Home(root=tmp_path)
    records = Records(home=home)
    records.put(replace(NPX, added_s=1.0))
    assert not records.find("files").is_enabled
    assert records.turn("files", on=True).is_enabled
    assert Records(home=home).find("files").is_enabled
    text = home.toolservers.read_text()
    home.toolservers.write_text(text.replace("npx", "rm"))
    assert not records.find("files").is_enabled
    home.toolservers.write_text(text)
    assert records.find("files").is_enabled
    # A backup that is put back has the one file, and not the other.
    home.toolservers_on.unlink()
    assert not records.find("files").is_enabled
    records.remove("files")
    with pytest.raises(ToolServerUnknown):
        records.turn("files", on=True)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"servers": [{}]}', '{"servers": [{"name": "A"}]}', "\x00"])
def test_a_file_of_servers_that_is_damaged_is_told(tmp_path: Path, text: str) -> None:
    home = Home(root=tmp_path)
    home.toolservers.write_text(text)
    with pytest.raises(HomeUnusable):
        Records(home=home).all()


def test_names_are_such_as_dialects_take_and_told_apart() -> None:
    assert name_for("files", "read_file") == "mcp__files__read_file"
    odd = [name_for("files", own) for own in ("a b", "a.b", "a/b", "x" * 80, "x" * 81)]
    assert len(set(odd)) == 5
    assert all(len(name) <= 64 for name in odd)


def test_answers_become_text_and_files() -> None:
    blocks = [
        {"type": "text", "text": "Here."},
        {"type": "image", "data": "aGF5", "mimeType": "image/png"},
        {"type": "image", "data": "!", "mimeType": "image/png"},
        {"type": "resource_link", "uri": "note://x"},
        {"type": "resource", "resource": {"uri": "x", "text": "in it"}},
        {"type": "resource", "resource": {"uri": "x", "blob": "aGF5", "mimeType": "../../x"}},
        {"type": "hologram"},
        5,
    ]
    found = said("fake", {"content": blocks})
    assert [(file.name[:9], file.name[-4:], file.data) for file in found.files] == [
        ("mcp/fake-", ".png", b"hay"), ("mcp/fake-", ".bin", b"hay"),
    ]  # fmt: skip
    assert found.text.splitlines()[2:] == [
        "[a file that cannot be read]", "[resource note://x]", "in it", found.text.splitlines()[5],
        "[hologram, which cannot be shown]",
    ]  # fmt: skip
    assert said("fake", {"content": [], "structuredContent": {"a": 1}}).text == '{"a": 1}'
    assert said("fake", {}).text == "(nothing)"
    assert said("fake", {"isError": True}).is_error
    assert len(said("fake", {"content": [blocks[1]] * 20}).files) == 16
    assert contents("fake", {"contents": [{"uri": "x", "text": "t"}]}).text == "t"

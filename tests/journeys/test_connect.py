"""Tests `paddock connect` as it is typed: what it prints and writes, and that nothing else is touched."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import tomllib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
import yaml

from paddock.app import Studio
from paddock.clients.known import CLIENTS
from paddock.models.aliases import Aliases
from paddock.paths import Home

# Nothing answers there: the model is the settings' own.
NOWHERE = "http://127.0.0.1:9"
WRITTEN = {client.name: client.file.path for client in CLIENTS if client.file}


def run(home: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    home.mkdir(exist_ok=True)
    env = {**os.environ, "HOME": str(home), "PADDOCK_HOME": str(home / "paddock"), **environment}
    command = [sys.executable, "-m", "paddock", "connect", *words]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)


def read(path: Path) -> Any:
    text = path.read_text("utf-8")
    if path.suffix == ".json":
        return json.loads(text)
    return tomllib.loads(text) if path.suffix == ".toml" else yaml.safe_load(text)


def files_in(home: Path) -> list[Path]:
    return sorted(path for path in home.rglob("*") if path.is_file() and "paddock" not in path.parts)


@pytest.mark.parametrize("name", [client.name for client in CLIENTS])
def test_what_a_client_needs_is_printed_and_nothing_is_written(name: str, tmp_path: Path) -> None:
    home = tmp_path / "home"
    ran = run(home, name, "--url", NOWHERE, PADDOCK_API_KEY="pdk-mine")
    assert ran.returncode == 0, ran.stderr
    assert "No paddock answers" in ran.stderr
    assert "pdk-mine" in ran.stdout or "PADDOCK_API_KEY" in ran.stdout or name in ("cursor", "llm")
    told = json.loads(run(home, name, "--url", NOWHERE, "--json").stdout)
    assert told["client"] == name
    assert told["environment"] or told["file"]
    assert files_in(home) == []


@pytest.mark.parametrize("name", WRITTEN)
def test_a_file_is_written_once_and_what_was_there_is_kept_beside_it(name: str, tmp_path: Path) -> None:
    home = tmp_path / "home"
    first = run(home, name, "--url", NOWHERE, "--write")
    path = home / WRITTEN[name]
    assert first.returncode == 0, first.stderr
    assert files_in(home) == [path]
    assert path.stat().st_mode & 0o777 == 0o600
    before = path.read_text("utf-8")
    assert read(path)
    assert "says so already" in run(home, name, "--url", NOWHERE, "--write").stdout
    again = run(home, name, "--url", NOWHERE, "--write", "--model", "another")
    backup = next(file for file in files_in(home) if file != path)
    assert str(backup) in again.stdout
    assert backup.read_text("utf-8") == before
    assert "another" in path.read_text("utf-8")


@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("claude-code", '{"theme": "dark", "env": {"THEIRS": "1"}}'),
        ("codex", '[projects."/x"]\ntrust_level = "trusted"\n'),
        ("opencode", '{"theme": "dark", "provider": {"theirs": {"name": "x"}}}'),
        ("continue", "name: mine\nversion: 1.0.0\nschema: v1\nmodels:\n- {name: theirs, provider: openai, model: x}\n"),
        ("aider", "dark-mode: true\n"),
        ("llm", "- {model_id: theirs, model_name: x}\n"),
    ],
)
def test_what_a_person_had_configured_stays(name: str, theirs: str, tmp_path: Path) -> None:
    path = tmp_path / "home" / WRITTEN[name]
    path.parent.mkdir(parents=True)
    path.write_text(theirs, "utf-8")
    had = read(path)
    assert run(tmp_path / "home", name, "--url", NOWHERE, "--write").returncode == 0
    assert holds(read(path), had)


def holds(now: Any, had: Any) -> bool:
    """Whether everything that was there is still there."""
    if isinstance(had, dict):
        return all(name in now and holds(now[name], value) for name, value in had.items())  # pyright: ignore
    if isinstance(had, list):
        return all(any(holds(one, value) for one in now) for value in had)  # pyright: ignore
    return now == had


@pytest.mark.parametrize(("name", "broken"), [("claude-code", "{"), ("codex", "= 1"), ("aider", "a: [")])
def test_a_file_that_cannot_be_read_is_left_as_it_is(name: str, broken: str, tmp_path: Path) -> None:
    path = tmp_path / "home" / WRITTEN[name]
    path.parent.mkdir(parents=True)
    path.write_text(broken, "utf-8")
    ran = run(tmp_path / "home", name, "--url", NOWHERE, "--write")
    assert (ran.returncode, path.read_text("utf-8")) == (1, broken)
    assert "left as it is" in ran.stderr


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["emacs"], "There is no client 'emacs'"),
        (["cursor", "--write"], "has no file to write"),
        (["cursor", "--run"], "is no program to start"),
        (["codex", "--", "exec"], "say --run before --"),
        (["codex", "--url", "ftp://x"], "is not an address"),
        (["codex", "--write", "--run"], "exclude one another"),
        (["codex", "--write", "--json"], "exclude one another"),
    ],
)
def test_what_makes_no_sense_is_one_sentence(words: list[str], sentence: str, tmp_path: Path) -> None:
    ran = run(tmp_path / "home", *words)
    assert ran.returncode == 1
    assert sentence in ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize("exists", [True, False])
def test_a_link_to_a_file_stays_a_link(exists: bool, tmp_path: Path) -> None:
    home, real = tmp_path / "home", tmp_path / "dotfiles" / "claude.json"
    (home / ".claude").mkdir(parents=True)
    if exists:
        real.parent.mkdir()
        real.write_text('{"theme": "dark"}', "utf-8")
    link = home / WRITTEN["claude-code"]
    link.symlink_to(real)
    assert run(home, "claude-code", "--url", NOWHERE, "--write").returncode == 0
    assert link.is_symlink()
    assert read(real)["env"]["ANTHROPIC_BASE_URL"] == NOWHERE
    assert ("theme" in read(real)) == exists


def test_a_mark_at_a_files_beginning_and_its_line_ends_stay(tmp_path: Path) -> None:
    path = tmp_path / "home" / WRITTEN["claude-code"]
    path.parent.mkdir(parents=True)
    path.write_bytes(b'\xef\xbb\xbf{\r\n  "theme": "dark"\r\n}\r\n')
    assert run(tmp_path / "home", "claude-code", "--url", NOWHERE, "--write").returncode == 0
    written = path.read_bytes()
    assert written.startswith(b"\xef\xbb\xbf{\r\n")
    assert written.count(b"\n") == written.count(b"\r\n")
    assert json.loads(written.decode("utf-8-sig"))["theme"] == "dark"


@pytest.mark.parametrize(("name", "theirs"), [("claude-code", '{"env": ["A"]}'), ("opencode", '{"provider": "x"}')])
def test_a_form_without_a_place_for_ours_is_one_sentence(name: str, theirs: str, tmp_path: Path) -> None:
    path = tmp_path / "home" / WRITTEN[name]
    path.parent.mkdir(parents=True)
    path.write_text(theirs, "utf-8")
    ran = run(tmp_path / "home", name, "--url", NOWHERE, "--write")
    assert (ran.returncode, path.read_text("utf-8")) == (1, theirs)
    assert "left as it is" in ran.stderr
    assert f"`paddock connect {name}` prints" in ran.stderr


@pytest.mark.parametrize("form", ["a file in the folder's place", "a folder in the file's place", "no such home"])
def test_a_place_that_cannot_be_written_is_one_sentence(form: str, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    if form == "a file in the folder's place":
        (home / ".claude").touch()
    elif form == "a folder in the file's place":
        (home / WRITTEN["claude-code"]).mkdir(parents=True)
    else:
        home = Path("/proc")
    ran = run(home, "claude-code", "--url", NOWHERE, "--write", PADDOCK_HOME=str(tmp_path / "paddock"))
    assert ran.returncode == 1
    assert "cannot be written" in ran.stderr
    assert "fault of paddock" not in ran.stderr


def test_a_profile_that_wins_is_told_of(tmp_path: Path) -> None:
    path = tmp_path / "home" / WRITTEN["codex"]
    path.parent.mkdir(parents=True)
    path.write_text('profile = "work"\n[profiles.work]\nmodel_provider = "x"\n', "utf-8")
    assert "comes before this" in run(tmp_path / "home", "codex", "--url", NOWHERE, "--write").stderr


@pytest.mark.parametrize("key", ["pdk-a\npdk-b", "clé"])
def test_a_key_that_no_header_can_carry_is_one_sentence(key: str, tmp_path: Path) -> None:
    ran = run(tmp_path / "home", "codex", "--url", NOWHERE, PADDOCK_API_KEY=key)
    assert ran.returncode == 1
    assert ran.stderr.startswith("Error: PADDOCK_API_KEY holds more than a key")


class Stranger(BaseHTTPRequestHandler):
    """A server of the same route that is no paddock."""

    def do_GET(self) -> None:
        body = (
            self.path.removeprefix("/v1/models/").encode() if "/v1/models/" in self.path else b'{"data": [{"id": 1}]}'
        )
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.mark.parametrize("model", [[], ["--model", "text"], ["--model", "[]"], ["--model", "{}"]])
def test_a_server_that_is_no_paddock_is_one_sentence(model: list[str], tmp_path: Path) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Stranger) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            ran = run(tmp_path / "home", "codex", "--url", f"http://127.0.0.1:{server.server_port}", *model)
        finally:
            server.shutdown()
            thread.join()
    assert ran.returncode == 1
    assert "not as a paddock does" in ran.stderr


@pytest.mark.anyio
async def test_a_name_that_the_server_resolves_is_taken(studio: Studio, tmp_path: Path) -> None:
    Aliases(Home(root=tmp_path / "home")).set("claude-*", "pocket-v0")

    async def printed(model: str) -> subprocess.CompletedProcess[str]:
        words = ["claude-code", "--url", studio.url, "--json", "--model", model]
        return await anyio.to_thread.run_sync(lambda: run(tmp_path / "person", *words))

    for model in ("pocket-v0", "POCKET-V0", "claude-sonnet-4"):
        told = json.loads((await printed(model)).stdout)["environment"]
        assert (told["ANTHROPIC_MODEL"], told["CLAUDE_CODE_MAX_CONTEXT_TOKENS"]) == (model, "4096")
    refused = await printed("nope")
    assert refused.returncode == 1
    assert "There is no model 'nope'" in refused.stderr


def test_a_program_that_is_not_installed_is_named_with_how_to_get_it(tmp_path: Path) -> None:
    ran = run(tmp_path / "home", "claude-code", "--url", NOWHERE, "--run", PATH="/nonexistent")
    assert ran.returncode == 1
    assert "npm install -g @anthropic-ai/claude-code" in ran.stderr


def test_a_context_that_is_too_small_for_the_client_is_told(tmp_path: Path) -> None:
    ran = run(tmp_path / "home", "claude-code", "--url", NOWHERE)
    assert "begins with about 39300 tokens" in ran.stderr
    assert "paddock serve --ctx" in ran.stderr

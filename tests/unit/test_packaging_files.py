"""The files for containers and services: what can be known of them without running any."""

from __future__ import annotations

import configparser
import json
import os
import plistlib
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import typer

from paddock.cli import app
from paddock.config import Settings

ROOT = Path(__file__).resolve().parents[2]
PACKAGING = ROOT / "packaging"
UNIT = PACKAGING / "paddock.service"


def instructions() -> list[tuple[str, str]]:
    """Every instruction of the container file with its words, comments left out and lines joined."""
    text = (PACKAGING / "Containerfile").read_text("utf-8")
    bare = "\n".join(line for line in text.splitlines() if not line.startswith("#")).replace("\\\n", " ")
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in bare.splitlines() if line.strip()]


def last_stage() -> list[tuple[str, str]]:
    """What makes the image that is kept."""
    found = instructions()
    begin = max(place for place, (name, _) in enumerate(found) if name == "FROM")
    return found[begin:]


def words_of(name: str) -> list[list[str]]:
    return [json.loads(words[words.index("[") :]) for found, words in last_stage() if found == name]


def test_the_container_runs_as_nobody_special_and_keeps_its_data_in_a_volume() -> None:
    kept = dict(last_stage())
    user = kept["USER"].split(":")[0]
    assert user.isdigit()
    assert int(user) >= 1000
    assert kept["VOLUME"] == "/data"
    variables = dict(pair.split("=", 1) for pair in shlex.split(kept["ENV"]))
    assert variables["PADDOCK_HOME"] == "/data"
    assert variables["HF_HOME"].startswith("/data/")
    # Whoever runs it does not own the program: nothing after USER writes it.
    names = [name for name, _ in last_stage()]
    assert names.index("USER") > max(place for place, name in enumerate(names) if name in ("RUN", "COPY"))


def test_every_variant_of_the_container_is_a_stage_of_it_and_one_is_the_default() -> None:
    stages = [re.fullmatch(r"(\S+)(?: AS (\S+))?", words) for name, words in instructions() if name == "FROM"]
    named = {match[2] for match in stages if match and match[2]}
    assert {"base-cpu", "base-cuda"} <= named
    assert instructions()[0] == ("ARG", "VARIANT=cpu")
    assert last_stage()[0] == ("FROM", "base-${VARIANT}")


def test_the_container_installs_by_hash_and_serves_the_port_that_paddock_has_by_default() -> None:
    installs = [part for _, words in instructions() for part in words.split("&&") if "pip install" in part]
    assert len(installs) == 3
    assert all("--require-hashes" in part or "--no-index" in part for part in installs)
    kept = dict(last_stage())
    assert kept["EXPOSE"] == str(Settings.port)
    assert f":{Settings.port}/health/ready'" in words_of("HEALTHCHECK")[0][-1]
    assert words_of("ENTRYPOINT")[0][-3:] == ["-P", "-m", "paddock"]


def test_the_container_asks_for_a_key_and_its_file_says_to_publish_on_loopback() -> None:
    text = (PACKAGING / "Containerfile").read_text("utf-8")
    assert words_of("CMD")[0] == ["serve", "--host", "0.0.0.0"]
    assert "unsafe-no-auth" not in text
    assert "127.0.0.1:8642:8642" in text
    assert "keys create" in text


def test_what_the_container_copies_is_there() -> None:
    for name in ("requirements/build.txt", "requirements/node.txt", "requirements/trace.txt"):
        assert (ROOT / name).is_file()
        assert name in (PACKAGING / "Containerfile").read_text("utf-8")


def test_the_unit_starts_the_command_that_setup_makes_and_needs_no_rights() -> None:
    unit = configparser.RawConfigParser(strict=False)
    unit.optionxform = str  # pyright: ignore[reportAttributeAccessIssue]
    unit.read_string(UNIT.read_text("utf-8"))
    service = unit["Service"]
    assert shlex.split(service["ExecStart"]) == ["%h/.local/bin/paddock", "serve"]
    assert service["NoNewPrivileges"] == "yes"
    assert "User" not in service
    assert unit["Install"]["WantedBy"] == "default.target"


@pytest.mark.parametrize("checker", [name for name in ("systemd-analyze", "true") if shutil.which(name)][:1])
def test_the_unit_is_one_that_systemd_takes(checker: str, tmp_path: Path) -> None:
    command = tmp_path / ".local" / "bin" / "paddock"
    command.parent.mkdir(parents=True)
    command.write_text("#!/bin/sh\n", "utf-8")
    command.chmod(0o755)
    told = {**os.environ, "HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path), "SYSTEMD_LOG_LEVEL": "warning"}
    words = [checker, "--user", "verify", str(UNIT)]
    done = subprocess.run(words, env=told, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "paddock.service" not in done.stderr


def test_the_launch_agent_starts_the_same_command_and_gives_up_only_when_told() -> None:
    with (PACKAGING / "paddock.serve.plist").open("rb") as file:
        agent = plistlib.load(file)
    assert agent["Label"] == "paddock.serve"
    assert agent["ProgramArguments"][:2] == ["/bin/sh", "-c"]
    script = agent["ProgramArguments"][2]
    assert subprocess.run(["sh", "-n", "-c", script], check=False).returncode == 0
    assert script.startswith('exec "$HOME/.local/bin/paddock" serve ')
    assert agent["KeepAlive"] == {"SuccessfulExit": False}
    assert agent["Umask"] == 0o077


def test_the_words_of_all_of_them_are_commands_of_paddock() -> None:
    commands: dict[str, object] = getattr(typer.main.get_command(app), "commands", {})
    assert {"serve", "keys"} <= set(commands)

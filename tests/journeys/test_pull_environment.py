"""Pulling a model in a process of its own, which takes hub, home and token from its environment."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from paddock.models.catalog import BUNDLED
from tests.fakes.hub import Hub as FakeHub
from tests.fakes.hub import environment, running_hub

REPO = "ours/pocket-GGUF"
TOKEN = "hf_onlyForThatHub"

PULL_BY_ENVIRONMENT = """
import sys
from paddock.config import load
from paddock.models.catalog import Catalog
from paddock.models.download import pull
home = load().home
pull(sys.argv[1], home)
print(Catalog(home).find(sys.argv[1]).path)
"""


@pytest.fixture(scope="module")
def fake(tmp_path_factory: pytest.TempPathFactory) -> Generator[FakeHub]:
    with running_hub(tmp_path_factory.mktemp("hub")) as fake:
        fake.add(REPO, "pocket-v0-Q8_0.gguf", BUNDLED["pocket-v0"].read_bytes())
        yield fake


def run_pull(environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-c", PULL_BY_ENVIRONMENT, REPO]
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)


def test_endpoint_home_and_token_of_the_environment_are_honoured(fake: FakeHub, tmp_path: Path) -> None:
    fake.misbehave({"token": TOKEN})
    done = run_pull(environment(tmp_path, HF_ENDPOINT=fake.endpoint, HF_TOKEN=TOKEN))
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().startswith(str(tmp_path / "hf" / "hub" / "models--ours--pocket-GGUF"))
    assert done.stderr == ""
    assert not (tmp_path / ".cache").exists()


def test_offline_mode_of_the_environment_is_honoured(fake: FakeHub, tmp_path: Path) -> None:
    fake.misbehave()
    done = run_pull(environment(tmp_path, HF_ENDPOINT=fake.endpoint, HF_HUB_OFFLINE="1"))
    assert "HF_HUB_OFFLINE is set" in done.stderr
    assert fake.seen() == []
    assert not (tmp_path / "hf").exists()

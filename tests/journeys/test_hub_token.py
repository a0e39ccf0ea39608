"""Tests the kept token of a hub: sealed, shown to that hub alone, and lent to callers where the setting says so."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from paddock.models.catalog import BUNDLED
from tests.fakes.hub import Hub as FakeHub
from tests.fakes.hub import environment, running_hub
from tests.journeys.downloading import serving

REPO = "ours/pocket-GGUF"
TOKEN = "hf_keptForThatHubAlone"
WAIT_S = 120


@pytest.fixture(scope="module")
def fake(tmp_path_factory: pytest.TempPathFactory) -> Generator[FakeHub]:
    with running_hub(tmp_path_factory.mktemp("hub")) as fake:
        fake.add(REPO, "pocket-v0-Q8_0.gguf", BUNDLED["pocket-v0"].read_bytes())
        yield fake


@pytest.fixture
def env(fake: FakeHub, tmp_path: Path) -> dict[str, str]:
    fake.misbehave({"token": TOKEN})
    return environment(tmp_path, HF_ENDPOINT=fake.endpoint, PADDOCK_KEEPALIVE_S="0.2")


def paddock(env: dict[str, str], *words: str, said: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "paddock", *words]
    return subprocess.run(command, env=env, input=said, capture_output=True, text=True, timeout=WAIT_S, check=False)


def is_pulled(env: dict[str, str]) -> bool:
    done = paddock(env, "pull", REPO)
    assert done.returncode == 0 or "HF_TOKEN" in done.stderr, done.stderr
    return done.returncode == 0


def written_in(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_a_kept_token_opens_what_is_private_until_it_is_forgotten(
    fake: FakeHub, env: dict[str, str], tmp_path: Path
) -> None:
    assert not is_pulled(env)
    # No database is made for a token that nobody gave.
    assert not (tmp_path / "home" / "paddock.db").exists()
    assert "No token for" in paddock(env, "hub", "token").stdout
    kept = paddock(env, "hub", "token", "--token-stdin", said=f"{TOKEN}\n")
    assert (kept.returncode, TOKEN in kept.stdout + kept.stderr) == (0, False), kept.stderr
    told = paddock(env, "hub", "token").stdout
    assert f"A token for {fake.endpoint} is kept" in told
    assert TOKEN.encode() not in written_in(tmp_path / "home")
    # Neither another hub nor one of another name gets it, and the environment's goes before it.
    fake.misbehave({"token": TOKEN})
    assert not is_pulled({**env, "HF_ENDPOINT": fake.endpoint.replace("127.0.0.1", "localhost")})
    assert not is_pulled({**env, "HF_TOKEN": "hf_another"})
    assert f"Bearer {TOKEN}" not in {seen["authorization"] for seen in fake.seen()}
    assert is_pulled(env)
    assert paddock(env, "hub", "forget").returncode == 0
    (tmp_path / "hf").rename(tmp_path / "before")
    assert not is_pulled(env)


def test_a_kept_token_is_lent_to_callers_only_where_the_setting_says_so(fake: FakeHub, env: dict[str, str]) -> None:
    assert paddock({**env, "MINE": TOKEN}, "hub", "token", "--token-from-env", "MINE").returncode == 0
    fake.misbehave({"token": TOKEN})
    with serving(env) as server:
        assert server.http.get(f"/api/hub/{REPO}").status_code == 404
    assert {seen["authorization"] for seen in fake.seen()} == {None}
    with serving(env, "--lend-hub-token") as server:
        assert server.http.get(f"/api/hub/{REPO}").status_code == 200
        assert paddock(env, "hub", "forget").returncode == 0
        assert server.http.get(f"/api/hub/{REPO}").status_code == 404


@pytest.mark.parametrize(("said", "words"), [("", "held no token"), ("two words\n", "That is no token")])
def test_what_is_no_token_is_not_kept(env: dict[str, str], said: str, words: str) -> None:
    refused = paddock(env, "hub", "token", "--token-stdin", said=said)
    assert (refused.returncode, words in refused.stderr) == (1, True)


def test_a_token_that_cannot_be_read_hinders_nothing_that_is_open(env: dict[str, str], fake: FakeHub) -> None:
    assert paddock(env, "hub", "token", "--token-stdin", said=f"{TOKEN}\n").returncode == 0
    (Path(env["PADDOCK_HOME"]) / "secrets.key").write_bytes(b"x" * 32)
    fake.misbehave()
    done = paddock(env, "pull", REPO)
    assert (done.returncode, "cannot be read, and is not shown" in done.stderr) == (0, True), done.stderr

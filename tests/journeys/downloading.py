"""Owns the stage of the tests of downloads: a real server before a hub over sockets. It judges nothing."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from paddock.models.catalog import BUNDLED
from tests.fakes.gguf_files import Tensor, gguf
from tests.fakes.hub import Faults, environment, running_hub
from tests.fakes.hub import Hub as FakeHub

POCKET = BUNDLED["pocket-v0"].read_bytes()
REPO = "ours/pocket-GGUF"
MODEL = f"{REPO}:Q8_0"
TOKEN = "hf_onlyForThatHub"
WAIT_S = 60.0
SLOW: Faults = {"slow_s": 6}


@contextmanager
def filled(folder: Path) -> Generator[FakeHub]:
    """A hub with a few repositories."""
    with running_hub(folder) as hub:
        hub.add(REPO, "pocket-v0-Q8_0.gguf", POCKET)
        hub.add("ours/second", "second-Q8_0.gguf", POCKET[:-1] + b"\1")
        hub.add("ours/seer", "seer-Q8_0.gguf", gguf())
        hub.add("ours/seer", "seer-Q4_K_M.gguf", gguf(more={"general.name": "other"}))
        hub.add("ours/seer", "mmproj-F16.gguf", projector())
        hub.add("ours/seer", "mmproj-BF16.gguf", projector())
        yield hub


def projector() -> bytes:
    about = {"general.architecture": "clip", "general.type": "mmproj", "general.file_type": 1}
    return gguf({**about, "clip.vision.projection_dim": 64}, [Tensor("mm.0.weight", (64,))])


def surroundings(hub: FakeHub, folder: Path) -> dict[str, str]:
    """The environment of a paddock with a home of its own, this hub, and a token that it must not lend."""
    more = {"HF_ENDPOINT": hub.endpoint, "HF_TOKEN": TOKEN, "HF_HUB_DOWNLOAD_TIMEOUT": "1"}
    return environment(folder, PADDOCK_KEEPALIVE_S="0.2", **more)


class Paddock:
    """A running server as the tests see it."""

    def __init__(self, process: subprocess.Popen[str], url: str) -> None:
        self.process = process
        self.http = httpx.Client(base_url=url, trust_env=False, timeout=WAIT_S)

    def start(self, model: str = MODEL) -> dict[str, Any]:
        answer = self.http.post("/api/downloads", json={"model": model})
        assert answer.status_code == 202, answer.text
        return answer.json()

    def see(self, download: dict[str, Any]) -> dict[str, Any]:
        return self.http.get(f"/api/downloads/{download['id']}").json()

    def tell(self, download: dict[str, Any], change: str) -> httpx.Response:
        return self.http.post(f"/api/downloads/{download['id']}/{change}")

    def until(self, download: dict[str, Any], is_so: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        deadline = time.monotonic() + WAIT_S
        while not is_so(seen := self.see(download)):
            assert time.monotonic() < deadline, seen
            time.sleep(0.02)
        return seen

    def ended(self, download: dict[str, Any]) -> dict[str, Any]:
        return self.until(download, lambda seen: seen["state"] in ("done", "failed", "cancelled"))

    def models(self) -> list[str]:
        return [model["id"] for model in self.http.get("/v1/models").json()["data"]]

    def events(self, download: dict[str, Any], after: int | None = None) -> list[tuple[int, str, dict[str, Any]]]:
        """Numbers, kinds and data, to the end of the stream."""
        text = self.http.get(f"/api/downloads/{download['id']}/events", params={"after": after} if after else {}).text
        found: list[tuple[int, str, dict[str, Any]]] = []
        for frame in text.split("\n\n"):
            lines = dict(line.split(": ", 1) for line in frame.splitlines() if line and not line.startswith(":"))
            if lines:
                found.append((int(lines["id"]), lines["event"], json.loads(lines["data"])))
        return found


@contextmanager
def serving(env: dict[str, str], *words: str, limit_kib: int | None = None) -> Generator[Paddock]:
    command = [sys.executable, "-m", "paddock", "serve", "--port", "0", *words]
    if limit_kib is not None:
        command = ["bash", "-c", f'ulimit -f {limit_kib}; exec "$@"', "bash", *command]
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            paddock = Paddock(process, process.stdout.readline().strip())
            with paddock.http:
                yield paddock
        finally:
            process.terminate()


def fetched(env: dict[str, str], repo: str = REPO) -> list[bytes]:
    """What the hub's cache holds of a repository, whole."""
    blobs = Path(env["HF_HOME"]) / "hub" / f"models--{repo.replace('/', '--')}" / "blobs"
    return [path.read_bytes() for path in sorted(blobs.glob("*")) if not path.name.endswith(".incomplete")]


def partial_bytes(env: dict[str, str]) -> int:
    return sum(path.stat().st_size for path in Path(env["HF_HOME"]).rglob("*.incomplete"))


def ranges(hub: FakeHub) -> list[str | None]:
    return [seen["range"] for seen in hub.seen() if seen["path"].startswith("/cdn/") and seen["method"] == "GET"]

"""Downloads that a hub, a disk or a second paddock is against; whose token is shown; and the command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.gguf_files import gguf
from tests.fakes.hub import Faults
from tests.fakes.hub import Hub as FakeHub
from tests.journeys.downloading import (
    MODEL,
    POCKET,
    REPO,
    SLOW,
    TOKEN,
    WAIT_S,
    Paddock,
    fetched,
    filled,
    partial_bytes,
    projector,
    ranges,
    serving,
    surroundings,
)


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Generator[FakeHub]:
    with filled(tmp_path_factory.mktemp("hub")) as hub:
        yield hub


@pytest.fixture
def env(hub: FakeHub, tmp_path: Path) -> dict[str, str]:
    hub.misbehave()
    return surroundings(hub, tmp_path)


@pytest.fixture(scope="module")
def bystander(hub: FakeHub, tmp_path_factory: pytest.TempPathFactory) -> Generator[Paddock]:
    """A paddock for tests that fetch nothing, so that they can share it."""
    with serving(surroundings(hub, tmp_path_factory.mktemp("bystander"))) as paddock:
        yield paddock


@pytest.mark.parametrize(
    ("faults", "status", "words"),
    [
        ({"status": 403, "error_code": "GatedRepo"}, 403, "is gated. Accept its terms on 127.0.0.1"),
        ({"status": 403}, 403, "Set HF_TOKEN to a token that may"),
        ({"status": 401, "error_code": "RepoNotFound"}, 404, "or it is private"),
        ({"token": TOKEN}, 404, "`paddock pull` uses yours"),
        ({"status": 500}, 502, "Try again later"),
        ({"body": "<html>log in</html>"}, 502, "does not speak like the hub"),
    ],
)
def test_a_repository_that_is_closed_says_how_to_get_in(
    bystander: Paddock, hub: FakeHub, faults: Faults, status: int, words: str
) -> None:
    hub.misbehave(faults)
    for answer in (
        bystander.http.post("/api/downloads", json={"model": MODEL}),
        bystander.http.get(f"/api/hub/{REPO}"),
    ):
        assert answer.status_code == status, answer.text
        assert words in answer.json()["error"]["message"]
    assert bystander.http.get("/api/downloads").json()["data"] == []


def test_the_servers_token_is_lent_to_callers_only_where_the_setting_says_so(env: dict[str, str], hub: FakeHub) -> None:
    with serving(env) as paddock:
        assert paddock.ended(paddock.start("ours/second"))["state"] == "done"
        assert paddock.http.get("/api/hub/ours/absent").status_code == 404
    assert {seen["authorization"] for seen in hub.seen()} == {None}
    hub.misbehave({"token": TOKEN})
    with serving(env, "--lend-hub-token") as paddock:
        assert paddock.ended(paddock.start())["state"] == "done"
    shown = {(seen["host"].partition(":")[0], seen["authorization"]) for seen in hub.seen()}
    assert shown == {("127.0.0.1", f"Bearer {TOKEN}"), ("localhost", None)}


@pytest.mark.parametrize(
    "faults", [{"stalls": 2, "cut_after_bytes": 50_000}, {"trickles": 1}, {"busy": 2}, {"cuts": 2}]
)
def test_a_transfer_that_stalls_is_taken_up_again(env: dict[str, str], hub: FakeHub, faults: Faults) -> None:
    hub.misbehave(faults)
    with serving(env) as paddock:
        assert paddock.ended(paddock.start())["state"] == "done"
    assert fetched(env) == [POCKET]
    assert len(ranges(hub)) > 1


def test_wrong_bytes_are_not_kept_and_can_be_asked_for_again(env: dict[str, str], hub: FakeHub) -> None:
    hub.misbehave({"wrong_bytes": True})
    with serving(env) as paddock:
        failed = paddock.ended(paddock.start())
        assert failed["state"] == "failed"
        assert failed["error"]["kind"] == "HubUnavailable"
        assert "wrong checksum" in failed["error"]["message"]
        assert (partial_bytes(env), fetched(env)) == (0, [])
        assert MODEL not in paddock.models()
        hub.misbehave()
        paddock.tell(failed, "resume")
        assert paddock.ended(failed)["state"] == "done"
    assert fetched(env) == [POCKET]


def test_a_hub_that_is_gone_is_told_and_what_came_is_kept(env: dict[str, str], hub: FakeHub) -> None:
    hub.misbehave({"cuts": 1, "cut_after_bytes": 1_000_000, "busy": 0})
    with serving(env) as paddock:
        hub.misbehave({"cuts": -1, "cut_after_bytes": 0})
        failed = paddock.ended(paddock.start())
        assert failed["state"] == "failed"
        assert "cannot be reached" in failed["error"]["message"]
        hub.misbehave()
        assert paddock.start()["id"] == failed["id"]
        assert paddock.ended(failed)["state"] == "done"


def test_a_model_that_the_disk_cannot_hold_is_refused_before_a_byte(env: dict[str, str], hub: FakeHub) -> None:
    about = {"rfilename": "m-Q8_0.gguf", "size": 2**60, "lfs": {"sha256": "0" * 64, "size": 2**60, "pointerSize": 1}}
    hub.misbehave({"body": json.dumps({"id": REPO, "sha": "c" * 40, "siblings": [about]})})
    with serving(env) as paddock:
        answer = paddock.http.post("/api/downloads", json={"model": REPO})
        assert (answer.status_code, answer.json()["error"]["code"]) == (507, "disk_too_full")
        assert "GB free" in answer.json()["error"]["message"]
    assert ranges(hub) == []


def test_a_disk_that_fills_up_stops_the_download_and_keeps_what_came(env: dict[str, str], hub: FakeHub) -> None:
    with serving(env, limit_kib=3000) as paddock:
        failed = paddock.ended(paddock.start())
        assert failed["error"]["kind"] == "HomeUnusable"
        assert "cannot be written" in failed["error"]["message"]
        assert paddock.http.get("/health").status_code == 200
    assert partial_bytes(env) > 2_000_000
    with serving(env) as paddock:
        assert paddock.see(failed)["state"] == "failed"
        paddock.tell(failed, "resume")
        assert paddock.ended(failed)["state"] == "done"
    assert fetched(env) == [POCKET]


def test_what_a_repository_holds_is_told_with_sizes(env: dict[str, str], hub: FakeHub) -> None:
    with serving(env) as paddock:
        held = paddock.http.get("/api/hub/ours/seer").json()
        assert (held["repo"], held["usual"]) == ("ours/seer", "Q4_K_M")
        small, large = sorted(held["variants"], key=lambda variant: variant["model"], reverse=True)
        assert (small["model"], small["quantization"]) == ("ours/seer:Q8_0", "Q8_0")
        assert (small["verdict"], small["is_here"], small["download"]) == ("fits", False, None)
        assert small["size_bytes"] == len(gguf()) + len(projector())
        assert small["projector"] == "mmproj-F16.gguf"
        done = paddock.ended(paddock.start("ours/seer:Q8_0"))
        assert (done["state"], done["size_bytes"]) == ("done", small["size_bytes"])
        assert sorted(fetched(env, "ours/seer")) == sorted([gguf(), projector()])
        (seer,) = [one for one in paddock.http.get("/v1/models").json()["data"] if one["id"] == "ours/seer:Q8_0"]
        assert "vision" in seer["capabilities"]
        again = next(one for one in paddock.http.get("/api/hub/ours/seer").json()["variants"] if one["is_here"])
        assert (again["model"], again["download"]["state"]) == ("ours/seer:Q8_0", "done")
        assert large["quantization"] == "Q4_K_M"


def test_a_second_paddock_on_the_same_home_leaves_the_downloads_alone(env: dict[str, str], hub: FakeHub) -> None:
    hub.misbehave(SLOW)
    with serving(env) as first, serving(env) as second:
        download = first.start()
        first.until(download, lambda seen: seen["done_bytes"] > 0)
        answer = second.tell(download, "cancel")
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "downloads_elsewhere")
        assert [one["id"] for one in second.http.get("/api/downloads").json()["data"]] == [download["id"]]
        first.process.send_signal(signal.SIGKILL)
        first.process.wait()
        hub.misbehave()
        assert second.tell(download, "resume").status_code == 200
        assert second.ended(download)["state"] == "done"


def test_the_command_line_tells_a_running_paddock(env: dict[str, str], hub: FakeHub) -> None:
    hub.misbehave(SLOW)
    with serving(env) as paddock:
        url = str(paddock.http.base_url)

        def run(*words: str) -> subprocess.CompletedProcess[str]:
            command = [sys.executable, "-m", "paddock", "downloads", *words, "--url", url]
            return subprocess.run(command, env=env, capture_output=True, text=True, timeout=WAIT_S, check=False)

        download = paddock.start()
        paddock.until(download, lambda seen: seen["done_bytes"] > 0)
        assert run("pause", MODEL).stdout == f"{MODEL} is paused.\n"
        assert run("list").stdout.splitlines()[1].split()[:3] == [download["id"], MODEL, "paused"]
        assert json.loads(run("list", "--json").stdout)[0]["state"] == "paused"
        assert run("resume", download["id"]).stdout == f"{MODEL} is queued.\n"
        assert run("cancel", download["id"]).stdout == f"{MODEL} is cancelled.\n"
        refused = run("pause", MODEL)
        assert (refused.returncode, refused.stderr) == (
            1, f"Error: '{MODEL}' is cancelled, so it cannot be paused.\n",
        )  # fmt: skip
        unknown = run("pause", "dl_none")
        assert "There is no download 'dl_none'" in unknown.stderr


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/api/downloads", {}, 422),
        ("POST", "/api/downloads", {"model": 3}, 422),
        ("POST", "/api/downloads", {"model": "../../etc"}, 400),
        ("POST", "/api/downloads", {"model": "ours/seer:Q2_K"}, 502),
        ("GET", "/api/downloads/dl_none", None, 404),
        ("GET", "/api/downloads/dl_none/events", None, 404),
        ("DELETE", "/api/downloads/dl_none", None, 404),
        ("POST", "/api/downloads/dl_none/pause", None, 404),
        ("GET", "/api/hub/nonsense", None, 400),
    ],
)
def test_a_wish_that_cannot_be_read_is_refused(
    bystander: Paddock, hub: FakeHub, method: str, path: str, body: dict[str, Any] | None, status: int
) -> None:
    hub.misbehave()
    answer = bystander.http.request(method, path, json=body)
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["message"]


def test_events_are_asked_for_by_a_number(env: dict[str, str], hub: FakeHub) -> None:
    with serving(env) as paddock:
        download = paddock.start("ours/seer:Q8_0")
        paddock.ended(download)
        path = f"/api/downloads/{download['id']}/events"
        assert paddock.http.get(path, params={"after": "x"}).status_code == 400
        last = paddock.see(download)["last_event"]
        assert "data:" not in paddock.http.get(path, headers={"Last-Event-ID": str(last)}).text


def test_the_home_of_the_hubs_cache_is_where_its_own_library_says(env: dict[str, str]) -> None:
    ask = "import os, huggingface_hub.constants as c; from paddock.models.hub_cache import cache_folder as f; "
    ask += "print(c.HF_HUB_CACHE == str(f(os.environ)))"
    for more in ({}, {"HF_HOME": "/a/b"}, {"HF_HUB_CACHE": "/c"}, {"HF_HOME": "~/x"}, {"HUGGINGFACE_HUB_CACHE": "/d"}):
        kept = {name: value for name, value in env.items() if name not in ("HF_HOME", "HF_HUB_CACHE")} | more
        kept |= {"PYTHONPATH": os.pathsep.join(sys.path)}
        ran = subprocess.run([sys.executable, "-c", ask], env=kept, capture_output=True, text=True, check=True)
        assert ran.stdout == "True\n", more

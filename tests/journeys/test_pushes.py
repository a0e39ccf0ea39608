"""Tests pushes to the hub as they are asked for, before a hub that speaks the real one's protocol over sockets."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from paddock.api.pushes import Push, PushCard, PushList
from tests.fakes.hub import TOKEN, Faults, running_hub
from tests.fakes.hub import Hub as FakeHub
from tests.journeys.downloading import WAIT_S, Paddock, serving
from tests.journeys.pushing import REPO, ended, exported, file_of, push, surroundings, until

SENT = ["README.md", "small-F16.Modelfile", "small-F16.certificate.json", "small-F16.gguf"]


@pytest.fixture
def hub(tmp_path: Path) -> Generator[FakeHub]:
    (tmp_path / "hub").mkdir()
    with running_hub(tmp_path / "hub") as hub:
        yield hub


@pytest.fixture
def env(hub: FakeHub, tmp_path: Path) -> dict[str, str]:
    """Of a paddock that has a token by which it may write."""
    return surroundings(hub, tmp_path, HF_TOKEN=TOKEN)


@pytest.fixture
def export(tmp_path: Path) -> str:
    return exported(tmp_path)


@pytest.fixture
def server(env: dict[str, str], export: str) -> Generator[Paddock]:
    with serving(env) as server:
        yield server


def digest(kind: str) -> str:
    return hashlib.sha256(file_of(kind)).hexdigest()


def test_a_push_makes_a_private_repository_of_what_is_certified(server: Paddock, export: str, hub: FakeHub) -> None:
    job = push(server, export)
    seen = ended(server, job)
    told = Push.model_validate(seen)
    assert (told.state, told.error) == ("done", None), seen
    figures = seen["figures"]
    assert (figures["is_private"], figures["is_new"], figures["there"]) == (True, True, [])
    assert sorted(figures["sent"]) == SENT
    assert figures["url"] == f"{hub.endpoint}/{REPO}"
    assert figures["done_bytes"] == figures["size_bytes"]
    pushed = hub.pushed()
    (created,) = pushed["created"]
    assert (created["organization"], created["name"], created["visibility"]) == ("me", "small-GGUF", "private")
    assert [one["files"] for one in pushed["commits"]] == [SENT]
    assert pushed["taken"] == [digest("F16")]
    assert (hub.root / REPO / "small-F16.gguf").read_bytes() == file_of("F16")
    card = (hub.root / REPO / "README.md").read_text("utf-8")
    assert pushed["cards"] == [card]
    assert "| template | passes | `34 prompts are the same to the byte.` |" in card
    assert "exported by paddock" in card
    # Neither the folders of this machine nor the token go along, but to whom the token is for.
    assert "/somewhere" not in card
    assert {one["authorization"] for one in hub.seen() if one["method"] == "PUT"} == {None}
    listed = PushList.model_validate(server.http.get("/api/pushes", params={"export": export}).json())
    assert [one.id for one in listed.data] == [job["id"]]
    assert server.http.get("/api/pushes", params={"export": "job_0000000000000000"}).json()["data"] == []


def test_what_is_there_is_not_sent_again(server: Paddock, export: str, hub: FakeHub) -> None:
    ended(server, push(server, export))
    again = ended(server, push(server, export))
    assert (again["state"], again["figures"]["sent"], sorted(again["figures"]["there"])) == ("done", [], SENT)
    assert again["figures"]["is_new"] is False
    more = ended(server, push(server, export, uncertified=True))
    assert "small-Q8_0.gguf" in more["figures"]["sent"]
    assert "small-F16.gguf" in more["figures"]["there"]
    assert sorted(hub.pushed()["taken"]) == sorted([digest("F16"), digest("Q8_0"), digest("LORA")])
    assert len(hub.pushed()["commits"]) == 2


def test_what_a_push_would_send_is_told_and_nobody_is_asked(server: Paddock, export: str, hub: FakeHub) -> None:
    answer = server.http.post(f"/api/exports/{export}/card", json={"repo": REPO})
    told = PushCard.model_validate(answer.json())
    assert ["README.md", *sorted(one.name for one in told.files)] == SENT
    assert told.left_out == {"Q8_0": "its certificate does not pass", "LORA": "it has no certificate"}
    assert told.card.startswith("---\nmodel_name: small\n")
    assert hub.seen() == []
    ended(server, push(server, export))
    assert (hub.root / REPO / "README.md").read_text("utf-8") == told.card


def test_what_is_certified_no_more_is_not_sent(server: Paddock, export: str, tmp_path: Path, hub: FakeHub) -> None:
    file = tmp_path / "home" / "jobs" / export / "files" / "small-F16.gguf"
    file.write_bytes(file_of("X"))
    answer = server.http.post(f"/api/exports/{export}/push", json={"repo": REPO})
    assert answer.status_code == 409
    assert "F16: its certificate is of other bytes" in answer.json()["error"]["message"]
    assert "`uncertified`" in answer.json()["error"]["message"]
    # Its size and its time are what they were, so that its bytes alone tell.
    status = file.stat()
    file.write_bytes(file_of("F16"))
    beside = file.with_name("small-F16.certificate.json")
    beside.write_text(json.dumps({**json.loads(beside.read_text()), "changed_ns": status.st_mtime_ns}))
    file.write_bytes(file_of("Y"))
    os.utime(file, ns=(status.st_mtime_ns, status.st_mtime_ns))
    seen = ended(server, push(server, export))
    assert (seen["state"], seen["error"]["kind"]) == ("failed", "PushRefused")
    assert "small-F16.gguf holds other bytes than its certificate is of" in seen["error"]["message"]
    assert hub.pushed()["taken"] == []


def test_an_adapter_tells_no_folder_of_this_machine(env: dict[str, str], tmp_path: Path, hub: FakeHub) -> None:
    export = exported(tmp_path, verdicts={"ADAPTER": None, "F16": "pass"})
    with serving(env) as server:
        assert ended(server, push(server, export, types=["adapter"], uncertified=True))["state"] == "done"
    there = hub.root / REPO / "small-adapter"
    assert json.loads((there / "adapter_config.json").read_text()) == {"base_model_name_or_path": "base", "r": 8}
    assert sorted(one.name for one in there.iterdir()) == ["adapter_config.json", "adapter_model.safetensors"]
    assert b"somebody" not in b"".join(one.read_bytes() for one in (hub.root / REPO).rglob("*") if one.is_file())


def test_a_repository_that_is_open_to_all_takes_nothing_unless_that_is_said(
    server: Paddock, export: str, hub: FakeHub
) -> None:
    hub.describe(REPO, private=False)
    seen = ended(server, push(server, export))
    assert (seen["state"], seen["error"]["kind"]) == ("failed", "PushRefused")
    assert f"'{REPO}' is open to all" in seen["error"]["message"]
    assert hub.pushed()["commits"] == hub.pushed()["taken"] == []
    said = ended(server, push(server, export, is_public=True))
    assert (said["state"], said["figures"]["is_private"]) == ("done", False)
    # Whether it is open is nobody's to change but the owner's, on the hub.
    hub.describe("me/mine", private=True)
    mine = ended(server, push(server, export, repo="me/mine", is_public=True))
    assert (mine["state"], mine["figures"]["is_private"]) == ("done", True)
    assert hub.pushed()["created"] == []
    new = ended(server, push(server, export, repo="me/new", is_public=True))
    assert (new["figures"]["is_private"], hub.pushed()["created"][0]["visibility"]) == (False, "public")


def test_a_card_that_somebody_wrote_stays(server: Paddock, export: str, hub: FakeHub) -> None:
    hub.describe(REPO, private=True)
    hub.add(REPO, "README.md", b"# Mine\n\npaddock_card: 1\n")
    hub.add(REPO, "other.txt", b"kept")
    seen = ended(server, push(server, export))
    assert (seen["state"], "has a README.md that paddock did not write" in seen["error"]["message"]) == ("failed", True)
    seen = ended(server, push(server, export, card=False))
    assert (seen["state"], "README.md" in seen["figures"]["sent"]) == ("done", False)
    assert (hub.root / REPO / "README.md").read_bytes().startswith(b"# Mine")
    assert (hub.root / REPO / "other.txt").read_bytes() == b"kept"


REFUSALS: list[tuple[Faults, str]] = [
    # Before any large file is there.
    ({"put_status": 403}, "does not let this token write"),
    ({"token": "hf_other"}, "does not take the token"),
    ({"write_status": 403}, "does not let this token write"),
    ({"write_status": 400}, "status 400"),
    ({"body": "<html>log in to this network</html>"}, "did not take the push"),
    ({"body": "[]"}, "did not take the push"),
    ({"body": "{}"}, "did not take the push"),
]


def test_a_refusal_is_told_in_words_and_the_next_try_goes_well(server: Paddock, export: str, hub: FakeHub) -> None:
    for number, (faults, words) in enumerate(REFUSALS):
        hub.misbehave(faults)
        repo = f"me/refused-{number}"
        if "body" in faults:
            hub.describe(repo, private=True)
        job = push(server, export, repo=repo)
        seen = ended(server, job)
        assert (seen["state"], words in str(seen["error"])) == ("failed", True), (faults, seen)
        assert TOKEN not in json.dumps(seen)
        hub.misbehave()
        assert server.http.post(f"/api/pushes/{job['id']}/resume").status_code == 200
        assert ended(server, job)["state"] == "done", faults


def test_a_repository_that_somebody_makes_meanwhile_is_taken_as_it_is(
    server: Paddock, export: str, hub: FakeHub
) -> None:
    # To this token it looks as if it were not there, until it is to be made.
    hub.describe(REPO, private=True)
    hub.misbehave({"hidden_once": 1})
    seen = ended(server, push(server, export))
    assert (seen["state"], seen["figures"]["is_new"]) == ("done", False), seen
    assert hub.pushed()["created"] == []


def test_without_a_token_it_says_how_to_set_one_and_a_kept_one_does(hub: FakeHub, tmp_path: Path, export: str) -> None:
    env = surroundings(hub, tmp_path)
    with serving(env) as server:
        seen = ended(server, push(server, export))
        assert (seen["state"], seen["error"]["kind"]) == ("failed", "HubTokenMissing")
        assert "`paddock hub token --token-stdin`" in seen["error"]["message"]
        assert hub.seen() == []
        words = [sys.executable, "-m", "paddock", "hub", "token", "--token-stdin"]
        subprocess.run(words, env=env, input=TOKEN, text=True, timeout=WAIT_S, check=True, capture_output=True)
        assert ended(server, push(server, export))["state"] == "done"
    written = b"".join(one.read_bytes() for one in (tmp_path / "home").rglob("*") if one.is_file())
    assert TOKEN.encode() not in written


def test_a_hub_that_is_away_is_told(tmp_path: Path, export: str) -> None:
    with running_hub(tmp_path / "away") as hub:
        env = surroundings(hub, tmp_path, HF_TOKEN=TOKEN)
    with serving(env) as server:
        seen = ended(server, push(server, export))
    assert (seen["state"], seen["error"]["kind"]) == ("failed", "HubUnavailable")
    assert "cannot be reached" in seen["error"]["message"]


def test_a_large_file_goes_in_the_parts_that_the_hub_asks_for(server: Paddock, export: str, hub: FakeHub) -> None:
    hub.misbehave({"part_bytes": 60_000})
    assert ended(server, push(server, export))["state"] == "done"
    assert (hub.root / REPO / "small-F16.gguf").read_bytes() == file_of("F16")
    assert len([one for one in hub.seen() if one["path"].startswith("/lfs/part/")]) == 4


def test_one_under_way_shows_how_far_it_is_and_is_cancelled(server: Paddock, export: str, hub: FakeHub) -> None:
    hub.misbehave({"put_slow_s": 30})
    job = push(server, export)
    assert push(server, export)["id"] == job["id"]
    until(server, job, lambda seen: any(one["method"] == "PUT" for one in hub.seen()) and seen["figures"].get("file"))
    refused = server.http.delete(f"/api/exports/{export}")
    assert (refused.status_code, "being pushed" in refused.text) == (409, True)
    assert server.http.post(f"/api/pushes/{job['id']}/cancel").status_code == 200
    seen = ended(server, job)
    assert (seen["state"], seen["error"]) == ("cancelled", None)
    assert hub.pushed()["commits"] == []
    # Nothing of it is to be seen on the hub, and it is gone on with.
    assert [one.name for one in (hub.root / REPO).iterdir()] == [".about.json"]
    hub.misbehave()
    server.http.post(f"/api/pushes/{job['id']}/resume")
    assert ended(server, job)["state"] == "done"
    assert server.http.delete(f"/api/exports/{export}").status_code == 200
    gone = server.http.post(f"/api/exports/{export}/push", json={"repo": REPO})
    assert (gone.status_code, gone.json()["error"]["code"]) == (404, "job_not_found")
    assert server.http.delete(f"/api/pushes/{job['id']}").json() == {"id": job["id"], "deleted": True}


def test_a_server_that_is_killed_goes_on_and_sends_nothing_twice(
    env: dict[str, str], tmp_path: Path, hub: FakeHub
) -> None:
    export = exported(tmp_path, verdicts={"F16": "pass", "F32": "pass", "BF16": "pass"})
    with serving(env) as server:
        hub.misbehave({"put_slow_s": 1.5})
        job = push(server, export)
        until(server, job, lambda seen: len(hub.pushed()["taken"]) == 1)
        server.process.send_signal(signal.SIGKILL)
        server.process.wait(WAIT_S)
    hub.misbehave()
    with serving(env) as server:
        seen = ended(server, job)
        assert (seen["state"], len(seen["figures"]["sent"])) == ("done", 8), seen
    pushed = hub.pushed()
    assert sorted(pushed["taken"]) == sorted(digest(kind) for kind in ("F16", "F32", "BF16"))
    assert len(pushed["commits"]) == len(pushed["created"]) == 1


def test_the_card_tells_the_training_and_the_state_of_its_data(
    env: dict[str, str], tmp_path: Path, hub: FakeHub
) -> None:
    rows = tmp_path / "private folder" / "rows.jsonl"
    rows.parent.mkdir()
    rows.write_text('{"text": "x"}\n')
    spec = {"method": "sft", "base": "pocket-v0", "data": str(rows), "eval_data": "/gone/held.jsonl", "seed": 7,
            "lora_rank": 8, "cluster": "10.0.0.5:6379", "kl_weight": 0.1}  # fmt: skip
    export = exported(tmp_path, training={"name": "keeper", "spec": spec, "figures": {"rows": 475, "eval_loss": 0.25}})
    with serving(env) as server:
        told = server.http.post(f"/api/exports/{export}/card", json={"repo": REPO}).json()["card"]
        os.utime(rows, (time.time() + 60, time.time() + 60))
        later = server.http.post(f"/api/exports/{export}/card", json={"repo": REPO}).json()["card"]
    assert "`keeper` was trained by paddock from `pocket-v0`" in told
    assert "| `seed` | `7` |" in told
    assert "| rows learned from | `475` |" in told
    sha256 = hashlib.sha256(rows.read_bytes()).hexdigest()
    assert f"| learned from | `rows.jsonl` | 14 | `{sha256}` | by its time, yes |" in told
    assert "no: it was written since the training began" in later
    assert "| held out | `held.jsonl` |  | – | not known: the file is not there any more |" in told
    for private in ("private folder", "/gone", "10.0.0.5", "kl_weight"):
        assert private not in told
    assert hub.seen() == []


WRONG: list[tuple[Any, int, str | None]] = [
    ({}, 422, "repo"),
    ({"repo": "no-owner"}, 422, "repo"),
    ({"repo": "a/b:Q8_0"}, 422, "repo"),
    ({"repo": "../b"}, 422, "repo"),
    ({"repo": "a/b/c"}, 422, "repo"),
    ({"repo": REPO, "types": ["Q2_K"]}, 422, "types"),
    ({"repo": REPO, "is_private": False}, 422, "is_private"),
    ({"repo": REPO, "types": ["LORA"]}, 409, None),
]


def test_what_is_wrong_is_refused_before_anything_is_begun(server: Paddock, export: str, hub: FakeHub) -> None:
    for asked, status, param in WRONG:
        answer = server.http.post(f"/api/exports/{export}/push", json=asked)
        assert (answer.status_code, answer.json()["error"].get("param")) == (status, param), answer.text
    assert server.http.get("/api/pushes").json()["data"] == []
    assert hub.seen() == []


def test_one_that_is_not_done_is_not_pushed(env: dict[str, str], tmp_path: Path) -> None:
    export = exported(tmp_path, state="failed")
    with serving(env) as server:
        answer = server.http.post(f"/api/exports/{export}/push", json={"repo": REPO})
    assert (answer.status_code, "only one that is done is pushed" in answer.text) == (409, True)


def test_who_may_train_sees_pushes_and_an_admin_alone_makes_them(server: Paddock, export: str, hub: FakeHub) -> None:
    key = server.http.post("/api/keys", json={"name": "t", "may": ["ask", "train"]}).json()["key"]
    headers = {"authorization": f"Bearer {key}"}
    assert server.http.post(f"/api/exports/{export}/card", json={"repo": REPO}, headers=headers).status_code == 200
    refused = server.http.post(f"/api/exports/{export}/push", json={"repo": REPO}, headers=headers)
    assert (refused.status_code, "manage" in refused.text) == (403, True)
    job = ended(server, push(server, export))
    assert server.http.get(f"/api/pushes/{job['id']}", headers=headers).status_code == 200
    for deed in ("cancel", "resume"):
        assert server.http.post(f"/api/pushes/{job['id']}/{deed}", headers=headers).status_code == 403
    deeds = [one["deed"] for one in server.http.get("/api/audit").json()["data"]]
    assert "push begun" in deeds


def test_the_commands_push_and_tell(server: Paddock, env: dict[str, str], export: str, hub: FakeHub) -> None:
    def paddock(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "paddock", "export", *words, "--url", str(server.http.base_url)]
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=WAIT_S, check=False)

    dry = paddock("push", export, REPO, "--dry-run")
    assert dry.returncode == 0, dry.stderr
    assert "LORA is left out: it has no certificate." in dry.stdout
    assert "# `small`" in dry.stdout
    assert hub.seen() == []
    done = paddock("push", export, REPO, "--type", "F16")
    assert done.returncode == 0, done.stderr
    assert f"{hub.endpoint}/{REPO} is private: 4 files sent, 0 there." in done.stdout
    hub.misbehave({"write_status": 403})
    refused = paddock("push", export, "me/other")
    assert (refused.returncode, "does not let this token write" in refused.stderr) == (1, True)
    listed = paddock("pushes")
    assert (REPO in listed.stdout, "100 %" in listed.stdout) == (True, True)
    ids = [one["id"] for one in json.loads(paddock("pushes", "--json").stdout)]
    assert paddock("cancel", ids[0]).returncode == 1
    hub.misbehave()
    assert "is queued" in paddock("resume", ids[0]).stdout

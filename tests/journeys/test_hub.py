"""The hub as a running paddock tells of it: searched when it is asked to, and what a repository holds."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from tests.fakes.hub import Faults
from tests.fakes.hub import Hub as FakeHub
from tests.journeys.downloading import MODEL, POCKET, REPO, TOKEN, Paddock, filled, projector, serving, surroundings

GATED = "theirs/guarded-GGUF"


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Generator[FakeHub]:
    with filled(tmp_path_factory.mktemp("hub")) as hub:
        hub.describe(
            REPO,
            downloads=1200,
            likes=7,
            lastModified="2026-03-04T05:06:07.000Z",
            tags=["gguf", "license:apache-2.0"],
            pipeline_tag="text-generation",
            gguf={"total": 4_790_784, "context_length": 131_072},
        )
        hub.add(GATED, "guarded-Q8_0.gguf", POCKET)
        hub.describe(GATED, gated="manual")
        yield hub


@pytest.fixture(scope="module")
def paddock(hub: FakeHub, tmp_path_factory: pytest.TempPathFactory) -> Generator[Paddock]:
    with serving(surroundings(hub, tmp_path_factory.mktemp("paddock"))) as paddock:
        yield paddock


def test_a_search_tells_what_the_hub_knows_of_each_repository(hub: FakeHub, paddock: Paddock) -> None:
    hub.misbehave()
    told = paddock.http.get("/api/hub/search", params={"q": "Pocket gguf"}).json()
    assert told["data"] == [
        {
            "repo": REPO,
            "downloads": 1200,
            "likes": 7,
            "changed": "2026-03-04",
            "task": "text-generation",
            "licence": "apache-2.0",
            "gated": False,
            "parameter_count": 4_790_784,
            "trained_context_length": 131_072,
        }
    ]
    (gated,) = paddock.http.get("/api/hub/search", params={"q": "guarded"}).json()["data"]
    assert (gated["repo"], gated["gated"], gated["licence"], gated["parameter_count"]) == (GATED, True, None, None)
    assert paddock.http.get("/api/hub/search", params={"q": "nothing like it"}).json()["data"] == []
    assert [seen["path"] for seen in hub.seen()] == ["/api/models"] * 3
    assert not any(TOKEN in str(seen) for seen in hub.seen())


def test_a_repository_tells_its_licence_its_gate_and_the_room_on_the_disk(hub: FakeHub, paddock: Paddock) -> None:
    hub.misbehave()
    told = paddock.http.get(f"/api/hub/{REPO}").json()
    assert (told["licence"], told["gated"], told["trained_context_length"]) == ("apache-2.0", False, 131_072)
    assert told["disk_free_bytes"] > 0
    assert [(one["model"], one["verdict"]) for one in told["variants"]] == [(MODEL, "fits")]
    gated = paddock.http.get(f"/api/hub/{GATED}").json()
    assert (gated["licence"], gated["gated"]) == (None, True)


def test_a_gated_repository_fails_its_download_with_the_way_in(hub: FakeHub, paddock: Paddock) -> None:
    hub.misbehave()
    ended = paddock.ended(paddock.start(GATED))
    assert (ended["state"], ended["error"]["kind"]) == ("failed", "RepositoryClosed")
    assert "Accept its terms" in ended["error"]["message"]
    assert paddock.http.delete(f"/api/downloads/{ended['id']}").status_code == 200


def test_a_fit_is_told_before_anything_is_fetched_and_nothing_is_kept(hub: FakeHub, paddock: Paddock) -> None:
    hub.misbehave()
    asked = {"ctx": "4096", "slots": "3", "kv": "q8_0"}
    told = paddock.http.get("/api/hub/fit", params={"model": MODEL, **asked}).json()
    local = paddock.http.get("/api/models/pocket-v0/fit", params=asked).json()
    assert (told["model"], told["trained_context_length"]) == (MODEL, 131_072)
    for name in ("verdict", "context_length", "slots", "kv_type", "memory", "needed_bytes"):
        assert told[name] == local[name]
    assert paddock.http.get("/api/downloads").json()["data"] == []
    assert MODEL not in paddock.models()
    seeing = paddock.http.get("/api/hub/fit", params={"model": "ours/seer:Q8_0"}).json()
    assert seeing["memory"]["projector_bytes"] == len(projector())


@pytest.mark.parametrize(
    ("model", "status", "words"),
    [
        ("ours/odd:Q8_0", 502, "does not begin as a GGUF model does"),
        (f"{REPO}:Q2_K", 502, "has no quantisation 'Q2_K'. It has: Q8_0"),
        ("", 400, "does not name a model on the hub"),
        ("ours/nobody", 404, "There is no repository"),
        (GATED, 403, "is gated"),
    ],
)
def test_a_fit_that_cannot_be_told_says_why(
    hub: FakeHub, paddock: Paddock, model: str, status: int, words: str
) -> None:
    hub.misbehave()
    hub.add("ours/odd", "odd-Q8_0.gguf", b"GGUF" + b"\7" * 5000)
    answer = paddock.http.get("/api/hub/fit", params={"model": model})
    assert answer.status_code == status, answer.text
    assert words in answer.json()["error"]["message"]


@pytest.mark.parametrize("words", ["", " ", "a" * 201, "a\nb"])
def test_what_cannot_be_searched_for_never_reaches_the_hub(hub: FakeHub, paddock: Paddock, words: str) -> None:
    hub.misbehave()
    answer = paddock.http.get("/api/hub/search", params={"q": words})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "q")
    assert hub.seen() == []


@pytest.mark.parametrize(
    ("faults", "words"),
    [
        ({"status": 500}, "answered with status 500"),
        ({"status": 429}, "too many requests"),
        ({"body": "<html>log in</html>"}, "does not speak like the hub"),
        ({"body": '{"odd": 1}'}, "does not speak like the hub"),
    ],
)
def test_a_hub_that_fails_is_told_of(hub: FakeHub, paddock: Paddock, faults: Faults, words: str) -> None:
    hub.misbehave(faults)
    answer = paddock.http.get("/api/hub/search", params={"q": "pocket"})
    assert answer.status_code == 502, answer.text
    assert words in answer.json()["error"]["message"]

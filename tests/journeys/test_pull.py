"""Pulling pocket from a hub that speaks the hub's protocol over real sockets, and that misbehaves."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Generator
from pathlib import Path

import huggingface_hub
import pytest

from paddock.errors import BadRequest, HomeUnusable, HubUnavailable, ModelUnusable, PaddockError
from paddock.models.catalog import BUNDLED, Catalog
from paddock.models.download import Hub, look_up, pull
from paddock.models.hub_choice import Plan
from paddock.paths import Home
from tests.fakes.gguf_files import gguf, split
from tests.fakes.hub import COMMIT, Faults, environment, running_hub
from tests.fakes.hub import Hub as FakeHub

REPO = "ours/pocket-GGUF"
POCKET = BUNDLED["pocket-v0"].read_bytes()
TOKEN = "hf_onlyForThatHub"


@pytest.fixture(scope="module")
def fake(tmp_path_factory: pytest.TempPathFactory) -> Generator[FakeHub]:
    with running_hub(tmp_path_factory.mktemp("hub")) as fake:
        fake.add(REPO, "pocket-v0-Q8_0.gguf", POCKET)
        fake.add(REPO, "README.md", b"# pocket")
        fake.add("ours/tiny", "plain-F16.gguf", gguf())
        fake.add("ours/adapter", "lora-F16.gguf", gguf(more={"general.type": "adapter"}))
        fake.add("ours/weights", "model.safetensors", b"12345678{}")
        fake.add("ours/several", "m-Q8_0.gguf", gguf())
        fake.add("ours/several", "m-Q4_K_M.gguf", gguf(more={"general.name": "other"}))
        for path in split(tmp_path_factory.mktemp("parts"), "big-Q8_0", 2):
            fake.add("ours/big", path.name, path.read_bytes())
        yield fake
    huggingface_hub.close_session()


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(root=tmp_path / "home")


@pytest.fixture
def hub(fake: FakeHub, tmp_path: Path) -> Generator[Hub]:
    fake.misbehave()
    yield Hub(endpoint=fake.endpoint, cache=tmp_path / "cache", token=TOKEN)
    huggingface_hub.close_session()


def left_in(folder: Path) -> list[str]:
    """Names of the files under a folder, locks and tags of the library aside."""
    found = [path for path in folder.rglob("*") if path.is_file() or path.is_symlink()]
    return sorted(path.name for path in found if ".locks" not in path.parts and path.name != "CACHEDIR.TAG")


def sendings(fake: FakeHub) -> list[str | None]:
    """Where each sending of a large file began."""
    return [seen["range"] for seen in fake.seen() if seen["path"].startswith("/cdn/") and seen["method"] == "GET"]


def test_pocket_is_pulled_and_listed(hub: Hub, home: Home) -> None:
    told: list[tuple[int, int]] = []
    plans: list[Plan] = []
    record = pull(REPO, home, hub=hub, announce=plans.append, progress=lambda done, total: told.append((done, total)))
    assert (record.id, record.revision) == (f"{REPO}:Q8_0", COMMIT)
    assert plans[0].choice.available == ("Q8_0",)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert told[-1] == (len(POCKET), len(POCKET))
    model = Catalog(home).find(REPO)
    assert (model.id, model.origin, model.quantisation) == (f"{REPO}:Q8_0", "pulled", "Q8_0")
    assert model.path.read_bytes() == POCKET


def test_other_programs_find_the_file_in_the_cache(hub: Hub, home: Home) -> None:
    record = pull(REPO, home, hub=hub)
    found = huggingface_hub.try_to_load_from_cache(REPO, "pocket-v0-Q8_0.gguf", cache_dir=hub.cache)
    assert found == record.files[0].path
    assert left_in(home.root) == ["ours--pocket-GGUF--Q8_0.pulled.json"]


def test_what_the_cache_has_is_not_fetched_again_nor_removed(
    fake: FakeHub, hub: Hub, home: Home, tmp_path: Path
) -> None:
    other_program = "import sys, huggingface_hub as h; print(h.hf_hub_download(*sys.argv[1:3], cache_dir=sys.argv[3]))"
    command = [sys.executable, "-c", other_program, REPO, "pocket-v0-Q8_0.gguf", str(hub.cache)]
    quiet = environment(tmp_path, HF_ENDPOINT=fake.endpoint, HF_HUB_DISABLE_TELEMETRY="1")
    path = subprocess.run(command, env=quiet, capture_output=True, text=True, timeout=60, check=True).stdout.strip()
    fake.misbehave()
    record = pull(REPO, home, hub=hub)
    assert sendings(fake) == []
    Catalog(home).remove(record.id)
    assert Path(path).read_bytes() == POCKET


def test_a_pulled_model_is_removed_for_good(hub: Hub, home: Home) -> None:
    assert hub.cache is not None
    record = pull(REPO, home, hub=hub)
    pull(REPO, home, hub=hub)
    Catalog(home).remove(record.id)
    assert left_in(hub.cache) == ["main"]
    assert left_in(home.root) == []


def test_a_cut_connection_is_taken_up_where_it_ended(fake: FakeHub, hub: Hub, home: Home) -> None:
    fake.misbehave({"cuts": 2, "cut_after_bytes": 1_000_000})
    pull(REPO, home, hub=hub)
    assert sendings(fake) == [None, "bytes=1000000-", "bytes=2000000-"]
    assert Catalog(home).find(REPO).path.read_bytes() == POCKET


def test_a_later_pull_goes_on_where_a_broken_one_ended(fake: FakeHub, hub: Hub, home: Home) -> None:
    came = [0]
    fake.misbehave({"cuts": 1, "cut_after_bytes": 3_000_000})
    with pytest.raises(HubUnavailable, match=r"3000000 of \d+ bytes of 'pocket-v0-Q8_0.gguf' are kept"):
        pull(
            REPO,
            home,
            hub=hub,
            progress=lambda done, total: came.append(done),
            is_cancelled=lambda: came[-1] >= 3_000_000,
        )
    assert Catalog(home).broken() == []
    fake.misbehave()
    pull(REPO, home, hub=hub)
    assert sendings(fake) == ["bytes=3000000-"]
    assert Catalog(home).find(REPO).path.read_bytes() == POCKET


def kept_bytes(hub: Hub) -> int:
    assert hub.cache is not None
    return sum(path.stat().st_size for path in hub.cache.rglob("*.incomplete"))


def test_a_hub_that_cannot_go_on_sends_it_all_again(fake: FakeHub, hub: Hub, home: Home) -> None:
    fake.misbehave({"cuts": 1, "cut_after_bytes": 1_000_000, "ignore_range": True})
    pull(REPO, home, hub=hub)
    assert Catalog(home).find(REPO).path.read_bytes() == POCKET


def test_a_busy_hub_is_asked_again(fake: FakeHub, hub: Hub, home: Home) -> None:
    fake.misbehave({"busy": 1})
    pull(REPO, home, hub=hub)
    assert len(sendings(fake)) == 2


def test_a_hub_that_always_cuts_is_given_up_and_what_came_is_kept(fake: FakeHub, hub: Hub, home: Home) -> None:
    fake.misbehave({"cuts": -1, "cut_after_bytes": 0})
    with pytest.raises(HubUnavailable, match="cannot be reached: 0 of"):
        pull(REPO, home, hub=hub)
    assert len(sendings(fake)) == 4
    assert left_in(home.root) == []


@pytest.mark.parametrize("resumed", [False, True])
def test_wrong_bytes_are_removed(fake: FakeHub, hub: Hub, home: Home, resumed: bool) -> None:
    assert hub.cache is not None
    cut: Faults = {"cuts": 1, "cut_after_bytes": 1_000_000} if resumed else {}
    fake.misbehave({"wrong_bytes": True, **cut})
    with pytest.raises(HubUnavailable, match="came with the wrong checksum"):
        pull(REPO, home, hub=hub)
    assert left_in(hub.cache) == []
    assert left_in(home.root) == []
    fake.misbehave()
    pull(REPO, home, hub=hub)
    assert Catalog(home).find(REPO).path.read_bytes() == POCKET


def test_a_damaged_file_in_the_cache_is_replaced(hub: Hub, home: Home) -> None:
    path = Path(pull(REPO, home, hub=hub).files[0].path)
    path.resolve().write_bytes(POCKET[:-1] + b"?")
    pull(REPO, home, hub=hub)
    assert Catalog(home).find(REPO).path.read_bytes() == POCKET


def test_a_file_that_lies_in_git_itself_is_checked_too(fake: FakeHub, hub: Hub, home: Home) -> None:
    record = pull("ours/tiny", home, hub=hub)
    assert record.files[0].digest.startswith("git:")
    fake.misbehave({"wrong_bytes": True})
    with pytest.raises(HubUnavailable, match="came with the wrong checksum"):
        pull("ours/tiny", home, hub=Hub(endpoint=hub.endpoint, cache=home.root / "other"))


def test_all_parts_of_a_split_model_are_pulled_and_removed(fake: FakeHub, hub: Hub, home: Home) -> None:
    assert hub.cache is not None
    fake.misbehave({"cdn_status": 404})
    with pytest.raises(HubUnavailable):
        pull("ours/big", home, hub=hub)
    fake.misbehave()
    record = pull("ours/big", home, hub=hub)
    model = Catalog(home).find("ours/big")
    assert model.path.name == "big-Q8_0-00001-of-00002.gguf"
    assert model.size_bytes == sum(file.size_bytes for file in record.files)
    Catalog(home).remove(record.id)
    assert left_in(hub.cache) == ["main"]


def test_parts_fetched_by_an_unfinished_pull_are_removed_too(hub: Hub, home: Home) -> None:
    assert hub.cache is not None
    first: list[int] = []

    def leave(done: int, total: int) -> None:
        first.append(done)
        if total > done >= total // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pull("ours/big", home, hub=hub, progress=leave)
    Catalog(home).remove(pull("ours/big", home, hub=hub).id)
    assert left_in(hub.cache) == ["main"]
    assert left_in(home.root) == []


def test_the_choice_is_told_before_the_first_byte(fake: FakeHub, hub: Hub) -> None:
    plan = look_up("ours/several", hub=hub)
    assert (plan.id, plan.choice.available) == ("ours/several:Q4_K_M", ("Q4_K_M", "Q8_0"))
    assert sendings(fake) == []


def test_the_hub_s_own_spelling_is_kept(hub: Hub, home: Home) -> None:
    assert pull("ours/several:q8_0", home, hub=hub).id == "ours/several:Q8_0"


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("ours/absent", "There is no repository 'ours/absent' on 127.0.0.1"),
        ("ours/weights", "holds no GGUF model"),
        (f"{REPO}:Q2_K", "has no quantisation 'Q2_K'. It has: Q8_0"),
    ],
)
def test_what_the_hub_does_not_have_is_named(hub: Hub, home: Home, spec: str, words: str) -> None:
    with pytest.raises(HubUnavailable) as caught:
        pull(spec, home, hub=hub)
    assert words in caught.value.message
    assert left_in(home.root.parent) == []


def test_an_adapter_is_named_and_not_kept(hub: Hub, home: Home) -> None:
    assert hub.cache is not None
    with pytest.raises(ModelUnusable, match="is an adapter"):
        pull("ours/adapter", home, hub=hub)
    assert left_in(hub.cache) == ["main"]
    assert left_in(home.root) == []


@pytest.mark.parametrize(
    ("faults", "words"),
    [
        ({"status": 403, "error_code": "GatedRepo"}, "is gated. Accept its terms"),
        ({"status": 401}, "set HF_TOKEN"),
        ({"status": 403}, "does not let this account read"),
        ({"status": 429}, "too many requests"),
        ({"status": 500}, "answered with status 500"),
        ({"body": "<html>log in to this network</html>"}, "does not speak like the hub"),
        ({"body": "[]"}, "does not speak like the hub"),
        ({"body": "{}"}, "does not speak like the hub"),
        ({"body": '{"id": "a/b", "sha": "../../x", "siblings": []}'}, "does not speak like the hub"),
        (
            {"body": json.dumps({"id": "a", "sha": COMMIT, "siblings": [{"rfilename": "m.gguf", "blobId": "../x"}]})},
            "does not speak like the hub",
        ),
    ],
)
def test_a_refusing_hub_is_named_and_nothing_is_written(
    fake: FakeHub, hub: Hub, home: Home, faults: Faults, words: str
) -> None:
    fake.misbehave(faults)
    with pytest.raises(HubUnavailable) as caught:
        pull(REPO, home, hub=hub)
    assert words in caught.value.message
    assert TOKEN not in caught.value.message
    assert left_in(home.root.parent) == []


@pytest.mark.attack("path traversal")
def test_a_hub_that_names_a_file_outside_the_cache_gets_nowhere(fake: FakeHub, hub: Hub, home: Home) -> None:
    digest = {"sha256": "0" * 64, "size": 3, "pointerSize": 1}
    outside = {"rfilename": "../../../../escape-Q8_0.gguf", "size": 3, "lfs": digest}
    fake.misbehave({"body": json.dumps({"id": REPO, "sha": COMMIT, "siblings": [outside]})})
    with pytest.raises(PaddockError):
        pull(REPO, home, hub=hub)
    assert left_in(home.root.parent) == []


def test_a_model_that_does_not_fit_on_the_disk_is_refused_before_it_is_fetched(
    fake: FakeHub, hub: Hub, home: Home
) -> None:
    huge = {"rfilename": "m-Q8_0.gguf", "size": 2**60, "lfs": {"sha256": "0" * 64, "size": 2**60, "pointerSize": 1}}
    fake.misbehave({"body": json.dumps({"id": REPO, "sha": COMMIT, "siblings": [huge]})})
    with pytest.raises(HomeUnusable, match=r"needs [\d.]+ GB more, and the hub's cache has [\d.]+ GB free"):
        pull(REPO, home, hub=hub)
    assert sendings(fake) == []
    assert left_in(home.root.parent) == []


def test_a_private_repository_opens_to_its_token(fake: FakeHub, hub: Hub, home: Home) -> None:
    fake.misbehave({"token": TOKEN})
    assert pull(REPO, home, hub=hub).id == f"{REPO}:Q8_0"
    fake.misbehave({"token": "another"})
    with pytest.raises(HubUnavailable, match="or it is private"):
        pull(REPO, home, hub=hub)


def test_the_token_goes_to_the_hub_and_not_where_it_sends_us(fake: FakeHub, hub: Hub, home: Home) -> None:
    fake.misbehave({"cuts": 1, "cut_after_bytes": 1000})
    pull(REPO, home, hub=hub)
    seen = fake.seen()
    elsewhere = [entry["authorization"] for entry in seen if entry["host"].startswith("localhost")]
    assert elsewhere == [None, None]
    assert {entry["authorization"] for entry in seen if entry["host"].startswith("127.")} == {f"Bearer {TOKEN}"}
    assert all("paddock/" in entry["user_agent"] and "torch" not in entry["user_agent"] for entry in seen)
    assert not [entry for entry in seen if "telemetry" in entry["path"] or "agent" in entry["path"]]


def test_without_a_network_the_hub_is_named_and_nothing_is_written(tmp_path: Path, home: Home) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{closed.getsockname()[1]}"
        with pytest.raises(HubUnavailable, match="cannot be reached"):
            pull(REPO, home, hub=Hub(endpoint=endpoint, cache=tmp_path / "cache"))
    assert list(tmp_path.iterdir()) == []
    huggingface_hub.close_session()


def test_without_a_network_a_cached_model_still_joins_the_catalogue(fake: FakeHub, hub: Hub, home: Home) -> None:
    pull(REPO, home, hub=hub)
    away = Home(root=home.root.parent / "second")
    record = pull(REPO, away, hub=Hub(endpoint="http://127.0.0.1:9", cache=hub.cache))
    assert Catalog(away).find(REPO).path.read_bytes() == POCKET
    assert not record.files[0].fetched
    with pytest.raises(HubUnavailable, match="cannot be reached"):
        pull(f"{REPO}:F16", away, hub=Hub(endpoint="http://127.0.0.1:9", cache=hub.cache))


@pytest.mark.parametrize("endpoint", ["nonsense", "ftp://127.0.0.1", "http://", "http://127.0.0.1:99999", "http://[::"])
def test_an_address_that_is_none_is_an_error_of_ours(tmp_path: Path, home: Home, endpoint: str) -> None:
    with pytest.raises(HubUnavailable):
        pull(REPO, home, hub=Hub(endpoint=endpoint, cache=tmp_path / "cache"))


def test_a_spec_that_is_none_is_refused_before_anything_is_asked(fake: FakeHub, hub: Hub, home: Home) -> None:
    with pytest.raises(BadRequest):
        pull("not a spec", home, hub=hub)
    assert fake.seen() == []


def test_a_cancelled_pull_keeps_what_came(hub: Hub, home: Home) -> None:
    stop = threading.Event()
    with pytest.raises(HubUnavailable, match=r"was cancelled: \d+ of \d+ bytes of 'pocket-v0-Q8_0.gguf' are kept"):
        pull(REPO, home, hub=hub, progress=lambda done, total: stop.set() if done else None, is_cancelled=stop.is_set)
    assert 0 < kept_bytes(hub) < len(POCKET)
    assert left_in(home.root) == []


def test_a_cache_that_cannot_be_written_is_named(hub: Hub, home: Home, tmp_path: Path) -> None:
    (tmp_path / "occupied").write_bytes(b"")
    with pytest.raises(HomeUnusable, match=r"The hub's cache \(HF_HOME\) cannot be written"):
        pull(REPO, home, hub=Hub(endpoint=hub.endpoint, cache=tmp_path / "occupied"))


def test_a_home_that_cannot_be_written_is_named_before_anything_is_fetched(
    fake: FakeHub, hub: Hub, tmp_path: Path
) -> None:
    (tmp_path / "occupied").write_bytes(b"")
    with pytest.raises(HomeUnusable, match="The data home"):
        pull(REPO, Home(root=tmp_path / "occupied"), hub=hub)
    assert sendings(fake) == []


def test_two_pulls_at_once_do_not_share_a_file(fake: FakeHub, hub: Hub, home: Home) -> None:
    inside, go_on = threading.Event(), threading.Event()
    caught: list[PaddockError] = []

    def hold(done: int, total: int) -> None:
        inside.set()
        go_on.wait(20)

    first = threading.Thread(target=lambda: pull(REPO, home, hub=hub, progress=hold))
    first.start()
    assert inside.wait(20)
    try:
        pull(REPO, home, hub=hub)
    except HubUnavailable as error:
        caught.append(error)
    go_on.set()
    first.join(20)
    assert "is being fetched by another program" in caught[0].message
    assert Catalog(home).find(REPO).path.read_bytes() == POCKET

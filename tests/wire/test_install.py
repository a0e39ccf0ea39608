"""Tests a build's way into use against a release server that misbehaves: whatever fails leaves the active one alone."""

from __future__ import annotations

import json
import socket
from collections.abc import Generator
from pathlib import Path

import httpx
import pytest

from paddock.app import running
from paddock.config import load
from paddock.errors import BuildBroken, BuildError, BuildRefused, BuildUnavailable, BuildUnknown
from paddock.install import release
from paddock.install.builds import Build, Builds, Pointer
from paddock.install.installing import install_release, probe_build, use, use_path
from paddock.install.manifest import Offer
from paddock.install.release import Origin
from paddock.install.watch import QUIET, Watch
from paddock.paths import Home
from tests.fakes.release_server import Faults, Releases, running_releases
from tests.fakes.scripted_llama_server import Behaviour, lay_out, tar, zipped

TAG = "b7"
PAD = b"#" * 300_000
NAME = "ubuntu-x64"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Generator[Releases]:
    with running_releases(tmp_path_factory.mktemp("releases")) as releases:
        yield releases


@pytest.fixture
def releases(shared: Releases) -> Releases:
    shared.misbehave()
    for path in shared.root.glob("*/*"):
        path.unlink()
    return shared


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(root=tmp_path / "a home ü")
    home.ensure()
    return home


@pytest.fixture
def installed(releases: Releases, home: Home) -> Build:
    """A build that works, and is active."""
    releases.add("b6", f"llama-b6-bin-{NAME}.tar.gz", tar())
    build = install(releases, home, tag="b6")
    releases.misbehave()
    return build


def asset(ending: str = "tar.gz", name: str = NAME) -> str:
    return f"llama-{TAG}-bin-{name}.{ending}"


def offer_of(releases: Releases, home: Home, tag: str = TAG) -> Offer:
    return release.description(tag, home, Origin.of(releases.address), afresh=True).offers[0]


def install(
    releases: Releases, home: Home, *, tag: str = TAG, watch: Watch = QUIET, faults: Faults | None = None
) -> Build:
    """Install the one build of a release; `faults` begin once it is described."""
    offer = offer_of(releases, home, tag)
    releases.misbehave(faults)
    return install_release(offer, tag, home, Origin.of(releases.address), watch=watch)


def left(home: Home) -> list[str]:
    return sorted(path.name for path in home.engines.iterdir() if not path.name.startswith("release-"))


def test_a_build_is_fetched_checked_tried_and_used(releases: Releases, home: Home) -> None:
    releases.add(TAG, asset(), tar())
    told: list[str] = []
    came: list[int] = []
    build = install(releases, home, watch=Watch(say=told.append, progress=lambda done, of: came.append(done)))
    assert (build.name, build.version, build.accelerator) == (f"{TAG}-{NAME}", "11434 (scripted)", "cpu")
    assert Builds(home).active() == build
    assert Builds(home).pointer() == Pointer(active=build.name, previous="embedded")
    assert left(home) == ["active.json", build.name, "downloads", "lock"]
    assert list((home.engines / "downloads").iterdir()) == []
    assert (build.binary.parent / "libllama.so").read_bytes() == b"none"
    assert "Trying it" in " ".join(told)
    assert came[-1] == (releases.root / TAG / asset()).stat().st_size


def test_an_archive_whose_links_were_mangled_works(releases: Releases, home: Home) -> None:
    releases.add(TAG, asset("zip"), zipped())
    build = install(releases, home)
    assert (build.binary.parent / "libllama.so").readlink() == Path("libllama.so.1")


@pytest.mark.anyio
async def test_paddock_serves_with_the_active_build(installed: Build, home: Home) -> None:
    settings = load({"port": 0}, environ={"PADDOCK_HOME": str(home.root)})
    async with running(settings) as studio, httpx.AsyncClient(timeout=20, trust_env=False) as http:
        body = {"messages": [{"role": "user", "content": "Hello"}]}
        answer = await http.post(f"{studio.url}/v1/chat/completions", json=body)
        assert answer.json()["choices"][0]["message"]["content"] == "Hi."
    starts = (installed.binary.parent / "starts.jsonl").read_text("utf-8").splitlines()
    assert "--alias" in json.loads(starts[-1])["words"]


def test_a_cut_connection_is_taken_up_where_it_ended(releases: Releases, home: Home) -> None:
    releases.add(TAG, asset(), tar() + PAD)
    install(releases, home, faults={"cuts": 2, "cut_after_bytes": 100_000})
    sent = releases.files()
    assert [seen["range"] for seen in sent] == [None, "bytes=100000-", "bytes=200000-"]
    assert sent[0]["if_range"] is None
    assert sent[1]["if_range"]
    assert sent[1]["if_range"] == sent[2]["if_range"]


def test_a_later_install_goes_on_where_one_broke(releases: Releases, home: Home, installed: Build) -> None:
    releases.add(TAG, asset(), tar() + PAD)
    stop = [False]
    watch = Watch(progress=lambda done, of: stop.append(done > 100_000), is_cancelled=lambda: stop[-1])
    with pytest.raises(BuildUnavailable, match="cancelled"):
        install(releases, home, watch=watch)
    with pytest.raises(BuildUnavailable, match=r"[1-9]\d+ of \d+ bytes .* are kept. Install it again"):
        install(releases, home, faults={"cuts": -1, "cut_after_bytes": 0})
    assert Builds(home).active() == installed
    install(releases, home)
    (sent,) = releases.files()
    assert sent["range"] is not None


def test_another_version_of_the_file_is_begun_anew(releases: Releases, home: Home) -> None:
    releases.add(TAG, asset(), tar() + PAD)
    stop = [False]
    watch = Watch(progress=lambda done, of: stop.append(done > 100_000), is_cancelled=lambda: stop[-1])
    with pytest.raises(BuildUnavailable, match="cancelled"):
        install(releases, home, watch=watch)
    install(releases, home, faults={"new_version": True})
    first, second = releases.files()
    assert first["range"] is not None
    assert second["range"] is None
    assert Builds(home).active()


def test_a_server_that_only_sends_from_the_beginning_will_do(releases: Releases, home: Home) -> None:
    releases.add(TAG, asset(), tar() + PAD)
    install(releases, home, faults={"cuts": 1, "cut_after_bytes": 100_000, "ignore_range": True})
    assert Builds(home).active()


def test_a_slow_server_is_waited_for_and_can_be_left(releases: Releases, home: Home) -> None:
    releases.add(TAG, asset(), tar() + PAD)
    install(releases, home, faults={"pause_s": 0.01})
    assert Builds(home).active()


FAULTS: dict[str, tuple[Faults, type[BuildError], str]] = {
    "wrong bytes": ({"wrong_bytes": True}, BuildRefused, "wrong checksum"),
    "no such file": ({"file_status": 404}, BuildUnavailable, "has no"),
    "forbidden": ({"file_status": 403}, BuildUnavailable, "status 403"),
    "a limit": (
        {"file_status": 403, "headers": {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "4102444800"}},
        BuildUnavailable, "2100-01-01 00:00 UTC",
    ),
    "broken": ({"file_status": 500}, BuildUnavailable, "cannot be reached"),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_a_download_that_fails_leaves_the_active_build(
    releases: Releases, home: Home, installed: Build, name: str
) -> None:
    faults, kind, words = FAULTS[name]
    before = left(home)
    releases.add(TAG, asset(), tar() + PAD)
    with pytest.raises(kind, match=words):
        install(releases, home, faults=faults)
    assert Builds(home).active() == installed
    assert probe_build(installed, home).answer == "Hi."
    assert left(home) == before


def test_a_file_that_ends_early_is_not_used(releases: Releases, home: Home, installed: Build) -> None:
    releases.add(TAG, asset(), tar() + PAD)
    offer = offer_of(releases, home)
    releases.add(TAG, asset(), tar())
    with pytest.raises(BuildUnavailable, match="are kept"):
        install_release(offer, TAG, home, Origin.of(releases.address))
    assert Builds(home).active() == installed


ARCHIVES: dict[str, tuple[bytes, str]] = {
    "a page": (b"<!DOCTYPE html><title>Sign in</title>", "is a page"),
    "noise": (b"\x00" * 500, "is no archive"),
    "nothing of use": (zipped().replace(b"llama-server", b"other-server"), "no llama-server"),
    "cut off": (tar()[:-3000], "damaged"),
}


@pytest.mark.parametrize("name", ARCHIVES)
def test_a_wrong_archive_leaves_the_active_build(releases: Releases, home: Home, installed: Build, name: str) -> None:
    content, words = ARCHIVES[name]
    releases.add(TAG, asset(), content)
    with pytest.raises(BuildRefused, match=words):
        install(releases, home)
    assert Builds(home).active() == installed
    assert not list(home.engines.glob(".staging-*"))


BROKEN: dict[str, tuple[str, Behaviour, str]] = {
    "lacks a flag": (NAME, {"lacks": ["--ctx-size"]}, "does not know --ctx-size"),
    "lacks a library": (
        NAME, {"exit_status": 127, "words": "libgomp.so.1: cannot open shared object file"}, "libgomp.so.1",
    ),
    "crashes": (NAME, {"exit_status": 139, "words": "Illegal instruction"}, "Illegal instruction"),
    "answers nothing": (NAME, {"answers_empty": True}, "empty answer"),
    "makes no call": (NAME, {"calls_nothing": True}, "no tool call"),
    # Told apart from the build that works, which is the same archive where both are made within a second.
    "falls back to the processor": ("linux-cuda-12.4-x64", {"devices": []}, "finds no device"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_build_that_fails_its_probe_is_not_used(releases: Releases, home: Home, installed: Build, name: str) -> None:
    of, behaviour, words = BROKEN[name]
    releases.add(TAG, asset(name=of), tar(behaviour))
    with pytest.raises(BuildBroken, match=words):
        install(releases, home)
    assert Builds(home).active() == installed
    assert Builds(home).all() == [installed]


def test_a_build_for_a_card_shows_its_devices(releases: Releases, home: Home) -> None:
    releases.add(
        TAG, asset(name="linux-cuda-12.4-x64"), tar({"devices": ["CUDA0: A card (24564 MiB, 20000 MiB free)"]})
    )
    assert install(releases, home).devices == ("CUDA0: A card (24564 MiB, 20000 MiB free)",)


def test_the_same_build_is_not_fetched_twice(releases: Releases, home: Home) -> None:
    releases.add(TAG, asset(), tar())
    first = install(releases, home)
    use(None, home)
    assert install(releases, home) == first
    assert releases.files() == []
    assert Builds(home).active() == first


def test_a_build_that_lost_its_program_is_installed_anew(releases: Releases, home: Home) -> None:
    releases.add(TAG, asset(), tar())
    install(releases, home).binary.unlink()
    assert install(releases, home).name == f"{TAG}-{NAME}.2"
    assert probe_build(Builds(home).find(f"{TAG}-{NAME}.2"), home).answer


def test_a_roll_back_is_tried_before_it_is_used(releases: Releases, home: Home, installed: Build) -> None:
    releases.add(TAG, asset(), tar({"version": "7 (newer)"}))
    newer = install(releases, home)
    installed.binary.unlink()
    with pytest.raises(BuildBroken, match="Install it again"):
        use(Builds(home).previous(), home)
    assert Builds(home).active() == newer
    use(None, home)
    assert Builds(home).active() is None


def test_a_persons_own_build_is_used_where_it_lies(home: Home, tmp_path: Path) -> None:
    binary = lay_out(tmp_path / "my build ü")
    build = use_path(tmp_path / "my build ü", home)
    assert (build.origin, build.binary) == ("path", binary)
    use(None, home)
    assert use_path(binary, home) == build
    assert Builds(home).all() == [build]
    with pytest.raises(BuildUnknown, match="no llama-server"):
        use_path(tmp_path / "nowhere", home)
    Builds(home).activate(None)
    Builds(home).remove(build.name)
    assert binary.is_file()


DESCRIPTIONS: dict[str, tuple[Faults, type[BuildError], str]] = {
    "a limit with its end": (
        {"status": 403, "headers": {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "4102444800"}},
        BuildUnavailable, "until 2100-01-01 00:00 UTC. Wait, set GITHUB_TOKEN",
    ),
    "too many": ({"status": 429, "headers": {"Retry-After": "60"}}, BuildUnavailable, r"until 2\d\d\d-.* UTC"),
    "a limit without an end": ({"status": 429}, BuildUnavailable, "for now"),
    "forbidden": ({"status": 403}, BuildUnavailable, "status 403"),
    "unknown": ({"status": 404}, BuildUnavailable, "has no release 'b7'"),
    "no JSON": ({"body": "<html>Sign in</html>"}, BuildRefused, "sent no JSON"),
    "other JSON": ({"body": "[]"}, BuildRefused, "does not describe"),
}  # fmt: skip


@pytest.mark.parametrize("name", DESCRIPTIONS)
def test_a_release_that_cannot_be_described_is_told(releases: Releases, home: Home, name: str) -> None:
    faults, kind, words = DESCRIPTIONS[name]
    releases.misbehave(faults)
    with pytest.raises(kind, match=words):
        release.description(TAG, home, Origin.of(releases.address))


def test_a_release_is_asked_for_once(releases: Releases, home: Home) -> None:
    releases.add(TAG, asset(), tar())
    first = release.description(TAG, home, Origin.of(releases.address))
    releases.misbehave({"status": 403})
    assert release.description(TAG, home, Origin.of(releases.address)) == first
    assert releases.seen() == []
    with pytest.raises(BuildUnavailable):
        release.description(TAG, home, Origin.of(releases.address), afresh=True)


def test_what_has_no_digest_is_not_offered(releases: Releases, home: Home) -> None:
    releases.add(TAG, asset(), tar())
    releases.misbehave({"digest": None})
    assert release.description(TAG, home, Origin.of(releases.address)).offers == ()


def test_a_token_goes_to_the_api_alone(releases: Releases, home: Home) -> None:
    releases.add(TAG, asset(), tar())
    origin = Origin(api=releases.address, web=releases.address, token="t0ken")
    install_release(release.asked(TAG, origin).offers[0], TAG, home, origin)
    sent = {seen["path"]: seen["authorization"] for seen in releases.seen()}
    assert sent.pop(f"/releases/tags/{TAG}") == "Bearer t0ken"
    assert set(sent.values()) == {None}
    assert Origin.of("", {"GITHUB_TOKEN": "t0ken"}).token == "t0ken"
    assert Origin.of(releases.address, {"GITHUB_TOKEN": "t0ken"}).token is None


def test_nothing_there_is_told(home: Home) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{bound.getsockname()[1]}"
        with pytest.raises(BuildUnavailable, match="cannot be reached"):
            release.description(TAG, home, Origin.of(address))

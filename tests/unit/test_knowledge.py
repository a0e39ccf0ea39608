"""Tests what documents become: their parts, passages with their places, vectors that are compared, one order of two."""

from __future__ import annotations

import io
import itertools
import math
import sqlite3
import struct
import zipfile
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paddock.knowledge.cutting import CHARACTERS_MOST, cut, whole_text
from paddock.knowledge.searching import fused
from paddock.reading.faults import Unreadable
from paddock.reading.parts import Part, parts_of
from paddock.store import distances
from tests.fakes.documents import pdf, word
from tests.fakes.offices import packed, sheet, slides
from tests.knowledge import labelled

Json = dict[str, Any]


def parts(tmp_path: Path, name: str, data: bytes) -> list[Part]:
    source = tmp_path / name
    source.write_bytes(data)
    return parts_of(source)


def titled(title: str) -> bytes:
    """An Excel file whose sheet has a title that Excel itself would not take."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(sheet("Prices", ("hay", 4)))) as source, zipfile.ZipFile(made, "w") as target:
        for name in source.namelist():
            target.writestr(name, source.read(name).replace(b'"Prices"', f'"{title}"'.encode()))
    return made.getvalue()


def part(text: str, page: int | None = None, section: str = "") -> Json:
    return {"text": text, "page": page, "section": section}


_TEXTS = st.text(alphabet=st.sampled_from("ab .\n。,x"), max_size=3000)


@given(st.lists(_TEXTS, max_size=4))
def test_each_passage_stands_where_it_says_and_nothing_that_is_said_is_left_out(texts: list[str]) -> None:
    given_parts = [part(text, page) for page, text in enumerate(texts, 1)]
    whole, covered = whole_text(given_parts), set[int]()
    for passage in cut(given_parts):
        assert passage.text == whole[passage.first : passage.last]
        assert 0 < len(passage.text) <= CHARACTERS_MOST
        assert passage.text in texts[(passage.page or 0) - 1]
        covered.update(range(passage.first, passage.last))
    assert all(place in covered for place, character in enumerate(whole) if not character.isspace())


def test_a_long_text_is_cut_at_sentences_and_what_stands_at_a_cut_is_in_both() -> None:
    text = " ".join(f"Sentence number {number} says what it says." for number in range(100))
    found = cut([part(text)])
    assert len(found) > 3
    assert all(one.text.endswith(".") for one in found)
    assert all(after.first < before.last for before, after in itertools.pairwise(found))


def test_pages_slides_sheets_and_headings_are_told_apart(tmp_path: Path) -> None:
    assert [(one.page, one.text) for one in parts(tmp_path, "a.pdf", pdf("one", "two"))] == [(1, "one"), (2, "two")]
    found = parts(tmp_path, "a.pptx", slides("Feeding", "Grain"))
    assert [(one.page, one.section) for one in found] == [(1, "Feeding"), (2, "Grain")]
    assert "| oats | barley |" in found[1].text
    (found_sheet,) = parts(tmp_path, "a.xlsx", sheet("Prices", ("hay", 4.5), (None, None), ("straw", 2)))
    assert (found_sheet.section, found_sheet.text) == ("Prices", "| hay | 4.5 |\n| straw | 2 |")
    (long,) = parts(tmp_path, "a.xlsx", titled("T" * 500))
    assert len(long.section) == 300
    assert parts(tmp_path, "a.docx", word())[0].section == "Drinks"
    found = parts(tmp_path, "a.md", b"before\n# One\nfirst\n## Two\nsecond")
    assert [one.section for one in found] == ["", "One", "Two"]
    page = b"<html><title>Hay</title><body><article><h1>Hay</h1><p>Grass that was dried in the sun for days.</p>"
    assert "dried in the sun" in parts(tmp_path, "a.html", page)[-1].text
    assert parts(tmp_path, "a.py", b"def feed():\n    pass\n")[0].text.startswith("def feed")


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("a.pdf", b"%PDF-1.4\n1 0 obj << /Type /Catalog", "PDF cannot be read"),
        ("a.xlsx", packed(xl__workbook_xml=b"<workbook"), "Excel file cannot be read"),
        ("a.pptx", packed(ppt__presentation_xml=b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"), "PowerPoint file cannot"),
        ("a.zip", packed(etc__passwd=b"root"), "no document"),
        ("a.zip", b"PK\x03\x04 and no more", "cannot be unpacked"),
        ("a.txt", b"\x00\x01\x02\xff\xfe", "no document"),
        ("a.txt", b"a\x00b", "no text holds"),
        ("a.txt", b"  \n ", "no text in it"),
        ("a.html", b"<html><body><script>x()</script>", "no words|no text|no HTML"),
    ],
)
def test_a_file_of_a_bad_shape_is_refused_with_a_sentence(tmp_path: Path, name: str, data: bytes, says: str) -> None:
    with pytest.raises(Unreadable, match=says):
        parts(tmp_path, name, data)


@pytest.mark.attack("bombs")
def test_a_packed_file_that_would_burst_is_not_unpacked(tmp_path: Path) -> None:
    data = packed(xl__workbook_xml=b"<w/>", xl__bomb_xml=bytes(257 * 2**20))
    assert len(data) < 2**20
    with pytest.raises(Unreadable, match="Unpacked it has 257 MiB"):
        parts(tmp_path, "a.xlsx", data)


def blob(*values: float) -> bytes:
    return struct.pack(f"<{len(values)}f", *values)


def test_python_and_sqlite_vec_find_the_same_distances() -> None:
    pairs = [((1.0, 0.0), (0.0, 2.0)), ((1.0, 2.0), (2.0, 4.0)), ((1.0, 0.5), (-3.0, 0.1))]
    with closing(distances.connected(":memory:")) as connection:
        for one, other in pairs:
            asked = "SELECT vec_distance_cosine(?, ?)"
            (found,) = connection.execute(asked, (blob(*one), blob(*other))).fetchone()
            assert found == pytest.approx(distances.distance(blob(*one), blob(*other)), abs=1e-6)
        (none,) = connection.execute("SELECT vec_distance_cosine(?, ?)", (blob(0, 0), blob(1, 0))).fetchone()
    assert none is None or math.isnan(none)
    assert distances.distance(blob(0, 0), blob(1, 0)) is None
    assert distances.distance(blob(1), blob(1, 0)) is None


def test_sqlite_vec_is_in_our_connections_alone() -> None:
    with closing(distances.connected(":memory:")) as ours, closing(sqlite3.connect(":memory:")) as others:
        assert distances.knows(ours)
        assert not distances.knows(others)


def test_what_both_findings_have_comes_first() -> None:
    assert [number for number, _ in fused([1, 2, 3], [3, 4])] == [3, 1, 2, 4]
    assert fused([], []) == []


def test_the_labelled_set_is_whole() -> None:
    names = set(labelled.passages())
    assert len(names) >= 100
    assert len(labelled.queries()) >= 40
    assert {query.kind for query in labelled.queries()} == {"rare", "meaning"}
    assert all(query.answers <= names for query in labelled.queries())
    assert labelled.ndcg(["b", "a"], frozenset("a")) == pytest.approx(1 / math.log2(3))
    assert labelled.ndcg([], frozenset("a")) == 0

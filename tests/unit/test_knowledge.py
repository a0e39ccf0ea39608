"""Tests what documents become: their parts, passages with their places, vectors that are compared, one order of two."""

from __future__ import annotations

import ctypes
import io
import itertools
import math
import sqlite3
import struct
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paddock.errors import FileUnreadable
from paddock.knowledge.cutting import CHARACTERS_MOST, cut, whole_text
from paddock.knowledge.indexer import _rows  # pyright: ignore[reportPrivateUsage]
from paddock.knowledge.searching import fused
from paddock.reading import parts as reading
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


@given(st.lists(st.tuples(st.sampled_from("ab"), st.text("xy \n", max_size=300)), max_size=40))
def test_tiny_sections_share_a_passage_and_no_page_does(given_parts: list[tuple[str, str]]) -> None:
    made = [part(text, page=1 if name == "a" else 2, section=name) for name, text in given_parts]
    whole, found = whole_text(made), cut(made)
    assert all(one.text == whole[one.first : one.last] and len(one.text) <= CHARACTERS_MOST for one in found)
    for one, after in itertools.pairwise(found):
        together = after.last - one.first
        assert one.page != after.page or len(one.text) >= 200 or together > CHARACTERS_MOST
        assert one.section == ("a" if one.page == 1 else "b")


def test_a_heading_with_little_below_it_stands_with_what_follows() -> None:
    below = "word " * 60
    (found,) = cut([part("# Top", section="Top"), part(f"## Feeding\n{below}", section="Feeding")])
    assert (found.section, found.first) == ("Feeding", 0)
    assert found.text.startswith("# Top\n\n## Feeding\nword")


def test_a_document_of_nothing_but_headings_makes_few_passages_and_one_of_too_many_says_how_many() -> None:
    made = [part("# a", section="a")] * 100_000
    assert len(cut(made)) < 4000
    with pytest.raises(FileUnreadable, match="makes 20001 passages, and may make 20000"):
        _rows([part("a", page=page) for page in range(20_001)])


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
def test_rows_that_a_sheet_leaves_out_are_not_looked_at_and_cells_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import openpyxl

    book: Any = openpyxl.Workbook()
    book.active["A1"], book.active["XFD1048576"] = "hay", "end"
    book.save(tmp_path / "far.xlsx")
    data = (tmp_path / "far.xlsx").read_bytes()
    # Two rows of 16,384 cells, one empty one, and none of the million between.
    monkeypatch.setattr(reading, "_CELLS_MOST", 3 * 16_384)
    (found,) = parts(tmp_path, "a.xlsx", data)
    assert (found.text[:7], found.text[-7:]) == ("| hay |", "| end |")
    for bound, says in (("_CELLS_MOST", "more than 99 cells"), ("_ROWS_MOST", "more than 99 rows")):
        with monkeypatch.context() as patched:
            patched.setattr(reading, bound, 99)
            with pytest.raises(Unreadable, match=says):
                parts(tmp_path, "a.xlsx", data)


@pytest.mark.attack("bombs")
def test_a_heading_of_many_signs_is_read_at_once_and_signs_behind_it_are_none_of_it(tmp_path: Path) -> None:
    found = parts(tmp_path, "a.md", b"# One ##\nfirst\n# x" + b"#" * 300_000 + b"y\n## \n#\n# C#\r\nc")
    assert [one.section for one in found] == ["One", "x" + "#" * 299, "C"]


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


class Library:
    """A library of SQLite, or of sqlite-vec, as far as it is looked at."""

    def __init__(self, options: tuple[bytes, ...] | None) -> None:
        if options is not None:
            self.sqlite3_compileoption_used = Function(lambda option: option in options)
        self.sqlite3_auto_extension = self.sqlite3_cancel_auto_extension = Function(lambda _: False)


class Function:
    def __init__(self, does: Callable[[bytes], bool]) -> None:
        self.argtypes: list[Any] = []
        self._does = does

    def __call__(self, option: bytes) -> bool:
        return self._does(option)


@pytest.mark.parametrize(("options", "is_used"), [((), True), ((b"OMIT_LOAD_EXTENSION",), False), (None, False)])
def test_an_sqlite_that_loads_no_extensions_or_does_not_tell_is_given_none(
    monkeypatch: pytest.MonkeyPatch, options: tuple[bytes, ...] | None, *, is_used: bool
) -> None:
    entry = distances._entry  # pyright: ignore[reportPrivateUsage]
    if entry() is None:
        pytest.skip("this Python has a way of its own")
    real = ctypes.CDLL

    def opened(name: str) -> Any:
        return real(name) if "vec" in Path(name).name else Library(options)

    monkeypatch.setattr(distances.ctypes, "CDLL", opened)
    assert (entry.__wrapped__() is not None) == is_used


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

"""Owns the parts of a document: pages, slides, sheets, what stands below a heading. Run in a process of its own alone.

A PDF, and what is packed (Word, PowerPoint, Excel), is known by its bytes; HTML and Markdown by their names; all else
is text in UTF-8, or UTF-16 with its mark. Not covered: pictures, notes of slides, formulas without their values.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paddock.reading.documents import gathered, pdf_pages, refuse_large, text_of
from paddock.reading.faults import Unreadable

_HTML, _MARKDOWN = (".html", ".htm", ".xhtml"), (".md", ".markdown", ".mdx")
_WORD, _SLIDES, _SHEETS = "word/document.xml", "ppt/presentation.xml", "xl/workbook.xml"
_HEADING = re.compile(r"^#{1,6} +(\S.*)", re.MULTILINE)
_SECTION_MOST = 300
# Of one sheet, empty ones between others too.
_CELLS_MOST, _ROWS_MOST = 50_000_000, 2**20
_WIDE = (b"\xff\xfe", b"\xfe\xff")
_UNTEXT = frozenset(range(32)) - {7, 8, 9, 10, 11, 12, 13, 27}
_LIBRARY_FAULTS = (
    zipfile.BadZipFile, SyntaxError, zlib.error, KeyError, ValueError, TypeError, AttributeError, IndexError, OSError,
    EOFError, NotImplementedError, RuntimeError, ArithmeticError, AssertionError,
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part of a document's text. `page` counts from 1, slides too; `section` is the nearest heading or a sheet."""

    text: str
    page: int | None = None
    section: str = ""


def parts_of(source: Path) -> list[Part]:
    """The parts of a document in their order, none of them empty. Raises Unreadable."""
    with source.open("rb") as opened:
        head = opened.read(1024)
    if b"%PDF-" in head:
        found = [Part(text=text, page=page) for page, text in enumerate(pdf_pages(source), 1)]
    elif head.startswith(b"PK\x03\x04"):
        found = _packed(source)
    elif source.suffix.lower() in _HTML:
        found = _sections(_of_page(source))
    else:
        text = _plain(source.read_bytes())
        found = _sections(text) if source.suffix.lower() in _MARKDOWN else [Part(text=text)]
    found = [
        Part(text=_clean(part.text), page=part.page, section=_clean(part.section)[:_SECTION_MOST]) for part in found
    ]
    found = [part for part in found if part.text.strip()]
    if not found:
        raise Unreadable("There is no text in it, as in one that holds pictures of its pages. Add one with text.")
    gathered(part.text for part in found)
    return found


def _clean(text: str) -> str:
    """A text that every database holds."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode()


def _packed(source: Path) -> list[Part]:
    try:
        with zipfile.ZipFile(source) as packed:
            names = set(packed.namelist())
            refuse_large(packed)
    except (zipfile.BadZipFile, ValueError, OSError, EOFError, NotImplementedError, RuntimeError) as error:
        raise Unreadable(f"This file cannot be unpacked: {str(error)[:200] or type(error).__name__}.") from error
    if _WORD in names:
        return _sections(text_of(source).text)
    if _SLIDES not in names and _SHEETS not in names:
        raise Unreadable("It is a zip, and no document. Unpack it, and add what is in it.")
    what, read = ("PowerPoint file", _of_slides) if _SLIDES in names else ("Excel file", _of_sheets)
    try:
        return read(source)
    except _LIBRARY_FAULTS as error:
        raise Unreadable(f"This {what} cannot be read: {str(error)[:200] or type(error).__name__}.") from error


def _of_slides(source: Path) -> list[Part]:
    import pptx
    from pptx.exc import PythonPptxError

    try:
        slides = list(pptx.Presentation(str(source)).slides)
        lines = [list(_said(slide.shapes)) for slide in slides]
    except PythonPptxError as error:
        raise ValueError(str(error)) from error
    return [
        Part(text="\n".join(said), page=page, section=(said[0] if said else "")[:_SECTION_MOST])
        for page, said in enumerate(lines, 1)
    ]


def _said(shapes: Iterable[Any]) -> Iterator[str]:
    """The words of a slide's shapes: texts, tables row by row, and what is grouped."""
    for shape in shapes:
        if getattr(shape, "has_table", False):
            for row in shape.table.rows:
                yield "| " + " | ".join(" ".join(cell.text.split()) for cell in row.cells) + " |"
        elif getattr(shape, "has_text_frame", False):
            if text := shape.text_frame.text.strip():
                yield text
        elif hasattr(shape, "shapes"):
            yield from _said(shape.shapes)


def _of_sheets(source: Path) -> list[Part]:
    import warnings

    import openpyxl

    # It tells of each oddity of a file, and there is nobody to read that.
    warnings.simplefilter("ignore")
    with source.open("rb") as opened:
        # By what it holds: the library goes by a file's name.
        book = openpyxl.load_workbook(opened, read_only=True, data_only=True)
        return [Part(text="\n".join(gathered(_rows(sheet))), section=str(sheet.title)) for sheet in book.worksheets]


def _rows(sheet: Any) -> Iterator[str]:
    before: Any = None
    cells_looked_at = 0
    for number, row in enumerate(sheet.iter_rows(values_only=True), 1):
        if number > _ROWS_MOST:
            raise ValueError(f"the sheet '{sheet.title}' has more than {_ROWS_MOST} rows, which no sheet has")
        if row is before:
            # For each row that a sheet leaves out the library gives the same empty one.
            continue
        before = row
        if (cells_looked_at := cells_looked_at + len(row)) > _CELLS_MOST:
            raise ValueError(f"the sheet '{sheet.title}' has more than {_CELLS_MOST} cells; remove those far out")
        cells = ["" if value is None else " ".join(str(value).split()) for value in row]
        while cells and not cells[-1]:
            cells.pop()
        if cells:
            yield "| " + " | ".join(cells) + " |"


def _of_page(source: Path) -> str:
    from paddock.reading.pages import page_of

    page = page_of(source)
    return f"# {page.title}\n\n{page.text}" if page.title and not page.text.startswith("# ") else page.text


def _plain(data: bytes) -> str:
    try:
        text = data.decode("utf-16") if data.startswith(_WIDE) else data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unreadable(
            "It is no document that is read here. Add PDF, Word (docx), PowerPoint (pptx), Excel (xlsx), HTML, "
            "Markdown, or text as UTF-8."
        ) from error
    if any(ord(c) in _UNTEXT for c in set(text)):
        raise Unreadable("It holds bytes that no text holds. Add a document, or text as UTF-8.")
    return text


def _sections(text: str) -> list[Part]:
    """A text in Markdown, parted before its headings."""
    starts = [(found.start(), found[1].rstrip().rstrip("#").rstrip()) for found in _HEADING.finditer(text)]
    begun = [Part(text=text[: starts[0][0] if starts else len(text)])]
    for place, (start, title) in enumerate(starts):
        end = starts[place + 1][0] if place + 1 < len(starts) else len(text)
        begun.append(Part(text=text[start:end], section=title[:_SECTION_MOST]))
    return begun

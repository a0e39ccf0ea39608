"""Owns the text in documents of PDF and Word (docx); refuses to know what it is for. Run in a process of its own alone.

Not covered: pictures of text, which need a program that recognises letters; older Word files (doc).
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from paddock.reading.faults import Unreadable

if TYPE_CHECKING:
    from docx.document import Document as Word

PDF = "application/pdf"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
CHARACTERS_MOST = 2_000_000
_PAGES_MOST = 5_000
_UNZIPPED_MOST_BYTES = 256 * 2**20
_BODY = "word/document.xml"
# Of the elements in a Word document: those that stand around others, those that say nothing of their own, and blanks.
_AROUND = {"sdt", "sdtContent", "ins", "moveTo", "customXml", "smartTag", "AlternateContent", "Choice"}
_SILENT = {"pPr", "rPr", "sdtPr", "sdtEndPr", "tblPr", "tblGrid", "trPr", "tcPr", "del", "moveFrom", "instrText",
           "delText", "Fallback"}  # fmt: skip
_BLANKS = {"tab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-"}


@dataclass(frozen=True, kw_only=True)
class Document:
    """What a document says. `pages` is None where the form has none."""

    text: str
    media_type: str
    pages: int | None = None


def text_of(source: Path) -> Document:
    """The text of a document, recognised by its first bytes. Raises Unreadable."""
    with source.open("rb") as opened:
        head = opened.read(1024)
    found = _of_pdf(source) if b"%PDF-" in head else _of_word(source)
    if not found.text.strip():
        raise Unreadable(
            "There is no text in it, as in one that holds pictures of its pages. Attach the pages as images to a model "
            "that sees, or a file with text."
        )
    return found


def gathered(pieces: Iterable[str]) -> list[str]:
    """Pieces of text, which are no more than can be read. Raises Unreadable."""
    made: list[str] = []
    size = 0
    for piece in pieces:
        made.append(piece)
        size += len(piece) + 1
        if size > CHARACTERS_MOST:
            raise Unreadable(f"It has more than {CHARACTERS_MOST} characters of text. Attach a part of it.")
    return made


def _of_pdf(source: Path) -> Document:
    pages = pdf_pages(source)
    return Document(text="\n\n".join(pages), media_type=PDF, pages=len(pages))


def pdf_pages(source: Path) -> list[str]:
    """The text of each page of a PDF. Raises Unreadable."""
    import logging

    from pypdf import PasswordType, PdfReader
    from pypdf.errors import PyPdfError

    # It tells of each oddity of a file, and there is nobody to read that.
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    try:
        reader = PdfReader(source)
        if reader.is_encrypted and reader.decrypt("") == PasswordType.NOT_DECRYPTED:
            raise Unreadable("It is locked with a password. Save a copy without one, and attach that.")
        pages = len(reader.pages)
        if pages > _PAGES_MOST:
            raise Unreadable(f"It has {pages} pages, and {_PAGES_MOST} can be read. Attach a part of it.")
        return gathered(page.extract_text().strip() for page in reader.pages)
    except (Unreadable, MemoryError):
        raise
    except (PyPdfError, ValueError, TypeError, KeyError, IndexError, AttributeError, ArithmeticError, OSError,
            AssertionError, NotImplementedError, RecursionError, zlib.error) as error:  # fmt: skip
        raise Unreadable(f"This PDF cannot be read: {str(error)[:200] or type(error).__name__}.") from error


def _of_word(source: Path) -> Document:
    import docx
    from docx.opc.exceptions import OpcError

    try:
        with zipfile.ZipFile(source) as packed:
            if _BODY not in packed.namelist():
                raise Unreadable("It is a zip, and no Word document. Unpack it, and attach what is in it.")
            refuse_large(packed)
        text = "\n".join(gathered(_lines(docx.Document(str(source)))))
    except (zipfile.BadZipFile, OpcError, SyntaxError, zlib.error, KeyError, ValueError, TypeError, AttributeError,
            IndexError, OSError, EOFError, NotImplementedError, RuntimeError) as error:  # fmt: skip
        raise Unreadable(f"This Word document cannot be read: {str(error)[:200] or type(error).__name__}.") from error
    return Document(text=text, media_type=DOCX)


def refuse_large(packed: zipfile.ZipFile) -> None:
    """Raises Unreadable where what is in it is larger than can be read."""
    size_bytes = sum(one.file_size for one in packed.infolist())
    if size_bytes > _UNZIPPED_MOST_BYTES:
        most = _UNZIPPED_MOST_BYTES // 2**20
        raise Unreadable(f"Unpacked it has {size_bytes // 2**20} MiB, and may have {most}. Attach a smaller one.")


def _lines(word: Word) -> Iterator[str]:
    """Paragraphs and tables in their order; headings as Markdown has them, cells with bars between."""
    names = {str(style.style_id): str(style.name) for style in word.styles}
    root = cast("Any", word.element)
    for block in _within(root.find("{*}body"), {"p", "tbl"}):
        if _name(block) == "tbl":
            for row in _within(block, {"tr"}):
                yield "| " + " | ".join(" ".join(_said(cell).split()) for cell in _within(row, {"tc"})) + " |"
            continue
        said = _said(block)
        style = block.find("{*}pPr/{*}pStyle")
        named = names.get(next(iter(style.attrib.values()), ""), "") if style is not None else ""
        level = named.removeprefix("Heading ")
        is_heading = named.startswith("Heading ") and level.isdecimal() and said
        yield f"{'#' * min(6, int(level))} {said}" if is_heading else said


def _name(element: Any) -> str:
    """An element's name without its namespace; comments and the like have none."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def _within(element: Any, names: set[str]) -> Iterator[Any]:
    """The elements of these names in another, those that are wrapped in changes and controls among them."""
    for child in element.iterchildren():
        if _name(child) in names:
            yield child
        elif _name(child) in _AROUND:
            yield from _within(child, names)


def _said(element: Any) -> str:
    """All the words in an element, paragraphs and tables within it each on lines of their own."""
    made: list[str] = []
    for child in element.iterchildren():
        name = _name(child)
        if name == "t":
            made.append(child.text or "")
        elif name in _BLANKS:
            made.append(_BLANKS[name])
        elif name and name not in _SILENT:
            made.append(_said(child) + ("\n" if name in ("p", "tc") else ""))
    return "".join(made)

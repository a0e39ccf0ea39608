"""Owns small PowerPoint and Excel files for tests, made by their libraries; knows nothing of paddock."""

from __future__ import annotations

import io
import zipfile
from typing import Any


def slides(*texts: str) -> bytes:
    """A PowerPoint file with a title on each slide, and a table on the last."""
    import pptx

    made: Any = pptx.Presentation()
    page: Any = None
    for text in texts:
        page = made.slides.add_slide(made.slide_layouts[5])
        page.shapes.title.text = text
    table = page.shapes.add_table(1, 2, 0, 0, 1000, 1000).table
    table.cell(0, 0).text, table.cell(0, 1).text = "oats", "barley"
    written = io.BytesIO()
    made.save(written)
    return written.getvalue()


def sheet(title: str, *rows: tuple[object, ...]) -> bytes:
    """An Excel file of one sheet."""
    import openpyxl

    book: Any = openpyxl.Workbook()
    book.active.title = title
    for row in rows:
        book.active.append(row)
    written = io.BytesIO()
    book.save(written)
    return written.getvalue()


def packed(**files: bytes) -> bytes:
    """A zip of these files; `__` in a name stands for `/`, and one `_` for `.`."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in files.items():
            made.writestr(name.replace("__", "/").replace("_", "."), data)
    return written.getvalue()

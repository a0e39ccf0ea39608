"""Owns small documents for tests: a PDF written by hand, a Word document by its library; knows nothing of paddock."""

from __future__ import annotations

import io


def pdf(*pages: str) -> bytes:
    """A PDF with a line of text on each page."""
    texts = [f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET".encode("latin-1") for text in pages]
    kids = " ".join(f"{4 + 2 * place} 0 R" for place in range(len(pages)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for place, text in enumerate(texts):
        about = f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {5 + 2 * place} 0 R"
        objects.append(f"{about} /Resources << /Font << /F1 3 0 R >> >> >>".encode())
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(text), text))
    made = io.BytesIO(b"%PDF-1.4\n")
    made.seek(0, io.SEEK_END)
    places: list[int] = []
    for number, one in enumerate(objects, 1):
        places.append(made.tell())
        made.write(b"%d 0 obj\n%s\nendobj\n" % (number, one))
    start = made.tell()
    made.write(b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1))
    made.write(b"".join(b"%010d 00000 n \n" % place for place in places))
    made.write(b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start))
    return made.getvalue()


def word() -> bytes:
    """A Word document with a heading, a paragraph and a table."""
    import docx

    made = docx.Document()
    made.add_heading("Drinks", level=1)
    made.add_paragraph("Tea takes three minutes.")
    table = made.add_table(rows=2, cols=2)
    for place, text in enumerate(("drink", "minutes", "coffee", "4")):
        table.cell(place // 2, place % 2).text = text
    written = io.BytesIO()
    made.save(written)
    return written.getvalue()

"""Owns rows as the text by which an engine measures what is important; refuses to measure anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from paddock.data.files import each_row
from paddock.data.rows import row_of
from paddock.errors import PaddockError
from paddock.paths import write_whole

# More tell nothing new, and each takes time.
_ROWS_MOST = 2000


def write_rows(tokenizer: Any, data: str, target: Path) -> None:
    """Write rows as the model reads them, by its template. Raises FieldInvalid, PaddockError or OSError."""
    texts: list[str] = []
    for row in each_row(data, row_of):
        if len(texts) == _ROWS_MOST:
            break
        if row.text:
            texts.append(row.text)
            continue
        try:
            text = tokenizer.apply_chat_template(list(row.messages), tools=list(row.tools) or None, tokenize=False)
        except Exception as error:  # a template is a stranger's program, and raises what it likes
            raise PaddockError(f"The template refuses row {len(texts) + 1} of {data}: {str(error)[:200]}") from error
        texts.append(str(text))
    write_whole(target, "\n".join(texts))

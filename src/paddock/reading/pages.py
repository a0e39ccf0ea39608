"""Owns the words of a web page as Markdown, without its menus and advertisements. Run in a process of its own alone.

Not covered: what a page shows only once its programs have run.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from paddock.reading.documents import CHARACTERS_MOST
from paddock.reading.faults import Unreadable


@dataclass(frozen=True, kw_only=True)
class Page:
    """What a page says, and what it is called."""

    title: str
    text: str


def page_of(source: Path) -> Page:
    """The words of an HTML file, whatever it is encoded in. Raises Unreadable."""
    import logging

    import trafilatura
    from trafilatura.settings import use_config

    # It tells of each oddity of a page, and there is nobody to read that.
    logging.getLogger("trafilatura").setLevel(logging.CRITICAL)
    config = use_config()
    # The process has a bound of its own.
    config.set("DEFAULT", "EXTRACTION_TIMEOUT", "0")
    tree = trafilatura.load_html(source.read_bytes())
    if tree is None:
        raise Unreadable("It is no HTML that can be read.")
    about = trafilatura.extract_metadata(tree)
    text = trafilatura.extract(
        tree, output_format="markdown", include_links=True, include_tables=True, favor_recall=True, config=config
    )
    if not text:
        raise Unreadable("There are no words in it, as in a page that its programs make. Ask for another page.")
    title = str(getattr(about, "title", None) or "")
    return Page(title=title[:300], text=text[:CHARACTERS_MOST])

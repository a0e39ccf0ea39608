"""Owns what may be attached to the page's chats: an image or a text by its own bytes, whatever it is called.

Covered: images that pages show, text in UTF-8 or marked UTF-16, PDF and Word (docx). Not covered: other documents.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from functools import partial

import anyio
import anyio.to_thread

from paddock.clock import stamp_s
from paddock.errors import BodyTooLarge, FieldInvalid, FileUnreadable, ImageRefused, shown
from paddock.paths import Home
from paddock.pixels import in_turn, look
from paddock.reading import apart
from paddock.scratch import private_folder
from paddock.store.attachments import Attachment, AttachmentStore

_CHARACTERS_MOST = 2_000_000
_MEDIA_TYPE = re.compile(r"text/[a-z0-9.+-]+")
_TYPE_CHARACTERS_MOST = 100
_IMAGES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a")
_PDF, _ZIP = b"%PDF-", b"PK\x03\x04"
_DOCUMENT_S = 60.0
_WIDE = (b"\xff\xfe", b"\xfe\xff")
# What no text holds; of control characters those that do stand in some.
_UNTEXT = frozenset(range(32)) - {7, 8, 9, 10, 11, 12, 13, 27}


class Attachments:
    """The attachments of the page's chats. Every method raises StoreUnusable where the database cannot be used."""

    def __init__(self, store: AttachmentStore, home: Home, *, most_bytes: int) -> None:
        self.store = store
        self._home = home
        self.most_bytes = most_bytes
        # Each takes a process with much memory.
        self._reading = anyio.Semaphore(2)

    async def put(self, attachment_id: str, name: str, declared: str, data: bytes) -> tuple[Attachment, bool]:
        """Keep a file; whether it is new. `declared` is the media type that came with it, which only text may choose.

        Raises:
            BodyTooLarge, FieldInvalid, FileUnreadable, ImageRefused: it is none that can be attached.
            Conflict: another one has its id.
        """
        if len(data) > self.most_bytes:
            raise BodyTooLarge(limit_bytes=self.most_bytes)
        if _PDF in data[:1024] or data.startswith(_ZIP):
            media_type, text = await self._read(name, data)
            made = _document(attachment_id, name, data)
            return await self.store.put(replace(made, media_type=media_type, characters=len(text)), data, text)
        made, text = await in_turn(partial(_looked_at, attachment_id, name, declared, data))
        return await self.store.put(made, data, text)

    async def _read(self, name: str, data: bytes) -> tuple[str, str]:
        """The media type and the text of a PDF or a Word document. Raises FileUnreadable."""
        async with self._reading, private_folder(self._home) as folder:
            source, made = folder / "document", folder / "text"
            await anyio.to_thread.run_sync(source.write_bytes, data)
            try:
                told = await apart.read("document", source, made, timeout_s=_DOCUMENT_S)
            except FileUnreadable as error:
                raise FileUnreadable(f"{shown(name)}: {error.message}") from error
            return told["media_type"], await anyio.to_thread.run_sync(lambda: made.read_text("utf-8"))


def _document(attachment_id: str, name: str, data: bytes) -> Attachment:
    return Attachment(
        id=attachment_id,
        kind="document",
        name=name,
        media_type="text/plain",
        size_bytes=len(data),
        created_s=stamp_s(),
        digest=hashlib.blake2b(data, digest_size=32).hexdigest(),
    )


def _looked_at(attachment_id: str, name: str, declared: str, data: bytes) -> tuple[Attachment, str | None]:
    made = _document(attachment_id, name, data)
    if data.startswith(_IMAGES) or (data[:4] == b"RIFF" and data[8:12] == b"WEBP"):
        media_type, width, height = look(data)
        return replace(made, kind="image", media_type=media_type, width=width, height=height), None
    if declared.startswith("image/"):
        raise ImageRefused(f"{shown(name)} is no image that pages show. Send a PNG, JPEG, WebP or GIF file.")
    text = _text_in(name, data)
    if len(text) > _CHARACTERS_MOST:
        raise FieldInvalid(
            f"{shown(name)} has {len(text)} characters of text, and may have {_CHARACTERS_MOST}. Attach a part of it."
        )
    declared = declared.partition(";")[0].strip().lower()
    is_text = _MEDIA_TYPE.fullmatch(declared) or declared in ("application/json", "application/xml")
    is_told = is_text and declared != "text/html" and len(declared) <= _TYPE_CHARACTERS_MOST
    return replace(made, media_type=declared if is_told else made.media_type, characters=len(text)), text


def _text_in(name: str, data: bytes) -> str:
    """The text of a document. Raises FieldInvalid."""
    sentence = (
        f"{shown(name)} is neither an image nor a document. Attach a PNG, JPEG, WebP or GIF file, a PDF, a Word "
        "document (docx), or text as UTF-8."
    )
    try:
        text = data.decode("utf-16") if data.startswith(_WIDE) else data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FieldInvalid(sentence) from error
    if any(ord(c) in _UNTEXT for c in set(text)):
        raise FieldInvalid(sentence)
    if not text.strip():
        raise FieldInvalid(f"{shown(name)} has no text in it. Attach another file.")
    return text

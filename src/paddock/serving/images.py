"""Owns the images of a request: what may enter, and in which form it reaches the engine; fetches nothing."""

from __future__ import annotations

import base64
import binascii
import io
import math
import struct
import zlib
from functools import partial
from typing import Any

from paddock.errors import BadRequest, ImageRefused, shown
from paddock.protocol.shape import as_array, as_object

# 50 megapixels: more than any vision model looks at, far less than a decompression bomb.
_MOST_PIXELS = 50_000_000
# What Pillow raises on damaged files, beside its own UnidentifiedImageError (an OSError).
_UNREADABLE = (
    OSError, ValueError, SyntaxError, EOFError, MemoryError, LookupError, TypeError, ArithmeticError, RuntimeError,
    AttributeError, struct.error, zlib.error,
)  # fmt: skip
# No others: some are rare and little tested, and one has its files run by another program.
_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "JPEG2000", "PPM")
_ORIENTATION = 0x0112
_WIDE_MODES = ("I", "F", "I;16", "I;16L", "I;16B", "I;16N")


def as_png(data: bytes) -> bytes:
    """Any image that Pillow reads, as an 8-bit RGB PNG, turned upright by its EXIF orientation.

    Args:
        data: the image file's bytes, of any mode (RGBA, P, L, LA, CMYK, I, I;16, F, 1, …).

    Raises:
        ImageRefused: not an image, damaged, or with more than 50 million pixels.
    """
    return _converted(data, only_if_needed=False)


def _converted(data: bytes, *, only_if_needed: bool) -> bytes:
    """`as_png`; with `only_if_needed`, b"" for what engines read rightly as it is (upright RGB PNG, JPEG)."""
    from PIL import Image, ImageOps

    try:
        image = Image.open(io.BytesIO(data), formats=_FORMATS)
        if image.width * image.height > _MOST_PIXELS:
            raise ImageRefused(
                f"The image has {image.width} × {image.height} pixels; at most {_MOST_PIXELS} are read. "
                "Send a smaller one."
            )
        image.load()
        is_upright = image.getexif().get(_ORIENTATION, 1) == 1
        if only_if_needed and is_upright and image.mode == "RGB" and image.format in ("PNG", "JPEG"):
            return b""
        packed = io.BytesIO()
        _as_rgb(ImageOps.exif_transpose(image)).save(packed, format="PNG")
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise ImageRefused("The image unpacks to far more pixels than it should. Send a smaller one.") from error
    except _UNREADABLE as error:
        raise ImageRefused("The image cannot be read. Send a PNG, JPEG, WebP or GIF file.") from error
    return packed.getvalue()


def _as_rgb(image: Any) -> Any:
    """RGB of any mode; wide modes are brought to 8 bits by their own range, since Pillow would clip them."""
    if image.mode in _WIDE_MODES:
        is_narrow = image.mode.startswith("I;")
        image = image.convert("I" if is_narrow else "F")
        low, high = (0, 65535) if is_narrow else _range_of(*image.getextrema())
        scale = 255.0 / (high - low)
        image = image.point(partial(_scaled, scale, -low * scale)).convert("L")
    elif image.mode == "P" and "transparency" in image.info:
        # Pillow's own advice: it warns of the shorter way.
        image = image.convert("RGBA")
    return image.convert("RGB")


def _range_of(low: float, high: float) -> tuple[float, float]:
    """The values of black and white in a wide image: of the usual ranges the first that holds it, else its own."""
    for top in (1.0, 255.0, 65535.0):
        if low >= 0 and high <= top:
            return 0.0, top
    return (low, high) if high > low and math.isfinite(high - low) else (0.0, 65535.0)


def _scaled(scale: float, offset: float, value: Any) -> Any:
    # Pillow applies this to a symbol and reads a scale and an offset from it, hence the plain arithmetic.
    return value * scale + offset


def decode_base64(text: str) -> bytes:
    """The bytes of base64 text, with or without a `data:` prefix. Raises ImageRefused."""
    payload = text.split(",", 1)[1] if text[:5].lower() == "data:" and "," in text else text
    try:
        return base64.b64decode("".join(payload.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ImageRefused("The image is not valid base64. Encode the file's bytes as base64.") from error


def attach_legacy(messages: list[Any], png: bytes) -> list[Any]:
    """The messages with an image part at the end of the last user message, or with a new user message for it."""
    part = {"type": "image_url", "image_url": {"url": _data_url(png)}}
    last = next((i for i in range(len(messages) - 1, -1, -1) if messages[i].get("role") == "user"), None)
    if last is None:
        return [*messages, {"role": "user", "content": [part]}]
    content = messages[last]["content"]
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else list(content)
    return [*messages[:last], {**messages[last], "content": [*parts, part]}, *messages[last + 1 :]]


def has_images(body: dict[str, Any]) -> bool:
    """Whether a chat body brings an image, in either form."""
    return bool(body.get("image_base64")) or any(True for _ in _image_urls(body))


def check_sources(body: dict[str, Any]) -> None:
    """Refuse image addresses that would have to be fetched, and part kinds that no engine of ours takes.

    Raises:
        BadRequest: a remote or foreign image address, or an audio or file part; names the parameter.
    """
    for i, j, part in _parts(body):
        where = f"messages.{i}.content.{j}"
        if part.get("type") not in ("text", "image_url"):
            kind = shown(part.get("type"))
            raise BadRequest(f"Parts of type {kind} are not supported. Send 'text' or 'image_url' parts.", param=where)
    for i, j, url in _image_urls(body):
        where = f"messages.{i}.content.{j}.image_url"
        if not isinstance(url, str) or not url:
            raise BadRequest("image_url needs a 'url' with the image as a data URL.", param=where)
        if url[:5].lower() != "data:":
            raise BadRequest(
                f"Images are not fetched from '{url[:80]}': remote images are not supported yet. "
                "Send the image itself as a data URL (data:image/png;base64,…).",
                param=where,
            )


def _parts(body: dict[str, Any]) -> list[tuple[int, int, dict[str, Any]]]:
    found: list[tuple[int, int, dict[str, Any]]] = []
    for i, message in enumerate(body.get("messages", [])):
        for j, item in enumerate(as_array(message.get("content")) or []):
            part = as_object(item)
            if part is not None:
                found.append((i, j, part))
    return found


def _image_urls(body: dict[str, Any]) -> list[tuple[int, int, Any]]:
    urls: list[tuple[int, int, Any]] = []
    for i, j, part in _parts(body):
        if part.get("type") == "image_url":
            image = as_object(part.get("image_url"))
            urls.append((i, j, part.get("image_url") if image is None else image.get("url")))
    return urls


def settled(body: dict[str, Any], legacy_image: str | None) -> dict[str, Any]:
    """The body with its images in a form that engines read, and the legacy one attached. Blocks: use a thread.

    Inline images that are upright RGB PNG or JPEG files stay byte for byte; others become PNG.

    Raises:
        ImageRefused: one is not base64, not an image, or a decompression bomb.
    """
    messages = list(body["messages"])
    for i, j, url in _image_urls(body):
        png = _converted(decode_base64(str(url)), only_if_needed=True)
        if png:
            content = list(messages[i]["content"])
            content[j] = {
                **content[j],
                "image_url": {**(as_object(content[j]["image_url"]) or {}), "url": _data_url(png)},
            }
            messages[i] = {**messages[i], "content": content}
    if legacy_image is not None:
        messages = attach_legacy(messages, as_png(decode_base64(legacy_image)))
    return {**body, "messages": messages}


def _data_url(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode()

"""Owns what becomes of one image's file: whether it can be read, within bounds, and the form in which it is looked at.

Refuses to know requests, rows and addresses. Small files can unpack to much, or take long: the pixels of a file are
bounded, so are the passes over them, and few files are read at once.
"""

from __future__ import annotations

import base64
import binascii
import io
import math
import struct
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TypeVar

import anyio
import anyio.to_thread

from paddock.errors import ImageRefused

# 50 megapixels: more than any vision model looks at, far less than a decompression bomb.
_MOST_PIXELS = 50_000_000
# A progressive JPEG has about ten. Each goes over all pixels again, and a scan that says nothing takes few bytes.
_MOST_SCANS = 100
# Each may take the memory of 50 million pixels twice over.
_READ_AT_ONCE = 2
# What Pillow raises on damaged files, beside its own UnidentifiedImageError (an OSError).
_UNREADABLE = (
    OSError, ValueError, SyntaxError, EOFError, MemoryError, LookupError, TypeError, ArithmeticError, RuntimeError,
    AttributeError, struct.error, zlib.error,
)  # fmt: skip
# No others: some are rare and little tested, and one has its files run by another program.
_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "JPEG2000", "PPM")
_SHOWN = ("PNG", "JPEG", "WEBP", "GIF")
_ORIENTATION = 0x0112
_BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_WIDE_MODES = ("I", "F", "I;16", "I;16L", "I;16B", "I;16N")
_SCAN, _PNG_HEAD = b"\xff\xda", 8
_UNPACKED_BYTES = 2**20
# Quick rather than small: it goes no further than the engine.
_PACKED = 1

Result = TypeVar("Result")
_turns = anyio.CapacityLimiter(_READ_AT_ONCE)


async def in_turn(work: Callable[[], Result]) -> Result:
    """What `work` comes to, in a thread: reading of images, of which few go on at once. Raises what it raises."""
    return await anyio.to_thread.run_sync(work, limiter=_turns)


def as_png(data: bytes) -> bytes:
    """Any image that Pillow reads, as an 8-bit RGB PNG, turned upright by its EXIF orientation.

    Args:
        data: the image file's bytes, of any mode (RGBA, P, L, LA, CMYK, I, I;16, F, 1, …).

    Raises:
        ImageRefused: not an image, damaged, with more than 50 million pixels, or with more than 100 scans.
    """
    return converted(data, only_if_needed=False)


def look(data: bytes) -> tuple[str, int, int]:
    """The media type, width and height in pixels of a PNG, JPEG, WebP or GIF file. Raises ImageRefused as `as_png`."""
    image = _read(data)
    if image.format not in _SHOWN:
        raise ImageRefused(f"An image of the form {image.format} is not shown by pages. Send a PNG, JPEG, WebP or GIF.")
    return f"image/{image.format.lower()}", image.width, image.height


def converted(data: bytes, *, only_if_needed: bool) -> bytes:
    """`as_png`; with `only_if_needed`, b"" for what engines read rightly as it is (upright RGB PNG, JPEG)."""
    from PIL import Image, ImageOps

    image = _read(data)
    try:
        is_upright = image.getexif().get(_ORIENTATION, 1) == 1
        if only_if_needed and is_upright and image.mode == "RGB" and _is_read_by_engines(image, data):
            return b""
        made = _as_rgb(image if is_upright else ImageOps.exif_transpose(image))
        del image
        packed = io.BytesIO()
        made.save(packed, format="PNG", compress_level=_PACKED)
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise _bomb() from error
    except _UNREADABLE as error:
        raise _unreadable() from error
    return packed.getvalue()


def upright(data: bytes) -> Any:
    """The image in a file as Pillow has it, RGB and turned upright by its EXIF orientation. Raises as `as_png`."""
    from PIL import Image, ImageOps

    image = _read(data)
    try:
        return _as_rgb(ImageOps.exif_transpose(image))
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise _bomb() from error
    except _UNREADABLE as error:
        raise _unreadable() from error


def _read(data: bytes) -> Any:
    """The image in a file, its pixels unpacked. Raises ImageRefused as `as_png`."""
    from PIL import Image

    try:
        image = Image.open(io.BytesIO(data), formats=_FORMATS)
        if image.width * image.height > _MOST_PIXELS:
            raise ImageRefused(
                f"The image has {image.width} × {image.height} pixels; at most {_MOST_PIXELS} are read. "
                "Send a smaller one."
            )
        if image.format in ("JPEG", "TIFF") and (scans := data.count(_SCAN)) > _MOST_SCANS:
            raise ImageRefused(f"The image has {scans} scans; at most {_MOST_SCANS} are read. Save it anew.")
        image.load()
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise _bomb() from error
    except _UNREADABLE as error:
        raise _unreadable() from error
    return image


def _bomb() -> ImageRefused:
    return ImageRefused("The image unpacks to far more pixels than it should. Send a smaller one.")


def _unreadable() -> ImageRefused:
    return ImageRefused("The image cannot be read. Send a PNG, JPEG, WebP or GIF file.")


def _is_read_by_engines(image: Any, data: bytes) -> bool:
    return image.format == "JPEG" or (image.format == "PNG" and _is_tight(image, data))


def _is_tight(image: Any, data: bytes) -> bool:
    """Whether a PNG unpacks to its pixels and no more: engines unpack all of it before they look how much it is."""
    # 16 bits a sample and four of them, a byte before each row, and the rows of seven passes.
    left = (image.width * 8 + 1) * image.height + 8 * image.width + 8 * image.height + _UNPACKED_BYTES
    unpacking = zlib.decompressobj()
    for piece in _pixels_in(data):
        rest = piece
        while rest and not unpacking.eof:
            left -= len(unpacking.decompress(rest, _UNPACKED_BYTES))
            rest = unpacking.unconsumed_tail
            if left < 0:
                return False
    return True


def _pixels_in(data: bytes) -> Iterator[bytes]:
    at = _PNG_HEAD
    while at + 8 <= len(data):
        (size,) = struct.unpack_from(">I", data, at)
        if data[at + 4 : at + 8] == b"IDAT":
            yield data[at + 8 : at + 8 + size]
        at += size + 12


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
    return image if image.mode == "RGB" else image.convert("RGB")


def _range_of(low: float, high: float) -> tuple[float, float]:
    """The values of black and white in a wide image: of the usual ranges the first that holds it, else its own."""
    for top in (1.0, 255.0, 65535.0):
        if low >= 0 and high <= top:
            return 0.0, top
    return (low, high) if high > low and math.isfinite(high - low) else (0.0, 65535.0)


def _scaled(scale: float, offset: float, value: Any) -> Any:
    # Pillow applies this to a symbol and reads a scale and an offset from it, hence the plain arithmetic.
    return value * scale + offset


def decode_base64(text: str, *, most_bytes: int | None = None) -> bytes:
    """The bytes of base64 text, with or without a `data:` prefix. Raises ImageRefused; also above `most_bytes`."""
    payload = text.split(",", 1)[1] if text[:5].lower() == "data:" and "," in text else text
    payload = "".join(payload.split())
    _refuse_large(len(payload) // 4 * 3 - payload[-2:].count("="), most_bytes)
    try:
        return base64.b64decode(payload, validate=True)
    except (binascii.Error, ValueError) as error:
        is_unpadded = len(payload) % 4 and not payload.rstrip("=").strip(_BASE64)
        reason = (
            f"{len(payload)} characters, and the padding with '=' does not fill the last four" if is_unpadded else ""
        )
        raise ImageRefused(
            f"The image is not valid base64{f': {reason}' if reason else ''}. Encode the file's bytes as base64."
        ) from error


def _refuse_large(size_bytes: int, most_bytes: int | None) -> None:
    if most_bytes is not None and size_bytes > most_bytes:
        raise ImageRefused(
            f"The image has {size_bytes} bytes; at most {most_bytes} are read (image_most_bytes). Send a smaller one."
        )

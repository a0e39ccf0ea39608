"""Owns files that are small and unpack to much, or say so: images, archives, documents, JSON. Made when asked for."""

from __future__ import annotations

import base64
import io
import itertools
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping
from typing import Any

from tests.fakes.documents import pdf, word

MIB = 2**20


def png(width: int, height: int, *, depth: int = 1, color: int = 0, frames: int = 1, extra: bytes = b"") -> bytes:
    """A PNG of zeros; several `frames` make it an animated one. `extra` are chunks before its pixels."""
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[color]
    rows = zeros((width * depth * channels + 7) // 8 * height + height)
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0))
    if frames == 1:
        return b"\x89PNG\r\n\x1a\n" + head + extra + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    body, number = chunk(b"acTL", struct.pack(">II", frames, 0)), 0
    for frame in range(frames):
        body += chunk(b"fcTL", struct.pack(">IIIIIHHBB", number, width, height, 0, 0, 1, 10, 0, 0))
        number += 1
        body += chunk(b"IDAT", rows) if frame == 0 else chunk(b"fdAT", struct.pack(">I", number) + rows)
        number += frame > 0
    return b"\x89PNG\r\n\x1a\n" + head + extra + body + chunk(b"IEND", b"")


def flat(byte: bytes, size_bytes: int) -> bytes:
    """So many MiB of one byte as a raw stream of deflate: one packed MiB again and again."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(byte * MIB) + packer.flush(zlib.Z_FULL_FLUSH)
    return block * (size_bytes // MIB) + b"\x03\x00"


def zeros(size_bytes: int) -> bytes:
    """So many zeros, whole MiB of them, packed by zlib."""
    size_bytes = -(-size_bytes // MIB) * MIB
    return b"\x78\xda" + flat(b"\0", size_bytes) + struct.pack(">HH", size_bytes % 65521, 1)


def chunk(kind: bytes, data: bytes) -> bytes:
    """One chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def gif(width: int, height: int, frames: int = 1) -> bytes:
    """A GIF that says to be so large, each of its frames of one colour."""
    screen = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    image = b"\x2c" + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\x02\x02\x44\x01\x00"
    return screen + image * frames + b"\x3b"


def tiff(width: int, height: int, *, entries: int = 0, offset: int | None = None) -> bytes:
    """A TIFF that says to be so large; with so many `entries` more, or with its directory at `offset`."""
    tags = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (259, 3, 1, 8), (262, 3, 1, 1), (273, 4, 1, 8),
            (277, 3, 1, 1), (278, 4, 1, height), (279, 4, 1, 2**31)]  # fmt: skip
    tags += [(40000 + number % 20000, 2, 2**31 - 1, 8) for number in range(entries)]
    directory = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in tags) + b"\0\0\0\0"
    return b"II*\0" + struct.pack("<I", 8 if offset is None else offset) + directory


def webp(width: int, height: int, frames: int = 1) -> bytes:
    """A WebP, by its library, whose canvas then says to be so large."""
    from PIL import Image

    made = io.BytesIO()
    pictures = [Image.new("RGB", (64, 64), (number % 255, 0, 0)) for number in range(max(1, frames))]
    pictures[0].save(made, "WEBP", save_all=frames > 1, append_images=pictures[1:], lossless=True)
    data = bytearray(made.getvalue())
    if (at := data.find(b"VP8X")) >= 0:
        data[at + 12 : at + 18] = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    elif (at := data.find(b"VP8L")) >= 0:
        bits = (min(width, 16384) - 1) | (min(height, 16384) - 1) << 14
        data[at + 9 : at + 13] = struct.pack("<I", bits)
    return bytes(data)


def jpeg(scans: int) -> bytes:
    """A progressive JPEG of 49 million pixels, by its library, whose last scans come again and again."""
    from PIL import Image

    made = io.BytesIO()
    Image.new("L", (7000, 7000), 128).save(made, "JPEG", progressive=True, quality=50)
    data = made.getvalue()
    last = data.rindex(b"\xff\xda")
    return data[:-2] + data[last:-2] * scans + data[-2:]


def png_of(*chunks: bytes) -> bytes:
    """A PNG of these chunks."""
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks) + chunk(b"IEND", b"")


def bmp(width: int, height: int) -> bytes:
    """The head of a BMP that says to be so large."""
    return b"BM" + struct.pack("<IHHIIiiHHIIiiII", 2**31, 0, 0, 54, 40, width, height, 1, 32, 0, 0, 0, 0, 0, 0)


_VAST = struct.pack(">IIBBBBB", 2**31 - 1, 2**31 - 1, 16, 6, 0, 0, 0)
_PACKED = b"a\0\0"
IMAGES: Mapping[str, Callable[[], bytes]] = {
    "a PNG of 3.6 gigapixels": lambda: png(60_000, 60_000),
    "a PNG of 2^31 by 2^31": lambda: png_of(chunk(b"IHDR", _VAST), chunk(b"IDAT", b"")),
    "a PNG just above what is read": lambda: png(7100, 7100, depth=8, color=6),
    "a PNG with a text of a gigabyte": lambda: png(9000, 9000, extra=chunk(b"zTXt", _PACKED + zeros(1024 * MIB))),
    "a PNG with a profile of a gigabyte": lambda: png(9000, 9000, extra=chunk(b"iCCP", _PACKED + zeros(1024 * MIB))),
    "an animated PNG": lambda: png(8000, 8000, frames=20),
    "a GIF of 65535 by 65535": lambda: gif(65_535, 65_535),
    "a GIF of many large frames": lambda: gif(20_000, 20_000, frames=1000),
    "a TIFF of 4 by 4 gigapixels": lambda: tiff(2**32 - 1, 2**32 - 1),
    "a TIFF of many long entries": lambda: tiff(40_000, 40_000, entries=60_000),
    "a TIFF that points at itself": lambda: tiff(40_000, 40_000, offset=2**32 - 1),
    "a WebP of 16384 by 16384": lambda: webp(16_384, 16_384),
    "an animated WebP": lambda: webp(16_384, 16_384, frames=50),
    "a JPEG of many scans": lambda: jpeg(5000),
    "an SVG that grows": lambda: b'<svg xmlns="http://www.w3.org/2000/svg">' + laughs() + b"<text>&z;</text></svg>",
    "a PNG that is cut": lambda: png(400, 400)[:60],
    "a JPEG that is cut": lambda: b"\xff\xd8\xff\xe0\x00\x10JFIF" + b"\xff" * 100,
    "a BMP of 2 gigapixels": lambda: bmp(46_340, 46_340),
    "a PPM of 4 gigapixels": lambda: b"P6\n65536 65536\n255\n" + bytes(1000),
}


def swollen() -> bytes:
    """A PNG of 16 pixels in RGB, as engines read it, with a gigabyte packed behind them."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 4, 4, 8, 2, 0, 0, 0))
    first = zlib.compressobj(9)
    begun = first.compress(bytes(4 * (3 * 4 + 1))) + first.flush(zlib.Z_FULL_FLUSH)
    return png_of(head, chunk(b"IDAT", begun + flat(b"\0", 1024 * MIB)))


def laughs(depth: int = 12) -> bytes:
    """Entities of XML, each ten of the one before."""
    names = "abcdefghijklmnopqrstuvwxyz"[:depth]
    lines = [f'<!ENTITY {names[0]} "{"lol" * 10}">']
    lines += [f'<!ENTITY {name} "{f"&{before};" * 10}">' for before, name in itertools.pairwise(names)]
    lines.append(f'<!ENTITY z "&{names[-1]};">')
    return f"<!DOCTYPE x [{''.join(lines)}]>".encode()


def zipped(members: Mapping[str, bytes], *, blanks: str = "", claims: int | None = None) -> bytes:
    """A zip. The member `blanks` has 600 MiB of blanks after its first half; all say to have `claims` bytes."""
    made, directory = io.BytesIO(), b""
    for name, data in members.items():
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        half, size = len(data) // 2, len(data)
        if name == blanks:
            packed_data = packer.compress(data[:half]) + packer.flush(zlib.Z_FULL_FLUSH) + flat(b" ", 600 * MIB)[:-2]
            packer = zlib.compressobj(9, zlib.DEFLATED, -15)
            packed_data += packer.compress(data[half:]) + packer.flush()
            check, size = zlib.crc32(data[:half]), size + 600 * MIB
            for _ in range(600):
                check = zlib.crc32(b" " * MIB, check)
            check = zlib.crc32(data[half:], check)
        else:
            packed_data, check = packer.compress(data) + packer.flush(), zlib.crc32(data)
        size = size if claims is None else claims
        about = struct.pack("<HHHHHIIIHH", 20, 0, 8, 0, 33, check, len(packed_data), size, len(name), 0)
        directory += b"PK\x01\x02\x14\0" + about + struct.pack("<HHHII", 0, 0, 0, 0, made.tell()) + name.encode()
        made.write(b"PK\x03\x04" + about + name.encode() + packed_data)
    start = made.tell()
    count = len(members)
    end = struct.pack("<HHHHIIH", 0, 0, count, count, len(directory), start, 0)
    return made.getvalue() + directory + b"PK\x05\x06" + end


def docx(body: bytes, *, blanks: bool = False, claims: int | None = None) -> bytes:
    """A Word document with this for its `document.xml`; with many `blanks` in the middle of it."""
    with zipfile.ZipFile(io.BytesIO(word())) as old:
        members = {name: old.read(name) for name in old.namelist()}
    name = "word/document.xml"
    return zipped({**members, name: body}, blanks=name if blanks else "", claims=claims)


_W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
_OPEN, _CLOSE = f"<w:document {_W}><w:body>".encode(), b"</w:body></w:document>"
_XML, _ENTITY = b"<?xml version='1.0'?>", b"<w:p><w:r><w:t>&z;</w:t></w:r></w:p>"
_FILE = b"<!DOCTYPE x [<!ENTITY z SYSTEM 'file:///etc/passwd'>]>"


def pdf_of(stream: bytes, *, filters: str = "/FlateDecode", pages: int = 1) -> bytes:
    """A PDF whose page has this packed content."""
    whole = pdf(*(["x"] * pages))
    at = whole.index(b"<< /Length")
    end = whole.index(b"endstream", at)
    return (
        whole[:at]
        + b"<< /Length %d /Filter [%s] >>\nstream\n%s\n" % (len(stream), filters.encode(), stream)
        + whole[end:]
    )


DOCUMENTS: Mapping[str, Callable[[], bytes]] = {
    "a docx of 600 MiB": lambda: docx(_OPEN + b"      " + _CLOSE, blanks=True),
    "a docx that lies about its size": lambda: docx(_OPEN + b"      " + _CLOSE, blanks=True, claims=1000),
    "a docx of laughs": lambda: docx(_XML + laughs() + _OPEN + _ENTITY + _CLOSE),
    "a docx that asks for a file": lambda: docx(_XML + _FILE + _OPEN + _ENTITY + _CLOSE),
    "a docx nested without end": lambda: docx(_OPEN + b"<w:sdt><w:sdtContent>" * 100_000),
    "a docx of many members": lambda: zipped({**{f"x{n}": b"" for n in range(20_000)}, "word/document.xml": b""}),
    "a zip in a zip": lambda: zipped({"a.zip": zipped({"b.zip": zipped({"c": b"  "}, blanks="c")})}),
    "a pdf of a gigabyte": lambda: pdf_of(zeros(1024 * MIB)),
    "a pdf packed thrice": lambda: pdf_of(zlib.compress(zlib.compress(zeros(1024 * MIB))), filters="/FlateDecode " * 3),
    "a pdf that says to have many pages": lambda: pdf("x").replace(b"/Count 1", b"/Count 2147483647"),
    "a pdf whose pages hold themselves": lambda: pdf("x").replace(b"/Kids [4 0 R]", b"/Kids [2 0 R]"),
}  # fmt: skip


def packed(how: str, size: int = 200 * MIB) -> bytes:
    """A JSON object with so many blanks in it, packed as a body may be."""
    begin, end = zlib.compressobj(9, zlib.DEFLATED, -15), zlib.compressobj(9, zlib.DEFLATED, -15)
    raw = begin.compress(b'{"a": "') + begin.flush(zlib.Z_FULL_FLUSH) + flat(b" ", size)[:-2]
    raw += end.compress(b'"}') + end.flush()
    if how == "gzip":
        check = zlib.crc32(b'{"a": "')
        for _ in range(size // MIB):
            check = zlib.crc32(b" " * MIB, check)
        return b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + raw + struct.pack("<II", zlib.crc32(b'"}', check), size + 9)
    return raw


def filled(unit: bytes, size_bytes: int, *, head: bytes = b'{"messages": [', tail: bytes = b"null]}") -> bytes:
    """A JSON object of so many bytes, filled with one value again and again."""
    return head + unit * ((size_bytes - len(head) - len(tail)) // len(unit)) + tail


def lettered(*, is_legacy: bool) -> bytes:
    """A chat whose image is 60 MiB of letters."""
    letters = b"A" * (60 * MIB)
    if is_legacy:
        return b'{"messages": [{"role": "user", "content": "x"}], "image_base64": "' + letters + b'"}'
    part = b'{"type": "image_url", "image_url": {"url": "data:image/png;base64,' + letters + b'"}}'
    return b'{"messages": [{"role": "user", "content": [' + part + b"]}]}"


JSONS: Mapping[str, Callable[[], bytes]] = {
    "objects": lambda: filled(b"{},", 60 * MIB),
    "arrays": lambda: filled(b"[],", 60 * MIB),
    "numbers": lambda: filled(b"1,", 60 * MIB),
    "texts": lambda: filled(b'"",', 60 * MIB),
    "texts of quotes": lambda: filled(b'"\\"",', 60 * MIB),
    "names": lambda: b"{" + b",".join(b'"%x":0' % number for number in range(4_000_000)) + b"}",
    "depth": lambda: b'{"messages":' + b"[" * (30 * MIB) + b"]" * (30 * MIB) + b"}",
    "depth that is never closed": lambda: b'{"a":' * (10 * MIB),
    "digits": lambda: b'{"seed": ' + b"9" * (60 * MIB) + b"}",
    "an exponent": lambda: b'{"seed": 1e' + b"9" * (60 * MIB) + b"}",
    "escapes": lambda: b'{"messages": "' + b"\\u0000" * (10 * MIB) + b'"}',
    "base64": lambda: lettered(is_legacy=False),
    "legacy base64": lambda: lettered(is_legacy=True),
}  # fmt: skip


def image_request(data: bytes, count: int = 1) -> dict[str, Any]:
    """A chat with an image so many times."""
    url = "data:image/png;base64," + base64.b64encode(data).decode()
    parts: list[dict[str, Any]] = [{"type": "image_url", "image_url": {"url": url}}] * count
    return {"messages": [{"role": "user", "content": [{"type": "text", "text": "Look"}, *parts]}]}

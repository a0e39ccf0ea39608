"""Tests that an image of any mode reaches the engine as an RGB PNG of the same brightness (row 37), or not at all."""

from __future__ import annotations

import base64
import copy
import io
import random
import struct
from collections.abc import Callable
from typing import Any, cast

import pytest
from PIL import Image

from paddock.errors import ImageRefused
from paddock.pixels import as_png, decode_base64
from paddock.serving.images import attach_legacy, check_sources, has_images, settled
from tests.fakes import bombs

Json = dict[str, Any]

SIZE = (6, 4)
GREY = 128
USER: Json = {"role": "user", "content": "What?"}


def packed(image: Image.Image, form: str = "PNG", **options: Any) -> bytes:
    held = io.BytesIO()
    image.save(held, format=form, **options)
    return held.getvalue()


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def pixels(image: Image.Image) -> list[int]:
    """Every value of an RGB image, row by row."""
    assert image.mode == "RGB"
    return list(image.tobytes())


def flat(mode: str, value: Any, form: str = "PNG", **options: Any) -> bytes:
    return packed(Image.new(mode, SIZE, value), form, **options)


def palette(*, transparency: bytes | int | None = None) -> bytes:
    image = Image.new("P", SIZE, 1)
    image.putpalette([0, 0, 0, GREY, GREY, GREY])
    return packed(image, "PNG") if transparency is None else packed(image, "PNG", transparency=transparency)


def pgm(maximum: int, value: int) -> bytes:
    """A grey map, which is read as 32-bit integers where its maximum is above 255."""
    width = "B" if maximum < 256 else "H"
    return f"P5 {SIZE[0]} {SIZE[1]} {maximum}\n".encode() + struct.pack(f">{SIZE[0] * SIZE[1]}{width}", *[value] * 24)


# A mid-grey in every mode that an image file may have: the mode it is read as, and the file.
MID_GREY: dict[str, tuple[str, bytes]] = {
    "RGB": ("RGB", flat("RGB", (GREY, GREY, GREY))),
    "RGBA": ("RGBA", flat("RGBA", (GREY, GREY, GREY, 255))),
    "RGBA unseen": ("RGBA", flat("RGBA", (GREY, GREY, GREY, 0))),
    "P": ("P", palette()),
    "P with a transparent colour": ("P", palette(transparency=0)),
    "P with transparent colours": ("P", palette(transparency=b"\x00\x80")),
    "L": ("L", flat("L", GREY)),
    "L with a transparent grey": ("L", flat("L", GREY, transparency=GREY)),
    "LA": ("LA", flat("LA", (GREY, 9))),
    "CMYK": ("CMYK", flat("CMYK", (0, 0, 0, 255 - GREY), "TIFF")),
    "CMYK of a JPEG": ("CMYK", flat("CMYK", (0, 0, 0, 255 - GREY), "JPEG")),
    "I": ("I", flat("I", GREY * 257, "TIFF")),
    "I of a grey map": ("I", pgm(65535, GREY * 257)),
    "I;16": ("I;16", flat("I;16", GREY * 257)),
    "I;16B": ("I;16B", flat("I;16B", GREY * 257, "TIFF")),
    "YCbCr": ("YCbCr", flat("YCbCr", (GREY, 128, 128), "TIFF")),
}


@pytest.mark.parametrize("name", [*MID_GREY, "F", "1"])
def test_row_37_an_image_of_any_mode_becomes_rgb_and_keeps_its_grey(name: str) -> None:
    if name in MID_GREY:
        mode, data = MID_GREY[name]
        assert opened(data).mode == mode
        image = opened(as_png(data))
        assert (image.format, image.mode, image.size) == ("PNG", "RGB", SIZE)
        assert max(abs(value - GREY) for value in pixels(image)) <= 1
        return
    # These two have no grey that stands alone: one has black and white only, one has the range of its values.
    ramp = Image.frombytes("L", (256, 1), bytes(range(256)))
    image = opened(as_png(packed(ramp.convert(name, dither=Image.Dither.FLOYDSTEINBERG), "TIFF")))
    assert (image.format, image.mode, image.size) == ("PNG", "RGB", (256, 1))
    row = pixels(image)[::3]
    if name == "F":
        assert max(abs(value - at) for at, value in enumerate(row)) <= 1
    else:
        assert set(row) == {0, 255}
        assert abs(sum(row) / 256 - GREY) < 8


@pytest.mark.parametrize("value", [float(GREY), GREY / 255, GREY * 257.0])
def test_a_grey_of_floating_point_numbers_that_is_the_same_everywhere_stays_grey(value: float) -> None:
    assert max(abs(seen - GREY) for seen in pixels(opened(as_png(flat("F", value, "TIFF"))))) <= 1


def test_a_grey_in_wide_integers_of_a_narrow_range_stays_grey() -> None:
    assert max(abs(seen - GREY) for seen in pixels(opened(as_png(flat("I", GREY, "TIFF"))))) <= 1


@pytest.mark.parametrize(
    ("mode", "values", "wanted"),
    [
        ("I;16", [0, 257, 32896, 65535], [0, 1, 128, 255]),
        ("I", [0, 257, 32896, 65535], [0, 1, 128, 255]),
        ("I", [0, 2**29, 2**30, 2**31 - 1], [0, 64, 128, 255]),
        ("F", [0.0, 0.25, 0.5, 1.0], [0, 64, 128, 255]),
        ("F", [0.0, 64.0, 128.0, 255.0], [0, 64, 128, 255]),
        ("F", [-1.0, -0.5, 0.0, 1.0], [0, 64, 128, 255]),
    ],
)
def test_wide_values_are_brought_to_eight_bits_by_their_range(
    mode: str, values: list[float], wanted: list[int]
) -> None:
    image = Image.new(mode, (4, 1))
    for at, value in enumerate(values):
        image.putpixel((at, 0), cast(int, value))
    row = pixels(opened(as_png(packed(image, "TIFF"))))[::3]
    assert max(abs(seen - want) for seen, want in zip(row, wanted, strict=True)) <= 1


@pytest.mark.parametrize("odd", [float("nan"), float("inf"), float("-inf")])
def test_values_that_are_no_numbers_do_no_harm(odd: float) -> None:
    image = Image.new("F", SIZE, 0.5)
    image.putpixel((1, 1), odd)
    assert opened(as_png(packed(image, "TIFF"))).size == SIZE


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"])
def test_every_common_kind_of_file_is_read(form: str) -> None:
    image = opened(as_png(flat("RGB", (200, 100, 50), form)))
    red, green, blue = pixels(image)[:3]
    assert abs(red - 200) + abs(green - 100) + abs(blue - 50) < 20


@pytest.mark.rule("images-form")
@pytest.mark.parametrize(("orientation", "corner"), [(1, (0, 0)), (3, (5, 3)), (6, (3, 0)), (8, (0, 5))])
def test_a_turned_photograph_is_turned_upright(orientation: int, corner: tuple[int, int]) -> None:
    photograph = Image.new("RGB", SIZE, "white")
    photograph.putpixel((0, 0), (0, 0, 0))
    exif = Image.Exif()
    exif[0x0112] = orientation
    for form in ("PNG", "TIFF"):
        image = opened(as_png(packed(photograph, form, exif=exif)))
        assert image.getpixel(corner) == (0, 0, 0)
        assert image.getexif().get(0x0112, 1) == 1


BAD: dict[str, bytes] = {
    "nothing": b"",
    "text": b"hello, I am a text file",
    "the start alone": b"\x89PNG\r\n\x1a\n",
    "half": packed(Image.effect_noise((40, 40), 50))[:200],
    "half a JPEG": packed(Image.effect_noise((40, 40), 50), "JPEG")[:300],
    "no pixels": packed(Image.new("RGB", (1, 1)), "BMP")[:20],
    "a page": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    "a document": b"%PDF-1.7\n",
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_not_a_whole_image_is_refused(name: str) -> None:
    with pytest.raises(ImageRefused, match=r"^The image cannot be read\."):
        as_png(BAD[name])


def test_a_file_that_is_a_program_is_never_opened() -> None:
    """PostScript is run by another program in order to be drawn; no such reader may be tried."""
    with pytest.raises(ImageRefused, match=r"^The image cannot be read\."):
        as_png(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 100000 100000\n%%EndComments\nshowpage\n")


@pytest.mark.attack("bombs")
@pytest.mark.rule("images-refused")
@pytest.mark.parametrize("size", [(8000, 6251), (20000, 20000), (60000, 60000)])
def test_an_image_of_too_many_pixels_is_refused_before_it_is_unpacked(size: tuple[int, int]) -> None:
    header = struct.pack(">IIBBBBB", *size, 1, 0, 0, 0, 0)
    with pytest.raises(ImageRefused, match="pixels"):
        as_png(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b""))


def chunk(kind: bytes, data: bytes) -> bytes:
    import zlib

    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


# One damaged file for each way in which readers complain that is not the usual one.
DAMAGED: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "AVIF": ("AVIF", lambda data: data[: (at := data.find(b"mdat") + 4)] + bytes(len(data) - at)),
    "DDS": ("DDS", lambda data: data[:80] + struct.pack("<I", 8192) + data[84:]),
    "BLP": ("BLP", lambda data: data[:4] + struct.pack("<i", 127) + data[8:]),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_file_of_a_rare_kind_is_refused(name: str) -> None:
    form, damage = DAMAGED[name]
    image = Image.effect_noise((16, 12), 50)
    data = packed(image.convert("P" if form == "BLP" else "RGB"), form)
    damaged = damage(data)
    assert damaged != data
    with pytest.raises(ImageRefused):
        as_png(damaged)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "GIF", "BMP"])
@pytest.mark.filterwarnings("ignore:.*:UserWarning")
def test_damage_at_any_place_is_read_over_or_refused(form: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    options: Json = {"exif": exif} if form in ("PNG", "JPEG", "WEBP") else {}
    data = packed(Image.effect_noise((16, 12), 50).convert("RGB"), form, **options)
    chance = random.Random(form)
    for _ in range(60):
        damaged = bytearray(data)
        for _ in range(chance.choice((1, 2, 8))):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        try:
            assert opened(as_png(bytes(damaged))).mode == "RGB"
        except ImageRefused:
            continue


@pytest.mark.parametrize(
    "text", ["§§§", "a", "aGk", "aGk=aGk=", "data:image/png;base64,%%", "data:,hello world", "\ud800"]
)
def test_what_is_not_base64_is_refused(text: str) -> None:
    with pytest.raises(ImageRefused, match="base64"):
        decode_base64(text)


def test_base64_is_read_with_and_without_a_prefix_and_over_line_breaks() -> None:
    for text in ("aGVsbG8=", "data:image/png;base64,aGVsbG8=", "aGVs\r\nbG8=\n", " aGVsbG8="):
        assert decode_base64(text) == b"hello"


def url_of(data: bytes, kind: str = "png") -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def part(url: Any) -> Json:
    return {"type": "image_url", "image_url": {"url": url}}


def user(*parts: Any) -> Json:
    return {"role": "user", "content": list(parts)}


TEXT: Json = {"type": "text", "text": "What?"}
GOOD = flat("RGB", (200, 100, 50))


@pytest.mark.parametrize("content", ["What?", [TEXT]])
def test_a_legacy_image_ends_the_last_user_message(content: Any) -> None:
    messages: list[Json] = [USER, {"role": "assistant", "content": "Hm"}, {"role": "user", "content": content, "x": 1},
                            {"role": "assistant", "content": "So"}]  # fmt: skip
    before = copy.deepcopy(messages)
    after = attach_legacy(messages, GOOD)
    assert messages == before
    assert after == [*messages[:2], {**user(TEXT, part(url_of(GOOD))), "x": 1}, messages[3]]


def test_without_a_user_message_a_legacy_image_is_one() -> None:
    system = {"role": "system", "content": "Look."}
    assert attach_legacy([system], GOOD) == [system, user(part(url_of(GOOD)))]


def test_inline_images_that_engines_read_stay_as_they_are_and_others_become_png() -> None:
    urls = [
        url_of(GOOD),
        url_of(flat("RGB", 9, "JPEG"), "jpeg"),
        url_of(flat("RGBA", 9)),
        url_of(flat("L", 9, "GIF"), "gif"),
    ]
    body: Json = {"messages": [USER, user(TEXT, *(part(url) for url in urls)), user(TEXT)], "seed": 7}
    before = copy.deepcopy(body)
    after = settled(body, None)
    assert body == before
    assert (after["seed"], after["messages"][0], after["messages"][2]) == (7, USER, user(TEXT))
    sent = [item["image_url"]["url"] for item in after["messages"][1]["content"][1:]]
    assert sent[:2] == urls[:2]
    assert all(opened(decode_base64(url)).mode == "RGB" for url in sent)
    legacy = settled(body, base64.b64encode(GOOD).decode())["messages"]
    assert legacy[2]["content"][0] == TEXT
    assert opened(decode_base64(legacy[2]["content"][1]["image_url"]["url"])).size == SIZE


def test_an_inline_image_that_cannot_be_read_is_refused() -> None:
    for data in BAD.values():
        with pytest.raises(ImageRefused):
            settled({"messages": [user(part(url_of(GOOD)), part(url_of(data)))]}, None)


def test_what_brings_no_image_passes() -> None:
    harmless: list[Any] = [TEXT, "text", None, 5]
    body: Json = {"messages": [USER, user(*harmless), {"role": "assistant", "content": None}, {"role": "tool"}]}
    check_sources(body)
    assert not has_images(body)
    assert settled(body, None) == body
    assert has_images({"messages": [user(part("data:"))]})
    assert has_images({"messages": [USER], "image_base64": "aGk="})


@pytest.mark.attack("bombs")
def test_a_jpeg_of_endless_scans_is_refused_before_it_is_read() -> None:
    with pytest.raises(ImageRefused, match="scans"):
        as_png(bombs.jpeg(200))


def test_a_photograph_of_usual_scans_is_read() -> None:
    held = io.BytesIO()
    Image.effect_noise((300, 200), 80).convert("RGB").save(held, "JPEG", progressive=True)
    assert opened(as_png(held.getvalue())).size == (300, 200)


@pytest.mark.attack("bombs")
def test_no_engine_gets_a_png_that_unpacks_to_more_than_its_pixels() -> None:
    swollen = bombs.swollen()
    (sent,) = urls_of(settled(bombs.image_request(swollen), None))
    data = decode_base64(sent)
    assert opened(data).size == (4, 4)
    assert len(data) < 1000


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (640, 7), (7, 640)])
def test_a_png_that_unpacks_to_its_pixels_goes_as_it_came(size: tuple[int, int]) -> None:
    held = io.BytesIO()
    Image.effect_noise(size, 80).convert("RGB").save(held, "PNG")
    body = bombs.image_request(held.getvalue())
    assert settled(body, None) == body


@pytest.mark.attack("bombs")
def test_base64_of_too_much_is_refused_before_it_is_decoded() -> None:
    with pytest.raises(ImageRefused, match="3 bytes; at most 2"):
        decode_base64("AAAA", most_bytes=2)
    assert decode_base64("AAA=", most_bytes=2) == b"\0\0"
    with pytest.raises(ImageRefused, match="at most 2 are read"):
        decode_base64("?" * 8, most_bytes=2)


def urls_of(body: dict[str, Any]) -> list[str]:
    return [part["image_url"]["url"] for part in body["messages"][0]["content"] if part["type"] == "image_url"]

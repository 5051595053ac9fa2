"""Files that people and attackers upload, and what the page and the API have to say to each.

The limits are those of a page that was started with `OPTIONS`.
"""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass

import numpy as np
import pillow_heif
from PIL import Image
from skimage import data

from colorflow.photo import KINDS

MEGABYTES, MEGAPIXELS = 1, 2
OPTIONS = ("--max-file-size", str(MEGABYTES), "--max-pixels", str(MEGAPIXELS))

NOT_A_PICTURE = f"the file is not a {KINDS} picture"
TOO_MANY_PIXELS = "more than the limit of 2 million; make it smaller"
DAMAGED = "the picture is damaged, incomplete"


@dataclass(frozen=True)
class BadInput:
    """One file."""

    name: str
    content: bytes
    says: str | None
    """Part of the sentence that is told; None for a file that works."""


def _encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def _png_chunk(kind: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


def _png_of(width: int, height: int) -> bytes:
    """A PNG file that claims a size and holds a few bytes."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 64)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_png_chunk(*chunk) for chunk in chunks)


def _heic() -> bytes:
    file = io.BytesIO()
    pillow_heif.from_pillow(SMALL).save(file)
    return file.getvalue()


def _animation() -> bytes:
    frames = [Image.new("P", (2000, 1500), color) for color in range(3)]
    return _encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])


SMALL = Image.fromarray(data.camera()[::4, ::4])
JPEG, PNG = _encoded(SMALL, "JPEG"), _encoded(SMALL, "PNG")
_NOISE = np.random.default_rng(0).integers(0, 256, (1100, 1100), np.uint8)

BAD_INPUTS = (
    BadInput("empty.jpg", b"", "the file is empty"),
    BadInput("letter.jpg", b"Dear Ada,\nhere is the photo.\n" * 20, NOT_A_PICTURE),
    BadInput("half.jpg", JPEG[: len(JPEG) // 2], DAMAGED),
    BadInput("half.png", PNG[: len(PNG) // 2], DAMAGED),
    BadInput("bomb.png", _png_of(60_000, 60_000), TOO_MANY_PIXELS),
    BadInput("nothing.png", _png_of(0, 0), DAMAGED),
    BadInput("print.jpg", _encoded(SMALL.convert("CMYK"), "JPEG"), None),
    BadInput("from a phone.heic", _heic(), None),
    BadInput("from a camera.hif", _heic(), None),
    BadInput("moving.gif", _animation(), TOO_MANY_PIXELS),
    BadInput("drawing.svg", b'<svg xmlns="http://www.w3.org/2000/svg"/>', NOT_A_PICTURE),
    BadInput("page.png", b"<!doctype html><script>alert(1)</script>", NOT_A_PICTURE),
    BadInput("scan.pdf", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", NOT_A_PICTURE),
    BadInput("heavy.png", _encoded(Image.fromarray(_NOISE), "PNG"), "size"),
    BadInput("large.png", _encoded(Image.new("L", (2000, 1001), 99), "PNG"), TOO_MANY_PIXELS),
    BadInput(
        "odd metadata.jpg",
        _encoded(SMALL, "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff", icc_profile=b"\x01" * 99),
        None,
    ),
    BadInput("Oma & <b>Opa<b> #1 100% 'süß' 日本.png", PNG, None),
    BadInput(f"{'long ' * 49}.png", PNG, None),
)

"""Feed damaged pictures of every format to the reader: no crash, no hang, no memory over a limit.

    python -m benchmarks.fuzz_decode                              20,000 inputs, seed 0
    python -m benchmarks.fuzz_decode --inputs 200000 --seed 7 --finds finds

Small pictures of scikit-image are written in every format and layout that is read, and damaged at
random: bits, numbers, pieces cut, doubled, moved in from other files. A process with a limit of
memory reads one after the other; one that dies or takes too long is replaced. What is neither read
nor refused with a sentence is a find, and is saved with its reason. The same seed gives the same
inputs. Prints a table; exits with 1 if there are finds.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import multiprocessing
import os
import random
import resource
import sys
import tempfile
import time
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import cv2
import numpy as np
import skimage.data
import tifffile
from PIL import Image

from colorflow.errors import PhotoError, PhotoTooLargeError
from colorflow.photo import read_photo, read_provenance

SECONDS = 10
"""Time for one input."""
MAX_PIXELS = 16_000_000
"""Limit of the pictures' size, as given to the reader."""
MEMORY = 1 << 30
"""Bytes that the process may take beyond what it has after its imports: 64 a pixel."""
START = 10
"""Seconds more for the first input of a process, for its imports."""

READ, REFUSED, TOO_LARGE, FIND = "read", "refused", "too large", "find"
_EDGES = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x7FFFFFFF, 0xFFFFFFFF)
_PNG = b"\x89PNG\r\n\x1a\n"
_HEADER = 160
"""Bytes from the beginning that half of the damage goes to."""


def corpus() -> dict[str, bytes]:
    """Sound files by format and layout, the format first."""
    colour = Image.fromarray(skimage.data.chelsea()).resize((48, 32))
    array = np.asarray(colour)
    deep = array.astype(np.uint16) * 257
    planes = np.moveaxis(deep, -1, 0)
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "Grandmother, 1932"
    files = {
        "JPEG": _pillow(colour, "JPEG", exif=exif),
        "JPEG progressive": _pillow(colour, "JPEG", progressive=True, comment="a comment"),
        "JPEG restarts": _pillow(colour, "JPEG", restart_marker_rows=1),
        "JPEG CMYK": _pillow(colour.convert("CMYK"), "JPEG"),
        "JPEG grey": _pillow(colour.convert("L"), "JPEG"),
        "PNG": _pillow(colour, "PNG", exif=exif),
        "PNG alpha": _pillow(colour.convert("RGBA"), "PNG"),
        "PNG palette": _pillow(colour.quantize(16), "PNG", transparency=3),
        "PNG 1 bit": _pillow(colour.convert("1"), "PNG"),
        "PNG 16 bit": _opencv(".png", deep),
        "PNG 16 bit grey": _opencv(".png", deep[..., 0]),
        "PNG 16 bit alpha": _opencv(".png", np.dstack([deep, deep[..., 0]])),
        "PNG animated": _pillow(colour, "PNG", save_all=True, append_images=[colour.rotate(90)]),
        "TIFF": _pillow(colour, "TIFF", exif=exif),
        "TIFF LZW": _pillow(colour, "TIFF", compression="tiff_lzw"),
        "TIFF JPEG": _pillow(colour, "TIFF", compression="jpeg"),
        "TIFF fax": _pillow(colour.convert("1"), "TIFF", compression="group4"),
        "TIFF CMYK": _pillow(colour.convert("CMYK"), "TIFF"),
        "TIFF 16 bit": _tifffile(deep),
        "TIFF 16 bit deflate": _tifffile(deep, compression="zlib", predictor=True),
        "TIFF 16 bit LZW": _opencv(".tif", deep),
        "TIFF 16 bit tiled": _tifffile(deep, tile=(16, 16), compression="zlib", byteorder=">"),
        "TIFF 16 bit planes": _tifffile(planes, planarconfig="separate", compression="zlib"),
        "TIFF float": _tifffile((deep / 65535).astype(np.float32)),
        "TIFF float LZW": _opencv(".tif", (deep / 65535).astype(np.float32)),
        "TIFF float planes": _tifffile((planes / 65535).astype("f4"), planarconfig="separate"),
        "TIFF big": _tifffile(array, bigtiff=True),
        "TIFF pages": _pillow(colour, "TIFF", save_all=True, append_images=[colour]),
        "TIFF YCbCr": _tifffile(array, photometric="ycbcr", subsampling=(1, 1)),
        "WebP": _pillow(colour, "WEBP", exif=exif),
        "WebP lossless": _pillow(colour.convert("RGBA"), "WEBP", lossless=True),
        "WebP animated": _pillow(colour, "WEBP", save_all=True, append_images=[colour.rotate(9)]),
        "GIF": _pillow(colour.quantize(64), "GIF", comment=b"a comment"),
        "GIF animated": _pillow(colour, "GIF", save_all=True, append_images=[colour.rotate(90)]),
        "JPEG2000": _pillow(colour, "JPEG2000"),
        "JPEG2000 lossy": _pillow(colour, "JPEG2000", no_jp2=True, irreversible=True),
        "JPEG2000 16 bit": _pillow(Image.fromarray(deep[..., 0]), "JPEG2000"),
        "AVIF": _pillow(colour, "AVIF", exif=exif),
        "BMP": _pillow(colour, "BMP"),
        "BMP palette": _pillow(colour.quantize(16), "BMP"),
        "PNM": _pillow(colour, "PPM"),
        "PNM 16 bit": _opencv(".pgm", deep[..., 0]),
        "PNM text": b"P3\n4 4\n255\n" + b" ".join(b"%d" % v for v in array[:4, :4].ravel()) + b"\n",
        "PNM float": _opencv(".pfm", (deep[..., 0] / 65535).astype(np.float32)),
    }
    with contextlib.suppress(ImportError):
        import pillow_heif

        buffer = io.BytesIO()
        pillow_heif.from_pillow(colour).save(buffer, quality=70)
        files["HEIC"] = buffer.getvalue()
    return files


def damaged(content: bytes, others: list[bytes], rng: random.Random) -> bytes:
    """A file with one to six damages; PNG's checksums, which tell most, half the time put right."""
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        rng.choice(_DAMAGES)(data, others, rng)
    if data.startswith(_PNG) and rng.random() < 0.5:
        _put_checksums_right(data)
    return bytes(data)


def outcome_of(path: Path) -> tuple[str, str]:
    """Read a file as a user's, and say what became of it, and why."""
    try:
        photo = read_photo(path, max_pixels=MAX_PIXELS)
        assert photo.kind, "it has a kind"
        read_provenance(path)
    except PhotoError as error:
        if not str(error).startswith(f"{path}: ") or "\n" in str(error):
            return FIND, f"the message does not name the file, or is of several lines: {error!r}"
        return (TOO_LARGE if isinstance(error, PhotoTooLargeError) else REFUSED), error.reason
    except BaseException as error:
        return FIND, repr(error)
    return READ, ""


def main() -> None:
    """Run, print the table, and exit with 1 if there are finds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--finds", type=Path, default=Path("fuzz-finds"), help="folder for them")
    options = parser.parse_args()
    files = corpus()
    names, contents = list(files), list(files.values())
    rows: defaultdict[str, Row] = defaultdict(lambda: Row(Counter(), 0.0))
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, Worker(Path(folder)) as worker:
        for number in range(options.inputs):
            name = names[number % len(names)]
            content = damaged(files[name], contents, random.Random(f"{options.seed} {number}"))
            status, reason, seconds = worker.outcome_of(content)
            row = rows[name.split()[0]]
            row.counts[status] += 1
            row.slowest = max(row.slowest, seconds)
            if status == FIND:
                _save(options.finds, f"{number}-{name.replace(' ', '-')}", content, reason)
        starts = worker.starts
    minutes = (time.perf_counter() - began) / 60
    _print_table(rows)
    print(f"\n{options.inputs} inputs, seed {options.seed}, {minutes:.1f} minutes, ", end="")
    print(f"{starts} start(s) of the reading process, Pillow {Image.__version__}")
    sys.exit(any(row.counts[FIND] for row in rows.values()))


@dataclass(slots=True)
class Row:
    """What became of the inputs of one format."""

    counts: Counter[str]
    slowest: float


class Worker:
    """The process that reads, started anew whenever it has died or was ended."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._context = multiprocessing.get_context("spawn")
        self._process: multiprocessing.process.BaseProcess | None = None
        self._pipe: Connection | None = None
        self.starts = 0

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def outcome_of(self, content: bytes) -> tuple[str, str, float]:
        """Status, reason and seconds of a file; judged here where the process does not answer."""
        allowance = SECONDS
        if self._process is None or self._pipe is None:
            allowance += START
            self.starts += 1
            self._pipe, theirs = self._context.Pipe()
            self._process = self._context.Process(target=_serve, args=(theirs, self._folder))
            self._process.start()
            theirs.close()
        try:
            self._pipe.send_bytes(content)
            if self._pipe.poll(allowance):
                status, reason, seconds = self._pipe.recv()
                return status, reason, seconds
            verdict = f"no answer within {SECONDS} s"
        except (EOFError, OSError):
            self._process.join(SECONDS)
            verdict = f"the process died with {self._process.exitcode}"
        self._end()
        return FIND, verdict, float(SECONDS)

    def _end(self) -> None:
        if self._process is not None and self._pipe is not None:
            self._pipe.close()
            self._process.kill()
            self._process.join()
        self._process = self._pipe = None


def _serve(pipe: Connection, folder: Path) -> None:
    """Read what comes until nothing comes any more."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * os.sysconf("SC_PAGE_SIZE") + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    path = folder / "input"
    with contextlib.suppress(EOFError):
        while True:
            path.write_bytes(pipe.recv_bytes())
            start = time.perf_counter()
            pipe.send((*outcome_of(path), time.perf_counter() - start))


def _flip(data: bytearray, others: list[bytes], rng: random.Random) -> None:
    if data:
        data[_place(data, rng)] ^= 1 << rng.randrange(8)


def _overwrite(data: bytearray, others: list[bytes], rng: random.Random) -> None:
    """A number of 1, 2 or 4 bytes, of either order: where limits are, or any."""
    size = rng.choice((1, 2, 4))
    value = rng.choice((*_EDGES, rng.randrange(1 << 32))) % (1 << (8 * size))
    place = _place(data, rng)
    data[place : place + size] = value.to_bytes(size, rng.choice(("big", "little")))


def _cut_out(data: bytearray, others: list[bytes], rng: random.Random) -> None:
    place = _place(data, rng)
    del data[place : place + rng.choice((1, 2, 4, rng.randrange(1, 200)))]


def _cut_off(data: bytearray, others: list[bytes], rng: random.Random) -> None:
    del data[rng.randrange(len(data) + 1) :]


def _double(data: bytearray, others: list[bytes], rng: random.Random) -> None:
    place = _place(data, rng)
    piece = data[place : place + rng.randrange(1, 200)]
    data[place:place] = piece * rng.choice((1, 1, 2, 20))


def _noise(data: bytearray, others: list[bytes], rng: random.Random) -> None:
    place, size = _place(data, rng), rng.randrange(1, 40)
    data[place : place + size] = rng.randbytes(size)


def _blank(data: bytearray, others: list[bytes], rng: random.Random) -> None:
    place, size = _place(data, rng), rng.randrange(1, 400)
    data[place : place + size] = bytes([rng.choice((0, 255))]) * size


def _splice(data: bytearray, others: list[bytes], rng: random.Random) -> None:
    other = rng.choice(others)
    start, size = rng.randrange(len(other)), rng.randrange(1, 300)
    place = _place(data, rng)
    data[place : place + rng.choice((0, size))] = other[start : start + size]


_DAMAGES: tuple[Callable[[bytearray, list[bytes], random.Random], None], ...] = (
    _flip, _overwrite, _overwrite, _cut_out, _cut_off, _double, _noise, _blank, _splice,
)  # fmt: skip


def _put_checksums_right(png: bytearray) -> None:
    start = len(_PNG)
    while start + 12 <= len(png):
        end = start + 8 + int.from_bytes(png[start : start + 4], "big")
        png[end : end + 4] = zlib.crc32(png[start + 4 : end]).to_bytes(4, "big")
        start = end + 4


def _place(data: bytearray, rng: random.Random) -> int:
    """Where to damage: half of the time in the header."""
    reach = min(len(data), _HEADER) if rng.random() < 0.5 else len(data)
    return rng.randrange(reach) if reach else 0


def _pillow(image: Image.Image, format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def _opencv(suffix: str, samples: np.ndarray) -> bytes:
    return cv2.imencode(suffix, samples)[1].tobytes()


def _tifffile(samples: np.ndarray, *, photometric: str = "rgb", **options: object) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, samples, photometric=photometric, **options)
    return buffer.getvalue()


def _save(folder: Path, name: str, content: bytes, reason: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)
    (folder / f"{name}.txt").write_text(reason + "\n")
    print(f"find {name}: {reason}", file=sys.stderr)


def _print_table(rows: dict[str, Row]) -> None:
    statuses = (READ, REFUSED, TOO_LARGE, FIND)
    print("| format | inputs | " + " | ".join(statuses) + " | slowest, s |")
    print("|---|" + "---:|" * (len(statuses) + 2))
    total = Row(Counter(), max(row.slowest for row in rows.values()))
    for row in rows.values():
        total.counts.update(row.counts)
    for name, row in [*rows.items(), ("all", total)]:
        cells = [row.counts.total(), *(row.counts[status] for status in statuses)]
        print(f"| {name} | " + " | ".join(map(str, cells)) + f" | {row.slowest:.1f} |")


if __name__ == "__main__":
    main()

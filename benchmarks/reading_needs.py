"""What reading honest files takes: memory a pixel and processor a megapixel, by kind of file.

    python -m benchmarks.reading_needs                        24 megapixels, every kind
    python -m benchmarks.reading_needs --megapixels 60 tiff   kinds with these words in their name

The limits of the child that reads a file follow from it (`colorflow.photo.formats`,
`colorflow.photo.isolated`). The pictures are scans with much grain, stored without loss or nearly
so, which takes most. Each is read under the limits, and again in a process without limits, which
measures the address space that is mapped at the most, the file's and the result's included. Exits
with 1 if a file is refused (Linux).
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import imagecodecs
import numpy as np
import tifffile
from PIL import Image

from benchmarks.measuring import SEED, print_machine, print_table
from benchmarks.photos import size_of
from colorflow.errors import PhotoError
from colorflow.photo import isolated, read_photo, reader
from colorflow.photo.decode import read_open
from colorflow.photo.isolated import seconds_for

_GRAIN = 1500
"""Standard deviation, of 65,535."""
_MEASURE = "from sys import argv; from benchmarks.reading_needs import measure; measure(argv[1])"


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("words", nargs="*", help="in the names of the kinds to try")
    parser.add_argument("--megapixels", type=float, default=24)
    options = parser.parse_args()
    print_machine(("tifffile", "imagecodecs", "pi_heif"))
    head = ("file", "bytes a pixel", "in memory", "limit", "s a megapixel", "limit", "outcome")
    print_table(head, [])
    refused = False
    with tempfile.TemporaryDirectory() as folder:
        for name, write in kinds(*scan_of(options.megapixels)).items():
            if options.words and not any(word in name for word in options.words):
                continue
            path = Path(folder) / name
            write(path)
            row = row_of(path)
            print("| " + " | ".join(row) + " |", flush=True)
            refused |= row[-1] != "read"
            path.unlink()
    if refused:
        sys.exit(1)


def scan_of(megapixels: float) -> tuple[np.ndarray, np.ndarray]:
    """Colors with grain, uint16 (H, W, 3), and alpha, uint16 (H, W)."""
    width, height = size_of(megapixels)
    noise = np.random.default_rng(SEED)
    down, across = np.ogrid[:height, :width]
    smooth = 32768 + 20000 * np.sin(across / 300) * np.cos(down / 220)
    channels = np.empty((height, width, 4), np.uint16)
    for channel in range(4):
        grain = noise.standard_normal((height, width), np.float32) * _GRAIN
        channels[..., channel] = np.clip(smooth + grain, 0, 65535)
    return np.ascontiguousarray(channels[..., :3]), channels[..., 3].copy()


def kinds(color: np.ndarray, alpha: np.ndarray) -> dict[str, Callable[[Path], object]]:
    """What writes each file, by the file's name."""
    both = np.dstack([color, alpha])
    picture, see_through = (Image.fromarray((one >> 8).astype(np.uint8)) for one in (color, both))
    gray, inks = picture.convert("L"), picture.convert("CMYK")
    best: dict[str, Any] = {"quality": 100, "subsampling": 0}
    strip: dict[str, Any] = {"photometric": "rgb", "rowsperstrip": len(color)}
    packed: dict[str, Any] = {**strip, "compression": "zlib", "predictor": True}
    turned: dict[str, Any] = {"extratags": [(274, "H", 1, 6, True)]}
    avif: dict[str, Any] = {"level": 95, "speed": 9}
    return {
        "gray.jpg": lambda path: gray.save(path, quality=100, progressive=True),
        "plain.jpg": lambda path: picture.save(path, **best),
        "progressive.jpg": lambda path: picture.save(path, **best, progressive=True),
        "inks-progressive.jpg": lambda path: inks.save(path, **best, progressive=True),
        "gray-16-bits.png": lambda path: cv2.imwrite(str(path), alpha),
        "palette-alpha.png": lambda path: picture.quantize(255).save(path, transparency=3),
        "8-bits-alpha.png": lambda path: see_through.save(path, compress_level=1),
        "16-bits.png": lambda path: cv2.imwrite(str(path), color),
        "16-bits-alpha.png": lambda path: cv2.imwrite(str(path), both),
        "gray-16-bits.tif": lambda path: tifffile.imwrite(path, alpha, compression="zlib"),
        "16-bits.tif": lambda path: tifffile.imwrite(path, color),
        "16-bits-deflate-turned.tif": lambda path: tifffile.imwrite(
            path, both, extrasamples=["assocalpha"], **packed, **turned
        ),
        "16-bits-jpeg-2000.tif": lambda path: tifffile.imwrite(
            path, color, compression="jpeg2000", **strip
        ),
        "lossless-alpha.webp": lambda path: see_through.save(
            path, lossless=True, method=0, quality=0
        ),
        "lossy-alpha.webp": lambda path: see_through.save(path, quality=95, method=0),
        "transparent.gif": lambda path: picture.quantize(255).save(path, transparency=3),
        "gray-16-bits.jp2": lambda path: Image.fromarray(alpha).save(path),
        "8-bits.jp2": lambda path: picture.save(path),
        "8-bits-alpha.jp2": lambda path: see_through.save(path),
        "16-bits.jp2": lambda path: path.write_bytes(imagecodecs.jpeg2k_encode(color, level=0)),
        "8-bits-alpha.avif": lambda path: path.write_bytes(
            imagecodecs.avif_encode(np.asarray(see_through), **avif)
        ),
        "12-bits-alpha.avif": lambda path: path.write_bytes(
            imagecodecs.avif_encode(both >> 4, bitspersample=12, **avif)
        ),
        "8-bits.heic": lambda path: _write_heic(path, np.asarray(picture), "RGB"),
        "10-bits-alpha.heic": lambda path: _write_heic(path, both, "RGBA;16"),
        "alpha.bmp": lambda path: see_through.save(path),
        "16-bits.ppm": lambda path: cv2.imwrite(str(path), color),
        "gray-16-bits.pgm": lambda path: cv2.imwrite(str(path), alpha),
    }


def row_of(path: Path) -> tuple[str, ...]:
    """A row of the table."""
    try:
        read_photo(path, isolated=True)
        outcome = "read"
    except PhotoError as error:
        outcome = error.reason
    command = [sys.executable, "-c", _MEASURE, str(path)]
    environment = os.environ | isolated._settings()
    done = subprocess.run(command, env=environment, capture_output=True, check=True, text=True)
    found = json.loads(done.stdout)
    pixels = found["pixels"]
    return (
        path.name,
        f"{path.stat().st_size / pixels:.1f}",
        f"{found['mapped'] / pixels:.1f}",
        f"{found['limit']}",
        f"{found['seconds'] * 1e6 / pixels:.2f}",
        f"{seconds_for(pixels) * 1e6 / pixels:.2f}",
        outcome,
    )


def measure(path: str) -> None:
    """Reads a file in this process as a child does, and prints what that took, as JSON."""
    reader._load_readers()
    allowed = [(0, 0)]
    answer = os.memfd_create("answer")
    before, busy = _mapped("VmSize"), _busy()
    with open(path, "rb") as file:
        reader.write_photo(answer, read_open(file, "", 1 << 30, lambda *one: allowed.append(one)))
    (pixels, limit), mapped = allowed[-1], _mapped("VmPeak") - before
    took = {"pixels": pixels, "limit": limit, "mapped": mapped, "seconds": _busy() - busy}
    print(json.dumps(took))


def _mapped(name: str) -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.partition(f"{name}:")[2].split()[0]) * 1024


def _busy() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _write_heic(path: Path, pixels: np.ndarray, mode: str) -> None:
    import pillow_heif

    size = pixels.shape[1], pixels.shape[0]
    pillow_heif.from_bytes(mode, size, pixels.tobytes()).save(path, quality=95, chroma=444)


if __name__ == "__main__":
    main()

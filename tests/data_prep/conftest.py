"""A folder of small photos, good and bad, and what becomes of them."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import imagehash
import numpy as np
import pytest
import skimage.data
from PIL import Image

from data_prep import __main__ as command
from data_prep import pack as pack_module

LARGE = {
    "astronaut/face.png": ("astronaut", (slice(0, 256), slice(128, 384))),
    "astronaut/suit.jpg": ("astronaut", (slice(256, 512), slice(0, 256))),
    "coffee/cup.webp": ("coffee", (slice(50, 250), slice(100, 400))),
    "coffee/table.jpg": ("coffee", (slice(200, 400), slice(400, 600))),
    "cat.jpeg": ("chelsea", (slice(20, 220), slice(100, 360))),
    "motorcycle.png": ("motorcycle", (slice(100, 300), slice(200, 500))),
    "rocket.jpg": ("rocket", (slice(200, 400), slice(200, 460))),
    "tissue.webp": ("immunohistochemistry", (slice(0, 200), slice(0, 200))),
}
"""Photos whose short side is 128 pixels or more, by file: the picture and the part of it."""
SMALL = {"small/cat.png": "chelsea", "small/coffee.png": "coffee", "small/rocket.jpg": "rocket"}
"""64x64 photos of whole pictures: no duplicates of the parts above."""


def _picture(name: str) -> np.ndarray:
    if name == "motorcycle":
        return skimage.data.stereo_motorcycle()[0]
    return getattr(skimage.data, name)()


def _hash(path: Path) -> int:
    """What the makers of imagehash say, as a number."""
    return int(str(imagehash.dhash(Image.open(path).convert("RGB"))), 16)


def table(folder: Path) -> list[dict[str, str]]:
    """The photos of a pack."""
    with (folder / "photos.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def message(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that the command says when it fails."""
    capsys.readouterr()
    assert command.main(arguments) == 1
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("data_prep: ")
    return line


@dataclass(frozen=True, slots=True, kw_only=True)
class Photos:
    """The folder; `dropped` says by file, relative to it, how its problem begins."""

    folder: Path
    exclude: Path
    kept: list[str]
    near: tuple[str, str]
    dropped: dict[str, str]


@pytest.fixture(scope="session")
def hash_of() -> Callable[[Path], int]:
    """The 64-bit difference hash of a photo file."""
    return _hash


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Photos:
    """12 usable photos, two of them nearly the same, and 8 that must go."""
    root = tmp_path_factory.mktemp("source")
    folder = root / "photos"
    for name in ("astronaut", "coffee", "small", "bad"):
        (folder / name).mkdir(parents=True)
    for file, (name, part) in LARGE.items():
        Image.fromarray(_picture(name)[part]).save(folder / file)
    for file, name in SMALL.items():
        Image.fromarray(_picture(name)).resize((64, 64)).save(folder / file)

    face = skimage.data.astronaut()
    near = ("astronaut/face.png", "near.png")
    Image.fromarray(face[6:250, 128:384]).save(folder / near[1])
    distance = (_hash(folder / near[0]) ^ _hash(folder / near[1])).bit_count()
    assert 2 < distance <= 6, (
        f"{distance} bits: no near-duplicate, but a duplicate or another photo"
    )

    Image.fromarray(skimage.data.camera()[:200, :200]).save(folder / "bad/gray.png")
    Image.fromarray(face[:200, :200]).convert("L").convert("RGB").save(folder / "bad/gray_rgb.jpg")
    Image.fromarray(face[:40, :90]).save(folder / "bad/tiny.png")
    whole = (folder / "rocket.jpg").read_bytes()
    (folder / "bad/cut.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "bad/empty.png").touch()
    shutil.copy(folder / "cat.jpeg", folder / "copy.jpg")
    Image.open(folder / "coffee/cup.webp").save(folder / "saved_again.jpg", quality=70)
    Image.fromarray(_picture("hubble_deep_field")[:300, :300]).save(folder / "bad/secret.png")
    exclude = root / "exclude.txt"
    exclude.write_text(
        f"# 5 bits from bad/secret.png\n\n{_hash(folder / 'bad/secret.png') ^ 31:x}\n"
    )
    return Photos(
        folder=folder,
        exclude=exclude,
        kept=sorted([*LARGE, *SMALL, near[1]]),
        near=near,
        dropped={
            "bad/cut.jpg": "corrupt: ",
            "bad/empty.png": "corrupt: ",
            "bad/gray.png": "gray",
            "bad/gray_rgb.jpg": "gray",
            "bad/secret.png": "excluded",
            "bad/tiny.png": "too small",
            "copy.jpg": f"duplicate of {folder / 'cat.jpeg'}",
            "saved_again.jpg": f"duplicate of {folder / 'coffee/cup.webp'}",
        },
    )


@pytest.fixture(scope="session")
def arguments(photos: Photos) -> Callable[..., list[str]]:
    """The command line that makes a pack of the photos in a folder."""

    def make(pack: Path, *more: str) -> list[str]:
        base = [str(photos.folder), "-o", str(pack), "--exclude", str(photos.exclude)]
        return [*base, "--dev", "3", "--workers", "0", *more]

    return make


@contextmanager
def _small_steps() -> Iterator[None]:
    """Many small batches, and malloc as other tests expect it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pack_module, "BATCH", 2)
        patch.setattr(pack_module, "FLUSH_EVERY", 2)
        patch.setattr(command, "keep_freed_memory", lambda: None)
        yield


@pytest.fixture(scope="session")
def pack(arguments: Callable[..., list[str]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pack of the photos, made in one go. Read it only."""
    folder = tmp_path_factory.mktemp("pack")
    with _small_steps():
        assert command.main(arguments(folder)) == 0
    return folder


@pytest.fixture(autouse=True)
def small_steps() -> Iterator[None]:
    with _small_steps():
        yield


@pytest.fixture
def no_arrays(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command ends after the first pass, which writes the selection."""
    monkeypatch.setattr(pack_module, "fill_arrays", lambda *_, **__: iter([0]))


@pytest.fixture(scope="session")
def report() -> Callable[[Path], dict[str, Any]]:
    """The report of a pack."""
    return lambda folder: json.loads((folder / "report.json").read_text(encoding="utf-8"))

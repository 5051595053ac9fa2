"""Pictures that the photo tests share; small, so that each test takes milliseconds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image

from benchmarks.fuzz_decode import Readers


@pytest.fixture(scope="session")
def picture() -> Image.Image:
    """A color photo of 96 x 64 pixels without any symmetry."""
    return Image.fromarray(skimage.data.chelsea()).resize((96, 64))


@pytest.fixture
def saved(tmp_path: Path) -> Callable[..., Path]:
    """Write bytes, or a picture with Pillow's options, to a file and return its path."""

    def save(content: bytes | Image.Image, name: str, **options: object) -> Path:
        path = tmp_path / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            content.save(path, **options)
        return path

    return save


@pytest.fixture(scope="session")
def sepia() -> Callable[[np.ndarray], np.ndarray]:
    """Gray uint8 (H, W) to the tones of a brown print, uint8 (H, W, 3)."""

    def tone(gray: np.ndarray) -> np.ndarray:
        levels = [0, 128, 255]
        channels = [(30, 150, 255), (15, 110, 240), (5, 70, 205)]
        return np.stack([np.interp(gray, levels, c) for c in channels], -1).astype(np.uint8)

    return tone


@pytest.fixture(scope="session")
def readers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Readers]:
    """Two processes whose memory holds different bytes before it is used."""
    with Readers(tmp_path_factory.mktemp("readers")) as both:
        yield both

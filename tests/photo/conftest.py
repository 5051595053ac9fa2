"""Pictures that the photo tests share; small, so that each test takes milliseconds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import skimage.data
from PIL import Image

from benchmarks.bad_files import Readers

Saved = Callable[..., Path]


@pytest.fixture(scope="session")
def picture() -> Image.Image:
    """A color photo of 96 x 64 pixels without any symmetry."""
    return Image.fromarray(skimage.data.chelsea()).resize((96, 64))


@pytest.fixture
def saved(tmp_path: Path) -> Saved:
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
def readers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Readers]:
    """Two processes whose memory holds different bytes before it is used."""
    with Readers(tmp_path_factory.mktemp("readers")) as both:
        yield both

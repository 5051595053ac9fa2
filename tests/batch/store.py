"""A store in memory."""

from __future__ import annotations

import io

from fsspec.implementations.memory import MemoryFileSystem
from PIL import Image

from tests.batch.conftest import gray_pixels

IN, OUT = "memory://in", "memory://out"


def put(memory: MemoryFileSystem, *names: str) -> None:
    for number, name in enumerate(names):
        buffer = io.BytesIO()
        Image.fromarray(gray_pixels(number)).save(buffer, "PNG")
        memory.pipe_file(f"/{name}", buffer.getvalue())

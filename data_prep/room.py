"""Whether the disk has room for a pack."""

from __future__ import annotations

import shutil
from pathlib import Path

from colorflow.errors import PackError


def check_room(folder: Path, what: str, need: int) -> None:
    """Says what a pack needs on the disk.

    Args:
        folder: the pack's.
        what: it holds.
        need: bytes.

    Raises:
        PackError: if less is free.
    """
    free = shutil.disk_usage(folder).free
    print(f"{what}: {need / 1e9:.1f} GB")
    if need > free:
        raise PackError(f"{folder}: needs {need / 1e9:.1f} GB, but {free / 1e9:.1f} GB are free")

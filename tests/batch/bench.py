"""An archive, unpacked under a close look."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from colorflow.batch.archive import Unpacked, unpack
from colorflow.errors import BatchError
from tests.batch.raw_zip import File, write_raw

MEBIBYTE = 2**20
MOST = 16 * MEBIBYTE


def noise(size: int, seed: int = 0) -> bytes:
    """Bytes that cannot be compressed, like those of a JPEG."""
    return random.Random(seed).randbytes(size)


PHOTO = b"\xff\xd8\xff" + noise(3000)


class Bench:
    """An archive beside a folder that is not there yet, and a look at all that became of it."""

    def __init__(self, folder: Path) -> None:
        self.root = folder
        self.archive = folder / "album.zip"
        self.folder = folder / "out" / "album"
        self.folder.parent.mkdir()

    def write(self, *files: File) -> Bench:
        write_raw(self.archive, files)
        return self

    def unpack(self, most: int = MOST) -> Unpacked:
        return unpack(self.archive, self.folder, most_bytes=most, most_files=5)

    def refused(self, *files: File, most: int = MOST) -> str:
        """The sentence with which it is refused; nothing is left of it, nothing went elsewhere."""
        if files:
            self.write(*files)
        with pytest.raises(BatchError) as refusal:
            self.unpack(most)
        assert self.everything() == {"album.zip", "out"}
        sentence = str(refusal.value)
        assert sentence.startswith("album.zip: ")
        assert str(self.root) not in sentence
        assert sentence.isprintable()
        return sentence.removeprefix("album.zip: ")

    def refused_anew(self, *files: File, most: int = MOST) -> str:
        """As `refused`, after something was unpacked."""
        shutil.rmtree(self.folder)
        return self.refused(*files, most=most)

    def everything(self) -> set[str]:
        return {path.relative_to(self.root).as_posix() for path in self.root.rglob("*")}

    def contents(self) -> dict[str, bytes]:
        return {
            path.relative_to(self.folder).as_posix(): path.read_bytes()
            for path in self.folder.rglob("*")
            if path.is_file()
        }

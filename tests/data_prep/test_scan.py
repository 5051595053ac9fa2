"""Which photos can be learned from."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import skimage.color
import skimage.data
from PIL import Image

from data_prep.scan import scan_one


def toned(a: float, b: float) -> Image.Image:
    """A gray photo on paper of one chroma."""
    gray = skimage.data.camera()[:128, 100:228]
    lab = skimage.color.rgb2lab(skimage.color.gray2rgb(gray))
    lab = lab * [0.75, 0, 0] + [10, a, b]
    return Image.fromarray(np.round(255 * skimage.color.lab2rgb(lab)).astype(np.uint8))


def test_a_good_photo(tmp_path: Path) -> None:
    path = tmp_path / "cat.png"
    Image.fromarray(skimage.data.chelsea()[:200, :260]).save(path)
    scanned = scan_one(path)
    assert (scanned.path, scanned.problem, scanned.short_side) == (path, None, 200)
    assert scanned.mean_chroma > 10


@pytest.mark.parametrize(
    ("a", "b", "problem"), [(0, 0, "gray"), (8, 18, "tinted"), (6, 6.5, "tinted"), (2, 5, None)]
)
def test_toned_prints_are_dropped_and_pale_photos_kept(
    a: float, b: float, problem: str | None, tmp_path: Path
) -> None:
    """Chroma 19.7 and 8.8 are toned, 5.4 is pale."""
    toned(a, b).save(tmp_path / "print.png")
    scanned = scan_one(tmp_path / "print.png")
    assert scanned.problem == problem
    if problem is None:
        assert abs(scanned.mean_chroma - np.hypot(a, b)) < 0.5


@pytest.mark.parametrize(
    ("width", "height", "problem"),
    [(47, 300, "too small"), (300, 47, "too small"), (48, 48, None)],
)
def test_small_photos(width: int, height: int, problem: str | None, tmp_path: Path) -> None:
    Image.fromarray(skimage.data.chelsea()).resize((width, height)).save(tmp_path / "cat.png")
    scanned = scan_one(tmp_path / "cat.png")
    assert scanned.problem == problem
    assert scanned.short_side == min(width, height)


@pytest.mark.parametrize("content", [b"", b"no photo", b"\xff\xd8\xff\xe0\0\x10JFIF"])
def test_a_file_that_is_no_photo(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "cat.jpg"
    path.write_bytes(content)
    problem = scan_one(path).problem
    assert problem is not None
    assert problem.startswith("corrupt: ")
    assert str(path) not in problem, "the report names it anyway"


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(select, "poll"), reason="Windows has no named pipes")
def test_a_worker_ends_with_its_parent(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    code = (
        "import sys; from pathlib import Path; from data_prep.scan import workers_of_this_process;"
        "workers_of_this_process(1).submit(Path.read_bytes, Path(sys.argv[1])).result()"
    )
    with (
        subprocess.Popen([sys.executable, "-c", code, str(pipe)]) as parent,
        pipe.open("wb") as writer,  # waits until the worker reads
    ):
        parent.kill()
        assert parent.wait(60) == -signal.SIGKILL
        readers = select.poll()
        readers.register(writer, 0)
        assert readers.poll(60_000) == [(writer.fileno(), select.POLLERR)], "the worker still reads"


def test_one_photo_in_two_files_has_one_hash(tmp_path: Path) -> None:
    photo = Image.fromarray(skimage.data.coffee()[:256, :256])
    photo.save(tmp_path / "a.png")
    photo.save(tmp_path / "b.jpg", quality=80)
    first, second = scan_one(tmp_path / "a.png"), scan_one(tmp_path / "b.jpg")
    assert (first.hash ^ second.hash).bit_count() <= 2
    assert first.hash.bit_count() > 5

"""Files are read in a child with limits: its answers, and what becomes of it and its parents."""

from __future__ import annotations

import ast
import gc
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.damaged_files import corpus
from benchmarks.hostile_kinds import (
    deep_png,
    heic_of_other_depth,
    jpeg_2000_of_precincts,
    jpeg_of_many_scans,
    tiff_of_large_png,
)
from benchmarks.measuring import family_of, watched
from colorflow.errors import PhotoError, PhotoTooLargeError, UnreadablePhotoError
from colorflow.files import digest_of
from colorflow.photo import Photo, count_pixels, isolated, read_photo, read_picture

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(not isolated.IS_POSSIBLE, reason="there are no limits here")


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    Image.effect_noise((64, 48), 90).save(path)
    return path


@pytest.fixture
def changed_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Lets a test set another program for the server."""
    end_server()
    yield monkeypatch
    end_server()


def end_server() -> None:
    if isolated._server is not None:
        isolated._server.end()


def server() -> int:
    """The process of the server."""
    isolated.start_reader()
    assert isolated._server is not None
    return isolated._server.process.pid


def is_idle() -> bool:
    """Whether the server has no child."""
    return len(family_of(server())) == 1


def wait_until(condition: object, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it does not happen"
        time.sleep(0.05)


def read_to_the_end(path: Path) -> Photo:
    """Read a photo, and wait until its child has ended."""
    photo = read_photo(path, isolated=True)
    wait_until(is_idle)
    return photo


def test_a_child_answers_what_this_process_reads(tmp_path: Path) -> None:
    for name, content in corpus().items():
        path = tmp_path / "input"
        path.write_bytes(content)
        here, there = read_photo(path), read_photo(path, isolated=True)
        for array in ("pixels", "pixels16", "alpha"):
            mine, theirs = getattr(here, array), getattr(there, array)
            np.testing.assert_array_equal(theirs, mine, strict=True, err_msg=name)
            assert theirs is None or theirs.flags.carray, name  # contiguous, aligned, writeable
        assert here.metadata == there.metadata, name
        assert (here.source, here.remarks) == (there.source, there.remarks), name
    assert count_pixels(path) == count_pixels(path, isolated=True)


def test_pictures_of_any_kind_are_read_there(photo: Path) -> None:
    pixels, digest = read_photo(photo).pixels, digest_of(photo)
    with photo.open("rb") as file:
        for picture in (photo, str(photo), photo.read_bytes(), file):
            found = read_picture(picture, isolated=True)
            np.testing.assert_array_equal(found[0].pixels, pixels)
            assert found[1] == digest
    with pytest.raises(UnreadablePhotoError, match=r"<bytes>: the file is empty"):
        read_picture(b"", isolated=True)


@pytest.mark.parametrize("content", [b"", b"text", corpus()["PNG"][:60], corpus()["TIFF"][:99]])
def test_refusals_are_the_same(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "input").write_bytes(content)
    with pytest.raises(UnreadablePhotoError) as here:
        read_photo(tmp_path / "input")
    with pytest.raises(UnreadablePhotoError, match=f"^{re.escape(str(here.value))}$"):
        read_photo(tmp_path / "input", isolated=True)


@pytest.mark.parametrize(
    ("make", "error", "reason"),
    [
        (heic_of_other_depth, UnreadablePhotoError, "the reader of this kind of file broke"),
        (tiff_of_large_png, PhotoTooLargeError, "does not fit into memory"),
    ],
)
def test_a_file_that_crashes_its_reader_or_fills_its_memory_is_refused(
    tmp_path: Path, photo: Path, make: Callable[[], bytes], error: type[PhotoError], reason: str
) -> None:
    (tmp_path / "bad").write_bytes(make())
    with pytest.raises(error, match=f"bad: .*{reason}"):
        read_photo(tmp_path / "bad", isolated=True)
    assert read_photo(photo, isolated=True).width == 64


def test_a_small_jpeg_2000_file_takes_memory_for_its_pixels(tmp_path: Path) -> None:
    side, bytes_a_pixel = 12_000, 12
    (tmp_path / "a.j2k").write_bytes(jpeg_2000_of_precincts(side))
    wait_until(is_idle)
    idle = max(family_of(server()).values())
    with watched(server()) as peak, pytest.raises(PhotoError, match=r"a\.j2k: "):
        read_photo(tmp_path / "a.j2k", isolated=True)
    assert peak() < (idle + 128 * 2**20 + bytes_a_pixel * side * side // 8) / 1e6


@pytest.mark.parametrize(("most", "fits"), [(130, True), (35, False)])
def test_all_files_have_one_bound_and_the_answer_counts(
    tmp_path: Path, changed_server: pytest.MonkeyPatch, most: int, fits: bool
) -> None:
    """Pixels of 36 and 18 MB, and those of 36 once more in the answer."""
    limits = "from colorflow.photo import reader\nreader.FIXED_BYTES = 32_000_000\n"
    limits += f"reader.MOST_BYTES = {most}_000_000\n"
    changed_server.setattr(isolated, "_SERVER", limits + isolated._SERVER)
    (tmp_path / "deep.png").write_bytes(deep_png(2450))
    if fits:
        assert read_photo(tmp_path / "deep.png", isolated=True).bits == 16
        return
    with pytest.raises(PhotoTooLargeError, match="the picture does not fit into memory"):
        read_photo(tmp_path / "deep.png", isolated=True)


_WAITING = (
    "import time\nfrom colorflow.photo import reader\n"
    "def wait(*_, **__): time.sleep(60)\nreader.read_open = wait\n"
)


@pytest.mark.parametrize(
    ("program", "patience", "reason"),
    [("", 100, "takes too many seconds"), (_WAITING, 1, "too long while the machine is so busy")],
)
def test_a_file_that_takes_too_long_is_refused(
    tmp_path: Path, changed_server: pytest.MonkeyPatch, program: str, patience: int, reason: str
) -> None:
    """Of the processor, or by the clock."""
    limits = (
        "from colorflow.photo import isolated\n"
        "isolated.FIXED_SECONDS, isolated.MEGAPIXEL_SECONDS, isolated.LARGE_SECONDS = 1, 0, 0\n"
        f"isolated.PATIENCE = {patience}\n"
    )
    changed_server.setattr(isolated, "_SERVER", limits + program + isolated._SERVER)
    (tmp_path / "scans.jpg").write_bytes(jpeg_of_many_scans(1000, 4000))
    with pytest.raises(PhotoTooLargeError, match=rf"scans\.jpg: .*{reason}"):
        read_photo(tmp_path / "scans.jpg", isolated=True)


def test_a_server_that_ends_is_started_again(photo: Path) -> None:
    first = server()
    read_photo(photo, isolated=True)
    family = family_of(first)
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: not any(family_of(one) for one in family))
    assert read_photo(photo, isolated=True).width == 64
    assert server() != first


def test_a_server_that_ends_meanwhile_is_told(
    photo: Path, changed_server: pytest.MonkeyPatch
) -> None:
    changed_server.setattr(isolated, "_SERVER", "raise SystemExit(3)")
    with pytest.raises(UnreadablePhotoError, match=r"photo\.png: .*process that reads photos"):
        read_photo(photo, isolated=True)
    changed_server.undo()
    assert read_photo(photo, isolated=True).width == 64


def test_children_die_with_their_server_and_the_server_with_its_parent(photo: Path) -> None:
    code = (
        "from colorflow.photo import read_photo, isolated\n"
        f"isolated._SERVER = {_WAITING + isolated._SERVER!r}\n"
        "isolated.start_reader()\n"
        "print(isolated._server.process.pid, flush=True)\n"
        f"read_photo({str(photo)!r}, isolated=True)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=ROOT) as parent:
        assert parent.stdout is not None
        there = int(parent.stdout.readline())
        wait_until(lambda: len(family_of(there)) == 2)
        family = family_of(there)
        parent.kill()
    wait_until(lambda: not any(family_of(one) for one in family))


def test_a_forked_process_reads_with_the_server_of_its_parent(photo: Path) -> None:
    mine = server()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = 0 if read_photo(photo, isolated=True).width == 64 else 2
            isolated.end_reader()
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert server() == mine
    assert read_photo(photo, isolated=True).width == 64


def test_threads_read_at_the_same_time_and_get_their_own_photos(tmp_path: Path) -> None:
    paths = [tmp_path / f"{value}.png" for value in range(24)]
    for value, path in enumerate(paths):
        Image.new("L", (40 + value, 30), value).save(path)
    with ThreadPoolExecutor(8) as pool:
        photos = list(pool.map(lambda path: read_photo(path, isolated=True), paths))
    for value, one in enumerate(photos):
        assert one.pixels.shape == (30, 40 + value)
        assert (one.pixels == value).all()


def test_nothing_is_left_open(photo: Path) -> None:
    def open_files() -> tuple[int, int]:
        return len(os.listdir("/proc/self/fd")), len(os.listdir(f"/proc/{server()}/fd"))

    read_to_the_end(photo)
    gc.collect()  # closes what other tests have left
    before = open_files()
    for _ in range(5):
        read_to_the_end(photo)
    # Fewer than one for each read: other tests' files may be opened and closed meanwhile.
    wait_until(lambda: all(now < then + 5 for now, then in zip(open_files(), before, strict=True)))


def test_no_process_keeps_what_was_read(tmp_path: Path) -> None:
    """Neither the server nor the child that reads the next file has the pixels in its memory."""
    secret = np.random.default_rng(1).integers(0, 256, (40, 64), np.uint8)
    Image.fromarray(secret).save(tmp_path / "secret.png")
    found = read_to_the_end(tmp_path / "secret.png")
    np.testing.assert_array_equal(found.pixels, secret)
    wanted = secret[20].tobytes()
    assert _holds(os.getpid(), wanted), "the search finds nothing"
    assert not any(_holds(process, wanted) for process in family_of(server()))


def _holds(process: int, wanted: bytes) -> bool:
    """Whether the writable memory of a process contains some bytes."""
    areas = Path(f"/proc/{process}/maps").read_text().splitlines()
    with open(f"/proc/{process}/mem", "rb") as memory:
        for place, rights, *_ in (area.split() for area in areas):
            if rights.startswith("rw"):
                start, end = (int(one, 16) for one in place.split("-"))
                memory.seek(start)
                if wanted in memory.read(end - start):
                    return True
    return False


def answered(monkeypatch: pytest.MonkeyPatch, content: bytes, code: str = "0") -> None:
    """Have each request be answered by some bytes."""

    def ask(_: object, request: bytes, files: tuple[int, int], wait: float) -> str:
        os.write(files[1], content)
        return code

    monkeypatch.setattr(isolated._Server, "ask", ask)


def packed(content: object, arrays: bytes = bytes(256)) -> bytes:
    text = json.dumps(content).encode()
    return text.ljust(isolated.arrays_at(text), b"\0") + arrays


ANSWER = {
    "arrays": [["pixels16", [3, 4]], ["pixels", [3, 4]]], "format": None, "exif": None,
    "dpi": None, "text": {}, "stated": "", "remarks": ["cut\n\x1b[31m"],
}  # fmt: skip


def test_cut_answers_are_none(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = np.arange(12, dtype=np.uint8)
    data = packed(ANSWER, (numbers.astype(np.uint16) * 257).tobytes() + numbers.tobytes())
    answered(monkeypatch, data)
    found = read_photo(photo, isolated=True)
    np.testing.assert_array_equal(found.pixels, numbers.reshape(3, 4))
    np.testing.assert_array_equal(found.full_depth, numbers.reshape(3, 4) * np.uint16(257))
    assert found.remarks == (r"cut\n\x1b[31m",)
    for size in (0, 7, 50, len(data) - 37, len(data) - 13, len(data) - 1):
        answered(monkeypatch, data[:size])
        with pytest.raises(UnreadablePhotoError, match="the reader of this kind of file broke"):
            read_photo(photo, isolated=True)
    answered(monkeypatch, data, code="\ufffd")
    with pytest.raises(UnreadablePhotoError, match="the reader of this kind of file broke"):
        read_photo(photo, isolated=True)


@pytest.mark.parametrize(
    "changes",
    [
        *({"arrays": [["pixels", one]]} for one in (
            [3, 1 << 40], [3, -4], [3.5, 4], [1 << 62, 8], [0, 4], [], 3, None, [[3], 4], "ab",
        )),
        *({"arrays": one} for one in (
            [["photo", [3, 4]]], [["alpha", [3, 4]]], [["pixels", [3, 4]], ["alpha", [4, 3]]],
            {}, [3], None, "a",
        )),
        {"dpi": [1]}, {"text": []}, {"exif": "\u0100"}, {"error": "x"}, {"remarks": None},
    ],
)  # fmt: skip
def test_answers_of_nonsense_are_none(
    photo: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, object]
) -> None:
    answered(monkeypatch, packed(ANSWER | changes))
    with pytest.raises(UnreadablePhotoError, match="the reader of this kind of file broke"):
        read_photo(photo, isolated=True)
    with pytest.raises(UnreadablePhotoError, match="the reader of this kind of file broke"):
        count_pixels(photo, isolated=True)


def test_an_answer_cannot_change_any_more(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answered(monkeypatch, packed(ANSWER))
    with isolated.file_of(b"") as memory:
        monkeypatch.setattr(isolated, "file_of", lambda _: nullcontext(memory))
        read_photo(photo, isolated=True)
        with pytest.raises(PermissionError):
            os.pwrite(memory.fileno(), b"x", 0)
        with pytest.raises(PermissionError):
            os.ftruncate(memory.fileno(), 0)


# These read, in the process itself, only files that the page has written.
_READ_OWN_FILES = {f"colorflow/ui/{name}.py" for name in ("coloring", "files")}


def test_everybody_else_reads_in_a_child() -> None:
    trusting = set()
    names = {"read_photo", "count_pixels", "read_statements"}
    folders = ("batch", "cli", "evaluation", "quiz", "ui", "training", "enlarge")
    paths = [path for name in folders for path in (ROOT / "colorflow" / name).rglob("*.py")]
    for path in [*paths, *(ROOT / "data_prep").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", None) in names:
                keywords = {one.arg: ast.unparse(one.value) for one in node.keywords}
                if keywords.get("isolated") != "True":
                    trusting.add(str(path.relative_to(ROOT)))
    assert trusting == _READ_OWN_FILES


def test_the_library_reads_in_its_own_process_unless_asked(
    photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(isolated, "_running", None)
    read_photo(photo)
    count_pixels(photo)

"""Room for photos, without a server."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from colorflow.errors import ColorflowError
from colorflow.ui import room as room_module
from colorflow.ui.room import FULL, Room, size_of
from colorflow.ui.uploads import Uploads

LONG = 30.0


class Clock:
    """Tells a time that tests set."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Worker(threading.Thread):
    """Holds pixels until it is told to end."""

    def __init__(self, room: Room, pixels: int) -> None:
        super().__init__(daemon=True)
        self._room, self._pixels = room, pixels
        self.began, self.end = threading.Event(), threading.Event()
        self.start()

    def run(self) -> None:
        with self._room.held(self._pixels):
            self.began.set()
            self.end.wait(LONG)

    def leave(self) -> None:
        self.end.set()
        self.join(LONG)


def queued(room: Room, pixels: int, behind: int) -> Worker:
    """A worker that has got in line."""
    worker = Worker(room, pixels)
    with room._changed:
        pass
    while len(room._waiting) < behind and not worker.began.is_set():
        threading.Event().wait(0.01)
    return worker


def test_no_more_pixels_are_held_at_once_than_one_photo_may_have() -> None:
    room = Room(100)
    first = Worker(room, 60)
    assert first.began.wait(LONG)
    large, small = queued(room, 60, behind=1), queued(room, 10, behind=2)
    assert not large.began.is_set()
    assert not small.began.is_set(), "whoever came before it would wait forever"
    first.leave()
    assert large.began.wait(LONG)
    assert small.began.wait(LONG)
    for worker in (large, small):
        worker.leave()
    with room.held(100):
        pass


def test_more_than_all_is_held_alone() -> None:
    room = Room(100)
    with room.held(1000):
        pass
    with room.held(100):
        pass


def test_room_is_given_back_after_an_error() -> None:
    room = Room(100)
    with pytest.raises(KeyError), room.held(100):
        raise KeyError
    with room.held(100):
        pass


def test_a_folder_that_holds_as_much_as_it_may_is_one_sentence(tmp_path: Path) -> None:
    room = Room(100, tmp_path, 20_000, Clock())
    (tmp_path / "a").write_bytes(bytes(9_000))
    os.link(tmp_path / "a", tmp_path / "b")
    assert size_of(tmp_path) < 18_000, "a file with two names counts once"
    with room.held(1):
        pass
    (tmp_path / "c").write_bytes(bytes(20_000))
    with pytest.raises(ColorflowError, match=FULL), room.held(1):
        pass


def test_many_small_files_are_counted_by_what_they_take(tmp_path: Path) -> None:
    for number in range(10):
        (tmp_path / f"{number}").write_bytes(b"1")
    assert size_of(tmp_path) >= 10 * 4096


def test_a_disk_that_is_almost_full_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ColorflowError, match=FULL):
        Room(100, tmp_path).check_disk(2**60)


def test_counting_takes_a_small_part_of_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, counts = Clock(), []

    def count(_: Path) -> int:
        clock.now += 1
        counts.append(clock.now)
        return 50

    monkeypatch.setattr(room_module, "size_of", count)
    room = Room(100, tmp_path, 100, clock)
    room.check_disk(50)
    room.note_stored(40)
    room.check_disk(10)
    with pytest.raises(ColorflowError, match=FULL):
        room.check_disk(11)
    clock.now += 100
    room.check_disk(50)
    counts.clear()
    for _ in range(100):
        room.check_disk()
        clock.now += 1
    assert 4 <= len(counts) <= 7


# uploads


async def store(uploads: Uploads, visitor: str, size: int, *, stored: bool = True) -> None:
    async with uploads.receiving(visitor, size) as upload:
        upload.stored = stored


@pytest.mark.anyio
async def test_a_visitor_may_send_so_much_within_an_hour() -> None:
    clock = Clock()
    uploads = Uploads(Room(), 3 * 2**20, 3600, clock)
    await store(uploads, "ada", 2**20)
    clock.now = 1800
    await store(uploads, "ada", 2 * 2**20)
    with pytest.raises(ColorflowError, match="as one visitor may, 3 MB"):
        await store(uploads, "ada", 1)
    await store(uploads, "bob", 3 * 2**20)
    clock.now = 3700
    await store(uploads, "ada", 2**20)
    with pytest.raises(ColorflowError):
        await store(uploads, "ada", 1)


@pytest.mark.anyio
async def test_what_is_not_stored_does_not_count() -> None:
    uploads = Uploads(Room(), 100, 3600)
    for _ in range(3):
        await store(uploads, "ada", 100, stored=False)
    with pytest.raises(ConnectionError):
        async with uploads.receiving("ada", 100):
            raise ConnectionError
    async with uploads.receiving("ada", 60):
        with pytest.raises(ColorflowError):
            await store(uploads, "ada", 60)


@pytest.mark.anyio
async def test_uploads_that_are_under_way_count_for_all(tmp_path: Path) -> None:
    uploads = Uploads(Room(100, tmp_path, 100), 100, 3600)
    async with uploads.receiving("ada", 60):
        with pytest.raises(ColorflowError, match=FULL):
            await store(uploads, "bob", 60)
    await store(uploads, "bob", 60)

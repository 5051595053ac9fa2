"""Bounds of memory and disk, and who counts as one visitor; without a server."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from colorflow.errors import ColorflowError
from colorflow.ui import limits as limits_module
from colorflow.ui.limits import FULL, DiskQuota, MemoryBudget, size_of, visitor_of

LONG = 30.0


class Clock:
    """Tells a time that tests set."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def visitor(account: str | None, address: str) -> str:
    return visitor_of(SimpleNamespace(client=SimpleNamespace(host=address)), account)


def test_a_visitor_is_an_account_or_a_household() -> None:
    assert visitor("ada", "10.0.0.1") == visitor("ada", "10.0.0.2")
    assert visitor(None, "10.0.0.1") != visitor(None, "10.0.0.2")
    assert visitor(None, "2001:db8::1") == visitor(None, "2001:db8::ffff:2")
    assert visitor(None, "2001:db8::1") != visitor(None, "2001:db8:0:1::1")
    assert visitor(None, "::ffff:10.0.0.1") == visitor(None, "10.0.0.1")
    assert visitor("10.0.0.1", "10.0.0.2") != visitor(None, "10.0.0.1")
    assert visitor_of(SimpleNamespace(client=None), None) == visitor_of(None, None)


# memory


class Worker(threading.Thread):
    """Holds pixels until it is told to end."""

    def __init__(self, budget: MemoryBudget, pixels: int) -> None:
        super().__init__(daemon=True)
        self._budget, self._pixels = budget, pixels
        self.began, self.end = threading.Event(), threading.Event()
        self.start()

    def run(self) -> None:
        with self._budget.reserve(self._pixels):
            self.began.set()
            self.end.wait(LONG)

    def leave(self) -> None:
        self.end.set()
        self.join(LONG)


def queued(budget: MemoryBudget, pixels: int, behind: int) -> Worker:
    """A worker that has got in line."""
    worker = Worker(budget, pixels)
    with budget._changed:
        pass
    while len(budget._waiting) < behind and not worker.began.is_set():
        threading.Event().wait(0.01)
    return worker


def test_no_more_pixels_are_held_at_once_than_one_photo_may_have() -> None:
    budget = MemoryBudget(100)
    first = Worker(budget, 60)
    assert first.began.wait(LONG)
    large, small = queued(budget, 60, behind=1), queued(budget, 10, behind=2)
    assert not large.began.is_set()
    assert not small.began.is_set(), "whoever came before it would wait forever"
    first.leave()
    assert large.began.wait(LONG)
    assert small.began.wait(LONG)
    for worker in (large, small):
        worker.leave()
    with budget.reserve(100):
        pass


def test_more_than_all_is_held_alone() -> None:
    budget = MemoryBudget(100)
    with budget.reserve(1000):
        pass
    with budget.reserve(100):
        pass


def test_pixels_are_given_back_after_an_error() -> None:
    budget = MemoryBudget(100)
    with pytest.raises(KeyError), budget.reserve(100):
        raise KeyError
    with budget.reserve(100):
        pass


# disk


def test_a_full_folder_is_one_sentence(tmp_path: Path) -> None:
    quota = DiskQuota(tmp_path, 20_000, clock=Clock())
    (tmp_path / "a").write_bytes(bytes(9_000))
    os.link(tmp_path / "a", tmp_path / "b")
    assert size_of(tmp_path) < 18_000, "a file with two names counts once"
    quota.check()
    (tmp_path / "c").write_bytes(bytes(20_000))
    with pytest.raises(ColorflowError, match=FULL), MemoryBudget(100, quota).reserve(1):
        pass


def test_small_files_count_by_what_they_take_on_the_disk(tmp_path: Path) -> None:
    for number in range(10):
        (tmp_path / f"{number}").write_bytes(b"1")
    assert size_of(tmp_path) >= 10 * 4096


def test_a_disk_that_is_almost_full_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ColorflowError, match=FULL):
        DiskQuota(tmp_path).check(2**60)


@pytest.mark.anyio
async def test_measuring_takes_a_small_part_of_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, measured = Clock(), []

    def measure(_: Path) -> int:
        clock.now += 1
        measured.append(clock.now)
        return 50

    monkeypatch.setattr(limits_module, "size_of", measure)
    quota = DiskQuota(tmp_path, 100, clock=clock)
    quota.check(50)
    await upload(quota, "ada", 40)
    quota.check(10)
    with pytest.raises(ColorflowError, match=FULL):
        quota.check(11)
    clock.now += 100
    quota.check(50)
    measured.clear()
    for _ in range(100):
        quota.check()
        clock.now += 1
    assert 4 <= len(measured) <= 7


async def upload(quota: DiskQuota, visitor: str, size: int, *, stored: bool = True) -> None:
    async with quota.receiving(visitor, size) as one:
        one.stored = stored


@pytest.mark.anyio
async def test_a_visitor_s_uploads_are_bounded_for_an_hour(tmp_path: Path) -> None:
    clock = Clock()
    quota = DiskQuota(tmp_path, visitor_bytes=3 * 2**20, clock=clock)
    await upload(quota, "ada", 2**20)
    clock.now = 1800
    await upload(quota, "ada", 2 * 2**20)
    with pytest.raises(ColorflowError, match="as one visitor may, 3 MB"):
        await upload(quota, "ada", 1)
    await upload(quota, "bob", 3 * 2**20)
    clock.now = 3700
    await upload(quota, "ada", 2**20)
    with pytest.raises(ColorflowError):
        await upload(quota, "ada", 1)


@pytest.mark.anyio
async def test_what_is_not_stored_does_not_count(tmp_path: Path) -> None:
    quota = DiskQuota(tmp_path, visitor_bytes=100)
    for _ in range(3):
        await upload(quota, "ada", 100, stored=False)
    with pytest.raises(ConnectionError):
        async with quota.receiving("ada", 100):
            raise ConnectionError
    async with quota.receiving("ada", 60):
        with pytest.raises(ColorflowError):
            await upload(quota, "ada", 60)


@pytest.mark.anyio
async def test_uploads_under_way_count_for_all(tmp_path: Path) -> None:
    quota = DiskQuota(tmp_path, 100)
    async with quota.receiving("ada", 60):
        with pytest.raises(ColorflowError, match=FULL):
            await upload(quota, "bob", 60)
    await upload(quota, "bob", 60)

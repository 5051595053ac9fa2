"""How much may lie on the disk, of all visitors and of each; without a server."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import pytest

from colorflow.errors import ColorflowError
from colorflow.ui import disk_quota
from colorflow.ui.disk_quota import FULL, DiskQuota, size_of
from colorflow.ui.limits import MemoryBudget
from colorflow.ui.storage import VISITORS

KIB = 1024


class Clock:
    """Tells a time that tests set."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


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
    (tmp_path / "empty").touch()
    assert size_of(tmp_path) >= 11 * 4096


def test_a_disk_that_is_almost_full_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ColorflowError, match=FULL):
        DiskQuota(tmp_path).check(2**60)


@pytest.mark.anyio
async def test_measuring_takes_a_small_part_of_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, measured = Clock(), []

    def measure(_: Path, *, apart: bool) -> int:
        if not apart:
            clock.now += 1
            measured.append(clock.now)
        return 0 if apart else 50

    monkeypatch.setattr(disk_quota, "size_of", measure)
    quota = DiskQuota(tmp_path, 100, clock=clock)
    quota.check(50)
    await upload(quota, "ada", 20)
    quota.check(30)
    with pytest.raises(ColorflowError, match=FULL):
        quota.check(31)
    clock.now += 100
    quota.check(50)
    measured.clear()
    for _ in range(100):
        quota.check()
        clock.now += 1
    assert 4 <= len(measured) <= 7


async def upload(
    quota: DiskQuota, visitor: str, size: int, path: Path | None = None, *, stored: bool = True
) -> None:
    """Send bytes in two pieces, without saying how many; they are written to a file."""
    async with quota.receiving(visitor) as one:
        one.arrived(size - size // 2)
        one.arrived(size // 2)
        one.stored = stored
        if path:
            path.write_bytes(bytes(size))


@pytest.mark.anyio
async def test_a_visitor_may_have_as_much_as_is_left_for_others(tmp_path: Path) -> None:
    quota = DiskQuota(tmp_path, 80 * KIB)
    await upload(quota, "ada", 30 * KIB, tmp_path / "1")
    with pytest.raises(ColorflowError, match="as much as one visitor may: 0 MB are yours"):
        await upload(quota, "ada", 11 * KIB, tmp_path / "2")
    await upload(quota, "ada", 10 * KIB, tmp_path / "2")
    await upload(quota, "bob", 20 * KIB, tmp_path / "3")
    with pytest.raises(ColorflowError, match="as one visitor may"):
        await upload(quota, "bob", 1 * KIB)
    await upload(quota, "eve", 10 * KIB, tmp_path / "4")
    with pytest.raises(ColorflowError, match=FULL):
        quota.check(11 * KIB)


@pytest.mark.anyio
async def test_what_is_announced_is_refused_before_it_arrives(tmp_path: Path) -> None:
    quota = DiskQuota(tmp_path, 80 * KIB)
    with pytest.raises(ColorflowError, match="as one visitor may"):
        async with quota.receiving("ada", 41 * KIB):
            raise AssertionError
    async with quota.receiving("ada", 40 * KIB) as one:
        one.arrived(40 * KIB)


@pytest.mark.anyio
async def test_bytes_count_while_they_arrive_whatever_was_announced(tmp_path: Path) -> None:
    quota = DiskQuota(tmp_path, 80 * KIB)
    async with quota.receiving("ada", 1) as one, quota.receiving("ada", 1) as other:
        one.arrived(30 * KIB)
        with pytest.raises(ColorflowError, match="as one visitor may"):
            other.arrived(11 * KIB)


@pytest.mark.anyio
async def test_uploads_count_for_an_hour(tmp_path: Path) -> None:
    clock = Clock()
    quota = DiskQuota(tmp_path, 8 * KIB, clock=clock)
    await upload(quota, "ada", 4 * KIB, tmp_path / "old")
    clock.now = 3500
    with pytest.raises(ColorflowError):
        await upload(quota, "ada", 1)
    (tmp_path / "old").unlink()
    clock.now = 3700
    await upload(quota, "ada", 4 * KIB)


async def broken_off(quota: DiskQuota, size: int) -> None:
    with suppress(ConnectionError):
        async with quota.receiving("ada") as one:
            one.arrived(size)
            raise ConnectionError


@pytest.mark.anyio
async def test_what_is_not_stored_does_not_count(tmp_path: Path) -> None:
    quota = DiskQuota(tmp_path, 200)
    for _ in range(3):
        await upload(quota, "ada", 100, stored=False)
    await broken_off(quota, 100)
    await upload(quota, "ada", 100)


@pytest.mark.anyio
async def test_tiny_uploads_count_by_what_they_take_on_the_disk(tmp_path: Path) -> None:
    quota = DiskQuota(tmp_path, 2**20)
    async with quota.receiving("ada") as one:
        one.arrived(10_000)
        one.stored_files(100)
        for number in range(100):
            (tmp_path / f"{number}").mkdir()
            (tmp_path / f"{number}" / "a").write_bytes(b"1")
    with pytest.raises(ColorflowError, match="as one visitor may: 1 MB are yours"):
        await upload(quota, "ada", 1)


@pytest.mark.anyio
async def test_uploads_under_way_count_for_all(tmp_path: Path) -> None:
    quota = DiskQuota(tmp_path, 100)
    async with quota.receiving("ada") as one:
        one.arrived(50)
        async with quota.receiving("bob") as other:
            other.arrived(25)
            with pytest.raises(ColorflowError, match=FULL):
                quota.check(26, "eve")


def test_results_count_for_their_visitor_alone(tmp_path: Path) -> None:
    clock, at_work = Clock(), ["ada"]
    (tmp_path / VISITORS).mkdir()
    quota = DiskQuota(tmp_path, 200 * KIB, at_work=lambda: at_work[0], clock=clock)
    folder = quota.folder_at_work(tmp_path / VISITORS)
    assert folder.parent == tmp_path / VISITORS
    (folder / "result.png").write_bytes(bytes(90 * KIB))
    clock.now = 1
    with pytest.raises(ColorflowError, match="as one visitor may"):
        quota.check(10 * KIB)
    at_work[0] = "bob"
    assert quota.folder_at_work(tmp_path / VISITORS) != folder
    quota.check(10 * KIB)
    (folder / "result.png").unlink()
    at_work[0], clock.now = "ada", 2
    quota.check(50 * KIB)


def test_nobody_s_work_is_in_no_visitor_s_folder(tmp_path: Path) -> None:
    assert DiskQuota(tmp_path).folder_at_work(tmp_path) == tmp_path


@pytest.mark.anyio
async def test_an_upload_that_is_open_in_a_tab_counts_once(tmp_path: Path) -> None:
    clock = Clock()
    (tmp_path / VISITORS).mkdir()
    quota = DiskQuota(tmp_path, 200 * KIB, at_work=lambda: "ada", clock=clock)
    upload_, own = tmp_path / "upload", quota.folder_at_work(tmp_path / VISITORS)
    upload_.write_bytes(bytes(60 * KIB))
    await upload(quota, "ada", 60 * KIB)
    os.link(upload_, own / "photo")
    os.link(upload_, own / "photo of another tab")
    clock.now = 1
    quota.check(30 * KIB)
    upload_.unlink()  # after an hour
    assert size_of(own, apart=True) == 60 * KIB

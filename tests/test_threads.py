"""One thread computes the model of colors; afterwards the caller has as many as before."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from colorflow import device
from colorflow.color.full_resolution import LightnessRows, render
from colorflow.colorizer import Colorizer
from colorflow.device import one_thread
from colorflow.model.pyramid import ChromaPyramid
from tests.small_weights import save_small_weights

BEFORE = 3
ROUNDS = 40


def in_a_new_thread(function: Callable[[], int]) -> int:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function).result()


@pytest.fixture(autouse=True)
def _several_threads() -> Iterator[None]:
    torch.set_num_threads(BEFORE)
    yield
    torch.set_num_threads(1)


@pytest.fixture
def blas() -> Iterator[Callable[[], int]]:
    """NumPy's number of threads, which is 2."""
    found = device._openblas()
    if found is None:
        pytest.skip("NumPy multiplies with another library")
    get, set_to = found
    before = get()
    set_to(2)
    yield get
    set_to(before)


def test_one_inside_and_as_many_as_before_outside(blas: Callable[[], int]) -> None:
    with one_thread():
        assert (torch.get_num_threads(), blas()) == (1, 1)
        with one_thread():
            assert (torch.get_num_threads(), blas()) == (1, 1)
        assert (torch.get_num_threads(), blas()) == (1, 1)
    assert (torch.get_num_threads(), blas()) == (BEFORE, 2)
    with pytest.raises(KeyboardInterrupt), one_thread():
        raise KeyboardInterrupt
    assert (torch.get_num_threads(), blas()) == (BEFORE, 2)


def test_other_threads_keep_pytorchs_setting() -> None:
    """Those that have computed before, and those that begin meanwhile, which would keep the 1."""
    with ThreadPoolExecutor(1) as older, ThreadPoolExecutor(1) as newer:
        assert older.submit(torch.get_num_threads).result() == BEFORE
        with one_thread():
            assert older.submit(torch.get_num_threads).result() == BEFORE
            assert newer.submit(torch.get_num_threads).result() == BEFORE
        assert newer.submit(torch.get_num_threads).result() == BEFORE
    assert in_a_new_thread(torch.get_num_threads) == BEFORE


def test_a_thread_of_its_own_setting_keeps_it_and_what_others_begin_with() -> None:
    def own() -> int:
        torch.set_num_threads(2)
        torch.get_num_threads()
        with one_thread():
            assert torch.get_num_threads() == 1
        return torch.get_num_threads()

    torch.set_num_threads(BEFORE)
    assert in_a_new_thread(own) == 2
    assert torch.get_num_threads() == BEFORE


def test_the_last_of_several_threads_gives_back(blas: Callable[[], int]) -> None:
    """They enter and leave in any order; inside each has one thread all the time."""
    start = threading.Barrier(4)

    def work(number: int) -> list[tuple[int, int]]:
        seen, generator = [], np.random.default_rng(number)
        start.wait()
        for _ in range(ROUNDS):
            with one_thread():
                seen.append((torch.get_num_threads(), blas()))
                threading.Event().wait(generator.random() / 1000)
                seen.append((torch.get_num_threads(), blas()))
        return [*seen, (torch.get_num_threads(), 1)]

    with ThreadPoolExecutor(4) as pool:
        for seen in pool.map(work, range(4)):
            assert set(seen[:-1]) == {(1, 1)}
            assert seen[-1] == (BEFORE, 1)
    assert blas() == 2
    assert in_a_new_thread(torch.get_num_threads) == BEFORE


def test_another_library_of_numpys_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "_openblas", lambda: None)
    with one_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == BEFORE


def test_a_coloring_is_computed_with_one_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, blas: Callable[[], int]
) -> None:
    """All that goes through the flow, both ways, its pixels, and its weights as they are loaded."""
    seen: set[tuple[int, int]] = set()

    def watched(name: str) -> None:
        function = getattr(ChromaPyramid, name)

        def watching(*arguments: object, **options: object) -> object:
            seen.add((torch.get_num_threads(), blas()))
            return function(*arguments, **options)

        monkeypatch.setattr(ChromaPyramid, name, watching)

    path = save_small_weights(tmp_path / "small.safetensors")
    for name in ("load_state_dict", "to", "refine", "decode", "encode", "log_prob", "complete"):
        watched(name)
    watched("predict")
    colorizer = Colorizer.load(path)
    photo = np.arange(64 * 48, dtype=np.uint8).reshape(64, 48)
    (coloring,) = colorizer.colorize(photo, 1, force=True)
    for use in (
        lambda: coloring.log_prob,
        lambda: colorizer.open(photo).interpolate(0, coloring, 3),
        lambda: colorizer.open(photo).reproduce([coloring]),
        lambda: colorizer.open(photo).uncertainty(19),
        lambda: list(colorizer.colorize_progressively(photo)),
        lambda: colorizer.open(photo).log_prob(),
    ):
        use()
    assert seen == {(1, 1)}
    assert (torch.get_num_threads(), blas()) == (BEFORE, 2)


def test_pixels_are_rendered_with_one_thread_of_numpy(blas: Callable[[], int]) -> None:
    inside = set()

    class Watched(LightnessRows):
        def __getitem__(self, rows: slice, /) -> NDArray[np.float32]:
            inside.add(blas())
            return super().__getitem__(rows)

    render(Watched(np.zeros((300, 400), np.uint8)), np.zeros((2, 64, 64), np.float32))
    assert inside == {1}
    assert blas() == 2

"""What tests of the quiz need: photos, a Colorizer that predicts what it is told, a clock."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import cache, partial
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import skimage.data
from PIL import Image

from colorflow.color.full_resolution import LightnessRows, render
from colorflow.color.grid import to_grid
from colorflow.photo import Kind, Photo, photo_from_image
from colorflow.quiz import game as game_module
from colorflow.quiz.trials import PhotoPool, Trial

SIZE = (48, 64)
"""Rows and columns."""
TRIALS = 8
"""Of a test in `play`; the page's has 40."""


def save_album(folder: Path, n: int) -> list[Path]:
    """Saves n distinct color photos."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{number:03}.png" for number in range(n)]
    for path, piece in zip(paths, _pieces(n), strict=True):
        Image.fromarray(piece).save(path)
    return paths


@cache
def _pieces(n: int) -> list[np.ndarray]:
    """Pieces of a photo with plain colors, also with its channels changed for each other."""
    return list(islice(_all_pieces(), n))


def _all_pieces() -> Iterator[np.ndarray]:
    rows, columns = SIZE
    whole = skimage.data.astronaut()
    for top in range(0, 512 - rows, rows):
        for left in range(0, 512 - columns, columns):
            piece = whole[top : top + rows, left : left + columns]
            for channels in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
                mixed = np.ascontiguousarray(piece[..., channels])
                if photo_from_image(mixed).kind is Kind.COLORED:
                    yield mixed


class Painter:
    """Predicts the photo's own chroma, moved along a by `shift` times the sample's number from 1.

    With a shift of 0 nothing at all tells a sample from the truth. Principal colorings move the
    other way.
    """

    digest = "painter"

    def __init__(self, shift: float) -> None:
        self.shift = shift
        self.calls: list[tuple[int, float, int]] = []

    def colorize(
        self,
        photo: Photo,
        n: int,
        temperature: float,
        seed: int,
        /,
        *,
        samples: bool = False,
        force: bool,
    ) -> Any:
        assert force
        self.calls.append((n, temperature, seed))
        shift = self.shift if samples else -self.shift
        ab = to_grid(photo.pixels)[None].repeat(n, axis=0)
        ab[:, 0] += shift * np.arange(1, n + 1, dtype=np.float32)[:, None, None]
        rows = LightnessRows(photo.pixels)
        return [SimpleNamespace(ab=one, render=partial(render, rows, one)) for one in ab]


def stored_answers(path: Path) -> list[dict[str, Any]]:
    """All rows of a file of answers, the oldest first."""
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute("select * from answers order by id")]


def damage_answers(path: Path) -> None:
    """Put something else in the place of a file of answers."""
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    path.write_bytes(b"no database, for whatever reason " * 99)


def scanned(pool: PhotoPool) -> PhotoPool:
    """The pool, once all of its files have been scanned."""
    pool.wait_for_more(len(pool.files))
    assert pool.complete
    return pool


def wrong(trial: Trial) -> int:
    """Position of a picture that is not the true one."""
    return (trial.truth + 1) % trial.k


class Clock:
    """Goes on by so many seconds whenever it is looked at."""

    def __init__(self) -> None:
        self.seconds, self._now = 10.0, 0.0

    def __call__(self) -> float:
        self._now += self.seconds
        return self._now


def clock_of_games(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Each answer of a game comes `seconds` after its round."""
    clock = Clock()
    monkeypatch.setattr(game_module, "time", SimpleNamespace(monotonic=clock))
    return clock

"""A Colorizer that needs no weights.

As a program, ``colorflow app`` with that Colorizer, or with the one of ``--weights``, and with
small weights for enlarging: ``python fake_colorizer.py --port 8000``. In the environment,
KEEP_SECONDS takes the place of the hour that visitors' files are kept. With QUIZ_TRIALS, the
quiz's test has so many trials, and answers count however soon they come.
"""

from __future__ import annotations

import os
import sys
import tempfile
import threading
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
from torch import nn

from colorflow.enlarge.enlarger import Enlarger
from colorflow.enlarge.weights import load_enlarge_weights
from colorflow.model.things import Thing
from colorflow.photo import Photo
from colorflow.recipe import ColoringSpec, Colors, Hint, Recipe, Weights
from colorflow.repair.model import FillConfig, FillModel, RepairWeights
from colorflow.repair.network import UNetConfig
from colorflow.repair.repairer import Repairer
from colorflow.repair.strips import Strips
from colorflow.result import Result
from tests.small_weights import save_small_enlarge_weights

AB = ((40, 20), (-35, 30), (10, -40), (45, -30), (-5, 50))
"""Chroma (a, b) in CIELAB units, by seed modulo their number."""
LEVELS = (4, 8, 16, 32, 64)
HELD_WIDTH = 77
"""A photo of this width is colored when there is no file of the name HOLD in the folder for
temporary files."""
HOLD = "hold"


class FakeColorizer:
    """Gives each seed one chroma all over; raises `error` if set.

    Principal coloring i has the chroma of seed + i. Details change it by a little. The first
    hint, if there is one, gives its own, and references give theirs by the share of the strength.
    """

    takes_hints = True
    levels = LEVELS

    def __init__(self) -> None:
        self.digest = "fake"
        self.error: BaseException | None = None
        self.hinted: list[tuple[Hint, ...]] = []
        """The hints of each call."""

    @classmethod
    def load(cls, weights: Path | None = None) -> FakeColorizer:
        return cls()

    def things(self, photo: Photo) -> list[Thing]:
        """The left half of the photo, and the right one; each is made of squares of 32 cells."""
        left = np.zeros((192, 192), bool)
        left[:, :96] = True
        squares = np.arange(36).reshape(6, 6).repeat(32, 0).repeat(32, 1)
        parts = {"sky": left, "building": ~left}
        return [Thing(name, 0.9, mask, squares) for name, mask in parts.items()]

    def colorize(
        self,
        photo: Photo,
        n: int,
        temperature: float = 1.0,
        seed: int = 0,
        *,
        samples: bool = False,
        force: bool = False,
        hints: Sequence[Hint] = (),
        reference: Sequence[Photo] = (),
        strength: float = 0.0,
        skin: bool = True,
    ) -> list[Result]:
        assert force, "visitors color what they like"
        if photo.width == HELD_WIDTH:
            _wait_while_held()
        plain = ColoringSpec(
            seeds=(seed,) * len(LEVELS),
            temperature=temperature,
            skin=skin,
            strength=strength if reference else 0.0,
        )
        shares: tuple[float | None, ...] = (None,) * n if samples else fake_shares(n)
        specs = [
            plain.sample_spec(seed + i) if samples else plain.principal_spec(i, n) for i in range(n)
        ]
        made = self._made(photo, specs, shares, hints, len(reference))
        for one in made:
            for other in reference:
                one.grid = one.ab + strength * (_mean_chroma(other) - one.ab)
        return made

    def colored(
        self,
        photo: Photo,
        digest: str | None,
        colors: Sequence[Colors],
        references: Sequence[tuple[Photo, str | None]] = (),
    ) -> list[Result]:
        """As `colorize`, by recipes."""
        if photo.width == HELD_WIDTH:
            _wait_while_held()
        (hints,) = {each.hints for each in colors}
        assert not isinstance(hints, str)
        shares = tuple(
            each.spec.principal and fake_shares(len(colors))[each.spec.principal.number]
            for each in colors
        )
        return self._made(photo, [each.spec for each in colors], shares, hints, len(references))

    def colorize_progressively(
        self, photo: Photo, n: int, temperature: float, seed: int = 0, *, skin: bool = True
    ) -> Iterator[Result]:
        """As `colorize`, one after the other."""
        yield from self.colorize(photo, n, temperature, seed, force=True, skin=skin)

    def open(
        self, photo: Photo, *, hints: Sequence[Hint] = (), reference: Sequence[Photo] = ()
    ) -> _FakeOpenPhoto:
        return _FakeOpenPhoto(self, photo, hints, len(reference))

    def _made(
        self,
        photo: Photo,
        specs: Sequence[ColoringSpec],
        shares: Sequence[float | None] = (),
        hints: Sequence[Hint] = (),
        references: int = 0,
    ) -> list[Result]:
        if self.error:
            raise self.error
        colors = [one.seed + (one.principal.number if one.principal else 0) for one in specs]
        ab = np.array([AB[one % len(AB)] for one in colors], np.float32)
        ab += np.array(
            [[((one.seeds[-1] or one.seed) - one.seed) % 7] for one in specs], np.float32
        )
        if hints:
            ab[:] = hints[0].a, hints[0].b
        self.hinted.append(tuple(hints))
        digests = ("0" * 16,) * references
        return [
            Result(
                photo,
                Recipe(colors=Colors(spec=spec, hints=tuple(hints), references=digests)),
                weights=Weights(colors=self.digest),
                grid=own[:, None, None].copy(),
                chroma=own[:, None, None].copy,
                share=share,
                density=lambda own=own: -100 * float(np.abs(own).mean()),
            )
            for spec, own, share in zip(specs, ab, shares or [None] * len(specs), strict=True)
        ]


class _FakeOpenPhoto(NamedTuple):
    """What a `FakeColorizer` can do with one photo."""

    colorizer: FakeColorizer
    photo: Photo
    hints: Sequence[Hint]
    references: int

    def resample(
        self, spec: ColoringSpec, levels: Collection[int], seed: int, n: int
    ) -> list[Result]:
        indices = [LEVELS.index(level) for level in levels]
        return self.reproduce([spec.resampled(indices, seed + i) for i in range(n)])

    def reproduce(self, specs: Sequence[ColoringSpec]) -> list[Result]:
        return self.colorizer._made(self.photo, specs, (), self.hints, self.references)

    def likeness(self) -> np.ndarray:
        """The left half is alike."""
        return np.repeat(np.arange(64)[None] < 32, 64, axis=0).astype(np.float32)

    def decode_by_level(self, seed: int) -> Any:
        """Grids that fill with the seed's chroma, and latents that say their level."""
        if self.colorizer.error:
            raise self.colorizer.error
        chroma = np.array(AB[seed % len(AB)], np.float32)[:, None, None]
        return [
            SimpleNamespace(
                latents=np.full((6 if index else 2, max(4, side // 2), max(4, side // 2)), index),
                ab=np.broadcast_to(chroma * (index + 1) / len(LEVELS), (2, side, side)),
            )
            for index, side in enumerate(LEVELS)
        ]

    def interpolate(self, start: int, end: int, steps: int) -> np.ndarray:
        """Straight from the chroma of one seed to that of the other."""
        first, last = (np.array(AB[seed % len(AB)], np.float32) for seed in (start, end))
        shares = np.linspace(0, 1, steps, dtype=np.float32)[:, None]
        return ((1 - shares) * first + shares * last)[:, :, None, None]

    def uncertainty(self) -> Any:
        """None on the left, half of the most that is shown in the middle, all on the right."""
        if self.colorizer.error:
            raise self.colorizer.error
        return SimpleNamespace(
            at_full_size=lambda lightness: np.broadcast_to(
                np.linspace(0, 60, lightness.shape[1], dtype=np.float32), lightness.shape
            )
        )


def fake_shares(n: int) -> tuple[float, ...]:
    """1 for the mean, then 1 / 2, 1 / 4, ...; the last two are equal, so that they add up to 1."""
    modes = [2.0 ** -(i + 1) for i in range(n - 1)]
    return (1.0, *modes[:-1], *([2 * modes[-1]] if n > 1 else []))


def _wait_while_held() -> None:
    while (Path(tempfile.gettempdir()) / HOLD).exists():
        threading.Event().wait(0.05)


class SmallEnlarger(Enlarger):
    """Enlarges with small weights."""

    @classmethod
    def load(cls, *_: object) -> SmallEnlarger:
        with tempfile.TemporaryDirectory() as folder:
            path = save_small_enlarge_weights(Path(folder) / "enlarge.safetensors")
            return cls(load_enlarge_weights(path))


class SmallRepairer(Repairer):
    """What is nearly white is damage; it is filled by the first guess."""

    @classmethod
    def load(cls, *_: object) -> SmallRepairer:
        finder: Any = _WhatIsNearlyWhite()
        fill = _FirstGuess(FillConfig(mean=UNetConfig(widths=(6, 8)), coupling_width=8, bins=4))
        return cls(RepairWeights(finder=finder, fill=fill, training={}, digest="0" * 16))


class _WhatIsNearlyWhite(nn.Module):
    multiple = 2

    def strips(self, strips: Strips) -> Strips:
        return (2 * (lightness - 94) for lightness in strips)


class _FirstGuess(FillModel):
    def strips(self, strips: Strips, temperature: float = 1.0) -> Strips:
        return (planes[:, :1] for planes in strips)


def _mean_chroma(photo: Photo) -> np.ndarray:
    """(2, 1, 1) mean a and b, CIELAB units."""
    from colorflow.color.grid import to_grid

    return to_grid(photo.pixels).mean(axis=(1, 2), keepdims=True)


def _tell_of_other_machines(event: str, arguments: tuple[object, ...]) -> None:
    """Audit hook: print each connection that leaves this machine, and each name looked up."""
    if event == "socket.getaddrinfo":
        host = arguments[0]
    elif event == "socket.connect" and isinstance(arguments[1], tuple):
        host = arguments[1][0]
    else:
        return
    if host not in (None, "", "localhost", "127.0.0.1", "::1"):
        print(f"LEFT THE MACHINE: {event} {host}", flush=True)


if __name__ == "__main__":
    sys.addaudithook(_tell_of_other_machines)
    from colorflow import colorizer
    from colorflow.cli import main
    from colorflow.enlarge import enlarger
    from colorflow.quiz import game, store
    from colorflow.repair import repairer
    from colorflow.ui import server

    if "--weights" not in sys.argv:
        colorizer.Colorizer = FakeColorizer  # type: ignore[assignment, misc]
    enlarger.Enlarger = SmallEnlarger  # type: ignore[misc]
    repairer.Repairer = SmallRepairer  # type: ignore[misc]
    server.KEEP_SECONDS = float(os.environ.get("KEEP_SECONDS", server.KEEP_SECONDS))
    if "QUIZ_TRIALS" in os.environ:
        from colorflow.ui import quiz  # imports Gradio, which then chooses its folder

        game.TRIALS = quiz.TRIALS = int(os.environ["QUIZ_TRIALS"])
        store._LEAST_MILLISECONDS = 0
    sys.exit(main(["app", *sys.argv[1:]]))

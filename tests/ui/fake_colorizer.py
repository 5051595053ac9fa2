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
from collections.abc import Collection, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from torch import nn

from colorflow.coloring import Coloring, provenance_of
from colorflow.enlarge.enlarger import Enlarger
from colorflow.enlarge.weights import load_enlarge_weights
from colorflow.photo import Photo
from colorflow.repair.model import FillConfig, FillModel
from colorflow.repair.network import UNetConfig
from colorflow.repair.repairer import Repairer
from colorflow.repair.strips import Strips
from colorflow.repair.weights import RepairWeights
from tests.small_weights import save_small_enlarge_weights

AB = ((40, 20), (-35, 30), (10, -40), (45, -30), (-5, 50))
"""Chroma (a, b) in CIELAB units, by seed modulo their number."""


LEVELS = (4, 8, 16, 32, 64)

HELD_WIDTH = 77
"""A photo of this width is colored when there is no file of the name HOLD in the folder for
temporary files."""
HOLD = "hold"
"""The same holds an enlargement after its first tile."""
STEPPED_WIDTH = 78
"""Coloring a photo of this width waits for a file of the name GO... there, and deletes it."""
GO = "go-"


@dataclass(frozen=True)
class FakePrincipalSpec:
    """A principal coloring: its number among how many, and the seed of the first sample."""

    number: int
    of: int
    seed: int


@dataclass(frozen=True)
class FakeSpec:
    """Seeds of the levels, None for a level of the principal coloring, and a temperature."""

    seeds: tuple[int | None, ...]
    temperature: float = 1.0
    principal: FakePrincipalSpec | None = None
    skin: bool = True
    quick: bool = False

    @property
    def seed(self) -> int:
        own = self.seeds[0]
        if own is not None:
            return own
        assert self.principal
        return self.principal.seed

    @property
    def is_principal(self) -> bool:
        return self.principal is not None and set(self.seeds) == {None}


class FakeColorizer:
    """Gives each seed one chroma all over; remembers how it was called; raises `error` if set.

    Principal coloring i has the chroma of seed + i. Details change the chroma by a little, a
    reference by the share that its strength says.
    """

    takes_hints = False
    levels = LEVELS

    def __init__(self) -> None:
        self.digest = "fake"
        self.calls: list[tuple[int, float, int, bool]] = []
        self.error: BaseException | None = None

    @classmethod
    def load(cls, weights: Path | None = None) -> FakeColorizer:
        return cls()

    def colorize(
        self,
        photo: Photo,
        n: int,
        temperature: float = 1.0,
        seed: int = 0,
        *,
        samples: bool = False,
        force: bool = False,
        hints: Sequence[object] = (),
        reference: Photo | None = None,
        strength: float = 0.0,
        skin: bool = True,
    ) -> list[Coloring]:
        assert force, "visitors color what they like"
        self.calls.append((n, temperature, seed, samples))
        if photo.width == HELD_WIDTH:
            _wait_while_held()
        if photo.width == STEPPED_WIDTH:
            _wait_for_go()
        if samples:
            seeds = range(seed, seed + n)
            specs = [FakeSpec((one,) * len(LEVELS), temperature, skin=skin) for one in seeds]
            made = self._made(photo, specs)
        else:
            principal = [FakePrincipalSpec(number, n, seed) for number in range(n)]
            specs = [
                FakeSpec((None,) * len(LEVELS), temperature, one, skin=skin) for one in principal
            ]
            made = self._made(photo, specs, fake_shares(n))
        if reference is not None:
            for one in made:
                one.ab += strength * (_mean_chroma(reference) - one.ab)
        return made

    def colorize_progressively(
        self, photo: Photo, n: int, temperature: float, seed: int, *, skin: bool = True
    ) -> Iterator[list[Coloring]]:
        """The first coloring, which is quick, has half of the chroma."""
        made = self.colorize(photo, n, temperature, seed, force=True, skin=skin)
        (quick,) = self._made(photo, [replace(made[0].spec, quick=True)], [1.0])  # type: ignore[type-var]
        quick.ab = quick.ab / 2
        yield [quick]
        yield made

    def resample(
        self, photo: Photo, spec: FakeSpec, levels: Collection[int], seed: int, n: int
    ) -> list[Coloring]:
        return self._made(
            photo,
            [
                FakeSpec(
                    tuple(
                        seed + i if level in levels else own
                        for level, own in zip(LEVELS, spec.seeds, strict=True)
                    ),
                    spec.temperature,
                    spec.principal,
                )
                for i in range(n)
            ],
        )

    def decode_by_level(self, photo: Photo, seed: int) -> Any:
        """Grids that fill with the seed's chroma, and latents that say their level."""
        if self.error:
            raise self.error
        chroma = np.array(AB[seed % len(AB)], np.float32)[:, None, None]
        return [
            SimpleNamespace(
                latents=np.full((6 if index else 2, max(4, side // 2), max(4, side // 2)), index),
                ab=np.broadcast_to(chroma * (index + 1) / len(LEVELS), (2, side, side)),
            )
            for index, side in enumerate(LEVELS)
        ]

    def interpolate(self, photo: Photo, start: int, end: int, steps: int) -> np.ndarray:
        """Straight from the chroma of one seed to that of the other."""
        first, last = (np.array(AB[seed % len(AB)], np.float32) for seed in (start, end))
        shares = np.linspace(0, 1, steps, dtype=np.float32)[:, None]
        return ((1 - shares) * first + shares * last)[:, :, None, None]

    def uncertainty(self, photo: Photo) -> Any:
        """None on the left, half of the most that is shown in the middle, all on the right."""
        if self.error:
            raise self.error
        return SimpleNamespace(
            at_full_size=lambda lightness: np.broadcast_to(
                np.linspace(0, 60, lightness.shape[1], dtype=np.float32), lightness.shape
            )
        )

    def _made(
        self, photo: Photo, specs: Sequence[Any], shares: Sequence[float] = ()
    ) -> list[Coloring]:
        if self.error:
            raise self.error
        ab = np.array([AB[_colors_of(one) % len(AB)] for one in specs], np.float32)
        ab += np.array(
            [[((one.seeds[-1] or one.seed) - one.seed) % 7] for one in specs], np.float32
        )
        return [
            Coloring(
                photo,
                spec,
                own[:, None, None],
                model_ab=own[:, None, None],
                share=share,
                provenance=provenance_of(spec, share, self.digest),
                density=lambda own=own: -100 * float(np.abs(own).mean()),
            )
            for spec, own, share in zip(specs, ab, shares or [None] * len(specs), strict=True)
        ]


def fake_shares(n: int) -> tuple[float, ...]:
    """1 for the mean, then 1 / 2, 1 / 4, ...; the last two are equal, so that they add up to 1."""
    modes = [2.0 ** -(i + 1) for i in range(n - 1)]
    return (1.0, *modes[:-1], *([2 * modes[-1]] if n > 1 else []))


def _colors_of(spec: FakeSpec) -> int:
    """The number of the colors of a spec in `AB`, before the modulo."""
    return spec.seed + (spec.principal.number if spec.principal else 0)


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

    def steps(self, *arguments: Any, **options: Any) -> Generator[float, None, Any]:
        steps = super().steps(*arguments, **options)
        while True:
            try:
                share = next(steps)
            except StopIteration as end:
                return end.value
            yield share
            _wait_while_held()


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
        for lightness in strips:
            _wait_while_held()
            yield 2 * (lightness - 94)


class _FirstGuess(FillModel):
    def strips(self, strips: Strips, temperature: float = 1.0) -> Strips:
        return (planes[:, :1] for planes in strips)


def _mean_chroma(photo: Photo) -> np.ndarray:
    """(2, 1, 1) mean a and b, CIELAB units."""
    from colorflow.color.grid import to_grid

    return to_grid(photo.pixels).mean(axis=(1, 2), keepdims=True)


def _wait_for_go() -> None:
    while not (files := sorted(Path(tempfile.gettempdir()).glob(f"{GO}*"))):
        threading.Event().wait(0.05)
    files[0].unlink()


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
    if "KEEP_SECONDS" in os.environ:
        from colorflow.ui import panes, quiz

        for module in (panes, quiz, server):
            module.KEEP_SECONDS = float(os.environ["KEEP_SECONDS"])  # type: ignore[attr-defined]
    if "QUIZ_TRIALS" in os.environ:
        from colorflow.ui import quiz  # imports Gradio, which then chooses its folder

        game.TRIALS = quiz.TRIALS = int(os.environ["QUIZ_TRIALS"])
        store._LEAST_MILLISECONDS = 0
    sys.exit(main(["app", *sys.argv[1:]]))

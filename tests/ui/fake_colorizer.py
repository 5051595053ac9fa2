"""A Colorizer that needs no weights.

As a program, ``colorflow app`` with that Colorizer: ``python fake_colorizer.py --port 8000``.
"""

from __future__ import annotations

import sys
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

from colorflow.photo import Photo

AB = ((40, 20), (-35, 30), (10, -40), (45, -30), (-5, 50))
"""Chroma (a, b) in CIELAB units, by seed modulo their number."""


LEVELS = (4, 8, 16, 32, 64)


@dataclass(frozen=True)
class FakeRecipe:
    """Seeds of the levels, and a temperature."""

    seeds: tuple[int, ...]
    temperature: float = 1.0


class FakeColorizer:
    """Gives each seed one chroma all over; remembers how it was called; raises `error` if set.

    Details change the chroma by a little, a reference by the share that its strength says.
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

    def draw(
        self,
        photo: Photo,
        n: int,
        temperature: float,
        seed: int,
        *,
        diverse: bool = False,
        reference: Photo | None = None,
        strength: float = 0.0,
    ) -> Any:
        self.calls.append((n, temperature, seed, diverse))
        seeds = [seed + i * (3 if diverse else 1) for i in range(n)]
        made = self._made([FakeRecipe((one,) * len(LEVELS), temperature) for one in seeds])
        if reference is not None:
            made.ab[:] += strength * (_mean_chroma(reference) - made.ab)
        return made

    def redraw(
        self, photo: Photo, recipe: FakeRecipe, levels: Collection[int], seed: int, n: int
    ) -> Any:
        return self._made(
            [
                FakeRecipe(
                    tuple(
                        seed + i if level in levels else own
                        for level, own in zip(LEVELS, recipe.seeds, strict=True)
                    ),
                    recipe.temperature,
                )
                for i in range(n)
            ]
        )

    def uncertainty(self, photo: Photo) -> Any:
        """None on the left, half of the most that is shown in the middle, all on the right."""
        if self.error:
            raise self.error
        return SimpleNamespace(
            at_full_size=lambda lightness: np.broadcast_to(
                np.linspace(0, 60, lightness.shape[1], dtype=np.float32), lightness.shape
            )
        )

    def _made(self, recipes: list[FakeRecipe]) -> Any:
        if self.error:
            raise self.error
        ab = np.array([AB[one.seeds[0] % len(AB)] for one in recipes], np.float32)
        ab += np.array([[(one.seeds[-1] - one.seeds[0]) % 7] for one in recipes], np.float32)
        seeds = [one.seeds[0] for one in recipes]
        return SimpleNamespace(recipes=recipes, seeds=seeds, ab=ab[:, :, None, None])


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
    module = ModuleType("colorflow.colorize")
    module.Colorizer = FakeColorizer  # type: ignore[attr-defined]
    sys.modules["colorflow.colorize"] = module

    from colorflow.cli import main

    sys.exit(main(["app", *sys.argv[1:]]))

"""A Colorizer that needs no weights.

As a program, ``colorflow app`` with that Colorizer: ``python fake_colorizer.py --port 8000``.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

from colorflow.photo import Photo

AB = ((40, 20), (-35, 30), (10, -40), (45, -30), (-5, 50))
"""Chroma (a, b) in CIELAB units, by seed modulo their number."""


class FakeColorizer:
    """Gives each seed one chroma all over; remembers how it was called; raises `error` if set."""

    def __init__(self) -> None:
        self.calls: list[tuple[int, float, int, bool]] = []
        self.error: BaseException | None = None

    @classmethod
    def load(cls, weights: Path | None = None) -> FakeColorizer:
        return cls()

    def draw(self, photo: Photo, n: int, temperature: float, seed: int, *, diverse: bool) -> Any:
        self.calls.append((n, temperature, seed, diverse))
        if self.error:
            raise self.error
        seeds = [seed + i * (3 if diverse else 1) for i in range(n)]
        ab = np.array([AB[seed % len(AB)] for seed in seeds], np.float32)
        return SimpleNamespace(seeds=seeds, ab=ab[:, :, None, None])


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

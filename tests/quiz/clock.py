"""A clock for games, so that nobody has to wait for answers that count."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from colorflow.quiz import game as game_module


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

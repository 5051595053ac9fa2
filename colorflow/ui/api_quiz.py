"""Players of the quiz API: each has a game, as each visitor of the page has.

A player is known by a secret that comes with the first round of the quiz. It differs from the name
under which answers are stored: that one is exported, and all players of a visitor share it.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from colorflow.errors import ColorflowError
from colorflow.quiz.free_play import FreePlayScore
from colorflow.quiz.game import Game, Outcome, Quiz
from colorflow.quiz.trials import Trial
from colorflow.ui.limits import MAX_PLAYERS, MAX_PLAYERS_PER_VISITOR


@dataclass(slots=True)
class _Player:
    game: Game
    visitor: str
    used: float = field(default_factory=time.monotonic)


class Players:
    """The games of all players. Thread-safe.

    Args:
        quiz: shared with the page.
        root: gives the folder for a new game's folder; the server sends files from it.
    """

    def __init__(self, quiz: Quiz, root: Callable[[], Path]) -> None:
        self._quiz = quiz
        self._root = root
        self._players: OrderedDict[str, _Player] = OrderedDict()
        """By secret, the most idle first."""
        self._asked: dict[str, str] = {}
        """Secret of the player, by token of the trial."""
        self._lock = threading.Lock()

    def next_trial(self, secret: str, k: int, visitor: str) -> tuple[str, Trial]:
        """The trial that waits for the player's answer, or a new one.

        Args:
            secret: of the player; empty for a new player.
            k: number of pictures of a new trial.
            visitor: the visitor, as `visitor_of` identifies it.

        Returns:
            The player's secret, and the trial.

        Raises:
            ColorflowError: there is no such player, or no photo to show.
        """
        secret, game = self._game_of(secret, visitor)
        trial = game.play(k)
        with self._lock:
            self._asked[trial.token] = secret
        return secret, trial

    def answer(self, token: str, chosen: int) -> tuple[Outcome, FreePlayScore]:
        """Answer a trial; each counts once.

        Args:
            token: `Trial.token`.
            chosen: position of the picture, from 0.

        Raises:
            ColorflowError: no such trial waits for an answer, or it has no such picture.
        """
        with self._lock:
            player = self._players.get(self._asked.get(token, ""))
        outcome = player.game.answer(token, chosen) if player else None
        if player is None or outcome is None:
            raise ColorflowError(
                "round: no such round waits for an answer, or it has no such picture; ask for "
                "another one with /quiz_round."
            )
        with self._lock:
            player.used = time.monotonic()
            self._asked.pop(token, None)
        return outcome, player.game.score

    def forget_idle(self, seconds: float) -> None:
        """Forget players who have been idle for some time."""
        oldest = time.monotonic() - seconds
        with self._lock:
            for secret in [one for one, player in self._players.items() if player.used < oldest]:
                self._forget(secret)

    def _game_of(self, secret: str, visitor: str) -> tuple[str, Game]:
        with self._lock:
            player = self._players.get(secret)
            if player is None:
                if secret:
                    raise ColorflowError(
                        "player: nobody of that name plays here any more; leave it out to begin "
                        "anew."
                    )
                secret = secrets.token_urlsafe(16)
                game = Game(self._quiz, self._root(), visitor)
                player = self._players[secret] = _Player(game, visitor)
                own = [one for one, other in self._players.items() if other.visitor == visitor]
                if len(own) > MAX_PLAYERS_PER_VISITOR:
                    self._forget(own[0])
                elif len(self._players) > MAX_PLAYERS:
                    self._forget(next(iter(self._players)))
            player.used = time.monotonic()
            self._players.move_to_end(secret)
            return secret, player.game

    def _forget(self, secret: str) -> None:
        self._players.pop(secret).game.close()
        self._asked = {token: one for token, one in self._asked.items() if one != secret}

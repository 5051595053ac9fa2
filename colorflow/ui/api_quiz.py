"""Players of the quiz who come through the API: each has a game, as visitors of the page have.

A player is known by a secret that the first round brings. It is not the name under which the
answers are kept, which others may read in the export, and which all players of a visitor share.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path

from colorflow.errors import ColorflowError
from colorflow.quiz.game import Game, Outcome, Quiz, Score
from colorflow.quiz.rounds import Round

MOST_PLAYERS = 200
"""Of whom the server remembers the game; a further one takes the place of the most idle."""


@dataclass(slots=True)
class _Player:
    game: Game
    used: float = field(default_factory=time.monotonic)


class Players:
    """Their games. Methods may run at the same time in several threads.

    Args:
        quiz: shared with the page.
        root: folder in which the games' folders are made; the server gives its files out.
    """

    def __init__(self, quiz: Quiz, root: Path) -> None:
        self._quiz = quiz
        self._root = root
        self._players: OrderedDict[str, _Player] = OrderedDict()
        self._asked: dict[str, str] = {}
        """Player by the token of a round that was given out."""
        self._lock = threading.Lock()

    def next_round(self, player: str, k: int, visitor: str) -> tuple[str, Round]:
        """The round that waits for the player's answer, or the next one.

        Args:
            player: secret of the player; empty for a new one.
            k: pictures of the next one.
            visitor: who asks.

        Returns:
            The player's secret, and the round.

        Raises:
            ColorflowError: there is no such player, or no photo to show.
        """
        player, game = self._game_of(player, visitor)
        round_ = game.play(k)
        with self._lock:
            self._asked[round_.token] = player
        return player, round_

    def answer(self, token: str, chosen: int) -> tuple[Outcome, Score]:
        """Answer a round; each counts once.

        Args:
            token: `Round.token`.
            chosen: place of the picture, from 0.

        Raises:
            ColorflowError: no such round waits for an answer, or it has no such picture.
        """
        with self._lock:
            known = self._players.get(self._asked.get(token, ""))
        outcome = known.game.answer(token, chosen) if known else None
        if known is None or outcome is None:
            raise ColorflowError(
                "round: no such round waits for an answer, or it has no such picture; ask for "
                "another one with /quiz_round."
            )
        with self._lock:
            known.used = time.monotonic()
            self._asked.pop(token, None)
        return outcome, known.game.score

    def forget_idle(self, seconds: float) -> None:
        """Forget players who have done nothing for some time."""
        oldest = time.monotonic() - seconds
        with self._lock:
            idle = [name for name, player in self._players.items() if player.used < oldest]
            for name in idle:
                self._forget(name)

    def _game_of(self, player: str, visitor: str) -> tuple[str, Game]:
        with self._lock:
            known = self._players.get(player)
            if known is None:
                if player:
                    raise ColorflowError(
                        "player: nobody of that name plays here any more; leave it out to begin "
                        "anew."
                    )
                player = secrets.token_urlsafe(16)
                known = self._players[player] = _Player(Game(self._quiz, self._root, visitor))
                if len(self._players) > MOST_PLAYERS:
                    self._forget(next(iter(self._players)))
            known.used = time.monotonic()
            self._players.move_to_end(player)
            return player, known.game

    def _forget(self, name: str) -> None:
        self._players.pop(name).game.close()
        self._asked = {token: player for token, player in self._asked.items() if player != name}

"""Answers of the page's quiz, in one SQLite file with a row for each answer.

Players are stored by pseudonyms, and nothing else about them. Several programs and threads may
write at the same time (write-ahead log); each call has its own connection.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Literal

from colorflow.errors import EvaluationError
from colorflow.quiz.statistics import Tally

Mode = Literal["play", "test"]
"""Free play, which tells the truth after each answer; the test, which tells the result at its end.
"""

PHOTO_DIGITS = 16
"""Hexadecimal digits of a photo's digest that identify it."""

_FORMAT = 1
"""Stored as the file's `user_version`."""
_LEAST_MILLISECONDS = 500
"""Least time between a trial and its answer; nobody compares pictures within half a second."""
_MOST_MILLISECONDS = 600_000
"""Players who take longer were away, or used other means than their eyes."""
_WAIT_SECONDS = 20.0
"""How long to wait for another writer."""
_TABLE = """
create table if not exists answers (
    id integer primary key,
    player text not null,
    picture text not null,
    weights text not null,
    seed integer not null,
    temperature real not null,
    k integer not null check (k >= 2),
    truth integer not null check (truth between 0 and k - 1),
    chosen integer not null check (chosen between 0 and k - 1),
    milliseconds integer not null check (milliseconds >= 0),
    mode text not null check (mode in ('play', 'test')),
    time text not null
)
"""
_COUNTED = f"""
select k, player, sum(chosen <> truth), count(*) from answers
where weights = ? and milliseconds between ? and ? and id in (
    select min(id) from answers group by player, substr(picture, 1, {PHOTO_DIGITS})
)
group by k, player order by min(id)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerRow:
    """One answer.

    Attributes:
        player: pseudonym of the visitor.
        picture: begins with `QuizPhoto.digest`.
        weights: digest of the model.
        seed: of the first of the k - 1 samples; the others have the next seeds.
        temperature: factor on the shipped temperatures.
        k: number of pictures to choose from.
        truth: position of the true picture, from 0.
        chosen: position of the chosen picture.
        milliseconds: from showing the trial to the answer.
        mode: free play or the test.
        time: of the answer, UTC, ISO 8601.
    """

    player: str
    picture: str
    weights: str
    seed: int
    temperature: float
    k: int
    truth: int
    chosen: int
    milliseconds: int
    mode: Mode
    time: str

    @property
    def right(self) -> bool:
        """Whether the true picture was chosen."""
        return self.chosen == self.truth

    @property
    def in_time(self) -> bool:
        """Whether the answer came neither too soon nor too late to count in a fooling rate."""
        return _LEAST_MILLISECONDS <= self.milliseconds <= _MOST_MILLISECONDS


COLUMNS = tuple(field.name for field in fields(AnswerRow))


class AnswerStore:
    """The file of answers, which is made with the first one.

    Args:
        path: of the file; missing folders are made.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def check(self) -> None:
        """Make the file unless it exists.

        Raises:
            EvaluationError: answers cannot be stored in it.
        """
        with self._open(write=True) as connection, connection:
            connection.execute("begin immediate")  # requires the right to write

    def add(self, *answers: AnswerRow) -> None:
        """Store all answers or none; they are in the file when this returns.

        Raises:
            EvaluationError: they cannot be stored.
        """
        marks = ", ".join("?" * len(COLUMNS))
        with self._open(write=True) as connection, connection:
            connection.executemany(
                f"insert into answers ({', '.join(COLUMNS)}) values ({marks})",
                map(astuple, answers),
            )

    def tallies(self, weights: str) -> dict[int, dict[str, Tally]]:
        """Answers that count in a fooling rate, by number of pictures and player.

        Only a player's first answer to a photo can count: after it, the player knows the colors.

        Args:
            weights: digest of the model.

        Raises:
            EvaluationError: the file cannot be read.
        """
        found: dict[int, dict[str, Tally]] = {}
        if self.path.exists():
            with self._open(write=False) as connection:
                limits = (weights, _LEAST_MILLISECONDS, _MOST_MILLISECONDS)
                for k, player, wrong, answered in connection.execute(_COUNTED, limits):
                    found.setdefault(k, {})[player] = Tally(wrong, answered)
        return found

    @contextmanager
    def _open(self, *, write: bool) -> Iterator[sqlite3.Connection]:
        """Connect to the file; errors within the context become an EvaluationError."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self.path, timeout=_WAIT_SECONDS)) as connection:
                self._prepare(connection)
                yield connection
        except (sqlite3.Error, OSError) as error:
            reason = getattr(error, "strerror", None) or error
            raise EvaluationError(
                f"{self.path}: quiz answers cannot be {'kept' if write else 'read'} there "
                f"({reason}); name another file with --quiz-db"
            ) from error

    def _prepare(self, connection: sqlite3.Connection) -> None:
        # In this order: another program may make the tables between the two.
        (tables,) = connection.execute("select count(*) from sqlite_master").fetchone()
        (version,) = connection.execute("pragma user_version").fetchone()
        if version == _FORMAT:
            return
        if version or tables:
            raise EvaluationError(
                f"{self.path}: is a database of something else, or of a later colorflow; "
                "name another file with --quiz-db"
            )
        connection.execute("pragma journal_mode = wal")
        with connection:
            connection.execute("begin immediate")
            connection.execute(_TABLE)
            connection.execute(f"pragma user_version = {_FORMAT}")


def default_path() -> Path:
    """The file in the user's data folder of this system."""
    home = Path.home()
    if sys.platform == "win32":
        data = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    elif sys.platform == "darwin":
        data = home / "Library" / "Application Support"
    else:
        data = Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    return data / "colorflow" / "quiz.sqlite"

"""Answers of the page's quiz, kept in one SQLite file.

One row an answer. A player is a visitor under a name of `Voters`; nothing else is kept of whoever
plays. Several programs and threads may write at the same time (write-ahead log), and each
call has a connection of its own.
"""

from __future__ import annotations

import csv
import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Literal

from colorflow.errors import EvaluationError
from colorflow.quiz.fooling import Answers

Mode = Literal["play", "practice", "test"]
"""Free play with feedback; the first trials of the strict test; the others, which count."""

PHOTO_DIGITS = 16
"""Hexadecimal digits of a photo's digest, with which the name of each of its pictures begins."""

_FORMAT = 1
"""In the file's `user_version`."""
_LEAST_MILLISECONDS = {"play": 500, "test": 3000}
"""From showing a round to its answer, by modes that count. Within half a second nobody compares
pictures, and those of the strict test take three to be shown."""
_MOST_MILLISECONDS = 600_000
"""Whoever takes longer was away, or had other help than the eyes."""
_WAIT_SECONDS = 20.0
"""For another writer to finish."""
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
    mode text not null check (mode in ('play', 'practice', 'test')),
    time text not null
)
"""
_COUNTED = f"""
select mode, k, player, sum(chosen <> truth), count(*) from answers
where weights = ? and counts(mode, milliseconds) and id in (
    select min(id) from answers group by player, substr(picture, 1, {PHOTO_DIGITS})
)
group by mode, k, player order by min(id)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One row.

    Attributes:
        player: name of the visitor.
        picture: begins with `Picture.photo`.
        weights: digest of the model.
        seed: of the first of the k - 1 draws; the others count on.
        temperature: multiplied the shipped temperatures.
        k: number of pictures to choose from.
        truth: place of the true one, from 0.
        chosen: place of the one that was chosen.
        milliseconds: from showing to choosing.
        mode: see `Mode`.
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


COLUMNS = tuple(field.name for field in fields(Answer))


@dataclass(frozen=True, slots=True, order=True)
class Kind:
    """Answers that can be counted together: chance is right once in k times."""

    mode: Mode
    k: int


def counts(mode: Mode, milliseconds: int) -> bool:
    """Whether an answer that took so long counts towards a fooling rate."""
    return mode != "practice" and _LEAST_MILLISECONDS[mode] <= milliseconds <= _MOST_MILLISECONDS


class AnswerStore:
    """The file, which appears with its first answer.

    Args:
        path: where; folders above it are made.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def check(self) -> None:
        """Makes the file unless it is there.

        Raises:
            EvaluationError: if answers cannot be kept in it.
        """
        with self._open(write=True) as connection, connection:
            connection.execute("begin immediate")  # only who may write can do that

    def add(self, *answers: Answer) -> None:
        """Keeps answers, all or none; when this returns they are in the file.

        Raises:
            EvaluationError: if that is not possible.
        """
        marks = ", ".join("?" * len(COLUMNS))
        with self._open(write=True) as connection, connection:
            connection.executemany(
                f"insert into answers ({', '.join(COLUMNS)}) values ({marks})",
                map(astuple, answers),
            )

    def tallies(self, weights: str) -> dict[Kind, dict[str, Answers]]:
        """Answers that count towards a fooling rate, by kind and player.

        Of each player the first answer to each photo counts, if it counts at all: after it, the
        player knows the photo's colors. Practice never counts.

        Args:
            weights: digest of the model that is asked about.

        Raises:
            EvaluationError: if the file cannot be read.
        """
        found: dict[Kind, dict[str, Answers]] = {}
        if self.path.exists():
            with self._open(write=False) as connection:
                connection.create_function("counts", 2, counts, deterministic=True)
                for mode, k, player, wrong, answered in connection.execute(_COUNTED, (weights,)):
                    found.setdefault(Kind(mode, k), {})[player] = Answers(wrong, answered)
        return found

    def export(self, target: Path) -> int:
        """Writes all answers as CSV with a header, oldest first; how many there are.

        Raises:
            EvaluationError: if the answers cannot be read or the file not be written.
        """
        count = 0
        try:
            with open(target, "w", encoding="utf-8", newline="") as file:
                writer = csv.writer(file, lineterminator="\n")
                writer.writerow(COLUMNS)
                if self.path.exists():
                    with self._open(write=False) as connection:
                        rows = f"select {', '.join(COLUMNS)} from answers order by id"
                        for row in connection.execute(rows):
                            writer.writerow(row)
                            count += 1
        except OSError as error:
            raise EvaluationError(f"{target}: cannot be written ({error.strerror})") from error
        return count

    @contextmanager
    def _open(self, *, write: bool) -> Iterator[sqlite3.Connection]:
        """A connection to a file that is ours; what goes wrong within becomes a sentence."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self.path, timeout=_WAIT_SECONDS)) as connection:
                self._prepare(connection)
                yield connection
        except sqlite3.Error as error:
            raise EvaluationError(
                f"{self.path}: quiz answers cannot be {'kept' if write else 'read'} there "
                f"({error}); name another file with --quiz-db"
            ) from error
        except OSError as error:
            raise EvaluationError(
                f"{self.path}: cannot be made ({error.strerror}); name another file with --quiz-db"
            ) from error

    def _prepare(self, connection: sqlite3.Connection) -> None:
        # In this order, since another program may be making the tables between the two.
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
    """In the user's data folder, as each system has it."""
    home = Path.home()
    if sys.platform == "win32":
        data = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    elif sys.platform == "darwin":
        data = home / "Library" / "Application Support"
    else:
        data = Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    return data / "colorflow" / "quiz.sqlite"

"""Answers in SQLite: what is kept, what counts, who may write, and what is said when it fails."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from colorflow.errors import EvaluationError
from colorflow.quiz.statistics import Tally
from colorflow.quiz.store import AnswerRow, AnswerStore
from tests.quiz.album import stored_answers

PHOTO, OTHER_PHOTO = "a" * 16, "b" * 16
ANSWER = AnswerRow(
    player="ada",
    picture=PHOTO,
    weights="w1",
    seed=2**32 - 1,
    temperature=1.0,
    k=3,
    truth=2,
    chosen=0,
    milliseconds=1234,
    mode="play",
    time="2026-01-02T03:04:05.678+00:00",
)


@pytest.fixture
def store(tmp_path: Path) -> AnswerStore:
    return AnswerStore(tmp_path / "below" / "quiz.sqlite")


def rows(store: AnswerStore) -> list[dict[str, object]]:
    return stored_answers(store.path)


def test_one_row_an_answer(store: AnswerStore) -> None:
    assert not store.path.exists()
    other = replace(ANSWER, player="bob", chosen=2, mode="test", k=5)
    store.add(ANSWER, other)
    assert rows(store) == [{"id": i, **asdict(one)} for i, one in enumerate((ANSWER, other), 1)]
    with closing(sqlite3.connect(store.path)) as connection:
        assert connection.execute("pragma journal_mode").fetchone() == ("wal",)


def test_what_counts(store: AnswerStore) -> None:
    """The first answer of each player to each photo; no haste, no other weights."""
    assert store.tallies("w1") == {}
    right = {"truth": 2, "chosen": 2}
    test = replace(ANSWER, player="bob", mode="test", k=2, truth=1, milliseconds=500)
    answers = [
        ANSWER,  # wrong
        replace(ANSWER, picture=PHOTO + "-1", **right),  # the same photo again
        replace(ANSWER, picture=OTHER_PHOTO + "-0", **right),
        test,
        replace(test, picture=OTHER_PHOTO, milliseconds=499),
        replace(test, picture="c" * 16, chosen=1),
        replace(ANSWER, player="joe", picture="c" * 16),
        replace(ANSWER, player="joe", picture="d" * 16, milliseconds=600_001),
        replace(ANSWER, player="eve", weights="w2"),
    ]
    store.add(*answers)
    assert store.tallies("w1") == {
        3: {"ada": Tally(1, 2), "joe": Tally(1, 1)},
        2: {"bob": Tally(1, 2)},
    }
    assert store.tallies("w2") == {3: {"eve": Tally(1, 1)}}


def test_threads_write_at_once_from_the_first_answer_on(store: AnswerStore) -> None:
    def play(number: int) -> None:
        for milliseconds in range(10):
            store.add(replace(ANSWER, player=f"p{number}", milliseconds=milliseconds))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(play, range(8)))
    found = rows(store)
    assert len(found) == 80
    for number in range(8):
        own = [row["milliseconds"] for row in found if row["player"] == f"p{number}"]
        assert own == list(range(10))


def test_who_was_killed_while_writing_leaves_whole_answers(store: AnswerStore) -> None:
    """A writer that never came to its commit: its answer is not there, and others can write."""
    store.add(ANSWER)
    with closing(sqlite3.connect(store.path)) as unfinished:
        unfinished.execute("begin immediate")
        unfinished.execute("delete from answers")
    store.add(ANSWER)
    assert len(rows(store)) == 2


@pytest.mark.parametrize(
    "content",
    [
        b"not a database at all, " * 50,
        b"SQLite format 3\0" + b"\xff" * 4000,
        "create table recipes (name)",
        "pragma user_version = 2",
    ],
)
def test_files_of_something_else_or_of_a_later_colorflow_stay_as_they_are(
    store: AnswerStore, content: bytes | str
) -> None:
    store.path.parent.mkdir()
    if isinstance(content, bytes):
        store.path.write_bytes(content)
    else:
        with closing(sqlite3.connect(store.path)) as connection, connection:
            connection.execute(content)
    before = store.path.read_bytes()
    for act in (store.check, lambda: store.add(ANSWER), lambda: store.tallies("w1")):
        with pytest.raises(EvaluationError, match=r"quiz\.sqlite: .*--quiz-db") as caught:
            act()
        assert "\n" not in str(caught.value)
    assert store.path.read_bytes() == before


def test_a_folder_in_its_place_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "file" / "quiz.sqlite"):
        with pytest.raises(EvaluationError, match="--quiz-db"):
            AnswerStore(path).check()

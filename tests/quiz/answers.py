"""Answers of a game."""

from __future__ import annotations

import csv
from pathlib import Path

from colorflow.quiz.store import AnswerStore
from colorflow.quiz.trials import Trial


def wrong(trial: Trial) -> int:
    return (trial.truth + 1) % trial.k


def kept(tmp_path: Path) -> list[dict[str, str]]:
    table = tmp_path / "kept.csv"
    AnswerStore(tmp_path / "quiz.sqlite").export(table)
    with open(table, newline="") as file:
        return list(csv.DictReader(file))

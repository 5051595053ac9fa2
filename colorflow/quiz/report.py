"""The score of a blind test as text and as JSON."""

from __future__ import annotations

import datetime
from dataclasses import asdict
from typing import Any

from colorflow.files import json_kind
from colorflow.quiz.answers import Sheet
from colorflow.quiz.fooling import CONFIDENCE, RESAMPLES, Answers, Interval, wilson
from colorflow.quiz.key import Key
from colorflow.quiz.score import BOOTSTRAP_SEED, Score

COMMAND = "colorflow blind score"
SCORE = json_kind("score of a blind test", COMMAND)


def as_text(score: Score, key: Key, judge_note: str | None) -> str:
    """Judges, all of them together, and the pairs that were answered, those that fooled first."""
    lines = [_judge_line(sheet, answers, len(key.pairs)) for sheet, answers in score.judges]
    wrong, answered = _sums(score)
    lines += ["", f"all: {answered} answers, {wrong} wrong, fooling rate {score.fooling_rate:.3f}"]
    if score.interval:
        lines[-1] += (
            f", 95 % {_range(score.interval)} (bootstrap over judges and their answers, "
            f"{RESAMPLES} resamples, seed {BOOTSTRAP_SEED})"
        )
    else:
        lines[-1] += " (one judge: the interval above is the judge's own)"
    if judge_note:
        lines.append(f"judges: {judge_note}")
    lines += ["", "pair  wrong  photo"]
    lines += [
        f"{pair.pair:<5} {f'{answers.wrong}/{answers.answered}':<6} {pair.photo}"
        for pair, answers in score.pairs
        if answers.answered
    ]
    return "\n".join(lines)


def as_json(score: Score, key: Key, judge_note: str | None) -> dict[str, Any]:
    """Plain values for JSON."""
    wrong, answered = _sums(score)
    return {
        "command": COMMAND,
        "weights": key.weights,
        "temperatures": list(key.temperatures),
        "seed": key.seed,
        "size": key.size,
        "pairs": len(key.pairs),
        "date": datetime.date.today().isoformat(),
        "judge_note": judge_note,
        "confidence": CONFIDENCE,
        "bootstrap": {"resamples": RESAMPLES, "seed": BOOTSTRAP_SEED},
        "all": {
            "answered": answered,
            "wrong": wrong,
            "fooling_rate": score.fooling_rate,
            "interval": asdict(score.interval) if score.interval else None,
        },
        "judges": [
            {
                "answers": sheet.judge,
                **_counts(answers),
                "not_answered": len(key.pairs) - answers.answered,
                "interval": asdict(wilson(answers)) if answers.answered else None,
                "bad_lines": [asdict(line) for line in sheet.bad_lines],
            }
            for sheet, answers in score.judges
        ],
        "by_pair": [{**asdict(pair), **_counts(answers)} for pair, answers in score.pairs],
    }


def _judge_line(sheet: Sheet, answers: Answers, pairs: int) -> str:
    line = f"{sheet.judge}: {answers.answered} of {pairs} answered, {answers.wrong} wrong"
    if answers.answered:
        line += (
            f", fooling rate {answers.fooling_rate:.3f}, 95 % {_range(wilson(answers))} (Wilson)"
        )
    return line


def _counts(answers: Answers) -> dict[str, float | None]:
    return {**asdict(answers), "fooling_rate": answers.fooling_rate}


def _range(interval: Interval) -> str:
    return f"{interval.low:.3f} to {interval.high:.3f}"


def _sums(score: Score) -> tuple[int, int]:
    """Wrong answers and answers of all judges."""
    return (
        sum(answers.wrong for _, answers in score.judges),
        sum(answers.answered for _, answers in score.judges),
    )

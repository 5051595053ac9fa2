"""Answers and the key: who was fooled, and by what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from colorflow.errors import EvaluationError
from colorflow.quiz.answers import Sheet
from colorflow.quiz.fooling import Answers, Interval, fooling_rate, two_level_bootstrap
from colorflow.quiz.key import Key, KeyedPair

BOOTSTRAP_SEED = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """The outcome of a blind test.

    Attributes:
        judges: each sheet with what it came to.
        fooling_rate: share of wrong answers among all.
        interval: of that rate over judges and answers, 95 %; None with one judge, whose own
            interval is all that there is.
        pairs: each pair with its answers, those that fooled most first.
    """

    judges: list[tuple[Sheet, Answers]]
    fooling_rate: float
    interval: Interval | None
    pairs: list[tuple[KeyedPair, Answers]]


def score(key: Key, sheets: Sequence[Sheet]) -> Score:
    """Counts wrong answers.

    Raises:
        EvaluationError: if no sheet has an answer.
    """
    truths = {pair.pair: pair.truth for pair in key.pairs}
    wrong = [{pair: side != truths[pair] for pair, side in sheet.sides.items()} for sheet in sheets]
    judges = [Answers(sum(own.values()), len(own)) for own in wrong]
    answering = [judge for judge in judges if judge.answered]
    if not answering:
        raise EvaluationError("no pair has an answer, so there is nothing to score")
    pairs = []
    for pair in key.pairs:
        answers = [own[pair.pair] for own in wrong if pair.pair in own]
        pairs.append((pair, Answers(sum(answers), len(answers))))
    return Score(
        judges=list(zip(sheets, judges, strict=True)),
        fooling_rate=fooling_rate(judges),
        interval=two_level_bootstrap(judges, BOOTSTRAP_SEED) if len(answering) > 1 else None,
        pairs=sorted(pairs, key=lambda item: (-(item[1].fooling_rate or 0), -item[1].wrong)),
    )

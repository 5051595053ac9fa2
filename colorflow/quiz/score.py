"""Score a blind test: which method judges chose, what they called broken, whether they agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from colorflow.errors import EvaluationError
from colorflow.quiz.answer_key import AnswerKey, KeyPair
from colorflow.quiz.answer_sheets import AnswerSheet, SheetAnswer
from colorflow.quiz.pictures import Side
from colorflow.quiz.statistics import Interval, wilson_interval


@dataclass(frozen=True, slots=True)
class Count:
    """`count` of `answers` agreed to something; the answers are about `pairs` pairs."""

    count: int
    answers: int
    pairs: int

    @property
    def share(self) -> float | None:
        """Share of the answers; None without any."""
        return self.count / self.answers if self.answers else None

    @property
    def interval(self) -> Interval | None:
        """Wilson's, with pairs as cases: a second judge of a pair is no second case."""
        return None if self.share is None else wilson_interval(self.share, self.pairs)


@dataclass(frozen=True, slots=True)
class MethodScore:
    """How often a method was chosen, plainly broken, and broken to all of several judges."""

    chosen: Count
    broken: Count
    broken_to_all: int


@dataclass(frozen=True, slots=True)
class PairScore:
    """One pair: how many of `answers` judges chose each method, and called it broken."""

    pair: KeyPair
    chosen: tuple[int, int]
    broken: tuple[int, int]
    answers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BlindScore:
    """The outcome of a blind test.

    Attributes:
        together: the two methods, by all judges.
        judges: each sheet, with the two methods by it alone.
        shared: number of pairs that several judges answered.
        agreed: number of these on which all chose the same side.
        pairs: pairs with answers, those first where the second method was chosen most.
    """

    together: tuple[MethodScore, MethodScore]
    judges: list[tuple[AnswerSheet, tuple[MethodScore, MethodScore]]]
    shared: int
    agreed: int
    pairs: list[PairScore]


def score(key: AnswerKey, sheets: Sequence[AnswerSheet]) -> BlindScore:
    """Count the answers of all sheets.

    Raises:
        EvaluationError: no sheet has an answer.
    """
    pairs = [_pair_score(pair, _answers(pair, sheets)) for pair in key.pairs]
    pairs = [pair for pair in pairs if pair.answers]
    if not pairs:
        raise EvaluationError("no pair has an answer, so there is nothing to score")
    shared = [pair for pair in pairs if pair.answers > 1]
    return BlindScore(
        together=_both(key, sheets),
        judges=[(sheet, _both(key, [sheet])) for sheet in sheets],
        shared=len(shared),
        agreed=sum(0 in pair.chosen for pair in shared),
        pairs=sorted(pairs, key=lambda pair: (-pair.chosen[1] / pair.answers, pair.pair.pair)),
    )


def _answers(pair: KeyPair, sheets: Sequence[AnswerSheet]) -> list[SheetAnswer]:
    return [sheet.answers[pair.pair] for sheet in sheets if pair.pair in sheet.answers]


def _sides(pair: KeyPair) -> tuple[Side, Side]:
    """Sides of the first and the second method."""
    return ("left", "right") if pair.first == "left" else ("right", "left")


def _pair_score(pair: KeyPair, answers: list[SheetAnswer]) -> PairScore:
    first, second = (
        (
            sum(answer.choice == side for answer in answers),
            sum(answer.broken.get(side, False) for answer in answers),
        )
        for side in _sides(pair)
    )
    return PairScore(pair, (first[0], second[0]), (first[1], second[1]), len(answers))


def _both(key: AnswerKey, sheets: Sequence[AnswerSheet]) -> tuple[MethodScore, MethodScore]:
    return _method(key, sheets, 0), _method(key, sheets, 1)


def _method(key: AnswerKey, sheets: Sequence[AnswerSheet], index: int) -> MethodScore:
    chosen, broken = [], []
    for pair in key.pairs:
        side, answers = _sides(pair)[index], _answers(pair, sheets)
        chosen.append([answer.choice == side for answer in answers])
        broken.append([answer.broken[side] for answer in answers if side in answer.broken])
    to_all = sum(
        len(flags) > 1 and len(flags) == len(choices) and all(flags)
        for flags, choices in zip(broken, chosen, strict=True)
    )
    return MethodScore(_count(chosen), _count(broken), to_all)


def _count(pairs: Sequence[Sequence[bool]]) -> Count:
    """Count flags that are grouped by pair."""
    return Count(sum(map(sum, pairs)), sum(map(len, pairs)), sum(map(bool, pairs)))

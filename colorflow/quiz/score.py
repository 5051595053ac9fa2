"""Answers and the key: which way judges chose, what they called broken, and whether they agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from colorflow.errors import EvaluationError
from colorflow.quiz.answers import Answer, Sheet
from colorflow.quiz.fooling import Interval, wilson_interval
from colorflow.quiz.key import Key, KeyedPair
from colorflow.quiz.pictures import Side


@dataclass(frozen=True, slots=True)
class Tally:
    """How often something was said: `count` times in `answers`, which are about `pairs` pairs."""

    count: int
    answers: int
    pairs: int

    @property
    def share(self) -> float | None:
        """Of the answers; None without any."""
        return self.count / self.answers if self.answers else None

    @property
    def interval(self) -> Interval | None:
        """Wilson's, with pairs for cases: a second judge of a pair is no second case."""
        return None if self.share is None else wilson_interval(self.share, self.pairs)


@dataclass(frozen=True, slots=True)
class WayScore:
    """What was said of one way: chosen, plainly broken, and broken to all of several judges."""

    chosen: Tally
    broken: Tally
    broken_to_all: int


@dataclass(frozen=True, slots=True)
class PairScore:
    """One pair: by way, how many judges chose it and how many called it broken; of how many."""

    pair: KeyedPair
    chosen: tuple[int, int]
    broken: tuple[int, int]
    answers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """The outcome of a blind test.

    Attributes:
        together: the two ways, by all judges.
        judges: each sheet with the two ways by it alone.
        shared: pairs that several judges answered.
        agreed: those of them on which all chose the same side.
        pairs: those with answers; first those where the second way was chosen most.
    """

    together: tuple[WayScore, WayScore]
    judges: list[tuple[Sheet, tuple[WayScore, WayScore]]]
    shared: int
    agreed: int
    pairs: list[PairScore]


def score(key: Key, sheets: Sequence[Sheet]) -> Score:
    """Counts.

    Raises:
        EvaluationError: if no sheet has an answer.
    """
    pairs = [_pair_score(pair, _answers(pair, sheets)) for pair in key.pairs]
    pairs = [pair for pair in pairs if pair.answers]
    if not pairs:
        raise EvaluationError("no pair has an answer, so there is nothing to score")
    shared = [pair for pair in pairs if pair.answers > 1]
    return Score(
        together=_ways(key, sheets),
        judges=[(sheet, _ways(key, [sheet])) for sheet in sheets],
        shared=len(shared),
        agreed=sum(0 in pair.chosen for pair in shared),
        pairs=sorted(pairs, key=lambda pair: (-pair.chosen[1] / pair.answers, pair.pair.pair)),
    )


def _answers(pair: KeyedPair, sheets: Sequence[Sheet]) -> list[Answer]:
    return [sheet.answers[pair.pair] for sheet in sheets if pair.pair in sheet.answers]


def _sides(pair: KeyedPair) -> tuple[Side, Side]:
    """Of the first way, and of the second."""
    return ("left", "right") if pair.first == "left" else ("right", "left")


def _pair_score(pair: KeyedPair, answers: list[Answer]) -> PairScore:
    first, second = (
        (
            sum(answer.choice == side for answer in answers),
            sum(answer.broken.get(side, False) for answer in answers),
        )
        for side in _sides(pair)
    )
    return PairScore(pair, (first[0], second[0]), (first[1], second[1]), len(answers))


def _ways(key: Key, sheets: Sequence[Sheet]) -> tuple[WayScore, WayScore]:
    return _way(key, sheets, 0), _way(key, sheets, 1)


def _way(key: Key, sheets: Sequence[Sheet], way: int) -> WayScore:
    chosen, broken = [], []
    for pair in key.pairs:
        side, answers = _sides(pair)[way], _answers(pair, sheets)
        chosen.append([answer.choice == side for answer in answers])
        broken.append([answer.broken[side] for answer in answers if side in answer.broken])
    to_all = sum(
        len(flags) > 1 and len(flags) == len(said) and all(flags)
        for flags, said in zip(broken, chosen, strict=True)
    )
    return WayScore(_tally(chosen), _tally(broken), to_all)


def _tally(said: Sequence[Sequence[bool]]) -> Tally:
    """Of what was said of each pair."""
    return Tally(sum(map(sum, said)), sum(map(len, said)), sum(map(bool, said)))

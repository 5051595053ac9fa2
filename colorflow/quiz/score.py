"""Score a blind test: which method judges chose, what they called broken, whether they agree.

An answer sheet is CSV with a line for each pair (`COLUMNS`). Lines that begin with # are remarks.
Spreadsheets may have turned 001 into 1 and commas into semicolons.

A score is plain values for JSON:

    all, judges[i].ways     for each of the two methods: how often it was chosen, plainly broken,
                            and broken to all of several judges
    agreed                  number of pairs on which all judges chose the same side, of those that
                            several answered (answered_by_several)
    by_pair                 pairs with answers: how many judges chose each method, and called it
                            broken; those first where the second method was chosen most
"""

from __future__ import annotations

import csv
import datetime
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from colorflow.errors import EvaluationError
from colorflow.quiz.blind_test import COLUMNS, FORMAT, AnswerKey, KeyPair, key_file
from colorflow.quiz.pictures import SIDES, Side
from colorflow.quiz.statistics import CONFIDENCE, wilson_interval

_CHOICES: dict[str, Side] = {"l": "left", "left": "left", "r": "right", "right": "right"}
_FLAGS = {"0": False, "1": True}


class SheetAnswer(NamedTuple):
    """A judge's answer to one pair: the chosen method, 0 or 1, and which ones are broken."""

    chosen: int
    broken: tuple[bool, bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerSheet:
    """The answers of one judge.

    Attributes:
        judge: the sheet's file, for people.
        answers: by pair; pairs without an answer are missing.
        remarks: what the judge added.
        bad_lines: why lines could not be counted, by their numbers.
    """

    judge: str
    answers: dict[str, SheetAnswer]
    remarks: list[str]
    bad_lines: dict[int, str]


def read_key(directory: Path) -> AnswerKey:
    """Read the key of the blind test in a folder.

    Raises:
        EvaluationError: there is none, or it is damaged.
    """
    path = key_file(directory)
    if not path.exists():
        raise EvaluationError(
            f"{directory}: is no blind test, for there is no {path.name} beside it; "
            "make one with `colorflow blind compare`"
        )
    text = _text_of(path)
    try:
        return _key_of(**json.loads(text))
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        raise EvaluationError(
            f"{path}: is not the key of a blind test, or it is damaged; make the test again"
        ) from error


def read_sheets(paths: Sequence[Path], key: AnswerKey) -> list[AnswerSheet]:
    """Read the sheets of several judges.

    Lines that name no pair of the test, lack something, or answer a pair again do not count; they
    are kept as bad lines. A pair with nothing beside its number is not answered.

    Raises:
        EvaluationError: a file cannot be read, is no text, or is given twice.
    """
    sheets: dict[Path, AnswerSheet] = {}
    for path in paths:
        if path.resolve() in sheets:
            raise EvaluationError(f"{path}: is given twice, but a sheet is that of one judge")
        sheets[path.resolve()] = _read_sheet(path, key)
    return list(sheets.values())


def score(key: AnswerKey, sheets: Sequence[AnswerSheet]) -> dict[str, Any]:
    """Count the answers of all sheets.

    Raises:
        EvaluationError: no sheet has an answer.
    """
    pairs = [one for pair in key.pairs if (one := _pair(pair, sheets))["answers"]]
    if not pairs:
        raise EvaluationError("no pair has an answer, so there is nothing to score")
    shared = [pair for pair in pairs if pair["answers"] > 1]
    return {
        "command": "colorflow blind score",
        "asked": "truth" if key.asks_for_truth else "preference",
        "ways": key.ways,
        "weights": key.weights,
        "seed": key.seed,
        "pairs": len(key.pairs),
        "date": datetime.date.today().isoformat(),
        "confidence": CONFIDENCE,
        "all": _methods(key, sheets),
        "agreed": sum(0 in pair["chosen"] for pair in shared),
        "answered_by_several": len(shared),
        "judges": [
            {
                "answers": sheet.judge,
                "answered": len(sheet.answers),
                "ways": _methods(key, [sheet]),
                "remarks": sheet.remarks,
                "bad_lines": sheet.bad_lines,
            }
            for sheet in sheets
        ],
        "by_pair": sorted(pairs, key=lambda one: (-one["chosen"][1] / one["answers"], one["pair"])),
    }


def as_text(score: dict[str, Any]) -> str:
    """Text with all judges together, each alone, their remarks, and the answered pairs."""
    chosen = "taken for true" if score["asked"] == "truth" else "preferred"
    lines = []
    if sum(bool(judge["answered"]) for judge in score["judges"]) > 1:
        lines += ["all judges:", *_method_lines(score["ways"], chosen, score["all"])]
        lines += [f"  agreed on {score['agreed']} of {score['answered_by_several']} pairs"]
    for judge in score["judges"]:
        lines += [f"{judge['answers']}: {judge['answered']} of {score['pairs']} answered"]
        if judge["answered"]:
            lines += _method_lines(score["ways"], chosen, judge["ways"])
        lines += [f"  # {remark}" for remark in judge["remarks"]]
    lines += ["95 % intervals over pairs (Wilson).", "", f"pair   {chosen}  broken  photo"]
    for one in score["by_pair"]:
        first, second = (f"{counts[0]}:{counts[1]}" for counts in (one["chosen"], one["broken"]))
        lines.append(f"{one['pair']:<6} {first:<{len(chosen)}}  {second:<6}  {one['photo']}")
    return "\n".join(lines)


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise EvaluationError(f"{path}: cannot be read ({reason})") from error


def _key_of(
    format: str, ways: list[str], weights: list[str | None], pairs: list[Any], **others: Any
) -> AnswerKey:
    """Raises ValueError, TypeError or LookupError unless the values are a key's."""
    if format != FORMAT:
        raise ValueError(f"format: expected {FORMAT}, got {format}")
    (first, second), (own, other) = ways, weights
    found = tuple(KeyPair(**pair) for pair in pairs)
    if not found or any(pair.first not in SIDES for pair in found):
        raise ValueError("pairs: expected at least one, each with the side of the first method")
    if [int(pair.pair) for pair in found] != list(range(1, len(found) + 1)):
        raise ValueError("pairs: expected numbers from 1 on")
    return AnswerKey(ways=(first, second), weights=(own, other), pairs=found, **others)


def _read_sheet(path: Path, key: AnswerKey) -> AnswerSheet:
    text = _text_of(path)
    pairs = {pair.pair.lstrip("0"): pair for pair in key.pairs}
    sheet = AnswerSheet(judge=str(path), answers={}, remarks=[], bad_lines={})
    try:
        for line, cells in _rows(text):
            if cells[0].startswith("#"):
                sheet.remarks.append(", ".join(cells).lstrip("# "))
            elif tuple(cell.lower() for cell in cells) == COLUMNS:
                continue
            elif problem := _add(sheet.answers, pairs, cells):
                sheet.bad_lines[line] = problem
    except csv.Error as error:
        raise EvaluationError(f"{path}: is no answer sheet ({error})") from error
    return sheet


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """Lines that are not empty, with their numbers."""
    separator = ";" if ";" in text.partition("\n")[0] else ","
    reader = csv.reader(io.StringIO(text), delimiter=separator)
    for row in reader:
        cells = [cell.strip() for cell in row]
        while cells and not cells[-1]:
            cells.pop()
        if cells:
            yield reader.line_num, cells


def _add(
    answers: dict[str, SheetAnswer], pairs: dict[str, KeyPair], cells: list[str]
) -> str | None:
    """Add one answer, or explain what is wrong with it."""
    number, *rest = cells
    pair = pairs.get(number.lstrip("0"))
    if pair is None:
        return f"there is no pair {number!r}"
    if not rest:
        return None  # not answered
    if len(cells) != len(COLUMNS):
        return f"pair {pair.pair}: expected {','.join(COLUMNS)}"
    choice, *flags = rest
    if choice.lower() not in _CHOICES:
        return f"pair {pair.pair}: {choice!r} is neither L nor R"
    for flag in flags:
        if flag not in _FLAGS:
            return f"pair {pair.pair}: {flag!r} is neither 0 nor 1"
    if pair.pair in answers:
        return f"pair {pair.pair} is answered again; the first answer counts"
    left, right = (_FLAGS[flag] for flag in flags)
    broken = (left, right) if pair.first == "left" else (right, left)
    answers[pair.pair] = SheetAnswer(int(_CHOICES[choice.lower()] != pair.first), broken)
    return None


def _answers(pair: KeyPair, sheets: Sequence[AnswerSheet]) -> list[SheetAnswer]:
    return [sheet.answers[pair.pair] for sheet in sheets if pair.pair in sheet.answers]


def _pair(pair: KeyPair, sheets: Sequence[AnswerSheet]) -> dict[str, Any]:
    answers = _answers(pair, sheets)
    return {
        **asdict(pair),
        "answers": len(answers),
        "chosen": [sum(one.chosen == index for one in answers) for index in (0, 1)],
        "broken": [sum(one.broken[index] for one in answers) for index in (0, 1)],
    }


def _methods(key: AnswerKey, sheets: Sequence[AnswerSheet]) -> list[dict[str, Any]]:
    """How often each method was chosen, broken, and broken to all; empty without answers."""
    answers = [found for pair in key.pairs if (found := _answers(pair, sheets))]
    methods = []
    for index in (0, 1) if answers else ():
        broken = [[one.broken[index] for one in found] for found in answers]
        methods.append(
            {
                "chosen": _count([[one.chosen == index for one in found] for found in answers]),
                "broken": _count(broken),
                "broken_to_all": sum(len(flags) > 1 and all(flags) for flags in broken),
            }
        )
    return methods


def _count(pairs: Sequence[Sequence[bool]]) -> dict[str, Any]:
    """Count flags that are grouped by pair.

    The interval is Wilson's with pairs as cases: a second judge of a pair is no second case.
    """
    count, answers = sum(map(sum, pairs)), sum(map(len, pairs))
    return {
        "count": count,
        "answers": answers,
        "pairs": len(pairs),
        "share": count / answers,
        "interval": asdict(wilson_interval(count / answers, len(pairs))),
    }


def _method_lines(names: Sequence[str], chosen: str, ways: list[dict[str, Any]]) -> list[str]:
    lines = []
    for name, way in zip(names, ways, strict=True):
        lines.append(
            f"  {name:<{max(map(len, names))}}  {chosen} {_count_text(way['chosen'])}; "
            f"plainly broken {_count_text(way['broken'])}"
        )
        if way["broken_to_all"]:
            lines[-1] += f", to all judges {way['broken_to_all']}"
    return lines


def _count_text(count: dict[str, Any]) -> str:
    interval = count["interval"]
    return (
        f"{count['count']} of {count['answers']} ({count['share']:.3f}, "
        f"95 % {interval['low']:.3f} to {interval['high']:.3f})"
    )

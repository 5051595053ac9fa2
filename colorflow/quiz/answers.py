"""Answer sheets as judges fill them in.

CSV with a line a pair: the side that was chosen, and what is plainly broken (`COLUMNS`). Lines that
begin with # are remarks. Spreadsheets may have turned 001 into 1 and commas into semicolons.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from colorflow.errors import EvaluationError
from colorflow.quiz.key import Form, Key
from colorflow.quiz.pictures import Side

COLUMNS: dict[Form, tuple[str, ...]] = {
    "preference": ("pair", "choice", "broken_left", "broken_right"),
    "truth": ("pair", "choice", "broken"),
}

_SIDES: dict[str, Side] = {"l": "left", "left": "left", "r": "right", "right": "right"}
_FLAGS = {"0": False, "1": True}


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line of a sheet that does not count."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a judge said of one pair.

    Attributes:
        choice: the side that looks better, or that was taken for the truth.
        broken: whether a side is plainly broken; only sides that were asked about.
    """

    choice: Side
    broken: Mapping[Side, bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """What one judge answered.

    Attributes:
        judge: the sheet's file, for people.
        answers: by pair; a pair without an answer is not there.
        remarks: what the judge added.
        bad_lines: what could not be counted.
    """

    judge: str
    answers: dict[str, Answer]
    remarks: list[str]
    bad_lines: list[BadLine]


def empty_sheet(key: Key, *, backward: bool) -> str:
    """The sheet to be filled in; two judges go through the pairs in opposite orders."""
    columns = COLUMNS[key.form]
    pairs = key.pairs[::-1] if backward else key.pairs
    rows = [",".join(columns), *(pair.pair + "," * (len(columns) - 1) for pair in pairs)]
    return "\n".join(rows) + "\n"


def read_sheets(paths: Sequence[Path], key: Key) -> list[Sheet]:
    """Reads the sheets of several judges, each as `read_sheet` does.

    Raises:
        EvaluationError: if a file cannot be read, or is given twice.
    """
    known: set[Path] = set()
    for path in paths:
        if path.resolve() in known:
            raise EvaluationError(f"{path}: is given twice, but a sheet is that of one judge")
        known.add(path.resolve())
    return [read_sheet(path, key) for path in paths]


def read_sheet(path: Path, key: Key) -> Sheet:
    """Reads a sheet.

    Lines that name no pair of the test, lack something, or answer a pair again do not count and are
    kept as bad ones. A pair with nothing beside its number is not answered.

    Raises:
        EvaluationError: if the file cannot be read, or is no text.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise EvaluationError(f"{path}: cannot be read ({reason})") from error
    names = {pair.pair.lstrip("0"): pair.pair for pair in key.pairs}
    sheet = Sheet(judge=str(path), answers={}, remarks=[], bad_lines=[])
    try:
        for line, cells in _rows(text):
            if cells[0].startswith("#"):
                sheet.remarks.append(", ".join(cells).lstrip("# "))
            elif tuple(cell.lower() for cell in cells) == COLUMNS[key.form]:
                continue
            elif problem := _add(sheet.answers, names, cells, key.form):
                sheet.bad_lines.append(BadLine(line, problem))
    except csv.Error as error:
        raise EvaluationError(f"{path}: is no answer sheet ({error})") from error
    return sheet


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """Lines with their numbers, without those that are empty."""
    separator = ";" if ";" in text.partition("\n")[0] else ","
    reader = csv.reader(io.StringIO(text), delimiter=separator)
    for row in reader:
        cells = [cell.strip() for cell in row]
        while cells and not cells[-1]:
            cells.pop()
        if cells:
            yield reader.line_num, cells


def _add(
    answers: dict[str, Answer], names: dict[str, str], cells: list[str], form: Form
) -> str | None:
    """Takes one answer over; otherwise tells what is wrong with it."""
    pair = names.get(cells[0].lstrip("0"))
    if pair is None:
        return f"there is no pair {cells[0]!r}"
    if len(cells) == 1:
        return None  # not answered
    if len(cells) != len(COLUMNS[form]):
        return f"pair {pair}: expected {','.join(COLUMNS[form])}"
    choice = _SIDES.get(cells[1].lower())
    if choice is None:
        return f"pair {pair}: {cells[1]!r} is neither L nor R"
    for cell in cells[2:]:
        if cell not in _FLAGS:
            return f"pair {pair}: {cell!r} is neither 0 nor 1"
    if pair in answers:
        return f"pair {pair} is answered again; the first answer counts"
    flags = [_FLAGS[cell] for cell in cells[2:]]
    other: Side = "right" if choice == "left" else "left"
    asked: tuple[Side, ...] = (other,) if form == "truth" else ("left", "right")
    answers[pair] = Answer(choice, dict(zip(asked, flags, strict=True)))
    return None

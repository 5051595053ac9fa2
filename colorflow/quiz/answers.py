"""Answer sheets as judges fill them in.

CSV with the columns `pair` and `answer`, where the answer says which picture is the real one.
Spreadsheets may have turned 001 into 1 and commas into semicolons.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from colorflow.errors import EvaluationError
from colorflow.quiz.key import Key
from colorflow.quiz.pictures import SIDES, Side

ANSWERS_FILE = "answers.csv"
HEADER = ("pair", "answer")


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line of a sheet that does not count."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """What one judge answered.

    Attributes:
        judge: the sheet's file, for people.
        sides: by pair; a pair without an answer is not there.
        bad_lines: what could not be counted.
    """

    judge: str
    sides: dict[str, Side]
    bad_lines: list[BadLine]


def empty_sheet(key: Key) -> str:
    """The sheet to be filled in."""
    rows = [",".join(HEADER), *(f"{pair.pair}," for pair in key.pairs)]
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

    Lines that name no pair of the test, say neither left nor right, or answer a pair again do not
    count and are kept as bad ones. A pair whose answer is empty is not answered.

    Raises:
        EvaluationError: if the file cannot be read, or is no text.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise EvaluationError(f"{path}: cannot be read ({reason})") from error
    names = {pair.pair.lstrip("0"): pair.pair for pair in key.pairs}
    sheet = Sheet(judge=str(path), sides={}, bad_lines=[])
    try:
        for line, cells in _rows(text):
            problem = _add(sheet.sides, names, cells)
            if problem:
                sheet.bad_lines.append(BadLine(line, problem))
    except csv.Error as error:
        raise EvaluationError(f"{path}: is no answer sheet ({error})") from error
    return sheet


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """Lines with their numbers, without the header and those that are empty."""
    separator = ";" if ";" in text.partition("\n")[0] else ","
    reader = csv.reader(io.StringIO(text), delimiter=separator)
    for row in reader:
        cells = [cell.strip() for cell in row]
        while cells and not cells[-1]:
            cells.pop()
        if cells and tuple(cell.lower() for cell in cells) != HEADER:
            yield reader.line_num, cells


def _add(sides: dict[str, Side], names: dict[str, str], cells: list[str]) -> str | None:
    """Takes one answer over; otherwise tells what is wrong with it."""
    number, *rest = cells
    pair = names.get(number.lstrip("0"))
    if pair is None:
        return f"there is no pair {number!r}"
    if not rest:
        return None  # not answered
    if len(rest) > 1:
        return f"pair {pair} has more than one answer in its line"
    answer = rest[0].lower()
    side = next((side for side in SIDES if side == answer), None)
    if side is None:
        return f"{rest[0]!r} is neither left nor right"
    if pair in sides:
        return f"pair {pair} is answered again; the first answer counts"
    sides[pair] = side
    return None

"""Papers of a blind test: the answer key, and what judges get and give back.

The key is a file beside the folder of the test, which judges do not see. An answer sheet is CSV
with a line for each pair: the chosen side, and what is plainly broken (`COLUMNS`). Lines that begin
with # are remarks. Spreadsheets may have turned 001 into 1 and commas into semicolons.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from colorflow.errors import EvaluationError
from colorflow.quiz.pictures import SIDES, TRUTH, Side

FORMAT = "colorflow-blind-2"

Form = Literal["preference", "truth"]
"""What judges are asked: which side looks better, or which side has the true colors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPair:
    """One pair of pictures.

    Attributes:
        pair: its number as text, such as 001.
        photo: the file that both pictures show, below its folder.
        digest: of the photo's pixels.
        first: side of the first method.
        seed: of all randomness; `colorflow colorize --seed` gives the colors of a sample again.
    """

    pair: str
    photo: str
    digest: str
    first: Side
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyMethod:
    """A coloring method as the user wrote it, and the digest of its weights, if it has any."""

    text: str
    weights: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerKey:
    """All that decides the pictures of a blind test.

    Attributes:
        colorflow: version that made it.
        seed: of the choice of photos, their order, sides and samples.
        ways: the two coloring methods that are compared.
        pairs: in the order of their numbers.
    """

    colorflow: str
    seed: int
    ways: tuple[KeyMethod, KeyMethod]
    pairs: tuple[KeyPair, ...]

    @property
    def form(self) -> Form:
        """What judges are asked."""
        return "truth" if any(method.text == TRUTH for method in self.ways) else "preference"


def key_file(directory: Path) -> Path:
    """The key of a test: beside its folder, so that the folder can be given to judges."""
    whole = directory.resolve()
    return whole.with_name(f"{whole.name}.key.json")


def key_to_json(key: AnswerKey, about: Mapping[str, Any]) -> dict[str, Any]:
    """Plain values for JSON; `about` holds what does not decide the pictures, such as the date."""
    return {"format": FORMAT, **about, **asdict(key)}


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
        return _key_of(json.loads(text))
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        raise EvaluationError(
            f"{path}: is not the key of a blind test, or it is damaged; make the test again"
        ) from error


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise EvaluationError(f"{path}: cannot be read ({reason})") from error


def _key_of(values: dict[str, Any]) -> AnswerKey:
    """Raises ValueError, TypeError or LookupError unless the values are a key's."""
    if values["format"] != FORMAT:
        raise ValueError(f"format: expected {FORMAT}, got {values['format']}")
    first, second = (KeyMethod(**method) for method in values["ways"])
    pairs = tuple(KeyPair(**pair) for pair in values["pairs"])
    if not pairs or any(pair.first not in SIDES for pair in pairs):
        raise ValueError("pairs: expected at least one, each with the side of the first method")
    if [int(pair.pair) for pair in pairs] != list(range(1, len(pairs) + 1)):
        raise ValueError("pairs: expected numbers from 1 on")
    return AnswerKey(
        colorflow=values["colorflow"], seed=values["seed"], ways=(first, second), pairs=pairs
    )


COLUMNS: dict[Form, tuple[str, ...]] = {
    "preference": ("pair", "choice", "broken_left", "broken_right"),
    "truth": ("pair", "choice", "broken"),
}

_PROCEDURE = """\
Open the pictures in the folder "pairs" one by one, in the order of your answer sheet, and look at
nothing else. Do not go back. Decide quickly.
"""
_END = """\
At the end of the sheet add two sentences on what decided, each on a line that begins with #.
"""
INSTRUCTIONS: dict[Form, str] = {
    "preference": f"""\
WHICH LOOKS BETTER?

Each picture shows one photo, colored in two ways, side by side. Which way stands left changes at
random.

{_PROCEDURE}
Answer as an ordinary person who leafs through an album. Fill in one line of the sheet for each
pair:

    pair,choice,broken_left,broken_right

choice        L or R: the side that looks more like a natural color photo. There are no ties.
broken_left   1 if something on the left side is plainly broken, 0 if not. Broken are, for example,
              green or blue skin, patches of color that ignore the borders of things, one thing in
              two colors, a strong cast over everything.
broken_right  The same for the right side.

{_END}""",
    "truth": f"""\
WHICH IS TRUE?

Each picture shows one photo twice, side by side. One side has the photo's true colors. The other
side was gray, and a computer colored it. Which one stands left changes at random.

{_PROCEDURE}
Answer as after a glance of one second. Fill in one line of the sheet for each pair:

    pair,choice,broken

choice  L or R: the side that has the true colors. There are no ties.
broken  Of the other side, which you take for the computer's: 1 if it is plainly broken, 0 if you
        would believe it if it stood alone.

{_END}""",
}
"""All that judges are told."""

_SIDES: dict[str, Side] = {"l": "left", "left": "left", "r": "right", "right": "right"}
_FLAGS = {"0": False, "1": True}


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line of a sheet that does not count."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class SheetAnswer:
    """A judge's answer to one pair.

    Attributes:
        choice: the side that looks better, or that was taken for the truth.
        broken: whether a side is plainly broken, for the sides that were asked about.
    """

    choice: Side
    broken: Mapping[Side, bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerSheet:
    """The answers of one judge.

    Attributes:
        judge: the sheet's file, for people.
        answers: by pair; pairs without an answer are missing.
        remarks: what the judge added.
        bad_lines: lines that could not be counted.
    """

    judge: str
    answers: dict[str, SheetAnswer]
    remarks: list[str]
    bad_lines: list[BadLine]


def empty_sheet(key: AnswerKey, *, backward: bool) -> str:
    """The sheet to be filled in; a second judge goes through the pairs backward."""
    columns = COLUMNS[key.form]
    pairs = key.pairs[::-1] if backward else key.pairs
    rows = [",".join(columns), *(pair.pair + "," * (len(columns) - 1) for pair in pairs)]
    return "\n".join(rows) + "\n"


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


def _read_sheet(path: Path, key: AnswerKey) -> AnswerSheet:
    text = _text_of(path)
    pairs = {pair.pair.lstrip("0"): pair.pair for pair in key.pairs}
    sheet = AnswerSheet(judge=str(path), answers={}, remarks=[], bad_lines=[])
    try:
        for line, cells in _rows(text):
            if cells[0].startswith("#"):
                sheet.remarks.append(", ".join(cells).lstrip("# "))
            elif tuple(cell.lower() for cell in cells) == COLUMNS[key.form]:
                continue
            elif problem := _add(sheet.answers, pairs, cells, key.form):
                sheet.bad_lines.append(BadLine(line, problem))
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
    answers: dict[str, SheetAnswer], pairs: dict[str, str], cells: list[str], form: Form
) -> str | None:
    """Add one answer, or explain what is wrong with it."""
    pair = pairs.get(cells[0].lstrip("0"))
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
    other: Side = "right" if choice == "left" else "left"
    asked: tuple[Side, ...] = (other,) if form == "truth" else ("left", "right")
    flags = [_FLAGS[cell] for cell in cells[2:]]
    answers[pair] = SheetAnswer(choice, dict(zip(asked, flags, strict=True)))
    return None

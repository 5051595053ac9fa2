"""The report of a batch: JSON with an outcome for each file, or a table (.csv)."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from colorflow import __version__
from colorflow.batch.plan import Plan
from colorflow.batch.task import ColoredFile, PhotoOutcome
from colorflow.errors import WritePhotoError
from colorflow.files import FileKind, is_stream, text_kind
from colorflow.photo.encode import write_file
from colorflow.scan import numbers_text

_OPENING = '{\n "made_by": "colorflow '
_OF_PHOTO = ("photo", "status", "reason", "width", "height", "seconds", "remarks")
_COLUMNS = (
    *_OF_PHOTO,
    "result", "label", "seed", "share", "bits_per_dim", "print", "repaired", "frame", "kept",
)  # fmt: skip
_BOM = "\ufeff"
"""Says to Excel that a table is UTF-8."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What a text begins with that spreadsheets take for a formula, or for one behind a blank."""


def report_kind(path: Path) -> FileKind:
    """The kind of report that a file of this name is; streams get JSON.

    Raises:
        WritePhotoError: if it is named like neither.
    """
    if path.suffix.lower() == ".csv":
        return text_kind("table of a batch", _BOM + ",".join(_OF_PHOTO))
    if path.suffix.lower() != ".json" and not is_stream(path):
        raise WritePhotoError(path, "a report is JSON or a table; name it .json or .csv")
    return text_kind("report of a batch", _OPENING)


def write_report(
    path: Path, plan: Plan, outcomes: Iterable[PhotoOutcome], *, began: datetime, seconds: float
) -> None:
    """Writes what happened to every input, in the plan's order.

    Args:
        path: the file; an earlier report is replaced as a whole. With the suffix .csv it is a
            table, with a row for each result and for each file without any, otherwise JSON.
        plan: of the batch.
        outcomes: what happened; inputs without an outcome were not reached.
        began: start of the batch.
        seconds: duration of the batch.

    Raises:
        WritePhotoError: if the file cannot be written.
    """
    reached = plan.in_order(outcomes)
    if path.suffix.lower() == ".csv":
        table = _table(plan, reached).encode("utf-8", "backslashreplace")
        write_file(path, table, report_kind(path))
        return
    own = {one.name: getattr(plan.settings, one.name) for one in fields(plan.settings)}
    settings = {name: own[name] for name in own if name != "likelihood"}
    if references := settings.pop("references", ()):
        settings["references"] = [one.digest for one in references]
    content = {
        "made_by": f"colorflow {plan.settings.command}",
        "colorflow": __version__,
        "began": began.isoformat(timespec="seconds"),
        "seconds": round(seconds, 3),
        "settings": settings,
        "output": plan.named(plan.output),
        "counts": dict(sorted(Counter(outcome.status for outcome in reached).items())),
        "not_reached": [plan.named(path) for path in plan.not_reached(reached)],
        "notes": [{"path": plan.named(note.path), "reason": note.reason} for note in plan.notes],
        "left_out": [plan.named(path) for path in plan.left_out],
    }
    # One line a file, encoded one by one: as one tree, a million files would take gigabytes.
    files = ",\n  ".join(json.dumps(_as_json(outcome, plan.named)) for outcome in reached)
    text = f'{json.dumps(content, indent=1)[:-2]},\n "files": [\n  {files}\n ]\n}}\n'
    # ASCII, because names that are not UTF-8 cannot be written in any other way.
    write_file(path, text.encode("ascii"), report_kind(path))


def _table(plan: Plan, reached: Sequence[PhotoOutcome]) -> str:
    """A row for each result, with what is known of its photo, and for each file without any."""
    text = io.StringIO(newline="")
    table = csv.DictWriter(text, _COLUMNS, lineterminator="\r\n")
    text.write(_BOM)
    table.writeheader()

    def add(**cells: object) -> None:
        table.writerow({name: _cell(value, plan) for name, value in cells.items()})

    for outcome in reached:
        photo = {"photo": outcome, **_of_photo(outcome), "remarks": "; ".join(outcome.remarks)}
        for one in outcome.colorings:
            add(**photo, result=one.path, **_of_result(one, outcome))
        if not outcome.colorings:
            add(**photo)
    for path in plan.not_reached(reached):
        add(photo=path, status="not reached")
    references = {one.path for one in plan.references}
    for note in plan.notes:
        status = "reference" if note.path in references else "passed over"
        add(photo=note.path, status=status, reason=note.reason)
    for path in plan.left_out:
        add(photo=path, status="left out", reason="is not named like a photo")
    return text.getvalue()


def _cell(value: object, plan: Plan) -> object:
    """A number as it is, and a text with a quote before it if it would be taken for a formula."""
    if value is None or isinstance(value, int | float):
        return value
    text = plan.named(value)
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text


def _as_json(outcome: PhotoOutcome, named: Callable[[object], str]) -> dict[str, Any]:
    results = ({"path": named(one.path), **_of_result(one, outcome)} for one in outcome.colorings)
    return {
        "path": named(outcome.path),
        **({} if outcome.page is None else {"page": outcome.page}),
        **_of_photo(outcome),
        "reason": outcome.reason and named(outcome.reason),
        "colorings": list(results),
    }


def _of_photo(outcome: PhotoOutcome) -> dict[str, Any]:
    return {
        "status": outcome.status,
        "reason": outcome.reason,
        "width": outcome.width,
        "height": outcome.height,
        "seconds": round(outcome.seconds, 3),
        "remarks": list(outcome.remarks),
    }


def _of_result(one: ColoredFile, photo: PhotoOutcome) -> dict[str, object]:
    kept = None  # the share of the scan that was cut out
    if one.frame and photo.width and photo.height:
        area = cv2.contourArea(np.array(one.frame, np.float32).reshape(-1, 2))
        kept = round(area / (photo.width * photo.height), 3)
    return {
        "label": one.label,
        "seed": one.seed,
        "share": one.share,
        "bits_per_dim": one.bits_per_dim,
        "print": one.print_number,
        "repaired": one.repaired,
        "frame": numbers_text(one.frame) if one.frame else None,
        "kept": kept,
    }

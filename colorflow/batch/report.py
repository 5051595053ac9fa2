"""The report of a batch as JSON, with one outcome for each file."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from colorflow import __version__
from colorflow.batch.plan import Plan
from colorflow.batch.task import PhotoOutcome
from colorflow.files import text_kind
from colorflow.photo.encode import write_file

_OPENING = '{\n "made_by": "colorflow '
REPORT = text_kind("report of a batch", _OPENING)


def write_report(
    path: Path, plan: Plan, outcomes: Iterable[PhotoOutcome], *, began: datetime, seconds: float
) -> None:
    """Writes what happened to every input, in the plan's order.

    Args:
        path: the file; an earlier report is replaced as a whole.
        plan: of the batch.
        outcomes: what happened; inputs without an outcome were not reached.
        began: start of the batch.
        seconds: duration of the batch.

    Raises:
        WritePhotoError: if the file cannot be written.
    """
    reached = plan.in_order(outcomes)
    paths = {outcome.path for outcome in reached}
    settings = asdict(plan.settings)
    for inner in ("likelihood", "max_pixels"):
        settings.pop(inner, None)
    if reference := settings.pop("reference", None):
        settings["reference"] = {name: reference[name] for name in ("digest", "strength")}
    content = {
        "made_by": f"colorflow {plan.settings.command}",
        "colorflow": __version__,
        "began": began.isoformat(timespec="seconds"),
        "seconds": round(seconds, 3),
        "settings": settings,
        "output": plan.named(plan.output),
        "counts": dict(sorted(Counter(outcome.status for outcome in reached).items())),
        "not_reached": [plan.named(path) for path in plan.inputs if path not in paths],
        "notes": [{"path": plan.named(note.path), "reason": note.reason} for note in plan.notes],
        "left_out": [plan.named(path) for path in plan.left_out],
    }
    # One line a file, encoded one by one: as one tree, a million files would take gigabytes.
    files = ",\n  ".join(json.dumps(_as_json(outcome, plan.named)) for outcome in reached)
    text = f'{json.dumps(content, indent=1)[:-2]},\n "files": [\n  {files}\n ]\n}}\n'
    # ASCII, because names that are not UTF-8 cannot be written in any other way.
    write_file(path, text.encode("ascii"), REPORT)


def _as_json(outcome: PhotoOutcome, named: Callable[[object], str]) -> dict[str, Any]:
    return {
        "path": named(outcome.path),
        "status": outcome.status,
        "reason": outcome.reason and named(outcome.reason),
        "width": outcome.width,
        "height": outcome.height,
        "seconds": round(outcome.seconds, 3),
        "remarks": list(outcome.remarks),
        "colorings": [
            {
                "path": named(one.path),
                "label": one.label,
                "seed": one.seed,
                "share": one.share,
                "bits_per_dim": one.bits_per_dim,
                "print": one.print_number,
                "repaired": one.repaired,
            }
            for one in outcome.colorings
        ],
    }

"""The report."""

from __future__ import annotations

import csv
import json
import os
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from colorflow.batch import (
    ColoredFile,
    Note,
    PhotoOutcome,
    Plan,
    Settings,
    make_plan,
    write_report,
)
from colorflow.colorizer import Colorizer
from colorflow.errors import WritePhotoError
from tests.in_process import run_in_process

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def report_of(path: Path, plan: Plan, outcomes: list[PhotoOutcome]) -> dict[str, object]:
    write_report(path, plan, outcomes, began=NOON, seconds=1.23456)
    content: dict[str, object] = json.loads(path.read_text(encoding="ascii"))
    return content


def test_a_report_has_a_record_a_file_in_the_order_of_the_inputs(
    album: Path, tmp_path: Path, colorizer: Colorizer
) -> None:
    (album / "link.jpg").symlink_to("/etc/hostname")
    settings = Settings(n=2, seed=4, temperature=0.5, likelihood=True)
    plan = make_plan([album, tmp_path / "absent"], tmp_path / "out", settings, recursive=True)
    outcomes = list(run_in_process(plan, colorizer))
    report = report_of(tmp_path / "r.json", plan, outcomes[:1] + outcomes[:1:-1])
    assert report["began"] == "2026-01-02T12:00:00+00:00"
    assert report["seconds"] == 1.235
    assert report["settings"] == {
        "n": 2, "seed": 4, "temperature": 0.5, "samples": False, "skin": True,
        "overwrite": False, "scale": 1, "restore": False,
        "crop": False, "repair": False, "sensitivity": 0, "fading": False,
        "alike": False, "strength": 1.0, "quality": 95,
    }  # fmt: skip
    assert report["output"] == str(tmp_path / "out")
    assert report["counts"] == {"done": 2, "failed": 1}
    assert report["not_reached"] == [str(album / "a.jpg")]
    (note,) = report["notes"]  # type: ignore[misc]
    assert note["path"] == str(album / "link.jpg")  # type: ignore[has-type]
    absent, b, c = report["files"]  # type: ignore[misc]
    assert absent == {  # type: ignore[has-type]
        "path": str(tmp_path / "absent"), "status": "failed",
        "reason": "there is no such file or folder", "width": None, "height": None,
        "seconds": 0.0, "remarks": [], "colorings": [],
    }  # fmt: skip
    assert (b["path"], c["path"]) == (str(album / "b.png"), str(album / "inner" / "c.jpg"))  # type: ignore[has-type]
    assert (b["width"], b["height"], b["status"], b["reason"]) == (64, 48, "done", None)  # type: ignore[has-type]
    made = colorizer.colorize(album / "b.png", 2, 0.5, 4)
    for label, want, coloring in zip("ab", made, b["colorings"], strict=True):  # type: ignore[has-type]
        np.testing.assert_allclose(coloring.pop("bits_per_dim"), want.bits_per_dim, atol=1e-4)
        path = str(tmp_path / "out" / f"b_{label}.png")
        own = {"path": path, "label": label, "seed": 4, "share": want.share}
        assert coloring == {**own, "print": None, "repaired": None, "frame": None, "kept": None}


def test_a_table_has_a_row_for_each_result_and_for_each_file_without_any(tmp_path: Path) -> None:
    """A name that is a formula is none in a spreadsheet."""
    photo, formula = Path("a, b;\n.jpg"), Path('=HYPERLINK("http://x", "y").jpg')
    odd = Path(os.fsdecode(b"caf\xe9 \xf0\x9f\x8e\x9e.png"))
    made = [
        ColoredFile(path=Path(f"-out/{label}"), label=label, seed=4, share=share, bits_per_dim=-0.5)
        for label, share in (("a", 1.0), ("b", 0.25))
    ]
    outcomes = [
        PhotoOutcome(
            path=photo, status="done", colorings=tuple(made), width=8, height=6, seconds=1.23456,
            remarks=("one", "two"),
        ),
        PhotoOutcome(path=formula, status="failed", reason="+1"),
    ]  # fmt: skip
    plan = Plan(
        settings=Settings(),
        output=tmp_path,
        inputs=[photo, formula, odd],
        notes=[Note(path=Path(" @x"), reason="is a link")],
        left_out=[Path("/scratch/0/notes.txt")],
        known_as={Path("/scratch/0"): "album.zip"},
    )
    path = tmp_path / "r.CSV"
    write_report(path, plan, outcomes, began=NOON, seconds=1)
    write_report(path, plan, outcomes, began=NOON, seconds=2)  # it replaces its own kind
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert path.read_bytes().startswith(b"\xef\xbb\xbfphoto,status,")
    of_photo = {
        "photo": str(photo), "status": "done", "reason": "", "width": "8", "height": "6",
        "seconds": "1.235", "remarks": "one; two",
    }  # fmt: skip
    assert rows[0] == {
        **of_photo, "result": "'-out/a", "label": "a", "seed": "4", "share": "1.0",
        "bits_per_dim": "-0.5", "print": "", "repaired": "", "frame": "", "kept": "",
    }  # fmt: skip
    assert rows[1] == {**rows[0], "result": "'-out/b", "label": "b", "share": "0.25"}
    named = [(row["photo"], row["status"], row["reason"]) for row in rows[2:]]
    assert named == [
        (f"'{formula}", "failed", "'+1"),
        ("caf\\udce9 \U0001f39e.png", "not reached", ""),
        ("' @x", "passed over", "is a link"),
        ("album.zip/notes.txt", "left out", "is not named like a photo"),
    ]
    other = tmp_path / "mine.csv"
    other.write_text("photo,status\n")
    with pytest.raises(WritePhotoError, match="it is no table of a batch that colorflow made"):
        write_report(other, plan, outcomes, began=NOON, seconds=1)

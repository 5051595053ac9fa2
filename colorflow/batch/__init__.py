"""Many photos: plans, runs, and reports a batch.

    find.py         the photos that files, folders, zips and patterns stand for
    hints.py        color hints of many photos
    task.py         one photo: names of its results, what is to be done, what became of it
    settings.py     settings of coloring, enlarging, repairing, restoring; what results will say
    models.py       weights files, how a worker loads them, and what they make of a photo
    plan.py         which photos become which files
    alike.py        an album in its own colors: its references first, the other photos like them
    one_photo.py    one photo, from file to files; which existing results stay
    pool.py         a plan, worked off by several workers
    processes.py    the engine of this machine: worker processes
    ray_engine.py   the engine of a Ray cluster
    report.py       all outcomes as JSON or as a table
    sheet.py        all photos with their results as one page
    archive.py      zip archives, unpacked with care and packed

    from colorflow.batch import Settings, make_plan, run

    plan = make_plan(["album"], "colored", Settings(n=4), recursive=True)
    for outcome in run(plan, workers=2):
        print(outcome.path, outcome.status)

Planning, and the parent of worker processes, load no torch.
"""

from colorflow.batch.hints import PhotoHints, read_hints
from colorflow.batch.models import read_reference
from colorflow.batch.plan import Plan, make_plan
from colorflow.batch.processes import run, usual_workers
from colorflow.batch.report import write_report
from colorflow.batch.settings import (
    COLORS,
    DETAIL,
    REPAIR,
    BatchSettings,
    EnlargeSettings,
    RepairSettings,
    RestoreSettings,
    Settings,
)
from colorflow.batch.sheet import write_sheet
from colorflow.batch.task import ColoredFile, Note, PhotoOutcome, PhotoTask

__all__ = [
    "COLORS",
    "DETAIL",
    "REPAIR",
    "BatchSettings",
    "ColoredFile",
    "EnlargeSettings",
    "Note",
    "PhotoHints",
    "PhotoOutcome",
    "PhotoTask",
    "Plan",
    "RepairSettings",
    "RestoreSettings",
    "Settings",
    "make_plan",
    "read_hints",
    "read_reference",
    "run",
    "usual_workers",
    "write_report",
    "write_sheet",
]

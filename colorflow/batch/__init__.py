"""Many photos: plans, runs, and reports a batch.

    locations.py    paths and URLs; stores that are reached by URL
    find.py         the photos that files, folders, patterns and URLs stand for
    names.py        names of results
    hints.py        color hints of many photos
    task.py         what is to be done with one photo, and what became of it
    reference.py    photos whose colors are carried over
    settings.py     settings of coloring, enlarging and repairing, and what carries them out
    plan.py         which photos become which files
    alike.py        an album in its own colors: its references first, the other photos like them
    one_photo.py    one photo, from file to files; which existing results stay
    pool.py         a plan, worked off by several workers
    processes.py    the engine of this machine: worker processes
    ray_engine.py   the engine of a Ray cluster
    report.py       all outcomes as JSON or as a table
    sheet.py        all photos with their results as one page
    archive.py      zip archives, unpacked with care and packed
    zip_results.py  the results of a run in one zip

    from colorflow.batch import Settings, make_plan, run

    plan = make_plan(["album"], "colored", Settings(n=4), recursive=True)
    for outcome in run(plan, workers=2):
        print(outcome.path, outcome.status)

Planning, and the parent of worker processes, load no torch.
"""

from colorflow.batch.hints import PhotoHints, read_hints
from colorflow.batch.locations import Location, Url, location_of
from colorflow.batch.names import Naming
from colorflow.batch.plan import Plan, make_plan
from colorflow.batch.processes import run, run_in_process, usual_workers
from colorflow.batch.reference import Reference, read_reference
from colorflow.batch.report import write_report
from colorflow.batch.settings import (
    COLORS,
    DETAIL,
    REPAIR,
    BatchSettings,
    EnlargeSettings,
    RepairSettings,
    Settings,
)
from colorflow.batch.sheet import write_sheet
from colorflow.batch.task import ColoredFile, Note, PhotoOutcome, PhotoTask, Remedy
from colorflow.batch.zip_results import ZipResults

__all__ = [
    "COLORS",
    "DETAIL",
    "REPAIR",
    "BatchSettings",
    "ColoredFile",
    "EnlargeSettings",
    "Location",
    "Naming",
    "Note",
    "PhotoHints",
    "PhotoOutcome",
    "PhotoTask",
    "Plan",
    "Reference",
    "Remedy",
    "RepairSettings",
    "Settings",
    "Url",
    "ZipResults",
    "location_of",
    "make_plan",
    "read_hints",
    "read_reference",
    "run",
    "run_in_process",
    "usual_workers",
    "write_report",
    "write_sheet",
]

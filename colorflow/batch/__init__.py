"""Many photos: what to do with each is decided first, then done, then told.

    find.py      the photos that files, folders and patterns mean
    names.py     names of results
    hints.py     colour hints of many photos
    settings.py  what all photos have in common
    plan.py      which photos become which files
    place.py     the folder for the results
    colour.py    one photo, from file to files
    worker.py    a process that colours
    crew.py      the parent's side of such processes
    local.py     a plan carried out on this machine
    record.py    what became of a photo
    report.py    all records, as JSON
    sheet.py     a contact sheet

    from colorflow.batch import Settings, make_plan, run

    plan = make_plan(["album"], "coloured", Settings(n=4), recursive=True)
    for record in run(plan, workers=2):
        print(record.path, record.status)

Planning and the parent of a crew load no torch.
"""

from colorflow.batch.hints import read_hints
from colorflow.batch.local import run, run_here, usual_workers
from colorflow.batch.names import Naming
from colorflow.batch.plan import Plan, Task, make_plan
from colorflow.batch.record import Colouring, Note, Record
from colorflow.batch.report import write_report
from colorflow.batch.settings import Settings
from colorflow.batch.sheet import write_sheet

__all__ = [
    "Colouring",
    "Naming",
    "Note",
    "Plan",
    "Record",
    "Settings",
    "Task",
    "make_plan",
    "read_hints",
    "run",
    "run_here",
    "usual_workers",
    "write_report",
    "write_sheet",
]

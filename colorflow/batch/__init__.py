"""Many photos: what to do with each is decided first, then done, then told.

    url.py         paths and URLs
    store.py       stores that are reached by URL
    find.py        the photos that files, folders and patterns mean
    find_url.py    the photos that URLs mean
    names.py       names of results
    hints.py       color hints of many photos
    settings.py    what all photos have in common
    plan.py        which photos become which files
    place.py       the folder for the results
    made.py        what is there already, and how it was made
    color.py      one photo, from file to files
    remote.py      one photo, wherever it and its results are
    pool.py        a plan carried out by several workers
    worker.py      a process that colors
    crew.py        the parent's side of such processes
    local.py       the engine of this machine
    ray_engine.py  the engine of a Ray cluster
    record.py      what became of a photo
    report.py      all records, as JSON
    table.py       the same as a table for people
    sheet.py       a contact sheet
    archive.py     zip archives, unpacked with care and packed; archive_entries.py judges names

    from colorflow.batch import Settings, make_plan, run

    plan = make_plan(["album"], "colored", Settings(n=4), recursive=True)
    for record in run(plan, workers=2):
        print(record.path, record.status)

Planning and the parent of a crew load no torch.
"""

from colorflow.batch.hints import read_hints
from colorflow.batch.local import run, run_here, usual_workers
from colorflow.batch.names import Naming
from colorflow.batch.plan import Plan, Task, make_plan
from colorflow.batch.record import Coloring, Note, Record
from colorflow.batch.report import write_report
from colorflow.batch.settings import Settings
from colorflow.batch.sheet import write_sheet
from colorflow.batch.url import Place, Url, place_of

__all__ = [
    "Coloring",
    "Naming",
    "Note",
    "Place",
    "Plan",
    "Record",
    "Settings",
    "Task",
    "Url",
    "make_plan",
    "place_of",
    "read_hints",
    "run",
    "run_here",
    "usual_workers",
    "write_report",
    "write_sheet",
]

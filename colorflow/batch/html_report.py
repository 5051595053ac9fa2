"""The report of a batch as a table for people: HTML that loads nothing from elsewhere."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from urllib.parse import quote

from colorflow.batch.locations import Location
from colorflow.batch.plan import Plan
from colorflow.batch.record import Record, Status
from colorflow.photo.encode import write_file

_STATES: dict[Status, str] = {
    "done": "Colored",
    "skipped": "Colored before",
    "already-colored": "Left as it is",
    "failed": "Failed",
}
_STYLE = """
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; font-family: system-ui, sans-serif; }
table { width: 100%; border-collapse: collapse; }
th, td { padding: 0.4rem; border-bottom: 1px solid #8886; text-align: left; vertical-align: top; }
td { overflow-wrap: anywhere; }
.failed { font-weight: bold; color: light-dark(#a11, #f88); }
:root { color-scheme: light dark; }
"""


def write_table(path: Path, plan: Plan, records: Sequence[Record]) -> None:
    """Writes the table as a page with links to the results.

    Args:
        path: the file, in a folder of our own.
        plan: of the batch; its paths are relative to the file's folder.
        records: what happened.

    Raises:
        WritePhotoError: if the file cannot be written.
    """
    page = (
        '<!DOCTYPE html>\n<html lang="en">\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>Colored photos</title>\n<style>{_STYLE}</style>\n<h1>Colored photos</h1>\n"
        f"<p>{html.escape(summary(plan, records))}</p>\n{as_table(plan, records, links=True)}\n"
    )
    write_file(path, page.encode("utf-8", "xmlcharrefreplace"), None)


def summary(plan: Plan, records: Iterable[Record]) -> str:
    """A sentence with the number of photos by status."""
    counts = Counter(record.status for record in records)
    said = [f"{counts[status]} {_STATES[status].lower()}" for status in _STATES if counts[status]]
    if left := len(plan.inputs) - counts.total():
        said.append(f"{left} not reached")
    return f"{', '.join(said)}." if said else "Nothing was colored."


def as_table(plan: Plan, records: Sequence[Record], *, links: bool = False) -> str:
    """The table of all files; those that failed come first.

    Args:
        plan: of the batch.
        records: what happened.
        links: whether results are links to their paths.
    """
    rows = [
        _row(record.path, record.status, _STATES[record.status], _detail(record, links=links))
        for record in sorted(plan.in_order(records), key=lambda record: record.status != "failed")
    ]
    reached = {record.path for record in records}
    rows += [_row(path, "left", "Not reached", "") for path in plan.inputs if path not in reached]
    rows += [_row(note.path, "left", "Left out", html.escape(note.reason)) for note in plan.notes]
    return (
        '<table><thead><tr><th scope="col">File</th><th scope="col">What became of it</th></tr>'
        f"</thead><tbody>{''.join(rows)}</tbody></table>"
    )


def _row(path: Location, kind: str, state: str, detail: str) -> str:
    said = f"{state}: {detail}" if detail else state
    return f'<tr class="{kind}"><td>{html.escape(str(path))}</td><td>{said}</td></tr>'


def _detail(record: Record, *, links: bool) -> str:
    """The reason, results and remarks of one photo, as HTML."""
    parts = [html.escape(record.reason)] if record.reason else []
    for one in record.colorings:
        name = html.escape(one.path.name)
        address = html.escape(_address(one.path))
        parts.append(f'<a href="{address}">{name}</a>' if links else name)
    return ", ".join([*parts, *map(html.escape, record.remarks)])


def _address(path: Location) -> str:
    if not isinstance(path, Path):
        return str(path)
    return quote(path.as_posix(), errors="surrogateescape")

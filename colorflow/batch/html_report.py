"""The report of a batch as a table for people: HTML that loads nothing from elsewhere."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from colorflow.batch.locations import Location, link_to
from colorflow.batch.plan import Plan
from colorflow.batch.task import PhotoOutcome, Status
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


def write_html_report(path: Path, plan: Plan, outcomes: Sequence[PhotoOutcome]) -> None:
    """Writes the table as a page with links to the results.

    Args:
        path: the file, in a folder of our own.
        plan: of the batch; its paths are relative to the file's folder.
        outcomes: what happened.

    Raises:
        WritePhotoError: if the file cannot be written.
    """
    page = (
        '<!DOCTYPE html>\n<html lang="en">\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>Colored photos</title>\n<style>{_STYLE}</style>\n<h1>Colored photos</h1>\n"
        f"<p>{html.escape(summary(plan, outcomes))}</p>\n{html_table(plan, outcomes, links=True)}\n"
    )
    write_file(path, page.encode("utf-8", "xmlcharrefreplace"), None)


def summary(plan: Plan, outcomes: Iterable[PhotoOutcome]) -> str:
    """A sentence with the number of photos by status."""
    counts = Counter(outcome.status for outcome in outcomes)
    said = [f"{counts[status]} {_STATES[status].lower()}" for status in _STATES if counts[status]]
    if left := len(plan.inputs) - counts.total():
        said.append(f"{left} not reached")
    return f"{', '.join(said)}." if said else "Nothing was colored."


def html_table(plan: Plan, outcomes: Sequence[PhotoOutcome], *, links: bool = False) -> str:
    """The table of all files; those that failed come first.

    Args:
        plan: of the batch.
        outcomes: what happened.
        links: whether results are links to their paths.
    """
    rows = [
        _row(outcome.path, outcome.status, _STATES[outcome.status], _detail(outcome, links=links))
        for outcome in sorted(
            plan.in_order(outcomes), key=lambda outcome: outcome.status != "failed"
        )
    ]
    reached = {outcome.path for outcome in outcomes}
    rows += [_row(path, "left", "Not reached", "") for path in plan.inputs if path not in reached]
    rows += [_row(note.path, "left", "Left out", html.escape(note.reason)) for note in plan.notes]
    return (
        '<table><thead><tr><th scope="col">File</th><th scope="col">What became of it</th></tr>'
        f"</thead><tbody>{''.join(rows)}</tbody></table>"
    )


def _row(path: Location, kind: str, state: str, detail: str) -> str:
    said = f"{state}: {detail}" if detail else state
    return f'<tr class="{kind}"><td>{html.escape(str(path))}</td><td>{said}</td></tr>'


def _detail(outcome: PhotoOutcome, *, links: bool) -> str:
    """The reason, results and remarks of one photo, as HTML."""
    parts = [html.escape(outcome.reason)] if outcome.reason else []
    for one in outcome.colorings:
        name = html.escape(one.path.name)
        address = html.escape(link_to(one.path, Path()))
        parts.append(f'<a href="{address}">{name}</a>' if links else name)
    return ", ".join([*parts, *map(html.escape, outcome.remarks)])

"""One photo of a batch, wherever it and its results are: by way of this machine's disk."""

from __future__ import annotations

import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from colorflow.batch.color import color
from colorflow.batch.plan import Task
from colorflow.batch.record import Coloring, Record
from colorflow.batch.settings import Settings
from colorflow.batch.store import download, is_there, upload
from colorflow.batch.url import Url
from colorflow.errors import ColorflowError, PhotoError

if TYPE_CHECKING:
    from colorflow.colorizer import Colorizer


def color_anywhere(colorizer: Colorizer, task: Task, settings: Settings) -> Record:
    """As `color`, but the photo, its results, or both may be URLs.

    A photo is fetched into a temporary folder, colored there, and its results are sent. Results
    that are there already are fetched first, since they say in themselves how they were made.
    """
    if isinstance(task.path, Path) and isinstance(task.folder, Path):
        return color(colorizer, task, settings)
    began = time.perf_counter()
    there: list[Coloring] = []
    try:
        with tempfile.TemporaryDirectory(prefix="colorflow-", ignore_cleanup_errors=True) as folder:
            record = _colored(colorizer, task, settings, Path(folder), there)
    except ColorflowError as error:
        own = isinstance(error, PhotoError) and error.source == str(task.path)
        record = Record(
            path=task.path,
            status="failed",
            reason=error.reason if own and isinstance(error, PhotoError) else str(error),
            colorings=tuple(there),
            ends_the_run=isinstance(error.__cause__, PermissionError) and not own,
        )
    except OSError as error:
        reason = f"this machine has no room for it while it is colored ({error.strerror})"
        record = Record(path=task.path, status="failed", reason=reason, colorings=tuple(there))
    return replace(record, path=task.path, seconds=time.perf_counter() - began)


def _colored(
    colorizer: Colorizer, task: Task, settings: Settings, folder: Path, there: list[Coloring]
) -> Record:
    """Colors it in a folder of this machine; what is at its place in the end is in `there`."""
    photo, results = task.path, task.folder
    fetched: set[str] = set()
    if isinstance(results, Url):
        fetched, results = _fetched(task, settings, folder / "results")
    if isinstance(photo, Url):
        url, photo = photo, folder / f"photo{Path(photo.name).suffix}"
        download(url, photo)
    record = color(colorizer, replace(task, path=photo, folder=results), settings)
    for one in record.colorings:
        target = task.target(one.label)
        if isinstance(target, Url) and (settings.overwrite or target.name not in fetched):
            assert isinstance(one.path, Path)
            upload(one.path, target)
        there.append(replace(one, path=target))
    reason = record.reason and record.reason.replace(str(results), str(task.folder))
    return replace(record, reason=reason, colorings=tuple(there))


def _fetched(task: Task, settings: Settings, folder: Path) -> tuple[set[str], Path]:
    """Fetches the results that are there, which say themselves what they are; their names."""
    folder.mkdir()
    names = set()
    for label in settings.labels:
        url = task.target(label)
        assert isinstance(url, Url)
        if is_there(url):
            download(url, folder / url.name)
            names.add(url.name)
    return names, folder

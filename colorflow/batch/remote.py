"""One photo of a batch, wherever it and its results are: by way of this machine's disk."""

from __future__ import annotations

import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from colorflow.batch.colour import colour
from colorflow.batch.plan import Task, skipped
from colorflow.batch.record import Colouring, Record
from colorflow.batch.settings import Settings
from colorflow.batch.store import download, is_there, upload
from colorflow.batch.url import Url
from colorflow.errors import ColorflowError, PhotoError

if TYPE_CHECKING:
    from colorflow.colorize import Colorizer


def colour_anywhere(colorizer: Colorizer, task: Task, settings: Settings) -> Record:
    """As `colour`, but the photo, its results, or both may be URLs.

    A photo is fetched into a temporary folder, coloured there, and its results are sent.
    """
    if isinstance(task.path, Path) and isinstance(task.folder, Path):
        return colour(colorizer, task, settings)
    began = time.perf_counter()
    try:
        with tempfile.TemporaryDirectory(prefix="colorflow-", ignore_cleanup_errors=True) as folder:
            record = _coloured(colorizer, task, settings, Path(folder))
    except ColorflowError as error:
        own = isinstance(error, PhotoError) and error.source == str(task.path)
        record = Record(
            path=task.path,
            status="failed",
            reason=error.reason if own and isinstance(error, PhotoError) else str(error),
            ends_the_run=isinstance(error.__cause__, PermissionError) and not own,
        )
    except OSError as error:
        reason = f"this machine has no room for it while it is coloured ({error.strerror})"
        record = Record(path=task.path, status="failed", reason=reason)
    return replace(record, path=task.path, seconds=time.perf_counter() - began)


def _coloured(colorizer: Colorizer, task: Task, settings: Settings, folder: Path) -> Record:
    if _is_finished(task, settings):
        seeds = range(settings.seed, settings.seed + settings.n)
        return skipped(task.path, [task.target(seed) for seed in seeds], settings.seed)
    photo, results = task.path, task.folder
    if isinstance(photo, Url):
        url, photo = photo, folder / f"photo{Path(photo.name).suffix}"
        download(url, photo)
    if isinstance(results, Url):
        results = folder / "results"
    record = colour(colorizer, replace(task, path=photo, folder=results), settings)
    if isinstance(task.folder, Url) and record.colourings:
        record = _sent(record, task, settings)
    if record.reason:
        record = replace(record, reason=record.reason.replace(str(results), str(task.folder)))
    return record


def _is_finished(task: Task, settings: Settings) -> bool:
    """Whether all results are there; of the most different ones the seeds are not known yet."""
    if settings.overwrite or settings.diverse or not isinstance(task.folder, Url):
        return False
    seeds = range(settings.seed, settings.seed + settings.n)
    return all(is_there(task.folder / task.name(seed)) for seed in seeds)


def _sent(record: Record, task: Task, settings: Settings) -> Record:
    """The record of a photo whose results, but those that are there, went to their URLs."""
    assert isinstance(task.folder, Url)
    colourings: list[Colouring] = []
    sent = 0
    for one in record.colourings:
        assert isinstance(one.path, Path)
        target = task.folder / task.name(one.seed)
        if settings.overwrite or not is_there(target):
            upload(one.path, target)
            sent += 1
        colourings.append(replace(one, path=target))
    if not sent:
        return skipped(task.path, [one.path for one in colourings], settings.seed)
    return replace(record, colourings=tuple(colourings))

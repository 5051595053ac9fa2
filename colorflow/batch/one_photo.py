"""One photo of a batch: reads it, has it worked on, writes the results, reports what happened.

A photo or results in a store are handled in a temporary folder of this machine.
"""

from __future__ import annotations

import errno
import math
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from colorflow.batch.existing import existing_results, expected_statements
from colorflow.batch.locations import Url, download, has_content
from colorflow.batch.outcome import ColoredFile, PhotoOutcome
from colorflow.batch.output import upload
from colorflow.batch.plan import PhotoTask, skipped
from colorflow.batch.settings import BatchSettings, Maker
from colorflow.errors import BatchError, ColorflowError, PhotoError, WritePhotoError
from colorflow.photo import Photo, check_format, is_own_picture, read_photo, write_image

_NOTHING_MORE_FITS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
"""Errors of the output folder that every further photo would meet, too."""


def work_on(maker: Maker, task: PhotoTask, settings: BatchSettings) -> PhotoOutcome:
    """Works on one photo and writes its results; errors are in the outcome.

    Args:
        maker: from `settings.maker`.
        task: the photo.
        settings: the settings of the batch.
    """
    began = time.perf_counter()
    photo, local = None, task
    complete: list[ColoredFile] = []
    ends_the_run = False
    try:
        with _local_copy(task, settings) as local:
            assert isinstance(local.path, Path)
            photo = read_photo(local.path, max_pixels=settings.max_pixels, isolated=True)
            outcome = _work(maker, task, local, settings, photo, complete)
            return _with_facts(outcome, photo, began)
    except ColorflowError as error:
        if isinstance(error, PhotoError) and error.source in (str(task.path), str(local.path)):
            reason = error.reason  # the photo's name stands before it
        else:
            reason = str(error).replace(str(local.folder), str(task.folder))
            ends_the_run = _meets_every_photo(error, task)
    except MemoryError:
        reason = "not enough memory for a photo of this size; make it smaller"
    except Exception as error:  # whatever one photo causes, the batch goes on
        detail = " ".join(str(error).split())
        reason = f"it cannot be {settings.done} ({type(error).__name__}: {detail})"
    outcome = PhotoOutcome(
        path=task.path,
        status="failed",
        reason=reason,
        colorings=tuple(sorted(complete, key=lambda one: (one.seed, one.label))),
        ends_the_run=ends_the_run,
    )
    return _with_facts(outcome, photo, began)


@contextmanager
def _local_copy(task: PhotoTask, settings: BatchSettings) -> Iterator[PhotoTask]:
    """The task with its photo and its output folder on this machine.

    Results that exist in a store are downloaded, because they say in themselves how they were made.
    """
    photo, results = task.path, task.folder
    if isinstance(photo, Path) and isinstance(results, Path):
        yield task
        return
    with ExitStack() as stack:
        try:
            temporary = TemporaryDirectory(prefix="colorflow-", ignore_cleanup_errors=True)
            folder = Path(stack.enter_context(temporary))
        except OSError as error:
            raise BatchError(
                f"this machine has no room for it while it is worked on ({error.strerror})"
            ) from error
        if isinstance(results, Url):
            results = folder
            for url in map(task.target, settings.labels):
                if isinstance(url, Url) and has_content(url):
                    download(url, folder / url.name)
        if isinstance(photo, Url):
            url, photo = photo, folder / f".photo{Path(photo.name).suffix}"
            download(url, photo)
        yield replace(task, path=photo, folder=results)


def _work(
    maker: Maker,
    task: PhotoTask,
    local: PhotoTask,
    settings: BatchSettings,
    photo: Photo,
    complete: list[ColoredFile],
) -> PhotoOutcome:
    """Makes what is missing; results that exist, or are written and uploaded, go to `complete`."""
    assert isinstance(local.path, Path)
    assert isinstance(local.folder, Path)
    if is_own_picture(photo, settings.kind):
        reason = "is a picture that colorflow made; it is not taken as a photo"
        return PhotoOutcome(path=task.path, status="skipped", reason=reason)
    if refusal := maker.refusal(photo, task):
        return PhotoOutcome(path=task.path, status="already-colored", reason=refusal)
    expected = expected_statements(local, settings, maker.weights)
    existing = existing_results(local, expected, settings)
    if len(existing) == len(expected):
        return skipped(task, existing)
    results = maker.results(photo, local, expected)
    stated = results.statements
    existing = existing_results(local, stated, settings)
    complete += [task.coloring(label, one) for label, one in existing.items()]
    missing = [label for label in stated if label not in existing]
    if missing:  # before the work, which takes long for large results
        width, height = settings.scale * photo.width, settings.scale * photo.height
        check_format(local.folder / local.name(missing[0]), width, height)
        _make_folder(local.folder)
    for label, (pixels, like) in zip(missing, results.painted(missing), strict=True):
        written, target, one = local.folder / local.name(label), task.target(label), stated[label]
        write_image(written, pixels, like, provenance=one.colors, enlargement=one.detail)
        if isinstance(target, Url):
            upload(written, target)
        complete.append(task.coloring(label, one))
    outcome = skipped(task, stated)
    if missing:
        outcome = replace(outcome, status="done", reason=None, remarks=results.remarks(task))
    return _with_likelihoods(outcome, results.likelihoods())


def _with_likelihoods(outcome: PhotoOutcome, bits: list[float] | None) -> PhotoOutcome:
    if bits is None:
        return outcome
    colorings = tuple(
        replace(one, bits_per_dim=value if math.isfinite(value) else None)
        for one, value in zip(outcome.colorings, bits, strict=True)
    )
    return replace(outcome, colorings=colorings)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WritePhotoError(folder, f"the folder cannot be made ({error.strerror})") from error


def _meets_every_photo(error: ColorflowError, task: PhotoTask) -> bool:
    """Whether every further photo would fail in the same way."""
    if getattr(error.__cause__, "errno", None) in _NOTHING_MORE_FITS:
        return True
    return isinstance(task.folder, Url) and isinstance(error.__cause__, PermissionError)


def _with_facts(outcome: PhotoOutcome, photo: Photo | None, began: float) -> PhotoOutcome:
    """Adds the seconds, and what is known of a photo that could be read."""
    outcome = replace(outcome, seconds=time.perf_counter() - began)
    if photo is None:
        return outcome
    remarks = (*photo.remarks, *outcome.remarks)
    return replace(outcome, width=photo.width, height=photo.height, remarks=remarks)

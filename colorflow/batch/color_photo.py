"""Colors one photo of a batch: reads it, draws, writes its results, and reports what happened.

A photo or results in a store are handled in a temporary folder of this machine.
"""

from __future__ import annotations

import errno
import math
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from colorflow.batch.existing import existing_results, expected_provenance
from colorflow.batch.locations import download, has_content
from colorflow.batch.outcome import ColoredFile, PhotoOutcome
from colorflow.batch.output import upload
from colorflow.batch.plan import PhotoTask, skipped
from colorflow.batch.settings import Settings, sample_label
from colorflow.errors import ColorflowError, PhotoError, WritePhotoError
from colorflow.photo import Kind, Photo, Provenance, is_own_picture, read_photo, write_image

if TYPE_CHECKING:
    from colorflow.colorize import Colorizer, Draws

_NOTHING_MORE_FITS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
"""Errors of the output folder that every further photo would meet, too."""


def color_photo(colorizer: Colorizer, task: PhotoTask, settings: Settings) -> PhotoOutcome:
    """Colors one photo and writes its results; errors are in the outcome.

    Results that exist already in a store are downloaded first, because they say in themselves how
    they were made.

    Args:
        colorizer: the loaded model.
        task: the photo.
        settings: of the batch.
    """
    began = time.perf_counter()
    if isinstance(task.path, Path) and isinstance(task.folder, Path):
        outcome = _color_locally(colorizer, task, settings)
    else:
        outcome = _color_by_url(colorizer, task, settings)
    return replace(outcome, path=task.path, seconds=time.perf_counter() - began)


def _color_by_url(colorizer: Colorizer, task: PhotoTask, settings: Settings) -> PhotoOutcome:
    """Colors a photo that is in a store, or whose results go to one."""
    complete: list[ColoredFile] = []
    try:
        with tempfile.TemporaryDirectory(prefix="colorflow-", ignore_cleanup_errors=True) as folder:
            return _transfer_and_color(colorizer, task, settings, Path(folder), complete)
    except ColorflowError as error:
        reason = _reason(error, task)
        reading_failed = isinstance(error, PhotoError) and error.source == str(task.path)
        refused = isinstance(error.__cause__, PermissionError) and not reading_failed
    except OSError as error:
        reason = f"this machine has no room for it while it is colored ({error.strerror})"
        refused = False
    return _failed(task, reason, complete, ends_the_run=refused)


def _transfer_and_color(
    colorizer: Colorizer,
    task: PhotoTask,
    settings: Settings,
    folder: Path,
    complete: list[ColoredFile],
) -> PhotoOutcome:
    """Colors a photo in a local folder; results at their final location are added to `complete`."""
    photo, results = task.path, task.folder
    existing: set[str] = set()
    if not isinstance(results, Path):
        results = folder / "results"
        existing = _download_results(task, settings, results)
    if not isinstance(photo, Path):
        url, photo = photo, folder / f"photo{Path(photo.name).suffix}"
        download(url, photo)
    outcome = _color_locally(colorizer, replace(task, path=photo, folder=results), settings)
    for one in outcome.colorings:
        target = task.target(one.label)
        if not isinstance(target, Path) and (settings.overwrite or target.name not in existing):
            assert isinstance(one.path, Path)
            upload(one.path, target)
        complete.append(replace(one, path=target))
    reason = outcome.reason and outcome.reason.replace(str(results), str(task.folder))
    return replace(outcome, reason=reason, colorings=tuple(complete))


def _download_results(task: PhotoTask, settings: Settings, folder: Path) -> set[str]:
    """Downloads the results that exist already; returns their names."""
    folder.mkdir()
    names = set()
    for label in settings.labels:
        url = task.target(label)
        assert not isinstance(url, Path)
        if has_content(url):
            download(url, folder / url.name)
            names.add(url.name)
    return names


def _color_locally(colorizer: Colorizer, task: PhotoTask, settings: Settings) -> PhotoOutcome:
    """Colors a photo of this machine into a folder of this machine; errors are in the outcome."""
    assert isinstance(task.path, Path)
    photo = None
    written: list[ColoredFile] = []
    ends_the_run = False
    try:
        photo = read_photo(task.path, max_pixels=settings.max_pixels)
        outcome = _color(colorizer, task, settings, photo, written)
        return _with_size(outcome, photo)
    except ColorflowError as error:
        ends_the_run = getattr(error.__cause__, "errno", None) in _NOTHING_MORE_FITS
        reason = _reason(error, task)
    except MemoryError:
        reason = "not enough memory for a photo of this size; make it smaller"
    except Exception as error:  # whatever one photo causes, the batch goes on
        detail = " ".join(str(error).split())
        reason = f"it cannot be colored ({type(error).__name__}: {detail})"
    return _with_size(_failed(task, reason, written, ends_the_run=ends_the_run), photo)


def _color(
    colorizer: Colorizer,
    task: PhotoTask,
    settings: Settings,
    photo: Photo,
    written: list[ColoredFile],
) -> PhotoOutcome:
    """Colors a photo; results that exist or are written are added to `written`.

    All colorings are drawn even if some results exist, so that each coloring is the same whichever
    others are missing.
    """
    assert isinstance(task.path, Path)
    assert isinstance(task.folder, Path)
    if is_own_picture(task.path):
        reason = "is a picture that colorflow made; it is not taken as a photo"
        return PhotoOutcome(path=task.path, status="skipped", reason=reason)
    if photo.kind is Kind.COLORED and not settings.force:
        reason = "already has colors; --force colors it again"
        return PhotoOutcome(path=task.path, status="already-colored", reason=reason)
    expected = expected_provenance(task, settings, colorizer.digest)
    if settings.labels_are_known:
        existing = existing_results(task, expected, overwrite=settings.overwrite)
        if len(existing) == len(expected):
            return skipped(task, existing)
    draws = _draw(colorizer, photo, task, settings)
    drawn = _provenance_of(draws, expected)
    existing = existing_results(task, drawn, overwrite=settings.overwrite)
    written += [task.coloring(label, one) for label, one in existing.items()]
    missing = [label for label in drawn if label not in existing]
    if missing:
        _make_folder(task.folder)
    indices = [list(drawn).index(label) for label in missing]
    painted = colorizer.paint(photo, draws.ab[indices], bits=photo.bits)
    for label, pixels in zip(missing, painted, strict=True):
        write_image(task.folder / task.name(label), pixels, photo, provenance=drawn[label])
        written.append(task.coloring(label, drawn[label]))
    outcome = skipped(task, drawn)
    if missing:
        outcome = replace(outcome, status="done", reason=None)
    if not settings.likelihood:
        return outcome
    bits = _bits_per_dim(colorizer, photo, task, draws)
    colorings = zip(outcome.colorings, bits, strict=True)
    return replace(
        outcome, colorings=tuple(replace(one, bits_per_dim=value) for one, value in colorings)
    )


def _draw(colorizer: Colorizer, photo: Photo, task: PhotoTask, settings: Settings) -> Draws:
    try:
        return colorizer.draw(
            photo,
            settings.n,
            settings.temperature,
            settings.seed,
            samples=settings.samples,
            diverse=settings.diverse,
            hints=task.hints,
        )
    except ValueError as error:  # settings were checked before, so a hint is outside the photo
        if not task.hints:
            raise
        raise PhotoError(str(task.path), str(error)) from error


def _provenance_of(draws: Draws, expected: Mapping[str, Provenance]) -> dict[str, Provenance]:
    """What each drawn coloring will say of itself, with its share, by label."""
    if not draws.shares:
        return {label: expected[label] for label in map(sample_label, draws.seeds)}
    drawn = {}
    for (label, one), share in zip(expected.items(), draws.shares, strict=True):
        assert one.principal
        drawn[label] = replace(one, principal=replace(one.principal, share=share))
    return drawn


def _bits_per_dim(
    colorizer: Colorizer, photo: Photo, task: PhotoTask, draws: Draws
) -> list[float | None]:
    try:
        values = colorizer.bits_per_dim(photo, draws.ab, hints=task.hints).tolist()
    except ValueError:  # a color at the very edge of the model's range has no density
        return [None for _ in draws.ab]
    return [value if math.isfinite(value) else None for value in values]


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WritePhotoError(folder, f"the folder cannot be made ({error.strerror})") from error


def _reason(error: ColorflowError, task: PhotoTask) -> str:
    """What went wrong, without the photo's own name, which the report prints before it."""
    if isinstance(error, PhotoError) and error.source == str(task.path):
        return error.reason
    return str(error)


def _failed(
    task: PhotoTask, reason: str, written: list[ColoredFile], *, ends_the_run: bool
) -> PhotoOutcome:
    return PhotoOutcome(
        path=task.path,
        status="failed",
        reason=reason,
        colorings=tuple(sorted(written, key=lambda one: (one.seed, one.label))),
        ends_the_run=ends_the_run,
    )


def _with_size(outcome: PhotoOutcome, photo: Photo | None) -> PhotoOutcome:
    if photo is None:
        return outcome
    return replace(outcome, width=photo.width, height=photo.height, remarks=photo.remarks)

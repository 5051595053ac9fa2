"""Colors one photo of a batch: reads it, samples, writes its results, and reports what happened.

A photo or results in a store are handled in a temporary folder of this machine.
"""

from __future__ import annotations

import errno
import math
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from colorflow.batch.existing import existing_results, expected_provenance
from colorflow.batch.locations import Url, download, has_content
from colorflow.batch.outcome import ColoredFile, PhotoOutcome
from colorflow.batch.output import upload
from colorflow.batch.plan import PhotoTask, skipped
from colorflow.batch.settings import Settings, sample_label
from colorflow.errors import BatchError, ColorflowError, PhotoError, WritePhotoError
from colorflow.photo import Kind, Photo, Provenance, is_own_picture, read_photo, write_image

if TYPE_CHECKING:
    from colorflow.colorizer import Colorizer, Predictions

_NOTHING_MORE_FITS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
"""Errors of the output folder that every further photo would meet, too."""


def color_photo(colorizer: Colorizer, task: PhotoTask, settings: Settings) -> PhotoOutcome:
    """Colors one photo and writes its results; errors are in the outcome.

    Args:
        colorizer: the loaded model.
        task: the photo.
        settings: of the batch.
    """
    began = time.perf_counter()
    photo, local = None, task
    complete: list[ColoredFile] = []
    ends_the_run = False
    try:
        with _local_copy(task, settings) as local:
            assert isinstance(local.path, Path)
            photo = read_photo(local.path, max_pixels=settings.max_pixels)
            outcome = _color(colorizer, task, local, settings, photo, complete)
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
        reason = f"it cannot be colored ({type(error).__name__}: {detail})"
    outcome = PhotoOutcome(
        path=task.path,
        status="failed",
        reason=reason,
        colorings=tuple(sorted(complete, key=lambda one: (one.seed, one.label))),
        ends_the_run=ends_the_run,
    )
    return _with_facts(outcome, photo, began)


@contextmanager
def _local_copy(task: PhotoTask, settings: Settings) -> Iterator[PhotoTask]:
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
                f"this machine has no room for it while it is colored ({error.strerror})"
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


def _color(
    colorizer: Colorizer,
    task: PhotoTask,
    local: PhotoTask,
    settings: Settings,
    photo: Photo,
    complete: list[ColoredFile],
) -> PhotoOutcome:
    """Colors a photo; results that exist, or are written and uploaded, are added to `complete`.

    All colorings are predicted even if some results exist, so that each is the same whichever
    others are missing.
    """
    assert isinstance(local.path, Path)
    assert isinstance(local.folder, Path)
    if is_own_picture(local.path):
        reason = "is a picture that colorflow made; it is not taken as a photo"
        return PhotoOutcome(path=task.path, status="skipped", reason=reason)
    if photo.kind is Kind.COLORED and not settings.force:
        reason = "already has colors; --force colors it again"
        return PhotoOutcome(path=task.path, status="already-colored", reason=reason)
    expected = expected_provenance(local, settings, colorizer.digest)
    if settings.labels_are_known:
        existing = existing_results(local, expected, overwrite=settings.overwrite)
        if len(existing) == len(expected):
            return skipped(task, existing)
    predictions = _predict(colorizer, photo, local, settings)
    provenances = _provenance_of(predictions, expected)
    existing = existing_results(local, provenances, overwrite=settings.overwrite)
    complete += [task.coloring(label, one) for label, one in existing.items()]
    missing = [label for label in provenances if label not in existing]
    if missing:
        _make_folder(local.folder)
    indices = [list(provenances).index(label) for label in missing]
    painted = colorizer.render(photo, predictions.ab[indices], bits=photo.bits)
    gray = []
    for label, pixels in zip(missing, painted, strict=True):
        written, target = local.folder / local.name(label), task.target(label)
        write_image(written, pixels, photo, provenance=provenances[label])
        if isinstance(target, Url):
            upload(written, target)
        complete.append(task.coloring(label, provenances[label]))
        if _is_gray(pixels):
            gray.append(task.name(label))
    outcome = skipped(task, provenances)
    if missing:
        remarks = (f"nearly gray, since black and white show no color: {', '.join(gray)}",)
        outcome = replace(outcome, status="done", reason=None, remarks=remarks if gray else ())
    if not settings.likelihood:
        return outcome
    bits = _bits_per_dim(colorizer, photo, local, predictions)
    colorings = zip(outcome.colorings, bits, strict=True)
    return replace(
        outcome, colorings=tuple(replace(one, bits_per_dim=value) for one, value in colorings)
    )


def _predict(
    colorizer: Colorizer, photo: Photo, task: PhotoTask, settings: Settings
) -> Predictions:
    try:
        return colorizer.predict(
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


def _provenance_of(
    predictions: Predictions, expected: Mapping[str, Provenance]
) -> dict[str, Provenance]:
    """What each predicted coloring will say of itself, with its share, by label."""
    if not predictions.shares:
        return {label: expected[label] for label in map(sample_label, predictions.seeds)}
    provenances = {}
    for (label, one), share in zip(expected.items(), predictions.shares, strict=True):
        assert one.principal
        provenances[label] = replace(one, principal=replace(one.principal, share=share))
    return provenances


def _bits_per_dim(
    colorizer: Colorizer, photo: Photo, task: PhotoTask, predictions: Predictions
) -> list[float | None]:
    try:
        values = colorizer.bits_per_dim(photo, predictions.ab, hints=task.hints).tolist()
    except ValueError:  # a color at the very edge of the model's range has no density
        return [None for _ in predictions.ab]
    return [value if math.isfinite(value) else None for value in values]


def _is_gray(pixels: np.ndarray) -> bool:
    """Whether a coloring (H, W, 3), of 8 or 16 bits, shows hardly any color."""
    eight = pixels if pixels.dtype == np.uint8 else (pixels >> 8).astype(np.uint8)
    return Photo(pixels=eight).kind is Kind.GRAY


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

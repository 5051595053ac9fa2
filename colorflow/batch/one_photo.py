"""One photo of a batch, from file to files: what there is already, what is made, what is told.

Existing results stay if they were made as they would be made now: a result says in its file by
which recipe it was made, from which photo and with which weights, and all of that has to agree.
Where a print is found in its scan is not compared, as it depends on the photo alone. What restores
an album lets a result of the same scan stay that was made in another way, and says so.
"""

from __future__ import annotations

import errno
import math
import os
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import astuple, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

from colorflow.batch.models import reference_photo
from colorflow.batch.settings import BatchSettings
from colorflow.batch.task import ColoredFile, PhotoOutcome, PhotoTask, Reference
from colorflow.errors import ColorflowError, PhotoError, PhotoTooLargeError, WritePhotoError
from colorflow.files import check_replaceable, digest_of
from colorflow.photo import (
    COLORING,
    RESTORED,
    Kind,
    Photo,
    check_format,
    is_gray,
    is_own_picture,
    read_picture,
    read_statements,
)
from colorflow.recipe import ColoringSpec, Recipe, Statement, Weights
from colorflow.result import Result
from colorflow.run import Models, cropped, run_all
from colorflow.scan import Frame, find_frames, is_doubtful, overlaps

_NOTHING_MORE_FITS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
"""Errors of the output folder that every further photo would meet, too."""
_ROOM = 1_900_000_000
"""Bytes for a photo and its coloring, so that a worker and its reader stay under 2.5 GB."""
_SIXTEEN_BITS = (".png", ".tif", ".tiff")
"""Suffixes of formats that keep 16 bits, and are encoded strip by strip."""
_LEAST_SHARE = 1 / 32**2
"""Of a photo that a reference tells: one of the cells that are compared."""

Tell = Callable[[str], None]
"""Takes what is done to the photo in hand, such as "enlarging, 30 %"."""


def work_on(
    models: Models, task: PhotoTask, settings: BatchSettings, tell: Tell = lambda step: None
) -> PhotoOutcome:
    """Works on one photo and writes its results; errors are in the outcome.

    Args:
        models: those that the settings use.
        task: the photo.
        settings: the settings of the batch.
        tell: gets what is done.
    """
    began = time.perf_counter()
    worker = _PhotoWorker(models, settings, tell)
    outcome = _reported(task, lambda _: worker.outcome(task))
    return replace(outcome, seconds=time.perf_counter() - began)


def make_folder(folder: Path) -> None:
    """Creates a folder with those above it, or raises `WritePhotoError`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RecursionError) as error:
        reason = getattr(error, "strerror", "it is in too many folders")
        raise WritePhotoError(folder, f"the folder cannot be made ({reason})") from error


def _reported(task: PhotoTask, work: Callable[[list[ColoredFile]], PhotoOutcome]) -> PhotoOutcome:
    """The outcome of some work, whose errors become one: the batch goes on.

    Args:
        task: the photo.
        work: gets a list for the results that are complete, should it fail later.
    """
    complete: list[ColoredFile] = []

    def failed(reason: str) -> PhotoOutcome:
        return task.outcome("failed", reason, colorings=tuple(complete))

    try:
        return work(complete)
    except ColorflowError as error:
        if isinstance(error, PhotoError) and error.source == str(task.path):
            return failed(error.reason)  # the photo's name stands before it
        # Every further photo would fail in the same way.
        ends = getattr(error.__cause__, "errno", None) in _NOTHING_MORE_FITS
        return replace(failed(str(error)), ends_the_run=ends)
    except MemoryError:
        return failed("not enough memory for a photo of this size; make it smaller")
    except Exception as error:
        detail = " ".join(str(error).split())
        return failed(f"the work on it failed ({type(error).__name__}: {detail})")


class _Scan(NamedTuple):
    """A photo that was read: the digest of its file, and how many prints were looked for in it."""

    photo: Photo
    digest: str
    prints: int | None


class _PhotoWorker:
    """Works on a photo, or on each print that is cut out of it."""

    def __init__(self, models: Models, settings: BatchSettings, tell: Tell) -> None:
        self.models, self.settings, self.tell = models, settings, tell
        self.levels = len(models.colorizer.levels) if models.colorizer else 0

    def outcome(self, task: PhotoTask) -> PhotoOutcome:
        """Of a photo, whose results may be there already."""
        settings = self.settings
        if outcome := self._finished(task):
            return outcome
        self.tell("reading")
        photo, digest = read_picture(task.path, isolated=True, page=task.page)
        assert digest  # it is a file
        if is_own_picture(photo, settings.kind):
            reason = "is a picture that colorflow made; it is not taken as a photo"
            return task.outcome("skipped", reason)
        frames, remarks = settings.frames_of(photo, task.path)
        scan = _Scan(photo, digest, len(frames) if settings.crop else None)

        def of_print(number: int, frame: Frame | None) -> PhotoOutcome:
            part = replace(task, number=number)
            return _reported(part, partial(self._made_of, scan, part, frame))

        places: list[Frame | None] = [*frames] or [None]
        outcome = _of_all([of_print(number, frame) for number, frame in enumerate(places, 1)])
        remarks = (*photo.remarks, *remarks, *outcome.remarks)
        for first, second in overlaps(frames):
            both = f"prints {first + 1} and {second + 1}"
            remarks += (f"the frames of {both} overlap; what lies in both is in both results",)
        # What restores cuts prints out unless it is told otherwise.
        may_be_cut = not (settings.crop or settings.kind is RESTORED or task.is_look)
        if outcome.status == "done" and may_be_cut and _has_border(photo):
            remarks += ("looks like a scan with a border; --crop auto cuts it off",)
        return replace(outcome, width=photo.width, height=photo.height, remarks=remarks)

    def _made_of(
        self, scan: _Scan, task: PhotoTask, frame: Frame | None, complete: list[ColoredFile]
    ) -> PhotoOutcome:
        """Makes what is missing of a print.

        Args:
            scan: the photo.
            task: says which print.
            frame: where it is; None for the scan as a whole.
            complete: takes the results that exist, or are written.
        """
        settings, models = self.settings, self.models
        recipes = settings.recipes(task, self.levels, frame.numbers if frame else None)
        photo = cropped(scan.photo, next(iter(recipes.values())).crop)
        has_colors = photo.kind is Kind.COLORED and not task.treat_as_gray
        if has_colors and settings.kind is COLORING:
            how = "--treat-as-gray with its name colors it from its lightness"
            return task.outcome("already-colored", f"already has colors; {how}")
        if task.is_look:
            assert models.colorizer
            return task.outcome("done", looks=models.colorizer.open(photo).looks())
        existing, others = self._existing(task, recipes, scan.digest)
        complete += [task.coloring(label, each) for label, each in existing.items()]
        if len(existing) == len(recipes):
            return task.skipped(existing, others)
        missing = [label for label in recipes if label not in existing]
        # Before the work, which takes long for large results.
        width, height = settings.scale * photo.width, settings.scale * photo.height
        check_format(task.target(missing[0]), width, height)
        if settings.coloring:
            _check_room(task, photo, task.target(missing[0]).suffix)
        make_folder(task.folder)
        colorings, gray, result = list[ColoredFile](), list[str](), None
        labels = iter(recipes)
        for result in self._results_of(scan, photo, task, recipes, existing):
            label = next(labels)
            bits = self._likelihood(result)
            if label in existing:
                colorings.append(task.coloring(label, existing[label]))
            else:
                self.tell(f"making {task.name(label)}")
                target, quality = task.target(label), settings.quality
                pixels = result.save(target, quality=quality, kind=settings.kind)
                if result.grid is not None and is_gray(pixels):
                    gray.append(task.name(label))
                del pixels  # of a large photo, two at once fill the memory
                colorings.append(task.coloring(label, result.statement))
                complete.append(colorings[-1])
            colorings[-1] = replace(colorings[-1], bits_per_dim=bits)
        assert result
        remarks = self._remarks(task, result)
        if gray:
            names = ", ".join(gray)
            remarks.append(f"nearly gray, since black and white show no color: {names}")
        told_by = self._told_by(task, result)
        return task.outcome(
            "done", colorings=tuple(colorings), remarks=tuple(remarks), told_by=told_by
        )

    def _results_of(
        self,
        scan: _Scan,
        photo: Photo,
        task: PhotoTask,
        recipes: Mapping[str, Recipe],
        existing: Collection[str],
    ) -> Iterator[Result]:
        """The results, in the order of the recipes; tells what is done meanwhile.

        Raises:
            PhotoError: if the hints do not fit the photo, or the weights.
        """
        start, colorizer = task.start, self.models.colorizer
        if start and colorizer and start.weights != colorizer.digest:
            raise PhotoError(
                str(task.path),
                f"its hints were given on a coloring of other weights ({start.weights}); choose "
                'these weights, or leave "coloring" out of the file of hints',
            )
        references = {each.digest: reference_photo(each) for each in self._references_of(task)}
        try:
            for step in run_all(
                scan.photo,
                list(recipes.values()),
                self.models,
                digest=scan.digest,
                references=references,
                prints=scan.prints,
                cut=photo,
                kept=[recipes[label] for label in existing],
            ):
                if isinstance(step, Result):
                    yield step
                else:
                    self.tell(str(step))
        except ValueError as error:  # settings were checked before, so it is of the file of hints
            if not (task.hints or start):
                raise
            raise PhotoError(str(task.path), str(error)) from error

    def _references_of(self, task: PhotoTask) -> Sequence[Reference]:
        if task.start or not self.settings.coloring:
            return ()
        return task.references or self.settings.coloring.references

    def _told_by(self, task: PhotoTask, result: Result) -> frozenset[Path] | None:
        """Which references gave colors to a photo."""
        if not result.reference_shares:
            return None
        shown = [each for each in self._references_of(task) if reference_photo(each)]
        shares = zip(shown, result.reference_shares, strict=True)
        return frozenset(each.path for each, share in shares if share >= _LEAST_SHARE)

    def _likelihood(self, result: Result) -> float | None:
        """Bits per dimension, if they are asked for; None at the edge of the model's range."""
        coloring = self.settings.coloring
        if not (coloring and coloring.likelihood and result.grid is not None):
            return None
        return result.bits_per_dim if math.isfinite(result.bits_per_dim) else None

    def _remarks(self, task: PhotoTask, result: Result) -> list[str]:
        """What the user should know about the results of a photo or a print."""
        settings, coloring = self.settings, self.settings.coloring
        is_restored = settings.kind is RESTORED
        remarks = {
            # Of an album, most prints are sound, and its sheet says so.
            "no damage found": result.repaired == 0 and not is_restored,
            "has colors, and was treated as gray": (
                coloring and task.treat_as_gray and result.photo.kind is Kind.COLORED
            ),
            "its hints keep the coloring they were given on; no reference was used": (
                task.start and coloring and coloring.references
            ),
            "has colors, which stay; --treat-as-gray with its name colors it": result.has_colors,
        }
        told = [remark for remark, is_true in remarks.items() if is_true]
        if is_restored and task.number == max(1, result.prints or 0):
            # A print that was cut out before and is not any more.
            further = replace(task, number=task.number + 1).target(settings.labels[0])
            with suppress(PhotoError):
                if any(
                    before.photo == result.digest
                    for before in read_statements(further, isolated=True)[-1:]
                ):
                    told.append(
                        f"{further.name} shows what is not cut out any more; remove it by hand"
                    )
        return told

    def _finished(self, task: PhotoTask) -> PhotoOutcome | None:
        """The outcome of a photo whose results all exist, before it is read; otherwise None.

        The results of its first print say how many there are.

        Raises:
            WritePhotoError: as `_existing`, unless other prints may still be worked on.
        """
        settings = self.settings
        first = task.target(task.labels(settings.labels)[0])
        if task.is_look or not os.path.lexists(first):
            return None
        prints, outcomes = 1, list[PhotoOutcome]()
        try:
            digest = digest_of(task.path)
            while len(outcomes) < prints:
                part = replace(task, number=len(outcomes) + 1)
                recipes = settings.recipes(part, self.levels)
                existing, others = self._existing(part, recipes, digest)
                if len(existing) < len(recipes):
                    return None
                prints = max(each.prints or 1 for each in existing.values())
                outcomes.append(part.skipped(existing, others))
        except OSError:  # it fails by name when it is read
            return None
        except WritePhotoError:
            if settings.crop:
                return None
            raise
        return _of_all(outcomes)

    def _existing(
        self, task: PhotoTask, recipes: Mapping[str, Recipe], digest: str
    ) -> tuple[dict[str, Statement], tuple[str, ...]]:
        """Which results exist already.

        Args:
            task: says the names of the results.
            recipes: of each result, by label.
            digest: of the photo's file.

        Returns:
            What each existing result that stays says; and which of them was made in another way.

        Raises:
            WritePhotoError: if a result was made in another way and must not be replaced, or
                another file is in the way of one.
        """
        settings, existing, others = self.settings, dict[str, Statement](), tuple[str, ...]()
        for label, recipe in recipes.items():
            target = task.target(label)
            try:
                check_replaceable(target, settings.kind)
                exists = os.path.exists(target) and os.path.getsize(target) > 0
            except OSError as error:
                reason = f"the file cannot be written ({error.strerror})"
                raise WritePhotoError(target, reason) from error
            if not exists or settings.overwrite:
                continue
            (*_, before) = (None, *read_statements(target, isolated=True))
            difference = self._difference(before, recipe, digest)
            if before and not difference:
                existing[label] = before
                continue
            reason = f"is there already, but {difference}; --overwrite makes it anew"
            if not (before and before.photo == digest and settings.kind is RESTORED):
                raise WritePhotoError(target, reason)
            others += (f"{target.name} {reason}, and so does naming this scan alone",)
            existing[label] = before
        return existing, others

    def _difference(self, before: Statement | None, recipe: Recipe, digest: str) -> str | None:
        """How a result was made, if not by a recipe from the photo with this digest."""
        if before is None or before.photo is None:
            return "does not say which photo it was made from"
        made, wanted = before.recipe, recipe.stated
        if wanted.colors and not made.colors:
            return "was not colored"
        if wanted.enlargement and not made.enlargement:
            return "was not enlarged"
        if made.colors and not wanted.colors:
            return "was colored"
        if made.enlargement and not wanted.enlargement:
            return f"was enlarged {made.enlargement.scale} times"
        weights = self.models.weights.used_by(wanted, has_colors=before.has_colors)
        now = _facts(wanted, digest, weights, is_cut=self.settings.crop)
        earlier = _facts(made, before.photo, before.weights, is_cut=before.prints is not None)
        for name, value in earlier.items():
            if value != now[name]:
                return _told_difference(name, value)
        return None


def _has_border(photo: Photo) -> bool:
    frames = find_frames(photo)
    return bool(frames) and not is_doubtful(photo, frames)


def _check_room(task: PhotoTask, photo: Photo, suffix: str) -> None:
    """Raises `PhotoTooLargeError` if a photo, its coloring and its file need too much memory.

    Args:
        task: the photo.
        photo: the photo.
        suffix: of the result, which says what is in memory while it is encoded.
    """
    pixels, is_deep, has_alpha = (
        photo.width * photo.height,
        photo.bits == 16,
        photo.alpha is not None,
    )
    arrays = (photo.pixels, photo.pixels16, photo.alpha)
    each = sum(array.nbytes for array in arrays if array is not None) // pixels
    each += 6 if is_deep else 3  # of the coloring
    if is_deep and suffix in _SIXTEEN_BITS:
        each += 0 if suffix == ".png" else 6  # TIFF begins with the sizes of its strips
    else:
        each += 7 if is_deep or has_alpha else 4  # those of 8 bits, on white; and Pillow's
    if each * pixels > _ROOM:
        reason = f"such a photo is colored up to {_ROOM / each / 1e6:.0f} million pixels"
        fewer = " or save it with 8 bits" if is_deep else ""
        raise PhotoTooLargeError(str(task.path), f"{reason}; make it smaller{fewer}")


def _of_all(outcomes: Sequence[PhotoOutcome]) -> PhotoOutcome:
    """The outcome of a scan from those of its prints, of which each that can be is worked on."""
    if len(outcomes) == 1:
        return outcomes[0]
    rank = ("failed", "done", "skipped", "already-colored")
    first = min(outcomes, key=lambda one: rank.index(one.status))
    remarks, reasons = [], []
    for number, one in enumerate(outcomes, 1):
        is_left = one.status == "already-colored" and first.status == "done"
        said = (*one.remarks, *((one.reason,) if is_left else ()))
        remarks += [f"print {number}: {remark}" for remark in said]
        reasons += [f"print {number}: {one.reason}"] if one.status == "failed" else []
    told = [one.told_by for one in outcomes if one.told_by is not None]
    return replace(
        first,
        told_by=frozenset[Path]().union(*told) if told else None,
        reason="; ".join(reasons) or first.reason,
        colorings=tuple(coloring for one in outcomes for coloring in one.colorings),
        remarks=tuple(remarks),
        ends_the_run=any(one.ends_the_run for one in outcomes),
    )


def _facts(recipe: Recipe, photo: str, weights: Weights, *, is_cut: bool) -> dict[str, object]:
    """What a result was made by, in the order in which differences are told, by people's names."""
    colors, detail, repair = recipe.colors, recipe.enlargement, recipe.repair
    spec = colors.spec if colors else None
    return {
        "photo": photo,
        "crop": is_cut,
        "repair": repair is not None,
        "weights": tuple(digest for digest in astuple(weights) if digest),
        "temperature": spec and spec.temperature,
        "seed": spec and spec.seed,
        "hints": colors and colors.hints,
        "skin": spec and spec.skin,
        "saturation": colors and colors.saturation,
        "pale": colors and colors.pale,
        "references": colors and colors.references,
        "strength": spec and spec.strength,
        "style": colors and colors.style,
        "own colors": colors and colors.keeps,
        "coloring": spec and replace(spec, temperature=1, skin=True, strength=0),
        "scale": detail and detail.scale,
        "restore": detail and detail.restored,
        "detail's temperature": detail and detail.temperature,
        "detail's seed": detail and detail.seed,
        "print": recipe.crop.number if recipe.crop else 1,
        "sensitivity": repair and repair.sensitivity,
        "repair's sample": repair and (repair.temperature, repair.seed),
        "fading": recipe.unfaded,
    }


def _told_difference(name: str, value: object) -> str:
    if isinstance(value, ColoringSpec):
        which = value.principal
        if which is None:
            return "is a sample"
        of = "" if which.number == 0 else f" of {which.of}"
        return f"is principal coloring {which.letter}{of}"
    is_told = isinstance(value, str | int | float) and not isinstance(value, bool)
    told = ", ".join(value) if name == "weights" and isinstance(value, tuple) else value
    return f"differs in its {name}{f' ({told})' if is_told or name == 'weights' else ''}"

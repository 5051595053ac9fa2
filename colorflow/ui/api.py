"""The API of the page's server for programs; docs/api.md shows its use.

Nothing is kept between two calls. Gradio reads parameters, types and descriptions from the
functions themselves. So their annotations must not be strings, which is why there is no
`from __future__ import annotations`, and their first paragraphs address the callers.
"""

import math
import reprlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, NotRequired, TypedDict, cast, get_args

import gradio as gr
from gradio.data_classes import FileData
from gradio.events import api

from colorflow.batch.hints import hints_of
from colorflow.enlarge.draws import MEAN
from colorflow.errors import BatchError, ColorflowError
from colorflow.files import digest_of
from colorflow.limits import LARGEST_SEED, SCALES
from colorflow.photo import Photo, count_pixels
from colorflow.recipe import ColoringSpec, Colors, Enlargement, Recipe
from colorflow.result import Result
from colorflow.run import run_all
from colorflow.ui.coloring import name_of
from colorflow.ui.hints import Hints, check_points
from colorflow.ui.limits import (
    API_PREFIX,
    LONG_QUEUE,
    MOST_VIVID,
    MOST_WISHED,
    WORK_QUEUE,
)
from colorflow.ui.owners import visitor_of
from colorflow.ui.photos import FAILURES, new_folder, opened, sentence
from colorflow.ui.work import DeskWorker

ENDPOINTS = ("colorize", "enlarge")
"""Names of the calls."""

_SUFFIXES = {"png": ".png", "jpeg": ".jpg", "tiff": ".tif", "webp": ".webp"}

Format = Literal["same", "png", "jpeg", "tiff", "webp"]


class HintFields(TypedDict):
    """The color of a point: a pixel of the upright photo, CIELAB a and b, and what gets it."""

    row: float
    column: float
    a: float
    b: float
    reach: NotRequired[Literal["thing", "larger", "around", "alike"]]
    adds: NotRequired[list[list[float]]]
    takes: NotRequired[list[list[float]]]


@contextmanager
def _in_sentences() -> Iterator[None]:
    """Send errors that are written for people to the caller."""
    try:
        yield
    except FAILURES as error:
        raise gr.Error(sentence(error), print_exception=False) from error


class Api:
    """The endpoints, made inside a `gr.Blocks`.

    Args:
        worker: colors and enlarges, shared with the page.
    """

    def __init__(self, worker: DeskWorker) -> None:
        self._worker = worker
        for name, queue in zip(ENDPOINTS, (WORK_QUEUE, LONG_QUEUE), strict=True):
            api(getattr(self, name), api_name=name, **queue)

    @_in_sentences()
    def colorize(
        self,
        request: gr.Request,
        photo: FileData,
        n: int = 4,
        temperature: float = 1.0,
        seed: int = 0,
        format: Format = "same",
        samples: bool = False,
        hints: list[HintFields] = [],  # noqa: B006 (is read only; a client shows it)
    ) -> tuple[list[FileData], dict[str, Any]]:
        """Color a photo n times (1 to 8) at its own size: first with the average of all,
        then with averages of the n - 1 most frequent kinds of samples. If samples is true, return n
        single samples instead; sample i depends on seed + i alone (0 to 4294967295). temperature
        (0 to 1.5) is 1 for natural colors, and 0 for calm ones that are the same each time. format
        is same (JPEG for a JPEG, otherwise PNG), png, jpeg, tiff or webp. hints is a list of up to
        100 {"row", "column", "a", "b"}: a pixel of the upright photo at full size, counted from its
        upper left corner, and CIELAB a and b of the color there, and as options "reach", "adds" and
        "takes" as in files of hints. Returns the n files, and for each its seed, its share of all
        samples (null for a single sample) and its bits per dimension (less is more likely), with
        the digest of the model.

        Args:
            photo: an uploaded file.
            n: number of colorings.
            temperature: factor on the shipped temperatures.
            seed: seed of the first sample.
            format: format of the files.
            samples: single samples instead of averages.
            hints: colors of points.
        """
        n = _whole("n", n, 1, MOST_WISHED)
        temperature = _number("temperature", temperature, 0, MOST_VIVID)
        seed = _whole("seed", seed, 0, LARGEST_SEED)
        _check_choice("samples", samples, (True, False))
        path, models = self._uploaded(request, photo), self._worker.models
        colorizer, paths = self._worker.colorizer, list[Path]()
        first = ColoringSpec(seeds=(seed,) * len(colorizer.levels), temperature=temperature)
        specs = [
            first.sample_spec(seed + i) if samples else first.principal_spec(i, n) for i in range(n)
        ]
        with opened(path, self._worker.budget) as read:
            suffix, points = _suffix(format, read), _points(hints, read)
            recipes = [Recipe(colors=Colors(spec=spec, hints=points)) for spec in specs]
            steps = run_all(read, recipes, models, digest=digest_of(path))
            made = [one for one in steps if isinstance(one, Result)]
            likelihoods = [one.bits_per_dim for one in made]
            folder = self._new_folder(request)
            for one in made:
                self._worker.budget.disk.check()
                paths.append(folder / f"{path.stem}_{name_of(one.spec)}{suffix}")
                one.save(paths[-1])
        return [_file(one) for one in paths], {
            "seeds": [one.seed for one in made],
            "shares": [one.share for one in made],
            "bits_per_dim": [bits if math.isfinite(bits) else None for bits in likelihoods],
            "temperature": temperature,
            "model": colorizer.digest,
        }

    @_in_sentences()
    def enlarge(
        self,
        request: gr.Request,
        photo: FileData,
        scale: int = 2,
        format: Format = "same",
        restore: bool = False,
    ) -> FileData:
        """Make a photo, colored or not, 2 or 4 times as large on each side, with the average of the
        detail that would suit it. If restore is true, blur, noise and compression are taken out.
        format is that of /colorize. Returns the file.

        Args:
            photo: an uploaded file.
            scale: 2 or 4.
            format: format of the file.
            restore: whether an old photo is cleared up.
        """
        files, budget = self._worker.files, self._worker.budget
        if files.enlarger is None:
            raise ColorflowError("This page cannot enlarge: the weights for it are not installed.")
        _check_choice("scale", scale, SCALES)
        _check_choice("restore", restore, (True, False))
        if restore and not files.enlarger.can_restore:
            raise ColorflowError("This page cannot restore: its weights do not do that.")
        path = self._uploaded(request, photo)
        recipe = Recipe(enlargement=Enlargement(scale=scale, restored=restore))
        size = count_pixels(path, max_pixels=budget.pixels, isolated=True)
        files.check_size(size, scale)
        with opened(path, budget, scale**2 * size, for_long=True) as read:
            suffix = _suffix(format, read)
            (*_, made) = run_all(read, [recipe], self._worker.models, digest=digest_of(path))
            assert isinstance(made, Result)
            budget.disk.check()
            folder = self._new_folder(request)
            file = folder / f"{path.stem}_{MEAN.label_of(scale, restored=restore)}{suffix}"
            made.save(file)
        return _file(file)

    def _new_folder(self, request: gr.Request) -> Path:
        """A folder for the results of a call, which its caller alone may read."""
        folder = new_folder(self._worker.space.root, API_PREFIX)
        self._worker.space.owners.give(folder, visitor_of(request))
        return folder

    def _uploaded(self, request: gr.Request, given: object) -> Path:
        """The path of an upload of the caller. Clients may name any file of the server."""
        path = given.get("path") if isinstance(given, dict) else None
        if isinstance(path, str) and self._worker.space.owners.has(visitor_of(request), path):
            return Path(path)
        raise ColorflowError(
            "photo: expected a file that was uploaded in the last hour; docs/api.md shows how."
        )


def _file(path: Path) -> FileData:
    """A file for the caller, as a dict: Gradio passes results of endpoints on as they are."""
    return cast(FileData, FileData(path=str(path), orig_name=path.name).model_dump())


def _suffix(format: Format, photo: Photo) -> str:
    _check_choice("format", format, get_args(Format))
    if format == "same":
        return ".jpg" if photo.metadata.format == "JPEG" else ".png"
    return _SUFFIXES[format]


def _points(given: object, photo: Photo) -> Hints:
    try:
        points = hints_of(given, "hints")
    except BatchError as error:
        raise ColorflowError(f"{error}.") from error
    check_points(points, "hints", photo.height, photo.width)
    return points


def _check_choice(name: str, value: object, choices: tuple[object, ...]) -> None:
    if not any(value is one or (value == one and type(value) is type(one)) for one in choices):
        expected = " or ".join(str(one).lower() for one in choices)
        raise ColorflowError(f"{name}: expected {expected}, got {reprlib.repr(value)}.")


def _whole(name: str, value: object, least: int, most: int) -> int:
    return int(_number(name, value, least, most, "whole number"))


def _number(name: str, value: object, least: float, most: float, kind: str = "number") -> float:
    """The number that a caller has given; true and false are no numbers."""
    number = math.nan
    if isinstance(value, int | float) and not isinstance(value, bool):
        number = float(value)
    if not least <= number <= most or (kind == "whole number" and not number.is_integer()):
        expected = f"a {kind} from {least:.10g} to {most:.10g}"
        raise ColorflowError(f"{name}: expected {expected}, got {reprlib.repr(value)}.")
    return number

"""The API of the page's server for programs; docs/api.md shows its use.

Nothing is kept between two calls. Gradio reads parameters, types and
descriptions from the functions themselves. So their annotations must not be strings, which is why
there is no `from __future__ import annotations`, and their first paragraphs address the callers.
"""

import functools
import math
import re
import reprlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import (
    TYPE_CHECKING,
    Any,
    Literal,
    NotRequired,
    ParamSpec,
    TypedDict,
    TypeVar,
    cast,
    get_args,
)

import gradio as gr
from gradio.data_classes import FileData
from gradio.events import api

from colorflow.batch.hints import hints_of
from colorflow.color.full_resolution import LightnessRows, render
from colorflow.errors import BatchError, ColorflowError
from colorflow.limits import LARGEST_SEED
from colorflow.photo import Photo, write_image
from colorflow.ui.colorings import name_of
from colorflow.ui.controls import MOST_VIVID
from colorflow.ui.limits import WORK_QUEUE, MemoryBudget
from colorflow.ui.photos import new_folder, opened, reduced
from colorflow.ui.points import check_points
from colorflow.ui.status import sentence
from colorflow.ui.storage import API_PREFIX, VISITORS

if TYPE_CHECKING:
    from colorflow.colorizer import Coloring, Colorizer, Hint

ENDPOINTS = ("colorize", "hints")
"""Names of the calls."""
MOST_COLORINGS = 8

_UPLOAD_FOLDER = re.compile("[0-9a-f]{64}")
"""Gradio's folder for an upload is named by the SHA-256 of the file."""
_SUFFIXES = {"png": ".png", "jpeg": ".jpg", "tiff": ".tif", "webp": ".webp"}

Format = Literal["same", "png", "jpeg", "tiff", "webp"]
Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class HintFields(TypedDict):
    """The color of a point: a pixel of the upright photo, CIELAB a and b, and its reach."""

    row: float
    column: float
    a: float
    b: float
    reach: NotRequired[Literal["thing", "around", "alike"]]


def _in_sentences(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Send errors that are written for people to the caller."""

    @functools.wraps(function)
    def wrapper(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        try:
            return function(*args, **kwargs)
        except (ColorflowError, MemoryError) as error:
            raise gr.Error(sentence(error), print_exception=False) from error

    return wrapper


class Api:
    """The endpoints, made inside a `gr.Blocks`.

    Args:
        colorizer: colors the photos.
        files: Gradio's folder, as `page_folder` yields it.
        budget: memory for photos, shared with the page.
    """

    def __init__(self, colorizer: "Colorizer", files: Path, budget: MemoryBudget) -> None:
        self._colorizer = colorizer
        self._files = files
        self._budget = budget
        for name in ENDPOINTS:
            api(getattr(self, name), api_name=name, **WORK_QUEUE)

    @_in_sentences
    def colorize(
        self,
        photo: FileData,
        n: int = 4,
        vividness: float = 1.0,
        seed: int = 0,
        format: Format = "same",
        samples: bool = False,
        preview: bool = False,
    ) -> tuple[list[FileData], dict[str, Any]]:
        """Color a photo n times (1 to 8) at its own size: first with the average of all samples,
        then with averages of the n - 1 most frequent kinds of samples. If samples is true, return n
        single samples instead; sample i depends on seed + i alone (0 to 4294967295). vividness
        (0 to 1.5) is 1 for natural colors, and 0 for calm ones that are the same each time. format
        is same (JPEG for a JPEG, otherwise PNG), png, jpeg, tiff or webp. If preview is true, the
        files have at most 1024 pixels on the longer side, come sooner, and same is JPEG. Returns
        the n files, and for each its seed, its share of all samples (null for a single sample) and
        its bits per dimension (less is more likely; null for a preview), with the digest of the
        model.

        Args:
            photo: an uploaded file.
            n: number of colorings.
            vividness: factor on the shipped temperatures.
            seed: seed of the first sample.
            format: format of the files.
            samples: single samples instead of averages.
            preview: small files instead of full size.
        """
        n = _whole("n", n, 1, MOST_COLORINGS)
        return self._results(photo, n, vividness, seed, format, samples, preview=preview)

    @_in_sentences
    def hints(
        self,
        photo: FileData,
        hints: list[HintFields],
        vividness: float = 1.0,
        seed: int = 0,
        format: Format = "same",
        samples: bool = False,
    ) -> tuple[FileData, dict[str, Any]]:
        """Color a photo once, with given colors at up to 100 points. hints is a list of
        {"row", "column", "a", "b"}: a pixel of the upright photo at full size, counted from its
        upper left corner, and CIELAB a and b of the color there. The other parameters are those of
        /colorize. Returns the file, and its seed, share and bits per dimension.

        Args:
            photo: an uploaded file.
            hints: the points.
            vividness: factor on the shipped temperatures.
            seed: seed of the first sample.
            format: format of the file.
            samples: a single sample instead of the average.
        """
        (file,), about = self._results(photo, 1, vividness, seed, format, samples, hints)
        return file, about

    def _results(
        self,
        upload: FileData,
        n: int,
        vividness: float,
        seed: int,
        format: Format,
        samples: bool,
        hints: list[HintFields] | None = None,
        *,
        preview: bool = False,
    ) -> tuple[list[FileData], dict[str, Any]]:
        """Color a photo n times, and write and describe the results."""
        vividness = _number("vividness", vividness, 0, MOST_VIVID)
        seed = _whole("seed", seed, 0, LARGEST_SEED)
        if format not in get_args(Format):
            expected = ", ".join(get_args(Format))
            raise ColorflowError(f"format: expected one of {expected}, got {_shown(format)}.")
        for name, value in (("samples", samples), ("preview", preview)):
            if not isinstance(value, bool):
                raise ColorflowError(f"{name}: expected true or false, got {_shown(value)}.")
        path = self._uploaded(upload)
        with opened(path, self._budget) as photo:
            points = () if hints is None else _points(hints, photo)
            made = self._colorizer.colorize(
                photo, n, vividness, seed, samples=samples, force=True, hints=points
            )
            if format == "same":
                is_jpeg = photo.metadata.format == "JPEG" or (preview and photo.alpha is None)
                format = "jpeg" if is_jpeg else "png"
            paths = self._write(reduced(photo) if preview else photo, made, format)
            likelihoods = [] if preview else [one.bits_per_dim for one in made]
        known = [bits if math.isfinite(bits) else None for bits in likelihoods]
        return [_file(path) for path in paths], {
            "seeds": [one.seed for one in made],
            "shares": [one.share for one in made],
            "bits_per_dim": known or [None] * n,
            "vividness": vividness,
            "model": self._colorizer.digest,
        }

    def _write(self, photo: Photo, colorings: "list[Coloring]", format: Format) -> list[Path]:
        """Render colorings at the photo's size, one at a time, and write each to a file."""
        folder = new_folder(self._files / VISITORS, API_PREFIX)
        paths = []
        try:
            for one in colorings:
                name = f"{Path(photo.source).stem}_{name_of(one.spec)}{_SUFFIXES[format]}"
                pixels = render(LightnessRows(photo.full_depth), one.ab, bits=photo.bits)
                self._budget.disk.check()
                write_image(folder / name, pixels, photo, provenance=one.provenance)
                paths.append(folder / name)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return paths

    def _uploaded(self, given: object) -> Path:
        """The path of an upload. Clients may name any file of the server, but get only uploads."""
        path = given.get("path") if isinstance(given, dict) else None
        if isinstance(path, str) and "\0" not in path:
            real = Path(path).resolve()
            in_files = real.parent.parent == self._files.resolve()
            if in_files and _UPLOAD_FOLDER.fullmatch(real.parent.name) and real.is_file():
                return real
        raise ColorflowError(
            "photo: expected a file that was uploaded in the last hour; docs/api.md shows how."
        )


def _file(path: Path) -> FileData:
    """A file for the caller, as a dict: Gradio passes results of endpoints on as they are."""
    return cast(FileData, FileData(path=str(path), orig_name=path.name).model_dump())


def _points(given: object, photo: Photo) -> "tuple[Hint, ...]":
    try:
        points = hints_of(given, "hints")
    except BatchError as error:
        raise ColorflowError(f"{error}.") from error
    check_points(points, "hints", photo.height, photo.width)
    return points


def _whole(name: str, value: object, least: int, most: int) -> int:
    return int(_number(name, value, least, most, "whole number"))


def _number(name: str, value: object, least: float, most: float, kind: str = "number") -> float:
    """The number that a caller has given; true and false are no numbers."""
    number = math.nan
    if isinstance(value, int | float) and not isinstance(value, bool):
        number = float(value)
    if not least <= number <= most or (kind == "whole number" and not number.is_integer()):
        expected = f"a {kind} from {least:.10g} to {most:.10g}"
        raise ColorflowError(f"{name}: expected {expected}, got {_shown(value)}.")
    return number


def _shown(value: object) -> str:
    """A caller's value, shortened for a message."""
    return reprlib.repr(value)

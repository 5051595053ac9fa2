"""What programs may ask of the page's server; docs/api.md shows how.

Nothing is kept between two calls but the rounds of the quiz. Gradio takes parameters, types and
descriptions from the functions' own, so their annotations must not be strings: there is no
`from __future__ import annotations` here, and the first paragraphs are written for callers.
"""

import functools
import math
import re
import reprlib
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, Protocol, TypedDict, TypeVar, cast

import gradio as gr
import numpy as np
from gradio.data_classes import FileData
from gradio.events import api

from colorflow.batch.hints import hints_of
from colorflow.color.full_resolution import lightness_of, render
from colorflow.errors import BatchError, ColorflowError
from colorflow.photo import Photo, count_pixels, read_photo, write_image
from colorflow.quiz.game import Quiz
from colorflow.quiz.rounds import LEAST, MARGIN, MOST
from colorflow.ui.api_quiz import Players
from colorflow.ui.colorings import name_of, provenance_of
from colorflow.ui.controls import MOST_VIVID
from colorflow.ui.limits import ROUND_PIXELS, WORK
from colorflow.ui.photos import new_folder
from colorflow.ui.points import check_points
from colorflow.ui.room import Room
from colorflow.ui.status import sentence
from colorflow.ui.storage import VISITORS
from colorflow.ui.visitors import visitor_of

if TYPE_CHECKING:
    from colorflow.colorize import Draws
    from colorflow.colorize import Hint as PointColor

MOST_COLORINGS = 8
LARGEST_SEED = 2**32 - 1

FORMATS = ("same", "png", "jpeg", "tiff", "webp")
_SUFFIXES = {"png": ".png", "jpeg": ".jpg", "tiff": ".tif", "webp": ".webp"}
_UPLOAD_FOLDER = re.compile("[0-9a-f]{64}")
"""Gradio names the folder of an upload by its SHA-256."""

Format = Literal["same", "png", "jpeg", "tiff", "webp"]
Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class Hint(TypedDict):
    """The color of a point: its pixel in the upright photo, and CIELAB a and b."""

    row: float
    column: float
    a: float
    b: float


class ApiColorizer(Protocol):
    """What the API needs of `colorflow.colorize.Colorizer`."""

    digest: str

    def draw(
        self,
        photo: Photo,
        n: int,
        temperature: float,
        seed: int,
        /,
        *,
        samples: bool,
        hints: "Sequence[PointColor]",
    ) -> "Draws":
        """Draw the colors of n principal colorings or samples."""
        ...

    def bits_per_dim(
        self, photo: Photo, ab: np.ndarray, /, *, hints: "Sequence[PointColor]"
    ) -> np.ndarray:
        """Tell how likely each of them is."""
        ...


def _in_sentences(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Hand errors that are meant for people to the caller."""

    @functools.wraps(function)
    def told(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        try:
            return function(*args, **kwargs)
        except (ColorflowError, MemoryError) as error:
            raise gr.Error(sentence(error), print_exception=False) from error

    return told


class Api:
    """The endpoints, made inside a `gr.Blocks`.

    Args:
        colorizer: colors the photos.
        files: Gradio's folder, as `page_folder` gives it.
        room: for photos, shared with the page.
        quiz: shared with the page.
    """

    def __init__(self, colorizer: ApiColorizer, files: Path, room: Room, quiz: Quiz) -> None:
        self._colorizer = colorizer
        self._files = files
        self._room = room
        self._players = Players(quiz, files / VISITORS)
        for name, endpoint in (
            ("colorize", self.colorize),
            ("hints", self.hints),
            ("quiz_round", self.quiz_round),
            ("quiz_answer", self.quiz_answer),
        ):
            api(endpoint, api_name=name, **WORK)

    def forget_idle(self, seconds: float) -> None:
        """Forget players of the quiz who have done nothing for some time."""
        self._players.forget_idle(seconds)

    @_in_sentences
    def colorize(
        self,
        photo: FileData,
        n: int = 4,
        vividness: float = 1.0,
        seed: int = 0,
        format: Format = "same",
        samples: bool = False,
    ) -> tuple[list[FileData], dict[str, Any]]:
        """Color a photo n times (1 to 8) in its own size: first the average of all samples, then
        averages of the n - 1 most frequent kinds of them. With samples true, give n single samples
        instead; sample i depends on seed + i alone (0 to 4294967295). vividness (0 to 1.5) is 1 for
        natural colors and 0 for calm ones that are the same each time. format is same (JPEG for a
        JPEG, otherwise PNG), png, jpeg, tiff or webp. Gives the n files, and of each its seed, its
        share of all samples (null for a single sample) and bits per dimension (less is more
        likely), with the digest of the model that made them.

        Args:
            photo: an uploaded file.
            n: number of colorings.
            vividness: multiplies the shipped temperatures.
            seed: of the first sample.
            format: of the files.
            samples: single samples instead of averages.
        """
        n = _whole("n", n, 1, MOST_COLORINGS)
        return self._made(photo, n, vividness, seed, format, samples)

    @_in_sentences
    def hints(
        self,
        photo: FileData,
        hints: list[Hint],
        vividness: float = 1.0,
        seed: int = 0,
        format: Format = "same",
        samples: bool = False,
    ) -> tuple[FileData, dict[str, Any]]:
        """Color a photo once, with the colors of up to 100 points given. hints is a list of
        {"row", "column", "a", "b"}: a pixel of the upright photo in full size, counted from its
        upper left corner, and CIELAB a and b of the color there. The others as in /colorize.
        Gives the file, and its seed, share and bits per dimension.

        Args:
            photo: an uploaded file.
            hints: the points.
            vividness: multiplies the shipped temperatures.
            seed: of the first sample.
            format: of the file.
            samples: a single sample instead of the average.
        """
        (file,), about = self._made(photo, 1, vividness, seed, format, samples, hints)
        return file, about

    @_in_sentences
    def quiz_round(
        self, pictures: int = 3, player: str = "", request: gr.Request | None = None
    ) -> tuple[FileData, dict[str, Any]]:
        """Ask for a round of the quiz: one of 2 to 5 pictures is the photo as it was taken, the
        others were colored. player is empty for a new one, and otherwise what the first round
        said; a player's round that waits for an answer comes again. Gives a sheet with the pictures
        one below the other, and the round, the player, and the box of each picture in the sheet
        (left, upper, right, lower).

        Args:
            pictures: number of pictures.
            player: who plays.
        """
        k = _whole("pictures", pictures, LEAST, MOST)
        if not isinstance(player, str):
            raise ColorflowError(f"player: expected a text, got {_shown(player)}.")
        visitor = visitor_of(request, request.username if request else None)
        with self._room.held(ROUND_PIXELS):
            player, round_ = self._players.next_round(player, k, visitor)
        tops = [MARGIN + place * (round_.height + 2 * MARGIN) for place in range(round_.k)]
        about = {
            "round": round_.token,
            "player": player,
            "boxes": [[0, top, round_.width, top + round_.height] for top in tops],
        }
        return _file(round_.sheet), about

    @_in_sentences
    def quiz_answer(self, round: str, chosen: int) -> dict[str, Any]:
        """Answer a round of the quiz, once. chosen is the number of the picture that you take for
        the photo as it was taken, from 0 for the uppermost. Gives whether that is right, which one
        it is (truth), the player's score, and in problem why the answer could not be kept, if so.

        Args:
            round: as /quiz_round said.
            chosen: number of a picture.
        """
        if not isinstance(round, str):
            raise ColorflowError(f"round: expected a text, got {_shown(round)}.")
        outcome, score = self._players.answer(round, _whole("chosen", chosen, 0, MOST - 1))
        return {
            "right": outcome.right,
            "truth": outcome.round.truth,
            "rounds": score.rounds,
            "rights": score.right,
            "streak": score.streak,
            "problem": None if outcome.problem is None else sentence(outcome.problem),
        }

    def _made(
        self,
        upload: FileData,
        n: int,
        vividness: float,
        seed: int,
        format: Format,
        samples: bool,
        hints: list[Hint] | None = None,
    ) -> tuple[list[FileData], dict[str, Any]]:
        """Color a photo n times and write the results."""
        vividness = _number("vividness", vividness, 0, MOST_VIVID)
        seed = _whole("seed", seed, 0, LARGEST_SEED)
        if format not in FORMATS:
            expected = ", ".join(FORMATS)
            raise ColorflowError(f"format: expected one of {expected}, got {_shown(format)}.")
        if not isinstance(samples, bool):
            raise ColorflowError(f"samples: expected true or false, got {_shown(samples)}.")
        path = self._uploaded(upload)
        with self._room.held(count_pixels(path, max_pixels=self._room.pixels)):
            photo = read_photo(path, max_pixels=self._room.pixels)
            points = () if hints is None else _points(hints, photo)
            draws = self._colorizer.draw(photo, n, vividness, seed, samples=samples, hints=points)
            paths = self._written(photo, draws, format)
            likelihoods = self._colorizer.bits_per_dim(photo, draws.ab, hints=points)
        return [_file(path) for path in paths], {
            "seeds": draws.seeds,
            "shares": list(draws.shares or (None,) * n),
            "bits_per_dim": likelihoods.tolist(),
            "vividness": vividness,
            "model": self._colorizer.digest,
        }

    def _written(self, photo: Photo, draws: "Draws", format: Format) -> list[Path]:
        """Paint colorings in full size, one at a time, each into a file."""
        if format == "same":
            format = "jpeg" if photo.metadata.format == "JPEG" else "png"
        folder = new_folder(self._files, "api-")
        lightness = lightness_of(photo.all_bits)
        paths = []
        try:
            shares = draws.shares or (None,) * len(draws.ab)
            for recipe, ab, share in zip(draws.recipes, draws.ab, shares, strict=True):
                name = f"{Path(photo.source).stem}_{name_of(recipe)}{_SUFFIXES[format]}"
                path = folder / name
                provenance = provenance_of(recipe, share, self._colorizer.digest)
                pixels = render(lightness, ab, bits=photo.bits)
                write_image(path, pixels, photo, provenance=provenance)
                paths.append(path)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return paths

    def _uploaded(self, given: object) -> Path:
        """The path of an upload: clients may name any file of the server, and get only those."""
        path = given.get("path") if isinstance(given, dict) else None
        if isinstance(path, str) and "\0" not in path:
            real = Path(path).resolve()
            folder = real.parent
            if (
                folder.parent == self._files.resolve()
                and _UPLOAD_FOLDER.fullmatch(folder.name)
                and real.is_file()
            ):
                return real
        raise ColorflowError(
            "photo: expected a file that was uploaded in the last hour; docs/api.md shows how."
        )


def _file(path: Path) -> FileData:
    """A file for the caller; Gradio passes what endpoints give on as it is, so a plain dict."""
    return cast(FileData, FileData(path=str(path), orig_name=path.name).model_dump())


def _points(given: object, photo: Photo) -> "tuple[PointColor, ...]":
    try:
        points = hints_of(given, "hints")
    except BatchError as error:
        raise ColorflowError(f"{error}.") from error
    check_points(points, "hints", photo.height, photo.width)
    return points


def _whole(name: str, value: object, least: int, most: int) -> int:
    number = _as_number(value)
    if not least <= number <= most or number != int(number):
        expected = f"a whole number from {least} to {most}"
        raise ColorflowError(f"{name}: expected {expected}, got {_shown(value)}.")
    return int(number)


def _number(name: str, value: object, least: float, most: float) -> float:
    number = _as_number(value)
    if not least <= number <= most:
        expected = f"a number from {least:g} to {most:g}"
        raise ColorflowError(f"{name}: expected {expected}, got {_shown(value)}.")
    return float(number)


def _as_number(value: object) -> float:
    """NaN for what is none; JSON's true and false are none either."""
    return value if isinstance(value, int | float) and not isinstance(value, bool) else math.nan


def _shown(value: object) -> str:
    """A caller's value, not longer than a sentence bears."""
    return reprlib.repr(value)

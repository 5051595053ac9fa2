"""Files and folders of photos, one after the other; a file that fails does not stop the others."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from colorflow.color.full_resolution import lightness_of, render
from colorflow.errors import PhotoError, WritePhotoError
from colorflow.photo import Kind, Photo, find_photos, read_photo, write_image

if TYPE_CHECKING:
    from colorflow.colorize.colorizer import Colorizer


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What became of one file of `colorize_many`.

    Attributes:
        path: the input.
        status: how it ended.
        outputs: the files written.
        reason: why it failed, without the file's name.
        seconds: time spent on it.
    """

    path: Path
    status: Literal["done", "already-coloured", "failed"]
    outputs: list[Path] = field(default_factory=list)
    reason: str | None = None
    seconds: float = 0.0


def colorize_many(
    colorizer: Colorizer,
    paths: Iterable[str | os.PathLike[str]],
    output: str | os.PathLike[str],
    *,
    n: int,
    temperature: float,
    seed: int,
    diverse: bool,
    force: bool,
) -> Iterator[Record]:
    """As `Colorizer.colorize_many`."""
    folder = Path(output)
    files, missing = _expand(paths)
    yield from missing
    inputs = {path.resolve() for path in files}
    made: dict[Path, Path] = {}
    for path in files:
        began = time.perf_counter()
        outputs: list[Path] = []
        status: Literal["done", "already-coloured", "failed"] = "done"
        reason = None
        try:
            photo = read_photo(path)
            if photo.kind is Kind.COLOURED and not force:
                status = "already-coloured"
            else:
                draws = colorizer.draw(photo, n, temperature, seed, diverse=diverse)
                targets = [_target(folder, path, photo, s) for s in draws.seeds]
                _check_targets(targets, path, inputs, made)
                _make_folder(folder)
                lightness = lightness_of(photo.pixels)
                for target, ab in zip(targets, draws.ab, strict=True):
                    write_image(target, render(lightness, ab), photo)
                    outputs.append(target)
        except PhotoError as error:
            status = "failed"
            same = error.source == str(path)
            reason = error.reason if same else str(error)
        except MemoryError:
            status, reason = "failed", "not enough memory for a photo of this size"
        yield Record(
            path=path,
            status=status,
            outputs=outputs,
            reason=reason,
            seconds=time.perf_counter() - began,
        )


def _expand(paths: Iterable[str | os.PathLike[str]]) -> tuple[list[Path], list[Record]]:
    """Files below the given paths, each once, and a failed record for each path without any."""
    files: dict[Path, None] = {}
    missing = []
    for path in paths:
        try:
            found = find_photos([path])
            reason = None if found else "the folder holds no photos"
        except PhotoError as error:
            found, reason = [], error.reason
        files |= dict.fromkeys(found)
        if reason:
            missing.append(Record(path=Path(path), status="failed", reason=reason))
    return list(files), missing


def _target(folder: Path, path: Path, photo: Photo, seed: int) -> Path:
    suffix = ".jpg" if photo.metadata.format == "JPEG" else ".png"
    return folder / f"{path.stem}_s{seed}{suffix}"


def _check_targets(
    targets: list[Path], path: Path, inputs: set[Path], made: dict[Path, Path]
) -> None:
    """Refuses to write over an input or over the result of another input of this call."""
    for target in targets:
        if target.resolve() in inputs:
            raise PhotoError(path, f"its result {target} is itself an input; choose another folder")
        if target in made:
            raise PhotoError(
                path, f"its result {target} is already that of {made[target]}; rename one of them"
            )
    made.update(dict.fromkeys(targets, path))


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WritePhotoError(folder, f"cannot be made ({error.strerror})") from error

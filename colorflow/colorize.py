"""Colouring photos with trained weights: every use of the model goes through `Colorizer`.

Sample i of a call depends on `seed + i` alone: not on how many are drawn, on the batch, or on the
order of the photos. Temperatures of the levels come with the weights; the user's `temperature`
multiplies them.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from colorflow.color.full_resolution import lightness_of, render
from colorflow.color.grid import square_lightness
from colorflow.errors import PhotoError, WritePhotoError
from colorflow.model.condition import Condition, Conditioner
from colorflow.model.pyramid import ChromaPyramid
from colorflow.model.weights import LoadedWeights, load_weights
from colorflow.photo import Kind, Photo, find_photos, photo_from_image, read_photo, write_image

if TYPE_CHECKING:
    from PIL import Image

CHUNK = 8
"""Colourings that go through the flow at once."""
DIVERSE_POOL = 8
"""Coarse draws for each colouring that is wanted when they shall differ."""
COARSE_LEVELS = 2
"""Levels that decide the colours of objects: chroma on an 8x8 grid."""
LARGEST_SEED = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Draws:
    """Colourings of one photo before they are painted at full resolution.

    Attributes:
        seeds: of each colouring; `draw(photo, 1, seed=seeds[i])` gives colouring i again.
        ab: (n, 2, 64, 64) CIELAB units.
    """

    seeds: list[int]
    ab: NDArray[np.float32]


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


def default_weights() -> Path:
    """The shipped weights: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).parent
    inside = package / "weights" / "colorflow.safetensors"
    return inside if inside.exists() else package.parent / "weights" / "colorflow.safetensors"


class Colorizer:
    """Colours photos.

    Args:
        weights: what `load_weights` gave.
        device: where to compute.
    """

    def __init__(self, weights: LoadedWeights, device: str = "cpu") -> None:
        self.device = torch.device(device)
        self.pyramid: ChromaPyramid = weights.pyramid.to(self.device)
        self.temperatures = weights.temperatures
        self.digest = weights.digest
        self.conditioner = Conditioner().to(self.device)

    @classmethod
    def load(
        cls, weights: str | os.PathLike[str] | None = None, *, device: str = "cpu"
    ) -> Colorizer:
        """Reads a weights file, the shipped one by default.

        Raises:
            WeightsError: if the file is missing, foreign, or does not fit.
        """
        return cls(load_weights(Path(weights) if weights else default_weights()), device)

    def colorize(
        self,
        image: str | os.PathLike[str] | Image.Image | NDArray[Any],
        n: int = 4,
        temperature: float = 1.0,
        seed: int = 0,
        *,
        diverse: bool = False,
    ) -> list[Image.Image]:
        """Colours one picture, whether it has colours already or not.

        Args:
            image: path, Pillow image, or array (uint8, uint16, or float in [0, 1]), any size.
            n: number of colourings.
            temperature: multiplies the shipped temperatures; 0 gives n times the same colours.
            seed: colouring i depends on `seed + i` alone.
            diverse: instead of the first n, the n of 8n draws that differ most.

        Returns:
            n RGB images (RGBA where the picture has transparency) at full resolution.

        Raises:
            PhotoError: if the picture cannot be read.
            ValueError: if an argument is out of range.
        """
        from PIL import Image

        if isinstance(image, str | os.PathLike):
            photo = read_photo(image)
        else:
            photo = photo_from_image(image)
        pictures = []
        for rgb in self.colorize_photo(photo, n, temperature, seed, diverse=diverse):
            picture = Image.fromarray(rgb)
            if photo.alpha is not None:
                picture.putalpha(Image.fromarray(photo.alpha))
            pictures.append(picture)
        return pictures

    def colorize_photo(
        self,
        photo: Photo,
        n: int = 4,
        temperature: float = 1.0,
        seed: int = 0,
        *,
        diverse: bool = False,
    ) -> list[NDArray[np.uint8]]:
        """As `colorize`, from a photo to n arrays (H, W, 3) uint8 sRGB."""
        draws = self.draw(photo, n, temperature, seed, diverse=diverse)
        lightness = lightness_of(photo.pixels)
        return [render(lightness, ab) for ab in draws.ab]

    @torch.no_grad()
    def draw(
        self,
        photo: Photo,
        n: int = 4,
        temperature: float = 1.0,
        seed: int = 0,
        *,
        diverse: bool = False,
    ) -> Draws:
        """Draws the chroma of n colourings on the 64x64 grid; arguments as in `colorize`."""
        if n < 1:
            raise ValueError(f"n: expected at least 1, got {n}")
        if not 0 <= temperature < float("inf"):
            raise ValueError(f"temperature: expected a finite number from 0, got {temperature}")
        if not 0 <= seed <= LARGEST_SEED - n * DIVERSE_POOL:
            raise ValueError(f"seed: expected a whole number from 0, got {seed}")
        condition = self._condition(photo)
        seeds = list(range(seed, seed + n))
        if diverse and n > 1:
            pool = list(range(seed, seed + n * DIVERSE_POOL))
            coarse = self._decode(condition, pool, temperature, levels=COARSE_LEVELS)
            seeds = [pool[i] for i in most_different(coarse.reshape(len(pool), -1), n)]
        levels = len(self.pyramid.levels)
        return Draws(seeds=seeds, ab=self._decode(condition, seeds, temperature, levels=levels))

    def colorize_many(
        self,
        paths: Iterable[str | os.PathLike[str]],
        output: str | os.PathLike[str],
        *,
        n: int = 1,
        temperature: float = 1.0,
        seed: int = 0,
        diverse: bool = False,
        force: bool = False,
    ) -> Iterator[Record]:
        """Colours files and the photos in folders; yields one record a file as it is done.

        Outputs are `{stem}_s{seed}.jpg` for a JPEG, otherwise `.png`. A file that fails is
        recorded, and the others go on. An input is never overwritten, and neither is an output
        that this call has made of another input.

        Args:
            paths: files and folders.
            output: folder for the results, made if missing.
            n: colourings of each photo.
            temperature: multiplies the shipped temperatures.
            seed: of the first colouring of each photo.
            diverse: the n of many draws that differ most.
            force: colour photos that already have colours, too.
        """
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
                    draws = self.draw(photo, n, temperature, seed, diverse=diverse)
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

    def _condition(self, photo: Photo) -> Condition:
        lightness = torch.from_numpy(square_lightness(photo.pixels))[None, None]
        condition: Condition = self.conditioner(lightness.to(self.device))
        return condition

    @torch.no_grad()
    def _decode(
        self, condition: Condition, seeds: list[int], temperature: float, *, levels: int
    ) -> NDArray[np.float32]:
        """Chroma of one colouring a seed, of the first `levels` levels: (n, 2, g, g)."""
        parts = []
        for start in range(0, len(seeds), CHUNK):
            each = [self._latents(s, temperature, levels) for s in seeds[start : start + CHUNK]]
            latents = [torch.stack(level).to(self.device) for level in zip(*each, strict=True)]
            parts.append(self.pyramid.decode(latents, condition).cpu().numpy())
        return np.concatenate(parts)

    def _latents(self, seed: int, temperature: float, levels: int) -> list[torch.Tensor]:
        """Latents of one colouring: level by level from one generator."""
        generator = torch.Generator().manual_seed(seed)
        shapes = self.pyramid.latent_shapes()[:levels]
        return [
            temperature * std * torch.randn(shape, generator=generator)
            for shape, std in zip(shapes, self.temperatures[:levels], strict=True)
        ]


def most_different(points: NDArray[np.float32], n: int) -> list[int]:
    """Indices of n points far from each other: the first, then each time the farthest.

    Args:
        points: (N, D), N at least n.
        n: how many to choose.

    Returns:
        n indices in the order of choice.

    Reference: Gonzalez 1985 (farthest-first traversal).
    """
    chosen = [0]
    distance = np.linalg.norm(points - points[0], axis=1)
    while len(chosen) < n:
        chosen.append(int(np.argmax(distance)))
        distance = np.minimum(distance, np.linalg.norm(points - points[chosen[-1]], axis=1))
    return chosen


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


__all__ = ["Colorizer", "Draws", "Record", "default_weights", "most_different"]

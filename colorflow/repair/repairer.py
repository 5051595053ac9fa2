"""The Repairer: a print's scan in, the same without cracks and spots out. Top to bottom.

    read     photo, _ = read_picture("print.jpg")       pixels (H, W) or (H, W, 3)
    find     L* (H, W) -> log odds of damage (H, W)     `Repairer.find`, multi-scale, in strips
    choose   log odds -> mask (H, W)                    `places.mask_of`
    fill     L* and mask -> L* (H, W)                   `Repairer.steps`, where there is damage
    grain    to the mean of L*, that of the print       `Grain`
    paint    lightness inside the mask alone            `paint`

Dimensions: H, W pixels of the photo.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from colorflow.color import cie
from colorflow.color.full_resolution import lightness_of
from colorflow.color.gamut import rgb_in_gamut
from colorflow.color.grid import tiles_of
from colorflow.device import device_of
from colorflow.enlarge.tiles import result_of
from colorflow.files import REPAIR_WEIGHTS, default_weights
from colorflow.photo import Photo, Picture, read_picture
from colorflow.recipe import Recipe, Repair, Weights
from colorflow.repair.fill import RADIUS, REACH, Grain, first_guess
from colorflow.repair.model import RepairWeights, load_repair_weights
from colorflow.repair.places import mask_of
from colorflow.repair.strips import BORDER, Seen, boxes_of, narrowed
from colorflow.result import Result, damage_of

_LEAST_SIDE = 400
"""Pixels of the longer side of a picture, as small as which damage is looked for."""
_GRAIN_TILE = 512
"""Pixels: sides of the squares whose grain is made at once."""


class Repairer:
    """Finds damage of prints, and fills it.

    Args:
        weights: what `load_repair_weights` gave.
        device: where to compute.
    """

    def __init__(self, weights: RepairWeights, device: str | torch.device = "cpu") -> None:
        fast: Any = {"memory_format": torch.channels_last}  # a fifth faster on a CPU
        self._finder = weights.finder.to(device).to(**fast)
        self._fill = weights.fill.to(device).to(**fast)
        self._device = torch.device(device)
        self.weights, self.digest = weights, weights.digest

    @classmethod
    def load(
        cls, weights: str | os.PathLike[str] | None = None, *, device: str = "auto"
    ) -> Repairer:
        """Reads a weights file, the shipped one by default; `device` is as of `Colorizer.load`.

        Raises:
            WeightsError: if the file is missing, foreign, or does not fit.
            DeviceError: if there is no such device.
        """
        chosen = device_of(device)
        path = Path(weights) if weights else default_weights(REPAIR_WEIGHTS)
        return cls(load_repair_weights(path), chosen)

    def repair(
        self,
        picture: Picture,
        sensitivity: int = 0,
        temperature: float = 0.0,
        seed: int = 0,
        *,
        mask: NDArray[np.bool_] | None = None,
    ) -> Result:
        """Fills the damage of one picture; `Result.mask` says where.

        Args:
            picture: as `Colorizer` takes it; files are read in this process, see there.
            sensitivity: -2 for what is surely damage, to 2 for all that may be.
            temperature: factor on what a sample adds to the mean; 0 is the mean, with the grain of
                the picture.
            seed: the sample, or the grain, depends on it and the picture alone.
            mask: (H, W), what to fill instead of what is found.

        Raises:
            PhotoError: if the picture cannot be read.
            ValueError: if an argument is out of range.
        """
        photo, digest = read_picture(picture)
        wanted = Repair(sensitivity=sensitivity, temperature=temperature, seed=seed)
        repaired, filled = result_of(self.steps(photo, wanted, mask=mask))
        share, marks = damage_of(filled)
        return Result(
            repaired,
            Recipe(repair=wanted),
            weights=Weights(repair=self.digest),
            digest=digest if mask is None else None,  # the recipe does not say the mask
            mask=filled,
            repaired=share,
            marks=marks,
        )

    def steps(
        self, photo: Photo, wanted: Repair, *, mask: NDArray[np.bool_] | None = None
    ) -> Generator[float, None, tuple[Photo, NDArray[np.bool_]]]:
        """A photo without its damage, in steps, for progress and cancellation.

        Args:
            photo: the photo.
            wanted: how.
            mask: as of `repair`.

        Yields:
            The share that is done.

        Returns:
            The photo, of its size and depth, with its metadata; and (H, W), where it was changed.
        """
        lightness = lightness_of(photo.full_depth)
        if mask is None:
            mask = mask_of((yield from self._finding(lightness)), wanted.sensitivity)
        elif mask.shape != lightness.shape or mask.dtype != bool:
            raise ValueError(f"mask: expected bool of shape {lightness.shape}")
        lightness = first_guess(lightness, mask)
        result = lightness.copy()
        for share in self._filling(lightness, mask, result, wanted.temperature, wanted.seed):
            yield 0.8 + 0.15 * share
        if mask.any() and not wanted.temperature:  # a sample has a grain of its own
            for share in _add_grain(result, mask, wanted.seed):
                yield 0.95 + 0.05 * share
        return paint(photo, np.clip(result, 0, 100), mask), mask

    def find(self, photo: Photo) -> NDArray[np.float16]:
        """Log odds that pixels are damage, (H, W); `mask_of` says from which on they are."""
        return result_of(self.finding(photo))

    def finding(self, photo: Photo) -> Generator[float, None, NDArray[np.float16]]:
        """The same in steps: yields what share of a repair is done, and returns the log odds."""
        return self._finding(lightness_of(photo.full_depth))

    def _finding(
        self, lightness: NDArray[np.float32]
    ) -> Generator[float, None, NDArray[np.float16]]:
        """Multi-scale: in a large scan, a fold is wider than what the finder has learned."""
        odds = yield from self._finding_at(lightness, 0)
        size = lightness.shape[::-1]
        for halved in range(1, (max(size) // _LEAST_SIDE).bit_length()):
            share = 0.5**halved
            small = cv2.resize(lightness, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
            coarse = yield from self._finding_at(np.asarray(small, np.float32), halved)
            np.maximum(
                odds, cv2.resize(coarse.astype(np.float32), size).astype(np.float16), out=odds
            )
        return odds

    @torch.inference_mode()
    def _finding_at(
        self, lightness: NDArray[np.float32], halved: int
    ) -> Generator[float, None, NDArray[np.float16]]:
        """The same at one scale, halved so many times; each has a fourth of the pixels."""
        odds = np.empty(lightness.shape, np.float16)
        whole = slice(0, lightness.shape[0]), slice(0, lightness.shape[1])
        seen = Seen(whole, lightness.shape, BORDER, self._finder.multiple)
        strips = (self._sent(seen.part_of(lightness, rows)) for rows in seen.strips())
        for rows, made in seen.inside(self._finder.strips(strips)):
            odds[rows] = made
            yield 0.8 * (1 - 0.25**halved * (1 - 0.75 * rows.stop / len(odds)))
        return odds

    @torch.inference_mode()
    def _filling(
        self,
        filled: NDArray[np.float32],
        mask: NDArray[np.bool_],
        result: NDArray[np.float32],
        temperature: float,
        seed: int,
    ) -> Iterator[float]:
        """Puts L* into the result, inside the mask; yields the share that is done."""
        multiple, reach = self._fill.multiple, self._fill.reach
        boxes = boxes_of(mask, reach, multiple)
        done, total = 0, sum(rows.stop - rows.start for rows, _ in boxes)
        for box in boxes:
            seen = Seen(box, mask.shape, reach, multiple)
            strips = (
                self._sent(
                    *(seen.part_of(plane, rows) for plane in (filled, mask)),
                    *(seen.noise(seed, rows) for _ in range(bool(temperature))),
                )
                for rows in seen.strips()
            )
            for rows, made in seen.inside(self._fill.strips(strips, temperature)):
                inside = mask[rows, box[1]]
                result[rows, box[1]][inside] = made[inside]
                done += rows.stop - rows.start
                yield done / total

    def _sent(self, *planes: NDArray[np.float32]) -> torch.Tensor:
        """Planes (h, w) as the networks take them."""
        return torch.from_numpy(np.stack(planes))[None].to(self._device)


def _add_grain(
    lightness: NDArray[np.float32], mask: NDArray[np.bool_], seed: int
) -> Iterator[float]:
    """Adds the grain of a picture to what has been filled in; yields the share that is done."""
    parts = tiles_of(mask.shape, _GRAIN_TILE)
    boxes = [box for part in parts if (box := narrowed(part, mask, 2)) is not None]
    grain = Grain(lightness, mask)
    for done, box in enumerate(boxes, 1):
        seen = Seen(box, mask.shape, REACH, 2)
        rows, inside = seen.rows, mask[box]
        hidden = seen.part_of(mask, rows) > 0
        made = grain.around(seen.part_of(lightness, rows), hidden, seen.noise(seed, rows))
        lightness[box][inside] += made[REACH:, REACH:][: inside.shape[0], : inside.shape[1]][inside]
        yield done / len(boxes)


def paint(photo: Photo, lightness: NDArray[np.float32], mask: NDArray[np.bool_]) -> Photo:
    """Puts lightness into a photo, inside the mask alone; chroma there is taken from around it.

    Args:
        photo: (H, W) gray or (H, W, 3).
        lightness: (H, W) L* in [0, 100].
        mask: (H, W), where it is to change.
    """
    if not mask.any():
        return photo
    pixels, inside = photo.full_depth.copy(), lightness[mask][None]
    ab = np.zeros((2, *inside.shape), np.float32)
    if pixels.ndim == 3:
        around = cv2.inpaint(photo.pixels, mask.astype(np.uint8), RADIUS, cv2.INPAINT_TELEA)
        ab[:] = np.moveaxis(cie.rgb_to_lab(around[mask][None] / 255)[..., 1:], -1, 0)
    rgb = cie.linear_to_srgb(np.clip(rgb_in_gamut(inside, ab), 0, 1))[:, 0].T
    values = rgb if pixels.ndim == 3 else rgb[:, 0]
    pixels[mask] = np.round(values * np.iinfo(pixels.dtype).max).astype(pixels.dtype)
    return photo.with_pixels(pixels, photo.alpha)

"""Pictures of how one photo gets its colors, made for one visitor and kept as files.

All of them show the photo small. What stands beside it is what the flow works with: the latents of
each level, and the chroma on the grid that the levels so far have completed.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from colorflow.color.full_resolution import lightness_of, render
from colorflow.photo import Photo, photo_from_image
from colorflow.ui.frames import Frame, Part
from colorflow.ui.opened import new_folder, reduced, write
from colorflow.ui.run import Run

if TYPE_CHECKING:
    from colorflow.colorizer import LevelOutput, Predictions

SIDE = 640
"""Longest side of the large pictures, in pixels."""
TEMPERATURES = {
    0.0: "0: no noise, so the same each time",
    0.5: "0.5: calm",
    1.0: "1: as trained",
    1.5: "1.5: bold",
}
STEPS = 9
"""Of a walk, both ends among them."""
_PATCH_LIGHTNESS = 65.0
"""L* at which chroma without a photo is shown."""
_PATCHES_HEIGHT = 192
"""In pixels; the grid, which is of a photo squashed to a square, gets the photo's shape again."""
_GRAY, _PER_STD = 128, 42
"""A latent of 0 is gray; 3 standard deviations are black or white."""


class HowColorizer(Protocol):
    """What the tab needs of `colorflow.colorizer.Colorizer`."""

    @property
    def levels(self) -> tuple[int, ...]:
        """Sides of the grids that the levels complete, coarse to fine."""
        ...

    def predict(
        self, photo: Photo, n: int, temperature: float, seed: int, /, *, samples: bool
    ) -> Predictions:
        """Draw the colors of n samples."""
        ...

    def decode_by_level(self, photo: Photo, seed: int, /) -> Sequence[LevelOutput]:
        """Show what each level adds."""
        ...

    def interpolate(self, photo: Photo, start: int, end: int, steps: int, /) -> NDArray[np.float32]:
        """Go from one coloring to another."""
        ...


class HowSession:
    """What the server keeps of one visitor of the tab.

    Args:
        root: folder in which the session makes its own.

    Raises:
        ColorflowError: it cannot.
    """

    def __init__(self, root: Path) -> None:
        self._folder = new_folder(root, "how-")
        self._run: Exhibition | None = None
        self._stale: Path | None = None
        self.shown: tuple[Path, int] | None = None
        """Photo, and seed of its chosen coloring, that the visitor had when the page showed it."""

    def begin(self, colorizer: HowColorizer, photo: Photo) -> Exhibition:
        """Begin with the pictures of a photo.

        Those before stay until the next ones begin: the browser may still be loading them.

        Raises:
            ColorflowError: there is no room for them.
        """
        run = Exhibition(colorizer, photo, new_folder(self._folder, "photo-"))
        before, self._run = self._run, run
        self.shown = None
        if before:
            before.give_way()
            if self._stale:
                shutil.rmtree(self._stale, ignore_errors=True)
            self._stale = before.folder
        return run

    def close(self) -> None:
        """Delete everything, at once."""
        if self._run:
            self._run.drop()
        shutil.rmtree(self._folder, ignore_errors=True)


class Exhibition(Run):
    """The pictures of one photo.

    Args:
        colorizer: colors it.
        photo: the photo.
        folder: for the pictures.
    """

    def __init__(self, colorizer: HowColorizer, photo: Photo, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        self._colorizer = colorizer
        self._photo = photo
        self._small = reduced(photo, SIDE)
        self._lightness = lightness_of(self._small.pixels)

    @property
    def ratio(self) -> float:
        """Width by height."""
        return self._small.width / self._small.height

    def levels(self, seed: int) -> list[Frame]:
        """From noise to picture, level by level; and the picture by itself at the end."""
        stages = self._colorizer.decode_by_level(self._photo, seed)
        sides = self._colorizer.levels
        noise = [self._noise(stage, side) for stage, side in zip(stages, sides, strict=True)]
        gray = self._painted("gray", np.zeros((2, 1, 1), np.float32))
        frames = [
            Frame(
                picture=gray,
                alt="The photo in gray",
                sentence="Nothing is decided yet: there are the gray photo, and noise for each "
                "level.",
                parts=noise,
            )
        ]
        for index, (stage, side) in enumerate(zip(stages, sides, strict=True)):
            frames.append(
                Frame(
                    picture=self._painted(f"level-{side}", stage.ab),
                    alt=f"The photo with colors on a grid of {side} by {side}",
                    sentence=_sentence(index, side),
                    parts=[noise[index], self._patches(stage, side)],
                )
            )
        last = frames[-1]
        finished = Frame(
            picture=last.picture,
            alt="The colored photo",
            sentence="Laid under the photo's own lightness, along its edges, these few colors are "
            "enough: the picture is done.",
            parts=[
                Part(picture=gray, caption="Lightness of the photo", alt="The photo in gray"),
                last.parts[-1],
            ],
        )
        return [*frames, finished]

    def temperatures(self, seed: int) -> list[Part]:
        """The same noise, made weaker and stronger."""
        return [
            Part(
                picture=self._painted(
                    f"temperature-{temperature}", self._sample(seed, temperature)
                ),
                caption=said,
                alt=f"The photo at vividness {temperature:g}",
            )
            for temperature, said in TEMPERATURES.items()
        ]

    def walk(self, start: int, end: int) -> list[Frame]:
        """From one coloring to another."""
        way = self._colorizer.interpolate(self._photo, start, end, STEPS)
        return [
            Frame(
                picture=self._painted(f"walk-{index}", ab),
                alt=f"Coloring {index + 1} of {STEPS} on the way",
                sentence=_place(index, start, end),
            )
            for index, ab in enumerate(way)
        ]

    def _sample(self, seed: int, temperature: float) -> NDArray[np.float32]:
        return self._colorizer.predict(self._photo, 1, temperature, seed, samples=True).ab[0]

    def _painted(self, name: str, ab: NDArray[np.float32]) -> Path:
        pixels = render(self._lightness, ab)
        return write(self.folder / f"{name}.jpg", pixels, self._small)

    def _noise(self, stage: LevelOutput, side: int) -> Part:
        count = stage.latents.size
        return Part(
            picture=self._tiny(f"noise-{side}", noise_picture(stage.latents)),
            caption=f"z: {count:,} numbers".replace(",", "\N{NARROW NO-BREAK SPACE}"),
            alt=f"Noise, {count} numbers",
        )

    def _patches(self, stage: LevelOutput, side: int) -> Part:
        flat = np.full(stage.ab.shape[1:], _PATCH_LIGHTNESS, np.float32)
        patches = render(flat, stage.ab)
        rows, columns = (
            np.arange(length) * side // length
            for length in (_PATCHES_HEIGHT, max(1, round(_PATCHES_HEIGHT * self.ratio)))
        )
        return Part(
            picture=self._tiny(f"patches-{side}", patches[rows][:, columns]),
            caption=f"Colors, {side} × {side}",
            alt=f"{side} by {side} patches of color",
        )

    def _tiny(self, name: str, pixels: NDArray[np.uint8]) -> Path:
        return write(self.folder / f"{name}.png", pixels, photo_from_image(pixels))


def noise_picture(latents: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Latents as gray squares, one a channel, in two rows.

    Args:
        latents: (C, g, g), C even.

    Returns:
        (2g, C/2 g, 3) uint8.
    """
    channels, side, _ = latents.shape
    gray = np.rint(_GRAY + _PER_STD * latents).clip(0, 255).astype(np.uint8)
    sheet = gray.reshape(2, channels // 2, side, side).transpose(0, 2, 1, 3)
    return np.repeat(sheet.reshape(2 * side, -1)[..., None], 3, axis=2)


def _sentence(index: int, side: int) -> str:
    if index == 0:
        return (
            f"Colors on a grid of {side} × {side}: out of noise, and out of what the photo shows, "
            "comes a first idea of where it is warm and where it is cool."
        )
    return (
        f"Each patch is split into four, {side} × {side} by now. New noise decides how the four "
        "differ; their mean stays as it was."
    )


def _place(index: int, start: int, end: int) -> str:
    if index == 0:
        return f"Seed {start}."
    if index == STEPS - 1:
        return f"Seed {end}."
    return f"{100 * index / (STEPS - 1):.0f} % of the way from seed {start} to seed {end}."

"""Pictures of how a flow colors one photo.

The large ones show the photo. The small ones beside them show what the flow works with: the latents
of each level, and the chroma on the grid that the levels so far have completed.
"""

from __future__ import annotations

import html
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from colorflow.color.full_resolution import render
from colorflow.photo import Photo, photo_from_image
from colorflow.ui.photos import (
    NO_CHROMA,
    file_url,
    new_folder,
    reduced,
    write_colored,
    write_preview,
)
from colorflow.ui.session import Job, Session

if TYPE_CHECKING:
    from colorflow.colorizer import Colorizer, LevelOutput

SIDE = 640
"""Longest side of the large pictures, in pixels."""
TEMPERATURES = {
    0.0: "0: no noise, so the same each time",
    0.5: "0.5: calm",
    1.0: "1: as trained",
    1.5: "1.5: bold",
}
STEPS = 9
"""Number of pictures of a walk, with both ends."""
_PATCH_LIGHTNESS = 65.0
"""L* at which chroma without a photo is shown."""
_PATCHES_HEIGHT = 192
"""In pixels. The grid is of a photo squashed to a square; here it gets the photo's shape again."""
_GRAY, _PER_STD = 128, 42
"""A latent of 0 is gray; 3 standard deviations are black or white."""

_FIRST_LEVEL = (
    "Colors on a grid of {side} × {side}: out of noise, and out of what the photo shows, comes a "
    "first idea of where it is warm and where it is cool."
)
_LEVEL = (
    "Each patch is split into four, {side} × {side} by now. New noise decides how the four differ; "
    "their mean stays as it was."
)
_FINISHED = (
    "Each color goes to the thing that it belongs to, up to its outline, and under the photo's own "
    "lightness: the picture is done."
)


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture, what it is, and a caption or sentence; small pictures beside a large one."""

    picture: Path
    alt: str
    text: str
    parts: Sequence[Shown] = ()


class FlowPictures(Job):
    """Makes pictures of how one photo gets its colors.

    Args:
        session: gives the folder. The pictures of its last job stay, since a browser may still load
            them; those before are deleted.
        colorizer: colors the photo.
        photo: the photo.

    Raises:
        ColorflowError: nothing can be stored.
    """

    def __init__(self, session: Session[Any], colorizer: Colorizer, photo: Photo) -> None:
        super().__init__()
        self.folder = new_folder(session.folder, "flow-")
        self.shown: tuple[Path, int] | None = None
        """What the visitor had in the other tab when all pictures were shown: the photo, and the
        seed of its chosen coloring."""
        self._colorizer, self._photo = colorizer, photo
        self._small = reduced(photo, SIDE)
        last = session.job.folder if isinstance(session.job, FlowPictures) else None
        for folder in session.folder.glob("flow-*"):
            if folder not in (self.folder, last):
                shutil.rmtree(folder, ignore_errors=True)

    @property
    def ratio(self) -> float:
        """Width of the photo divided by its height."""
        return self._small.width / self._small.height

    def levels(self, seed: int) -> list[Shown]:
        """Pictures from noise to photo, level by level, and the finished photo at the end."""
        outputs = self._colorizer.decode_by_level(self._photo, seed)
        steps = list(zip(self._colorizer.levels, outputs, strict=True))
        noise = [self._noise(output, side) for side, output in steps]
        gray = self._painted("gray", NO_CHROMA)
        begin = "Nothing is decided yet: there are the gray photo, and noise for each level."
        frames = [Shown(gray, "The photo in gray", begin, noise)]
        for (side, output), own_noise in zip(steps, noise, strict=True):
            picture = self._painted(f"level-{side}", output.ab)
            alt = f"The photo with colors on a grid of {side} by {side}"
            said = (_FIRST_LEVEL if len(frames) == 1 else _LEVEL).format(side=side)
            frames.append(Shown(picture, alt, said, [own_noise, self._patches(output, side)]))
        lightness = Shown(gray, "The photo in gray", "Lightness of the photo")
        finished = self._painted("finished", self._sample(seed, 1.0))
        parts = [lightness, frames[-1].parts[-1]]
        return [*frames, Shown(finished, "The colored photo", _FINISHED, parts)]

    def temperatures(self, seed: int) -> list[Shown]:
        """Pictures from the same noise, made weaker and stronger."""
        return [
            Shown(
                self._painted(f"temperature-{temperature}", self._sample(seed, temperature)),
                f"The photo at vividness {temperature:g}",
                said,
            )
            for temperature, said in TEMPERATURES.items()
        ]

    def walk(self, start: int, end: int) -> list[Shown]:
        """Pictures on the way from the coloring of one seed to that of another."""
        way = self._colorizer.interpolate(self._photo, start, end, STEPS)
        between = "{:.0f} % of the way from seed {} to seed {}."
        said = [between.format(100 * i / (STEPS - 1), start, end) for i in range(STEPS)]
        said[0], said[-1] = f"Seed {start}.", f"Seed {end}."
        return [
            Shown(
                self._painted(f"walk-{index}", ab),
                f"Coloring {index + 1} of {STEPS} on the way",
                said[index],
            )
            for index, ab in enumerate(way)
        ]

    def _sample(self, seed: int, temperature: float) -> NDArray[np.float32]:
        (coloring,) = self._colorizer.colorize(
            self._photo, 1, temperature, seed, samples=True, force=True
        )
        return coloring.ab

    def _painted(self, name: str, ab: NDArray[np.float32]) -> Path:
        return write_colored(self.folder / name, ab, self._small)

    def _noise(self, output: LevelOutput, side: int) -> Shown:
        count = output.latents.size
        caption = f"z: {count:,} numbers".replace(",", "\N{NARROW NO-BREAK SPACE}")
        picture = self._tiny(f"noise-{side}", noise_picture(output.latents))
        return Shown(picture, f"Noise, {count} numbers", caption)

    def _patches(self, output: LevelOutput, side: int) -> Shown:
        flat = np.full(output.ab.shape[1:], _PATCH_LIGHTNESS, np.float32)
        image = Image.fromarray(render(flat, output.ab))
        size = max(1, round(_PATCHES_HEIGHT * self.ratio)), _PATCHES_HEIGHT
        patches = np.asarray(image.resize(size, Image.Resampling.NEAREST))
        picture = self._tiny(f"patches-{side}", patches)
        return Shown(picture, f"{side} by {side} patches of color", f"Colors, {side} × {side}")

    def _tiny(self, name: str, pixels: NDArray[np.uint8]) -> Path:
        return write_preview(self.folder / f"{name}.png", pixels, photo_from_image(pixels))


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


def player(frames: Sequence[Shown], *, label: str, ratio: float, pace: int) -> str:
    """HTML of frames with a slider; the first frame is shown.

    Args:
        frames: at least two.
        label: of the slider.
        ratio: width of the large pictures divided by their height.
        pace: milliseconds per frame when they are played.
    """
    figures = "".join(
        f'<figure data-frame="{index}"{" hidden" if index else ""}>'
        f"<figcaption>{html.escape(frame.text)}</figcaption>"
        f'<div class="how-pictures">{_image(frame, "how-large")}'
        f'<div class="how-parts">{_parts(frame.parts)}</div></div></figure>'
        for index, frame in enumerate(frames)
    )
    return (
        f'<div class="player" style="--ratio:{ratio:.4f}">'
        '<div class="player-controls"><button type="button" data-play>Play</button>'
        f"<label><span>{html.escape(label)}</span>"
        f'<input type="range" min="0" max="{len(frames) - 1}" step="1" value="0" '
        f'data-pace="{pace}" aria-valuetext="{html.escape(frames[0].text)}"></label></div>'
        f"{figures}</div>"
    )


def row(parts: Sequence[Shown], *, ratio: float) -> str:
    """HTML of pictures beside each other; `ratio` as in `player`."""
    return f'<div class="how-row" style="--ratio:{ratio:.4f}">{_parts(parts)}</div>'


def _parts(parts: Sequence[Shown]) -> str:
    return "".join(
        f'<div class="how-part">{_image(part, "how-small")}'
        f"<span>{html.escape(part.text)}</span></div>"
        for part in parts
    )


def _image(shown: Shown, kind: str) -> str:
    return f'<img class="{kind}" src="{file_url(shown.picture)}" alt="{html.escape(shown.alt)}">'

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

PLAYER = """
let timer = null;
const slider = () => element.querySelector("input[type=range]");
const button = () => element.querySelector("button[data-play]");
const stop = () => {
    clearInterval(timer);
    timer = null;
    if (button()) button().textContent = "Play";
};
const show = () => {
    const input = slider();
    if (!input) return;
    element.querySelectorAll("[data-frame]").forEach((frame) => {
        frame.hidden = frame.dataset.frame !== input.value;
    });
    const shown = element.querySelector(`[data-frame="${input.value}"] figcaption`);
    input.setAttribute("aria-valuetext", shown.textContent.trim());
};
const play = () => {
    if (timer) return stop();
    const input = slider();
    if (input.value === input.max) input.value = input.min;
    else input.value = Number(input.value) + 1;
    show();
    button().textContent = "Pause";
    timer = setInterval(() => {
        if (!input.isConnected) return stop();
        input.value = Number(input.value) + 1;
        show();
        if (input.value === input.max) stop();
    }, Number(input.dataset.pace));
};
element.addEventListener("input", (event) => {
    if (!event.target.matches("input[type=range]")) return;
    stop();
    show();
});
element.addEventListener("click", (event) => {
    if (event.target.closest("button[data-play]")) play();
});
watch("value", stop);
"""
"""Steps from picture to picture; page.css hides the button where reduced motion is preferred."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A small picture beside a large one."""

    picture: Path
    caption: str
    alt: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A large picture, small ones beside it, and a sentence."""

    picture: Path
    alt: str
    sentence: str
    parts: Sequence[Part] = ()


class FlowPictures(Job):
    """Makes pictures of how one photo gets its colors.

    Args:
        colorizer: colors the photo.
        photo: the photo.
        folder: for the pictures.
        before: folder of the pictures before these; a browser may still load them.
    """

    def __init__(
        self, colorizer: Colorizer, photo: Photo, folder: Path, before: Path | None
    ) -> None:
        super().__init__()
        self.folder = folder
        self.before = before
        self.shown: tuple[Path, int] | None = None
        """What the visitor had in the other tab when all pictures were shown: the photo, and the
        seed of its chosen coloring."""
        self._colorizer = colorizer
        self._photo = photo
        self._small = reduced(photo, SIDE)

    @property
    def ratio(self) -> float:
        """Width of the photo divided by its height."""
        return self._small.width / self._small.height

    def levels(self, seed: int) -> list[Frame]:
        """Pictures from noise to photo, level by level, and the finished photo at the end."""
        outputs = self._colorizer.decode_by_level(self._photo, seed)
        sides = self._colorizer.levels
        noise = [self._noise(output, side) for output, side in zip(outputs, sides, strict=True)]
        gray = self._painted("gray", NO_CHROMA)
        frames = [
            Frame(
                picture=gray,
                alt="The photo in gray",
                sentence="Nothing is decided yet: there are the gray photo, and noise for each "
                "level.",
                parts=noise,
            )
        ]
        for index, (output, side) in enumerate(zip(outputs, sides, strict=True)):
            frames.append(
                Frame(
                    picture=self._painted(f"level-{side}", output.ab),
                    alt=f"The photo with colors on a grid of {side} by {side}",
                    sentence=_level_sentence(index, side),
                    parts=[noise[index], self._patches(output, side)],
                )
            )
        finished = Frame(
            picture=self._painted("finished", self._sample(seed, 1.0)),
            alt="The colored photo",
            sentence="Each color goes to the thing that it belongs to, up to its outline, and "
            "under the photo's own lightness: the picture is done.",
            parts=[
                Part(picture=gray, caption="Lightness of the photo", alt="The photo in gray"),
                frames[-1].parts[-1],
            ],
        )
        return [*frames, finished]

    def temperatures(self, seed: int) -> list[Part]:
        """Pictures from the same noise, made weaker and stronger."""
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
        """Pictures on the way from the coloring of one seed to that of another."""
        way = self._colorizer.interpolate(self._photo, start, end, STEPS)
        return [
            Frame(
                picture=self._painted(f"walk-{index}", ab),
                alt=f"Coloring {index + 1} of {STEPS} on the way",
                sentence=_walk_sentence(index, start, end),
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

    def _noise(self, output: LevelOutput, side: int) -> Part:
        count = output.latents.size
        return Part(
            picture=self._tiny(f"noise-{side}", noise_picture(output.latents)),
            caption=f"z: {count:,} numbers".replace(",", "\N{NARROW NO-BREAK SPACE}"),
            alt=f"Noise, {count} numbers",
        )

    def _patches(self, output: LevelOutput, side: int) -> Part:
        flat = np.full(output.ab.shape[1:], _PATCH_LIGHTNESS, np.float32)
        patches = render(flat, output.ab)
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
        return write_preview(self.folder / f"{name}.png", pixels, photo_from_image(pixels))


def start_pictures(session: Session[Any], colorizer: Colorizer, photo: Photo) -> FlowPictures:
    """Begin with the pictures of a photo, and delete those before the last ones.

    Raises:
        ColorflowError: nothing can be stored.
    """
    last = session.job if isinstance(session.job, FlowPictures) else None
    folder = new_folder(session.folder, "flow-")
    job = FlowPictures(colorizer, photo, folder, last.folder if last else None)
    session.start(job)
    if last and last.before:
        shutil.rmtree(last.before, ignore_errors=True)
    return job


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


def _level_sentence(index: int, side: int) -> str:
    if index == 0:
        return (
            f"Colors on a grid of {side} × {side}: out of noise, and out of what the photo shows, "
            "comes a first idea of where it is warm and where it is cool."
        )
    return (
        f"Each patch is split into four, {side} × {side} by now. New noise decides how the four "
        "differ; their mean stays as it was."
    )


def _walk_sentence(index: int, start: int, end: int) -> str:
    if index == 0:
        return f"Seed {start}."
    if index == STEPS - 1:
        return f"Seed {end}."
    return f"{100 * index / (STEPS - 1):.0f} % of the way from seed {start} to seed {end}."


def player(frames: Sequence[Frame], *, label: str, ratio: float, pace: int) -> str:
    """HTML of frames with a slider; the first frame is shown.

    Args:
        frames: at least two.
        label: of the slider.
        ratio: width of the large pictures divided by their height.
        pace: milliseconds per frame when they are played.
    """
    figures = "".join(_figure(frame, index) for index, frame in enumerate(frames))
    sentence = html.escape(frames[0].sentence)
    return (
        f'<div class="player" style="--ratio:{ratio:.4f}">'
        '<div class="player-controls"><button type="button" data-play>Play</button>'
        f"<label><span>{html.escape(label)}</span>"
        f'<input type="range" min="0" max="{len(frames) - 1}" step="1" value="0" '
        f'data-pace="{pace}" aria-valuetext="{sentence}"></label></div>{figures}</div>'
    )


def row(parts: Sequence[Part], *, ratio: float) -> str:
    """HTML of pictures beside each other; `ratio` as in `player`."""
    figures = "".join(_part(part) for part in parts)
    return f'<div class="how-row" style="--ratio:{ratio:.4f}">{figures}</div>'


def _figure(frame: Frame, index: int) -> str:
    parts = "".join(_part(part) for part in frame.parts)
    return (
        f'<figure data-frame="{index}"{" hidden" if index else ""}>'
        f"<figcaption>{html.escape(frame.sentence)}</figcaption>"
        f'<div class="how-pictures">{_image(frame.picture, frame.alt, "how-large")}'
        f'<div class="how-parts">{parts}</div></div></figure>'
    )


def _part(part: Part) -> str:
    return (
        f'<div class="how-part">{_image(part.picture, part.alt, "how-small")}'
        f"<span>{html.escape(part.caption)}</span></div>"
    )


def _image(picture: Path, alt: str, kind: str) -> str:
    return f'<img class="{kind}" src="{file_url(picture)}" alt="{html.escape(alt)}">'

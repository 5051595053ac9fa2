"""What is made of a photo: a `Result`, whoever made it; nothing here imports torch."""

from __future__ import annotations

import base64
import math
import os
import zlib
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, replace
from functools import cached_property, partial
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from colorflow.color.cie import saturated
from colorflow.color.full_resolution import LightnessRows, render, render_own
from colorflow.color.grid import size_within
from colorflow.color.upsample import upsample_ab
from colorflow.files import FileKind
from colorflow.limits import QUALITY
from colorflow.photo import Photo, write_image
from colorflow.recipe import NO_WEIGHTS, ColoringSpec, Recipe, Statement, Weights

_DIMENSIONS = 2 * 64**2
"""Numbers of a coloring's ab."""
_CELLS = 128
"""Of the longer side of a picture of what was repaired."""


@dataclass(eq=False, repr=False)
class Result:
    """What a recipe made of a photo; pixels in full size are made when they are asked for.

    Attributes:
        photo: the photo with its tones and without its damage; its colors and detail are below.
        recipe: what was done; `colorflow.run` does it again.
        weights: that did it.
        digest: of the photo's file; None where it was none.
        grid: (2, 64, 64) ab in CIELAB units, as the picture shows it; None if it was not colored.
        share: share of the samples that a principal coloring stands for; None for others.
        chroma: computes `model_ab`.
        density: computes `log_prob`.
        reference_shares: of the photo, to which each reference gives its color; empty without any.
        lightness: (sH, sW) L* in [0, 100] of the enlarged photo; None if it was not enlarged.
        mask: (H, W), where it was repaired; None if nobody looked for damage.
        repaired: share of the pixels that were repaired, 0 to 1; None if nobody looked.
        marks: the mask in a few cells, see `packed`; None if nothing was repaired.
        prints: that were found in the scan; None where nobody looked for them.
        has_colors: whether the colors that the photo has were kept instead of those wanted.
        plain: the same before `saturated`; None for one that was not changed.
    """

    photo: Photo
    recipe: Recipe
    _: KW_ONLY
    weights: Weights = NO_WEIGHTS
    digest: str | None = None
    grid: NDArray[np.float32] | None = None
    share: float | None = None
    chroma: Callable[[], NDArray[np.float32]] | None = None
    density: Callable[[], float] | None = None
    reference_shares: tuple[float, ...] = ()
    lightness: NDArray[np.float32] | None = None
    mask: NDArray[np.bool_] | None = None
    repaired: float | None = None
    marks: str | None = None
    prints: int | None = None
    has_colors: bool = False
    plain: Result | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Its fields, with chroma and likelihood in place of the model that computes them."""
        if self.chroma is None:
            return vars(self)
        chroma, density = partial(np.asarray, self.model_ab), partial(float, self.log_prob)
        return {**vars(self), "chroma": chroma, "density": density}

    def __repr__(self) -> str:
        return f"<Result of {self.photo.source}: {self.recipe}>"

    @property
    def spec(self) -> ColoringSpec:
        """Which coloring it is; `Colorizer.reproduce` makes it again.

        Raises:
            ValueError: if it was not colored.
        """
        if self.recipe.colors is None:
            raise ValueError("spec: the photo was not colored")
        return self.recipe.colors.spec

    @property
    def ab(self) -> NDArray[np.float32]:
        """Its colors as the picture shows them, (2, 64, 64) CIELAB units.

        Raises:
            ValueError: if it was not colored.
        """
        if self.grid is None:
            raise ValueError("ab: the photo was not colored")
        return self.grid

    @property
    def seed(self) -> int:
        """Of its colors, otherwise of its detail or repair; see `Recipe.seed`."""
        return self.recipe.seed

    @property
    def array(self) -> NDArray[Any]:
        """The picture in full size, uint8 or uint16 as the photo: (H, W) gray or (H, W, 3) sRGB."""
        return self.render(bits=self.photo.bits)

    @cached_property
    def image(self) -> Image.Image:
        """The picture in full size: gray or RGB, with alpha where the photo has transparency."""
        pixels = self.render()
        picture, alpha = Image.fromarray(pixels), self._like(pixels).alpha
        if alpha is not None:
            picture.putalpha(Image.fromarray(alpha))
        return picture

    @cached_property
    def model_ab(self) -> NDArray[np.float32]:
        """The chroma (2, 64, 64) of the model, given the hints, before it was assigned to things.

        Latents and `log_prob` are of this one. With hints for things it is computed when it is
        first asked for.

        Raises:
            ValueError: if the photo was not colored.
        """
        if self.chroma is None:
            raise ValueError("model_ab: the photo was not colored")
        return self.chroma()

    @cached_property
    def log_prob(self) -> float:
        """Log density of `model_ab`, given the hints, in nats; see `Colorizer.log_prob`.

        It is computed when it is first asked for. -inf at the edge of the model's range.

        Raises:
            ValueError: if the photo was not colored.
        """
        if self.density is None:
            raise ValueError("log_prob: the photo was not colored")
        return self.density()

    @property
    def bits_per_dim(self) -> float:
        """The same in bits per number of ab; lower is more likely."""
        return bits_per_dim(self.log_prob)

    @property
    def statement(self) -> Statement:
        """What a saved file says."""
        return Statement(
            recipe=self.recipe.stated,
            weights=self.weights,
            photo=self.digest,
            share=self.share,
            prints=self.prints,
            repaired=self.repaired,
            marks=self.marks,
            has_colors=self.has_colors,
        )

    def render(self, *, bits: Literal[8, 16] = 8) -> NDArray[Any]:
        """The picture in full size as an array.

        Args:
            bits: of each channel; 16 is more precise than 8 only for a photo of 16 bits.

        Returns:
            uint8 or uint16: (H, W, 3) sRGB, or (H, W) for a gray photo without colors.
        """
        deep = self.photo.pixels if bits == 8 else self.photo.full_depth
        if self.grid is not None:
            lightness = LightnessRows(deep) if self.lightness is None else self.lightness
            return render(lightness, self.grid, bits=bits)
        if self.lightness is not None:
            return render_own(self.photo.pixels, self.lightness, bits=bits)
        return deep

    def saturated(self, saturation: float = 1.0, pale: float = 1.0) -> Result:
        """The same coloring with stronger or weaker colors; hues and lightness stay.

        `ab` and the picture change, and saved files say so; `model_ab` and `log_prob` stay. Of
        several calls in a row the last one counts.

        Args:
            saturation: factor on all chroma, 0 (gray) to 2.
            pale: factor on the chroma of colors near gray, such as timid clothes and faces, 0 to 3;
                the more vivid a color, the less it changes.

        Raises:
            ValueError: if a factor is out of range, or the photo was not colored.
        """
        plain = self.plain or self
        if plain.recipe.colors is None:
            raise ValueError("saturated: the photo was not colored")
        colors = replace(plain.recipe.colors, saturation=saturation, pale=pale)
        return replace(
            plain,
            grid=saturated(plain.ab, saturation, pale),
            recipe=replace(plain.recipe, colors=colors),
            plain=plain,
        )

    def save(
        self,
        path: str | os.PathLike[str],
        *,
        quality: int = QUALITY,
        kind: FileKind | None = None,
    ) -> NDArray[Any]:
        """Writes the picture as the command does.

        The file has the format of its suffix (.jpg, .png, .webp, .tif), the photo's metadata,
        transparency and, in PNG and TIFF, 16 bits, and it says what it was made by.
        It appears whole or not at all.

        Args:
            path: the file.
            quality: of JPEG and WebP files, in [1, 100].
            kind: of a file that may be replaced; by default that of this result.

        Returns:
            Its pixels, as `array`.

        Raises:
            WritePhotoError: if the file cannot be written, or another file is there that is no
                picture of this kind.
        """
        pixels = self.array
        like = self._like(pixels)
        write_image(path, pixels, like, statement=self.statement, kind=kind, quality=quality)
        return pixels

    def _like(self, pixels: NDArray[Any]) -> Photo:
        """The photo, as large as the result."""
        return self.photo if self.lightness is None else self.photo.enlarged(pixels)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LevelOutput:
    """A coloring after one level of the model, on its way from noise to chroma.

    Attributes:
        latents: (C, g, g) of the level only, with the std that they were sampled with.
        ab: (2, h, h) CIELAB units, on the grid that the level completes.
    """

    latents: NDArray[np.float32]
    ab: NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Uncertainty:
    """Central intervals of a and of b in every cell of the 64x64 grid.

    Attributes:
        level: nominal coverage: share of cells whose true value lies inside.
        middle: (2, 64, 64) of the intervals of a and b, CIELAB units.
        half_width: (2, 64, 64) CIELAB units.
        calibrated: whether the weights contain the factor that makes the coverage nominal on photos
            outside the training set; otherwise the intervals are the model's own.
    """

    level: float
    middle: NDArray[np.float32]
    half_width: NDArray[np.float32]
    calibrated: bool

    @property
    def map(self) -> NDArray[np.float32]:
        """(64, 64): distance in ab between corner and middle of the intervals, CIELAB units."""
        return np.hypot(*self.half_width)

    def at_full_size(self, lightness: NDArray[np.float32]) -> NDArray[np.float32]:
        """Upsamples the map as chroma is upsampled, guided by lightness.

        Args:
            lightness: (H, W), L* in [0, 100].

        Returns:
            (H, W), CIELAB units, from 0.
        """
        a, b = upsample_ab(self.half_width, lightness)
        return np.hypot(a.clip(min=0), b.clip(min=0))


def damage_of(mask: NDArray[np.bool_]) -> tuple[float, str | None]:
    """What results and files say of a mask (H, W): the share of the pixels, and the mask packed."""
    return float(mask.mean()), packed(mask) if mask.any() else None


def packed(mask: NDArray[np.bool_]) -> str:
    """The cells in which anything was repaired, as text: height, width, and packed bits.

    Args:
        mask: (H, W), where a print was repaired.
    """
    height, width = size_within(mask.shape[0], mask.shape[1], _CELLS, _CELLS)
    shares = cv2.resize(mask.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
    bits = np.packbits(np.asarray(shares) > 0).tobytes()
    return f"{height}x{width}:{base64.b64encode(zlib.compress(bits, 9)).decode()}"


def bits_per_dim(log_prob: float) -> float:
    """-log2 of a density of `log_prob`, divided by the 2 x 64 x 64 numbers of ab."""
    return -log_prob / (_DIMENSIONS * math.log(2))

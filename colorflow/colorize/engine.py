"""Between photos and the model: conditions, latents, chroma, likelihood.

Dimensions: n colorings of one photo.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from colorflow.color.grid import square_lightness, to_grid
from colorflow.colorize.recipe import Recipe
from colorflow.errors import PhotoError, WeightsError
from colorflow.model.condition import Condition, Conditioner
from colorflow.model.diverse import COARSE_LEVELS, most_different
from colorflow.model.hints import Hint, hint_planes
from colorflow.model.latents import draw_latents, signs_of_photo, slerp
from colorflow.model.principal import principal_colorings
from colorflow.model.pyramid import ChromaPyramid
from colorflow.model.weights import LoadedWeights
from colorflow.photo import Kind, Photo

CHUNK = 8
"""Colorings that go through the flow at once."""

Latents = list[Tensor]
"""Of one coloring: (C, g, g) of each level, coarse to fine."""


class Engine:
    """The model as it colors photos.

    Args:
        weights: what `load_weights` gave.
        device: where to compute.
    """

    def __init__(self, weights: LoadedWeights, device: torch.device) -> None:
        self.device = device
        self.pyramid: ChromaPyramid = weights.pyramid.to(device)
        self.temperatures, self.gain = weights.temperatures, weights.gain
        self.conditioner = Conditioner(self.pyramid.late_blocks).to(device)

    def condition(
        self, photo: Photo, hints: Sequence[Hint] = (), *, mirrored: bool = False
    ) -> Condition:
        """What the model is given of a photo.

        Args:
            photo: the photo.
            hints: colors of points.
            mirrored: give the mirrored photo as a second one.

        Raises:
            WeightsError: if there are hints and the weights take none.
            ValueError: if a hint lies outside the photo.
        """
        planes = None
        if hints:
            if not self.pyramid.config.takes_hints:
                raise WeightsError(
                    "these weights take no color hints; use weights trained with "
                    "`colorflow train --hints`"
                )
            planes = hint_planes(hints, *photo.pixels.shape[:2])[None].to(self.device)
        lightness = torch.from_numpy(square_lightness(photo.pixels))[None, None].to(self.device)
        if mirrored:
            lightness = torch.cat([lightness, lightness.flip(-1)])
            planes = None if planes is None else torch.cat([planes, planes.flip(-1)])
        condition: Condition = self.conditioner(lightness, planes)
        return condition

    def latents_of(self, reference: Photo) -> Latents:
        """Latents of a photo's own colors, given its own lightness.

        Raises:
            PhotoError: if it is gray.
        """
        if reference.kind is Kind.GRAY:
            raise PhotoError(
                reference.source,
                "has no colors that could be carried over; choose a color photo as the reference",
            )
        ab = torch.from_numpy(to_grid(reference.pixels))[None].to(self.device)
        with torch.no_grad():
            latents = self.pyramid.encode(ab, self.condition(reference), self.gain)
        return [z[0].cpu() for z in latents]

    def latents(
        self,
        recipe: Recipe,
        lightness: Tensor,
        reference: Latents | None = None,
        temperatures: Sequence[float] | None = None,
    ) -> Latents:
        """Latents of a sample.

        They have the std that the shipped temperature of their level and the recipe's say; on the
        way to the reference their length becomes that of the reference's.

        Args:
            recipe: with a seed for every level.
            lightness: (1, 1, h, w) of the photo, which has a say in the signs of the latents.
            reference: latents of a reference photo's colors.
            temperatures: in place of the shipped ones.

        Raises:
            ValueError: if the recipe is for another number of levels, or needs a reference that
                is not there.
        """
        shapes = self.pyramid.latent_shapes()
        seeds = [seed for seed in recipe.seeds if seed is not None]
        if len(seeds) != len(shapes):
            raise ValueError(f"seeds: expected {len(shapes)}, one a level, got {len(seeds)}")
        stds = self.temperatures if temperatures is None else temperatures
        signs = signs_of_photo(lightness, shapes)
        drawn = [
            recipe.temperature * std * sign * z
            for z, sign, std in zip(draw_latents(shapes, seeds), signs, stds, strict=True)
        ]
        if not any(recipe.strengths):
            return drawn
        if reference is None:
            raise ValueError("reference: expected the photo that the recipe's colors come from")
        return [
            slerp(own, other, strength)
            for own, other, strength in zip(drawn, reference, recipe.strengths, strict=True)
        ]

    @torch.inference_mode()
    def decode(
        self, latents: Sequence[Latents], condition: Condition, gain: float | None = None
    ) -> NDArray[np.float32]:
        """Chroma of n colorings of one photo: (n, 2, 64, 64) CIELAB units.

        With latents of the first levels alone, the chroma on the grid that these levels complete.
        The gain is the shipped one unless another is given.
        """
        gain = self.gain if gain is None else gain
        parts = []
        for start in range(0, len(latents), CHUNK):
            levels = zip(*latents[start : start + CHUNK], strict=True)
            batch = [torch.stack(level).to(self.device) for level in levels]
            parts.append(self.pyramid.decode(batch, condition, gain).cpu().numpy())
        return np.concatenate(parts)

    def most_different(self, latents: Sequence[Latents], condition: Condition, n: int) -> list[int]:
        """Chooses the n samples of one photo whose coarse chroma differs most: their indices."""
        coarse = self.decode([z[:COARSE_LEVELS] for z in latents], condition)
        return most_different(coarse.reshape(len(latents), -1), n)

    def principal(
        self, pool: Sequence[Latents], both: Condition, k: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """Chroma and shares of the principal colorings of one photo.

        Args:
            pool: latents of an even number of samples.
            both: condition of the photo and of the mirrored photo.
            k: how many.
        """
        latents = [torch.stack(level).to(self.device) for level in zip(*pool, strict=True)]
        ab, shares = principal_colorings(self.pyramid, latents, both, k, self.gain)
        return ab.cpu().numpy(), shares

    @torch.inference_mode()
    def encode(self, ab: NDArray[np.float32], condition: Condition) -> list[Latents]:
        """Latents of n colorings of one photo, (n, 2, 64, 64): `decode` makes them again."""
        x = torch.from_numpy(ab).to(self.device)
        levels = self.pyramid.encode(x, _repeated(condition, len(x)), self.gain)
        return [[z[i].cpu() for z in levels] for i in range(len(x))]

    @torch.inference_mode()
    def log_prob(self, ab: NDArray[np.float32], condition: Condition) -> NDArray[np.float64]:
        """Log density of n colorings of one photo in nats, (n,), per CIELAB unit."""
        parts = []
        for start in range(0, len(ab), CHUNK):
            batch = torch.from_numpy(ab[start : start + CHUNK]).to(self.device)
            log_prob = self.pyramid.log_prob(batch, _repeated(condition, len(batch)))
            parts.append(log_prob.double().cpu().numpy())
        return np.concatenate(parts)


def _repeated(condition: Condition, n: int) -> Condition:
    """The condition of one photo, n times."""
    return condition.map(lambda x: x.expand(n, *x.shape[1:]))

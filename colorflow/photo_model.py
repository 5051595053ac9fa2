"""The distribution of one photo's colorings: from specs to latents to chroma, and back.

Dimensions: n colorings of one photo, k principal colorings, C and g channels and grid of a level.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from colorflow.coloring import ColoringSpec
from colorflow.model.condition import Condition
from colorflow.model.diverse import COARSE_LEVELS, most_different
from colorflow.model.latents import sample_latents, signs_of_photo, slerp
from colorflow.model.principal import POOL, principal_colorings
from colorflow.model.weights import LoadedWeights

CHUNK = 8
"""Colorings that pass the flow at once."""

Latents = list[Tensor]
"""Latents of one coloring: (C, g, g) of each level, coarse to fine."""


class PhotoModel:
    """The distribution p(ab | L, hints) of one photo's colorings.

    Args:
        weights: the model.
        lightness: (1, 1, 128, 128) of the photo, L* in [0, 100].
        make_condition: computes the condition of the photo, or if `mirrored` that of the photo and
            of its mirror image.
        reference: latents of a reference photo's colors, or None.
    """

    def __init__(
        self,
        weights: LoadedWeights,
        lightness: Tensor,
        make_condition: Callable[..., Condition],
        reference: Latents | None = None,
    ) -> None:
        self.pyramid, self.gain = weights.pyramid, weights.gain
        self.temperatures, self.reference = weights.temperatures, reference
        self._signs = signs_of_photo(lightness, self.pyramid.latent_shapes())
        self.make_condition = make_condition
        self._device = lightness.device
        self._principal: dict[
            tuple[ColoringSpec, int], tuple[NDArray[np.float32], tuple[float, ...]]
        ] = {}

    @cached_property
    def condition(self) -> Condition:
        """The condition of the photo."""
        return self.make_condition(mirrored=False)

    def chroma(self, specs: Sequence[ColoringSpec]) -> NDArray[np.float32]:
        """Chroma of the colorings of specs: (n, 2, 64, 64) CIELAB units."""
        sampled = [spec for spec in specs if not spec.is_principal]
        ab = iter(self.decode([self.latents(spec) for spec in sampled]) if sampled else ())
        return np.stack(
            [self._principal_coloring(one) if one.is_principal else next(ab) for one in specs]
        )

    def latents(self, spec: ColoringSpec) -> Latents:
        """Sampled latents, and those of the principal coloring in levels without a seed."""
        seeds = tuple(spec.seed if seed is None else seed for seed in spec.seeds)
        latents = self.sample(replace(spec, seeds=seeds))
        if spec.principal is None:
            return latents
        (own,) = self.encode(self._principal_coloring(spec)[None])
        return [
            z if seed is None else sampled
            for z, sampled, seed in zip(own, latents, spec.seeds, strict=True)
        ]

    def sample(self, spec: ColoringSpec, temperatures: Sequence[float] | None = None) -> Latents:
        """Samples latents.

        Their std is the temperature of the level times that of the spec; on the way to the
        reference their length becomes that of the reference's.

        Args:
            spec: with a seed for every level.
            temperatures: one a level, in place of the shipped ones.

        Raises:
            ValueError: if the spec is for another number of levels, or needs a reference.
        """
        shapes = self.pyramid.latent_shapes()
        seeds = [seed for seed in spec.seeds if seed is not None]
        if len(seeds) != len(shapes):
            raise ValueError(f"seeds: expected {len(shapes)}, one a level, got {len(seeds)}")
        stds = self.temperatures if temperatures is None else temperatures
        sampled = [
            spec.temperature * std * sign * z
            for z, sign, std in zip(sample_latents(shapes, seeds), self._signs, stds, strict=True)
        ]
        if not any(spec.strengths):
            return sampled
        if self.reference is None:
            raise ValueError("reference: expected the photo that the spec's colors come from")
        return [
            slerp(own, other, strength)
            for own, other, strength in zip(sampled, self.reference, spec.strengths, strict=True)
        ]

    @torch.inference_mode()
    def decode(self, latents: Sequence[Latents], gain: float | None = None) -> NDArray[np.float32]:
        """Chroma of latents: (n, 2, 64, 64) CIELAB units.

        Latents of the first levels only give the chroma on the grid that these levels complete.
        The gain is the shipped one by default.
        """
        gain = self.gain if gain is None else gain
        parts = []
        for start in range(0, len(latents), CHUNK):
            batch = _stacked(latents[start : start + CHUNK], self._device)  # (8, C, g, g) a level
            parts.append(self.pyramid.decode(batch, self.condition, gain).cpu().numpy())
        return np.concatenate(parts)

    @torch.inference_mode()
    def encode(self, ab: NDArray[np.float32]) -> list[Latents]:
        """Latents of chroma (n, 2, 64, 64), the inverse of `decode`."""
        x = torch.from_numpy(ab).to(self._device)
        levels = self.pyramid.encode(x, self._repeated(len(x)), self.gain)
        return [[z[i].cpu() for z in levels] for i in range(len(x))]

    @torch.inference_mode()
    def log_prob(self, ab: NDArray[np.float32]) -> NDArray[np.float64]:
        """Log density of chroma (n, 2, 64, 64) in nats, (n,), per CIELAB unit."""
        parts = []
        for start in range(0, len(ab), CHUNK):
            batch = torch.from_numpy(ab[start : start + CHUNK]).to(self._device)
            log_prob = self.pyramid.log_prob(batch, self._repeated(len(batch)))
            parts.append(log_prob.double().cpu().numpy())
        return np.concatenate(parts)

    def most_different(self, latents: Sequence[Latents], n: int) -> list[int]:
        """Indices of the n samples whose coarse chroma differs most."""
        coarse = self.decode([z[:COARSE_LEVELS] for z in latents])  # (len(latents), 2, 8, 8)
        return most_different(coarse.reshape(len(coarse), -1), n)

    def principal(
        self, first: ColoringSpec, k: int
    ) -> tuple[NDArray[np.float32], tuple[float, ...]]:
        """Principal colorings: chroma (k, 2, 64, 64) and the share of the samples of each.

        Args:
            first: the spec of the first of `POOL` samples.
            k: how many.
        """
        if (first, k) not in self._principal:
            seeds = range(first.seed, first.seed + POOL)
            pool = [self.sample(first.sample_spec(seed)) for seed in seeds]
            self._principal[first, k] = self.principal_of(pool, k)
        return self._principal[first, k]

    def principal_of(
        self, pool: Sequence[Latents], k: int
    ) -> tuple[NDArray[np.float32], tuple[float, ...]]:
        """As `principal`, from the latents of an even number of samples."""
        both = self.make_condition(mirrored=True)
        stacked = _stacked(pool, self._device)  # (64, C, g, g) a level
        ab, shares = principal_colorings(self.pyramid, stacked, both, k, self.gain)
        return ab.cpu().numpy(), tuple(map(float, shares))

    def _principal_coloring(self, spec: ColoringSpec) -> NDArray[np.float32]:
        """The principal coloring that supplies levels of a spec: (2, 64, 64)."""
        one = spec.principal
        assert one is not None
        return self.principal(spec.sample_spec(one.seed), one.of)[0][one.number]

    def _repeated(self, n: int) -> Condition:
        """The photo's condition n times."""
        return self.condition.map(lambda x: x.expand(n, *x.shape[1:]))


def _stacked(latents: Sequence[Latents], device: torch.device) -> list[Tensor]:
    """Latents of n colorings as one tensor a level: (n, C, g, g)."""
    return [torch.stack(level).to(device) for level in zip(*latents, strict=True)]

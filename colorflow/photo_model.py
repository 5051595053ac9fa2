"""The distribution of one photo's colorings: from specs to latents to chroma, and back.

A `PhotoModel` knows lightness alone; `OpenPhoto` (`open_photo.py`) adds the photo.

Latents are sampled from seeds, and the coarse ones take their signs from the photo's lightness; a
seed alone would give every photo the same latents.

Dimensions: n colorings of one photo, k principal colorings, C and g channels and grid of a level.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from types import MappingProxyType

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from colorflow.color.cie import SRGB_REACH
from colorflow.device import one_thread
from colorflow.model.condition import LIGHTNESS_SIZE, Condition
from colorflow.model.config import FINEST_GRID
from colorflow.model.heads import HEADS_SIZE
from colorflow.model.hints import ThingHint
from colorflow.model.level import MEAN_CHANNELS, sample_latents, signs_of_photo, slerp
from colorflow.model.likeness import LIKENESS_SIZE, Described, Likeness, describe
from colorflow.model.principal import (
    MEAN_POOL,
    POOL,
    POOL_LEVELS,
    modes_of,
    vivid_mean,
    with_gain,
)
from colorflow.model.segmentation import CLASSES
from colorflow.model.skin import Skin, ToneDistribution, tone_latents
from colorflow.model.spatial import FEATURES_GRID, SpatialOperator, blurred, contrast_of
from colorflow.model.things import Things
from colorflow.model.weights import LoadedWeights
from colorflow.recipe import ColoringSpec, Reach

CHUNK = 8
"""Colorings that pass the flow at once."""

LARGE_SCALE = 8.0
"""Std of the Gaussian that separates large from small scale, in cells of the 64x64 grid."""
Latents = list[Tensor]
"""Latents of one coloring: (C, g, g) of each level, coarse to fine."""
PrincipalColorings = tuple[NDArray[np.float32], tuple[float, ...]]
"""The model's chroma (k, 2, 64, 64), and the share of the samples of each."""


class PhotoModel:
    """The distribution p(ab | L, hints) of one photo's colorings.

    What it decodes is chroma as the model gives it, of which latents and likelihoods are; `paint`
    makes of it the chroma that people see.

    Args:
        weights: the model.
        make_condition: given a side in pixels, computes the condition of the photo at that size,
            or if `mirrored` of its mirror image. At that of the flow it has the hints' planes.
        is_hinted: whether there are hints that the flow is conditioned on.
        style: latents of the colors of a photo whose style is wanted, or None.
        painted: planes of hints, (1, 3, 64, 64), by their reach, whose colors `paint` gives.
        thing_hints: hints whose things `paint` gives their colors.
        make_references: describes the references, whose colors go to what looks alike; None
            without any.
    """

    def __init__(
        self,
        weights: LoadedWeights,
        make_condition: Callable[..., Condition],
        is_hinted: bool = False,
        style: Latents | None = None,
        painted: Mapping[Reach, Tensor] = MappingProxyType({}),
        thing_hints: Sequence[ThingHint] = (),
        make_references: Callable[[], Sequence[Described]] | None = None,
    ) -> None:
        self.pyramid, self.gain = weights.pyramid, weights.gain
        self.temperatures, self.style = weights.temperatures, style
        self._make_condition, self._is_hinted = make_condition, is_hinted
        self._device = next(weights.pyramid.parameters()).device
        self._painted, self._thing_hints = painted, thing_hints
        self._make_references = make_references
        self._principal: dict[tuple[ColoringSpec, int], PrincipalColorings] = {}
        self._firsts: dict[ColoringSpec, tuple[NDArray[np.float32], NDArray[np.float32]]] = {}

    def _condition_at(self, side: int, *, mirrored: bool = False) -> Condition:
        return self.pyramid.refine(self._make_condition(side, mirrored=mirrored))

    @cached_property
    @one_thread()
    def condition(self) -> Condition:
        """The condition of the photo that the flow has."""
        return self._condition_at(LIGHTNESS_SIZE)

    @cached_property
    def _both_ways(self) -> Condition:
        """The conditions of the photo and of its mirror image."""
        return self.condition.joined(self._condition_at(LIGHTNESS_SIZE, mirrored=True))

    @cached_property
    @one_thread()
    def _large(self) -> Condition:
        """The condition of the photo that heads and operator have; it has no hints."""
        return self._condition_at(HEADS_SIZE)

    @cached_property
    def _signs(self) -> list[Tensor]:
        return signs_of_photo(self.condition.lightness, self.pyramid.latent_shapes())

    @cached_property
    @one_thread()
    def operator(self) -> SpatialOperator:
        """Assigns chroma to the things in the photo."""
        lightness = F.adaptive_avg_pool2d(self._large.lightness, FINEST_GRID)
        features = self._large.features[FEATURES_GRID]
        return SpatialOperator(lightness[0, 0].cpu().numpy(), features[0].cpu().numpy())

    @cached_property
    @one_thread()
    @torch.inference_mode()
    def small_scale(self) -> NDArray[np.float32]:
        """What the small things of the large photo add to the chroma of samples, (2, 64, 64).

        The mean head tells, and its large scale does not count; without one it is nothing.
        """
        if self.pyramid.mean_head is None:
            return np.zeros((MEAN_CHANNELS, FINEST_GRID, FINEST_GRID), np.float32)
        added = self._predicted - _first_of(self.pyramid.predict(self.condition))
        return added - blurred(added, LARGE_SCALE)

    @cached_property
    @one_thread()
    @torch.inference_mode()
    def _predicted(self) -> NDArray[np.float32]:
        """What the mean head says of the large photo, (2, 64, 64)."""
        return _first_of(self.pyramid.predict(self._large))

    @cached_property
    @one_thread()
    @torch.inference_mode()
    def classes(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """How likely each class of things is, (18, 192, 192), and an outline, (192, 192).

        Without a segmentation head all is something else.
        """
        if head := self.pyramid.segmentation_head:
            log_odds, outline = head(self._large)
            likely, ends = log_odds[0].softmax(0), outline[0, 0].sigmoid()
            return likely.cpu().numpy(), ends.cpu().numpy()
        side = self._large.lightness.shape[-1]
        likely = np.zeros((len(CLASSES), side, side), np.float32)
        likely[CLASSES.index("other")] = 1
        return likely, np.zeros((side, side), np.float32)

    @cached_property
    def things(self) -> Things:
        """The things in the photo; without a segmentation head, its lightness alone tells."""
        return Things(*self.classes, self._large.lightness[0, 0].cpu().numpy())

    @cached_property
    @one_thread()
    @torch.inference_mode()
    def skin(self) -> Skin | None:
        """Where the photo's skin is, and its colors; None without a skin head."""
        head = self.pyramid.skin_head
        if head is None:
            return None
        log_odds, chroma = head(self._large)
        size = (2 * FINEST_GRID, 2 * FINEST_GRID)
        likely = F.interpolate(log_odds, size, mode="bilinear", align_corners=False).sigmoid()
        return Skin(
            likely[0, 0].cpu().numpy(),
            F.adaptive_avg_pool2d(self._large.lightness, size)[0, 0].cpu().numpy(),
            F.adaptive_avg_pool2d(chroma, FINEST_GRID)[0].cpu().numpy(),
            ToneDistribution(head.tone_mean.cpu().numpy(), head.tone_factor.cpu().numpy()),
        )

    @cached_property
    @one_thread()
    def described(self) -> Described:
        """What the photo looks like."""
        nowhere = np.zeros((FINEST_GRID, FINEST_GRID), np.float32)
        skin = nowhere if self.skin is None else self.skin.weight
        head = self.pyramid.likeness_head
        assert head is not None  # `Opener` refuses references without one
        return describe(head, self.condition, self._condition_at(LIKENESS_SIZE), skin)

    @cached_property
    @one_thread()
    def likeness(self) -> Likeness | None:
        """The colors that the references give to what looks alike; None without references."""
        if self._make_references is None:
            return None
        return Likeness(self.described, self._make_references())

    def reference_shares(self, spec: ColoringSpec) -> tuple[float, ...]:
        """Shares of the photo to which each reference gives its color; empty if none does."""
        if not spec.strength or self.likeness is None:
            return ()
        return tuple(map(float, self.likeness.shares))

    @one_thread()
    @torch.inference_mode()
    def paint(
        self,
        ab: NDArray[np.float32],
        specs: Sequence[ColoringSpec],
        tones: NDArray[np.float32] | None = None,
    ) -> NDArray[np.float32]:
        """The chroma that people see of the model's: it belongs to things, and keeps the hints.

        What looks alike in the references gives its colors, but hints win.

        Each coloring is painted by itself, so that it is the same to the bit whatever is painted
        with it.

        Args:
            ab: (n, 2, 64, 64) CIELAB units.
            specs: what each is made from.
            tones: (n, 2) latents of the tones of skin; those of the specs by default.

        Returns:
            (n, 2, 64, 64).

        Raises:
            ValueError: if a spec needs references.
        """
        tones = self.tones(specs) if tones is None else tones
        shown = np.concatenate(
            [
                self._on_things(one[None], spec, tone[None])
                for one, spec, tone in zip(ab, specs, tones, strict=True)
            ]
        )
        given = {reach: _mask_and_colors(planes) for reach, planes in self._painted.items()}
        if "alike" in given:
            shown = self.operator.filled(shown, *given["alike"])
            shown = self.operator.likened(shown, *given["alike"])
            shown = self._pulled(shown, self._painted["alike"])
        if self._thing_hints:
            shown = self.things.colored(shown, self._thing_hints)
        if "around" in given:
            shown = self.operator.dabbed(shown, *given["around"])
        return shown

    def _on_things(
        self, ab: NDArray[np.float32], spec: ColoringSpec, tone: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """One coloring (1, 2, 64, 64) assigned to things, with skin's color and the references'."""
        has_details = spec.seeds[-1] is None and self._is_predicted(spec)
        seen = ab if has_details else ab + self.small_scale
        shown = self.operator(seen, contrast_of(ab))
        if spec.skin and self.skin is not None:
            shown = self.skin.painted(shown, tone)
        if spec.strength:
            if self.likeness is None:
                raise ValueError("reference: expected the photos that the spec's colors come from")
            shown = self.likeness.painted(shown, spec.strength)
        return shown

    @one_thread()
    @torch.inference_mode()
    def with_skin(self, ab: NDArray[np.float32], tones: NDArray[np.float32]) -> NDArray[np.float32]:
        """The model's chroma (n, 2, 64, 64) with the color of skin, which hints pull, too.

        Args:
            ab: CIELAB units.
            tones: (n, 2) latents of the tones of skin.
        """
        if self.skin is None:
            return ab
        shown = self.skin.painted(ab, tones)
        if self.condition.planes is None:
            return shown
        pulled = self._pulled(shown, self.condition.planes)
        return np.asarray(shown + self.skin.weight * (pulled - shown), np.float32)

    def _pulled(self, ab: NDArray[np.float32], planes: Tensor) -> NDArray[np.float32]:
        """Chroma (n, 2, 64, 64) pulled to the hints of planes (1, 3, 64, 64)."""
        x = torch.from_numpy(ab).to(self._device)
        hinted = replace(self.condition, planes=planes)
        return self.pyramid.pull_to_hints(x, hinted).cpu().numpy()

    def tones(self, specs: Sequence[ColoringSpec]) -> NDArray[np.float32]:
        """Latents of the tones of skin (n, 2): of the coarsest level, 0 where that has no seed."""
        sampled = {
            spec: tone_latents([self.sample(spec.filled)[0]])[0]
            for spec in set(specs)
            if spec.seeds[0] is not None
        }
        none = np.zeros(2, np.float32)
        return np.stack([sampled.get(spec, none) for spec in specs])

    def chroma(self, specs: Sequence[ColoringSpec]) -> NDArray[np.float32]:
        """The model's chroma of the colorings of specs: (n, 2, 64, 64) CIELAB units."""
        sampled = [spec for spec in specs if not spec.is_principal]
        ab = iter(self.decode([self.latents(spec) for spec in sampled]) if sampled else ())
        return np.stack(
            [self._principal_coloring(one) if one.is_principal else next(ab) for one in specs]
        )

    def latents(self, spec: ColoringSpec) -> Latents:
        """Sampled latents, and those of the principal coloring in levels without a seed."""
        latents = self.sample(spec.filled)
        if spec.principal is None:
            return latents
        (own,) = self.encode(self._principal_coloring(spec)[None])
        return [
            z if seed is None else sampled
            for z, sampled, seed in zip(own, latents, spec.seeds, strict=True)
        ]

    def sample(
        self,
        spec: ColoringSpec,
        temperatures: Sequence[float] | None = None,
        *,
        antithetic: bool = False,
    ) -> Latents:
        """Samples latents.

        Their std is the temperature of the level times that of the spec; on the way to the
        style their length becomes that of the style's.

        Args:
            spec: with a seed for every level.
            temperatures: one a level, in place of the shipped ones.
            antithetic: the negatives of the latents of these seeds, which are as likely.

        Raises:
            ValueError: if the spec is for another number of levels, or needs a style.
        """
        shapes = self.pyramid.latent_shapes()
        seeds = [seed for seed in spec.seeds if seed is not None]
        if len(seeds) != len(shapes):
            raise ValueError(f"seeds: expected {len(shapes)}, one a level, got {len(seeds)}")
        stds = self.temperatures if temperatures is None else temperatures
        scale = -spec.temperature if antithetic else spec.temperature
        sampled = [
            scale * std * sign * z
            for z, sign, std in zip(sample_latents(shapes, seeds), self._signs, stds, strict=True)
        ]
        if not any(spec.style_strengths):
            return sampled
        if self.style is None:
            raise ValueError("style: expected the photo that the spec's colors come from")
        return [
            slerp(own, other, strength)
            for own, other, strength in zip(sampled, self.style, spec.style_strengths, strict=True)
        ]

    @one_thread()
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

    @one_thread()
    @torch.inference_mode()
    def encode(self, ab: NDArray[np.float32]) -> list[Latents]:
        """Latents of chroma (n, 2, 64, 64), the inverse of `decode`."""
        x = torch.from_numpy(ab).to(self._device)
        levels = self.pyramid.encode(x, self._repeated(len(x)), self.gain)
        return [[z[i].cpu() for z in levels] for i in range(len(x))]

    @one_thread()
    @torch.inference_mode()
    def log_prob(self, ab: NDArray[np.float32]) -> NDArray[np.float64]:
        """Log density of chroma (n, 2, 64, 64) in nats, (n,), per CIELAB unit."""
        parts = []
        for start in range(0, len(ab), CHUNK):
            batch = torch.from_numpy(ab[start : start + CHUNK]).to(self._device)
            log_prob = self.pyramid.log_prob(batch, self._repeated(len(batch)))
            parts.append(log_prob.double().cpu().numpy())
        return np.concatenate(parts)

    @one_thread()
    def principal(self, first: ColoringSpec, k: int) -> PrincipalColorings:
        """The principal colorings of a photo.

        Args:
            first: the spec of the first of `POOL` samples.
            k: how many.
        """
        if (first, k) not in self._principal:
            self._principal[first, k] = self._make_principal(first, k)
        return self._principal[first, k]

    def _make_principal(self, first: ColoringSpec, k: int) -> PrincipalColorings:
        if first not in self._firsts:
            self._firsts[first] = self._make_first(first)
        mean, samples = self._firsts[first]
        if k == 1:
            return mean[None], (1.0,)
        more = self._samples(first, samples.shape[0] * samples.shape[1], POOL)
        # A different answer to the mirrored photo is no mode.
        own = [half - half.mean(0) for half in np.concatenate([samples, more], axis=1)]
        deviations, shares = modes_of(np.concatenate(own), self.operator, k - 1)
        modes = (mean + deviations).clip(-SRGB_REACH, SRGB_REACH)
        return np.stack([mean, *modes]), (1.0, *map(float, shares))

    @torch.inference_mode()
    def _make_first(self, first: ColoringSpec) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The first principal coloring (2, 64, 64), a mean with the contrast of photos.

        And the samples behind it, see `_samples`, of which there are none if it is predicted.
        """
        if self._is_predicted(first):
            assert self.pyramid.mean_head is not None
            gain = 1 + first.temperature * (float(self.pyramid.mean_head.gain) - 1)
            g = self.pyramid.config.chroma_grids[POOL_LEVELS - 1]
            samples = np.empty((1, 0, MEAN_CHANNELS, g, g), np.float32)
            return with_gain(self._predicted, gain), samples
        samples = self._samples(first, 0, MEAN_POOL)
        coarse = torch.from_numpy(vivid_mean(np.concatenate(samples))[None]).to(self._device)
        return self.pyramid.complete(coarse, self.condition)[0].cpu().numpy(), samples

    def _is_predicted(self, first: ColoringSpec) -> bool:
        """Whether the mean head predicts the first principal coloring; it knows no hints."""
        has_head = self.pyramid.mean_head is not None
        return has_head and not self._is_hinted and not any(first.style_strengths)

    @torch.inference_mode()
    def _samples(self, first: ColoringSpec, start: int, stop: int) -> NDArray[np.float32]:
        """Samples of the photo, in antithetic pairs of latents z and -z.

        The mean of such pairs is much nearer to that of the distribution than the mean of as many
        independent samples, since most of what z and -z do to chroma cancels. If it is to be the
        first principal coloring, half of the samples are of the photo's mirror image.

        Args:
            first: the spec of the first.
            start: number of the first sample, a multiple of 4.
            stop: number after the last, a multiple of 4.

        Returns:
            (ways, (stop - start) / ways, 2, 8, 8): of the photo, and if the ways are 2, of its
            mirror image turned back.
        """
        latents = [
            self.sample(first.sample_spec(first.seed + i // 2), antithetic=i % 2 == 1)
            for i in range(start, stop)
        ]
        stacked = _stacked([z[:POOL_LEVELS] for z in latents], self._device)
        condition = self.condition if self._is_predicted(first) else self._both_ways
        ab = self.pyramid.decode(stacked, condition, self.gain).cpu().numpy()
        plain, *mirrored = np.split(ab, len(condition))
        return np.stack([plain, *(one[..., ::-1] for one in mirrored)])

    def share(self, spec: ColoringSpec) -> float | None:
        """Share of the samples that a principal coloring stands for; None for others."""
        which = spec.principal
        if which is None or not spec.is_principal:
            return None
        return self.principal(spec.sample_spec(which.seed), which.of)[1][which.number]

    def _principal_coloring(self, spec: ColoringSpec) -> NDArray[np.float32]:
        """The principal coloring that supplies levels of a spec: (2, 64, 64)."""
        one = spec.principal
        assert one is not None
        return self.principal(spec.sample_spec(one.seed), one.of)[0][one.number]

    def _repeated(self, n: int) -> Condition:
        """The photo's condition n times."""
        return self.condition.map(lambda x: x.expand(n, *x.shape[1:]))


def _first_of(ab: Tensor) -> NDArray[np.float32]:
    """The first of (B, 2, 64, 64)."""
    return ab[0].cpu().contiguous().numpy()


def _mask_and_colors(planes: Tensor) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
    """Where hints are, (64, 64), and their colors, (2, 64, 64), of the planes (1, 3, 64, 64)."""
    mask, *colors = planes[0].cpu().numpy()
    return mask > 0, np.stack(colors)


def _stacked(latents: Sequence[Latents], device: torch.device) -> list[Tensor]:
    """Latents of n colorings as one tensor a level: (n, C, g, g)."""
    return [torch.stack(level).to(device) for level in zip(*latents, strict=True)]

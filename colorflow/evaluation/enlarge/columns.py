"""The ways of enlarging that are compared.

Dimensions: n samples, H and W the pixels of the low resolution, s the scale.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from colorflow.enlarge.model import DetailModel, in_range
from colorflow.enlarge.objective import ConditionalPhotos
from colorflow.enlarge.train import load_trained
from colorflow.enlarge.weights import FIRST, LAST, RESTORE, EnlargeWeights
from colorflow.errors import WeightsError
from colorflow.evaluation.enlarge.srflow import COMPARED, SRFLOW, SRFlowDoubling
from colorflow.limits import DETAIL_TEMPERATURE

Lightness = NDArray[np.float32]
TEMPERATURES = (0.0, DETAIL_TEMPERATURE, 0.8, 0.9, 1.0)
"""Of ours; 0 is the deterministic network that predicts the mean."""
RESTORING_TEMPERATURES = (0.0, DETAIL_TEMPERATURE, 1.0)
"""Of a doubling that restores."""
SRFLOW_TEMPERATURE = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class DetailColumn:
    """One way of enlarging.

    Attributes:
        name: in tables.
        enlarge: from (H, W) L*, a number of samples and a generator to (n, sH, sW) L*.
        random: whether samples differ.
    """

    name: str
    enlarge: Callable[[Lightness, int, torch.Generator], Lightness]
    random: bool = False


def columns_of(
    scale: int, weights: EnlargeWeights, side: int, srflow_run: Path | None
) -> list[DetailColumn]:
    """The columns of the table, without the truth.

    Args:
        scale: 2 or 4; four times is two doublings, also for what ours is compared with.
        weights: ours.
        side: pixels of the results, which are squares.
        srflow_run: of `colorflow train-enlarge srflow`, or None to leave SRFlow's out.

    Raises:
        TrainingError: if SRFlow's architecture is not trained.
    """
    sides = [side] if scale == 2 else [side // 2, side]
    columns = _interpolations(scale)
    if srflow_run is not None:
        flows = [srflow_of(srflow_run, side) for side in sides]
        columns += [
            DetailColumn(
                name=f"SRFlow, {temperature:g}",
                enlarge=_doublings(flows, temperature),
                random=temperature > 0,
            )
            for temperature in (0.0, SRFLOW_TEMPERATURE)
        ]
    return [*columns, *_ours("ours", _exact(scale, weights), TEMPERATURES)]


def columns_of_damaged(scale: int, weights: EnlargeWeights) -> list[DetailColumn]:
    """The columns for photos with damage, without the truth: what keeps it, and what restores.

    Raises:
        WeightsError: if the weights cannot restore.
    """
    if RESTORE not in weights.models:
        raise WeightsError("these weights cannot restore; leave --damaged away")
    restoring = [weights.models[name] for name in (RESTORE, LAST)[: scale // 2]]
    return [
        *_interpolations(scale),
        *_ours("exact", _exact(scale, weights), [0.0]),
        *_ours("restored", restoring, RESTORING_TEMPERATURES),
    ]


def _interpolations(scale: int) -> list[DetailColumn]:
    return [
        DetailColumn(name="bicubic", enlarge=_resized(scale, Image.Resampling.BICUBIC)),
        DetailColumn(name="Lanczos", enlarge=_resized(scale, Image.Resampling.LANCZOS)),
    ]


def _exact(scale: int, weights: EnlargeWeights) -> list[DetailModel]:
    """The doublings that keep the photo."""
    return [weights.models[name] for name in ([LAST] if scale == 2 else [FIRST, LAST])]


def _ours(
    name: str, models: Sequence[DetailModel], temperatures: Sequence[float]
) -> list[DetailColumn]:
    return [
        DetailColumn(
            name=f"{name}, {temperature:g}",
            enlarge=_doublings(models, temperature),
            random=temperature > 0,
        )
        for temperature in temperatures
    ]


def srflow_of(run: Path, side: int) -> SRFlowDoubling:
    """SRFlow's architecture from a run, for photos of a side in pixels.

    Raises:
        TrainingError: if it is not trained.
    """
    trained, _ = load_trained(run, SRFLOW, COMPARED[SRFLOW])
    module = SRFlowDoubling(side)
    module.load_state_dict(trained.state_dict())
    return module.eval().requires_grad_(False)


def _resized(
    scale: int, filter_: Image.Resampling
) -> Callable[[Lightness, int, torch.Generator], Lightness]:
    def enlarge(low: Lightness, n: int, _: torch.Generator) -> Lightness:
        size = (scale * low.shape[1], scale * low.shape[0])
        return np.asarray(Image.fromarray(low).resize(size, filter_), np.float32)[None].clip(0, 100)

    return enlarge


def _doublings(
    models: Sequence[ConditionalPhotos], temperature: float
) -> Callable[[Lightness, int, torch.Generator], Lightness]:
    """One doubling after the other; ours are in range as the Enlarger is."""

    @torch.inference_mode()
    def enlarge(low: Lightness, n: int, generator: torch.Generator) -> Lightness:
        x = torch.from_numpy(low).expand(n, 1, *low.shape)
        for model in models:
            high = model.sample(x, temperature, generator)
            x = in_range(high) if isinstance(model, DetailModel) else high.clamp(0, 100)
        return x[:, 0].numpy()

    return enlarge


class DetailDensity(Protocol):
    """A conditional flow: (B, 1, 2H, 2W) L* given (B, 1, H, W), to latents and back."""

    def __call__(self, high: Tensor, low: Tensor) -> Tensor:
        """Log densities, nats per L* unit, (B,)."""

    def encode(self, high: Tensor, low: Tensor) -> Tensor:
        """Latents."""

    def decode(self, latents: Tensor, low: Tensor) -> Tensor:
        """The photos again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Density:
    """A density of photos at twice the resolution.

    Attributes:
        flow: the conditional flow.
        of_details: whether the means of the cells are given and not modeled.
    """

    flow: DetailDensity
    of_details: bool


def densities_of(
    weights: EnlargeWeights, side: int, srflow_run: Path | None
) -> Mapping[str, Density]:
    """The densities of one doubling, by the beginning of their columns' names."""
    found = {"ours": Density(flow=weights.models[LAST], of_details=True)}
    if srflow_run is not None:
        found["SRFlow"] = Density(flow=srflow_of(srflow_run, side), of_details=False)
    return found

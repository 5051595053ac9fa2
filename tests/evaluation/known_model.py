"""A model that samples what it is told to, and its hint curve."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from colorflow.evaluation.evaluate import Evaluation
from colorflow.evaluation.hint_curve import hint_curve
from colorflow.model.condition import Condition
from colorflow.model.weights import LoadedWeights
from tests.small_weights import GAIN, TEMPERATURES

Sample = Callable[[Tensor, int, torch.Generator], Tensor]
"""From planes (3, 64, 64), n, and a source of randomness to (n, 2, 64, 64)."""


@dataclass
class KnownModel:
    """A pyramid that samples what it is told to, and remembers what it was given."""

    painted: Sample
    likelihood: Callable[[Tensor], float] = lambda planes: -5678.0
    config: Any = field(default_factory=lambda: SimpleNamespace(takes_hints=True))
    planes: list[Tensor] = field(default_factory=list)
    noisy: list[Tensor] = field(default_factory=list)

    def sample(
        self,
        condition: Condition,
        n: int,
        temperatures: tuple[float, ...],
        generator: Any,
        gain: float,
    ) -> Tensor:
        assert (temperatures, gain) == (TEMPERATURES, GAIN)
        assert condition.planes is not None
        self.planes.append(condition.planes[0])
        return self.painted(condition.planes[0], n, generator)[None]

    def log_prob(self, ab: Tensor, condition: Condition) -> Tensor:
        assert condition.planes is not None
        assert torch.equal(condition.planes[0], self.planes[-1])
        self.noisy.append(ab)
        return torch.tensor([self.likelihood(condition.planes[0])])

    def weights(self) -> LoadedWeights:
        return LoadedWeights(
            pyramid=self,  # type: ignore[arg-type]
            temperatures=TEMPERATURES,
            gain=GAIN,
            training={},
            digest="known",
        )


def measured(files: list[Path], model: KnownModel, **options: Any) -> Evaluation:
    return hint_curve(files, model.weights(), say=str, **options)


def values(curve: Evaluation, metric: str) -> dict[int, float]:
    """By number of hints."""
    return {int(n): own[metric].value for n, own in curve.tables["hints"].items() if metric in own}


def uniform(a: float, b: float) -> Sample:
    return lambda _, n, __: (
        torch.tensor([a, b], dtype=torch.float32).view(2, 1, 1).expand(n, 2, 64, 64)
    )


def noise(_: Tensor, n: int, generator: torch.Generator) -> Tensor:
    return 20 * torch.randn(n, 2, 64, 64, generator=generator)

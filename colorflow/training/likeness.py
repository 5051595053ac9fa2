"""`colorflow train-likeness` and `export-likeness`: which cells of two photos have the same color.

No labels are needed: a photo tells its own colors. Each row is a view of a photo, whose lightness
alone is seen, often of another exposure or like an old print, and a reference in color: another
view of the photo, mirrored and scaled at random, or now and then another photo, which has little to
say. The head learns by maximum likelihood of the view's colors under the mixture of
`colorflow.model.likeness`,

    p(ab_i) = sum_j p_ij Laplace(ab_i; ab_j, b) + p_i0 Laplace(ab_i; m_i, c),

with m the mean head's colors, a little more vivid, and Laplace(x; m, b) = exp(-|x - m| / b) / (2 pi
b^2) in the two dimensions of ab.

Dimensions: B rows, q = 32 the side of the grid of cells, s = 256 that of a photo in pixels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from colorflow.color.degrade import degrade
from colorflow.color.grid import SQUARE_SIZE
from colorflow.device import best_device
from colorflow.errors import TrainingError
from colorflow.model.condition import LATE_BLOCKS_INPUT, Condition, Features, coarse_lightness
from colorflow.model.likeness import CELLS_GRID, LikenessHead
from colorflow.model.pyramid import ChromaPyramid
from colorflow.model.weights import FORMAT, check_weights_destination, load_weights, save_with_head
from colorflow.training.objective import Objective
from colorflow.training.pixels import (
    L_STEPS,
    WHOLE,
    PixelPack,
    frozen_maps,
    random_box,
    resampled,
    to_rgb,
)
from colorflow.training.run_folder import RunFolder, load_best
from colorflow.training.schedule import Budget
from colorflow.training.skin_pack import LAYOUT
from colorflow.training.trainer import TrainConfig, Trainer, keep_freed_memory, processor_seconds
from colorflow.training.until_budget import train_to_budget

NAME = "likeness"
LEAST_AREA = 0.3
"""Smallest area of a view, as a share of the photo."""
DEGRADED, EXPOSED = 0.3, 0.8
"""Share of views like old prints, and of those or of another exposure."""
OTHER_PHOTO = 0.25
"""Share of rows whose reference is another photo."""
CELLS = 256
"""Cells of a view that the loss is of."""
PHOTOS_AT_ONCE = 8
"""Photos that pass the feature network together: large ones take 40 MB each."""
VIVID = 1.3
"""The mean head's colors are paler than those that people see, by about this factor."""

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Pair:
    """Conditions of B views and of their references, of the whole and of the large photo."""

    own: Condition
    own_large: Condition
    other: Condition
    other_large: Condition

    def to(self, device: torch.device) -> Pair:
        """The same on another device."""
        return Pair(*(one.to(device) for one in self._all()))

    def refined(self, pyramid: ChromaPyramid) -> Pair:
        """The same with the maps of a model's late blocks."""
        return Pair(*(pyramid.refine(one) for one in self._all()))

    def _all(self) -> tuple[Condition, ...]:
        return self.own, self.own_large, self.other, self.other_large


class PairPack(PixelPack):
    """Views of the photos of a pack, each with a reference; rows as of `PixelPack`.

    The pack is one of `python -m data_prep PHOTOS -o PACK --skin`; marks of skin are not read.

    Args:
        folder: the pack's folder.

    Raises:
        PackError: if the folder is not such a pack, is damaged, or has no filled photo.
    """

    layout = LAYOUT

    def batch(  # type: ignore[override]
        self, rows: NDArray[np.int64], maps: Sequence[int] = ()
    ) -> tuple[Tensor, Pair]:
        """Reads the given rows, in the given order.

        Returns:
            ab of the views and of their references, (B, 2, 2, q, q) in CIELAB units; and their
            conditions.
        """
        views = [self._pair(int(row)) for row in rows]
        ab = torch.from_numpy(np.stack([np.stack([one[1] for one in pair]) for pair in views]))
        conditions = []
        for which in range(2):
            large = torch.from_numpy(np.stack([pair[which][0] for pair in views]))[:, None]
            conditions += [self._condition(F.avg_pool2d(large, 2)), self._condition(large)]
        return ab, Pair(*conditions)

    def _condition(self, lightness: Tensor) -> Condition:
        network = self._features = self._features or Features()
        parts = [
            frozen_maps(network, part, LATE_BLOCKS_INPUT)
            for part in lightness.split(PHOTOS_AT_ONCE)
        ]
        maps = {g: torch.cat([part[g] for part in parts]) for g in parts[0]}
        return Condition(lightness=coarse_lightness(lightness), features=maps)

    def _pair(self, row: int) -> list[tuple[Array, Array]]:
        """Lightness (2s, 2s) and ab (2, q, q) of a view and of its reference."""
        view, photo = divmod(row, len(self))
        rng = np.random.default_rng([view, photo, 7])
        other = photo
        if rng.random() < OTHER_PHOTO:
            same_split = np.flatnonzero(self._dev == self._dev[photo])
            other = int(rng.choice(same_split))
        return [
            self._seen(photo, rng, old=view != WHOLE.index("whole")),
            self._seen(other, rng, old=False),
        ]

    def _seen(self, photo: int, rng: np.random.Generator, *, old: bool) -> tuple[Array, Array]:
        box, mirrored = random_box(rng, rng.uniform(LEAST_AREA, 1)), rng.random() < 0.5
        lightness = self._arrays["lightness"][photo].astype(np.float32) / L_STEPS
        chroma = self._arrays["ab"][photo].astype(np.float32).transpose(1, 2, 0)
        cells = resampled(chroma, box, CELLS_GRID, mirrored=mirrored).transpose(2, 0, 1)
        seen = resampled(lightness, box, 2 * SQUARE_SIZE, mirrored=mirrored)
        how = rng.random() if old else 1.0
        if how < DEGRADED:
            square = F.avg_pool2d(torch.from_numpy(seen)[None], 2)[0].numpy()
            print_ = torch.from_numpy(degrade(to_rgb(square, cells), rng))[None, None]
            size = (2 * SQUARE_SIZE, 2 * SQUARE_SIZE)
            large = F.interpolate(print_, size, mode="bilinear", align_corners=False)
            return large[0, 0].numpy(), np.ascontiguousarray(cells)
        if how < EXPOSED:
            black, white = rng.uniform(0, 8), rng.uniform(88, 100)
            curve = (seen / 100) ** np.exp(rng.uniform(-0.45, 0.45))
            seen = (black + (white - black) * curve).astype(np.float32)
        return seen, np.ascontiguousarray(cells)


class LikenessObjective(Objective["_Mixture", Pair]):
    """The negative log-likelihood of the colors of cells; see the module.

    Args:
        pyramid: the model whose late blocks make the coarse maps, and whose mean head tells the
            colors without a reference.
    """

    name = folder = NAME
    unit = "nats a cell"
    stream = 400

    def __init__(self, pyramid: ChromaPyramid) -> None:
        self.pyramid = pyramid

    def fit(self, module: _Mixture, target: Tensor, condition: Pair, noise: Generator) -> None:
        """Nothing: each photo is standardized by itself."""

    def loss(self, module: _Mixture, target: Tensor, condition: Pair, noise: Generator) -> Tensor:
        """(B,); `target` holds ab of views and references, (B, 2, 2, q, q)."""
        pair = condition.refined(self.pyramid)
        own, other = target.flatten(3).unbind(1)
        mean = F.avg_pool2d(VIVID * self.pyramid.predict(pair.own), 2).flatten(2)
        cells, nothing = module.head(pair.own, pair.own_large)
        chosen = torch.randperm(CELLS_GRID**2, generator=noise)[:CELLS].to(own.device)
        cells, nothing, own, mean = (x[..., chosen] for x in (cells, nothing, own, mean))
        log_odds = cells.mT @ module.head(pair.other, pair.other_large)[0]
        shares = F.log_softmax(torch.cat([log_odds, nothing[..., None]], 2), 2)
        away = torch.cat([torch.cdist(own.mT, other.mT), (own - mean).norm(dim=1)[..., None]], 2)
        log_scale = torch.cat(
            [module.log_scales[:1].expand(log_odds.shape[-1]), module.log_scales[1:]]
        )
        density = -away / log_scale.exp() - 2 * log_scale - math.log(2 * math.pi)
        return -torch.logsumexp(shares + density, 2).mean(1)


class _Mixture(nn.Module):
    """The head, and the scales b and c of the mixture, which training alone needs."""

    def __init__(self) -> None:
        super().__init__()
        self.head = LikenessHead()
        self.log_scales = nn.Parameter(torch.tensor([1.6, 2.5]))


def train_likeness(
    pack_folder: Path,
    run_folder: Path,
    *,
    start: Path,
    config: TrainConfig,
    budget: Budget,
    say: Callable[[str], None] = print,
) -> None:
    """Trains the likeness head until its budget is used up; an existing run continues.

    Args:
        pack_folder: made by `python -m data_prep PHOTOS -o PACK --skin`.
        run_folder: gets a folder with checkpoint and curve.
        start: weights file with the model whose features describe photos; a likeness head in it is
            trained on.
        config: settings, the same for all of a run.
        budget: of this training; minutes are those of `processor_seconds`.
        say: gets one line per evaluation.

    Raises:
        PackError: if the pack cannot be read.
        WeightsError: if the weights to start from cannot be read.
        TrainingError: if the model has no mean head, the run does not fit, or losses stay
            non-finite.
    """
    keep_freed_memory()
    pyramid = load_weights(start).pyramid
    if pyramid.mean_head is None:
        raise TrainingError(
            f"{start}: has no mean head, which tells the colors without a reference"
        )
    run = RunFolder(run_folder, {"likeness": NAME, "train": asdict(config)})
    torch.manual_seed(config.seed)
    mixture = _Mixture()
    if pyramid.likeness_head is not None:
        mixture.head.load_state_dict(pyramid.likeness_head.state_dict())
    device = torch.device(best_device())
    objective = LikenessObjective(pyramid.to(device))
    pack = PairPack(pack_folder)
    trainer = Trainer(
        mixture.to(device), objective, pack, config, device, clock=processor_seconds, fit=False
    )
    train_to_budget(trainer, run, budget, say)


def export_likeness(
    run_folder: Path, weights: Path, *, model: Path, say: Callable[[str], None] = print
) -> None:
    """Writes a weights file: a model with the trained likeness head, all else as it was.

    Args:
        run_folder: of `train_likeness`.
        weights: NAME.safetensors.
        model: the weights file that the run started from.
        say: gets the report, line by line.

    Raises:
        TrainingError: if the run has no trained head.
        WeightsError: if the model cannot be read, or the file must not or cannot be written.
    """
    check_weights_destination(weights, FORMAT)
    loaded, mixture = load_weights(model), _Mixture()
    command = f"colorflow train-likeness PACK -o {run_folder}"
    training = load_best(run_folder, NAME, mixture, command)
    save_with_head(weights, loaded, "likeness_head", mixture.head, training)
    say(f"likeness head: {training}")
    say(f"{weights}: {weights.stat().st_size / 1e6:.1f} MB")

"""Trains SRFlow's architecture, which `benchmarks.enlarging` compares with our doublings.

    python -m benchmarks.srflow PATCHES RUN --minutes 25 --start last.safetensors

It has the context network and the linear prediction of ours, and learns from the same patches
(docs/enlarge.md). Run again to go on.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.measuring import SEED
from colorflow.enlarge.model import ContextNetwork, LinearPrediction, StepConfig
from colorflow.enlarge.patches import SIDE, PatchPack
from colorflow.enlarge.train import DetailObjective
from colorflow.enlarge.weights import LAST, load_enlarge_weights
from colorflow.flows import Flow, Haar, Squeeze, Standardize
from colorflow.training.run_folder import RunFolder, has_state, load_best
from colorflow.training.schedule import Budget
from colorflow.training.trainer import TrainConfig, Trainer, keep_freed_memory, processor_seconds
from colorflow.training.until_budget import train_to_budget
from colorflow.zoo import srflow

NAME = "srflow"
CONFIG = StepConfig()


class SRFlowDoubling(nn.Module):
    """SRFlow: the flow makes the whole photo, not its details, so nothing keeps the low resolution.

    It learns what an interpolation leaves: the photo minus the linear prediction of ours. `side` is
    that of the photos in pixels; the weights do not depend on it.
    """

    def __init__(self, side: int) -> None:
        super().__init__()
        self.haar, self.squeeze = Haar(), Squeeze()
        self.linear = LinearPrediction(CONFIG.channels)
        self.context = ContextNetwork(CONFIG.width, CONFIG.blocks)
        self.standardize = Standardize(1)
        bijection = srflow((1, side, side), CONFIG.width, scales=2, depth=6, width=48)
        self.flow = Flow(bijection, (math.prod((1, side, side)),))

    def fit(self, high: Tensor, low: Tensor) -> None:
        """Takes fixed statistics, and the start of ActNorm, from training patches."""
        parts, _ = self.haar(high)
        self.linear.fit(self.squeeze(parts[:, 1:])[0], low)
        self.standardize.fit(high - self._interpolated(low))
        self.train()
        self(high[:32], low[:32])

    def forward(self, high: Tensor, low: Tensor) -> Tensor:
        """Log density of the whole photo, nats per L* unit, (B,)."""
        x, ladj = self.standardize(high - self._interpolated(low))
        return self.flow(x, self._context(low)) + ladj

    def encode(self, high: Tensor, low: Tensor) -> Tensor:
        """Latents (B, 4HW) of a photo; `decode` makes the photo again."""
        x, _ = self.standardize(high - self._interpolated(low))
        return self.flow.bijection(x, self._context(low))[0]

    def decode(self, latents: Tensor, low: Tensor) -> Tensor:
        """The photo (B, 1, 2H, 2W) that latents stand for."""
        return self._photo(self.flow.bijection.inverse(latents, self._context(low))[0], low)

    def sample(
        self, low: Tensor, temperature: float, generator: torch.Generator | None = None
    ) -> Tensor:
        """Samples (B, 1, 2H, 2W); their side must be that of the constructor."""
        context = self._context(low)
        x = self.flow.sample(len(low), context, temperature=temperature, generator=generator)
        return self._photo(x, low)

    def _photo(self, x: Tensor, low: Tensor) -> Tensor:
        return self.standardize.inverse(x)[0] + self._interpolated(low)

    def _context(self, low: Tensor) -> Tensor:
        """On the grid of the photo, (B, width, 2H, 2W)."""
        return F.interpolate(self.context(low), scale_factor=4)

    def _interpolated(self, low: Tensor) -> Tensor:
        details, _ = self.squeeze.inverse(self.linear(low))
        return self.haar.inverse(torch.cat([low, details], 1))[0]


def trained_srflow(run: Path, side: int) -> SRFlowDoubling:
    """The best weights of a run, for photos of a side in pixels."""
    module = SRFlowDoubling(side)
    load_best(run, NAME, module, "python -m benchmarks.srflow")
    return module


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pack", type=Path, metavar="PATCHES")
    parser.add_argument("run", type=Path, metavar="RUN")
    parser.add_argument("--minutes", type=float, required=True, help="of one core")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--start", type=Path, help="weights file whose context network it takes")
    options = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()
    config = TrainConfig(batch=options.batch, evaluate_every=240.0, dev_photos=256)
    run = RunFolder(options.run, {NAME: options.batch})
    torch.manual_seed(SEED)
    module, objective = SRFlowDoubling(SIDE), DetailObjective(NAME, 4)
    pack, device = PatchPack(options.pack), torch.device("cpu")
    if options.start and not has_state(options.run, NAME):
        ours = load_enlarge_weights(options.start).models[LAST].mean.context
        module.context.load_state_dict(ours.state_dict())
    trainer = Trainer(module, objective, pack, config, device, clock=processor_seconds)
    train_to_budget(trainer, run, Budget(minutes=options.minutes), print)


if __name__ == "__main__":
    main()

"""Training of one level: data, optimiser, moving average, and a state that resumes to the bit."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from colorflow.errors import TrainingError
from colorflow.model.condition import Condition
from colorflow.model.pyramid import ChromaPyramid, Level
from colorflow.training.pack import Pack
from colorflow.training.schedule import Budget, ema_decay, learning_rate
from colorflow.training.targets import SMALL_PHOTO_SIDE, level_names, level_target

FIT_ROWS = 512
"""Rows that the fixed statistics of a level are taken from."""
MAX_SKIPPED_IN_A_ROW = 50


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainConfig:
    """Recipe of a run.

    Attributes:
        batch: rows a step, over all processes.
        peak_rate: highest learning rate of AdamW.
        weight_decay: of AdamW.
        clip: largest norm of the gradient.
        evaluate_every: seconds (budget in minutes) or steps (budget in steps) between evaluations.
        dev_photos: dev photos of an evaluation, at most.
        seed: seed of order, noise and initial weights.
        autocast: bfloat16 for convolutions and linear layers.
    """

    batch: int = 128
    peak_rate: float = 1e-3
    weight_decay: float = 0.05
    clip: float = 5.0
    evaluate_every: float = 120.0
    dev_photos: int = 1000
    seed: int = 0
    autocast: bool = True


class LevelTrainer:
    """Everything that changes while one level trains.

    Args:
        pyramid: the model; only the level's own parameters are trained.
        index: of the level, coarse to fine.
        pack: training data.
        config: the recipe.
        device: where to compute.
        rank: of this process among `processes` (torchrun); each takes its share of every batch.
        processes: number of processes.
    """

    def __init__(
        self,
        pyramid: ChromaPyramid,
        index: int,
        pack: Pack,
        config: TrainConfig,
        device: torch.device,
        rank: int = 0,
        processes: int = 1,
    ) -> None:
        self.pyramid, self.index, self.pack, self.config = pyramid, index, pack, config
        self.device, self.rank, self.processes = device, rank, processes
        self.name = level_names(pyramid)[index]
        self.maps = pyramid.config.levels[index].maps
        level = pyramid.levels[index]
        assert isinstance(level, Level)
        self.level = level
        smallest = SMALL_PHOTO_SIDE.get(self.name, 0)
        self.rows = pack.rows("train", larger_than=smallest)
        if len(self.rows) < config.batch or config.batch < processes:
            raise TrainingError(
                f"{pack.folder}: level {self.name} has {len(self.rows)} training rows, a batch "
                f"needs {config.batch}; use more photos or a smaller batch"
            )
        if len(pack.rows("dev", variant="whole", larger_than=SMALL_PHOTO_SIDE[64])) == 0:
            raise TrainingError(
                f"{pack.folder}: no large dev photo to choose the best weights by; use more photos"
            )
        self._fit()
        self.ema = copy.deepcopy(level).requires_grad_(False)
        self.level.train()
        self.wrapped: nn.Module = DistributedDataParallel(level) if processes > 1 else level
        self.optimiser = torch.optim.AdamW(
            level.parameters(), lr=config.peak_rate, weight_decay=config.weight_decay
        )
        self.step = 0
        self.seconds = 0.0
        self.skipped = 0
        self._skipped_in_a_row = 0
        self.best_dev = float("inf")
        self.best: dict[str, Tensor] = {}

    def train(self, budget: Budget, until: float) -> float:
        """Trains until `until` seconds (budget in minutes) or steps; returns the mean loss.

        Returns:
            Mean negative log-likelihood over the steps, nats a photo; nan if there was none.

        Raises:
            TrainingError: if the loss stays non-finite.
        """
        losses = []
        began, before = time.monotonic(), self.seconds
        for rows in self._prefetched(self._batches()):
            progress = budget.progress(self.step, self.seconds)
            for group in self.optimiser.param_groups:
                group["lr"] = learning_rate(self.config.peak_rate, self.step, progress)
            loss = self._one_step(*rows)
            if np.isfinite(loss):
                losses.append(loss)
            self.step += 1
            self.seconds = self._clock_of_first(before + time.monotonic() - began)
            now = self.step if budget.steps is not None else self.seconds
            if now >= until:
                break
        return float(np.mean(losses)) if losses else float("nan")

    @torch.no_grad()
    def evaluate(self, split: str, variant: str = "whole") -> float:
        """Mean negative log-likelihood of the averaged weights, nats a photo, fixed noise."""
        rows = self.pack.rows(split, variant=variant, larger_than=SMALL_PHOTO_SIDE[64])
        if len(rows) == 0:
            return float("nan")
        chosen = np.random.default_rng(0).permutation(rows)[: self.config.dev_photos]
        noise = torch.Generator().manual_seed(1)
        self.ema.eval()
        total = 0.0
        for part in np.array_split(chosen, -(-len(chosen) // 250)):
            x, condition, coarse = self._target(*self.pack.batch(part, self.maps), noise)
            total += float(-self.ema(x, condition, coarse).sum())
        return total / len(chosen)

    def keep_if_best(self, dev: float) -> bool:
        """Remembers the averaged weights if `dev` is the lowest so far."""
        if not dev < self.best_dev:
            return False
        self.best_dev = dev
        self.best = {name: x.detach().cpu().clone() for name, x in self.ema.state_dict().items()}
        return True

    def state_dict(self) -> dict[str, Any]:
        """All that a resumed run needs to go on to the same bits."""
        return {
            "level": self.level.state_dict(),
            "ema": self.ema.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
            "skipped": self.skipped,
            "best_dev": self.best_dev,
            "best": self.best,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes back to what `state_dict` gave."""
        self.level.load_state_dict(state["level"])
        self.ema.load_state_dict(state["ema"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.step, self.seconds = state["step"], state["seconds"]
        self.skipped = state["skipped"]
        self.best_dev, self.best = state["best_dev"], state["best"]

    def _one_step(self, ab: Tensor, condition: Condition) -> float:
        """One update; a step whose loss or gradient is not finite is skipped and counted."""
        x, condition, coarse = self._target(ab, condition, self._seeded())
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.config.autocast):
            loss = -self.wrapped(x, condition, coarse).mean()
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.level.parameters(), self.config.clip)
        if not bool(torch.isfinite(loss) & torch.isfinite(norm)):
            self.skipped += 1
            self._skipped_in_a_row += 1
            if self._skipped_in_a_row >= MAX_SKIPPED_IN_A_ROW:
                raise TrainingError(
                    f"level {self.name}: {self._skipped_in_a_row} steps in a row were not finite; "
                    "resume with a lower --rate"
                )
            return float("nan")
        self._skipped_in_a_row = 0
        self.optimiser.step()
        self._average()
        return float(loss.detach())

    @torch.no_grad()
    def _average(self) -> None:
        decay = ema_decay(self.step)
        for mean, new in zip(self.ema.parameters(), self.level.parameters(), strict=True):
            mean.lerp_(new, 1 - decay)

    def _seeded(self) -> torch.Generator:
        """Noise of the current step, with dropout's seed set too: a resumed run needs no more."""
        seed = [self.config.seed, self.index, self.step, self.rank]
        word = int(np.random.SeedSequence(seed).generate_state(1, np.uint32)[0])
        torch.manual_seed(word)
        return torch.Generator().manual_seed(word)

    def _target(
        self, ab: Tensor, condition: Condition, noise: torch.Generator
    ) -> tuple[Tensor, Condition, Tensor | None]:
        ab, condition = ab.to(self.device), condition.to(self.device)
        x, coarse = level_target(self.pyramid, self.index, ab, noise)
        return x, condition, coarse

    @torch.no_grad()
    def _fit(self) -> None:
        """Fixed statistics, from rows that depend on the seed alone."""
        rng = np.random.default_rng(self.config.seed)
        rows = rng.permutation(self.rows)[:FIT_ROWS]
        noise = torch.Generator().manual_seed(self.config.seed)
        x, condition, _ = self._target(*self.pack.batch(rows, self.maps), noise)
        self.level.fit(x, condition)

    def _batches(self) -> Iterator[NDArray[np.int64]]:
        """Row numbers from the current step on: every epoch a new order, known by its number."""
        per_epoch = len(self.rows) // self.config.batch
        step = self.step
        while True:
            epoch, position = divmod(step, per_epoch)
            order = np.random.default_rng([self.config.seed, self.index, epoch])
            rows = order.permutation(self.rows)
            for start in range(position, per_epoch):
                batch = rows[start * self.config.batch : (start + 1) * self.config.batch]
                yield batch[self.rank :: self.processes]
                step += 1

    def _prefetched(
        self, batches: Iterator[NDArray[np.int64]]
    ) -> Iterator[tuple[Tensor, Condition]]:
        """Reads one batch ahead in a thread."""
        with ThreadPoolExecutor(1) as pool:
            ahead = pool.submit(self.pack.batch, next(batches), self.maps)
            while True:
                ready = ahead.result()
                ahead = pool.submit(self.pack.batch, next(batches), self.maps)
                yield ready

    def _clock_of_first(self, seconds: float) -> float:
        """What the first process measured: all need one learning rate and one last step."""
        if self.processes == 1:
            return seconds
        shared = torch.tensor(seconds, dtype=torch.float64, device=self.device)
        torch.distributed.broadcast(shared, 0)
        return float(shared)

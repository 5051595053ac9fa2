"""Training of one module: data, optimizer, moving average, and a state that resumes to the bit.

An `Objective` defines what is learned; the trainer is the same for all of them.
"""

from __future__ import annotations

import copy
import ctypes
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Generic

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from colorflow.device import has_bfloat16
from colorflow.errors import TrainingError
from colorflow.model.condition import LateBlocks
from colorflow.training.objective import ConditionT, Objective, TrainingData
from colorflow.training.schedule import Budget, ema_decay, learning_rate
from colorflow.training.targets import EVALUATED_PHOTO_SIDE

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # malloc.h
_GIBIBYTE = 2**30

FIT_ROWS = 512
"""Rows from which a module takes its statistics."""
MAX_SKIPPED_IN_A_ROW = 50
PRETRAINED_SHARE = 0.4
"""Learning rate of pretrained blocks, as a share of that of the other weights: they start from what
they know (docs/experiments.md, "The feature network's last blocks")."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainConfig:
    """Settings of a run.

    Attributes:
        batch: rows a step.
        peak_rate: highest learning rate of AdamW.
        weight_decay: of AdamW.
        clip: largest norm of the gradient.
        evaluate_every: seconds (budget in minutes) or steps (budget in steps) between evaluations.
        dev_photos: dev photos of an evaluation, at most.
        seed: seed of order, noise and initial weights.
        autocast: bfloat16 for convolutions and linear layers, on devices that have it.
    """

    batch: int = 128
    peak_rate: float = 1e-3
    weight_decay: float = 0.05
    clip: float = 5.0
    evaluate_every: float = 120.0
    dev_photos: int = 1000
    seed: int = 0
    autocast: bool = True


def keep_freed_memory() -> None:
    """Asks malloc to reuse freed memory instead of unmapping it.

    Otherwise convolutions over large batches spend about half of their time in page faults. Use it
    for long jobs only: the process keeps its peak memory. Without glibc it does nothing.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    mallopt(_M_MMAP_MAX, 0)
    mallopt(_M_TRIM_THRESHOLD, _GIBIBYTE)


def processor_seconds() -> float:
    """Processor time of this process per torch thread; wall time where a GPU computes.

    Other programs on the machine slow the wall clock down and would distort a comparison.
    """
    if torch.cuda.is_available():
        return time.monotonic()
    return time.process_time() / torch.get_num_threads()


def _by_share_of_rate(module: nn.Module) -> dict[float, list[nn.Parameter]]:
    """The parameters, grouped by their share of the learning rate."""
    pretrained = [
        p for part in module.modules() if isinstance(part, LateBlocks) for p in part.parameters()
    ]
    known = set(map(id, pretrained))
    groups = {1.0: [p for p in module.parameters() if id(p) not in known]}
    return {**groups, PRETRAINED_SHARE: pretrained} if pretrained else groups


class Trainer(Generic[ConditionT]):
    """Trains a module, and holds everything that changes meanwhile.

    Args:
        module: the module to train, on `device`; parameters without gradient stay.
        objective: its objective.
        pack: training data.
        config: training settings.
        device: where to compute.
        clock: clock for a budget in minutes, in seconds.
        fit: whether the module still needs its fixed statistics.

    Raises:
        TrainingError: if the pack has too few photos.
    """

    def __init__(
        self,
        module: nn.Module,
        objective: Objective[Any, ConditionT],
        pack: TrainingData[ConditionT],
        config: TrainConfig,
        device: torch.device,
        clock: Callable[[], float] = time.monotonic,
        *,
        fit: bool = True,
    ) -> None:
        self.module, self.objective, self.pack, self.config = module, objective, pack, config
        self.device, self.clock = device, clock
        self._autocast = config.autocast and has_bfloat16(device)
        self.rows = pack.rows("train", larger_than=objective.small_photo_side)
        if len(self.rows) < config.batch:
            raise TrainingError(
                f"{pack.folder}: {objective.name} has {len(self.rows)} training rows, a batch "
                f"needs {config.batch}; use more photos or a smaller batch"
            )
        if len(pack.rows("dev", variant="whole", larger_than=EVALUATED_PHOTO_SIDE)) == 0:
            raise TrainingError(
                f"{pack.folder}: no large dev photo to choose the best weights by; use more photos"
            )
        if fit:
            self._fit()
        self.ema = copy.deepcopy(module).requires_grad_(False)
        self.module.train()
        groups = _by_share_of_rate(module)
        self._shares = list(groups)
        self.optimizer = torch.optim.AdamW(
            [{"params": parameters} for parameters in groups.values()],
            lr=config.peak_rate,
            weight_decay=config.weight_decay,
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
            Mean loss over the steps, in the objective's unit; nan if there was none.

        Raises:
            TrainingError: if the loss stays non-finite.
        """
        losses = []
        began, before = self.clock(), self.seconds
        for rows in self._prefetched(self._batches()):
            progress = budget.progress(self.step, self.seconds)
            rate = learning_rate(self.config.peak_rate, self.step, progress)
            for group, share in zip(self.optimizer.param_groups, self._shares, strict=True):
                group["lr"] = share * rate
            loss = self.update(*rows)
            if np.isfinite(loss):
                losses.append(loss)
            self.step += 1
            self.seconds = before + self.clock() - began
            if budget.used(self.step, self.seconds) >= until:
                break
        return float(np.mean(losses)) if losses else float("nan")

    @torch.no_grad()
    def evaluate(
        self, variant: str = "whole", objective: Objective[Any, ConditionT] | None = None
    ) -> float:
        """Mean loss of the averaged weights on dev, in the objective's unit, fixed noise.

        Args:
            variant: of the photos.
            objective: objective to evaluate; the trained one by default.
        """
        objective = objective or self.objective
        rows = self.pack.rows("dev", variant=variant, larger_than=EVALUATED_PHOTO_SIDE)
        if len(rows) == 0:
            return float("nan")
        chosen = np.random.default_rng(0).permutation(rows)[: self.config.dev_photos]
        noise = torch.Generator().manual_seed(1)
        self._renormalize()
        total = 0.0
        for part in np.array_split(chosen, -(-len(chosen) // 250)):
            batch = self._on_device(*self.pack.batch(part, objective.maps))
            total += float(objective.loss(self.ema, *batch, noise).sum())
        return total / len(chosen)

    def keep_if_best(self, dev: float) -> bool:
        """Keeps the averaged weights if `dev` is the lowest so far; returns whether it is."""
        if not dev < self.best_dev:
            return False
        self.best_dev = dev
        self.best = {name: x.detach().cpu().clone() for name, x in self.ema.state_dict().items()}
        return True

    def state_dict(self) -> dict[str, Any]:
        """All that a run needs to resume to the same bits."""
        return {
            "level": self.module.state_dict(),
            "ema": self.ema.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
            "skipped": self.skipped,
            "best_dev": self.best_dev,
            "best": self.best,
            "pack": self.pack.digest,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores the result of `state_dict`, but for parameters without gradient: they stay.

        Raises:
            RuntimeError, ValueError, LookupError, TypeError, AttributeError: if it belongs to a
                module of another shape.
        """
        fixed = {name: p for name, p in self.module.named_parameters() if not p.requires_grad}
        self.module.load_state_dict(state["level"] | fixed)
        self.ema.load_state_dict(state["ema"] | fixed)
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.seconds = state["step"], state["seconds"]
        self.skipped = state["skipped"]
        self.best_dev, self.best = state["best_dev"], state["best"]

    def update(self, target: Tensor, condition: ConditionT) -> float:
        """Makes one step; skips and counts it if the loss or the gradient is not finite.

        Args:
            target: (B, ...) what is learned.
            condition: of the B rows.

        Returns:
            The mean loss, in the objective's unit; nan if skipped.

        Raises:
            TrainingError: if too many steps in a row are not finite.
        """
        batch = self._on_device(target, condition)
        noise = self._seeded()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self._autocast):
            loss = self.objective.loss(self.module, *batch, noise).mean()
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.module.parameters(), self.config.clip)
        if not bool(torch.isfinite(loss) & torch.isfinite(norm)):
            self.skipped += 1
            self._skipped_in_a_row += 1
            if self._skipped_in_a_row >= MAX_SKIPPED_IN_A_ROW:
                raise TrainingError(
                    f"{self.objective.name}: {self._skipped_in_a_row} steps in a row were not "
                    "finite; start another run with a lower --rate"
                )
            return float("nan")
        self._skipped_in_a_row = 0
        self.optimizer.step()
        self._average()
        return float(loss.detach())

    @torch.no_grad()
    def _average(self) -> None:
        decay = ema_decay(self.step)
        for mean, new in zip(self.ema.parameters(), self.module.parameters(), strict=True):
            mean.lerp_(new, 1 - decay)
        for copied, state in zip(self.ema.buffers(), self.module.buffers(), strict=True):
            copied.copy_(state)

    def _renormalize(self) -> None:
        """Gives batch normalization the statistics of the averaged weights; evaluation mode.

        Those that were copied are of the trained weights.
        """
        norms = [x for x in self.ema.train().modules() if isinstance(x, _BatchNorm) and x.training]
        self.ema.eval()
        if not norms:
            return
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # the mean over all batches
            norm.train()
        noise = torch.Generator().manual_seed(self.config.seed)
        rows = self._fit_rows()
        for part in np.array_split(rows, -(-len(rows) // self.config.batch)):
            batch = self._on_device(*self.pack.batch(part, self.objective.maps))
            self.objective.loss(self.ema, *batch, noise)
        self.ema.eval()

    def _seeded(self) -> torch.Generator:
        """Seeds dropout and returns the noise generator, both from the number of the step."""
        seed = [self.config.seed, self.objective.stream, self.step]
        word = int(np.random.SeedSequence(seed).generate_state(1, np.uint32)[0])
        torch.manual_seed(word)
        return torch.Generator().manual_seed(word)

    def _on_device(self, target: Tensor, condition: ConditionT) -> tuple[Tensor, ConditionT]:
        return target.to(self.device), condition.to(self.device)

    @torch.no_grad()
    def _fit(self) -> None:
        """Takes fixed statistics."""
        noise = torch.Generator().manual_seed(self.config.seed)
        batch = self._on_device(*self.pack.batch(self._fit_rows(), self.objective.maps))
        self.objective.fit(self.module, *batch, noise)

    def _fit_rows(self) -> NDArray[np.int64]:
        """Training rows, which depend on the seed only."""
        return np.random.default_rng(self.config.seed).permutation(self.rows)[:FIT_ROWS]

    def _batches(self) -> Iterator[NDArray[np.int64]]:
        """Row numbers from the current step on; the order depends on the epoch's number."""
        per_epoch = len(self.rows) // self.config.batch
        step = self.step
        while True:
            epoch, position = divmod(step, per_epoch)
            order = np.random.default_rng([self.config.seed, self.objective.stream, epoch])
            rows = order.permutation(self.rows)
            for start in range(position, per_epoch):
                yield rows[start * self.config.batch : (start + 1) * self.config.batch]
                step += 1

    def _prefetched(
        self, batches: Iterator[NDArray[np.int64]]
    ) -> Iterator[tuple[Tensor, ConditionT]]:
        """Reads one batch ahead in a thread."""
        with ThreadPoolExecutor(1) as pool:
            ahead = pool.submit(self.pack.batch, next(batches), self.objective.maps)
            while True:
                ready = ahead.result()
                ahead = pool.submit(self.pack.batch, next(batches), self.objective.maps)
                yield ready

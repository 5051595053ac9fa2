"""Training of one module: dataset, loss, optimizer, moving average, and the loop to a budget.

A `Dataset` has the rows that a module learns from, a `Loss` says what it learns, and a `Trainer`
is the same for all of them. Every evaluation appends to the curve and writes the checkpoint, from
which a run goes on to the same bits.
"""

from __future__ import annotations

import copy
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from colorflow.device import has_bfloat16, keep_freed_memory
from colorflow.errors import TrainingError
from colorflow.model.condition import LateBlocks
from colorflow.training.pack import EVALUATED_PHOTO_SIDE
from colorflow.training.run_folder import RunFolder, history_of, read_best, read_state

FIT_ROWS = 512
"""Rows from which a module takes its statistics."""
MAX_SKIPPED_IN_A_ROW = 50
PRETRAINED_SHARE = 0.4
"""Learning rate of pretrained blocks, as a share of that of the other weights: they start from what
they know (docs/experiments.md, "The feature network's last blocks")."""
WARM_UP_STEPS = 200
FINAL_SHARE = 0.02
"""The cosine ends at this share of the peak learning rate."""
EMA_DECAY = 0.999


class Dataset(Protocol):
    """A pack as the trainer sees it: rows of what is learned, each with its condition.

    Attributes:
        folder: where it is, for messages.
        digest: digest of its rows and their split.
    """

    folder: Path
    digest: str

    def rows(
        self, split: str, *, variant: str | None = None, larger_than: int = 0
    ) -> NDArray[np.int64]:
        """Row numbers, none for a variant that there is not.

        Args:
            split: ``train`` or ``dev``.
            variant: ``whole``, ``whole_degraded``, or None for all.
            larger_than: keep photos whose short side in pixels exceeds this.
        """

    def batch(self, rows: NDArray[np.int64], maps: Sequence[int]) -> tuple[Tensor, Any]:
        """Reads the given rows, in the given order.

        Args:
            rows: (B,) row numbers.
            maps: sides of the feature maps to read.

        Returns:
            The target (B, ...), and the condition of the rows: a tensor, or several with a method
            `to`.
        """


class Loss(ABC):
    """What a module learns: which rows of the dataset it reads, and its loss on them.

    Attributes:
        name: in messages, such as ``level 4``.
        unit: of the loss, such as ``nats a photo``.
        stream: part of the seed of order and noise: losses of one stream see the same data.
        maps: sides of the feature maps to read.
        small_photo_side: training leaves out photos whose short side is not above this, in pixels.
    """

    name: str
    unit: str
    stream: int
    maps: tuple[int, ...] = ()
    small_photo_side: int = 0

    @property
    def folder(self) -> str:
        """Name of its folder in a run, such as ``level4``."""
        return self.name.replace(" ", "")

    def fit(  # noqa: B027 - most modules take none
        self, module: Any, target: Tensor, condition: Any, noise: Generator, /
    ) -> None:
        """Sets the module's fixed statistics from a sample of the training data, if it has any."""

    @abstractmethod
    def __call__(self, module: Any, target: Tensor, condition: Any, noise: Generator, /) -> Tensor:
        """Computes the loss of each row.

        Args:
            module: the trained module, or its average.
            target: (B, ...), such as chroma (B, 2, 64, 64) in CIELAB units.
            condition: of the B rows.
            noise: source of the noise on the data, on the CPU.

        Returns:
            (B,), differentiable, in the loss's unit.
        """


@dataclass(frozen=True, kw_only=True, slots=True)
class Budget:
    """Length of a training: a number of steps, or minutes.

    Attributes:
        steps: optimizer steps, or None.
        minutes: minutes of training, without evaluations, or None.
    """

    steps: int | None = None
    minutes: float | None = None

    def __post_init__(self) -> None:
        if (self.steps is None) == (self.minutes is None):
            raise ValueError("expected either steps or minutes")
        if not (self.steps or self.minutes or 0) > 0:
            raise ValueError(f"expected a positive budget, got {self.steps or self.minutes}")

    @property
    def total(self) -> float:
        """Steps, or seconds."""
        return self.steps or 60 * (self.minutes or 0)

    def used(self, step: int, seconds: float) -> float:
        """Steps, or seconds, that are used up."""
        return step if self.steps is not None else seconds

    def progress(self, step: int, seconds: float) -> float:
        """Used share of the budget, in [0, 1]."""
        return min(1.0, self.used(step, seconds) / self.total)


def learning_rate(peak: float, step: int, progress: float) -> float:
    """Linear warm-up, then cosine decay to `FINAL_SHARE` of the peak."""
    warm = min(1.0, (step + 1) / WARM_UP_STEPS)
    cosine = 0.5 * (1 + math.cos(math.pi * progress))
    return peak * warm * (FINAL_SHARE + (1 - FINAL_SHARE) * cosine)


def ema_decay(step: int) -> float:
    """Decay of the moving average, rising to `EMA_DECAY`."""
    return min(EMA_DECAY, (1 + step) / (10 + step))


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


class Trainer:
    """Trains a module, and holds everything that changes meanwhile.

    Args:
        module: the module to train, where it is computed; parameters without gradient stay.
        loss: what it learns.
        dataset: what it learns from.
        config: training settings.
        clock: clock for a budget in minutes, in seconds.
        fit: whether the module still needs its fixed statistics.
        others: further losses that help to choose the best weights, by their columns in the curve.

    Raises:
        TrainingError: if the dataset has too few photos.
    """

    def __init__(
        self,
        module: nn.Module,
        loss: Loss,
        dataset: Dataset,
        config: TrainConfig,
        *,
        clock: Callable[[], float] = processor_seconds,
        fit: bool = True,
        others: Mapping[str, Loss] | None = None,
    ) -> None:
        self.module, self.loss, self.dataset, self.config = module, loss, dataset, config
        self.clock, self.others = clock, others or {}
        self.device = next(module.parameters()).device
        self._autocast = config.autocast and has_bfloat16(self.device)
        self.rows = dataset.rows("train", larger_than=loss.small_photo_side)
        if len(self.rows) < config.batch:
            raise TrainingError(
                f"{dataset.folder}: {loss.name} has {len(self.rows)} training rows, a batch "
                f"needs {config.batch}; use more photos or a smaller batch"
            )
        if len(dataset.rows("dev", variant="whole", larger_than=EVALUATED_PHOTO_SIDE)) == 0:
            raise TrainingError(
                f"{dataset.folder}: no large dev photo to choose the best weights by; "
                "use more photos"
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
        self.step, self.seconds = 0, 0.0
        self.skipped = self._skipped_in_a_row = 0
        self.best_dev = float("inf")
        self.best: dict[str, Tensor] = {}

    def train(self, budget: Budget, until: float) -> float:
        """Trains until `until` seconds (budget in minutes) or steps; returns the mean loss.

        Returns:
            Mean loss over the steps, in the loss's unit; nan if there was none.

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
    def evaluate(self, variant: str = "whole", loss: Loss | None = None) -> float:
        """Mean loss of the averaged weights on dev, in the loss's unit, fixed noise.

        Args:
            variant: of the photos.
            loss: to evaluate; the trained one by default.
        """
        loss = loss or self.loss
        rows = self.dataset.rows("dev", variant=variant, larger_than=EVALUATED_PHOTO_SIDE)
        if len(rows) == 0:
            return float("nan")
        chosen = np.random.default_rng(0).permutation(rows)[: self.config.dev_photos]
        noise = Generator().manual_seed(1)
        self._renormalize()
        total = 0.0
        for part in np.array_split(chosen, -(-len(chosen) // 250)):
            batch = self._on_device(*self.dataset.batch(part, loss.maps))
            total += float(loss(self.ema, *batch, noise).sum())
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
            "pack": self.dataset.digest,
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

    def update(self, target: Tensor, condition: Any) -> float:
        """Makes one step; skips and counts it if the loss or the gradient is not finite.

        Args:
            target: (B, ...) what is learned.
            condition: of the B rows.

        Returns:
            The mean loss, in the loss's unit; nan if skipped.

        Raises:
            TrainingError: if too many steps in a row are not finite.
        """
        batch = self._on_device(target, condition)
        noise = self._seeded()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self._autocast):
            loss = self.loss(self.module, *batch, noise).mean()
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.module.parameters(), self.config.clip)
        if not bool(torch.isfinite(loss) & torch.isfinite(norm)):
            self.skipped += 1
            self._skipped_in_a_row += 1
            if self._skipped_in_a_row >= MAX_SKIPPED_IN_A_ROW:
                raise TrainingError(
                    f"{self.loss.name}: {self._skipped_in_a_row} steps in a row were not "
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
        noise = Generator().manual_seed(self.config.seed)
        rows = self._fit_rows()
        for part in np.array_split(rows, -(-len(rows) // self.config.batch)):
            batch = self._on_device(*self.dataset.batch(part, self.loss.maps))
            self.loss(self.ema, *batch, noise)
        self.ema.eval()

    def _seeded(self) -> Generator:
        """Seeds dropout and returns the noise generator, both from the number of the step."""
        seed = [self.config.seed, self.loss.stream, self.step]
        word = int(np.random.SeedSequence(seed).generate_state(1, np.uint32)[0])
        torch.manual_seed(word)
        return Generator().manual_seed(word)

    def _on_device(self, target: Tensor, condition: Any) -> tuple[Tensor, Any]:
        return target.to(self.device), condition.to(self.device)

    @torch.no_grad()
    def _fit(self) -> None:
        """Takes fixed statistics."""
        noise = Generator().manual_seed(self.config.seed)
        batch = self._on_device(*self.dataset.batch(self._fit_rows(), self.loss.maps))
        self.loss.fit(self.module, *batch, noise)

    def _fit_rows(self) -> NDArray[np.int64]:
        """Training rows, which depend on the seed only."""
        return np.random.default_rng(self.config.seed).permutation(self.rows)[:FIT_ROWS]

    def _batches(self) -> Iterator[NDArray[np.int64]]:
        """Row numbers from the current step on; the order depends on the epoch's number."""
        per_epoch = len(self.rows) // self.config.batch
        step = self.step
        while True:
            epoch, position = divmod(step, per_epoch)
            order = np.random.default_rng([self.config.seed, self.loss.stream, epoch])
            rows = order.permutation(self.rows)
            for start in range(position, per_epoch):
                yield rows[start * self.config.batch : (start + 1) * self.config.batch]
                step += 1

    def _prefetched(self, batches: Iterator[NDArray[np.int64]]) -> Iterator[tuple[Tensor, Any]]:
        """Reads one batch ahead in a thread."""
        with ThreadPoolExecutor(1) as pool:
            ahead = pool.submit(self.dataset.batch, next(batches), self.loss.maps)
            while True:
                ready = ahead.result()
                ahead = pool.submit(self.dataset.batch, next(batches), self.loss.maps)
                yield ready


def train_to_budget(
    trainer: Trainer, run: RunFolder, budget: Budget, say: Callable[[str], None]
) -> None:
    """Resumes a training, and trains until the budget is used up.

    Args:
        trainer: a new trainer; it gets the run's state if there is one.
        run: folder for checkpoints and curves of every evaluation.
        budget: of this training.
        say: gets one line per evaluation.

    Raises:
        TrainingError: if another process trains the same, the state does not fit, belongs to
            another pack or cannot be written, or losses stay non-finite.
    """
    loss, folder = trainer.loss, run.folder / trainer.loss.folder
    with run.locked(loss.folder):
        if (state := read_state(run.folder, loss.folder)) is not None:
            _resume(trainer, state, folder)
            say(f"{loss.name}: goes on at step {trainer.step}")
        while (progress := budget.progress(trainer.step, trainer.seconds)) < 1:
            used = budget.used(trainer.step, trainer.seconds)
            mean = trainer.train(budget, min(budget.total, used + trainer.config.evaluate_every))
            _record(trainer, run, mean, say)
            if budget.progress(trainer.step, trainer.seconds) == progress:
                raise TrainingError(f"{loss.name}: no step was made; the budget is too small")
    if not trainer.best:
        raise TrainingError(
            f"{folder}: the loss on dev photos was never finite, so no weights were kept; "
            "train in another folder with a lower --rate"
        )


def _resume(trainer: Trainer, state: dict[str, Any], folder: Path) -> None:
    """Loads a run's state into a trainer, unless it is of another pack."""
    if state["pack"] != trainer.dataset.digest:
        raise TrainingError(
            f"{folder}: was trained on another pack than {trainer.dataset.folder}, or when that "
            "had other rows; name the pack that it was trained on, or choose another folder with -o"
        )
    try:
        trainer.load_state_dict(state)
    except (RuntimeError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise TrainingError(
            f"{folder / 'state.pt'}: the checkpoint does not fit {trainer.loss.name} as it is now; "
            "delete it to start over"
        ) from error


def _record(trainer: Trainer, run: RunFolder, mean: float, say: Callable[[str], None]) -> None:
    """Evaluates, keeps the best weights, and writes curve and checkpoint.

    The best weights have the lowest mean, over dev photos, of the trained loss and `others`.
    """
    dev, degraded = trainer.evaluate(), trainer.evaluate("whole_degraded")
    more = {column: trainer.evaluate(loss=other) for column, other in trainer.others.items()}
    best = trainer.keep_if_best(float(np.mean([dev, *more.values()])))
    row = {
        "step": trainer.step,
        "seconds": trainer.seconds,
        "train_nats": mean,
        "dev_nats": dev,
        "dev_degraded_nats": degraded,
        "best_dev": trainer.best_dev,
        "skipped": trainer.skipped,
        **more,
    }
    run.log(trainer.loss.folder, row)
    run.save(trainer.loss.folder, trainer.state_dict())
    say(
        f"{trainer.loss.name}: step {trainer.step}, {trainer.seconds / 60:.1f} min, "
        f"train {mean:.2f}, dev {dev:.2f}"
        + (f", degraded {degraded:.2f}" if math.isfinite(degraded) else "")
        + f" {trainer.loss.unit}"
        + "".join(f", {column} = {value:.2f}" for column, value in more.items())
        + (" *" if best else "")
        + (f", {trainer.skipped} skipped" if trainer.skipped else "")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """How a weights file comes about whose parts learn by themselves.

    The parts are heads of the model of colors, doublings, or what repair does. `colorflow train
    --part` trains one, `colorflow export` writes the file.

    Attributes:
        name: in commands.
        settings: goes into a run's config.json; tells its runs from others.
        format: of the weights file.
        batch: rows a step, by default.
        dev_photos: of an evaluation, at most.
        trainer: given the name of a part, the folders of pack and run, the weights to start from or
            None, and the settings, the trainer of the part before its first step.
        write: given the folder of a run, the file to write, the weights to start from or None, and
            the folder of the pack or None, writes the file, and returns how each part of the run
            was trained.
    """

    name: str
    settings: Mapping[str, Any]
    format: str
    batch: int
    trainer: Callable[[str, Path, Path, Path | None, TrainConfig], Trainer]
    write: Callable[[Path, Path, Path | None, Path | None], Mapping[str, Any]]
    dev_photos: int = 1000

    def load(self, run_folder: Path, name: str, module: nn.Module) -> dict[str, Any]:
        """Loads the best weights of a part, in evaluation mode; returns how they were trained.

        Args:
            run_folder: of the run.
            name: of the part and its folder.
            module: gets the weights.

        Raises:
            TrainingError: if it has not been evaluated yet, or its checkpoint does not fit.
        """
        part = self.name if self.name == name else f"{self.name}-{name}"
        command = f"colorflow train PACK -o {run_folder} --part {part}"
        state = read_best(run_folder, name, name, command)
        try:
            module.load_state_dict(state["best"])
        except RuntimeError as error:
            raise TrainingError(
                f"{run_folder / name / 'state.pt'}: its weights do not fit {name} as it is now; "
                "train it again"
            ) from error
        module.eval().requires_grad_(False)
        return {**history_of(state), "dev": round(state["best_dev"], 4)}


def train_part(
    training: Training,
    name: str,
    pack_folder: Path,
    run_folder: Path,
    *,
    start: Path | None = None,
    config: TrainConfig,
    budget: Budget,
    say: Callable[[str], None] = print,
) -> None:
    """Trains one part until its budget is used up; an existing run continues.

    Args:
        training: of its weights file.
        name: of the part.
        pack_folder: made by `python -m data_prep`, of the kind that the part learns from.
        run_folder: gets a folder with checkpoint and curve.
        start: weights file to start from, None for new weights.
        config: settings, the same for all of a run.
        budget: of this training; minutes are those of `processor_seconds`.
        say: gets one line per evaluation.

    Raises:
        PackError: if the pack cannot be read.
        WeightsError: if the weights to start from cannot be read.
        TrainingError: if the part needs another one or weights to start from, the run does not fit,
            or losses stay non-finite.
    """
    keep_freed_memory()
    torch.manual_seed(config.seed)
    trainer = training.trainer(name, pack_folder, run_folder, start, config)
    run = RunFolder(run_folder, {**training.settings, "train": asdict(config)})
    train_to_budget(trainer, run, budget, say)

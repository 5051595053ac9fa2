"""Compares bases of the chroma pyramid: Haar, CDF 5/3, and average interpolation.

    python -m benchmarks.basis train PACK -o RUN --bases haar cdf53 --steps 400 350 220
    python -m benchmarks.basis measure PACK -o RUN --photos 200

All bases describe the same density: chroma means on the 16x16 grid with noise of std 1 on each,
given the features of a frozen network. They learn it in three levels, 4, 8 and 16, from the same
rows, noise and initial weights. Only the wavelet step differs, and for CDF 5/3, whose coarse
numbers stand at corners of cells, the place from which a level takes its context; "haar-wide" is
Haar with that context.

Errors are of sRGB on the 16x16 grid, over gray's. Seams are the steps of chroma at the borders of
the 4x4 cells over those elsewhere; "worst place" is the largest such ratio over the four distances
from a border, since another basis may have its steps elsewhere. Standard errors are bootstrapped
over photos; those of differences in pairs.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.measuring import SEED, print_machine, print_table
from colorflow.color.grid import resize_by_area
from colorflow.contact_sheet import row_of, write_contact_sheet
from colorflow.evaluation.metrics import colorfulness, colors, squared_errors
from colorflow.flows import CDF53, AverageInterpolation, Bijection, BoundedRange, Haar
from colorflow.model.condition import Condition
from colorflow.model.config import default_config
from colorflow.model.level import Level
from colorflow.training.allocator import keep_freed_memory
from colorflow.training.pack import Pack
from colorflow.training.pictures import PaintsChroma, paint
from colorflow.training.schedule import Budget
from colorflow.training.targets import NOISE, with_noise
from colorflow.training.trainer import TrainConfig, Trainer, processor_seconds
from colorflow.training.tuning import energy_score

BASES: dict[str, Callable[[], Bijection]] = {
    "haar": Haar,
    "cdf53": CDF53,
    "average": AverageInterpolation,
    "haar-wide": Haar,
}
WIDE = ("cdf53", "haar-wide")
"""Bases whose levels take their context from 3x3 cells."""
FINEST, COARSEST = 16, 4
GRIDS = (4, 8, 16)
FEW = 8
SCHEDULES = {"std 1": ((1.0, 1.0, 1.0), 64), "schedule": ((0.85, 0.8, 0.7), 8)}
"""Stds of the latents, coarse to fine, and samples; the mean is that of all of them."""
EVALUATIONS = 6
_CONFIGS = [
    replace(level, width=64, couplings=couplings, dropout=0.1)
    for level, couplings in zip(default_config().levels, (4, 4, 4), strict=False)
]


class Pyramid(nn.Module):
    """Three levels over bands of a wavelet step."""

    def __init__(self, basis: str) -> None:
        super().__init__()
        self.step, self.bounded = BASES[basis](), BoundedRange(default_config().chroma_limit)
        levels = []
        for index, config in enumerate(_CONFIGS):
            torch.manual_seed(SEED + index)
            level = Level(config, first=index == 0, extra_planes=0)
            if basis in WIDE:
                cast(nn.Module, level.context).squeeze = _around_corners(level.context.squeeze)
            levels.append(level)
        self.levels = nn.ModuleList(levels)

    def finest(self, ab: Tensor) -> Tensor:
        """(B, 2, 64, 64) CIELAB units -> (B, 2, 16, 16), unbounded."""
        return F.avg_pool2d(self.bounded(ab)[0], ab.shape[-1] // FINEST)

    def band(self, u: Tensor, side: int) -> Tensor:
        """The coarse band on a grid."""
        while u.shape[-1] > side:
            u = self.step(u)[0][:, :2]
        return u

    def log_prob(self, u: Tensor, condition: Condition) -> Tensor:
        """log p(u), nats a photo, (B,)."""
        total = torch.zeros(len(u))
        for index in (2, 1):
            z, ladj = self.step(u)
            u, details = z.split([2, 6], 1)
            total = total + ladj + self.levels[index](details, condition, u)
        return total + cast(Tensor, self.levels[0](u, condition, None))

    def sample(
        self, condition: Condition, n: int, stds: tuple[float, ...], generator: torch.Generator
    ) -> Tensor:
        """n samples of one photo, (n, 2, 16, 16) CIELAB units."""
        u: Tensor | None = None
        for level, std in zip(self.levels, stds, strict=True):
            assert isinstance(level, Level)
            shape = (n, level.channels, level.grid, level.grid)
            latent = std * torch.randn(shape, generator=generator)
            photo = level.context.of_photo(condition).expand(n, -1, -1, -1)
            x = level.decode(latent, photo, u)[0]
            u = x if u is None else self.step.inverse(torch.cat([u, x], 1))[0]
        assert u is not None
        return self.bounded.inverse(u)[0]


def _around_corners(squeeze: nn.Module) -> nn.Module:
    """Takes 3x3 cells around the corner at which a number of CDF 5/3 stands, in place of 2x2."""
    assert isinstance(squeeze, nn.Conv2d)
    torch.manual_seed(SEED)
    wide = nn.Conv2d(squeeze.in_channels // 4, squeeze.out_channels, 3, stride=2)
    return nn.Sequential(nn.PixelShuffle(2), nn.ReplicationPad2d((1, 0, 1, 0)), wide)


class BasisObjective(PaintsChroma):
    """One level learns its band with the noise of the shipped recipe."""

    unit = "nats a photo"
    small_photo_side = 0

    def __init__(self, pyramid: Pyramid, index: int) -> None:
        self.pyramid, self.stream = pyramid, index
        self.name = self.folder = f"level{GRIDS[index]}"
        self.maps = _CONFIGS[index].maps

    def target(self, ab: Tensor, noise: torch.Generator) -> tuple[Tensor, Tensor | None]:
        u = self.pyramid.band(self.pyramid.finest(ab), GRIDS[self.stream])
        u = with_noise(u, noise)
        if self.stream == 0:
            return u, None
        coarse, details = self.pyramid.step(u)[0].split([2, 6], 1)
        return details, with_noise(coarse, noise)

    def fit(
        self, module: nn.Module, ab: Tensor, condition: Condition, noise: torch.Generator
    ) -> None:
        cast(Level, module).fit(self.target(ab, noise)[0], condition)

    def loss(
        self, module: nn.Module, ab: Tensor, condition: Condition, noise: torch.Generator
    ) -> Tensor:
        x, coarse = self.target(ab, noise)
        return -cast(Tensor, module(x, condition, coarse))

    def preview(
        self, module: nn.Module, ab: Tensor, condition: Condition, noise: torch.Generator
    ) -> Tensor:
        raise NotImplementedError


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", choices=["train", "measure"])
    parser.add_argument("pack", type=Path)
    parser.add_argument("-o", "--run", type=Path, required=True)
    parser.add_argument("--bases", nargs="+", choices=list(BASES), default=list(BASES))
    parser.add_argument("--steps", nargs=3, type=int, default=[400, 350, 220])
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--photos", type=int, default=200)
    options = parser.parse_args()
    keep_freed_memory()
    pack = Pack(options.pack)
    if options.what == "train":
        for basis in options.bases:
            _train(basis, pack, options)
    else:
        _measure(pack, options)


def _file(run: Path, basis: str, index: int) -> Path:
    # The coarse band of average interpolation is that of Haar.
    name = "haar" if basis == "average" and index == 0 else basis
    return run / f"{name}{GRIDS[index]}.pt"


def _train(basis: str, pack: Pack, options: argparse.Namespace) -> None:
    options.run.mkdir(parents=True, exist_ok=True)
    pyramid = Pyramid(basis)
    for index, steps in enumerate(options.steps):
        path = _file(options.run, basis, index)
        if path.exists():
            continue
        level, objective = pyramid.levels[index], BasisObjective(pyramid, index)
        config = TrainConfig(batch=options.batch, dev_photos=1000, seed=SEED, autocast=False)
        cpu = torch.device("cpu")
        trainer = Trainer(level, objective, pack, config, cpu, clock=processor_seconds)
        for part in range(1, EVALUATIONS + 1):
            train = trainer.train(Budget(steps=steps), steps * part / EVALUATIONS)
            dev = trainer.evaluate("dev")
            best = trainer.keep_if_best(dev)
            print(
                f"{basis} level {GRIDS[index]}: step {trainer.step}, {trainer.seconds / 60:.2f} "
                f"minutes, train {train:.2f}, dev {dev:.2f}{' (best)' if best else ''}",
                flush=True,
            )
        torch.save(trainer.best, path)


@torch.no_grad()
def _measure(pack: Pack, options: argparse.Namespace) -> None:
    rows = pack.rows("dev", variant="whole", larger_than=128)
    rows = np.sort(np.random.default_rng(SEED).permutation(rows)[: options.photos])
    pyramids = {basis: _load(basis, options.run) for basis in options.bases}
    found: dict[str, list[NDArray[np.float64]]] = {basis: [] for basis in pyramids}
    base: list[list[float]] = []
    shown = list(np.linspace(0, len(rows) - 1, 12).astype(int))
    sheet = []
    for number, row in enumerate(rows):
        ab, condition = pack.batch(np.array([row]))
        some = next(iter(pyramids.values()))
        truth = some.bounded.inverse(some.finest(ab))[0]
        lightness = resize_by_area(condition.lightness[0, 0].numpy(), FINEST, FINEST)
        rgb = colors(lightness, truth)[0]
        gray = squared_errors(colors(lightness, torch.zeros_like(truth)), rgb)[0]
        base.append([gray, colorfulness(rgb[None]), *_steps(truth)])
        pictures = [truth[0]]
        for basis, pyramid in pyramids.items():
            seed = torch.Generator().manual_seed(1000 * SEED + number)
            noisy = with_noise(pyramid.finest(ab), seed)
            values = [float(-pyramid.log_prob(noisy, condition)) / (512 * math.log(2))]
            values += [*_level_nats(pyramid, ab, condition, number)]
            for stds, n in SCHEDULES.values():
                samples = pyramid.sample(condition, n, stds, seed)
                values += _values(lightness, rgb, samples, truth[0])
                pictures.append(samples.mean(0) if n == 64 else samples[0])
            found[basis].append(np.array(values))
        if number in shown:
            painted = paint(condition.lightness, torch.stack(pictures)[None])
            cells = (255 * painted.clamp(0, 1)).byte().permute(0, 2, 3, 1).numpy()
            sheet.append(row_of(list(cells), 4))
    write_contact_sheet(options.run / "sheet.png", sheet, 4)
    print_machine()
    print(f"{len(rows)} photos")
    _report(np.array(base), {basis: np.array(values) for basis, values in found.items()})


def _load(basis: str, run: Path) -> Pyramid:
    pyramid = Pyramid(basis).eval()
    for index, level in enumerate(pyramid.levels):
        level.load_state_dict(torch.load(_file(run, basis, index)))
    return pyramid


def _level_nats(pyramid: Pyramid, ab: Tensor, condition: Condition, number: int) -> Iterator[float]:
    for index, level in enumerate(pyramid.levels):
        noise = torch.Generator().manual_seed(number)
        yield float(BasisObjective(pyramid, index).loss(level, ab, condition, noise))


def _steps(ab: Tensor) -> list[float]:
    """Mean step of chroma by the distance from a border of the 4x4 cells, 0 to 3."""
    across = ab.diff(dim=3).norm(dim=1).mean((0, 1))
    down = ab.diff(dim=2).norm(dim=1).mean((0, 2))
    place = torch.arange(1, FINEST) % (FINEST // COARSEST)
    return [float(((across + down) / 2)[place == k].mean()) for k in range(4)]


def _values(
    lightness: NDArray[np.float32], rgb: NDArray[np.float32], samples: Tensor, truth: Tensor
) -> list[float]:
    few, mean = samples[:FEW], samples.mean(0, keepdim=True)
    painted = colors(lightness, few)
    errors = squared_errors(painted, rgb)
    of_mean = colors(lightness, mean)
    values = [float(energy_score(few[None], truth[None])), errors[0], errors.min()]
    values += [squared_errors(of_mean, rgb)[0], colorfulness(painted), colorfulness(of_mean)]
    return [*values, *_steps(few), *_steps(mean)]


Statistic = Callable[[NDArray[np.float64], NDArray[np.float64]], float]
"""From values of the photos themselves and of a basis, (N, ...) each."""
_BLOCK = 14


def _statistics() -> dict[str, Statistic]:
    def mean(column: int) -> Statistic:
        return lambda base, found: float(found[:, column].mean())

    def error(column: int) -> Statistic:
        return lambda b, f: float((f[:, column].mean() / b[:, 0].mean()) ** 0.5)

    def colorful(column: int) -> Statistic:
        return lambda b, f: float(f[:, column].mean() / b[:, 1].mean())

    def seams(first: int) -> Statistic:
        def ratio(b: NDArray[np.float64], f: NDArray[np.float64]) -> float:
            steps = f[:, first : first + 4].mean(0)
            return float(steps[0] / steps[1:].mean())

        return ratio

    def worst(first: int) -> Statistic:
        def ratio(b: NDArray[np.float64], f: NDArray[np.float64]) -> float:
            steps = f[:, first : first + 4].mean(0)
            return float(max(steps[k] / np.delete(steps, k).mean() for k in range(4)))

        return ratio

    named: dict[str, Statistic] = {"bits/dim": mean(0)}
    named |= {f"nats, level {grid}": mean(1 + index) for index, grid in enumerate(GRIDS)}
    for index, (name, (_, n)) in enumerate(SCHEDULES.items()):
        at = 4 + index * _BLOCK
        named |= {
            f"{name}: energy score": mean(at),
            f"{name}: one": error(at + 1),
            f"{name}: best of 8": error(at + 2),
            f"{name}: mean of {n}": error(at + 3),
            f"{name}: colorfulness": colorful(at + 4),
            f"{name}: colorfulness of the mean": colorful(at + 5),
            f"{name}: seams of samples": seams(at + 6),
            f"{name}: seams of the mean": seams(at + 10),
            f"{name}: worst place of samples": worst(at + 6),
            f"{name}: worst place of the mean": worst(at + 10),
        }
    return named


def _report(base: NDArray[np.float64], found: dict[str, NDArray[np.float64]]) -> None:
    rng = np.random.default_rng(SEED)
    resamples = [rng.integers(0, len(base), len(base)) for _ in range(1000)]
    bases = list(found)
    rows = []
    for name, statistic in _statistics().items():
        spread = {
            basis: np.array([statistic(base[r], values[r]) for r in resamples])
            for basis, values in found.items()
        }
        value = {basis: statistic(base, values) for basis, values in found.items()}
        cells = [f"{value[basis]:.3f} ± {spread[basis].std():.3f}" for basis in bases]
        for basis in bases[1:]:
            difference = spread[basis] - spread[bases[0]]
            cells.append(f"{value[basis] - value[bases[0]]:+.3f} ± {difference.std():.3f}")
        rows.append([name, *cells])
    print_table(["", *bases, *[f"{basis} - {bases[0]}" for basis in bases[1:]]], rows)
    steps = base[:, 2:6].mean(0)
    print(f"truth: seams {steps[0] / steps[1:].mean():.3f}; noise of a level: {NOISE}")


if __name__ == "__main__":
    main()

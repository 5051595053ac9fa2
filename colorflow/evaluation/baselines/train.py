"""`colorflow baseline`: trains a baseline on packs and writes its weights file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from colorflow.errors import PackError, TrainingError
from colorflow.evaluation.baselines.deterministic import BLOCKS, DeterministicNetwork
from colorflow.evaluation.baselines.weights import BASELINES, FORMAT, Baseline, save_baseline
from colorflow.evaluation.densities import ConditionalDensity
from colorflow.model.context import LevelContext
from colorflow.model.tensors import check_weights_destination
from colorflow.training.allocator import keep_freed_memory
from colorflow.training.loop import choose_device
from colorflow.training.pack import Pack, open_packs
from colorflow.training.run_folder import RunFolder, read_state
from colorflow.training.schedule import Budget
from colorflow.training.start import OF_PLANES, Start
from colorflow.training.trainer import TrainConfig, Trainer, processor_seconds
from colorflow.training.tuning import SAMPLES, energy_score
from colorflow.training.until_budget import train_to_budget

TEMPERATURES = (0.3, 0.5, 0.7, 0.8, 0.9, 1.0)


def train_baseline(
    name: str,
    pack_folders: Sequence[Path],
    run_folder: Path,
    *,
    config: TrainConfig,
    budget: Budget,
    contexts: Path | None = None,
    say: Callable[[str], None] = print,
) -> None:
    """Trains a baseline until its budget is used up; an existing run continues.

    Args:
        name: key in `BASELINES`.
        pack_folders: as in `colorflow.training.loop.train`.
        run_folder: gets a folder of that name.
        config: the settings.
        budget: of the training; minutes are those of `processor_seconds`.
        contexts: a run's folder or a weights file of the pyramid; the deterministic network starts
            from its trained context networks, and has its late blocks. None to start from new ones.
        say: gets one line per evaluation.

    Raises:
        PackError: if a pack cannot be read.
        WeightsError: if the weights cannot be read.
        TrainingError: if the name is unknown, the run does not fit, there are no contexts to start
            from, or losses stay non-finite.
    """
    keep_freed_memory()
    baseline = _find(name)
    pack = open_packs(pack_folders)
    description: dict[str, Any] = {"baseline": name, "train": asdict(config)}
    origin = None if contexts is None else Start(contexts)
    if origin is not None:
        description["contexts"] = origin.name
    run = RunFolder(run_folder, description)
    device = choose_device()
    torch.manual_seed(config.seed)
    module = baseline.build()
    if origin is not None and origin.has_late_blocks and isinstance(module, DeterministicNetwork):
        module.take_late_blocks()
    module.to(device)
    trainer = Trainer(module, baseline.objective(), pack, config, device, clock=processor_seconds)
    if origin is not None and not run.has_begun(name):
        trainer.start_from(module.state_dict() | _contexts_of(origin, module))
    train_to_budget(trainer, run, budget, say)


def export_baseline(
    name: str,
    run_folder: Path,
    weights: Path,
    *,
    pack_folder: Path,
    photos: int = 40,
    say: Callable[[str], None] = print,
) -> None:
    """Writes a baseline's weights file from the best weights of its run.

    Args:
        name: key in `BASELINES`.
        run_folder: of `train_baseline`.
        weights: NAME.safetensors.
        pack_folder: its dev photos choose the temperature of samples.
        photos: largest number of dev photos.
        say: gets the report, line by line.

    Raises:
        PackError: if the pack cannot be read or has no dev photo.
        TrainingError: if the name is unknown or nothing is trained.
        WeightsError: if the file cannot be written.
    """
    baseline = _find(name)
    check_weights_destination(weights, FORMAT)  # before the long work
    state = read_state(run_folder, name)
    if state is None or not state["best"]:
        raise TrainingError(
            f"{run_folder}: {name} has no evaluated weights yet; "
            f"train it with `colorflow baseline train {name} PACK -o {run_folder}`"
        )
    module = baseline.build()
    if isinstance(module, DeterministicNetwork):
        module.take_late_blocks_of(state["best"])
    try:
        module.load_state_dict(state["best"])
    except RuntimeError as error:
        raise TrainingError(f"{run_folder}: its weights do not fit {name} as it is now") from error
    module.eval().requires_grad_(False)
    training: dict[str, Any] = {
        "steps": state["step"],
        "minutes": round(state["seconds"] / 60, 1),
        "dev": round(state["best_dev"], 4),
        "skipped_steps": state["skipped"],
    }
    temperature = 1.0
    if isinstance(module, ConditionalDensity):
        temperature = _tuned(module, Pack(pack_folder), baseline, photos, say)
    save_baseline(weights, name, module, temperature, training)
    say(
        f"{weights}: {weights.stat().st_size / 1e6:.1f} MB, temperature {temperature:g}, {training}"
    )


def _contexts_of(origin: Start, module: nn.Module) -> dict[str, Tensor]:
    """Returns the weights of a pyramid's contexts and late blocks by their names in the module."""
    if not isinstance(module, DeterministicNetwork):
        raise TrainingError("--contexts: only the deterministic network has the pyramid's")
    grids = [cast(LevelContext, context).grid for context in module.contexts]
    found = {}
    if grids == [level.grid for level in origin.shape.levels]:
        for index, grid in enumerate(grids):
            for name, x in origin.weights(2 * grid if index else grid).items():
                if name.startswith("context.") and not name.startswith(OF_PLANES):
                    found[name.replace("context.", f"contexts.{index}.", 1)] = x
    ours = {
        name: x.shape
        for name, x in module.state_dict().items()
        if name.startswith("contexts") and not name.startswith(BLOCKS)
    }
    if {name: x.shape for name, x in found.items()} != ours:
        raise TrainingError(
            f"{origin.path}: its contexts are not those of the deterministic network: default "
            "levels, level 4 with --context-layers 4"
        )
    if origin.has_late_blocks:
        found |= {f"{BLOCKS}{name}": x for name, x in origin.late_blocks().items()}
    return found


def _find(name: str) -> Baseline:
    if name not in BASELINES:
        raise TrainingError(f"{name}: no such baseline; there are {', '.join(BASELINES)}")
    return BASELINES[name]


@torch.no_grad()
def _tuned(
    density: ConditionalDensity,
    pack: Pack,
    baseline: Baseline,
    photos: int,
    say: Callable[[str], None],
) -> float:
    """Returns the temperature whose samples have the lowest energy score on dev."""
    rows = np.random.default_rng(2).permutation(pack.rows("dev", variant="whole"))[:photos]
    if len(rows) == 0:
        raise PackError(f"{pack.folder}: no dev photo to choose the samples' temperature by")
    scores = {}
    for temperature in TEMPERATURES:
        generator = torch.Generator().manual_seed(3)
        found = []
        for part in np.array_split(rows, -(-len(rows) // 10)):
            ab, condition = pack.batch(part, baseline.objective().maps)
            samples = density.sample(condition, SAMPLES, generator, temperature)
            found.append(energy_score(samples, ab))
        scores[temperature] = float(torch.cat(found).mean())
    best = min(scores, key=lambda t: scores[t])
    text = ", ".join(f"{t:g}: {score:.3f}" for t, score in scores.items())
    say(f"energy score by temperature {text} -> {best:g}")
    return best

"""`colorflow train`: trains levels one after the other, each to its budget, and resumes runs."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import distributed

from colorflow.errors import TrainingError
from colorflow.model.condition import Condition
from colorflow.model.config import HINT_PLANES, PyramidConfig, default_config
from colorflow.model.features import Features
from colorflow.model.pyramid import ChromaPyramid
from colorflow.training.allocator import keep_freed_memory
from colorflow.training.joint import SHARE_OF_LOSS, JointModule, JointObjective
from colorflow.training.mean import MeanHeadObjective
from colorflow.training.objective import Objective
from colorflow.training.pack import open_packs
from colorflow.training.pixels import AnyPack, PixelPack, is_pixel_pack
from colorflow.training.run_folder import (
    JOINT,
    MEAN_HEAD,
    RunFolder,
    has_state,
    read_late_blocks,
    run_config,
)
from colorflow.training.schedule import Budget
from colorflow.training.start import Start
from colorflow.training.targets import EVALUATED_HINTS, LevelObjective
from colorflow.training.trainer import TrainConfig, Trainer
from colorflow.training.until_budget import train_to_budget


def train(
    pack_folders: Sequence[Path],
    run_folder: Path,
    *,
    shape: PyramidConfig | None = None,
    hints: bool = False,
    dropout: float | None = None,
    level_changes: Mapping[str, Any] | None = None,
    start: Path | None = None,
    config: TrainConfig,
    budget: Budget,
    levels: Sequence[int] | None = None,
    mean_head: bool = False,
    say: Callable[[str], None] = print,
) -> None:
    """Trains levels of a pyramid; levels that have used up their budget stay unchanged.

    On a pixel pack the levels up to 16 learn together with the model's late blocks, in one budget.
    Finer levels learn after them, each by itself, with the late blocks frozen.

    Under `torchrun` every process takes its share of each batch (gloo, or NCCL on CUDA).

    Args:
        pack_folders: made by `python -m data_prep`; several are used as one, with the dev photos of
            the first. Or one pixel pack, which needs a start.
        run_folder: for checkpoints, curves and previews; an existing run goes on.
        shape: of the pyramid; by default that of `start`, or of new weights.
        hints: whether the pyramid also takes color hints.
        dropout: share of units dropped in every level, None for that of the shape.
        level_changes: fields of the trained levels that differ from the shape, such as more
            couplings; new layers start as the identity.
        start: run or weights file to start from, None for new weights.
        config: training settings.
        budget: of each level, or of all levels that learn together.
        levels: chroma grids to train (4, 8, 16, 32, 64), in this order; None for all.
        mean_head: train the mean head alone, on the late blocks of the start, and no level.
        say: gets one line per evaluation.

    Raises:
        PackError: if a pack cannot be read.
        WeightsError: if the weights to start from cannot be read.
        TrainingError: if a level is unknown, the run or its start does not fit, a pixel pack has
            no start, or losses stay non-finite.
        ValueError: if both `shape` and `start` are given.
    """
    keep_freed_memory()
    rank, processes = _join_processes()
    device = choose_device(rank)
    pixels = any(map(is_pixel_pack, pack_folders))
    if pixels:
        _check_for_pixels(pack_folders, start)
    origin = None if start is None else Start(start, late_blocks=pixels)
    shape = _shape(shape, origin, hints=hints, dropout=dropout)
    shape = replace(shape, mean_head=shape.mean_head or mean_head)
    levels = () if mean_head else levels or shape.chroma_grids
    shape = _with_changed_levels(shape, levels, level_changes or {})
    together = sorted({*levels} & SHARE_OF_LOSS.keys()) if pixels else []
    learned = bool(together) or has_state(run_folder, JOINT)
    if pixels and not learned and not (origin and origin.has_late_blocks):
        raise TrainingError(
            f"{run_folder}: no late blocks have been trained; train levels up to "
            f"{max(SHARE_OF_LOSS)} first, or name weights that have them with --start"
        )
    torch.manual_seed(config.seed)
    pyramid = ChromaPyramid(shape).to(device)
    pack: AnyPack = PixelPack(pack_folders[0]) if pixels else open_packs(pack_folders)
    run = RunFolder(run_folder, run_config(shape, config, origin.name if origin else None))
    say = say if rank == 0 else _silent
    try:
        if mean_head:
            _give_late_blocks(pyramid, run, origin)
            assert pyramid.mean_head is not None
            head = Trainer(
                pyramid.mean_head, MeanHeadObjective(pyramid), pack, config, device, rank, processes
            )
            if origin is not None and not run.has_begun(MEAN_HEAD):
                origin.give_mean_head(head)
            train_to_budget(head, run, budget, say)
        if together:
            _give_late_blocks(pyramid, run, origin)
            if origin is not None and not run.has_begun(JOINT):
                origin.give_levels(pyramid, together)
            module, joint = JointModule(pyramid, together), JointObjective(pyramid, together)
            trainer = Trainer(module, joint, pack, config, device, rank, processes, fit=False)
            train_to_budget(trainer, run, budget, say, _other_objectives(pyramid, together))
        for name in [name for name in levels if name not in together]:
            _give_late_blocks(pyramid, run, origin)
            torch.manual_seed(config.seed + name)
            index = shape.chroma_grids.index(name)
            objective, level = LevelObjective(pyramid, index), pyramid.levels[index]
            trainer = Trainer(level, objective, pack, config, device, rank, processes)
            if origin is not None and not run.has_begun(objective.folder):
                origin.apply(trainer, name)
            others = {}
            if shape.takes_hints:
                others["dev_hints_nats"] = LevelObjective(pyramid, index, points=EVALUATED_HINTS)
            train_to_budget(trainer, run, budget, say, others)
    finally:
        if processes > 1:
            distributed.destroy_process_group()


def _check_for_pixels(folders: Sequence[Path], start: Path | None) -> None:
    """
    Raises:
        TrainingError: if there is another pack beside a pixel pack, or no start.
    """
    if len(folders) > 1:
        raise TrainingError(
            f"{', '.join(map(str, folders))}: a pixel pack is trained on by itself; name one pack"
        )
    if start is None:
        raise TrainingError(
            f"{folders[0]}: a pixel pack, for going on from trained weights; name them with --start"
        )


def _give_late_blocks(pyramid: ChromaPyramid, run: RunFolder, origin: Start | None) -> None:
    """Loads the late blocks of the run, or else of the start or the frozen network."""
    if pyramid.late_blocks is None:
        return
    if (own := read_late_blocks(run.folder)) is not None:
        pyramid.late_blocks.load_state_dict(own)
    elif origin is not None:
        origin.give_late_blocks(pyramid)
    else:
        pyramid.late_blocks.copy_from(Features())


def _other_objectives(
    pyramid: ChromaPyramid, grids: Sequence[int]
) -> dict[str, Objective[Condition]]:
    """Further objectives that choose the best weights of levels that learn together.

    All but the finest level count once more, since coarse levels decide the colors and overfit
    first.
    """
    others: dict[str, Objective[Condition]] = {
        f"dev{grid}_nats": JointObjective(pyramid, grids, shares={grid: 1.0}) for grid in grids[:-1]
    }
    if pyramid.config.takes_hints:
        others["dev_hints_nats"] = JointObjective(pyramid, grids, points=EVALUATED_HINTS)
    return others


def _shape(
    shape: PyramidConfig | None, origin: Start | None, *, hints: bool, dropout: float | None
) -> PyramidConfig:
    if origin is not None:
        if shape is not None:
            raise ValueError("shape: expected none, since the weights to start from have theirs")
        shape = origin.shape
    shape = shape or default_config()
    if dropout is not None:
        shape = shape.with_dropout(dropout)
    return replace(shape, extra_planes=HINT_PLANES) if hints else shape


def _with_changed_levels(
    shape: PyramidConfig, levels: Sequence[int], changes: Mapping[str, Any]
) -> PyramidConfig:
    """The shape with other fields in some levels.

    Raises:
        TrainingError: if a level is unknown or a field is out of range.
    """
    for name in levels:
        if name not in shape.chroma_grids:
            raise TrainingError(
                f"--levels: no level {name}; this model has {list(shape.chroma_grids)}"
            )
    try:
        return shape.with_levels(levels, **changes)
    except ValueError as error:
        names = ", ".join(map(str, levels))
        raise TrainingError(f"--levels {names}: cannot be changed so ({error})") from error


def _join_processes() -> tuple[int, int]:
    """Rank and number of processes: from torchrun's environment, or one process."""
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    if processes > 1 and not distributed.is_initialized():
        distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    return int(os.environ.get("RANK", "0")), processes


def choose_device(rank: int = 0) -> torch.device:
    """A GPU of this process if there is one, otherwise the CPU."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", rank)))


def _silent(_: str) -> None:
    pass

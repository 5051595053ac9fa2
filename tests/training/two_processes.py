"""What each process does in `test_distributed`: three short trainings, and all that it then holds.

Started by torchrun with the folder of the test as its argument.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import distributed

from colorflow.model.config import PyramidConfig
from colorflow.training import loop, targets, trainer
from colorflow.training.schedule import Budget
from colorflow.training.trainer import TrainConfig


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    rank = int(os.environ["RANK"])
    destroy = distributed.destroy_process_group
    distributed.destroy_process_group = lambda: None  # the next training needs it again
    whole_level = loop.train_to_budget

    def train(name: str, budget: Budget, **changes: Any) -> None:
        def watched(level: trainer.Trainer, *more: Any) -> None:
            whole_level(level, *more)
            torch.save(level.state_dict(), folder / f"{name}{level.rank}.pt")

        loop.train_to_budget = watched
        shape = PyramidConfig.from_dict(json.loads((folder / "shape.json").read_text()))
        config = TrainConfig(batch=8, **changes)
        pack = Path((folder / "pack.txt").read_text())
        loop.train(
            [pack], folder / name, shape=shape, config=config, budget=budget, levels=[4], say=str
        )

    train("steps", Budget(steps=24), peak_rate=0.05, evaluate_every=8.0)

    # Clocks that disagree, as clocks do: 10 and 13 seconds a step.
    clock = itertools.count(0, 10 + 3 * rank)
    trainer.time = SimpleNamespace(monotonic=lambda: next(clock))
    train("minutes", Budget(minutes=1), peak_rate=0.5, evaluate_every=25.0)

    targets.NOISE = 0.0
    train("exact", Budget(steps=4), peak_rate=0.5, evaluate_every=4.0, autocast=False)
    destroy()


if __name__ == "__main__":
    main(Path(sys.argv[1]))

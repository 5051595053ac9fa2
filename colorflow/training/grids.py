"""Pictures of what has been learned, written at every evaluation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from colorflow.training.trainer import Trainer

PHOTOS = 8


@torch.no_grad()
def write_grid(trainer: Trainer[Any], path: Path) -> None:
    """Writes the preview of the objective, one row per dev photo.

    Args:
        trainer: whose averaged weights make the pictures.
        path: PNG file.
    """
    from torchvision.utils import save_image

    rows = trainer.pack.rows("dev", variant="whole")[:PHOTOS]
    if len(rows) == 0:
        return
    target, condition = trainer.pack.batch(rows, trainer.objective.maps)
    target, condition = target.to(trainer.device), condition.to(trainer.device)
    generator = torch.Generator().manual_seed(0)
    shown = trainer.objective.preview(trainer.ema.eval(), target, condition, generator)
    save_image(trainer.objective.paint(condition, shown), path, nrow=shown.shape[1])

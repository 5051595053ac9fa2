"""Pictures of what has been learned, written at every evaluation."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from colorflow.training.trainer import Trainer

PHOTOS = 8


@torch.no_grad()
def write_grid(trainer: Trainer, path: Path) -> None:
    """Writes the preview of the objective, one row per dev photo.

    Args:
        trainer: whose averaged weights make the colorings.
        path: PNG file.
    """
    from torchvision.utils import save_image

    rows = trainer.pack.rows("dev", variant="whole")[:PHOTOS]
    if len(rows) == 0:
        return
    ab, condition = trainer.pack.batch(rows, trainer.objective.maps)
    ab, condition = ab.to(trainer.device), condition.to(trainer.device)
    generator = torch.Generator().manual_seed(0)
    samples = trainer.objective.preview(trainer.ema.eval(), ab, condition, generator)
    save_image(paint(condition.lightness, samples), path, nrow=samples.shape[1])


def paint(lightness: Tensor, ab: Tensor) -> Tensor:
    """Colorings on their photos' lightness.

    Args:
        lightness: (B, 1, 128, 128) CIE L* in [0, 100].
        ab: (B, N, 2, g, g) CIELAB units, brought to the grid of lightness.

    Returns:
        (B * N, 3, 128, 128) sRGB in [0, 1].
    """
    from colorflow.color.lab import lab_to_rgb

    smooth = F.interpolate(ab.flatten(0, 1), lightness.shape[2:], mode="bicubic")
    return lab_to_rgb(lightness.repeat_interleave(ab.shape[1], 0), smooth)

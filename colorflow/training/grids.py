"""Pictures of what a level has learned, written at every evaluation."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.utils import save_image

from colorflow.model.config import FINEST_GRID
from colorflow.training.targets import level_target
from colorflow.training.trainer import LevelTrainer

PHOTOS = 8
DRAWS = 5
TEMPERATURES = (1.0, 0.8, 0.6, 0.3, 0.0)


@torch.no_grad()
def write_grid(trainer: LevelTrainer, path: Path) -> None:
    """Grey, truth on the level's chroma grid, and draws of the level, a row a dev photo.

    The draws are given the true coarser chroma; from left to right the latents' std falls as
    `TEMPERATURES` says.

    Args:
        trainer: whose averaged weights draw.
        path: PNG file.
    """
    rows = trainer.pack.rows("dev", variant="whole")[:PHOTOS]
    if len(rows) == 0:
        return
    ab, condition = trainer.pack.batch(rows, trainer.maps)
    ab, condition = ab.to(trainer.device), condition.to(trainer.device)
    generator = torch.Generator().manual_seed(0)
    x, coarse = level_target(trainer.pyramid, trainer.index, ab, generator)
    level = trainer.ema.eval()
    photo = level.context.of_photo(condition)
    truth = F.avg_pool2d(ab, FINEST_GRID // trainer.name)
    columns = [torch.zeros_like(truth), truth]
    for temperature in TEMPERATURES[:DRAWS]:
        latent = temperature * torch.randn(x.shape, generator=generator).to(x)
        drawn, _ = level.decode(latent, photo, coarse)
        if coarse is not None:
            drawn, _ = trainer.pyramid.haar.inverse(torch.cat([coarse, drawn], 1))
        columns.append(trainer.pyramid.bounded.inverse(drawn)[0])
    save_image(_paint(condition.lightness, torch.stack(columns, 1)), path, nrow=len(columns))


def _paint(lightness: Tensor, ab: Tensor) -> Tensor:
    """Colourings (B, N, 2, g, g) on their photos' lightness: (B * N, 3, 128, 128) sRGB."""
    from colorflow.color.lab import lab_to_rgb

    smooth = F.interpolate(ab.flatten(0, 1), lightness.shape[2:], mode="bicubic")
    return lab_to_rgb(lightness.repeat_interleave(ab.shape[1], 0), smooth)

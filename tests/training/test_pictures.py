"""Chroma on lightness, for pictures of what has been learned."""

from __future__ import annotations

import numpy as np
import torch
from skimage import color

from colorflow.training.pictures import paint


def test_colorings_are_painted_photo_by_photo_as_scikit_image_does() -> None:
    lightness = torch.linspace(30, 70, 2).view(2, 1, 1, 1).expand(2, 1, 128, 128)
    ab = torch.tensor([[10.0, -20.0], [0.0, 0.0], [-15.0, 5.0]]).view(1, 3, 2, 1, 1)
    painted = paint(lightness, ab.expand(2, 3, 2, 4, 4))
    assert painted.shape == (6, 3, 128, 128)
    for index, rgb in enumerate(painted):
        photo, coloring = divmod(index, 3)
        lab = [float(lightness[photo, 0, 0, 0]), *ab[0, coloring].flatten().tolist()]
        np.testing.assert_allclose(rgb[:, 64, 64], color.lab2rgb(np.array(lab)), atol=1e-4)


def test_colors_that_srgb_lacks_are_cut() -> None:
    painted = paint(torch.full((1, 1, 128, 128), 50.0), torch.full((1, 1, 2, 4, 4), 100.0))
    assert painted.min() == 0
    assert painted.max() <= 1

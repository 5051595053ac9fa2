"""The tensor conversions, against scikit-image and published values."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage import color

from colorflow.color.lab import lab_to_rgb, rgb_to_lab

# B. Lindbloom's calculator (www.brucelindbloom.com): sRGB, D65, 2 degree observer. It uses the
# matrix with seven decimals, which moves the last two digits here.
LINDBLOOM = {
    (1, 0, 0): (53.2408, 80.0925, 67.2032),
    (0, 1, 0): (87.7347, -86.1827, 83.1793),
    (0, 0, 1): (32.2970, 79.1875, -107.8602),
    (1, 1, 0): (97.1393, -21.5537, 94.4780),
    (0, 1, 1): (91.1132, -48.0875, -14.1312),
    (1, 0, 1): (60.3242, 98.2343, -60.8249),
    (1, 1, 1): (100.0, 0.0, 0.0),
    (0, 0, 0): (0.0, 0.0, 0.0),
}


def random_rgb(*shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("rgb", "expected"), LINDBLOOM.items())
def test_published_values(rgb: tuple[int, ...], expected: tuple[float, ...]) -> None:
    lightness, ab = rgb_to_lab(torch.tensor(rgb, dtype=torch.float64).view(1, 3, 1, 1))
    np.testing.assert_allclose(torch.cat([lightness, ab], 1).flatten(), expected, atol=0.015)


def test_rgb_to_lab_is_scikit_image() -> None:
    rgb = random_rgb(2, 3, 9, 7)
    lightness, ab = rgb_to_lab(rgb)
    assert lightness.shape == (2, 1, 9, 7)
    assert ab.shape == (2, 2, 9, 7)
    expected = color.rgb2lab(rgb.permute(0, 2, 3, 1).double().numpy())
    ours = torch.cat([lightness, ab], 1).permute(0, 2, 3, 1).double().numpy()
    assert color.deltaE_ciede2000(ours, expected).max() < 1e-3
    np.testing.assert_allclose(ours, expected, atol=2e-3)


def test_lab_to_rgb_is_scikit_image() -> None:
    rgb = random_rgb(2, 3, 9, 7)
    lab = color.rgb2lab(rgb.permute(0, 2, 3, 1).double().numpy())
    lab = torch.from_numpy(lab).permute(0, 3, 1, 2).float()
    np.testing.assert_allclose(lab_to_rgb(lab[:, :1], lab[:, 1:]), rgb, atol=1e-4)


def test_round_trip_in_float32() -> None:
    rgb = random_rgb(4, 3, 16, 16)
    np.testing.assert_allclose(lab_to_rgb(*rgb_to_lab(rgb)), rgb, atol=1e-4)


def test_only_clamping_keeps_impossible_colors_in_range() -> None:
    lightness, ab = torch.full((1, 1, 1, 1), 50.0), torch.full((1, 2, 1, 1), 100.0)
    clamped = lab_to_rgb(lightness, ab)
    free = lab_to_rgb(lightness, ab, clamp=False)
    assert clamped.min() >= 0
    assert free.min() < -0.1
    torch.testing.assert_close(clamped, free.clamp(0, 1))


def test_gradients_flow_through_both_directions() -> None:
    rgb = random_rgb(1, 3, 2, 2).double().mul(0.8).add(0.1).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: torch.cat(rgb_to_lab(x), 1), (rgb,))
    lightness, ab = (part.detach().requires_grad_() for part in rgb_to_lab(rgb))
    assert torch.autograd.gradcheck(lambda *lab: lab_to_rgb(*lab, clamp=False), (lightness, ab))


@pytest.mark.parametrize("shape", [(3, 4, 4), (1, 1, 4, 4), (1, 4, 4, 3)])
def test_wrong_rgb_shapes_are_named(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"rgb: expected shape \(B, 3, H, W\)"):
        rgb_to_lab(torch.zeros(shape))


@pytest.mark.parametrize(
    ("lightness", "ab", "named"),
    [
        ((1, 2, 4, 4), (1, 2, 4, 4), "lightness"),
        ((4, 4), (1, 2, 4, 4), "lightness"),
        ((1, 1, 4, 4), (1, 2, 2, 2), "ab"),
        ((2, 1, 4, 4), (1, 2, 4, 4), "ab"),
    ],
)
def test_shapes_that_do_not_fit_are_named(
    lightness: tuple[int, ...], ab: tuple[int, ...], named: str
) -> None:
    with pytest.raises(ValueError, match=f"^{named}: expected shape"):
        lab_to_rgb(torch.zeros(lightness), torch.zeros(ab))

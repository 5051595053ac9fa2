"""What is made strip by strip and box by box is what one pass over the whole photo makes."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import cache

import cv2
import numpy as np
import pytest
import skimage.data
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from colorflow.color.full_resolution import lightness_of
from colorflow.enlarge.tiles import noise_at
from colorflow.files import REPAIR_WEIGHTS, default_weights
from colorflow.photo import Photo
from colorflow.repair import strips
from colorflow.repair.fill import first_guess
from colorflow.repair.network import UNet
from colorflow.repair.repairer import Repairer
from colorflow.repair.strips import BORDER, Seen, boxes_of, mapped

SIZE = 620, 210


@cache
def shipped() -> Repairer:
    return Repairer.load(default_weights(REPAIR_WEIGHTS), device="cpu")


@cache
def picture() -> np.ndarray:
    """(H, W) uint16, with detail everywhere."""
    large = cv2.resize(skimage.data.camera(), (640, 640), interpolation=cv2.INTER_CUBIC)
    noise = np.random.default_rng(0).normal(0, 900, SIZE)
    return np.clip(large[: SIZE[0], : SIZE[1]] * 257.0 + noise, 0, 65535).astype(np.uint16)


@pytest.fixture
def _low_strips(monkeypatch: pytest.MonkeyPatch) -> None:
    """As low as can be."""
    monkeypatch.setattr(strips, "STRIP_PIXELS", 1)


def photo() -> Photo:
    return Photo(pixels=(picture() >> 8).astype(np.uint8), pixels16=picture())


def whole(plane: np.ndarray) -> Tensor:
    """The plane and what is beyond it, in one piece."""
    beyond = [(BORDER, -side % 32 + BORDER) for side in plane.shape]
    padded = np.pad(plane.astype(np.float32), beyond, mode="symmetric")
    return torch.from_numpy(padded)[None, None]


def cut(made: Tensor) -> np.ndarray:
    rows, columns = SIZE
    return made[0, 0, BORDER : BORDER + rows, BORDER : BORDER + columns].numpy()


@pytest.mark.usefixtures("_low_strips")
@torch.inference_mode()
def test_shipped_weights_find_the_same_in_strips() -> None:
    lightness = lightness_of(picture())
    odds = cut(shipped().weights.finder(whole(lightness)))
    assert np.abs(shipped().find(photo()) - odds).max() < 0.02  # float16
    assert odds.std() > 1


@pytest.mark.usefixtures("_low_strips")
@torch.inference_mode()
def test_shipped_weights_fill_the_same_in_boxes() -> None:
    mask = np.zeros(SIZE, bool)
    mask[200:206, 150:200] = True
    mask[:9, :9] = mask[-7:, -40:] = True
    fill = shipped().weights.fill
    assert len(boxes_of(mask, fill.reach, fill.multiple)) > 1
    guess, hidden = whole(first_guess(lightness_of(picture()), mask)), whole(mask)
    sides = (slice(-BORDER // 2, (side - BORDER) // 2) for side in guess.shape[2:])
    expected = cut(fill.decode(noise_at(3, 0, 4, *sides), guess, hidden, 0.8))
    result = shipped().repair(photo(), temperature=0.8, seed=3, mask=mask).photo
    difference = lightness_of(result.full_depth) - expected.clip(0, 100)
    assert np.abs(difference[mask]).max() < 0.02
    assert np.abs(expected - lightness_of(picture()))[mask].max() > 5


@torch.inference_mode()
def test_no_pixel_beyond_the_reach_matters_to_shipped_weights() -> None:
    fill = copy.deepcopy(shipped().weights.fill).double()
    far, box = -(-fill.reach // fill.multiple) * fill.multiple, fill.multiple
    generator = torch.Generator().manual_seed(0)
    size = 1, 1, far + box + far, box
    lightness = 100 * torch.rand(size, generator=generator, dtype=torch.float64)
    mask = (torch.rand(size, generator=generator) < 0.3).double()
    latents = torch.randn(1, 4, size[2] // 2, box // 2, generator=generator, dtype=torch.float64)

    def made(reach: int) -> Tensor:
        """The middle, of a picture that is another one above and below the reach."""
        other = 100 - lightness
        near = slice(far - reach, far + box + reach)
        other[:, :, near] = lightness[:, :, near]
        return fill.decode(latents, other, mask)[:, :, far : far + box]

    assert (made(fill.reach) - made(far)).abs().max() < 1e-12
    assert (made(fill.reach - 64) - made(far)).abs().max() > 1e-10


@pytest.mark.parametrize("height", [4, 6, 64])
def test_strips_of_any_height_are_one_pass(
    height: int, randomize: Callable[..., nn.Module]
) -> None:
    net = UNet(2, (3, 4, 5)).double()
    randomize(net)
    x = torch.randn(1, 2, 88, 24, dtype=torch.float64)
    parts = list(net.strips(iter(x.split(height, 2))))
    torch.testing.assert_close(torch.cat(parts, 2), net(x))


@pytest.mark.parametrize("height", [1, 4, 50])
def test_a_layer_sees_rows_once_but_for_its_reach(height: int) -> None:
    worked = []

    def layer(x: Tensor) -> Tensor:
        worked.append(x.shape[2])
        return F.max_pool2d(x, 7, 1, 3)

    x = torch.randn(1, 1, 50, 5)
    parts = mapped(layer, 3, iter(x.split(height, 2)))
    assert torch.equal(torch.cat(list(parts), 2), F.max_pool2d(x, 7, 1, 3))
    assert sum(worked) <= 50 + 7 * len(worked)


@pytest.mark.parametrize("size", [(1, 1), (3, 70), (64, 31)])
def test_a_photo_is_mirrored_alike_at_all_sides(size: tuple[int, int]) -> None:
    plane = np.random.default_rng(0).random(size, np.float32)
    seen = Seen((slice(0, size[0]), slice(0, size[1])), size, 32, 32)
    beyond = [(32, -side % 32 + 32) for side in size]
    expected = np.pad(plane, beyond, mode="symmetric")
    assert np.array_equal(seen.part_of(plane, seen.rows), expected)


@pytest.mark.parametrize("count", [1, 3, 40])
@pytest.mark.parametrize("margin", [0, 32, 224])
def test_boxes_hold_a_mask_and_save_margins(count: int, margin: int) -> None:
    rng = np.random.default_rng(count)
    mask = np.zeros((500, 700), bool)
    mask[rng.integers(0, 500, count), rng.integers(0, 700, count)] = True
    found = boxes_of(mask, margin, 32)
    held = np.zeros(mask.shape, int)
    for box in found:
        held[box] += 1
        assert all(side.start % 32 == 0 for side in box)
        assert mask[box].any()
    assert (held[mask] == 1).all()
    assert held.max() == 1
    rows, columns = np.nonzero(mask)
    around = (np.ptp(rows) + 33 + 2 * margin) * (np.ptp(columns) + 33 + 2 * margin)
    worked = (side.stop - side.start + 2 * margin for box in found for side in box)
    areas = np.array(list(worked)).reshape(-1, 2).prod(1)
    assert areas.sum() <= around
    assert boxes_of(np.zeros_like(mask), margin, 32) == []

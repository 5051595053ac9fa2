"""The Enlarger: what a person gets, and what is refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import color, data
from torch.nn import functional

from colorflow.color.full_resolution import lightness_of, render_own
from colorflow.enlarge.enlarger import Enlarger
from colorflow.enlarge.tiles import result_of
from colorflow.enlarge.weights import (
    FIRST,
    LAST,
    RESTORE,
    load_enlarge_weights,
    save_enlarge_weights,
)
from colorflow.errors import PhotoError, WeightsError
from colorflow.files import digest_of
from colorflow.photo import photo_from_image
from colorflow.recipe import Enlargement
from tests.enlarge.conftest import ModelOf
from tests.small_weights import save_small_weights

GRAY = data.camera()[100:137, 180:230]
COLOR = data.astronaut()[30:67, 200:250]


@pytest.fixture
def weights(model_of: ModelOf, tmp_path: Path) -> Path:
    path = tmp_path / "enlarge.safetensors"
    models = {FIRST: model_of(), LAST: model_of(), RESTORE: model_of(restores=True)}
    save_enlarge_weights(path, models, {LAST: {"minutes": 1}})
    return path


@pytest.fixture
def no_shipped_weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where the shipped weights are looked for, as long as there are none."""
    (tmp_path / "package").mkdir()
    monkeypatch.setattr("colorflow.files.__file__", str(tmp_path / "package" / "files.py"))
    return tmp_path / "weights" / "enlarge.safetensors"


@pytest.fixture
def enlarger(weights: Path) -> Enlarger:
    return Enlarger.load(weights)


def reduced(pixels: np.ndarray, scale: int) -> np.ndarray:
    lightness = lightness_of(pixels)
    height, width = lightness.shape
    return lightness.reshape(height // scale, scale, width // scale, scale).mean((1, 3))


@pytest.mark.parametrize(("pixels", "scale"), [(GRAY, 4), (COLOR, 2)], ids=["gray", "color"])
def test_the_reduced_result_is_the_photo(
    enlarger: Enlarger, pixels: np.ndarray, scale: int
) -> None:
    for result in enlarger.enlarge(pixels, scale, n=2):
        assert result.image.size == (scale * pixels.shape[1], scale * pixels.shape[0])
        assert result.image.mode == ("L" if pixels.ndim == 2 else "RGB")
        error = np.abs(reduced(result.array, scale) - lightness_of(pixels))
        assert error.max() < 0.4, "one gray level"
        assert result.array.std() > 10


def test_a_color_photo_keeps_its_colors(enlarger: Enlarger) -> None:
    (result,) = enlarger.enlarge(COLOR, temperature=0)
    pixels = result.array
    blocks = pixels.reshape(37, 2, 50, 2, 3).mean((1, 3)) / 255
    difference = color.rgb2lab(blocks)[..., 1:] - color.rgb2lab(COLOR)[..., 1:]
    assert np.sqrt((difference**2).mean()) < 6


def test_samples_depend_on_their_seed_alone(enlarger: Enlarger) -> None:
    first, second = enlarger.enlarge(GRAY, n=2, temperature=1, seed=3)
    (again,) = enlarger.enlarge(GRAY, temperature=1, seed=4)
    assert np.array_equal(second.array, again.array)
    assert not np.array_equal(first.array, second.array)


def test_restoring_need_not_keep_the_photo(enlarger: Enlarger) -> None:
    (result,) = enlarger.enlarge(GRAY, temperature=1, restore=True)
    assert np.abs(reduced(result.array, 2) - lightness_of(GRAY)).max() > 1


def test_transparency_and_16_bits(enlarger: Enlarger) -> None:
    picture = Image.fromarray(COLOR)
    picture.putalpha(Image.linear_gradient("L").resize(picture.size))
    (result,) = enlarger.enlarge(picture)
    assert result.image.mode == "RGBA"
    assert np.ptp(np.asarray(result.image.getchannel("A"))) > 200
    deep = GRAY.astype(np.uint16) * 257
    (result,) = enlarger.enlarge(deep, temperature=0)
    (plain,) = enlarger.enlarge(GRAY, temperature=0)
    assert np.abs(result.array.astype(int) // 257 - plain.array).max() <= 1


def test_progress_rises_to_1(enlarger: Enlarger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("colorflow.enlarge.enlarger.TILE", 16)
    shares = list(enlarger.steps(photo_from_image(GRAY), Enlargement(scale=4, temperature=0.8)))
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1)
    assert len(shares) > 10


def test_squares_that_are_painted_at_once_leave_no_seams(
    enlarger: Enlarger, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = photo_from_image(data.astronaut()[:90, 180:290])
    lightness = result_of(enlarger.steps(photo, Enlargement(scale=2, temperature=0.8)))
    for bits in (8, 16):
        whole = render_own(photo.pixels, lightness, bits=bits)  # type: ignore[arg-type]
        with monkeypatch.context() as patch:
            patch.setattr("colorflow.color.full_resolution._SQUARE", 32)
            squares = render_own(photo.pixels, lightness, bits=bits)  # type: ignore[arg-type]
        assert np.abs(whole.astype(int) - squares).max() <= 1
        assert whole.dtype == squares.dtype == np.dtype(f"uint{bits}")


@pytest.mark.parametrize(("scale", "names"), [(2, (LAST,)), (4, (FIRST, LAST))])
def test_the_density_is_that_of_the_doublings(
    enlarger: Enlarger, scale: int, names: tuple[str, ...]
) -> None:
    high, want = torch.from_numpy(lightness_of(GRAY[:16, :16]))[None, None], 0.0
    for name in reversed(names):
        low = functional.avg_pool2d(high, 2)
        want += float(enlarger.weights.models[name](high, low).detach())
        high = low
    assert enlarger.log_prob(GRAY[:16, :16], scale) == pytest.approx(want, rel=1e-5)


def test_a_likely_sample_is_likelier_than_noise(enlarger: Enlarger) -> None:
    photo = photo_from_image(GRAY[:32, :32])
    for scale in (2, 4):
        (likely,) = enlarger.enlarge(photo, scale, temperature=0)
        noise = np.random.default_rng(0).integers(0, 255, (32 * scale,) * 2, np.uint8)
        assert enlarger.log_prob(likely.image, scale) > enlarger.log_prob(noise, scale)


def test_pictures_without_a_density(enlarger: Enlarger, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="multiples of 8, got 50 x 37"):
        enlarger.log_prob(GRAY, 4)
    monkeypatch.setattr("colorflow.enlarge.enlarger._MAX_DENSITY_PIXELS", 32 * 32 - 1)
    with pytest.raises(PhotoError, match="cut a piece out"):
        enlarger.log_prob(GRAY[:32, :32])


def test_the_shipped_weights_are_found_beside_those_of_colors(
    no_shipped_weights: Path, weights: Path
) -> None:
    with pytest.raises(WeightsError, match=r"/weights/enlarge\.safetensors: there is no such"):
        Enlarger.load()
    no_shipped_weights.parent.mkdir()
    shutil.copy(weights, no_shipped_weights)
    assert Enlarger.load().digest == digest_of(weights)
    weights.unlink()
    save_small_weights(weights)
    with pytest.raises(WeightsError, match="not a colorflow weights file"):
        Enlarger.load(weights)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scale": 3}, "scale: expected 2 or 4, got 3"),
        ({"temperature": -1}, "temperature: expected 0 to 2"),
        ({"seed": -1}, "seed: expected a whole number from 0"),
        ({"n": 0}, "n: expected"),
    ],
)
def test_wrong_arguments_are_named(
    enlarger: Enlarger, arguments: dict[str, int], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        enlarger.enlarge(GRAY, **arguments)


def test_photos_too_small_or_too_large_are_refused(
    enlarger: Enlarger, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(PhotoError, match="7 x 50 pixels; enlarging needs at least 8 x 8"):
        enlarger.enlarge(GRAY.T[:, :7])
    monkeypatch.setattr("colorflow.enlarge.enlarger.MAX_RESULT_PIXELS", 4 * GRAY.size - 1)
    with pytest.raises(PhotoError, match=r"megapixels; the limit is .*: choose a smaller scale"):
        enlarger.enlarge(GRAY)


def test_weights_that_lack_a_doubling(model_of: ModelOf, tmp_path: Path) -> None:
    path = tmp_path / "some.safetensors"
    save_enlarge_weights(path, {FIRST: model_of(), LAST: model_of()}, {})
    with pytest.raises(WeightsError, match="cannot restore"):
        Enlarger.load(path).enlarge(GRAY, restore=True)
    save_enlarge_weights(path, {LAST: model_of()}, {})
    with pytest.raises(WeightsError, match="'first' is missing"):
        load_enlarge_weights(path)


def test_a_header_that_asks_for_more_than_the_file_holds(weights: Path) -> None:
    content = weights.read_bytes()
    weights.write_bytes(content.replace(b'\\"width\\": 12', b'\\"width\\":512'))
    with pytest.raises(WeightsError, match="asks for"):
        load_enlarge_weights(weights)

"""From a photo to lightness, and from lightness and the grid's ab to a photo."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from skimage import color, data

from colorflow.color import compiling, full_resolution, loops
from colorflow.color.full_resolution import LightnessRows, lightness_of, render, render_upsampled
from colorflow.color.gamut import rgb_in_gamut
from colorflow.color.grid import to_grid
from colorflow.color.upsample import GuidedUpsampler, finer, upsample_ab

ROOT = Path(__file__).resolve().parents[2]
SIZES = [(1, 1), (1, 500), (500, 1), (9, 200), (200, 9), (131, 97)]


@pytest.fixture(params=["NumPy", "compiled"])
def _loops(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways to paint."""
    monkeypatch.setattr(compiling, "PIXELS", -1 if request.param == "compiled" else 1 << 60)


def random_photo(height: int, width: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def neon_grid(seed: int = 0) -> NDArray[np.float32]:
    """Chroma from the whole box of ab, in every cell another one."""
    return np.random.default_rng(seed).uniform(-128, 128, (2, 64, 64)).astype(np.float32)


def lightness_error(pixels: NDArray[np.unsignedinteger], lightness: NDArray[np.float32]) -> float:
    """Largest deviation of L*, as scikit-image sees the picture of 8 or 16 bits."""
    return float(np.abs(color.rgb2lab(pixels)[..., 0] - lightness).max())


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_lightness_of_all_grays_and_of_colors(dtype: type) -> None:
    white = np.iinfo(dtype).max
    gray = np.arange(white + 1, dtype=dtype).reshape(16, -1)
    triples = np.repeat(gray[..., None], 3, axis=2)
    photo = np.random.default_rng(4).integers(0, white + 1, (31, 47, 3), dtype)
    for pixels, like in ((gray, triples), (triples, triples), (photo, photo)):
        np.testing.assert_allclose(lightness_of(pixels), color.rgb2lab(like)[..., 0], atol=1e-3)


@pytest.mark.parametrize(("height", "width"), [*SIZES, (300, 400)])
def test_lightness_of_any_size_and_memory_layout(height: int, width: int) -> None:
    photo = random_photo(height, width)
    expected = color.rgb2lab(photo)[..., 0]
    photo.flags.writeable = False
    np.testing.assert_allclose(lightness_of(photo), expected, atol=1e-3)
    np.testing.assert_allclose(lightness_of(photo[::-1, ::-1]), expected[::-1, ::-1], atol=1e-3)


@pytest.mark.usefixtures("_loops")
def test_lightness_is_kept_over_the_whole_box() -> None:
    lightness = np.random.default_rng(1).uniform(0, 100, (300, 400)).astype(np.float32)
    assert lightness_error(render(lightness, neon_grid()), lightness) <= 0.5
    # Even and saturated, so that neither upsampling nor noise softens it.
    for a, b in [(128, 0), (0, 128), (-128, 0), (0, -128), (90, -120), (-100, 100)]:
        flat = np.broadcast_to(np.float32([[[a]], [[b]]]), (2, 64, 64))
        assert lightness_error(render(lightness, flat), lightness) <= 0.5


@pytest.mark.usefixtures("_loops")
def test_pixels_are_those_of_scikit_image() -> None:
    photo = data.astronaut()
    lightness, grid = lightness_of(photo), to_grid(photo)
    ab = upsample_ab(finer(grid, lightness)[0], lightness)
    rgb_in_gamut(lightness, ab)
    expected = color.lab2rgb(np.concatenate([lightness[None], ab]).transpose(1, 2, 0))
    # Half a step by rounding to 8 bits, a twentieth by the table, a little by float32.
    deviation = np.abs(render(lightness, grid) - 255 * expected.clip(0, 1))
    inside = ((expected > 0.01) & (expected < 0.99)).all(axis=-1)
    assert deviation[inside].max() < 0.6
    assert deviation.max() < 1.1
    fine = np.abs(render(lightness, grid, bits=16) / 65535 - expected.clip(0, 1))
    assert fine[inside].max() < 1e-4  # a fortieth of an 8-bit step


@pytest.mark.usefixtures("_loops")
def test_no_chroma_gives_back_every_gray_exactly() -> None:
    gray = np.arange(256, dtype=np.uint8).reshape(4, 64).repeat(3, axis=1)
    pixels = render(lightness_of(gray), np.zeros((2, 64, 64), np.float32))
    assert pixels.dtype == np.uint8
    np.testing.assert_array_equal(pixels, np.repeat(gray[..., None], 3, axis=2))


@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize("rows", [1, 7])
def test_strips_give_the_same_as_the_whole(
    height: int, width: int, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    lightness = np.random.default_rng(2).uniform(0, 100, (height, width)).astype(np.float32)
    whole = render(lightness, neon_grid())
    assert whole.shape == (height, width, 3)
    monkeypatch.setattr(full_resolution, "_STRIP_PIXELS", rows * width)
    strips = render(lightness, neon_grid())
    # Matrix products may round otherwise in another shape.
    assert np.abs(whole.astype(int) - strips).max() <= 1
    assert (whole != strips).mean() < 0.01


@pytest.mark.usefixtures("_loops")
def test_16_bits_are_finer_than_8() -> None:
    lightness = np.random.default_rng(1).uniform(0, 100, (300, 400)).astype(np.float32)
    grid = neon_grid()
    fine, coarse = render(lightness, grid, bits=16), render(lightness, grid)
    assert lightness_error(fine, lightness) <= 0.1
    assert np.median(np.abs(color.rgb2lab(fine)[..., 0] - lightness)) < 2e-3
    # Half a step by rounding to 8 bits, a twentieth by the table.
    assert np.abs(fine / 257 - coarse).max() < 0.56
    assert np.unique(fine % 257).size > 200


def test_any_number_of_threads_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    photo, grid = random_photo(301, 203), neon_grid()
    monkeypatch.setattr(full_resolution, "_STRIP_PIXELS", 7 * 203)
    pictures, threads = [], cv2.getNumThreads()
    try:
        for number in (1, 2, 5):
            cv2.setNumThreads(number)
            pictures.append((lightness_of(photo), render(LightnessRows(photo), grid)))
    finally:
        cv2.setNumThreads(threads)
    for lightness, pixels in pictures[1:]:
        np.testing.assert_array_equal(lightness, pictures[0][0])
        np.testing.assert_array_equal(pixels, pictures[0][1])


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize(("height", "width"), [*SIZES, (65, 300), (300, 65), (1000, 257)])
def test_compiled_loops_give_the_same_to_the_bit(
    height: int, width: int, bits: Literal[8, 16], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With chroma far outside sRGB, black and white, and chroma without a single gray."""
    lightness = np.random.default_rng(5).uniform(-5, 105, (height, width)).clip(0, 100)
    pictures = []
    for pixels in (1 << 60, -1):
        monkeypatch.setattr(compiling, "PIXELS", pixels)
        for strength in (0.1, 3):
            grid = (strength * neon_grid(6)).astype(np.float32)
            pictures.append(render(lightness.astype(np.float32), grid, bits=bits))
    np.testing.assert_array_equal(pictures[:2], pictures[2:])


def test_loops_are_compiled_when_a_process_has_painted_many_pixels(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Loading numba takes as long as painting these; a command for one small photo must not."""
    monkeypatch.setattr(compiling, "_upsampled", 0)
    monkeypatch.setattr(compiling, "PIXELS", 1000)
    assert compiling.compiled_loops(1000) is None
    assert compiling.compiled_loops() is None
    loops = compiling.compiled_loops(1)
    assert loops is not None
    assert compiling.compiled_loops() is loops
    compiling.stay_in_numpy()
    assert compiling.compiled_loops(1 << 40) is None


def test_numpy_goes_on_where_numba_cannot_be_imported() -> None:
    code = """
import sys, numpy as np
sys.modules["numba"] = None
from colorflow.color import compiling
from colorflow.color.full_resolution import render
compiling.PIXELS = -1
assert render(np.full((70, 70), 50, np.float32), np.ones((2, 64, 64), np.float32)).any()
assert compiling.compiled_loops() is None
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=100)


@pytest.mark.usefixtures("_loops")
@pytest.mark.filterwarnings("ignore:(invalid value|overflow) encountered")
def test_what_is_no_color_is_painted_all_the_same() -> None:
    """Compiled loops have no bounds but their own: a place beyond a table would end the process."""
    flat = np.full((80, 90), 50, np.float32)
    upsampler = GuidedUpsampler(np.ones((2, 64, 64), np.float32), flat)
    holes = flat.copy()
    holes[:, 40:] = np.nan
    assert render_upsampled(upsampler, holes).shape == (80, 90, 3)
    assert render(flat, np.full((2, 64, 64), 1e16, np.float32)).shape == (80, 90, 3)
    for wrong in ((10, 91), (10, 89), (11, 90)):
        with pytest.raises(ValueError, match="lightness: expected"):
            upsampler.rows(0, 10, np.zeros(wrong, np.float32))


@pytest.mark.slow
def test_loops_are_compiled_where_no_cache_can_be_written(tmp_path: Path) -> None:
    """A package that the user cannot write to, and no home."""
    package = tmp_path / "loops.py"
    package.write_text(Path(loops.__file__).read_text(encoding="utf-8"), encoding="utf-8")
    code = """
import numba.core.caching as caching
caching.CacheImpl._locator_classes = []
import numpy as np, loops
u = np.ones(36, np.float32)
loops.descend(u, np.ones((4, 36), np.float32), u.copy(), 6, 1, np.float32(1e-12))
"""
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}"}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, timeout=100)


@pytest.mark.slow
def test_numpy_goes_on_where_the_cache_is_damaged(tmp_path: Path) -> None:
    code = """
import numpy as np
from colorflow.color import compiling
from colorflow.color.full_resolution import LightnessRows, render
compiling.PIXELS = -1
painted = render(LightnessRows(np.arange(100 * 90, dtype=np.uint8).reshape(100, 90)),
                 np.ones((2, 64, 64), np.float32))
print(compiling.compiled_loops() is not None, painted.sum())
"""

    def said() -> list[str]:
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path), "PYTHONPATH": str(ROOT)},
            capture_output=True,
            check=True,
            timeout=200,
        )
        return done.stdout.decode().split()

    is_compiled, result = said()
    assert is_compiled == "True"
    indexes = list(tmp_path.rglob("*.nbi"))
    assert len(indexes) == 4
    for index in indexes:
        index.write_bytes(index.read_bytes()[:40])
    assert said() == ["False", result]


def test_importing_colors_does_not_load_numba() -> None:
    code = """
import sys, numpy as np
from colorflow.color.full_resolution import LightnessRows, render
render(LightnessRows(np.zeros((300, 300), np.uint8)), np.ones((2, 64, 64), np.float32))
assert "numba" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=100)

"""Metrics of one photo's colorings.

They use two spaces. Chroma is ab on the 64x64 grid in CIELAB units, as the model samples it. Color
is sRGB in [0, 1] on the same grid, made of the photo's own lightness there and the chroma, mapped
into the gamut as in every picture that colorflow writes. The true photo is exact on this grid, so
the errors of colors contain no error of upsampling.

Dimensions: n samples of one photo on a grid of H x W.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from colorflow.color.cie import linear_to_srgb
from colorflow.color.gamut import rgb_in_gamut

Floats = NDArray[np.float32]

SKIN_CHROMA, SKIN_HUE = 4.0, 95.0
"""Least chroma, in CIELAB units, and largest hue, in degrees, that skin can have."""
GRAY, COLORED, GLOW = 8.0, 11.0, 12.0
"""Chroma of what is left gray, of skin that need not be, and of what glows above the truth."""
STEP_CELLS = 6
"""Distance of the cells between which steps of chroma are measured, in cells of the 64x64 grid."""
FLAT_BELOW, EDGE_ABOVE = 3.0, 15.0
"""Steps of the true chroma that count as flat, and as an edge; CIELAB units."""
PSNR_SIDE = 256
"""Side in pixels of the square pictures whose PSNR is measured, as in the literature."""
BINS = 5
"""Bins of the shares of principal colorings, of equally many modes: 105 photos with four modes give
each bin's frequency to 4 or 5 points."""
SEAM_SPACING = 16
"""Distance between the borders of the model's coarsest cells, in cells of the 64x64 grid."""


def colors(lightness: Floats, ab: Tensor) -> Floats:
    """Combines a lightness with chroma.

    Args:
        lightness: (H, W), L* in [0, 100].
        ab: (n, 2, H, W), CIELAB units.

    Returns:
        (n, 3, H, W), sRGB in [0, 1].
    """
    height, width = lightness.shape
    planes = ab.transpose(0, 1).reshape(2, -1, width).numpy().copy()
    linear = rgb_in_gamut(np.tile(lightness, (len(ab), 1)), planes)
    rgb = linear_to_srgb(np.clip(linear, 0, 1)).reshape(3, len(ab), height, width)
    return np.ascontiguousarray(rgb.swapaxes(0, 1), np.float32)


def squared_errors(rgb: Floats, truth: Floats) -> NDArray[np.float64]:
    """Mean squared error of each coloring: (n, 3, H, W) and (3, H, W) to (n,)."""
    return np.square(rgb - truth).mean((1, 2, 3), dtype=np.float64)


def squared_error_of_best_pixels(rgb: Floats, truth: Floats) -> float:
    """Mean over pixels and channels of the smallest squared error among the samples at each.

    It rewards noise, since no sample looks like that; it is reported for comparison with published
    numbers.

    Reference: Ardizzone et al. 2019, section 4.2.
    """
    return float(np.square(rgb - truth).min(0).mean(dtype=np.float64))


def variance(rgb: Floats) -> float:
    """Mean over pixels and channels of the variance of samples, (n, 3, H, W), n at least 2."""
    return float(rgb.var(0, ddof=1, dtype=np.float64).mean())


def colorfulness(rgb: Floats) -> float:
    """Mean colorfulness of pictures, (n, 3, H, W), sRGB in [0, 1].

    Units are those of 8-bit sRGB: about 15 is slightly, 59 quite, 109 extremely colorful.

    Reference: Hasler & Suesstrunk 2003, the measure M^(3).
    """
    red, green, blue = (255 * rgb.astype(np.float64)).swapaxes(0, 1)
    red_green, yellow_blue = red - green, (red + green) / 2 - blue
    spread = np.hypot(red_green.std((1, 2)), yellow_blue.std((1, 2)))
    mean = np.hypot(red_green.mean((1, 2)), yellow_blue.mean((1, 2)))
    return float((spread + 0.3 * mean).mean())


def diversity(samples: Tensor) -> float:
    """Mean distance of ab over all pixels and all pairs of samples.

    Args:
        samples: (n, 2, H, W), CIELAB units, n at least 2.
    """
    first, second = torch.triu_indices(len(samples), len(samples), offset=1)
    return float((samples[first] - samples[second]).norm(dim=1).double().mean())


def mean_chroma(samples: Tensor) -> Tensor:
    """Mean chroma of each sample: (n, 2, H, W) to (n,), CIELAB units."""
    return samples.norm(dim=1).mean((1, 2))


def seam_steps(samples: Tensor) -> tuple[float, float]:
    """Mean steps of chroma at the borders of the model's coarsest cells, and everywhere else.

    A step is the distance in ab between a cell and its neighbor in the next row or column. The two
    means of a photo are nearly equal, since its colors do not follow the model's cells.

    Args:
        samples: (n, 2, 64, 64), CIELAB units.
    """
    across = samples.diff(dim=3).norm(dim=1).mean((0, 1), dtype=torch.float64)
    down = samples.diff(dim=2).norm(dim=1).mean((0, 2), dtype=torch.float64)
    steps = (across + down) / 2  # entry j: from cell j to j + 1
    at_seam = torch.arange(1, len(steps) + 1) % SEAM_SPACING == 0
    return float(steps[at_seam].mean()), float(steps[~at_seam].mean())


def thing_steps(ab: Tensor, truth: Tensor) -> tuple[float, float]:
    """Mean steps of chroma within things and at their outlines, over the coloring's contrast.

    A step is the distance in ab between cells `STEP_CELLS` apart in a row or column. Where the
    truth hardly changes, a coloring should not change either (flat steps, low is good); where the
    truth has an edge, it should have one (true steps, high is good).

    Args:
        ab: (2, 64, 64) of a coloring, CIELAB units.
        truth: (2, 64, 64).

    Returns:
        The flat and the true steps; nan where the truth has none of the kind.
    """
    own, true = _steps(ab), _steps(truth)
    contrast = float((ab - ab.mean((1, 2), keepdim=True)).norm(dim=0).mean())
    own = own / max(contrast, 1e-6)
    return float(own[true < FLAT_BELOW].mean()), float(own[true > EDGE_ABOVE].mean())


def skin_sums(ab: Tensor, truth: Tensor, found: NDArray[np.bool_]) -> tuple[float, ...]:
    """How skin is colored, as sums over cells, which photos share.

    Args:
        ab: (2, 64, 64) of a coloring, CIELAB units.
        truth: (2, 64, 64).
        found: (64, 64), what is taken for skin.

    Returns:
        Over the cells that are taken for skin and whose true color can be skin's: the sum of
        squared errors of ab, that of squared true ab, the cells left gray (chroma below `GRAY`,
        and above `COLORED` in truth), those above `COLORED` in truth, the cells that glow (chroma
        `GLOW` above the truth), and all.
    """
    true = truth.norm(dim=0)
    hue = torch.rad2deg(torch.atan2(truth[1], truth[0]))
    is_skin = torch.from_numpy(found) & (true > SKIN_CHROMA) & (hue > 0) & (hue < SKIN_HUE)
    own, true = ab.norm(dim=0)[is_skin], true[is_skin]
    error = (ab - truth).square().sum(0)[is_skin].sum()
    colored = true > COLORED
    gray, glows = (own < GRAY) & colored, own > true + GLOW
    sums = (error, true.square().sum(), gray.sum(), colored.sum(), glows.sum(), is_skin.sum())
    return tuple(map(float, sums))


def _steps(ab: Tensor) -> Tensor:
    across = (ab[:, :, STEP_CELLS:] - ab[:, :, :-STEP_CELLS]).norm(dim=0)
    down = (ab[:, STEP_CELLS:] - ab[:, :-STEP_CELLS]).norm(dim=0)
    return torch.cat([across.flatten(), down.flatten()]).double()


def psnr(picture: NDArray[np.uint8], truth: NDArray[np.uint8]) -> float:
    """Peak signal-to-noise ratio of an sRGB picture, dB; infinite for equal ones."""
    error = np.square(picture.astype(np.float64) - truth).mean()
    return float(10 * np.log10(255**2 / error)) if error else float("inf")


def coverage(samples: Tensor, truth: Tensor, nominal: float) -> float:
    """Share of the numbers of a photo that lie in the central interval of its samples.

    The interval consists of ranks. If samples and truth come from one distribution, the number of
    samples below the truth is 0 to n with equal probability. The interval is the `nominal` (n + 1)
    most central of these n + 1 ranks, the outermost ones counted in part, so that the expected
    share is exactly `nominal` for any n.

    Args:
        samples: (n, 2, H, W).
        truth: (2, H, W).
        nominal: share, in (0, 1).
    """
    n = len(samples)
    rank = (samples < truth).sum(0)
    from_center = (2 * rank - n).abs()  # n, n - 2, ... for two ranks each; 0 for one, if n is even
    wanted = nominal * (n + 1)
    inside = 0.0
    share = torch.zeros(n + 1, dtype=torch.float64)
    for distance in range(n % 2, n + 1, 2):
        ranks = 1 if distance == 0 else 2
        share[distance] = min(1.0, max(0.0, wanted - inside) / ranks)
        inside += ranks
    return float(share[from_center].mean())


def nearest_mode(modes: Tensor, truth: Tensor) -> int:
    """Finds the mode with the smallest root mean square distance of chroma from the truth.

    Args:
        modes: (k, 2, 64, 64), CIELAB units, or any other space in which the shares were counted.
        truth: (2, 64, 64), in the same space.
    """
    return int((modes - truth).flatten(1).norm(dim=1).argmin())


def share_differences(
    shares: NDArray[np.floating], nearest: NDArray[np.integer]
) -> NDArray[np.float64]:
    """How often the truth was nearest to modes of similar shares, minus their mean share.

    A photo is shown as k modes, each with the share of the samples that lie nearest to it. If the
    samples come from the true distribution, the truth lies nearest to a mode of share s in the
    share s of all cases (reliability diagram).

    Bins hold equally many modes; modes of one share may fall on both sides of a border.

    Args:
        shares: (N, k), of each photo's modes, with the sum 1.
        nearest: (N,), the index of each photo's `nearest_mode`.

    Returns:
        In points, from the bin of the smallest shares to that of the largest: above 0 where modes
        are right more often than they promise. Chance alone makes the largest of the absolute
        values about 1.5 times the error of a bin.

    Reference: Murphy & Winkler 1977.
    """
    hit = np.arange(shares.shape[1]) == nearest[:, None]
    order = np.argsort(shares, axis=None, kind="stable")
    differences, photos = [], len(shares)
    for part in map(np.sort, np.array_split(order, min(BINS, len(order)))):
        hits_per_photo, modes_per_photo = hit.flat[part].sum() / photos, len(part) / photos
        differences.append(100 * (hits_per_photo / modes_per_photo - shares.flat[part].mean()))
    return np.array(differences)


def kernel_terms(x: NDArray[np.floating], y: NDArray[np.floating]) -> NDArray[np.float64]:
    """Terms whose mean over pairs of different photos is the squared kernel distance of x and y.

    The kernel is (x.y / D + 1)^3, as in the kernel inception distance. Row i of x and row i of y
    belong to the same photo and depend on each other, so none of the three kernel means contains
    such a pair; the mean over pairs then has no bias.

    Args:
        x: (N, D), features of true pictures.
        y: (N, D), features of their colorings.

    Returns:
        (N, N), symmetric; its diagonal has no meaning.

    Reference: Gretton et al. 2012, eq. 4 (estimator); Binkowski et al. 2018 (kernel).
    """
    cross = _kernel(x, y)
    return _kernel(x, x) + _kernel(y, y) - cross - cross.T


def _kernel(x: NDArray[np.floating], y: NDArray[np.floating]) -> NDArray[np.float64]:
    products = x.astype(np.float64) @ y.astype(np.float64).T
    return np.asarray((products / x.shape[1] + 1) ** 3, np.float64)


def bits_per_dim(nats: float, dimensions: int) -> float:
    """Converts a negative log-likelihood, nats a photo, to bits a dimension."""
    return nats / (dimensions * math.log(2))

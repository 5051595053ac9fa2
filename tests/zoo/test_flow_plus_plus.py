"""Flow++'s variational dequantization, with exact probabilities of tiny images from scipy."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from scipy.stats import multivariate_normal
from torch import Tensor, nn
from torch.distributions import MultivariateNormal

from colorflow.flows import Dequantization
from colorflow.zoo import flow_plus_plus_dequantization

LEVELS = 2
SHAPE = (1, 1, 2)
MEAN = (0.3, 0.2)
COVARIANCE = ((0.04, 0.02), (0.02, 0.04))
"""Of the density of u: narrow and correlated within the cells, with its mode in that of (0, 0)."""
SAMPLES = 4000


def exact(image: Tensor) -> float:
    """log P: the density's mass in the cell of the image."""
    lower = (image.flatten() / LEVELS).numpy()
    mass = multivariate_normal.cdf(lower + 1 / LEVELS, MEAN, COVARIANCE, lower_limit=lower)
    return math.log(mass)


def terms(dequantization: Dequantization, images: Tensor, seed: int) -> Tensor:
    """log p(u) + bound of one sample for every image."""
    generator = torch.Generator().manual_seed(seed)
    context = torch.ones_like(images)
    u, bound = dequantization(images, context, generator=generator)
    dtype = torch.float64
    density = MultivariateNormal(torch.tensor(MEAN, dtype=dtype), torch.tensor(COVARIANCE).double())
    return density.log_prob(u.flatten(1)) + bound


def test_weights_have_the_probability_as_their_mean(randomize: Callable[..., nn.Module]) -> None:
    """E[p(u) exp(bound)] = P(x): true for no other log q than that of the noise."""
    dequantization = flow_plus_plus_dequantization(SHAPE, 1, levels=LEVELS, width=8).double()
    randomize(dequantization, 0.2)
    image = torch.zeros(SHAPE, dtype=torch.float64)
    with torch.no_grad():
        samples = terms(dequantization, image.expand(SAMPLES, *SHAPE), seed=1)
    ratio = (samples - exact(image)).exp()
    error = ratio.std() / math.sqrt(SAMPLES)
    assert error < 0.03
    assert abs(ratio.mean() - 1) < 4 * error

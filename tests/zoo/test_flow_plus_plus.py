"""Flow++'s variational dequantization, with exact probabilities of tiny images from scipy."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from scipy.stats import multivariate_normal
from torch import nn
from torch.distributions import MultivariateNormal

from colorflow.zoo import flow_plus_plus_dequantization

LEVELS = 2
SHAPE = (1, 1, 2)
MEAN = (0.3, 0.2)
COVARIANCE = ((0.04, 0.02), (0.02, 0.04))
"""Of the density of u: narrow and correlated within the cells, with its mode in that of (0, 0)."""
SAMPLES = 4000


def test_weights_have_the_probability_as_their_mean(randomize: Callable[..., nn.Module]) -> None:
    """E[p(u) exp(bound)] = P(x): true for no other log q than that of the noise."""
    dequantization = flow_plus_plus_dequantization(SHAPE, 1, levels=LEVELS, width=8).double()
    randomize(dequantization, 0.2)
    images = torch.zeros(SAMPLES, *SHAPE, dtype=torch.float64)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        u, bound = dequantization(images, torch.ones_like(images), generator=generator)
    density = MultivariateNormal(torch.tensor(MEAN).double(), torch.tensor(COVARIANCE).double())
    mass = multivariate_normal.cdf([0.5, 0.5], MEAN, COVARIANCE, lower_limit=[0, 0])
    ratio = (density.log_prob(u.flatten(1)) + bound).exp() / mass
    error = ratio.std() / math.sqrt(SAMPLES)
    assert error < 0.03
    assert abs(ratio.mean() - 1) < 4 * error

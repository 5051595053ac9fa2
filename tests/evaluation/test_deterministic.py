"""The deterministic network: its arithmetic by hand, and the statistics that it takes."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from scipy.signal import correlate2d
from scipy.special import erf

from colorflow.evaluation.baselines import CHROMA_UNIT, OWN_BLOCKS_INPUT, DeterministicNetwork
from tests.evaluation.conftest import random_condition
from tests.evaluation.small_baselines import CONFIG


def convolution(h: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """(C, g, g) -> (D, g, g) by kernels of 3x3, zeros around."""
    return np.stack(
        [
            b + sum(correlate2d(x, k, mode="same") for x, k in zip(h, kernels, strict=True))
            for kernels, b in zip(weight, bias, strict=True)
        ]
    )


def finer(means: np.ndarray, details: np.ndarray) -> np.ndarray:
    """(2, g, g) means and (6, g, g) orthonormal details by kind and channel -> (2, 2g, 2g)."""
    across, down, diagonal = details.reshape(3, 2, *details.shape[1:])
    result = np.empty((2, 2 * means.shape[1], 2 * means.shape[2]))
    for row, column in ((0, 0), (0, 1), (1, 0), (1, 1)):
        signs = (-1) ** column, (-1) ** row, (-1) ** (row + column)
        detail = signs[0] * across + signs[1] * down + signs[2] * diagonal
        result[:, row::2, column::2] = means + detail / 2
    return result


def test_the_output_is_what_heads_and_haar_steps_say(randomize: Any) -> None:
    """Each head on its context's GELU, in units of 20; the context sees the chroma so far.

    The coarsest one sees the maps of the network's own blocks.
    """
    network = randomize(DeterministicNetwork(CONFIG), gain=0.35)
    condition = random_condition(1)
    details = 0.0
    with torch.no_grad():
        found = network(condition)[0].numpy()
        own = network.contexts[0].last_blocks(condition.features[OWN_BLOCKS_INPUT])
        assert set(own) == {8}
        seen = replace(condition, features=condition.features | own)
        chroma: np.ndarray | None = None
        for context, head in zip(network.contexts, network.heads, strict=True):
            coarse = None if chroma is None else torch.from_numpy(chroma).float()[None]
            h = context.of_sample(context.of_photo(seen), coarse)[0].double().numpy()
            h = h * (1 + erf(h / math.sqrt(2))) / 2
            out = 20 * convolution(h, *(x.double().numpy() for x in (head.weight, head.bias)))
            if chroma is None:
                chroma, seen = out, condition
            else:
                details = max(details, float(np.abs(out).min(0).max()))
                chroma = finer(chroma, out)
    assert chroma is not None
    assert CHROMA_UNIT == 20
    assert details > 1
    np.testing.assert_allclose(found, chroma, rtol=0, atol=2e-3)
    assert np.ptp(found) > 10

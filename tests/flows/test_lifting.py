"""Wavelet steps by lifting, against PyWavelets and the functions that they must reproduce."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from colorflow.flows import CDF53


def normal(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.peers
def test_lifting_agrees_with_pywavelets() -> None:
    import pywt

    x = normal(2, 3, 16, 12)
    means, horizontal, vertical, diagonal = CDF53()(x)[0].chunk(4, 1)
    approximation, (rows, columns, corners) = pywt.dwt2(x.numpy(), "bior2.2", mode="reflect")
    expected = [part[..., 1:9, 1:7] for part in (approximation, columns, rows, corners)]
    np.testing.assert_allclose(2 * means, expected[0], rtol=0, atol=1e-13)
    for ours, theirs in zip((horizontal, vertical, diagonal), expected[1:], strict=True):
        sign = np.sign((ours.numpy() * theirs).sum())
        np.testing.assert_allclose(sign * ours, theirs, rtol=0, atol=1e-13)

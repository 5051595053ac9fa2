"""Values that are known at some locations of a grid pull the rest of it along, invertibly.

In the direction of sampling this is the update of kriging, as in Matheron's rule: with x the
sample, h the known values, x_c the sample at their locations and k a covariance between locations,

    y = x + K_xc (K_cc + r I)^-1 (h - x_c).

At the locations y is close to h, around them x is shifted by what it missed there, and its own
details stay. With r > 0 nothing is lost: there I - K_cc (K_cc + r I)^-1 = r (K_cc + r I)^-1 is
positive definite, so the map has the inverse x = y - K_xc (h - y_c) / r and the log-determinant
n log r - log det(K_cc + r I) for n locations.

Dimensions: B samples, C channels.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from colorflow.flows.contract import Bijection


class KrigingUpdate(Bijection):
    """Pulls samples towards known values; all channels alike, by one covariance.

    The context is (B, C + 2, H, W): a mask (a location is known where it is above 0.5), C values,
    which count where it is, and a covariate such as lightness, at whose edges the pull ends.
    Without known locations, or without context, it is the identity.

    Args:
        reach: length scale of the covariance on the grid, in cells.
        likeness: its length scale in the covariate.
        looseness: r, against a covariance of 1 at a location itself. The known value holds all the
            more strictly the smaller it is.

    Raises:
        ValueError: if one of them is not above 0.

    Reference: Journel & Huijbregts 1978, "Mining Geostatistics" (conditional simulation by
    kriging); Wilson et al. 2020 (Matheron's rule).
    """

    def __init__(self, reach: float, likeness: float, looseness: float) -> None:
        super().__init__()
        for name, value in (("reach", reach), ("likeness", likeness), ("looseness", looseness)):
            if not 0 < value < math.inf:
                raise ValueError(f"{name}: expected a number above 0, got {value}")
        self.reach, self.likeness, self.looseness = reach, likeness, looseness

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return self._map(x, context, undo=True)

    def inverse(self, z: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return self._map(z, context, undo=False)

    def _map(self, x: Tensor, context: Tensor | None, *, undo: bool) -> tuple[Tensor, Tensor]:
        if context is None:
            return x.clone(), x.new_zeros(len(x))
        results, ladjs = [], []
        for i, sample in enumerate(x):
            known = context[i, 0].flatten() > 0.5
            if not bool(known.any()):
                results.append(sample.clone())
                ladjs.append(x.new_zeros(()))
                continue
            values = context[i, 1:-1].flatten(1)[:, known].double()
            shifted, ladj = self._pull(sample, known, values, context[i, -1], undo=undo)
            results.append(shifted)
            ladjs.append(ladj.to(x.dtype))
        return torch.stack(results), torch.stack(ladjs)

    def _pull(
        self, sample: Tensor, known: Tensor, values: Tensor, covariate: Tensor, *, undo: bool
    ) -> tuple[Tensor, Tensor]:
        """One sample (C, H, W), with n known locations of (H W,) and their values (C, n)."""
        locations = self._locations(covariate)
        to_known = _covariance(locations, locations[known])
        spread = to_known[known] + self.looseness * torch.eye(
            values.shape[1], dtype=torch.float64, device=sample.device
        )
        factor = torch.linalg.cholesky(spread)
        missed = (values - sample.flatten(1)[:, known].double()).T
        if undo:
            shift = -(to_known @ missed) / self.looseness
        else:
            shift = to_known @ torch.cholesky_solve(missed, factor)
        log_det = 2 * factor.diagonal().log().sum() - len(factor) * math.log(self.looseness)
        ladj = len(sample) * (log_det if undo else -log_det)
        return sample + shift.T.reshape(sample.shape).to(sample.dtype), ladj

    def _locations(self, covariate: Tensor) -> Tensor:
        """Row, column and covariate in units of their length scales: (H W, 3)."""
        rows, columns = torch.meshgrid(
            *(torch.arange(length, dtype=torch.float64) for length in covariate.shape),
            indexing="ij",
        )
        grid = torch.stack([rows, columns]).to(covariate.device) / self.reach
        return torch.cat([grid, covariate[None].double() / self.likeness]).flatten(1).T


def _covariance(left: Tensor, right: Tensor) -> Tensor:
    """exp(-distance^2 / 2) of each location on the left to each on the right, 1 to itself."""
    return torch.exp(
        -(torch.cdist(left, right, compute_mode="donot_use_mm_for_euclid_dist") ** 2) / 2
    )

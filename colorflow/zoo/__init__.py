"""Published architectures, built from `colorflow.flows` alone.

Each is one function `name(shape, context_channels, *, ...) -> Bijection` that takes x (B, C, H, W),
given a context (B, context_channels, H, W), to flat latents (B, C * H * W); `Flow(bijection, (n,))`
makes it a density. MAF, IAF, NAF and TarFlow also do without a context, for 0 channels; the others
raise `ValueError` then. `ARCHITECTURES` names those that are compared on chroma, at the reduced
sizes at which they are; `srflow` is compared on enlarging.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from colorflow.flows import Bijection
from colorflow.zoo.autoregressive import iaf, maf, naf, tarflow
from colorflow.zoo.cinn2019 import cinn2019
from colorflow.zoo.couplings import glow, neural_spline_flow, nice, realnvp, srflow
from colorflow.zoo.flow_plus_plus import flow_plus_plus, flow_plus_plus_dequantization
from colorflow.zoo.pyramid import pyramid
from colorflow.zoo.residual import planar, radial, residual
from colorflow.zoo.scales import Shape

__all__ = [
    "ARCHITECTURES", "Architecture", "cinn2019", "flow_plus_plus", "flow_plus_plus_dequantization",
    "glow", "iaf", "maf", "naf", "neural_spline_flow", "nice", "planar", "pyramid", "radial",
    "realnvp", "residual", "srflow", "tarflow",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Architecture:
    """A published architecture at the size at which it is compared."""

    name: str
    """As shown."""
    build: Callable[[Shape, int], Bijection]
    """(C, H, W) of a sample and the channels of the context -> the bijection."""
    reduced: str
    """What is smaller than published."""
    images: bool = True
    """False for those that are for data in the plane."""


ARCHITECTURES: dict[str, Architecture] = {
    "nice": Architecture("NICE", nice, "6 couplings, convolutional networks of 64 channels"),
    "realnvp": Architecture(
        "RealNVP", realnvp, "2 scales, 32 channels in both; ActNorm for batch norm"
    ),
    "glow": Architecture("Glow", glow, "2 scales of 6 steps, 64 channels"),
    "flow++": Architecture(
        "Flow++",
        flow_plus_plus,
        "2 scales of 2 + 2 couplings, 1 block of 64 channels; no dequantization",
    ),
    "nsf": Architecture(
        "Neural spline flow", neural_spline_flow, "2 scales of 4 steps, 1 block of 48 channels"
    ),
    "maf": Architecture(
        "MAF", maf, "4 layers, one hidden layer of 512 units; ActNorm for batch norm"
    ),
    "iaf": Architecture("IAF", iaf, "as MAF, by which it is taught"),
    "naf": Architecture(
        "NAF", naf, "2 layers of 8 sigmoids, convolutional networks of 48 channels"
    ),
    "residual": Architecture("Residual Flow", residual, "2 scales of 4 blocks, 128 channels"),
    "tarflow": Architecture("TarFlow", tarflow, "4 transformers of 2 layers, 96 channels"),
    "planar": Architecture("Planar flow", planar, "32 layers", images=False),
    "radial": Architecture("Radial flow", radial, "32 layers", images=False),
    "cinn2019": Architecture(
        "cINN",
        partial(
            cinn2019,
            widths=(24, 48, 48, 48),
            condition_widths=(48, 48, 48),
            dense_width=96,
            dense_condition_widths=(48, 48, 48, 64),
        ),
        "24 to 48 channels, 96 dense units; two stages at 16x16",
    ),
    "pyramid": Architecture(
        "Chroma pyramid", pyramid, "6 couplings of 64 channels a level, one context for all levels"
    ),
}

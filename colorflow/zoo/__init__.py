"""Published architectures, one a file, built from `colorflow.flows` alone.

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
from colorflow.zoo.cinn2019 import cinn2019
from colorflow.zoo.early import planar, radial
from colorflow.zoo.flow_plus_plus import flow_plus_plus, flow_plus_plus_dequantization
from colorflow.zoo.glow import glow, neural_spline_flow
from colorflow.zoo.maf_iaf import iaf, maf
from colorflow.zoo.naf import naf
from colorflow.zoo.nice import nice
from colorflow.zoo.pyramid import pyramid
from colorflow.zoo.realnvp import realnvp
from colorflow.zoo.residual import residual
from colorflow.zoo.scales import Shape
from colorflow.zoo.srflow import srflow
from colorflow.zoo.tarflow import tarflow


@dataclass(frozen=True, kw_only=True, slots=True)
class Architecture:
    """A published architecture at the size at which it is compared."""

    name: str
    """As shown."""
    build: Callable[[Shape, int], Bijection]
    """(C, H, W) of a sample and the channels of the context -> the bijection."""
    source: str
    """Authors and year."""
    published: str
    """Published likelihood and its data set."""
    reduced: str
    """What is smaller than published."""
    images: bool = True
    """False for those that are for data in the plane."""


ARCHITECTURES: dict[str, Architecture] = {
    "nice": Architecture(
        name="NICE",
        build=nice,
        source="Dinh et al. 2015",
        published="5371.78 nats on whitened CIFAR-10",
        reduced="6 couplings, convolutional networks of 64 channels",
    ),
    "realnvp": Architecture(
        name="RealNVP",
        build=realnvp,
        source="Dinh et al. 2017",
        published="3.98 bits/dim on ImageNet 64x64",
        reduced="2 scales, 32 channels in both; ActNorm for batch norm",
    ),
    "glow": Architecture(
        name="Glow",
        build=glow,
        source="Kingma & Dhariwal 2018",
        published="3.81 bits/dim on ImageNet 64x64",
        reduced="2 scales of 6 steps, 64 channels",
    ),
    "flow++": Architecture(
        name="Flow++",
        build=flow_plus_plus,
        source="Ho et al. 2019",
        published="3.69 bits/dim on ImageNet 64x64",
        reduced="2 scales of 2 + 2 couplings, 1 block of 64 channels; no dequantization",
    ),
    "nsf": Architecture(
        name="Neural spline flow",
        build=neural_spline_flow,
        source="Durkan et al. 2019",
        published="3.82 bits/dim on ImageNet 64x64",
        reduced="2 scales of 4 steps, 1 block of 48 channels",
    ),
    "maf": Architecture(
        name="MAF",
        build=maf,
        source="Papamakarios et al. 2017",
        published="4.31 bits/dim on CIFAR-10",
        reduced="4 layers, one hidden layer of 512 units; ActNorm for batch norm",
    ),
    "iaf": Architecture(
        name="IAF",
        build=iaf,
        source="Kingma et al. 2016",
        published="3.11 bits/dim on CIFAR-10, in a variational autoencoder",
        reduced="as MAF, by which it is taught",
    ),
    "naf": Architecture(
        name="NAF",
        build=naf,
        source="Huang et al. 2018",
        published="no photos",
        reduced="2 layers of 8 sigmoids, convolutional networks of 48 channels",
    ),
    "residual": Architecture(
        name="Residual Flow",
        build=residual,
        source="Behrmann et al. 2019, Chen et al. 2019",
        published="3.76 bits/dim on ImageNet 64x64",
        reduced="2 scales of 4 blocks, 128 channels",
    ),
    "tarflow": Architecture(
        name="TarFlow",
        build=tarflow,
        source="Zhai et al. 2024",
        published="2.99 bits/dim on ImageNet 64x64",
        reduced="4 transformers of 2 layers, 96 channels",
    ),
    "planar": Architecture(
        name="Planar flow",
        build=planar,
        source="Rezende & Mohamed 2015",
        published="85.1 nats on binarized MNIST, in a variational autoencoder",
        reduced="32 layers",
        images=False,
    ),
    "radial": Architecture(
        name="Radial flow",
        build=radial,
        source="Rezende & Mohamed 2015",
        published="no photos",
        reduced="32 layers",
        images=False,
    ),
    "cinn2019": Architecture(
        name="cINN",
        build=partial(
            cinn2019,
            widths=(24, 48, 48, 48),
            condition_widths=(48, 48, 48),
            dense_width=96,
            dense_condition_widths=(48, 48, 48, 64),
        ),
        source="Ardizzone et al. 2019",
        published="no likelihood",
        reduced="24 to 48 channels, 96 dense units; two stages at 16x16",
    ),
    "pyramid": Architecture(
        name="Chroma pyramid",
        build=pyramid,
        source="this project",
        published="2.84 bits/dim on ab at 64x64",
        reduced="6 couplings of 64 channels a level, one context for all levels",
    ),
}

__all__ = [
    "ARCHITECTURES",
    "Architecture",
    "cinn2019",
    "flow_plus_plus",
    "flow_plus_plus_dequantization",
    "glow",
    "iaf",
    "maf",
    "naf",
    "neural_spline_flow",
    "nice",
    "planar",
    "pyramid",
    "radial",
    "realnvp",
    "residual",
    "srflow",
    "tarflow",
]

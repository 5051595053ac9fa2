"""Bijections with exact log-determinants, one family a file.

contract.py     Bijection, Composition
elementwise.py  monotone maps of single numbers: affine, rational-quadratic spline
coupling.py     couplings over channel halves and masks, context-only transforms
linear.py       standardisation, channel permutation
shape.py        squeeze, Haar
bounded.py      a bounded range made unbounded
networks.py     what couplings compute their parameters with
"""

from colorflow.flows.bounded import BoundedRange
from colorflow.flows.contract import Bijection, Composition, sum_by_sample
from colorflow.flows.coupling import (
    ChannelPartition,
    ContextTransform,
    Coupling,
    MaskPartition,
    Partition,
    checkerboard,
)
from colorflow.flows.elementwise import (
    Affine,
    AffineSpline,
    ElementwiseTransform,
    RationalQuadraticSpline,
    soft_clamp,
)
from colorflow.flows.linear import ChannelPermutation, Standardize
from colorflow.flows.networks import AttentionLayer, AttentionNetwork, ConvolutionNetwork
from colorflow.flows.shape import Haar, Squeeze

__all__ = [
    "Affine",
    "AffineSpline",
    "AttentionLayer",
    "AttentionNetwork",
    "Bijection",
    "BoundedRange",
    "ChannelPartition",
    "ChannelPermutation",
    "Composition",
    "ContextTransform",
    "ConvolutionNetwork",
    "Coupling",
    "ElementwiseTransform",
    "Haar",
    "MaskPartition",
    "Partition",
    "RationalQuadraticSpline",
    "Squeeze",
    "Standardize",
    "checkerboard",
    "soft_clamp",
    "sum_by_sample",
]

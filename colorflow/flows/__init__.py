"""Bijections with exact log-determinants, one family a file.

contract.py     Bijection, Composition, Inverse, WithContext
density.py      Flow: a bijection and a standard normal; one flow taught the density of another
elementwise.py  monotone maps of single numbers: additive, affine; a bounded range made unbounded
splines.py      linear, quadratic and rational-quadratic splines
mixture.py      mixture of logistic distributions, and monotone networks of such layers
roots.py        numerical inverses of monotone maps
coupling.py     couplings over channel halves and masks, context-only transforms
matrices.py     diagonal, triangular, block-diagonal, full and PLU matrices
linear.py       matrices over channels (1x1 convolution), permutation, ActNorm, standardization
convolution.py  emerging and periodic convolution
autoregressive.py  each element given the earlier ones, by a masked network or a transformer
masked_networks.py  dense and convolutional networks of such flows
residual.py     invertible residual blocks
lipschitz.py    layers and networks with a bounded Lipschitz constant
trace.py        estimators of the log-determinant of residual blocks
planar.py       planar and radial flows
history.py      Tabak & Turner's radial steps, Rippel & Adams' deep density model
shape.py        squeeze, Haar, reshape, the multi-scale split
lifting.py      wavelet steps whose bands overlap
dequantization.py  whole numbers made continuous
kriging.py      known values pull the rest of a grid along
networks.py     what couplings compute their parameters with
"""

from colorflow.flows.autoregressive import Autoregressive, TransformerAutoregressive
from colorflow.flows.contract import (
    Bijection,
    Composition,
    Inverse,
    InversionError,
    WithContext,
    sum_by_sample,
)
from colorflow.flows.convolution import EmergingConvolution, PeriodicConvolution
from colorflow.flows.coupling import (
    ChannelPartition,
    ContextTransform,
    Coupling,
    MaskPartition,
    Partition,
    checkerboard,
    half_mask,
)
from colorflow.flows.density import Flow, distillation_loss
from colorflow.flows.dequantization import (
    Dequantization,
    UniformDequantization,
    VariationalDequantization,
)
from colorflow.flows.elementwise import (
    Additive,
    Affine,
    BoundedRange,
    ElementwiseTransform,
    Logit,
    soft_clamp,
)
from colorflow.flows.history import RippelAdams, TabakTurner
from colorflow.flows.kriging import KrigingUpdate
from colorflow.flows.lifting import CDF53
from colorflow.flows.linear import ActNorm, ChannelPermutation, Linear, Standardize
from colorflow.flows.lipschitz import (
    Contraction,
    LipschitzConvolution,
    LipschitzDenseNetwork,
    LipschitzLinear,
    LipschitzNetwork,
    LipSwish,
)
from colorflow.flows.masked_networks import (
    AutoregressiveNetwork,
    MaskedConvolutionNetwork,
    MaskedNetwork,
    raster_order,
)
from colorflow.flows.matrices import (
    BlockDiagonalMatrix,
    DiagonalMatrix,
    FullMatrix,
    MatrixStructure,
    PLUMatrix,
    TriangularMatrix,
)
from colorflow.flows.mixture import MixtureLogisticCDF, MonotoneNetwork
from colorflow.flows.networks import (
    AttentionLayer,
    AttentionNetwork,
    ConvolutionNetwork,
    GatedNetwork,
    PooledNetwork,
    ResidualNetwork,
)
from colorflow.flows.planar import Planar, Radial
from colorflow.flows.residual import Residual
from colorflow.flows.roots import invert_monotone
from colorflow.flows.shape import Flatten, Haar, Reshape, Split, Squeeze
from colorflow.flows.splines import (
    AffineSpline,
    LinearSpline,
    QuadraticSpline,
    RationalQuadraticSpline,
)
from colorflow.flows.trace import ExactLogDet, LogDetEstimator, PowerSeries, RussianRoulette

__all__ = [
    "CDF53",
    "ActNorm",
    "Additive",
    "Affine",
    "AffineSpline",
    "AttentionLayer",
    "AttentionNetwork",
    "Autoregressive",
    "AutoregressiveNetwork",
    "Bijection",
    "BlockDiagonalMatrix",
    "BoundedRange",
    "ChannelPartition",
    "ChannelPermutation",
    "Composition",
    "ContextTransform",
    "Contraction",
    "ConvolutionNetwork",
    "Coupling",
    "Dequantization",
    "DiagonalMatrix",
    "ElementwiseTransform",
    "EmergingConvolution",
    "ExactLogDet",
    "Flatten",
    "Flow",
    "FullMatrix",
    "GatedNetwork",
    "Haar",
    "Inverse",
    "InversionError",
    "KrigingUpdate",
    "Linear",
    "LinearSpline",
    "LipSwish",
    "LipschitzConvolution",
    "LipschitzDenseNetwork",
    "LipschitzLinear",
    "LipschitzNetwork",
    "LogDetEstimator",
    "Logit",
    "MaskPartition",
    "MaskedConvolutionNetwork",
    "MaskedNetwork",
    "MatrixStructure",
    "MixtureLogisticCDF",
    "MonotoneNetwork",
    "PLUMatrix",
    "Partition",
    "PeriodicConvolution",
    "Planar",
    "PooledNetwork",
    "PowerSeries",
    "QuadraticSpline",
    "Radial",
    "RationalQuadraticSpline",
    "Reshape",
    "Residual",
    "ResidualNetwork",
    "RippelAdams",
    "RussianRoulette",
    "Split",
    "Squeeze",
    "Standardize",
    "TabakTurner",
    "TransformerAutoregressive",
    "TriangularMatrix",
    "UniformDequantization",
    "VariationalDequantization",
    "WithContext",
    "checkerboard",
    "distillation_loss",
    "half_mask",
    "invert_monotone",
    "raster_order",
    "soft_clamp",
    "sum_by_sample",
]

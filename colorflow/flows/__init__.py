"""Bijections with exact log-determinants, one family a file.

contract.py     Bijection, Composition, Inverse, WithContext
density.py      Flow: a bijection and a standard normal; one flow taught the density of another;
                whole numbers made continuous
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
residual.py     invertible residual blocks, and estimators of their log-determinant
lipschitz.py    layers and networks with a bounded Lipschitz constant
planar.py       planar and radial flows; Tabak & Turner's radial steps, Rippel & Adams' model
shape.py        squeeze, Haar, reshape, the multi-scale split, wavelet steps by lifting
kriging.py      known values pull the rest of a grid along
networks.py     what couplings compute their parameters with
"""

from colorflow.flows.autoregressive import Autoregressive as Autoregressive
from colorflow.flows.autoregressive import TransformerAutoregressive as TransformerAutoregressive
from colorflow.flows.contract import Bijection as Bijection
from colorflow.flows.contract import Composition as Composition
from colorflow.flows.contract import Inverse as Inverse
from colorflow.flows.contract import InversionError as InversionError
from colorflow.flows.contract import WithContext as WithContext
from colorflow.flows.contract import sum_by_sample as sum_by_sample
from colorflow.flows.convolution import EmergingConvolution as EmergingConvolution
from colorflow.flows.convolution import PeriodicConvolution as PeriodicConvolution
from colorflow.flows.coupling import ChannelPartition as ChannelPartition
from colorflow.flows.coupling import ContextTransform as ContextTransform
from colorflow.flows.coupling import Coupling as Coupling
from colorflow.flows.coupling import MaskPartition as MaskPartition
from colorflow.flows.coupling import Partition as Partition
from colorflow.flows.coupling import checkerboard as checkerboard
from colorflow.flows.coupling import half_mask as half_mask
from colorflow.flows.density import Dequantization as Dequantization
from colorflow.flows.density import Flow as Flow
from colorflow.flows.density import UniformDequantization as UniformDequantization
from colorflow.flows.density import VariationalDequantization as VariationalDequantization
from colorflow.flows.density import distillation_loss as distillation_loss
from colorflow.flows.elementwise import Additive as Additive
from colorflow.flows.elementwise import Affine as Affine
from colorflow.flows.elementwise import BoundedRange as BoundedRange
from colorflow.flows.elementwise import ElementwiseTransform as ElementwiseTransform
from colorflow.flows.elementwise import Logit as Logit
from colorflow.flows.elementwise import soft_clamp as soft_clamp
from colorflow.flows.kriging import KrigingUpdate as KrigingUpdate
from colorflow.flows.linear import ActNorm as ActNorm
from colorflow.flows.linear import ChannelPermutation as ChannelPermutation
from colorflow.flows.linear import Linear as Linear
from colorflow.flows.linear import Standardize as Standardize
from colorflow.flows.lipschitz import Contraction as Contraction
from colorflow.flows.lipschitz import LipschitzDenseNetwork as LipschitzDenseNetwork
from colorflow.flows.lipschitz import LipschitzNetwork as LipschitzNetwork
from colorflow.flows.masked_networks import AutoregressiveNetwork as AutoregressiveNetwork
from colorflow.flows.masked_networks import MaskedConvolutionNetwork as MaskedConvolutionNetwork
from colorflow.flows.masked_networks import MaskedNetwork as MaskedNetwork
from colorflow.flows.masked_networks import raster_order as raster_order
from colorflow.flows.matrices import BlockDiagonalMatrix as BlockDiagonalMatrix
from colorflow.flows.matrices import DiagonalMatrix as DiagonalMatrix
from colorflow.flows.matrices import FullMatrix as FullMatrix
from colorflow.flows.matrices import MatrixStructure as MatrixStructure
from colorflow.flows.matrices import PLUMatrix as PLUMatrix
from colorflow.flows.matrices import TriangularMatrix as TriangularMatrix
from colorflow.flows.mixture import MixtureLogisticCDF as MixtureLogisticCDF
from colorflow.flows.mixture import MonotoneNetwork as MonotoneNetwork
from colorflow.flows.networks import AttentionLayer as AttentionLayer
from colorflow.flows.networks import AttentionNetwork as AttentionNetwork
from colorflow.flows.networks import ConvolutionNetwork as ConvolutionNetwork
from colorflow.flows.networks import GatedNetwork as GatedNetwork
from colorflow.flows.networks import PooledNetwork as PooledNetwork
from colorflow.flows.networks import ResidualNetwork as ResidualNetwork
from colorflow.flows.planar import Planar as Planar
from colorflow.flows.planar import Radial as Radial
from colorflow.flows.planar import RippelAdams as RippelAdams
from colorflow.flows.planar import TabakTurner as TabakTurner
from colorflow.flows.residual import ExactLogDet as ExactLogDet
from colorflow.flows.residual import LogDetEstimator as LogDetEstimator
from colorflow.flows.residual import PowerSeries as PowerSeries
from colorflow.flows.residual import Residual as Residual
from colorflow.flows.residual import RussianRoulette as RussianRoulette
from colorflow.flows.shape import CDF53 as CDF53
from colorflow.flows.shape import Flatten as Flatten
from colorflow.flows.shape import Haar as Haar
from colorflow.flows.shape import Reshape as Reshape
from colorflow.flows.shape import Split as Split
from colorflow.flows.shape import Squeeze as Squeeze
from colorflow.flows.splines import AffineSpline as AffineSpline
from colorflow.flows.splines import LinearSpline as LinearSpline
from colorflow.flows.splines import QuadraticSpline as QuadraticSpline
from colorflow.flows.splines import RationalQuadraticSpline as RationalQuadraticSpline

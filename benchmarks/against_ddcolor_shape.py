"""Eight colorings against one forward pass of a network of DDColor-T's shape.

    python -m benchmarks.against_ddcolor_shape

Both take a photo in memory and give chroma. colorflow gives 8 colorings on a grid of 64 x 64 with
the shipped weights, including the features. The network gives one coloring at the size of its
input, by default 512 x 512. It is built here from the paper: torchvision's ConvNeXt-T as encoder, a
U-shaped pixel decoder with pixel shuffles, 100 color queries that pass 9 layers of cross-attention,
self-attention and feed-forward over three scales, and a last 1x1 convolution. Its weights are
random, so it has about the run time of DDColor-T and not its colors. It is not the authors' code,
and has no spectral normalization, which costs nothing after training.

Reference: Kang et al. 2023, "DDColor: Towards photo-realistic image colorization via dual
decoders".
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models import convnext_tiny
from torchvision.models.feature_extraction import create_feature_extractor

from benchmarks.measuring import SEED, print_machine, print_table, ratios, side_by_side, spread
from benchmarks.photos import gray_photo
from colorflow.colorizer import Colorizer
from colorflow.photo import photo_from_image

QUERIES, WIDTH, LAYERS, HEADS, FEEDFORWARD = 100, 256, 9, 8, 2048
STAGES = {"features.1": "4", "features.3": "8", "features.5": "16", "features.7": "32"}
"""ConvNeXt's stages, and their reduction against the picture."""
CHANNELS = {"4": 96, "8": 192, "16": 384, "32": 768}
DECODED = (512, 512, 256)
"""Channels of the pixel decoder at a 16th, an 8th and a quarter of the picture."""


class Up(nn.Module):
    """Doubles the size by pixel shuffle, and joins the encoder's map of that size."""

    def __init__(self, channels: int, beside: int, out: int) -> None:
        super().__init__()
        self.wider = nn.Conv2d(channels, 4 * out, 1)
        self.norm = nn.BatchNorm2d(beside)
        self.join = nn.Conv2d(out + beside, out, 3, padding=1)

    def forward(self, x: Tensor, beside: Tensor) -> Tensor:
        """(B, channels, H, W) and (B, beside, 2H, 2W) -> (B, out, 2H, 2W)."""
        larger = F.relu(F.pixel_shuffle(self.wider(x), 2))
        result: Tensor = F.relu(self.join(torch.cat([larger, F.relu(self.norm(beside))], 1)))
        return result


class DecoderLayer(nn.Module):
    """Cross-attention to the picture, self-attention of the queries, and a feed-forward part."""

    def __init__(self) -> None:
        super().__init__()
        self.cross = nn.MultiheadAttention(WIDTH, HEADS, batch_first=True)
        self.own = nn.MultiheadAttention(WIDTH, HEADS, batch_first=True)
        self.feed = nn.Sequential(
            nn.Linear(WIDTH, FEEDFORWARD), nn.ReLU(), nn.Linear(FEEDFORWARD, WIDTH)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(WIDTH) for _ in range(3))

    def forward(self, queries: Tensor, picture: Tensor) -> Tensor:
        """(B, Q, WIDTH) and (B, cells, WIDTH) -> (B, Q, WIDTH)."""
        first, second, third = self.norms
        queries = first(queries + self.cross(queries, picture, picture, need_weights=False)[0])
        queries = second(queries + self.own(queries, queries, queries, need_weights=False)[0])
        result: Tensor = third(queries + self.feed(queries))
        return result


class DDColorShape(nn.Module):
    """A network of DDColor-T's shape with random weights."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = create_feature_extractor(convnext_tiny(), STAGES)
        before = (CHANNELS["32"], *DECODED[:-1])
        self.ups = nn.ModuleList(
            Up(channels, CHANNELS[side], out)
            for channels, side, out in zip(before, ("16", "8", "4"), DECODED, strict=True)
        )
        self.last = nn.Conv2d(DECODED[-1], 16 * WIDTH, 1)
        self.scales = nn.ModuleList(nn.Conv2d(channels, WIDTH, 1) for channels in DECODED)
        self.queries = nn.Parameter(torch.randn(QUERIES, WIDTH))
        self.layers = nn.ModuleList(DecoderLayer() for _ in range(LAYERS))
        self.embed = nn.Sequential(
            nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH), nn.ReLU(),
            nn.Linear(WIDTH, WIDTH),
        )  # fmt: skip
        self.refine = nn.Conv2d(QUERIES + 3, 2, 1)

    def forward(self, rgb: Tensor) -> Tensor:
        """(B, 3, H, W), sides multiples of 32 -> ab (B, 2, H, W)."""
        maps = self.encoder(rgb)
        x, pyramid = maps["32"], []
        for up, side in zip(self.ups, ("16", "8", "4"), strict=True):
            x = up(x, maps[side])
            pyramid.append(x)
        picture = F.pixel_shuffle(self.last(x), 4)
        tokens = [
            scale(level).flatten(2).mT for scale, level in zip(self.scales, pyramid, strict=True)
        ]
        queries = self.queries.expand(len(rgb), -1, -1)
        for number, layer in enumerate(self.layers):
            queries = layer(queries, tokens[number % len(tokens)])
        colors = torch.einsum("bqc,bchw->bqhw", self.embed(queries), picture)
        result: Tensor = self.refine(torch.cat([colors, rgb], 1))
        return result


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sides", type=int, nargs="+", default=[512, 256])
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--weights", type=Path, help="weights file (default: the shipped one)")
    options = parser.parse_args()
    torch.manual_seed(SEED)
    network = DDColorShape().eval()
    millions = sum(p.numel() for p in network.parameters()) / 1e6
    colorizer = Colorizer.load(options.weights)
    photo = photo_from_image(gray_photo(1155, 866))
    print_machine(["torchvision"])
    rows = []
    for side in options.sides:
        rgb = torch.rand(1, 3, side, side)
        timings = side_by_side(
            {
                "theirs": torch.inference_mode()(lambda rgb=rgb: network(rgb)),
                "ours": lambda: colorizer.colorize(photo, 8, samples=True),
            },
            options.repetitions,
        )
        rows.append(
            (
                f"{side} x {side}",
                spread(timings["theirs"].wall),
                spread(timings["ours"].wall),
                spread(ratios(timings["ours"], timings["theirs"])),
            )
        )
    head = (
        f"input of the network ({millions:.0f} M parameters)",
        "its forward pass, seconds",
        "8 colorings, seconds",
        "8 colorings over its one",
    )
    print_table(head, rows)


if __name__ == "__main__":
    main()

"""The networks of couplings: attention against torch's own, reach, dropout."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor, nn

from colorflow.flows import (
    AttentionLayer,
    AttentionNetwork,
    ConvolutionNetwork,
    GatedNetwork,
    ResidualNetwork,
)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_attention_layer_is_torchs_encoder_layer(randomize: Callable[..., nn.Module]) -> None:
    ours = randomize(AttentionLayer(16, dropout=0.1))
    peer = nn.TransformerEncoderLayer(
        16, 4, dim_feedforward=32, activation="gelu", batch_first=True, norm_first=True
    ).eval()
    names = {"qkv.": "self_attn.in_proj_", "project": "self_attn.out_proj"}
    names |= {"feed_forward.0": "linear1", "feed_forward.3": "linear2"}
    state = ours.state_dict()
    for own, other in names.items():
        state = {name.replace(own, other): x for name, x in state.items()}
    peer.load_state_dict(state)
    tokens = normal(3, 7, 16)
    torch.testing.assert_close(ours(tokens), peer(tokens), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("build", "kept_side", "context_side"),
    [
        (ConvolutionNetwork, 5, 3),
        (partial(ResidualNetwork, blocks=1), 7, 5),
        (partial(ResidualNetwork, blocks=2), 11, 9),
        (partial(GatedNetwork, blocks=1, attention=False), 5, 1),
        (partial(GatedNetwork, blocks=2, attention=False), 7, 3),
        (partial(GatedNetwork, blocks=1, attention=True), 13, 13),
    ],
)
def test_reach_in_cells(
    build: Callable[..., nn.Module],
    kept_side: int,
    context_side: int,
    randomize: Callable[..., nn.Module],
) -> None:
    network = randomize(build(2, 3, 8, 4)).double()
    kept, context = normal(1, 2, 13, 13).double(), normal(1, 3, 13, 13, seed=1).double()
    inputs = [kept.requires_grad_(), context.requires_grad_()]
    out = network(kept, context)[0, :, 6, 6].sum()
    for gradient, side in zip(
        torch.autograd.grad(out, inputs), (kept_side, context_side), strict=True
    ):
        reached = gradient.abs().sum((0, 1)) > 0
        first, last = (13 - side) // 2, (13 + side) // 2
        assert reached[first:last, first:last].all()
        assert reached.sum() == side**2


@pytest.mark.parametrize("network", [AttentionNetwork, ConvolutionNetwork])
def test_dropout_in_training_alone(
    network: type[nn.Module], randomize: Callable[..., nn.Module]
) -> None:
    built = randomize(network(2, 3, 8, 4, dropout=0.5))
    kept, context = normal(2, 2, 4, 4), normal(2, 3, 4, 4, seed=1)
    assert torch.equal(built(kept, context), built(kept, context))
    built.train()
    assert not torch.equal(built(kept, context), built(kept, context))

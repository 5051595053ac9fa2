"""A small zoo and context, and a clock that ticks once a step."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import pytest

from colorflow.evaluation.zoo import train as train_module
from colorflow.flows import (
    Affine,
    Bijection,
    ChannelPartition,
    Composition,
    ConvolutionNetwork,
    Coupling,
    Flatten,
)
from colorflow.training import schedule
from colorflow.training.trainer import TrainConfig
from colorflow.zoo import ARCHITECTURES, Architecture
from colorflow.zoo.maf_iaf import iaf, maf

SECONDS_A_STEP = 10


def coupling(shape: tuple[int, int, int], context_channels: int, *, depth: int = 2) -> Bijection:
    """Affine couplings of the two channels, in turn."""
    steps = [
        Coupling(
            ChannelPartition(shape[0], keep_first=index % 2 == 0),
            ConvolutionNetwork(1, context_channels, 8, 2),
            Affine(1.0, 3.0),
        )
        for index in range(depth)
    ]
    return Composition([*steps, Flatten(shape)])


def _architecture(name: str, build: Callable[..., Bijection], *, images: bool = True) -> None:
    ARCHITECTURES[name] = Architecture(
        name=name.upper(),
        build=build,
        source=f"{name} et al.",
        published="none",
        reduced="2 couplings",
        images=images,
    )


@pytest.fixture(scope="module", autouse=True)
def _small_zoo() -> Iterator[None]:
    """Two coupling flows, a pair of autoregressive ones, and one for the plane."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(ARCHITECTURES):
            patch.delitem(ARCHITECTURES, name)
        for name in ("small", "smaller", "maf", "iaf", "flat"):
            patch.setitem(ARCHITECTURES, name, None)  # so that it is taken away again
        _architecture("small", coupling)
        _architecture("smaller", partial(coupling, depth=1))
        _architecture("maf", partial(maf, depth=1))
        _architecture("iaf", partial(iaf, depth=1))
        _architecture("flat", coupling, images=False)
        yield


@pytest.fixture(scope="module", autouse=True)
def _small_and_fast() -> Iterator[None]:
    """Malloc as other tests expect it, a small context, and ten seconds of training a step."""
    clock = itertools.count(0, SECONDS_A_STEP)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train_module, "keep_freed_memory", lambda: None)
        patch.setattr(train_module, "processor_seconds", lambda: next(clock))
        patch.setattr(schedule, "WARM_UP_STEPS", 5)
        small = replace(train_module.CONTEXT, width=8, context_layers=1)
        patch.setattr(train_module, "CONTEXT", small)
        yield


@pytest.fixture(scope="session")
def config() -> TrainConfig:
    """The settings, for a pack of 28 training rows."""
    return train_module.zoo_config(batch=8, rate=0.02)

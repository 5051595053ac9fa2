"""Configuration: what it refuses, and its way through JSON."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from colorflow.model.config import PyramidConfig
from colorflow.model.pyramid import ChromaPyramid
from tests.model.conftest import small_config

HINT_FIELDS = ("hint_reach", "hint_likeness", "hint_looseness")


@pytest.mark.parametrize("extra_planes", [0, 3])
def test_way_through_json(extra_planes: int) -> None:
    config = dataclasses.replace(
        small_config(extra_planes),
        chroma_limit=120.5,
        hint_reach=2.5,
        hint_likeness=9.0,
        hint_looseness=0.25,
    )
    back = PyramidConfig.from_dict(json.loads(json.dumps(config.to_dict())))
    assert back == config
    assert all(isinstance(level.maps, tuple) for level in back.levels)
    assert hash(back) == hash(config)


@pytest.mark.parametrize(
    "wrong",
    [
        *({"grid": 0}, {"width": 0}, {"width": 6}, {"couplings": 0}, {"context_layers": 0}),
        *({"bins": 1}, {"maps": (8, 7)}, {"dropout": 1.0}, {"dropout": -0.1}),
    ],
    ids=str,
)
def test_level_refuses(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(wrong))}: "):
        dataclasses.replace(small_config().levels[0], **wrong)


@pytest.mark.parametrize("attention", [True, False])
@pytest.mark.parametrize(
    "shape",
    [
        {"width": 4, "couplings": 1, "context_layers": 1, "bins": 2},
        {"width": 128, "couplings": 1, "context_layers": 1, "bins": 2},
        {"width": 128, "couplings": 7, "context_layers": 1, "bins": 64},
        {"width": 128, "couplings": 1, "context_layers": 7, "bins": 8},
    ],
    ids=str,
)
def test_the_least_weights_are_fewer_than_there_are_and_not_far_fewer(
    attention: bool, shape: dict[str, int]
) -> None:
    """No file that is whole is refused, and none asks for far more memory than it fills."""
    config = small_config()
    config = config.with_levels(config.chroma_grids, attention=attention, **shape)
    least = sum(level.least_weights for level in config.levels)
    there = sum(x.numel() for x in ChromaPyramid(config).parameters())
    assert least < there < 4 * least + 250_000


@pytest.mark.parametrize(
    "grids",
    [
        *([], [32], [4, 8, 16, 32], [4, 4, 8, 16], [4, 4, 16, 32]),
        *([4, 4, 8, 16, 32, 64], [32, 16, 8, 4, 4]),
    ],
    ids=str,
)
def test_pyramid_refuses_grids_that_do_not_double_to_64(grids: list[int]) -> None:
    level = small_config().levels[0]
    levels = tuple(dataclasses.replace(level, grid=grid) for grid in grids)
    with pytest.raises(ValueError, match="levels: expected grids"):
        PyramidConfig(levels=levels)


@pytest.mark.parametrize("value", [0, -1.0, float("nan"), float("inf")])
@pytest.mark.parametrize("name", HINT_FIELDS)
def test_pyramid_refuses_hints_that_cannot_pull(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"^{name}: expected a number above 0, got {value}"):
        dataclasses.replace(small_config(), **{name: value})
    stored = small_config().to_dict() | {name: value}
    with pytest.raises(ValueError, match=f"^{name}: "):
        PyramidConfig.from_dict(stored)
    with pytest.raises(ValueError, match="configuration does not fit"):
        PyramidConfig.from_dict(stored | {name: "3"})


def test_from_dict_refuses_what_is_no_configuration() -> None:
    good = small_config().to_dict()
    first, *levels = good["levels"]
    bad: list[Any] = [{}, {"levels": None}, {"levels": [1]}, {"levels": [{}]}, [], None]
    bad.append({**good, "unknown": 1})
    for change in ({"unknown": 1}, {"grid": "four"}, {"maps": None}, {"maps": [[8]]}):
        bad.append({**good, "levels": [{**first, **change}, *levels]})
    bad.append({**good, "levels": [{"grid": 4, "maps": [8]}, *levels]})
    for values in bad:
        with pytest.raises(ValueError, match=r"configuration does not fit|^grid: expected 1 to 64"):
            PyramidConfig.from_dict(values)

"""What docs/flows.md refers to exists, and the zoo's docstrings have the measured numbers."""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path

import pytest

from colorflow import flows, zoo

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "flows.md").read_text(encoding="utf-8")

PACKAGES = {"flows": flows, "zoo": zoo}


def references(pattern: str) -> list[str]:
    found = sorted(set(re.findall(pattern, PAGE)))
    assert found
    return found


@pytest.mark.parametrize("name", references(r"`((?:flows|zoo)\.\w+)"))
def test_names_exist(name: str) -> None:
    package, attribute = name.split(".")
    assert hasattr(PACKAGES[package], attribute)


@pytest.mark.parametrize("reference", references(r"`(tests/[\w/]+\.py(?:::\w+)?)`"))
def test_tests_exist(reference: str) -> None:
    path, _, test = reference.partition("::")
    source = (ROOT / path).read_text(encoding="utf-8")
    assert not test or f"\ndef {test}(" in source


def test_every_bijection_is_on_the_page() -> None:
    bases = (flows.Bijection, flows.ElementwiseTransform, flows.MatrixStructure)
    classes = {
        name
        for name, value in vars(flows).items()
        if isinstance(value, type) and issubclass(value, bases) and not value.__abstractmethods__
    }
    missing = {name for name in classes if f"`flows.{name}`" not in PAGE}
    assert missing == set()


def documented(key: str) -> str:
    """The docstring of an architecture's function."""
    build = zoo.ARCHITECTURES[key].build
    while isinstance(build, functools.partial):
        build = build.func
    assert build.__doc__
    return " ".join(build.__doc__.split())


def test_docstrings_have_the_numbers_of_the_table() -> None:
    rows = json.loads((ROOT / "docs" / "zoo.json").read_text(encoding="utf-8"))
    images = {key for key, value in zoo.ARCHITECTURES.items() if value.images}
    assert {row["key"] for row in rows} == images
    for row in rows:
        expected = f"Here: {row['bits_per_dim_dev']:.2f} bits/dim on ab at 16x16"
        assert expected in documented(row["key"]), row["key"]


def test_docstrings_have_the_numbers_of_the_plane() -> None:
    rows = json.loads((ROOT / "docs" / "zoo_toys.json").read_text(encoding="utf-8"))
    assert {row["key"] for row in rows} == set(zoo.ARCHITECTURES)
    for row in rows:
        if not zoo.ARCHITECTURES[row["key"]].images:
            expected = f"Here: {row['nats']['two moons']:.2f} nats on two moons"
            assert expected in documented(row["key"]), row["key"]

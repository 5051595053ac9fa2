"""What docs/flows.md refers to exists."""

from __future__ import annotations

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

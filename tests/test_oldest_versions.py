"""The oldest versions that `make all` tries are those that pyproject.toml admits."""

from __future__ import annotations

import re

from packaging.requirements import Requirement

from tests.oldest_versions import BORROWED, ROOT, constraints, requirements


def test_every_dependency_has_an_oldest_version() -> None:
    bounds = {r.name: {bound.operator for bound in r.specifier} for r in requirements()}
    assert {"numpy", "gradio", "imagehash", "matplotlib", "pi-heif"} <= bounds.keys()
    assert [name for name, operators in bounds.items() if not operators & {">=", "=="}] == []


def test_the_oldest_versions_are_admitted_and_nothing_older_is() -> None:
    pinned = {Requirement(text).name: text.partition("==")[2] for text in constraints()}
    ranged = {r.name: r for r in requirements() if "==" not in str(r.specifier)}
    assert pinned.keys() == ranged.keys() - BORROWED
    for name, series in pinned.items():
        oldest = series.removesuffix(".*")
        assert oldest in ranged[name].specifier
        *first, last = map(int, oldest.split("."))
        if last:
            older = ".".join(map(str, [*first, last - 1, 999]))
            assert older not in ranged[name].specifier


def test_what_runs_with_them_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8").replace("\\\n", " ")
    (names,) = re.findall(r"^OLDEST_TESTS := (.*)", makefile, re.MULTILINE)
    for name in names.split():
        path, _, test = name.partition("::")
        assert test in (ROOT / "tests" / path).read_text(encoding="utf-8"), name

"""Photos of a folder that are left out, and which are taken at all."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import skimage.color
import skimage.data
import skimage.metrics
import torch
from PIL import Image
from torch import Tensor

from colorflow.errors import EvaluationError, UnreadablePhotoError
from colorflow.evaluation.columns import Column
from colorflow.evaluation.evaluate import photos_of
from tests.evaluation.conftest import save_photos
from tests.evaluation.tables import WARM, numbers, run

pytestmark = pytest.mark.usefixtures("cheap")


# who is left out


def test_files_without_numbers_are_named(photos: Path, tmp_path: Path) -> None:
    save_photos(tmp_path, ("a.png", "b.png", "c.png"))
    Image.fromarray(skimage.data.camera()).save(tmp_path / "gray.png")
    sepia = skimage.data.camera()[..., None] * np.array([1, 0.85, 0.6])
    Image.fromarray(sepia.astype(np.uint8)).save(tmp_path / "sepia.png")
    (tmp_path / "broken.jpg").write_bytes((tmp_path / "a.png").read_bytes()[:2000])
    said: list[str] = []
    found = run(photos_of(tmp_path), [WARM], say=said.append)
    assert found.photos == 3
    assert numbers(found.tables["columns"]) == numbers(
        run(photos_of(photos), [WARM]).tables["columns"]
    )
    assert [(Path(item.file).name, item.why) for item in found.left_out] == [
        ("broken.jpg", "unreadable"),
        ("gray.png", "not colored"),
        ("sepia.png", "not colored"),
    ]
    assert len(said) == 3
    for line, item in zip(sorted(said), found.left_out, strict=True):
        assert line == f"{item.file}: left out ({item.reason})"


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_not_finite_are_not_averaged(photos: Path, cat: Path, bad: float) -> None:
    """The photo is left out for every column, named, and the others stay."""
    count = itertools.count()

    def sample(_: object, n: int, __: torch.Generator) -> Tensor:
        ab = torch.zeros(n, 2, 64, 64)
        ab[0, 1, 5, 5] = bad if next(count) == 1 else 0  # at the second photo
        return ab

    column = Column(name="bad", sample=sample, one=True)
    found = run(photos_of(photos), [WARM, column])
    assert found.photos == 2
    assert [(item.file, item.why) for item in found.left_out] == [(str(cat), "not finite")]
    assert found.left_out[0].reason == "bad gave chroma that is not finite"

    with pytest.raises(EvaluationError, match=r"none of the 1 photos .*: 1 not finite"):
        run([cat], [replace(WARM, bits_per_dim=lambda *_: {"all": bad})])


# which photos


def test_a_limit_spreads_over_the_folder(tmp_path: Path) -> None:
    for index in range(10):
        (tmp_path / f"{index}.png").touch()

    def names(limit: int | None) -> str:
        return "".join(path.stem for path in photos_of(tmp_path, limit))

    assert names(None) == names(10) == names(99) == "0123456789"
    assert names(5) == "02468"
    assert names(3) == "036"
    assert names(1) == "0"


def test_folders_without_photos(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="holds no photo to measure on"):
        photos_of(tmp_path)
    with pytest.raises(UnreadablePhotoError, match="there is no such"):
        photos_of(tmp_path / "none")

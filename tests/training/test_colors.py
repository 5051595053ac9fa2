"""The colors of the training photos, against numpy on the pack's own files."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from colorflow.errors import PackError
from colorflow.training.pack import VARIANTS, Pack
from colorflow.training.tuning import TrainingColors, training_colors


def test_training_colors_are_those_of_the_files(pack_folder: Path) -> None:
    with (pack_folder / "photos.csv").open(encoding="utf-8") as file:
        photos = list(csv.DictReader(file))
    train = np.array([photo["split"] == "train" for photo in photos])
    large = np.array([int(photo["short_side"]) > 128 for photo in photos])
    chroma = np.array([float(photo["mean_chroma"]) for photo in photos])
    rows = np.load(pack_folder / "rows.npy")
    whole = rows["variant"] == VARIANTS.index("whole")
    chosen = np.load(pack_folder / "ab.npy")[whole & (train & large)[rows["photo"]]]
    assert len(chosen) == 12

    found = training_colors(Pack(pack_folder))
    assert found.mean_ab == pytest.approx(chosen.astype(float).mean((0, 2, 3)), rel=1e-5)
    assert found.blow_up_chroma == pytest.approx(np.quantile(chroma[train], 0.999), rel=1e-12)


def test_a_pack_without_large_photos_is_refused(own_pack: Path) -> None:
    text = (own_pack / "photos.csv").read_text()
    (own_pack / "photos.csv").write_text(text.replace(",256,", ",100,"))
    with pytest.raises(PackError, match="no large photo among train"):
        training_colors(Pack(own_pack))


def test_the_header_of_a_weights_file() -> None:
    colors = TrainingColors(mean_ab=(1.0, -2.0), blow_up_chroma=70.0)
    assert TrainingColors.from_dict(json.loads(json.dumps(colors.to_dict()))) == colors
    assert TrainingColors.from_dict({"mean_ab": [1.0, -2.0], "largest_chroma": 70.0}) == colors

"""Which photos the dev split may hold."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from colorflow.training.pixels import PixelPack
from colorflow.training.targets import EVALUATED_PHOTO_SIDE
from data_prep import select as module
from data_prep.scan import Scanned
from tests.training.made_up_pixels import write_pixels


def test_every_dev_photo_is_evaluated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sides around the limit: those that dev may hold are those that evaluation reads."""
    sides = [EVALUATED_PHOTO_SIDE + offset for offset in (-1, 0, 1, 2)] * 4
    rng = np.random.default_rng(0)
    photos = [
        Scanned(
            path=tmp_path / f"{i}.png", problem=None, short_side=side, hash=int(rng.integers(2**63))
        )
        for i, side in enumerate(sides)
    ]
    eligible: list[np.ndarray] = []
    sources = {photo.path: "folder" for photo in photos}
    monkeypatch.setattr(module, "_sources", lambda folders: sources if folders else {})
    monkeypatch.setattr(module, "scan", lambda *_, **__: iter(photos))
    monkeypatch.setattr(
        module, "choose_dev", lambda _, __, large, ___: (eligible.append(large), large)[1]
    )
    options = SimpleNamespace(
        photos=[tmp_path], dev_photos=[], workers=1, exclude=None, dev=4, patches=False
    )
    module.select(tmp_path, options)  # type: ignore[arg-type]

    folder = tmp_path / "pack"
    folder.mkdir()
    write_pixels(folder)
    pack = PixelPack(folder)
    pack._short_side = np.resize(sides, len(pack))
    read = pack.rows("dev", variant="whole", larger_than=EVALUATED_PHOTO_SIDE)
    evaluated = set(pack._short_side[read].tolist())
    assert {side for side, large in zip(sides, eligible[0], strict=True) if large} == evaluated
    assert evaluated == {129, 130}

"""Several programs at once, in small: all are answered, each with its own photo."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.page_load import _closest, _make_photos, load
from colorflow.color.full_resolution import lightness_of
from colorflow.photo import read_photo
from tests.small_weights import save_small_weights

SIZE = (160, 120)


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc")
def test_two_clients_with_two_photos_each(tmp_path: Path) -> None:
    weights = save_small_weights(tmp_path / "w.safetensors")
    outcome = load(tmp_path, clients=2, uploads=2, colorings=2, size=SIZE, weights=weights)
    assert (outcome.answered, outcome.mixed_up) == (4, 0)
    assert len(outcome.first_seconds) == len(outcome.seconds) == 4
    assert all(f < s for f, s in zip(outcome.first_seconds, outcome.seconds, strict=True))
    assert 0 < outcome.start_megabytes <= outcome.peak_megabytes


def test_a_mixed_up_answer_would_be_seen(tmp_path: Path) -> None:
    photos = _make_photos(tmp_path, 4, SIZE)
    known = [lightness_of(read_photo(photo).pixels) for photo in photos]
    assert [_closest(str(photo), known) for photo in photos] == [0, 1, 2, 3]
    strange = tmp_path / "strange.png"
    cv2.imwrite(str(strange), np.full(SIZE[::-1], 128, np.uint8))
    assert _closest(str(strange), known) is None

"""What a picture says of how its scan was cut out and repaired."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from colorflow.files import check_replaceable
from colorflow.photo import (
    REPAIRED,
    Photo,
    Preparation,
    Provenance,
    Statements,
    is_own_picture,
    read_photo,
    read_statements,
    write_image,
)

PHOTO = Photo(pixels=np.full((9, 12, 3), 90, np.uint8))
DIGEST = "00ff00ff00ff00ff"
REPAIR = Preparation(model="m", sensitivity=-1, share=0.0123, photo=DIGEST)


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.tif"])
@pytest.mark.parametrize(
    "said",
    [
        REPAIR,
        Preparation(prints=0, photo=DIGEST),
        Preparation(prints=3, number=2, unfaded=True, photo=DIGEST),
        Preparation(prints=1, unfaded=True, model="m", seed=7, temperature=0.5, share=0.0),
    ],
)
def test_files_say_it(name: str, said: Preparation, tmp_path: Path) -> None:
    write_image(tmp_path / name, PHOTO.pixels, PHOTO, preparation=said)
    assert read_statements(tmp_path / name) == Statements(prepared=said)
    assert is_own_picture(tmp_path / name, REPAIRED) == said.repaired
    data = (tmp_path / name).read_bytes()
    generated = b"compositeWithTrainedAlgorithmicMedia" in data
    assert (generated, b"not recorded" in data) == 2 * (bool(said.share),)


def test_it_stays_when_a_photo_is_colored_and_colors_stay_generated(tmp_path: Path) -> None:
    colors = Provenance(seed=1, temperature=1.0, model="c", photo=DIGEST)
    first, second = tmp_path / "a.png", tmp_path / "b.png"
    write_image(first, PHOTO.pixels, PHOTO, preparation=REPAIR)
    write_image(second, PHOTO.pixels, read_photo(first), provenance=colors)
    assert read_statements(second) == Statements(colors, None, REPAIR)
    again = Preparation(model="m", share=0.0, photo="11ff00ff00ff00ff")
    third = tmp_path / "c.png"
    write_image(third, PHOTO.pixels, read_photo(second), preparation=again)
    assert read_statements(third) == Statements(colors, None, again)
    assert b"compositeWithTrainedAlgorithmicMedia" in third.read_bytes()
    check_replaceable(third, REPAIRED)


@pytest.mark.parametrize(
    "wrong", [{"number": 2}, {"prints": 2, "number": 3}, {"share": 1.1}, {"model": "no model"}]
)
def test_what_it_says_is_checked(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="expected"):
        Preparation(**wrong)  # type: ignore[arg-type]

"""What an enlarged picture says of itself, and gray and larger pictures as files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.ExifTags import IFD, Base

from colorflow.errors import WritePhotoError
from colorflow.photo import (
    COLORING,
    ENLARGED,
    Enlargement,
    Metadata,
    Photo,
    Provenance,
    Statements,
    is_own_picture,
    photo_from_image,
    read_photo,
    read_statements,
    write_image,
)
from colorflow.photo.provenance import enlargement_in

NAMES = ["out.jpg", "out.png", "out.webp", "out.tif"]
COLORS = Provenance(seed=7, temperature=0.8, model="0123456789abcdef")
DETAIL = Enlargement(scale=4, seed=3, temperature=0.5, model="m", photo="00ff00ff00ff00ff")


@pytest.fixture
def photo(picture: Image.Image) -> Photo:
    return photo_from_image(picture)


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_colors_and_detail_are_both_stated(
    photo: Photo, tmp_path: Path, name: str, deep: bool
) -> None:
    pixels = photo.pixels.astype(np.uint16) * 257 if deep else photo.pixels
    path = tmp_path / name
    write_image(path, pixels, photo, provenance=COLORS, enlargement=DETAIL)
    assert read_statements(path) == Statements(COLORS, DETAIL)


@pytest.mark.parametrize("name", NAMES)
def test_the_second_step_keeps_what_the_first_one_says(
    photo: Photo, tmp_path: Path, name: str
) -> None:
    path, again = tmp_path / name, tmp_path / f"again-{name}"
    write_image(path, photo.pixels, photo, provenance=COLORS)
    assert is_own_picture(path, COLORING)
    assert not is_own_picture(path, ENLARGED)
    write_image(again, photo.pixels, read_photo(path), enlargement=DETAIL)
    assert read_statements(again) == Statements(COLORS, DETAIL)
    other = replace(DETAIL, seed=4)
    write_image(again, photo.pixels, read_photo(again), enlargement=other)
    assert read_statements(again) == Statements(COLORS, other)
    assert again.read_bytes().count(b"seed 3") == 0


def test_only_an_enlarged_photo_is_replaced_by_one(photo: Photo, tmp_path: Path) -> None:
    path = tmp_path / "out.png"
    write_image(path, photo.pixels, photo, provenance=COLORS)
    with pytest.raises(WritePhotoError, match="it is no enlarged photo that colorflow made"):
        write_image(path, photo.pixels, photo, enlargement=DETAIL)
    path.unlink()
    for _ in range(2):
        write_image(path, photo.pixels, photo, enlargement=DETAIL)
    with pytest.raises(WritePhotoError, match="it is no coloring that colorflow made"):
        write_image(path, photo.pixels, photo, provenance=COLORS)


@given(
    scale=st.sampled_from([2, 4]),
    seed=st.integers(0, 2**63),
    temperature=st.floats(0, 1e6, allow_nan=False),
    model=st.from_regex(r"[A-Za-z0-9_.:+-]{1,100}", fullmatch=True),
    restored=st.booleans(),
    photo=st.none() | st.just("00ff00ff00ff00ff"),
)
@settings(max_examples=30)
def test_the_statement_says_everything(
    scale: int, seed: int, temperature: float, model: str, restored: bool, photo: str | None
) -> None:
    detail = Enlargement(
        scale=scale,
        seed=seed,
        temperature=temperature,
        model=model,
        restored=restored,
        photo=photo,
    )
    text = f"before\n{COLORS.statement}\n{detail.statement}\nafter"
    assert enlargement_in(text) == detail


@pytest.mark.parametrize("see_through", [False, True])
@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_gray_stays_gray(
    picture: Image.Image, tmp_path: Path, name: str, deep: bool, see_through: bool
) -> None:
    gray = np.asarray(picture.convert("L"))
    alpha = np.tile(np.linspace(0, 255, 96).astype(np.uint8), (64, 1)) if see_through else None
    photo = Photo(pixels=gray, alpha=alpha)
    pixels = gray.astype(np.uint16) * 257 if deep else gray
    write_image(tmp_path / name, pixels, photo, enlargement=DETAIL)
    written = read_photo(tmp_path / name)
    lossless = name in ("out.png", "out.tif")
    if name != "out.webp":  # which has no gray
        assert written.pixels.ndim == 2
    else:
        written = replace(written, pixels=np.ascontiguousarray(written.pixels[..., 0]))
    if see_through and name == "out.jpg":
        gray = np.rint(255 - (255.0 - gray) * (alpha / 255)).astype(np.uint8)
    assert np.abs(written.pixels.astype(int) - gray).mean() <= (0 if lossless else 3)
    assert written.bits == (16 if deep and lossless else 8)
    assert (written.alpha is not None) == (see_through and name != "out.jpg")


def test_an_enlarged_photo_has_its_transparency_and_its_size_in_exif(photo: Photo) -> None:
    exif = Image.Exif()
    exif[IFD.Exif] = {Base.ExifImageWidth: 96, Base.ExifImageHeight: 64}
    alpha = np.tile(np.linspace(0, 255, 96).astype(np.uint8), (64, 1))
    metadata = Metadata(exif=exif.tobytes(), dpi=(300, 300))
    small = Photo(pixels=photo.pixels, alpha=alpha, metadata=metadata)
    large = small.enlarged(np.zeros((128, 192), np.uint16))
    assert (large.height, large.width, large.bits, large.metadata.dpi) == (128, 192, 16, (300, 300))
    assert large.alpha is not None
    assert np.abs(large.alpha[::2, ::2].astype(int) - alpha).max() <= 2
    found = Image.Exif()
    found.load(large.metadata.exif)
    assert found.get_ifd(IFD.Exif)[Base.ExifImageWidth] == 192

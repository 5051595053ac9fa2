"""What users write for a coloring method, the pictures that it gives, and two side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.color
import skimage.data
from PIL import Image
from skimage.transform import downscale_local_mean

from colorflow.colorizer import Colorizer
from colorflow.errors import EvaluationError
from colorflow.photo import Photo, photo_from_image
from colorflow.quiz.pictures import GAP, Method, balanced_sides, parse_method, write_pair


@pytest.fixture(scope="module")
def astronaut() -> Photo:
    return photo_from_image(skimage.data.astronaut()[:256], "astronaut.png")


def picture(method: Method, photo: Photo, name: str = "photos/astronaut.png") -> Any:
    return method.picture(photo, name, 7)


def no_weights(_: Path | None) -> Any:
    raise AssertionError("no weights are needed")


def test_the_truth_has_the_photos_colors_as_the_grid_shows_them(astronaut: Photo) -> None:
    method = parse_method("truth", no_weights)
    assert method.weights is None
    found = picture(method, astronaut)
    ours, theirs = skimage.color.rgb2lab(found), skimage.color.rgb2lab(astronaut.pixels)
    assert np.abs(ours[..., 0] - theirs[..., 0]).max() < 0.6  # a rounding to 8 bits
    means = [downscale_local_mean(lab[..., 1:], (16, 32, 1)) for lab in (ours, theirs)]
    assert np.abs(means[0] - means[1]).mean() < 0.3  # of 7 at the mean
    assert np.abs(ours[..., 1:] - theirs[..., 1:]).mean() > 1, "finer colors than the grid's"


@pytest.mark.parametrize(
    ("text", "temperature", "samples"),
    [("WEIGHTS,temperature=0.5", 0.5, False), ("temperature=0,samples", 0.0, True)],
)
def test_a_picture_is_the_colorizers(
    text: str,
    temperature: float,
    samples: bool,
    weights: Path,
    colorizer: Colorizer,
    astronaut: Photo,
) -> None:
    asked: list[Path | None] = []

    def load(path: Path | None) -> Colorizer:
        asked.append(path)
        return colorizer

    method = parse_method(text.replace("WEIGHTS", str(weights)), load)
    assert asked == [weights if "WEIGHTS" in text else None]
    assert method.weights == colorizer.digest
    (own,) = colorizer.colorize(astronaut, 1, temperature, 7, samples=samples, force=True)
    assert np.array_equal(picture(method, astronaut), own.render())
    gray = photo_from_image(skimage.data.camera())
    assert method.refusal(gray, "a.png") is None, "a gray photo can be colored"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sample", "sample: there is no way of coloring, weights file, or folder 'sample'; choose"),
        ("none.safetensors", "or a file or folder that is there"),
        ("samples,truth", "folder 'truth'"),
        ("", "folder ''"),
        ("temperatur=1", "folder 'temperatur=1'"),
        ("temperature=warm", "temperature must be a number from 0 to 10, got 'warm'"),
        ("temperature=-1", "temperature must be a number from 0 to 10, got '-1'"),
        ("temperature=nan", "temperature must be a number from 0 to 10, got 'nan'"),
    ],
)
def test_texts_that_mean_nothing(text: str, message: str) -> None:
    with pytest.raises(EvaluationError) as caught:
        parse_method(text, no_weights)
    assert message in str(caught.value)


# finished pictures


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    folder = tmp_path / "finished"
    (folder / "photos" / "below").mkdir(parents=True)
    for name, value in (("astronaut.jpg", 50), ("photos/below/cat.png", 90)):
        Image.new("RGB", (64, 32), (value, value, 200)).save(folder / name)
    return folder


def folder_method(folder: Path) -> Method:
    method = parse_method(str(folder), no_weights)
    assert method.weights is None
    return method


def test_finished_pictures_have_the_names_of_the_photos(finished: Path, astronaut: Photo) -> None:
    """With or without the name of the photos' folder, in any format and size."""
    method = folder_method(finished)
    for name, value in (("photos/astronaut.png", 50), ("photos/below/cat.jpg", 90)):
        assert method.refusal(astronaut, name) is None
        found = picture(method, astronaut, name)
        assert found.shape == (32, 64, 3)
        assert np.abs(found.astype(int) - (value, value, 200)).max() < 4
    assert method.refusal(astronaut, "photos/cat.jpg") == f"has no picture in {finished}"
    Image.new("L", (128, 64), 70).save(finished / "gray.png")
    assert (picture(folder_method(finished), astronaut, "photos/gray.png") == 70).all()


def test_a_finished_picture_of_another_shape_is_refused(finished: Path, astronaut: Photo) -> None:
    Image.new("RGB", (66, 30)).save(finished / "cut.png")
    with pytest.raises(EvaluationError) as caught:
        picture(folder_method(finished), astronaut, "photos/cut.png")
    assert str(caught.value).startswith(
        f"{finished / 'cut.png'}: has 66 x 30 pixels, another shape"
    )
    assert "astronaut.png with 512 x 256" in str(caught.value)


# pairs


def test_a_pair_is_one_jpeg_with_nothing_but_its_pixels(tmp_path: Path) -> None:
    left, right = (
        np.full((16, 24, 3), value, np.uint8) for value in ((200, 40, 40), (40, 40, 200))
    )
    write_pair(tmp_path / "pair.jpg", left, right)
    picture = Image.open(tmp_path / "pair.jpg")
    assert picture.format == "JPEG"
    assert set(picture.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density", "icc_profile"}
    assert {one[1:3] for one in picture.layer} == {(1, 1)}, "chroma is as fine as lightness"
    pixels = np.asarray(picture).astype(int)
    assert pixels.shape == (16, 24 + GAP + 24, 3)
    assert np.abs(pixels[:, :20] - (200, 40, 40)).max() < 12
    assert np.abs(pixels[:, -20:] - (40, 40, 200)).max() < 12
    gap = skimage.color.rgb2lab(pixels[:, 32:40].astype(np.uint8))
    assert np.abs(gap - [50, 0, 0]).max() < 0.6


@pytest.mark.parametrize("n", [1, 2, 7, 100])
def test_sides_are_balanced(n: int) -> None:
    counts = {balanced_sides(n, np.random.default_rng(seed)).count("left") for seed in range(20)}
    assert counts == {n // 2, n - n // 2}

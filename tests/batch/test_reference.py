"""`--reference` and `--style`: the colors of photos, carried over to all photos of a run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
from PIL import Image

from colorflow.batch import PhotoHints, Settings, read_reference
from colorflow.batch.hints import Start
from colorflow.cli import main
from colorflow.colorizer import ColoringSpec, Colorizer
from colorflow.files import digest_of
from colorflow.photo import read_photo, read_provenance
from tests.cli.fake_run import usage_error

Save = Callable[..., Path]
Printed = pytest.CaptureFixture[str]


@pytest.fixture
def coffee(tmp_path: Path) -> Path:
    Image.fromarray(skimage.data.coffee()).save(tmp_path / "coffee.png")
    return tmp_path / "coffee.png"


@pytest.mark.parametrize("way", ["reference", "style"])
def test_it_carries_over_what_python_and_the_page_do(
    way: str,
    album: Path,
    coffee: Path,
    tmp_path: Path,
    weights: Path,
    colorizer: Colorizer,
    in_process: None,
    capsys: Printed,
) -> None:
    command = ["colorize", str(album / "b.png"), "-o", str(tmp_path), "--weights", str(weights)]
    command += [f"--{way}", str(coffee), "--report", str(tmp_path / "r.json")]
    strength, is_style = "style-strength" if way == "style" else "strength", way == "style"
    command += [f"--{strength}", "0.9"]
    assert main(command) == 0
    result = tmp_path / ("b_s0.png" if is_style else "b_a.png")
    given: dict[str, Any] = {way: coffee, strength.replace("-", "_"): 0.9}
    (expected,) = colorizer.colorize(album / "b.png", 1, samples=is_style, **given)
    (without,) = colorizer.colorize(album / "b.png", 1, samples=is_style)
    made = read_photo(result).pixels
    np.testing.assert_allclose(made, expected.render(), atol=1)
    assert np.abs(made.astype(int) - without.render()).max() > 5
    stated = read_provenance(result)
    assert stated is not None
    digest = digest_of(coffee)
    alike = (stated.references, stated.strength)
    assert alike == (((), None) if is_style else ((digest,), 0.9))
    assert (stated.style, stated.style_strength) == ((digest, 0.9) if is_style else (None, None))
    assert f'"{digest}"' in (tmp_path / "r.json").read_text()
    # It continues, and knows other photos, another strength, and none.
    capsys.readouterr()
    assert main(command) == 0
    assert "1 skipped in " in capsys.readouterr().out
    other = "another style" if is_style else "other references"
    for changed, said in (
        ([*command, f"--{strength}", "0.5"], f"was made with {strength.replace('-', ' ')} 0.9"),
        ([*command, f"--{way}", str(_turned(coffee))], f"was made with {other}, or without any"),
        ([*command[:6], *["--samples"] * is_style], f"was made with {other}, or without any"),
    ):
        assert main(changed) == 1
        assert said in capsys.readouterr().err


def _turned(photo: Path) -> Path:
    path = photo.with_name("turned.png")
    with Image.open(photo) as image:
        image.rotate(90).save(path)
    return path


@pytest.mark.parametrize("way", ["reference", "style"])
def test_a_large_photo_gives_the_same_colors(
    way: str, album: Path, coffee: Path, tmp_path: Path, colorizer: Colorizer
) -> None:
    with Image.open(coffee) as image:
        image.resize((2400, 1600), Image.Resampling.NEAREST).save(tmp_path / "large.png")
    reduced = read_reference(tmp_path / "large.png").photo
    assert (reduced.width, reduced.height) == (1024, 683)
    made = [
        colorizer.colorize(album / "b.png", 1, samples=True, skin=False, **{way: one})[0].render()
        for one in (reduced, tmp_path / "large.png", coffee)
    ]
    for one in made:
        np.testing.assert_allclose(one, made[0], atol=2 if way == "style" else 6)


@pytest.mark.parametrize("way", ["reference", "style"])
def test_photos_in_turn_do_not_mix(
    way: str, album: Path, coffee: Path, colorizer: Colorizer
) -> None:
    """What the last ones look like is kept, and the latents of the last one."""
    photo, turned = album / "a.jpg", _turned(coffee)
    made = [
        colorizer.colorize(photo, 1, samples=True, **{way: one})[0].ab
        for one in (coffee, coffee, turned, coffee)
    ]
    np.testing.assert_array_equal(made[1], made[0])
    np.testing.assert_array_equal(made[3], made[0])
    assert np.abs(made[2] - made[0]).max() > 1


@pytest.mark.parametrize("way", ["--reference", "--style"])
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("gray.png", "gray.png: has no colors that could be carried over; choose a color photo"),
        ("text.jpg", "text.jpg: the file is not a JPEG, PNG"),
        ("none.jpg", "none.jpg: there is no such file"),
        ("empty.jpg", "empty.jpg: the file is empty"),
    ],
)
def test_a_bad_reference_is_wrong_usage(
    way: str, name: str, said: str, album: Path, tmp_path: Path, save_photo: Save, capsys: Printed
) -> None:
    save_photo(tmp_path / "gray.png")
    (tmp_path / "text.jpg").write_text("no photo")
    (tmp_path / "empty.jpg").touch()
    command = ["colorize", str(album), "-o", str(tmp_path / "out")]
    assert f"{way}: {tmp_path}/{said}" in usage_error([*command, way, str(tmp_path / name)], capsys)
    assert not (tmp_path / "out").exists()


def test_hints_that_were_given_on_a_coloring_keep_it_and_this_is_said(
    album: Path,
    coffee: Path,
    tmp_path: Path,
    colorizer: Colorizer,
    in_process: None,
    capsysbinary: pytest.CaptureFixture[bytes],
) -> None:
    spec = ColoringSpec(seeds=(1,) * 5)
    given = PhotoHints((), Start(spec, colorizer.digest))
    hints = tmp_path / "h.json"
    hints.write_text(json.dumps({"b.png": given.as_json()}))
    command = ["colorize", str(album / "b.png"), "--hints", str(hints), "-o", "-", "-n", "2"]
    assert main([*command, "--reference", str(coffee)]) == 0
    with_reference, messages = capsysbinary.readouterr()
    assert (
        b"b.png: its hints keep the coloring they were given on; the reference was not" in messages
    )
    assert main(command) == 0
    without, messages = capsysbinary.readouterr()
    assert with_reference == without
    assert b"reference" not in messages


@pytest.mark.parametrize(
    ("option", "needs"), [("--strength", "--reference"), ("--style-strength", "--style")]
)
def test_a_strength_needs_a_photo(option: str, needs: str, album: Path, capsys: Printed) -> None:
    command = ["colorize", str(album), "-o", "out", option]
    assert f"{option}: needs {needs}, a photo" in usage_error([*command, "0.5"], capsys)
    assert "1.5 is not in the range 0<=x<=1" in usage_error([*command, "1.5"], capsys)


def test_means_get_no_style(coffee: Path) -> None:
    with pytest.raises(ValueError, match="style: expected samples"):
        Settings(style=read_reference(coffee))

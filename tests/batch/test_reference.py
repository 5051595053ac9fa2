"""`--reference`: the colors of one photo, carried over to all photos of a run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image

from colorflow.batch import PhotoHints, Settings, read_reference
from colorflow.batch.hints import Start
from colorflow.cli import main
from colorflow.colorizer import ColoringSpec, Colorizer
from colorflow.photo import read_photo, read_provenance
from tests.cli.fake_run import usage_error

Save = Callable[..., Path]
Printed = pytest.CaptureFixture[str]


@pytest.fixture
def coffee(tmp_path: Path) -> Path:
    Image.fromarray(skimage.data.coffee()).save(tmp_path / "coffee.png")
    return tmp_path / "coffee.png"


def test_it_carries_over_what_python_and_the_page_do(
    album: Path,
    coffee: Path,
    tmp_path: Path,
    weights: Path,
    colorizer: Colorizer,
    in_process: None,
    capsys: Printed,
) -> None:
    command = ["colorize", str(album / "b.png"), "-o", str(tmp_path), "--weights", str(weights)]
    command += [
        "--reference",
        str(coffee),
        "--strength",
        "0.9",
        "--report",
        str(tmp_path / "r.json"),
    ]
    assert main(command) == 0
    result = tmp_path / "b_s0.png"
    (expected,) = colorizer.colorize(
        album / "b.png", 1, samples=True, reference=coffee, strength=0.9
    )
    (without,) = colorizer.colorize(album / "b.png", 1, samples=True)
    made = read_photo(result).pixels
    np.testing.assert_allclose(made, expected.render(), atol=1)
    assert np.abs(made.astype(int) - without.render()).max() > 5
    stated = read_provenance(result)
    assert stated is not None
    assert (stated.reference, stated.strength) == (read_reference(coffee).digest, 0.9)
    assert stated.reference is not None
    assert stated.reference in (tmp_path / "r.json").read_text()
    # It continues, and knows another reference, another strength, and none.
    capsys.readouterr()
    assert main(command) == 0
    assert "1 skipped in " in capsys.readouterr().out
    for change, said in (
        (["--strength", "0.5"], "was made with strength 0.9"),
        (["--reference", str(_turned(coffee))], "was made with another reference, or without any"),
    ):
        assert main([*command, *change]) == 1
        assert said in capsys.readouterr().err
    plain = [*command[:6], "--samples"]
    assert main(plain) == 1
    assert "was made with another reference, or without any" in capsys.readouterr().err


def _turned(photo: Path) -> Path:
    path = photo.with_name("turned.png")
    with Image.open(photo) as image:
        image.rotate(90).save(path)
    return path


def test_a_large_reference_gives_the_same_colors(
    album: Path, coffee: Path, tmp_path: Path, colorizer: Colorizer
) -> None:
    with Image.open(coffee) as image:
        image.resize((2400, 1600), Image.Resampling.NEAREST).save(tmp_path / "large.png")
    reduced = read_reference(tmp_path / "large.png").photo
    assert (reduced.width, reduced.height) == (1024, 683)
    made = [
        colorizer.colorize(album / "b.png", 1, samples=True, reference=one, skin=False)[0].render()
        for one in (reduced, tmp_path / "large.png", coffee)
    ]
    for one in made:
        np.testing.assert_allclose(one, made[0], atol=2)


def test_references_in_turn_do_not_mix(album: Path, coffee: Path, colorizer: Colorizer) -> None:
    """The latents of the last one are kept."""
    photo, turned = album / "a.jpg", _turned(coffee)
    made = [
        colorizer.colorize(photo, 1, samples=True, reference=one)[0].ab
        for one in (coffee, coffee, turned, coffee)
    ]
    np.testing.assert_array_equal(made[1], made[0])
    np.testing.assert_array_equal(made[3], made[0])
    assert np.abs(made[2] - made[0]).max() > 1


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
    name: str, said: str, album: Path, tmp_path: Path, save_photo: Save, capsys: Printed
) -> None:
    save_photo(tmp_path / "gray.png")
    (tmp_path / "text.jpg").write_text("no photo")
    (tmp_path / "empty.jpg").touch()
    command = ["colorize", str(album), "-o", str(tmp_path / "out")]
    assert said in usage_error([*command, "--reference", str(tmp_path / name)], capsys)
    assert not (tmp_path / "out").exists()


def test_hints_that_were_given_on_a_coloring_keep_it_and_this_is_said(
    album: Path,
    coffee: Path,
    tmp_path: Path,
    colorizer: Colorizer,
    in_process: None,
    capsys: Printed,
) -> None:
    spec = ColoringSpec(seeds=(1,) * 5)
    given = PhotoHints((), Start(spec, colorizer.digest))
    hints, made = tmp_path / "h.json", []
    hints.write_text(json.dumps({"b.png": given.as_json()}))
    said = "b.png: its hints keep the coloring they were given on; the reference was not"
    for more in (["--reference", str(coffee)], []):
        out = tmp_path / f"out{len(more)}"
        command = ["colorize", str(album / "b.png"), "--hints", str(hints), "-o", str(out)]
        assert main([*command, "-n", "2", *more]) == 0
        assert (said in capsys.readouterr().err) == bool(more)
        made.append((out / "b_hints.png").read_bytes())
    assert made[0] == made[1]


def test_a_strength_needs_a_reference(album: Path, capsys: Printed) -> None:
    command = ["colorize", str(album), "-o", "out", "--strength"]
    assert "--strength: needs --reference" in usage_error([*command, "0.5"], capsys)
    assert "1.5 is not in the range 0<=x<=1" in usage_error([*command, "1.5"], capsys)


def test_means_are_not_carried_over(coffee: Path) -> None:
    with pytest.raises(ValueError, match="reference: expected samples"):
        Settings(reference=read_reference(coffee))

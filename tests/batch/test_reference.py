"""`--reference`: the colors of photos, carried over to all photos of a run."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image

from colorflow.batch import PhotoHints, read_reference
from colorflow.batch.hints import Start
from colorflow.batch.models import reference_photo
from colorflow.batch.task import Reference
from colorflow.cli import main
from colorflow.colorizer import Colorizer
from colorflow.files import digest_of
from colorflow.photo import read_photo
from colorflow.photo_model import PhotoModel
from colorflow.recipe import ColoringSpec
from tests.batch.results import Printed, Run, Save
from tests.cli.fake_run import usage_error
from tests.statements import colors_of


@pytest.fixture
def coffee(tmp_path: Path) -> Path:
    Image.fromarray(skimage.data.coffee()).save(tmp_path / "coffee.png")
    return tmp_path / "coffee.png"


@pytest.fixture
def in_color(album: Path, tmp_path: Path) -> Path:
    """The album's b.png in other colors."""
    gray = np.asarray(Image.open(album / "b.png").convert("L"))
    rgb = np.stack([gray, 0.7 * gray, 0.4 * gray], 2).astype(np.uint8)
    Image.fromarray(rgb).save(tmp_path / "in_color.png")
    return tmp_path / "in_color.png"


def test_it_carries_over_what_python_and_the_page_do(
    album: Path,
    in_color: Path,
    tmp_path: Path,
    weights: Path,
    colorizer: Colorizer,
    in_process: None,
    capsys: Printed,
) -> None:
    command = ["colorize", str(album / "b.png"), "-o", str(tmp_path), "--weights", str(weights)]
    own = ["--reference", str(in_color), "--report", str(tmp_path / "r.json"), "--strength", "0.9"]
    assert main([*command, *own]) == 0
    (expected,) = colorizer.colorize(album / "b.png", 1, reference=in_color, strength=0.9)
    (without,) = colorizer.colorize(album / "b.png", 1)
    made = read_photo(tmp_path / "b_a.png").pixels
    np.testing.assert_allclose(made, expected.render(), atol=1)
    assert np.abs(made.astype(int) - without.render()).max() > 5
    stated = colors_of(tmp_path / "b_a.png")
    digest = digest_of(in_color)
    assert (stated.references, stated.spec.strength) == ((digest,), 0.9)
    assert f'"{digest}"' in (tmp_path / "r.json").read_text()
    capsys.readouterr()
    assert main([*command, *own]) == 0
    assert "1 skipped in " in capsys.readouterr().out


def test_a_large_photo_gives_the_same_colors(
    album: Path, coffee: Path, tmp_path: Path, colorizer: Colorizer
) -> None:
    with Image.open(coffee) as image:
        image.resize((2400, 1600), Image.Resampling.NEAREST).save(tmp_path / "large.png")
    reduced = reference_photo(read_reference(tmp_path / "large.png"))
    assert reduced
    assert (reduced.width, reduced.height) == (1024, 683)
    made = [
        colorizer.colorize(album / "b.png", 1, skin=False, reference=one)[0].render()
        for one in (reduced, tmp_path / "large.png", coffee)
    ]
    for one in made:
        np.testing.assert_allclose(one, made[0], atol=6)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("gray.png", "gray.png: has no colors that could be carried over; choose a color photo"),
        ("text.jpg", "text.jpg: the file is not a JPEG, PNG"),
        ("none.jpg", "none.jpg: there is no such file"),
    ],
)
def test_a_bad_reference_is_wrong_usage(
    name: str, said: str, album: Path, tmp_path: Path, save_photo: Save, capsys: Printed
) -> None:
    save_photo(tmp_path / "gray.png")
    (tmp_path / "text.jpg").write_text("no photo")
    command = ["colorize", str(album), "-o", str(tmp_path / "out"), "--reference"]
    told = usage_error([*command, str(tmp_path / name)], capsys)
    assert f"--reference: {tmp_path}/{said}" in told
    assert not (tmp_path / "out").exists()


def test_references_that_are_tinted_or_that_nothing_is_like_are_named(
    album: Path,
    in_color: Path,
    coffee: Path,
    tmp_path: Path,
    in_process: None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Printed,
) -> None:
    report = tmp_path / "r.json"
    shares = [(0.5, 0.0005)]
    monkeypatch.setattr(PhotoModel, "reference_shares", lambda *_: shares[0])
    command = ["colorize", str(album), "-o", str(tmp_path / "out"), "--report", str(report)]
    command += ["--reference", str(in_color), "--reference", str(coffee)]
    assert main(command) == 0
    tinted = f"{in_color}: is tinted, like a sepia print; what looks alike gets its tint\n"
    idle = f"{coffee}: nothing in the photos looks like what it shows, so it gave no color to any\n"
    told = capsys.readouterr().err
    assert tinted in told
    assert idle in told
    notes = json.loads(report.read_text())["notes"]
    assert {tinted, idle} <= {f"{note['path']}: {note['reason']}\n" for note in notes}
    assert main(command) == 0
    assert idle not in capsys.readouterr().err, "photos that are skipped were not compared"
    shares[0] = (0.5, 0.001)
    report = tmp_path / "r.csv"
    assert main([*command, "--overwrite", "--report", str(report)]) == 0
    assert f'{in_color},reference,"is tinted' in report.read_text()
    assert idle not in capsys.readouterr().err


def test_the_share_of_a_photo_that_each_reference_tells(
    album: Path, coffee: Path, in_color: Path, colorizer: Colorizer
) -> None:
    photo = album / "b.png"
    (made,) = colorizer.colorize(photo, 1, reference=[coffee, in_color])
    assert len(made.reference_shares) == 2
    weight = colorizer.open(photo, reference=[coffee, in_color]).likeness()
    assert sum(made.reference_shares) == pytest.approx(weight.mean(), abs=0.05)
    assert colorizer.colorize(photo, 1, reference=coffee, strength=0)[0].reference_shares == ()
    assert colorizer.colorize(photo, 1)[0].reference_shares == ()


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
    said = "b.png: its hints keep the coloring they were given on; no reference was"
    for more in (["--reference", str(coffee)], []):
        out = tmp_path / f"out{len(more)}"
        command = ["colorize", str(album / "b.png"), "--hints", str(hints), "-o", str(out)]
        assert main([*command, "-n", "2", *more]) == 0
        assert (said in capsys.readouterr().err) == bool(more)
        made.append((out / "b_hints.png").read_bytes())
    assert made[0] == made[1]


def test_a_reference_that_is_changed_during_the_run_is_named(
    album: Path, in_color: Path, color_all: Run
) -> None:
    outcome = color_all(album / "b.png", references=(Reference(in_color, "0" * 16),))["b.png"]
    assert outcome.status == "failed"
    assert f"{in_color}: was changed after the run had begun" in str(outcome.reason)

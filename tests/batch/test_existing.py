"""Which existing results stay, and what is made of the others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from colorflow.batch import Settings
from colorflow.batch.task import Reference
from colorflow.colorizer import Colorizer
from colorflow.enlarge.enlarger import Enlarger
from colorflow.files import digest_of
from colorflow.photo import photo_from_image, read_photo, write_image
from colorflow.recipe import ColoringSpec, Colors, Crop, Enlargement, Recipe, Repair, Statement
from colorflow.repair.repairer import Repairer
from colorflow.run import Models
from tests.batch.results import Run, Save, Work, difference, names


def test_the_mean_is_the_same_however_many_colorings_there_are(
    album: Path, out: Path, color_all: Run
) -> None:
    (first,) = color_all(album / "b.png")["b.png"].colorings
    made = (out / "b_a.png").read_bytes()
    outcome = color_all(album / "b.png", n=3)["b.png"]
    assert (outcome.status, outcome.colorings[0]) == ("done", first)
    assert (out / "b_a.png").read_bytes() == made
    assert color_all(album / "b.png", n=3)["b.png"].colorings == outcome.colorings
    assert color_all(album / "b.png")["b.png"].status == "skipped"
    fewer = color_all(album / "b.png", n=2)["b.png"]
    assert fewer.reason == (
        f"{out / 'b_b.png'}: is there already, but is principal coloring b of 3; "
        "--overwrite makes it anew"
    )
    whole = read_photo(out / "b_a.png").pixels
    color_all(album / "b.png", n=2, overwrite=True)
    assert difference(read_photo(out / "b_a.png").pixels, whole) <= 1


@pytest.mark.parametrize("samples", [False, True])
def test_going_on_makes_what_is_missing_and_nothing_else(
    album: Path, out: Path, color_all: Run, samples: bool
) -> None:
    color_all(album, n=2, samples=samples)
    whole = {name: (out / name).read_bytes() for name in names(out)}
    second = "s1" if samples else "b"
    (out / f"b_{second}.png").unlink()
    (out / f"a_{second}.jpg").write_bytes(b"")
    outcomes = color_all(album, n=2, samples=samples)
    assert [outcome.status for outcome in outcomes.values()] == ["done", "done"]
    assert {name: (out / name).read_bytes() for name in names(out)} == whole
    again = color_all(album, n=2, samples=samples)
    assert [outcome.status for outcome in again.values()] == ["skipped", "skipped"]
    for name, outcome in again.items():
        assert outcome.colorings == outcomes[name].colorings
    before = {name: (out / name).stat().st_ino for name in names(out)}
    color_all(album, n=2, samples=samples, overwrite=True)
    assert {name: (out / name).read_bytes() for name in names(out)} == whole
    assert not any((out / name).stat().st_ino == before[name] for name in names(out))


@pytest.mark.parametrize("overwrite", [False, True])
def test_what_colorflow_did_not_make_is_never_replaced(
    album: Path, out: Path, save_photo: Save, color_all: Run, overwrite: bool
) -> None:
    out.mkdir()
    kept = save_photo(out / "a_b.jpg", 5).read_bytes()
    (out / "b_a.png").symlink_to(album / "a.jpg")
    outcomes = color_all(album, n=2, overwrite=overwrite)
    for name, result in (("a.jpg", "a_b.jpg"), ("b.png", "b_a.png")):
        assert (outcomes[name].status, outcomes[name].colorings) == ("failed", ())
        assert outcomes[name].reason == (
            f"{out / result}: the file cannot be written (a file is there already, and it is no "
            "coloring that colorflow made; move it away, or choose another name)"
        )
    assert (out / "a_b.jpg").read_bytes() == kept
    assert names(out) == ["a_b.jpg", "b_a.png"]


WHOLE = Settings(scale=2, repair=True, fading=True)
SPEC = ColoringSpec(seeds=(0,) * 5)
COLORS = Colors(spec=SPEC.principal_spec(0, 1))
RECIPE = Recipe(repair=Repair(), unfaded=True, colors=COLORS, enlargement=Enlargement(scale=2))
OTHER = "0123456789abcdef"
"""Digest of another file."""


def colored(**changes: Any) -> dict[str, Recipe]:
    return {"recipe": replace(RECIPE, colors=replace(COLORS, **changes))}


def spec(**changes: Any) -> dict[str, Recipe]:
    return colored(spec=replace(COLORS.spec, **changes))


def enlarged(**changes: Any) -> dict[str, Recipe]:
    return {"recipe": replace(RECIPE, enlargement=Enlargement(**{"scale": 2, **changes}))}


def otherwise(**changes: Any) -> dict[str, Recipe]:
    return {"recipe": replace(RECIPE, **changes)}


LIKE_OTHER = colored(spec=replace(COLORS.spec, strength=0.5), references=(OTHER,))


@pytest.mark.parametrize(
    ("settings", "earlier", "said"),
    [
        (WHOLE, {}, None),
        (WHOLE, {"photo": None}, "does not say which photo it was made from"),
        (WHOLE, {"photo": OTHER}, f"differs in its photo ({OTHER})"),
        (WHOLE, {"weights": Models().weights}, "differs in its weights ()"),
        (WHOLE, spec(temperature=0.3), "differs in its temperature (0.3)"),
        (WHOLE, colored(spec=replace(SPEC, seeds=(4,) * 5).principal_spec(0, 1)),
         "differs in its seed (4)"),
        (WHOLE, colored(spec=SPEC.principal_spec(1, 3)), "is principal coloring b of 3"),
        (WHOLE, colored(spec=SPEC), "is a sample"),
        (WHOLE, colored(hints=OTHER), f"differs in its hints ({OTHER})"),
        (WHOLE, spec(skin=False), "differs in its skin"),
        (WHOLE, colored(saturation=1.5), "differs in its saturation (1.5)"),
        (WHOLE, colored(pale=0.5), "differs in its pale (0.5)"),
        (WHOLE, colored(references=(OTHER,)), "differs in its references"),
        (WHOLE, LIKE_OTHER, "differs in its references"),
        (replace(WHOLE, references=(Reference(Path("other.png"), OTHER),), strength=0.7),
         LIKE_OTHER, "differs in its strength (0.5)"),
        (WHOLE, colored(style=OTHER), f"differs in its style ({OTHER})"),
        (WHOLE, colored(keeps=True), "differs in its own colors"),
        (WHOLE, enlarged(scale=4), "differs in its scale (4)"),
        (WHOLE, enlarged(restored=True), "differs in its restore"),
        (WHOLE, enlarged(temperature=0.5), "differs in its detail's temperature (0.5)"),
        (WHOLE, enlarged(seed=3), "differs in its detail's seed (3)"),
        (WHOLE, otherwise(enlargement=None), "was not enlarged"),
        (replace(WHOLE, scale=1), {}, "was enlarged 2 times"),
        (replace(WHOLE, repair=False), {}, "differs in its repair"),
        (replace(WHOLE, fading=False), {}, "differs in its fading"),
        (replace(WHOLE, sensitivity=1), {}, "differs in its sensitivity (0)"),
        (WHOLE, otherwise(repair=Repair(seed=1)), "differs in its repair's sample"),
        (WHOLE, {"prints": 2}, "differs in its crop"),
        (replace(WHOLE, crop=True), {}, "differs in its crop"),
        (WHOLE, otherwise(crop=Crop(number=2)), "differs in its print (2)"),
    ],
)  # fmt: skip
def test_only_what_was_made_the_same_way_is_skipped(
    album: Path,
    out: Path,
    work: Work,
    colorizer: Colorizer,
    enlarger: Enlarger,
    repairer: Repairer,
    settings: Settings,
    earlier: dict[str, Any],
    said: str | None,
) -> None:
    """A file says how it was made, and the first difference is told."""
    photo, made = album / "b.png", out / "b_a.png"
    weights = Models(colorizer, enlarger, repairer).weights
    statement = Statement(recipe=RECIPE, weights=weights, photo=digest_of(photo))
    out.mkdir()
    picture = photo_from_image(read_photo(photo).pixels)
    write_image(made, picture.pixels, picture, statement=replace(statement, **earlier))
    (outcome,) = work(settings, photo).values()
    if said is None:
        assert outcome.status == "skipped"
        return
    assert outcome.status == "failed"
    assert outcome.reason == f"{made}: is there already, but {said}; --overwrite makes it anew"

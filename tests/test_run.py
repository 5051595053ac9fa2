"""A recipe carried out: by the command, in Python and step by step, with the same bytes."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from colorflow import Recipe, Restorer
from colorflow.batch import RestoreSettings, make_plan
from colorflow.colorizer import Colorizer
from colorflow.enlarge.enlarger import Enlarger
from colorflow.errors import PhotoError
from colorflow.files import digest_of
from colorflow.photo import photo_from_image, read_photo, read_statements
from colorflow.recipe import ColoringSpec, Colors, Crop, Enlargement, Repair
from colorflow.repair.repairer import Repairer
from colorflow.result import Result
from colorflow.run import Models, Step, run, run_all
from tests.in_process import run_in_process

FRAME = (20.0, 10.0, 110.0, 10.0, 110.0, 80.0, 20.0, 80.0)


@pytest.fixture(scope="module")
def models(colorizer: Colorizer, enlarger: Enlarger, repairer: Repairer) -> Models:
    return Models(colorizer, enlarger, repairer)


@pytest.fixture(scope="module")
def bed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two prints on a bed, of which the second one is in color."""
    scan = np.full((360, 500, 3), 250, np.uint8)
    scan[40:240, 30:230] = data.camera()[100:500:2, 100:500:2, None]
    scan[100:300, 270:470] = data.astronaut()[:400:2, 50:450:2]
    path = tmp_path_factory.mktemp("scan") / "bed.png"
    Image.fromarray(scan).save(path)
    return path


def spec(models: Models) -> ColoringSpec:
    assert models.colorizer
    return ColoringSpec(seeds=(3,) * len(models.colorizer.levels))


def finished(steps: object) -> Result:
    """What a run returns in the end."""
    while True:
        try:
            next(steps)  # type: ignore[call-overload]
        except StopIteration as end:
            result: Result = end.value
            return result


def test_the_command_and_python_write_the_same_bytes(
    models: Models, bed: Path, tmp_path: Path
) -> None:
    settings = RestoreSettings(scale=2)
    assert models.colorizer
    plan = make_plan([bed], tmp_path / "out", settings)
    (outcome,) = run_in_process(plan, models.colorizer, models.enlarger, models.repairer)
    files = [made.path for made in outcome.colorings]
    results = Restorer(models).restore(bed, scale=2)
    assert [file.name for file in files] == ["bed_restored.png", "bed_print2_restored.png"]
    for file, result in zip(files, results, strict=True):
        result.save(tmp_path / file.name)
        assert (tmp_path / file.name).read_bytes() == file.read_bytes()
    assert [result.has_colors for result in results] == [False, True]
    # And what a file says is enough to make it again.
    photo = read_photo(bed)
    for file in files:
        (statement,) = read_statements(file)
        again = finished(run(photo, statement.recipe, models, digest=digest_of(bed)))
        again.prints = statement.prints
        again.save(tmp_path / "again.png")
        assert (tmp_path / "again.png").read_bytes() == file.read_bytes()


def test_steps_come_in_order_and_what_is_not_asked_is_not_done(models: Models) -> None:
    photo = photo_from_image(data.camera()[:120, :160])
    whole = Recipe(
        crop=Crop(frame=FRAME),
        repair=Repair(),
        unfaded=True,
        colors=Colors(spec=spec(models)),
        enlargement=Enlargement(scale=2),
    )
    *steps, result = run_all(photo, [whole], models)
    assert isinstance(result, Result)
    names = [step.name for step in steps if isinstance(step, Step)]
    assert list(dict.fromkeys(names)) == ["repairing", "coloring", "enlarging"]
    assert (result.array.shape, result.photo.width) == ((140, 180, 3), 90)
    assert result.recipe == whole
    assert result.weights == models.weights
    (nothing,) = run_all(photo, [Recipe()], Models())
    assert isinstance(nothing, Result)
    assert nothing.array is photo.pixels
    assert str(nothing.recipe) == "as it is"
    with pytest.raises(ValueError, match="not colored"):
        _ = nothing.ab
    with pytest.raises(ValueError, match="not colored"):
        _ = nothing.log_prob


def test_what_recipes_share_is_done_once_and_equals_each_alone(
    models: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = photo_from_image(data.camera()[:120, :160])
    first = spec(models)
    begun = Recipe(repair=Repair(), enlargement=Enlargement(scale=2))
    recipes = [
        replace(begun, colors=Colors(spec=first.principal_spec(i, 3), saturation=factor))
        for i, factor in enumerate((1.0, 0.5, 1.0))
    ]
    assert models.repairer
    calls = []
    steps = models.repairer.steps
    monkeypatch.setattr(models.repairer, "steps", lambda *x, **y: calls.append(1) or steps(*x, **y))
    made = [one for one in run_all(photo, recipes, models) if isinstance(one, Result)]
    assert len(calls) == 1
    assert made[0].lightness is made[2].lightness
    alone = finished(run(photo, recipes[1], models))
    np.testing.assert_array_equal(alone.array, made[1].array)
    assert alone.share == made[1].share
    kept = [one for one in run_all(photo, recipes, models, kept=recipes[:2])]
    lightness = [one.lightness is not None for one in kept if isinstance(one, Result)]
    assert lightness == [False, False, True]


def test_a_run_that_is_closed_does_no_more(models: Models) -> None:
    photo = photo_from_image(data.camera()[:120, :160])
    steps = run(photo, Recipe(repair=Repair(), colors=Colors(spec=spec(models))), models)
    assert next(steps).name == "repairing"
    steps.close()
    with pytest.raises(StopIteration):
        next(steps)


def test_references_are_found_by_their_digests(models: Models) -> None:
    photo, other = photo_from_image(data.camera()[:64, :64]), photo_from_image(data.coffee())
    alike = replace(spec(models), strength=1.0)
    recipe = Recipe(colors=Colors(spec=alike, references=("0" * 16,)))
    with pytest.raises(ValueError, match="a photo with the digest 0000000000000000"):
        finished(run(photo, recipe, models, references={"1" * 16: other}))
    # One that turned out gray tells nothing.
    (without,) = (
        one
        for one in run_all(photo, [recipe], models, references={"0" * 16: None})
        if isinstance(one, Result)
    )
    plain = finished(run(photo, Recipe(colors=Colors(spec=spec(models))), models))
    np.testing.assert_array_equal(without.ab, plain.ab)


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        (Recipe(repair=Repair()), "expected the repairer"),
        (Recipe(enlargement=Enlargement(scale=2)), "expected the enlarger"),
        (Recipe(colors=Colors(spec=ColoringSpec(seeds=(1,)))), "expected the colorizer"),
        (Recipe(crop=Crop(frame=(900.0, *FRAME[1:]))), "frame"),
    ],
)
def test_what_cannot_be_done_is_told_before_anything_is(recipe: Recipe, message: str) -> None:
    photo = photo_from_image(data.camera()[:90, :120])
    with pytest.raises(ValueError, match=message):
        list(run_all(photo, [recipe], Models()))


def test_recipes_that_begin_otherwise_are_refused() -> None:
    photo = photo_from_image(data.camera()[:90, :120])
    with pytest.raises(ValueError, match="the same crop, repair and tones"):
        list(run_all(photo, [Recipe(), Recipe(unfaded=True)], Models()))


def test_a_result_survives_pickling_and_keeps_what_it_knows(models: Models) -> None:
    photo = photo_from_image(data.camera()[:90, :120])
    recipe = Recipe(repair=Repair(), colors=Colors(spec=spec(models)))
    made = finished(run(photo, recipe, models))
    got: Result = pickle.loads(pickle.dumps(made))
    assert (got.recipe, got.statement, got.log_prob) == (made.recipe, made.statement, made.log_prob)
    np.testing.assert_array_equal(got.array, made.array)
    assert got.mask is not None
    strong = pickle.loads(pickle.dumps(made.saturated(1.5)))
    assert strong.log_prob == strong.saturated(0.5).log_prob == made.log_prob
    assert strong.statement == made.saturated(1.5).statement
    np.testing.assert_array_equal(strong.saturated().array, made.array)


def test_a_photo_that_is_too_small_is_told(models: Models) -> None:
    photo = photo_from_image(np.zeros((5, 5), np.uint8))
    with pytest.raises(PhotoError, match="5 x 5 pixels"):
        finished(run(photo, Recipe(enlargement=Enlargement(scale=2)), models))

"""Settings to recipes: what `colorflow.run` is told to do for each result."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from colorflow.batch import EnlargeSettings, PhotoTask, RepairSettings, RestoreSettings, Settings
from colorflow.batch.hints import Start
from colorflow.batch.task import Reference
from colorflow.limits import DETAIL_TEMPERATURE
from colorflow.recipe import ColoringSpec, Colors, Crop, Enlargement, Hint, Recipe, Repair

DIGEST = "0123456789abcdef"
TASK = PhotoTask(path=Path("a.png"), folder=Path("out"), source=Path("a.png"))
HINTS = (Hint(1, 2, 3, 4),)
FRAME = (0.0, 0.0, 9.0, 0.0, 9.0, 9.0, 0.0, 9.0)


def test_a_recipe_says_all_that_is_asked_for() -> None:
    references = (Reference(Path("other.png"), DIGEST),)
    settings = Settings(
        n=2, seed=4, temperature=0.3, skin=False, references=references, strength=0.5, scale=4,
        restore=True, crop=True, repair=True, sensitivity=-1, fading=True,
    )  # fmt: skip
    spec = ColoringSpec(seeds=(4,) * 5, temperature=0.3, skin=False, strength=0.5)
    wanted = Recipe(
        crop=Crop(number=2, frame=FRAME),
        repair=Repair(sensitivity=-1),
        unfaded=True,
        colors=Colors(spec=spec.principal_spec(0, 2), hints=HINTS, references=(DIGEST,)),
        enlargement=Enlargement(scale=4, restored=True),
    )
    found = settings.recipes(replace(TASK, hints=HINTS, number=2), 5, FRAME)
    assert found["a"] == wanted
    second = replace(wanted.colors, spec=spec.principal_spec(1, 2))  # type: ignore[type-var]
    assert found["b"] == replace(wanted, colors=second), "one detail for all"
    samples = replace(settings, samples=True).recipes(TASK, 5)
    assert {label: one.colors and one.colors.spec for label, one in samples.items()} == {
        "s4": spec, "s5": replace(spec, seeds=(5,) * 5)
    }  # fmt: skip


def test_what_is_not_asked_for_is_in_no_recipe() -> None:
    assert RepairSettings().recipes(TASK, 0) == {"repaired": Recipe(repair=Repair())}
    first, second = EnlargeSettings(n=2, seed=3).recipes(TASK, 0).values()
    sample = Enlargement(scale=2, temperature=DETAIL_TEMPERATURE, seed=4)
    assert first == Recipe(enlargement=Enlargement(scale=2))
    assert second == Recipe(enlargement=sample)
    mean = Colors(spec=ColoringSpec(seeds=(0,) * 5).principal_spec(0, 1))
    assert Settings().recipes(TASK, 5) == {"a": Recipe(colors=mean)}
    whole = Recipe(crop=Crop(), repair=Repair(), unfaded=True, colors=replace(mean, keeps=True))
    assert RestoreSettings().recipes(TASK, 5) == {"restored": whole}
    gray = replace(TASK, treat_as_gray=True)
    assert RestoreSettings().recipes(gray, 5) == {"restored": replace(whole, colors=mean)}


def test_hints_keep_the_coloring_that_they_were_given_on() -> None:
    spec = ColoringSpec(seeds=(7,) * 5, temperature=0.5)
    task = replace(TASK, hints=HINTS, start=Start(spec, DIGEST, saturation=1.5, pale=0.5))
    (recipe,) = Settings(n=3, seed=4, skin=False).recipes(task, 5).values()
    assert recipe.colors == Colors(spec=spec, hints=HINTS, saturation=1.5, pale=0.5)

"""Which photos become which files, decided by names and what is on the disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from colorflow.batch import PhotoHints, Plan, Settings, make_plan
from colorflow.errors import BatchError
from colorflow.files import digest_of
from colorflow.photo import read_photo, write_image
from colorflow.recipe import ColoringSpec, Colors, Hint, Recipe, Statement, Weights
from tests.batch.results import Save

MEAN = ColoringSpec(seeds=(0,)).principal_spec(0, 1)


def planned(*inputs: Path, output: Path, n: int = 1, **options: object) -> Plan:
    settings = {k: options.pop(k) for k in ("seed", "overwrite", "samples") if k in options}
    return make_plan(inputs, output, Settings(n=n, **settings), **options)  # type: ignore[arg-type]


def targets(plan: Plan, label: str = "a") -> list[str]:
    return [t.target(label).relative_to(plan.output).as_posix() for t in plan.tasks]


def settled(plan: Plan) -> list[tuple[str, str]]:
    return [(outcome.path.name, outcome.status) for outcome in plan.settled]


def save_result(
    path: Path,
    source: Path,
    spec: ColoringSpec = MEAN,
) -> None:
    """Writes what a run with the weights ``abc`` writes for a photo."""
    photo = read_photo(source)
    pixels = np.repeat(photo.pixels[..., None], 3, axis=2)
    photo_digest = digest_of(source)
    statement = Statement(
        recipe=Recipe(colors=Colors(spec=spec)),
        weights=Weights(colors="abc"),
        photo=photo_digest,
    )
    write_image(path, pixels, photo, statement=statement)


def test_the_eleventh_zip_is_not_the_second_one() -> None:
    known_as = {Path(f"/tmp/zips/{number}"): f"album{number}.zip" for number in range(12)}
    plan = Plan(settings=Settings(), output=Path("out"), known_as=known_as)
    assert plan.named("/tmp/zips/1/a.png and /tmp/zips/10/b.png") == (
        "album1.zip/a.png and album10.zip/b.png"
    )


def test_two_photos_of_one_name_are_refused(save_photo: Save, tmp_path: Path) -> None:
    first = save_photo(tmp_path / "one" / "x.jpg")
    second = save_photo(tmp_path / "two" / "x.jpeg")
    third = save_photo(tmp_path / "two" / "x.png")
    plan = planned(first, second, third, output=tmp_path / "out")
    assert [task.path for task in plan.tasks] == [first, third]
    (outcome,) = plan.settled
    assert (outcome.path, outcome.status) == (second, "failed")
    assert str(first) in str(outcome.reason)
    assert "x_a.jpg" in str(outcome.reason)
    assert str(outcome.reason).endswith(
        "; rename one of them, or choose another folder for its results"
    )


def test_an_input_is_never_a_result(save_photo: Save, tmp_path: Path) -> None:
    folder = tmp_path / "album"
    for name in ("photo.png", "photo_a.png"):
        save_photo(folder / name)
    plan = planned(folder, output=folder, overwrite=True)
    assert settled(plan) == [("photo.png", "failed")]
    assert "is itself an input" in str(plan.settled[0].reason)


def test_own_results_beside_photos_are_no_photos(save_photo: Save, tmp_path: Path) -> None:
    folder = tmp_path / "album"
    for name in ("photo.png", "photo_s7.png"):
        save_photo(folder / name)
    save_result(folder / "photo_a.png", folder / "photo.png")
    save_result(folder / "photo_s5.png", folder / "photo.png", ColoringSpec(seeds=(5,)))
    plan = planned(folder, output=folder)
    assert targets(plan) == ["photo_a.png", "photo_s7_a.png"]
    assert [note.path.name for note in plan.notes] == ["photo_a.png", "photo_s5.png"]
    named = sorted(folder.glob("*.png"))
    assert targets(planned(*named, output=folder)) == ["photo_a.png", "photo_s7_a.png"]


def test_hints_by_name_and_by_path(save_photo: Save, tmp_path: Path) -> None:
    for name in ("x.png", "s/x.png", "s/y.png"):
        save_photo(tmp_path / "in" / name)
    one, two = (Hint(1, 2, 3, 4),), (Hint(5, 6, 7, 8),)
    plan = planned(
        tmp_path / "in",
        output=tmp_path / "out",
        recursive=True,
        hints={"s/x.png": PhotoHints(one), "y.png": PhotoHints(two)},
    )
    assert [(task.path.parent.name, task.hints) for task in plan.tasks] == [
        ("in", ()),
        ("s", one),
        ("s", two),
    ]


@pytest.mark.parametrize(
    ("names", "what"),
    [
        (["z.png"], "'z.png', which is none of the photos"),
        (
            ["twin.png"],
            "'twin.png', but it may be one of several photos, 's/twin.png' and 't/twin.png'",
        ),
        (["y.png", "s/y.png"], "name 's/y.png' twice"),
    ],
)
def test_hints_for_no_photo_or_several_are_refused(
    save_photo: Save, tmp_path: Path, names: list[str], what: str
) -> None:
    for name in ("s/twin.png", "t/twin.png", "s/y.png"):
        save_photo(tmp_path / "in" / name)
    with pytest.raises(BatchError, match=f"hints (for )?{what}"):
        planned(
            tmp_path / "in",
            output=tmp_path / "out",
            recursive=True,
            hints=dict.fromkeys(names, PhotoHints((Hint(1, 2, 3, 4),))),
        )


@pytest.mark.parametrize("url", ["s3://bucket/album", "file:///album", "gs://b/x.zip"])
def test_urls_are_refused(album: Path, tmp_path: Path, url: str) -> None:
    for inputs, output in (([album, url], tmp_path / "out"), ([album], url)):
        with pytest.raises(BatchError, match=f"^{url}: photos and results are in folders, not at"):
            make_plan(inputs, output, Settings())

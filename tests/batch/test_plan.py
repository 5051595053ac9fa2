"""Which photos become which files, decided by names and what is on the disk."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from colorflow.batch import Naming, Plan, Settings, make_plan
from colorflow.batch.settings import MOST_COLORINGS
from colorflow.cli import arguments
from colorflow.colorize import Hint
from colorflow.errors import BatchError
from colorflow.files import digest_of
from colorflow.photo import Provenance, read_photo, write_image

Save = Callable[..., Path]


def planned(*inputs: Path, output: Path, n: int = 1, **options: object) -> Plan:
    settings = {
        k: options.pop(k) for k in ("seed", "overwrite", "samples", "diverse") if k in options
    }
    return make_plan(inputs, output, Settings(n=n, **settings), **options)  # type: ignore[arg-type]


def targets(plan: Plan, seed: int = 0) -> list[str]:
    return [t.target(seed).relative_to(plan.output).as_posix() for t in plan.tasks]


def settled(plan: Plan) -> list[tuple[str, str]]:
    return [(record.path.name, record.status) for record in plan.settled]


def save_result(path: Path, source: Path, seed: int = 0, temperature: float = 1.0) -> None:
    """Writes what a run with the weights ``abc`` writes for a photo."""
    photo = read_photo(source)
    pixels = np.repeat(photo.pixels[..., None], 3, axis=2)
    provenance = Provenance(seed, temperature, "abc", photo=digest_of(source))
    write_image(path, pixels, photo, provenance=provenance)


def test_places_are_mirrored(album: Path, tmp_path: Path) -> None:
    plan = planned(album, output=tmp_path / "out", recursive=True)
    assert targets(plan) == ["a_s0.jpg", "b_s0.png", "inner/c_s0.jpg"]
    assert not (tmp_path / "out").exists()


def test_finished_photos_are_skipped(album: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    for seed in (3, 4):
        save_result(out / f"a_s{seed}.jpg", album / "a.jpg", seed)
    save_result(out / "b_s3.png", album / "b.png", 3)
    (out / "b_s4.png").touch()  # empty is not whole
    plan = planned(album, output=out, n=2, seed=3, weights="abc")
    assert settled(plan) == [("a.jpg", "skipped")]
    assert [(c.path.name, c.seed) for c in plan.settled[0].colourings] == [
        ("a_s3.jpg", 3),
        ("a_s4.jpg", 4),
    ]
    assert targets(plan, 3) == ["b_s3.png"]
    anew = planned(album, output=out, n=2, seed=3, overwrite=True, weights="abc")
    assert targets(anew, 3) == ["a_s3.jpg", "b_s3.png"]
    later = planned(album, output=out, n=2, seed=4, weights="abc")
    assert targets(later, 4) == ["a_s4.jpg", "b_s4.png"]
    unknown = planned(album, output=out, n=2, seed=3)  # who colors will look
    assert targets(unknown, 3) == ["a_s3.jpg", "b_s3.png"]


def test_what_was_made_otherwise_is_no_finished_photo(album: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    save_result(out / "a_s0.jpg", album / "a.jpg", temperature=0.3)
    (out / "b_s0.png").write_bytes((album / "b.png").read_bytes())
    plan = planned(album, output=out, weights="abc")
    assert [(record.path.name, record.status) for record in plan.settled] == [
        ("a.jpg", "failed"),
        ("b.png", "failed"),
    ]
    a, b = (str(record.reason) for record in plan.settled)
    assert a == (
        f"{out / 'a_s0.jpg'}: is there already, but was made with --temperature 0.3; "
        "--overwrite makes it anew"
    )
    assert f"{out / 'b_s0.png'}: " in b
    assert "no coloring that colorflow made" in b
    anew = planned(album, output=out, overwrite=True, weights="abc")
    assert targets(anew) == ["a_s0.jpg"]
    assert settled(anew) == [("b.png", "failed")]


def test_diverse_photos_are_never_skipped_by_name(album: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    for seed in range(16):
        (out / f"a_s{seed}.jpg").write_bytes(b"whole")
    assert targets(planned(album, output=out, n=2, diverse=True)) == ["a_s0.jpg", "b_s0.png"]


def test_two_photos_of_one_name_are_refused(save_photo: Save, tmp_path: Path) -> None:
    first = save_photo(tmp_path / "one" / "x.jpg")
    second = save_photo(tmp_path / "two" / "x.jpeg")
    third = save_photo(tmp_path / "two" / "x.png")
    plan = planned(first, second, third, output=tmp_path / "out")
    assert [task.path for task in plan.tasks] == [first, third]
    (record,) = plan.settled
    assert (record.path, record.status) == (second, "failed")
    assert str(first) in str(record.reason)
    assert "x_s0.jpg" in str(record.reason)
    assert str(record.reason).endswith(
        "; rename one of them, or color it into another folder with -o"
    )


def test_a_collision_is_seen_through_links(save_photo: Save, tmp_path: Path) -> None:
    save_photo(tmp_path / "one" / "s" / "x.jpg")
    save_photo(tmp_path / "one" / "t" / "x.jpg")
    (tmp_path / "out" / "s").mkdir(parents=True)
    (tmp_path / "out" / "t").symlink_to("s")
    plan = planned(tmp_path / "one", output=tmp_path / "out", recursive=True)
    assert [record.status for record in plan.settled] == ["failed"]


def test_names_that_meet_over_different_seeds(save_photo: Save, tmp_path: Path) -> None:
    """x1 with seed 0 and x with seed 10."""
    one, other = save_photo(tmp_path / "x1.png"), save_photo(tmp_path / "x.png")
    naming = Naming("{stem}{seed}.{ext}")
    plan = planned(one, other, output=tmp_path / "out", n=11, naming=naming)
    assert [task.path for task in plan.tasks] == [one]
    plan = planned(one, other, output=tmp_path / "out", n=2, diverse=True, naming=naming)
    assert [task.path for task in plan.tasks] == [one]
    assert len(planned(one, other, output=tmp_path / "out", n=2, naming=naming).tasks) == 2


def test_an_input_is_never_a_result(save_photo: Save, tmp_path: Path) -> None:
    folder = tmp_path / "album"
    for name in ("photo.png", "photo_s0.png"):
        save_photo(folder / name)
    plan = planned(folder, output=folder, overwrite=True)
    assert settled(plan) == [("photo.png", "failed")]
    assert "is itself an input" in str(plan.settled[0].reason)
    plan = planned(folder / "photo.png", output=folder, naming=Naming("{stem}.{ext}"))
    assert settled(plan) == [("photo.png", "failed")]


def test_own_results_beside_photos_are_no_photos(save_photo: Save, tmp_path: Path) -> None:
    folder = tmp_path / "album"
    for name in ("photo.png", "photo_s7.png"):
        save_photo(folder / name)
    save_result(folder / "photo_s0.png", folder / "photo.png")
    save_result(folder / "photo_s5.png", folder / "photo.png", seed=5)
    plan = planned(folder, output=folder, weights="abc")
    assert settled(plan) == [("photo.png", "skipped")]
    assert targets(plan) == ["photo_s7_s0.png"]
    assert [note.path.name for note in plan.notes] == ["photo_s0.png", "photo_s5.png"]
    named = sorted(folder.glob("*.png"))
    assert targets(planned(*named, output=folder, weights="abc")) == ["photo_s7_s0.png"]


@pytest.mark.skipif(sys.platform != "linux", reason="counts bytes as Linux does")
def test_a_name_that_would_be_too_long_is_refused(save_photo: Save, tmp_path: Path) -> None:
    fits = save_photo(tmp_path / "in" / ("é" * 123 + "x" + ".png"))  # 251 bytes
    too_long = save_photo(tmp_path / "in" / ("é" * 125 + "x" + ".png"))  # 255 bytes
    plan = planned(tmp_path / "in", output=tmp_path / "out")
    assert [task.path for task in plan.tasks] == [fits]
    (record,) = plan.settled
    assert (record.path, record.status) == (too_long, "failed")
    assert "a name of 258 bytes" in str(record.reason)


def test_several_colourings_need_the_seed_in_their_names(album: Path, tmp_path: Path) -> None:
    naming = Naming("{stem}.{ext}")
    assert targets(planned(album, output=tmp_path / "out", naming=naming)) == ["a.jpg", "b.png"]
    with pytest.raises(ValueError, match=r"name: expected \{seed\} in the template for 2"):
        planned(album, output=tmp_path / "out", n=2, naming=naming)


def test_places_of_results_are_known(album: Path, tmp_path: Path) -> None:
    plan = planned(album, output=tmp_path / "out", recursive=True, n=2)
    (tmp_path / "alias").symlink_to("out")
    for place in ("out/a_s0.jpg", "out/inner/c_s77.jpg", "alias/b_s1.png"):
        assert plan.makes(tmp_path / place)
    for place in ("out/a_s0.png", "out/a_s.jpg", "out/c_s0.jpg", "a_s0.jpg"):
        assert not plan.makes(tmp_path / place)


def test_missing_inputs_are_records(tmp_path: Path) -> None:
    plan = planned(tmp_path / "absent.png", output=tmp_path / "out")
    assert settled(plan) == [("absent.png", "failed")]
    assert plan.inputs == [tmp_path / "absent.png"]


def test_records_are_sorted_as_inputs(album: Path, tmp_path: Path) -> None:
    plan = planned(album, tmp_path / "absent.png", output=tmp_path / "out")
    assert [path.name for path in plan.inputs] == ["absent.png", "a.jpg", "b.png"]
    assert plan.in_order(reversed(plan.settled)) == plan.settled


def test_hints_by_name_and_by_place(save_photo: Save, tmp_path: Path) -> None:
    for name in ("x.png", "s/x.png", "s/y.png"):
        save_photo(tmp_path / "in" / name)
    one, two = (Hint(1, 2, 3, 4),), (Hint(5, 6, 7, 8),)
    plan = planned(
        tmp_path / "in",
        output=tmp_path / "out",
        recursive=True,
        hints={"s/x.png": one, "y.png": two},
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
        (["twin.png"], "'twin.png', but there are several, 's/twin.png' and 't/twin.png'"),
        (["y.png", "s/y.png"], "names 's/y.png' twice"),
    ],
)
def test_hints_for_no_photo_or_several_are_refused(
    save_photo: Save, tmp_path: Path, names: list[str], what: str
) -> None:
    for name in ("s/twin.png", "t/twin.png", "s/y.png"):
        save_photo(tmp_path / "in" / name)
    with pytest.raises(BatchError, match=f"f.json: (has hints for )?{what}"):
        planned(
            tmp_path / "in",
            output=tmp_path / "out",
            recursive=True,
            hints=dict.fromkeys(names, (Hint(1, 2, 3, 4),)),
            hints_source="f.json",
        )


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("n", 0),
        ("n", MOST_COLORINGS + 1),
        ("seed", -1),
        ("temperature", -0.1),
        ("temperature", float("nan")),
    ],
)
def test_wrong_settings_are_named(argument: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"^{argument}: expected"):
        Settings(**{argument: value})  # type: ignore[arg-type]


def test_the_command_and_the_settings_agree_on_the_most_colorings() -> None:
    assert arguments.MOST_COLORINGS == MOST_COLORINGS

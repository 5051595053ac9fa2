"""`--alike`: an album in its own colors, whatever the order, the workers, and what is done."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image
from scipy.spatial.distance import cdist

from colorflow.batch import PhotoHints, Settings, make_plan, run
from colorflow.batch.alike import MOST_MEDOIDS, medoids, stages_of
from colorflow.batch.settings import COLORS
from colorflow.batch.task import MOST_REFERENCES, PhotoTask
from colorflow.cli import main
from colorflow.colorizer import Colorizer
from colorflow.photo import Kind, read_photo
from colorflow.recipe import Colors, Hint
from tests.batch.results import Printed, Save, difference
from tests.in_process import run_in_process
from tests.small_weights import save_small_weights
from tests.statements import colors_of
from tests.test_scan import bed, laid, print_of

ALIKE = Settings(alike=True)
HINT = Hint(20, 30, 40, -20)


@pytest.fixture(scope="module")
def hinting(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights that take hints."""
    return save_small_weights(tmp_path_factory.mktemp("weights") / "hinting.safetensors", 3)


@pytest.fixture(scope="module")
def hinted(hinting: Path) -> Colorizer:
    return Colorizer.load(hinting)


@pytest.fixture
def photos(tmp_path: Path, save_photo: Save) -> Path:
    """A folder with six photos, so that two of those without hints stand for it."""
    for number in range(6):
        save_photo(tmp_path / "photos" / f"{number}.png", 9 * number)
    return tmp_path / "photos"


def said_in(folder: Path) -> dict[str, Colors]:
    return {path.name: colors_of(path) for path in sorted(folder.glob("*_a.png"))}


def references(folder: Path) -> dict[str, tuple[str, ...]]:
    return {name: said.references for name, said in said_in(folder).items()}


# which photos stand for an album


@pytest.mark.parametrize("seed", range(5))
def test_each_medoid_is_the_best_one_beside_those_before(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(300, 4)).astype(np.float32)
    distance = cdist(rows, rows)
    for given in (0, 2):
        chosen = list(range(given))
        for one in medoids(rows, 3, given):
            costs = [distance[:, [*chosen, other]].min(1).sum() for other in range(len(rows))]
            assert costs[one] == pytest.approx(min(costs))
            assert one not in chosen
            chosen.append(one)


def tasks_of(count: int, hints: Sequence[int] = ()) -> list[PhotoTask]:
    return [
        PhotoTask(
            path=Path(f"{number}.png"),
            folder=Path("out"),
            source=Path(f"{number}.png"),
            hints=(HINT,) if number in hints else (),
        )
        for number in range(count)
    ]


@pytest.mark.parametrize(
    ("count", "hints", "sizes"),
    [
        (1, (), (0, 1)), (3, (), (0, 1)), (20, (), (0, 4)), (200, (), (0, MOST_MEDOIDS)),
        (20, (3,), (1, 4)), (5, range(5), (5, 0)), (40, range(12), (12, 4)),
        (40, range(20), (MOST_REFERENCES, 0)), (2, (), (0, 1)), (0, (), (0, 0)),
    ],
)  # fmt: skip
def test_how_many_photos_are_references(
    count: int, hints: Sequence[int], sizes: tuple[int, int]
) -> None:
    tasks = tasks_of(count, hints)
    rng = np.random.default_rng(count)
    looks = {(task.path, None): rng.normal(size=5).astype(np.float32) for task in tasks}
    first, second, others = stages_of(tasks, looks)
    assert (len(first), len(second)) == sizes
    assert all(task.hints for task in first)
    assert not any(task.hints for task in second)
    chosen = [*first, *second]
    assert others == [task for task in tasks if task not in chosen]
    shuffled = [tasks[index] for index in rng.permutation(count)]
    assert stages_of(shuffled, looks)[:2] == (first, second)


# an album


def test_the_others_take_the_colors_of_those_that_stand_for_the_album(
    photos: Path, out: Path, colorizer: Colorizer
) -> None:
    outcomes = list(run_in_process(make_plan([photos], out, ALIKE), colorizer))
    assert [one.status for one in outcomes] == ["done"] * 6
    stated = references(out)
    medoid = [name for name, given in stated.items() if not given]
    assert len(medoid) == 2
    assert len({given for given in stated.values() if given}) == 1
    (other, *_) = (name for name in stated if name not in medoid)
    path = photos / other.replace("_a", "")
    (made,) = colorizer.colorize(path, 1, reference=[out / name for name in medoid])
    assert difference(read_photo(out / other).pixels, made.render()) <= 1
    (plain,) = colorizer.colorize(path, 1)
    assert difference(read_photo(out / other).pixels, plain.render()) > 5
    (alone,) = colorizer.colorize(photos / medoid[0].replace("_a", ""), 1)
    assert difference(read_photo(out / medoid[0]).pixels, alone.render()) <= 1


def test_neither_order_nor_workers_change_a_result(
    photos: Path, tmp_path: Path, colorizer: Colorizer, weights: Path
) -> None:
    paths = sorted(photos.iterdir())
    here = tmp_path / "here"
    list(run_in_process(make_plan(paths, here, ALIKE), colorizer))
    plan = make_plan(paths[::-1], tmp_path / "workers", ALIKE)
    outcomes = list(run(plan, weights={COLORS: weights}, workers=2))
    assert sorted(one.status for one in outcomes) == ["done"] * 6
    assert said_in(tmp_path / "workers") == said_in(here)
    for name in references(here):
        both = (read_photo(folder / name).pixels for folder in (here, tmp_path / "workers"))
        assert difference(*both) <= 1


@pytest.mark.parametrize("is_reference", [True, False])
def test_a_run_that_goes_on_changes_nothing(
    photos: Path, out: Path, colorizer: Colorizer, *, is_reference: bool
) -> None:
    def statuses() -> list[str]:
        plan = make_plan([photos], out, ALIKE)
        return [one.status for one in plan.in_order(run_in_process(plan, colorizer))]

    assert statuses() == ["done"] * 6
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    assert statuses() == ["skipped"] * 6
    lost = [name for name, given in references(out).items() if bool(given) != is_reference]
    for name in lost:
        (out / name).unlink()
    assert sorted(statuses()) == sorted(["done"] * len(lost) + ["skipped"] * (6 - len(lost)))
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_photos_with_hints_come_first_and_their_hints_are_told(
    photos: Path, tmp_path: Path, hinted: Colorizer
) -> None:
    def stated(color: float, folder: str) -> dict[str, tuple[str, ...]]:
        hints = {"4.png": PhotoHints((replace(HINT, a=color),))}
        plan = make_plan([photos], tmp_path / folder, ALIKE, hints=hints)
        order = [one.path.name for one in run_in_process(plan, hinted)]
        assert order[0] == "4.png"
        found = references(tmp_path / folder)
        assert found["4_a.png"] == ()
        medoid = {name for name, given in found.items() if len(given) == 1}
        assert {f"{name[0]}_a.png" for name in order[1:3]} == medoid
        assert sorted(map(len, found.values())) == [0, 1, 1, 3, 3, 3]
        return found

    red, green = stated(40, "red"), stated(-40, "green")
    for name in red.keys() - {"4_a.png"}:
        assert set(red[name]).isdisjoint(green[name]), "other hints make other references"


def test_a_damaged_photo_costs_itself_alone(photos: Path, out: Path, weights: Path) -> None:
    """A damaged photo is no reference, and the run goes on without it."""
    (photos / "1.png").write_bytes((photos / "1.png").read_bytes()[:300])
    plan = make_plan([photos], out, ALIKE)
    statuses = {one.path.name: one.status for one in run(plan, weights={COLORS: weights})}
    assert statuses == {f"{n}.png": "failed" if n == 1 else "done" for n in range(6)}
    assert sorted(map(len, references(out).values())) == [0, 0, 2, 2, 2]


def test_a_stopped_run_ends_in_between(photos: Path, out: Path, weights: Path) -> None:
    stop = threading.Event()
    plan = make_plan([photos], out, ALIKE)
    outcomes = []
    for outcome in run(plan, weights={COLORS: weights}, workers=2, stop=stop):
        outcomes.append(outcome)
        stop.set()
    assert 1 <= len(outcomes) <= 2
    assert all(given == () for given in references(out).values())


def test_the_command(photos: Path, tmp_path: Path, in_process: None, capsys: Printed) -> None:
    packed = shutil.make_archive(str(tmp_path / "album"), "zip", photos)
    for inputs, output in ((photos, tmp_path / "out"), (packed, tmp_path / "unpacked")):
        command = ["colorize", str(inputs), "-o", str(output), "--alike", "--strength", "0.8"]
        for status in ("done", "skipped"):
            assert main(command) == 0
            assert f"6 {status} in " in capsys.readouterr().out
    told = said_in(tmp_path / "out")
    assert said_in(tmp_path / "unpacked") == told
    assert sorted(str(said.spec.strength) for said in told.values()) == ["0.0"] * 2 + ["0.8"] * 4


def test_a_print_is_judged_and_not_the_scan_that_it_is_cut_out_of(
    tmp_path: Path, out: Path, colorizer: Colorizer
) -> None:
    """A gray print may stand for the album, whatever lies beside it."""
    folder = tmp_path / "scans"
    folder.mkdir()
    for number, name in enumerate(("coffee", "chelsea", "astronaut", "coffee")):
        scan = bed("white", 520, 880, np.random.default_rng(number))
        laid(scan, print_of(name), (190, 260), 0.0)
        laid(scan, skimage.data.astronaut()[:460, :460], (630, 260), 0.0, border=0)
        Image.fromarray(scan).save(folder / f"{number}.png")
        assert read_photo(folder / f"{number}.png").kind is Kind.COLORED
    plan = make_plan([folder], out, replace(ALIKE, crop=True))
    assert [one.status for one in run_in_process(plan, colorizer)] == ["done"] * 4
    assert sorted(references(out)) == [f"{number}_print2_a.png" for number in range(4)]
    assert sorted(map(len, references(out).values())) == [0, 0, 2, 2]

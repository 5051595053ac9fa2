"""The table of a folder: its numbers, whom they depend on, and who is left out."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.color
import skimage.data
import skimage.metrics
import torch
from PIL import Image
from torch import Tensor

from colorflow.color.grid import to_grid
from colorflow.errors import EvaluationError, UnreadablePhotoError
from colorflow.evaluation.columns import Column
from colorflow.evaluation.evaluate import photos_of
from colorflow.evaluation.subject import Subject
from tests.evaluation.conftest import WARM, normal_samples, numbers, run, save_photos

NORMAL = Column(name="normal", sample=normal_samples)

pytestmark = pytest.mark.usefixtures("cheap")


def alone(path: Path, column: Column, **options: Any) -> dict[str, float]:
    """Values of one column on one photo."""
    table = run([path], [column], **options).tables["columns"][column.name]
    return {metric: estimate.value for metric, estimate in table.items()}


# whom the numbers depend on


def test_names_and_order_of_the_files_change_nothing(photos: Path, tmp_path: Path) -> None:
    save_photos(tmp_path, ("z.png", "a.png", "m.bmp"))
    first = run(photos_of(photos), [NORMAL, WARM])
    second = run(photos_of(tmp_path)[::-1], [NORMAL, WARM])
    assert first.photos == second.photos == 3
    assert numbers(first.tables["columns"]) == numbers(second.tables["columns"])
    assert numbers(first.tables["ratios"]) == numbers(second.tables["ratios"])


def test_other_photos_change_nothing_of_a_photo(photos: Path, cat: Path) -> None:
    seen: list[tuple[str, Tensor]] = []

    def watched(subject: Subject, n: int, source: torch.Generator) -> Tensor:
        seen.append((subject.name, normal_samples(subject, n, source)))
        return seen[-1][1]

    normal = replace(NORMAL, sample=watched)
    run(photos_of(photos), [normal])
    first = {name: ab for name, ab in reversed(seen)}
    seen.clear()
    for seed in (0, 1):
        run([cat], [normal, WARM], seed=seed)
    own = first.pop(str(cat))
    assert torch.equal(own, seen[0][1])
    assert not torch.equal(own, seen[2][1]), "another seed, other samples"
    assert not torch.equal(*first.values())


# the numbers


def test_rmse_by_scikit_image(cat: Path) -> None:
    """The photo averaged to 64x64, and the same with the chroma of the column."""
    photo = skimage.data.chelsea()[40:240, 60:300]
    truth = np.asarray(Image.fromarray(photo).resize((64, 64), Image.Resampling.BOX), dtype=float)
    lab = skimage.color.rgb2lab(truth / 255)
    lab[..., 1:] = 3, 4
    want = 100 * np.sqrt(
        skimage.metrics.mean_squared_error(truth / 255, skimage.color.lab2rgb(lab))
    )
    values = alone(cat, WARM)
    for name in ("one", "best8_photo", "best8_pixel", "mean8", "mean64"):
        assert values[f"rmse_{name}"] == pytest.approx(want, rel=0.01), name


def test_means_of_more_samples_are_nearer(cat: Path) -> None:
    """Independent errors of std s: one sample errs s, the mean of n s / sqrt(n)."""

    truth = torch.from_numpy(to_grid(skimage.data.chelsea()[40:240, 60:300]))

    def sample(_: object, n: int, generator: torch.Generator) -> Tensor:
        return truth + 3 * torch.randn(n, 2, 64, 64, generator=generator)

    values = alone(cat, Column(name="near", sample=sample))
    assert values["rmse_one"] / values["rmse_mean8"] == pytest.approx(np.sqrt(8), rel=0.05)
    assert values["rmse_one"] / values["rmse_mean64"] == pytest.approx(8, rel=0.05)
    # The variance of an 8-bit-like number is its squared error, in (sRGB x 100) squared.
    assert values["variance_pixel"] == pytest.approx(values["rmse_one"] ** 2, rel=0.05)
    # Mean distance of two normal pairs of std 3 each: 3 sqrt(2) sqrt(pi / 2).
    assert values["diversity"] == pytest.approx(3 * np.sqrt(np.pi), rel=0.02)
    # The truth is in the middle of its samples, whose extremes lie on either side.
    assert values["coverage50"] > 0.999


def test_blow_ups_are_a_share_of_all_samples(cat: Path) -> None:
    """The column samples 64 times: every fourth one is a flood of chroma 100."""

    def sample(_: object, n: int, __: torch.Generator) -> Tensor:
        flood = (torch.arange(n) % 4 == 0).view(n, 1, 1, 1)
        return flood * torch.tensor([60.0, 80.0]).view(2, 1, 1).expand(2, 64, 64)

    column = Column(name="flood", sample=sample)
    assert alone(cat, column, blow_up_chroma=99.9)["blow_ups"] == 0.25
    assert alone(cat, column, blow_up_chroma=100.1)["blow_ups"] == 0


def test_the_seam_ratio_is_of_all_steps_of_all_photos_and_samples(photos: Path) -> None:
    """Means of steps are divided, not ratios averaged: a smooth photo has no say of its own."""

    def sample(_: object, n: int, __: torch.Generator) -> Tensor:
        ab = torch.arange(64.0).expand(n, 2, 64, 64).clone()  # steps of sqrt 2 across, 0 down
        ab[..., 16:] += 7
        return ab

    column = Column(name="seam", sample=sample, one=True)
    found = run(photos_of(photos), [NORMAL, column, WARM]).tables["columns"]
    across, seams = np.sqrt(2) * 60, np.sqrt(2) * (7 + 3)
    assert found["seam"]["seam_ratio"].value == pytest.approx((seams / 3) / (across / 60), rel=1e-6)
    assert found["normal"]["seam_ratio"].value == pytest.approx(1, abs=0.01)
    assert 0.8 < found["truth"]["seam_ratio"].value < 1.2
    for flat in ("warm", "gray"):
        assert "seam_ratio" not in found[flat], "one color has no steps to compare"


@pytest.mark.parametrize(("by_photo", "share"), [(0.0, 1.0), (1e6, 0.0), (3.0, 0.1)])
def test_the_tint_that_the_number_of_a_sample_explains(
    by_photo: float, share: float, photos: Path
) -> None:
    """Tints of std 1 by the sample's number, of std `by_photo` by photo and number, and a tint by
    photo alone, which counts for nothing; patterns within a photo do not count either."""
    count = itertools.count()

    def by_seed(pixels: np.ndarray) -> Tensor:
        generator = torch.Generator().manual_seed(next(count))
        common = torch.randn(4000, 2, 1, 1, generator=torch.Generator().manual_seed(99))
        own = torch.randn(4000, 2, 1, 1, generator=generator)
        pattern = torch.tensor([50.0, -50.0]).expand(2, 2)
        return common + by_photo * own + float(pixels.mean()) + pattern

    column = replace(WARM, samples_by_seed=by_seed)
    found = run(photos_of(photos), [column, NORMAL])
    assert found.tables["columns"]["warm"]["tint_by_seed"].value == pytest.approx(share, abs=0.03)
    assert "tint_by_seed" not in found.tables["columns"]["normal"]


def test_truth_and_gray(photos: Path) -> None:
    found = run(photos_of(photos), [WARM])
    truth, gray = found.tables["columns"]["truth"], found.tables["columns"]["gray"]
    assert truth["rmse_one"].value < 1e-3
    assert truth["energy_score"].value == 0
    assert gray["colorfulness"].value < 1e-3
    assert gray["blow_ups"].value == 0
    assert found.tables["ratios"]["gray"]["rmse_mean64_to_gray"].value == 1
    assert found.tables["ratios"]["truth"]["colorfulness_to_truth"].value == 1
    warm = found.tables["columns"]["warm"]["rmse_one"].value / gray["rmse_one"].value
    assert found.tables["ratios"]["warm"]["rmse_best8_photo_to_gray"].value == pytest.approx(warm)
    assert gray["kd_lite2"].value > truth["kd_lite2"].value
    assert gray["judge_kl"].value > truth["judge_kl"].value >= 0


def test_likelihood_and_inverse_are_of_the_noisy_truth(photos: Path) -> None:
    given: list[Tensor] = []

    def density(ab: Tensor, _: object) -> tuple[dict[str, float], Tensor]:
        given.append(ab)
        return {"4": 7.0, "all": float(len(given))}, ab + 0.25

    column = replace(WARM, density=density)
    found = run(photos_of(photos), [column, replace(column, name="twin")])
    assert len(given) == 3, "columns of one density share it"
    warm, twin = (found.tables["columns"][name] for name in ("warm", "twin"))
    assert warm["bits_per_dim"] == twin["bits_per_dim"]
    assert warm["bits_per_dim"].value == 2
    assert warm["inverse_error"].value == pytest.approx(0.25, abs=1e-4)
    levels = found.tables["bits_per_dim_by_level"]
    assert levels["warm"]["4"].value == 7
    assert set(levels) == {"warm", "twin"}
    truth = [to_grid(np.asarray(Image.open(path))) for path in photos_of(photos)]
    noise = np.concatenate([ab.numpy()[0] - y for ab, y in zip(given, truth, strict=True)])
    assert abs(noise.mean()) < 4 / np.sqrt(noise.size)
    assert abs(noise.std() - 1) < 4 / np.sqrt(2 * noise.size)


# degraded lightness


def test_degraded_lightness_is_seen_by_the_models_alone(cat: Path) -> None:
    seen: list[Tensor] = []

    def sample(subject: Subject, n: int, _: torch.Generator) -> Tensor:
        seen.append(subject.condition.lightness)
        return torch.zeros(n, 2, 64, 64)

    column = Column(name="watch", sample=sample, one=True)
    clean = run([cat], [column]).tables["columns"]
    degraded = run([cat], [column], degraded=True).tables["columns"]
    other = run([cat], [column], degraded=True, seed=1).tables["columns"]
    assert (seen[0] - seen[1]).abs().mean() > 0.2
    assert (seen[1] - seen[2]).abs().mean() > 0.1
    for table in (degraded, other):
        assert table["truth"]["rmse_one"] == clean["truth"]["rmse_one"]
        assert table["watch"]["rmse_one"] == clean["watch"]["rmse_one"]


# who is left out


def test_files_without_numbers_are_named(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_photos(tmp_path, ("a.png", "b.png", "c.png"))
    Image.fromarray(skimage.data.camera()).save(tmp_path / "gray.png")
    sepia = skimage.data.camera()[..., None] * np.array([1, 0.85, 0.6])
    Image.fromarray(sepia.astype(np.uint8)).save(tmp_path / "sepia.png")
    (tmp_path / "broken.jpg").write_bytes((tmp_path / "a.png").read_bytes()[:2000])
    found = run(photos_of(tmp_path), [WARM])
    assert found.photos == 3
    assert numbers(found.tables["columns"]) == numbers(
        run(photos_of(photos), [WARM]).tables["columns"]
    )
    assert [(Path(item.file).name, item.why) for item in found.left_out] == [
        ("broken.jpg", "unreadable"),
        ("gray.png", "not colored"),
        ("sepia.png", "not colored"),
    ]
    said = capsys.readouterr().err
    for item in found.left_out:
        assert f"{item.file}: left out ({item.reason})\n" in said


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_not_finite_are_not_averaged(photos: Path, cat: Path, bad: float) -> None:
    """The photo is left out for every column, named, and the others stay."""
    count = itertools.count()

    def sample(_: object, n: int, __: torch.Generator) -> Tensor:
        ab = torch.zeros(n, 2, 64, 64)
        ab[0, 1, 5, 5] = bad if next(count) == 1 else 0  # at the second photo
        return ab

    column = Column(name="bad", sample=sample, one=True)
    found = run(photos_of(photos), [WARM, column])
    assert found.photos == 2
    assert [(item.file, item.why) for item in found.left_out] == [(str(cat), "not finite")]
    assert found.left_out[0].reason == "bad gave chroma that is not finite"

    with pytest.raises(EvaluationError, match=r"none of the 1 photos .*: 1 not finite"):
        run([cat], [replace(WARM, density=lambda ab, _: ({"all": bad}, ab))])


# which photos


def test_a_limit_spreads_over_the_folder(tmp_path: Path) -> None:
    for index in range(10):
        (tmp_path / f"{index}.png").touch()

    def names(limit: int | None) -> str:
        return "".join(path.stem for path in photos_of(tmp_path, limit))

    assert names(None) == names(10) == names(99) == "0123456789"
    assert names(5) == "02468"
    assert names(3) == "036"
    assert names(1) == "0"


def test_folders_without_photos(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="holds no photo to measure on"):
        photos_of(tmp_path)
    with pytest.raises(UnreadablePhotoError, match="there is no such"):
        photos_of(tmp_path / "none")

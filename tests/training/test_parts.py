"""Parts that learn by themselves: from the command line to weights files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from colorflow import cli
from colorflow.cli.training import PARTS, trainings
from colorflow.model.weights import load_weights
from colorflow.training import heads
from tests.training.conftest import save_random
from tests.training.made_up_pixels import TRAIN
from tests.training.runs import curve, error_of, raw_state

HEADS = ("mean", "likeness", "segmentation", "skin")


@pytest.fixture(scope="module", autouse=True)
def _any_skin() -> Iterator[None]:
    """The tones of every photo with some skin count."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(heads, "LEAST_CELLS", 1)
        yield


@pytest.fixture(scope="module")
def packs(large_folder: Path) -> dict[str, Path]:
    return dict.fromkeys(HEADS, large_folder)


def run_of(part: str, pack: Path, folder: Path, *, start: Path | None, steps: int = 2) -> int:
    """The exit code of a training."""
    options = ["--part", part, "--steps", str(steps), "--batch", "4", "--evaluate-every", "1"]
    options += ["--start", str(start)] if start else []
    return cli.main(["train", str(pack), "-o", str(folder), *options])


def test_every_part_has_its_kind() -> None:
    names = {part.partition("-")[0] for part in PARTS}
    assert names == trainings().keys()
    assert all(training.name == name for name, training in trainings().items())


@pytest.mark.slow
@pytest.mark.parametrize("name", HEADS)
def test_a_head_learns_goes_on_and_becomes_part_of_its_model(
    name: str, packs: dict[str, Path], start: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """All else of the model stays as it was; the best weights are kept."""
    run, new, pack = tmp_path / "run", tmp_path / "new.safetensors", packs[name]
    assert run_of(name, pack, run, start=start) == 0
    assert run_of(name, pack, run, start=start, steps=3) == 0
    assert f"{name}: goes on at step 2" in capsys.readouterr().out
    assert [row["step"] for row in curve(run, name)] == ["1", "2", "3"]
    given = ["--start", str(start), "--pack", str(pack)]
    assert cli.main(["export", str(run), str(new), *given]) == 0
    assert f"{name}_head: " in capsys.readouterr().out
    before, after = load_weights(start), load_weights(new)
    head, old = (getattr(x.pyramid, f"{name}_head") for x in (after, before))
    assert (old is not None) == (name == "mean"), "a head that is there is trained on"
    best = raw_state(run, name)["best"]
    for key, x in head.state_dict().items():
        if key != "gain" and not key.startswith("tone_"):
            wanted = best[f"head.{key}" if name == "likeness" else key]
            torch.testing.assert_close(x, wanted, rtol=2e-3, atol=2e-3)  # float16
    kept = after.pyramid.state_dict()
    for key, x in before.pyramid.state_dict().items():
        if not key.startswith(f"{name}_head"):
            torch.testing.assert_close(kept.pop(key), x, rtol=2e-3, atol=2e-3)
    assert all(key.startswith(f"{name}_head.") for key in kept)
    for field in ("temperatures", "interval_factors", "gain"):
        assert getattr(after, field) == getattr(before, field)
    told = after.training[f"{name}_head"]
    assert told["steps"] == 3
    if name == "mean":
        assert 1 <= told["gain"] == pytest.approx(float(head.gain), rel=1e-3)
    if name == "skin":
        assert 2 < told["photos_with_skin"] <= TRAIN
        assert head.tone_mean.abs().max() > 0
        assert head.tone_factor[0, 1] == 0
        assert (head.tone_factor.diag() > 0).all()


@pytest.mark.slow
def test_what_export_refuses(
    packs: dict[str, Path], start: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, mine = tmp_path / "run", tmp_path / "mine.safetensors"
    assert run_of("skin", packs["skin"], run, start=start, steps=1) == 0
    assert "a head needs its model" in error_of(["export", run, tmp_path / "new"], capsys)
    command = ["export", run, mine, "--start", start]
    assert "--pack: name the pack" in error_of(command, capsys)
    mine.write_bytes(b"mine")
    assert f"{mine}: cannot be written (a file is there" in error_of(command, capsys)
    assert mine.read_bytes() == b"mine"
    said = error_of([*command, "--gain", "2"], capsys, 2)
    assert "--temperatures and --gain are for levels" in said
    (run / "skin" / "state.pt").unlink()
    mine.unlink()
    said = error_of([*command, "--pack", packs["skin"]], capsys)
    assert f"train it with `colorflow train PACK -o {run} --part skin`" in said
    (run / "config.json").write_text('{"skin": "of another shape"}')
    assert f"{run}: its parts have another shape here" in error_of(command, capsys)
    assert not mine.exists()


def test_what_training_refuses(
    packs: dict[str, Path], start: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is left where nothing was trained."""
    run, pack = tmp_path / "run", packs["likeness"]
    without = tmp_path / "without.safetensors"
    shape = load_weights(start).pyramid.config
    for changes, message in (
        ({"late_blocks": False}, "has no late blocks, on whose maps heads learn"),
        ({"mean_head": False}, "the model has no mean head"),
    ):
        save_random(without, replace(shape, **changes))
        command = ["train", pack, "-o", run, "--part", "likeness", "--steps", "1"]
        assert message in error_of([*command, "--start", without], capsys)
    assert "name the weights file with --start" in error_of(command, capsys)
    for options in (["--levels", "4"], ["--dropout", "0"]):
        assert "do not go with --part" in error_of([*command, *options], capsys, 2)
    assert not run.exists()

"""Photos in a store colored into a store: results, what stays, and what goes wrong."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from colorflow.batch import PhotoOutcome, Settings, make_plan, run_in_process, write_report
from colorflow.colorizer import Colorizer
from colorflow.errors import BatchError
from colorflow.photo import Principal, read_photo, read_provenance
from tests.batch.store import IN, OUT, put

pytestmark = pytest.mark.usefixtures("memory")


def color_all(
    colorizer: Colorizer, *inputs: str, out: str = OUT, recursive: bool = False, **settings: object
) -> dict[str, PhotoOutcome]:
    plan = make_plan(inputs, out, Settings(**settings), recursive=recursive)  # type: ignore[arg-type]
    return {str(outcome.path): outcome for outcome in run_in_process(plan, colorizer)}


def pixels(memory: MemoryFileSystem, name: str, folder: Path) -> np.ndarray:
    path = folder / Path(name).name
    path.write_bytes(memory.cat_file(f"/{name}"))
    return read_photo(path).pixels.astype(int)


# coloring


def test_results_are_those_of_files(
    memory: MemoryFileSystem, tmp_path: Path, colorizer: Colorizer
) -> None:
    put(memory, "in/a.png", "in/inner/b.png")
    for name in ("a.png", "inner/b.png"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_bytes(memory.cat_file(f"/in/{name}"))
    here = tmp_path / "here"
    want = color_all(
        colorizer, str(tmp_path / "in"), out=str(here), recursive=True, n=2, likelihood=True
    )
    got = color_all(colorizer, IN, recursive=True, n=2, likelihood=True)
    mixed = color_all(colorizer, IN, out=str(tmp_path / "mixed"), recursive=True, n=2)
    back = color_all(colorizer, str(tmp_path / "in"), out="memory://back", recursive=True, n=2)
    assert sorted(memory.find("/out")) == [
        "/out/a_a.png", "/out/a_b.png", "/out/inner/b_a.png", "/out/inner/b_b.png",
    ]  # fmt: skip
    for name in ("a_a.png", "a_b.png", "inner/b_a.png", "inner/b_b.png"):
        one = read_photo(here / name).pixels.astype(int)
        for other in (
            pixels(memory, f"out/{name}", tmp_path),
            pixels(memory, f"back/{name}", tmp_path),
            read_photo(tmp_path / "mixed" / name).pixels.astype(int),
        ):
            assert np.abs(one - other).max() <= 1
    for outcomes in (got, mixed, back):
        assert [outcome.status for outcome in outcomes.values()] == ["done", "done"]
    outcome = got[f"{IN}/a.png"]
    assert [str(one.path) for one in outcome.colorings] == [f"{OUT}/a_a.png", f"{OUT}/a_b.png"]
    local = want[str(tmp_path / "in" / "a.png")]
    assert (outcome.width, outcome.height) == (local.width, local.height) == (64, 48)
    for one, other in zip(outcome.colorings, local.colorings, strict=True):
        assert one.bits_per_dim == pytest.approx(other.bits_per_dim, abs=1e-4)
    (tmp_path / "x.png").write_bytes(memory.cat_file("/out/a_b.png"))
    provenance = read_provenance(tmp_path / "x.png")
    assert provenance is not None
    assert provenance.principal == Principal("b", 2, outcome.colorings[1].share)


def test_going_on_sends_what_is_missing_and_nothing_else(
    memory: MemoryFileSystem, colorizer: Colorizer
) -> None:
    put(memory, "in/a.png", "in/b.png")
    color_all(colorizer, IN, n=2)
    whole = {name: memory.cat_file(name) for name in memory.find("/out")}
    memory.rm_file("/out/a_b.png")
    memory.pipe_file("/out/b_a.png", b"")
    kept = memory.modified("/out/a_a.png")
    outcomes = color_all(colorizer, IN, n=2)
    assert [outcome.status for outcome in outcomes.values()] == ["done", "done"]
    assert {name: memory.cat_file(name) for name in memory.find("/out")} == whole
    assert memory.modified("/out/a_a.png") == kept
    outcomes = color_all(colorizer, IN, n=2)
    assert [outcome.status for outcome in outcomes.values()] == ["skipped", "skipped"]
    color_all(colorizer, IN, n=2, overwrite=True)
    assert {name: memory.cat_file(name) for name in memory.find("/out")} == whole
    assert memory.modified("/out/a_a.png") > kept


def test_each_photo_that_cannot_be_colored_is_named(
    memory: MemoryFileSystem, tmp_path: Path, colorizer: Colorizer
) -> None:
    put(memory, "in/a.png", "in/vanished.png")
    memory.pipe_file("/in/broken.png", memory.cat_file("/in/a.png")[:-900])
    plan = make_plan([IN], OUT, Settings())
    memory.rm_file("/in/vanished.png")
    outcomes = {outcome.path.name: outcome for outcome in run_in_process(plan, colorizer)}
    assert {name: outcome.status for name, outcome in outcomes.items()} == {
        "a.png": "done", "broken.png": "failed", "vanished.png": "failed",
    }  # fmt: skip
    assert outcomes["vanished.png"].reason == "there is no such file"
    assert "photo.png" not in str(outcomes["broken.png"].reason)
    write_report(tmp_path / "r.json", plan, outcomes.values(), began=datetime.now(UTC), seconds=1)
    assert f'"{IN}/vanished.png"' in (tmp_path / "r.json").read_text()


def test_a_store_that_takes_no_more_ends_the_run(
    memory: MemoryFileSystem, colorizer: Colorizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(memory, "in/a.png", "in/b.png")
    plan = make_plan([IN], OUT, Settings())

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError("Access Denied")

    outcomes = run_in_process(plan, colorizer)
    monkeypatch.setattr(MemoryFileSystem, "cp_file", refuse)
    (outcome,) = outcomes
    assert (outcome.status, outcome.ends_the_run) == ("failed", True)
    assert outcome.reason == f"{OUT}/a_a.png: cannot be written (Access Denied)"
    assert outcome.colorings == ()
    assert memory.find("/out") == []  # nothing hidden either


def test_results_do_not_lie_among_the_photos(memory: MemoryFileSystem) -> None:
    put(memory, "in/a.png")
    with pytest.raises(BatchError, match=r"memory://in: results cannot lie among the photos"):
        make_plan([IN], IN, Settings())

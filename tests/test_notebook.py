"""The notebook runs from top to bottom, and is stored with what its cells show."""

from __future__ import annotations

import base64
import io
from copy import deepcopy
from pathlib import Path

import cv2
import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "notebooks" / "quick_start.ipynb"
SECONDS = 300
"""That the start, or a cell, may take on a busy machine."""


@pytest.fixture
def notebook() -> nbformat.NotebookNode:
    found = nbformat.read(FILE, as_version=4)
    nbformat.validate(found)
    return found


def outputs_of(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [one for cell in notebook.cells for one in cell.get("outputs", [])]


def pictures_of(notebook: nbformat.NotebookNode) -> list[np.ndarray]:
    """The pictures that its cells show, (H, W, 3)."""
    encoded = [one.get("data", {}).get("image/jpeg") for one in outputs_of(notebook)]
    files = [io.BytesIO(base64.b64decode(one)) for one in encoded if one]
    return [np.asarray(Image.open(file).convert("RGB"), float) for file in files]


def printed_by(notebook: nbformat.NotebookNode) -> str:
    return "".join(one.get("text", "") for one in outputs_of(notebook))


def test_the_notebook_is_stored_with_its_pictures(notebook: nbformat.NotebookNode) -> None:
    """Run once from top to bottom, without complaints, and small."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert {one.output_type for one in outputs_of(notebook)} <= {
        "display_data",
        "execute_result",
        "stream",
    }
    assert "stderr" not in {one.get("name") for one in outputs_of(notebook)}
    assert len(pictures_of(notebook)) == 6
    assert FILE.stat().st_size < 2_000_000
    assert str(Path.home()) not in FILE.read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.long
def test_the_notebook_runs_from_top_to_bottom(
    notebook: nbformat.NotebookNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cell that raises fails the test; the pictures are those that are stored."""
    stored = deepcopy(notebook)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    place = {"metadata": {"path": str(tmp_path)}}
    patience = {"timeout": SECONDS, "startup_timeout": SECONDS}
    NotebookClient(notebook, kernel_name="python3", resources=place, **patience).execute()
    assert [one for one in outputs_of(notebook) if one.get("name") == "stderr"] == []
    for made, kept in zip(pictures_of(notebook), pictures_of(stored), strict=True):
        assert np.ptp(made, axis=-1).mean() > 3, "the pictures are gray"
        small = [cv2.resize(one, (64, 16), interpolation=cv2.INTER_AREA) for one in (made, kept)]
        assert np.abs(small[0] - small[1]).mean() < 4, "the stored pictures are of another time"
    lines = [line.split(" bits/dim ") for line in printed_by(notebook).splitlines()]
    bits = {line[1].strip(): float(line[0]) for line in lines if len(line) == 2}
    assert bits["no color"] < bits["sample 1"] < bits["sample 1, upside down"]
    assert bits["sample 1"] < bits["original colors"], "the text of the notebook says so"

"""The notebook runs from top to bottom, and is stored without outputs."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
CELL_SECONDS = 300


@pytest.fixture
def notebook() -> nbformat.NotebookNode:
    found = nbformat.read(ROOT / "notebooks" / "quick_start.ipynb", as_version=4)
    nbformat.validate(found)
    return found


def test_the_notebook_is_stored_without_outputs(notebook: nbformat.NotebookNode) -> None:
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert code
    assert not [cell for cell in code if cell.outputs or cell.execution_count is not None]


@pytest.mark.slow
@pytest.mark.long
def test_the_notebook_runs_from_top_to_bottom(
    notebook: nbformat.NotebookNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cell that raises fails the test; the last code cell shows the map of uncertainty."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    place = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(notebook, timeout=CELL_SECONDS, kernel_name="python3", resources=place).execute()
    outputs = [one for cell in notebook.cells for one in cell.get("outputs", [])]
    assert [one for one in outputs if one.get("name") == "stderr"] == []
    pictures = [one["data"]["image/png"] for one in outputs if "image/png" in one.get("data", {})]
    assert len(pictures) == 6
    for encoded in pictures:
        picture = np.asarray(Image.open(io.BytesIO(base64.b64decode(encoded))).convert("RGB"))
        assert np.ptp(picture.astype(int), axis=-1).mean() > 3, "the pictures are gray"
    printed = "".join(one.get("text", "") for one in outputs)
    lines = [line.split(" bits/dim ") for line in printed.splitlines() if " bits/dim " in line]
    bits = {name.strip(): float(number) for number, name in lines}
    assert bits["no color"] < bits["sample 1"] < bits["sample 1, upside down"]
    assert bits["sample 1"] < bits["original colors"], "the text of the notebook says so"

"""The README's quick start runs as printed, and what it points to exists."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
from PIL import Image

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
QUICK_START, FLOWS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def test_quick_start_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gray = np.round(skimage.data.astronaut().mean(-1)).astype(np.uint8)
    Image.fromarray(gray).save(tmp_path / "photo.jpg")
    monkeypatch.chdir(tmp_path)
    exec(compile(QUICK_START, "README.md", "exec"), {})
    results = [np.asarray(Image.open(path)) for path in sorted(tmp_path.glob("photo_*.png"))]
    assert len(results) == 4
    for result in results:
        assert result.shape == (512, 512, 3)
        assert np.ptp(result.astype(int), axis=-1).mean() > 3, "the picture is gray"


def test_example_of_the_flows_runs() -> None:
    names: dict[str, Any] = {}
    exec(compile(FLOWS, "README.md", "exec"), names)
    assert names["loss"].isfinite()
    assert names["samples"].shape == (4, 2, 16, 16)


def test_files_that_the_readme_names_exist() -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)\)", README)
    assert links
    for link in links:
        assert (ROOT / link).exists(), link


def test_commands_that_the_readme_names_exist() -> None:
    targets = re.findall(r"^make (\w+)", README, re.MULTILINE)
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert targets
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target

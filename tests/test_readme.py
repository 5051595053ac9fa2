"""The examples of the README and of docs/flows.md run as printed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
from PIL import Image

ROOT = Path(__file__).parent.parent


def python_of(document: str) -> str:
    """The one Python example of a document."""
    (code,) = re.findall(
        r"```python\n(.*?)```", (ROOT / document).read_text(encoding="utf-8"), re.DOTALL
    )
    return code


def test_quick_start_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gray = np.round(skimage.data.astronaut().mean(-1)).astype(np.uint8)
    Image.fromarray(gray).save(tmp_path / "photo.jpg")
    monkeypatch.chdir(tmp_path)
    exec(compile(python_of("README.md"), "README.md", "exec"), {})
    results = [np.asarray(Image.open(path)) for path in sorted(tmp_path.glob("photo_*.png"))]
    assert len(results) == 4
    for result in results:
        assert result.shape == (512, 512, 3)
        assert np.ptp(result.astype(int), axis=-1).mean() > 3, "the picture is gray"


def test_example_of_the_flows_runs() -> None:
    names: dict[str, Any] = {}
    exec(compile(python_of("docs/flows.md"), "docs/flows.md", "exec"), names)
    assert names["loss"].isfinite()
    assert names["samples"].shape == (4, 2, 16, 16)


def test_make_targets_of_the_documents_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for document in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")):
        text = document.read_text(encoding="utf-8")
        for target in re.findall(r"(?:^|`)make (\w+)", text, re.MULTILINE):
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"{document.name}: {target}"

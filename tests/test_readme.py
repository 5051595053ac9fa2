"""The examples of the README, docs/flows.md and docs/python.md run, and print what is said."""

from __future__ import annotations

import re
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
from PIL import Image

from colorflow import Colorizer, Enlarger, Repairer
from colorflow.restorer import Restorer
from colorflow.result import Result

ROOT = Path(__file__).parent.parent


def python_of(document: str, number: int = 0) -> str:
    """A Python example of a document."""
    text = (ROOT / document).read_text(encoding="utf-8")
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)[number]


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


@pytest.mark.slow
@pytest.mark.long
def test_two_moons_are_learned_in_ten_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """The number is that of the document, and below what the entropy allows."""
    code = python_of("docs/flows.md", 1)
    assert len([line for line in code.splitlines() if line]) == 10
    exec(compile(code, "docs/flows.md", "exec"), {})
    nats = float(capsys.readouterr().out.removesuffix(" nats a point\n"))
    (said,) = re.findall(r"(-\d\.\d+) nats a point", (ROOT / "docs/flows.md").read_text("utf-8"))
    assert nats == pytest.approx(float(said), abs=0.1)
    assert nats < -0.9


@pytest.mark.slow
@pytest.mark.long
def test_examples_of_the_python_interface_print_what_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whole numbers and words as they are, fractions nearly: they depend on the processor."""
    monkeypatch.chdir(tmp_path)
    Image.fromarray(skimage.data.camera()[::4, ::4]).save("photo.jpg")  # of the first example
    text = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```\n(?:\n```text\n(.*?)```\n)?", text, re.DOTALL)
    names: dict[str, Any] = {}
    for number, (code, said) in enumerate(blocks):
        with redirect_stdout(StringIO()) as printed:
            exec(compile(code, f"docs/python.md, example {number}", "exec"), names)
        if number == 0:
            continue  # the quick start, which is about a photo of the reader's
        fractions = r"-?\d+\.\d*"
        assert re.sub(fractions, "#", printed.getvalue()) == re.sub(fractions, "#", said), code
        numbers = [
            [float(one) for one in re.findall(fractions, text)]
            for text in (printed.getvalue(), said)
        ]
        assert numbers[0] == pytest.approx(numbers[1], rel=0.05, abs=0.02), code
    assert len(blocks) > 10


@pytest.mark.parametrize("kind", [Result, Colorizer, Enlarger, Repairer, Restorer])
def test_the_python_page_has_every_method(kind: type) -> None:
    text = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    public = [name for base in kind.__mro__[:-1] for name in vars(base) if name[0] != "_"]
    assert [name for name in public if not re.search(rf"\b{name}\b", text)] == []


def test_make_targets_of_the_documents_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for document in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")):
        text = document.read_text(encoding="utf-8")
        for target in re.findall(r"(?:^|`)make (\w+)", text, re.MULTILINE):
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"{document.name}: {target}"

"""The pictures of docs/page.md, in small: one tab, one width."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.page_pictures import MOST_WIDTH, VIEWS, View, take_pictures
from tests.small_weights import save_small_weights

DOCS = Path(__file__).resolve().parent.parent / "docs"
MOST_BYTES = 1_500_000


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.long
def test_two_photos_at_once_and_the_result_in_a_picture(tmp_path: Path) -> None:
    if shutil.which("chromium") is None and os.environ.get("CI") != "true":
        pytest.skip("no chromium on this machine (Debian's package of that name)")
    weights = save_small_weights(tmp_path / "w.safetensors")
    view = View(tab="reference", width=390)
    assert take_pictures(tmp_path / "page", [view], weights) == {"reference_phone.webp": 0}
    with Image.open(tmp_path / "page" / view.name) as picture:
        assert picture.format == "WEBP"
        assert picture.width == 390
        assert picture.height > 844, "the whole page, not a window of it"
        shown = np.asarray(picture.convert("RGB")).astype(int)
    assert (np.ptp(shown, axis=-1) > 40).mean() > 0.02, "a photo in color is seen"


def test_the_page_of_pictures_shows_them_all() -> None:
    text = (DOCS / "page.md").read_text(encoding="utf-8")
    shown = re.findall(r"(?:\]\(|src=\")page/([^)\"]+)", text)
    assert sorted(shown) == sorted(["print.webp", *(view.name for view in VIEWS)])
    sizes = (DOCS / "page" / "print.webp").stat().st_size  # of benchmarks/print_strip.py
    for view in VIEWS:
        path = DOCS / "page" / view.name
        with Image.open(path) as picture:
            assert picture.width == min(view.width, MOST_WIDTH)
        sizes += path.stat().st_size
    assert sizes < MOST_BYTES

"""Names of results."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from colorflow.batch.task import name_of


@pytest.mark.parametrize(
    ("source", "ext", "want"),
    [
        ("album/a.jpg", "auto", "a_s7.jpg"), ("a.JPEG", "auto", "a_s7.jpg"),
        ("a.tif", "auto", "a_s7.png"), ("a.b.png", "auto", "a.b_s7.png"),
        ("a.jpg", "png", "a_s7.png"), ("a.png", "jpg", "a_s7.jpg"),
        ("-x.jpg", "auto", "-x_s7.jpg"), ("two\nlines.jpg", "auto", "two\nlines_s7.jpg"),
    ],
)  # fmt: skip
def test_names(source: str, ext: str, want: str) -> None:
    assert name_of(PurePosixPath(source), "s7", ext) == want
    assert name_of(PurePosixPath(source), "b", ext, 3) == want.replace("_s7.", "_print3_b.")

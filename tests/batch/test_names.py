"""Names of results."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from colorflow.batch import Settings, make_plan
from colorflow.batch.task import name_of
from colorflow.limits import EXTENSIONS
from colorflow.photo import LETTERS

stems = st.text(
    st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=40
).filter(lambda stem: not stem.startswith(".") and not stem.endswith("."))


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


def test_wrong_extensions_are_refused() -> None:
    with pytest.raises(ValueError, match=r"ext: expected one of auto, .*, got 'gif'"):
        make_plan([], "out", Settings(), ext="gif")


labels = st.sampled_from(LETTERS) | st.integers(0, 2**32).map("s{}".format)


@given(stems, stems, labels, labels, st.sampled_from(EXTENSIONS))
def test_different_colorings_have_different_names(
    one: str, other: str, first: str, second: str, ext: str
) -> None:
    names = {
        name_of(PurePosixPath(f"{stem}.png"), label, ext)
        for stem in (one, other)
        for label in (first, second)
    }
    assert len(names) == len({one, other}) * len({first, second})

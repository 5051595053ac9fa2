"""Names of results, and templates that are refused."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from colorflow.batch import Naming, PhotoTask
from colorflow.limits import EXTENSIONS
from colorflow.photo import LETTERS

stems = st.text(
    st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=40
).filter(lambda stem: not stem.startswith(".") and not stem.endswith("."))


def name(naming: Naming, source: str, label: str, number: int = 1) -> str:
    path = PurePosixPath(source)
    task = PhotoTask(path=Path(path), folder=Path(), source=path, naming=naming, number=number)
    return task.name(label)


@pytest.mark.parametrize(
    ("source", "ext", "want"),
    [
        ("album/a.jpg", "auto", "a_s7.jpg"),
        ("a.JPEG", "auto", "a_s7.jpg"),
        ("a.tif", "auto", "a_s7.png"),
        ("a.b.png", "auto", "a.b_s7.png"),
        ("a.jpg", "png", "a_s7.png"),
        ("a.png", "jpg", "a_s7.jpg"),
        ("-x.jpg", "auto", "-x_s7.jpg"),
        ("two\nlines.jpg", "auto", "two\nlines_s7.jpg"),
        ("{label}}\\1.jpg", "auto", "{label}}\\1_s7.jpg"),
    ],
)
def test_names(source: str, ext: str, want: str) -> None:
    assert name(Naming(ext=ext), source, "s7") == want
    assert name(Naming(ext=ext), source, "b", 3) == want.replace("_s7.", "_print3_b.")


@pytest.mark.parametrize(
    ("template", "want"),
    [("{stem}.{ext}", "a.jpg"), ("{label}-{stem}{stem} {label}.{ext}", "s7-aa s7.jpg")],
)
def test_templates(template: str, want: str) -> None:
    assert name(Naming(template), "a.jpg", "s7") == want
    Naming(template).check_fits(1)
    if "7" in want:
        Naming(template).check_fits(2)
        return
    with pytest.raises(ValueError, match=r"name: expected \{label\} .* for 2 results"):
        Naming(template).check_fits(2)


@pytest.mark.parametrize(
    "template",
    [
        "", "{label}.{ext}", "{stem}.{ext}.jpg", "{name}{stem}.{ext}", "{}{stem}.{ext}",
        "{stem!r}.{ext}", "{stem.{ext}", "../{stem}.{ext}", "{stem}\n.{ext}", "{stem}\0.{ext}",
        ".{stem}.{ext}",
    ],
)  # fmt: skip
def test_wrong_templates_are_refused(template: str) -> None:
    with pytest.raises(ValueError, match=r"name: expected a template such as .*, got "):
        Naming(template)


def test_wrong_extensions_are_refused() -> None:
    with pytest.raises(ValueError, match=r"ext: expected one of auto, .*, got 'gif'"):
        Naming(ext="gif")


@given(st.text(max_size=30))
def test_any_text_is_a_template_or_a_value_error(template: str) -> None:
    with suppress(ValueError):
        result = name(Naming(template), "stem.png", "s3")
        assert "/" not in result
        assert "stem" in result


labels = st.sampled_from(LETTERS) | st.integers(0, 2**32).map("s{}".format)


@given(stems, stems, labels, labels, st.sampled_from(EXTENSIONS))
def test_different_colorings_have_different_names(
    one: str, other: str, first: str, second: str, ext: str
) -> None:
    names = {
        name(Naming(ext=ext), f"{stem}.png", label)
        for stem in (one, other)
        for label in (first, second)
    }
    assert len(names) == len({one, other}) * len({first, second})

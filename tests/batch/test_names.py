"""Names of results, and templates that are refused."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from colorflow.batch import PhotoTask, Settings
from colorflow.batch.names import Naming
from colorflow.limits import EXTENSIONS
from colorflow.photo import LETTERS

stems = st.text(
    st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=40
).filter(lambda stem: not stem.startswith(".") and not stem.endswith("."))


def name(naming: Naming, source: str, label: str) -> str:
    path = PurePosixPath(source)
    return PhotoTask(path=Path(path), folder=Path(), names=naming.names_of(path)).name(label)


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
        ("{seed}.jpg", "auto", "{seed}_s7.jpg"),
        ("{label}}.jpg", "auto", "{label}}_s7.jpg"),
    ],
)
def test_names(source: str, ext: str, want: str) -> None:
    assert name(Naming(ext=ext), source, "s7") == want
    assert name(Naming(ext=ext), source, "b") == want.replace("_s7.", "_b.")


@pytest.mark.parametrize(
    ("template", "want"),
    [
        ("{stem}.{ext}", "a.jpg"),
        ("{seed}-{stem}-{seed}.{ext}", "7-a-7.jpg"),
        ("{{{stem}}} {seed}.{ext}", "{a} 7.jpg"),
        ("{stem}{stem}.{ext}", "aa.jpg"),
        ("{label} {stem} {seed}.{ext}", "s7 a 7.jpg"),
    ],
)
def test_templates(template: str, want: str) -> None:
    assert name(Naming(template), "a.jpg", "s7") == want
    Naming(template).check_fits(Settings(samples=True))
    if "7" in want:
        Naming(template).check_fits(Settings(n=2, samples=True))
        return
    with pytest.raises(ValueError, match=r"name: expected \{label\} .* for 2 results"):
        Naming(template).check_fits(Settings(n=2, samples=True))


@pytest.mark.parametrize("n", [1, 2])
def test_a_principal_coloring_has_no_seed_of_its_own(n: int) -> None:
    Naming("{label} {stem}.{ext}").check_fits(Settings(n=n))
    with pytest.raises(ValueError, match=r"name: \{seed\} in .* is for samples alone; write"):
        Naming("{label} {seed} {stem}.{ext}").check_fits(Settings(n=n))


@pytest.mark.parametrize(
    ("template", "what"),
    [
        ("", "stem"),
        ("{seed}.{ext}", r"without \{stem\}"),
        ("{stem}.{ext}.jpg", r"end in \.\{ext\}"),
        ("{name}.{ext}", "name.* is none of"),
        ("{}{stem}.{ext}", "is none of"),
        ("{stem.parent}.{ext}", "is none of"),
        ("{stem!r}.{ext}", "has a format"),
        ("{stem}_{seed:9999999999}.{ext}", "has a format"),
        ("{stem.{ext}", "braces"),
        ("../{stem}.{ext}", "character"),
        ("{stem}\n.{ext}", "character"),
        ("{stem}\0.{ext}", "character"),
        (".{stem}.{ext}", "hide"),
    ],
)
def test_wrong_templates_are_refused(template: str, what: str) -> None:
    with pytest.raises(ValueError, match=f"name: expected a template such as .*{what}"):
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

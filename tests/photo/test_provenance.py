"""What a picture says of how it was made: written where tools look, and read again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image
from PIL.ExifTags import IFD, Base

from colorflow.errors import WritePhotoError
from colorflow.files import FileKind
from colorflow.photo import (
    COLORING,
    ENLARGED,
    REPAIRED,
    Enlargement,
    Metadata,
    Photo,
    Preparation,
    Principal,
    Provenance,
    Statements,
    is_own_picture,
    photo_from_image,
    read_photo,
    read_provenance,
    read_statements,
    write_image,
)
from colorflow.photo.provenance import statements_in

Saved = Callable[..., Path]

NAMES = ["out.jpg", "out.png", "out.webp", "out.tif"]
DIGEST = "00ff00ff00ff00ff"
GIVEN = Provenance(seed=7, temperature=0.8, model="0123456789abcdef")
DETAIL = Enlargement(scale=4, seed=3, temperature=0.5, model="m", photo=DIGEST)
MARKS = f"128x128:{'aZ+/' * 683}="
"""As long as can be."""
FRAME = (10.5, 20, 300, 21.5, 299, 400, 9.5, 401)
REPAIR = Preparation(
    model="m", sensitivity=-1, share=0.0123, photo=DIGEST, frame=FRAME, marks=MARKS
)
STATEMENT = (
    "Made by colorflow: colors generated, not recorded: "
    '{"colors": {"seed": 7, "temperature": 0.8, "model": "0123456789abcdef"}}'
)
RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
IPTC = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}"


@pytest.fixture
def photo(picture: Image.Image) -> Photo:
    return photo_from_image(picture)


@pytest.mark.parametrize("has_16_bits", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_it_is_where_tools_look(photo: Photo, tmp_path: Path, name: str, has_16_bits: bool) -> None:
    pixels = photo.pixels.astype(np.uint16) * 257 if has_16_bits else photo.pixels
    write_image(tmp_path / name, pixels, photo, provenance=GIVEN)
    assert read_provenance(tmp_path / name) == GIVEN
    with Image.open(tmp_path / name) as image:
        image.load()
        exif = image.getexif()
        assert exif[Base.ImageDescription] == STATEMENT
        assert exif[Base.Software].startswith("colorflow ")
        packet = image.info["xmp"]
    root = ElementTree.fromstring(packet.decode().strip("\ufeff"))
    (description,) = root.iter(f"{RDF}Description")
    assert description.get(f"{IPTC}DigitalSourceType") == (
        "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
    )
    assert STATEMENT in "".join(root.itertext())
    if not has_16_bits or name in ("out.png", "out.tif"):
        assert read_photo(tmp_path / name).bits == (16 if has_16_bits else 8)


@pytest.mark.parametrize("name", NAMES)
def test_what_the_photo_said_stays(
    picture: Image.Image, saved: Saved, tmp_path: Path, name: str
) -> None:
    exif = Image.Exif()
    exif[Base.ImageDescription] = "Grandmother, 1932"
    exif[Base.Software] = "Scanner 3"
    exif[Base.Make] = "Agfa"
    exif[IFD.Exif] = {
        Base.UserComment: b"ASCII\0\0\0from the attic",
    }
    source = read_photo(saved(picture, "in.jpg", exif=exif, comment="the family's"))
    write_image(tmp_path / name, source.pixels, source, provenance=GIVEN)
    with Image.open(tmp_path / name) as image:
        image.load()
        kept = image.getexif()
        assert kept[Base.ImageDescription] == "Grandmother, 1932"
        assert kept[Base.Software] == "Scanner 3"
        assert kept[Base.Make] == "Agfa"
        assert kept.get_ifd(IFD.Exif)[Base.UserComment] == b"ASCII\0\0\0from the attic"
        if name == "out.jpg":
            assert image.info["comment"].decode() == "the family's"
        if name == "out.png":
            assert image.text["Comment"] == "the family's"
    assert read_provenance(tmp_path / name) == GIVEN


def test_long_exif_is_not_pushed_over_the_limit_of_jpeg(photo: Photo, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[Base.ImageDescription] = "x" * 65_450
    long = Photo(pixels=photo.pixels, metadata=Metadata(exif=exif.tobytes()))
    write_image(tmp_path / "out.jpg", long.pixels, long, provenance=GIVEN)
    with Image.open(tmp_path / "out.jpg") as image:
        assert image.getexif()[Base.ImageDescription] == "x" * 65_450
    assert read_provenance(tmp_path / "out.jpg") == GIVEN


COLORED = Provenance(
    seed=2**63, temperature=1e-9, model="A_z.0:+-", photo=DIGEST, hints=DIGEST[::-1],
    principal=Principal("b", 16, 1 / 3), skin=True, saturation=0.7, pale=3.0,
    references=(DIGEST, DIGEST[::-1]), strength=0.0, style=DIGEST, style_strength=1.0,
)  # fmt: skip
PREPARED = replace(REPAIR, prints=3, number=2, unfaded=True, seed=1, temperature=0.5)


@pytest.mark.parametrize(
    "colors", [None, GIVEN, COLORED, replace(COLORED, references=(), strength=None)]
)
@pytest.mark.parametrize("detail", [None, DETAIL, replace(DETAIL, restored=True, photo=None)])
@pytest.mark.parametrize("prepared", [None, REPAIR, PREPARED, replace(PREPARED, has_colors=True)])
def test_statements_say_everything(
    colors: Provenance | None, detail: Enlargement | None, prepared: Preparation | None
) -> None:
    said = Statements(colors, detail, prepared)
    assert statements_in(f"before\n{said.text}\nafter") == said
    assert statements_in(f"<a>{said.text}</a>") == said


@pytest.mark.parametrize(
    "json",
    [
        "{", "[" * 900, '{"a": ' * 900, '{"colors": 1}', '{"later": {}}', '{"colors": {"seed": 7}}',
        *(f'{{"colors": {{"temperature": 1, "model": "m", {fields}}}}}' for fields in (
            '"seed": "7"', '"seed": 7, "temperature": NaN', '"seed": 7, "model": 3',
            '"seed": 7, "later": 1', '"seed": 7, "principal": "a"', '"seed": 7, "saturation": 7',
            '"seed": 7, "references": "0123", "strength": 1',
            '"seed": 7, "references": 5, "strength": 1',
        )),
    ],
)  # fmt: skip
def test_what_somebody_edited_is_not_read(json: str) -> None:
    edited = f"Made by colorflow: colors generated, not recorded: {json}"
    assert statements_in(edited) == Statements()
    assert statements_in(f"{edited}\n{STATEMENT}").colors == GIVEN


@pytest.mark.parametrize(
    ("said", "changes"),
    [
        *((GIVEN, one) for one in (
            {"seed": -1}, {"temperature": -0.1}, {"temperature": float("nan")}, {"model": ""},
            {"model": "<a b>"}, {"photo": ""}, {"hints": "0123456789abcdeg"},
            {"style": "0123456789abcdef0", "style_strength": 1}, {"strength": 0.5},
            {"references": (DIGEST,)}, {"references": (DIGEST,), "strength": 1.5},
            {"style": DIGEST}, {"style_strength": 0.5}, {"saturation": 7}, {"pale": -1},
        )),
        *((Principal("a", 2), one) for one in (
            {"letter": "c"}, {"letter": "ab"}, {"letter": ""}, {"of": 0}, {"of": 17},
            {"share": 1.5}, {"share": float("nan")},
        )),
        (DETAIL, {"scale": 3}),
        *((REPAIR, one) for one in (
            {"number": 2}, {"prints": 2, "number": 3}, {"share": 1.1}, {"model": "no model"},
            {"frame": FRAME[1:]}, {"frame": (*FRAME[1:], float("nan"))}, {"marks": 5},
            {"frame": (*FRAME[1:], 10**400)},
        )),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(said: Any, changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected"):
        replace(said, **changes)


@pytest.mark.parametrize("name", NAMES)
def test_the_second_step_keeps_what_the_first_one_says(
    photo: Photo, tmp_path: Path, name: str
) -> None:
    path, again = tmp_path / name, tmp_path / f"again-{name}"
    write_image(path, photo.pixels, photo, provenance=GIVEN, preparation=REPAIR)
    assert is_own_picture(path, COLORING)
    assert is_own_picture(path, REPAIRED)
    assert not is_own_picture(path, ENLARGED)
    write_image(again, photo.pixels, read_photo(path), enlargement=DETAIL)
    assert read_statements(again) == Statements(GIVEN, DETAIL, REPAIR)
    other = replace(DETAIL, seed=4)
    write_image(again, photo.pixels, read_photo(again), enlargement=other)
    assert read_statements(again) == Statements(GIVEN, other, REPAIR)
    assert again.read_bytes().count(b'"seed": 3') == 0, "a second one replaces the first"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("said", [REPAIR, Preparation(prints=0), replace(REPAIR, share=0.0)])
def test_only_a_print_with_filled_damage_is_called_generated(
    photo: Photo, name: str, said: Preparation, tmp_path: Path
) -> None:
    path = tmp_path / name
    write_image(path, photo.pixels, photo, preparation=said)
    assert read_statements(path) == Statements(prepared=said)
    assert is_own_picture(path, REPAIRED) == said.repaired
    data = path.read_bytes()
    generated = b"compositeWithTrainedAlgorithmicMedia" in data
    assert (generated, b"not recorded" in data) == 2 * (bool(said.share),)
    write_image(path.with_stem("b"), photo.pixels, read_photo(path), provenance=GIVEN)
    again = read_photo(path.with_stem("b"))
    write_image(path.with_stem("c"), photo.pixels, again, preparation=replace(REPAIR, share=0.0))
    assert b"compositeWithTrainedAlgorithmicMedia" in path.with_stem("c").read_bytes()


MADE: list[tuple[FileKind, dict[str, Any]]] = [
    (COLORING, {"provenance": GIVEN}), (ENLARGED, {"enlargement": DETAIL}),
    (REPAIRED, {"preparation": REPAIR}),
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_replaces_only_one_of_its_own_kind(
    photo: Photo, tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    for there, content in [(None, {}), *MADE]:
        path.unlink(missing_ok=True)
        write_image(path, photo.pixels, photo, **content)
        before = path.read_bytes()
        for kind, other in MADE:
            is_own = kind is there
            assert is_own_picture(path, kind) == is_own
            assert is_own_picture(read_photo(path, isolated=True), kind) == is_own
            if is_own:
                write_image(path, photo.pixels, photo, **other)
            else:
                with pytest.raises(WritePhotoError, match=f"it is no {kind.name} that colorflow"):
                    write_image(path, photo.pixels, photo, **other)
        assert path.read_bytes() == before

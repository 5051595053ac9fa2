"""What a picture says of how it was made: written where tools look, and read again."""

from __future__ import annotations

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
    Metadata,
    Photo,
    is_own_picture,
    photo_from_image,
    read_photo,
    read_statements,
    write_image,
)
from colorflow.recipe import (
    LONGEST_STATEMENT,
    ColoringSpec,
    Colors,
    Crop,
    Enlargement,
    Hint,
    PrincipalSpec,
    Recipe,
    Repair,
    Statement,
    Weights,
    statements_in,
    text_of,
)
from tests.photo.conftest import Saved

NAMES = ["out.jpg", "out.png", "out.webp", "out.tif"]
DIGEST = "00ff00ff00ff00ff"
SPEC = ColoringSpec(seeds=(7,), temperature=0.8)
GIVEN = Statement(recipe=Recipe(colors=Colors(spec=SPEC)), weights=Weights(colors=DIGEST))
ENLARGEMENT = Enlargement(scale=4, seed=3, temperature=0.5)
DETAIL = Statement(
    recipe=Recipe(enlargement=ENLARGEMENT), weights=Weights(detail="m"), photo=DIGEST
)
MARKS = f"128x128:{'aZ+/' * 683}="
"""As long as can be."""
FRAME = (10.5, 20.0, 300.0, 21.5, 299.0, 400.0, 9.5, 401.0)
CROP = Crop(frame=FRAME)
REPAIR = Statement(
    recipe=Recipe(crop=CROP, repair=Repair(sensitivity=-1)),
    weights=Weights(repair="m"),
    repaired=0.0123,
    photo=DIGEST,
    marks=MARKS,
)
STATEMENT = (
    "Made by colorflow: colors generated, not recorded: "
    f'[{{"recipe": {{"colors": {{"spec": {{"seeds": [7], "temperature": 0.8}}}}}}, '
    f'"weights": {{"colors": "{DIGEST}"}}}}]'
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
    write_image(tmp_path / name, pixels, photo, statement=GIVEN)
    assert read_statements(tmp_path / name) == (GIVEN,)
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
    write_image(tmp_path / name, source.pixels, source, statement=GIVEN)
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
    assert read_statements(tmp_path / name) == (GIVEN,)


def test_long_exif_is_not_pushed_over_the_limit_of_jpeg(photo: Photo, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[Base.ImageDescription] = "x" * 65_450
    long = Photo(pixels=photo.pixels, metadata=Metadata(exif=exif.tobytes()))
    write_image(tmp_path / "out.jpg", long.pixels, long, statement=GIVEN)
    with Image.open(tmp_path / "out.jpg") as image:
        assert image.getexif()[Base.ImageDescription] == "x" * 65_450
    assert read_statements(tmp_path / "out.jpg") == (GIVEN,)


MODE = PrincipalSpec(number=1, of=16, seed=2**32)
COLORED = Statement(
    recipe=Recipe(
        crop=Crop(number=2, turns=3),
        repair=Repair(seed=1, temperature=0.5),
        unfaded=True,
        colors=Colors(
            spec=ColoringSpec(
                seeds=(None, 2**32), principal=MODE, temperature=1e-9, strength=0.3, skin=False,
                style_strengths=(1.0, 0.0),
            ),
            hints=DIGEST[::-1], references=(DIGEST, DIGEST[::-1]), style=DIGEST,
            saturation=0.7, pale=3.0, keeps=True,
        ),
        enlargement=replace(ENLARGEMENT, restored=True),
    ),
    weights=Weights(colors="A_z.0:+-", detail="d", repair="r"),
    photo=DIGEST, share=1 / 3, prints=3, has_colors=True,
)  # fmt: skip


@pytest.mark.parametrize("statements", [(GIVEN,), (COLORED,), (REPAIR, GIVEN, DETAIL), (DETAIL,)])
def test_statements_say_everything(statements: tuple[Statement, ...]) -> None:
    text = text_of(statements)
    assert statements_in(f"before\n{text}\nafter") == statements
    assert statements_in(f"<a>{text}</a>") == statements
    for statement in statements:
        assert Recipe.from_json(statement.recipe.json) == statement.recipe


def test_a_recipe_keeps_its_hints_and_a_file_their_digest() -> None:
    hints = Hint(1, 2, 3.5, -4, "larger", adds=((5, 6),)), Hint(7, 8, 0, 0, "around")
    recipe = Recipe(colors=Colors(spec=SPEC, hints=hints))
    assert Recipe.from_json(recipe.json) == recipe
    assert recipe.stated != recipe
    assert recipe.stated == recipe.stated.stated
    other = Recipe(colors=Colors(spec=SPEC, hints=hints[::-1]))
    assert recipe.stated != other.stated
    assert Recipe.from_json('{"colors": {"spec": {"seeds": [7], "temperature": 0.8}}}') == (
        GIVEN.recipe
    )


def test_of_many_statements_the_last_ones_are_kept() -> None:
    statements = tuple(replace(DETAIL, photo=f"{i:016x}") for i in range(200))
    text = text_of(statements)
    assert len(text) <= LONGEST_STATEMENT
    kept = statements_in(text)
    assert 20 < len(kept) < 200
    assert kept == statements[-len(kept) :]


@pytest.mark.parametrize(
    "json",
    [
        "[", "[" * 900, '[{"a": ' * 900, "[1]", '[{"later": {}}]', "[{}]", '{"recipe": {}}',
        *(f'[{{"recipe": {{{recipe}}}}}]' for recipe in (
            '"unfaded": 1', '"later": {}', '"crop": {"number": "1"}', '"crop": {"number": 0}',
            '"crop": {"frame": [1, 2]}', '"crop": {"frame": 5}', '"repair": {"sensitivity": 9}',
            '"enlargement": {}', '"enlargement": {"scale": 3}',
            *(f'"colors": {{"spec": {{{spec}}}}}' for spec in (
                '"seeds": "7"', '"seeds": [7], "temperature": NaN', '"seeds": [null]',
                '"seeds": [1.5]', '"seeds": [7], "later": 1', '"seeds": [7], "principal": "a"',
                '"seeds": [7], "skin": 1', '"seeds": [7], "strength": 1',
            )),
            '"colors": {"spec": {"seeds": [7]}, "hints": "x"}',
            '"colors": {"spec": {"seeds": [7]}, "saturation": 7}',
        )),
    ],
)  # fmt: skip
def test_what_somebody_edited_is_not_read(json: str) -> None:
    edited = f"Made by colorflow: colors generated, not recorded: {json}"
    assert statements_in(edited) == ()
    assert statements_in(f"{edited}\n{STATEMENT}") == (GIVEN,)


@pytest.mark.parametrize(
    ("data", "changes"),
    [
        *((GIVEN, change) for change in (
            {"photo": ""}, {"share": 1.5}, {"share": float("nan")}, {"repaired": 2}, {"prints": -1},
        )),
        (replace(GIVEN, recipe=Recipe(crop=Crop(number=3))), {"prints": 2}),
        *((Weights(), {"colors": weights}) for weights in ("", "<a b>", "x" * 101)),
        *((SPEC, change) for change in (
            {"seeds": (-1,)}, {"seeds": (None,)}, {"temperature": -0.1}, {"strength": 1.5},
            {"temperature": float("nan")}, {"style_strengths": (1, 1)},
        )),
        *((Colors(spec=SPEC), change) for change in (
            {"hints": "0123456789abcdeg"}, {"style": "0123456789abcdef0"}, {"references": ("x",)},
            {"spec": replace(SPEC, strength=0.5)}, {"saturation": 7}, {"pale": -1},
        )),
        *((MODE, change) for change in ({"number": 16}, {"number": -1}, {"of": 0}, {"of": 17})),
        (ENLARGEMENT, {"scale": 3}), (ENLARGEMENT, {"temperature": 3}),
        *((CROP, change) for change in (
            {"number": 0}, {"turns": 4}, {"frame": FRAME[1:]}, {"frame": (*FRAME[1:], 10**400)},
            {"frame": (*FRAME[1:], float("nan"))},
        )),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(data: Any, changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected"):
        replace(data, **changes)


@pytest.mark.parametrize("name", NAMES)
def test_the_second_step_keeps_what_the_first_one_says(
    photo: Photo, tmp_path: Path, name: str
) -> None:
    path, again = tmp_path / name, tmp_path / f"again-{name}"
    write_image(path, photo.pixels, photo, statement=REPAIR)
    assert is_own_picture(path, REPAIRED)
    assert not is_own_picture(path, COLORING)
    write_image(again, photo.pixels, read_photo(path), statement=GIVEN)
    assert is_own_picture(again, COLORING)
    assert is_own_picture(again, REPAIRED)
    assert not is_own_picture(again, ENLARGED)
    large = tmp_path / f"large-{name}"
    write_image(large, photo.pixels, read_photo(again), statement=DETAIL)
    assert read_statements(large) == (REPAIR, GIVEN, DETAIL)
    write_image(large, photo.pixels, read_photo(again), statement=Statement(recipe=Recipe()))
    assert read_statements(large) == (REPAIR, GIVEN), "nothing was done"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "said", [REPAIR, Statement(recipe=Recipe(crop=CROP)), replace(REPAIR, repaired=0.0)]
)
def test_only_a_print_with_filled_damage_is_called_generated(
    photo: Photo, name: str, said: Statement, tmp_path: Path
) -> None:
    path = tmp_path / name
    write_image(path, photo.pixels, photo, statement=said)
    assert read_statements(path) == (said,)
    assert is_own_picture(path, REPAIRED) == (said.recipe.repair is not None)
    data = path.read_bytes()
    generated = b"compositeWithTrainedAlgorithmicMedia" in data
    assert (generated, b"not recorded" in data) == 2 * (bool(said.repaired),)
    write_image(path.with_stem("b"), photo.pixels, read_photo(path), statement=GIVEN)
    again = read_photo(path.with_stem("b"))
    write_image(path.with_stem("c"), photo.pixels, again, statement=replace(REPAIR, repaired=0.0))
    assert b"compositeWithTrainedAlgorithmicMedia" in path.with_stem("c").read_bytes()


MADE: list[tuple[FileKind, dict[str, Any]]] = [
    (COLORING, {"statement": GIVEN}), (ENLARGED, {"statement": DETAIL}),
    (REPAIRED, {"statement": REPAIR}),
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

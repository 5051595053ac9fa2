"""Gray, tinted or colored: photos grayed, toned and disturbed in the ways of old prints."""

from __future__ import annotations

import io
import tracemalloc

import numpy as np
import pytest
import skimage.color
import skimage.data
from PIL import Image, ImageOps

from benchmarks.damaged_files import by_pillow
from benchmarks.gray_scans import COLOR_PRINTS, SCANS, gradient, hand_colored, stain
from colorflow.photo import Kind, kind
from colorflow.photo.kind import GRAY_CHROMA, is_gray, kind_of

PHOTOS = ["astronaut", "coffee", "chelsea", "rocket"]
SOME = PHOTOS[:2]
TONES = {
    "sepia": ((30, 15, 5), (150, 110, 70), (255, 240, 205)),
    "faint selenium": ((25, 15, 30), (128, 115, 128), (245, 240, 245)),
    "cyanotype": ((0, 20, 70), (60, 110, 160), (240, 245, 240)),
    "yellowed paper": ((20, 20, 20), (128, 126, 115), (250, 240, 200)),
    "blue shadows, brown lights": ((20, 20, 50), (130, 125, 120), (255, 238, 210)),
}


def photo(name: str) -> Image.Image:
    return Image.fromarray(getattr(skimage.data, name)())


def small(name: str) -> Image.Image:
    image = photo(name)
    image.thumbnail((300, 300))
    return image


def through_jpeg(image: Image.Image, quality: int = 75) -> np.ndarray:
    """With JPEG's chroma noise and halved chroma."""
    content = by_pillow(image, "JPEG", quality=quality, subsampling=2)
    return np.asarray(Image.open(io.BytesIO(content)))


def toned(gray: Image.Image, name: str) -> Image.Image:
    shadows, middle, lights = TONES[name]
    return ImageOps.colorize(gray, shadows, lights, mid=middle)


@pytest.mark.parametrize("name", PHOTOS)
def test_ordinary_photos_are_colored_and_their_gray_in_either_shape_is_gray(name: str) -> None:
    assert kind_of(np.asarray(photo(name))) is Kind.COLORED
    assert kind_of(through_jpeg(photo(name), quality=30)) is Kind.COLORED
    gray = photo(name).convert("L")
    assert kind_of(np.asarray(gray)) is Kind.GRAY
    assert kind_of(through_jpeg(gray.convert("RGB"), quality=30)) is Kind.GRAY


@pytest.mark.parametrize(
    ("chroma", "expected"), [(GRAY_CHROMA - 0.8, Kind.GRAY), (GRAY_CHROMA + 0.8, Kind.TINTED)]
)
@pytest.mark.parametrize("hue", [0, 90, 180, 270])
def test_gray_ends_at_its_chroma(chroma: float, expected: Kind, hue: float) -> None:
    lab = np.zeros((64, 64, 3))
    lab[..., 0] = np.linspace(20, 90, 64)
    lab[..., 1:] = chroma * np.array([np.cos(np.radians(hue)), np.sin(np.radians(hue))])
    assert kind_of(np.rint(skimage.color.lab2rgb(lab) * 255).astype(np.uint8)) is expected


@pytest.mark.parametrize("tone", TONES)
@pytest.mark.parametrize("name", SOME)
def test_toned_photos_are_tinted(name: str, tone: str) -> None:
    image = toned(photo(name).convert("L"), tone)
    assert kind_of(np.asarray(image)) is Kind.TINTED
    assert kind_of(through_jpeg(image)) is Kind.TINTED


@pytest.mark.parametrize("scan", SCANS)
@pytest.mark.parametrize("name", SOME[:1])
def test_scans_of_gray_photos_are_not_colored(name: str, scan: str) -> None:
    gray = np.asarray(small(name).convert("L").convert("RGB"))
    made = SCANS[scan](gray, np.random.default_rng(3))
    assert kind_of(through_jpeg(Image.fromarray(made), 88)) is not Kind.COLORED


def bordered(picture: np.ndarray, share: float) -> np.ndarray:
    """On a white bed, with a cream border of a share of the picture's longer side."""
    for width, paper in ((share, (235, 220, 180)), (0.12, (245, 245, 245))):
        sides = [(round(width * max(picture.shape)),) * 2] * 2
        planes = [
            np.pad(picture[..., k], sides, constant_values=value) for k, value in enumerate(paper)
        ]
        picture = np.stack(planes, axis=-1)
    return picture


@pytest.mark.parametrize("share", [0.02, 0.04, 0.05, 0.08])
@pytest.mark.parametrize("name", SOME)
def test_a_cream_border_on_a_white_bed_does_not_count(name: str, share: float) -> None:
    gray = np.asarray(small(name).convert("L").convert("RGB"))
    assert kind_of(through_jpeg(Image.fromarray(bordered(gray, share)))) is not Kind.COLORED
    color = np.asarray(small(name))
    assert kind_of(through_jpeg(Image.fromarray(bordered(color, share)))) is Kind.COLORED


@pytest.mark.parametrize("name", PHOTOS)
def test_yellow_sepia_is_a_tint_with_any_contrast(name: str) -> None:
    gray = np.asarray(photo(name).convert("L"), float)[..., None]
    tones = np.clip(gray * [1.351, 1.203, 0.937], 0, 255)  # the sepia filter of many programs
    assert kind_of(through_jpeg(Image.fromarray(tones.astype(np.uint8)))) is Kind.TINTED
    pixels = np.random.default_rng(0).permutation(tones.reshape(-1, 3)).reshape(tones.shape)
    assert kind_of(pixels.astype(np.uint8)) is Kind.TINTED


@pytest.mark.parametrize("strength", [22, 28])
def test_a_dark_olive_print_is_a_tint_though_its_darks_turn_green(strength: int) -> None:
    gray = np.asarray(small("astronaut").convert("L"))
    lightness = 12 + 0.6 * skimage.color.rgb2lab(np.stack([gray] * 3, -1))[..., :1]
    darkness = np.clip(1 - lightness / 30, 0, 1)
    place = np.linspace(0, 2 * np.pi, len(gray))[:, None, None]
    a = 4 + 10 * darkness * np.sin(place)
    print_ = skimage.color.lab2rgb(np.concatenate([lightness, a, a * 0 + strength], -1))
    assert kind_of(through_jpeg(Image.fromarray(np.uint8(np.rint(255 * print_))))) is Kind.TINTED


@pytest.mark.parametrize("name", SOME)
def test_faded_and_hand_colored_prints_and_autochromes_are_colored(name: str) -> None:
    for made, disturb in COLOR_PRINTS.items():
        picture = disturb(np.asarray(small(name)), np.random.default_rng(2))
        assert kind_of(through_jpeg(Image.fromarray(picture))) is Kind.COLORED, made
    gray = np.asarray(small(name).convert("L").convert("RGB"))
    for seed in range(2):
        assert kind_of(hand_colored(gray, np.random.default_rng(seed))) is Kind.COLORED


def test_strong_casts_and_stains_are_colors() -> None:
    gray = np.asarray(small("coffee").convert("L").convert("RGB"))
    for defect in (gradient, stain):
        added = defect(gray, np.random.default_rng(1)).astype(int) - gray
        strong = np.clip(gray + 3.5 * added, 0, 255).astype(np.uint8)
        assert kind_of(strong) is Kind.COLORED


@pytest.mark.parametrize("tone", ["none", "sepia"])
def test_a_small_colored_part_makes_a_photo_colored(tone: str) -> None:
    image = photo("astronaut")  # an orange suit and a flag
    gray = image.convert("L")
    base = gray.convert("RGB") if tone == "none" else toned(gray, tone)
    box = (60, 330, 140, 410)  # 2.4 % of the picture, on the suit
    base.paste(image.crop(box), box)
    assert kind_of(through_jpeg(base)) is Kind.COLORED


def test_what_is_transparent_does_not_count() -> None:
    picture = np.asarray(photo("coffee")).copy()
    gray = np.asarray(photo("coffee").convert("L"))
    picture[:, 300:] = gray[:, 300:, None]
    alpha = np.zeros(gray.shape, np.uint8)
    alpha[:, 304:] = 255
    assert kind_of(picture) is Kind.COLORED
    assert kind_of(picture, alpha) is Kind.GRAY
    assert kind_of(picture, np.zeros_like(alpha)) is Kind.GRAY


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (2, 3), (3000, 2)])
def test_any_shape_has_a_kind(shape: tuple[int, int]) -> None:
    assert kind_of(np.full((*shape, 3), 90, np.uint8)) is Kind.GRAY
    noise = np.random.default_rng(0).integers(0, 256, (*shape, 3)).astype(np.uint8)
    assert kind_of(noise) in Kind


@pytest.mark.parametrize("kind", Kind)
def test_16_bits_are_judged_like_8_without_a_copy(kind: Kind) -> None:
    gray = ImageOps.grayscale(photo("astronaut"))
    toned = ImageOps.colorize(gray, *TONES["sepia"][::2], mid=TONES["sepia"][1])
    made = {Kind.GRAY: gray.convert("RGB"), Kind.TINTED: toned, Kind.COLORED: photo("astronaut")}
    pixels = np.asarray(made[kind]).repeat(4, axis=0).repeat(4, axis=1)
    deep = pixels.astype(np.uint16) * 257
    tracemalloc.start()
    assert kind_of(deep) is kind_of(pixels) is kind
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < deep.nbytes / 2


@pytest.mark.parametrize("name", PHOTOS)
def test_a_result_is_gray_if_its_kind_is(name: str) -> None:
    """Photos, gray ones, faintly colored ones, and single lines."""
    color, gray = np.asarray(photo(name)), photo(name).convert("L")
    faint = Image.blend(photo(name), gray.convert("RGB"), 0.9)
    for made in (color, np.asarray(gray), gray.convert("RGB"), faint, color[:1], color[:, :1]):
        pixels = np.asarray(made)
        assert is_gray(pixels) is (kind_of(pixels) is Kind.GRAY)


def test_a_gray_result_in_a_colored_frame_has_color() -> None:
    framed = np.full((400, 600, 3), (200, 120, 60), np.uint8)
    gray = np.asarray(small("coffee").convert("L"))
    framed[100 : 100 + gray.shape[0], 150 : 150 + gray.shape[1]] = gray[..., None]
    assert kind_of(framed) is Kind.GRAY
    assert not is_gray(framed)


def test_color_all_over_is_seen_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("the whole test")

    monkeypatch.setattr(kind, "kind_of", never)
    for pixels in (np.asarray(photo("coffee")), np.asarray(photo("chelsea")).repeat(3, axis=0)):
        assert not is_gray(pixels)
        assert not is_gray(pixels.astype(np.uint16) * 257)
    with pytest.raises(AssertionError):
        is_gray(np.full((90, 90, 3), 7, np.uint8))

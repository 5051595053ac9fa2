"""Three photos for a visitor to try, with pictures of what becomes of them.

They are gray versions of pictures that scikit-image ships: `astronaut` (NASA, public domain),
`chelsea` (Stéfan van der Walt, CC0) and `coffee` (Rachel Michetti, CC0).
"""

from __future__ import annotations

import base64
import html
import shutil
import threading
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from colorflow.color.full_resolution import LightnessRows, render
from colorflow.errors import ColorflowError
from colorflow.photo import read_photo
from colorflow.ui.limits import MemoryBudget
from colorflow.ui.photos import new_folder, reduced, storing

if TYPE_CHECKING:
    from colorflow.colorizer import Colorizer

EXAMPLES = {
    "portrait.jpg": "Portrait",
    "cat.jpg": "Cat",
    "coffee.jpg": "Coffee",
}
"""Names of the files in `SAMPLE_PHOTOS`, and what they show."""
SAMPLE_PHOTOS = Path(__file__).with_name("sample_photos")
_SIDE = 320
"""Longest side of the pictures, in pixels."""
_LINE = 2
"""Width of the line between gray and color, in the same."""


class Samples:
    """The photos as buttons in HTML; each shows its left half in gray and its right half in color.

    Args:
        colorizer: colors them, once for all visitors.
        budget: is reserved meanwhile.
    """

    def __init__(self, colorizer: Colorizer, budget: MemoryBudget) -> None:
        self._colorizer, self._budget = colorizer, budget
        self._lock = threading.Lock()
        self._colored = ""

    def gray_html(self) -> str:
        """The buttons before the photos are colored."""
        return _buttons({name: _pixels(name) for name in EXAMPLES})

    def colored_html(self) -> str:
        """The buttons with the right halves in color, which takes seconds the first time."""
        with self._lock:
            if not self._colored:
                self._colored = _buttons({name: self._half_colored(name) for name in EXAMPLES})
            return self._colored

    def _half_colored(self, name: str) -> np.ndarray:
        photo = read_photo(SAMPLE_PHOTOS / name)
        with self._budget.reserve(photo.width * photo.height):
            (made,) = self._colorizer.colorize(photo, 1, force=True)
        small = reduced(photo, _SIDE)
        picture = render(LightnessRows(small.pixels), made.ab)
        middle = small.width // 2
        picture[:, :middle] = _pixels(name)[:, :middle]
        picture[:, middle - _LINE // 2 : middle + _LINE // 2] = 255
        return picture


def copy_of_sample(index: int, parent: Path) -> Path:
    """Put a copy of a sample into a new folder, as if it had been uploaded.

    Args:
        index: of the button that was pressed.
        parent: where the folder is made.

    Raises:
        ColorflowError: there is no such sample, or the copy cannot be made.
    """
    if not 0 <= index < len(EXAMPLES):
        raise ColorflowError("There is no such photo here.")
    name = list(EXAMPLES)[index]
    folder = new_folder(parent, "sample-")
    with storing():
        return Path(shutil.copyfile(SAMPLE_PHOTOS / name, folder / name))


def _pixels(name: str) -> np.ndarray:
    """(h, w, 3) uint8, the small gray picture."""
    gray = reduced(read_photo(SAMPLE_PHOTOS / name), _SIDE).pixels
    return np.repeat(gray[..., None], 3, axis=2)


def _buttons(pictures: dict[str, np.ndarray]) -> str:
    buttons = "".join(
        f'<button type="button" data-index="{index}" data-act="try">'
        f'<img src="{_address(pictures[name])}" alt="Photo to try:">'
        f"<span>{html.escape(said)}</span></button>"
        for index, (name, said) in enumerate(EXAMPLES.items())
    )
    return (
        "<h2>Or try one of these</h2>"
        f'<div role="group" aria-label="Photos to try" class="samples">{buttons}</div>'
    )


def _address(picture: np.ndarray) -> str:
    """The picture itself, as the address of a picture."""
    file = BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=85)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode('ascii')}"

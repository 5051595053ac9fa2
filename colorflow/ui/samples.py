"""Three photos for a visitor to try, with pictures of what becomes of them.

They are gray versions of pictures that scikit-image ships: `astronaut` (NASA, public domain),
`chelsea` (Stéfan van der Walt, CC0) and `coffee` (Rachel Michetti, CC0). The pictures are gray on
the left; on the right they have the colors that the shipped weights give them
(`benchmarks.page_pictures.color_samples`).
"""

from __future__ import annotations

import base64
import html
import shutil
from pathlib import Path

from colorflow.errors import ColorflowError
from colorflow.ui.photos import new_folder, storing

EXAMPLES = {
    "portrait.jpg": "Portrait",
    "cat.jpg": "Cat",
    "coffee.jpg": "Coffee",
}
"""Names of the files in `SAMPLE_PHOTOS`, and what they show."""
SAMPLE_PHOTOS = Path(__file__).with_name("sample_photos")
COLORED = SAMPLE_PHOTOS / "colored"
"""Folder of the pictures, which have the same names."""


def sample_buttons() -> str:
    """The pictures as buttons in HTML."""
    buttons = "".join(
        f'<button type="button" data-index="{index}" data-act="try">'
        f'<img src="{_address(COLORED / name)}" alt="Photo to try:">'
        f"<span>{html.escape(said)}</span></button>"
        for index, (name, said) in enumerate(EXAMPLES.items())
    )
    return (
        "<h2>Or try one of these</h2>"
        f'<div role="group" aria-label="Photos to try" class="samples">{buttons}</div>'
    )


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


def _address(picture: Path) -> str:
    """The picture itself, as the address of a picture."""
    return f"data:image/jpeg;base64,{base64.b64encode(picture.read_bytes()).decode('ascii')}"

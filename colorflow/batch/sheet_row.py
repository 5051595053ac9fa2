"""One row of a contact sheet, whatever the sheet is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from PIL import Image

from colorflow.batch.locations import Location
from colorflow.errors import printable


class SheetPicture(NamedTuple):
    """A small picture.

    Attributes:
        image: RGB, of the size that is shown.
        caption: what stands below it.
        result: the full-size file; None for the photo itself.
    """

    image: Image.Image
    caption: str
    result: Location | None


@dataclass(frozen=True, slots=True)
class SheetRow:
    """A photo in gray, and its colorings.

    Attributes:
        name: the file's name.
        remark: what the row leaves out; empty if nothing.
        pictures: the photo first.
    """

    name: str
    remark: str
    pictures: list[SheetPicture]

    @property
    def title(self) -> str:
        """The name and the remark on one line, with control characters escaped."""
        return printable(f"{self.name} ({self.remark})" if self.remark else self.name)

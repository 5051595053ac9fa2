"""Which things a photo shows: the classes that the segmentation head tells apart.

A set of classes is a number with one bit a class, so that labels may say what is known and leave
the rest open: "a person, whatever of him" or "no person" as well as "hair".
"""

from __future__ import annotations

from collections.abc import Iterable

CLASSES = (
    *("skin", "hair", "upper clothes", "lower clothes", "hat", "accessory"),
    *("sky", "vegetation", "ground", "building", "vehicle", "animal", "water"),
    *("wall", "floor", "furniture", "textile", "other"),
)
"""A ceiling counts as wall; curtains, beds, carpets and towels as textile."""
SKIN = CLASSES.index("skin")
OF_A_PERSON = CLASSES[:6]
EVERY = (1 << len(CLASSES)) - 1
"""The set of all classes: nothing is known."""


def classes_of(names: Iterable[str]) -> int:
    """The set of classes with these names.

    Raises:
        ValueError: if there is no such class.
    """
    found = 0
    for name in names:
        if name not in CLASSES:
            raise ValueError(f"expected one of {', '.join(CLASSES)}, got {name!r}")
        found |= 1 << CLASSES.index(name)
    return found

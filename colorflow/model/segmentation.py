"""Which things a photo shows: the classes that the segmentation head tells apart."""

from __future__ import annotations

CLASSES = (
    *("skin", "hair", "upper clothes", "lower clothes", "hat", "accessory"),
    *("sky", "vegetation", "ground", "building", "interior", "vehicle", "animal", "water", "other"),
)

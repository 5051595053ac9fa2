"""Finds prints on a scanner's bed or a table, and cuts them out, upright and straight.

    find     frames = find_frames(photo)            corners of each print, if there are any
    ask      looks_like_bed(photo)                  if there are none: mark its corners by hand?
             is_doubtful(photo, frames)             if there is one: is it the print at all?
    cut      prints = [cut_out(photo, frame) ...]   each a photo of its own, with the metadata

Dimensions: H, W pixels of the scan. Coordinates are (x, y) in pixels, from 0 at the outer edge of
the first pixel to W or H at that of the last.
"""

from colorflow.scan.find import find_frames, is_doubtful, looks_like_bed
from colorflow.scan.frame import Frame, cut_out, frame_in, frame_of, numbers_text, overlaps

__all__ = [
    "Frame",
    "cut_out",
    "find_frames",
    "frame_in",
    "frame_of",
    "is_doubtful",
    "looks_like_bed",
    "numbers_text",
    "overlaps",
]

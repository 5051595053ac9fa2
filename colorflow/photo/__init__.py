"""Photos: the only package that reads and writes picture files."""

from colorflow.photo.decode import (
    Picture,
    count_pixels,
    photo_from_image,
    read_photo,
    read_picture,
)
from colorflow.photo.encode import check_format, write_image
from colorflow.photo.find import find_photos, read_pages
from colorflow.photo.formats import DEFAULT_MAX_PIXELS, KINDS, PHOTO_SUFFIXES, TIFF_SUFFIXES
from colorflow.photo.isolated import end_reader, start_reader
from colorflow.photo.kind import Kind
from colorflow.photo.metadata import Metadata
from colorflow.photo.photo import Photo
from colorflow.photo.provenance import (
    COLORING,
    ENLARGED,
    LETTERS,
    REPAIRED,
    RESTORED,
    Enlargement,
    Preparation,
    Principal,
    Provenance,
    Statements,
    is_own_picture,
    read_provenance,
    read_statements,
)

__all__ = [
    "COLORING",
    "DEFAULT_MAX_PIXELS",
    "ENLARGED",
    "KINDS",
    "LETTERS",
    "PHOTO_SUFFIXES",
    "REPAIRED",
    "RESTORED",
    "TIFF_SUFFIXES",
    "Enlargement",
    "Kind",
    "Metadata",
    "Photo",
    "Picture",
    "Preparation",
    "Principal",
    "Provenance",
    "Statements",
    "check_format",
    "count_pixels",
    "end_reader",
    "find_photos",
    "is_own_picture",
    "photo_from_image",
    "read_pages",
    "read_photo",
    "read_picture",
    "read_provenance",
    "read_statements",
    "start_reader",
    "write_image",
]

"""Photos: the only place where files become pictures and back."""

from colorflow.photo.decode import DEFAULT_MAX_PIXELS, read_photo
from colorflow.photo.encode import write_image
from colorflow.photo.find import PHOTO_SUFFIXES, find_photos
from colorflow.photo.from_memory import photo_from_image
from colorflow.photo.kind import Kind
from colorflow.photo.metadata import Metadata
from colorflow.photo.photo import Photo

__all__ = [
    "DEFAULT_MAX_PIXELS",
    "PHOTO_SUFFIXES",
    "Kind",
    "Metadata",
    "Photo",
    "find_photos",
    "photo_from_image",
    "read_photo",
    "write_image",
]

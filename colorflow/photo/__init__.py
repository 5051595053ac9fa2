"""Photos: the only package that reads and writes picture files."""

from colorflow.photo.decode import Picture as Picture
from colorflow.photo.decode import count_pixels as count_pixels
from colorflow.photo.decode import photo_from_image as photo_from_image
from colorflow.photo.decode import read_photo as read_photo
from colorflow.photo.decode import read_picture as read_picture
from colorflow.photo.encode import check_format as check_format
from colorflow.photo.encode import write_image as write_image
from colorflow.photo.find import find_photos as find_photos
from colorflow.photo.find import read_pages as read_pages
from colorflow.photo.formats import DEFAULT_MAX_PIXELS as DEFAULT_MAX_PIXELS
from colorflow.photo.formats import KINDS as KINDS
from colorflow.photo.formats import PHOTO_SUFFIXES as PHOTO_SUFFIXES
from colorflow.photo.formats import TIFF_SUFFIXES as TIFF_SUFFIXES
from colorflow.photo.isolated import end_reader as end_reader
from colorflow.photo.isolated import start_reader as start_reader
from colorflow.photo.kind import Kind as Kind
from colorflow.photo.kind import is_gray as is_gray
from colorflow.photo.kind import kind_of as kind_of
from colorflow.photo.metadata import Metadata as Metadata
from colorflow.photo.photo import Photo as Photo
from colorflow.photo.statement import COLORING as COLORING
from colorflow.photo.statement import ENLARGED as ENLARGED
from colorflow.photo.statement import REPAIRED as REPAIRED
from colorflow.photo.statement import RESTORED as RESTORED
from colorflow.photo.statement import is_own_picture as is_own_picture
from colorflow.photo.statement import read_statements as read_statements

"""Images for the studies: where they are found, and how they are read.

Nothing here is downloaded: most image sets may not be passed on, and all are large. They are looked for in a folder
that the user names, in installed packages and in OpenML's cache; what is not found is left out, and the report says how
to get it.
"""

from bench.study.images.celeba import read_celeba
from bench.study.images.finding import FOLDER_VARIABLE, find_images, images_folder
from bench.study.images.sampling import Sample, draw, rows_of
from bench.study.images.sets import Images, ImageSet, Located, how_to_get, read_images

__all__ = [
    "FOLDER_VARIABLE",
    "ImageSet",
    "Images",
    "Located",
    "Sample",
    "draw",
    "find_images",
    "how_to_get",
    "images_folder",
    "read_celeba",
    "read_images",
    "rows_of",
]

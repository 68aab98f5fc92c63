"""Image sets from OpenML: tables whose columns are pixels, as the ``openml`` package keeps them in its cache.

They have a reader of their own because they are far wider and longer than the tables of the comparison: rows go into
bytes as they are read. What was read is kept in our cache as .npz, since a large ARFF file takes minutes.
"""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.data.cache import cache_folder, writing
from bench.errors import DataInvalid, one_line
from bench.files import replacing
from bench.study.images.files import sha256_of
from bench.study.images.pixel_tables import read_pixels
from bench.study.images.sets import CLOTHES, DIGITS, OBJECTS, STL_OBJECTS, ImageSet, Located, checked

LAYOUT = 1
"""Raised when tables are read differently, so that what was kept is not used."""


@dataclass(frozen=True)
class PixelTable:
    """Data set ``id``: images of ``shape``, of which the first ``training`` rows of ``rows`` are for training."""

    id: int
    shape: tuple[int, int, int]
    training: int
    rows: int
    classes: tuple[str, ...]

    @property
    def pixels(self) -> int:
        height, width, channels = self.shape
        return height * width * channels


TABLES = {
    "mnist": PixelTable(554, (28, 28, 1), 60_000, 70_000, DIGITS),
    "fashion-mnist": PixelTable(40996, (28, 28, 1), 60_000, 70_000, CLOTHES),
    "cifar10": PixelTable(40927, (32, 32, 3), 50_000, 60_000, OBJECTS),
    "svhn": PixelTable(41081, (32, 32, 3), 73_257, 99_289, DIGITS),
    "stl10": PixelTable(41103, (96, 96, 3), 5_000, 13_000, STL_OBJECTS),
}


def find(name: str) -> Iterator[Located]:
    """The file of ``name`` in our cache of OpenML's tables, else in the package's own."""
    if name in TABLES:
        id = TABLES[name].id
        for root in _roots():
            for file in (f"dataset_{id}.pq", "dataset.pq", "dataset.arff"):
                for path in sorted(root.glob(f"*/*/*/datasets/{id}/{file}")):
                    yield Located(name, path, f"{__name__}:read", sha256_of([path]), f"OpenML's data set {id}")


def _roots() -> Iterator[Path]:
    """Folders that hold ``org/openml/www/datasets/``: ours, the one that the package is told, and its default."""
    yield cache_folder() / "openml"
    if told := os.environ.get("OPENML_CACHE_DIR"):
        yield Path(told).expanduser()
    yield Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "openml"
    yield Path("~/.openml").expanduser()


def read(located: Located) -> ImageSet:
    """The images of one of :data:`TABLES`."""
    table = TABLES[located.name]
    kept = cache_folder() / "images" / f"{located.sha256[:32]}-{LAYOUT}.npz"
    before = _kept(kept, table)
    images, labels = before or _read(located, table)
    n = table.training
    found = checked(located, (images[:n], labels[:n]), (images[n:], labels[n:]), table.classes, table.shape)
    if before is None:
        with writing(kept.parent), replacing(kept) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, images=images, labels=labels)
    return found


def _read(located: Located, table: PixelTable) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    pixels, words = read_pixels(located.path, table.rows, table.pixels)
    labels = _numbered(located, words, table.classes)
    height, width, channels = table.shape
    if channels > 1 and _in_planes(pixels, table.shape):
        return np.ascontiguousarray(pixels.reshape(-1, channels, height, width).transpose(0, 2, 3, 1)), labels
    return pixels.reshape(-1, height, width, channels), labels


def _in_planes(pixels: NDArray[np.uint8], shape: tuple[int, int, int]) -> bool:
    """Whether a row has all of its red values first, rather than the three values of one pixel side by side.

    OpenML's descriptions do not all say. Neighbours in a photo are alike: in the true order the differences between
    them are smaller, and by far.
    """
    height, width, channels = shape
    some = pixels[:: max(1, len(pixels) // 200)].astype(np.float64)
    planes = np.abs(np.diff(some.reshape(-1, channels, height, width), axis=3)).mean()
    side_by_side = np.abs(np.diff(some.reshape(-1, height, width, channels), axis=2)).mean()
    return bool(planes <= side_by_side)


def _numbered(located: Located, words: list[str], classes: tuple[str, ...]) -> NDArray[np.int64]:
    """Labels from 0 on, of classes that the table names, or counts from 0 or 1; a 10 among digits is the 0."""
    known = {word: number for number, word in enumerate(classes)}
    if set(words) <= set(known):
        return np.array([known[word] for word in words])
    try:
        numbers = np.array([float(word) for word in words])
    except ValueError:
        strange = next(word for word in words if not _is_number(word))
        raise DataInvalid(
            f"{located.path}: class {one_line(strange, 40)!r}, expected {', '.join(classes)}, or numbers"
        ) from None
    labels = numbers.astype(np.int64)
    if (labels != numbers).any():
        raise DataInvalid(f"{located.path}: class {numbers[labels != numbers][0]:g}, expected whole numbers")
    if labels.max() == len(classes) and labels.min() == 1:
        return labels % len(classes) if classes == DIGITS else labels - 1
    return labels


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _kept(path: Path, table: PixelTable) -> tuple[NDArray[np.uint8], NDArray[np.int64]] | None:
    """What was read before; None if it is not there or damaged."""
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            images, labels = file["images"], file["labels"]
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, zlib.error):
        return None
    return (images, labels) if images.shape == (table.rows, *table.shape) and len(labels) == table.rows else None

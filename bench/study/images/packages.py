"""Images that installed packages ship: scikit-learn's digits."""

from __future__ import annotations

import gzip
import importlib.util
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from bench.errors import DataInvalid, one_line
from bench.study.images.hashing import sha256_of
from bench.study.images.sets import DIGITS, ImageSet, Located, checked

_DIGITS = ("sklearn", "datasets", "data", "digits.csv.gz")
TEST_SHARE = 0.3


def find(name: str) -> Iterator[Located]:
    """The file of ``name`` in an installed package."""
    path = _file(*_DIGITS) if name == "digits" else None
    if path is not None:
        yield Located(name, path, f"{__name__}:read_digits", sha256_of([path]), "scikit-learn's digits")


def read_digits(located: Located) -> ImageSet:
    """The 1,797 digits of 8x8 pixels, their 17 levels of grey spread over 0 to 255.

    Of every class the same :data:`TEST_SHARE`, always the same images, are for testing.
    """
    try:
        with gzip.open(located.path, "rt") as file:
            table = np.loadtxt(file, delimiter=",")
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise DataInvalid(f"{located.path}: not a readable table: {one_line(error)}") from error
    labels = table[:, -1].astype(np.int64)
    images = np.rint(table[:, :-1].reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8)
    rng, test = np.random.RandomState(0), np.zeros(len(labels), dtype=bool)
    for label in range(len(DIGITS)):
        rows = rng.permutation(np.flatnonzero(labels == label))
        test[rows[: round(TEST_SHARE * len(rows))]] = True
    train, held_out = (images[~test], labels[~test]), (images[test], labels[test])
    return checked(located, train, held_out, DIGITS, (8, 8))


def _file(package: str, *parts: str) -> Path | None:
    """A file of an installed package, which is not loaded for it; None if there is none."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return None
    path = Path(spec.submodule_search_locations[0]).joinpath(*parts)
    return path if path.is_file() else None

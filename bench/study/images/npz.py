"""NumPy's .npz files of images: MNIST, a part of CIFAR-10, and the Olivetti faces with who wears glasses."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.errors import DataInvalid, one_line
from bench.study.images.files import sha256_of
from bench.study.images.sets import DIGITS, GLASSES, OBJECTS, ImageSet, Located, checked

PARTS = ("train_images", "train_labels", "test_images", "test_labels")
FACES = ("images", "glasses", "person")
FILES = {
    "mnist": ("mnist_full.npz", PARTS),
    "cifar10": ("cifar10_12000_2500.npz", PARTS),
    "olivetti-glasses": ("olivetti_glasses.npz", FACES),
}
TRAINING_PERSONS = 30
"""Of the 40 persons of the Olivetti faces; the others' faces are for testing, so that no face is in both."""


def find(folder: Path, name: str) -> Iterator[Located]:
    """The file of ``name`` in ``folder``, if it is there. Raises :class:`DataInvalid` for one without its arrays."""
    file, arrays = FILES.get(name, ("", ()))
    path = folder / file
    if file and path.is_file():
        _arrays(path, arrays, read=False)
        yield Located(name, path, f"{__name__}:read", sha256_of([path]), file)


def read(located: Located) -> ImageSet:
    """The images of one of :data:`FILES`."""
    arrays = _arrays(located.path, FILES[located.name][1])
    if located.name == "olivetti-glasses":
        images, glasses, person = (arrays[name] for name in FACES)
        if person.shape != glasses.shape or person.shape != images.shape[:1]:
            raise DataInvalid(
                f"{located.path}: images {images.shape}, glasses {glasses.shape}, person {person.shape}, "
                "expected one value of each an image"
            )
        first = person < TRAINING_PERSONS
        train, test = (images[first], glasses[first]), (images[~first], glasses[~first])
        return checked(located, train, test, GLASSES, (64, 64))
    train, test = (arrays[PARTS[0]], arrays[PARTS[1]]), (arrays[PARTS[2]], arrays[PARTS[3]])
    if located.name == "mnist":
        return checked(located, train, test, DIGITS, (28, 28))
    return checked(located, train, test, OBJECTS, (32, 32, 3))


def _arrays(path: Path, names: tuple[str, ...], *, read: bool = True) -> dict[str, NDArray[Any]]:
    """The arrays ``names`` in the file; none of them unless ``read``, when it is only checked that they are there."""
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            if missing := [name for name in names if name not in file.files]:
                raise DataInvalid(
                    f"{path}: no array {missing[0]!r} in it, expected {', '.join(names)}, got {', '.join(file.files)}"
                )
            return {name: file[name] for name in names} if read else {}
    except (OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
        raise DataInvalid(f"{path}: not a readable .npz file: {one_line(error)}; get it anew") from error

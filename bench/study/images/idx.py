"""MNIST and Fashion-MNIST as their owners ship them: four idx files, packed with gzip or not."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.errors import DataInvalid
from bench.study.images.files import below, complete, content, sha256_of
from bench.study.images.sets import CLOTHES, DIGITS, ImageSet, Located, checked

FILES = (
    ("train-images-idx3-ubyte", "train-images.idx3-ubyte"),
    ("train-labels-idx1-ubyte", "train-labels.idx1-ubyte"),
    ("t10k-images-idx3-ubyte", "t10k-images.idx3-ubyte"),
    ("t10k-labels-idx1-ubyte", "t10k-labels.idx1-ubyte"),
)
FOLDERS = {
    "mnist": ("mnist", "MNIST", "mnist/raw", "MNIST/raw"),
    "fashion-mnist": (
        "fashion-mnist",
        "fashion_mnist",
        "FashionMNIST",
        "fashion-mnist/raw",
        "FashionMNIST/raw",
        "fashion-mnist/data/fashion",
    ),
}
TITLES = {"mnist": "MNIST", "fashion-mnist": "Fashion-MNIST"}
_UNSIGNED_BYTE = 8


def find(folder: Path, name: str) -> Iterator[Located]:
    """The four files of ``name`` in ``folder`` or where its subfolders have them.

    Both sets' files have the same names: without a subfolder they are MNIST's, or Fashion-MNIST's in a folder that is
    called after it.
    """
    if name not in FOLDERS:
        return
    folders = below(folder, *FOLDERS[name])
    if ("fashion" in folder.resolve().name.lower()) != (name == "fashion-mnist"):
        folders = folders[1:]
    for paths in complete(folders, FILES, f"{TITLES[name]}'s idx version", ("", ".gz")):
        for path, (spelling, _) in zip(paths, FILES, strict=True):
            _shape(path, content(path, 16), 3 if "idx3" in spelling else 1)
        yield Located(name, paths[0].parent, f"{__name__}:read", sha256_of(paths), f"{TITLES[name]}'s idx files")


def read(located: Located) -> ImageSet:
    """The images of four idx files."""
    paths = next(complete([located.path], FILES, located.name, ("", ".gz")))
    images, labels, test_images, test_labels = (
        _array(path, 3 if "idx3" in spelling else 1) for path, (spelling, _) in zip(paths, FILES, strict=True)
    )
    classes = DIGITS if located.name == "mnist" else CLOTHES
    return checked(located, (images, labels), (test_images, test_labels), classes, (28, 28))


def _array(path: Path, axes: int) -> NDArray[np.uint8]:
    data = content(path)
    shape = _shape(path, data, axes)
    if len(data) != 4 + 4 * axes + prod(shape):
        raise DataInvalid(
            f"{path}: {len(data):,} bytes, expected {4 + 4 * axes + prod(shape):,} for {shape}; get it anew"
        )
    return np.frombuffer(data, dtype=np.uint8, offset=4 + 4 * axes).reshape(shape)


def _shape(path: Path, data: bytes, axes: int) -> tuple[int, ...]:
    """What the header says: zero, zero, the type, the number of axes, and the length of each."""
    if len(data) < 4 + 4 * axes or data[:4] != bytes((0, 0, _UNSIGNED_BYTE, axes)):
        raise DataInvalid(
            f"{path}: begins with {data[:4].hex(' ') or 'nothing'}, expected 00 00 08 0{axes}, as idx files of "
            f"unsigned bytes with {axes} {'axis' if axes == 1 else 'axes'} do; get it anew"
        )
    return struct.unpack(f">{axes}I", data[4 : 4 + 4 * axes])

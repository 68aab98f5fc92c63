"""CIFAR-10, STL-10 and SVHN in the files that their owners ship for C and MATLAB: nothing is unpickled."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.errors import DataInvalid, one_line, plural
from bench.study.images.files import below, complete, content, sha256_of
from bench.study.images.sets import DIGITS, OBJECTS, STL_OBJECTS, ImageSet, Located, checked

BATCHES = (*((f"data_batch_{number}.bin",) for number in range(1, 6)), ("test_batch.bin",))
STL_FILES = (("train_X.bin",), ("train_y.bin",), ("test_X.bin",), ("test_y.bin",))
SVHN_FILES = (("train_32x32.mat",), ("test_32x32.mat",))
LAYOUTS = {
    "cifar10": ("CIFAR-10's binary version", BATCHES, ("cifar-10-batches-bin", "cifar10/cifar-10-batches-bin")),
    "stl10": ("STL-10's binary version", STL_FILES, ("stl10_binary", "stl10", "stl10/stl10_binary")),
    "svhn": ("SVHN's cropped digits", SVHN_FILES, ("svhn", "SVHN")),
}
_RECORD = 1 + 3 * 32 * 32
_STL_IMAGE = 3 * 96 * 96


def find(folder: Path, name: str) -> Iterator[Located]:
    """The files of ``name`` in ``folder`` or in the subfolders that its owners' archives have."""
    if name not in LAYOUTS:
        return
    what, files, folders = LAYOUTS[name]
    for paths in complete(below(folder, *folders), files, what):
        for path in paths:
            _check_size(name, path)
        yield Located(name, paths[0].parent, f"{__name__}:read_{name}", sha256_of(paths), what)


def pickled(folder: Path, name: str) -> str:
    """Why ``name`` is not read though ``folder`` has it; empty if it does not."""
    for place in below(folder, "cifar-10-batches-py", "cifar10/cifar-10-batches-py") if name == "cifar10" else ():
        if (place / "data_batch_1").is_file():
            return (
                f"CIFAR-10: {place.name} holds the Python version, which are pickles, and those can run code: they are "
                "not read. Get the binary version (cifar-10-batches-bin) from the same page"
            )
    return ""


def read_cifar10(located: Located) -> ImageSet:
    """Records of a label and 3 planes (red, green, blue) of 32 rows of 32 pixels."""
    paths = next(complete([located.path], BATCHES, located.name))
    parts = []
    for batches in (paths[:-1], paths[-1:]):
        data = b"".join(content(path) for path in batches)
        _check_whole(located.path, len(data), _RECORD)
        records = np.frombuffer(data, dtype=np.uint8).reshape(-1, _RECORD)
        images = records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
        parts.append((np.ascontiguousarray(images), records[:, 0]))
    return checked(located, parts[0], parts[1], OBJECTS, (32, 32, 3))


def read_stl10(located: Located) -> ImageSet:
    """Images of 3 planes of 96 *columns* of 96 pixels, and labels from 1 on in files of their own."""
    paths = next(complete([located.path], STL_FILES, located.name))
    parts = []
    for pixels, classes in (paths[:2], paths[2:]):
        data = content(pixels)
        _check_whole(pixels, len(data), _STL_IMAGE)
        images = np.frombuffer(data, dtype=np.uint8).reshape(-1, 3, 96, 96).transpose(0, 3, 2, 1)
        labels = np.frombuffer(content(classes), dtype=np.uint8).astype(np.int64) - 1
        parts.append((np.ascontiguousarray(images), labels))
    return checked(located, parts[0], parts[1], STL_OBJECTS, (96, 96, 3))


def read_svhn(located: Located) -> ImageSet:
    """MATLAB's files with ``X`` (32, 32, 3, n) and ``y`` (n, 1), in which label 10 is the digit 0."""
    paths = next(complete([located.path], SVHN_FILES, located.name))
    parts = [_matlab(path) for path in paths]
    return checked(located, parts[0], parts[1], DIGITS, (32, 32, 3))


def _matlab(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    from scipy import io

    try:
        arrays: dict[str, Any] = io.loadmat(path, variable_names=("X", "y"))
        images, labels = np.asarray(arrays["X"]), np.asarray(arrays["y"]).ravel().astype(np.int64)
        return np.ascontiguousarray(np.moveaxis(images, -1, 0)), np.where(labels == 10, 0, labels)
    except Exception as error:  # the parser's own, and whatever damaged bytes make it do
        says = f"no array {error}" if isinstance(error, KeyError) else one_line(error)
        raise DataInvalid(f"{path}: not MATLAB's file with X and y: {says}; get it anew") from error


def _check_size(name: str, path: Path) -> None:
    """Refuse at once, without reading it, a file that ends in the middle of an image."""
    if name == "cifar10" or path.name.endswith("X.bin"):
        _check_whole(path, path.stat().st_size, _RECORD if name == "cifar10" else _STL_IMAGE)


def _check_whole(path: Path, size: int, record: int) -> None:
    if size == 0 or size % record:
        raise DataInvalid(
            f"{path}: {plural(size, 'byte')}, expected a multiple of {record:,}, one of which is an image; get it anew"
        )

"""What an image set is, where one was found, and how a user gets those that were not."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.errors import DataInvalid, JobSkipped, one_line, unknown_name

DIGITS = tuple(str(digit) for digit in range(10))
CLOTHES = ("T-shirt", "trousers", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
OBJECTS = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
STL_OBJECTS = ("airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck")
GLASSES = ("without glasses", "with glasses")


@dataclass(frozen=True)
class ImageSet:
    """Labelled images: ``images`` (n, h, w, channels) uint8 and ``labels`` (n,), ``test_images`` and ``test_labels``.

    ``classes`` are the names of labels 0, 1, ...; ``source`` says in a few words where the images came from.
    """

    name: str
    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.int64]
    classes: tuple[str, ...]
    source: str


@dataclass(frozen=True)
class Located:
    """Where an image set is: its ``path``, and the ``module:function`` that reads it.

    ``sha256`` is of all that is read; ``source`` says in a few words, which name no folder, where the images come from.
    """

    name: str
    path: Path
    reader: str
    sha256: str
    source: str


@dataclass(frozen=True)
class Images:
    """The image sets that were found, by name, read when asked for.

    ``unreadable`` says of others why what is there of them is not read.
    """

    located: Mapping[str, Located] = field(default_factory=dict)
    unreadable: Mapping[str, str] = field(default_factory=dict)

    def __getitem__(self, name: str) -> ImageSet:
        """The image set ``name``. Raises :class:`JobSkipped`, with how to get it, if it was not found."""
        return read_images(self.place(name))

    def __iter__(self) -> Iterator[str]:
        return iter(self.located)

    def place(self, name: str) -> Located:
        """Where ``name`` is. Raises :class:`JobSkipped`, with how to get it, if it was not found."""
        if name not in self.located:
            raise JobSkipped(self.unreadable.get(name) or how_to_get(name))
        return self.located[name]


def read_images(located: Located) -> ImageSet:
    """The images at a place that was found. Raises :class:`DataInvalid` for files that are not what they should be."""
    module, _, function = located.reader.partition(":")
    # By name, so that a cell's identity has the code of the one reader it uses, and not that of all others.
    read: Callable[[Located], ImageSet] = getattr(importlib.import_module(module), function)
    return read(located)


def checked(
    located: Located,
    train: tuple[NDArray[Any], NDArray[Any]],
    test: tuple[NDArray[Any], NDArray[Any]],
    classes: tuple[str, ...],
    shape: tuple[int, ...],
) -> ImageSet:
    """The image set of ``train`` and ``test`` (images, labels); images without a last axis of channels get one.

    Raises :class:`DataInvalid`, naming file, part and what was expected, unless both parts have images of ``shape`` and
    type uint8, as many labels from 0 up to the number of ``classes``, and more than one class.
    """
    parts = []
    for part, (images, labels) in (("training", train), ("test", test)):
        where = f"{located.path}: {located.name}, {part} images"
        if images.dtype != np.uint8 or images.shape[1:] != shape or not len(images):
            expected = f"(n, {', '.join(map(str, shape))}) uint8 with n > 0"
            raise DataInvalid(f"{where}: {images.shape} {images.dtype}, expected {expected}; get the set anew")
        if labels.ndim != 1 or labels.dtype.kind not in "iu" or len(labels) != len(images):
            raise DataInvalid(
                f"{where}: labels {labels.shape} {labels.dtype}, expected {len(images)} whole numbers, one an image"
            )
        if labels.min() < 0 or labels.max() >= len(classes):
            raise DataInvalid(
                f"{where}: labels from {labels.min()} to {labels.max()}, expected 0 to {len(classes) - 1}"
            )
        if labels.min() == labels.max():
            raise DataInvalid(f"{where}: all of class {labels[0]} ({one_line(classes[labels[0]])}), expected several")
        parts += [images if images.ndim == 4 else images[..., None], labels.astype(np.int64)]
    return ImageSet(located.name, parts[0], parts[1], parts[2], parts[3], classes, located.source)


def _fetched(id: int) -> str:
    """How a data set gets into the ``openml`` package's cache, where it is looked for."""
    return f"run: python -c 'import openml; openml.datasets.get_dataset({id}, download_data=True)'"


_HOW_TO_GET = {
    "mnist": f"MNIST: give a folder with its four idx files as --images DIR, or {_fetched(554)}",
    "fashion-mnist": "Fashion-MNIST: give a folder with its four idx files in fashion-mnist/ as --images DIR, or "
    f"{_fetched(40996)}",
    "cifar10": f"CIFAR-10: give a folder with its binary version, cifar-10-batches-bin/, as --images DIR, or "
    f"{_fetched(40927)}",
    "svhn": f"SVHN: give a folder with train_32x32.mat and test_32x32.mat as --images DIR, or {_fetched(41081)}",
    "stl10": f"STL-10: give a folder with its binary version, stl10_binary/, as --images DIR, or {_fetched(41103)}",
    "celeba": "CelebA: get it from its owners under their agreement (img_align_celeba, list_attr_celeba.txt, "
    "list_eval_partition.txt), and give its folder as --images DIR",
    "olivetti-glasses": "Olivetti faces, with who wears glasses: give a folder with olivetti_glasses.npz, as "
    "docs/images.md describes it, as --images DIR",
    "digits": "scikit-learn's digits: they come with scikit-learn, which is not whole here; install it anew",
}
NAMES = tuple(_HOW_TO_GET)


def how_to_get(name: str) -> str:
    """One line for a user who lacks the image set ``name``."""
    if name not in _HOW_TO_GET:
        raise unknown_name("image set", name, _HOW_TO_GET)
    return _HOW_TO_GET[name]

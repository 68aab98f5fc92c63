"""Images as rows of numbers, and balanced samples of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.errors import JobSkipped, plural
from bench.study.images.sets import ImageSet


class Sample(NamedTuple):
    """``images`` (n, h, w, channels) uint8 and ``labels`` (n,), which count the classes as asked for: 0, 1, ..."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.int64]


def rows_of(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(n, h * w * channels) numbers from 0 to 1, pixel after pixel, the channels of one pixel side by side."""
    return images.reshape(len(images), -1) / 255.0


def draw(
    image_set: ImageSet,
    classes: Sequence[int],
    counts: int | Sequence[int],
    test_counts: int | Sequence[int],
    seed: int,
) -> Sample:
    """Images drawn without replacement: ``counts`` of every class for training, ``test_counts`` for testing.

    One number counts for every class. Training images come from those for training, test images from the others. With
    one ``seed`` a larger count adds images to those of a smaller one, and test images are the same whatever ``counts``
    is. Both parts are shuffled. Raises :class:`JobSkipped` where the image set has fewer, as those in packages may.
    """
    train = _draw(image_set, "training", classes, counts, seed)
    test = _draw(image_set, "test", classes, test_counts, seed)
    return Sample(*train, *test)


def _draw(
    image_set: ImageSet, part: str, classes: Sequence[int], counts: int | Sequence[int], seed: int
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    testing = part == "test"
    images = image_set.test_images if testing else image_set.images
    labels = image_set.test_labels if testing else image_set.labels
    each = [counts] * len(classes) if isinstance(counts, int) else list(counts)
    rows: list[NDArray[np.int64]] = []
    for label, count in zip(classes, each, strict=True):
        # A stream for each class and part: what is drawn of one does not depend on the others' counts.
        there = np.random.RandomState([seed, testing, label]).permutation(np.flatnonzero(labels == label))
        if count > len(there):
            raise JobSkipped(
                f"{image_set.name} ({image_set.source}): {plural(len(there), f'{part} image')} of class {label}, "
                f"{count:,} asked for; a folder with more of them can be given as --images DIR"
            )
        rows.append(there[:count])
    order = np.random.RandomState([seed, testing]).permutation(sum(each))
    own = np.repeat(np.arange(len(classes)), each)
    return images[np.concatenate(rows)[order]], own[order]

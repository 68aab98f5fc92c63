"""The pictures that the ansatz is examined on: single image sets, a star in a corner, two pictures side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.errors import UsageError
from bench.study.images.sampling import Sample, draw, rows_of
from bench.study.images.sets import Images

Pixels = NDArray[np.uint8]

READS = {
    "digits": ("digits",),
    "mnist": ("mnist",),
    "fashion-mnist": ("fashion-mnist",),
    "cifar10": ("cifar10",),
    "star": ("cifar10",),
    "cifar|mnist": ("cifar10", "mnist"),
}
"""The image sets that each dataset is made of."""

AIRPLANE, TRUCK = 0, 9
STAR = np.array(
    [
        [0, 0, 0, 1, 0, 0, 0],
        [0, 0, 1, 1, 1, 0, 0],
        [1, 1, 1, 1, 1, 1, 1],
        [0, 1, 1, 1, 1, 1, 0],
        [0, 0, 1, 1, 1, 0, 0],
        [0, 1, 1, 0, 1, 1, 0],
        [0, 1, 0, 0, 0, 1, 0],
    ],
    dtype=bool,
)
STAR_CORNER = 3
"""Row and column of the star's upper left corner."""
COLOURS = ((0, 0, 0), (255, 255, 0))
"""The star's colour in pictures of class 0 (airplanes, black) and of class 1 (trucks, yellow)."""


@dataclass(frozen=True)
class Rows:
    """Features from 0 to 1 and labels: ``X`` (n, d) and ``y`` to train on, held-out rows, test rows.

    ``shape`` is that of one picture: height, width, channels.
    """

    X: NDArray[np.float64]
    y: NDArray[np.int64]
    held_out: NDArray[np.float64]
    held_out_y: NDArray[np.int64]
    test: NDArray[np.float64]
    test_y: NDArray[np.int64]
    shape: tuple[int, int, int]
    classes: int


def load(name: str, train: int, held_out: int, test: int, seed: int, images: Images) -> Rows:
    """``train``, ``held_out`` and ``test`` rows of the dataset ``name``, drawn from ``seed``: about equally many of
    every class in the first two, equally many in the last.

    Raises :class:`UsageError` where these are too few for every class to be among the training rows.
    """
    sets = [images[one] for one in READS[name]]
    classes = (AIRPLANE, TRUCK) if name == "star" else range(len(sets[0].classes))
    each, each_test = (-(-count // len(classes)) for count in (train + held_out, test))
    samples = [draw(one, classes, each, each_test, seed) for one in sets]
    sample = samples[0] if len(samples) == 1 else _side_by_side(*samples)
    if name == "star":
        sample = sample._replace(
            images=with_star(sample.images, sample.labels),
            test_images=with_star(sample.test_images, sample.test_labels),
        )
    X, y = rows_of(sample.images), sample.labels
    if len(found := np.unique(y[:train])) < len(classes):
        raise UsageError(
            f"{name}: {train} training rows have {len(found)} of {len(classes)} classes; ask for more rows"
        )
    return Rows(
        X=X[:train],
        y=y[:train],
        held_out=X[train : train + held_out],
        held_out_y=y[train : train + held_out],
        test=rows_of(sample.test_images)[:test],
        test_y=sample.test_labels[:test],
        shape=(sample.images.shape[1], sample.images.shape[2], sample.images.shape[3]),
        classes=len(classes),
    )


def with_star(images: Pixels, labels: NDArray[np.int64]) -> Pixels:
    """Copies of ``images`` (n, h, w, 3) with a star near the upper left corner, whose colour tells the label."""
    starred = images.copy()
    size = len(STAR)
    corner = starred[:, STAR_CORNER : STAR_CORNER + size, STAR_CORNER : STAR_CORNER + size]
    corner[:, STAR] = np.asarray(COLOURS, dtype=np.uint8)[labels][:, None, :]
    return starred


def _side_by_side(left: Sample, right: Sample) -> Sample:
    """Each picture of ``left`` next to one of ``right`` with the same label, brought to its size and channels."""
    return Sample(
        np.concatenate([left.images, _alike(right.images, right.labels, left.labels, left.images)], axis=2),
        left.labels,
        np.concatenate(
            [left.test_images, _alike(right.test_images, right.test_labels, left.test_labels, left.test_images)], axis=2
        ),
        left.test_labels,
    )


def _alike(
    images: Pixels, labels: NDArray[np.int64], wanted: Sequence[int] | NDArray[np.int64], like: Pixels
) -> Pixels:
    """An image of every label in ``wanted``, with a black margin and repeated channels to be of ``like``'s shape."""
    order = np.empty(len(labels), dtype=np.int64)
    order[np.argsort(wanted, kind="stable")] = np.argsort(labels, kind="stable")  # equally many of every label in both
    height, width = (like.shape[axis] - images.shape[axis] for axis in (1, 2))
    margins = ((0, 0), (height // 2, height - height // 2), (width // 2, width - width // 2), (0, 0))
    return np.repeat(np.pad(images[order], margins), like.shape[3] // images.shape[3], axis=3)

"""Lottery tickets: RFM-T keeps the coordinates that M names and fits the Laplace kernel anew on them alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bench.study.images.sampling import Sample, draw, rows_of
from bench.study.images.sets import Images
from bench.study.machines import (
    BoolArray,
    accuracy,
    laplace,
    named_coordinates,
    random_mask,
    rfm_path,
)
from bench.study.phenomena.marks import Box, Pictures, in_colour, resized
from bench.study.phenomena.stored import packed, packed_diagonal
from rfm.problem import unit_rows

UPDATES = (1, 3)
"""Updates of M after which it is used: the published script's, and more."""
RANDOM_MASKS = 3


def tickets(parameters: Mapping[str, Any], seed: int, images: Images) -> dict[str, Any]:
    """Test accuracies of all methods on one draw of ``n`` training images.

    All rows are divided by their norm, as the published scripts do; ``raw``: M and the kernel without the ticket once
    more on rows as they are. ``kept``: how many coordinates M named; ``masks`` their share in the box that has the
    digit, and what the box is of all.
    """
    task, box = make_task(parameters, seed, images)
    shape, labels = task.images.shape[1:], task.labels
    X, Z = rows_of(task.images), rows_of(task.test_images)
    classes = int(labels.max()) + 1

    def on(mask: BoolArray) -> float:
        fitted = laplace(unit_rows(X[:, mask]), labels, {"test": unit_rows(Z[:, mask])}, classes)
        return accuracy(fitted.predicted("test"), task.test_labels)

    found: dict[str, Any] = {"accuracy": {}, "kept": {}}
    for words, rows, new in (("", unit_rows(X), unit_rows(Z)), (" raw", X, Z)):
        for step in rfm_path(rows, labels, {"test": new}, max(UPDATES), classes):
            found["accuracy"][step.title + words] = accuracy(step.predicted("test"), task.test_labels)
            if step.iteration not in UPDATES:
                continue
            mask = named_coordinates(step.diagonal())
            ticket = f"RFM-T {step.iteration}{words}"
            found["accuracy"][ticket] = on(mask) if mask.any() else None
            found["kept"][ticket] = int(mask.sum())
            if box is not None:
                found.setdefault("inside", {})[ticket] = int((mask & box).sum())
            if seed == 0 and ticket == "RFM-T 1":
                found["diagonal"] = packed_diagonal(step.diagonal(), shape)
    rng = np.random.default_rng([seed, len(X)])
    size = max(1, found["kept"]["RFM-T 1"])
    masks = (random_mask(rng, X.shape[1], size) for _ in range(RANDOM_MASKS))
    found["accuracy"]["random mask"] = float(np.mean([on(mask) for mask in masks]))
    if box is not None:
        found["accuracy"]["box"] = on(box)
        found["box"] = int(box.sum())
    if seed == 0:
        found["examples"] = packed(task.images[:4])
    return found


def make_task(parameters: Mapping[str, Any], seed: int, images: Images) -> tuple[Sample, BoolArray | None]:
    """``n`` training images, about as many of each of ``classes``, and ``test`` of each class to test.

    With ``photos``, the name of another image set, the images are shrunk to ``side`` x ``side`` and put into the top
    left corner of its photos, whatever these show, and the coordinates of that box come with them. Every seed and
    number of images is a draw of its own.
    """
    chosen, n = list(parameters["classes"]), int(parameters["n"])
    own = _own_seed(seed, n)
    each = [n // len(chosen) + (place < n % len(chosen)) for place in range(len(chosen))]
    sample = draw(images[parameters["images"]], chosen, each, int(parameters["test"]), own)
    if "photos" not in parameters:
        return sample, None
    photos = images[parameters["photos"]]
    side = int(parameters["side"])
    box = Box(0, 0, side, side)
    train = _in_corner(sample.images, photos.images, box, own)
    test = _in_corner(sample.test_images, photos.test_images, box, own)
    return Sample(train, sample.labels, test, sample.test_labels), box.coordinates(train.shape[1:])


def _in_corner(small: Pictures, photos: Pictures, box: Box, seed: int) -> Pictures:
    """Each of ``small`` in the box of a photo drawn at random; photos are drawn again where there are too few."""
    rng = np.random.default_rng(seed)
    chosen = rng.choice(len(photos), len(small), replace=len(small) > len(photos))
    return box.painted(photos[chosen], in_colour(resized(small, box.height, box.width), photos.shape[3]))


def _own_seed(seed: int, n: int) -> int:
    return int(np.random.SeedSequence([seed, n]).generate_state(1)[0])

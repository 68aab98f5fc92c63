"""Simplicity bias: pictures of two halves that agree about the class, one easy to learn from, the other hard."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.study.images.sampling import draw, rows_of
from bench.study.images.sets import Images
from bench.study.machines import FloatArray, IntArray, accuracy, rfm_path
from bench.study.phenomena.descent import trained
from bench.study.phenomena.marks import Pictures, alike, of_another_class
from bench.study.phenomena.stored import packed, packed_diagonal

UPDATES = (0, 1, 3)
HALVES = ("left", "right")


class Halves:
    """Training and test images by class, the same class in both halves, as draws of two image sets.

    ``tests``: the halves ``intact``; either half ``of another class``; either ``averaged``, the mean of the training
    images in its place.
    """

    def __init__(self, parameters: Mapping[str, Any], seed: int, images: Images) -> None:
        names, n, m = parameters["halves"], int(parameters["n"]), int(parameters["test"])
        count = 10
        # Two draws, so that where both halves come from one image set they are not the same images.
        drawn = [draw(images[name], range(count), n // count, m, 2 * seed + k) for k, name in enumerate(names)]
        orders = [np.argsort(sample.labels, kind="stable") for sample in drawn]
        test_orders = [np.argsort(sample.test_labels, kind="stable") for sample in drawn]
        self.labels: IntArray = drawn[0].labels[orders[0]]
        self.test_labels: IntArray = drawn[0].test_labels[test_orders[0]]
        left, right = (sample.images[order] for sample, order in zip(drawn, orders, strict=True))
        self.train = left, alike(right, left)
        left, right = (sample.test_images[order] for sample, order in zip(drawn, test_orders, strict=True))
        test = left, alike(right, left)
        other = of_another_class(self.test_labels, seed)
        self.other_labels: IntArray = self.test_labels[other]
        means = [
            np.rint(half.mean(axis=0, keepdims=True)).astype(np.uint8).repeat(len(test[0]), 0) for half in self.train
        ]
        self.tests: dict[str, tuple[Pictures, Pictures]] = {"intact": (test[0], test[1])}
        for k, name in enumerate(HALVES):
            for words, half in (("of another class", test[k][other]), ("averaged", means[k])):
                pair = [test[0], test[1]]
                pair[k] = half
                self.tests[f"{name} {words}"] = (pair[0], pair[1])

    def rows(self, name: str) -> FloatArray:
        """The test rows called ``name``."""
        return rows_of(joined(self.tests[name]))


def joined(halves: tuple[Pictures, Pictures]) -> Pictures:
    """(n, h, 2 w, channels)."""
    return np.concatenate(halves, axis=2)


def kernels(parameters: Mapping[str, Any], seed: int, images: Images) -> dict[str, Any]:
    """Test accuracies of the Laplace kernel and of RFM: on whole pictures, and fitted to and tested on one half."""
    halves = Halves(parameters, seed, images)
    tests = {name: halves.rows(name) for name in halves.tests}
    found: dict[str, Any] = {"accuracy": {}, "follows": {}, "share": {}}
    for step in rfm_path(rows_of(joined(halves.train)), halves.labels, tests, max(UPDATES), 10):
        if step.iteration in UPDATES:
            name = step.title
            _record(found, name, {key: step.predicted(key) for key in tests}, halves)
            if step.metric is not None:
                shape = joined(halves.train).shape[1:]
                diagonal = step.diagonal()
                found["share"][name] = float(_right(diagonal, shape) / diagonal.sum())
                if seed == 0:
                    found.setdefault("diagonals", {})[name] = packed_diagonal(diagonal, shape)
    for k, half in enumerate(HALVES):
        alone = {"alone": rows_of(halves.tests["intact"][k])}
        for step in rfm_path(rows_of(halves.train[k]), halves.labels, alone, 1, 10):
            found["accuracy"][step.title][f"{half} alone"] = accuracy(step.predicted("alone"), halves.test_labels)
    if seed == 0:
        some = [int(np.flatnonzero(halves.labels == label)[0]) for label in range(4)]
        found["examples"] = packed(joined(halves.train)[some])
    return found


def network(parameters: Mapping[str, Any], seed: int, images: Images) -> dict[str, Any]:
    """The same of a network, with an account of its training."""
    halves = Halves(parameters, seed, images)
    fit = partial(trained, parameters=parameters, outputs=10, seed=seed)
    found: dict[str, Any] = {"accuracy": {}, "follows": {}, "training": {}}
    tests = {name: halves.rows(name) for name in halves.tests}
    predicted, account = fit(rows_of(joined(halves.train)), halves.labels, tests)
    found["training"]["whole"] = account
    _record(found, "network", predicted, halves)
    for k, half in enumerate(HALVES):
        alone = {"alone": rows_of(halves.tests["intact"][k])}
        predicted, found["training"][half] = fit(rows_of(halves.train[k]), halves.labels, alone)
        for classes in predicted.values():
            found["accuracy"]["network"][f"{half} alone"] = accuracy(classes, halves.test_labels)
    return found


def _record(found: dict[str, Any], method: str, predicted: Mapping[str, IntArray], halves: Halves) -> None:
    """Accuracies, and of the tests with a half of another class the share that goes with that half."""
    found["accuracy"][method] = {name: accuracy(classes, halves.test_labels) for name, classes in predicted.items()}
    found["follows"][method] = {
        name: accuracy(predicted[f"{name} of another class"], halves.other_labels) for name in HALVES if predicted
    }


def _right(diagonal: NDArray[np.float64], shape: tuple[int, ...]) -> float:
    """What the right half has of the trace."""
    return float(diagonal.reshape(shape)[:, shape[1] // 2 :].sum())

"""Grokking: few images of one class, many of another, and a patch of a few pixels that says which is which."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from sklearn.metrics import roc_auc_score

from bench.study.images.sampling import draw, rows_of
from bench.study.images.sets import Images
from bench.study.machines import (
    FloatArray,
    IntArray,
    accuracy,
    class_accuracies,
    rfm_path,
    share_within,
)
from bench.study.networks import one_hot, train
from bench.study.phenomena.descent import SpanNetwork
from bench.study.phenomena.marks import Box, Pictures, resized
from bench.study.phenomena.stored import packed, packed_diagonal
from rfm.span import Span

BLACK, WHITE = 0, 255
LOOKS = 60
"""Epochs at which a network is looked at: evenly spaced in their logarithm."""
COSINES = 8
"""And those of them at which its first layer is compared with RFM's M."""


@dataclass(frozen=True, eq=False)
class Task:
    """Images of two classes, the first the smaller one in training, and test images with the patch in several places.

    ``tests``: with the patch as in training, with it in the opposite corner (``moved``), and without one.
    """

    images: Pictures
    labels: IntArray
    tests: Mapping[str, Pictures]
    test_labels: IntArray
    patch: Box

    @property
    def shape(self) -> tuple[int, ...]:
        """(h, w, channels)."""
        return self.images.shape[1:]


def make_task(parameters: Mapping[str, Any], seed: int, images: Images) -> Task:
    """``counts`` training images of each of two ``classes`` and ``test`` of each to test, enlarged to ``size``.

    ``patch`` is [top, left, size]: black in all images, white in the second class; None: no image has one.
    """
    size = int(parameters["size"])
    sample = draw(
        images[parameters["images"]], parameters["classes"], parameters["counts"], int(parameters["test"]), seed
    )
    train, test = resized(sample.images, size, size), resized(sample.test_images, size, size)
    place = parameters["patch"]
    if place is None:
        return Task(train, sample.labels, {"test": test}, sample.test_labels, Box(0, 0, 0, 0))
    top, left, side = (int(number) for number in place)
    patch, other = Box(top, left, side, side), Box(size - top - side, size - left - side, side, side)

    def with_patch(box: Box, pictures: Pictures, labels: IntArray) -> Pictures:
        return box.painted(pictures, np.where(labels == 1, WHITE, BLACK).astype(np.uint8))

    tests = {
        "test": with_patch(patch, test, sample.test_labels),
        "moved": with_patch(other, test, sample.test_labels),
        "without": test,
    }
    return Task(with_patch(patch, train, sample.labels), sample.labels, tests, sample.test_labels, patch)


def rfm(parameters: Mapping[str, Any], seed: int, images: Images) -> dict[str, Any]:
    """Training and test accuracy after 0, 1, ... updates of M, and the patch's share of M's trace.

    ``auc``: the area under the ROC curve of the test scores, which no imbalance of the training classes shifts.
    """
    task = make_task(parameters, seed, images)
    inside = task.patch.coordinates(task.shape)
    tests = {name: rows_of(pictures) for name, pictures in task.tests.items()}
    found: dict[str, Any] = {name: [] for name in ("train", "classes", "auc", "share", *tests)}
    kept = {}
    for step in rfm_path(rows_of(task.images), task.labels, tests, int(parameters["iterations"]), 2):
        found["train"].append(accuracy(step.fitted.argmax(axis=1), task.labels))
        for name in tests:
            found[name].append(accuracy(step.predicted(name), task.test_labels))
        scores = step.scores["test"]
        found["classes"].append(class_accuracies(step.predicted("test"), task.test_labels, 2))
        found["auc"].append(float(roc_auc_score(task.test_labels, scores[:, 1] - scores[:, 0])))
        diagonal = np.ones(len(inside)) if step.metric is None else step.diagonal()
        found["share"].append(share_within(diagonal, inside))
        if step.iteration in (1, 2, int(parameters["iterations"])) and seed == 0:
            kept[str(step.iteration)] = packed_diagonal(diagonal, task.shape)
    if seed == 0:
        one_of_each = [int(np.flatnonzero(task.labels == label)[0]) for label in (0, 1)]
        found |= {"diagonals": kept, "examples": packed(task.images[one_of_each])}
    return found


def network(parameters: Mapping[str, Any], seed: int, images: Images) -> dict[str, Any]:
    """A network on the same rows by gradient descent: accuracies by epoch, and its first layer against RFM's M.

    ``outputs`` 10: eight columns of the targets are zero, as in the published script. ``diverged`` is the epoch at
    which the loss was no longer finite. The cosines are those of W' W and M after all updates, with W the first layer
    or what training has ``moved`` it; the shares are the patch's of the trace of W' W.
    """
    task = make_task(parameters, seed, images)
    X, y = rows_of(task.images), task.labels
    inside = torch.from_numpy(np.flatnonzero(task.patch.coordinates(task.shape)))
    outputs, epochs = int(parameters["outputs"]), int(parameters["epochs"])
    span = Span.of(X, "cpu")
    net = SpanNetwork.start(span, [int(parameters["width"])] * 2, outputs, seed)
    rows, test = net.seen(X, training=True), net.seen(rows_of(task.tests["test"]))
    core = _core(X, y, span, int(parameters["iterations"]))
    looks = _spaced(epochs, LOOKS)
    compared = set(_spaced(epochs, COSINES))
    found: dict[str, Any] = {name: [] for name in ("epochs", "loss", "train", "test", "classes")}
    found |= {"cosine_epochs": [], "diverged": None}
    found |= {name: {"layer": [], "moved": []} for name in ("cosines", "shares")}
    targets = one_hot(torch.from_numpy(y), outputs)
    batch = int(parameters["batch"])
    for epoch in train(
        net.network, rows.within, targets, rate=float(parameters["rate"]), epochs=epochs, batch=batch, seed=seed
    ):
        if epoch.diverged:
            found["diverged"] = epoch.number
            break
        if epoch.number in looks:
            predicted = net.predicted(test)
            found["epochs"].append(epoch.number)
            found["loss"].append(epoch.loss)
            found["train"].append(accuracy(net.predicted(rows), y))
            found["test"].append(accuracy(predicted, task.test_labels))
            found["classes"].append(class_accuracies(predicted, task.test_labels, 2))
        if epoch.number in compared:
            found["cosine_epochs"].append(epoch.number)
            for words, cosine, layer in (
                ("layer", net.metric_cosine(core), net.first_layer()),
                ("moved", net.moved_cosine(core), net.moved() @ span.basis.T),
            ):
                found["cosines"][words].append(cosine)
                found["shares"][words].append(_share(layer, inside))
    if seed == 0 and found["diverged"] is None:
        for words, layer in (("layer", net.first_layer()), ("moved", net.moved() @ span.basis.T)):
            diagonal: FloatArray = layer.square().sum(dim=0).numpy()
            found[f"diagonal of {words}"] = packed_diagonal(diagonal, task.shape)
    return found


def _core(X: FloatArray, y: IntArray, span: Span, iterations: int) -> torch.Tensor:
    """RFM's M among the coordinates of ``span``, (r, r)."""
    *_, last = rfm_path(X, y, {"none": X[:1]}, iterations, 2)
    assert last.metric is not None
    between = span.basis.T @ last.metric.basis
    core: torch.Tensor = between @ last.metric.core @ between.T
    return core


def _share(layer: torch.Tensor, inside: torch.Tensor) -> float:
    """The part that the patch has of the trace of W' W, for a ``layer`` W (units, d)."""
    squares = layer.square().sum(dim=0)
    total = float(squares.sum())
    return float(squares[inside].sum()) / total if total > 0 else 0.0


def _spaced(last: int, count: int) -> list[int]:
    """Whole numbers from 1 to ``last``, about evenly spaced in their logarithm."""
    return sorted({round(float(number)) for number in np.geomspace(1, last, count)})

"""Spurious features: a mark that goes with the class in training, and what is left once it does not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from bench.study.images.sampling import draw, rows_of
from bench.study.images.sets import Images
from bench.study.machines import (
    BoolArray,
    FloatArray,
    IntArray,
    accuracy,
    named_coordinates,
    random_mask,
    rfm_path,
    share_within,
)
from bench.study.phenomena.descent import trained
from bench.study.phenomena.marks import Box, tied
from bench.study.phenomena.stored import packed, packed_diagonal

WHITE = 255
UPDATES = (1, 3)


@dataclass(frozen=True, eq=False)
class Marked:
    """Training rows of which some have the mark, and test rows by how the mark goes with the class.

    ``tests``: the tie ``kept`` by all, ``reversed`` in all; ``clean``, without a mark, as are ``clean_rows``. An image
    is in both of the first two, so that the mean of their accuracies is that of marks at chance.
    """

    rows: FloatArray
    clean_rows: FloatArray
    labels: IntArray
    tests: Mapping[str, FloatArray]
    test_labels: IntArray
    inside: BoolArray
    shape: tuple[int, ...]
    examples: dict[str, Any]


def make_task(parameters: Mapping[str, Any], seed: int, images: Images) -> Marked:
    """``n`` training images of two ``classes``, ``test`` of each to test, and a white square near a corner.

    It is ``mark`` pixels wide, and goes with the second class in a ``share`` of the training images. Every setting is a
    draw of its own.
    """
    n, size, share = int(parameters["n"]), int(parameters["mark"]), float(parameters["share"])
    own = int(np.random.SeedSequence([seed, size, round(100 * share)]).generate_state(1)[0])
    sample = draw(images[parameters["images"]], parameters["classes"], n // 2, int(parameters["test"]), own)
    edge = int(parameters.get("edge", 1))
    mark = Box(edge, edge, size, size)
    marked = sample.images.copy()
    has = tied(sample.labels, share, own)
    marked[has] = mark.painted(sample.images[has], WHITE)
    tests = {"clean": rows_of(sample.test_images)}
    with_mark = rows_of(mark.painted(sample.test_images, WHITE))
    second = (sample.test_labels == 1)[:, None]
    tests["kept"] = np.where(second, with_mark, tests["clean"])
    tests["reversed"] = np.where(second, tests["clean"], with_mark)
    shown = [int(np.flatnonzero(has & (sample.labels == 1))[0]), int(np.flatnonzero(~has & (sample.labels == 0))[0])]
    return Marked(
        rows_of(marked),
        rows_of(sample.images),
        sample.labels,
        tests,
        sample.test_labels,
        mark.coordinates(sample.images.shape[1:]),
        sample.images.shape[1:],
        packed(marked[shown]),
    )


def kernels(parameters: Mapping[str, Any], seed: int, images: Images) -> dict[str, Any]:
    """Accuracies of the Laplace kernel and of RFM, what M names, and accuracies after that is left out.

    ``left out``: the coordinates that M names after one update; as many ``random`` ones; those of the ``mark``; and as
    a control the fit to the same images without marks, on all coordinates, tested without marks (``clean``).
    """
    task = make_task(parameters, seed, images)
    found: dict[str, Any] = {"accuracy": {}, "named": {}, "left out": {}, "clean": {}}
    named = np.zeros(len(task.inside), dtype=bool)
    for step in rfm_path(task.rows, task.labels, task.tests, max(UPDATES), 2):
        name = step.title
        if step.iteration in (0, *UPDATES):
            found["accuracy"][name] = _accuracies({key: step.predicted(key) for key in task.tests}, task)
        if step.iteration in UPDATES:
            mask = named_coordinates(step.diagonal())
            found["named"][name] = {
                "count": int(mask.sum()),
                "hits": int((mask & task.inside).sum()),
                "mark": int(task.inside.sum()),
                "share": share_within(step.diagonal(), task.inside),
            }
        if step.iteration == 1:
            named = named_coordinates(step.diagonal())
            if seed == 0:
                found |= {"diagonal": packed_diagonal(step.diagonal(), task.shape), "examples": task.examples}
    for words, mask in left_out(named, task.inside, seed).items():
        kept = {key: test[:, ~mask] for key, test in task.tests.items()}
        found["left out"][words] = {
            step.title: _accuracies({key: step.predicted(key) for key in kept}, task)
            for step in rfm_path(task.rows[:, ~mask], task.labels, kept, 1, 2)
        }
    for step in rfm_path(task.clean_rows, task.labels, {"clean": task.tests["clean"]}, 1, 2):
        name = step.title
        found["clean"][name] = accuracy(step.predicted("clean"), task.test_labels)
    return found


def left_out(named: BoolArray, inside: BoolArray, seed: int) -> dict[str, BoolArray]:
    """Coordinates (d,) to do without, by what they are: named by M, as many at random, those of the mark.

    Where M names all of them nothing is left to fit to, and what it names is not among them.
    """
    found = {"mark": inside}
    if not named.all():
        found |= {
            "named": named,
            "random": random_mask(np.random.default_rng(seed), len(named), int(named.sum())),
        }
    return found


def network(parameters: Mapping[str, Any], seed: int, images: Images) -> dict[str, Any]:
    """The same of a network; left out is what RFM's M names after one update."""
    task = make_task(parameters, seed, images)
    fit = partial(trained, parameters=parameters, outputs=2, seed=seed)
    predicted, account = fit(task.rows, task.labels, task.tests)
    found: dict[str, Any] = {"accuracy": {"network": _accuracies(predicted, task)}, "training": {"marked": account}}
    *_, step = rfm_path(task.rows, task.labels, {"clean": task.tests["clean"]}, 1, 2)
    named = named_coordinates(step.diagonal())
    if not named.all():
        kept = {key: test[:, ~named] for key, test in task.tests.items()}
        predicted, found["training"]["named"] = fit(task.rows[:, ~named], task.labels, kept)
        found["left out"] = {"named": {"network": _accuracies(predicted, task)}}
    clean = {"clean": task.tests["clean"]}
    predicted, found["training"]["clean"] = fit(task.clean_rows, task.labels, clean)
    found["clean"] = {"network": part["clean"]} if (part := _accuracies(predicted, task)) else {}
    return found


def _accuracies(predicted: Mapping[str, IntArray], task: Marked) -> dict[str, float]:
    return {name: accuracy(classes, task.test_labels) for name, classes in predicted.items()}

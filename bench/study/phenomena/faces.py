"""Faces: what M names where the class is a pair of glasses, an earring or lipstick, and what is left without it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bench.study.images.celeba import read_celeba
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
from bench.study.phenomena.marks import Box, Pictures
from bench.study.phenomena.stored import packed, packed_diagonal

UPDATES = (1, 3)
EYES = Box(10, 6, 12, 52)
"""Of the Olivetti faces (64 x 64): where eyes and the rims of glasses are in the mean of all faces."""
BOXES = {"Wearing_Lipstick": Box(63, 30, 12, 35)}
"""Of CelebA's faces (96 x 96): the box of the lips in the published script."""
BELOW = {"Wearing_Lipstick": 60}
"""Rows of CelebA's faces from which on the published script leaves nothing named: there the lips are."""
TEMPLATES = 3


def olivetti(parameters: Mapping[str, Any], seed: int, images: Images) -> dict[str, Any]:
    """With glasses or without: accuracies on balanced faces of other persons, and how much of M is at the eyes.

    ``left out``: accuracies without the coordinates that M names after one update, without as many random ones, and
    without the box of the eyes. ``mean_face``: of the training faces.
    """
    faces = images["olivetti-glasses"]
    sample = draw(faces, (0, 1), int(parameters["count"]), int(parameters["test"]), seed)
    X, Z, shape = rows_of(sample.images), rows_of(sample.test_images), sample.images.shape[1:]
    eyes = EYES.coordinates(shape)
    found: dict[str, Any] = {"accuracy": {}, "named": {}, "left out": {}, "area": float(eyes.mean())}
    named = np.zeros(len(eyes), dtype=bool)
    for step in rfm_path(X, sample.labels, {"test": Z}, max(UPDATES), 2):
        name = step.title
        if step.iteration in (0, *UPDATES):
            found["accuracy"][name] = accuracy(step.predicted("test"), sample.test_labels)
        if step.iteration in UPDATES:
            mask = named_coordinates(step.diagonal())
            found["named"][name] = {
                "count": int(mask.sum()),
                "hits": int((mask & eyes).sum()),
                "share": share_within(step.diagonal(), eyes),
            }
        if step.iteration == 1:
            named = named_coordinates(step.diagonal())
            if seed == 0:
                mean = np.rint(sample.images.mean(axis=0)).astype(np.uint8)
                found |= {"diagonal": packed_diagonal(step.diagonal(), shape), "mean_face": packed(mean)}
    for words, mask in {"named": named, "random": _as_many(named, seed), "eyes": eyes}.items():
        if not mask.all():
            found["left out"][words] = _without(mask, X, sample.labels, Z, sample.test_labels)
    return found


def celeba(parameters: Mapping[str, Any], seed: int, images: Images) -> dict[str, Any]:
    """One attribute of CelebA: accuracies, what M names after one update, and with templates pasted over it.

    ``pasted``: mean accuracies after what stands at a mask in one test face without the attribute has been pasted into
    all test faces, over :data:`TEMPLATES` such faces: at the pixels that M names (less than the largest of all, as in
    the published scripts, and for lipstick none of the lips), at as many random ones, and at the published box of the
    feature itself. The published scripts take their one template from a man.
    """
    attribute, size = str(parameters["attribute"]), int(parameters["size"])
    place = images.place("celeba")
    faces = read_celeba(place, attribute, int(parameters["count"]), int(parameters["test"]), size=size, seed=seed)
    X, Z = rows_of(faces.images), rows_of(faces.test_images)
    *_, step = rfm_path(X, faces.labels, {"test": Z}, 1, 2)
    diagonal, shape = step.diagonal(), faces.images.shape[1:]
    masks = {"named": named_pixels(diagonal, shape, BELOW.get(attribute, 96) * size // 96)}
    masks["random"] = _as_many(masks["named"].ravel(), seed).reshape(shape[:2])
    if attribute in BOXES and size == 96:
        masks["feature"] = BOXES[attribute].coordinates((size, size, 1)).reshape(shape[:2])
    tests = {
        f"{name} {number}": rows_of(pasted(faces.test_images, template, mask))
        for name, mask in masks.items()
        for number, template in enumerate(_templates(faces.test_images, faces.test_labels))
    }
    found: dict[str, Any] = {"accuracy": {}, "pasted": {}, "named": int(masks["named"].sum()), "pixels": size * size}
    for step in rfm_path(X, faces.labels, {"test": Z, **tests}, 1, 2):
        name = step.title
        found["accuracy"][name] = accuracy(step.predicted("test"), faces.test_labels)
        found["pasted"][name] = {
            words: float(
                np.mean([accuracy(step.predicted(key), faces.test_labels) for key in tests if key.startswith(words)])
            )
            for words in masks
        }
    if seed == 0:
        found["diagonal"] = packed_diagonal(diagonal, shape)
        found["mask"] = packed(masks["named"].astype(np.uint8))
    return found


def named_pixels(diagonal: FloatArray, shape: tuple[int, ...], below: int) -> BoolArray:
    """Pixels (h, w) of which M names a channel other than the largest entry of all, in rows above ``below``."""
    named = named_coordinates(diagonal) & (diagonal < diagonal.max())
    pixels: BoolArray = named.reshape(shape).any(axis=2)
    pixels[below:] = False
    return pixels


def pasted(images: Pictures, template: Pictures, mask: BoolArray) -> Pictures:
    """The images (n, h, w, c) with ``template`` (h, w, c) in place of their pixels in ``mask`` (h, w)."""
    found: Pictures = np.where(mask[None, :, :, None], template[None], images)
    return found


def _templates(images: Pictures, labels: IntArray) -> Pictures:
    return images[np.flatnonzero(labels == 0)[:TEMPLATES]]


def _without(mask: BoolArray, X: FloatArray, y: IntArray, Z: FloatArray, test_labels: IntArray) -> dict[str, float]:
    return {
        step.title: accuracy(step.predicted("test"), test_labels)
        for step in rfm_path(X[:, ~mask], y, {"test": Z[:, ~mask]}, 1, 2)
    }


def _as_many(mask: BoolArray, seed: int) -> BoolArray:
    """As many of the coordinates, at random."""
    return random_mask(np.random.default_rng(seed), len(mask), int(mask.sum()))

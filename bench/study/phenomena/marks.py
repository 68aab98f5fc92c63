"""What is put into pictures: patches and marks, digits in a corner, two pictures side by side."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

Pictures = NDArray[np.uint8]
"""(n, h, w, channels)."""


@dataclass(frozen=True)
class Box:
    """``height`` x ``width`` pixels from row ``top`` and column ``left`` on."""

    top: int
    left: int
    height: int
    width: int

    def painted(self, images: Pictures, values: NDArray[np.uint8] | int) -> Pictures:
        """Copies with the box filled: one value for all, one of each image (n,), or a picture (n, height, width, c)."""
        found = images.copy()
        filling = np.asarray(values, dtype=np.uint8)
        if filling.ndim == 1:
            filling = filling[:, None, None, None]
        found[:, self.top : self.top + self.height, self.left : self.left + self.width] = filling
        return found

    def coordinates(self, shape: tuple[int, ...]) -> NDArray[np.bool_]:
        """Which of the numbers (h * w * channels,) of a picture of ``shape`` (h, w, channels) lie in the box."""
        inside = np.zeros(shape, dtype=bool)
        inside[self.top : self.top + self.height, self.left : self.left + self.width] = True
        return inside.ravel()


def tied(labels: NDArray[np.int64], share: float, seed: int) -> NDArray[np.bool_]:
    """Which images (n,) carry a mark: of class 1 the ``share``, of class 0 as large a share of none, drawn at random.

    The counts are exact, to rounding: a mark says the class of ``share`` of the images of both classes.
    """
    rng = np.random.default_rng(seed)
    marked = np.zeros(len(labels), dtype=bool)
    for label, part in ((0, 1.0 - share), (1, share)):
        rows = rng.permutation(np.flatnonzero(labels == label))
        marked[rows[: round(part * len(rows))]] = True
    return marked


def resized(images: Pictures, height: int, width: int) -> Pictures:
    """The images in another size: pixels repeated where that fits, averaged where it shrinks, else bilinear."""
    h, w = images.shape[1:3]
    if height % h == 0 and width % w == 0:
        return images.repeat(height // h, axis=1).repeat(width // w, axis=2)
    channels_first = torch.from_numpy(images).permute(0, 3, 1, 2).float()
    how = {"mode": "area"} if height <= h and width <= w else {"mode": "bilinear", "align_corners": False}
    scaled = torch.nn.functional.interpolate(channels_first, size=(height, width), **how)
    found: Pictures = scaled.permute(0, 2, 3, 1).round().clamp(0, 255).byte().numpy()
    return found


def in_colour(images: Pictures, channels: int) -> Pictures:
    """Grey images with as many equal ``channels``; others as they are."""
    return images if images.shape[3] == channels else images.repeat(channels, axis=3)


def alike(images: Pictures, others: Pictures) -> Pictures:
    """The images in the size and channels of the ``others``."""
    h, w, channels = others.shape[1:]
    return in_colour(resized(images, h, w), channels)


def of_another_class(labels: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """For each image (n,) the number of one of another class; every image once where no class is more than half.

    In the order of their classes, images are paired with those that stand the largest class's size further on.
    """
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]
    largest = int(np.bincount(labels).max())
    if 2 * largest > len(labels):
        raise ValueError(f"{largest} of {len(labels)} images are of one class: others cannot be had for all of them")
    partners = np.empty(len(labels), dtype=np.int64)
    partners[order] = np.roll(order, -largest)
    return partners

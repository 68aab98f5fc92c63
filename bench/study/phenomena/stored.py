"""Small pictures as text, for a study's stored results: a page is built from these alone, without the images."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def packed(pixels: NDArray[np.uint8]) -> dict[str, Any]:
    """``shape``, and the bytes compressed and written in base 64."""
    return {
        "shape": list(pixels.shape),
        "bytes": base64.b64encode(zlib.compress(np.ascontiguousarray(pixels).tobytes(), 9)).decode("ascii"),
    }


def unpacked(stored: dict[str, Any]) -> NDArray[np.uint8]:
    """What :func:`packed` was given."""
    data = zlib.decompress(base64.b64decode(stored["bytes"]))
    return np.frombuffer(data, dtype=np.uint8).reshape(stored["shape"])


def packed_diagonal(diagonal: NDArray[np.float64], shape: Sequence[int]) -> dict[str, Any]:
    """The diagonal of a matrix among the pixels of images of ``shape`` (h, w, channels), as a picture (h, w).

    Of each pixel's channels the largest entry, in 255ths of the largest of all.
    """
    picture = diagonal.reshape(tuple(shape)).max(axis=2)
    largest = float(picture.max())
    return packed(np.rint(255 * (picture / largest if largest > 0 else picture)).astype(np.uint8))

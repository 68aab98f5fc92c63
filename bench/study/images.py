"""Images for the studies: where they are found, and how they are read.

Nothing here is downloaded: most image sets may not be passed on, and all are large. They are looked for in a folder
that the user names, in installed packages and in OpenML's cache; what is not found is left out, and the report says how
to get it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.errors import JobSkipped

FOLDER_VARIABLE = "BENCH_IMAGES"
"""The environment variable that names the folder where ``--images`` does not."""


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
    """Where an image set is: a ``path``, what reads it, and the ``sha256`` of all that is read."""

    name: str
    path: Path
    reader: str
    sha256: str


@dataclass(frozen=True)
class Images:
    """The image sets that were found, by name, read when first asked for."""

    located: Mapping[str, Located] = field(default_factory=dict)

    def __getitem__(self, name: str) -> ImageSet:
        """The image set ``name``. Raises :class:`JobSkipped`, with how to get it, if it was not found."""
        if name not in self.located:
            raise JobSkipped(how_to_get(name))
        return read_images(self.located[name])


def find_images(folder: Path | None) -> Images:
    """All image sets within reach: in ``folder``, in installed packages, in OpenML's cache, in this order."""
    raise NotImplementedError


def read_images(located: Located) -> ImageSet:
    """The images at a place that :func:`find_images` found."""
    raise NotImplementedError


def how_to_get(name: str) -> str:
    """One line for a user who lacks the image set ``name``."""
    raise NotImplementedError

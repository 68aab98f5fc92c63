"""Where image sets are looked for, in order: the user's folder, installed packages, OpenML's cache."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from bench.errors import UsageError
from bench.study.images.sets import NAMES, Images, Located

FOLDER_VARIABLE = "BENCH_IMAGES"
"""The environment variable that names the folder where ``--images`` does not."""


def images_folder(given: str | Path | None) -> Path | None:
    """The folder ``given``, else the one that :data:`FOLDER_VARIABLE` names; None if there is neither.

    Raises :class:`UsageError` for one that does not exist.
    """
    flag, named = ("--images", given) if given is not None else (FOLDER_VARIABLE, os.environ.get(FOLDER_VARIABLE))
    if not named:
        return None
    folder = Path(named).expanduser().absolute()  # jobs may run elsewhere
    if not folder.is_dir():
        says = "is a file, expected a folder" if folder.exists() else "no such folder"
        raise UsageError(f"{flag} {named}: {says}; name one with image sets in it, or leave it out")
    return folder


def find_images(folder: Path | None, names: Iterable[str] = NAMES) -> Images:
    """Those of ``names`` within reach: in ``folder``, in installed packages, in OpenML's cache, in this order.

    Raises :class:`UsageError` if there is no such folder, :class:`DataUnavailable` for a set of which only some files
    are there, and :class:`DataInvalid` for files that can be seen to be something else without reading them whole.
    """
    if folder is not None:
        folder = images_folder(folder)
    names = tuple(names)
    found = {name: place for name in names for place in islice(_places(folder, name), 1)}
    return Images(found, dict(_unreadable(folder, set(names) - set(found))))


def _places(folder: Path | None, name: str) -> Iterator[Located]:
    # Here, so that a cell's process, which looks for nothing, loads the one reader that it needs.
    from bench.study.images import binary, celeba, idx, npz, openml_tables, packages

    if folder is not None:
        for reader in (npz, idx, binary, celeba):
            yield from reader.find(folder, name)
    yield from packages.find(name)
    yield from openml_tables.find(name)


def _unreadable(folder: Path | None, names: Iterable[str]) -> Iterator[tuple[str, str]]:
    from bench.study.images.binary import pickled

    for name in names:
        if folder is not None and (reason := pickled(folder, name)):
            yield name, reason

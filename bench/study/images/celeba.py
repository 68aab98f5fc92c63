"""CelebA from a folder as its owners ship it: faces with 40 attributes, of which only as many are read as asked for."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.errors import DataInvalid, DataUnavailable, one_line, plural, unknown_name
from bench.study.images.files import below, sha256_of
from bench.study.images.sets import ImageSet, Located, checked

NAME = "celeba"
FOLDERS = ("celeba", "CelebA", "celebA")
PICTURES = ("img_align_celeba", "Img/img_align_celeba", "img_align_celeba/img_align_celeba")
ATTRIBUTES, PARTITION = "list_attr_celeba.txt", "list_eval_partition.txt"
TRAINING, TESTING = 0, 2
"""Parts of the owners' division; 1 is for validation."""


def find(folder: Path, name: str) -> Iterator[Located]:
    """CelebA in ``folder``. Raises :class:`DataUnavailable` where pictures or one of the two lists are missing.

    The hash is of the lists and of the pictures' names, not of 200,000 pictures.
    """
    for place in below(folder, *FOLDERS) if name == NAME else ():
        parts = {
            "img_align_celeba/": _pictures(place),
            **{list: _list(place, list) for list in (ATTRIBUTES, PARTITION)},
        }
        missing = [part for part, path in parts.items() if path is None]
        if len(missing) == len(parts):
            continue
        if missing:
            raise DataUnavailable(
                f"{place}: CelebA is {', '.join(parts)}, and {' and '.join(missing)} "
                f"{'is' if len(missing) == 1 else 'are'} missing; add what is missing, or take the rest out of it"
            )
        pictures, *lists = (path for path in parts.values() if path is not None)
        with os.scandir(pictures) as entries:
            names = sorted(entry.name for entry in entries)
        digest = hashlib.sha256("\n".join([sha256_of(lists), *names]).encode()).hexdigest()
        yield Located(name, place, f"{__name__}:read", digest, "CelebA, aligned and cropped")
        return


def read(located: Located) -> ImageSet:
    """Refused: 200,000 pictures are too many to read at once."""
    raise TypeError("CelebA is read attribute by attribute: read_celeba(images.place('celeba'), attribute, ...)")


def read_celeba(
    located: Located, attribute: str, count: int, test_count: int, *, size: int = 96, seed: int = 0
) -> ImageSet:
    """Faces without ``attribute`` (label 0) and with it (label 1), ``count`` of each for training, drawn by ``seed``.

    Training and test faces are drawn from the owners' parts of these names, so no person is in both. A larger count
    adds faces to those of a smaller one. Pictures are scaled, not cropped, to ``size`` x ``size``.
    """
    pictures = _pictures(located.path)
    if pictures is None:
        raise DataInvalid(f"{located.path}: the pictures were there, and are gone")
    names, has = _attribute(_there(located.path, ATTRIBUTES), attribute)
    parts = _partition(_there(located.path, PARTITION), names)
    read = []
    for part, wanted, title in ((TRAINING, count, "training"), (TESTING, test_count, "test")):
        rows = []
        for label in (False, True):
            there = np.flatnonzero((parts == part) & (has == label))
            if wanted > len(there):
                raise DataInvalid(
                    f"{located.path}: {plural(len(there), f'{title} picture')} with{'' if label else 'out'} "
                    f"{attribute}, {wanted:,} asked for"
                )
            rows.append(np.random.RandomState([seed, part, label]).permutation(there)[:wanted])
        order = np.random.RandomState([seed, part]).permutation(2 * wanted)
        chosen = np.concatenate(rows)[order]
        images = np.stack([_picture(pictures / names[row], size) for row in chosen])
        read.append((images, has[chosen].astype(np.int64)))
    word = attribute.replace("_", " ").lower()
    return checked(located, read[0], read[1], (f"without: {word}", f"with: {word}"), (size, size, 3))


def _picture(path: Path, size: int) -> NDArray[np.uint8]:
    from PIL import Image

    try:
        with Image.open(path, formats=("JPEG", "PNG")) as image:
            return np.asarray(image.convert("RGB").resize((size, size), Image.Resampling.BILINEAR))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataInvalid(f"{path}: not a readable picture: {one_line(error)}; get it anew") from error


def _attribute(path: Path, attribute: str) -> tuple[list[str], NDArray[np.bool_]]:
    """The pictures' names, and which of them have ``attribute``.

    The list has the number of pictures, the names of the attributes, and a line a picture: its name, then 1 or -1.
    """
    count, known, *rows = _lines(path)
    attributes = known.split()
    if attribute not in attributes:
        raise unknown_name("attribute of CelebA", attribute, attributes)
    column = 1 + attributes.index(attribute)
    if not count.isdigit() or int(count) != len(rows):
        raise DataInvalid(f"{path}: {plural(len(rows), 'picture')}, expected {one_line(count, 40)}; get it anew")
    names, values = [], []
    for number, row in enumerate(rows, start=3):
        words = row.split()
        if len(words) != 1 + len(attributes) or words[column] not in ("1", "-1"):
            raise DataInvalid(
                f"{path}: line {number}: {one_line(row, 60)!r}, expected a picture's name and {len(attributes)} times "
                "1 or -1; get it anew"
            )
        names.append(Path(words[0]).name)
        values.append(words[column] == "1")
    return names, np.array(values)


def _partition(path: Path, names: list[str]) -> NDArray[np.int64]:
    parts = {}
    for number, row in enumerate(_lines(path), start=1):
        name, _, part = row.strip().partition(" ")
        if part.strip() not in ("0", "1", "2"):
            raise DataInvalid(f"{path}: line {number}: {one_line(row, 60)!r}, expected a picture's name and 0, 1 or 2")
        parts[name] = int(part)
    if missing := [name for name in names if name not in parts]:
        raise DataInvalid(f"{path}: no line for {missing[0]} ({len(missing)} such); get it anew")
    return np.array([parts[name] for name in names])


def _lines(path: Path) -> list[str]:
    try:
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise DataInvalid(f"{path}: cannot be read: {one_line(error)}") from error
    if len(lines) < 3:
        raise DataInvalid(f"{path}: {plural(len(lines), 'line')}, expected one a picture; get it anew")
    return lines


def _pictures(folder: Path) -> Path | None:
    return next((path for name in PICTURES[::-1] if _has_pictures(path := folder / name)), None)


def _has_pictures(folder: Path) -> bool:
    return folder.is_dir() and next(folder.glob("*.[jp][pn]g"), None) is not None


def _list(folder: Path, name: str) -> Path | None:
    places = (folder, folder / "Anno", folder / "Eval")
    return next((place / name for place in places if (place / name).is_file()), None)


def _there(folder: Path, name: str) -> Path:
    path = _list(folder, name)
    if path is None:
        raise DataInvalid(f"{folder}: {name} was there, and is gone")
    return path

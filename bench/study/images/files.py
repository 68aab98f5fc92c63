"""Files of image sets: which of them are there, their hash, and their bytes, packed or not."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from bench.errors import DataInvalid, DataUnavailable, one_line, plural

_CHUNK = 1 << 20


def sha256_of(paths: Iterable[Path]) -> str:
    """SHA-256 of the files' contents in this order, each with its length before it; nothing is held in memory."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.stat().st_size.to_bytes(8, "little"))
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    return digest.hexdigest()


def complete(
    folders: Iterable[Path], names: Sequence[Sequence[str]], what: str, packed: Sequence[str] = ("",)
) -> Iterator[list[Path]]:
    """The files, from each of ``folders`` that has them, one for each of ``names``, which lists other spellings too.

    ``packed`` are endings that may follow. Raises :class:`DataUnavailable`, naming the first that is missing, for a
    folder with some of the files.
    """
    for folder in folders:
        found = [next(_existing(folder, spellings, packed), None) for spellings in names]
        paths = [path for path in found if path is not None]
        if len(paths) == len(names):
            yield paths
        elif paths:
            missing = [spellings[0] for spellings, path in zip(names, found, strict=True) if path is None]
            raise DataUnavailable(
                f"{folder}: {what} has {plural(len(names), 'file')}, and {', '.join(missing)} "
                f"{'is' if len(missing) == 1 else 'are'} missing beside {paths[0].name}; add what is missing, or take "
                "the others out of the folder"
            )


def _existing(folder: Path, spellings: Sequence[str], packed: Sequence[str]) -> Iterator[Path]:
    for spelling in spellings:
        for ending in packed:
            if (path := folder / f"{spelling}{ending}").is_file():
                yield path


def below(folder: Path, *names: str) -> list[Path]:
    """``folder`` itself and those of its subfolders ``names`` that are there."""
    return [folder, *(folder / name for name in names if (folder / name).is_dir())]


def content(path: Path, most: int = -1) -> bytes:
    """The bytes of a file, unpacked if its name ends in ``.gz``; no more than ``most`` of them.

    Raises :class:`DataInvalid` for a damaged file, and one that is gone.
    """
    try:
        if path.suffix == ".gz":
            with gzip.open(path) as file:
                return file.read(most)
        with path.open("rb") as file:
            return file.read(most)
    except (OSError, EOFError, zlib.error) as error:
        raise DataInvalid(f"{path}: cannot be read: {one_line(error)}; get it anew") from error

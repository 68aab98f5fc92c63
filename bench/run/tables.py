"""A table and its splits as one block of bytes in shared memory, so that its data travels to a worker once.

The parent writes each table into an anonymous file (``memfd``); workers receive the file descriptor and map it. The
mapping is private: a method that scribbles on its ``X`` changes its own copy of the page, never the next job's.
"""

from __future__ import annotations

import json
import mmap
import os
import tempfile
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.records.dataset import Dataset, Holdout, IntArray, Splits

_ALIGNMENT = 64
"""Bytes; arrays start on cache lines, whatever came before them."""


def pack(dataset: Dataset, splits: Splits) -> bytes:
    """One self-describing block: header length, JSON header, aligned arrays."""
    divisions = [splits.tuning, *splits.holdouts]
    arrays: list[NDArray[Any]] = [dataset.X, dataset.y]
    for division in divisions:
        arrays += [division.train, division.test]
    arrays = [np.ascontiguousarray(a) for a in arrays]
    header = {
        "name": dataset.name,
        "n_classes": dataset.n_classes,
        "source": dataset.source,
        "standardised": dataset.standardised,
        "splits": splits.name,
        "tuning_rows": splits.tuning_rows,
        "published": dataset.published is not None,
        "arrays": [{"dtype": a.dtype.str, "shape": a.shape} for a in arrays],
    }
    text = json.dumps(header).encode()
    parts = [len(text).to_bytes(8, "little"), text]
    position = 8 + len(text)
    for array in arrays:
        gap = -position % _ALIGNMENT
        parts += [bytes(gap), array.tobytes()]
        position += gap + array.nbytes
    return b"".join(parts)


def unpack(block: bytes | mmap.mmap) -> tuple[Dataset, Splits]:
    """The table and splits in ``block``; the arrays are views of it."""
    size = int.from_bytes(block[:8], "little")
    header = json.loads(block[8 : 8 + size])
    arrays = list(_arrays(block, 8 + size, header["arrays"]))
    rows: list[IntArray] = arrays[2:]
    divisions = [Holdout(train, test) for train, test in zip(rows[::2], rows[1::2], strict=True)]
    splits = Splits(
        name=header["splits"],
        tuning=divisions[0],
        holdouts=tuple(divisions[1:]),
        tuning_rows=header["tuning_rows"],
    )
    dataset = Dataset(
        name=header["name"],
        X=arrays[0],
        y=arrays[1],
        n_classes=header["n_classes"],
        source=header["source"],
        standardised=header["standardised"],
        published=splits if header["published"] else None,
    )
    return dataset, splits


def share(block: bytes) -> int:
    """File descriptor of an anonymous file that holds ``block``; the caller closes it."""
    descriptor = anonymous_file("bench-table")
    view = memoryview(block)
    while view:
        view = view[os.write(descriptor, view) :]
    return descriptor


def attach(descriptor: int) -> tuple[Dataset, Splits]:
    """The table behind a descriptor made by :func:`share`, in a private mapping of its own."""
    return unpack(mmap.mmap(descriptor, 0, access=mmap.ACCESS_COPY))


def anonymous_file(name: str) -> int:
    """A read-write descriptor of a file without a name: in memory where the system can, else an unlinked temporary."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create(name, os.MFD_CLOEXEC)
    with tempfile.TemporaryFile(prefix=name) as file:
        return os.dup(file.fileno())


def _arrays(block: bytes | mmap.mmap, position: int, described: list[dict[str, Any]]) -> Iterator[NDArray[Any]]:
    for item in described:
        position += -position % _ALIGNMENT
        dtype, shape = np.dtype(item["dtype"]), tuple(item["shape"])
        count = int(np.prod(shape))
        yield np.frombuffer(block, dtype=dtype, count=count, offset=position).reshape(shape)
        position += count * dtype.itemsize

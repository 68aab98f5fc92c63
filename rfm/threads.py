"""How many threads the estimators' linear algebra has on the CPU.

A block of a kernel goes through three libraries in turn: NumPy's BLAS, SciPy's BLAS, PyTorch for what is element by
element. Each has threads of its own, which wait for their next call by spinning, and so hold the cores that the other
two need. On two cores all of them together fitted 14,000 rows four times as slowly as one thread
(``benchmarks/threads.md``).
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import torch
from threadpoolctl import ThreadpoolController

from rfm.solvers.choice import DIRECT_ROWS

SMALL = 1000
"""Up to so many rows one thread is as fast as several, or faster."""


@contextmanager
def few_threads(rows: int, device: str) -> Iterator[None]:
    """On the CPU PyTorch has one thread in the block, and so has the BLAS unless there is a large matrix to factorise.

    That is: from 1,000 ``rows`` of the training data up to those that are solved without a factorisation. Afterwards
    both have what they had before.
    """
    if device != "cpu":
        yield
        return
    factorises = SMALL < rows <= DIRECT_ROWS
    with _one_of_torch(), nullcontext() if factorises else _pools().limit(limits=1, user_api="blas"):
        yield


@contextmanager
def _one_of_torch() -> Iterator[None]:
    """Of the thread that comes here; others have numbers of their own."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@functools.cache
def _pools() -> ThreadpoolController:
    """Looking for them takes a few milliseconds; whatever this package computes with has been loaded by then."""
    return ThreadpoolController()

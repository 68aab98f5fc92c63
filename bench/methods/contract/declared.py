"""Clauses on what a method says of itself: its grid, its estimates, its limits."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator

from bench.methods.contract.exercise import Exercise


def grid(exercise: Exercise) -> Iterator[str]:
    """The grid is there, can be stored, and is always the same."""
    configs = exercise.method.configurations()
    if not configs:
        yield "the grid is empty"
    written = [json.dumps(config, allow_nan=False) for config in configs]
    if [json.loads(text) for text in written] != configs:
        yield "a configuration changes when written as JSON and read back"
    if len(set(written)) < len(written):
        yield "two configurations are the same"
    if exercise.method.configurations() != configs:
        yield "a second call gives another grid or order"


def pickles(exercise: Exercise) -> Iterator[str]:
    """The method survives the way to another process."""
    copy = pickle.loads(pickle.dumps(exercise.method))
    if copy.configurations() != exercise.method.configurations():
        yield "the grid of the unpickled method differs"


def estimates(exercise: Exercise) -> Iterator[str]:
    """Memory and time are positive and grow with the table; a limitation is a sentence or None."""
    for name, estimate in (("peak_bytes", exercise.method.peak_bytes), ("work", exercise.method.work)):
        base = estimate(500, 10, 3)
        if not 0 < base < float("inf"):
            yield f"{name}(500, 10, 3) is {base}, expected a positive number"
        for shape in ((5000, 10, 3), (500, 100, 3), (500, 10, 30)):
            if estimate(*shape) < base:
                yield f"{name}{shape} is below {name}(500, 10, 3)"
    for shape in ((500, 10, 3), (10**6, 10, 3)):
        reason = exercise.method.limitation(*shape)
        if reason is not None and not (isinstance(reason, str) and reason.strip()):
            yield f"limitation{shape} is {reason!r}, expected None or a sentence that says why"

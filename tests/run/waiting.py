"""Waiting for what other processes do, and what is left of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from bench.run.forkserver import MARK
from bench.run.processes import marked

T = TypeVar("T")


def wait_until(holds: Callable[[], T], seconds: float = 120.0) -> T:
    """What ``holds`` returns once it is true; a failure if it is not within ``seconds``."""
    deadline = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
    return found


def bearing_mark(harness: int) -> set[int]:
    """What came from the fork servers of a process and still lives."""
    return {pid for pid, mark in marked(MARK, "").items() if mark.split(":")[1] == str(harness)}


def left_of(find: Callable[[], set[int]]) -> set[int]:
    """What ``find`` still finds after five seconds: one that was killed a moment ago is given as long."""
    deadline = time.monotonic() + 5.0
    while (left := find()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return left

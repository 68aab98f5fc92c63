"""What is said of what cannot be; importable by name everywhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bench.errors import BenchError


def refused(error: type[BenchError], says: str, call: Callable[..., object], *args: Any, **named: Any) -> str:
    """The one line in which ``call`` refuses its arguments; ``says`` is a regular expression that is found in it."""
    with pytest.raises(error, match=says) as raised:
        call(*args, **named)
    line = str(raised.value)
    assert "\n" not in line
    return line

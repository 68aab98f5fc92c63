"""Ctrl-C: once to start nothing more, twice to stop now."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType


class Interrupt:
    """While active, turns SIGINT and SIGTERM into two flags that the engine looks at."""

    def __init__(self) -> None:
        self.draining = False
        self.now = False
        self._previous: dict[int, object] = {}

    def __enter__(self) -> Interrupt:
        if threading.current_thread() is threading.main_thread():  # elsewhere Python allows no handlers
            for number in (signal.SIGINT, signal.SIGTERM):
                self._previous[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _handle(self, number: int, frame: FrameType | None) -> None:
        # A scheduler that sends SIGTERM follows it with SIGKILL soon: no time to let jobs finish.
        self.now = self.now or self.draining or number == signal.SIGTERM
        self.draining = True

"""Standard output whose reader may leave before the command is done: ``| head``, a terminal that is closed."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO, cast

_READER_GONE = (errno.EPIPE, errno.ESHUTDOWN, errno.EIO, errno.ENXIO, errno.ECONNRESET)
"""What writing gives when nobody will ever read it: a closed pipe or socket, a terminal that was hung up. A full disk
is not among them: somebody wanted that output."""


class TolerantStream:
    """A text stream that goes on into the null device once its reader is gone, so that the command ends its work."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """As the stream's own, but for a reader that is gone."""
        with self._reader_may_be_gone():
            return self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """As the stream's own, but for a reader that is gone."""
        with self._reader_may_be_gone():
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    @contextlib.contextmanager
    def _reader_may_be_gone(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno not in _READER_GONE:
                raise
            self._discard_the_rest()

    def _discard_the_rest(self) -> None:
        # The descriptor itself, not only this object: what is still buffered is flushed into it as Python ends.
        null = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(null, self._stream.fileno())
        finally:
            os.close(null)


@contextlib.contextmanager
def tolerant_output() -> Iterator[None]:
    """While active, neither a closed pipe nor nothing behind standard output or standard error stops anything."""
    with contextlib.ExitStack() as stack:
        streams = []
        for stream in (sys.stdout, sys.stderr):
            if stream is None:  # closed by the shell (`>&-`)
                stream = stack.enter_context(Path(os.devnull).open("w", encoding="utf-8"))
            streams.append(TolerantStream(stream))
        out, err = (cast(TextIO, stream) for stream in streams)
        stack.enter_context(contextlib.redirect_stdout(out))
        stack.enter_context(contextlib.redirect_stderr(err))
        try:
            yield
        finally:
            for tolerant in streams:
                tolerant.flush()

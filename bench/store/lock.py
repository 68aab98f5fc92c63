"""One process at a time may write to a run folder. The lock is the kernel's: it goes when its process goes."""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import json
import os
import socket
import time
from pathlib import Path
from typing import Any

from bench.errors import StoreError

LOCK_NAME = "lock"

_ATTEMPTS = 5
_PAUSE_SECONDS = 0.05


class FolderLock:
    """Holds ``folder`` for this process until :meth:`release`."""

    def __init__(self, folder: Path) -> None:
        """Take the lock. Raises :class:`StoreError` if another process has it or the folder is not writable."""
        path = folder / LOCK_NAME
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise StoreError(f"run folder {folder} cannot be written to: {error.strerror}") from error
        try:
            self._take()
        except OSError as error:
            os.close(self._descriptor)
            if not isinstance(error, BlockingIOError):
                raise StoreError(f"run folder {folder} cannot be locked: {error.strerror}") from error
            raise StoreError(
                f"run folder {folder} is in use by {_describe(_read(path))}; wait for it, watch it with "
                f"`bench status {folder}`, or choose another folder with --run"
            ) from None
        about = {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "since": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        }
        with contextlib.suppress(OSError):  # a full disk: the lock holds all the same
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, json.dumps(about).encode(), 0)

    def _take(self) -> None:
        for _ in range(_ATTEMPTS - 1):  # `bench status` may be looking just now
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                time.sleep(_PAUSE_SECONDS)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def release(self) -> None:
        """Give the folder back; who had it is nobody's business any more."""
        with contextlib.suppress(OSError):
            os.ftruncate(self._descriptor, 0)
        os.close(self._descriptor)


def holder(folder: Path) -> str | None:
    """Who is running in ``folder`` right now, in words; ``None`` if nobody is."""
    path = folder / LOCK_NAME
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _describe(_read(path))
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return None


def _read(path: Path) -> dict[str, Any]:
    try:
        about = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return about if isinstance(about, dict) else {}


def _describe(about: dict[str, Any]) -> str:
    if not about:
        return "another process"
    return f"process {about.get('pid')} on {about.get('host')} (since {about.get('since')})"

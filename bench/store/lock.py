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

from bench.errors import StoreError, one_line
from bench.files import open_unlinked

LOCK_NAME = "lock"

_ATTEMPTS = 5
_PAUSE_SECONDS = 0.05


class FolderLock:
    """Holds ``folder`` for this process until :meth:`release`."""

    def __init__(self, folder: Path) -> None:
        """Take the lock. Raises :class:`StoreError` if another process has it or the folder is not writable."""
        try:
            self._descriptor = open_unlinked(folder / LOCK_NAME, os.O_RDWR)
        except OSError as error:
            raise StoreError(f"run folder {folder} cannot be written to: {error.strerror}") from error
        for attempt in range(_ATTEMPTS):
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if attempt < _ATTEMPTS - 1:  # `bench status` may be looking just now
                    time.sleep(_PAUSE_SECONDS)
                    continue
                reason = (
                    f"is in use by {_owner(self._descriptor)}; wait for it, watch it with `bench status {folder}`, or "
                    "choose another folder with --run"
                )
            except OSError as error:
                reason = f"cannot be locked: {error.strerror}"
            os.close(self._descriptor)
            raise StoreError(f"run folder {folder} {reason}")
        about = {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "since": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        }
        with contextlib.suppress(OSError):  # a full disk: the lock holds all the same
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, json.dumps(about).encode(), 0)

    def release(self) -> None:
        """Give the folder back; who had it is nobody's business any more."""
        with contextlib.suppress(OSError):
            os.ftruncate(self._descriptor, 0)
        os.close(self._descriptor)


def holder(folder: Path) -> str | None:
    """Who is running in ``folder`` right now, in words; ``None`` if nobody is."""
    try:
        descriptor = os.open(folder / LOCK_NAME, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _owner(descriptor)
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return None


def _owner(descriptor: int) -> str:
    try:
        about = json.loads(os.pread(descriptor, 4096, 0))
        return one_line(f"process {about['pid']} on {about['host']} (since {about['since']})")
    except (OSError, ValueError, LookupError, TypeError):
        return "another process"

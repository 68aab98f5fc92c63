"""What processes hold and whom they forked, read off Linux's ``/proc``. A process that is gone holds nothing.

Without ``/proc`` the readings are 0 or empty: jobs are then bounded by their time limit alone. (psutil offers the same,
at the price of a look at every process of the machine for each one's children, ten times a second and job.)
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterable
from pathlib import Path

_PAGE = os.sysconf("SC_PAGE_SIZE")
_PROC = Path("/proc")
_SHM = Path("/dev/shm")


def anonymous_bytes(pid: int) -> int:
    """Resident memory that is the process's own: not files, not shared memory."""
    try:
        fields = (_PROC / str(pid) / "statm").read_bytes().split()
        return (int(fields[1]) - int(fields[2])) * _PAGE
    except (OSError, IndexError, ValueError):
        return 0


def children(pid: int) -> list[int]:
    """Process ids of the living (and not yet reaped) children of all threads of ``pid``."""
    found: list[int] = []
    for thread in threads(pid):
        try:
            found += [int(word) for word in (thread / "children").read_bytes().split()]
        except OSError:
            continue
    return found


def descendants(pid: int) -> list[int]:
    """The children of ``pid``, theirs, and so on."""
    found = children(pid)
    for child in found:  # grows as it is walked
        found += children(child)
    return found


def shared_bytes(pid: int) -> int:
    """Resident memory that is shared with other processes without a file: anonymous, System V's, ``/dev/shm``."""
    return _kilobytes(_PROC / str(pid) / "status", "RssShmem:")


def proportional_bytes(pid: int) -> tuple[int, int]:
    """(anonymous, shared without a file): resident memory with pages that k processes have counted as 1/k in each."""
    rollup = _PROC / str(pid) / "smaps_rollup"
    return _kilobytes(rollup, "Pss_Anon:"), _kilobytes(rollup, "Pss_Shmem:")


def marked(variable: str, beginning: str) -> dict[int, str]:
    """Processes started with ``variable`` in their environment, and what was forked from them: its value by process id.

    Those whose value begins with ``beginning``; zombies are left out.
    """
    sign = f"{variable}=".encode()
    found = {}
    for folder in _PROC.glob("[0-9]*"):
        try:
            words = (folder / "environ").read_bytes().split(b"\0")
        except OSError:  # it is gone, or somebody else's
            continue
        for word in words:
            if word.startswith(sign + beginning.encode()):
                found[int(folder.name)] = word.removeprefix(sign).decode(errors="replace")
    return found


class SharedSegments:
    """The files in ``/dev/shm`` that the processes of one job have made."""

    def __init__(self) -> None:
        self._before = _names()
        self._own: set[Path] = set()

    def look(self, pids: Iterable[int]) -> int:
        """Bytes of those that ``pids`` have open or mapped now or had before, as far as these do not count as
        :func:`shared_bytes` of a process: what is in the file and mapped by none."""
        new = _names() - self._before - {path.name for path in self._own}
        if new:
            for pid in pids:
                self._own |= {_SHM / name for name in _in_use(pid) & new}
        if not self._own:
            return 0
        held = sum(_allocated(path) for path in self._own)
        return max(0, held - sum(_mapped(pid, self._own) for pid in pids))

    def remove(self) -> None:
        """Unlink what is left of them."""
        for path in self._own:
            with contextlib.suppress(OSError):
                path.unlink()


def _names() -> set[str]:
    try:
        return {path.name for path in _SHM.iterdir()}
    except OSError:
        return set()


def _in_use(pid: int) -> set[str]:
    """Names in ``/dev/shm`` that a process has open or mapped."""
    places = []
    with contextlib.suppress(OSError):
        places = [line.split(maxsplit=5)[-1] for line in (_PROC / str(pid) / "maps").read_text().splitlines()]
    with contextlib.suppress(OSError):
        for link in (_PROC / str(pid) / "fd").iterdir():
            with contextlib.suppress(OSError):
                places.append(str(link.readlink()))
    return {Path(place).name for place in places if place.startswith(f"{_SHM}/")}


def _allocated(path: Path) -> int:
    try:
        return path.stat().st_blocks * 512
    except OSError:
        return 0


def _mapped(pid: int, paths: set[Path]) -> int:
    """Resident bytes of ``paths`` in the mappings of a process."""
    names, total, counts = {str(path) for path in paths}, 0, False
    with contextlib.suppress(OSError):
        for line in (_PROC / str(pid) / "smaps").read_text().splitlines():
            key, _, rest = line.partition(":")
            if "-" in key.partition(" ")[0]:  # the first line of a mapping
                counts = line.split(maxsplit=5)[-1] in names
            elif counts and key == "Rss":
                total += int(rest.split()[0]) << 10
    return total


def threads(pid: int) -> list[Path]:
    """One folder per kernel-level thread of ``pid``."""
    try:
        return list((_PROC / str(pid) / "task").iterdir())
    except OSError:
        return []


def status_bytes(key: str) -> int:
    """A memory figure of this process from ``/proc/self/status``: ``VmRSS``, ``VmHWM``, ``VmData``."""
    return _kilobytes(_PROC / "self" / "status", key + ":")


class KernelKills:
    """Tells a process that the kernel killed for want of memory from one that somebody killed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._explained = _oom_kills()

    def explains_one(self) -> bool:
        """Whether the kernel has killed a process that no death was put down to so far; it is put down to this one."""
        with self._lock:
            if _oom_kills() <= self._explained:
                return False
            self._explained += 1
            return True


def _oom_kills() -> int:
    """How many processes the kernel has killed for want of memory since boot; 0 where it does not say."""
    try:
        lines = (_PROC / "vmstat").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)


def _kilobytes(file: Path, key: str) -> int:
    """The figure behind ``key`` in a file of lines ``key 123 kB``, in bytes; 0 if there is none."""
    try:
        lines = file.read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.removeprefix(key).split()[0]) << 10 for line in lines if line.startswith(key)), 0)

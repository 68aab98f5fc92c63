"""What processes hold and whom they forked, read off Linux's ``/proc``. A process that is gone holds nothing.

Without ``/proc`` the readings are 0 or empty: jobs are then bounded by their time limit alone. (psutil offers the same,
at the price of a look at every process of the machine for each one's children, ten times a second and job.)
"""

from __future__ import annotations

import contextlib
import os
import signal
import tempfile
import threading
from collections.abc import Iterable
from pathlib import Path

_PAGE = os.sysconf("SC_PAGE_SIZE")
_PROC = Path("/proc")
_SHM = Path("/dev/shm")
_NAMELESS = "/memfd:"
_NOTHING_MUCH = 1 << 20


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


def kill(pid: int) -> None:
    """SIGKILL to a process, if it is there and ours."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)


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
    """The files that the processes of one job have in memory: in ``/dev/shm``, and without a name (``memfd``)."""

    def __init__(self) -> None:
        self._before = _names()
        self._own: set[Path] = set()

    def look(self, pids: Iterable[int]) -> int:
        """Bytes of those that ``pids`` have open or mapped now, or had before, as far as they are mapped by none.

        What is mapped counts as :func:`shared_bytes` of a process.
        """
        pids = list(pids)
        new = _names() - self._before - self._own
        sizes = {}
        for pid in pids if new or self._own or _has_memory_files(pids) else ():
            self._own |= _in_use(pid) & new
            sizes.update(_memory_files(pid))
        sizes.update({str(path): _allocated(path) for path in self._own})
        held = sum(sizes.values())
        if held < _NOTHING_MUCH:
            return 0
        return max(0, held - sum(_mapped(pid, self._own) for pid in pids))

    def remove(self) -> None:
        """Unlink what is left of them, and the folders that they leave empty."""
        for path in self._own:
            with contextlib.suppress(OSError):
                path.unlink()
            for folder in path.parents:
                if folder == _SHM or folder in self._before:
                    break
                with contextlib.suppress(OSError):
                    folder.rmdir()


def _names() -> set[Path]:
    """All that is in ``/dev/shm``, folders included."""
    return {Path(folder) / name for folder, folders, files in os.walk(_SHM) for name in (*folders, *files)}


def _in_use(pid: int) -> set[Path]:
    """Files in ``/dev/shm`` that a process has open or mapped."""
    with contextlib.suppress(OSError):
        mapped = [line.split(maxsplit=5)[-1] for line in (_PROC / str(pid) / "maps").read_text().splitlines()]
        return {Path(place) for place in (*mapped, *_open_files(pid).values()) if place.startswith(f"{_SHM}/")}
    return set()


def _open_files(pid: int) -> dict[Path, str]:
    """What the file descriptors of a process stand for."""
    found = {}
    with contextlib.suppress(OSError):
        for link in (_PROC / str(pid) / "fd").iterdir():
            with contextlib.suppress(OSError):
                found[link] = str(link.readlink())
    return found


def _has_memory_files(pids: Iterable[int]) -> bool:
    return any(sum(_memory_files(pid).values()) >= _NOTHING_MUCH for pid in pids)


def _memory_files(pid: int) -> dict[str, int]:
    """Bytes of the nameless files in memory that a process has open, each under its own key."""
    found = {}
    for place, target in _open_files(pid).items():
        if target.startswith(_NAMELESS):
            with contextlib.suppress(OSError):  # closed, or its process gone, since the list was made
                about = place.stat()
                found[str(about.st_ino)] = about.st_blocks * 512
    return found


def _allocated(path: Path) -> int:
    try:
        return path.stat().st_blocks * 512
    except OSError:
        return 0


def _mapped(pid: int, paths: set[Path]) -> int:
    """Resident bytes of ``paths``, and of nameless files in memory, in the mappings of a process."""
    names, total, counts = {str(path) for path in paths}, 0, False
    with contextlib.suppress(OSError):
        for line in (_PROC / str(pid) / "smaps").read_text().splitlines():
            key, _, rest = line.partition(":")
            if "-" in key.partition(" ")[0]:  # the first line of a mapping
                place = line.split(maxsplit=5)[-1]
                counts = place in names or place.startswith(_NAMELESS)
            elif counts and key == "Rss":
                total += int(rest.split()[0]) << 10
    return total


def anonymous_file() -> int:
    """A read-write descriptor of a file without a name: in memory where the system can, else an unlinked temporary."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("bench", os.MFD_CLOEXEC)
    with tempfile.TemporaryFile(prefix="bench-") as file:
        return os.dup(file.fileno())


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

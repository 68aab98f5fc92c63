"""What processes hold and whom they forked, read off Linux's ``/proc``. A process that is gone holds nothing.

Without ``/proc`` the readings are 0 or empty: jobs are then bounded by their time limit alone.
"""

from __future__ import annotations

import os
from pathlib import Path

_PAGE = os.sysconf("SC_PAGE_SIZE")
_PROC = Path("/proc")


def anonymous_bytes(pid: int) -> int:
    """Resident memory that is the process's own: not files, not shared tables."""
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


def proportional_bytes(pid: int) -> int:
    """Resident memory of its own, with pages shared after a fork counted in parts: sums up over a family."""
    try:
        lines = (_PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith("Pss_Anon:")), 0)


def marked(variable: str, value: str) -> list[int]:
    """The living processes started with ``variable=value`` in their environment, and what was forked from them."""
    sign = f"{variable}={value}".encode()
    found = []
    for folder in _PROC.glob("[0-9]*"):
        try:
            if sign in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
        except OSError:  # it is gone, or somebody else's
            continue
    return found


def threads(pid: int) -> list[Path]:
    """One folder per kernel-level thread of ``pid``."""
    try:
        return list((_PROC / str(pid) / "task").iterdir())
    except OSError:
        return []


def status_bytes(key: str) -> int:
    """A memory figure of this process from ``/proc/self/status``: ``VmRSS``, ``VmHWM``, ``VmData``."""
    try:
        lines = (_PROC / "self" / "status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith(key + ":")), 0)


def kernel_oom_kills() -> int:
    """How many processes the kernel has killed for want of memory since boot; 0 where it does not say."""
    try:
        lines = (_PROC / "vmstat").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)

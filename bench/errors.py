"""Errors a user can act on. The command line prints them as one line and exits with 2."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence


class BenchError(Exception):
    """Base of all errors with a message meant for the user: what, where, and what to do."""


class UsageError(BenchError):
    """An argument is wrong: unknown name, number out of range."""


class RegistryError(BenchError):
    """datasets.yaml does not describe what it must."""


class SourceError(BenchError):
    """A source could not be used at all: no such folder, a broken archive."""


class DataUnavailable(BenchError):
    """One dataset is not available from the selected source; others may be. Its jobs are `skipped`."""


class DataInvalid(BenchError):
    """A table or an index list was read but breaks its own description (sizes, labels, checksum)."""


class MethodError(BenchError):
    """A method cannot be fitted to this task for a reason that can be named (one class only, ...)."""


class JobSkipped(BenchError):
    """A job cannot be done here for a reason that can be named: data that are not installed. It is `skipped`."""


class StoreError(BenchError):
    """The run folder or its store cannot be used: unwritable, in use, broken, another version."""


class StoreBusy(StoreError):
    """Another program has the store open and lets nobody write just now; it may let go."""


class EngineError(BenchError):
    """What runs the jobs cannot be used any more: no scheduler at the address, or it is gone."""


class ReportError(BenchError):
    """The results cannot be reported together: other versions, other sources, a ragged grid."""


def one_line(text: object, limit: int = 300) -> str:
    """``text`` from elsewhere as part of a message: one line, nothing that a terminal would obey, not too long."""
    words = " ".join(str(text).split())
    return "".join(character if character.isprintable() else "?" for character in words)[:limit]


def plural(count: int, noun: str, nouns: str = "") -> str:
    """``1 job``, ``1,200 jobs``; ``nouns`` if another ending than -s makes it several."""
    return f"{count:,} {noun if count == 1 else nouns or noun + 's'}"


def listed(names: Sequence[str], limit: int = 5) -> str:
    """``iris, wine``; past ``limit`` only the first names and how many there are in all."""
    shown = ", ".join(names[:limit])
    return shown if len(names) <= limit else f"{shown}, ... ({len(names)} in all)"


def first_few(names: Sequence[str], limit: int = 3) -> str:
    """``iris, wine``; past ``limit`` only the first names and how many more there are."""
    return ", ".join(names[:limit]) + (f" and {len(names) - limit} more" if len(names) > limit else "")


def nearest(name: str, known: Iterable[str]) -> str:
    """``did you mean 'rfm'? `` for the known name that is nearest to ``name``; empty if none is near."""
    spelt = {known_name.lower(): known_name for known_name in known}
    near = difflib.get_close_matches(name.lower(), spelt, n=1, cutoff=0.5)
    return f"did you mean {spelt[near[0]]!r}? " if near else ""


def unknown_name(kind: str, name: str, known: Iterable[str]) -> UsageError:
    """The error for a name that is not registered; suggests the nearest known one."""
    names = sorted(known)
    listing = one_line(", ".join(names[:24] if len(names) <= 24 else names[:12]), limit=2000)
    listing += "" if len(names) <= 24 else f", ... ({len(names)} in all)"
    return UsageError(f"unknown {kind} {name!r}: {nearest(name, names)}known: {listing}")

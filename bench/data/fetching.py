"""Having tables in the cache: the archive from the first place that serves it, or single tables; each one checked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.data.archive import ArchiveSource
from bench.data.sources import Source
from bench.errors import DataInvalid, DataUnavailable, SourceError

Say = Callable[[str], None]


@dataclass(frozen=True)
class Findings:
    """What loading tables one by one has shown: how many are ``sound``, what is to be noted of them, what is wrong.

    ``notes`` and ``problems`` are pairs (table, line); ``invalid`` says whether one of the problems is a table that is
    there and wrong.
    """

    sound: int
    notes: tuple[tuple[str, str], ...]
    problems: tuple[tuple[str, str], ...]
    invalid: bool


def look_through(source: Source, entries: Iterable[Any]) -> Findings:
    """Load every entry from ``source``, which checks it, and forget it again."""
    sound, invalid = 0, False
    notes: list[tuple[str, str]] = []
    problems: list[tuple[str, str]] = []
    for entry in entries:
        try:
            dataset = source.load(entry)
        except (DataInvalid, DataUnavailable) as error:
            problems.append((entry.name, str(error)))
            invalid = invalid or isinstance(error, DataInvalid)
        else:
            sound += 1
            notes += [(entry.name, note) for note in dataset.notes]
    return Findings(sound, tuple(notes), tuple(problems), invalid)


def fetch_archive(sources: Iterable[ArchiveSource], entries: Sequence[Any], say: Say) -> tuple[Path, Findings]:
    """The folder in the cache that now holds the archive, and what its tables are like.

    ``sources``, of which there is at least one, are tried in turn: the first that has all of ``entries`` sound is kept,
    else the one that has most of them. A download that holds other tables than the study's is made anew by a further
    call. ``say`` gets a line for each source, and one for each that cannot be had; if none can, the last one's
    :class:`SourceError` is raised.
    """
    best: tuple[ArchiveSource, Findings] | None = None
    trouble: SourceError | None = None
    for source in sources:
        if trouble is not None:
            say(str(trouble))
        say(f"archive: {source.location}")
        trouble = None
        try:
            findings = look_through(source.open(), entries)
        except SourceError as error:
            source.forget()
            trouble = error
            continue
        if findings.invalid:
            source.forget()
        if best is None or findings.sound > best[1].sound:
            best = source, findings
        if not findings.problems:
            break
    if best is None:
        raise trouble or SourceError("nowhere to look for the archive")
    if trouble is not None:
        say(str(trouble))
    return best[0].keep(), best[1]

"""What ``--subset`` and ``--source`` mean: the tables asked for, and the one source that gives them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TypeAlias

from bench.data.archive import ArchiveSource
from bench.data.embedded import EmbeddedSource
from bench.data.grinsztajn import parts_of
from bench.data.openml_records import TaskEntry
from bench.data.openml_source import OpenMLSource
from bench.data.registry import Entry, Registry
from bench.data.sources import Source, resolve_source
from bench.errors import UsageError, unknown_name
from bench.records import grinsztajn

AnyEntry: TypeAlias = Entry | TaskEntry

SUITE = re.compile(r"openml-suite:(\d{1,9})")
PARTS = (grinsztajn.PREFIX, *(f"{grinsztajn.PREFIX}-{name}" for name in grinsztajn.PARTS))
"""What names tasks of OpenML without a number."""
MEDIUM, _ = grinsztajn.SPLITS


def needs_openml(subset: str) -> bool:
    """Whether ``subset`` has tasks of OpenML in it."""
    return any(word.strip() in PARTS or SUITE.fullmatch(word.strip()) for word in subset.split(","))


def select_tables(
    registry: Registry,
    subset: str,
    *,
    archive: str | None = None,
    source: str | None = None,
    offline: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> tuple[tuple[AnyEntry, ...], Source]:
    """The entries of ``subset`` in order of mention, and where they are taken from.

    ``subset`` mixes, with commas, names of the registry's subsets and datasets with ``openml-suite:N`` and
    :data:`PARTS`; with one of these in it all tables come from OpenML. Raises :class:`UsageError` for names that are
    not known or meet twice, and what :func:`bench.data.sources.resolve_source` and :meth:`OpenMLSource.suite` raise.
    """
    words = [word.strip() for word in subset.split(",") if word.strip()]
    for word in words:
        if word.startswith(grinsztajn.PREFIX) and word not in PARTS:
            raise unknown_name("part of the benchmark", word, PARTS)
        if word.startswith("openml-suite") and not SUITE.fullmatch(word):
            raise UsageError(f"{word!r}: a suite is named by its number at OpenML, like openml-suite:99")
    if not needs_openml(subset):
        entries = registry.select(subset)
        shipped = all(word in registry.subsets for word in words) and all(entry.embedded for entry in entries)
        return entries, resolve_source(registry, entries, archive, source, shipped=shipped, offline=offline, say=say)
    if archive or source not in (None, OpenMLSource.name):
        (first, *_) = [word for word in words if needs_openml(word)]
        raise UsageError(f"{first} takes its datasets from OpenML: leave --archive and --source out")
    openml = OpenMLSource(offline=offline, say=say)
    chosen: list[AnyEntry] = []
    for word in words:
        suite = SUITE.fullmatch(word)
        if word in PARTS:
            for part in parts_of(word):
                chosen += openml.tasks(part.tasks, splits=MEDIUM, ending=f"-{part.name}")
        else:
            chosen += openml.suite(int(suite[1])) if suite else registry.select(word)
    return _unique(chosen), openml


def by_source(entries: Sequence[AnyEntry], source: Source) -> list[tuple[Sequence[AnyEntry], Source]]:
    """``entries`` with the sources that give them: the package has what is not in the study's archive."""
    if source.name != ArchiveSource.name:
        return [(entries, source)]
    shipped = [entry for entry in entries if isinstance(entry, Entry) and not entry.archive]
    others = [entry for entry in entries if entry not in shipped]
    return [part for part in ((others, source), (shipped, EmbeddedSource())) if part[0]]


def _unique(entries: Sequence[AnyEntry]) -> tuple[AnyEntry, ...]:
    """``entries`` without repetitions. Raises :class:`UsageError` where one name stands for two datasets."""
    named: dict[str, AnyEntry] = {}
    for entry in entries:
        if named.setdefault(entry.name, entry) != entry:
            raise UsageError(f"two of the datasets asked for are called {entry.name!r}: run them into two folders")
    return tuple(named.values())

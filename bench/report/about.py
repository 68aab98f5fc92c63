"""What is known of datasets beyond their results: from the registry, and from what runs recorded of other tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from bench.data.copies import links
from bench.data.facts import Facts, Known, load_facts
from bench.data.registry import Link, Nominal, Registry, Sure
from bench.data.sources import SERVICES
from bench.records.result import Job, RunRecord
from bench.report.merge import invocations_of


@dataclass(frozen=True)
class About:
    """What the registry, or the description of a user's own table, says of it; empty where neither says anything.

    ``family`` is what it shares with its siblings (empty: it is one of its own), and ``relation`` says why they
    are, where the registry does. ``pages`` are what services that host a copy say of it: link texts and addresses.
    ``notes`` tell what was done to it, ``features`` are names in the table's order (the first ones of very many).
    ``nominal`` says how sure it is that the table has nominal columns; empty if it has none, or if nobody has
    looked. ``facts`` are what was measured of the dataset as the runs had it; None where nothing is known.
    """

    group: str = ""
    family: str = ""
    relation: str = ""
    licence: str = ""
    origin: str = ""
    pages: tuple[tuple[str, str], ...] = ()
    link_note: str = ""
    faults: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    nominal: Sure | Literal[""] = ""
    facts: Facts | None = None


def about_datasets(records: Sequence[RunRecord], registry: Registry) -> dict[str, About]:
    """Of every dataset of the registry, and of every other one that the runs recorded, by name."""
    known = {
        entry.name: About(
            group=entry.group or "",
            family=entry.family,
            relation=registry.families.get(entry.family, ""),
            licence=entry.licence,
            origin=entry.origin,
            pages=_pages(found),
            link_note="; ".join(dict.fromkeys(link.note for link in found.values() if link.note)),
            faults=entry.faults,
            nominal=entry.nominal.sure if isinstance(entry.nominal, Nominal) else "",
        )
        for entry, found in ((entry, links(entry)) for entry in registry.entries.values())
    }
    described = {**known, **_described(records, known, registry.families)}
    facts = measured_facts((result.job for record in records for result in record.results), load_facts())
    return {name: replace(told, facts=facts.get(name)) for name, told in described.items()}


def _pages(found: Mapping[str, Link]) -> tuple[tuple[str, str], ...]:
    known = ((SERVICES[source], link.id) for source, link in found.items() if link.id is not None)
    return tuple((f"{service.title} {id}", f"{service.pages}/{id}") for service, id in known)


def measured_facts(jobs: Iterable[Job], known: Known) -> dict[str, Facts]:
    """What is ``known`` of the datasets of ``jobs``, by name, where all jobs had the very table that was measured.

    Source and sizes say so, and the table's checksum where the job has it.
    """
    tables: dict[str, set[tuple[str, int, int, str]]] = {}
    for job in jobs:
        tables.setdefault(job.dataset, set()).add((job.source, job.rows, job.features, job.table_sha256))
    found = {name: known.get((name, source)) for name, had in tables.items() for source, *_ in had}
    return {name: facts for name, facts in found.items() if facts and all(_is(had, facts) for had in tables[name])}


def _is(had: tuple[str, int, int, str], facts: Facts) -> bool:
    *sizes, checksum = had
    return sizes == [facts.source, facts.samples, facts.features] and checksum in ("", facts.table_sha256)


def families_in(about: Mapping[str, About]) -> dict[str, str]:
    """The family of every dataset: its own name if it has none."""
    return {name: told.family or name for name, told in about.items()}


def _described(
    records: Sequence[RunRecord], known: Mapping[str, About], families: Mapping[str, str]
) -> dict[str, About]:
    """What the runs recorded of tables that are not the archive's; of several descriptions the last counts.

    Of a copy of one of the registry's tables, ``known`` says the rest.
    """
    found: dict[str, About] = {}
    for record in records:
        for invocation in invocations_of(record):
            for name, told in invocation.get("tables", {}).items():
                origin = f"{told['origin']}, column {told['target']}"
                notes, features = tuple(told["notes"]), tuple(told["features"])
                notes += tuple(f"warning: {warning}" for warning in told.get("warnings", ()))
                if told.get("copy") and name in known:
                    notes = (f"a copy, {origin}", *notes)
                    found[name] = replace(known[name], notes=notes, features=features)
                    continue
                # Its name alone makes no table one of a family of the registry; its description can.
                family = told.get("family") or (f"{name} (of its own)" if name in families else "")
                found[name] = About(
                    family=family,
                    relation=families.get(family, ""),
                    licence=told["licence"],
                    origin=origin,
                    notes=notes,
                    features=features,
                )
    return found

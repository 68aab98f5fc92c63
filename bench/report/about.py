"""What is known of datasets beyond their results: from the registry, and from what runs recorded of other tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bench.data.registry import Registry
from bench.records.result import RunRecord
from bench.report.merge import invocations_of


@dataclass(frozen=True)
class About:
    """What the registry, or the description of a user's own table, says of it; empty where neither says anything.

    ``family`` is what it shares with its siblings (empty: it is one of its own), and ``relation`` says why they are,
    where the registry does. ``notes`` tell what was done to it, ``features`` are names in the table's order (the first
    ones of very many).
    """

    group: str = ""
    family: str = ""
    relation: str = ""
    licence: str = ""
    origin: str = ""
    openml: int | None = None
    uci: int | None = None
    link_note: str = ""
    faults: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    features: tuple[str, ...] = ()


def about_datasets(records: Sequence[RunRecord], registry: Registry) -> dict[str, About]:
    """Of every dataset of the registry, and of every other one that the runs recorded, by name."""
    known = {
        entry.name: About(
            group=entry.group or "",
            family=entry.family,
            relation=registry.families.get(entry.family, ""),
            licence=entry.licence,
            origin=entry.origin,
            openml=entry.openml.id,
            uci=entry.uci.id,
            link_note="; ".join(dict.fromkeys(n for n in (entry.openml.note, entry.uci.note) if n)),
            faults=entry.faults,
        )
        for entry in registry.entries.values()
    }
    return {**known, **_described(records, known, registry.families)}


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

"""Copies of the registry's tables that others host: what they must agree in, and how their differences are reported."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Protocol

from bench.data.columns import Coded, code_table
from bench.data.registry import Entry, Link
from bench.errors import DataInvalid, DataUnavailable, UsageError
from bench.records.dataset import Dataset
from bench.records.measure import Kind

if TYPE_CHECKING:
    import pandas as pd


class Host(Protocol):
    """A source that hosts copies: its ``name``, its key in the registry too, and its ``title`` in sentences."""

    @property
    def name(self) -> str: ...
    @property
    def title(self) -> str: ...


def link_of(entry: Entry, host: Host) -> Link:
    """Where ``entry`` is at ``host``. Raises :class:`DataUnavailable` if it is not there, or not to be used."""
    link = links(entry)[host.name]
    if link.id is None:
        raise DataUnavailable(f"{entry.name}: {host.title} has no copy that the registry knows{_because(link.note)}")
    if link.refused:
        raise DataUnavailable(f"{entry.name}: {host.title}'s copy ({link.id}) is not used: {link.refused}")
    return link


def links(entry: Entry) -> dict[str, Link]:
    """Where ``entry`` is at each service that hosts copies, by the source's name."""
    return {key: link for key in entry.__struct_fields__ if isinstance(link := getattr(entry, key), Link)}


def copy_as_dataset(
    entry: Entry, host: Host, frame: pd.DataFrame, target: str, drop: Iterable[str], where: str
) -> tuple[Dataset, Coded]:
    """``frame``, a copy of ``entry`` from ``host``, as a dataset with notes on what was done to it; and its coding.

    Rows without a label are left out, as the archive does. Rows and classes must be the entry's, or what the registry
    says of the copy, or anything where it says that they differ. Raises :class:`DataInvalid` with what was expected and
    what came.
    """
    link = links(entry)[host.name]
    labelled = frame[frame[target].notna()] if target in frame.columns else frame
    coded = code_copy(labelled, target, where, drop, entry.kind)
    rows, classes, inputs = len(coded.y), len(coded.classes), len(coded.inputs)
    expected = (link.rows or entry.rows, link.classes or entry.classes)
    if (rows, classes) != expected and not link.differs:
        found, wanted = (f" of {classes} classes", f" of {expected[1]}") if coded.classes else ("", "")
        raise DataInvalid(
            f"{where}: {rows} rows{found}, expected {expected[0]} rows{wanted}: not the dataset "
            f"that the registry means{_because(link.note)}"
        )
    notes = [difference for difference in differences(entry, host) if difference]
    if entry.kind == "classification" and (rows, classes, inputs) != (entry.rows, entry.classes, entry.features):
        notes.append(
            f"{rows} rows, {inputs} inputs, {classes} classes; the archive's dataset has {entry.rows}, "
            f"{entry.features}, {entry.classes}"
        )
    elif rows != entry.rows:
        notes.append(f"{rows} rows; the dataset that comes with the package has {entry.rows}")
    if len(labelled) < len(frame):
        notes.append(f"{len(frame) - len(labelled)} rows without a label are left out")
    return Dataset(entry.name, coded.X, coded.y, classes, host.name, notes=(*notes, *coded.notes)), coded


def code_copy(frame: pd.DataFrame, target: str, where: str, drop: Iterable[str], kind: Kind) -> Coded:
    """:func:`bench.data.columns.code_table`; a column that is not there is the copy's fault here, not the user's."""
    try:
        return code_table(frame, target, where, drop, kind=kind)
    except UsageError as error:
        raise DataInvalid(str(error)) from error


def provenance(
    dataset: Dataset, coded: Coded, origin: str, target: str, licence: str, *, copy: bool, family: str = ""
) -> dict[str, Any]:
    """What a run records of a table that is not the archive's, in the form of :meth:`UserSource.provenance`.

    ``copy`` says whether it is one of a table of the registry, which then knows its ``family``.
    """
    return {
        "copy": copy,
        "origin": origin,
        "target": target,
        "licence": licence,
        "family": family,
        "notes": list(dataset.notes),
        "warnings": coded.warnings,
        "features": coded.recorded_features,
        "classes": list(coded.classes),
    }


def differences(entry: Entry, host: Host) -> tuple[str, ...]:
    """What the registry says against taking the copy of ``entry`` at ``host`` for the archive's table."""
    link = links(entry)[host.name]
    if link.id is None:
        return ()
    found = [f"{host.title}'s copy: {link.note}"] if link.note else []
    if link.confidence == "likely":
        found.append(f"that {host.title}'s {link.id} is this dataset is likely, not certain")
    return tuple(found)


def _because(note: str) -> str:
    return f" ({note})" if note else ""

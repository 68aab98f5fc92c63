"""RFM's places among the 2014 study's classifiers, as ``places.csv`` keeps them and the pages tell them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd

from bench.data.registry import Registry
from bench.methods import method_names
from bench.protocols.registry import plain_names
from bench.records.measure import COMPARED
from bench.report import wording
from bench.report.view import LAPLACE, RFM
from bench.stats.frame import in_protocol_order, over_seeds, protocols_in, seed_matrix
from bench.stats.places import SUBSETS, places_frame, standings
from bench.stats.published import PublishedStudy

ACCURACY = COMPARED["classification"]
OF_THE_PAPER = (RFM, LAPLACE, "ntk")
"""Methods of the paper's own comparison: placed among the study's classifiers, in the
report's first table of these with the reference and the user's own."""
PLACED_ON = {"small90": "small datasets", "no-test-file": "without a test file", "all121": "that both have"}
"""The sets of datasets of the places, the comparable ones first."""


def places_of(scores: pd.DataFrame, study: PublishedStudy, registry: Registry) -> pd.DataFrame:
    """``places.csv``: our methods and the study's best under each protocol (:mod:`bench.stats.places`)."""
    ours = {p: over_seeds(seed_matrix(scores, p, ACCURACY, method_names())) for p in plain_names(protocols_in(scores))}
    return places_frame(standings(study, ours, {e.name: e.group for e in registry.entries.values()}))


_TOLD = ("protocol", "subset", "method", "datasets", "missing", "mean_accuracy")


def outdated(places: pd.DataFrame, scores: pd.DataFrame, registry: Registry) -> list[str]:
    """What in ``places`` is not of ``scores``, as far as these alone say: our methods, their datasets and means.

    Empty if nothing is. The places themselves need the study's file.
    """
    groups = {e.name: e.group for e in registry.entries.values()}
    ours = places[places["whose"] == "ours"]
    found = [p for p in plain_names(protocols_in(scores)) if p not in set(ours["protocol"])]
    for protocol, subset, method, datasets, missing, mean in ours[list(_TOLD)].itertuples(index=False, name=None):
        matrix = over_seeds(seed_matrix(scores, protocol, ACCURACY))
        inside = matrix[[groups.get(str(d)) in SUBSETS[subset] for d in matrix.index]]
        values = inside[method].dropna() if method in inside else pd.Series(dtype=float)
        same = len(values) == datasets - missing and abs(float(values.mean()) - mean) < 1e-6
        found += [] if same else [f"{method} under {protocol} on {subset}"]
    return found


def place_sentences(places: pd.DataFrame) -> str:
    """Where RFM stands under each protocol: a line each, and what they are of."""
    ours = places[(places["whose"] == "ours") & (places["method"] == RFM)]
    lines = []
    for protocol in in_protocol_order(ours["protocol"]):
        rows = ours[ours["protocol"] == protocol].set_index("subset")
        parts = [
            f"{r.place_by_rank} / {r.place_by_mean} of {r.pool} on the {r.datasets} {PLACED_ON[str(r.Index)]}"
            for r in rows.reindex([s for s in PLACED_ON if s in rows.index]).itertuples()
        ]
        lines.append(f"- `{protocol}`: {', '.join(parts)}.")
    return "\n".join([wording.prose("claims-places"), "", *lines])


def places_table(places: pd.DataFrame) -> str:
    """The paper's methods among the study's classifiers: protocol x method, three columns a set of datasets.

    The head has the number of datasets; where a protocol has fewer, its cells say so.
    """
    ours = places[(places["whose"] == "ours") & places["method"].isin(OF_THE_PAPER)]
    rows = {(r["protocol"], r["method"], r["subset"]): r for r in ours.to_dict("records")}
    subsets = [s for s in PLACED_ON if s in set(ours["subset"])]
    counts = ours.groupby("subset")["datasets"].max()
    heads = " | ".join(f"{PLACED_ON[s]} ({counts[s]}): mean % | P90 / P95 / PMA | place" for s in subsets)
    lines = [f"| protocol | method | {heads} |", "|:---|:---|" + "---:|---:|---:|" * len(subsets)]
    for protocol in in_protocol_order(ours["protocol"]):
        for method in OF_THE_PAPER:
            found = {subset: rows.get((protocol, method, subset)) for subset in subsets}
            if any(found.values()):
                cells = " | ".join(
                    _place_cells(r, counts[s]) if r else " | ".join([wording.DASH] * 3) for s, r in found.items()
                )
                lines.append(f"| `{protocol}` | {wording.title(method)} | {cells} |")
    return "\n".join(lines)


def _place_cells(row: Mapping[Hashable, Any], usual: int) -> str:
    fewer = "" if row["datasets"] == usual else f" (on {row['datasets']})"
    shares = " / ".join(wording.number(row[key], 1) for key in ("p90", "p95", "pma"))
    return f"{wording.number(row['mean_accuracy'])}{fewer} | {shares} | {row['place_by_rank']} / {row['place_by_mean']}"

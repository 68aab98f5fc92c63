"""Reported figures next to reproduced ones, each with its source and how it is known (``printed.yaml``)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import resources
from typing import Literal

import pandas as pd
import yaml

from bench.protocols.registry import known, plain_names
from bench.report import wording
from bench.report.blocks import Cell, Column, Section, table, text
from bench.report.evidence import Evidence
from bench.stats.missing import STUDY_2014, ZERO_EVERYWHERE
from bench.stats.published import PublishedStudy, study_pool
from bench.stats.summary import summarise

SETS = {"small90": (90, ("small",)), "all121": (121, ("small", "large", "test-file"))}
"""Size and the registry's groups; a set that a source does not name is taken to be among the 121."""
COVERAGE = 0.9
"""A reproduced mean stands next to a reported one only if it covers this share of the reported one's datasets."""

KNOWN = {
    "read": "read there",
    "computed": "computed from it",
    "secondary": "third party's summary",
}


@dataclass(frozen=True)
class Printed:
    """A figure reported elsewhere, percent, in its own digits.

    ``set`` is one of :data:`SETS`, or the source's own words for datasets that it does not name; ``caution`` is what
    the source leaves open. ``method`` is the one of ours that corresponds, ``classifier`` the study's.
    """

    what: str
    figure: str
    set: str
    known: Literal["read", "computed", "secondary"]
    source: str
    caution: str = ""
    method: str = ""
    classifier: str = ""
    metric: str = "mean_score"
    rule: str = ""


def load_printed() -> list[Printed]:
    """The figures of ``printed.yaml``, in its order."""
    raw = yaml.safe_load(resources.files("bench.report").joinpath("printed.yaml").read_text(encoding="utf-8"))
    return [Printed(**entry) for entry in raw]


def printed_section(evidence: Evidence) -> Section | None:
    """What papers report and what this run reproduces, under each protocol that has it; None without classes."""
    if not evidence.of_kind("classification"):
        return None
    ran = known(plain_names(evidence.protocols))
    of_the_paper = [p.name for p in ran if p.reuses_metric]
    without_labels = [p.name for p in ran if not p.sees_test_labels]
    protocols = [*of_the_paper, *without_labels]
    columns: list[tuple[Column, Callable[[Printed], Cell | str]]] = [
        (Column("Figure", "text"), lambda item: item.what),
        (Column("Datasets", "text"), lambda item: item.set),
        (Column("Reported"), lambda item: Cell(item.figure, float(item.figure))),
        (Column("Source", "text"), _origin),
        *((Column(f"Here, {p}", hint="mean accuracy"), partial(_measured, evidence, p)) for p in protocols),
    ]
    if evidence.study:
        columns.append((Column("From the study's file"), partial(_recomputed, evidence, evidence.study)))
    procedures = _procedures(of_the_paper, without_labels)
    figures = load_printed()
    cautions = " ".join(f"{item.source}: {item.caution}." for item in figures if item.caution)
    note = wording.prose("printed", coverage=100 * COVERAGE, procedures=procedures, cautions=cautions)
    shown = table("reported-and-reproduced", "Reported and reproduced figures", figures, columns, note=note)
    opening = text("What papers report and what was measured here. Only figures whose source was read.")
    return Section("printed", "Reported vs reproduced", (opening, shown))


def _procedures(of_the_paper: list[str], without_labels: list[str]) -> str:
    """What the columns' protocols have to do with the reported figures."""
    paper = f"The paper's procedure is {' and '.join(of_the_paper)}. " if of_the_paper else ""
    return paper + (f"No test label is seen under {' and '.join(without_labels)}. " if without_labels else "")


def _origin(item: Printed) -> Cell:
    """Where the figure stands, with a link if that is a preprint."""
    preprint = re.search(r"arXiv (\d{4}\.\d{4,5})", item.source)
    return Cell(f"{item.source} ({KNOWN[item.known]})", href=f"https://arxiv.org/abs/{preprint[1]}" if preprint else "")


def _measured(evidence: Evidence, protocol: str, item: Printed) -> Cell:
    if not item.method or item.metric != "mean_score":
        return Cell(wording.DASH)
    matrix = evidence.matrix(protocol)
    size, groups = SETS.get(item.set, SETS["all121"])
    values = matrix[item.method].dropna() if item.method in matrix else pd.Series(dtype=float)
    values = values[[evidence.of(str(d)).group in groups for d in values.index]]
    if len(values) < COVERAGE * size:
        return Cell(wording.DASH, hint=f"on {len(values)} of {size} datasets")
    mean = float(values.mean())
    return Cell(wording.number(mean), mean, hint=f"on {len(values)} datasets")


def _recomputed(evidence: Evidence, study: PublishedStudy, item: Printed) -> Cell:
    """The same figure from the study's file, if it is one of its classifiers."""
    if not item.classifier or item.classifier not in study.accuracy or item.set not in SETS:
        return Cell(wording.DASH)
    datasets = [str(d) for d in study.accuracy.index]
    size, _ = SETS[item.set]
    if item.set == "small90":
        datasets = [d for d in datasets if evidence.of(d).group == "small"]
    if len(datasets) != size:
        return Cell(wording.DASH, hint=f"the file and the registry share {len(datasets)} of {size} datasets")
    rule = ZERO_EVERYWHERE if item.rule == ZERO_EVERYWHERE.name else STUDY_2014
    value = float(summarise(study_pool(study, datasets, rule))[item.metric][item.classifier])
    return Cell(wording.number(value), value, hint=f"{rule.name}: {rule.text}")

"""Printed figures beside measured ones, each with its source and how it is known (``printed.yaml``)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import resources
from typing import Literal

import pandas as pd
import yaml

from bench.protocols.registry import known
from bench.report import wording
from bench.report.blocks import Cell, Column, Section, table, text
from bench.report.evidence import Evidence
from bench.stats.missing import STUDY_2014, ZERO_EVERYWHERE
from bench.stats.published import PublishedStudy, study_pool
from bench.stats.summary import summarise

SET_SIZES = {"all121": 121, "small90": 90}
COVERAGE = 0.9
"""A measured mean stands beside a printed one only if it covers this share of the printed one's datasets."""

KNOWN = {
    "read": "read in the source",
    "computed": "not printed: computed from the source",
    "secondary": "read in a later paper",
    "recalled": "recalled, not verified",
}


@dataclass(frozen=True)
class Printed:
    """A figure printed elsewhere, percent or rank, in its own digits.

    ``method`` is the one of ours that corresponds, ``classifier`` the study's.
    """

    what: str
    figure: str
    set: Literal["all121", "small90"]
    known: Literal["read", "computed", "secondary", "recalled"]
    source: str
    method: str = ""
    classifier: str = ""
    metric: str = "mean_score"
    rule: str = ""


def load_printed() -> list[Printed]:
    """The figures of ``printed.yaml``, in its order."""
    raw = yaml.safe_load(resources.files("bench.report").joinpath("printed.yaml").read_text(encoding="utf-8"))
    return [Printed(**entry) for entry in raw]


def printed_section(evidence: Evidence) -> Section | None:
    """What papers print against what this run measured, under each protocol that has it; None without classes."""
    if not evidence.of_kind("classification"):
        return None
    ran = known(evidence.protocols)
    of_the_paper = [p.name for p in ran if p.reuses_metric]
    without_labels = [p.name for p in ran if not p.sees_test_labels]
    protocols = [*of_the_paper, *without_labels]
    columns: list[tuple[Column, Callable[[Printed], Cell | str]]] = [
        (Column("Printed figure", "text"), lambda item: item.what),
        (Column("Sets", "text"), lambda item: item.set),
        (Column("Printed"), lambda item: Cell(item.figure, float(item.figure))),
        (Column("Known how, and from where", "text"), _origin),
        *(
            (Column(f"Measured, {p}", hint="mean accuracy, and on how many datasets"), partial(_measured, evidence, p))
            for p in protocols
        ),
    ]
    if evidence.study:
        columns.append((Column("From study's file"), partial(_recomputed, evidence, evidence.study)))
    procedures = _procedures(of_the_paper, without_labels)
    note = wording.prose("printed", coverage=100 * COVERAGE, procedures=procedures)
    shown = table("printed-and-measured", "Printed and measured", load_printed(), columns, note=note)
    opening = text("What the papers print, and what this run measures. A figure without a primary source says so.")
    return Section("printed", "Printed against measured", (opening, shown))


def _procedures(of_the_paper: list[str], without_labels: list[str]) -> str:
    """What the columns' protocols have to do with the printed figures."""
    paper = f"The paper's procedure is {' and '.join(of_the_paper)}. " if of_the_paper else ""
    return paper + (f"No test label is seen under {' and '.join(without_labels)}. " if without_labels else "")


def _origin(item: Printed) -> Cell:
    """Where the figure stands, with a link if the source is a preprint."""
    preprint = re.search(r"arXiv (\d{4}\.\d{4,5})", item.source)
    href = f"https://arxiv.org/abs/{preprint[1]}" if preprint else ""
    return Cell(f"{KNOWN[item.known]}: {item.source}", href=href)


def _measured(evidence: Evidence, protocol: str, item: Printed) -> Cell:
    if not item.method:
        return Cell(wording.DASH)
    matrix = evidence.matrix(protocol)
    groups = ("small",) if item.set == "small90" else ("small", "large", "test-file")
    values = matrix[item.method].dropna() if item.method in matrix else pd.Series(dtype=float)
    values = values[[evidence.of(str(d)).group in groups for d in values.index]]
    size = SET_SIZES[item.set]
    if len(values) < COVERAGE * size:
        return Cell(wording.DASH, hint=f"measured on {len(values)} of {size} datasets")
    mean = float(values.mean())
    return Cell(f"{wording.number(mean)} ({len(values)})", mean)


def _recomputed(evidence: Evidence, study: PublishedStudy, item: Printed) -> Cell:
    """The same figure from the study's file, if it is one of its classifiers."""
    if not item.classifier or item.classifier not in study.accuracy:
        return Cell(wording.DASH)
    datasets = [str(d) for d in study.accuracy.index]
    if item.set == "small90":
        datasets = [d for d in datasets if evidence.of(d).group == "small"]
    if len(datasets) != SET_SIZES[item.set]:
        return Cell(
            wording.DASH, hint=f"the file and the registry share {len(datasets)} of {SET_SIZES[item.set]} datasets"
        )
    rule = ZERO_EVERYWHERE if item.rule == ZERO_EVERYWHERE.name else STUDY_2014
    value = float(summarise(study_pool(study, datasets, rule))[item.metric][item.classifier])
    return Cell(f"{wording.number(value)} ({rule.name})", value)

"""The published study: accuracies of 179 classifiers on 121 datasets, and how our methods join its pool.

Fernández-Delgado, Cernadas, Barro, Amorim, JMLR 15 (2014) 3133-3181; its ``results.txt`` is a table separated by white
space: a header (``problema``, the classifiers, ``min max mean std``), one row per dataset with ``--`` for a failed
classifier, a rule of dashes, and two footer rows (``mean``, ``std``).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from bench.errors import ReportError
from bench.stats.missing import STUDY_2014, MissingRule
from bench.stats.summary import Pool

ORIGIN = "http://persoal.citius.usc.es/manuel.fernandez.delgado/papers/jmlr/results.txt"
SIZE = (121, 179)
"""Datasets and classifiers of the whole file."""
DECIMALS = 1
"""Of the study's accuracies."""
_ROW_STATISTICS = ("min", "max", "mean", "std")


@dataclass(frozen=True)
class PublishedStudy:
    """Test accuracy in percent, datasets x classifiers, NaN where the classifier failed."""

    accuracy: pd.DataFrame


def read_published(path: Path) -> PublishedStudy:
    """Read the study's results file. Raises :class:`ReportError` naming the line and what is wrong with it."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ReportError(f"cannot read the published results {str(path)!r}: {error}") from error
    rows = [(number, line.split()) for number, line in enumerate(lines, 1) if line.strip("- \t\r")]
    if not rows or rows[0][1][0] != "problema":
        raise ReportError(f"{path}: not the study's results file: the header must start with 'problema' ({ORIGIN})")
    header = rows[0][1][1:]
    absent = [name for name in _ROW_STATISTICS if name not in header[-len(_ROW_STATISTICS) :]]
    if absent:
        raise ReportError(
            f"{path}: columns missing at the end of the header: {', '.join(absent)}; get it from {ORIGIN}"
        )
    classifiers = header[: -len(_ROW_STATISTICS)]
    repeated = sorted({name for name in classifiers if classifiers.count(name) > 1})
    if repeated or not classifiers:
        raise ReportError(f"{path}: no classifier columns, or repeated ones: {', '.join(repeated) or 'none'}")
    accuracies: dict[str, list[float]] = {}
    for number, (name, *cells) in rows[1:]:
        if name in ("mean", "std"):
            continue
        if len(cells) != len(header):
            raise ReportError(f"{path}:{number}: {name!r} has {len(cells)} values for {len(header)} columns")
        if name in accuracies:
            raise ReportError(f"{path}:{number}: dataset {name!r} occurs twice")
        accuracies[name] = [_accuracy(path, number, cell) for cell in cells[: len(classifiers)]]
    if not accuracies:
        raise ReportError(f"{path}: no datasets after the header")
    return PublishedStudy(pd.DataFrame.from_dict(accuracies, orient="index", columns=classifiers))


def _accuracy(path: Path, number: int, cell: str) -> float:
    if cell == "--":
        return float("nan")
    try:
        value = float(cell)
    except ValueError:
        value = -1.0
    if not 0.0 <= value <= 100.0:
        raise ReportError(f"{path}:{number}: {cell!r} is not an accuracy in percent")
    return value


def study_pool(study: PublishedStudy, datasets: list[str], rule: MissingRule = STUDY_2014) -> Pool:
    """The study's classifiers alone on ``datasets``, less those that failed on all of them.

    Raises :class:`ReportError` if the study lacks a dataset.
    """
    absent = [d for d in datasets if d not in study.accuracy.index]
    if absent:
        raise ReportError(f"not in the published study: {', '.join(absent[:10])}")
    return Pool(_of_study(study, datasets), rule)


def joined_pool(study: PublishedStudy, ours: pd.DataFrame) -> Pool:
    """The study's classifiers and our methods (``ours``: datasets x methods) on our datasets that the study has.

    The caller leaves out datasets on which the two are different tasks (those with a separate test file). Ours are
    rounded to the study's one decimal: in full precision a tie in the study's digits would count as a win or a loss.
    """
    datasets = [d for d in ours.index if d in study.accuracy.index]
    if not datasets:
        raise ReportError("no dataset of the runs is in the published study")
    clash = [m for m in ours.columns if m in study.accuracy.columns]
    if clash:
        raise ReportError(f"methods of both the runs and the published study: {', '.join(clash)}")
    return Pool(pd.concat([_of_study(study, datasets), ours.loc[datasets].round(DECIMALS)], axis=1), STUDY_2014)


def _of_study(study: PublishedStudy, datasets: list[str]) -> pd.DataFrame:
    """The study's accuracies on ``datasets``, of the classifiers with a result on one of them.

    A classifier that failed on all has no mean, and so no place.
    """
    return study.accuracy.loc[datasets].dropna(axis="columns", how="all")

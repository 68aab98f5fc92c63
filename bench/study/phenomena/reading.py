"""What the sections share: outcomes by kind and setting, shares as percent, intervals of accuracies."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from bench.report import wording
from bench.report.blocks import Cell, Link, Notice, Section
from bench.report.figures.curves import Point
from bench.study.cell import Outcome
from bench.study.claims import SignTest, Verdict
from bench.study.summary import mean_point, of_kind

CODE = Link("the authors' code", "https://github.com/aradha/recursive_feature_machines")
TITLES = {
    "cifar10": "CIFAR-10",
    "stl10": "STL-10",
    "mnist": "MNIST",
    "fashion-mnist": "Fashion-MNIST",
    "svhn": "SVHN",
    "digits": "Digits (8 x 8)",
}
METHODS = {"Laplace": "Laplace kernel", "RFM 1": "RFM, 1 update", "RFM 3": "RFM, 3 updates"}
CLASSES: dict[tuple[str, tuple[int, ...]], str] = {
    ("cifar10", (0, 9)): "airplanes and trucks",
    ("stl10", (0, 9)): "airplanes and trucks",
    ("cifar10", (3, 5)): "cats and dogs",
    ("fashion-mnist", (2, 6)): "pullovers and shirts",
}


def parameter(o: Outcome, name: str) -> Any:
    """A parameter of the cell, None if it has none of that name."""
    return o.cell.parameters.get(name)


def classes_words(images: str, classes: Sequence[int]) -> str:
    """``CIFAR-10, airplanes and trucks``; ``MNIST, 3 and 8``; ``MNIST, ten digits``."""
    known = CLASSES.get((images, tuple(classes)))
    if known is None:
        known = "all ten" if len(classes) == 10 else " and ".join(map(str, classes))
    return f"{TITLES.get(images, images)}, {known}"


def percent(values: Sequence[float] | float, digits: int = 1) -> str:
    """The mean in percent: ``93.4 %``."""
    return f"{100 * float(np.mean(values)):.{digits}f} %"


def mean_cell(values: Sequence[float], digits: int = 1, scale: float = 100.0) -> Cell:
    """The mean, in percent unless ``scale`` is another, as a cell of a table; a dash for none."""
    return wording.num(scale * float(np.mean(values)) if len(values) else None, digits)


def points(gains: Sequence[float], digits: int = 1) -> str:
    """The mean gain in percentage points, with its sign: ``+2.1 pp``."""
    return f"{wording.number(100 * float(np.mean(gains)), digits, sign=True)} pp"


def share_of(x: float, values: Sequence[float]) -> Point:
    """The mean of shares with its interval, which stays between 0 and 1."""
    point = mean_point(x, values)
    return replace(point, low=max(0.0, point.low), high=min(1.0, point.high))


def sign_test(gains: Iterable[float]) -> SignTest:
    """Wins and losses of gains that are accuracies: equal ones are ties to the last digit."""
    return SignTest.of(gains, tie=1e-9)


ALL_RULE = (
    "A claim about or against several methods holds if it does of each, does not hold if it does not of one, and holds "
    "in part if it does of some and is undecided of the rest."
)


def all_of(verdicts: Sequence[Verdict]) -> Verdict:
    """Of a claim with several parts, by :data:`ALL_RULE`."""
    if all(v == "holds" for v in verdicts):
        return "holds"
    if any(v == "does not hold" for v in verdicts):
        return "does not hold"
    return "holds in part" if any(v == "holds" for v in verdicts) else "undecided"


def counted(good: int, of: int) -> Verdict:
    """Of a claim about single runs: all of them, more than half, or not."""
    return "holds" if good == of else "holds in part" if 2 * good > of else "does not hold"


def skipped_section(anchor: str, title: str, outcomes: Sequence[Outcome], kind: str) -> Section | None:
    """Why there is nothing of a kind of cell, where all of it was skipped."""
    reasons = list(dict.fromkeys(o.reason for o in of_kind(outcomes, kind) if o.status == "skipped"))
    if not reasons:
        return None
    return Section(anchor, title, tuple(Notice((f"Left out. {reason.rstrip('.')}.",)) for reason in reasons))

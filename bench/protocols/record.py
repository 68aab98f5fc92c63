"""A protocol as a record: what decides an outcome, and the words in which a report speaks of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from bench.records.measure import Kind

Ties = Literal["brier", "order"]
SelectedOn = Literal["training part", "tuning halves"]
Ensemble = Literal["none", "top5", "greedy"]
Inputs = Literal["archive", "nominal"]

PLAIN = {"ensemble": "none", "inputs": "archive"}
"""What a plain protocol has, by field; a variant differs in one or both."""


@dataclass(frozen=True)
class Protocol:
    """How hyperparameters are selected, what is refitted, and how a report speaks of it.

    The first seven fields decide the outcome and are part of a job's identity (:attr:`rules`); the others are words.
    """

    name: str
    selected_on: SelectedOn = "training part"
    """``training part``: anew inside the training part of each test fold, which never shows a test label.
    ``tuning halves``: once, on the splits' tuning halves, which cover the test rows."""
    inner_folds: int = 1
    """Inside a training part: 1 for one stratified 80/20 split, else the folds of a cross-validation."""
    ties: Ties = "brier"
    """Equal accuracies go to the smaller Brier score, or to the earlier grid entry."""
    reuses_metric: bool = False
    """Whether what was learned while tuning (the metric M of RFM) is reused on the test folds instead of retrained."""
    ensemble: Ensemble = "none"
    """``none``: one configuration and iteration is selected. ``top5`` and ``greedy``: several, whose scores are
    averaged (:mod:`bench.protocols.ensemble`)."""
    inputs: Inputs = "archive"
    """``archive``: features as the dataset has them, categories numbered. ``nominal``: a 0/1 column a category."""
    variant_of: str = ""
    """The protocol that has single choices and the archive's inputs and is otherwise the same; empty for that one."""
    order: int = 100
    """Where reports and messages list it."""
    meaning: str = ""
    """A sentence or three for the reader of a report."""
    tag: str = ""
    """A few words of warning next to its heading."""
    caution: str = ""
    """How a sentence on its results begins if they are no estimate of accuracy."""

    def __post_init__(self) -> None:
        if self.inner_folds < 1 or (self.reuses_metric and self.selected_on != "tuning halves"):
            raise ValueError(
                f"protocol {self.name!r}: at least 1 inner fold; only what is learned on the tuning halves is reused"
            )
        if not self.plain and self.selected_on == "tuning halves":
            raise ValueError(
                f"protocol {self.name!r}: on the tuning halves one configuration is selected, as the paper did, and on "
                "the archive's inputs"
            )

    @property
    def plain(self) -> bool:
        """Whether it has single choices and the archive's inputs: what is compared with others' results."""
        return self.varied == PLAIN

    @property
    def varied(self) -> dict[str, str]:
        """The fields of :data:`PLAIN` as it has them."""
        return {"ensemble": self.ensemble, "inputs": self.inputs}

    @property
    def base(self) -> str:
        """The name of the plain protocol that it is a variant of, or its own."""
        return self.variant_of or self.name

    @property
    def tuning(self) -> tuple[Any, ...]:
        """What decides which fits are made to select. Protocols that are equal in it tune alike, and select from the
        same fits."""
        return self.selected_on, self.inner_folds, self.inputs

    @property
    def needs_scores(self) -> bool:
        """Whether it selects by the validation rows' scores, not by figures of them."""
        return self.ensemble == "greedy"

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """What it can be carried out for: only the 2014 archive's datasets, which have classes, have tuning halves."""
        return ("classification",) if self.selected_on == "tuning halves" else ("classification", "regression")

    @property
    def takes_validation_part(self) -> bool:
        """Whether it can select on a validation part that the splits have, where it selects on one 80/20 split."""
        return self.selected_on == "training part" and self.inner_folds == 1

    @property
    def sees_test_labels(self) -> bool:
        """Whether test labels take part in the selection."""
        return self.selected_on == "tuning halves"

    @property
    def paper_grid(self) -> bool:
        """Whether it repeats the paper's procedure, with the paper's own grids."""
        return self.selected_on == "tuning halves"

    @property
    def exposure(self) -> int:
        """How test labels take part: 0 not at all, 1 in the selection, 2 in what is fitted too."""
        return self.sees_test_labels + self.reuses_metric

    @property
    def judged_on(self) -> str:
        """What the candidates are compared on, in words."""
        if self.sees_test_labels:
            return "the tuning halves"
        return "one 80/20 split" if self.inner_folds == 1 else f"{self.inner_folds} folds"

    @property
    def rules(self) -> dict[str, Any]:
        """What decides an outcome, as plain data; of a plain protocol what it was before there were variants."""
        return {
            "name": self.name,
            "selected_on": self.selected_on,
            "inner_folds": self.inner_folds,
            "ties": self.ties,
            "reuses_metric": self.reuses_metric,
            **{key: value for key, value in self.varied.items() if value != PLAIN[key]},
        }

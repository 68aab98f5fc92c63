"""The contract of a method, as checks that can be run on any method.

:func:`check_method` exercises a method on small generated datasets and returns what failed, in words. The checks are
listed in ``CLAUSES``; :mod:`bench.records.method` says the same in prose. A method that passes them all can be used
with any protocol. Figures may differ by ``clauses.TOLERANCE`` where the same network, forest or kernel is computed in
another batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bench.methods.contract import clauses
from bench.methods.contract.exercise import Exercise
from bench.records.measure import Kind
from bench.records.method import Method


@dataclass(frozen=True)
class Clause:
    """One promise of the contract: ``check`` yields a sentence for each failure that it finds."""

    name: str
    promise: str
    check: Callable[[Exercise], Iterator[str]]
    kind: Kind | None = None
    """What it is about, if not about both."""


def clauses_of(kind: Kind) -> list[Clause]:
    """The checks for a method that predicts ``kind``."""
    return [clause for clause in CLAUSES if clause.kind in (None, kind)]


def check_method(method: Method) -> list[str]:
    """All failures of ``method``, as ``"check (kind): what happened"``, for each kind of prediction that it makes."""
    found = []
    for kind in method.kinds:
        exercise = Exercise(method, kind)
        for clause in clauses_of(kind):
            found += [f"{clause.name} ({kind}): {breach}" for breach in breaches(clause, exercise)]
    return found


def breaches(clause: Clause, exercise: Exercise) -> list[str]:
    """Failures of one check; an exception that it does not allow is a failure, ``sys.exit()`` included."""
    found: list[str] = []
    try:
        found.extend(clause.check(exercise))
    except (Exception, SystemExit) as error:  # else the whole check would end here, as if nothing had failed
        found.append(f"raised {type(error).__name__}: {error}")
    return found


CLAUSES: tuple[Clause, ...] = (
    Clause("grid", "configurations() is not empty, JSON-able, without repeats, and always the same", clauses.grid),
    Clause("pickle", "the method can be sent to another process", clauses.pickles),
    Clause(
        "estimates",
        "peak_bytes and work are positive and do not fall with the table's size; limits are stated",
        clauses.estimates,
    ),
    Clause("paths", "tune() gives one finite, well-formed path per configuration, in the grid's order", clauses.paths),
    Clause(
        "scores", "predict() scores each row independently of the others, and learns an easy problem", clauses.scores
    ),
    Clause("identity", "predict() on a fold reproduces the path's figures", clauses.identity),
    Clause(
        "kept scores",
        "where the task asks for them, the scores that a path's figures were computed from, if the method keeps any",
        clauses.kept_scores,
    ),
    Clause("determinism", "the same seed gives the same figures and scores, bit for bit", clauses.deterministic),
    Clause(
        "hidden labels",
        "only labels of fit rows are read, and those of validation rows to compare configurations",
        clauses.hidden,
    ),
    Clause("task untouched", "the task's arrays are not changed", clauses.untouched),
    Clause("absent class", "a class without fit rows is never predicted", clauses.absent, "classification"),
    Clause(
        "one class",
        "fit rows of one class: that class is predicted, or MethodError raised",
        clauses.one_class,
        "classification",
    ),
    Clause("one-row class", "a class with a single row", clauses.survives(14, 14, 1), "classification"),
    Clause(
        "one number",
        "targets all the same: that number is predicted, or MethodError raised",
        clauses.one_number,
        "regression",
    ),
    Clause("ten rows", "ten rows, of two classes if there are classes", clauses.survives(6, 4)),
    Clause("constant column", "a feature that never changes", clauses.survives(12, 12, constant=True)),
    Clause("one feature", "a single feature", clauses.survives(12, 12, d=1)),
    Clause("all constant", "a single feature that never changes", clauses.survives(12, 9, d=1, constant=True)),
    Clause("transfer", "predict() takes transfer=True after tune()", clauses.transfer),
)

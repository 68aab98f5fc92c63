"""Every check finds what was planted and nothing on a plain table; known faults of the study's tables are found."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bench.data.archive import ArchiveSource
from bench.data.embedded import EmbeddedSource
from bench.data.registry import load_registry
from bench.data.validate import Examined, Finding, examine, unnamed

Column = Callable[[np.ndarray], np.ndarray]


def plain(n: int = 200, d: int = 3, c: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Overlapping normal classes, equally many rows each."""
    y = np.arange(n) % c
    return np.random.default_rng(0).normal(size=(n, d)) + y[:, None], y


def numeric(n: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """A number to predict that depends on three normal features, with noise."""
    draws = np.random.default_rng(0)
    X = draws.normal(size=(n, 3))
    return X, X[:, 0] ** 2 + X[:, 1] + draws.normal(size=n)


def found(X: np.ndarray, y: np.ndarray, c: int = 2) -> dict[str, Finding]:
    findings = examine(unnamed(X, y, c))
    assert all(finding.what and finding.means for finding in findings)
    return {finding.check: finding for finding in findings}


def test_nothing_is_odd_about_a_plain_table() -> None:
    assert found(*plain()) == found(*plain(c=4), c=4) == found(*numeric(), 0) == {}


def test_repeated_rows_and_what_they_bound() -> None:
    X, y = plain()
    X[3], X[4] = [0.0, np.nan, 1.0], [-0.0, np.nan, 1.0]
    assert found(X, y)["repeated rows"].what == "2 of 200 rows have an equal row (199 distinct rows)"
    assert found(X, y)["repeated rows"].severity == "note"
    X, y = plain()
    X[100:130] = X[0:30]
    y[100:110] = 1 - y[0:10]
    y[110:130] = y[10:30]
    by_check = found(X, y)
    assert by_check["repeated rows"].severity == "warning"
    assert by_check["repeated rows"].what == "60 of 200 rows have an equal row (170 distinct rows)"
    assert by_check["contradictions"].what == "10 groups of equal rows with different labels"
    assert "more than 95.0 % of the rows" in by_check["contradictions"].means


@pytest.mark.parametrize(
    ("column", "check"),
    [
        (np.arange(200.0), "warning: identifiers"),
        (np.random.default_rng(0).permutation(200) + 5000.0, "warning: identifiers"),
        (np.arange(200.0) * 1000, None),  # different whole numbers, but far apart: amounts
        (np.arange(200.0) + 0.5, None),
        (np.arange(200.0) // 2, None),
        (np.full(200, 5.0), "note: constant columns"),
        (np.full(200, np.nan), "warning: empty columns"),
        (np.random.default_rng(0).normal(size=200) * 1e-170, "warning: lost in rounding"),
        (1e15 + np.arange(200.0) // 2 % 2, "warning: lost in rounding"),
        (5e-324 * (np.arange(200) % 3), "warning: lost in rounding"),
    ],
)
def test_what_is_odd_about_a_column_by_itself(column: np.ndarray, check: str | None) -> None:
    X, y = plain()
    X[:, 1] = column
    odd = [finding for finding in found(X, y).values() if finding.check != "scales"]
    assert [f"{finding.severity}: {finding.check}" for finding in odd] == ([check] if check else [])
    assert all(finding.columns == ("f2",) for finding in odd)


ALONE = "f2 alone determines the label"


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (lambda y: y.astype(float), ALONE),
        (lambda y: 3.0 - y, ALONE),
        (lambda y: y + np.random.default_rng(1).uniform(0, 0.9, size=len(y)), ALONE),
        (lambda y: y + 2.0 * np.random.default_rng(1).integers(0, 3, size=len(y)), ALONE),
        (lambda y: np.where(np.arange(len(y)) == 7, 1.0 - y, y), "f2 alone labels 99.5 % of the rows correctly"),
    ],
)
def test_a_column_that_gives_the_label_away(given: Column, says: str) -> None:
    X, y = plain()
    X[:, 1] = given(y)
    finding = found(X, y)["label leak"]
    assert (finding.what, finding.severity, finding.columns) == (says, "warning", ("f2",))


def test_a_category_gives_the_label_away_though_none_of_its_levels_does() -> None:
    y = np.arange(90) % 3
    X = np.column_stack([np.random.default_rng(0).normal(size=90), np.eye(3)[y]])
    features = ("amount", "grade=a", "grade=b", "grade=c")
    table = Examined(X, y, features, ("x", "y", "z"), ("amount", "grade"))
    assert [finding.what for finding in examine(table)] == ["grade alone determines the label"]


def test_small_classes_majorities_and_shapes() -> None:
    X, y = plain(300, c=1)
    y[:2], y[2:8] = 1, 2
    by_check = found(X, y, c=3)
    assert by_check["tiny classes"].what == "fewer than 4 rows: class 1 (2)"
    assert by_check["small classes"].what == "fewer than 10 rows: class 2 (6)"
    assert by_check["imbalance"].what == "97.3 % of the rows are of class 0"
    assert "always predicting it is 97.3 % accurate" in by_check["imbalance"].means
    assert "wide" in found(*plain(20, d=30))
    assert "10,001 rows" in found(*plain(10_001, d=1))["long"].what


def test_scales_far_out_values_and_rare_levels() -> None:
    X, y = plain(2000)
    X[:, 0] *= 1e4
    by_check = found(X, y)
    assert list(by_check) == ["scales"]
    assert by_check["scales"].columns[0] == "f1"
    X, y = plain(2000)
    X[5, 1] = 500.0
    X[:, 2] = 0.0
    X[:2, 2] = 1.0
    by_check = found(X, y)
    assert by_check["outliers"].columns == ("f2",)
    assert "in 1 row" in by_check["outliers"].what
    assert by_check["rare categories"].columns == ("f3",)
    assert by_check["rare categories"].severity == "note"


def test_gaps_are_counted_and_do_not_look_far_out() -> None:
    X, y = plain()
    X += 1000.0
    X[:10, 0] = np.nan
    assert list(found(X, y)) == ["missing numbers"]
    assert found(X, y)["missing numbers"].severity == "note"
    X[:100, 2] = np.nan
    finding = found(X, y)["missing numbers"]
    assert finding.severity == "warning"
    assert finding.what == "18 % of the numbers: f3 50 %, f1 5 %; 100 rows"


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (lambda y: y, "f2 equals the target"),
        (lambda y: 32 - 1.8 * y, "f2 is the target in other units (its correlation with it is 1)"),
        (np.exp, "f2 orders the rows as the target does"),
    ],
)
def test_a_column_that_is_the_target(given: Column, says: str) -> None:
    X, y = numeric()
    X[:, 1] = given(y)
    finding = found(X, y, 0)["target leak"]
    assert (finding.what, finding.severity, finding.columns) == (says, "warning", ("f2",))


def test_what_repeated_rows_bound_in_regression() -> None:
    X, y = numeric()
    X[100:130] = X[0:30]
    y[110:130] = y[10:30]
    y[:10], y[100:110] = 0.0, 8.0
    by_check = found(X, y, 0)
    assert by_check["repeated rows"].what == "60 of 200 rows have an equal row (170 distinct rows)"
    assert "part of the R2 is memorised" in by_check["repeated rows"].means
    assert by_check["contradictions"].what == "10 groups of equal rows with different targets"
    best = 1 - 10 * 2 * 4.0**2 / ((y - y.mean()) ** 2).sum()
    assert f"an R2 above {best:.3f}" in by_check["contradictions"].means


def test_targets_far_out_and_few() -> None:
    X, y = numeric(2000)
    y[7] = 500.0
    finding = found(X, y, 0)["outlying targets"]
    assert finding.what.startswith("1 more than 10 standard deviations from the mean, up to ")
    assert finding.severity == "warning"
    assert found(X, np.rint(X[:, 0]), 0)["few values"].severity == "note"


@pytest.mark.parametrize(("classes", "largest"), [(0, 1e140), (3, 1e300)])
@settings(max_examples=60)
@given(data=st.data())
def test_no_table_is_too_odd(classes: int, largest: float, data: st.DataObject) -> None:
    numbers = st.one_of(st.just(np.nan), st.floats(-largest, largest, width=64))
    X = data.draw(arrays(np.float64, st.tuples(st.integers(2, 12), st.integers(1, 4)), elements=numbers))
    targets = st.integers(0, 2) if classes else st.floats(-largest, largest, width=64)
    y = data.draw(arrays(np.int64 if classes else np.float64, len(X), elements=targets))
    assume(classes or y.std() > 0)
    with warnings.catch_warnings():
        if classes:
            warnings.simplefilter("ignore", RuntimeWarning)  # sums of values of 1e300 overflow
        found(X, y, classes)


def checks_of(name: str, source: ArchiveSource | EmbeddedSource) -> dict[str, Finding]:
    dataset = source.load(load_registry().entry(name))
    return found(dataset.X, dataset.y, dataset.n_classes)


def test_the_known_faults_of_embedded_tables_are_found() -> None:
    votes = checks_of("congressional-voting", EmbeddedSource())
    assert votes["repeated rows"].what == "377 of 435 rows have an equal row (76 distinct rows)"
    assert "more than 67.6 %" in votes["contradictions"].means
    assert "outlying targets" in checks_of("forest-fires", EmbeddedSource())


@pytest.mark.archive
def test_the_known_faults_of_the_studys_tables_are_found(study: ArchiveSource) -> None:
    for name, rows, distinct in (("titanic", 2201, 14), ("led-display", 1000, 88)):
        assert f"({distinct} distinct rows)" in checks_of(name, study)["repeated rows"].what
        assert any(f"{rows - distinct} of {rows} rows repeat" in fault for fault in load_registry().entry(name).faults)
    tiny = {"audiology-std", "ecoli", "lymphography", "post-operative"}
    for name in (*tiny, "wine", "seeds"):
        assert ("tiny classes" in checks_of(name, study)) == (name in tiny)

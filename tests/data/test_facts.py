"""What `facts.csv` says of the datasets, recomputed in other ways."""

from __future__ import annotations

import io
from decimal import Decimal
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from bench.data.embedded import EmbeddedSource
from bench.data.facts import FILE, load_facts, possibly_nominal, repeated_shares, standardised, write_facts
from bench.data.registry import load_registry
from bench.data.splits import splits_for
from bench.records.dataset import Dataset, FloatArray, Holdout

FACTS = load_facts()
REGISTRY = load_registry()


def shares(dataset: Dataset, seed: int = 0) -> tuple[float, float]:
    """Percent of test samples that stand in the training part, and with another label there: by merges in pandas."""
    names = [f"f{i}" for i in range(dataset.X.shape[1])]
    samples = pd.DataFrame(dataset.X, columns=names).assign(label=dataset.y)
    repeated, conflicting = [], []
    for fold in splits_for(dataset, seed).holdouts:
        test = samples.iloc[fold.test].assign(number=range(len(fold.test)))
        both = test.merge(samples.iloc[fold.train], on=names, suffixes=("", "_there"))
        repeated.append(both["number"].nunique() / len(test))
        conflicting.append(both.loc[both["label"] != both["label_there"], "number"].nunique() / len(test))
    return 100 * sum(repeated) / len(repeated), 100 * sum(conflicting) / len(conflicting)


def equal_steps(X: FloatArray) -> int:
    """Columns of 3 to 12 values in equal steps, by decimal arithmetic."""
    found = 0
    for column in X.T:
        values = sorted({Decimal(repr(float(v))) for v in column})
        found += 3 <= len(values) <= 12 and len({b - a for a, b in pairwise(values)}) == 1
    return found


EMBEDDED = (
    "balance-scale blood breast-cancer breast-cancer-wisc car congressional-voting contrac flags iris lenses "
    "post-operative primary-tumor teaching wine-quality-red zoo auto-mpg forest-fires servo wine-quality-red-score"
)
ARCHIVED = "titanic led-display zoo mammographic hayes-roth trains monks-1"


@pytest.mark.parametrize(
    ("source", "name"),
    [
        *(("embedded", name) for name in EMBEDDED.split()),
        *(pytest.param("archive", name, marks=pytest.mark.archive) for name in ARCHIVED.split()),
    ],
)
def test_what_is_kept_is_what_merges_find(request: pytest.FixtureRequest, source: str, name: str) -> None:
    given = request.getfixturevalue("study") if source == "archive" else EmbeddedSource()
    dataset, facts = given.load(REGISTRY.entry(name)), FACTS[name, source]
    assert (facts.repeated_percent, facts.conflicting_percent) == pytest.approx(shares(dataset), abs=0.00501)
    assert (facts.samples, facts.features) == dataset.X.shape
    assert facts.table_sha256 == dataset.sha256
    assert facts.standardised == np.allclose(dataset.X.mean(axis=0), 0, atol=1e-4)
    assert facts.folds == {"embedded": "seed-0", "archive": "published"}[source]
    assert source == "archive" or facts.possibly_nominal == equal_steps(dataset.X)


def test_every_embedded_dataset_has_facts_with_its_missing_values() -> None:
    embedded = {name: facts for (name, source), facts in FACTS.items() if source == "embedded"}
    assert embedded.keys() == {entry.name for entry in REGISTRY.entries.values() if entry.embedded}
    found = [embedded[name].missing_values for name in ("congressional-voting", "hepatitis", "iris")]
    assert found == [392, 167, 0]
    for name, facts in embedded.items():
        assert facts.missing_values is not None
        assert facts.missing_samples is not None
        assert facts.missing_samples <= min(facts.missing_values, facts.samples)
        archive = FACTS.get((name, "archive"), facts)  # the same, standardised: see test_embedded
        assert (archive.missing_values, archive.missing_samples) == (facts.missing_values, facts.missing_samples)
        assert archive.possibly_nominal == facts.possibly_nominal
    X = EmbeddedSource().load(REGISTRY.entry("breast-cancer")).X  # its only zeros in these columns were `?`
    assert (X[:, [4, 7]] == 0).sum() == embedded["breast-cancer"].missing_values


def test_the_file_is_written_as_it_is_read() -> None:
    written = io.StringIO()
    write_facts(FACTS.values(), written)
    assert written.getvalue() == FILE.read_text(encoding="utf-8")


def test_shares_of_a_small_example() -> None:
    X = np.array([[0.0, 1.0], [-0.0, 1.0], [2.0, 2.0], [0.0, 1.0], [2.0, 2.0], [3.0, 3.0]])
    y = np.array([0, 1, 0, 0, 0, 1])
    fold = Holdout(np.array([0, 1, 2]), np.array([3, 4, 5]))
    assert repeated_shares(X, y, [fold]) == pytest.approx((2 / 3, 1 / 3))  # the first stands there with both labels
    apart = Holdout(np.array([5]), np.array([0, 1, 2, 3]))
    assert repeated_shares(X, y, [fold, apart]) == pytest.approx((1 / 3, 1 / 6))


def test_columns_that_may_be_nominal() -> None:
    rng = np.random.default_rng(0)
    codes = rng.permutation(np.arange(60) % 4).astype(float)
    X = np.column_stack([codes, codes % 2, np.arange(60) % 13, np.where(codes == 3, 4, codes), rng.normal(size=60)])
    assert possibly_nominal(X) == 1  # not: two values, thirteen, unequal steps, a number
    scaled = (X - X.mean(axis=0)) / X.std(axis=0, ddof=1)
    assert possibly_nominal(np.array([[float(f"{v:g}") for v in row] for row in scaled])) == 1
    assert (standardised(X), standardised(scaled)) == (False, True)
    assert standardised(np.column_stack([scaled, np.zeros(60)]))  # a constant column stays as it is

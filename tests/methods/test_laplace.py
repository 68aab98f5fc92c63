"""The Laplace kernel is RFM before its first update, under every protocol."""

from __future__ import annotations

import numpy as np
import pytest

from bench.data.splits import splits_for
from bench.methods.laplace import Laplace
from bench.methods.rfm import RFM
from bench.protocols import PROTOCOLS, carry_out
from bench.protocols.registry import plain_names
from bench.records.dataset import Dataset


def generated(n: int) -> Dataset:
    rng = np.random.default_rng(4)
    X = rng.normal(size=(n, 5))
    y = (X[:, 0] * X[:, 1] > 0) + (X[:, 2] > 1)
    return Dataset(name="generated", X=X, y=y.astype(np.int64), n_classes=3, source="generated")


@pytest.mark.parametrize(
    ("protocol", "n"),
    [
        *((name, 60) for name in plain_names(PROTOCOLS)),
        *((name, 700) for name in ("clean", "published")),  # in float32
    ],
)
def test_laplace_is_the_first_point_of_every_path(protocol: str, n: int) -> None:
    dataset = generated(n)
    splits = splits_for(dataset, seed=0)
    rfm, laplace = (carry_out(method, dataset, splits, PROTOCOLS[protocol], seed=0) for method in (RFM(), Laplace()))
    assert len(rfm) == len(laplace) == 4
    for ours, plain in zip(rfm, laplace, strict=True):
        assert plain.iteration == 0
        assert len(ours.path) == len(plain.path)
        for moving, still in zip(ours.path, plain.path, strict=True):
            assert still["config"] == moving["config"]
            assert still["iterations"] == [0]
            assert still["score"] == moving["score"][:1]
            assert still["squared_error"] == pytest.approx(moving["squared_error"][:1], abs=2e-6)
        if ours.iteration == 0:
            assert (plain.config, plain.score) == (ours.config, ours.score)
        assert plain.validation_score <= ours.validation_score

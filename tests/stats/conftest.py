"""Results tables small enough to check by hand."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest


@pytest.fixture(scope="session")
def published_path() -> Path:
    """The published study's results file: ``BENCH_PUBLISHED``, or beside the checkout."""
    default = Path(__file__).parents[3] / "shared" / "uci121" / "results-179-classifiers.txt"
    path = Path(os.environ.get("BENCH_PUBLISHED", default))
    if not path.is_file():
        pytest.skip(f"the published results file is not at {path} (set BENCH_PUBLISHED)")
    return path


@pytest.fixture
def accuracies() -> pd.DataFrame:
    """Thirty datasets x five methods from a fixed seed; rounded so that ties occur, one method clearly behind."""
    generator = np.random.default_rng(7)
    ability = generator.uniform(55, 100, size=(30, 1))
    values = ability + generator.normal(0, 2.0, size=(30, 5)) + np.array([0.0, -0.2, -0.5, -1.0, -5.0])
    names = [f"table-{i:02d}" for i in range(30)]
    return pd.DataFrame(
        np.clip(values, 0, 100).round(0), index=names, columns=["rfm", "laplace", "ntk", "mlp", "stump"]
    )

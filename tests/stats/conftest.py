"""Results tables small enough to check by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest


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

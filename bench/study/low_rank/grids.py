"""The grids of the low-rank study's methods: how far each may widen, and where it starts."""

from __future__ import annotations

from bench.study.low_rank.search import Axis

RIDGE = Axis("ridge", (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0), 1e-3)
NTK_RIDGE = Axis("ridge", (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0, 1000.0), 1e-2)
BANDWIDTH = Axis("bandwidth", (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0), 30.0)
NTK_DEPTH = Axis("depth", (1, 2, 3, 4, 5, 6), 2, first_is_natural=True)
NETWORK = (
    Axis("rate", (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2), 3e-3),
    Axis("decay", (0.0, 1e-2, 1e-1, 1.0, 10.0), 1e-1, first_is_natural=True),
    Axis("depth", (1, 2, 3, 4, 5), 2, first_is_natural=True),
    Axis("width", (32, 64, 128, 256, 512, 1024), 128),
)
ITERATIONS = 10
EPOCHS, PATIENCE = 300, 30
"""Updates of M at most; epochs at most, and so many without a lower error after which to stop."""

UPDATES = Axis("iterations", tuple(range(ITERATIONS + 1)), 0, first_is_natural=True)
EPOCH = Axis("epoch", tuple(range(1, EPOCHS + 1)), 1, first_is_natural=True)

AXES: dict[str, tuple[Axis, ...]] = {
    "RFM": (RIDGE, BANDWIDTH, UPDATES),
    "diagonal RFM": (RIDGE, BANDWIDTH, UPDATES),
    "Laplace": (RIDGE, BANDWIDTH),
    "NTK": (NTK_RIDGE, NTK_DEPTH),
    "MLP": (*NETWORK, EPOCH),
}
"""Of each method all that is selected, for the report."""

"""RFM with the product Laplace kernel: l1 distances, and the diagonal of the AGOP as weights of the features.

The paper's ridges, bandwidth and number of updates in another kernel (:mod:`rfm.product_sweep`).
"""

from __future__ import annotations

from typing import ClassVar

from bench.methods.rfm import BANDWIDTH, RFM, ChainSession
from bench.records.method import CPU, Session, Task
from rfm.large import SWEEP_ROWS
from rfm.problem import Chains
from rfm.product_sweep import ProductSweep


class RFML1(RFM):
    """RFM's grid with l1 distances: rows of unit norm or not, which for this kernel is above all another bandwidth.

    Decided on twelve of the package's datasets (`clean-cv`, greedy ensembles with RFM's grid): without rows of unit
    norm, the only other recipe that was tried, the mean accuracy was 0.65 +- 0.58 percentage points lower; on twelve
    others, looked at once, 0.16 +- 0.19 higher. The bandwidth was not tuned.
    """

    name = "rfm_l1"
    title = "RFM (l1 kernel)"
    devices: ClassVar[tuple[str, ...]] = (CPU,)

    def peak_bytes(self, n: int, d: int, c: int) -> int:
        m = 0.75 * n
        # K, its factor, in float64 where float32 does not suffice; rows as they are, weighted, their order; a chunk of
        # gradients, thrice.
        return int(24 * m * m + 32 * n * (d + c) * len(self.unit_norms) + 1e8 + 24 * m * len(self.ridges) * c)

    def work(self, n: int, d: int, c: int) -> float:
        m = 0.6 * n
        points = self.iterations + 1
        entries = m * m * d * (1.5 * points * 3e-10 + self.iterations * (5e-10 + 4e-11 * c))
        chain = entries + points * (m**3 / 3 / 7e10 + 4e-4) + self.iterations * d * 3e-5
        return 4 * len(self.chains()) * chain

    def limitation(self, n: int, d: int, c: int) -> str | None:
        if 0.75 * n <= SWEEP_ROWS:
            return None
        return f"needs the kernel matrix of all training samples: at most {SWEEP_ROWS:,}"

    def session(self, task: Task) -> Session:
        return L1Session(task, self)


class L1Session(ChainSession):
    """Chains in the product kernel on one task."""

    def __init__(self, task: Task, method: RFM) -> None:
        super().__init__(task, method)
        self._sweep = ProductSweep(task.X, task.targets, BANDWIDTH, dtype=method.dtype)

    def _chains(self, n: int) -> Chains:
        return self._sweep

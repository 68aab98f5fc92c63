"""RFM's grid and that of its l1 kernel in one, for ensembles over both.

A single choice from it is one among twice as many, which few validation samples tell apart no better.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from bench.methods.rfm import RFM
from bench.methods.rfm_l1 import RFML1
from bench.records.dataset import IntArray
from bench.records.method import Choice, Fold, Method, Path, Prediction, Session, Task

KERNELS: dict[str, RFM] = {"l2": RFM(), "l1": RFML1()}
"""Ties go to the paper's kernel."""


class RFMPool(Method):
    """Every configuration of `rfm` (``kernel`` l2) and of `rfm_l1` (l1)."""

    name = "rfm_pool"
    title = "RFM (l2 and l1 kernels)"
    kinds = ("classification", "regression")

    def configurations(self) -> list[dict[str, Any]]:
        return [{"kernel": name, **chain} for name, method in KERNELS.items() for chain in method.configurations()]

    def peak_bytes(self, n: int, d: int, c: int) -> int:
        return sum(method.peak_bytes(n, d, c) for method in KERNELS.values())  # sweeps keep their scratch memory

    def work(self, n: int, d: int, c: int) -> float:
        return sum(method.work(n, d, c) for method in KERNELS.values())

    def limitation(self, n: int, d: int, c: int) -> str | None:
        return KERNELS["l1"].limitation(n, d, c)

    def session(self, task: Task) -> Session:
        return _PoolSession(task)


class _PoolSession(Session):
    """The sessions of both methods on one task."""

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self._sessions = {name: method.session(task) for name, method in KERNELS.items()}

    def tune(self, folds: Sequence[Fold]) -> list[Path]:
        return [
            replace(path, config={"kernel": name, **path.config})
            for name, session in self._sessions.items()
            for path in session.tune(folds)
        ]

    def predict(self, choice: Choice, train: IntArray, test: IntArray, *, transfer: bool = False) -> Prediction:
        own = {key: value for key, value in choice.config.items() if key != "kernel"}
        session = self._sessions[choice.config["kernel"]]
        return session.predict(Choice(own, choice.iteration), train, test, transfer=transfer)

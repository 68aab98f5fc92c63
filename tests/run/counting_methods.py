"""Methods that count their threads; apart from the others, whose jobs need not wait for torch to be loaded."""

from __future__ import annotations

import threadpoolctl
import torch
from faulty_methods import Centroid, CentroidSession

from bench.records.dataset import IntArray
from bench.records.method import Choice, Prediction


class CountingSession(CentroidSession):
    def predict(self, choice: Choice, train: IntArray, test: IntArray, *, transfer: bool = False) -> Prediction:
        blas = max(pool["num_threads"] for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas")
        scores = super().predict(choice, train, test).scores
        return Prediction(scores, {"threads": {"torch": torch.get_num_threads(), "blas": blas}})


class CountsThreads(Centroid):
    name = "counts-threads"
    session_class = CountingSession


class CountsThreadsLarge(CountsThreads):
    name = "counts-threads-large"
    estimate = (1 << 30) + 1

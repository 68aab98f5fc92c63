"""From a run to the figures per 1,000 samples: what scoring took is stored, exported and read again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tiny_benchmark import TinyBenchmark

import bench
from bench.cli.export import export_runs
from bench.stats.frame import seconds_per_thousand


@pytest.mark.usefixtures("in_process")
def test_a_run_tells_what_scoring_took_and_an_export_keeps_it(tmp_path: Path) -> None:
    tiny = TinyBenchmark(tmp_path / "run")
    _, record = tiny.run("bench.methods.laplace:Laplace", "bench.methods.svm_rbf:SVMRBF", jobs=1)
    assert [r.status for r in record.results] == ["ok"] * 4
    for result in record.results:
        for h in result.holdouts:
            assert h.predict_seconds is not None
            assert 0 <= h.predict_seconds <= h.fit_seconds
            assert (h.train_samples or 0) + (h.test_samples or 0) == result.job.rows
            assert h.train_samples == 3 * result.job.rows // 4
    stored = bench.load(tiny.folder)
    path = export_runs([tiny.folder], out=tmp_path / "scores.csv")[0]
    pd.testing.assert_frame_equal(bench.load(path), stored)
    methods = stored["method"].unique()
    found = seconds_per_thousand(stored, "clean", ["alpha", "beta"])
    for method in methods:
        of = [r for r in record.results if r.job.method == method]
        predict = [np.mean([1000 * h.predict_seconds / h.test_samples for h in r.holdouts]) for r in of]  # type: ignore[operator]
        train = [
            np.mean([1000 * (h.fit_seconds - h.predict_seconds) / h.train_samples for h in r.holdouts])  # type: ignore[operator]
            for r in of
        ]
        np.testing.assert_allclose(found.loc[method], [np.median(train), np.median(predict)], rtol=1e-12)

"""tools/variants_table.py: what all methods have under all variants, decided on one set and confirmed on the other."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from synthetic_runs import make_run

from bench.data.registry import load_registry
from bench.stats.frame import scores_frame

ROOT = Path(__file__).resolve().parents[2]
REGISTRY = load_registry()
EMBEDDED = [e.name for e in REGISTRY.select("embedded")][:14]
OTHERS = [e.name for e in REGISTRY.select("small90") if e.embedded is None][:12]
METHODS = ("rfm", "rfm_pool", "laplace", "mlp")


@pytest.fixture(scope="module")
def tool() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "tools" / "variants_table.py"))


@pytest.fixture(scope="module")
def scores() -> pd.DataFrame:
    coded = [name for name in [*EMBEDDED, *OTHERS] if REGISTRY.entry(name).nominal_columns]
    assert 0 < len(coded) < len(EMBEDDED) + len(OTHERS)
    runs = [
        make_run([*EMBEDDED, *OTHERS], METHODS, ("clean-cv", "clean-cv-greedy"), details=False),
        make_run(coded, METHODS, ("clean-cv-nominal", "clean-cv-greedy-nominal"), seed=0, details=False),
    ]
    return scores_frame(result for run in runs for result in run.results)


def test_what_one_method_lacks_is_left_out_for_all(tool: dict[str, Any], scores: pd.DataFrame) -> None:
    lacking = (scores["dataset"] == OTHERS[0]) & (scores["method"] == "mlp") & (scores["protocol"] == "clean-cv-greedy")
    found = tool["by_variant"](scores[~lacking], REGISTRY)
    assert OTHERS[0] not in {dataset for matrix in found.values() for dataset, _ in matrix.index}


def test_the_page_is_that_of_the_kept_scores(monkeypatch: pytest.MonkeyPatch, tool: dict[str, Any]) -> None:
    monkeypatch.setattr("sys.argv", ["variants_table.py", "--check"])
    assert tool["main"]() == 0, "run `python tools/variants_table.py`"

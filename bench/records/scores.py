"""The columns of ``scores.csv``: what is exported of results, and what can be read again."""

from __future__ import annotations

from typing import Literal, TypeAlias

from bench.records.measure import MEASURES

ColumnKind: TypeAlias = Literal["text", "whole", "number"]

FIRST_COLUMNS: dict[str, ColumnKind] = {
    "dataset": "text",
    "source": "text",
    "rows": "whole",
    "features": "whole",
    "classes": "whole",
    "method": "text",
    "protocol": "text",
    "split": "text",
    "holdout": "whole",
    "status": "text",
    "accuracy": "number",
    "config": "text",
    "iteration": "whole",
    "validation_accuracy": "number",
    "fit_seconds": "number",
    "job_seconds": "number",
    "peak_rss_mb": "number",
    "seed": "whole",
}
"""Those that every file has, in order, with what they hold; failed jobs have nothing in what is of a test fold."""

LATER_COLUMNS: dict[str, ColumnKind] = {
    "task": "text",
    "metric": "text",
    "score": "number",
    "validation_score": "number",
    **dict.fromkeys((key for key in MEASURES if key != "accuracy"), "number"),
    "table_sha256": "text",
    "fold_sha256": "text",
    "reduction": "text",
    "reason": "text",
    "cpu_seconds": "number",
    "predict_seconds": "number",
    "train_samples": "whole",
    "test_samples": "whole",
    "ensemble": "text",
    "inputs": "text",
}
"""Those that older files do not have."""

SCORE_COLUMNS = (*FIRST_COLUMNS, *LATER_COLUMNS)
"""Columns of ``scores.csv``, in order. Users script against them; new ones come at the end.

``accuracy`` and ``validation_accuracy`` are empty where there is none. ``score`` is the accuracy in percent or R2,
``validation_score`` the value of the measure that selected, ``metric`` its name. ``table_sha256`` is the checksum of
the table that was read, ``fold_sha256`` that of the row numbers of the test fold and of what selects for it (empty in
results of before they were recorded): results on equal ones can be compared. ``reduction`` says in words what was
taken from the divisions, ``reason`` why a job failed; ``job_seconds`` are wall and ``cpu_seconds`` CPU seconds of the
whole job. Of a test fold ``fit_seconds`` are the CPU seconds of selecting, fitting and predicting, ``predict_seconds``
those of them that scored its ``test_samples`` with the predictor fitted on its ``train_samples`` (empty where a method
does not tell, and in older results). ``ensemble`` and ``inputs`` are those of the protocol, ``none`` and ``archive`` in
results of before there were others, and empty for a protocol that is not registered. ``config`` of an ensemble is
``{"members": [{"config", "iteration", "weight"}, ...]}``, the heaviest first, its ``iteration`` 0.
"""

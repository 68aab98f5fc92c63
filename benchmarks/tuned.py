"""Estimators out of the box on the embedded tables: accuracy, log loss and CPU seconds, in the same run.

    python benchmarks/tuned.py [--rows 2000] [--seed 1] [--out benchmarks/tuned.md]
    python benchmarks/tuned.py --task regression --out benchmarks/tuned-regression.md

Each estimator has its defaults, one thread, and no scaler. All are told which columns are nominal, as the registry has
them: ours by ``categorical_features``, the others get a column of 0 and 1 for each category that the training rows
have, as a user of a forest would give them. Each table of at most ``--rows`` rows is divided into 4 folds, stratified
by classes, drawn by ``--seed``. Probabilities below 1e-15 count as 1e-15 in the log loss; test rows of a class that the
training part has not are left out of it. What is written in the page between its notes markers is kept.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from engine_report import notes_of
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.metrics import r2_score
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from xgboost import XGBClassifier, XGBRegressor

from bench.data.embedded import EmbeddedSource
from bench.data.registry import load_registry
from bench.records.dataset import Dataset
from rfm import KernelRidgeClassifierCV, KernelRidgeRegressorCV, RFMClassifier, RFMClassifierCV, RFMRegressorCV

FOLDS = 4
Columns = list[int]
Estimators = dict[str, Callable[[Columns], Any]]


def tuned(kind: type, **given: Any) -> Callable[[Columns], Any]:
    """What makes an estimator of ours that is told its nominal columns."""
    return lambda nominal: kind(categorical_features=nominal, **given)


def encoded(*steps: Callable[[], Any]) -> Callable[[Columns], Any]:
    """What makes a pipeline of ``steps`` after one-hot columns for the nominal ones."""

    def made(nominal: Columns) -> Any:
        encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
        columns = ColumnTransformer([("nominal", encoder, nominal)], remainder="passthrough")
        return make_pipeline(*([columns] if nominal else []), *(step() for step in steps))

    return made


CLASSIFIERS: Estimators = {
    "`RFMClassifierCV()`": tuned(RFMClassifierCV),
    "`RFMClassifierCV(ensemble=True)`": tuned(RFMClassifierCV, ensemble=True),
    "`KernelRidgeClassifierCV()`": tuned(KernelRidgeClassifierCV),
    "`KernelRidgeClassifierCV(ensemble=True)`": tuned(KernelRidgeClassifierCV, ensemble=True),
    "`RandomForestClassifier()`": encoded(lambda: RandomForestClassifier(n_jobs=1, random_state=0)),
    "`XGBClassifier()`": encoded(lambda: XGBClassifier(n_jobs=1, random_state=0)),
    "`RFMClassifier()` after `StandardScaler()`": encoded(StandardScaler, RFMClassifier),
}
REGRESSORS: Estimators = {
    "`RFMRegressorCV()`": tuned(RFMRegressorCV),
    "`RFMRegressorCV(ensemble=True)`": tuned(RFMRegressorCV, ensemble=True),
    "`KernelRidgeRegressorCV()`": tuned(KernelRidgeRegressorCV),
    "`KernelRidgeRegressorCV(ensemble=True)`": tuned(KernelRidgeRegressorCV, ensemble=True),
    "`RandomForestRegressor()`": encoded(lambda: RandomForestRegressor(n_jobs=1, random_state=0)),
    "`XGBRegressor()`": encoded(lambda: XGBRegressor(n_jobs=1, random_state=0)),
}


def classified(table: Dataset, make: Callable[[Columns], Any], seed: int) -> NDArray[np.float64]:
    """Accuracy in per cent, log loss and CPU seconds of fitting and predicting, means over the folds of ``table``."""
    found = []
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    for train, test in folds.split(table.X, table.y):
        known, codes = np.unique(table.y[train], return_inverse=True)  # XGBoost takes no other labels
        started = time.process_time()
        model = make(list(table.nominal)).fit(table.X[train], codes)
        P = model.predict_proba(table.X[test])
        predicted = known[model.predict(table.X[test])]
        seconds = time.process_time() - started
        seen = np.isin(table.y[test], known)
        given = P[seen, np.searchsorted(known, table.y[test][seen])]
        loss = -np.log(np.clip(given.astype(np.float64), 1e-15, 1.0)).mean()
        found.append((100 * np.mean(predicted == table.y[test]), seconds, loss))
    return np.mean(found, axis=0)


def regressed(table: Dataset, make: Callable[[Columns], Any], seed: int) -> NDArray[np.float64]:
    """R^2 in per cent and CPU seconds of fitting and predicting, means over the folds of ``table``."""
    found = []
    for train, test in KFold(FOLDS, shuffle=True, random_state=seed).split(table.X):
        started = time.process_time()
        predicted = make(list(table.nominal)).fit(table.X[train], table.y[train]).predict(table.X[test])
        seconds = time.process_time() - started
        found.append((100 * r2_score(table.y[test], predicted), seconds))
    return np.mean(found, axis=0)


def page(
    names: list[str], estimators: Estimators, figures: NDArray[np.float64], args: argparse.Namespace, previous: str
) -> str:
    """The page; ``figures`` (tables, estimators, 2 or 3)."""
    score, unit = ("accuracy", "pp") if args.task == "classification" else ("R²", "hundredths")
    task = "" if args.task == "classification" else f" --task {args.task}"
    losses = figures.shape[2] > 2
    lines = [
        f"# Out of the box, {args.task}: estimators that tune themselves, a random forest, XGBoost",
        "",
        f"`python benchmarks/tuned.py{task} --rows {args.rows} --seed {args.seed}`: {len(names)} embedded tables, "
        f"{FOLDS} folds each, default parameters, one thread, no scaler. Nominal columns are those of the registry: "
        "named in `categorical_features`, one-hot for the other estimators. "
        f"Δ is the estimator's mean {score} minus that of the first line, with its standard error over tables; "
        "higher / lower: on how many tables it is. CPU seconds: mean of fitting and predicting one fold.",
        "",
        f"| estimator | {score} % | Δ {score}, {unit} | higher / lower | CPU s |" + " log loss |" * losses,
        "|:---|---:|---:|---:|---:|" + "---:|" * losses,
    ]
    for k, estimator in enumerate(estimators):
        mean = figures[:, k].mean(axis=0)
        change = figures[:, k, 0] - figures[:, 0, 0]
        error = change.std(ddof=1) / np.sqrt(len(change))
        paired = "" if k == 0 else f"{change.mean():+.2f} ± {error:.2f}".replace("-", "−")
        counts = "" if k == 0 else f"{np.sum(change > 1e-9)} / {np.sum(change < -1e-9)}"
        loss = f" {mean[2]:.3f} |" if losses else ""
        lines.append(f"| {estimator} | {mean[0]:.2f} | {paired} | {counts} | {mean[1]:.2f} |{loss}")
    lines += ["", f"{score[0].upper()}{score[1:]} in per cent by table, in the order of the lines above:", ""]
    lines += ["| table |" + "".join(f" {k + 1} |" for k in range(len(estimators)))]
    lines += ["|:---|" + "---:|" * len(estimators)]
    for name, row in zip(names, figures[:, :, 0], strict=True):
        lines.append(f"| {name} |" + "".join(f" {value:.1f} |".replace("-", "−") for value in row))
    return "\n".join([*lines, "", *notes_of(previous)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", choices=("classification", "regression"), default="classification")
    parser.add_argument("--rows", type=int, default=2000, help="of larger tables none is taken")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/tuned.md"))
    args = parser.parse_args()
    source = EmbeddedSource()
    subset, estimators, measure = (
        ("embedded", CLASSIFIERS, classified)
        if args.task == "classification"
        else ("regression", REGRESSORS, regressed)
    )
    entries = [entry for entry in load_registry().select(subset) if entry.rows <= args.rows]
    names, figures = [], []
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        for entry in entries:
            table = source.load(entry)
            names.append(entry.name)
            figures.append([measure(table, make, args.seed) for make in estimators.values()])
            print(entry.name, *(f"{values[0]:.1f}" for values in figures[-1]), flush=True)
    args.out.write_text(
        page(names, estimators, np.array(figures), args, args.out.read_text() if args.out.exists() else "")
    )
    print(args.out)


if __name__ == "__main__":
    main()

"""One method on one low-rank regression: hyperparameters by held-out training rows, then the test error.

Every method gets 1,000 rows. A fifth of them chooses (ridge, bandwidth and number of metric updates; network and
number of epochs); then all are refitted, as chosen, on all of them. Each method's grid widens until no neighbour of
what is selected is better (:mod:`bench.study.low_rank.search`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import torch

from bench.study.low_rank.grids import BANDWIDTH, EPOCHS, ITERATIONS, NETWORK, NTK_DEPTH, NTK_RIDGE, PATIENCE, RIDGE
from bench.study.low_rank.network import trained
from bench.study.low_rank.search import LEAST, Axis, Selected, search
from rfm.estimators import KernelRidgeRegressor, RFMRegressor
from rfm.machine import FloatArray

Rows: TypeAlias = tuple[FloatArray, FloatArray]
"""X (n, d) and y (n,)."""


@dataclass(frozen=True)
class Target:
    """A function of a few directions of many features. The paper names no formulas for all of its own; these are ours.

    x is standard normal in d dimensions, z = U'x its coordinates in the true subspace (U (d, r) orthonormal), and every
    target is divided by its standard deviation, which is known in closed form. ``values`` (n,) of the coordinates
    z (n, r); ``axes``: the directions are coordinate axes, not random ones.
    """

    name: str
    rank: int
    axes: bool
    values: Callable[[FloatArray], FloatArray]


TARGETS = (
    Target("product", 2, True, lambda z: z[:, 0] * z[:, 1]),
    Target("rotated", 2, False, lambda z: z[:, 0] * z[:, 1]),
    Target(
        "cubic",
        3,
        False,
        lambda z: (z[:, 0] + z[:, 1] * z[:, 2] + 0.5 * (z[:, 2] ** 3 - 3 * z[:, 2])) / np.sqrt(3.5),
    ),
)


def target(name: str) -> Target:
    """The target called ``name``."""
    return next(t for t in TARGETS if t.name == name)


def draw(
    name: str, d: int, train: int, test: int, noise: float, seed: int
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray]:
    """X (train, d), y with normal ``noise``, X (test, d), y without noise, and U (d, r)."""
    chosen = target(name)
    rng = np.random.default_rng([seed, d, train])
    U = np.eye(d)[:, : chosen.rank]
    if not chosen.axes:
        U = np.linalg.qr(rng.standard_normal((d, chosen.rank)))[0]
    X, X_test = rng.standard_normal((train, d)), rng.standard_normal((test, d))
    y = chosen.values(X @ U) + noise * rng.standard_normal(train)
    return X, y, X_test, chosen.values(X_test @ U), U


def regression(parameters: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """R^2 on the test rows, what was chosen, and how the metric's leading eigenvectors lie to the true subspace."""
    quick = bool(parameters.get("quick"))
    X, y, X_test, y_test, U = draw(
        parameters["target"],
        int(parameters["d"]),
        int(parameters["train"]),
        int(parameters["test"]),
        float(parameters["noise"]),
        seed,
    )
    fifth = len(X) // 5
    train, held_out = (X[fifth:], y[fifth:]), (X[:fifth], y[:fifth])
    began = time.process_time()
    method = parameters["method"]
    if method == "MLP":
        predicted, chosen = _network(X, y, train, held_out, X_test, seed, quick)
        alignment = None
    else:
        predicted, chosen, alignment = _kernel_machine(method, X, y, train, held_out, X_test, U, quick)
    spread = float(np.sum((y_test - y_test.mean()) ** 2))
    return {
        "r2": 1.0 - float(np.sum((y_test - predicted) ** 2)) / spread,
        "chosen": chosen.settings,
        "tried": chosen.tried,
        "at_edge": chosen.at_edge,
        "alignment": alignment,
        "fit_cpu_seconds": time.process_time() - began,
    }


def _kernel_machine(
    method: str,
    X: FloatArray,
    y: FloatArray,
    train: Rows,
    held_out: Rows,
    X_test: FloatArray,
    U: FloatArray,
    quick: bool,
) -> tuple[FloatArray, Selected, float | None]:
    learns = method in ("RFM", "diagonal RFM")
    axes = (NTK_RIDGE, NTK_DEPTH) if method == "NTK" else (RIDGE, BANDWIDTH)
    fixed: dict[str, Any] = {"kernel": "ntk"} if method == "NTK" else {"diagonal": True} if "diag" in method else {}
    updates: dict[tuple[float, ...], int] = {}

    def error(settings: Mapping[str, Any]) -> float:
        if not learns:
            return 1.0 - KernelRidgeRegressor(**settings, **fixed).fit(*train).score(*held_out)
        model = RFMRegressor(**settings, **fixed, iterations=ITERATIONS).fit(*train, held_out)
        found = 1.0 - np.asarray(model.path_)
        # The fewest updates that do as well: later ones differ by noise of the held-out rows.
        updates[tuple(settings.values())] = int(np.argmax(found <= found.min() / (1 - LEAST)))
        return float(found.min())

    chosen = _only_start(axes, error) if quick else search(axes, error, diagonal=True)
    settings: dict[str, Any] = {**chosen.settings, **fixed}
    if not learns:
        return KernelRidgeRegressor(**settings).fit(X, y).predict(X_test), chosen, None
    settings["iterations"] = updates[tuple(chosen.settings.values())]
    model = RFMRegressor(**settings).fit(X, y)
    metric = np.diag(model.M_) if fixed else model.M_
    at_edge = [*chosen.at_edge, *(["iterations"] if settings["iterations"] == ITERATIONS else [])]
    found = replace(chosen, settings=settings, at_edge=at_edge)
    return model.predict(X_test), found, alignment(metric, U)


def _only_start(axes: Sequence[Axis], error: Callable[[Mapping[str, Any]], float]) -> Selected:
    """Without a search, for the study's small version."""
    settings: dict[str, Any] = {axis.name: axis.start for axis in axes}
    return Selected(settings, error(settings), 1, [])


def alignment(metric: FloatArray, U: FloatArray) -> float:
    """Mean squared cosine of the angles between the metric's r leading eigenvectors and the span of ``U`` (d, r).

    1 if they span the same, about r / d for random directions. An identity metric has no leading directions: r / d.
    """
    d, r = U.shape
    values, vectors = np.linalg.eigh(metric)
    if values[-1] - values[0] <= 1e-12 * abs(values[-1]):
        return r / d
    return float(np.sum((vectors[:, -r:].T @ U) ** 2)) / r


def _network(
    X: FloatArray, y: FloatArray, train: Rows, held_out: Rows, X_test: FloatArray, seed: int, quick: bool
) -> tuple[FloatArray, Selected]:
    limit = 10 if quick else EPOCHS
    epochs: dict[tuple[float, ...], int] = {}

    def error(settings: Mapping[str, Any]) -> float:
        found, epochs[tuple(settings.values())] = _best_epoch(train, held_out, settings, seed, limit)
        return found

    chosen = _only_start(NETWORK, error) if quick else search(NETWORK, error)
    epoch = epochs[tuple(chosen.settings.values())]
    *_, network = trained(X, y, **chosen.settings, seed=seed, epochs=epoch)
    predicted: FloatArray = network.predict(torch.from_numpy(X_test).float()).double().numpy()
    cut_off = not quick and epoch > limit - PATIENCE
    at_edge = [*chosen.at_edge, *(["epoch"] if cut_off else [])]
    return predicted, replace(chosen, settings={**chosen.settings, "epoch": epoch}, at_edge=at_edge)


def _best_epoch(train: Rows, held_out: Rows, settings: Mapping[str, Any], seed: int, epochs: int) -> tuple[float, int]:
    """The least held-out squared error of one network, and after which epoch it had it (from 1)."""
    Xv, yv = (torch.from_numpy(part).float() for part in held_out)
    best, at = np.inf, 0
    for epoch, network in enumerate(trained(*train, **settings, seed=seed, epochs=epochs), start=1):
        error = float(((network.predict(Xv) - yv) ** 2).mean())
        if error < best:
            best, at = error, epoch
        elif epoch - at >= PATIENCE:
            break
    return best, at

"""The study's computations: one network trained and looked at on its way, and the choice of learning rates."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from bench.study.ansatz.datasets import Rows, load
from bench.study.ansatz.measure import controls, first_layer, layers_now
from bench.study.images.sets import Images
from bench.study.machines import accuracy, rfm_path
from bench.study.networks import ReluNetwork, one_hot, train
from rfm.factored import FactoredMatrix

FloatArray = NDArray[np.float64]

LOOKS = (1, 5, 20, 50, 100, 200, 300, 450, 600)
"""Epochs after which a network is looked at, besides those at which its training may end."""

BATCH = 128
ITERATIONS = 5
"""Of RFM, as the authors use it on pictures."""
KEPT_ITERATIONS = (1, ITERATIONS)
CANDIDATE_RATES = (0.1, 0.3, 1.0)
"""Learning rates of gradient descent; 0.1 is the authors'."""

HEAT_SIDE, HEAT_MAPS = 48, ("change", "nfm", "agop", "rfm 1")
"""Coordinates and names of the matrices that are kept for pictures."""


class _Data(NamedTuple):
    """Rows as tensors on the device that computes."""

    X: torch.Tensor
    y: torch.Tensor
    Y: torch.Tensor
    held_out: torch.Tensor
    held_out_y: torch.Tensor
    test: torch.Tensor
    test_y: torch.Tensor


def network(parameters: Mapping[str, Any], seed: int, images: Images) -> dict[str, Any]:
    """One network from its start to the end of its training, and RFM on the same rows.

    It is trained for ``epochs`` and, unless its training accuracy is then 100 %, on to ``limit``. It is looked at where
    it starts and after some epochs: ``path``, one entry a look, has losses, accuracies and every hidden layer's
    likenesses (:func:`~bench.study.ansatz.measure.layers_now`). A network that diverges, or of which no unit is active
    at any row any more, ends with an entry that says so, and has nothing that is measured at the end.
    """
    p = parameters
    rows = load(p["data"], int(p["train"]), int(p["held_out"]), int(p["test"]), seed, images)
    data = _on_device(rows, str(p.get("device", "cpu")))
    sizes = [data.X.shape[1], *[int(p["width"])] * int(p["depth"]), rows.classes]
    start = ReluNetwork.start(p["start"], sizes, seed, data.X.device)
    trained = start.copy()
    began = time.process_time()
    path = _path(trained, start, data, parameters, seed)
    values: dict[str, Any] = {
        "shape": list(rows.shape),
        "classes": rows.classes,
        "path": path,
        "epochs": path[-1]["epoch"],
        "diverged": bool(path[-1].get("diverged")),
        "fit_cpu_seconds": time.process_time() - began,
    }
    if values["diverged"]:
        return values
    metrics, accuracies = rfm_metrics(rows, str(data.X.device))
    likenesses, diagonals, matrices = first_layer(trained, start, data.X, metrics)
    values |= {
        "interpolates": path[-1]["train"] == 1.0,
        "best": _best(path),
        "controls": controls(trained, start, data.X, seed),
        "first": likenesses,
        "diagonals": diagonals,
        "rfm_test": accuracies,
    }
    if p.get("pictures"):
        values["pictures"] = pictures(matrices)
    return values


def rates(parameters: Mapping[str, Any], seed: int, images: Images) -> dict[str, Any]:
    """Training losses after ``epochs`` by learning rate, None where the network diverged; nothing else is looked at."""
    p = parameters
    rows = load(p["data"], int(p["train"]), int(p["held_out"]), int(p["test"]), seed, images)
    data = _on_device(rows, str(p.get("device", "cpu")))
    sizes = [data.X.shape[1], *[int(p["width"])] * int(p["depth"]), rows.classes]
    losses: dict[str, float | None] = {}
    for rate in CANDIDATE_RATES:
        trained = ReluNetwork.start(p["start"], sizes, seed, data.X.device)
        epochs = int(p["epochs"])
        *_, last = train(trained, data.X, data.Y, rate=rate, epochs=epochs, batch=BATCH, seed=seed, stops={epochs})
        losses[f"{rate:g}"] = None if last.diverged else float((trained.outputs(data.X) - data.Y).square().mean())
    return {"losses": losses}


def _on_device(rows: Rows, device: str) -> _Data:
    def features(X: FloatArray) -> torch.Tensor:
        return torch.from_numpy(X).float().to(device)

    def labels(y: NDArray[np.int64]) -> torch.Tensor:
        return torch.from_numpy(y).to(device)

    y = labels(rows.y)
    return _Data(
        features(rows.X),
        y,
        one_hot(y, rows.classes),
        features(rows.held_out),
        labels(rows.held_out_y),
        features(rows.test),
        labels(rows.test_y),
    )


def _path(
    trained: ReluNetwork, start: ReluNetwork, data: _Data, parameters: Mapping[str, Any], seed: int
) -> list[dict[str, Any]]:
    """Train; an entry for the start, which is epoch 0, and for each look."""
    p = parameters
    epochs, limit = int(p["epochs"]), int(p["limit"])
    path = [_look(0, trained, start, data)]
    steps = train(
        trained,
        data.X,
        data.Y,
        rate=float(p["rate"]),
        epochs=limit,
        batch=BATCH,
        seed=seed,
        optimiser=p["optimiser"],
        stops={*LOOKS, epochs, limit},
    )
    for step in steps:
        outputs = trained.outputs(data.X)
        # Steps that are too long can also leave no unit active at any row: outputs and gradients are 0 from then on.
        if step.diverged or not outputs.isfinite().all() or not outputs.any():
            return [*path, {"epoch": step.number, "diverged": True}]
        path.append(_look(step.number, trained, start, data))
        if step.number >= epochs and path[-1]["train"] == 1.0:
            break
    return path


def _look(number: int, trained: ReluNetwork, start: ReluNetwork, data: _Data) -> dict[str, Any]:
    return {
        "epoch": number,
        "loss": float((trained.outputs(data.X) - data.Y).square().mean()),
        "train": trained.accuracy(data.X, data.y),
        "held_out": trained.accuracy(data.held_out, data.held_out_y),
        "test": trained.accuracy(data.test, data.test_y),
        "layers": layers_now(trained, start, data.X),
    }


def _best(path: Sequence[Mapping[str, Any]]) -> int:
    """Which entry of the path has the best held-out accuracy, the last of equals, as the authors' trainer keeps it."""
    return max(range(len(path)), key=lambda k: (path[k]["held_out"], k))


def rfm_metrics(rows: Rows, device: str = "cpu") -> tuple[dict[str, FactoredMatrix], list[float]]:
    """RFM's M by name (``rfm 1``: after one update), and the test accuracies after 0, 1, ... updates."""
    metrics: dict[str, FactoredMatrix] = {}
    accuracies = []
    for step in rfm_path(rows.X, rows.y, {"test": rows.test}, ITERATIONS, rows.classes, device=device):
        accuracies.append(accuracy(step.predicted("test"), rows.test_y))
        if step.iteration in KEPT_ITERATIONS and step.metric is not None:
            metrics[f"rfm {step.iteration}"] = step.metric.clone()
    return metrics, accuracies


def pictures(matrices: Mapping[str, FactoredMatrix]) -> dict[str, Any]:
    """What is drawn of the first layer: every matrix's diagonal, and some matrices' blocks at :data:`HEAT_SIDE`
    coordinates.

    These are where W'W has its largest diagonal entries, in their order in the picture. All numbers are divided by the
    matrix's largest diagonal entry and rounded to 4 digits.
    """
    largest = matrices["nfm"].diagonal().topk(min(HEAT_SIDE, matrices["nfm"].shape[0])).indices
    chosen = largest.sort().values
    found: dict[str, Any] = {"coordinates": chosen.tolist(), "diagonals": {}, "blocks": {}}
    for name, M in matrices.items():
        diagonal, some = M.diagonal(), M.basis[chosen]
        scale = float(diagonal.max()) or 1.0
        found["diagonals"][name] = _rounded(diagonal / scale)
        if name in HEAT_MAPS:
            found["blocks"][name] = [_rounded(row / scale) for row in some @ M.core @ some.T]
    return found


def _rounded(values: torch.Tensor) -> list[float]:
    return [float(f"{value:.4g}") for value in values.tolist()]

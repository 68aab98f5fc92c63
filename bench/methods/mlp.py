"""Multilayer perceptron: ReLU, softmax (for regression squared error), AdamW, early stopping. Epochs are the path.

Grid: 1 or 2 hidden layers of WIDTH units x two learning rates x with and without regularisation (dropout and weight
decay together), and up to 100 epochs: the axes that tunings of plain networks on tables vary. More of each (weaker and
stronger regularisation, 200 epochs) was tried on eight tables and cost three times the time; it changed accuracy beyond
its noise on one (wine-quality-white, up to 1.5 points more). 64 units lost up to 3 points on large ones. Batches are
about 1/8 of the fit rows, within 32..256. Rates are constant, so that a point of the path is the same network whether
or not training went on. The path begins at 10 epochs: with a first point of 5, on 20 embedded tables of 100 to 569
rows, mean accuracy changed by -0.43 +- 0.20 points (standard error) under ``clean``, where 32 % of the folds selected
it, and by -0.11 +- 0.29 under ``clean-cv``, where 18 % did (10 epochs without it: 36 and 31 %).

A configuration ends early when PATIENCE points of its path bring neither a better accuracy nor a better Brier score
over all validation rows. It ends in all folds together, so that every point of a path was computed on every fold and
nothing is carried on from an earlier point.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch

from bench.methods.classes import fit_classes, known_targets, only_seen, validation_targets
from bench.methods.early_stopping import EarlyStopping
from bench.methods.judging import Judging
from bench.methods.stacked_mlp import SCORED_ROWS, StackedMLP, Training, batch_rows, batches_per_epoch
from bench.records.dataset import FloatArray, IntArray
from bench.records.method import DEVICES, Choice, Config, CpuClock, Fold, Method, Path, Prediction, Session, Task

WIDTH = 128
DEPTHS = (1, 2)
LEARNING_RATES = (0.002, 0.006)
REGULARISATION = ((0.0, 0.0), (0.3, 0.1))
EPOCHS = (10, 20, 30, 45, 60, 80, 100)
PATIENCE = 3
"""Points of the path without improvement after which a configuration ends."""


class MLP(Method):
    name: ClassVar[str] = "mlp"
    title: ClassVar[str] = "MLP"
    kinds = ("classification", "regression")
    devices = DEVICES
    probabilities = True

    def configurations(self) -> list[dict[str, Any]]:
        return [
            {"depth": depth, "learning_rate": rate, "dropout": dropout, "weight_decay": decay}
            for depth in DEPTHS
            for dropout, decay in REGULARISATION
            for rate in LEARNING_RATES
        ]

    def peak_bytes(self, n: int, d: int, c: int) -> int:
        # 28 MB of code and threads. A stack under clean-cv has five folds of half the grid: seven floats a parameter
        # (weights, gradient, two moments, three transients) and the layers of one chunk of scored rows.
        stacked = 5 * len(self.configurations()) // len(DEPTHS)
        parameters = WIDTH * (d + c + 2) + WIDTH * (WIDTH + 1) * (max(DEPTHS) - 1)
        layers = SCORED_ROWS * (d + 3 * WIDTH + 2 * c)
        return 45_000_000 + 4 * stacked * (7 * parameters + 2 * layers) + 24 * n * d + 8 * n * c * stacked

    def work(self, n: int, d: int, c: int) -> float:
        # Fitted to jobs of 100 to 5000 rows: 22 Gflop/s of products, 0.5 ms a step, all epochs of all networks.
        fit = max(1, int(0.6 * n))
        parameters = WIDTH * (d + c) + sum(WIDTH * WIDTH * (depth - 1) for depth in DEPTHS) / len(DEPTHS)
        flops = 6 * parameters * fit * EPOCHS[-1] * (len(self.configurations()) + 2)
        steps = len(DEPTHS) * EPOCHS[-1] * batches_per_epoch(fit)
        return 4 * (flops / 2.2e10 + 5e-4 * steps)

    def session(self, task: Task) -> Session:
        return _MLPSession(task)


class _MLPSession(Session):
    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self._X = torch.tensor(task.X, dtype=torch.float32).to(task.device)
        numbers = task.kind == "regression"
        self._y = torch.tensor(np.nan_to_num(task.y), dtype=torch.float32 if numbers else torch.int64).to(task.device)

    def tune(self, folds: Sequence[Fold]) -> list[Path]:
        configs = MLP().configurations()
        judging = Judging(self.task, validation_targets(self.task, folds))
        sizes = np.array([len(fold.validation) for fold in folds])
        fits = [fold.fit for fold in folds]
        stacks = [
            (self._stack([(configs[i], fits[f]) for i, f in members]), members) for members in _stackable(configs, fits)
        ]
        stopping = [EarlyStopping(PATIENCE) for _ in configs]
        reached = [0 for _ in configs]
        going = set(range(len(configs)))
        for point, epoch in enumerate(EPOCHS):
            figures = np.empty((len(configs), len(folds), 2))
            for stack, members in stacks:
                stack.train_to(epoch)
                scores = self._scores(stack, [(fits[f], folds[f].validation) for _, f in members])
                for (i, f), member_scores in zip(members, scores, strict=True):
                    figures[i, f] = judging.judge(i, f, point, member_scores)
            for i in sorted(going):
                reached[i] = point + 1
                if stopping[i].should_stop(figures[i], sizes):
                    going.discard(i)
            stacks = _without(stacks, going)
        return [judging.path(i, config, EPOCHS[: reached[i]]) for i, config in enumerate(configs)]

    def predict(self, choice: Choice, train: IntArray, test: IntArray, *, transfer: bool = False) -> Prediction:
        stack = self._stack([(choice.config, train)])
        stack.train_to(choice.iteration)
        scoring = CpuClock()
        with scoring:
            (scores,) = self._scores(stack, [(train, test)])
        return Prediction(scores, predict_seconds=scoring.seconds)

    def _stack(self, members: Sequence[tuple[Config, IntArray]]) -> StackedMLP:
        """Networks for (configuration, fit rows) pairs of one depth and one batch shape."""
        for _, fit in members:
            known_targets(self.task, fit, "fit")
        networks = [
            Training(torch.as_tensor(fit), config["learning_rate"], config["dropout"], config["weight_decay"])
            for config, fit in members
        ]
        return StackedMLP(
            self._X,
            self._y,
            self.task.width,
            depth=members[0][0]["depth"],
            width=WIDTH,
            networks=networks,
            seed=self.task.seed,
        )

    def _scores(self, stack: StackedMLP, parts: Sequence[tuple[IntArray, IntArray]]) -> list[FloatArray]:
        """Class shares (m, n_classes) per (fit rows, rows to score), 0 for classes absent from these; or numbers."""
        probabilities = [p.cpu() for p in stack.outputs([torch.as_tensor(rows) for _, rows in parts])]
        if self.task.kind == "regression":
            numbers = [p.double().numpy() for p in probabilities]
            return [only_seen(self.task, fit, scored) for (fit, _), scored in zip(parts, numbers, strict=True)]
        scores = []
        for (fit, _), p in zip(parts, probabilities, strict=True):
            classes = fit_classes(self.task, fit)
            shares = p.double().numpy()[:, classes.present] + np.finfo(float).tiny
            scores.append(classes.expand(shares / shares.sum(axis=1, keepdims=True)))
        return scores


Members = list[tuple[int, int]]
"""(position of the configuration, position of the fold) of each network in a stack."""


def _stackable(configs: Sequence[Config], fits: Sequence[IntArray]) -> list[Members]:
    """All (configuration, fold) pairs, grouped into those whose networks can be trained as one."""
    groups: dict[tuple[int, int, int], Members] = {}
    for f, fit in enumerate(fits):
        for i, config in enumerate(configs):
            shape = (config["depth"], batches_per_epoch(len(fit)), batch_rows(len(fit)))
            groups.setdefault(shape, []).append((i, f))
    return list(groups.values())


def _without(stacks: list[tuple[StackedMLP, Members]], going: set[int]) -> list[tuple[StackedMLP, Members]]:
    """The stacks reduced to the configurations that go on."""
    kept = []
    for stack, members in stacks:
        positions = [p for p, (i, _) in enumerate(members) if i in going]
        if positions:
            if len(positions) < len(members):
                stack.keep(positions)
            kept.append((stack, [members[p] for p in positions]))
    return kept

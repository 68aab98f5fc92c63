"""How alike a layer's feature matrices are: as described, as the published script computes them, and controls."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from bench.study.ansatz.published import altered_gradients, published_inputs
from bench.study.feature_matrices import (
    Comparisons,
    Likeness,
    layer_gradients,
    nfm,
    second_moment,
    square_root,
)
from bench.study.networks import ReluNetwork
from rfm.factored import FactoredMatrix

Pair = list[float | None]
"""Cosine and Pearson correlation of two matrices' entries; None where one of them is constant."""

AGOPS = ("agop", "centred", "root")
"""The layer's AGOP, that of centred gradients, and the square root of the AGOP."""


def layers_now(network: ReluNetwork, start: ReluNetwork, X: torch.Tensor) -> list[dict[str, Pair]]:
    """Of every hidden layer, likenesses by name.

    ``nfm agop``, ``nfm centred``, ``nfm root``: W'W as described. ``change agop``, ...: (W - W0)'(W - W0) and the AGOP
    of the trained network. ``altered agop``, ``altered centred``: (W - W0)'(W - W0) and the AGOP of the network whose
    layer is W - W0. ``coded agop``, ``coded centred``: that at the rows where the script takes it. ``nfm start``: W'W
    and W0'W0.
    """
    hidden = len(network.layers) - 1
    inputs = network.activations(X)
    found = []
    for layer, gradients in enumerate(layer_gradients(network, X, hidden)):
        W, W0 = network.layers[layer], start.layers[layer]
        change = W - W0
        weights, changes = nfm(W), nfm(change)
        agop = FactoredMatrix(weights.basis, gradients.outer)
        matrices = {
            "nfm": weights,
            "change": changes,
            "start": nfm(W0),
            "agop": agop,
            "centred": FactoredMatrix(weights.basis, gradients.centred),
            "root": square_root(agop),
        }
        for name, rows in (("altered", inputs[layer]), ("coded", published_inputs(layer, change, inputs[layer]))):
            if name == "coded" and layer < 2:  # the same rows
                continue
            other = altered_gradients(network, layer, change, rows)
            matrices[f"{name} agop"] = FactoredMatrix(changes.basis, other.outer)
            matrices[f"{name} centred"] = FactoredMatrix(changes.basis, other.centred)
        compared = Comparisons(matrices)
        values = {f"{of} {which}": _pair(compared.likeness(of, which)) for of in ("nfm", "change") for which in AGOPS}
        values["nfm start"] = _pair(compared.likeness("nfm", "start"))
        for which in AGOPS[:2]:
            values[f"altered {which}"] = _pair(compared.likeness("change", f"altered {which}"))
            coded = f"coded {which}" if layer >= 2 else f"altered {which}"
            values[f"coded {which}"] = _pair(compared.likeness("change", coded))
        found.append(values)
    return found


def controls(network: ReluNetwork, start: ReluNetwork, X: torch.Tensor, seed: int) -> list[dict[str, Pair]]:
    """Of every hidden layer, likenesses by name, with a layer that was not learned, and with rivals of the AGOP.

    ``shuffled agop`` and ``redrawn agop``: W'W of the layer with its entries shuffled, and redrawn with the same
    singular values and random singular vectors, and the trained network's AGOP. ``shuffled own``, ``redrawn own``: and
    the AGOP of the network with that layer put in. ``drift agop``, ``drift own``: the same of D'D, where D is W - W0
    redrawn, and W0 + D is the layer put in. ``nfm inputs``, ``nfm identity``, ``change inputs``, ``change identity``:
    the layer's own W'W or (W - W0)'(W - W0), and the second moments of its inputs, or the identity.
    """
    hidden = len(network.layers) - 1
    inputs = network.activations(X)
    generator = torch.Generator().manual_seed(seed)
    found = []
    for layer, gradients in enumerate(layer_gradients(network, X, hidden)):
        W, W0 = network.layers[layer], start.layers[layer]
        weights, changes = nfm(W), nfm(W - W0)
        drift = redrawn(W - W0, generator)
        put_in = {"shuffled": shuffled(W, generator), "redrawn": redrawn(W, generator), "drift": W0 + drift}
        matrices = {
            "nfm": weights,
            "change": changes,
            "agop": FactoredMatrix(weights.basis, gradients.outer),
            "inputs": second_moment(inputs[layer]),
        }
        for name, other in put_in.items():
            own = altered_gradients(network, layer, other, inputs[layer]).outer
            basis = other.T.double()
            matrices[name] = nfm(drift) if name == "drift" else FactoredMatrix(basis, torch.eye(len(own)).to(own))
            matrices[f"{name} own"] = FactoredMatrix(basis, own)
        compared = Comparisons(matrices)
        pairs = [(name, "agop") for name in put_in] + [("nfm", "inputs"), ("change", "inputs")]
        values = {f"{first} {second}": _pair(compared.likeness(first, second)) for first, second in pairs}
        values |= {f"{name} own": _pair(compared.likeness(name, f"{name} own")) for name in put_in}
        values |= {f"{name} identity": _pair(with_identity(M)) for name, M in (("nfm", weights), ("change", changes))}
        found.append(values)
    return found


def first_layer(
    network: ReluNetwork, start: ReluNetwork, X: torch.Tensor, metrics: Mapping[str, FactoredMatrix]
) -> tuple[dict[str, Pair], dict[str, float | None], dict[str, FactoredMatrix]]:
    """Likenesses of the first layer's W'W (``nfm``) and (W - W0)'(W - W0) (``change``) with RFM's ``metrics`` by name
    and with their rivals ``agop`` and ``inputs`` (the rows' second moments); Pearson correlations of the diagonals; and
    the matrices themselves.
    """
    weights = nfm(network.layers[0])
    rivals = {
        "agop": FactoredMatrix(weights.basis, layer_gradients(network, X, 1)[0].outer),
        "inputs": second_moment(X),
        **metrics,
    }
    explained = {"nfm": weights, "change": nfm(network.layers[0] - start.layers[0])}
    matrices = {**explained, **rivals}
    compared = Comparisons(matrices)
    names = [(of, by) for of in explained for by in rivals]
    likenesses = {f"{of} {by}": _pair(compared.likeness(of, by)) for of, by in names}
    diagonals = {name: M.diagonal() for name, M in matrices.items()}
    return likenesses, {f"{of} {by}": pearson(diagonals[of], diagonals[by]) for of, by in names}, matrices


def shuffled(W: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """The entries of ``W`` in a random order."""
    return W.flatten()[torch.randperm(W.numel(), generator=generator).to(W.device)].view_as(W)


def redrawn(W: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """A matrix of the same singular values, whose singular vectors are random."""
    values = torch.linalg.svdvals(W.double())
    left, right = (random_directions(size, len(values), generator).to(W.device) for size in W.shape)
    return ((left * values) @ right.T).to(W.dtype)


def random_directions(size: int, count: int, generator: torch.Generator) -> torch.Tensor:
    """Orthonormal columns (size, count), evenly distributed."""
    Q, R = torch.linalg.qr(torch.randn((size, count), generator=generator, dtype=torch.float64))
    return Q * R.diagonal().sign()  # with QR's own signs they would not be


def with_identity(M: FactoredMatrix) -> Likeness:
    """Of M (d, d) and the identity."""
    d, trace, total, squares = M.shape[0], M.trace(), M.total(), M.inner(M)
    if squares <= 0:
        return Likeness(None, None)
    pearson = None if d == 1 else (trace - total / d) / ((d - 1) * (squares - (total / d) ** 2)) ** 0.5
    return Likeness(trace / (d * squares) ** 0.5, pearson)


def pearson(a: torch.Tensor, b: torch.Tensor) -> float | None:
    """Pearson correlation of two vectors; None where one is constant."""
    a, b = a - a.mean(), b - b.mean()
    size = float(a.norm() * b.norm())
    return float(a @ b) / size if size > 0 else None


def _pair(found: Likeness) -> Pair:
    return [found.cosine, found.pearson]

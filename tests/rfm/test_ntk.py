"""The neural tangent kernel against the formulas of arc-cosine kernels and networks of finite width."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from rfm.ntk import ntk_matrices, ntk_matrix

Array = NDArray[np.float64]


def rows(n: int, d: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=(n, d))


def textbook(X: Array, Z: Array, depth: int) -> Array:
    """By Cho & Saul 2009: of angles a, r = cos a becomes (sin a + (pi - a) cos a) / pi from layer to layer."""
    norms = np.linalg.norm(X, axis=1)[:, None] * np.linalg.norm(Z, axis=1)[None, :]
    dot = X @ Z.T
    a = np.arctan2(np.sqrt(np.maximum(norms**2 - dot**2, 0.0)), dot)
    t = np.cos(a)
    for _ in range(depth):
        derivative, r = (np.pi - a) / np.pi, (np.sin(a) + (np.pi - a) * np.cos(a)) / np.pi
        t = r + derivative * t
        a = np.arccos(np.minimum(r, 1.0))
    return norms * t


@pytest.mark.parametrize("depth", [1, 2, 5])
def test_it_is_the_recursion_of_arc_cosine_kernels(depth: int) -> None:
    X, Z = rows(20, 4), rows(15, 4, seed=1)
    found = ntk_matrix(torch.as_tensor(X), torch.as_tensor(Z), depth).numpy()
    np.testing.assert_allclose(found, textbook(X, Z, depth), rtol=1e-10, atol=1e-12)
    special = np.concatenate([X, X[:5], -2.0 * X[:5], np.zeros((2, 4)), [[3.0, 0.0, 0.0, 0.0], [0.0, 5.0, 0.0, 0.0]]])
    # arccos turns a cosine that is 1e-16 off into an angle of 1e-8
    found = ntk_matrix(torch.as_tensor(special), depth=depth).numpy()
    np.testing.assert_allclose(found, textbook(special, special, depth), atol=1e-5)


def empirical_ntk(X: torch.Tensor, widths: Sequence[int], seed: int) -> Array:
    """Gram matrix of the parameter gradients of one random network: sqrt(2 / width) relu(W h) layers, linear output."""
    generator = torch.Generator().manual_seed(seed)
    weights, fan_in = [], X.shape[1]
    for width in [*widths, 1]:
        weights.append(torch.randn(width, fan_in, generator=generator, dtype=torch.float64).requires_grad_())
        fan_in = width
    gradients = []
    for x in X:
        h = x
        for W in weights[:-1]:
            h = (2.0 / len(W)) ** 0.5 * torch.relu(W @ h)
        output = (weights[-1] @ h).squeeze()
        gradients.append(torch.cat([g.flatten() for g in torch.autograd.grad(output, weights)]))
    jacobian = torch.stack(gradients)
    return (jacobian @ jacobian.T).numpy()


@pytest.mark.parametrize(("depth", "width", "tolerance"), [(1, 16384, 0.04), (2, 1024, 0.16)])
def test_a_wide_network_has_this_kernel(depth: int, width: int, tolerance: float) -> None:
    """The root-mean-square error of four draws; a wrong constant in the recursion would make it 0.3 or more."""
    X = torch.as_tensor(rows(6, 5, seed=3))
    limit = ntk_matrix(X, depth=depth).numpy()
    errors = [np.linalg.norm(empirical_ntk(X, [width] * depth, seed) - limit) for seed in range(4)]
    assert float(np.sqrt(np.mean(np.square(errors)))) < tolerance * np.linalg.norm(limit)


def test_all_depths_in_one_pass_are_those_of_single_calls() -> None:
    X = torch.as_tensor(rows(30, 4))
    passed = list(ntk_matrices(X, 5))
    assert len(passed) == 5
    for depth, K in enumerate(passed, start=1):
        torch.testing.assert_close(K, ntk_matrix(X, depth=depth), rtol=1e-6, atol=1e-6)
        torch.testing.assert_close(K.diagonal(), (depth + 1) * (X * X).sum(dim=1))
        assert torch.equal(K, K.T)


def test_float32_is_worked_out_in_float64_and_there_is_a_hidden_layer() -> None:
    single = torch.as_tensor(rows(8, 3)).float()
    assert torch.equal(ntk_matrix(single, depth=2), ntk_matrix(single.double(), depth=2))
    for depth in (0, -1):
        with pytest.raises(ValueError, match="depth must be at least 1"):
            ntk_matrix(single, depth=depth)

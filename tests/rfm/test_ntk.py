"""The neural tangent kernel against its closed form, its defining integrals, and networks of finite width."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.integrate import quad

from rfm.ntk import ntk_matrices, ntk_matrix

Array = NDArray[np.float64]


def rows(n: int, d: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=(n, d))


def angles(X: Array, Z: Array) -> tuple[Array, Array]:
    """Angles (n, m) by the law of sines and cosines, and products of the norms."""
    norms = np.linalg.norm(X, axis=1)[:, None] * np.linalg.norm(Z, axis=1)[None, :]
    dot = X @ Z.T
    return np.arctan2(np.sqrt(np.maximum(norms**2 - dot**2, 0.0)), dot), norms


def test_one_hidden_layer_is_the_arc_cosine_closed_form() -> None:
    """Cho & Saul 2009: |x||z| (sin a + 2 (pi - a) cos a) / pi, where a is the angle between x and z."""
    X, Z = rows(20, 4), rows(15, 4, seed=1)
    a, norms = angles(X, Z)
    expected = norms * (np.sin(a) + 2 * (np.pi - a) * np.cos(a)) / np.pi
    np.testing.assert_allclose(ntk_matrix(torch.as_tensor(X), torch.as_tensor(Z), 1).numpy(), expected, rtol=1e-10)


@pytest.mark.parametrize("angle", [0.0, 0.3, 1.2, np.pi / 2, 2.5, np.pi])
def test_one_hidden_layer_is_an_expectation_over_gaussian_weights(angle: float) -> None:
    """K = 2 E[relu(w'x) relu(w'z)] + x'z 2 P(w'x > 0, w'z > 0), integrated over the direction of w in the plane."""

    def cosines(direction: float) -> tuple[float, float]:
        return np.cos(direction), np.cos(direction - angle)

    def covariance(direction: float) -> float:
        u, v = cosines(direction)
        return max(u, 0.0) * max(v, 0.0) * 2.0  # E |w|^2 = 2

    def both(direction: float) -> float:
        u, v = cosines(direction)
        return float(u > 0 and v > 0)

    kinks = [-np.pi / 2, angle - np.pi / 2, np.pi / 2, angle + np.pi / 2]
    mean = [
        quad(function, -np.pi / 2, 3 * np.pi / 2, points=kinks, limit=200)[0] / (2 * np.pi)
        for function in (covariance, both)
    ]
    expected = 2 * mean[0] + np.cos(angle) * 2 * mean[1]
    X = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    Z = torch.tensor([[np.cos(angle), np.sin(angle)]], dtype=torch.float64)
    assert ntk_matrix(X, Z, 1).item() == pytest.approx(expected, abs=1e-6)


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


def relative_errors(depth: int, width: int, seeds: Sequence[int]) -> list[float]:
    X = torch.as_tensor(rows(6, 5, seed=3))
    limit = ntk_matrix(X, depth=depth).numpy()
    return [
        float(np.linalg.norm(empirical_ntk(X, [width] * depth, seed) - limit) / np.linalg.norm(limit)) for seed in seeds
    ]


@pytest.mark.parametrize(("depth", "width", "tolerance"), [(1, 16384, 0.04), (2, 1024, 0.16), (3, 1024, 0.2)])
def test_a_wide_network_has_this_kernel(depth: int, width: int, tolerance: float) -> None:
    """The root-mean-square error of four draws; a wrong constant in the recursion would make it 0.3 or more."""
    errors = relative_errors(depth, width, seeds=range(4))
    assert float(np.sqrt(np.mean(np.square(errors)))) < tolerance


def test_networks_approach_it_as_they_widen() -> None:
    """Root-mean-square errors of eight draws fall like width^(-1/2): a factor 4 over 16 times the width, within 1.8."""
    narrow, wide = (
        float(np.sqrt(np.mean(np.square(relative_errors(2, width, seeds=range(8)))))) for width in (48, 768)
    )
    assert 4 / 1.8 < narrow / wide < 4 * 1.8


def test_all_depths_in_one_pass_are_those_of_single_calls() -> None:
    X = torch.as_tensor(rows(30, 4))
    passed = list(ntk_matrices(X, 5))
    assert len(passed) == 5
    for depth, K in enumerate(passed, start=1):
        # arccos turns a cosine that is 1e-16 off on the diagonal into an angle of 1e-8
        torch.testing.assert_close(K, ntk_matrix(X, depth=depth), rtol=1e-6, atol=1e-6)
        torch.testing.assert_close(K.diagonal(), (depth + 1) * (X * X).sum(dim=1))
        assert torch.equal(K, K.T)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(1, 20),
    d=st.integers(1, 6),
    depth=st.integers(1, 5),
    duplicates=st.booleans(),
)
def test_properties(seed: int, n: int, d: int, depth: int, duplicates: bool) -> None:
    """Positive semi-definite; homogeneous; unchanged by a rotation of the features; the order of rows is kept."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    if duplicates:
        X = np.round(X[rng.integers(0, n, size=n)])  # zero rows among them
    K = ntk_matrix(torch.as_tensor(X), depth=depth).numpy()
    size = max(1.0, np.abs(K).max())
    assert np.linalg.eigvalsh((K + K.T) / 2).min() > -1e-6 * size
    scales = rng.uniform(0.1, 10.0, size=n)
    scaled = ntk_matrix(torch.as_tensor(scales[:, None] * X), depth=depth).numpy()
    np.testing.assert_allclose(scaled, scales[:, None] * K * scales[None, :], atol=1e-5 * size * scales.max() ** 2)
    rotation = np.linalg.qr(rng.normal(size=(d, d)))[0]
    np.testing.assert_allclose(ntk_matrix(torch.as_tensor(X @ rotation), depth=depth).numpy(), K, atol=1e-5 * size)
    order = rng.permutation(n)
    np.testing.assert_allclose(
        ntk_matrix(torch.as_tensor(X[order]), depth=depth).numpy(), K[order][:, order], atol=1e-6 * size
    )


def test_zero_rows_float32_and_no_hidden_layer() -> None:
    X = torch.zeros((3, 4), dtype=torch.float64)
    X[1] = 1.0
    expected = torch.zeros((3, 3), dtype=torch.float64)
    expected[1, 1] = 4 * 4.0
    torch.testing.assert_close(ntk_matrix(X, depth=3), expected, rtol=1e-6, atol=1e-6)
    single = torch.as_tensor(rows(8, 3)).float()
    assert torch.equal(ntk_matrix(single, depth=2), ntk_matrix(single.double(), depth=2))
    for depth in (0, -1):
        with pytest.raises(ValueError, match="depth must be at least 1"):
            ntk_matrix(torch.ones((2, 2)), depth=depth)

"""Neural tangent kernels and ridge regressions with them: both engines against an independent computation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from grids import FOUND, SETS, Array, needs_library, table
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.polynomial.polynomial import polyval
from numpy.testing import assert_allclose
from scipy.spatial.distance import cdist
from sklearn.kernel_ridge import KernelRidge

from rfm.native.tangents import PROFILE_DEGREE, PROFILE_DEGREE_FLOAT32
from rfm.ntk import angular_profile, ntk_matrices, ntk_matrix
from rfm.ntk_ridge import NTKPoint, ntk_points

pytestmark = pytest.mark.usefixtures("no_engine_asked_for")
ENGINES = [pytest.param("native", marks=needs_library), "python"]
KINDS = ["spread", "duplicates", "coincident", "parallel", "antipodal", "zero"]
DEPTHS = (1, 2, 3, 4, 5)


def polar(rows: Array) -> tuple[Array, Array]:
    """Rows divided by their norms, and the norms."""
    norms = np.linalg.norm(rows, axis=1)
    return rows / np.where(norms > 0, norms, 1.0)[:, None], norms


def exact_kernels(X: Array, Z: Array, depth: int) -> list[Array]:
    """The kernel matrices for 1, ..., ``depth`` hidden layers, by a recursion on angles that keeps small ones exact."""
    (left, rises), (right, runs) = polar(X), polar(Z)
    size = rises[:, None] * runs[None, :]
    angle = 2.0 * np.arctan2(cdist(left, right), cdist(left, -right))
    tangent = np.cos(angle)
    found = []
    for _ in range(depth):
        tangent = tangent * (np.pi - angle) / np.pi
        rise = 2.0 * np.sin(angle / 2) ** 2 + (angle * np.cos(angle) - np.sin(angle)) / np.pi  # 1 less the next cosine
        angle = 2.0 * np.arcsin(np.sqrt(np.maximum(rise, 0.0) / 2))
        tangent = tangent + 1.0 - rise
        found.append(size * tangent)
    return found


def by_place(points: Iterator[NTKPoint]) -> dict[tuple[int, float], NTKPoint]:
    return {(point.depth, point.ridge): point for point in points}


def tile(instruction_set: str, X: Array, Z: Array, depth: int, narrow: bool) -> Array:
    """The native library's tile of the kernel matrix between the rows of ``X`` and ``Z``."""
    dtype = np.float32 if narrow else np.float64
    (left, rises), (right, runs) = polar(X), polar(Z)
    profile = angular_profile(depth, PROFILE_DEGREE_FLOAT32 if narrow else PROFILE_DEGREE)
    K = np.empty((len(X), len(Z)), dtype=dtype)
    arrays = [np.ascontiguousarray(part, dtype=dtype) for part in (left, right, rises, runs, profile)]
    FOUND.module.tangent_tile(instruction_set, narrow, (len(X), len(Z), X.shape[1]), *arrays, K)
    return K.astype(np.float64)


@pytest.mark.parametrize("kind", ["spread", "antipodal", "zero"])
def test_kernel_matrices_are_the_recursion_of_arc_cosine_kernels(kind: str) -> None:
    """Of all depths in one pass and of each alone; arccos turns a cosine that is 1e-16 off into an angle of 1e-8."""
    X, Z = table(30, 4, 2, kind)[0], table(15, 4, 2, seed=1)[0]
    rows, others = torch.as_tensor(X), torch.as_tensor(Z)
    within, between = exact_kernels(X, X, 5), exact_kernels(X, Z, 5)
    for depth, K in enumerate(ntk_matrices(rows, 5), start=1):
        for found in (K, ntk_matrix(rows, depth=depth)):
            assert_allclose(found, within[depth - 1], rtol=0, atol=1e-6 * float(K.max()))
        assert_allclose(ntk_matrix(rows, others, depth), between[depth - 1], rtol=1e-10, atol=1e-12)
        torch.testing.assert_close(K.diagonal(), (depth + 1) * (rows * rows).sum(dim=1))
        assert torch.equal(K, K.T)
        assert torch.equal(ntk_matrix(rows.float(), depth=depth), ntk_matrix(rows.float().double(), depth=depth))
    with pytest.raises(ValueError, match="depth must be at least 1"):
        ntk_matrix(rows, depth=0)


@pytest.mark.parametrize("depth", [1, 3, 5, 10])
@pytest.mark.parametrize(("degree", "bound"), [(PROFILE_DEGREE, 4e-12), (PROFILE_DEGREE_FLOAT32, 6e-9)])
def test_the_profile_is_the_recursion_to_the_stated_error(depth: int, degree: int, bound: float) -> None:
    angle = np.linspace(0.01, np.pi - 0.01, 301)
    points = torch.as_tensor(np.stack([np.cos(angle), np.sin(angle)], axis=1))
    exact = ntk_matrix(points, torch.tensor([[1.0, 0.0]], dtype=torch.float64), depth)[:, 0].numpy()
    series = polyval(2 * angle / np.pi - 1, angular_profile(depth, degree))
    assert_allclose(series, exact, rtol=0, atol=bound * (depth + 1))


@pytest.mark.parametrize("instruction_set", SETS)
@pytest.mark.parametrize("narrow", [False, True], ids=["float64", "float32"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("d", [1, 2, 7])
def test_a_native_tile_is_the_kernel(instruction_set: str, narrow: bool, kind: str, d: int) -> None:
    X, _ = table(60, d, 2, kind)
    Z = np.concatenate([X[:20], -X[20:30], table(11, d, 2, kind, seed=1)[0]])
    for depth, expected in enumerate(exact_kernels(X, Z, 5), start=1):
        bound = (depth + 1) * np.linalg.norm(X, axis=1).max() * np.linalg.norm(Z, axis=1).max()
        K = tile(instruction_set, X, Z, depth, narrow)
        assert np.abs(K - expected).max() <= (1.5e-6 if narrow else 2e-12) * bound
        if kind == "zero":
            assert not K[0].any()


@needs_library
@pytest.mark.parametrize("narrow", [False, True], ids=["float64", "float32"])
@pytest.mark.parametrize("gap", [1e-2, 1e-3, 1e-5, 1e-7])
def test_angles_between_nearly_parallel_rows_keep_their_digits(narrow: bool, gap: float) -> None:
    """One hidden layer: t = (sin a + 2 (pi - a) cos a) / pi, which falls by a / pi at small angles a."""
    turn = np.array([[np.cos(gap), np.sin(gap)], [-np.cos(gap), -np.sin(gap)]])
    if narrow:
        turn = turn.astype(np.float32).astype(np.float64)
    start = np.array([[1.0, 0.0]])
    (expected,) = exact_kernels(start, turn, 1)
    assert_allclose(tile(SETS[0], start, turn, 1, narrow), expected, rtol=0, atol=4e-7 if narrow else 1e-13)


@pytest.mark.parametrize("n", [50, 360], ids=["float64", "float32"])
@pytest.mark.parametrize(
    ("engine", "kind"),
    [
        *(("python", kind) for kind in ("spread", "duplicates")),
        *((name, "duplicates") for name in SETS),
        *((name, kind) for name in SETS[:1] for kind in KINDS if kind != "duplicates"),
    ],
)
@pytest.mark.parametrize(("d", "c"), [(1, 2), (6, 1), (6, 13), (40, 2)])
def test_scores_are_those_of_kernel_ridge_regression(
    engine: str, n: int, kind: str, d: int, c: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By every instruction set; in float32 as exact as float64 allows, factors that serve several ridges included."""
    if engine != "python":
        monkeypatch.setenv("RFM_INSTRUCTIONS", engine)
    X, Y = table(n + 60, d, c, kind)
    given: dict[str, Any] = {"depths": (1, 5), "ridges": (10.0, 1.0, 0.1, 0.01, 0.001)}
    choice = "python" if engine == "python" else "native"
    found = by_place(ntk_points(X[:n], Y[:n], X[n:], choice=choice, **given))
    assert len(found) == 10
    kernels = exact_kernels(X, X[:n], 5)
    for (depth, ridge), point in found.items():
        K, usual = kernels[depth - 1], d == 6 and kind in ("spread", "duplicates") and ridge > 1e-3
        reference = KernelRidge(alpha=ridge, kernel="precomputed").fit(K[:n], Y[:n])
        expected = reference.predict(K[n:])
        assert_allclose(point.scores, expected, rtol=0, atol=(1e-5 if usual else 2e-5) * np.abs(expected).max())
        assert point.score_seconds >= 0
        if usual:
            assert_allclose(point.alpha, reference.dual_coef_, rtol=0, atol=1e-4 * np.abs(reference.dual_coef_).max())
            assert point.solver == "cholesky"


@needs_library
@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(1, 60),
    m=st.integers(0, 20),
    d=st.integers(1, 40),
    c=st.integers(1, 14),
    kind=st.sampled_from(KINDS),
    ridge=st.sampled_from([10.0, 0.1]),
    depth=st.integers(1, 10),
    seed=st.integers(0, 5),
)
def test_both_engines_solve_any_rows(
    n: int, m: int, d: int, c: int, kind: str, ridge: float, depth: int, seed: int
) -> None:
    """Python's angles between parallel rows are wrong by 1e-8, the native library's by no more than rounding."""
    X, Y = table(n + m, d, c, kind, seed)
    K = exact_kernels(X, X[:n], depth)[-1]
    alpha = np.linalg.solve(K[:n] + ridge * np.eye(n), Y[:n])
    expected = K[n:] @ alpha
    # 1e-8 of the largest entry in all n of a row move a solution by no more than their sum over the ridge.
    moved = 1e-8 * n * float(K.max(initial=0.0)) / ridge
    for engine, bound in (("native", 1e-8), ("python", max(1e-4, moved))):
        (point,) = ntk_points(X[:n], Y[:n], X[n:], depths=(depth,), ridges=(ridge,), choice=engine)
        assert_allclose(point.scores, expected, rtol=0, atol=bound * np.abs(expected).max(initial=1.0))
        assert_allclose(point.alpha, alpha, rtol=0, atol=10 * bound * np.abs(alpha).max())


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("size", [2.0**80, 2.0**-80])
def test_the_size_of_targets_does_not_matter(engine: str, size: float) -> None:
    X, Y = table(400, 5, 2)
    options: dict[str, Any] = {"depths": (2,), "ridges": (0.1,), "choice": engine}
    (plain,) = ntk_points(X[:340], Y[:340], X[340:], **options)
    (scaled,) = ntk_points(X[:340], Y[:340] * size, X[340:], **options)
    assert_allclose(scaled.scores / size, plain.scores, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("targets", "depths", "ridges", "words"),
    [
        (2, (0, 1), (1.0,), "depths must be at least 1"),
        (2, (1,), (1.0, 0.0), "ridges must be pos"),
        (0, (1,), (1.0,), "at least one column of targets"),
    ],
)
def test_targets_depths_and_ridges_are_checked(
    targets: int, depths: tuple[int, ...], ridges: tuple[float, ...], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        list(ntk_points(np.ones((5, 2)), np.ones((5, targets)), np.ones((1, 2)), depths=depths, ridges=ridges))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("n", [50, 340], ids=["float64", "float32"])
def test_kernels_of_unit_size_are_the_kernels_with_larger_ridges(engine: str, n: int) -> None:
    X, Y = table(n + 20, 4, 3)
    parts = X[:n], Y[:n], X[n:]
    units = by_place(ntk_points(*parts, depths=DEPTHS, ridges=(1.0, 0.1), unit_size=True, choice=engine))
    for (depth, ridge), point in units.items():
        (same,) = ntk_points(*parts, depths=(depth,), ridges=(ridge * (depth + 1),), choice=engine)
        assert_allclose(point.scores, same.scores, atol=1e-6)

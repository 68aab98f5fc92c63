"""The native chain against the Python engine, for every instruction set that the processor has."""

from __future__ import annotations

import signal
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch
from grids import FOUND, SETS, Array, assert_same_metric, assert_same_points, grid, needs_library, table
from hypothesis import given, settings
from hypothesis import strategies as st

import rfm
from rfm.engines import Engine
from rfm.kernels import Gaussian, GeneralisedLaplace, Laplace
from rfm.ntk_ridge import ntk_points
from rfm.sweep import Sweep

pytestmark = pytest.mark.usefixtures("no_engine_asked_for")


def assert_alike(X: Array, Y: Array, *, rtol: float, **options: Any) -> None:
    """Scores, coefficients and metrics of both engines differ by no more than ``rtol`` of the largest."""
    native, python = (grid(X, Y, len(X) // 2, engine=engine, **options) for engine in ("native", "python"))
    for key, expected in python.items():
        point = native[key]
        assert point.solver == expected.solver, key
        for got, wanted in ((point.scores, expected.scores), (point.alpha.numpy(), expected.alpha.numpy())):
            assert np.abs(got - wanted).max() <= rtol * np.abs(wanted).max(), key
        assert_same_metric(point.metric, expected.metric, 10 * rtol)


@pytest.mark.parametrize("instruction_set", SETS)
@pytest.mark.parametrize(
    ("dtype", "least", "bound"),
    [(np.float32, -87.33, 1.2e-7), (np.float64, -708.39, 4e-16)],
    ids=["float32", "float64"],
)
def test_exponentials_are_right_to_the_stated_error(
    instruction_set: str, dtype: type, least: float, bound: float
) -> None:
    """The bound holds down to the smallest normal number; what would be subnormal is 0."""
    x = -np.concatenate([np.logspace(-30, 3, 300_001), np.linspace(0, 710, 300_001)]).astype(dtype)
    values = x.copy()
    FOUND.module.exponentials(instruction_set, dtype is np.float32, values)
    true = np.exp(x.astype(np.longdouble))
    normal = x >= dtype(least)
    assert float(np.max(np.abs(values[normal] / true[normal] - 1))) <= bound
    assert not values[~normal].any()
    special = np.array([0.0, -0.0, -np.inf, np.nan], dtype=dtype)
    FOUND.module.exponentials(instruction_set, dtype is np.float32, special)
    np.testing.assert_array_equal(special, [1.0, 1.0, 0.0, np.nan])


@pytest.mark.parametrize("instruction_set", SETS)
@pytest.mark.parametrize("n", [60, 450], ids=["float64", "float32"])
def test_well_conditioned_chains_are_those_of_python(
    instruction_set: str, n: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RFM_INSTRUCTIONS", instruction_set)
    assert instruction_set in str(rfm.engine())
    assert_alike(*table(n, 7, 3), rtol=1e-5, ridges=(10.0, 1.0))


@needs_library
@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(2, 90),
    d=st.integers(1, 60),
    c=st.integers(1, 12),
    kind=st.sampled_from(["spread", "duplicates", "coincident", "close", "constant"]),
    ridge=st.sampled_from([10.0, 0.1, 1e-3]),
    diagonal=st.booleans(),
    center=st.booleans(),
    scaling=st.sampled_from(["none", "trace", "max"]),
    kernel=st.sampled_from([Laplace(10.0), Laplace(0.5), Gaussian(3.0), GeneralisedLaplace(10.0, 1.4)]),
    seed=st.integers(0, 5),
)
def test_any_chain_is_that_of_python(
    n: int, d: int, c: int, kind: str, ridge: float, diagonal: bool, center: bool, scaling: str, kernel: Any, seed: int
) -> None:
    """In float64, where both are exact enough to be compared whatever the condition."""
    options = {"diagonal": diagonal, "center_gradients": center, "metric_scaling": scaling, "kernel": kernel}
    X, Y = table(2 * n, d, c, kind, seed)
    assert_alike(X, Y, rtol=1e-5, dtype=torch.float64, ridges=(ridge,), iterations=2, **options)


@needs_library
@pytest.mark.parametrize(("d", "c"), [(4, 2), (30, 12)], ids=["by rows", "by Gram matrix"])
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        *((kind, {}) for kind in ("spread", "duplicates", "close")),
        *(("close", {o: True}) for o in ("center_gradients", "diagonal")),
    ],
    ids=str,
)
def test_float32_comes_as_close_to_float64_as_python_does(d: int, c: int, kind: str, options: dict[str, Any]) -> None:
    X, Y = table(460, d, c, kind)
    exact = grid(X, Y, 230, engine="python", dtype=torch.float64, **options)
    native, python = (
        max(np.abs(point.scores - exact[key].scores).max() for key, point in grid(X, Y, 230, **asked).items())
        for asked in (options | {"engine": "native"}, options | {"engine": "python"})
    )
    assert native <= 2 * python + 1e-5


def points_of_chains(X: Array, Y: Array, engine: str = "native", **options: Any) -> dict[Any, Any]:
    return dict(grid(X, Y, len(X) // 2, engine=engine, **options))


def points_of_tangents(X: Array, Y: Array, engine: str = "native", **options: Any) -> dict[Any, Any]:
    n = len(X) * 4 // 5
    asked = {"depths": (1, 2, 5), "ridges": (1.0, 0.01)} | options
    return {(p.depth, p.ridge): p for p in ntk_points(X[:n], Y[:n], X[n:], choice=engine, **asked)}


both_problems = pytest.mark.parametrize("points_of", [points_of_chains, points_of_tangents], ids=["chains", "tangents"])


@needs_library
@both_problems
def test_what_float32_cannot_solve_is_solved_in_float64(points_of: Any) -> None:
    kind = "close" if points_of is points_of_chains else "coincident"
    points = points_of(*table(460, 4, 2, kind), ridges=(1e-7,))
    assert "cholesky-float64" in {point.solver for point in points.values()}


@needs_library
@both_problems
def test_what_is_not_positive_definite_is_handed_back(points_of: Any) -> None:
    """Among equal rows K is singular; a ridge below its rounding takes eigenvalues, which Python has."""
    X, Y = table(400, 3, 2, "coincident")
    native, python = (points_of(X, Y, engine, ridges=(1.0, 1e-18)) for engine in ("native", "python"))
    assert {point.solver for key, point in native.items() if key[1] == 1.0} == {"cholesky"}
    by_eigenvalues, expected = (
        {key for key, point in found.items() if point.solver == "eigenvalues"} for found in (native, python)
    )
    assert by_eigenvalues == expected != set()
    for key in by_eigenvalues:
        np.testing.assert_array_equal(native[key].scores, python[key].scores)


@needs_library
def test_chains_go_on_from_call_to_call(monkeypatch: pytest.MonkeyPatch) -> None:
    X, Y = table(450, 6, 3)
    at_once = grid(X, Y, 225, engine="native")
    monkeypatch.setattr("rfm.native.chains._OUTPUT_BYTES", 1)
    assert_same_points(grid(X, Y, 225, engine="native"), at_once, scores=0.0, metrics=0.0)


@needs_library
@pytest.mark.parametrize(("n", "d"), [(120, 5), (60, 150), (500, 8)])
def test_a_metric_is_learned_and_used_as_in_python(n: int, d: int) -> None:
    X, Y = table(n, d, 3)
    rows = np.arange(n)
    fits = [
        Sweep(X, Y, engine=engine).fit(rows[::2], rows[1::2], ridge=1.0, unit_norm=True, iterations=3)
        for engine in ("native", "python")
    ]
    np.testing.assert_allclose(fits[0].scores, fits[1].scores, rtol=0, atol=1e-5)
    assert Sweep(X, Y, engine="native").learn(rows, ridge=1.0, unit_norm=True, iterations=0) is None


@needs_library
def test_threads_do_not_disturb_each_other() -> None:
    tables = [table(300, 5 + k, 3, seed=k) for k in range(2)]
    calls = [(points_of, data) for points_of in (points_of_chains, points_of_tangents) for data in tables]

    def scores(call: tuple[Any, Any]) -> dict[Any, Array]:
        points_of, data = call
        return {key: point.scores for key, point in points_of(*data).items()}

    alone = [scores(call) for call in calls]
    with ThreadPoolExecutor(len(calls)) as pool:
        found = list(pool.map(scores, calls * 4))
    for scored, expected in zip(found, alone * 4, strict=True):
        np.testing.assert_equal(scored, expected)


@needs_library
@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timer that sends a signal here")
@both_problems
def test_an_interrupt_ends_a_native_call(points_of: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not after the call, but in it: what it had not come to stays as it was made."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    def empty(*shape: Any, **options: Any) -> Array:
        signal.setitimer(signal.ITIMER_REAL, 0.05)  # the arrays of results are made just before the call
        return np.full(*shape, -99, **options)

    X, Y = table(4000, 20, 3)
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with monkeypatch.context() as patch:
            patch.setattr("rfm.native.chains.np.empty", empty)  # NumPy's own, of all modules
            with pytest.raises(KeyboardInterrupt) as caught:
                points_of(X, Y)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    frames = [entry.frame.f_locals for entry in caught.traceback if entry.frame.code.name in ("_call", "tangents")]
    status = frames[-1]["status"]
    assert np.isin(status, (-99, -1)).any()
    assert (frames[-1]["scores"] == -99).any()


def test_the_engine_is_named_and_can_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RFM_ENGINE", "python")
    assert rfm.engine() == Engine("python", "as asked")
    assert Sweep(*table(4, 2, 2))._native is None
    monkeypatch.setenv("RFM_ENGINE", "fortran")
    with pytest.raises(ValueError, match="RFM_ENGINE must be one of native, python, got 'fortran'"):
        rfm.engine()
    monkeypatch.delenv("RFM_ENGINE")
    assert rfm.engine("cuda").name == "python"
    monkeypatch.setattr("rfm.engines.library", lambda: "it was not built")
    assert str(rfm.engine()).startswith("python (it was not built, ")
    assert "blas" in str(rfm.engine()).lower()
    with pytest.raises(ValueError, match="it was not built"):
        rfm.engine(choice="native")


@needs_library
def test_arrays_of_other_shapes_and_unknown_instructions_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    one, number = np.ones(1), np.zeros(1, dtype=np.int32)
    chain = (SETS[0], True, 0, 10.0, 1.0, 0, False, False, False, (1, 0, 2, 1, 1, 1, 2))
    for function, arguments in (
        (FOUND.module.follow, (*chain, one, one, one, one, None, one, one, one, number)),
        (FOUND.module.tangents, (SETS[0], (1, 0, 2, 1, 1, 1), one, one, one, one, one, one, one, number)),
        (FOUND.module.tangent_tile, (SETS[0], False, (1, 1, 1), one, one, one, one, one, one)),
    ):
        with pytest.raises(ValueError, match="not of the shapes"):
            function(*arguments)
    with pytest.raises(ValueError, match="'sse9'"):
        FOUND.module.exponentials("sse9", False, one)
    monkeypatch.setenv("RFM_INSTRUCTIONS", "sse9")
    with pytest.raises(ValueError, match="RFM_INSTRUCTIONS must be one of"):
        rfm.engine()

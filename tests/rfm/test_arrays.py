"""Products and gathers: right on rows that are not contiguous. Element-wise work is tested by kernels' values."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rfm.arrays import Workspace, matmul_into, places_up_to, put_, row_blocks, smallest, squared_gaps, zero_where_


@given(rows=st.integers(0, 5000), columns=st.integers(0, 5000), budget=st.integers(1, 1 << 22))
def test_row_blocks_cover_all_rows_once(rows: int, columns: int, budget: int) -> None:
    ranges = row_blocks(rows, columns, 8, budget)
    assert [start for start, _ in ranges] == [0, *(stop for _, stop in ranges)][: len(ranges)]
    assert (ranges[-1][1] if ranges else 0) == rows
    assert all(stop > start for start, stop in ranges)
    assert all((stop - start) * columns * 8 <= budget or stop - start <= 16 for start, stop in ranges)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_places_and_what_is_put_there(dtype: torch.dtype) -> None:
    x = torch.tensor([[0.5, -2.0, torch.nan], [3.0, 1.0, 1.5]], dtype=dtype)
    bound = torch.tensor([[0.5], [1.2]], dtype=dtype)
    places = places_up_to(x, bound)
    assert [part.tolist() for part in places] == [[0, 0, 1], [0, 1, 1]]
    unless = torch.tensor([[False, True, False], [False, False, True]])
    assert [part.tolist() for part in places_up_to(x, bound, unless)] == [[0, 1], [0, 1]]
    assert [len(part) for part in places_up_to(x[1:], bound[:1])] == [0, 0]
    wide = torch.full((2, 5), 9.0, dtype=dtype)
    inner = wide[:, 1:4]  # rows that are not contiguous
    put_(inner, places, torch.tensor([1.0, 2.0, 3.0], dtype=dtype))
    assert wide.tolist() == [[9.0, 1.0, 2.0, 9.0, 9.0], [9.0, 9.0, 3.0, 9.0, 9.0]]
    put_(inner, places, 0.0)
    assert wide.sum() == 63.0
    inner[0, 2] = torch.nan
    zero_where_(inner, torch.tensor([[False, False, True], [True, False, False]]))
    assert wide.tolist() == [[9.0, 0.0, 0.0, 0.0, 9.0], [9.0, 0.0, 0.0, 9.0, 9.0]]
    assert smallest(x[1:]) == 1.0
    assert np.isnan(smallest(x))
    assert smallest(x[:0]) == np.inf


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("d", [0, 1, 5])
def test_squared_gaps_are_those_of_the_named_rows(dtype: torch.dtype, d: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    P, Q = (torch.as_tensor(rng.normal(size=(n, d + 2)), dtype=dtype)[:, :d] for n in (40, 30))
    first, second = torch.as_tensor(rng.integers(0, 30, size=(2, 100)))
    expected = ((P[first] - Q[second]) ** 2).sum(dim=1)
    torch.testing.assert_close(squared_gaps(P, Q, (first, second)), expected)
    monkeypatch.setattr("rfm.arrays.row_blocks", partial(row_blocks, budget=1))
    torch.testing.assert_close(squared_gaps(P, Q, (first, second)), expected)


def test_a_product_is_written_among_other_columns() -> None:
    """Of distances that it gives too small kernels are right all the same: they are worked out again."""
    A, B = torch.randn(7, 3), torch.randn(3, 5)
    wide = torch.full((7, 8), 9.0)
    matmul_into(A, B, wide[:, 2:7])
    torch.testing.assert_close(wide[:, 2:7], A @ B)
    assert bool((wide[:, [0, 1, 7]] == 9.0).all())


def test_workspace_reuses_its_memory() -> None:
    workspace = Workspace(torch.float64, "cpu")
    large = workspace.take("K", 10, 10)
    small = workspace.take("K", 3, 4)
    assert small.shape == (3, 4)
    assert small.is_contiguous()
    assert small.data_ptr() == large.data_ptr()
    assert workspace.take("W", 3, 4).data_ptr() != small.data_ptr()
    assert workspace.take("K", 20, 20).shape == (20, 20)

"""Element-wise work on matrices, gathers and scratch memory: one code path for CPU and CUDA tensors.

On the CPU the work goes to NumPy on the tensors' own memory (no copies), which is faster there for arrays of a few
thousand to a few million entries than PyTorch on one thread.
"""

from __future__ import annotations

import numpy as np
import torch

BLOCK_BYTES = 1 << 20
"""Row blocks are about this large, so that element-wise passes over a block stay in the level-2 cache."""


def row_blocks(rows: int, columns: int, itemsize: int, budget: int = BLOCK_BYTES) -> list[tuple[int, int]]:
    """Row ranges ``[(start, stop), ...]`` covering ``rows``, each of at most about ``budget`` bytes."""
    step = min(max(16, budget // max(1, columns * itemsize)), max(1, rows))
    return [(start, min(start + step, rows)) for start in range(0, rows, step)]


def matmul_into(A: torch.Tensor, B: torch.Tensor, out: torch.Tensor) -> None:
    """Write ``A @ B`` for ``A`` (m, k) and ``B`` (k, n) into ``out`` (m, n), whose rows are contiguous."""
    if out.device.type == "cpu":
        np.matmul(A.numpy(), B.numpy(), out=out.numpy())
    else:
        torch.mm(A, B, out=out)


def matmul(A: torch.Tensor, B: torch.Tensor) -> torch.Tensor:
    """``A @ B`` by NumPy's BLAS on the CPU, which is faster than PyTorch's on some processors."""
    return torch.from_numpy(A.numpy() @ B.numpy()) if A.device.type == "cpu" else A @ B


def smallest(x: torch.Tensor) -> float:
    """The smallest entry of ``x``, infinity if it has none; not a number if any entry is not."""
    if x.device.type == "cpu":
        return float(x.numpy().min(initial=np.inf))
    return float(x.amin()) if x.numel() else np.inf


Places = tuple[torch.Tensor, torch.Tensor]
"""Entries of a matrix: row numbers (k,) and column numbers (k,)."""


def places_up_to(x: torch.Tensor, bound: torch.Tensor, unless: torch.Tensor | None = None) -> Places:
    """Where entries of ``x`` (m, n) are at most ``bound`` (m, 1), and ``unless`` (m, n) is not true."""
    if x.device.type != "cpu":
        low = x <= bound
        rows, columns = torch.nonzero(low if unless is None else low & ~unless, as_tuple=True)
        return rows, columns
    found = np.less_equal(x.numpy(), bound.numpy())
    if unless is not None:
        np.greater(found, unless.numpy(), out=found)
    first, second = np.divmod(np.flatnonzero(found), x.shape[1])  # half the time of a search in two dimensions
    return torch.from_numpy(first), torch.from_numpy(second)


def put_(x: torch.Tensor, places: Places, values: torch.Tensor | float) -> None:
    """Set the entries of ``x`` at ``places`` to ``values``, one each or one for all."""
    if x.device.type == "cpu":
        x.numpy()[places[0].numpy(), places[1].numpy()] = values.numpy() if isinstance(values, torch.Tensor) else values
    else:
        x[places] = values


def zero_where_(x: torch.Tensor, mask: torch.Tensor) -> None:
    """Set ``x`` to zero where ``mask`` is true, in place, whatever stood there."""
    if x.device.type == "cpu":
        np.copyto(x.numpy(), 0.0, where=mask.numpy())
    else:
        x.masked_fill_(mask, 0.0)


def squared_gaps(P: torch.Tensor, Q: torch.Tensor, places: Places) -> torch.Tensor:
    """Squared Euclidean distances (k,) between rows of ``P`` (m, d) and ``Q`` (n, d), whose numbers are ``places``."""
    gaps = P.new_empty(len(places[0]))
    for start, stop in row_blocks(len(gaps), max(1, P.shape[1]), P.element_size()):
        first, second = places[0][start:stop], places[1][start:stop]
        if P.device.type == "cpu":
            difference = P.numpy()[first.numpy()]
            difference -= Q.numpy()[second.numpy()]
            np.einsum("ij,ij->i", difference, difference, out=gaps.numpy()[start:stop])
        else:
            gaps[start:stop] = (P[first] - Q[second]).square().sum(dim=1)
    return gaps


def squared_norms(P: torch.Tensor) -> torch.Tensor:
    """The squared Euclidean norm (n,) of each row of ``P`` (n, d)."""
    if P.device.type == "cpu":
        rows = P.numpy()
        return torch.from_numpy(np.einsum("ij,ij->i", rows, rows))
    return (P * P).sum(dim=1)


def exp_(x: torch.Tensor) -> torch.Tensor:
    """``exp(x)`` in place."""
    if x.device.type == "cpu":
        view = x.numpy()
        np.exp(view, out=view)
        return x
    return x.exp_()


def sqrt_(x: torch.Tensor, out: torch.Tensor | None = None) -> torch.Tensor:
    """``sqrt(x)``, in place or written into ``out``."""
    out = x if out is None else out
    if x.device.type == "cpu":
        np.sqrt(x.numpy(), out=out.numpy())
        return out
    return torch.sqrt(x, out=out)


class Workspace:
    """Named scratch matrices that are allocated once and reused: fresh pages cost as much as the arithmetic on them."""

    def __init__(self, dtype: torch.dtype, device: str | torch.device) -> None:
        self._dtype, self._device = dtype, device
        self._flat: dict[str, torch.Tensor] = {}
        self._views: dict[str, torch.Tensor] = {}

    def take(self, name: str, rows: int, columns: int) -> torch.Tensor:
        """An uninitialised (rows, columns) matrix; valid until ``name`` is taken again."""
        view = self._views.get(name)
        if view is not None and view.shape == (rows, columns):
            return view
        flat = self._flat.get(name)
        if flat is None or flat.numel() < rows * columns:
            flat = self._flat[name] = torch.empty(rows * columns, dtype=self._dtype, device=self._device)
        view = self._views[name] = flat[: rows * columns].view(rows, columns)
        return view

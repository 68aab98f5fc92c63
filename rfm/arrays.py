"""Element-wise work on matrices, gathers and scratch memory: one code path for CPU and CUDA tensors.

On the CPU the work goes to NumPy on the tensors' own memory (no copies), which is faster there for arrays of a few
thousand to a few million entries than PyTorch on one thread. On CUDA blocks are large and the host reads little: each
read waits until the device has done all that it was given, while nothing new is queued.
"""

from __future__ import annotations

import functools

import numpy as np
import torch

BLOCK_BYTES = 1 << 20
"""Row blocks are about this large, so that element-wise passes over a block stay in the level-2 cache."""
CUDA_BLOCK_BYTES = 256 << 20
"""On CUDA they are as large as this: a matrix of 8,000 rows in float32 is one block. What bounds them is memory."""
_CUDA_SHARE = 16
"""One in so many of the bytes that are free on the card is the most that a block may take."""

NUMPY_DEVICES = frozenset({"cpu"})
"""Devices on whose tensors NumPy and LAPACK work. Tests empty it: then CPU tensors take the way of CUDA's."""


def on_cpu(x: torch.Tensor) -> bool:
    """Whether NumPy and LAPACK can work on the memory of ``x``."""
    return x.device.type in NUMPY_DEVICES


def block_bytes(device: str | torch.device) -> int:
    """How large blocks on ``device`` are: :data:`BLOCK_BYTES`, on CUDA more, as far as the card's memory allows."""
    device = torch.device(device)
    if device.type in NUMPY_DEVICES:
        return BLOCK_BYTES
    return _cuda_block_bytes(device.index) if device.type == "cuda" else CUDA_BLOCK_BYTES


@functools.cache
def _cuda_block_bytes(index: int | None) -> int:
    # Asked once: later the driver counts as used what PyTorch keeps for reuse.
    free, _ = torch.cuda.mem_get_info(index)
    return max(BLOCK_BYTES, min(CUDA_BLOCK_BYTES, free // _CUDA_SHARE))


def row_blocks(
    rows: int, columns: int, itemsize: int, budget: int | None = None, *, device: str | torch.device = "cpu"
) -> list[tuple[int, int]]:
    """Row ranges ``[(start, stop), ...]`` covering ``rows``, each of at most about ``budget`` bytes.

    By default as many as :func:`block_bytes` says for the ``device`` of the matrix.
    """
    budget = block_bytes(device) if budget is None else budget
    step = min(max(16, budget // max(1, columns * itemsize)), max(1, rows))
    return [(start, min(start + step, rows)) for start in range(0, rows, step)]


def read(*values: torch.Tensor) -> list[float]:
    """The numbers that tensors of one element each hold, read together: the host waits for a device once."""
    found: list[float] = torch.stack([value.double() for value in values]).tolist()
    return found


def matmul_into(A: torch.Tensor, B: torch.Tensor, out: torch.Tensor) -> None:
    """Write ``A @ B`` for ``A`` (m, k) and ``B`` (k, n) into ``out`` (m, n), whose rows are contiguous."""
    if on_cpu(out):
        np.matmul(A.numpy(), B.numpy(), out=out.numpy())
    else:
        torch.mm(A, B, out=out)


def matmul(A: torch.Tensor, B: torch.Tensor) -> torch.Tensor:
    """``A @ B`` by NumPy's BLAS on the CPU, which is faster than PyTorch's on some processors."""
    return torch.from_numpy(A.numpy() @ B.numpy()) if A.device.type == "cpu" else A @ B


def smallest(x: torch.Tensor) -> float:
    """The smallest entry of ``x``, infinity if it has none; not a number if any entry is not."""
    if on_cpu(x):
        return float(x.numpy().min(initial=np.inf))
    return float(x.amin()) if x.numel() else np.inf


Places = tuple[torch.Tensor, torch.Tensor]
"""Entries of a matrix: row numbers (k,) and column numbers (k,)."""


def places_up_to(x: torch.Tensor, bound: torch.Tensor, unless: torch.Tensor | None = None) -> Places:
    """Where entries of ``x`` (m, n) are at most ``bound`` (m, 1), and ``unless`` (m, n) is not true."""
    if not on_cpu(x):
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
    if on_cpu(x):
        x.numpy()[places[0].numpy(), places[1].numpy()] = values.numpy() if isinstance(values, torch.Tensor) else values
    else:
        x[places] = values


def zero_where_(x: torch.Tensor, mask: torch.Tensor) -> None:
    """Set ``x`` to zero where ``mask`` is true, in place, whatever stood there."""
    if on_cpu(x):
        np.copyto(x.numpy(), 0.0, where=mask.numpy())
    else:
        x.masked_fill_(mask, 0.0)


def squared_gaps(P: torch.Tensor, Q: torch.Tensor, places: Places) -> torch.Tensor:
    """Squared Euclidean distances (k,) between rows of ``P`` (m, d) and ``Q`` (n, d), whose numbers are ``places``."""
    gaps = P.new_empty(len(places[0]))
    for start, stop in row_blocks(len(gaps), max(1, P.shape[1]), P.element_size(), device=P.device):
        first, second = places[0][start:stop], places[1][start:stop]
        if on_cpu(P):
            difference = P.numpy()[first.numpy()]
            difference -= Q.numpy()[second.numpy()]
            np.einsum("ij,ij->i", difference, difference, out=gaps.numpy()[start:stop])
        else:
            gaps[start:stop] = (P[first] - Q[second]).square().sum(dim=1)
    return gaps


def squared_norms(P: torch.Tensor) -> torch.Tensor:
    """The squared Euclidean norm (n,) of each row of ``P`` (n, d)."""
    if on_cpu(P):
        rows = P.numpy()
        return torch.from_numpy(np.einsum("ij,ij->i", rows, rows))
    return (P * P).sum(dim=1)


def exp_(x: torch.Tensor) -> torch.Tensor:
    """``exp(x)`` in place."""
    if on_cpu(x):
        view = x.numpy()
        np.exp(view, out=view)
        return x
    return x.exp_()


def sqrt_(x: torch.Tensor, out: torch.Tensor | None = None) -> torch.Tensor:
    """``sqrt(x)``, in place or written into ``out``."""
    out = x if out is None else out
    if on_cpu(x):
        np.sqrt(x.numpy(), out=out.numpy())
        return out
    return torch.sqrt(x, out=out)


def largest(x: torch.Tensor) -> float | torch.Tensor:
    """The largest absolute entry of ``x``, 1 if all are 0; on CUDA as a tensor, which the host need not wait for."""
    if on_cpu(x):
        return float(x.abs().max()) or 1.0
    size = x.abs().max()
    return torch.where(size > 0, size, 1.0)


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

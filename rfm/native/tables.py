"""Kernels among the rows of large tables by the native library: blocks of them, and products tile by tile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from rfm.arrays import squared_norms
from rfm.engines import Engine
from rfm.kernels import RadialKernel
from rfm.native.chains import KERNELS

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class NativeTable:
    """A radial kernel among rows (n, r), r > 0, whose distances are Euclidean.

    ``rows`` are contiguous, in float32 or float64; ``squares`` (n,) are their squared norms over the bandwidth's
    square. Vectors are float64, target by target: (c, n).
    """

    engine: Engine
    kernel: RadialKernel
    rows: torch.Tensor
    squares: torch.Tensor

    @staticmethod
    def of(engine: Engine, kernel: RadialKernel, rows: torch.Tensor) -> NativeTable | None:
        """The table of ``rows`` (n, r); None where the library has no such kernel, or rows overflow."""
        if engine.library is None or type(kernel) not in KERNELS or rows.shape[1] == 0:
            return None
        rows = rows.contiguous()
        squares = squared_norms(rows) * (1.0 / kernel.bandwidth**2)
        return NativeTable(engine, kernel, rows, squares) if bool(torch.isfinite(squares).all()) else None

    def fill_(
        self, rows: slice | torch.Tensor, columns: slice | torch.Tensor, K: torch.Tensor, W: torch.Tensor | None
    ) -> None:
        """Write the kernel between ``rows`` and ``columns`` into ``K`` (k, l), rows contiguous; weights into ``W``.

        ``W`` is laid out as ``K`` is.
        """
        P, p, Q, q = *self._at(rows), *self._at(columns)
        numbers = len(P), len(Q), P.shape[1], K.stride(0) if len(P) > 1 else len(Q)
        parts = [None if A is None else _flat(A) for A in (K, W)]
        if min(numbers) > 0:
            self._module.fill(*self._kernel, numbers, P, p, Q, q, *parts)

    def product(self, rows: slice | torch.Tensor, columns: slice | torch.Tensor, B: FloatArray) -> FloatArray:
        """K(rows, columns) times ``B`` (c, l), as (c, k)."""
        P, p, Q, q = *self._at(rows), *self._at(columns)
        out = np.zeros((len(B), len(P)))
        step = max(1, int(_CALL_ENTRIES // max(1, len(Q) * len(B))))
        for start in range(0, len(P), step):
            part = slice(start, min(start + step, len(P)))
            found = np.zeros((len(B), part.stop - start))
            numbers = len(found[0]), len(Q), P.shape[1], len(B)
            self._module.product(*self._kernel, numbers, P[part], p[part], Q, q, B, found)
            out[:, part] = found
        return out

    def add_panel_(
        self, top: int, bottom: int, kept: torch.Tensor | None, formed: bool, B: torch.Tensor, out: torch.Tensor
    ) -> None:
        """Add to ``out`` (c, n) what the rows ``top`` to ``bottom`` of K's lower triangle give, times ``B`` (c, n).

        ``kept`` (bottom - top, bottom) has them if ``formed`` and takes them if not.
        """
        P, p = self._at(slice(0, B.shape[1]))
        numbers = len(P), P.shape[1], len(B), top, bottom
        place = None if kept is None else kept.numpy()
        self._module.panel(*self._kernel, numbers, P, p, place, formed, B.numpy(), out.numpy())

    @property
    def _module(self) -> Any:
        assert self.engine.library is not None
        return self.engine.library.module

    @property
    def _kernel(self) -> tuple[str, bool, int, float]:
        narrow = self.rows.dtype == torch.float32
        return self.engine.instruction_set, narrow, KERNELS[type(self.kernel)], 1.0 / self.kernel.bandwidth**2

    def _at(self, rows: slice | torch.Tensor) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
        return self.rows[rows].numpy(), self.squares[rows].numpy()


def _flat(A: torch.Tensor) -> NDArray[np.floating]:
    """The memory of ``A`` (k, l), whose rows are contiguous, from its first entry to its last."""
    rows, columns = A.shape
    return A.as_strided(((rows - 1) * A.stride(0) + columns,), (1,)).numpy()


_CALL_ENTRIES = 5e8
"""Kernel entries times targets of one call: about a second, for which Ctrl-C waits."""

"""Kernels of tables that are too large for a kernel matrix: any block on demand, products tile by tile.

A :class:`KernelBlocks` stands for the kernel among all rows of one table. Nothing here allocates more than one block
that was asked for, or one tile of a product.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import torch

from rfm.arrays import block_bytes, on_cpu
from rfm.kernels import RadialKernel, kernel_between_
from rfm.rows import Metric, metric_rows

RowsAt = slice | torch.Tensor
"""Which rows of the table: a range, or row numbers (k,) int64."""

TILE_ROWS, TILE_COLUMNS = 64, 4096
"""A tile of a product: about 1 MB in float32, so that element-wise passes over it stay in the level-2 cache."""


class KernelBlocks(ABC):
    """The kernel among the rows of one table of ``len(self)`` rows, in precision ``dtype``."""

    dtype: torch.dtype
    device: torch.device

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def diagonal(self, rows: RowsAt) -> torch.Tensor:
        """K(x, x) of ``rows``, (k,) float64."""

    @abstractmethod
    def fill_(self, rows: RowsAt, columns: RowsAt, K: torch.Tensor) -> None:
        """Write the kernel between ``rows`` and ``columns`` into ``K`` (k, l), rows contiguous."""

    def block(self, rows: RowsAt, columns: RowsAt) -> torch.Tensor:
        """The kernel between ``rows`` and ``columns``, (k, l)."""
        K = torch.empty((self.count(rows), self.count(columns)), dtype=self.dtype, device=self.device)
        for start, stop in ranges(0, K.shape[1], TILE_COLUMNS):
            self.fill_(rows, _part(columns, start, stop, len(self)), K[:, start:stop])
        return K

    def product(self, rows: RowsAt, columns: slice, B: torch.Tensor) -> torch.Tensor:
        """K(rows, columns) @ ``B`` (l, c) float64, accumulated in float64, as (k, c).

        Dual coefficients are large and of both signs where the ridge is small: summed in float32, they would lose what
        the kernel values hold.
        """
        product = torch.zeros((self.count(rows), B.shape[1]), dtype=torch.float64, device=self.device)
        first, last, _ = columns.indices(len(self))
        height, width = TILE_ROWS, TILE_COLUMNS
        if not on_cpu(product):  # few tiles, for each has to be asked for; with its copy in float64 one block
            height = max(1, min(TILE_COLUMNS, len(product)))
            width = max(1, block_bytes(self.device) // (8 * height))
        tile = torch.empty((height, min(width, max(1, last - first))), dtype=self.dtype, device=self.device)
        exact = np.empty(tile.shape) if on_cpu(product) else None
        for top, bottom in ranges(0, len(product), height):
            part = _part(rows, top, bottom, len(self))
            for start, stop in ranges(first, last, width):
                K = tile[: bottom - top, : stop - start]
                self.fill_(part, slice(start, stop), K)
                if exact is None:
                    product[top:bottom] += K.double() @ B[start - first : stop - first]
                else:
                    doubled = exact[: bottom - top, : stop - start]
                    np.copyto(doubled, K.numpy())
                    product[top:bottom] += torch.from_numpy(doubled @ B[start - first : stop - first].numpy())
        return product

    def count(self, rows: RowsAt) -> int:
        """How many rows ``rows`` names."""
        return len(range(*rows.indices(len(self)))) if isinstance(rows, slice) else len(rows)


class RadialBlocks(KernelBlocks):
    """A radial kernel in a metric among the rows ``X`` (n, d); the first ``fitted`` rows say what of it is rounding.

    Or ``sizes`` (d,) do, those of the features. ``rows`` are they, prepared for their distances.
    """

    def __init__(
        self,
        kernel: RadialKernel,
        X: torch.Tensor,
        metric: Metric | None = None,
        fitted: int | None = None,
        sizes: torch.Tensor | None = None,
    ) -> None:
        self.kernel, self.dtype, self.device = kernel, X.dtype, X.device
        self.rows = metric_rows(X, metric, kernel.bandwidth, fitted=fitted, sizes=sizes)

    def __len__(self) -> int:
        return len(self.rows.left)

    def diagonal(self, rows: RowsAt) -> torch.Tensor:
        zero = torch.zeros((self.count(rows), 1), dtype=self.dtype, device=self.device)
        self.kernel.profile_(zero, None)
        return zero[:, 0].double()

    def fill_(self, rows: RowsAt, columns: RowsAt, K: torch.Tensor) -> None:
        kernel_between_(self.kernel, self.rows.at(rows), self.rows.at(columns), K)

    def weights(self, rows: RowsAt, columns: RowsAt) -> torch.Tensor:
        """L^2 W (k, l) between ``rows`` and ``columns``, the gradient weights of :mod:`rfm.kernels`."""
        K, W = torch.empty((2, self.count(rows), self.count(columns)), dtype=self.dtype, device=self.device)
        kernel_between_(self.kernel, self.rows.at(rows), self.rows.at(columns), K, W)
        return W


def ranges(first: int, last: int, step: int) -> list[tuple[int, int]]:
    """``[(start, stop), ...]`` covering ``first`` to ``last`` in steps of ``step``."""
    return [(start, min(start + step, last)) for start in range(first, last, step)]


def _part(rows: RowsAt, start: int, stop: int, n: int) -> RowsAt:
    """The ``start``-th to ``stop``-th of ``rows`` (steps of 1) in a table of ``n``."""
    if isinstance(rows, slice):
        first, _, _ = rows.indices(n)
        return slice(first + start, first + stop)
    return rows[start:stop]

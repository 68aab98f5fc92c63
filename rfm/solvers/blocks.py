"""Kernels of tables that are too large for a kernel matrix: any block on demand, products tile by tile.

A :class:`KernelBlocks` stands for the kernel among all rows of one table. Nothing here allocates more than one block
that was asked for, or one tile of a product.
"""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod

import numpy as np
import torch

from rfm.arrays import block_bytes, matmul, on_cpu
from rfm.engines import engine
from rfm.kernels import RadialKernel, kernel_between_
from rfm.linalg import mirror_
from rfm.native.tables import NativeTable
from rfm.rows import Metric, metric_rows

RowsAt = slice | torch.Tensor
"""Which rows of the table: a range, or row numbers (k,) int64."""

TILE_ROWS, TILE_COLUMNS = 64, 4096
"""A tile of a product: about 1 MB in float32, so that element-wise passes over it stay in the level-2 cache."""

_PANEL_ROWS = 1024
"""Rows of a symmetric kernel that are worked on, and kept or not, together."""


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

    def add_panel_(
        self, top: int, bottom: int, kept: torch.Tensor | None, formed: bool, B: torch.Tensor, out: torch.Tensor
    ) -> None:
        """Add to ``out`` (c, n) what the rows ``top`` to ``bottom`` of K's lower triangle give, times ``B`` (c, n).

        Entries left of ``top`` serve twice, as those above the diagonal too. ``kept`` (bottom - top, bottom), if given,
        has the rows if they are ``formed`` and takes them if not. All sums are in float64.
        """
        for start, stop in [*ranges(0, top, TILE_COLUMNS), (top, bottom)]:
            if kept is None:
                K = torch.empty((bottom - top, stop - start), dtype=self.dtype, device=self.device)
            else:
                K = kept[:, start:stop]
            if kept is None or not formed:
                self.fill_(slice(top, bottom), slice(start, stop), K)
                if start == top:
                    mirror_(K)
            exact = K.double()
            out[:, top:bottom] += matmul(B[:, start:stop], exact.T)
            if start < top:
                out[:, start:stop] += matmul(B[:, top:bottom], exact)

    def count(self, rows: RowsAt) -> int:
        """How many rows ``rows`` names."""
        return len(range(*rows.indices(len(self)))) if isinstance(rows, slice) else len(rows)


class Cache:
    """Memory of ``budget`` bytes for panels of kernel matrices, taken once and used by one matrix after another."""

    def __init__(self, budget: int) -> None:
        self._budget = budget
        self._panels: dict[tuple[int, int, torch.dtype], torch.Tensor] = {}

    def panels(self, blocks: KernelBlocks, ranges_: list[tuple[int, int]]) -> list[torch.Tensor]:
        """Uninitialised (stop - start, stop) panels for as many of ``ranges_``, from the first on, as there is room."""
        left, wanted = self._budget, []
        for start, stop in ranges_:
            left -= (stop - start) * stop * blocks.dtype.itemsize
            if left < 0:
                break
            wanted.append((start, stop, blocks.dtype))
        if any(key not in self._panels for key in wanted):
            self._panels.clear()
        for key in wanted:
            if key not in self._panels:
                self._panels[key] = torch.empty((key[1] - key[0], key[1]), dtype=key[2], device=blocks.device)
        return [self._panels[key] for key in wanted]


class SymmetricKernel:
    """K among the first ``n`` rows of ``blocks``, of which so much is kept as ``cache`` has room for, of one half.

    What is kept is formed at the first product; what is not, at every product. Both give the same numbers.
    """

    def __init__(self, blocks: KernelBlocks, n: int, cache: Cache) -> None:
        self._blocks, self._formed = blocks, False
        self._panels = ranges(0, n, _PANEL_ROWS)
        self._kept = cache.panels(blocks, self._panels)
        held = self._panels[len(self._kept) - 1][1] if self._kept else 0
        self.share = (held / n) ** 2
        """How much of K is kept."""

    def product(self, B: torch.Tensor) -> torch.Tensor:
        """K @ ``B`` (n, c), in float64."""
        vectors = B.T.contiguous()
        out = torch.zeros_like(vectors)
        for (top, bottom), kept in itertools.zip_longest(self._panels, self._kept):
            self._blocks.add_panel_(top, bottom, kept, self._formed, vectors, out)
        self._formed = True
        return out.T.contiguous()


class RadialBlocks(KernelBlocks):
    """A radial kernel in a metric among the rows ``X`` (n, d); the first ``fitted`` rows say what of it is rounding.

    Or ``sizes`` (d,) do, those of the features. ``rows`` are they, prepared for their distances. ``choice`` asks for an
    engine, as :func:`rfm.engines.engine` has it.
    """

    def __init__(
        self,
        kernel: RadialKernel,
        X: torch.Tensor,
        metric: Metric | None = None,
        fitted: int | None = None,
        sizes: torch.Tensor | None = None,
        choice: str | None = None,
    ) -> None:
        self.kernel, self.dtype, self.device = kernel, X.dtype, X.device
        self.rows = metric_rows(X, metric, kernel.bandwidth, fitted=fitted, sizes=sizes)
        self.native = NativeTable.of(engine(X.device.type, choice), kernel, self.rows.coordinates)

    def __len__(self) -> int:
        return len(self.rows.left)

    def diagonal(self, rows: RowsAt) -> torch.Tensor:
        zero = torch.zeros((self.count(rows), 1), dtype=self.dtype, device=self.device)
        self.kernel.profile_(zero, None)
        return zero[:, 0].double()

    def fill_(self, rows: RowsAt, columns: RowsAt, K: torch.Tensor, W: torch.Tensor | None = None) -> None:
        """Write the kernel between ``rows`` and ``columns`` into ``K`` (k, l), and L^2 times its gradient weights, of
        :mod:`rfm.kernels`, into ``W``, laid out alike."""
        if self.native is None:
            kernel_between_(self.kernel, self.rows.at(rows), self.rows.at(columns), K, W)
        else:
            self.native.fill_(rows, columns, K, W)

    def product(self, rows: RowsAt, columns: slice, B: torch.Tensor) -> torch.Tensor:
        if self.native is None:
            return super().product(rows, columns, B)
        return torch.from_numpy(self.native.product(rows, columns, np.ascontiguousarray(B.numpy().T)).T.copy())

    def add_panel_(
        self, top: int, bottom: int, kept: torch.Tensor | None, formed: bool, B: torch.Tensor, out: torch.Tensor
    ) -> None:
        if self.native is None:
            super().add_panel_(top, bottom, kept, formed, B, out)
        else:
            self.native.add_panel_(top, bottom, kept, formed, B, out)


def ranges(first: int, last: int, step: int) -> list[tuple[int, int]]:
    """``[(start, stop), ...]`` covering ``first`` to ``last`` in steps of ``step``."""
    return [(start, min(start + step, last)) for start in range(first, last, step)]


def _part(rows: RowsAt, start: int, stop: int, n: int) -> RowsAt:
    """The ``start``-th to ``stop``-th of ``rows`` (steps of 1) in a table of ``n``."""
    if isinstance(rows, slice):
        first, _, _ = rows.indices(n)
        return slice(first + start, first + stop)
    return rows[start:stop]

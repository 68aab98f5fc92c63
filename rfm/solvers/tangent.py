r"""The neural tangent kernel block by block, at a cost that does not depend on the depth.

The kernel of :mod:`rfm.ntk` is |x| |z| t(theta) with theta the angle between x and z. A short polynomial gives t to
float32 precision: one arc cosine and that instead of an arc cosine and a root for each layer. An arc cosine near 1
loses half of the digits: angles between nearly parallel rows come from the differences of the unit vectors.
"""

from __future__ import annotations

import numpy as np
import torch

from rfm.arrays import on_cpu, places_up_to, put_, row_blocks, smallest, squared_gaps
from rfm.engines import engine
from rfm.native.tangents import TILE_DEGREES, tile
from rfm.ntk import angular_profile
from rfm.solvers.blocks import KernelBlocks, RowsAt

_DEGREE = 16
"""Right to 2e-8 of t(0) = depth + 1 up to ten layers, which is less than float32 resolves."""
_PARALLEL = 2.5e-4
"""Cosines this close to 1 are those of nearly parallel rows."""
_BLOCK_ROWS = 64
_TILE_BYTES = 256 << 10
"""Of a tile of the native engine, which stays in the second-level cache."""


class TangentBlocks(KernelBlocks):
    """The neural tangent kernel with ``depth`` hidden layers among the rows ``X`` (n, d), in the type of ``X``.

    ``choice`` asks for an engine, as :func:`rfm.engine` has it.
    """

    def __init__(self, X: torch.Tensor, depth: int, choice: str | None = None) -> None:
        self.dtype, self.device = X.dtype, X.device
        exact = X.double()
        norms = exact.norm(dim=1)
        self._unit = (exact / torch.where(norms > 0, norms, 1.0)[:, None]).to(X.dtype)
        self._norms = norms
        self._depth = depth
        found = engine(X.device.type, choice)
        self._native = found if found.library is not None and X.shape[1] > 0 else None
        self._coefficients = angular_profile(depth, _DEGREE if self._native is None else TILE_DEGREES[X.dtype])
        self._profile = torch.tensor(self._coefficients, dtype=X.dtype).numpy()  # as the native tiles take it

    def __len__(self) -> int:
        return len(self._norms)

    def diagonal(self, rows: RowsAt) -> torch.Tensor:
        return (self._depth + 1.0) * self._norms[rows] ** 2

    def fill_(self, rows: RowsAt, columns: RowsAt, K: torch.Tensor) -> None:
        left, right = self._unit[rows], self._unit[columns]
        rises, runs = self._norms[rows].to(self.dtype), self._norms[columns].to(self.dtype)
        if self._native is not None:
            for start, stop in row_blocks(len(left), K.shape[1], K.element_size(), _TILE_BYTES):
                part = slice(start, stop)
                tile(self._native, left[part], right, rises[part], runs, self._profile, K[part])
            return
        budget = _BLOCK_ROWS * K.shape[1] * K.element_size() if on_cpu(K) else None
        blocks = row_blocks(len(left), K.shape[1], K.element_size(), budget, device=K.device)
        height = max((stop - start for start, stop in blocks), default=0)
        bound = torch.full((height, 1), _PARALLEL - 1.0, dtype=self.dtype, device=self.device)
        scratch = torch.empty((height, K.shape[1]), dtype=self.dtype, device=self.device)
        for start, stop in blocks:
            block, angle = K[start:stop], scratch[: stop - start]
            torch.mm(-left[start:stop], right.T, out=angle)
            near = not on_cpu(K) or smallest(angle) <= _PARALLEL - 1.0
            places = places_up_to(angle, bound[: stop - start]) if near else None
            arccos_(angle.neg_().clamp_(-1.0, 1.0))
            if places is not None:
                put_(angle, places, 2.0 * (squared_gaps(left[start:stop], right, places).sqrt() / 2.0).asin())
            angle.mul_(2.0 / np.pi).sub_(1.0)
            block.fill_(self._coefficients[-1])
            for coefficient in self._coefficients[-2::-1]:
                block.mul_(angle).add_(coefficient)
            block.mul_(rises[start:stop, None]).mul_(runs)


def arccos_(r: torch.Tensor) -> torch.Tensor:
    """``arccos(r)`` in place."""
    if on_cpu(r):
        view = r.numpy()
        np.arccos(view, out=view)
        return r
    return r.arccos_()

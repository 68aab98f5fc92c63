"""Kernel ridge regression with the Laplace kernel: what RFM is before it learns any feature."""

from __future__ import annotations

from bench.methods.rfm import RFM


class Laplace(RFM):
    """RFM's grid of ridges and row norms without any M update."""

    name = "laplace"
    title = "Laplace kernel"
    iterations = 0

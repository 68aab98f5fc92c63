"""Solvers for kernel ridge regression on tables whose kernel matrix is never formed."""

from rfm.solvers.blocks import KernelBlocks, RadialBlocks
from rfm.solvers.eigenpro import EigenPro, Epoch

__all__ = ["EigenPro", "Epoch", "KernelBlocks", "RadialBlocks"]

"""Linear Recursive Feature Machines for matrix completion (Radhakrishnan, Belkin, Drusvyatskiy, arXiv 2401.04553)."""

from rfm.completion.entries import Entries
from rfm.completion.estimator import MatrixCompletion

__all__ = ["Entries", "MatrixCompletion"]

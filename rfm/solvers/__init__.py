"""Linear solvers for kernel systems."""

"""Recursive Feature Machines: kernels, average gradient outer products, solvers and estimators."""

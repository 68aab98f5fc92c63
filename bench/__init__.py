"""The benchmarking harness: registry, tables, methods, protocols, runner, statistics and report."""

__version__ = "0.1.0"

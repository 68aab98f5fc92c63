"""What the author of a method with a session of its own imports; :mod:`bench.methods.plugin` is the shorter way."""

from bench.records.method import (
    HIDDEN,
    Choice,
    Config,
    CpuClock,
    Fold,
    Method,
    Path,
    Prediction,
    Session,
    Task,
)

__all__ = [
    "HIDDEN",
    "Choice",
    "Config",
    "CpuClock",
    "Fold",
    "Method",
    "Path",
    "Prediction",
    "Session",
    "Task",
]

"""Checks of the estimators' parameters: each returns the value to compute with or raises a ValueError naming it."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
import torch

DTYPES = {"float32": torch.float32, "float64": torch.float64}
DEVICES = ("cpu", "cuda", "auto")


def positive(owner: str, name: str, value: Any, *, at_most: float = np.finfo(np.float64).max) -> float:
    """A finite number above zero, not above ``at_most``."""
    if not _is_number(value, Real) or not 0 < float(value) <= at_most:
        bound = "" if at_most > 1e300 else f" and <= {at_most:g}"
        raise _wrong(owner, name, f"a finite number > 0{bound}", value)
    return float(value)


def count(owner: str, name: str, value: Any, *, at_least: int) -> int:
    """An integer not below ``at_least``."""
    if not _is_number(value, Integral) or int(value) < at_least:
        raise _wrong(owner, name, f"an integer >= {at_least}", value)
    return int(value)


def flag(owner: str, name: str, value: Any) -> bool:
    """True or False."""
    if not isinstance(value, bool | np.bool_):
        raise _wrong(owner, name, "True or False", value)
    return bool(value)


def one_of(owner: str, name: str, value: Any, known: tuple[str, ...]) -> str:
    """One of the words ``known``."""
    if not isinstance(value, str) or value not in known:
        raise _wrong(owner, name, "one of " + ", ".join(known), value)
    return value


def working_dtype(owner: str, value: Any) -> torch.dtype:
    """The torch type of ``"float32"`` or ``"float64"``."""
    return DTYPES[one_of(owner, "dtype", value, tuple(DTYPES))]


def fitting_device(owner: str, value: Any) -> str:
    """``"cpu"`` or ``"cuda"``; ``"auto"`` takes the GPU if PyTorch sees one. Asking for an absent one is an error."""
    device = one_of(owner, "device", value, DEVICES)
    if device == "cpu":
        return device
    if torch.cuda.is_available():
        return "cuda"
    if device == "cuda":
        raise ValueError(
            f"The 'device' parameter of {owner} is 'cuda', but PyTorch sees no GPU here: use 'cpu' or 'auto'."
        )
    return "cpu"


def predicting_device(value: str) -> str:
    """Where a fitted estimator predicts: as :func:`fitting_device`, but on the CPU where the GPU it had is gone."""
    return "cuda" if value != "cpu" and torch.cuda.is_available() else "cpu"


def _is_number(value: Any, kind: type) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool | np.bool_)


def _wrong(owner: str, name: str, expected: str, value: Any) -> ValueError:
    return ValueError(f"The {name!r} parameter of {owner} must be {expected}. Got {value!r} instead.")

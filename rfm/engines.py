"""Which engine computes: the native chain where this installation has it, PyTorch and NumPy otherwise.

The environment variable ``RFM_ENGINE``, ``native`` or ``python``, asks for one of them; ``RFM_INSTRUCTIONS`` for one of
the native chain's instruction sets.
"""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass

from rfm.native import Library, library

ENGINES = ("native", "python")


@dataclass(frozen=True)
class Engine:
    """An engine: its ``name``, ``native`` or ``python``, and if it is Python, ``why``."""

    name: str
    why: str = ""
    library: Library | None = None
    instruction_set: str = ""

    @functools.cached_property
    def words(self) -> str:
        """Its instructions, or why it is Python, and scipy's BLAS. Looks through all libraries, so only when asked."""
        return f"{self.why or self.instruction_set}, {_blas()}"

    @property
    def version(self) -> str:
        """``python``, or ``native-`` and the first digits of its sources' hash: what a result may depend on."""
        return self.name if self.library is None else f"{self.name}-{self.library.module.SOURCES[:8]}"

    def __str__(self) -> str:
        return f"{self.name} ({self.words})"


def engine(device: str = "cpu", choice: str | None = None) -> Engine:
    """The engine that chains on ``device`` run on; ``str`` of it is a line to read.

    Parameters
    ----------
    device : str
        ``"cpu"`` or ``"cuda"``, where there is no native chain.
    choice : str, optional
        ``"native"`` or ``"python"``; by default what ``RFM_ENGINE`` says, else native where it was built.

    Returns
    -------
    Engine
        Its name and what it computes with, or why it is Python's.

    Raises
    ------
    ValueError
        For an unknown choice, and for ``native`` where it cannot run.
    """
    asked = choice or os.environ.get("RFM_ENGINE") or ""
    if asked not in ("", *ENGINES):
        origin = "engine" if choice else "RFM_ENGINE"
        raise ValueError(f"{origin} must be one of {', '.join(ENGINES)}, got {asked!r}")
    if asked == "python":
        return Engine("python", "as asked")
    if device != "cpu":
        return Engine("python", f"the native chain does not run on {device}")
    found = library()
    if isinstance(found, Library):
        return _native(found, os.environ.get("RFM_INSTRUCTIONS") or found.instruction_sets[0])
    if asked == "native":
        raise ValueError(f"the native engine is asked for, but {found}")
    return Engine("python", found)


@functools.cache
def _native(found: Library, instruction_set: str) -> Engine:
    if instruction_set not in found.instruction_sets:
        known = ", ".join(found.instruction_sets)
        raise ValueError(f"RFM_INSTRUCTIONS must be one of {known} on this processor, got {instruction_set!r}")
    return Engine("native", "", found, instruction_set)


def _blas() -> str:
    """Name, version and processor kind of the BLAS that scipy brings, as far as it says."""
    from scipy import show_config
    from threadpoolctl import threadpool_info

    built = show_config(mode="dicts")["Build Dependencies"]["blas"]
    for pool in threadpool_info():
        if pool["user_api"] == "blas" and "scipy.libs" in pool["filepath"]:
            return f"{pool['internal_api']} {pool['version']} {pool.get('architecture', '')}".strip()
    return f"{built['name']} {built['version']}"

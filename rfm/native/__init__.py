"""The native chain: a compiled module, if this installation has one, and scipy's BLAS and LAPACK for it to call.

``module.c`` is built with the wheel where there is a C compiler (``tools/build_native.py``). Nothing is compiled here.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import importlib.resources
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Library:
    """The compiled ``module``, BLAS and LAPACK loaded, and the ``instruction_sets`` it has here, the best first."""

    module: Any
    instruction_sets: tuple[str, ...]


@functools.cache
def library() -> Library | str:
    """The library, or a line on why there is none."""
    try:
        module = importlib.import_module("rfm.native._chain")
    except ImportError as error:
        if isinstance(error, ModuleNotFoundError):
            return "the native chain was not built when rfm was installed: no C compiler"
        return f"the native chain cannot be loaded: {error}"
    sources = _sources_hash()
    if sources and sources != module.SOURCES:
        return "the native chain was built from other sources: run `python tools/build_native.py`"
    from scipy.linalg import cython_blas, cython_lapack

    try:
        module.load(cython_blas.__pyx_capi__, cython_lapack.__pyx_capi__)
    except (ImportError, KeyError, ValueError, AttributeError) as error:
        return f"scipy's BLAS cannot be called: {error}"
    return Library(module, tuple(module.instruction_sets()))


def _sources_hash() -> str:
    """sha256 of the C sources; empty where an installation has none."""
    here = importlib.resources.files("rfm.native").iterdir()
    sources = sorted((item for item in here if item.name.endswith((".c", ".h"))), key=lambda item: item.name)
    return hashlib.sha256(b"".join(item.read_bytes() for item in sources)).hexdigest() if sources else ""

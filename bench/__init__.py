"""The benchmark: registry, datasets, methods, protocols, runner, statistics and report.

From Python, for example in a notebook, :func:`run` does what ``python -m bench run`` does and :func:`load` gives scores
as a DataFrame:

    import bench

    done = bench.run(subset="smoke", methods="rfm,laplace", run="results/first")
    done.scores.groupby("method")["accuracy"].mean()
    bench.load("results/kept/comparison")
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.cli.notebook import load as load
    from bench.cli.notebook import run as run

    __version__: str


def __getattr__(name: str) -> Any:
    """``load`` and ``run``, imported when they are asked for; ``run`` is the subpackage, which can be called.

    ``__version__``, which takes longer to find than the rest of this import.
    """
    if name == "__version__":
        return _version()
    if name == "load":
        return importlib.import_module("bench.cli.notebook").load
    if name == "run":
        return importlib.import_module("bench.run")
    raise AttributeError(f"module 'bench' has no attribute {name!r}")


def _version() -> str:
    """The version of the installation, which is that of its tag; of sources that are not installed it is not known."""
    import importlib.metadata

    try:
        return importlib.metadata.version("rfmbench")
    except importlib.metadata.PackageNotFoundError:
        return "0+unknown"

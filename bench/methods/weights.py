"""Pretrained weights that the user provides: a method reads them from a folder, and nothing is ever downloaded."""

from __future__ import annotations

import functools
import hashlib
import importlib
import importlib.metadata
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.errors import MethodError, UsageError, one_line

VARIABLE = "BENCH_WEIGHTS"
_OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}


@dataclass(frozen=True)
class Weights:
    """A file of weights, and the start of its sha256, which is part of a job's identity."""

    file: Path
    sha256: str

    @property
    def config(self) -> dict[str, str]:
        """What a configuration says of them."""
        return {"weights": self.file.name, "weights_sha256": self.sha256}


def require(library: str) -> None:
    """Import ``library``, with downloads switched off first. Raises :class:`UsageError` if it is not installed."""
    os.environ.update(_OFFLINE)
    try:
        importlib.import_module(library)
    except ImportError as error:
        raise UsageError(
            f"it needs the package {library} (pip install {library}): {one_line(str(error), 200)}"
        ) from error


def given_weights(library: str, names: dict[str, str]) -> dict[str, Weights]:
    """The weights that there are of the files ``names``, by the same keys.

    Raises :class:`UsageError` if there is none: it says where they were looked for and what is there instead.
    """
    wanted = " or ".join(names.values())
    told = os.environ.get(VARIABLE)
    if not told:
        raise UsageError(f"it needs weights that are never downloaded: set {VARIABLE} to a folder with {wanted}")
    folder = Path(told).expanduser()
    if not folder.is_dir():
        raise UsageError(f"{VARIABLE}: {told} is not a folder; expected one with {wanted}")
    found = {key: _weights(folder / name) for key, name in names.items() if (folder / name).is_file()}
    if not found:
        others = sorted(path.name for path in folder.iterdir() if path.name.startswith(library))
        there = f"other versions are there ({', '.join(others[:3])})" if others else "it has none"
        raise UsageError(f"{VARIABLE}: expected {wanted} in {told}: {there}")
    return found


def fitted(library: str, weights: Weights, estimator: Any, X: Any, y: Any) -> Any:
    """``estimator``, fitted. Raises :class:`MethodError`, naming package and weights, where it does not take them."""
    try:
        return estimator.fit(X, y)
    except Exception as error:
        version = importlib.metadata.version(library)
        raise MethodError(
            f"{library} {version} with the weights {weights.file.name}: {type(error).__name__}: "
            f"{one_line(str(error), 100)}"
        ) from error


def _weights(file: Path) -> Weights:
    stat = file.stat()
    return Weights(file, _sha256(file, stat.st_size, stat.st_mtime_ns))


@functools.cache
def _sha256(file: Path, size: int, changed: int) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()[:16]

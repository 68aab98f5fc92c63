"""Pretrained weights that the user provides: a method reads them from a folder, and nothing is ever downloaded."""

from __future__ import annotations

import functools
import hashlib
import importlib
import importlib.metadata
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from bench.errors import MethodError, UsageError, one_line
from bench.methods.plugin import EstimatorMethod
from bench.records.dataset import FloatArray, IntArray
from bench.records.measure import Kind

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


def given_weights(library: str, names: Mapping[Kind, str]) -> dict[Kind, Weights]:
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


class PretrainedMethod(EstimatorMethod):
    """A method that predicts with weights as they are: nothing is tuned, and the weights are its one configuration.

    It can predict what there are weights for. ``library`` is imported with downloads switched off; ``files`` names the
    file of each kind.
    """

    library: ClassVar[str]
    files: ClassVar[dict[Kind, str]]

    def __init__(self) -> None:
        require(self.library)
        self.weights = given_weights(self.library, self.files)
        self.kinds = tuple(self.weights)  # type: ignore[misc]  # of this folder, not of the class

    def configurations(self) -> list[dict[str, Any]]:
        return self._configurations("classification")

    def regression_configurations(self) -> list[dict[str, Any]]:
        return self._configurations("regression")

    def _configurations(self, kind: Kind) -> list[dict[str, Any]]:
        return [dict(self.weights[kind].config)] if kind in self.weights else []

    def fit(self, estimator: Any, X: FloatArray, y: IntArray | FloatArray, seed: int) -> Any:
        """Fitted; :class:`MethodError`, naming package and weights, where the package does not take them."""
        try:
            return estimator.fit(X, y)
        except Exception as error:
            weights = self.weights["classification" if y.dtype.kind == "i" else "regression"]
            version = importlib.metadata.version(self.library)
            raise MethodError(
                f"{self.library} {version} with the weights {weights.file.name}: {type(error).__name__}: "
                f"{one_line(str(error), 100)}"
            ) from error

    def peak_bytes(self, n: int, d: int, c: int) -> int:
        return 1_500_000_000 + 2_000 * n * d

    def work(self, n: int, d: int, c: int) -> float:
        return 8 * (1 + 1e-3 * n * (1 + d / 10))


def _weights(file: Path) -> Weights:
    stat = file.stat()
    return Weights(file, _sha256(file, stat.st_size, stat.st_mtime_ns))


@functools.cache
def _sha256(file: Path, size: int, changed: int) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()[:16]

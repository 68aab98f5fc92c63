"""What a job computes: a method on a dataset, under one protocol or several that tune alike."""

from __future__ import annotations

import time
import traceback
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from bench import protocols
from bench.errors import MethodError
from bench.methods import get_method
from bench.protocols import Predicted, carry_out_together
from bench.records.dataset import Dataset, Splits
from bench.records.measure import Measure
from bench.records.method import CPU, Method
from bench.run.devices import require
from bench.run.identity import Fingerprint, fingerprint, imported_modules
from bench.run.provenance import REASON_CHARACTERS


class Work(Protocol):
    """What a job computes. It travels to the process that does it, and so does what ``data`` it needs."""

    @property
    def data(self) -> Any:
        """What is large and shared by several jobs; None if there is nothing."""

    @property
    def data_key(self) -> str:
        """Names ``data``: equal keys, equal data."""

    def run(self) -> dict[str, Any]:
        """The outcome as plain data: ``{"holdouts": [...]}`` or ``{"values": {...}}``."""

    @property
    def device(self) -> str:
        """Where it is computed: one of :data:`bench.records.method.DEVICES`."""

    def fingerprint(self) -> Fingerprint:
        """Of the code and the libraries that compute it in this process."""

    def modules(self) -> tuple[str, ...]:
        """What the fork server should have loaded."""


@dataclass(frozen=True)
class MethodWork:
    """A method on a dataset, under protocols that tune alike."""

    spec: str
    protocols: tuple[protocols.Protocol, ...]
    seed: int
    data: tuple[Dataset, Splits] | None
    data_key: str
    select: Measure | None = None
    keep_predictions: bool = False
    device: str = CPU

    def run(self) -> dict[str, Any]:
        """The outcome on every test fold under the first protocol, and under ``further`` those of the others.

        What one of them alone cannot do is its own error. ``spared_seconds`` are those of CPU time that the others
        have added.
        """
        assert self.data is not None
        require(self.device)
        predicted: list[Predicted] = []
        began = time.process_time()
        found = carry_out_together(
            get_method(self.spec),
            *self.data,
            self.protocols,
            self.seed,
            select=self.select,
            keep=predicted.append if self.keep_predictions else lambda each: None,
            device=self.device,
        )
        together = time.process_time() - began
        outcomes: list[dict[str, Any]] = []
        for protocol, results in zip(self.protocols, found, strict=True):
            if isinstance(results, MethodError):
                if len(self.protocols) == 1:
                    raise results
                traceback.print_exception(results)
                outcomes.append({"status": "error", "reason": str(results)[:REASON_CHARACTERS]})
                continue
            alone = sum(result.fit_seconds for result in results)
            outcome: dict[str, Any] = {"holdouts": [asdict(result) for result in results]}
            if len(self.protocols) > 1:
                outcome["spared_seconds"] = max(0.0, together - alone)
            if self.keep_predictions:
                outcome["predictions"] = [vars(each) for each in predicted if each.protocol == protocol.name]
            outcomes.append(outcome)
        first, *further = outcomes
        return first | ({"further": further} if further else {})

    def fingerprint(self) -> Fingerprint:
        """Of the method here."""
        return method_fingerprint(get_method(self.spec), self.device)

    def modules(self) -> tuple[str, ...]:
        """The method's own, and all that it imports."""
        method = get_method(self.spec)
        found = imported_modules(type(method).__module__, method.code)
        return found if self.device == CPU else (*found, "torch")  # which says what the device is


def method_fingerprint(method: Method, device: str = CPU) -> Fingerprint:
    """Of a method on ``device`` and of all that hands it its rows and labels."""
    return fingerprint(type(method).__module__, method.code, device=device)

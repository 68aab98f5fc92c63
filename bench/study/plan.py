"""A study's cells as jobs, which the same runner runs and the same store keeps as those of a benchmark."""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench.records.method import CPU
from bench.records.result import Job
from bench.run.identity import Fingerprint, fingerprint, imported_modules, job_ids
from bench.run.plan import Plan, Task, default_timeout
from bench.study.cell import Cell, Study, on_device
from bench.study.images import Images

SOURCE, SPLIT = "study", "cell"
"""What stands in a cell's job where others name the source of a dataset and its splits."""


@dataclass(frozen=True)
class CellWork:
    """A function, ``module:function``, of ``parameters`` and ``seed``; of ``images`` too if there are any to read."""

    target: str
    parameters: Mapping[str, Any]
    seed: int
    images: Images | None = None
    data: None = None
    data_key: str = ""
    device: str = CPU

    def run(self) -> dict[str, Any]:
        """The function's values."""
        module, _, function = self.target.partition(":")
        more = () if self.images is None else (self.images,)
        values = getattr(importlib.import_module(module), function)(self.parameters, self.seed, *more)
        return {"values": dict(values)}

    def fingerprint(self) -> Fingerprint:
        """Of the function's module; nothing else takes part in a cell."""
        return fingerprint(self._module, harness=())

    def modules(self) -> tuple[str, ...]:
        """The function's own, and all that it imports."""
        return imported_modules(self._module)

    @property
    def _module(self) -> str:
        return self.target.partition(":")[0]


def study_plan(
    study: Study, quick: bool, timeout: float | None = None, images: Images | None = None, device: str = CPU
) -> Plan:
    """A task for every cell, longest first; those that run alone last, so that the others are waited for once.

    ``images`` are the image sets that were found. Cells that can be computed on any device are on ``device``.
    """
    found = Images() if images is None else images
    fingerprints = {kind: CellWork(target, {}, 0).fingerprint() for kind, target in study.kinds.items()}
    cells = [on_device(cell, device) for cell in study.cells(quick)]
    tasks = [_task(study, cell, fingerprints[cell.kind], timeout, found) for cell in cells]
    return Plan(tuple(sorted(tasks, key=lambda task: (task.alone, -task.expected_seconds))))


def image_sets(study: Study, quick: bool) -> tuple[str, ...]:
    """The names of the image sets that the study's cells read."""
    return tuple(dict.fromkeys(name for cell in study.cells(quick) for name in cell.images))


def _task(study: Study, cell: Cell, found: Fingerprint, timeout: float | None, images: Images) -> Task:
    target = study.kinds[cell.kind]
    own = Images(
        {name: images.located[name] for name in cell.images if name in images.located},
        {name: images.unreadable[name] for name in cell.images if name in images.unreadable},
    )
    return Task(
        job=_job(study, cell, target, found, own),
        work=CellWork(target, cell.parameters, cell.seed, own if cell.images else None, device=cell.device),
        estimated_bytes=int(cell.memory_mb * 1e6),
        expected_seconds=cell.cost,
        timeout_seconds=default_timeout(cell.cost) if timeout is None else timeout,
        alone=cell.alone,
        all_cores=cell.all_cores,
    )


def _job(study: Study, cell: Cell, target: str, found: Fingerprint, images: Images) -> Job:
    # The code of the readers counts as the cell's own does: that which is used, and only that.
    used = {name: fingerprint(place.reader.partition(":")[0], harness=()) for name, place in images.located.items()}
    read = {"images": {name: [images.located[name].sha256, used[name].code] for name in used}} if cell.images else {}
    identity, work = job_ids(
        found,
        target=target,
        kind=cell.kind,
        parameters=dict(cell.parameters),
        seed=cell.seed,
        alone=cell.alone,
        all_cores=cell.all_cores,
        **read,
    )
    return Job(
        id=identity,
        dataset=cell.name,
        source=SOURCE,
        rows=0,
        features=0,
        classes=0,
        method=cell.kind,
        protocol=study.name,
        split=SPLIT,
        seed=cell.seed,
        work=work,
        versions=found.words,
        parameters=json.dumps(dict(cell.parameters), separators=(",", ":"), allow_nan=False),
    )

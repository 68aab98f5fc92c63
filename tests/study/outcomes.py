"""Outcomes of cells, made up or computed here, and what is on the page about them; importable by name here."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

from bench.report.blocks import Document
from bench.report.build import write_document
from bench.study.cell import Cell, Outcome, Study
from bench.study.images import Images
from bench.study.report import Findings

B = TypeVar("B")


def ok(kind: str, parameters: dict[str, Any], values: dict[str, Any], seed: int = 0) -> Outcome:
    return Outcome(Cell(kind, parameters, seed), "ok", values)


def computed(study: Study, images: Images, cells: Iterable[Cell]) -> list[Outcome]:
    """With the values as a run stores them; cells that read images."""
    found = []
    for cell in cells:
        module, _, function = study.kinds[cell.kind].partition(":")
        values = getattr(importlib.import_module(module), function)(cell.parameters, cell.seed, images)
        found.append(Outcome(cell, "ok", json.loads(json.dumps(values, allow_nan=False))))
    return found


def blocks_of(findings: Findings, kind: type[B]) -> list[B]:
    """The blocks of one ``kind`` in all sections."""
    return [block for section in findings.sections for block in section.all_blocks() if isinstance(block, kind)]


def pages(findings: Findings, folder: Path) -> tuple[str, str]:
    """The page, and its Markdown twin."""
    files = write_document(Document(findings.question, findings.kicker, (), tuple(findings.sections)), folder)
    return files.html.read_text(), files.markdown.read_text()

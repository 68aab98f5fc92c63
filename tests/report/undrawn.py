"""Figures that have their words and data and are not drawn, which takes most of a page's time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd
import pytest

from bench.report.blocks import Figure
from bench.report.figures import by_dataset, by_method, critical_difference, curves, drawing, score_time

DRAWING = (by_dataset, by_method, critical_difference, curves, score_time)
"""The modules whose figures a report has."""


def _undrawn(name: str, title: str, caption: str, data: pd.DataFrame, *_: object, more: str = "", **__: Any) -> Figure:
    words = f"{title}. {caption} {more}".strip()
    empty, phone = (drawing.svg_element("", 1, 1, words, class_) for class_ in ("plot", "plot phone"))
    return Figure(name, title, caption, empty, data.to_csv(index=False, lineterminator="\n"), phone)


@pytest.fixture(scope="module")
def undrawn() -> Iterator[None]:
    """For a module that asks a report for words and data alone."""
    with pytest.MonkeyPatch.context() as patch:
        for module in DRAWING:
            patch.setattr(module, "figure", _undrawn)
        yield


@pytest.fixture
def drawn(undrawn: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are drawn all the same: of thin or odd results."""
    for module in DRAWING:
        monkeypatch.setattr(module, "figure", drawing.figure)

"""Makes the synthetic runs importable by name here; figures that are not written where only words are asked for."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.report.figures.drawing import Sheet, svg_element

sys.path.insert(0, str(Path(__file__).parent))
WRITTEN = Sheet.svg


@pytest.fixture(scope="module")
def unwritten() -> Iterator[None]:
    """Figures are composed and not written as SVG, which takes most of a page's time: for tests of words and data."""

    def svg(sheet: Sheet, words: str, class_: str = "plot") -> str:
        return svg_element("", sheet.width, sheet.height, words, class_)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Sheet, "svg", svg)
        yield


@pytest.fixture
def written(unwritten: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are written all the same: of thin or odd results."""
    monkeypatch.setattr(Sheet, "svg", WRITTEN)

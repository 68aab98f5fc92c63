"""The study's results: fetched once, looked at before they are kept, found again by the report."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from command import Command
from loopback import Loopback, Page, web_page
from msgspec import structs

from bench.cli import fetch
from bench.cli import report as report_command
from bench.data.registry import load_registry
from bench.stats.published import SIZE


def results_text(datasets: int = SIZE[0], classifiers: int = SIZE[1]) -> str:
    names = [f"c{k}" for k in range(classifiers)]
    lines = [" ".join(["problema", *names, "min max mean std"])]
    lines += [" ".join([f"d{i}", *["50.0"] * classifiers, "50.0 50.0 50.0 0.0"]) for i in range(datasets)]
    return "\n".join(lines)


@pytest.fixture
def page(web: Loopback, own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Path on the server where the registry's address of the results leads to."""
    registry = load_registry()
    here = replace(registry, study=structs.replace(registry.study, results_url=f"{web.url}/results.txt"))
    monkeypatch.setattr(fetch, "load_registry", lambda: here)
    return "/results.txt"


def test_results_are_fetched_once_and_found_by_the_report(
    page: str, web: Loopback, own_cache: Path, command: Command
) -> None:
    web.pages[page] = Page(results_text().encode())
    printed = command("fetch", "--published").out
    assert "179 classifiers on 121 datasets, in " in printed
    assert "not exactly the file" in printed
    command("fetch", "--published", "--offline")
    assert len(web.requests) == 1
    assert report_command.published_file(report_command.FETCHED).read_text() == results_text()


@pytest.mark.parametrize(
    ("content", "code", "message"),
    [(results_text(datasets=3), 1, "has 179 classifiers on 121 datasets"), ("nonsense", 2, "not the study's results")],
)
def test_what_is_not_the_whole_file_is_said(
    page: str, web: Loopback, own_cache: Path, command: Command, content: str, code: int, message: str
) -> None:
    web.pages[page] = Page(content.encode())
    assert message in command("fetch", "--published", code=code).err
    if code == 2:
        assert not (own_cache / "study" / "results.txt").exists()


def test_a_web_page_is_not_kept_and_the_report_says_how_to_get_the_file(
    page: str, web: Loopback, own_cache: Path, tmp_path: Path, command: Command
) -> None:
    web.pages[page] = Page(results_text().encode())
    web.faults[page] = [web_page] * 9
    command.refuses("a web page", "fetch", "--published")
    command.refuses("bench fetch --published", "report", str(tmp_path), "--published")

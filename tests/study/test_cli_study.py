"""``bench study`` from the command line."""

from __future__ import annotations

import importlib
import re
from dataclasses import replace
from pathlib import Path

import pytest
from command import Command
from outcomes import computed, pages

from bench.cli.study import STUDIES
from bench.records.result import Job
from bench.store import Store
from bench.study.cell import Study
from bench.study.images import Images

pytestmark = pytest.mark.usefixtures("elsewhere")


def test_bad_arguments_and_other_folders_are_one_clear_line(command: Command) -> None:
    Store(Path("r")).close()
    command.refuses("nothing has been planned there", "study", "low-rank", "--report-only", "--run", "r")
    with Store(Path("r")) as store:
        store.begin([Job("1", "iris", "embedded", 150, 4, 3, "rfm", "clean", "seed-0", 0)], {})
    others = "holds results of `python -m bench run`, not 'low-rank'"
    for said, *words in (
        ("did you mean 'lin-rfm'", "lin-rfn"),
        ("--jobs 0: must be a whole number of at least 1", "low-rank", "--jobs", "0"),
        ("no results in nowhere", "low-rank", "--report-only", "--run", "nowhere"),
        ("--run is empty", "low-rank", "--run", ""),
        ("did you mean 'dask'", "low-rank", "--engine", "dusk"),
        (others, "low-rank", "--quick", "--run", "r"),
        (others, "low-rank", "--quick", "--run", "r", "--report-only"),
    ):
        command.refuses(said, "study", *words)


def test_a_dry_run_lists_and_computes_nothing(command: Command) -> None:
    shown = command("study", "lin-rfm", "--dry-run", "--jobs", "2", "--run", "r").out
    assert "133 jobs to run, 0 done before" in shown
    assert "size=300 repeats=1 #0" in shown
    assert not Path("r").exists()


@pytest.mark.parametrize("name", STUDIES)
def test_without_results_nothing_is_claimed(name: str) -> None:
    find = importlib.import_module(f"{STUDIES[name][0]}.findings").find
    assert {claim.verdict for claim in find([]).claims} == {"not measured"}


EASIER: dict[str, dict[str, float]] = {
    "sparse": {"d": 20, "problems": 1},
    "completion": {"size": 12, "density": 0.9},
    "noise": {"density": 0.9},
    "network": {"epochs": 5, "limit": 5, "train": 100, "test": 50},
}


def one_of_each(study: Study) -> Study:
    """With the first cell of each kind of its small version, made easier."""
    found = {cell.kind: cell for cell in reversed(study.cells(True))}
    cells = [replace(cell, parameters={**cell.parameters, **EASIER.get(kind, {})}) for kind, cell in found.items()]
    return replace(study, cells=lambda quick: tuple(cells))


@pytest.mark.parametrize("name", ["ansatz", "phenomena"])
def test_one_cell_of_each_kind_makes_a_page(name: str, images: Images) -> None:
    cells, findings = (importlib.import_module(f"{STUDIES[name][0]}.{part}") for part in ("cells", "findings"))
    study = one_of_each(cells.STUDY)
    found = findings.find(computed(study, images, study.cells(True)))
    assert len(found.claims) >= 4
    page, _ = pages(found, Path("o"))
    assert "Claim by claim" in page


@pytest.mark.slow
@pytest.mark.parametrize("name", ["low-rank", "lin-rfm"])  # those that read images: test_image_study.py
def test_the_small_version_runs_to_a_report_and_goes_on(
    name: str, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells = importlib.import_module(f"{STUDIES[name][0]}.cells")
    monkeypatch.setattr(cells, "STUDY", one_of_each(cells.STUDY))
    words = ["study", name, "--quick", "--jobs", "2", "--run", "r", "--out", "o"]
    first = command(*words).out
    page = Path("o/index.html").read_text()
    assert "A small version" in page
    assert "http-equiv" in page
    verdicts = r"^(?:holds|holds in part|does not hold|undecided|not measured): "
    assert len(re.findall(verdicts, first, flags=re.MULTILINE)) >= 4
    assert list(Path("r/logs").iterdir())
    if name != "low-rank":  # they go on alike
        return
    [(planned, already)] = re.findall(r"^(\d+) jobs?: .* \((\d+) from before\)", command(*words).out)
    assert planned == already
    for more in ([], ["--report-only"]):
        command.refuses(f"holds the study '{name}'", "study", "lin-rfm", "--quick", *more, "--run", "r")

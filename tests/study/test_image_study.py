"""A study that reads images, from the command line to its page."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from command import Command
from image_files import write_idx

from bench.cli import study as cli
from bench.records.result import JobResult
from bench.run import identity
from bench.store import Store, read_run
from bench.study.images import find_images
from bench.study.plan import study_plan
from bench.study.report import write_study

CELLS = """
from bench.study.cell import Cell, Study

HERE = "study_of_a_test.compute:"

def cells(quick):
    own = [Cell("mean", {"set": "digits"}, images=("digits",), any_device=True)]
    if quick:
        return own
    return [
        *own,
        *(Cell("mean", {"set": "mnist", "part": k}, images=("mnist",)) for k in range(3)),
        Cell("mean", {"set": "cifar10"}, images=("cifar10",)),
        Cell("plain", {"a": 1}),
    ]

STUDY = Study("pictures", {"mean": HERE + "mean", "plain": HERE + "plain"}, cells)
"""
COMPUTE = """
from bench.study.images import rows_of

def mean(parameters, seed, images):
    found = images[parameters["set"]]
    return {"mean": rows_of(found.images).mean(), "device": parameters.get("device", "cpu")}

def plain(parameters, seed):
    return {"value": parameters["a"]}
"""
FINDINGS = """
from bench.report.blocks import Section, text
from bench.study.claims import Claim
from bench.study.report import Findings

def find(outcomes):
    assert not any("device" in o.cell.parameters for o in outcomes)
    sets = [o.cell.parameters.get("set", "none") for o in outcomes]
    done = sum(o.status == "ok" for o in outcomes)
    head = Section("claims", "What holds", (text("Order: " + ", ".join(sets)),))
    return Findings("Are there pictures?", "A test", [Claim("There are", f"{done} cells", "holds")], [head])
"""


@pytest.fixture(autouse=True)
def _study(elsewhere: Path, no_other_images: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The study's package, where jobs can import it, and MNIST as a folder of images."""
    package = elsewhere / "packages" / "study_of_a_test"
    package.mkdir(parents=True)
    for name, source in (("__init__", ""), ("cells", CELLS), ("compute", COMPUTE), ("findings", FINDINGS)):
        (package / f"{name}.py").write_text(source)
    monkeypatch.syspath_prepend(str(package.parent))
    monkeypatch.setitem(cli.STUDIES, "pictures", ("study_of_a_test", "a test"))
    identity._origin.cache_clear()
    write_idx(Path("images/mnist"))
    yield
    identity._origin.cache_clear()


RUN = ("study", "pictures", "--jobs", "2", "--run", "r", "--out", "o")
ORDER = "Order: digits, mnist, mnist, mnist, cifar10, none"


def page() -> str:
    return Path("o/report.md").read_text()


def stored() -> dict[tuple[str, str], Any]:
    """By name and identity of a cell."""
    return {(r.job.dataset, r.job.id): (r.status, r.values) for r in read_run("r").results}


@pytest.mark.slow
def test_what_was_skipped_is_computed_once_its_images_are_there(command: Command) -> None:
    assert "2 ok, 4 skipped" in command(*RUN).out
    # Each reason once above, and once in the account, whatever the number of cells.
    for words in (
        "> 3 cells skipped. MNIST: give a folder",
        "> 1 cell skipped. CIFAR-10: give a folder",
        "skipped: `mean set=mnist part=0 #0` and 2 others of the kind: MNIST",
        ORDER,
    ):
        assert page().count(words) == 1
    assert "part=2" not in page()

    command(*RUN, "--images", "images")
    results = stored()
    assert [name for (name, _), (status, _) in results.items() if status == "skipped"] == ["set=cifar10 #0"]
    assert "MNIST: give a folder" not in page()
    for words in (ORDER, "Images: digits, from scikit-learn's digits", "--images images"):
        assert words in page()
    assert re.search(r"Images: mnist, from MNIST's idx files \(SHA-256 `[0-9a-f]{16}` \.\.\.\)", page())

    command(*RUN, "--images", "images")  # nothing but the images that are not there is looked at anew
    assert stored() == results
    before = page()
    command(*RUN, "--report-only", "--images", "elsewhere")  # no images are read, so none are looked for
    assert page() == before


def identities(folder: Path | None = None, device: str = "cpu") -> dict[str, str]:
    """By what they are called, the hashes of the study's cells."""
    study = importlib.import_module("study_of_a_test.cells").STUDY
    jobs = study_plan(study, False, images=find_images(folder), device=device).jobs
    return {job.dataset: job.id for job in jobs}


def test_other_images_and_other_code_that_reads_them_are_other_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    first, hashed, changed = identities(Path("images")), identity._module_hash, "bench.study.images.idx"

    def differing(other: dict[str, str]) -> set[str]:
        return {name for name in first if first[name] != other[name]}

    concerned = {name for name in first if "mnist" in name}
    assert differing(identities()) == concerned
    with monkeypatch.context() as patch:
        patch.setattr(identity, "_module_hash", lambda name: "new" if name == changed else hashed(name))
        assert differing(identities(Path("images"))) == concerned
    write_idx(Path("images/mnist"), seed=40)
    assert differing(identities(Path("images"))) == concerned


def test_bad_arguments_are_one_clear_line(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    without = SimpleNamespace(cuda=SimpleNamespace(is_available=lambda: False))
    monkeypatch.setitem(sys.modules, "torch", without)
    Path("images/mnist/t10k-labels-idx1-ubyte").unlink()
    for words, said in (
        (("--images", "nowhere"), "--images nowhere: no such folder"),
        (("--images", ""), "--images is empty"),
        (("--images", "images"), "t10k-labels-idx1-ubyte is missing"),
        (("--device", "cudo"), "did you mean 'cuda'"),
        (("--device", "cuda"), "--device cuda: no CUDA device that PyTorch can use here"),
    ):
        assert command.refuses(said, *RUN, *words).err.count("\n") == 1
    computed_here = "the study 'lin-rfm' is computed on the processor"
    command.refuses(computed_here, "study", "lin-rfm", "--device", "cuda", "--run", "r")
    command(*RUN, "--images", "images", "--quick", "--dry-run")  # reads the digits alone, of which nothing is missing
    assert not Path("r").exists()


def test_another_device_is_another_cell_of_those_that_can_be_there() -> None:
    here, there = identities(), identities(device="cuda")
    assert (set(there) - set(here), set(here) - set(there)) == ({"set=digits device=cuda #0"}, {"set=digits #0"})
    assert all(here[name] == there[name] for name in set(here) & set(there))


def test_a_report_reads_the_same_wherever_its_cells_were_computed() -> None:
    study = importlib.import_module("study_of_a_test.cells").STUDY
    first, *others = study_plan(study, False, images=find_images(None), device="cuda").jobs
    with Store(Path("r")) as store:
        store.begin([first, *others], {"quick": False, "device": "cuda"})
        store.record(JobResult(first, "error", reason="it broke"))
        for job in others:
            store.record(JobResult(job, "ok", values={"mean": 0.5}))
    write_study(study, Path("r"), Path("o"))
    for words in (
        "; device cuda.", ORDER, "> **Warning.** 1 cell failed; see [what ran](#account).", "error: `mean",
    ):  # fmt: skip
        assert words in page()

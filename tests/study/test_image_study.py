"""A study that reads images, from the command line to its page."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from image_files import write_idx

from bench.cli import study as cli
from bench.command_line import main
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


@pytest.fixture
def pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The study's package, where jobs can import it; MNIST as a folder of images; nothing else of this machine's."""
    package = tmp_path / "packages" / "study_of_a_test"
    package.mkdir(parents=True)
    for name, source in (("__init__", ""), ("cells", CELLS), ("compute", COMPUTE), ("findings", FINDINGS)):
        (package / f"{name}.py").write_text(source)
    monkeypatch.syspath_prepend(str(package.parent))
    monkeypatch.setitem(cli.STUDIES, "pictures", ("study_of_a_test", "a test"))
    empty = tmp_path / "empty"
    for name in ("HOME", "XDG_CACHE_HOME", "BENCH_CACHE"):
        monkeypatch.setenv(name, str(empty))
    for name in ("BENCH_IMAGES", "OPENML_CACHE_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    identity._origin.cache_clear()
    write_idx(tmp_path / "images" / "mnist")
    yield tmp_path
    identity._origin.cache_clear()


def run(*more: str) -> int:
    return main(["study", "pictures", "--jobs", "2", "--run", "r", "--out", "o", *more])


def statuses() -> dict[str, str]:
    return {result.job.dataset: result.status for result in read_run(Path("r")).results}


@pytest.mark.slow
@pytest.mark.usefixtures("pictures")
def test_what_was_skipped_is_computed_once_its_images_are_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == 0
    first = capsys.readouterr()
    assert "1 cells" in first.out or "2 cells" in first.out
    assert list(statuses().values()).count("skipped") == 4
    page = Path("o/report.md").read_text()
    # Each reason once above, and once in the account, whatever the number of cells.
    assert page.count("> 3 cells skipped. MNIST: give a folder") == 1
    assert page.count("> 1 cell skipped. CIFAR-10: give a folder") == 1
    assert page.count("skipped: `mean set=mnist part=0 #0` and 2 others of the kind: MNIST") == 1
    assert "part=2" not in page
    assert "Order: digits, mnist, mnist, mnist, cifar10, none" in page

    assert run("--images", "images") == 0
    assert {name: status for name, status in statuses().items() if "mnist" in name} == dict.fromkeys(
        [f"set=mnist part={k} #0" for k in range(3)], "ok"
    )
    page = Path("o/report.md").read_text()
    assert "MNIST: give a folder" not in page
    assert "Order: digits, mnist, mnist, mnist, cifar10, none" in page
    assert re.search(r"Images: mnist, from MNIST's idx files \(SHA-256 `[0-9a-f]{16}` \.\.\.\)", page)
    assert "Images: digits, from scikit-learn's digits" in page
    assert "--images images" in page
    values = {r.job.id: r.values for r in read_run(Path("r")).results}

    assert run("--images", "images") == 0  # nothing but the images that are not there is looked at anew
    assert {r.job.id: r.values for r in read_run(Path("r")).results} == values
    page = Path("o/report.md").read_text()
    assert run("--report-only", "--images", "elsewhere") == 0  # no images are read, so none are looked for
    assert Path("o/report.md").read_text() == page


def identities(folder: Path | None = None, device: str = "cpu") -> dict[str, str]:
    """By what they are called, the hashes of the study's cells."""
    study = importlib.import_module("study_of_a_test.cells").STUDY
    jobs = study_plan(study, False, images=find_images(folder), device=device).jobs
    return {job.dataset: job.id for job in jobs}


@pytest.mark.usefixtures("pictures")
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


@pytest.mark.usefixtures("pictures")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--images", "nowhere"], "--images nowhere: no such folder"),
        (["--images", ""], "--images is empty"),
        (["--device", "cudo"], "did you mean 'cuda'"),
    ],
)
def test_bad_arguments_are_one_clear_line(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*arguments) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert words in line
    assert not Path("r").exists()


@pytest.mark.usefixtures("pictures")
def test_half_of_a_set_ends_the_command_before_it_begins(capsys: pytest.CaptureFixture[str]) -> None:
    Path("images/mnist/t10k-labels-idx1-ubyte").unlink()
    assert run("--images", "images") == 2
    assert "t10k-labels-idx1-ubyte is missing" in capsys.readouterr().err
    assert run("--images", "images", "--quick", "--dry-run") == 0  # which reads the digits alone


@pytest.mark.usefixtures("pictures")
def test_another_device_is_another_cell_of_those_that_can_be_there(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    without = SimpleNamespace(cuda=SimpleNamespace(is_available=lambda: False))
    monkeypatch.setitem(sys.modules, "torch", without)
    assert run("--device", "cuda") == 2
    assert "--device cuda: no CUDA device that PyTorch can use here" in capsys.readouterr().err
    here, there = identities(), identities(device="cuda")
    assert set(there) - set(here) == {"set=digits device=cuda #0"}
    assert set(here) - set(there) == {"set=digits #0"}
    assert all(here[name] == there[name] for name in set(here) & set(there))
    assert main(["study", "lin-rfm", "--device", "cuda", "--run", "l"]) == 2
    assert "the study 'lin-rfm' is computed on the processor" in capsys.readouterr().err


@pytest.mark.usefixtures("pictures")
def test_a_report_reads_the_same_wherever_its_cells_were_computed(tmp_path: Path) -> None:
    study = importlib.import_module("study_of_a_test.cells").STUDY
    plan = study_plan(study, False, images=find_images(None), device="cuda")
    results = [JobResult(job, "ok", values={"mean": 0.5}) for job in plan.jobs]
    results[0] = JobResult(plan.jobs[0], "error", reason="it broke")
    with Store(tmp_path / "r") as store:
        store.begin(list(plan.jobs), {"quick": False, "device": "cuda"})
        for result in results:
            store.record(result)
    write_study(study, tmp_path / "r", tmp_path / "o")
    page = (tmp_path / "o" / "report.md").read_text()
    assert "; device cuda." in page
    assert "Order: digits, mnist, mnist, mnist, cifar10, none" in page
    assert "> **Warning.** 1 cell failed; see [what ran](#account)." in page
    assert "error: `mean" in page

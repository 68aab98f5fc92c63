"""``bench check-method``: a readable list, exit codes, JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.cli import main
from bench.methods.contract import CLAUSES

NEIGHBOURS = """
from sklearn.neighbors import KNeighborsClassifier
from bench.methods.plugin import ClassifierMethod

class Neighbours(ClassifierMethod):
    name, title = "knn", "Nearest neighbours"
    grid = {"n_neighbors": [12, 3]}

    def classifier(self, config, fitting):
        return KNeighborsClassifier(min(config["n_neighbors"], fitting.n))
"""


def plugin(tmp_path: Path, text: str = NEIGHBOURS) -> str:
    path = tmp_path / "my_method.py"
    path.write_text(text)
    return str(path)


def test_a_method_that_keeps_the_contract(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check-method", plugin(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert out.startswith("knn (Nearest neighbours): 2 configurations\n")
    assert out.count("\n  ok ") == len(CLAUSES)
    assert f"{len(CLAUSES)} of {len(CLAUSES)} clauses kept" in out


def test_a_method_that_breaks_some(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = plugin(tmp_path, NEIGHBOURS.replace('min(config["n_neighbors"], fitting.n)', 'config["n_neighbors"]'))
    assert main(["check-method", path]) == 1
    out = capsys.readouterr().out
    failed = [line.split(maxsplit=1)[1] for line in out.splitlines() if line.startswith("  FAIL")]
    assert [line[:16].strip() for line in failed] == ["ten rows"]
    assert "raised ValueError: Expected n_neighbors <= n_samples_fit" in out
    assert f"{len(CLAUSES) - 1} of {len(CLAUSES)} clauses kept" in out
    assert main(["check-method", "--json", path]) == 1
    (report,) = json.loads(capsys.readouterr().out)
    assert report["method"] == "knn"
    assert not report["kept"]
    assert [c["clause"] for c in report["clauses"] if c["breaches"]] == ["ten rows"]


def test_what_cannot_be_loaded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check-method", "laplas"]) == 2
    assert "did you mean 'laplace'" in capsys.readouterr().err
    assert main(["check-method", str(tmp_path / "none.py")]) == 2
    assert "none.py: cannot be read" in capsys.readouterr().err


def test_a_plugin_that_ends_the_command_is_not_taken_for_a_good_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = plugin(tmp_path, "import sys\n" + NEIGHBOURS + "\nsys.exit(0)\n")
    for command in (["check-method", path], ["run", "--subset", "lenses", "--plugin", path, "--dry-run"]):
        assert main(command) == 2
        assert "my_method.py cannot be loaded: SystemExit: 0" in capsys.readouterr().err
    path = plugin(tmp_path, NEIGHBOURS.replace("return K", "import sys; sys.exit(0); return K"))
    assert main(["check-method", path]) == 1
    assert "raised SystemExit: 0" in capsys.readouterr().out

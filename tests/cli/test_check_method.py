"""``bench check-method``: a readable list, exit codes, JSON."""

from __future__ import annotations

import json
from pathlib import Path

from command import Command
from plugin_text import NEIGHBOURS, write_plugin

from bench.methods.contract import clauses_of

TWELVE = NEIGHBOURS.replace("[1, 3]", "[12, 3]")
"""More neighbours than some of the contract's tables have rows."""


def test_a_method_that_keeps_the_contract(tmp_path: Path, command: Command) -> None:
    out = command("check-method", write_plugin(tmp_path, TWELVE)).out
    assert out.startswith("knn (Nearest neighbours), classification: 2 configurations\n")
    count = len(clauses_of("classification"))
    assert out.count("\n  ok ") == count
    assert f"{count} of {count} checks passed; regression was not checked: the method does not do it" in out


def test_both_kinds_are_checked(command: Command) -> None:
    reports = json.loads(command("check-method", "--json", "svm_rbf").out)
    assert [(r["method"], r["kind"], r["kept"], len(r["clauses"])) for r in reports] == [
        ("svm_rbf", kind, True, len(clauses_of(kind))) for kind in ("classification", "regression")
    ]


def test_a_method_that_breaks_some(tmp_path: Path, command: Command) -> None:
    path = write_plugin(tmp_path, TWELVE.replace('min(config["n_neighbors"], fitting.n)', 'config["n_neighbors"]'))
    out = command("check-method", path, code=1).out
    [failed] = [line for line in out.splitlines() if line.startswith("  FAIL")]
    assert failed[8:].startswith("ten rows ")
    assert "raised ValueError: Expected n_neighbors <= n_samples_fit" in out
    count = len(clauses_of("classification"))
    assert f"{count - 1} of {count} checks passed" in out
    [report] = json.loads(command("check-method", "--json", path, code=1).out)
    breached = [c["clause"] for c in report["clauses"] if c["breaches"]]
    assert (report["method"], report["kept"], breached) == ("knn", False, ["ten rows"])


def test_what_cannot_be_loaded_or_ends_the_command_is_not_taken_for_a_good_one(
    tmp_path: Path, command: Command
) -> None:
    command.refuses("did you mean 'laplace'", "check-method", "laplas")
    command.refuses("none.py: cannot be read", "check-method", tmp_path / "none.py")
    path = write_plugin(tmp_path, "import sys\n" + TWELVE + "\nsys.exit(0)\n")
    for words in (["check-method", path], ["run", "--subset", "lenses", "--plugin", path, "--dry-run"]):
        command.refuses("my_method.py cannot be loaded: SystemExit: 0", *words)
    path = write_plugin(tmp_path, TWELVE.replace("return K", "import sys; sys.exit(0); return K"))
    assert "raised SystemExit: 0" in command("check-method", path, code=1).out

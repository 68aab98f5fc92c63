"""The summary in LaTeX: the numbers of summary.csv, escaped, the best of a column in bold."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from synthetic_runs import PROVENANCE, make_regression_run, make_run, store_run, with_scores

from bench.cli.export import export_runs
from bench.command_line import main
from bench.report.latex import escaped

NAMES = ["iris", "wine", "zoo", "letter"]
COLUMNS = ["mean_score", "sd_score", "p90", "p95", "pma", "friedman_rank"]


def rows_of(text: str) -> list[tuple[str, list[str]]]:
    """(method, cells) of all rows of figures, the bold ones with a star."""
    lines = [line.removesuffix(r" \\") for line in text.splitlines() if line.endswith(r" \\")]
    found = [re.sub(r"\\textbf\{([^{}]*)\}", r"\1*", line).replace("$-$", "-").split(" & ") for line in lines]
    return [(cells[0], cells[1:]) for cells in found if cells[0] != "Method"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    run = make_run(NAMES, ["rfm", "laplace", "odd_one"], ["clean", "relearn"], details=False)
    about = {"odd_one": {"title": "50 % & #1_{x}~^\\", "origin": "odd.py"}}
    return store_run(tmp_path / "run", replace(run, provenance={**PROVENANCE, "methods": about}))


def test_the_numbers_are_those_of_the_summary_and_the_best_is_bold(folder: Path) -> None:
    summary = pd.read_csv(export_runs([folder])[1])
    (file,) = export_runs([folder], "latex")
    assert file == folder / "summary.tex"
    text = file.read_text()
    rows = rows_of(text)
    assert len(rows) == len(summary)
    titles = {"rfm": "RFM", "laplace": "Laplace kernel", "odd_one": escaped("50 % & #1_{x}~^\\")}
    for (title, cells), row in zip(rows, summary.to_dict("records"), strict=True):
        assert title == titles[row["method"]]
        assert [cell.rstrip("*") for cell in cells] == [f"{row[column]:.2f}".replace("nan", "--") for column in COLUMNS]
        group = summary[(summary["group"] == row["group"]) & (summary["protocol"] == row["protocol"])]
        best = {c: group[c].min() if c == "friedman_rank" else group[c].max() for c in COLUMNS}
        starred = [c for c, cell in zip(COLUMNS, cells, strict=True) if cell.endswith("*")]
        assert starred == [c for c in COLUMNS if c != "sd_score" and row[c] == best[c]]
    for name in (r"\toprule", r"\midrule", r"\bottomrule"):
        assert text.count(name) == text.count(r"\begin{tabular}") == text.count(r"\end{table}") > 0
    assert r"\caption{Accuracy in percent on 3 datasets (small90), protocol clean. Missing results: common" in text
    assert len(set(re.findall(r"\\label\{(.*)\}", text))) == text.count(r"\label")


def test_what_latex_would_obey_is_printed() -> None:
    assert escaped("a_b & 5 % \\x{y}") == r"a\_b \& 5 \% \textbackslash{}x\{y\}"
    assert escaped("~^#$\n<|>\x1b") == r"\textasciitilde{}\textasciicircum{}\#\$ \textless{}\textbar{}\textgreater{}"


@pytest.mark.parametrize(("methods", "cell"), [(["rfm", "mlp"], "90.00*"), (["rfm"], "90.00")])
def test_equal_values_are_all_the_best_and_one_method_is_not(tmp_path: Path, methods: list[str], cell: str) -> None:
    run = store_run(tmp_path / "run", with_scores(make_run(NAMES, methods), lambda _: 90.0))
    rows = rows_of(export_runs([run], "latex")[0].read_text())
    assert {cells[0] for _, cells in rows} == {cell}
    assert any("*" in other for _, cells in rows for other in cells) == (len(methods) > 1)


def test_regression_is_a_table_of_its_own_and_gaps_are_dashes(tmp_path: Path) -> None:
    failures = {(name, "mlp"): ("timeout", "60 s") for name in NAMES}
    classes = make_run(NAMES, ["rfm", "laplace", "mlp"], failures=failures, folder="a", details=False)
    numbers = make_regression_run(["servo", "yacht"], ["rfm", "laplace"], folder="b")
    places = [store_run(tmp_path / n, run) for n, run in (("a", classes), ("b", numbers))]
    out = tmp_path / "table.tex"
    assert main(["export", *map(str, places), "--format", "latex", "--out", str(out)]) == 0
    text = out.read_text()
    assert r"\caption{R2 (cut at 0) on 2 datasets (regression), protocol clean." in text
    assert "MLP" not in text  # no figure at all
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "table.tex"]
    assert main(["export", *map(str, places), "--format", "latex", "--out", f"{tmp_path}/new/"]) == 0
    assert (tmp_path / "new" / "summary.tex").read_text() == text

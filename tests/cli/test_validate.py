"""``bench validate`` and ``bench run --data``: the user's own tables from the command line."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from command import Command

from bench.store import read_run

pytestmark = pytest.mark.usefixtures("in_process")

DESCRIPTION = """
orders:
  file: orders.csv
  target: paid
  drop: [key]
  licence: CC0
  notes: Made <up>.
"""


@pytest.fixture(autouse=True)
def _own_table(elsewhere: Path) -> None:
    """A table of 60 rows with gaps and a category in ``mine/``, its description ``mine/my.yaml``."""
    draws = random.Random(0)
    rows = []
    for key in range(60):
        paid = key % 2
        amount = "" if key % 11 == 0 else f"{draws.gauss(2 * paid, 1):.3f}"
        colour = draws.choice(["red", "blue", "green"])
        rows.append(f"{key},{amount},{draws.gauss(5, 2):.3f},{colour},{'yes' if paid else 'no'}")
    Path("mine").mkdir()
    Path("mine/orders.csv").write_text("key,amount,weight,colour,paid\n" + "\n".join(rows) + "\n")
    Path("mine/my.yaml").write_text(DESCRIPTION)


def test_a_sound_table_of_ones_own(command: Command) -> None:
    out = command("validate", "mine/my.yaml").out
    assert out.startswith("orders (user): 60 rows, 5 features, 2 classes\n")
    assert "note: missing numbers: 2 % of the numbers: amount 10 %; 6 rows" in out


def test_a_warning_is_exit_code_1_and_json_says_all(command: Command) -> None:
    path = Path("mine/my.yaml")
    path.write_text(path.read_text().replace("  drop: [key]\n", ""))
    own, wine = json.loads(command("validate", "--data", str(path), "wine", "--json", code=1).out)
    assert (own["table"], own["source"], own["classes"]) == ("orders", "user", {"no": 30, "yes": 30})
    (warning,) = [f for f in own["findings"] if f["severity"] == "warning"]
    assert (warning["check"], warning["columns"]) == ("identifiers", ["key"])
    assert (wine["table"], wine["rows"], [f["check"] for f in wine["findings"]]) == ("wine", 178, ["scales"])


def test_classes_from_elsewhere_cannot_upset_a_terminal(command: Command) -> None:
    Path("esc.csv").write_text("x,y\n" + "1,a\n2,b\n3,\x1b[31mred\n" * 3)
    out = command("validate", "esc.csv", "--target", "y", code=1).out
    assert "class ?[31mred (3)" in out
    assert out.replace("\n", "").isprintable()


def test_what_cannot_be_read_is_exit_code_2_but_the_rest_is_examined(command: Command) -> None:
    Path("mine/my.yaml").write_text(DESCRIPTION.replace("paid", "payed") + "\nmore: {file: orders.csv, target: paid}\n")
    captured = command("validate", "mine/my.yaml", code=2)
    assert "did you mean 'paid'" in captured.err
    assert "more (user): 60 rows" in captured.out
    command.refuses("orders.csv: which column is to be predicted? Name it with --target", "validate", "mine/orders.csv")
    command.refuses("nothing to validate", "validate")
    command.refuses("did you mean 'iris'", "validate", "irys")


def test_own_tables_run_beside_the_registrys_and_appear_in_the_report(command: Command) -> None:
    words = ["run", "--subset", "lenses", "--data", "mine/my.yaml", "--methods", "svm_rbf", "--run", "r"]
    command(*words)
    record = read_run("r")
    assert [(x.job.dataset, x.job.source, x.job.split, x.status) for x in record.results] == [
        ("lenses", "embedded", "seed-0", "ok"),
        ("orders", "user", "seed-0", "ok"),
    ]
    assert record.provenance["source"] == "embedded"
    assert record.provenance["tables"]["orders"]["origin"] == "mine/orders.csv"
    assert "--data mine/my.yaml" in record.provenance["command"]
    command("report", "r", "--out", "page")
    page, details = Path("page/index.html").read_text(), Path("page/datasets.md").read_text()
    assert "Made &lt;up&gt;" in page
    assert "Made <up>" not in page
    assert "Source: user, test folds seed-0. Licence: CC0. Origin: mine/orders.csv, column paid." in details
    assert "2 jobs: 2 ok (2 from before)" in command(*words).out
    Path("mine/orders.csv").write_text(Path("mine/orders.csv").read_text().replace("red", "blue"))
    assert "1 job to run, 1 done before" in command(*words, "--dry-run").out


def test_own_tables_alone_name_the_run_folder(command: Command) -> None:
    command("run", "--data", "mine/my.yaml", "--methods", "svm_rbf")
    assert Path("results/orders-clean/scores.csv").is_file()
    assert read_run("results/orders-clean").provenance["source"] == "user"
    command.refuses("no dataset to run on: give --subset (known ones", "run", "--methods", "svm_rbf")


def test_a_table_that_breaks_its_description_costs_its_own_jobs(command: Command) -> None:
    Path("mine/orders.csv").write_text("key,amount,weight,colour,paid\n1,2,3,red\n")
    command("run", "--subset", "lenses", "--data", "mine/my.yaml", "--methods", "svm_rbf", "--run", "r", code=1)
    assert {x.job.dataset: x.status for x in read_run("r").results} == {"lenses": "ok", "orders": "error"}
    command("report", "r", "--out", "page")
    assert "row 1 has 4 fields, expected 5" in Path("page/report.md").read_text()


def test_run_says_what_validate_warns_of_and_the_report_shows_it(command: Command) -> None:
    path = Path("mine/orders.csv")
    path.write_text(path.read_text().replace("red", "Blue").replace(",5.", ",five.", 1))
    out = command("validate", str(path), "--target", "paid", code=1).out
    assert "\n  classes: no 30, yes 30\n" in out
    assert "warning: similar categories: colour" in out
    err = command("run", "--data", path, "--target", "paid", "--methods", "svm_rbf", "--run", "r").err
    warned = [line for line in err.splitlines() if line.startswith("bench: orders: warning: ")]
    assert [line.split(": ")[3] for line in warned] == ["not all numbers", "similar categories", "identifiers"]
    told = read_run("r").provenance["tables"]["orders"]["warnings"]
    assert [f"bench: orders: warning: {line}" for line in told] == warned
    command("report", "r", "--out", "page")
    details = Path("page/datasets.md").read_text()
    assert all(f"warning: {line}".rstrip(".")[:100] in details.replace("\\", "") for line in told)

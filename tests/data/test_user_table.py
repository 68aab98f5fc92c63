"""The user's own tables: strict descriptions, faithful reading, one clear sentence for what is wrong."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from command import Command
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from loopback import Loopback, Page
from msgspec.structs import replace
from refusals import refused

from bench.data.cache import cache_folder
from bench.data.download import downloaded
from bench.data.registry import load_registry
from bench.data.user_table import UserSource, UserTable, read_content, read_description, read_tables
from bench.errors import BenchError, DataInvalid, RegistryError, SourceError, UsageError
from bench.records.measure import Kind

ORDERS = "customer,amount,branch,colour,paid\n7,1.5,1,red,yes\n8,,2,blue,no\n9,2.5,3,red,no\n10,0.5,1,,yes\n"
DESCRIPTION = """
orders:
  file: orders.csv
  target: paid
  drop: [customer]
  categories: [branch]
  licence: CC0
  family: shop
  notes: Made up.
"""


REGISTRY = load_registry()


@pytest.fixture
def described(tmp_path: Path) -> Path:
    """A folder with a table and its description."""
    (tmp_path / "orders.csv").write_text(ORDERS)
    (tmp_path / "my.yaml").write_text(DESCRIPTION)
    return tmp_path / "my.yaml"


def read_one(path: Path, text: str | None = None) -> UserTable:
    """The one table that ``path`` describes, once it says ``text``."""
    if text is not None:
        path.write_text(text)
    (table,) = read_description(path, REGISTRY)
    return table


def test_a_table_becomes_a_dataset(described: Path) -> None:
    table = read_one(described)
    source = UserSource([table])
    dataset = source.load(table)
    assert (dataset.name, dataset.source, dataset.n_classes) == ("orders", "user", 2)
    assert dataset.y.tolist() == [1, 0, 0, 1]
    assert dataset.published is None
    assert dataset.nominal == ()  # text and declared categories are 0/1 columns already
    features = ["amount", "branch=1", "branch=2", "branch=3", "colour=blue", "colour=red", "colour missing"]
    np.testing.assert_array_equal(dataset.X[:, 0], [1.5, np.nan, 2.5, 0.5])
    np.testing.assert_array_equal(dataset.X[:, 1:4], [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 0]])
    provenance = source.provenance()["orders"]
    said = {"origin": "orders.csv", "target": "paid", "licence": "CC0", "family": "shop", "features": features}
    assert provenance | said == provenance
    assert provenance["notes"][0] == "Made up."
    assert any("of the numbers are missing" in note for note in provenance["notes"])


def test_a_description_can_have_several_tables_and_there_can_be_several(described: Path) -> None:
    other = described.with_name("other.yaml")
    other.write_text("one: {file: orders.csv, target: paid}\ntwo: {file: orders.csv, target: colour}\n")
    assert [t.name for t in read_tables([described, other], REGISTRY)] == ["orders", "one", "two"]
    refused(UsageError, "--data: two datasets are both called orders", read_tables, [described, described], REGISTRY)


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        (("target: paid", "traget: paid"), RegistryError, r"my\.yaml: orders: unknown key 'traget': .* 'target'"),
        (("drop: [customer]", "drop: customer"), RegistryError, "drop: expected a list of texts"),
        (("drop: [customer]", "drop: [paid]"), RegistryError, "the target 'paid' is among the columns to drop"),
        (("drop: [customer]", "drop: [branch]"), RegistryError, "'branch' is among the categories and among .* drop"),
        (("target: paid", "target: paid\n  format: arff\n  delimiter: tab"), RegistryError, "delimiter is for CSV"),
        (("target: paid", "target: paid\n  format: parquet\n  header: false"), RegistryError, "header is for CSV"),
        (("file: orders", "file: ~nobody-here/orders"), UsageError, "there is no file .*/~nobody-here/orders.csv"),
        (("file: orders.csv", "url: http://[x/orders.csv"), RegistryError, "is not an address that begins with http"),
        (("target: paid", "target: branch\n  task: regression"), RegistryError, "among the categories; task:"),
        (("orders:", "or ders:"), RegistryError, "or ders: not a valid name for a dataset"),
        (("orders:", "iris:"), RegistryError, "iris: this is the name of a dataset or subset of the registry"),
        (("orders:", "smoke:"), RegistryError, "smoke: this is the name of a dataset or subset of the registry"),
        (("file: orders.csv", "url: ftp://x/orders.csv"), RegistryError, "not an address that begins with http"),
        (("file: orders.csv", "header: true"), RegistryError, r"give either file \(a path\) or url"),
        (("file: orders.csv", "file: orders.csv\n  url: http://x/y.csv"), RegistryError, "give either file"),
        (("file: orders.csv", "file: absent.csv"), UsageError, "orders: file: there is no file .*absent.csv"),
        (("file: orders.csv", "file: my.yaml"), RegistryError, "name it with format: csv, arff or parquet"),
        ((DESCRIPTION, "{}"), RegistryError, "describes no dataset"),
        ((DESCRIPTION, "[]"), RegistryError, "expected a mapping"),
        (("notes: Made up.", "task: ranking"), RegistryError, "task: expected one of class.*, got 'ranking'"),
        (("notes: Made up.", "sha256: abc"), RegistryError, "expected 64 hexadecimal digits"),
        (("notes: Made up.", "format: excel"), RegistryError, "format: expected one of arff, csv, parquet, got"),
        (("notes: Made up.", "delimiter: ab"), RegistryError, "expected one character, or one of comma"),
        (("notes: Made up.", "header: no"), RegistryError, "header: expected true or false, got 'no'"),
    ],
)  # fmt: skip
def test_what_a_description_must_not_say(
    described: Path, change: tuple[str, str], error: type[BenchError], says: str
) -> None:
    refused(error, says, read_one, described, DESCRIPTION.replace(*change))


pieces = st.sampled_from(
    [*"abc:,-[]{}#&*!|>%@`'\"\n ", "file", "target", "url", ": ", "\n  ", "- ", "{}", "!!map", "0x1"]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.text(), st.lists(pieces).map("".join), st.lists(pieces).map(lambda p: DESCRIPTION + "".join(p))))
def test_any_text_is_a_description_or_an_error_in_one_line(described: Path, text: str) -> None:
    described.write_text(text, encoding="utf-8", errors="surrogatepass")
    try:
        tables = read_description(described, REGISTRY)
    except BenchError as error:
        assert "\n" not in str(error)  # noqa: PT017
    else:
        assert tables
        assert all(table.target and Path(table.location).is_file() for table in tables)


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        (("target: paid", "target: payed"), UsageError, "'payed': did you mean 'paid'"),
        (("categories: [branch]", "categories: [brunch]"), UsageError, "'brunch': did you mean 'branch'"),
        (("drop: [customer]", "drop: [custom]"), UsageError, "'custom': did you mean 'customer'"),
        (("target: paid", "target: amount"), DataInvalid, r"orders \(orders\.csv\): target 'amount'"),
        (("notes: Made up.", "delimiter: semicolon"), UsageError, "unknown column of orders"),
        (("notes: Made up.", f"sha256: {'f' * 64}"), DataInvalid, f"SHA-256 is .*, its description expects {'f' * 64}"),
    ],
)
def test_what_a_table_must_not_be(
    described: Path, change: tuple[str, str], error: type[BenchError], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(described.parent)
    table = read_one(described, DESCRIPTION.replace(*change))
    refused(error, says, UserSource([table]).load, table)


def test_files_that_are_not_there(described: Path) -> None:
    says = r"none\.yaml: the description of a dataset cannot be read: No such file"
    refused(UsageError, says, read_one, described.with_name("none.yaml"))
    refused(UsageError, "not a file", read_one, described.parent)
    table = read_one(described)
    described.with_name("orders.csv").unlink()
    refused(UsageError, r"orders \(.*orders\.csv\): cannot be read: No such file", UserSource([table]).load, table)


@pytest.fixture
def by_url(web: Loopback) -> str:
    """A description of the table on a server, without its checksum."""
    web.pages["/orders.csv"] = Page(ORDERS.encode())
    return DESCRIPTION.replace("file: orders.csv", f"url: {web.url}/orders.csv")


def test_a_table_behind_a_url_is_kept_if_its_checksum_is_known(
    described: Path, by_url: str, web: Loopback, command: Command
) -> None:
    table = read_one(described, by_url)
    assert [read_content(table) for _ in range(2)] == [ORDERS.encode()] * 2
    says = "kept in the cache only if its description has its sha256"
    refused(SourceError, says, read_content, table, offline=True)
    assert [address for address, _ in web.requests] == ["/orders.csv"] * 2
    refused(SourceError, f"expected {'e' * 64}", read_content, replace(table, sha256="e" * 64))
    web.requests.clear()
    table = read_one(described, f"{by_url}  sha256: {hashlib.sha256(ORDERS.encode()).hexdigest()}\n")
    said = "orders.csv): not in the cache, and downloads are not allowed here"
    command.refuses(said, "run", "--data", described, "--offline", "--dry-run")
    command("validate", described, "--offline", code=2)
    assert web.requests == []
    assert [read_content(table) for _ in range(2)] == [ORDERS.encode()] * 2
    assert len(web.requests) == 1
    (kept,) = (cache_folder() / "user").iterdir()
    kept.write_text(ORDERS[:-20])  # what is damaged is fetched again
    assert read_content(table) == read_content(table, offline=True) == ORDERS.encode()
    assert len(web.requests) == 2


def test_what_a_killed_call_has_left_is_not_taken_for_the_table_of_now(
    described: Path, by_url: str, web: Loopback
) -> None:
    left = downloaded(f"{web.url}/orders.csv")
    left.parent.mkdir(parents=True)
    left.write_text(ORDERS[:-20])
    assert read_content(read_one(described, by_url)) == ORDERS.encode()
    assert not left.exists()


@pytest.mark.parametrize("format", ["arff", "parquet"])
@pytest.mark.parametrize(
    ("values", "kind", "more", "mark"),
    [(["v", "u", "w"], "{u,v,w}", "", "u"), ([1.0, -999.0, 2.0], "numeric", "categories: [a], ", "-999")],
)
def test_what_is_said_to_be_missing_is_so_among_categories_too(
    tmp_path: Path, format: str, values: list[Any], kind: str, more: str, mark: str
) -> None:
    frame = pd.DataFrame({"a": [*values, values[0]], "y": [0, 1, 0, 1]})
    if format == "parquet":
        frame.astype({} if more else {"a": "category"}).to_parquet(tmp_path / "t.parquet")
    else:
        rows = frame.to_csv(index=False, header=False)
        (tmp_path / "t.arff").write_text(f"@relation t\n@attribute a {kind}\n@attribute y {{0,1}}\n@data\n{rows}")
    table = read_one(tmp_path / "t.yaml", f"t: {{file: t.{format}, target: y, {more}missing: ['{mark}']}}\n")
    coded = UserSource([table]).coded(table)
    assert coded.features == (*(("a=1", "a=2") if more else ("a=v", "a=w")), "a missing")
    np.testing.assert_array_equal(coded.X, [[1, 0, 0], [0, 0, 1], [0, 1, 0], [1, 0, 0]])
    assert f"read as missing: '{mark}" in " ".join(coded.notes)


@pytest.mark.parametrize(
    ("labels", "missing", "says"),
    [
        (pd.Categorical([1, 2, -999, 1, 2, 1]), "['-999']", r"row 3 \('-999"),
        ([1.0, 2.0, -999.0, 1.0, 2.0, 1.0], "['-999']", r"row 3 \('-999"),
        (pd.array([True, False, None] * 2, dtype="boolean")[:5], "['?']", "row 3$"),  # it is not said to be a class
        (pd.array(["True", "False", None] * 2, dtype="string")[:5], "['?']", "row 3$"),
    ],
)
def test_what_is_missing_is_no_class(tmp_path: Path, labels: Any, missing: str, says: str) -> None:
    pd.DataFrame({"a": range(len(labels)), "y": labels}).to_parquet(tmp_path / "t.parquet")
    table = read_one(tmp_path / "t.yaml", f"t: {{file: t.parquet, target: y, missing: {missing}}}\n")
    refused(DataInvalid, rf"1 label\(s\) missing, the first in {says}", UserSource([table]).coded, table)


def test_a_file_and_a_target_are_a_table(tmp_path: Path) -> None:
    for file, name in (("orders.csv", "orders"), ("iris.csv.gz", "my-iris"), ("my orders (1).tsv", "my_orders__1_")):
        (tmp_path / file).write_text(ORDERS)
        (table,) = read_tables([tmp_path / file], REGISTRY, "paid")
        assert (table.name, table.target, table.format) == (name, "paid", "csv")
        assert len(UserSource([table]).load(table).y) == 4


@pytest.mark.parametrize(
    ("file", "target", "task", "says"),
    [
        ("orders.csv", None, None, r"orders\.csv: which column is to be predicted\? Name it with --target"),
        ("none.csv", "paid", None, r"none\.csv: there is no such file"),
        ("orders.xlsx", "paid", None, r"unknown table format 'xlsx'.*Save it as CSV"),
        ("my.yaml", "paid", None, "--target paid: it is for files without a description"),
        ("my.yaml", None, "regression", "--task regression: it is for files without a description"),
    ],
)
def test_files_that_are_no_table(described: Path, file: str, target: str | None, task: Kind | None, says: str) -> None:
    described.with_name("orders.xlsx").write_text("")
    refused(UsageError, says, read_tables, [described.with_name(file)], REGISTRY, target, task)


def test_yaml_s_surprises_are_the_text_that_stands_there(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("No,on,3,2024-01-31,y\n1,2,3,4,NA\n2,3,4,-999,SA\n3,4,5,6,NA\n4,5,6,7,SA\n")
    table = read_one(
        tmp_path / "t.yaml",
        '2024-01-31:\n  file: t.csv\n  target: y\n  drop: [No, on, 3]\n  missing: [-999, ""]\n  notes: 2024-13-45\n'
        "  licence: 1.0\n",
    )
    said = (table.name, table.drop, table.notes, table.licence)
    assert said == ("2024-01-31", ("No", "on", "3"), "2024-13-45", "1.0")
    coded = UserSource([table]).coded(table)
    assert (coded.features, coded.classes) == (("2024-01-31",), ("NA", "SA"))
    np.testing.assert_array_equal(coded.X[:, 0], [4, np.nan, 6, 7])


PRICES = "rooms,colour,price\n" + "".join(
    f"{(7 * i) % 31 / 2},{'red' if i % 2 else 'blue'},{1.5 * i - 9}\n" for i in range(30)
)


def test_a_number_to_predict(tmp_path: Path) -> None:
    (tmp_path / "prices.csv").write_text((PRICES + "3,red,\n").replace(",", "\t"))
    text = "prices:\n  file: prices.csv\n  target: price\n  task: regression\n  delimiter: tab\n"
    (plain,) = read_tables([tmp_path / "prices.csv"], REGISTRY, "price", "regression")
    first, second = (UserSource([]).load(table) for table in (read_one(tmp_path / "my.yaml", text), plain))
    assert (first.kind, first.n_classes, first.X.shape) == ("regression", 0, (30, 2))
    assert first.y.tolist() == [1.5 * i - 9 for i in range(30)]
    assert second.sha256 == first.sha256


@pytest.mark.usefixtures("in_process")
def test_a_table_of_regression_is_validated_and_run(elsewhere: Path, command: Command) -> None:
    Path("prices.csv").write_text(PRICES + "3,red,\n")
    words = ["prices.csv", "--target", "price", "--task", "regression"]
    out = command("validate", *words, code=1).out
    assert "prices (user): 30 rows, 2 features, a number to predict" in out
    assert "target: min -9, 5 % -6.825, 25 % 1.875, median 12.75" in out
    assert "1 row(s) without a number in price are left out, the first is row 31" in out
    assert "class" not in out
    (told,) = json.loads(command("validate", *words, "--json", code=1).out)
    assert (told["task"], told["classes"], told["target"]["max"]) == ("regression", {}, 34.5)
    command("run", "--data", *words, "--methods", "laplace", "--jobs", "1", "--run", "r")
    assert "prices,user,30,2,0,laplace,clean,seed-0,0,ok,," in Path("r/scores.csv").read_text()
    Path("prices.csv").write_text(PRICES)
    assert "  no problems found" in command("validate", *words).out
    for wrong, said in (
        (["--target", "price"], "are not classes; to predict the number, say --task regression"),
        (["--target", "colour", *words[3:]], "; to predict its values as classes, leave --task"),
    ):
        assert said in command("run", "--data", "prices.csv", *wrong, "--run", "q", code=1).out

"""The registry: strictness of the reader, the rules of the subsets, and the file that comes with the package."""

from __future__ import annotations

import copy
import functools
import operator
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from refusals import refused

from bench.data.archive import ArchiveSource
from bench.data.embedded import EmbeddedSource
from bench.data.registry import Nominal, load_registry
from bench.data.strict_yaml import MAX_BYTES
from bench.errors import DataUnavailable, RegistryError, UsageError
from bench.records.dataset import Dataset

REGISTRY = load_registry()


def test_the_sizes_of_the_subsets_and_families() -> None:
    sizes = {name: len(names) for name, names in REGISTRY.subsets.items()}
    fixed = {"all121": 121, "small90": 90, "no-test-file": 102, "test-file": 19, "large": 12, "smoke": 3}
    assert sizes | fixed == sizes
    assert sizes["embedded"] >= 38
    assert sizes["regression"] >= 12
    of = {name: set(names) for name, names in REGISTRY.subsets.items()}
    assert not of["regression"] & of["all121"]
    assert of["smoke"] <= of["embedded"] <= of["small90"]
    assert of["no-test-file"] == of["small90"] | of["large"]
    families = {name: {REGISTRY.family_of[member] for member in members} for name, members in of.items()}
    assert [len(families[name]) for name in ("small90", "all121", "regression")] == [68, 94, 13]
    assert len(families["all121"] | families["regression"]) == 105  # abalone and wine quality are in both


def test_groups_agree_with_rows_and_table_names() -> None:
    for entry in REGISTRY.select("all121"):
        assert entry.archive is not None
        assert (entry.group == "test-file") == entry.archive.table.endswith("_train_R.dat")
        if entry.group != "test-file":
            assert (entry.group == "small") == (entry.rows <= 5000)
        assert entry.archive.folder == entry.name
        assert (entry.licence == "CC BY 4.0") == (entry.uci.id is not None)


def check_nominal(dataset: Dataset) -> None:
    """The nominal columns have few distinct values."""
    assert dataset.nominal == REGISTRY.entry(dataset.name).nominal_columns
    most = {"horse-colic": 61, "adult": 41, "teaching": 26, "residential-building": 20}.get(dataset.name, 15)
    for column in dataset.nominal:
        assert 3 <= len(np.unique(dataset.X[:, column])) <= most, f"{dataset.name}: column {column}"


@pytest.mark.archive
def test_every_entry_agrees_with_the_archive(study: ArchiveSource) -> None:
    unavailable = []
    for entry in REGISTRY.select("all121"):
        try:
            dataset = study.load(entry)  # checks sizes, labels, lists and checksums against the entry
        except DataUnavailable:
            unavailable.append(entry.name)
            continue
        assert dataset.X.shape == (entry.rows, entry.features)
        assert dataset.n_classes == entry.classes
        check_nominal(dataset)
        repeated = entry.rows - len(np.unique(dataset.X, axis=0))
        fault = f"{repeated} of {entry.rows} rows repeat the features of another row"
        assert (fault in entry.faults) == (repeated >= 0.1 * entry.rows)
        rare = int((np.bincount(dataset.y) < 4).sum())
        assert any("fewer than 4 rows" in fault for fault in entry.faults) == (rare > 0)
    assert set(unavailable) <= {"miniboone"}


def test_every_dataset_was_looked_at_for_nominal_columns() -> None:
    assert [entry.name for entry in REGISTRY.entries.values() if entry.nominal is None] == []
    found = {entry.name: entry.nominal_columns for entry in REGISTRY.entries.values() if entry.nominal_columns}
    assert found["flags"] == (0, 1, 4, 15, 26, 27)
    assert found["molec-biol-promoter"] == tuple(range(57))
    assert not {"zoo", "lenses", "balance-scale", "dermatology", "iris"} & found.keys()  # numbers and grades
    nominal = set(REGISTRY.subsets["small90-nominal"])
    assert found.keys() & set(REGISTRY.subsets["small90"]) == nominal
    assert len(nominal) == 34


def test_the_page_on_the_data_counts_them_as_the_registry_does() -> None:
    def counts(subset: str) -> list[int]:
        said = [e.nominal.sure if isinstance(e.nominal, Nominal) else e.nominal for e in REGISTRY.select(subset)]
        return [said.count(sure) for sure in ("documented", "likely", "none")]

    words = " ".join((Path(__file__).parents[2] / "docs" / "get-the-data.md").read_text().split())
    documented, likely, none = counts("small90")
    assert f"{documented} of the 90 small datasets have such columns" in words
    assert f"{likely} more are `likely` to, and {none} have none." in words
    documented, likely, none = counts("all121")
    assert f"Of all 121 it is {documented}, {likely} and {none}." in words


def test_embedded_nominal_columns_have_few_distinct_values() -> None:
    for entry in REGISTRY.entries.values():
        if entry.embedded and entry.nominal_columns:
            check_nominal(EmbeddedSource().load(entry))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("irs", "did you mean 'iris'"),
        ("smal90", "did you mean 'small90'"),
        ("iris,Wine", "did you mean 'wine'"),
        (" , ", "--subset is empty"),
    ],
)
def test_unknown_names_suggest_the_nearest(spec: str, message: str) -> None:
    refused(UsageError, message, REGISTRY.select, spec)


def test_select_takes_subsets_and_names_in_order_each_once(tiny: Any) -> None:
    registry = tiny.registry()
    assert [e.name for e in registry.select("all")] == ["alpha", "beta"]
    assert [e.name for e in registry.select(" beta , first,beta,")] == ["beta", "alpha"]
    assert registry.entry("beta").rows == 40
    refused(UsageError, "did you mean 'beta'", registry.entry, "bta")


Edit = Callable[[dict], Any]


def _set(*path: str | int, to: Any) -> Edit:
    *before, last = path
    return lambda document: functools.reduce(operator.getitem, before, document).update({last: to})


def _alpha(*path: str, to: Any) -> Edit:
    return _set("datasets", "alpha", *path, to=to)


def _without(key: str) -> Edit:
    return lambda document: document["datasets"]["alpha"].pop(key)


def _nominal(*columns: int | str, sure: str = "likely") -> Edit:
    return _alpha("nominal", to={"columns": list(columns), "sure": sure, "note": "colours"})


def _foreign_family(document: dict) -> None:
    document["families"] = {"beta": "one source"}
    document["datasets"]["alpha"]["family"] = "beta"
    document["datasets"]["gamma"] = copy.deepcopy(document["datasets"]["alpha"])


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (_alpha("licens", to="MIT"), r"alpha: unknown key 'licens': did you mean 'licence'\?"),
        (_set("subset", to={}), r"unknown key 'subset': did you mean 'subsets'\?"),
        (_alpha("archive", "table_sha265", to="x"), "alpha: archive: unknown key .*: did you mean 'table_sha256'"),
        (_alpha("name", to="beta"), "alpha: unknown key 'name'; it is called 'alpha' already"),
        (_alpha("x` - at `$.openml.id", to="1"), "alpha: unknown key 'x` - at `.*: known: archive, classes, "),
        (_without("rows"), "alpha: key 'rows' is missing"),
        (_alpha("rows", to="2.5"), "rows: expected a whole number of at least 2, got '2.5'"),
        (_alpha("rows", to=True), "rows: expected a whole number"),
        (_alpha("classes", to=25), "25 classes in 24 rows"),
        (_without("classes"), "alpha: key 'classes' is missing"),
        (_without("archive"), "alpha: key 'archive' is missing"),
        (_alpha("task", to="regression"), "alpha: key 'classes' does not go with task: regression"),
        (_alpha("task", to="ranking"), "task: expected one of classification, regression, got 'ranking'"),
        (_alpha("classes", to=1), "classes: expected a whole number of at least 2"),
        (_alpha("group", to="tiny"), "group: expected one of .*small.*, got 'tiny'"),
        (_alpha("licence", to=""), "licence: expected text"),
        (_alpha("faults", to="one"), "faults: expected a list of texts"),
        (_alpha("archive", "table", to="../alpha_R.dat"), "table: expected a plain file name, got '../alpha_R.dat'"),
        (_alpha("archive", "folder", to="alpha\n"), "folder: expected a plain file name"),
        (_alpha("archive", "rebuilt", to="yes"), "rebuilt: expected true or false"),
        (_alpha("archive", "table_sha256", to="abc"), "table_sha256: expected 64 hexadecimal digits, got 'abc'"),
        (_alpha("archive", to=[]), r"alpha: archive: expected a mapping of keys to values, got \[\]"),
        (_alpha("openml", to={"id": 3, "confidence": "none"}), "id 3 does not go with confidence 'none'"),
        (_alpha("uci", to={"confidence": "known"}), "id None does not go with confidence 'known'"),
        (_alpha("embedded", to={"file": "a.csv.gz"}), "embedded: key 'sha256' is missing"),
        (_set("subsets", "none", to=[]), "none: the subset is empty or names a dataset twice"),
        (_set("subsets", "twice", to=["alpha", "alpha"]), "twice: the subset is empty or names a dataset twice"),
        (_set("subsets", "typo", to=["alhpa"]), "did you mean 'alpha'"),
        (_set("subsets", "alpha", to=["beta"]), "has the name of a dataset"),
        (_set("subsets", "r", to={"task": "regression"}), "r: the subset is empty"),
        (_set("subsets", "g", to={"group": ["smal"]}), "did you mean 'small'"),
        (_set("subsets", "g", to={"grup": ["small"]}), r"unknown key 'grup': did you mean 'group'\?"),
        (_alpha("kind", to="regression"), "alpha: unknown key 'kind'"),
        (_alpha("uci", "tarket", to="x"), "uci: unknown key 'tarket': did you mean 'target'"),
        (_alpha("faults", to=[""]), "faults: expected a list of texts"),
        (_set("datasets", to={}), "no datasets"),
        (_set("datasets", 5, to={}), "datasets: 5: key 'rows' is missing"),
        (_alpha("family", to="sib"), "alpha: unknown family 'sib'"),
        (_set("families", to={"sib": "one source"}), "families: sib: a family has two datasets or more; it has 0"),
        (_set("families", to={"sib": ""}), "families: sib: expected text|families: expected"),
        (_foreign_family, "families: beta: the name of a dataset that is not in the family"),
        (_set("study", "mirror", to="x"), "unknown key 'mirror': did you mean 'mirrors'"),
        (_set("study", "mirrors", to="http://x"), "mirrors: expected a list of texts"),
        (_alpha("openml", "differs", to="yes"), "alpha: openml: differs: expected true or false"),
        (_alpha("uci", "rows", to=0), "uci: rows: expected a whole number of at least 2"),
        (_alpha("nominal", to="all"), "alpha: nominal: expected a mapping of keys to values or none, got 'all'"),
        (_nominal(0, 99), r"alpha: nominal: column 99 of 3 \(counted from 0\)"),
        (_nominal("0-99999"), r"alpha: nominal: column 3 of 3 \(counted from 0\)"),
        (_nominal(1, 1), "alpha: nominal: columns: 1 after 1: a column named twice, or out of order"),
        (_nominal("0-2", 1), "nominal: columns: 1 after 2: a column named twice, or out of order"),
        (_nominal("2-1"), "nominal: columns: the range 2-1 runs backwards"),
        (_nominal(-1), r"columns: expected a list, each a column's number or a range such as 3-6, got \['-1'\]"),
        (_nominal(), "nominal: no columns; where there are no nominal ones, write nominal: none"),
        (_alpha("nominal", to={"columns": [0], "sure": "likely", "note": ""}), "nominal: note: expected text"),
        (_nominal(0, sure="sure"), "nominal: sure: expected one of documented, guessed, likely, got 'sure'"),
        (_alpha("nominal", to={"columns": 0, "sure": "likely", "note": "x"}), "columns: expected a list, .* got '0'"),
    ],
)
def test_what_the_registry_must_not_say(tiny: Any, edit: Edit, message: str) -> None:
    edit(tiny.document)
    assert str(tiny.folder) in refused(RegistryError, message, tiny.registry)


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "\n".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 40)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a mapping"),
        ("a: 1\n---\na: 1\n", r"a second document \(line 3\)"),
        ("a: [1, 2", "not a readable YAML file"),
        ("a: 1\na: 2\n", "key 'a' given twice \\(line 2\\)"),
        ("x: !!python/object/apply:os.system ['true']", "not a readable YAML file"),
        ("{a: &a {b: 1}, <<: *a}", r"YAML aliases \(\*a\) are refused"),
        (BOMB, "aliases"),
        ("[" * 100_000, "nested deeper than 16 levels"),
        ("? [a, b]\n: 1\n", "a key that is not text"),
        ("\x00", "not a readable YAML file"),
        ("2026-13-45: 1", "unknown key '2026-13-45'"),
        (None, "cannot read the registry"),
        ("#" * (MAX_BYTES + 1), "such a file has at most"),
        (b"\xff\xfe\x00", "not a readable YAML file"),
    ],
    ids=lambda value: value and value[:20],
)
def test_hostile_broken_and_absent_files(tmp_path: Path, text: str | bytes | None, message: str) -> None:
    path = tmp_path / "datasets.yaml"
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    refused(RegistryError, message, load_registry, path)


def test_the_file_is_parsed_once_per_version(tiny: Any) -> None:
    _nominal("0-1", 2)(tiny.document)
    registry = tiny.registry()
    assert load_registry(registry.path) is registry
    assert registry.entry("alpha").nominal_columns == (0, 1, 2)
    tiny.document["study"]["citation"] = "another study, with another size"
    registry.path.write_text(yaml.safe_dump(tiny.document))
    assert load_registry(registry.path).study.citation.startswith("another")


@settings(max_examples=60)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
        max_leaves=20,
    )
)
def test_any_document_is_either_a_registry_or_a_registry_error(
    tmp_path_factory: pytest.TempPathFactory, value: Any
) -> None:
    path = tmp_path_factory.mktemp("any") / "datasets.yaml"
    path.write_text(yaml.safe_dump({"study": value, "subsets": value, "datasets": {"x": value}}))
    with pytest.raises(RegistryError):
        load_registry(path)

"""The registry: strictness of the reader, the rules of the subsets, and the file that comes with the package."""

from __future__ import annotations

import copy
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


def test_the_sizes_of_the_subsets() -> None:
    subsets = load_registry().subsets
    sizes = {name: len(names) for name, names in subsets.items()}
    assert sizes["all121"] == 121
    assert sizes["small90"] == 90
    assert sizes["no-test-file"] == 102
    assert sizes["test-file"] == 19
    assert sizes["large"] == 12
    assert sizes["smoke"] == 3
    assert sizes["embedded"] >= 38
    assert sizes["regression"] >= 12
    assert not set(subsets["regression"]) & set(subsets["all121"])
    assert set(subsets["smoke"]) <= set(subsets["embedded"]) <= set(subsets["small90"])
    assert set(subsets["no-test-file"]) == set(subsets["small90"]) | set(subsets["large"])


def test_the_number_of_families() -> None:
    registry = load_registry()
    families = {name: {e.family or e.name for e in registry.select(name)} for name in registry.subsets}
    assert len(families["small90"]) == 68
    assert len(families["all121"]) == 94
    assert len(families["regression"]) == 13
    assert len(families["all121"] | families["regression"]) == 105  # abalone and wine quality are in both
    for name, reason in registry.families.items():
        members = [entry for entry in registry.entries.values() if entry.family == name]
        assert len(members) > 1
        assert reason


def test_groups_agree_with_rows_and_table_names() -> None:
    for entry in load_registry().select("all121"):
        assert entry.archive is not None
        assert (entry.group == "test-file") == entry.archive.table.endswith("_train_R.dat")
        if entry.group != "test-file":
            assert (entry.group == "small") == (entry.rows <= 5000)
        assert entry.archive.folder == entry.name
        assert (entry.licence == "CC BY 4.0") == (entry.uci.id is not None)


@pytest.mark.archive
def test_every_entry_agrees_with_the_archive(study: ArchiveSource) -> None:
    unavailable = []
    for entry in load_registry().select("all121"):
        try:
            dataset = study.load(entry)  # checks sizes, labels, lists and checksums against the entry
        except DataUnavailable:
            unavailable.append(entry.name)
            continue
        assert dataset.X.shape == (entry.rows, entry.features)
        assert dataset.n_classes == entry.classes
        repeated = entry.rows - len(np.unique(dataset.X, axis=0))
        fault = f"{repeated} of {entry.rows} rows repeat the features of another row"
        assert (fault in entry.faults) == (repeated >= 0.1 * entry.rows)
        rare = int((np.bincount(dataset.y) < 4).sum())
        assert any("fewer than 4 rows" in fault for fault in entry.faults) == (rare > 0)
    assert set(unavailable) <= {"miniboone"}


def test_every_dataset_was_looked_at_for_nominal_columns() -> None:
    registry = load_registry()
    assert [entry.name for entry in registry.entries.values() if entry.nominal is None] == []
    found = {entry.name: entry.nominal_columns for entry in registry.entries.values() if entry.nominal_columns}
    assert found["flags"] == (0, 1, 4, 15, 26, 27)
    assert found["molec-biol-promoter"] == tuple(range(57))
    assert not {"zoo", "lenses", "balance-scale", "dermatology", "iris"} & found.keys()  # numbers and grades
    assert len(found.keys() & set(registry.subsets["small90"])) == 34


def test_the_page_on_the_data_counts_them_as_the_registry_does() -> None:
    def counts(subset: str) -> tuple[int, int, int]:
        said = [e.nominal.sure if isinstance(e.nominal, Nominal) else e.nominal for e in load_registry().select(subset)]
        return said.count("documented"), said.count("likely"), said.count("none")

    words = " ".join((Path(__file__).parents[2] / "docs" / "get-the-data.md").read_text().split())
    documented, likely, none = counts("small90")
    assert f"{documented} of the 90 small datasets have such columns" in words
    assert f"{likely} more are `likely` to, and {none} have none." in words
    documented, likely, none = counts("all121")
    assert f"Of all 121 it is {documented}, {likely} and {none}." in words


def test_embedded_nominal_columns_have_few_distinct_values() -> None:
    for entry in load_registry().entries.values():
        if entry.embedded and entry.nominal_columns:
            check_nominal(EmbeddedSource().load(entry))


@pytest.mark.archive
def test_nominal_columns_of_the_archive_have_few_distinct_values(study: ArchiveSource) -> None:
    for entry in load_registry().select("all121"):
        if entry.nominal_columns:
            check_nominal(study.load(entry))


def check_nominal(dataset: Dataset) -> None:
    assert dataset.nominal == load_registry().entry(dataset.name).nominal_columns
    for column in dataset.nominal:
        distinct = len(np.unique(dataset.X[:, column]))
        most = {"horse-colic": 61, "adult": 41, "teaching": 26, "residential-building": 20}.get(dataset.name, 15)
        assert 3 <= distinct <= most, f"{dataset.name}: column {column}"


def test_a_range_of_nominal_columns(tiny: Any) -> None:
    _nominal("0-1", 2)(tiny.document)
    assert tiny.registry().entry("alpha").nominal_columns == (0, 1, 2)


def test_select_takes_subsets_and_names_in_order_each_once(tiny: Any) -> None:
    registry = tiny.registry()
    assert [e.name for e in registry.select("all")] == ["alpha", "beta"]
    assert [e.name for e in registry.select(" beta , first,beta,")] == ["beta", "alpha"]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("irs", "did you mean 'iris'"),
        ("smal90", "did you mean 'small90'"),
        ("iris,Wine", "did you mean 'wine'"),
        ("", "--subset is empty"),
        (" , ", "--subset is empty"),
    ],
)
def test_unknown_names_suggest_the_nearest(spec: str, message: str) -> None:
    refused(UsageError, message, load_registry().select, spec)


def test_entry_by_name_suggests_the_nearest() -> None:
    assert load_registry().entry("iris").rows == 150
    refused(UsageError, "did you mean 'zoo'", load_registry().entry, "zo")


def _set(*path: str, to: Any) -> Callable[[dict], None]:
    def edit(document: dict) -> None:
        for key in path[:-1]:
            document = document[key]
        document[path[-1]] = to

    return edit


def _drop(*path: str) -> Callable[[dict], None]:
    def edit(document: dict) -> None:
        for key in path[:-1]:
            document = document[key]
        del document[path[-1]]

    return edit


def _family(name: str, of: tuple[str, ...]) -> Callable[[dict], None]:
    def edit(document: dict) -> None:
        document["families"] = {name: "one source"}
        for member in of:
            document["datasets"].setdefault(member, copy.deepcopy(document["datasets"]["alpha"]))["family"] = name

    return edit


ALPHA = ("datasets", "alpha")


def _nominal(*columns: int | str, sure: str = "likely", note: str = "colours") -> Callable[[dict], None]:
    return _set(*ALPHA, "nominal", to={"columns": list(columns), "sure": sure, "note": note})


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (_set(*ALPHA, "licens", to="MIT"), r"alpha: unknown key 'licens': did you mean 'licence'\?"),
        (_set("subset", to={}), r"unknown key 'subset': did you mean 'subsets'\?"),
        (
            _set(*ALPHA, "archive", "table_sha265", to="x"),
            "alpha: archive: unknown key .*: did you mean 'table_sha256'",
        ),
        (_set(*ALPHA, "name", to="beta"), "alpha: unknown key 'name'; it is called 'alpha' already"),
        (_set(*ALPHA, "x` - at `$.openml.id", to="1"), "alpha: unknown key 'x` - at `.*: known: archive, classes, "),
        (_drop(*ALPHA, "rows"), "alpha: key 'rows' is missing"),
        (_set(*ALPHA, "rows", to="2.5"), "rows: expected a whole number of at least 2, got '2.5'"),
        (_set(*ALPHA, "rows", to=True), "rows: expected a whole number"),
        (_set(*ALPHA, "classes", to=25), "25 classes in 24 rows"),
        (_drop(*ALPHA, "classes"), "alpha: key 'classes' is missing"),
        (_drop(*ALPHA, "archive"), "alpha: key 'archive' is missing"),
        (_set(*ALPHA, "task", to="regression"), "alpha: key 'classes' does not go with task: regression"),
        (_set(*ALPHA, "task", to="ranking"), "task: expected one of classification, regression, got 'ranking'"),
        (_set(*ALPHA, "kind", to="regression"), "alpha: unknown key 'kind'"),
        (_set("subsets", "r", to={"task": "regression"}), "r: the subset is empty"),
        (_set(*ALPHA, "classes", to=1), "classes: expected a whole number of at least 2"),
        (_set(*ALPHA, "group", to="tiny"), "group: expected one of .*small.*, got 'tiny'"),
        (_set(*ALPHA, "licence", to=""), "licence: expected text"),
        (_set(*ALPHA, "licence", to=[]), "licence: expected text, got"),
        (_set(*ALPHA, "faults", to="one"), "faults: expected a list of texts"),
        (_set(*ALPHA, "faults", to=[""]), "faults: expected a list of texts"),
        (
            _set(*ALPHA, "archive", "table", to="../alpha_R.dat"),
            "table: expected a plain file name, got '../alpha_R.dat'",
        ),
        (_set(*ALPHA, "archive", "folder", to="/etc"), "alpha: archive: folder: expected a plain file name"),
        (_set(*ALPHA, "archive", "folder", to="alpha\n"), "folder: expected a plain file name"),
        (_set(*ALPHA, "archive", "rebuilt", to="yes"), "rebuilt: expected true or false"),
        (_set(*ALPHA, "archive", "table_sha256", to="abc"), "table_sha256: expected 64 hexadecimal digits, got 'abc'"),
        (_set(*ALPHA, "archive", to=[]), r"alpha: archive: expected a mapping of keys to values, got \[\]"),
        (_set(*ALPHA, "openml", to={"id": 3, "confidence": "none"}), "id 3 does not go with confidence 'none'"),
        (_set(*ALPHA, "uci", to={"confidence": "known"}), "id None does not go with confidence 'known'"),
        (_set(*ALPHA, "embedded", to={"file": "a.csv.gz"}), "embedded: key 'sha256' is missing"),
        (_set("subsets", "none", to=[]), "none: the subset is empty or names a dataset twice"),
        (_set("subsets", "twice", to=["alpha", "alpha"]), "twice: the subset is empty or names a dataset twice"),
        (_set("subsets", "typo", to=["alhpa"]), "did you mean 'alpha'"),
        (_set("subsets", "alpha", to=["beta"]), "has the name of a dataset"),
        (_set("subsets", "g", to={"group": ["smal"]}), "did you mean 'small'"),
        (_set("subsets", "g", to={"grup": ["small"]}), r"unknown key 'grup': did you mean 'group'\?"),
        (_set("datasets", to={}), "no datasets"),
        (_set("datasets", 5, to={}), "datasets: 5: key 'rows' is missing"),
        (_set(*ALPHA, "family", to="sib"), "alpha: unknown family 'sib'"),
        (_set("families", to={"sib": "one source"}), "families: sib: a family has two datasets or more; it has 0"),
        (_set("families", to={"sib": ""}), "families: sib: expected text|families: expected"),
        (_family("beta", of=("alpha", "gamma")), "families: beta: the name of a dataset that is not in the family"),
        (_set("study", "mirror", to="x"), "unknown key 'mirror': did you mean 'mirrors'"),
        (_set("study", "mirrors", to="http://x"), "mirrors: expected a list of texts"),
        (_set(*ALPHA, "openml", "differs", to="yes"), "alpha: openml: differs: expected true or false"),
        (_set(*ALPHA, "openml", "drop", to="row"), "drop: expected a list of texts"),
        (_set(*ALPHA, "uci", "rows", to=0), "uci: rows: expected a whole number of at least 2"),
        (_set(*ALPHA, "uci", "tarket", to="x"), "uci: unknown key 'tarket': did you mean 'target'"),
        (_set(*ALPHA, "nominal", to="all"), "alpha: nominal: expected a mapping of keys to values or none, got 'all'"),
        (_nominal(0, 99), r"alpha: nominal: column 99 of 3 \(counted from 0\)"),
        (_nominal("0-99999"), r"alpha: nominal: column 3 of 3 \(counted from 0\)"),
        (_nominal(1, 1), "alpha: nominal: columns: 1 after 1: a column named twice, or out of order"),
        (_nominal("0-2", 1), "nominal: columns: 1 after 2: a column named twice, or out of order"),
        (_nominal("2-1"), "nominal: columns: the range 2-1 runs backwards"),
        (
            _nominal(-1),
            r"nominal: columns: expected a list, each a column's number or a range such as 3-6, got \['-1'\]",
        ),
        (_nominal("colour"), r"nominal: columns: expected a list, .* got \['colour'\]"),
        (_nominal(), "nominal: no columns; where there are no nominal ones, write nominal: none"),
        (_nominal(0, sure="sure"), "nominal: sure: expected one of documented, guessed, likely, got 'sure'"),
        (_nominal(0, note=""), "nominal: note: expected text"),
        (
            _set(*ALPHA, "nominal", to={"columns": 0, "sure": "likely", "note": "x"}),
            "columns: expected a list, .* got '0'",
        ),
        (_set(*ALPHA, "nominal", to={"columns": [0], "note": "x"}), "alpha: nominal: key 'sure' is missing"),
    ],
)
def test_what_the_registry_must_not_say(tiny: Any, edit: Callable[[dict], None], message: str) -> None:
    tiny.document = copy.deepcopy(tiny.document)
    edit(tiny.document)
    line = refused(RegistryError, message, tiny.registry)
    assert str(tiny.folder) in line


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a mapping"),
        ("a: 1\n---\na: 1\n", r"a second document \(line 3\)"),
        ("just words", "expected a mapping"),
        ("a: [1, 2", "not a readable YAML file"),
        ("a: 1\na: 2\n", "key 'a' given twice \\(line 2\\)"),
        ("x: !!python/object/apply:os.system ['true']", "not a readable YAML file"),
        ("a: &a [1]\nb: [*a, *a]\n", r"YAML aliases \(\*a\) are refused"),
        ("{a: &a {b: 1}, <<: *a}", "aliases"),
        ("[" * 100_000, "nested deeper than 16 levels"),
        ("? [a, b]\n: 1\n", "not a readable|is not text"),
        ("\x00", "not a readable YAML file"),
        ("2026-13-45: 1", "not a readable|is not text|unknown|missing"),
    ],
)
def test_hostile_and_broken_files(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "datasets.yaml"
    path.write_text(text)
    refused(RegistryError, message, load_registry, path)


def test_a_bomb_of_aliases_is_refused_before_it_is_built(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 40)]
    path = tmp_path / "datasets.yaml"
    path.write_text("\n".join(lines))
    refused(RegistryError, "aliases", load_registry, path)


def test_unreadable_and_oversized_files(tmp_path: Path) -> None:
    refused(RegistryError, "cannot read the registry", load_registry, tmp_path / "nowhere.yaml")
    path = tmp_path / "datasets.yaml"
    path.write_bytes(b"#" * (MAX_BYTES + 1))
    refused(RegistryError, "such a file has at most", load_registry, path)
    path.write_bytes(b"\xff\xfe\x00")
    refused(RegistryError, "not a readable YAML file", load_registry, path)


def test_the_file_is_parsed_once_per_version(tiny: Any) -> None:
    registry = tiny.registry()
    assert load_registry(registry.path) is registry
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

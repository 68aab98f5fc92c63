"""Exported scores read again: what is in them comes back, and what cannot be is named by file, row and column."""

from __future__ import annotations

import csv
import gzip
import json
import math
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from refusals import refused
from synthetic_runs import make_regression_run, make_run, store_run, with_jobs, with_measures

from bench.cli.export import export_runs
from bench.errors import StoreError
from bench.records.result import RunRecord
from bench.records.scores import FIRST_COLUMNS, LATER_COLUMNS
from bench.report.merge import merge_runs
from bench.stats.frame import scores_frame, sizes
from bench.store import read_results, read_run

ROOT = Path(__file__).parents[2]


def checked(run: RunRecord) -> RunRecord:
    """``run`` as if checksums had been recorded with it, and sizes, and of two folds what scoring took."""
    sums = {"table_sha256": "ab" * 32, "fold_sha256": " ".join(k * 64 for k in "abcd")}
    jobs = {r.job.id: replace(r.job, **sums) for r in run.results}
    folds = {
        r.job.id: tuple(
            replace(h, predict_seconds=1e-4 / (3 + k) if k < 2 else None, train_samples=7 + k, test_samples=3)
            for k, h in enumerate(r.holdouts)
        )
        for r in run.results
    }
    results = tuple(replace(r, job=jobs[r.job.id], holdouts=folds[r.job.id]) for r in run.results)
    return replace(run, results=results, planned=tuple(jobs.values()))


@pytest.fixture(scope="module")
def _made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store in ``run/``, and with what is exported from it."""
    failures = {("wine", "mlp"): ("oom", "killed: out of memory, 3 GB")}
    classes = make_run(
        ["iris", "wine"], ["rfm", "mlp"], ["clean", "clean-greedy-nominal"], failures=failures, reduction="first, only"
    )
    numbers = make_regression_run(["servo"], ["rfm"], selected_by="mae")
    run = checked(replace(with_measures(classes), results=(*with_measures(classes).results, *numbers.results)))
    made = tmp_path_factory.mktemp("made")
    store_run(made / "run", run)
    export_runs([made / "run"], out=made / "kept.csv")
    return made


@pytest.fixture
def exported(tmp_path: Path, _made: Path) -> Path:
    """Exported scores, of which a test may change its copy."""
    shutil.copytree(_made, tmp_path, dirs_exist_ok=True)
    return tmp_path / "kept.csv"


def told(record: RunRecord) -> list[object]:
    """All that a file can say of results."""
    jobs = [replace(r.job, id="", work="", versions="") for r in record.results]
    seen = [
        replace(j, fold_sha256=j.fold_sha256 if r.holdouts else "") for j, r in zip(jobs, record.results, strict=True)
    ]
    outcomes = [(r.status, r.reason, r.job_seconds, r.cpu_seconds, r.peak_rss_mb) for r in record.results]
    return [seen, outcomes, [replace(h, path=[], details={}) for r in record.results for h in r.holdouts]]


@pytest.mark.parametrize("format", ["csv", "parquet", "gz"])
def test_what_a_file_says_comes_back_to_the_last_bit(tmp_path: Path, exported: Path, format: str) -> None:
    stored = read_run(tmp_path / "run")
    path = exported
    if format == "gz":
        path = tmp_path / "kept.csv.gz"
        path.write_bytes(gzip.compress(exported.read_bytes()))
    elif format == "parquet":
        path = export_runs([tmp_path / "run"], "parquet", tmp_path / "kept.parquet")[0]
    found = read_results(path)
    assert told(found) == told(stored)
    assert found.invocations == stored.invocations
    assert (found.folder, found.provenance) == (str(path), stored.provenance)
    assert {job.id for job in found.planned} == {r.job.id for r in found.results}
    assert [r.job.id for r in found.results] == [r.job.id for r in read_results(exported).results]
    assert found.lacks == (
        "validation paths", "learned metrics", "memory estimates", "solvers", "planned jobs that were not run",
    )  # fmt: skip
    pd.testing.assert_frame_equal(scores_frame(found.results), scores_frame(stored.results))


def test_a_folder_with_scores_and_no_store_is_read_and_a_store_comes_first(tmp_path: Path, exported: Path) -> None:
    folder = tmp_path / "alone"
    folder.mkdir()
    (folder / "scores.csv").write_bytes(exported.read_bytes())
    found = read_results(folder)
    assert (found.folder, len(found.results), found.invocations) == (str(folder), 9, ())
    (tmp_path / "run" / "scores.csv").write_text("nothing of use\n")
    assert read_results(tmp_path / "run").lacks == ()
    assert read_results(tmp_path / "run" / "results.sqlite").lacks == ()
    refused(StoreError, "is it a run folder", read_results, tmp_path)
    refused(StoreError, "there is no such folder or file", read_results, tmp_path / "none")
    (tmp_path / "a.txt").write_text("x")
    refused(StoreError, r"a\.txt: no run folder, and no file of exported scores", read_results, tmp_path / "a.txt")


def test_scores_of_before_there_were_variants_are_of_single_choices(exported: Path) -> None:
    table = pd.read_csv(exported, dtype=str, keep_default_na=False)
    assert set(zip(table["protocol"], table["ensemble"], table["inputs"], strict=True)) == {
        ("clean", "none", "archive"),
        ("clean-greedy-nominal", "greedy", "nominal"),
    }
    table[table["protocol"] == "clean"].drop(columns=["ensemble", "inputs"]).to_csv(exported, index=False)
    again = scores_frame(read_results(exported).results)
    assert (set(again["ensemble"]), set(again["inputs"])) == ({"none"}, {"archive"})


def test_a_variant_that_the_protocol_is_not_is_refused_and_an_unknown_protocol_has_none(exported: Path) -> None:
    table = pd.read_csv(exported, dtype=str, keep_default_na=False)
    table.assign(ensemble="top5").to_csv(exported, index=False)
    refused(StoreError, r"column ensemble: 'top5' where clean.* has (none|greedy)", read_results, exported)
    unknown = table[table["protocol"] == "clean"].assign(protocol="elsewhere", ensemble="bagged", inputs="")
    unknown.to_csv(exported, index=False)
    assert set(scores_frame(read_results(exported).results)["ensemble"]) == {""}


def test_scores_of_before_the_later_columns_are_read(exported: Path) -> None:
    table = pd.read_csv(exported, dtype=str, keep_default_na=False)
    table[table["task"] == "classification"][list(FIRST_COLUMNS)].to_csv(exported, index=False)
    found = read_results(exported)
    assert any(r.holdouts for r in found.results)
    for r in found.results:
        assert (r.job.kind, math.isnan(r.cpu_seconds)) == ("classification", True)
        for h in r.holdouts:
            assert (h.measures, h.measure("accuracy")) == ({}, h.score)
            assert (h.predict_seconds, h.train_samples, h.test_samples) == (None, None, None)
    assert set(found.lacks) >= {
        "measures other than accuracy", "checksums of datasets and folds", "reasons of failures",
        "seconds of predicting", "sizes of test folds",
    }  # fmt: skip


def test_the_kept_comparison_is_read() -> None:
    path = ROOT / "results" / "kept" / "comparison"
    found = read_results(path)
    assert found.folder == str(path)
    whole = ("holdout", "iteration", *(column for column, kind in LATER_COLUMNS.items() if kind == "whole"))
    columns = dict.fromkeys(whole, "Int64")
    kept = pd.read_csv(path / "scores.csv.gz", dtype=columns, low_memory=False)
    texts = ["split", *(column for column, kind in LATER_COLUMNS.items() if kind == "text" and column in kept)]
    kept[texts] = kept[texts].astype(object).fillna("")  # an empty text is one: pandas reads it as a missing value
    again = scores_frame(found.results)[list(kept.columns)]
    pd.testing.assert_frame_equal(again, kept, check_dtype=False, rtol=1e-15)
    assert sum(i["results"] for i in found.invocations) == len(found.results)


Rows = list[list[str]]


def rewrite(path: Path, change: Callable[[Rows], object]) -> None:
    with path.open(newline="") as file:
        rows = list(csv.reader(file))
    change(rows)
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)


def put(row: int, column: str, value: str) -> Callable[[Rows], object]:
    """Line ``row`` + 1 of the file gets another ``value``."""
    return lambda rows: rows[row].__setitem__(rows[0].index(column), value)


IN_WORDS = {
    "no number": (put(2, "accuracy", "good"), r"kept\.csv, line 3, column accuracy: 'good' is not a number"),
    "infinite": (put(2, "fit_seconds", "inf"), "line 3, column fit_seconds: 'inf' is not a number"),
    "not whole": (put(2, "rows", "1.5"), "line 3, column rows: '1.5' is not a whole number of at least 0"),
    "no size": (put(2, "test_samples", "-3"), "line 3, column test_samples: '-3' is not a whole number of at least 0"),
    "negative": (put(2, "seed", "-1"), "line 3, column seed: '-1' is not a whole number"),
    "above 100": (put(2, "accuracy", "100.5"), "line 3, column accuracy: 100.5 is outside 0 to 100 percent"),
    "below 0": (put(2, "balanced_accuracy", "-3"), "line 3, column balanced_accuracy: -3 is outside 0 to 100"),
    "another score": (put(2, "score", "1"), "line 3, column score: 1 where the accuracy is"),
    "no fold": (put(2, "holdout", ""), "line 3, column holdout: is empty, though the job is ok"),
    "no status": (put(2, "status", "fine"), "line 3, column status: 'fine' is none of ok, error, timeout, oom"),
    "no task": (put(2, "task", "ranking"), "line 3, column task: 'ranking' with"),
    "no measure": (put(2, "metric", "acuracy"), "'acuracy' is no measure of classification: did you mean 'accuracy'"),
    "no config": (put(2, "config", "ridge 1"), "line 3, column config: is not a JSON object"),
    "a deep config": (put(2, "config", "[" * 99999), "line 3, column config: is not a JSON object"),
    "no dataset": (put(2, "dataset", ""), "line 3, column dataset: is empty"),
    "another size": (put(2, "features", "7"), "line 3, column features: 7 where line 2 of the same job has"),
    "another table": (put(2, "table_sha256", "ff"), "line 3, column table_sha256: ff where line 2 of the same job has"),
    "a fold twice": (put(3, "holdout", "0"), r"line 4, column holdout: test fold 0 of iris/mlp \(clean\) is already "
     "in line 2"),
    "a row too short": (lambda rows: rows[4].pop(), "line 5: 39 values where the header has 40 columns"),
    "a column missing": (put(0, "accuracy", "r2_cut2"), "no column accuracy; column 'r2_cut2', which scores do not"),
    "a column mistyped": (put(0, "log_loss", "logloss"), "column 'logloss', which scores do not have: did you mean"),
    "an own column": (put(0, "brier", "xxxx"), "column 'xxxx', which scores do not have: drop it"),
    "a column twice": (put(0, "brier", "auc"), "column auc more than once"),
    "no rows": (lambda rows: rows.__delitem__(slice(1, None)), r"kept\.csv: no scores in it, only a header"),
    "nothing": (lambda rows: rows.clear(), "it has none of their columns"),
    "another table's file": (lambda rows: rows.__setitem__(0, ["x"] * 35), "it has none of their columns"),
}  # fmt: skip


@pytest.mark.parametrize("what", IN_WORDS)
def test_what_cannot_be_is_said_with_file_row_and_column(exported: Path, what: str) -> None:
    change, words = IN_WORDS[what]
    rewrite(exported, change)
    refused(StoreError, words, read_results, exported)


def test_a_score_may_be_left_out_and_a_failed_job_has_one_row_without_a_fold(exported: Path) -> None:
    before = read_results(exported)
    rewrite(exported, put(2, "score", ""))
    assert told(read_results(exported)) == told(before)
    failed = next(k for k, line in enumerate(exported.read_text().splitlines()) if ",oom," in line)
    rewrite(exported, lambda rows: rows.append(rows[failed]))
    refused(StoreError, rf"a failed job of wine/mlp .* is already in line {failed + 1}", read_results, exported)
    rewrite(exported, lambda rows: (rows.pop(), put(failed, "holdout", "0")(rows)))
    refused(StoreError, f"line {failed + 1}, column holdout: of a job that is not ok", read_results, exported)


@pytest.mark.parametrize("content", [b"\x1f\x8bno", b"a,b\n\xff\xfe", b'a,"b\n', b""])
@pytest.mark.parametrize("name", ["scores.csv", "scores.csv.gz", "scores.parquet"])
def test_other_files_are_refused_in_words(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    refused(StoreError, r"not a (CSV |Parquet )?file of scores", read_results, tmp_path)


def test_a_parquet_file_names_its_row(tmp_path: Path, exported: Path) -> None:
    table = pd.read_csv(exported)
    table.loc[4, "accuracy"] = 101.0
    table.to_parquet(tmp_path / "kept.parquet")
    with pytest.raises(StoreError, match=r"kept\.parquet, row 5, column accuracy: 101 is outside"):
        read_results(tmp_path / "kept.parquet")


@pytest.mark.parametrize(
    "text", ["{", "[1]", '{"a": 1}', '[{"run": "x"}]', '[{"invocations": 5}]', '[{"invocations": [1]}]']
)
def test_a_provenance_that_is_none_is_refused(exported: Path, text: str) -> None:
    exported.with_name("kept-provenance.json").write_text(text)
    refused(StoreError, r"kept-provenance\.json: not the provenance of exported scores", read_results, exported)


def test_what_a_report_could_not_take_of_a_provenance_is_left_out(exported: Path) -> None:
    whole = {"origin": "x", "target": "y", "licence": "z", "notes": ["n"], "features": ["f"]}
    kept = {"tables": {"a": whole}, "methods": {"m": {"title": "M", "origin": "m.py"}}, "commit": "c"}
    odd = {
        "versions": 5,
        "results": "many",
        "tables": {"a": whole, "b": {"origin": "x"}, "c": whole | {"notes": [1]}, "d": whole | {"warnings": 5}},
        "methods": {**kept["methods"], "n": {"origin": "n.py"}, "o": {"title": 5}, "p": "P"},
        "commit": "c",
    }
    exported.with_name("kept-provenance.json").write_text(json.dumps([{"run": "r", "invocations": [odd]}]))
    assert read_results(exported).invocations == (kept,)


def test_a_table_that_could_not_be_read_is_read_again_and_merges_with_results_on_it(tmp_path: Path) -> None:
    """Of a table of one's own nobody knows the sizes then: they are 0 in the file."""
    failures = {("mine", "laplace"): ("skipped", "mine.csv is not there")}
    unread = make_run(["mine"], ["laplace"], failures=failures, source="user", split="seed-0")
    unread = with_jobs(unread, split="", rows=0, features=0, classes=0)
    unread = replace(unread, planned=tuple(r.job for r in unread.results))
    path = export_runs([store_run(tmp_path / "unread", unread)], out=tmp_path / "unread.csv")[0]
    found = read_results(path)
    assert [(r.job.kind, r.job.classes, r.status) for r in found.results] == [("classification", 0, "skipped")]
    read = make_run(["mine"], ["rfm"], source="user", split="seed-0", folder="read")
    job = read.results[0].job
    shown = sizes(scores_frame(merge_runs([found, read]).results))
    assert shown.to_dict("index") == {"mine": {"rows": job.rows, "features": job.features, "classes": job.classes}}

"""``bench export``: the two tables that users script against."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from command import Command
from refusals import refused
from synthetic_runs import make_regression_run, make_run, store_run, with_measures

from bench.cli.export import export_runs, write_table
from bench.errors import StoreError
from bench.files import replacing
from bench.records.result import RunRecord
from bench.store import read_results

SCORES = (
    "dataset,source,rows,features,classes,method,protocol,split,holdout,status,accuracy,config,iteration,"
    "validation_accuracy,fit_seconds,job_seconds,peak_rss_mb,seed,"
    "task,metric,score,validation_score,balanced_accuracy,auc,brier,log_loss,r2,r2_cut,rmse,mae,"
    "table_sha256,fold_sha256,reduction,reason,cpu_seconds,"
    "predict_seconds,train_samples,test_samples,ensemble,inputs"
)
SUMMARY = (
    "group,protocol,method,datasets,missing,mean_accuracy,sd_accuracy,p90,p95,pma,friedman_rank,pool,missing_rule,"
    "task,metric,mean_score,sd_score,mean_balanced_accuracy,mean_auc,mean_brier,mean_log_loss,median_r2,min_r2,"
    "normalised_score,seeds"
)
NAMES = ["iris", "wine", "zoo", "letter", "adult"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    failures = {("wine", "mlp"): ("oom", "killed: out of memory")}
    run = make_run(NAMES, ["rfm", "laplace", "mlp"], ["clean", "clean-cv"], failures=failures)
    return store_run(tmp_path_factory.mktemp("export") / "run", run)


@pytest.fixture(scope="module")
def exported(folder: Path) -> list[Path]:
    """Scores, summary and provenance, where they land if nothing else is said."""
    return export_runs([folder])


def summary_of(folder: Path, run: RunRecord) -> pd.DataFrame:
    """Of a run that is stored in ``folder``: a row for each group and method."""
    return pd.read_csv(export_runs([store_run(folder, run)])[1]).set_index(["group", "method"])


def test_columns_are_the_contract(exported: list[Path], folder: Path) -> None:
    assert exported == [folder / name for name in ("scores.csv", "summary.csv", "provenance.json")]
    assert exported[0].read_text().splitlines()[0] == SCORES
    assert exported[1].read_text().splitlines()[0] == SUMMARY


def test_a_table_that_could_not_be_read_has_no_split_and_merges_with_results_on_it(tmp_path: Path) -> None:
    runs = (
        make_run(["iris"], ["rfm"], split="", failures={("iris", "rfm"): ("error", "not the study's file")}),
        make_run(["iris"], ["mlp"], reduction="tested on the first test fold only"),
    )
    folders = [store_run(tmp_path / f"run{k}", run) for k, run in enumerate(runs)]
    files = [export_runs([folder])[0] for folder in folders]
    (row,) = pd.read_csv(files[0], keep_default_na=False).to_dict("records")
    assert (row["status"], row["split"]) == ("error", "")
    merged = [export_runs(each, out=tmp_path)[0].read_text() for each in (folders, files)]
    assert merged[0] == merged[1]


def test_regression_is_a_group_of_its_own_and_further_measures_are_averaged(tmp_path: Path) -> None:
    tables = make_regression_run(["iris", "servo", "yacht"], ["rfm", "mlp"], lost=[("servo", "mlp")])
    runs = [with_measures(make_run(["wine", "zoo"], ["rfm", "mlp"])), tables]
    folders = [store_run(tmp_path / name, run) for name, run in zip(("classes", "numbers"), runs, strict=True)]
    scores, summary = (pd.read_csv(path) for path in export_runs(folders, out=tmp_path)[:2])
    assert list(dict.fromkeys(summary["group"])) == ["small90", "no-test-file", "all-available", "regression"]
    table = summary.set_index(["group", "method"])
    row, means = table.loc[("regression", "mlp")], scores[scores["method"] == "mlp"].groupby("dataset")
    cut = means["r2"].apply(lambda r2: r2.clip(lower=0).mean())[["iris", "servo", "yacht"]]
    assert (row["task"], row["metric"], row["datasets"]) == ("regression", "r2_cut", 3)
    assert (row["mean_score"], row["sd_score"]) == (pytest.approx(cut.mean()), pytest.approx(cut.std(ddof=1)))
    raw = means["r2"].mean()[["iris", "servo", "yacht"]]
    assert (row["median_r2"], row["min_r2"]) == (pytest.approx(raw.median()), pytest.approx(raw["servo"]))
    assert raw["servo"] < -100 < 0 < cut["servo"]
    assert row[["mean_accuracy", "sd_accuracy", "mean_auc"]].isna().all()
    whole = table.loc[("all-available", "mlp")]
    assert (whole["task"], whole["metric"], whole["datasets"]) == ("classification", "accuracy", 2)
    assert whole["mean_score"] == whole["mean_accuracy"] == pytest.approx(means["accuracy"].mean().mean())
    assert pd.isna(table.loc[("all-available", "rfm"), "mean_log_loss"])  # its scores are no probabilities
    # Of two methods the better one is at 1; q is 0.1 of the way up to it in classification, and half in regression.
    for group, measure, other in (("all-available", "accuracy", -1 / 9), ("regression", "r2", 0.0)):
        own = scores[scores[measure].notna()].groupby(["dataset", "method"])[measure].mean().unstack()
        better = own.eq(own.max(axis=1), axis=0)
        expected = better.mean() + other * (~better).mean()
        assert table.loc[group, "normalised_score"].to_dict() == pytest.approx(expected.to_dict())


def test_the_kept_scores_are_exported_again_with_the_kept_summary(tmp_path: Path) -> None:
    kept = Path(__file__).parents[2] / "results" / "kept" / "comparison"
    scores, summary, provenance = export_runs([kept / "scores.csv.gz"], out=tmp_path)
    for again, name in ((scores, "scores.csv.gz"), (summary, "summary.csv")):
        expected = pd.read_csv(kept / name, low_memory=False)
        found = pd.read_csv(again, low_memory=False)[list(expected.columns)]
        pd.testing.assert_frame_equal(found, expected, check_dtype=False, rtol=1e-9)
    found_results = [i["results"] for run in json.loads(provenance.read_text()) for i in run["invocations"]]
    of_jobs = pd.read_csv(kept / "scores.csv.gz", usecols=["dataset", "method", "protocol"])
    assert sum(found_results) == len(of_jobs.drop_duplicates())


def test_jobs_that_failed_or_were_not_run_are_missing_and_empty_no_summary(tmp_path: Path) -> None:
    def failed(*methods: str) -> RunRecord:
        failures = {(name, method): ("error", "cannot be read") for name in NAMES[1:] for method in methods}
        return make_run(NAMES, ["rfm", "mlp"], failures=failures)

    summary = summary_of(tmp_path / "one", failed("mlp"))
    assert pd.isna(summary.loc[("test-file", "rfm"), "sd_accuracy"])  # of one dataset
    one = summary.loc["all-available"]
    assert one["missing"].to_dict() == {"rfm": 0, "mlp": 4}
    assert one["datasets"].to_dict() == {"rfm": 5, "mlp": 0}  # which covers too little
    assert one["mean_accuracy"].isna().to_dict() == {"rfm": False, "mlp": True}
    both = summary_of(tmp_path / "both", failed("rfm", "mlp")).loc["all-available"]
    assert both[["datasets", "missing"]].to_numpy().tolist() == [[1, 4], [1, 4]]
    assert both["mean_accuracy"].notna().all()
    run = make_run(["iris", "wine", "zoo", "adult"], ["rfm", "mlp"])
    interrupted = summary_of(tmp_path / "interrupted", replace(run, results=run.results[:1]))
    assert interrupted.loc["all-available", "missing"].to_dict() == {"rfm": 3, "mlp": 4}
    assert interrupted.loc["all-available", "datasets"].to_dict() == {"rfm": 1, "mlp": 0}
    assert interrupted.loc["test-file", "missing"].to_dict() == {"rfm": 1, "mlp": 1}
    assert summary_of(tmp_path / "empty", replace(run, results=()))["missing"].sum() == 2 * (3 + 3 + 1 + 4)


def test_out_names_the_scores_and_puts_the_others_beside(folder: Path, tmp_path: Path, command: Command) -> None:
    usual = ("scores.csv", "summary.csv", "provenance.json")
    mine = ("mine.csv", "mine-summary.csv", "mine-provenance.json")
    assert export_runs([folder], out=tmp_path / "mine.csv") == [tmp_path / name for name in mine]
    (tmp_path / "there").mkdir()
    there = [tmp_path / "there" / name for name in usual]
    assert command("export", folder, "--out", tmp_path / "there").out.split() == [str(path) for path in there]
    command("export", folder, "--out", f"{tmp_path}/new/one/")
    assert sorted(path.name for path in (tmp_path / "new" / "one").iterdir()) == sorted(usual)


def test_each_format_holds_the_same_and_the_ending_of_the_file_is_its_format(
    folder: Path, exported: list[Path], tmp_path: Path, command: Command
) -> None:
    plain = [path.read_bytes() for path in exported]
    same = export_runs([folder], "parquet")
    assert [path.name for path in same] == ["scores.parquet", "summary.parquet", "provenance.json"]
    summary = pd.read_csv(exported[1], dtype={"seeds": str})
    pd.testing.assert_frame_equal(pd.read_parquet(same[1]), summary, check_dtype=False)
    packed = export_runs([folder], "csv.gz")
    assert [path.name for path in packed] == ["scores.csv.gz", "summary.csv", "provenance.json"]
    assert [gzip.decompress(packed[0].read_bytes()), packed[1].read_bytes()] == plain[:2]
    again = export_runs([folder], "csv.gz", tmp_path / "again.csv.gz")
    assert [path.name for path in again] == ["again.csv.gz", "again-summary.csv", "again-provenance.json"]
    assert again[0].read_bytes() == packed[0].read_bytes(), "no time of writing is in it"
    command("export", folder, "--out", tmp_path / "a.parquet")
    assert read_results(tmp_path / "a.parquet").results
    (written,) = command("export", folder, "--out", tmp_path / "a.tex").out.splitlines()
    assert Path(written).read_text().startswith("% By `python -m bench export")
    named = command("export", folder, "--format", "csv.gz", "--out", tmp_path / "b.csv").out
    assert named.startswith(f"{tmp_path}/b.csv.gz\n")


def test_provenance_says_how_the_results_came_about(folder: Path, exported: list[Path]) -> None:
    (run,) = json.loads(exported[2].read_text())
    (invocation,) = run["invocations"]
    assert (run["run"], invocation["results"]) == ("run", 5 * 3 * 2)
    assert {"versions", "cpu", "seeds", "commit", "command", "started"} <= set(invocation)
    assert str(folder.parent) not in json.dumps(run)


def test_several_runs_are_exported_as_one(tmp_path: Path, command: Command) -> None:
    """As one run of all the jobs would be: two protocols, and two methods of one protocol, in three folders."""
    parts = [make_run(NAMES, ["rfm"]), make_run(NAMES, ["mlp"]), make_run(NAMES, ["rfm"], ["clean-cv"])]
    folders = [store_run(tmp_path / f"part{k}", part) for k, part in enumerate(parts)]
    results = tuple(result for part in parts for result in part.results)
    together = replace(parts[0], results=results, planned=tuple(result.job for result in results))
    expected = export_runs([store_run(tmp_path / "whole", together)])
    command("export", *folders, "--out", f"{tmp_path}/out/")
    for theirs in expected[:2]:
        assert (tmp_path / "out" / theirs.name).read_text() == theirs.read_text()
    account = json.loads((tmp_path / "out" / "provenance.json").read_text())
    assert [run["run"] for run in account] == ["part0", "part1", "part2"]
    command.refuses("name the file or folder for them with --out", "export", *folders)


def test_runs_that_do_not_belong_together_are_not_exported(tmp_path: Path, command: Command) -> None:
    folders = [
        store_run(tmp_path / source, make_run(NAMES, [method], source=source))
        for source, method in (("archive", "rfm"), ("embedded", "mlp"))
    ]
    words = ["export", *folders, "--out", tmp_path / "all.csv"]
    command.refuses("datasets from several sources", *words)
    assert not (tmp_path / "all.csv").exists()
    command(*words, "--allow", "sources")


def test_all_seeds_are_exported_and_the_summary_is_over_those_that_count(tmp_path: Path) -> None:
    folders = [
        store_run(tmp_path / f"{s}", make_run(NAMES, ["rfm", "mlp"][: 2 - s // 2], seed=s, split=f"seed-{s}"))
        for s in (0, 1, 2)
    ]
    scores, summary = (pd.read_csv(path) for path in export_runs(folders, out=tmp_path)[:2])
    assert scores.groupby("method")["seed"].unique().map(list).to_dict() == {"mlp": [0, 1], "rfm": [0, 1, 2]}
    assert len(scores) == 4 * len(NAMES) * 5
    counted = scores[scores["seed"] < 2]  # the MLP lacks seed 2
    means = counted.groupby(["dataset", "method"])["accuracy"].mean().groupby("method").mean()
    assert summary["seeds"].unique().tolist() == ["0 1"]
    shown = summary[summary["group"] == "all-available"].set_index("method")["mean_accuracy"]
    assert shown.to_dict() == pytest.approx(means.to_dict())


def test_what_cannot_be_exported_or_written_is_named(folder: Path, tmp_path: Path, command: Command) -> None:
    (tmp_path / "a-file").write_text("")
    (tmp_path / "taken.csv").mkdir()
    done = tmp_path / "done"
    done.mkdir()
    export_runs([folder], out=done)
    empty = store_run(tmp_path / "empty", replace(make_run(["iris"], ["rfm"]), results=()))
    for said, *words in (
        ("no results in", tmp_path / "nowhere"),
        ("no results in", tmp_path),
        (f"nothing to export: no results in {empty}", empty),
        ("exported scores; name the file or folder to export to with --out", done),
        ("scores.csv is the file that is exported; name another", done, "--out", done),
        ("cannot make the folder", folder, "--out", f"{tmp_path}/a-file/"),
        ("does not exist", folder, "--out", tmp_path / "no" / "such.csv"),
        ("--format parquet is not what .csv stands for", folder, "--format", "parquet", "--out", tmp_path / "b.csv"),
        ("--format csv is not", folder, "--format", "csv", "--out", tmp_path / "b.csv.gz"),
    ):
        command.refuses(said, "export", *words)
    assert not (empty / "scores.csv").exists()
    table = pd.DataFrame({"a": [1]})
    refused(StoreError, r"cannot write .*taken\.csv", write_table, tmp_path / "taken.csv", table, "csv")


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), replacing(path) as temporary:  # noqa: PT012
        temporary.write_text("half")
        raise KeyboardInterrupt
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]

"""``bench export``: the two tables that users script against."""

from __future__ import annotations

import gzip
import json
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "report"))

from command import Command
from synthetic_runs import make_regression_run, make_run, store_run, with_measures

from bench.cli.export import export_runs, write_table
from bench.errors import StoreError
from bench.files import replacing
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


def test_columns_are_the_contract(folder: Path, exported: list[Path]) -> None:
    scores, summary, provenance = exported
    assert (scores, summary) == (folder / "scores.csv", folder / "summary.csv")
    assert provenance == folder / "provenance.json"
    assert scores.read_text().splitlines()[0] == SCORES
    assert summary.read_text().splitlines()[0] == SUMMARY


def test_scores_have_a_row_per_holdout_and_one_per_failed_job(exported: list[Path]) -> None:
    table = pd.read_csv(exported[0])
    assert len(table) == (5 * 3 - 1) * 2 * 4 + 2
    failed = table[table["status"] != "ok"]
    assert failed["status"].tolist() == ["oom", "oom"]
    assert failed["holdout"].isna().all()
    assert failed["accuracy"].isna().all()
    ok = table[table["status"] == "ok"]
    assert set(ok["holdout"]) == {0, 1, 2, 3}
    assert ok["accuracy"].between(0, 100).all()
    assert set(json.loads(ok["config"].iloc[0])) == {"ridge", "unit_norm"}


@pytest.mark.parametrize(("source", "split"), [("archive", "published"), ("embedded", "seed-0")])
def test_a_table_that_could_not_be_read_has_the_split_it_would_have_had(
    tmp_path: Path, source: str, split: str
) -> None:
    failures = {("iris", "rfm"): ("error", "not the study's file")}
    run = make_run(["iris"], ["rfm"], source=source, split="", failures=failures)
    (row,) = pd.read_csv(export_runs([store_run(tmp_path / source, run)])[0]).to_dict("records")
    assert (row["status"], row["split"]) == ("error", split)


def test_summary_is_over_common_datasets_and_counts_what_is_missing(exported: list[Path]) -> None:
    scores, summary = (pd.read_csv(path) for path in exported[:2])
    assert list(dict.fromkeys(summary["group"])) == ["small90", "no-test-file", "test-file", "all-available"]
    row = summary.set_index(["group", "protocol", "method"]).loc[("all-available", "clean", "mlp")]
    assert (row["datasets"], row["missing"]) == (4, 1)
    assert row["pool"] == "rfm laplace mlp"
    assert row["missing_rule"] == "common datasets"
    part = scores[(scores["protocol"] == "clean") & (scores["method"] == "mlp") & (scores["dataset"] != "wine")]
    assert row["mean_accuracy"] == pytest.approx(part.groupby("dataset")["accuracy"].mean().mean())
    test_file = summary[summary["group"] == "test-file"]
    assert (test_file["datasets"] == 1).all()
    assert test_file["sd_accuracy"].isna().all()


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
    for key in ("balanced_accuracy", "auc", "brier", "log_loss"):
        assert whole[f"mean_{key}"] == pytest.approx(means[key].mean().mean())
    assert pd.isna(table.loc[("all-available", "rfm"), "mean_log_loss"])  # its scores are no probabilities
    # Of two methods the better one is at 1; q is 0.1 of the way up to it in classification, and half in regression.
    for group, measure, other in (("all-available", "accuracy", -1 / 9), ("regression", "r2", 0.0)):
        own = scores[scores[measure].notna()].groupby(["dataset", "method"])[measure].mean().unstack()
        better = own.eq(own.max(axis=1), axis=0)
        expected = better.mean() + other * (~better).mean()
        assert list(summary.columns[-2:]) == ["normalised_score", "seeds"]
        assert table.loc[group, "normalised_score"].to_dict() == pytest.approx(expected.to_dict())


def test_the_kept_scores_are_exported_again_with_the_kept_summary(tmp_path: Path, command: Command) -> None:
    kept = Path(__file__).parents[2] / "results" / "kept" / "comparison"
    scores, summary, provenance = export_runs([kept / "scores.csv.gz"], out=tmp_path)
    for again, name in ((scores, "scores.csv.gz"), (summary, "summary.csv")):
        expected = pd.read_csv(kept / name)
        found = pd.read_csv(again)[list(expected.columns)]
        pd.testing.assert_frame_equal(found, expected, check_dtype=False, rtol=1e-9)
    found_results = [i["results"] for run in json.loads(provenance.read_text()) for i in run["invocations"]]
    assert sum(found_results) == pd.read_csv(kept / "scores.csv.gz").groupby(["dataset", "method", "protocol"]).ngroups
    for words, told in (
        ([str(scores)], "exported scores; name the file or folder to export to with --out"),
        ([str(tmp_path), "--out", str(tmp_path)], "scores.csv is the file that is exported; name another"),
    ):
        command.refuses(told, "export", *words)


def test_a_method_that_covers_little_keeps_its_row(tmp_path: Path) -> None:
    failures = {(name, "mlp"): ("timeout", "60 s") for name in NAMES[1:]}
    folder = store_run(tmp_path / "run", make_run(NAMES, ["rfm", "mlp"], failures=failures))
    table = pd.read_csv(export_runs([folder])[1]).set_index(["group", "method"])
    assert table.loc[("all-available", "mlp"), "missing"] == 4
    assert table.loc[("all-available", "mlp"), "datasets"] == 0
    assert pd.isna(table.loc[("all-available", "mlp"), "mean_accuracy"])
    assert table.loc[("all-available", "rfm"), "datasets"] == 5


def test_what_an_interrupted_run_has_not_done_is_missing(tmp_path: Path) -> None:
    run = make_run(["iris", "wine", "zoo", "adult"], ["rfm", "mlp"])
    folder = store_run(tmp_path / "run", replace(run, results=run.results[:1]))
    table = pd.read_csv(export_runs([folder])[1]).set_index(["group", "method"])
    assert set(table.loc["all-available"].index) == {"rfm", "mlp"}
    assert table.loc["all-available", "missing"].to_dict() == {"rfm": 3, "mlp": 4}
    assert table.loc["all-available", "datasets"].to_dict() == {"rfm": 1, "mlp": 0}
    assert table.loc["test-file", "missing"].to_dict() == {"rfm": 1, "mlp": 1}
    empty = store_run(tmp_path / "empty", replace(run, results=()))
    assert pd.read_csv(export_runs([empty])[1])["missing"].sum() == 2 * (3 + 3 + 1 + 4)


def test_tables_that_fail_for_all_methods_do_not_empty_the_summary(tmp_path: Path) -> None:
    failures = {(name, method): ("error", "cannot be read") for name in NAMES[1:] for method in ("rfm", "mlp")}
    folder = store_run(tmp_path / "run", make_run(NAMES, ["rfm", "mlp"], failures=failures))
    table = pd.read_csv(export_runs([folder])[1]).set_index(["group", "method"]).loc["all-available"]
    assert (table["datasets"] == 1).all()
    assert (table["missing"] == 4).all()
    assert table["mean_accuracy"].notna().all()


def test_out_names_the_scores_and_puts_the_summary_beside(folder: Path, tmp_path: Path) -> None:
    names = ("mine.csv", "mine-summary.csv", "mine-provenance.json")
    assert export_runs([folder], out=tmp_path / "mine.csv") == [tmp_path / name for name in names]
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    usual = ("scores.csv", "summary.csv", "provenance.json")
    assert export_runs([folder], out=elsewhere) == [elsewhere / name for name in usual]


def test_parquet_holds_the_same(folder: Path, exported: list[Path]) -> None:
    written = export_runs([folder], "parquet")
    assert [path.name for path in written] == ["scores.parquet", "summary.parquet", "provenance.json"]
    same = pd.read_parquet(written[1])
    pd.testing.assert_frame_equal(same, pd.read_csv(exported[1], dtype={"seeds": str}), check_dtype=False)


def test_packed_scores_are_the_same_table_and_the_same_bytes_each_time(folder: Path, tmp_path: Path) -> None:
    plain = export_runs([folder], "csv")
    packed = export_runs([folder], "csv.gz")
    assert [path.name for path in packed] == ["scores.csv.gz", "summary.csv", "provenance.json"]
    assert gzip.decompress(packed[0].read_bytes()) == plain[0].read_bytes()
    assert packed[1].read_bytes() == plain[1].read_bytes()
    again = export_runs([folder], "csv.gz", tmp_path / "again.csv.gz")
    assert [path.name for path in again] == ["again.csv.gz", "again-summary.csv", "again-provenance.json"]
    assert again[0].read_bytes() == packed[0].read_bytes()


def test_command_prints_what_it_wrote(folder: Path, command: Command) -> None:
    names = ("scores.csv", "summary.csv", "provenance.json")
    assert command("export", folder).out.split() == [str(folder / name) for name in names]


def test_provenance_says_how_the_results_came_about(folder: Path, exported: list[Path]) -> None:
    (run,) = json.loads(exported[2].read_text())
    assert run["run"] == "run"
    (invocation,) = run["invocations"]
    assert invocation["results"] == 5 * 3 * 2
    assert {"versions", "cpu", "seeds", "commit", "command", "started"} <= set(invocation)
    assert str(folder.parent) not in json.dumps(run)


def test_several_runs_are_exported_as_one(tmp_path: Path, command: Command) -> None:
    """As one run of all the jobs would be: two protocols, and two methods of one protocol, in three folders."""
    parts = [(["rfm"], ["clean"]), (["mlp"], ["clean"]), (["rfm"], ["clean-cv"])]
    folders = [
        store_run(tmp_path / f"part{k}", make_run(NAMES, methods, protocols))
        for k, (methods, protocols) in enumerate(parts)
    ]
    whole = [make_run(NAMES, methods, protocols) for methods, protocols in parts]
    results = tuple(result for run in whole for result in run.results)
    together = replace(whole[0], results=results, planned=tuple(result.job for result in results))
    expected = export_runs([store_run(tmp_path / "whole", together)])
    out = tmp_path / "out"
    out.mkdir()
    command("export", *map(str, folders), "--out", str(out))
    for ours, theirs in zip((out / "scores.csv", out / "summary.csv"), expected, strict=False):
        assert ours.read_text() == theirs.read_text()
    assert [run["run"] for run in json.loads((out / "provenance.json").read_text())] == ["part0", "part1", "part2"]
    command.refuses("name the file or folder for them with --out", "export", *map(str, folders))


def test_runs_that_do_not_belong_together_are_not_exported(tmp_path: Path, command: Command) -> None:
    folders = [
        store_run(tmp_path / source, make_run(NAMES, [method], source=source))
        for source, method in (("archive", "rfm"), ("embedded", "mlp"))
    ]
    words = ["export", *map(str, folders), "--out", str(tmp_path / "all.csv")]
    command.refuses("datasets from several sources", *words)
    assert not (tmp_path / "all.csv").exists()
    command(*words, "--allow", "sources")


def test_all_seeds_are_exported_and_the_summary_is_over_those_that_count(tmp_path: Path) -> None:
    folders = [
        store_run(tmp_path / f"{s}", make_run(NAMES, ["rfm", "mlp"][: 2 - s // 2], seed=s, split=f"seed-{s}"))
        for s in (0, 1, 2)
    ]
    scores_file, summary_file, _ = export_runs(folders, out=tmp_path)
    scores, summary = pd.read_csv(scores_file), pd.read_csv(summary_file)
    assert scores.groupby("method")["seed"].unique().map(list).to_dict() == {"mlp": [0, 1], "rfm": [0, 1, 2]}
    assert len(scores) == 4 * len(NAMES) * 5
    counted = scores[scores["seed"] < 2]  # the MLP lacks seed 2
    means = counted.groupby(["dataset", "method"])["accuracy"].mean().groupby("method").mean()
    assert summary["seeds"].unique().tolist() == ["0 1"]
    shown = summary[summary["group"] == "all-available"].set_index("method")["mean_accuracy"]
    assert shown.to_dict() == pytest.approx(means.to_dict())


@pytest.mark.parametrize(("where", "message"), [("nowhere", "no results in"), ("", "no results in")])
def test_a_folder_without_a_store_is_exit_2(tmp_path: Path, where: str, message: str, command: Command) -> None:
    command.refuses(message, "export", str(tmp_path / where))


def test_a_folder_is_made_and_a_run_without_results_refused(folder: Path, tmp_path: Path, command: Command) -> None:
    command("export", str(folder), "--out", f"{tmp_path}/new/one/")
    names = {"scores.csv", "summary.csv", "provenance.json"}
    assert {path.name for path in (tmp_path / "new" / "one").iterdir()} == names
    (tmp_path / "a-file").write_text("")
    command.refuses("cannot make the folder", "export", str(folder), "--out", f"{tmp_path}/a-file/")
    empty = store_run(tmp_path / "empty", replace(make_run(["iris"], ["rfm"]), results=()))
    command.refuses(f"nothing to export: no results in {empty}", "export", str(empty))
    assert not (empty / "scores.csv").exists()


def test_the_ending_of_the_file_is_its_format(folder: Path, tmp_path: Path, command: Command) -> None:
    for name in ("a.csv.gz", "a.parquet"):
        command("export", folder, "--out", tmp_path / name)
        assert read_results(tmp_path / name).results
    (written,) = command("export", folder, "--out", tmp_path / "a.tex").out.splitlines()
    assert Path(written).read_text().startswith("% By `python -m bench export")
    said = "--format parquet is not what .csv stands for"
    command.refuses(said, "export", folder, "--format", "parquet", "--out", tmp_path / "b.csv")
    command.refuses("--format csv is not", "export", folder, "--format", "csv", "--out", tmp_path / "b.csv.gz")
    assert command("export", folder, "--format", "csv.gz", "--out", tmp_path / "b.csv").out.startswith(
        f"{tmp_path}/b.csv.gz\n"
    )


def test_unwritable_targets_are_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="does not exist"):
        export_runs([folder], out=tmp_path / "no" / "such.csv")
    (tmp_path / "taken.csv").mkdir()
    with pytest.raises(StoreError, match=r"cannot write .*taken\.csv"):
        write_table(tmp_path / "taken.csv", pd.DataFrame({"a": [1]}), "csv")


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("old")

    def fail() -> None:
        with replacing(path) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]

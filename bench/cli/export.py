"""``bench export``: ``scores.csv``, ``summary.csv`` and ``provenance.json`` of results, for users' scripts."""

from __future__ import annotations

import argparse
import gzip
import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

import pandas as pd

from bench.cli.merging import add_run_arguments, allowed
from bench.data.registry import load_registry
from bench.errors import ReportError, StoreError, UsageError
from bench.files import replacing, write_atomically
from bench.methods import TITLES, method_names
from bench.records.measure import COMPARED, Kind, Measure
from bench.records.result import Job, JobResult, RunRecord
from bench.report.latex import latex_summary
from bench.report.merge import invocations_of, merge_runs
from bench.stats.frame import in_order, in_protocol_order, over_seeds, scores_frame, seed_matrix
from bench.stats.groups import standard_groups
from bench.stats.missing import COMMON_DATASETS
from bench.stats.summary import FURTHER, CommonPool, common_pool, normalised_score, summarise
from bench.store import read_results
from bench.store.exported import scores_file

Format: TypeAlias = Literal["csv", "csv.gz", "parquet", "latex"]

SUMMARY_COLUMNS = (
    "group",
    "protocol",
    "method",
    "datasets",
    "missing",
    "mean_accuracy",
    "sd_accuracy",
    "p90",
    "p95",
    "pma",
    "friedman_rank",
    "pool",
    "missing_rule",
    "task",
    "metric",
    "mean_score",
    "sd_score",
    *(further.key for kind in FURTHER for further in FURTHER[kind]),
    "normalised_score",
    "seeds",
)
"""Columns of ``summary.csv``, in order. Users script against them; new ones come at the end.

``metric`` is what ``mean_score`` and ``sd_score`` are of; ``mean_accuracy`` and ``sd_accuracy`` are empty for
regression. RMSE and MAE have no mean: each dataset has its own unit. ``normalised_score`` is among the ``pool``.
``seeds`` are those that the means are over: of the jobs that count on some dataset of the group.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run_arguments(parser, "exported")
    parser.add_argument(
        "--format",
        choices=get_args(Format),
        help="csv, csv.gz (the scores packed), parquet, or latex: the summary alone, as tables for a paper (default: "
        "as --out ends, else csv)",
    )
    parser.add_argument(
        "--out",
        metavar="FILE",
        help="file for the scores (for latex the summary), or a folder (made if it ends in /); summary and provenance "
        "go next to it (default: into DIR)",
    )


def run(args: argparse.Namespace) -> int:
    out = None if args.out is None else Path(args.out)
    if out is not None and args.out.endswith("/"):
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"cannot make the folder {out}: {error.strerror or error}") from error
    for path in export_runs(args.runs, _format(args.format, out), out, allowed(args), refuse_empty=True):
        print(path)
    return 0


_ENDINGS: dict[str, Format] = {".csv": "csv", ".csv.gz": "csv.gz", ".parquet": "parquet", ".tex": "latex"}


def _format(given: Format | None, out: Path | None) -> Format:
    """What ``--format`` says, else the ending of ``--out``. Raises :class:`UsageError` if that is another format's."""
    named = None if out is None or out.is_dir() else next((e for e in _ENDINGS if out.name.endswith(e)), None)
    if named is None or given is None:
        return given or (_ENDINGS[named] if named else "csv")
    if given != _ENDINGS[named] and (given, named) != ("csv.gz", ".csv"):  # the scores are packed behind that name
        raise UsageError(
            f"--out {out}: --format {given} is not what {named} stands for; name another file, or leave --format out"
        )
    return given


def export_runs(
    folders: Sequence[Path],
    format: Format = "csv",
    out: Path | None = None,
    allow: Collection[str] = (),
    *,
    refuse_empty: bool = False,
) -> list[Path]:
    """Write results, summary and provenance of the runs in ``folders``, taken together; returns the files written.

    They go into the folder of a single run as ``scores.<format>``, ``summary.<format>`` and ``provenance.json``; in
    ``csv.gz`` the scores alone are packed. With ``out`` the results go to that file and the others next to it, as
    ``<stem>-summary<suffix>`` and ``<stem>-provenance.json``; an ``out`` that is a folder takes all under their usual
    names. In ``latex`` there is the summary alone: ``summary.tex``, or the file ``out``. Each file appears whole or not
    at all.

    Raises :class:`UsageError` for several runs or exported scores without ``out``, :class:`ReportError` for no results
    under ``refuse_empty``, and as :func:`bench.report.merge.merge_runs` for runs that do not belong together.
    """
    if len(folders) > 1 and out is None:
        raise UsageError("several runs are exported together: name the file or folder for them with --out")
    found = gathered(folders, allow)
    if refuse_empty and not found.results:
        raise ReportError(f"nothing to export: no results in {', '.join(map(str, folders))}")
    scores = scores_frame(found.results)
    if out is None and any(record.lacks for record in found.records):
        raise UsageError(f"{folders[0]}: exported scores; name the file or folder to export to with --out")
    if format == "latex":
        path = _targets(folders[0], "tex", out)[1 if out is None or out.is_dir() else 0]
        _write(path, latex_summary(summary_frame(scores, group_of(), found.planned), _titles(found.records)))
        return [path]
    target, summary, account = _targets(folders[0], format, out)
    if any(file.samefile(target) for file in filter(None, map(scores_file, folders)) if target.exists()):
        raise UsageError(f"--out {out}: {target} is the file that is exported; name another")
    write_table(target, scores, format)
    write_table(summary, summary_frame(scores, group_of(), found.planned), "csv" if format == "csv.gz" else format)
    _write(account, json.dumps(_provenance(found.records), indent=1) + "\n")
    return [target, summary, account]


@dataclass(frozen=True)
class Gathered:
    """What several runs hold together, or one: results, jobs that were planned, and the runs themselves."""

    results: tuple[JobResult, ...]
    planned: tuple[Job, ...]
    records: tuple[RunRecord, ...]


def gathered(folders: Sequence[Path], allow: Collection[str] = ()) -> Gathered:
    """The runs in ``folders`` as :func:`export_runs` takes them together."""
    records = tuple(read_benchmark(folder) for folder in folders)
    if len(records) == 1:
        return Gathered(records[0].results, records[0].planned, records)
    merged = merge_runs(records, allow)
    return Gathered(merged.results, merged.undone, records)


def read_benchmark(folder: Path) -> RunRecord:
    """What :func:`bench.store.read_results` finds. Raises :class:`UsageError` if these are a study's cells."""
    record = read_results(folder)
    cell = next((job for job in (*record.planned, *(r.job for r in record.results)) if job.parameters), None)
    if cell is None:
        return record
    raise UsageError(
        f"{folder} holds the study {cell.protocol!r}, which has a report of its own: use `python -m bench study "
        f"{cell.protocol} --report-only --run {folder}`"
    )


def _provenance(records: Sequence[RunRecord]) -> list[dict[str, Any]]:
    """Of each run, what was recorded of the invocations that produced its results: command, commit, versions, seed."""
    return [
        {"run": Path(record.folder).resolve().name, "invocations": list(invocations_of(record))} for record in records
    ]


def _titles(records: Sequence[RunRecord]) -> dict[str, str]:
    """What methods that are not built in call themselves; with the name behind it where that is another's title too."""
    recorded = [i.get("methods", {}) for record in records for i in invocations_of(record)]
    titles = {name: str(about["title"]) for methods in recorded for name, about in methods.items()}
    counts = Counter([*titles.values(), *TITLES.values()])
    return {name: f"{title} ({name})" if counts[title] > 1 else title for name, title in titles.items()}


def _targets(folder: Path, format: str, out: Path | None) -> tuple[Path, Path, Path]:
    if format == "csv.gz":
        plain = out.with_suffix("") if out is not None and out.suffix == ".gz" and not out.is_dir() else out
        scores, summary, account = _targets(folder, "csv", plain)
        return scores.with_name(f"{scores.name}.gz"), summary, account
    if out is None or out.is_dir():
        home = folder if out is None else out
        return home / f"scores.{format}", home / f"summary.{format}", home / "provenance.json"
    if not out.parent.is_dir():
        raise StoreError(f"cannot write {out}: the folder {out.parent} does not exist")
    suffix = out.suffix or f".{format}"
    summary = out.with_name(f"{out.stem}-summary{suffix}")
    return out.with_suffix(suffix), summary, out.with_name(f"{out.stem}-provenance.json")


def group_of() -> Mapping[str, str | None]:
    """The registry's group of every dataset."""
    return {entry.name: entry.group for entry in load_registry().entries.values()}


def summary_frame(scores: pd.DataFrame, groups: Mapping[str, str | None], planned: Iterable[Job] = ()) -> pd.DataFrame:
    """The summary table with :data:`SUMMARY_COLUMNS`: one row per group, protocol and method.

    Metrics are over the group's common datasets (``datasets`` of them). ``missing`` counts the datasets of the group
    and protocol on which the method has no result, be it that the job failed or that it is one of ``planned`` and was
    not run. A method that covers too little to be in the pool, and every method of a group that has no common dataset,
    keeps its row with the metrics empty.
    """
    tried = scores[["dataset", "method", "protocol", "task"]].itertuples(index=False, name=None)
    cells = {*tried, *((job.dataset, job.method, job.protocol, job.kind) for job in planned)}
    regression = {dataset for dataset, *_, kind in cells if kind == "regression"}
    rows: list[dict[str, object]] = []
    for group in standard_groups({dataset for dataset, *_ in cells}, groups, regression):
        kind: Kind = "regression" if group.datasets[0] in regression else "classification"
        for protocol in in_protocol_order(p for _, _, p, _ in cells):
            part = {(d, m) for d, m, p, k in cells if p == protocol and k == kind and d in group.datasets}
            if part:
                by_seed = seed_matrix(scores, protocol, COMPARED[kind])
                matrix = over_seeds(by_seed).reindex(
                    index=sorted({dataset for dataset, _ in part}),
                    columns=in_order({method for _, method in part}, method_names()),
                )
                head = {"group": group.key, "protocol": protocol}
                rows += [head | row for row in _summary_rows(scores, protocol, by_seed, matrix, COMPARED[kind])]
    return pd.DataFrame(rows, columns=list(SUMMARY_COLUMNS))


def _summary_rows(
    scores: pd.DataFrame, protocol: str, by_seed: pd.DataFrame, matrix: pd.DataFrame, measure: Measure
) -> Iterator[dict[str, object]]:
    """One row a method of ``matrix`` (datasets x methods), the means over the seeds of ``by_seed``."""
    common = _common(matrix, measure)
    table = summarise(common.pool) if common else pd.DataFrame()
    if common:
        for further in FURTHER[measure.kind]:
            table[further.key] = further.of(scores, protocol, common.pool)
        table["normalised_score"] = normalised_score(scores, protocol, common.pool)
        inside = by_seed.index.get_level_values("dataset").isin(common.pool.datasets)
        seeds = " ".join(map(str, sorted(set(by_seed.index[inside].get_level_values("seed")))))
    for method in matrix.columns:
        row: dict[str, object] = {"method": method, "missing": int(matrix[method].isna().sum()), "datasets": 0}
        row |= {"missing_rule": COMMON_DATASETS.name, "task": measure.kind, "metric": measure.key}
        if common and method in table.index:
            row |= {"datasets": len(common.pool.datasets), "pool": " ".join(common.pool.methods)}
            row["seeds"] = seeds
            row |= {str(key): float(values[method]) for key, values in table.items()}
            if measure.key == "accuracy":
                row |= {"mean_accuracy": row["mean_score"], "sd_accuracy": row["sd_score"]}
        yield row


def _common(matrix: pd.DataFrame, measure: Measure) -> CommonPool | None:
    try:
        return common_pool(matrix, measure)
    except ReportError:
        return None


def write_table(path: Path, table: pd.DataFrame, format: Format) -> None:
    """Write ``table`` in one step. Raises :class:`StoreError` naming the file if it cannot."""
    try:
        with replacing(path) as temporary:
            if format == "parquet":
                table.to_parquet(temporary, index=False)
                return
            content = table.to_csv(index=False, lineterminator="\n").encode()
            # pandas would write the time and the temporary name into the packed file: equal scores, equal bytes
            temporary.write_bytes(gzip.compress(content, mtime=0) if format == "csv.gz" else content)
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror or error}") from error


def _write(path: Path, text: str) -> None:
    try:
        write_atomically(path, text)
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror or error}") from error

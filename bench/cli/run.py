"""``bench run``: run methods on datasets under a protocol, into a folder that resumes."""

from __future__ import annotations

import argparse
import hashlib
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.cli.running import (
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    EXIT_OK,
    add_job_arguments,
    list_plan,
    run_plan,
    running,
    tell_engine,
    whole_number,
    with_kept_versions,
)
from bench.cli.tables import add_data_arguments, add_source_arguments, say, selected_datasets
from bench.errors import UsageError, listed, plural, unknown_name
from bench.methods import method_names
from bench.protocols.reduction import LARGE_ROWS, TUNING_ROWS, reduced
from bench.protocols.registry import PROTOCOLS, asked_variants, plain_names
from bench.records.dataset import Dataset, Splits
from bench.records.measure import MEASURES, SELECTING, Kind, Measure
from bench.records.method import CPU, Method
from bench.run.devices import device_of, refuse_missing

if TYPE_CHECKING:
    from bench.run.runner import Outcome

DEFAULT_FOLDER = "results"
LONGEST_NAME = 255
"""What file systems take as the name of a folder."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of ``bench run``."""
    parser.add_argument("--subset", help="a subset's name, or dataset names separated by commas")
    add_data_arguments(parser)
    parser.add_argument("--methods", help=f"method names separated by commas (default: {', '.join(method_names())})")
    parser.add_argument(
        "--plugin", metavar="FILE", action="append", default=[], help="run the methods in this Python file too"
    )
    parser.add_argument(
        "--protocol",
        metavar="NAME[,NAME]",
        default="clean",
        help=f"one or several of {', '.join(plain_names(PROTOCOLS))} (default: %(default)s)",
    )
    parser.add_argument(
        "--ensemble",
        metavar="KIND[,KIND]",
        help="average several configurations instead of selecting one: top5 (the best five) or greedy (forward "
        "selection), both by the Brier score of the validation samples (default: none); several, such as none,greedy, "
        "share the fits of the grid",
    )
    parser.add_argument(
        "--inputs",
        metavar="KIND[,KIND]",
        help="nominal: a 0/1 column for each category of the nominal columns; archive (default): as the dataset has "
        "them, categories numbered",
    )
    parser.add_argument(
        "--archive", metavar="PATH_OR_URL", help="take all datasets from this copy of the study's archive"
    )
    add_source_arguments(
        parser,
        "embedded, archive, openml or uci (default: an archive that is named; for smoke, embedded, embedded-nominal "
        "and regression the package; else a fetched archive; else the package)",
    )
    parser.add_argument(
        "--full",
        action="store_true",
        help=f"for datasets above {LARGE_ROWS:,} samples too: select on all training samples, test all test folds "
        f"(default: select on {TUNING_ROWS:,} samples, test one fold)",
    )
    parser.add_argument("--run", metavar="DIR", help="run folder (default: results/<subset>-<protocol>)")
    parser.add_argument(
        "--splits",
        metavar="NAME",
        help="how datasets are split: drawn (from the seed), grinsztajn-medium or grinsztajn-large (as that benchmark "
        "does; default: as the source does, else drawn)",
    )
    parser.add_argument("--seed", help="seed of all random numbers (default: 0)")
    parser.add_argument(
        "--seeds",
        metavar="N,N,...",
        help="several seeds, such as 0,1,2, into one run folder; a report takes means over them",
    )
    parser.add_argument(
        "--folds",
        metavar="N",
        help="for a first look, test each dataset on its first N test folds only (default: all)",
    )
    parser.add_argument(
        "--select",
        metavar="MEASURE",
        help="measure that selects hyperparameters, instead of accuracy or r2; one for each kind of task, "
        "comma-separated: "
        f"{', '.join(MEASURES)}",
    )
    parser.add_argument(
        "--keep-predictions",
        action="store_true",
        help="write class scores or predicted numbers of all test samples as Parquet into the run folder",
    )
    parser.add_argument(
        "--shard",
        metavar="I/N",
        help="run the I-th of N parts, as in a job array; export and report combine them",
    )
    add_job_arguments(parser, "methods that can be")


def run(args: argparse.Namespace) -> int:
    """Carry out ``bench run``; see :func:`bench.command_line.main` for the exit codes (130 if interrupted)."""
    from bench.cli.headline import headline
    from bench.store import read_run

    done = carry_out(args)
    if args.dry_run:
        return EXIT_OK
    words = headline(read_run(done.folder), done.outcome, done.folder, done.origins)
    print(words, file=sys.stderr if args.json else sys.stdout)
    if done.outcome.interrupted and done.outcome.undone:
        return EXIT_INTERRUPTED
    return EXIT_OK if done.outcome.all_ok else EXIT_FAILED


@dataclass(frozen=True)
class Done:
    """What ``bench run`` did: into which folder, and what became of the jobs; of a ``--dry-run``, before it."""

    folder: Path
    origins: str
    """Of the tables, in words."""
    outcome: Outcome


def carry_out(args: argparse.Namespace) -> Done:
    """Do all that the flags say but for the closing words: results are stored and exported."""
    from bench.cli.export import export_runs
    from bench.data.splits import NAMES, first_folds, splits_for
    from bench.run.jobs import expand_jobs
    from bench.run.plan import joined, shard
    from bench.run.predictions import PredictionFiles
    from bench.run.provenance import invocation
    from bench.run.selection import additions, named_methods
    from bench.store import Store, read_run

    wanted = asked_variants(args.protocol, args.ensemble, args.inputs)
    if args.splits is not None and args.splits not in NAMES:
        raise unknown_name("splits", args.splits, NAMES)
    how = running(args)
    if how.engine == "local":
        refuse_missing(how.device)
    seeds = seeds_of(args.seed, args.seeds)
    folds = None if args.folds is None else whole_number("--folds", args.folds, at_least=1, default=1)
    part = _shard(args.shard)
    measures = selecting(args.select)
    select = {kind: measure for kind, measure in measures.items() if measure != SELECTING[kind]}
    seeing = [protocol.name for protocol in wanted if protocol.sees_test_labels]
    if select and seeing:
        others = " or ".join(p for p in plain_names(PROTOCOLS) if not PROTOCOLS[p].sees_test_labels)
        raise UsageError(f"--select: --protocol {listed(seeing)} selects by accuracy; use {others}")
    if select and any(protocol.ensemble != "none" for protocol in wanted):
        raise UsageError(
            f"--select {args.select}: an ensemble's members are selected by the Brier score or squared error; leave it "
            f"out, or use --ensemble none"
        )
    methods = named_methods(args.methods, args.plugin)
    selected = selected_datasets(args)
    say(selected.origins())
    if how.device != CPU:
        _tell_devices([named.method for named in methods], how.device)
    folder = Path(
        args.run
        or default_folder(selected.label, "+".join(p.name for p in wanted), seeds, part, args.splits, folds, how.device)
    )
    if not how.dry_run:
        Store(folder).close()  # an unusable folder is better found before the tables are read

    fewer: dict[str, int] = {}

    def divide(table: Dataset, seed: int) -> Splits:
        splits = splits_for(table, seed, args.splits)
        splits = splits if args.full else reduced(splits, len(table.y))
        if folds is not None and len(splits.holdouts) < folds:
            fewer[table.name] = len(splits.holdouts)
        return splits if folds is None else first_folds(splits, folds)

    plan = joined(
        expand_jobs(
            entries,
            methods,
            wanted,
            seeds,
            source=source.name,
            load=source.load,
            splits_for=divide,
            timeout=how.timeout,
            select=select,
            keep_predictions=args.keep_predictions,
            device=how.device,
        )
        for entries, source in selected.parts
    )
    selected.warn()
    for count in sorted(set(fewer.values())):
        named = listed([name for name, has in fewer.items() if has == count])
        say(f"--folds {folds}: these datasets have {plural(count, 'test fold')}, all tested: {named}")
    for kind, measure in measures.items():
        if kind not in {job.kind for job in plan.jobs}:
            raise UsageError(f"--select {measure.key}: a measure for {kind}, and no dataset of this run is for that")
    if part is not None:
        plan = shard(plan, *part)
    tell_engine(plan, how)
    plan = with_kept_versions(plan, folder, how)
    if how.dry_run:
        before = list_plan(plan, folder, how, keep_predictions=args.keep_predictions)
        return Done(folder, selected.origins(), before)
    about = invocation(seeds, how.size, args.arguments, selected.recorded(), additions(methods), how.device)
    outcome = run_plan(plan, folder, about, how, keep_predictions=args.keep_predictions)
    export_runs([folder])
    PredictionFiles(folder).drop_others({result.job.id for result in read_run(folder).results})
    return Done(folder, selected.origins(), outcome)


def _tell_devices(methods: Sequence[Method], device: str) -> None:
    """Say which ``methods`` are computed on the processor although ``device`` was asked for."""
    others = [method.name for method in methods if device_of(method, device) != device]
    if others:
        say(f"--device {device}: computed on the processor, for they know no other device: {listed(others)}")


def selecting(text: str | None) -> dict[Kind, Measure]:
    """The measures of ``--select`` by the kind of task. Raises :class:`UsageError`."""
    selected: dict[Kind, Measure] = {}
    for word in [] if text is None else [word.strip() for word in text.split(",")]:
        if word not in MEASURES:
            raise unknown_name("measure", word, MEASURES)
        measure = MEASURES[word]
        if measure.kind in selected:
            raise UsageError(f"--select {text}: two measures for {measure.kind}; give one")
        selected[measure.kind] = measure
    return selected


_SEED = re.compile("[0-9]{1,18}")
"""What the store's whole numbers can hold."""


def seeds_of(one: str | None, several: str | None) -> tuple[int, ...]:
    """What ``--seed`` or ``--seeds`` says, in that order; 0 without either. Raises :class:`UsageError`."""
    if several is None:
        if one is not None and not _SEED.fullmatch(one):
            raise UsageError(f"--seed {one}: must be a whole number of at least 0 and at most 18 digits")
        return (int(one or 0),)
    if one is not None:
        raise UsageError(f"--seed {one} and --seeds {several}: give one of them")
    words = [word.strip() for word in several.split(",")]
    if any(not _SEED.fullmatch(word) for word in words):
        raise UsageError(f"--seeds {several}: must be whole numbers of at least 0, separated by commas, such as 0,1,2")
    seeds = tuple(map(int, words))
    if twice := sorted({seed for seed in seeds if seeds.count(seed) > 1}):
        raise UsageError(f"--seeds {several}: {', '.join(map(str, twice))} is given twice; give each seed once")
    return seeds


def default_folder(
    subset: str,
    protocol: str,
    seeds: Sequence[int] = (0,),
    part: tuple[int, int] | None = None,
    splits: str | None = None,
    folds: int | None = None,
    device: str = CPU,
) -> Path:
    """``results/<subset>-<protocol>``; what is too long is shortened, and what is not the default is named."""
    names = [word.strip() for word in subset.split(",") if word.strip()]
    label = names[0] if names else "none"
    if len(names) > 1:
        digest = hashlib.sha256(",".join(names).encode()).hexdigest()[:8]
        label = f"{label}+{len(names) - 1}-{digest}"
    label = re.sub(r"[^A-Za-z0-9_.+-]", "_", label)
    name = f"{label}-{protocol}" + (f"-{splits}" if splits else "") + _named(seeds)
    name += (f"-folds{folds}" if folds else "") + ("" if device == CPU else f"-{device}")
    name += f"-shard{part[0]}of{part[1]}" if part else ""
    if len(name) > LONGEST_NAME:
        name = f"{name[: LONGEST_NAME - 9]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    return Path(DEFAULT_FOLDER) / name


def _named(seeds: Sequence[int]) -> str:
    """``-seed3``, ``-seeds0-1-2``; nothing for seed 0 alone."""
    if len(seeds) == 1:
        return f"-seed{seeds[0]}" if seeds[0] else ""
    return f"-seeds{'-'.join(map(str, seeds))}"


def _shard(text: str | None) -> tuple[int, int] | None:
    """(I, N) of ``I/N``."""
    if text is None:
        return None
    found = re.fullmatch(r"(\d+)/(\d+)", text)
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        raise UsageError(f"--shard {text}: must be I/N with I from 1 to N, such as 2/8")
    return int(found[1]), int(found[2])

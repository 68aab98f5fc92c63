"""``bench report``: the page and its Markdown twin over one or more run folders."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from bench.cli.export import read_benchmark
from bench.cli.headline import cut_at_0
from bench.cli.merging import add_run_arguments, allowed
from bench.cli.tables import add_cache_argument
from bench.data.fetching import results_file, runs_file
from bench.errors import ReportError, plural
from bench.report import wording
from bench.report.build import gather, write_report
from bench.report.evidence import Evidence
from bench.report.sections.headline import verdict
from bench.report.view import ProtocolView
from bench.stats.grinsztajn import read_runs
from bench.stats.published import read_published
from bench.stats.summary import metrics_of
from bench.store.exported import NAMES

FETCHED = object()
"""What ``--published`` and its like without a file stand for: the one in the cache."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run_arguments(parser, "reported")
    parser.add_argument("--out", metavar="DIR", type=Path, help="folder for the report (default: reports/<run name>)")
    parser.add_argument(
        "--published",
        metavar="FILE",
        nargs="?",
        const=FETCHED,
        help="results file of the 2014 study: adds its 179 classifiers (alone: the one that `fetch --published` got)",
    )
    parser.add_argument(
        "--published-grinsztajn",
        metavar="FILE",
        nargs="?",
        const=FETCHED,
        help="all runs that Grinsztajn et al. publish of their benchmark: adds their models (alone: the file that "
        "`fetch --published-grinsztajn` got)",
    )
    parser.add_argument(
        "--reference",
        metavar="METHOD",
        help="the method that title, differences, tests and figures are about (default: your own plug-in if there is "
        "exactly one, else rfm)",
    )
    parser.add_argument(
        "--against",
        metavar="WHAT",
        help="compare with other results on the same datasets and test folds: a run folder, exported "
        "scores, or `kept`: the results of the default methods, which come with the package",
    )
    parser.add_argument("--note", metavar="TEXT", default="", help="a sentence for the top of the report")
    add_cache_argument(parser)


def run(args: argparse.Namespace) -> int:
    given = args.published_grinsztajn
    study = None if args.published is None else read_published(published_file(args.published))
    runs = None if given is None else read_runs(runs_file() if given is FETCHED else Path(given))
    records = [read_benchmark(folder) for folder in args.runs]
    evidence = gather(
        records, study=study, published_runs=runs, allow=allowed(args), reference=args.reference, against=args.against
    )
    files = write_report(evidence, args.out or default_folder(args.runs), args.note)
    print(headline_text(evidence))
    if evidence.against:
        print("", *evidence.against.sentences(), *evidence.against.origins(), sep="\n")
    print(f"\n{files.html}\n{files.markdown}")
    return 0


def published_file(given: object) -> Path:
    """The file that ``--published`` names, or the fetched one. Raises :class:`DataUnavailable` if that is not there."""
    return results_file() if given is FETCHED else Path(str(given))


def default_folder(runs: Sequence[Path]) -> Path:
    """``reports/<run name>``, the names joined if there are several; of exported scores the folder's or the file's."""
    names = list(dict.fromkeys(_name(path.resolve()) for path in runs))
    if not all(names):
        raise ReportError("a run folder without a name: name the report's folder with --out DIR")
    return Path("reports") / "+".join(names)


def _name(path: Path) -> str:
    """Of a run folder its own, of exported scores that of their folder, or of the file if that is its own name."""
    if not path.is_file():
        return path.name
    return path.parent.name if path.name in NAMES else path.name.removesuffix(".gz").rpartition(".")[0]


def headline_text(evidence: Evidence) -> str:
    """The summary of every protocol and kind as plain text, each apart."""
    if not evidence.views:
        return "no protocol has a dataset on which its methods can be compared"
    with wording.naming(evidence.titles, evidence.methods):
        return "\n\n".join(_table(evidence, view) for view in evidence.views.values())


def _table(evidence: Evidence, view: ProtocolView) -> str:
    contrasts = {c.second: c for c in view.contrasts}
    unit = f", {view.measure.points}" if view.measure.unit else ""
    difference = f"{wording.title(view.reference)} {wording.MINUS} method{unit}"
    heads = [difference, "95 % interval", "p (Holm)", "by the rule"] if contrasts else []
    lines = [["method", "mean", "rank", *heads]]
    metrics = [m for m in metrics_of(view.measure) if m.key in ("mean_score", "friedman_rank")]
    for method in view.ranking:
        cells = [
            wording.title(method),
            *(wording.number(float(view.summary[m.key][method]), m.digits) for m in metrics),
        ]
        if method in contrasts:
            c, d = contrasts[method], contrasts[method].difference
            cells += [
                wording.difference(d, view.measure),
                wording.DASH if d.se != d.se else wording.ends(d.low, d.high, view.measure),
                wording.p_value(c.p),
                c.verdict,
            ]
        lines.append(cells + [""] * (len(lines[0]) - len(cells)))
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    shown = [
        "  ".join(
            cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    ]
    count = f"{plural(len(view.common.pool.datasets), 'common dataset')} of {len(view.matrix)}"
    words = f"{view.measure.title} in percent" if view.measure.unit else view.measure.title
    families = plural(view.family_count, "family", "families")
    seeds = wording.seeds(view.paired.index, each=True)
    first = f"; {part}" if (part := evidence.first_folds(view)) else ""
    head = f"protocol {view.protocol}: {count}, {families}, {seeds}; {words}{first}"
    why = [] if contrasts else ["".join(s if isinstance(s, str) else s.text for s in verdict(evidence, view))]
    below = cut_at_0(evidence.scores, view.protocol, view.common.pool)
    return "\n".join([head, *map(str.rstrip, shown), *why, *below])

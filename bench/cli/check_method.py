"""``bench check-method``: does a method keep the contract that every method of the harness keeps?"""

from __future__ import annotations

import argparse
import json
import textwrap
from collections.abc import Iterator

from bench.errors import plural
from bench.records.measure import Kind
from bench.records.method import Method

EXIT_KEPT, EXIT_BROKEN = 0, 1
WIDTH = 110


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of ``bench check-method``."""
    parser.add_argument("methods", metavar="NAME|FILE", nargs="+", help="known methods, module:Class, or plug-in files")
    parser.add_argument("--json", action="store_true", help="all checks with their failures, as JSON")


def run(args: argparse.Namespace) -> int:
    """0 if every method passes every check for what it predicts, 1 if not; an error for one that cannot be loaded."""
    from bench.methods.contract import Exercise, breaches, clauses_of

    methods = [method for word in args.methods for method in methods_of(word)]
    reports = []
    for method, kind in [(each, kind) for each in methods for kind in each.kinds]:
        if not args.json:
            print(f"{method.name} ({method.title}), {kind}: {_grid(method, kind)}", flush=True)
        exercise = Exercise(method, kind)
        clauses = []
        for clause in clauses_of(kind):
            found = breaches(clause, exercise)
            clauses.append({"clause": clause.name, "promise": clause.promise, "breaches": found})
            if not args.json:
                print("\n".join(_lines(clause.name, clause.promise, found)), flush=True)
        kept = sum(not c["breaches"] for c in clauses)
        if not args.json:
            print(f"  {kept} of {len(clauses)} checks passed{_left_out(method)}\n")
        named = {"method": method.name, "title": method.title, "kind": kind}
        reports.append({**named, "kept": kept == len(clauses), "clauses": clauses})
    if args.json:
        print(json.dumps(reports, indent=1))
    return EXIT_KEPT if all(report["kept"] for report in reports) else EXIT_BROKEN


def methods_of(word: str) -> list[Method]:
    """The methods in the file ``word``, or the one of that name or spec. Raises :class:`UsageError`."""
    from bench.methods import get_method, plugin_methods

    return list(plugin_methods(word).values()) if word.endswith(".py") else [get_method(word)]


def _left_out(method: Method) -> str:
    """The end of the line for a method that predicts one kind only: what was not checked."""
    others = sorted({"classification", "regression"} - set(method.kinds))
    return f"; {others[0]} was not checked: the method does not do it" if others else ""


def _grid(method: Method, kind: Kind) -> str:
    count = len(method.configurations_for(kind))
    points = getattr(method, "iterations", ())
    path = f", iteration path {points[0]} to {points[-1]}" if points and isinstance(points, tuple) else ""
    return f"{plural(count, 'configuration')}{path}"


def _lines(name: str, promise: str, found: list[str]) -> Iterator[str]:
    yield f"  {'FAIL' if found else 'ok':<4}  {name:<16}{promise}"
    for breach in found:
        yield from textwrap.wrap(breach, WIDTH, initial_indent=" " * 10, subsequent_indent=" " * 12)

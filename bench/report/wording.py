"""How numbers and names are written. One place, so that all tables agree."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from importlib import resources
from typing import Any

import pandas as pd
import yaml

from bench.errors import listed, plural
from bench.methods import TITLES, method_names
from bench.records.measure import TARGET, Measure
from bench.records.method import Member
from bench.report.blocks import Cell
from bench.stats.families import FEWEST, RESAMPLES
from bench.stats.paired import OverDatasets, PairedDifference
from bench.stats.verdict import ALPHA, Comparison

_titles: ContextVar[Mapping[str, str]] = ContextVar("titles", default=TITLES)
_methods: ContextVar[Sequence[str]] = ContextVar("methods", default=())

MARK = " *"
"""Behind a difference that is significant by the rule."""
MINUS = "\u2212"
DASH = "\u2013"


@functools.cache
def texts() -> dict[str, Any]:
    """The report's longer texts by name."""
    file = resources.files("bench.report").joinpath("templates", "words.yaml")
    found: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return found


def prose(name: str, **fields: object) -> str:
    """One of :func:`texts`, with ``fields`` in their places."""
    return str(texts()[name]).format(**fields)


@contextmanager
def naming(titles: Mapping[str, str], methods: Sequence[str] = ()) -> Iterator[None]:
    """Inside the block :func:`title` knows ``titles`` too, and :func:`series` tells ``methods`` apart.

    A built-in method keeps its own of both.
    """
    tokens = _titles.set({**titles, **TITLES}), _methods.set(methods)
    try:
        yield
    finally:
        _titles.reset(tokens[0])
        _methods.reset(tokens[1])


def title(method: str) -> str:
    """The method's name in a report: its title, or the name it was run under where no title is known."""
    return _titles.get().get(method, method)


def series(method: str) -> int:
    """The method's colour and marker: registered methods keep theirs on every page, others follow.

    One that is not among the page's methods (:func:`naming`), as it has no result, comes after all.
    """
    known = list(method_names())
    if method in known:
        return known.index(method)
    others = sorted(set(_methods.get()) - set(known))
    return len(known) + (others.index(method) if method in others else len(others))


def number(value: float | None, digits: int = 2, *, sign: bool = False) -> str:
    """``value`` with a true minus sign; a dash for NaN or None."""
    if value is None or math.isnan(value):
        return DASH
    shown = f"{value:+,.{digits}f}" if sign else f"{value:,.{digits}f}"
    if float(shown.replace(",", "")) == 0:
        shown = f"{0:.{digits}f}"
    return shown.replace("-", MINUS)


def ordinal(place: int) -> str:
    """``2nd``, ``3rd``, ``11th``."""
    ending = {1: "st", 2: "nd", 3: "rd"}.get(place % 10, "th") if place % 100 not in (11, 12, 13) else "th"
    return f"{place}{ending}"


def digits(value: float, measure: Measure) -> int:
    """How many decimals to show: the measure's, or four significant digits where the unit can be any."""
    if measure.unit != TARGET or not math.isfinite(value) or value == 0:
        return measure.digits
    return min(max(measure.digits - 1 - math.floor(math.log10(abs(value))), 0), 9)


def brief(measure: Measure) -> int:
    """Decimals where a figure is one of many in a line."""
    return 1 if measure.unit == "%" else measure.digits


def amount(value: float, measure: Measure) -> str:
    """A value of the measure: ``81.34 %``, ``0.834``."""
    return number(value, measure.digits) + (f" {measure.unit}" if measure.unit else "")


def difference(d: PairedDifference, measure: Measure) -> str:
    """The mean and its standard error over families, if there is one."""
    uncertainty = "" if math.isnan(d.se) else f" ± {number(d.se, measure.digits)}"
    return f"{number(d.mean, measure.digits, sign=True)}{uncertainty}"


def ends(low: float, high: float, measure: Measure) -> str:
    """``+0.09 to +0.66``."""
    return f"{number(low, measure.digits, sign=True)} to {number(high, measure.digits, sign=True)}"


def interval(d: PairedDifference, measure: Measure) -> str:
    """The 95 % interval over families, or why there is none."""
    if math.isnan(d.se):
        return "one family of datasets: no interval"
    return f"95 % interval {ends(d.low, d.high, measure)}"


def few_families(families: int) -> str:
    """What is to be said of intervals over so few families; nothing if they are enough."""
    if families == 1:
        return "All datasets are of one family: there is no interval, and no test."
    return prose("few-families", families=families, fewest=FEWEST) if families < FEWEST else ""


def single(d: OverDatasets, p: float, measure: Measure) -> str:
    """Over single datasets: standard error and p-value, which may be adjusted."""
    if math.isnan(d.se):
        return "one dataset"
    shown = p_value(p)
    return f"± {number(d.se, measure.digits)}, p {shown if shown.startswith('<') else f'= {shown}'}"


def seeds(index: pd.Index[Any], *, each: bool = False) -> str:
    """How many seeds the (dataset, seed) of ``index`` have, or which (``each``), and that some datasets have fewer.

    ``one seed``; ``3 seeds``; ``seeds 0, 1, 2, one on 29 datasets``.
    """
    found = sorted(set(index.get_level_values("seed")))
    if len(found) == 1:
        return "one seed"
    counts = pd.Series(index.get_level_values("seed"), index.get_level_values("dataset")).groupby(level=0).nunique()
    fewer = counts[counts < len(found)]
    told = f"seeds {', '.join(map(str, found))}" if each else plural(len(found), "seed")
    if fewer.empty:
        return told
    return f"{told}, {'one' if fewer.max() == 1 else 'fewer'} on {plural(len(fewer), 'dataset')}"


def by_seed(d: PairedDifference, measure: Measure) -> str:
    """The smallest and the largest mean difference of a seed, and whether all point one way."""
    if d.seed_range is None:
        return f"seed {d.by_seed[0][0]} alone" if d.by_seed else "no seed has enough datasets"
    return f"{ends(*d.seed_range, measure)}, {'one sign' if d.same_sign else 'signs differ'}"


def said(comparisons: Sequence[Comparison], measure: Measure) -> str:
    """What the rule says of one method against several others, in sentences that begin with "It"."""
    sentences = []
    for found in ("better", "worse"):
        group = [c for c in comparisons if c.verdict == found]
        if group:
            sentences.append(f"It is significantly {found} than {_names(group, measure)}.")
    level = [c for c in comparisons if not c.significant]
    names = _names(level, measure, each=len(level) < 3)
    if level and sentences:
        sentences.append(f"No significant difference from {names}.")
    elif level:
        any_other = "any other method: " if len(level) > 1 else ""
        sentences.append(f"It is not significantly different from {any_other}{names}.")
    return " ".join(sentences)


def _names(comparisons: list[Comparison], measure: Measure, *, each: bool = True) -> str:
    """By difference, smallest first: each with it, and its range over several seeds; or the range of all."""
    unit = f" {measure.points}" if measure.unit else ""
    ordered = sorted(comparisons, key=lambda c: abs(c.difference.mean))
    parts = [title(c.second) for c in ordered]
    if each:
        parts = [f"{name} (Δ {_figures(c, measure, unit)})" for name, c in zip(parts, ordered, strict=True)]
    names = " and ".join(filter(None, (", ".join(parts[:-1]), *parts[-1:])))
    means = [c.difference.mean for c in ordered]
    return names if each else f"{names} (Δ {ends(min(means), max(means), measure)}{unit})"


def _figures(c: Comparison, measure: Measure, unit: str) -> str:
    seeds = f", by seed {ends(*c.difference.seed_range, measure)}" if c.difference.seed_range else ""
    return f"{difference(c.difference, measure)}{unit}{seeds}"


def rule() -> str:
    """The rule for "significantly better", in words."""
    return prose("rule", alpha=f"{ALPHA:g}", resamples=f"{RESAMPLES:,}")


def p_value(p: float) -> str:
    if math.isnan(p):
        return DASH
    if p < 0.001:
        return "< 0.001"
    return f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def seconds(value: float | None) -> str:
    if value is None or math.isnan(value):
        return DASH
    if value < 10:
        return f"{value:.2f}"
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def listing(names: list[str], limit: int = 12) -> str:
    """Names in a line; past ``limit`` only the first ones and the count."""
    return listed(names, limit)


def config_text(config: dict[str, Any]) -> str:
    """A configuration in one line: ``ridge 0.1, unit_norm true``."""
    parts: list[str] = []
    for key, value in config.items():
        shown = (
            f"{value:g}" if isinstance(value, float) else str(value).lower() if isinstance(value, bool) else str(value)
        )
        parts.append(f"{key} {shown}")
    return ", ".join(parts) or "fixed"


def members_text(members: Sequence[Member]) -> str:
    """An ensemble in one line: ``4 members, 3/5 ridge 0.1; 2/5 ridge 1``, by the weights of its configurations.

    A configuration counts with all its iterations.
    """
    weights: dict[str, float] = {}
    for member in members:
        words = config_text(dict(member.choice.config))
        weights[words] = weights.get(words, 0.0) + member.weight
    whole = sum(weights.values())
    shares = [f"{weight:g}/{whole:g} {words}" for words, weight in sorted(weights.items(), key=lambda w: -w[1])]
    return f"{plural(len(members), 'member')}, {'; '.join(shares)}"


def slug(name: str) -> str:
    """``name`` as an anchor or file name: letters, digits, dots and dashes; distinct names can collide."""
    return re.sub(r"[^A-Za-z0-9.]+", "-", name).strip("-.") or "x"


def num(value: float | None, digits: int = 2, *, sign: bool = False, strong: bool = False, hint: str = "") -> Cell:
    """A number's cell."""
    missing = value is None or math.isnan(value)
    return Cell(number(value, digits, sign=sign), None if missing else value, strong=strong, hint=hint)

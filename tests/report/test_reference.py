"""Whose report it is: title, verdict, differences and figures follow the reference."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from refusals import refused
from shown import column, figures, tables, titles
from synthetic_runs import make_run

from bench.errors import UsageError
from bench.records.result import RunRecord
from bench.report.build import compose, gather
from bench.report.evidence import Evidence
from bench.report.markdown import render_markdown

pytestmark = pytest.mark.usefixtures("undrawn")
NAMES = [f"t{i}" for i in range(8)]


def with_plugins(run: RunRecord, **titles: str) -> RunRecord:
    """``run`` as it is recorded when methods of the user's own are among its methods."""
    about = {name: {"title": title, "origin": f"{name}.py", "libraries": {}} for name, title in titles.items()}
    return replace(run, provenance={**run.provenance, "methods": about})


def page(evidence: Evidence) -> str:
    return render_markdown(compose(evidence))


def test_any_method_can_be_asked_for_and_the_whole_page_follows() -> None:
    run = make_run(NAMES[:3], ["rfm", "laplace", "ntk"], details=False)
    usual, asked = (gather([run], reference=method) for method in (None, "ntk"))
    assert (usual.reference, asked.reference) == ("rfm", "ntk")
    document = compose(asked)
    assert re.search(r" is first of 3 by mean accuracy(; NTK is (2nd|3rd))?, (not )?significantly ", document.title)
    assert "NTK" in document.title
    assert figures(document)["clean-difference"].title == "NTK minus each method"
    rfm = column(tables(compose(usual))["clean-summary"], "Δ accuracy (RFM − method)")
    ntk = column(tables(document)["clean-summary"], "Δ accuracy (NTK − method)")
    assert (ntk["NTK"].text, rfm["RFM"].text) == ("–", "–")
    mean, error = rfm["NTK"].text.split(" ± ")
    assert ntk["RFM"].text == f"{mean.translate(str.maketrans('+−', '−+'))} ± {error}"  # from the other side
    text = render_markdown(document)
    for said in ("right of zero NTK is better", "The p next to a difference from NTK", "NTK averages"):
        assert said in text
    assert "RFM averages" not in text
    assert "clean-rfm-minus-laplace" in figures(document)  # the paper's own comparison stays
    assert titles(tables(document)["clean-accuracy"])[-1] == "RFM − Laplace"


@pytest.mark.parametrize(
    ("methods", "plugins", "asked", "found"),
    [
        (["rfm", "laplace", "mine"], {"mine": "My method"}, None, "mine"),
        (["rfm", "laplace", "mine"], {}, "rfm", "rfm"),
        (["rfm", "mine", "yours"], {}, None, "rfm"),  # of two neither
        (["rfm", "rfm_fork"], {}, None, "rfm"),  # built in, though run only where it is named
        (["rfm", "a"], {"a": "RFM"}, None, "a"),
        # As pages name them.
        (["rfm", "laplace", "mine"], {"mine": "My method"}, "Laplace kernel", "laplace"),
        (["rfm", "laplace", "mine"], {"mine": "My method"}, "My method", "mine"),
    ],
)
def test_the_only_plugin_is_the_reference_unless_another_is_named(
    methods: list[str], plugins: dict[str, str], asked: str | None, found: str
) -> None:
    run = make_run(NAMES[:2], methods, details=False)
    assert gather([with_plugins(run, **plugins)], reference=asked).reference == found


def test_an_unknown_reference_names_the_nearest() -> None:
    run = make_run(NAMES[:2], ["rfm", "laplace"], details=False)
    said = r"for --reference 'laplase': did you mean 'laplace'.*known: laplace, rfm"
    refused(UsageError, said, gather, [run], reference="laplase")
    refused(UsageError, "--reference ''", gather, [run], reference="")


def test_a_reference_that_is_missing_on_some_datasets_says_so() -> None:
    failures = {(name, "ntk"): ("oom", "killed") for name in NAMES[:2]}
    run = make_run(NAMES, ["rfm", "laplace", "ntk"], failures=failures, details=False)
    assert "6 of 8 datasets are common; NTK has no result on 2." in page(gather([run], reference="ntk"))


def test_methods_of_one_title_are_shown_with_their_names() -> None:
    run = make_run(NAMES, ["rfm", "a", "b"], details=False)
    evidence = gather([with_plugins(run, a="Boosting", b="Boosting")])
    assert evidence.titles == {"a": "Boosting (a)", "b": "Boosting (b)"}
    assert "2 methods are titled Boosting; each is shown with its name: a, b." in page(evidence)
    posing = gather([with_plugins(make_run(NAMES, ["rfm", "a"], details=False), a="RFM")])
    assert posing.titles == {"a": "RFM (a)"}
    assert "RFM (a) is " in page(posing).splitlines()[0]

"""Whose report it is: title, verdict, differences and figures follow the reference."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from shown import column, figures, tables, titles
from synthetic_runs import make_run

from bench.errors import UsageError
from bench.records.result import RunRecord
from bench.report import wording
from bench.report.blocks import Document, Table
from bench.report.build import compose, gather
from bench.report.evidence import Evidence
from bench.report.markdown import render_markdown
from bench.report.sections.headline import answer, headline, notes_section
from bench.report.sections.tables import summary_table

pytestmark = pytest.mark.usefixtures("undrawn")
NAMES = [f"t{i}" for i in range(8)]


def with_plugins(run: RunRecord, **titles: str) -> RunRecord:
    """``run`` as it is recorded when methods of the user's own are among its methods."""
    about = {name: {"title": title, "origin": f"{name}.py", "libraries": {}} for name, title in titles.items()}
    return replace(run, provenance={**run.provenance, "methods": about})


def spoken(evidence: Evidence) -> str:
    """The first screen and the warnings, and nothing else: a whole page has dozens of figures to draw."""
    with wording.titled(evidence.titles):
        notes = notes_section(evidence)
        shown = (headline(evidence), *([notes] if notes else []))
        return render_markdown(Document(answer(evidence), "", (), shown))


def compared(evidence: Evidence) -> Table:
    with wording.titled(evidence.titles):
        return summary_table(evidence, evidence.views["clean"], "summary", "")


def test_any_method_can_be_asked_for_and_the_whole_page_follows() -> None:
    run = make_run(NAMES[:3], ["rfm", "laplace", "ntk"], details=False)
    usual, asked = (gather([run], reference=method) for method in (None, "ntk"))
    assert (usual.reference, asked.reference) == ("rfm", "ntk")
    document = compose(asked)
    assert re.search(r" is first of 3 by mean accuracy(; NTK is (2nd|3rd))?, (not )?significantly ", document.title)
    assert "NTK" in document.title
    assert figures(document)["clean-difference"].title == "NTK minus each method"
    rfm = column(compared(usual), "Δ accuracy (RFM − method)")
    ntk = column(tables(document)["clean-summary"], "Δ accuracy (NTK − method)")
    assert (ntk["NTK"].text, rfm["RFM"].text) == ("–", "–")
    mean, error = rfm["NTK"].text.split(" ± ")
    assert ntk["RFM"].text == f"{mean.translate(str.maketrans('+−', '−+'))} ± {error}"  # from the other side
    text = render_markdown(document)
    assert "right of zero NTK is better" in text
    assert "The p next to a difference from NTK" in text
    assert "NTK averages" in text
    assert "RFM averages" not in text
    assert "clean-rfm-minus-laplace" in figures(document)  # the paper's own comparison stays
    assert titles(tables(document)["clean-accuracy"])[-1] == "RFM − Laplace"


def test_the_only_plugin_is_the_reference_and_of_two_neither() -> None:
    run = make_run(NAMES, ["rfm", "laplace", "mine"], details=False)
    evidence = gather([with_plugins(run, mine="My method")])
    assert evidence.reference == "mine"
    assert re.match(r"# (My method is first of 3|.*; My method is (2nd|3rd))", spoken(evidence))
    assert "Δ accuracy (My method − method)" in titles(compared(evidence))
    assert gather([run], reference="rfm").reference == "rfm"
    two = make_run(NAMES, ["rfm", "mine", "yours"], details=False)
    assert gather([two]).reference == "rfm"
    fork = make_run(NAMES, ["rfm", "rfm_fork"], details=False)  # built in, though run only where it is named
    assert gather([fork]).reference == "rfm"


def test_an_unknown_reference_names_the_nearest() -> None:
    run = make_run(NAMES[:2], ["rfm", "laplace"], details=False)
    with pytest.raises(UsageError, match=r"for --reference 'laplase': did you mean 'laplace'.*known: laplace, rfm"):
        gather([run], reference="laplase")
    with pytest.raises(UsageError, match="--reference ''"):
        gather([run], reference="")


def test_a_reference_that_is_missing_on_some_datasets_says_so() -> None:
    failures = {(name, "ntk"): ("oom", "killed") for name in NAMES}
    some, most = (
        make_run(NAMES, ["rfm", "laplace", "ntk"], failures=dict(list(failures.items())[:count]), details=False)
        for count in (2, 6)
    )
    assert "6 of 8 datasets are common; NTK has no result on 2." in spoken(gather([some], reference="ntk"))
    text = spoken(gather([most], reference="ntk"))
    assert "NTK has results on 2 of 8 datasets, too few to be compared: there is no verdict." in text


def test_methods_of_one_title_are_shown_with_their_names() -> None:
    run = make_run(NAMES, ["rfm", "a", "b"], details=False)
    evidence = gather([with_plugins(run, a="Boosting", b="Boosting")])
    assert evidence.titles == {"a": "Boosting (a)", "b": "Boosting (b)"}
    assert "2 methods are titled Boosting; each is shown with its name: a, b." in spoken(evidence)
    posing = gather([with_plugins(make_run(NAMES, ["rfm", "a"], details=False), a="RFM")])
    assert (posing.titles, posing.reference) == ({"a": "RFM (a)"}, "a")
    assert "RFM (a) is " in spoken(posing).splitlines()[0]


def test_a_reference_can_be_named_as_pages_name_it() -> None:
    run = make_run(NAMES[:2], ["rfm", "laplace", "mine"], details=False)
    evidence = gather([with_plugins(run, mine="My method")], reference="Laplace kernel")
    assert evidence.reference == "laplace"
    assert gather([with_plugins(run, mine="My method")], reference="My method").reference == "mine"

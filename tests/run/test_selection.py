"""``--methods`` and ``--plugin`` together: what is run, what it is identified by, what is recorded of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import sklearn
from command import Command
from plugin_text import CENTROIDS, write_plugin
from refusals import refused

from bench.errors import UsageError
from bench.methods import method_names
from bench.protocols import PROTOCOLS
from bench.run.jobs import NamedMethod
from bench.run.selection import additions, named_methods
from bench.run.work import MethodWork, method_fingerprint
from bench.store import read_run


def names(methods: list[NamedMethod]) -> list[str]:
    return [m.method.name for m in methods]


def test_a_plugin_joins_what_is_named(tmp_path: Path) -> None:
    path = write_plugin(tmp_path)
    assert names(named_methods(None)) == list(method_names())
    assert names(named_methods(None, [path])) == [*method_names(), "centroids"]
    assert names(named_methods("laplace", [path])) == ["laplace", "centroids"]
    assert names(named_methods("centroids,laplace", [path, path])) == ["centroids", "laplace"]


def test_of_several_methods_in_a_file_those_named_count(tmp_path: Path) -> None:
    second = "\nclass Second(Centroids):\n    name, title = 'second', 'Second'\n"
    path = write_plugin(tmp_path, CENTROIDS + second)
    assert names(named_methods("second,rfm", [path])) == ["second", "rfm"]
    assert names(named_methods("rfm", [path])) == ["rfm", "centroids", "second"]


def test_names_that_lead_nowhere_or_twice(tmp_path: Path) -> None:
    one = write_plugin(tmp_path)
    other = write_plugin(tmp_path, CENTROIDS.replace("0.5", "0.25"), "other.py")
    for words, plugins, says in (
        ("centroid", [one], "unknown method 'centroid': did you mean 'centroids'"),
        ("rfm", [one, other], r"other\.py: another plug-in has a method named 'centroids' too"),
        ("rfm,my_method.py", [], r"the methods in a file are run with --plugin my_method\.py"),
        (" , ", [one], "--methods names no method"),
    ):
        refused(UsageError, says, named_methods, words, plugins)


@pytest.mark.parametrize(
    ("change", "same"),
    [
        (("means", "means"), True),
        (('"""Nearest class mean."""', '"""Another word for it."""  # and a comment'), True),
        (("    name, title", "    'Of a class.'\n    name, title"), True),
        (("        return", "        'Of a function.'\n        return"), True),
        (("NearestCentroid(**config)", "NearestCentroid(metric='manhattan', **config)"), False),
        (("[None, 0.5]", "[None, 0.4]"), False),
    ],
)
def test_the_plugins_text_is_the_methods_code(tmp_path: Path, change: tuple[str, str], same: bool) -> None:
    """Its comments aside, and wherever the file stands."""
    (tmp_path / "elsewhere").mkdir()
    before = named_methods("centroids", [write_plugin(tmp_path)])[0].method
    after = named_methods("centroids", [write_plugin(tmp_path / "elsewhere", CENTROIDS.replace(*change))])[0].method
    assert (method_fingerprint(before) == method_fingerprint(after)) is same


def test_what_the_base_class_does_is_the_methods_code_too(tmp_path: Path) -> None:
    (named,) = named_methods("centroids", [write_plugin(tmp_path)])
    modules = MethodWork(named.spec, (PROTOCOLS["clean"],), 0, None, "").modules()
    assert {"sklearn.neighbors", "bench.methods.plugin", "bench.methods.classes"} <= set(modules)


def test_libraries_and_titles_are_recorded(tmp_path: Path) -> None:
    path = write_plugin(tmp_path)
    assert additions(named_methods("rfm,centroids", [path])) == {
        "centroids": {
            "title": "Nearest <centroid>",
            "origin": "my_method.py",
            "libraries": {"numpy": np.__version__, "scikit-learn": sklearn.__version__},
        }
    }


def test_a_plugin_runs_in_workers_and_appears_in_the_report(elsewhere: Path, command: Command) -> None:
    folder = elsewhere / "plugins"
    folder.mkdir()
    words = ["run", "--subset", "iris", "--methods", "svm_rbf", "--plugin", write_plugin(folder), "--run", "r"]
    command(*words)
    record = read_run("r")
    assert {(r.job.method, r.status) for r in record.results} == {("svm_rbf", "ok"), ("centroids", "ok")}
    assert record.provenance["methods"] == {"centroids": {"title": "Nearest <centroid>", "origin": "my_method.py"}}
    assert "--plugin plugins/my_method.py" in record.provenance["command"]
    assert "Nearest <centroid>" in command("report", "r", "--out", "page").out
    assert "Nearest &lt;centroid&gt;" in Path("page/index.html").read_text()
    assert "2 jobs: 2 ok (2 from before)" in command(*words).out
    write_plugin(folder, CENTROIDS.replace("0.5", "0.25"))
    assert "1 job to run, 1 done before" in command(*words, "--dry-run").out

"""Methods from files and from installed packages: loaded from their text, refused in one clear sentence."""

from __future__ import annotations

import json
import pickle
import sys
import traceback
from pathlib import Path

import numpy as np
import pytest
from refusals import refused

from bench.errors import UsageError
from bench.methods import get_method, known_methods, method_names, plugin_methods
from bench.methods.plugin_file import ENTRY_POINTS, PluginFile, plugin_of
from bench.records.method import Choice, Task

sys.path.insert(0, str(Path(__file__).parents[1] / "run"))

from plugin_text import NEIGHBOURS, write_plugin


def test_the_method_in_a_file_works_from_its_spec_alone(tmp_path: Path) -> None:
    path = write_plugin(tmp_path, NEIGHBOURS.replace('Nearest neighbours"', 'Nächste"'))
    ((spec, method),) = plugin_methods(path).items()
    Path(path).unlink()
    again = get_method(json.loads(json.dumps(spec)))
    assert (again.name, again.title) == ("knn", "Nächste")
    assert again.configurations() == method.configurations() == [{"n_neighbors": 1}, {"n_neighbors": 3}]
    task = Task(np.arange(8.0)[:, None], np.array([0, 0, 0, 0, 1, 1, 1, 1]), 2, seed=0)
    scores = again.session(task).predict(Choice({"n_neighbors": 1}, 0), np.array([0, 1, 6, 7]), np.array([2, 5])).scores
    assert scores.argmax(axis=1).tolist() == [0, 1]
    assert pickle.loads(pickle.dumps(again)).name == "knn"


def test_a_file_written_before_there_were_regressors_still_works(tmp_path: Path) -> None:
    text = NEIGHBOURS.replace("EstimatorMethod", "ClassifierMethod")
    (method,) = plugin_methods(write_plugin(tmp_path, text)).values()
    assert (method.name, method.kinds) == ("knn", ("classification",))


def test_another_text_is_another_module_and_a_later_edit_changes_nothing(tmp_path: Path) -> None:
    path = write_plugin(tmp_path, NEIGHBOURS)
    ((spec, first),) = plugin_methods(path).items()
    write_plugin(tmp_path, NEIGHBOURS.replace("[1, 3]", "[5]"))
    ((_, second),) = plugin_methods(path).items()
    assert [len(m.configurations()) for m in (first, get_method(spec), second)] == [2, 2, 1]
    assert type(first) is type(get_method(spec)) is not type(second)
    assert plugin_of(type(second).__module__) == PluginFile("my_method.py", NEIGHBOURS.replace("[1, 3]", "[5]"))
    assert plugin_of("json") is plugin_of("no.such.module") is None


def test_an_error_in_a_plugin_shows_its_line(tmp_path: Path) -> None:
    """The text is not on any disk where a worker runs; its traceback must be readable all the same."""
    ((spec, _),) = plugin_methods(write_plugin(tmp_path, NEIGHBOURS.replace("fitting.n)", "fitting.rows)"))).items()
    task = Task(np.zeros((3, 1)), np.array([0, 1, 1]), 2, seed=0)
    with pytest.raises(AttributeError) as raised:
        get_method(spec).session(task).predict(Choice({"n_neighbors": 1}, 0), np.array([0, 1]), np.array([2]))
    shown = "".join(traceback.format_exception(raised.value))
    assert 'File "my_method.py", line 11, in classifier' in shown
    assert 'return KNeighborsClassifier(min(config["n_neighbors"], fitting.rows))' in shown


def test_every_method_of_a_file_counts_but_not_what_it_imports_or_leaves_abstract(tmp_path: Path) -> None:
    text = NEIGHBOURS + (
        "\nfrom bench.methods.random_forest import RandomForest\n"
        "class Unfinished(EstimatorMethod):\n    name, title = 'u', 'U'\n"
        "class Fewer(Neighbours):\n    name, title, grid = 'one', 'One neighbour', [{'n_neighbors': 1}]\n"
    )
    assert [m.name for m in plugin_methods(write_plugin(tmp_path, text)).values()] == ["knn", "one"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("def classifier", "def classify"), "defines no method: a class derived from"),
        (('name, title = "knn", "Nearest neighbours"', 'title = "T"'), "Neighbours needs a text as its name"),
        (('"knn"', '"rfm"'), "'rfm' is the name of a built-in method; give Neighbours another"),
        (('"knn"', '"k nn"'), "'k nn' is not a valid method name"),
        (('"Nearest neighbours"', "3"), "needs a text as its title, got 3"),
        (("[1, 3]", "[1, float('nan')]"), "the grid of Neighbours cannot be written as JSON: ValueError"),
        (("[1, 3]", "[1, {2}]"), "cannot be written as JSON: TypeError"),
        (("[1, 3]", "5"), r"cannot be loaded: ValueError: grid: n_neighbors: expected a list of values, got 5"),
        (("[1, 3]", "'abc'"), "grid: n_neighbors: expected a list of values, got 'abc'"),
        (
            ("    grid", "    iterations = (5, 3)\n    grid"),
            r"iterations: expected ascending whole numbers .* \(5, 3\)",
        ),
        (("    grid", "    regression_grid = {'n': 7}\n    grid"), "regression_grid: n: expected a list"),
        (("from sklearn", "from no_such_library"), "cannot be loaded: ModuleNotFoundError: No module named 'no_such"),
        (("class Neighbours", "class Neighbours:"), r"my_method\.py: not Python: SyntaxError"),
        (("grid =", "1 / 0  #"), "cannot be loaded: ZeroDivisionError"),
        (("    def", "    def __init__(self):\n        raise OSError('no')\n    def"), "cannot be made: OSError: no"),
    ],
)
def test_a_file_that_is_no_plugin_is_refused_in_one_line(tmp_path: Path, change: tuple[str, str], says: str) -> None:
    path = write_plugin(tmp_path, NEIGHBOURS.replace(*change))
    assert "my_method.py" in refused(UsageError, says, plugin_methods, path)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "folder.py").mkdir()
    (tmp_path / "binary.py").write_bytes(b"\xff\x00")
    (tmp_path / "huge.py").write_bytes(b"#" * (1 << 20) + b"#")
    for name, says in (
        ("absent.py", "cannot be read: No such file"),
        ("notes.txt", "expected a Python file"),
        ("folder.py", "not a file"),
        ("binary.py", "not Python"),
        ("huge.py", "larger than"),
    ):
        refused(UsageError, says, plugin_methods, tmp_path / name)


@pytest.mark.parametrize("line", ["import my_helpers", "from my_helpers import f", "from . import my_helpers"])
def test_a_plugin_is_one_file(tmp_path: Path, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Code beside it would neither be hashed nor travel."""
    write_plugin(tmp_path, "f = 1\n", "my_helpers.py")
    path = write_plugin(tmp_path, f"{line}\n{NEIGHBOURS}")
    says = "imports 'my_helpers', a file next to it: a plug-in is one file"
    refused(UsageError, says, plugin_methods, path)
    monkeypatch.syspath_prepend(str(tmp_path))  # importable here, which it need not be on a worker
    refused(UsageError, says, plugin_methods, path)


def test_an_installed_library_is_no_neighbour_though_a_file_beside_has_its_name(tmp_path: Path) -> None:
    write_plugin(tmp_path, "", "sklearn.py")
    assert len(plugin_methods(write_plugin(tmp_path, NEIGHBOURS))) == 1


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the path with an installed package ``others`` that offers the method ``knn``."""
    write_plugin(tmp_path, NEIGHBOURS, "their_methods.py")
    monkeypatch.syspath_prepend(str(tmp_path))
    offer(tmp_path, "others", "knn = their_methods:Neighbours")
    return tmp_path


def offer(folder: Path, package: str, *lines: str, extras: str = "") -> None:
    info = folder / f"{package}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n{extras}")
    (info / "entry_points.txt").write_text(f"[{ENTRY_POINTS}]\n" + "\n".join(lines) + "\n")


def test_an_installed_package_offers_methods_by_name(installed: Path) -> None:
    assert "knn" in known_methods()
    assert "knn" not in method_names()
    assert get_method("knn").title == "Nearest neighbours"
    assert "their_methods" in sys.modules


def test_offers_that_lead_nowhere(installed: Path) -> None:
    needs = "Provides-Extra: lost\nRequires-Dist: searching>=2; extra == 'lost'\nRequires-Dist: numpy\n"
    offer(installed, "more", "mine = their_methods:Neighbours", "lost = no_such_module:M", extras=needs)
    refused(UsageError, "calls itself 'knn': entry point and method must have one name", get_method, "mine")
    refused(UsageError, r"ModuleNotFoundError.*it needs: pip install 'searching>=2'$", get_method, "lost")
    offer(installed, "rival", "knn = their_methods:Other")
    refused(UsageError, "expected one entry point .* found their_methods:Neighbours, their", get_method, "knn")
    refused(UsageError, "unknown method 'knm': did you mean 'knn'", get_method, "knm")

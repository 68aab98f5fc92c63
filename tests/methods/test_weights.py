"""Methods with weights that the user provides, with packages made up here: nothing is downloaded, errors are a line."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from refusals import refused

import bench.examples
from bench.data.splits import splits_for
from bench.errors import MethodError, UsageError
from bench.methods import plugin_methods
from bench.methods.contract import check_method
from bench.methods.weights import VARIABLE
from bench.protocols import PROTOCOLS, carry_out
from bench.records.dataset import Dataset
from bench.records.method import Method

FOLDER = Path(bench.examples.__file__).parent
LIBRARIES = {"tabpfn": "TabPFN", "tabicl": "TabICL"}
FILES = {
    "tabpfn": ("tabpfn-v2-classifier.ckpt", "tabpfn-v2-regressor.ckpt"),
    "tabicl": ("tabicl-classifier-v2-20260212.ckpt", "tabicl-regressor-v2-20260212.ckpt"),
}
libraries = pytest.mark.parametrize("library", LIBRARIES)
GOOD = "good weights"
PACKAGE = """
import os
from pathlib import Path
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

assert os.environ["HF_HUB_OFFLINE"] == "1", "it could download"

class Model:
    def __init__(self, model_path, device, random_state, **rest):
        assert device == "cpu"
        assert rest.pop("allow_auto_download", False) is False
        self.file, self.seed = Path(model_path), random_state

    def fit(self, X, y):
        if self.file.read_text() != "good weights":
            raise RuntimeError("Error(s) in loading state_dict:\\n  size mismatch")
        self.model = self.kind(1).fit(X, y)
        return self

    def predict(self, X):
        return self.model.predict(X)

class {name}Classifier(Model):
    kind = KNeighborsClassifier
    def predict_proba(self, X):
        return self.model.predict_proba(X)

class {name}Regressor(Model):
    kind = KNeighborsRegressor
"""


@pytest.fixture(scope="module", autouse=True)
def packages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Both packages, made up, instead of what may be installed; yields the folder with good weights of both."""
    place = tmp_path_factory.mktemp("packages")
    weights = tmp_path_factory.mktemp("weights")
    with pytest.MonkeyPatch.context() as patch:
        for library, name in LIBRARIES.items():
            (place / f"{library}.py").write_text(PACKAGE.replace("{name}", name))
            about = place / f"{library}-9.8.dist-info"
            about.mkdir()
            (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {library}\nVersion: 9.8\n")
            for file in FILES[library]:
                (weights / file).write_text(GOOD)
            patch.delitem(sys.modules, library, raising=False)
        for variable in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_HUB_DISABLE_TELEMETRY"):
            patch.setenv(variable, "0")
        patch.setenv("TABPFN_ALLOW_CPU_LARGE_DATASET", "0")
        patch.setenv(VARIABLE, str(weights))
        patch.syspath_prepend(str(place))
        yield weights
        for library in LIBRARIES:
            sys.modules.pop(library, None)


def made(library: str) -> Method:
    (method,) = plugin_methods(FOLDER / f"{library}_method.py").values()
    return method


@libraries
def test_it_keeps_the_contract(library: str) -> None:
    assert check_method(made(library)) == []


@libraries
def test_a_table_is_predicted_and_the_weights_are_part_of_the_configuration(library: str, wine: Dataset) -> None:
    method = made(library)
    assert method.kinds == ("classification", "regression")
    result = carry_out(method, wine, splits_for(wine, 0), PROTOCOLS["clean"], seed=0)[0]
    assert result.score > 85
    checksum = hashlib.sha256(GOOD.encode()).hexdigest()[:16]
    assert result.config == {"weights": FILES[library][0], "weights_sha256": checksum}


@libraries
def test_other_weights_of_one_name_are_another_configuration(
    library: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wine: Dataset
) -> None:
    """Those that the package does not take are an error of one line."""
    before = made(library).configurations()
    (tmp_path / FILES[library][0]).write_text("weights of another version")
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    method = made(library)
    assert method.kinds == ("classification",)  # there are none for numbers
    assert method.configurations() != before
    says = f"^{library} 9.8 with the weights {FILES[library][0]}: RuntimeError: Error\\(s\\) in loading"
    refused(MethodError, says, carry_out, method, wine, splits_for(wine, 0), PROTOCOLS["clean"], seed=0)


@libraries
def test_without_weights_one_line_says_what_is_needed(
    library: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(says: str) -> None:
        line = refused(UsageError, says, made, library)
        assert all(word in line for word in (VARIABLE, *FILES[library]))

    monkeypatch.setenv(VARIABLE, str(tmp_path))
    refuses("it has none")
    (tmp_path / f"{library}-v1-classifier.ckpt").write_text(GOOD)
    refuses(rf"other versions are there \({library}-v1-classifier.ckpt\)")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "nowhere"))
    refuses("is not a folder")
    monkeypatch.delenv(VARIABLE)
    refuses("never downloaded")


@libraries
def test_without_the_package_one_line_says_so(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    refused(UsageError, rf"it needs the package {library} \(pip install {library}\)", made, library)


def test_tabpfn_is_not_run_on_what_its_weights_were_not_made_for() -> None:
    method = made("tabpfn")
    assert method.limitation(10_000, 500, 10) is None
    for size in ((10_001, 5, 2), (100, 501, 2), (100, 5, 11)):
        assert "was trained for at most 10,000, 500, 10" in (method.limitation(*size) or "")
    assert os.environ["HF_HUB_OFFLINE"] == "1"

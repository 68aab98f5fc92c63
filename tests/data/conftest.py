"""A generated archive of two tables in the study's layout, its registry, and a cache of its own.

The modules beside this file are importable by name.
"""

from __future__ import annotations

import hashlib
import io
import sys
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import yaml

from bench.data.archive import ArchiveSource
from bench.data.registry import Entry, Registry, load_registry
from bench.data.splits import draw_splits
from bench.records.dataset import Holdout

sys.path.insert(0, str(Path(__file__).parent))

if TYPE_CHECKING:
    from loopback import Loopback

NOWHERE = "http://127.0.0.1:9"


def table_text(X: np.ndarray, y: np.ndarray) -> bytes:
    """A table as the study wrote it: header, row number, features with six digits, class."""
    lines = ["\t" + "\t".join(f"f{i + 1}" for i in range(X.shape[1])) + "\tclase"]
    for number, (row, label) in enumerate(zip(X, y, strict=True), start=1):
        lines.append("\t".join([str(number), *(f"{value:g}" for value in row), str(label)]))
    return ("\n".join(lines) + "\n").encode()


def lists_text(divisions: Iterable[Holdout]) -> bytes:
    """Index lists as the study wrote them: one line each, a blank after every number."""
    lists = [part for division in divisions for part in (division.train, division.test)]
    return "".join("".join(f"{i} " for i in numbers) + "\n" for numbers in lists).encode()


class TinyArchive:
    """Tables `alpha` (24 x 3, 3 classes) and `beta` (40 x 2, 2 classes), with the registry that describes them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files: dict[str, bytes] = {}
        places = {"archive_url": f"{NOWHERE}/a", "results_url": f"{NOWHERE}/r", "results_sha256": "0" * 64}
        self.document: dict[str, Any] = {
            "study": {"citation": "a study", **places},
            "subsets": {"all": {}, "first": ["alpha"]},
            "datasets": {},
        }
        for seed, (name, n, d, c) in enumerate([("alpha", 24, 3, 3), ("beta", 40, 2, 2)]):
            y = np.arange(n) % c
            splits = draw_splits(name, y, seed)
            files = {
                f"{name}_R.dat": table_text(np.random.default_rng(seed).normal(size=(n, d)), y),
                "conxuntos.dat": lists_text([splits.tuning]),
                "conxuntos_kfold.dat": lists_text(splits.holdouts),
            }
            self.files |= {f"{name}/{file}": content for file, content in files.items()}
            keys = ("table_sha256", "tuning_sha256", "holdouts_sha256")
            sums = dict(zip(keys, (hashlib.sha256(content).hexdigest() for content in files.values()), strict=True))
            archive = {"folder": name, "table": f"{name}_R.dat", **sums}
            self.add(name, n, d, classes=c, group="small", archive=archive, openml={"confidence": "none"})

    def add(self, name: str, rows: int, features: int, **more: object) -> None:
        """Describe one more table."""
        about = {"rows": rows, "features": features, "licence": "CC0", "origin": "generated"}
        self.document["datasets"][name] = about | {"uci": {"confidence": "none"}} | more

    def registry(self) -> Registry:
        """The registry, as `self.document` stands now."""
        content = yaml.safe_dump(self.document, sort_keys=False)
        path = self.folder / f"datasets-{hashlib.sha256(content.encode()).hexdigest()[:8]}.yaml"
        path.write_text(content)
        return load_registry(path)

    def entry(self, name: str = "alpha") -> Entry:
        """The entry of one of the tables."""
        return self.registry().entry(name)

    def source(self, location: object, **more: Any) -> ArchiveSource:
        """The tables, from an archive that lies at ``location``."""
        return ArchiveSource(str(location), self.registry(), **more)

    def tar(self, name: str = "archive.tar.xz", mode: str = "w:xz", prefix: str = "data/") -> Path:
        """The archive as a tar file."""
        with tarfile.open(self.folder / name, mode) as tar:
            for file, content in self.files.items():
                info = tarfile.TarInfo(prefix + file)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
        return self.folder / name

    def unpacked(self, prefix: str = "data/") -> Path:
        """The archive as a folder."""
        base = self.folder / "unpacked"
        for name, content in self.files.items():
            (base / prefix / name).parent.mkdir(parents=True, exist_ok=True)
            (base / prefix / name).write_bytes(content)
        return base


@pytest.fixture(scope="session")
def study(archive_path: str, _cache_of_the_session: None) -> ArchiveSource:
    """The study's archive, opened once."""
    return ArchiveSource(archive_path, load_registry()).open()


@pytest.fixture
def tiny(tmp_path: Path) -> TinyArchive:
    folder = tmp_path / "tiny"
    folder.mkdir()
    return TinyArchive(folder)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache that no other test and no user shares; BENCH_ARCHIVE is not seen."""
    cache = tmp_path / "cache"
    monkeypatch.setenv("BENCH_CACHE", str(cache))
    monkeypatch.delenv("BENCH_ARCHIVE", raising=False)
    return cache


@pytest.fixture
def web() -> Iterator[Loopback]:
    """A server with nothing on it yet."""
    from loopback import Loopback

    server = Loopback()
    yield server
    server.close()

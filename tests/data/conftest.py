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
from typing import TYPE_CHECKING

import numpy as np
import pytest
import yaml

from bench.data.archive import ArchiveSource
from bench.data.registry import Registry, load_registry
from bench.data.splits import draw_splits
from bench.records.dataset import Splits

sys.path.insert(0, str(Path(__file__).parent))

if TYPE_CHECKING:
    from loopback import Loopback

Member = tuple[str, bytes]


def table_text(X: np.ndarray, y: np.ndarray) -> bytes:
    """A table as the study wrote it: header, row number, features with six digits, class."""
    lines = ["\t" + "\t".join(f"f{i + 1}" for i in range(X.shape[1])) + "\tclase"]
    for number, (row, label) in enumerate(zip(X, y, strict=True), start=1):
        lines.append("\t".join([str(number), *(f"{value:g}" for value in row), str(label)]))
    return ("\n".join(lines) + "\n").encode()


def lists_text(lists: Iterable[np.ndarray]) -> bytes:
    """Index lists as the study wrote them: one line each, a blank after every number."""
    return "".join("".join(f"{i} " for i in numbers) + "\n" for numbers in lists).encode()


def division_lists(splits: Splits) -> tuple[bytes, bytes]:
    """(tuning halves, hold-outs) of ``splits`` as files."""
    return (
        lists_text([splits.tuning.train, splits.tuning.test]),
        lists_text(part for holdout in splits.holdouts for part in (holdout.train, holdout.test)),
    )


def make_entry(name: str, files: dict[str, bytes], rows: int, features: int, classes: int, **more: object) -> dict:
    """A registry entry whose checksums are those of ``files``."""
    sums = {key: hashlib.sha256(content).hexdigest() for key, content in files.items()}
    table = f"{name}_R.dat"
    return {
        "rows": rows,
        "features": features,
        "classes": classes,
        "group": "small",
        "licence": "CC0",
        "origin": "generated",
        "archive": {
            "folder": name,
            "table": table,
            "table_sha256": sums[table],
            "tuning_sha256": sums["conxuntos.dat"],
            "holdouts_sha256": sums["conxuntos_kfold.dat"],
            **more,
        },
        "openml": {"confidence": "none"},
        "uci": {"confidence": "none"},
    }


def write_tar(path: Path, members: Iterable[Member], mode: str = "w:xz") -> Path:
    """A tar of plain files."""
    with tarfile.open(path, mode) as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


class TinyArchive:
    """Tables `alpha` (24 x 3, 3 classes) and `beta` (40 x 2, 2 classes), with the registry that describes them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files: dict[str, bytes] = {}
        self.document: dict = {
            "study": {
                "citation": "a study",
                "archive_url": "http://127.0.0.1:9/a",
                "results_url": "http://127.0.0.1:9/r",
                "results_sha256": "0" * 64,
            },
            "subsets": {"all": {}, "first": ["alpha"]},
            "datasets": {},
        }
        for seed, (name, n, d, c) in enumerate([("alpha", 24, 3, 3), ("beta", 40, 2, 2)]):
            rng = np.random.default_rng(seed)
            y = np.arange(n) % c
            X = rng.normal(size=(n, d))
            tuning, holdouts = division_lists(draw_splits(name, y, seed))
            files = {f"{name}_R.dat": table_text(X, y), "conxuntos.dat": tuning, "conxuntos_kfold.dat": holdouts}
            self.files |= {f"{name}/{file}": content for file, content in files.items()}
            self.document["datasets"][name] = make_entry(name, files, n, d, c)

    def registry(self) -> Registry:
        """The registry, as `self.document` stands now."""
        content = yaml.safe_dump(self.document, sort_keys=False)
        path = self.folder / f"datasets-{hashlib.sha256(content.encode()).hexdigest()[:8]}.yaml"
        path.write_text(content)
        return load_registry(path)

    def members(self, prefix: str = "data/") -> list[Member]:
        """The archive's files under ``prefix``."""
        return [(prefix + name, content) for name, content in self.files.items()]

    def tar(self, name: str = "archive.tar.xz", mode: str = "w:xz", prefix: str = "data/") -> Path:
        """The archive as a tar file."""
        return write_tar(self.folder / name, self.members(prefix), mode)

    def unpacked(self, prefix: str = "data/") -> Path:
        """The archive as a folder."""
        base = self.folder / "unpacked"
        for name, content in self.members(prefix):
            (base / name).parent.mkdir(parents=True, exist_ok=True)
            (base / name).write_bytes(content)
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

"""The store of a run folder: one SQLite file, one writer, one transaction a result. Exported scores are read too."""

from bench.store.exported import read_results
from bench.store.lock import LOCK_NAME, FolderLock, holder
from bench.store.reader import read_run
from bench.store.schema import STORE_NAME
from bench.store.writer import Store

__all__ = ["LOCK_NAME", "STORE_NAME", "FolderLock", "Store", "holder", "read_results", "read_run"]

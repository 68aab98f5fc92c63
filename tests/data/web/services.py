"""What OpenML and UCI answer, in their own formats, for tables given here; put onto the loopback server."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np
import pandas as pd
import pytest
from loopback import Loopback, Page

SPACE = 'xmlns:oml="http://openml.org/openml"'
API = "/api/v1/xml"


def arff(frame: pd.DataFrame, relation: str = "table") -> bytes:
    """``frame`` as ARFF: text and categorical columns nominal, NaN a question mark."""
    lines = [f"@RELATION {relation}"]
    for name, column in frame.items():
        if pd.api.types.is_numeric_dtype(column):
            lines.append(f"@ATTRIBUTE '{name}' REAL")
        else:
            lines.append(f"@ATTRIBUTE '{name}' {{{','.join(sorted(set(column.dropna().astype(str))))}}}")
    lines.append("@DATA")
    lines += [",".join("?" if pd.isna(v) else str(v) for v in row) for row in frame.itertuples(index=False)]
    return ("\n".join(lines) + "\n").encode()


class FakeOpenML:
    """Data sets, tasks and suites at the address that ``BENCH_OPENML`` names."""

    def __init__(self, web: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
        self.web = web
        monkeypatch.setenv("BENCH_OPENML", web.url + API)

    def data(
        self,
        id: int,
        content: bytes,
        target: str = "class",
        *,
        name: str = "table",
        format: str = "ARFF",
        md5: str | None = None,
        more: str = "",
    ) -> None:
        """Data set ``id`` with the file ``content``; ``md5`` is its own unless given, ``more`` further XML."""
        file = f"/data/v1/download/{id}/{name}.arff"
        self.web.pages[file] = Page(content)
        self._answer(
            f"/data/{id}",
            f"<oml:data_set_description {SPACE}><oml:id>{id}</oml:id><oml:name>{escape(name)}</oml:name>"
            f"<oml:version>1</oml:version><oml:description>made up</oml:description><oml:format>{format}</oml:format>"
            f"<oml:upload_date>2014-04-06T23:23:39</oml:upload_date><oml:licence>Public</oml:licence>"
            f"<oml:url>{self.web.url}{file}</oml:url><oml:file_id>{id}</oml:file_id>"
            f"<oml:default_target_attribute>{escape(target)}</oml:default_target_attribute>{more}"
            "<oml:visibility>public</oml:visibility><oml:status>active</oml:status>"
            f"<oml:md5_checksum>{md5 or hashlib.md5(content).hexdigest()}</oml:md5_checksum>"
            "</oml:data_set_description>",
        )
        self._answer(
            f"/data/features/{id}",
            f"<oml:data_features {SPACE}><oml:feature><oml:index>0</oml:index><oml:name>{escape(target)}</oml:name>"
            "<oml:data_type>nominal</oml:data_type><oml:nominal_value>0</oml:nominal_value>"
            "<oml:is_target>true</oml:is_target><oml:is_ignore>false</oml:is_ignore>"
            "<oml:is_row_identifier>false</oml:is_row_identifier>"
            "<oml:number_of_missing_values>0</oml:number_of_missing_values></oml:feature></oml:data_features>",
        )

    def parquet(self, id: int, frame: pd.DataFrame, more: str = "") -> None:
        """Data set ``id`` with ``frame`` as a Parquet file in a MinIO bucket, and no other file."""
        file = f"/datasets/dataset{id}/dataset_{id}.pq"
        self.web.pages[file] = Page(frame.to_parquet())
        self.data(id, b"", format="Parquet", more=f"{more}<oml:parquet_url>{self.web.url}{file}</oml:parquet_url>")

    def task(
        self, id: int, dataset: int, splits: bytes | None, target: str = "class", *, type: int = 1, kind: str = ""
    ) -> None:
        """Task ``id`` on data set ``dataset`` with the index lists ``splits``."""
        address = ""
        if splits is not None:
            lists = f"/api_splits/get/{id}/Task_{id}_splits.arff"
            self.web.pages[lists] = Page(splits)
            address = self.web.url + lists
        kind = kind or ("Supervised Classification" if type == 1 else "Supervised Regression")
        self._answer(
            f"/task/{id}",
            f"<oml:task {SPACE}><oml:task_id>{id}</oml:task_id><oml:task_name>Task {id}</oml:task_name>"
            f"<oml:task_type_id>{type}</oml:task_type_id><oml:task_type>{kind}</oml:task_type>"
            f'<oml:input name="source_data"><oml:data_set><oml:data_set_id>{dataset}</oml:data_set_id>'
            f"<oml:target_feature>{escape(target)}</oml:target_feature></oml:data_set></oml:input>"
            '<oml:input name="estimation_procedure"><oml:estimation_procedure><oml:id>1</oml:id>'
            f"<oml:type>crossvalidation</oml:type><oml:data_splits_url>{address}</oml:data_splits_url>"
            '<oml:parameter name="number_repeats">1</oml:parameter>'
            '<oml:parameter name="number_folds">3</oml:parameter>'
            "</oml:estimation_procedure></oml:input></oml:task>",
        )

    def suite(self, id: int, tasks: Sequence[int]) -> None:
        """Suite ``id`` of ``tasks``."""
        members = "".join(f"<oml:task_id>{task}</oml:task_id>" for task in tasks)
        self._answer(
            f"/study/{id}",
            f"<oml:study {SPACE}><oml:id>{id}</oml:id><oml:alias>made-up</oml:alias>"
            "<oml:main_entity_type>task</oml:main_entity_type><oml:name>Made up</oml:name>"
            "<oml:description>made up</oml:description><oml:status>active</oml:status>"
            "<oml:creation_date>2019-02-21T18:47:13</oml:creation_date><oml:creator>1</oml:creator>"
            f"<oml:tasks>{members}</oml:tasks></oml:study>",
        )

    def refuse(self, path: str, code: int, message: str) -> None:
        """OpenML's way to say no."""
        content = f"<oml:error {SPACE}><oml:code>{code}</oml:code><oml:message>{message}</oml:message></oml:error>"
        self.web.pages[API + path] = Page(content.encode(), "text/xml", 412)

    def _answer(self, path: str, content: str) -> None:
        self.web.pages[API + path] = Page(f'<?xml version="1.0" encoding="UTF-8"?>\n{content}'.encode(), "text/xml")


def task_splits(folds: Sequence[np.ndarray], repeats: int = 1) -> bytes:
    """Index lists of cross-validation over ``folds`` (the test rows of each), in OpenML's ARFF."""
    lines = ["@relation splits", "@attribute type {TRAIN,TEST}"]
    lines += [*(f"@attribute {name} numeric" for name in ("rowid", "repeat", "fold")), "@data"]
    lines += [
        f"{'TEST' if row in test else 'TRAIN'},{row},{repeat},{number}"
        for repeat in range(repeats)
        for number, test in enumerate(folds)
        for row in np.concatenate(folds)
    ]
    return ("\n".join(lines) + "\n").encode()


def scores(folder: str) -> list[dict[str, str]]:
    """The rows of the table of scores that a run left in ``folder``."""
    with Path(folder, "scores.csv").open(newline="") as file:
        return list(csv.DictReader(file))


class FakeUCI:
    """Data sets at the address that ``BENCH_UCI`` names."""

    def __init__(self, web: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
        self.web = web
        monkeypatch.setenv("BENCH_UCI", f"{web.url}/")

    def data(self, id: int, frame: pd.DataFrame, roles: dict[str, str], *, name: str = "Made up") -> None:
        """Data set ``id``; ``roles`` of columns that are no features."""
        file = f"/static/public/{id}/data.csv"
        self.web.pages[file] = Page(frame.to_csv(index=False).encode(), "text/csv")
        variables = [{"name": column, "role": roles.get(column, "Feature"), "type": "Real"} for column in frame.columns]
        about = {"uci_id": id, "name": name, "data_url": self.web.url + file, "variables": variables}
        self.answer(id, {"status": 200, "message": None, "data": about})

    def answer(self, id: int, document: object) -> None:
        """What the interface says of data set ``id``."""
        self.web.pages[f"/api/dataset?id={id}"] = Page(json.dumps(document).encode(), "application/json")

"""The example notebook's cells run in their order in an empty folder, and give what stands below them."""

from __future__ import annotations

import ast
import contextlib
import io
import json
import os
from pathlib import Path
from typing import Any

import pytest

PATH = Path(__file__).parents[2] / "docs" / "example.ipynb"


def executed(source: str, names: dict[str, Any]) -> list[dict[str, Any]]:
    """The outputs of a cell as a notebook keeps them: what it prints, and its last expression's value."""
    tree = ast.parse(source)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    printed = io.StringIO()
    value = None
    with contextlib.redirect_stdout(printed):
        exec(compile(tree, "cell", "exec"), names)
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), "cell", "eval"), names)
    outputs: list[dict[str, Any]] = []
    if text := printed.getvalue():
        outputs.append({"name": "stdout", "output_type": "stream", "text": text.splitlines(keepends=True)})
    if value is not None:
        data = {"text/plain": repr(value).splitlines(keepends=True)}
        if hasattr(value, "_repr_html_") and (html := value._repr_html_()):
            data["text/html"] = html.splitlines(keepends=True)
        outputs.append({"data": data, "execution_count": None, "metadata": {}, "output_type": "execute_result"})
    return outputs


def shown(outputs: list[dict[str, Any]]) -> str:
    """The text of outputs, line ends' blanks aside."""
    texts = ("".join(o["text"] if "text" in o else o["data"]["text/plain"]) for o in outputs)
    return "\n".join(line.rstrip() for text in texts for line in text.splitlines())


@pytest.mark.usefixtures("elsewhere")
def test_the_example_notebook_gives_what_stands_in_it() -> None:
    notebook = json.loads(PATH.read_text(encoding="utf-8"))
    names: dict[str, Any] = {"__name__": "__main__"}
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert len(cells) >= 5
    for count, cell in enumerate(cells, 1):
        found = executed("".join(cell["source"]), names)
        if os.environ.get("UPDATE_NOTEBOOK"):
            for output in found:
                output |= {"execution_count": count} if "execution_count" in output else {}
            cell["outputs"], cell["execution_count"] = found, count
        assert cell["outputs"], "every cell shows something"
        assert shown(found) == shown(cell["outputs"]), "if the change is meant, run with UPDATE_NOTEBOOK=1"
    if os.environ.get("UPDATE_NOTEBOOK"):
        PATH.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def test_the_notebook_is_small_and_of_a_format_that_others_read() -> None:
    notebook = json.loads(PATH.read_text(encoding="utf-8"))
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert len(PATH.read_bytes()) < 40_000
    identities = [cell["id"] for cell in notebook["cells"]]
    assert len(set(identities)) == len(identities)
    for cell in notebook["cells"]:
        assert cell["cell_type"] in ("code", "markdown")
        assert ("outputs" in cell) == (cell["cell_type"] == "code")
        assert "/" + "tmp" not in json.dumps(cell)  # no paths of one machine

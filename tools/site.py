"""MkDocs' hooks of the documentation site: pages from the whole repository, and links between them.

Pages and reports outside docs/ join the site where they are; nothing is copied by hand. Links are written for readers
of the repository, relative to the file that has them. Here they are turned: to the site's page of that file if there is
one; else to the file in the repository, if ``repo_url`` is set; else there is no link, and the path is shown when one
points at its text.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]

PAGES = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
}
"""Files at the repository's top, and the pages that they are."""

NOTEBOOK = "example"

_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^```(\w+) +([^{\n][^\n]*)$", re.MULTILINE)


def joining() -> Iterator[tuple[str, str]]:
    """(path in the repository, path in the site) of every file outside docs/ that is part of the site."""
    yield from PAGES.items()
    for path in sorted([*ROOT.glob("benchmarks/*.md"), *ROOT.glob("benchmarks/*/*.svg")]):
        name = path.relative_to(ROOT).as_posix()
        yield name, name
    for path in sorted(ROOT.glob("reports/kept/**/*")):
        if path.suffix in (".html", ".svg", ".csv"):
            yield path.relative_to(ROOT).as_posix(), f"reports/{path.relative_to(ROOT / 'reports/kept').as_posix()}"


def on_files(files: Files, config: Any) -> Files:
    """``files`` with those that join them."""
    for source, target in joining():
        files.append(File.generated(config, target, abs_src_path=str(ROOT / source)))
    notebook = files.get_file_from_path(f"{NOTEBOOK}.ipynb")
    if notebook:
        files.remove(notebook)
    files.append(File.generated(config, f"{NOTEBOOK}.md", content=notebook_page(ROOT / f"docs/{NOTEBOOK}.ipynb")))
    return files


def notebook_page(path: Path) -> str:
    """A notebook as Markdown, with the outputs that are kept in it, which ``tests/docs`` compares with the cells'."""
    parts = []
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        parts.append(source if cell["cell_type"] == "markdown" else f"```python\n{source}\n```")
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            if "text/html" in data:
                table = re.sub(r"<style.*?</style>|\n\s*", "", "".join(data["text/html"]), flags=re.DOTALL)
                parts.append(table.replace(' border="1" class="dataframe"', ""))
            else:
                parts.append(f"```text\n{''.join(output.get('text') or data['text/plain']).rstrip()}\n```")
    return "\n\n".join(parts)


def on_page_markdown(markdown: str, page: Page, config: Any, files: Files) -> str:
    """The page's text with links for the site, and code blocks without the marks of ``tests/docs``."""
    source = _source_of(page.file.src_uri)
    if source == "README.md":
        page.meta["hide"] = ["navigation"]  # it is alone in its part: room for its tables
    markdown = _FENCE.sub(_without_marks, markdown)
    return _LINK.sub(lambda found: _link(found, source, page.file.src_uri, config["repo_url"] or ""), markdown)


def _link(found: re.Match[str], source: str, page: str, repository: str) -> str:
    """A Markdown link of the file ``source`` as the site's ``page`` has it."""
    image, text, target = found.groups()
    if re.match(r"[a-z]+:|#|/", target):
        return found[0]
    path, hash_sign, anchor = target.partition("#")
    named = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
    if not (ROOT / named).exists():
        return found[0]  # MkDocs says so
    if there := _site_path(named):
        return f"{image}[{text}]({posixpath.relpath(there, posixpath.dirname(page) or '.')}{hash_sign}{anchor})"
    if repository:
        return f"[{text}]({repository.rstrip('/')}/blob/HEAD/{named}{hash_sign}{anchor})"
    return f'<abbr title="{escape(named)}">{text}</abbr>'


def _site_path(named: str) -> str:
    """Where the site has the repository's file ``named``; empty if it has not."""
    if named.startswith("docs/"):
        return re.sub(r"\.ipynb$", ".md", named.removeprefix("docs/"))
    if re.fullmatch(r"reports/kept/[^/]+/(report|datasets)\.md", named):
        named = posixpath.join(posixpath.dirname(named), "index.html")
    return dict(joining()).get(named, "")


def _source_of(page: str) -> str:
    """The repository's path of the site's page ``page``."""
    return next((source for source, target in joining() if target == page), posixpath.join("docs", page))


def _without_marks(found: re.Match[str]) -> str:
    language, marks = found.groups()
    file = re.search(r"\bfile=(\S+)", marks)
    return f'```{language} title="{file[1]}"' if file else f"```{language}"

"""What the documentation tells a reader to type works, in the order of the page, in an empty folder."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from marked_blocks import Block, marked_blocks, missing_lines

from bench.command_line import main
from bench.methods import known_methods

ROOT = Path(__file__).parents[2]
PAGES = {path.name: list(marked_blocks(path.read_text())) for path in sorted((ROOT / "docs").glob("*.md"))}
QUICK = [name for name, blocks in PAGES.items() if any("run" in b.marks and "slow" not in b.marks for b in blocks)]
SLOW = [name for name, blocks in PAGES.items() if any("slow" in b.marks for b in blocks)]


@pytest.mark.parametrize("page", QUICK)
def test_what_is_quick_to_type_works(page: str, tmp_path: Path) -> None:
    follow([block for block in PAGES[page] if "slow" not in block.marks], tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("page", SLOW)
def test_the_rest_of_the_page_works(page: str, tmp_path: Path) -> None:
    follow([block for block in PAGES[page] if "once" not in block.marks], tmp_path)


def follow(blocks: list[Block], folder: Path) -> None:
    """Do as a reader does: write the files, type the commands, look for what is said to be printed."""
    printed = ""
    for block in blocks:
        if "file" in block.settings:
            (folder / block.settings["file"]).write_text(block.text)
        elif "output" in block.marks:
            assert missing_lines(block.text, printed) == [], f"line {block.line}: not printed:\n{printed}"
        else:
            needed = block.settings.get("needs")
            if needed and (importlib.util.find_spec(needed) is None or needed not in known_methods()):
                printed = ""
                continue
            code, printed, errors = typed(block.command, folder)
            assert code == int(block.settings.get("exit", 0)), f"line {block.line}:\n{block.command}\n{printed}{errors}"


def typed(commands: str, folder: Path) -> tuple[int, str, str]:
    """Exit code, output and errors of ``commands``, up to the first that fails."""
    code, out, err = 0, "", ""
    with pytest.MonkeyPatch.context() as patch, contextlib.chdir(folder):
        patch.delenv("BENCH_ARCHIVE", raising=False)
        patch.setenv("COLUMNS", "120")
        patch.setenv("PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
        for line in commands.replace("\\\n", " ").splitlines():
            words = shlex.split(line)
            if words[:3] == ["python", "-m", "bench"] and not set(line) & set("|<>$&;`*?"):  # nothing for a shell
                with (
                    contextlib.redirect_stdout(io.StringIO()) as told,
                    contextlib.redirect_stderr(io.StringIO()) as said,
                ):
                    code = main(words[3:])  # in this process, which has loaded the libraries
                out, err = out + told.getvalue(), err + said.getvalue()
            else:
                done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=False)
                code, out, err = done.returncode, out + done.stdout, err + done.stderr
            if code:
                break
    return code, out, err


def test_the_pages_that_are_promised_have_commands_that_run() -> None:
    promised = {"add-a-dataset.md", "add-a-method.md", "read-the-report.md", "reproduce-the-paper.md"}
    assert promised <= {*QUICK, *SLOW}


PAGE = """
```sh
not marked
```
```yaml file=a.yaml
x: 1
```
text
```sh run exit=1 slow big=small
echo big; exit 1
```
```text output
one ... three
four
```
"""


def test_marked_blocks_are_found_with_their_marks() -> None:
    written, run, output = marked_blocks(PAGE)
    assert (written.text, written.settings, written.line) == ("x: 1\n", {"file": "a.yaml"}, 5)
    assert (run.command, run.settings["exit"], run.marks) == ("echo small; exit 1\n", "1", {"run", "slow"})
    assert missing_lines(output.text, "zero\n one two three \nfour") == []
    assert missing_lines(output.text, "four\none two three") == ["four"]
    assert missing_lines(output.text, "one two\nfour") == ["one ... three"]
    for wrong in ("```sh rnu\n```\n", "```sh exit=1\n```\n"):
        with pytest.raises(ValueError, match="line 1: the marks"):
            list(marked_blocks(wrong))


def test_a_page_that_lies_is_found_out(tmp_path: Path) -> None:
    follow(list(marked_blocks("```sh run\necho yes\n```\n```text output\nyes\n```\n")), tmp_path)
    for lie in ("```sh run\nfalse\n```\n", "```sh run\necho yes\n```\n```text output\nno\n```\n"):
        with pytest.raises(AssertionError, match="line"):
            follow(list(marked_blocks(lie)), tmp_path)

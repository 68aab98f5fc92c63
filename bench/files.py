"""Files that appear whole or not at all, and none that is another one's."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.errors import StoreError, one_line


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside ``path`` that takes its place if the block ends well, and is removed if it does not."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)  # mkstemp's files are private; a result is as open as any other file
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_atomically(path: Path, text: str) -> None:
    """Write ``text`` (UTF-8, line ends as they are) to ``path`` whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")


def between(text: str, begin: str, end: str, content: str) -> str:
    """``text`` with ``content`` in place of what stands between its markers ``begin`` and ``end``."""
    before, _, rest = text.partition(begin)
    _, _, after = rest.partition(end)
    return f"{before}{begin}\n{content}\n{end}{after}"


def refuse_link(path: Path) -> None:
    """Raise :class:`StoreError` if ``path`` stands for a file elsewhere, or for no file (a pipe, a device).

    A run folder can come from anybody; what is written to it must stay in it.
    """
    try:
        about = path.lstat()
    except OSError:
        return  # it is not there yet, or cannot be opened either
    if stat.S_ISLNK(about.st_mode):
        found = f"a symbolic link to {one_line(path.readlink())}"
    elif stat.S_ISREG(about.st_mode) and about.st_nlink > 1:
        found = "a hard link: the same file has another name"
    elif not (stat.S_ISREG(about.st_mode) or stat.S_ISDIR(about.st_mode)):
        found = "not an ordinary file"
    else:
        return
    raise StoreError(f"{path} is {found}. It is not written to: remove it, or choose another folder with --run")


def open_unlinked(path: Path, flags: int) -> int:
    """Open ``path`` for writing, made if it is missing; returns the descriptor.

    Raises :class:`StoreError` if it is a link (:func:`refuse_link`), and :class:`OSError` as the system gives it.
    """
    refuse_link(path)
    return os.open(path, flags | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)

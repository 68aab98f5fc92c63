"""From how a worker ended to a status and a reason that a reader of the report understands."""

from __future__ import annotations

import os
import re
import signal

from bench.records.result import Status
from bench.run.processes import kernel_oom_kills

TAIL_BYTES = 4000
TAIL_LINES = 30
_LINE_CHARACTERS = 240

# Terminal control sequences and other control characters a job may print; tabs and line ends stay.
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class DeathCause:
    """Tells a worker killed by the kernel for memory from one that was killed by somebody."""

    def __init__(self) -> None:
        self._seen = kernel_oom_kills()

    def judge(self, wait_status: int, peak_mb: float) -> tuple[Status, str]:
        """Status and reason of a job whose worker ended without an answer; ``wait_status`` as from ``os.waitpid``."""
        if os.WIFSIGNALED(wait_status):
            number = os.WTERMSIG(wait_status)
            if number == signal.SIGKILL:
                kills = kernel_oom_kills()
                if kills > self._seen:
                    self._seen += 1  # each kill explains one death: workers killed together are reported one by one
                    return "oom", f"killed by the kernel for want of memory (last seen at {peak_mb:,.0f} MB)"
                return "error", "its worker was killed from outside (SIGKILL)"
            return "error", f"its worker crashed: {signal_name(number)}"
        code = os.WEXITSTATUS(wait_status)
        return "error", f"its worker ended with exit code {code} in the middle of the job"


def signal_name(number: int) -> str:
    """``SIGSEGV (segmentation fault)`` for 11."""
    try:
        name = signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
    description = signal.strsignal(number)
    return f"{name} ({description.lower()})" if description else name


def printable(line: str) -> str:
    """``line`` without what would move a terminal's cursor or colour it, and with nothing that UTF-8 cannot say."""
    return _CONTROL.sub("", line).rstrip().encode("utf-8", "replace").decode()


def output_tail(descriptor: int) -> str:
    """The last lines in an output file, whatever bytes they are made of, as printable text."""
    size = os.fstat(descriptor).st_size
    text = os.pread(descriptor, TAIL_BYTES, max(0, size - TAIL_BYTES)).decode(errors="replace")
    lines = [printable(line)[:_LINE_CHARACTERS] for line in re.split(r"\r\n|\r|\n", text)]
    return "\n".join(lines[-TAIL_LINES:]).strip()

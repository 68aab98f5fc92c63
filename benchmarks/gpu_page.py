"""The page of benchmarks/gpu.py, from what has been measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

PARTS = {"tests": 150, "syncs": 40, "grids": 120, "parity": 140, "blocks": 70, "large": 200}
"""Most seconds of each part, where all have 12 minutes."""

_TITLES = {
    "tests": "Tests that need CUDA",
    "syncs": "Waits of the host for the device",
    "grids": "Whole grids of RFM",
    "parity": "Parity with the processor",
    "blocks": "Sizes of blocks and batches",
    "large": "130,064 rows of 50 features",
}
_WORDS = {
    "syncs": "One chain (ridge 0.1, four updates), counted by `torch.cuda.set_sync_debug_mode`: the number should not "
    "grow with the rows. Waits inside cuSOLVER are not counted by it.",
    "grids": "Five ridges, rows of unit norm and not, four updates: seconds of the clock. The processor has all cores; "
    "*apart* is the largest share of rows, at one point of the grid, that both put into different classes.",
    "parity": "The protocol `clean` on the first fold of 2,000 generated rows. XGBoost draws rows and features on the "
    "device, so that its trees are others there.",
    "blocks": "A chain with two updates by the size of blocks (`rfm.arrays.CUDA_BLOCK_BYTES`); an epoch of EigenPro by "
    "the rows of a batch that were asked for and, as its spectrum allows, taken, with the residual after five epochs.",
    "large": "Ridge 0.1, kernel blocks formed anew; accuracy on 5,000 further rows.",
}

Record = Mapping[str, Any]


def page(records: Sequence[Record]) -> str:
    """The page in Markdown; without ``records`` it says that nothing was measured."""
    lines = ["# On a GPU", ""]
    if not records:
        lines += [
            "Not measured: no GPU at hand. On a machine with one, and a build of PyTorch for CUDA, this measures all "
            "parts in at most 12 minutes and writes this page:",
            "",
            "    python benchmarks/gpu.py",
            "",
            "The parts: " + "; ".join(f"`{name}` ({title})" for name, title in _TITLES.items()) + ".",
        ]
        return "\n".join(lines) + "\n"
    about = next((r for r in records if r["part"] == "machine" and not r.get("ended")), {})
    if about.get("trial"):
        lines += ["**A trial of the script on the processor, with small tables: no figures of a GPU.**", ""]
    card = f"{about.get('gpu', 'no GPU')}, CUDA {about.get('cuda', '?')}, driver {about.get('cuda_driver', '?')}"
    revision = str(about.get("commit"))[:12]
    lines += [
        f"`python benchmarks/gpu.py`: {card}; {about.get('processor')}, {about.get('cores')} cores; "
        f"PyTorch {about.get('torch')}; on the processor {about.get('engine')}; commit {revision}.",
    ]
    for name, title in _TITLES.items():
        mine = [r for r in records if r["part"] == name]
        rows = [r for r in mine if not r.get("ended")]
        reason = next((r["reason"] for r in mine if r.get("ended") and r["reason"]), "")
        lines += ["", f"## {title}", ""]
        lines += [_WORDS[name], ""] if name in _WORDS else []
        lines += _table(name, rows) if rows else ["Not measured."]
        lines += ["", f"This part did not end: {reason}."] if reason else []
    return "\n".join(lines) + "\n"


def _table(name: str, rows: Sequence[Record]) -> list[str]:
    if name == "tests":
        body = [f"- `{r['files']}`: {r['summary']}" for r in rows]
        return body + [f"  - {line}" for r in rows for line in r["failed"]]
    if name == "syncs":
        heads = ("fitted rows", "points", "waits", "waits a point", "s", "where")
        return _markdown(
            heads,
            [
                (
                    r["rows"], r["points"], r["waits"], r["waits"] / r["points"], r["seconds"],
                    "; ".join(f"{place} {count}" for place, count in sorted(r["where"].items(), key=lambda x: -x[1])),
                )
                for r in rows
            ],
        )  # fmt: skip
    if name == "grids":
        heads = ("table", "fitted rows", "features", "first, s", "again, s", "processor, s", "gain", "apart, %",
                 "MB on the card", "not Cholesky in float32")  # fmt: skip
        return _markdown(
            heads,
            [
                (
                    r["table"], r["rows"], r["features"], r["first"], r["again"], r.get("processor", ""),
                    r["processor"] / r["again"] if "processor" in r else "", r.get("apart", ""), r["peak_mb"],
                    r["not_cholesky"],
                )
                for r in rows
            ],
        )  # fmt: skip
    if name == "parity":
        heads = ("table", "method", "same choice", "choice", "accuracy, %", "on the processor, %", "s",
                 "processor, s")  # fmt: skip
        return _markdown(
            heads,
            [
                (
                    r["table"], r["method"], "yes" if r["same"] else "no", f"`{r['choice']}`", r["accuracy"],
                    r["processor_accuracy"], r["seconds"], r["processor_seconds"],
                )
                for r in rows
                if "missing" not in r
            ],
        ) + [f"\n{r['method']} on {r['table']}: {r['missing']}." for r in rows if "missing" in r]  # fmt: skip
    if name == "large":
        heads = ("rows", "updates", "s", "MB on the card", "accuracy, %", "solver", "epochs")
        return _markdown(
            heads,
            [
                (
                    r["rows"], r["updates"], r["seconds"], r["peak_mb"], r["accuracy"], r["solver"],
                    r["account"].get("epochs", ""),
                )
                for r in rows
            ],
        )  # fmt: skip
    chains = [(r["rows"], r["block_mb"], r["seconds"], r["peak_mb"]) for r in rows if r["what"] == "chain"]
    epochs = [
        (r["rows"], r["batch"], r["taken"], r["seconds"], r["peak_mb"], r["residual"])
        for r in rows
        if r["what"] == "epochs"
    ]
    return [
        *_markdown(("fitted rows", "MB a block", "s", "MB on the card"), chains),
        "",
        *_markdown(("rows", "batch", "taken", "s an epoch", "MB on the card", "residual"), epochs),
    ]


def _markdown(heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    lines = ["| " + " | ".join(heads) + " |", "|" + "|".join([":--"] + ["--:"] * (len(heads) - 1)) + "|"]
    return lines + ["| " + " | ".join(map(_text, row)) + " |" for row in rows]


def _text(value: Any) -> str:
    if isinstance(value, bool | str):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:,.3g}" if abs(value) < 100 else f"{value:,.0f}"

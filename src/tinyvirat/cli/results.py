"""`tinyvirat results`: the page of measured results, from the runs' own files."""

from __future__ import annotations

from pathlib import Path


def results(root: Path, *, out: Path, title: str = "Results", notes: Path | None = None) -> int:
    """Writes a Markdown page of all evaluated runs under a folder.

    Every number on it is read from a file that `tinyvirat train` or `tinyvirat evaluate` wrote:
    scores with intervals, costs, and for each run its command, seed, data and commit.

    Args:
        root: the folder of the runs; each needs `evaluation/`, from `tinyvirat evaluate --out`.
        out: the page.
        title: of the section.
        notes: a text file that is put under the title, such as the protocol.
    """
    from tinyvirat.common.files import write_text
    from tinyvirat.evaluation.results import results_page

    text = notes.read_text(encoding="utf-8") if notes else ""
    page = results_page(root, title, text)
    write_text(out, f"# Measured results\n\nMade by `tinyvirat results`; do not edit.\n\n{page}")
    print(out)
    return 0

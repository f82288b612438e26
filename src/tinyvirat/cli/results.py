"""`tinyvirat results`: the page of measured results, from the runs' own files."""

from __future__ import annotations

from pathlib import Path


def results(
    root: Path,
    *,
    out: Path,
    title: str = "Results",
    notes: Path | None = None,
    against: list[str] | None = None,
) -> int:
    """Writes a Markdown page of all evaluated runs under a folder.

    Every number on it is read from a file that `tinyvirat train` or `tinyvirat evaluate` wrote:
    scores with intervals, costs, and for each run its command, seed, data and commit. A page that
    is there keeps its other sections.

    Args:
        root: the folder of the runs; each needs `evaluation/`, from `tinyvirat evaluate --out`.
        out: the page.
        title: of the section; one of the same title is replaced.
        notes: a text file that is put under the title, such as the protocol.
        against: names of rows that the others are compared with, clip by clip, in a table each:
            those of the same folder, and those on the same clips in folders without such a row.
    """
    from tinyvirat.common.files import write_text
    from tinyvirat.evaluation.errors import EvaluationError
    from tinyvirat.evaluation.results import results_page, with_section

    section = results_page(root, title, _text(notes) if notes else "", against or ())
    try:
        page = with_section(_text(out) if out.exists() else "", section)
    except EvaluationError as error:
        raise EvaluationError(f"{out}: {error}") from error
    write_text(out, page)
    print(out)
    return 0


def _text(path: Path) -> str:
    from tinyvirat.evaluation.errors import EvaluationError

    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise EvaluationError(f"{path}: cannot be read: {error}") from error

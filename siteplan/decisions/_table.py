"""The decisions table as the review map writes its comments: six columns, every cell a text."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from siteplan.decisions._values import Decision

COMMENT_COLUMNS = ("id", "action", "value", "who", "date", "why")
"""Headers of the comments of the review map, which are those of the layer ``decisions``; UTF-8 with BOM, so that
spreadsheets read it."""


def comment_table(rows: Iterable[Decision]) -> pd.DataFrame:
    """Decisions as rows of the CSV that the next run reads.

    Parameters
    ----------
    rows : iterable of Decision
        :attr:`Decisions.every` for all of a table.

    Returns
    -------
    DataFrame
        Columns :data:`COMMENT_COLUMNS`; days as ``2026-06-05``, empty where there is none.

    Examples
    --------
    >>> comment_table([Decision("V-facility:F1", "year", value="2027", who="例会")]).iloc[0].tolist()
    ['V-facility:F1', 'year', '2027', '例会', '', '']
    """
    cells = [(row.id, row.action or row.said, row.value, row.who, "" if row.date is None else row.date.isoformat(),
              row.why) for row in rows]
    return pd.DataFrame(cells, columns=list(COMMENT_COLUMNS), dtype="str")

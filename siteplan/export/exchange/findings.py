"""What is found on the way of a layer: problems, told at once at the end, and values changed on purpose."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from siteplan.errors import ExportError, Problem
from siteplan.export.exchange.out_layer import Adjustment

MOST_TOLD = 200
"""So many problems are listed; the others are counted."""
_SHOWN = 60
_ROWS_NAMED = 3
Rows = NDArray[np.intp]


@dataclass
class Findings:
    """Problems and adjustments of one exchange layer.

    Attributes
    ----------
    layer : str
        Name of the exchange layer.
    keys : ndarray of object
        Key of every row, as text.
    """

    layer: str
    keys: NDArray[np.object_]
    problems: list[Problem] = field(default_factory=list)
    adjustments: list[Adjustment] = field(default_factory=list)
    untold: int = 0
    told: dict[str, list[Rows]] = field(default_factory=dict)

    def whole(self, name: str, reason: str, remedy: str) -> None:
        """Something is wrong with the layer or with all of a field."""
        self.problems.append(Problem(self.layer, "", "", name, reason, remedy))

    def rows(self, rows: Rows, name: str, reason: str | Callable[[int], str], remedy: str) -> None:
        """Something is wrong with these rows (positions); ``reason`` may be made from the position."""
        self.told.setdefault(name, []).append(rows)
        room = max(0, MOST_TOLD - len(self.problems))
        for row in rows[:room]:
            said = reason(int(row)) if callable(reason) else reason
            self.problems.append(Problem(self.layer, "", str(self.keys[row]), name, said, remedy))
        self.untold += max(0, len(rows) - room)

    def rows_told(self, name: str) -> Rows:
        """Positions of the rows of which something was told in a field."""
        return np.concatenate([np.empty(0, dtype=np.intp), *self.told.get(name, [])]).astype(np.intp)

    def changed(self, rows: Rows, name: str, change: tuple[str, str], reason: str) -> None:
        """The same value was changed to the same other one in these rows: ``change`` = (value, written)."""
        value, written = change
        if len(rows) > _ROWS_NAMED:
            named = "、".join(str(key) for key in self.keys[rows[:_ROWS_NAMED]])
            self.adjustments.append(Adjustment(self.layer, f"{named}等{len(rows)}行", name, value, written, reason))
            return
        self.adjustments += [Adjustment(self.layer, str(self.keys[row]), name, value, written, reason) for row in rows]


def raise_problems(layer: str, found: Iterable[Findings]) -> None:
    """Tell all problems of a layer, the first ``MOST_TOLD`` of them in full.

    Raises
    ------
    ExportError
        There are some.
    """
    found = list(found)
    problems = [problem for findings in found for problem in findings.problems]
    if problems:
        count = len(problems) + sum(findings.untold for findings in found)
        listed = problems[:MOST_TOLD]
        more = f"(共 {count} 个问题,列出前 {len(listed)} 个)" if count > len(listed) else ""
        raise ExportError(f"图层 {layer} 不能导出{more}:", listed)


def shown(value: object) -> str:
    r"""A value in a sentence, short and on one line.

    >>> shown("甲\n乙"), len(shown("长" * 300))
    ('甲\\n乙', 61)
    """
    text = "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in str(value)[: _SHOWN + 1])
    return text if len(str(value)) <= _SHOWN else text[:_SHOWN] + "…"


def rows_of(column: pd.Series, values: Iterable[str]) -> dict[str, Rows]:
    """Positions of the rows that have each of these texts.

    >>> rows_of(pd.Series(["甲", "乙", "甲"]), ["甲"])["甲"].tolist()
    [0, 2]
    """
    wanted: Sequence[str] = list(values)
    here = np.flatnonzero(column.isin(wanted).to_numpy(dtype=bool))
    texts = column.iloc[here].to_numpy(dtype=object)
    found: dict[str, list[int]] = {text: [] for text in wanted}
    for row, text in zip(here.tolist(), texts, strict=True):
        found[text].append(row)
    return {text: np.array(rows, dtype=np.intp) for text, rows in found.items()}

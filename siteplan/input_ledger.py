"""Input ledger (数据问题清单): one line per refused, repaired or assumed value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from siteplan.errors import Problem

ACTION_ZH = {"refused": "拒收", "repaired": "修复", "assumed": "假定", "note": "提示"}
ACTIONS = tuple(ACTION_ZH)
"""refused: the row is left out; repaired, assumed: kept and changed; note: kept as it is, but look."""


@dataclass(frozen=True)
class LedgerLine:
    """One line: where (layer, file, row, field), the value found, what was done, why, how to mend."""

    layer: str
    file: str
    row: str
    field: str
    value: str
    action: str
    reason: str
    remedy: str

    def as_problem(self) -> Problem:
        """The same facts as a :class:`~siteplan.errors.Problem`, for an error."""
        return Problem(self.layer, self.file, self.row, self.field, self.reason, self.remedy)


class InputLedger:
    """The lines of one run, in the order in which they arose.

    >>> ledger = InputLedger()
    >>> ledger.add("poles", "poles.csv", "7", "height_m", "900", "refused", "out of 2..60 m", "check the unit")
    >>> ledger.count("refused"), len(ledger)
    (1, 1)
    """

    def __init__(self, lines: Iterable[LedgerLine] = ()) -> None:
        self._lines: list[LedgerLine] = list(lines)

    def add(self, layer: str, file: str, row: object, field: str, value: object,
            action: str, reason: str, remedy: str) -> None:
        """Append one line; ``row`` and ``value`` are kept as text."""
        if action not in ACTIONS:
            raise ValueError(f"action {action!r} is not one of {ACTIONS}")
        self._lines.append(LedgerLine(layer, file, str(row), field, str(value)[:200], action, reason, remedy))

    def extend(self, lines: Iterable[LedgerLine]) -> None:
        """Append lines of another ledger."""
        self._lines.extend(lines)

    def __iter__(self) -> Iterator[LedgerLine]:
        return iter(self._lines)

    def __len__(self) -> int:
        return len(self._lines)

    def count(self, action: str, layer: str | None = None) -> int:
        """Number of lines with this action (of one layer, or of all)."""
        return sum(line.action == action and layer in (None, line.layer) for line in self._lines)

    def rows(self, action: str, layer: str) -> int:
        """Number of different (file, row) pairs of a layer with this action."""
        return len({(line.file, line.row) for line in self._lines if line.action == action and line.layer == layer})

    def summary(self) -> dict[str, dict[str, int]]:
        """Counts by layer and action: ``{"poles": {"refused": 3}}``."""
        counts = Counter((line.layer, line.action) for line in self._lines)
        out: dict[str, dict[str, int]] = {}
        for (layer, action), number in sorted(counts.items()):
            out.setdefault(layer, {})[action] = number
        return out

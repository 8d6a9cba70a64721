"""Ledger lines and problems of one input file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from numpy.typing import NDArray

from siteplan.errors import Problem
from siteplan.input_ledger import InputLedger
from siteplan.venues import VenueCatalogue, load_venues

_NAMED_ROWS = 5


class FileLog:
    """Binds layer and file, so that readers only say row, field, value, reason and remedy.

    >>> log = FileLog("poles", "poles.csv", InputLedger())
    >>> log.rows(["2", "5"], "height_m", 8.0, "assumed", "缺杆高", "补测")
    >>> [line.row for line in log.ledger]
    ['共 2 行:2、5']
    """

    def __init__(self, layer: str, file: str, ledger: InputLedger, venues: VenueCatalogue | None = None) -> None:
        self.layer = layer
        self.file = file
        self.ledger = ledger
        self.venues = load_venues() if venues is None else venues
        self.problems: list[Problem] = []
        self.mistakes: list[Problem] = []

    def line(self, row: str, field: str, value: object, action: str, reason: str, remedy: str) -> None:
        """One line about one row, or about the file when `row` is empty."""
        self.ledger.add(self.layer, self.file, row, field, value, action, reason, remedy)

    def each(self, rows: Iterable[str], field: str, values: Iterable[object], action: str, reason: str,
             remedy: str) -> None:
        """One line per row."""
        for row, value in zip(rows, values, strict=True):
            self.line(row, field, value, action, reason, remedy)

    def rows(self, rows: Sequence[str] | NDArray[Any], field: str, value: object, action: str, reason: str,
             remedy: str) -> None:
        """One line for all rows that had the same thing done to them; the rows themselves when they are few."""
        if len(rows):
            named = f":{'、'.join(map(str, rows))}" if len(rows) <= _NAMED_ROWS else ""
            row = str(rows[0]) if len(rows) == 1 else f"共 {len(rows)} 行{named}"
            self.line(row, field, value, action, reason, remedy)

    def problem(self, reason: str, remedy: str, field: str = "") -> None:
        """The file cannot be used."""
        self.problems.append(Problem(self.layer, self.file, "", field, reason, remedy))

    def mistake(self, reason: str, remedy: str, field: str) -> None:
        """The study file says something the file does not have: a problem that stops the run, whatever the layer."""
        self.problem(reason, remedy, field)
        self.mistakes.append(self.problems[-1])

"""What the office wrote itself: values whose last change did not come with a plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import select

from siteplan.register.store import CREATED, Transaction
from siteplan.register.store.values import text_of

SYNC_WHY = "并入规划"
"""How the reason of every change begins that comes with a plan."""


class OfficeValues(NamedTuple):
    """Which values are the office's own.

    Attributes
    ----------
    fields : frozenset of (str, str)
        Row and field whose last change was made by the office.
    planned : frozenset of (str, str)
        Row and field whose last change came with a plan.
    rows : frozenset of str
        Rows that the office entered; what they say is its own until a plan has changed it.
    struck : mapping of (str, str) to str
        Row and field that the office emptied -> what had stood there, as the log spells it.
    """

    fields: frozenset[tuple[str, str]]
    planned: frozenset[tuple[str, str]]
    rows: frozenset[str]
    struck: Mapping[tuple[str, str], str]

    def holds(self, row_id: str, name: str) -> bool:
        """Whether a value is the office's."""
        key = (row_id, name)
        return key in self.fields or (row_id in self.rows and key not in self.planned)

    def keeps(self, row_id: str, name: str, value: Any, planned: Any) -> bool:
        """Whether a value stands against a plan's; an empty one does where the office struck out what the plan says."""
        if value is None:
            return planned is not None and self.struck.get((row_id, name)) == text_of(planned)
        return self.holds(row_id, name)


def office_values(transaction: Transaction, table: str, fields: Sequence[str]) -> OfficeValues:
    """Which values of some fields of a table the office wrote itself.

    Parameters
    ----------
    transaction : Transaction
    table : str
    fields : sequence of str

    Returns
    -------
    OfficeValues
    """
    events = transaction.register.layout.events
    voided = {int(seq) for (seq,) in transaction.connection.execute(select(events.c.voids).where(
        events.c.voids.is_not(None), events.c.kind == table))}
    rows = transaction.connection.execute(select(
        events.c.seq, events.c.row_id, events.c.field, events.c.why, events.c.old, events.c.new).where(
        events.c.kind == table, events.c.field.in_([*fields, CREATED])))
    own_rows: set[str] = set()
    last: dict[tuple[str, str], tuple[int, bool, str | None]] = {}
    for seq, row_id, name, why, old, new in rows:
        own = not (why or "").startswith(SYNC_WHY)
        if name == CREATED:
            if own:
                own_rows.add(row_id)
        elif seq not in voided and seq > last.get((row_id, name), (-1, False, None))[0]:
            last[row_id, name] = (seq, own, old if new is None else None)
    return OfficeValues(frozenset(key for key, (_, own, _) in last.items() if own),
                        frozenset(key for key, (_, own, _) in last.items() if not own), frozenset(own_rows),
                        {key: old for key, (_, own, old) in last.items() if own and old is not None})

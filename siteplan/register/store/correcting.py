"""Correct the log: the last change of a field is voided and another put in its place; both stay."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import select

from siteplan.register.dictionary import RegisterTable, register_tables
from siteplan.register.rules import derived_values, row_faults
from siteplan.register.store.cells import Held, held_rows
from siteplan.register.store.changes import write_changes
from siteplan.register.store.checking import is_sealed
from siteplan.register.store.layout import EVENTS_SEALED
from siteplan.register.store.names import checked_names
from siteplan.register.store.transaction import CREATED, Transaction
from siteplan.register.store.values import ValueFault, is_same, text_of, typed, typed_day, typed_shape, value_of


class _Event(NamedTuple):
    """An event of one row that no correction voids."""

    seq: int
    day: dt.date
    field: str
    old: str | None
    new: str | None
    why: str | None
    change: int


class _Mend(NamedTuple):
    """One line of a correction: the field, its right value, its day; what it voids (None: it is new)."""

    field: str
    old: str | None
    value: Any
    day: dt.date
    voids: int | None


def correct_event(transaction: Transaction, seq: int, value: Any = None, day: dt.date | None = None, why: str = "",
                  ) -> None:
    """Void the last change of a field and put another in its place; both stay in the log.

    Fields that followed from the change (the day of a state, the day on which building began) are corrected with it,
    unless they were changed again since.

    Parameters
    ----------
    transaction : Transaction
    seq : int
        Number of the event; the last one of its row and field that is not void.
    value : any
        What is right, an empty text for nothing; the day may be right instead.
    day : date, optional
        The right day; that of the event when absent.
    why : str
        Needed, here or in the stamp.
    """
    where = ("events", transaction.register.shown, str(seq))
    if not (why or transaction.stamp.why):
        transaction.fault(where, "why", "更正没有写原因", "写明原因")
    transaction.flush()
    events = transaction.register.layout.events
    found = transaction.connection.execute(
        select(events.c.kind, events.c.row_id, events.c.field).where(events.c.seq == seq)).one_or_none()
    if found is None or found.field == CREATED or found.kind not in register_tables():
        transaction.fault(where, "seq", "没有这一条变更,或它是登记本身", "用 siteplan register show 查编号")
        return
    spec = register_tables()[found.kind]
    alive = _alive(transaction, spec.name, found.row_id)
    last = {event.field: event for event in alive}
    event = last.get(found.field)
    if event is None or event.seq != seq:
        transaction.fault(where, "seq", "不是这个字段的最后一条变更,或已被更正", "先更正它之后的变更")
        return
    try:
        right, right_day = _right(transaction, spec, event, value, day)
    except ValueError:  # another program changed what the log holds
        right, right_day = ValueFault(f"变更记录中的“{event.new}”不可读", "写出正确的值"), event.day
    for name, fault in ((event.field, right), ("day", right_day)):
        if isinstance(fault, ValueFault):
            transaction.fault(where, name, fault.reason, fault.remedy)
            return
    source = transaction.register.layout.tables[spec.name]
    rows = held_rows(transaction.connection, source, spec, [found.row_id])
    if not rows or not is_sealed(rows[0]):
        transaction.fault(where, "seq", f"{found.row_id} 被其他程序改动过或删除", "先运行 siteplan register check 认定或改回")
        return
    try:
        mends = _mends(spec, rows[0], alive, event, (right, right_day))
    except ValueError:
        transaction.fault(where, "seq", "变更记录被其他程序改动过,不可读", "用备份替换")
        return
    if not mends:
        transaction.fault(where, "seq", "与原来的值和日期相同", "写出正确的值或日期")
        return
    _check(transaction, where, (spec, rows[0], alive), mends, why)
    transaction.log(spec.name, found.row_id, [(mend.field, mend.old, text_of(mend.value)) for mend in mends],
                    right_day, why, [mend.voids for mend in mends])
    changed = {mend.field: mend.value for mend in mends}
    write_changes(transaction, spec.name, [(rows[0], changed)])


def _alive(transaction: Transaction, table: str, row_id: str) -> list[_Event]:
    """Events of a row that no correction voids, in the order of entering."""
    events = transaction.register.layout.events
    sealed = transaction.register.version >= EVENTS_SEALED
    voided = select(events.c.voids).where(events.c.voids.is_not(None))
    asked = select(events.c.seq, events.c.day, events.c.field, events.c.old, events.c.new, events.c.why,
                   events.c.change if sealed else events.c.seq).where(
        events.c.kind == table, events.c.row_id == row_id, events.c.seq.not_in(voided)).order_by(events.c.seq)
    return [_Event(*row) for row in transaction.connection.execute(asked)]


def _right(transaction: Transaction, spec: RegisterTable, event: _Event, value: Any, day: Any) -> tuple[Any, Any]:
    """The right value and day, typed; a `ValueFault` where they cannot be taken."""
    held = spec.fields.get(event.field)
    if value is None:
        right = value_of(held, event.new)
    else:
        right = typed_shape(spec.geometry, value) if held is None else typed(held, value)
        if held is not None and isinstance(right, str):
            right = checked_names(transaction, held, right)
        if right is None and held is not None and held.spec.required:
            right = ValueFault(f"{held.spec.zh}为空", f"补填{held.spec.zh}")
    return right, typed_day(day) or event.day


def _mends(spec: RegisterTable, row: Held, alive: Sequence[_Event], event: _Event, right: tuple[Any, dt.date],
           ) -> list[_Mend]:
    """Lines of a correction: the event, and what followed from it."""
    value, day = right
    last = {other.field: other for other in alive}
    old_value = value_of(spec.fields.get(event.field), event.new)
    out = [] if is_same(value, old_value) and day == event.day else [
        _Mend(event.field, event.old, value, day, event.seq)]
    part = {other.field: other for other in alive if other.change == event.change and other.field != event.field}
    before = _before(spec, row, (event, *part.values()))
    followed = derived_values(spec.name, before, before | {event.field: old_value}, event.day)
    follows = {name: other for name, other in part.items()
               if name in followed and text_of(followed[name]) == other.new}
    given = {name: row.values[name] for name in part if name not in follows}
    wanted = derived_values(spec.name, before, before | given | {event.field: value}, day)
    for name, other in follows.items():
        if last[name].seq == other.seq:
            mended = wanted.get(name, before[name])
            if other.new != text_of(mended) or other.day != day:
                out.append(_Mend(name, other.old, mended, day, other.seq))
    for name, mended in wanted.items():
        newest = last.get(name)
        if name not in part and not is_same(row.values[name], mended) and (newest is None or newest.day <= day):
            out.append(_Mend(name, row.texts.get(name), mended, day, None))
    return out


def _before(spec: RegisterTable, row: Held, events: Sequence[_Event]) -> dict[str, Any]:
    """Values of a row before some events."""
    return row.values | {event.field: value_of(spec.fields.get(event.field), event.old) for event in events}


def _check(transaction: Transaction, where: tuple[str, str, str],
           held: tuple[RegisterTable, Held, Sequence[_Event]], mends: Sequence[_Mend], why: str) -> None:
    """Order of days, and the rules of the row, as after any change."""
    spec, row, alive = held
    voided = {mend.voids for mend in mends}
    came = next((event.day for event in alive if event.field == CREATED), None)
    day = mends[0].day
    if came is not None and came > day:
        transaction.fault(where, "day", f"{day} 早于这一行的登记日 {came}", "核对日期")
    for mend in mends:
        former = max((event.day for event in alive if event.field == mend.field and event.seq not in voided),
                     default=None)
        if former is not None and former > day:
            transaction.fault(where, "day", f"早于前一条变更 {former}", "核对日期")
    undone = [event for event in alive if event.seq in voided]
    before: Mapping[str, Any] = _before(spec, row, undone)
    after = row.values | {mend.field: mend.value for mend in mends}
    for fault in row_faults(spec.name, before, after, why or transaction.stamp.why):
        transaction.fault(where, fault.field, fault.reason, fault.remedy)

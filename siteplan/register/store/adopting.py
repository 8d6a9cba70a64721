"""What another program did to rows of a register, taken over as changes of an author, or undone by the log."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from siteplan.register.dictionary import RegisterTable, register_tables
from siteplan.register.store.cells import Held, change_rows, driver_cells, insert_rows
from siteplan.register.store.changes import add_rows, edit_rows
from siteplan.register.store.checking import differences, hand_edits, logged_ids, logged_rows, odd_rows
from siteplan.register.store.names import forget_names
from siteplan.register.store.opening import Register
from siteplan.register.store.seals import seal_of_texts
from siteplan.register.store.transaction import Stamp, Transaction, writing
from siteplan.register.store.values import value_of


class _Odd(NamedTuple):
    """Rows of one table that do not agree with the log."""

    changed: list[Held]
    added: list[tuple[int, Held]]
    gone: list[str]
    logged: dict[str, dict[str, str]]


def adopt_edits(transaction: Transaction, ids: Iterable[str], why: str = "") -> list[str]:
    """Take over what another program changed in rows or added, as changes of the transaction's author.

    Parameters
    ----------
    transaction : Transaction
    ids : iterable of str
        As `hand_edits` names them; an empty text for rows without id. A row that was added gets an id of its own.
    why : str

    Returns
    -------
    list of str
        Ids of the rows as they are called now. What may not be (a value out of bounds, a state that may not follow, a
        deleted row) is a problem of the transaction.
    """
    wanted, out = list(dict.fromkeys(ids)), list[str]()
    for spec, group in _by_table(transaction, wanted):
        odd = _odd(transaction, spec, group)
        edits = {held.row_id: {name: held.broken.get(name, held.values[name])
                               for name, _, _ in differences(spec, odd.logged[held.row_id], held)}
                 for held in odd.changed}
        _put_back(transaction, spec, odd)
        edit_rows(transaction, spec.name, edits, why)
        out += edits
        _remove(transaction, spec, [fid for fid, _ in odd.added])
        rows = [{name: value for name, value in held.values.items() if value is not None} | dict(held.broken)
                | {"source_row": held.row_id or "无编号"} for _, held in odd.added]
        out += add_rows(transaction, spec.name, rows, why) if rows else []
        for row_id in odd.gone:
            transaction.fault((spec.name, transaction.register.shown, row_id), "id", "这一行已被其他程序删除,不能认定",
                              "运行 siteplan register check --restore 按变更记录恢复")
    return out


def restore_edits(transaction: Transaction, ids: Iterable[str]) -> int:
    """Undo what another program did: rows are again as the log says, added ones go, deleted ones come back.

    Parameters
    ----------
    transaction : Transaction
    ids : iterable of str
        As `hand_edits` names them.

    Returns
    -------
    int
        Rows that were put back, removed or brought back.
    """
    done = 0
    for spec, group in _by_table(transaction, list(dict.fromkeys(ids))):
        odd = _odd(transaction, spec, group)
        _put_back(transaction, spec, odd)
        _remove(transaction, spec, [fid for fid, _ in odd.added])
        _bring_back(transaction, spec, odd)
        done += len(odd.changed) + len(odd.added) + len(odd.gone)
    return done


def adopt_rows(register: Register, stamp: Stamp) -> int:
    """Take over everything that other programs changed or added; the number of rows. Raises as `adopt_edits` finds."""
    with writing(register, stamp) as transaction:
        return len(adopt_edits(transaction, hand_edits(register, connection=transaction.connection)["id"]))


def restore_rows(register: Register, stamp: Stamp) -> int:
    """Undo everything that other programs did to rows; the number of rows."""
    with writing(register, stamp) as transaction:
        return restore_edits(transaction, hand_edits(register, connection=transaction.connection)["id"])


def _by_table(transaction: Transaction, ids: list[str]) -> Iterable[tuple[RegisterTable, set[str]]]:
    """Tables with those of the ids that can be of theirs; ids of no form can be of any."""
    prefixes = {spec.prefix for spec in register_tables().values()}
    for name in transaction.register.layout.tables:
        spec = register_tables()[name]
        group = {row_id for row_id in ids if row_id.startswith(spec.prefix) or row_id[:2] not in prefixes}
        if group:
            yield spec, group


def _odd(transaction: Transaction, spec: RegisterTable, ids: set[str]) -> _Odd:
    """What is odd among some rows, compared with the log."""
    transaction.flush()
    register, connection = transaction.register, transaction.connection
    known = logged_ids(register, connection, spec.name)
    there, found = odd_rows(register, spec.name, connection, known)
    found = [row for row in found if row.held.row_id in ids]
    gone = sorted((known & ids) - there)
    told = [*(row.held.row_id for row in found), *gone]
    logged = logged_rows(register, spec.name, told, connection)
    return _Odd([row.held for row in found if not row.added], [(row.fid, row.held) for row in found if row.added], gone,
                {row_id: logged.get(row_id, {}) for row_id in told})


def _typed(transaction: Transaction, spec: RegisterTable, row_id: str, texts: Mapping[str, str]) -> dict[str, Any]:
    """Values that the log spells; one that another program spoilt is a problem."""
    out: dict[str, Any] = {}
    for name, text in texts.items():
        try:
            out[name] = value_of(spec.fields.get(name), text)
        except ValueError:
            transaction.fault((spec.name, transaction.register.shown, row_id), name, f"变更记录中的“{text}”不可读", "用备份替换")
    return out


def _put_back(transaction: Transaction, spec: RegisterTable, odd: _Odd) -> None:
    """Changed rows as the log says they are."""
    rows = []
    for held in odd.changed:
        texts = odd.logged[held.row_id]
        names = [name for name, _, _ in differences(spec, texts, held)]
        values = _typed(transaction, spec, held.row_id, {name: texts[name] for name in names if name in texts})
        rows.append((held.row_id, {**dict.fromkeys(names), **values, "seal": seal_of_texts(held.row_id, texts),
                                   "revision": max(held.revision, 1)}))
    change_rows(transaction.connection, transaction.register.layout.tables[spec.name], rows)
    _written(transaction, spec, len(rows))


def _remove(transaction: Transaction, spec: RegisterTable, fids: list[int]) -> None:
    source = transaction.register.layout.tables[spec.name]
    for fid in fids:
        transaction.connection.execute(source.delete().where(source.c.fid == fid))
    _written(transaction, spec, len(fids))


def _bring_back(transaction: Transaction, spec: RegisterTable, odd: _Odd) -> None:
    """Deleted rows as the log says they were."""
    source = transaction.register.layout.tables[spec.name]
    rows = [(row_id, _typed(transaction, spec, row_id, odd.logged.get(row_id, {}))) for row_id in odd.gone]
    names = [name for name in spec.columns if any(values.get(name) is not None for _, values in rows)]
    columns = [driver_cells(transaction.connection, source, name, [values.get(name) for _, values in rows])
               for name in names]
    insert_rows(transaction.connection, source, ["id", "revision", "seal", *names], list(zip(
        odd.gone, [1] * len(rows), [seal_of_texts(row_id, odd.logged.get(row_id, {})) for row_id in odd.gone],
        *columns, strict=True)))
    _written(transaction, spec, len(rows))


def _written(transaction: Transaction, spec: RegisterTable, number: int) -> None:
    if number:
        transaction.count(spec.name, "mended", number)
        forget_names(transaction, spec.name)
        transaction._known.pop(spec.name, None)
        transaction._keys.pop(spec.name, None)


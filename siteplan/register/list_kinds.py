"""Lists by kind: works, splits of quotas, minutes and opinions go to the rooms that know them, all others as edits."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypedDict, Unpack

import geopandas as gpd
import pandas as pd

from siteplan.errors import Problem, RegisterError
from siteplan.input_ledger import InputLedger
from siteplan.register._edit_cells import EMPTIED, ORIGIN, REVISION, given_values, python_value, split_many
from siteplan.register.dictionary import register_tables, word_of
from siteplan.register.edits import EditResult, ListTable, apply_within
from siteplan.register.store import Register, Stamp, Transaction, read_rows, writing
from siteplan.register.store.names import checked_names

KINDS: Mapping[str, str] = {
    "works": "works", "quotas": "quotas", "split": "quotas", "reports": "reports", "tasks": "tasks",
    "work-plan": "tasks", "minutes": "minutes", "cases": "cases", "decisions": "opinions", "fees": "fees",
    "organisations": "organisations", "sites": "sites", "venues": "venues"}
"""Kind of a list -> the columns it is read with (:func:`siteplan.layers.read_list`)."""
_OPINIONS = ("id", "action", "value", "who", "date", "why", *ORIGIN)


class ListOptions(TypedDict, total=False):
    """What some kinds of lists need beside their rows.

    Attributes
    ----------
    list_name : str
        Of works: the list that this one is, or follows.
    replaces : sequence of str
        Of works: other lists that this one takes the place of.
    parent_id : str
        Of a split: the quota that is split.
    year : int
        Of a plan of work: its year; that of the stamp's day when absent.
    counties : GeoDataFrame
        As for :func:`~siteplan.register.edits.apply_list`.
    """

    list_name: str
    replaces: Sequence[str]
    parent_id: str
    year: int
    counties: gpd.GeoDataFrame | None


def import_list(register: Register, kind: str, given: ListTable, stamp: Stamp, **options: Unpack[ListOptions],
                ) -> EditResult:
    """Bring a list into the register.

    Parameters
    ----------
    register : Register
    kind : str
        One of `KINDS`.
    given : ListTable
        Rows that bear ids of the register are edits of them, whatever the kind.
    stamp : Stamp
    **options
        See `ListOptions`.

    Returns
    -------
    EditResult

    Raises
    ------
    RegisterError
        Every problem of every row; nothing was written.
    """
    has_ids = given.table in register_tables() and "id" in given.rows
    with writing(register, stamp) as transaction:
        if kind == "works" and not has_ids:
            return _works(transaction, given, options)
        if kind == "split":
            return _split(transaction, given, options.get("parent_id", ""))
        if kind == "work-plan" and not has_ids:
            return _work_plan(transaction, given, options.get("year") or stamp.day.year)
        if kind == "minutes":
            return _minutes(transaction, given)
        if kind in ("decisions", "fees") and not has_ids:
            return _opinions(transaction, given)
        if kind == "quotas":
            return _quotas(transaction, given)
        return apply_within(transaction, given, counties=options.get("counties"))


def _quotas(transaction: Transaction, given: ListTable) -> EditResult:
    """Quotas whose parts stand in the list as well must add up; what did not before the list is left alone."""
    before = set(_tree_problems(transaction))
    done = apply_within(transaction, given)
    if not transaction.problems:
        transaction.problems += [problem for problem in _tree_problems(transaction) if problem not in before]
    return done


def _tree_problems(transaction: Transaction) -> list[Problem]:
    from siteplan.register.quotas import tree_problems

    return tree_problems(pd.DataFrame(read_rows(transaction.register, "quotas", connection=transaction.connection)))


def _plain_rows(given: ListTable) -> list[dict[str, Any]]:
    """Rows without the marks of ledgers."""
    if given.table in register_tables():
        rows = list(given_values(register_tables()[given.table], given.rows))
    else:
        names = list(given.rows.columns)
        cells = [[python_value(cell) for cell in given.rows[name].to_numpy(object)] for name in names]
        rows = [{name: value for name, value in zip(names, row, strict=True) if value is not None}
                for row in zip(*cells, strict=True)]
    return [{name: value for name, value in row.items() if name not in (EMPTIED, REVISION)} for row in rows]


def _works(transaction: Transaction, given: ListTable, options: ListOptions) -> EditResult:
    transaction.problems += given.problems
    rows = _plain_rows(given)
    name = options.get("list_name") or (str(rows[0].get(ORIGIN[0], "")) if rows else "") or "清单"
    return take_works(transaction, rows, name, options.get("replaces", ()), given.ledger)


def take_works(transaction: Transaction, rows: Sequence[Mapping[str, Any]], list_name: str,
               replaces: Sequence[str] = (), ledger: InputLedger | None = None) -> EditResult:
    """Rows of a works list into the register, within a transaction; what it changed is told in the ledger.

    Parameters
    ----------
    transaction : Transaction
        Gets the problems; a list to replace that the register does not know is one.
    rows : sequence of mapping
        As :func:`~siteplan.register.works.import_works` takes them.
    list_name : str
    replaces : sequence of str
        Names of lists that this one takes the place of.
    ledger : InputLedger, optional
        What reading the list had to tell.

    Returns
    -------
    EditResult
    """
    from siteplan.register.works import change_lines, import_works

    told = InputLedger(() if ledger is None else ledger)
    before = read_rows(transaction.register, "works", connection=transaction.connection)
    lists = sorted(set(before["list_name"].dropna()))
    transaction.problems += [
        Problem("works", transaction.register.shown, "", "--replaces", f"储备库里没有工程清单“{name}”",
                f"已有的清单:{'、'.join(lists[:10]) or '无'}") for name in replaces if name not in lists]
    change = import_works(transaction, rows, list_name, transaction.stamp.day, replaces=replaces)
    known = read_rows(transaction.register, "works", connection=transaction.connection)
    for line in change_lines(change, pd.DataFrame(known)):
        told.add("works", list_name, "", "", "", "note", line, "核对")
    return EditResult("works", tuple(change.added), tuple(move.work_id for move in change.changed), change.same, told,
                      tuple(change.gone), tuple(change.returned))


def _work_plan(transaction: Transaction, given: ListTable, year: int) -> EditResult:
    """Plans of work as tasks; a matter of the same organisation and year is added once."""
    from siteplan.register.duties import work_plan_rows

    transaction.problems += given.problems
    rows: list[dict[str, Any]] = []
    for row in _plain_rows(given):
        issued_on = row.get("issued_on")
        try:
            rows += work_plan_rows([row], year, issued_on if isinstance(issued_on, dt.date) else transaction.stamp.day)
        except RegisterError as error:
            transaction.problems += error.problems
    tasks = read_rows(transaction.register, "tasks", connection=transaction.connection)
    of_year = tasks[(tasks["kind"] == "work_plan") & (tasks["due_on"].dt.year == year)]
    known = {pair: str(row_id) for row_id, pair in zip(of_year.index, zip(
        of_year["organisation"], of_year["title"], strict=True), strict=True)}
    ledger, fresh = InputLedger(given.ledger), list[dict[str, Any]]()
    field = register_tables()["tasks"].fields["organisation"]
    for row in rows:
        held = known.get((checked_names(transaction, field, str(row["organisation"])), row["title"]))
        if held is None:
            fresh.append(row)
        else:
            ledger.add("tasks", str(row.get(ORIGIN[0], "")), str(row.get(ORIGIN[1], "")), "title", str(row["title"]),
                       "note", f"{year}年计划已有这一项({held}),没有重复登记", "内容有变化的,修改已登记的任务")
    if not fresh:
        return EditResult("tasks", (), (), len(rows), ledger)
    done = apply_within(transaction, ListTable("tasks", pd.DataFrame(fresh, dtype=object), ledger))
    return replace(done, unchanged=done.unchanged + len(rows) - len(fresh))


def _split(transaction: Transaction, given: ListTable, parent_id: str) -> EditResult:
    from siteplan.register.quotas import import_split

    transaction.problems += given.problems
    if not parent_id:
        transaction.problems.append(Problem("quotas", "", "", "--parent", "没有写分解的是哪一个指标",
                                            "写上级指标的编号(--parent ZB000001)"))
        return EditResult("quotas", (), (), 0, given.ledger)
    try:
        ids = import_split(transaction, parent_id, _plain_rows(given))
    except RegisterError as error:
        transaction.problems += error.problems or [Problem("quotas", "", "", "", str(error), "核对清单")]
        return EditResult("quotas", (), (), 0, given.ledger)
    return EditResult("quotas", tuple(ids), (), 0, given.ledger)


def _minutes(transaction: Transaction, given: ListTable) -> EditResult:
    from siteplan.register.duties import tasks_from_minutes

    transaction.problems += given.problems
    rows = [row | {"partners": split_many(row["partners"])} if "partners" in row else row
            for row in _plain_rows(given)]
    done = tasks_from_minutes(transaction, rows)
    ledger = InputLedger(given.ledger)
    for again in done.repeated:
        ledger.add(again.layer, again.file, again.row, again.field, "", "note", again.reason, again.remedy)
    return EditResult("tasks", (*done.decisions, *done.tasks), (), len(done.repeated), ledger)


def _opinions(transaction: Transaction, given: ListTable) -> EditResult:
    from siteplan.register.opinions import import_opinions

    transaction.problems += given.problems
    told = InputLedger()
    rows = _fee_rows(given) if given.table == "fees" else _plain_rows(given)
    table = pd.DataFrame([{name: row.get(name) for name in _OPINIONS} for row in rows], columns=list(_OPINIONS))
    ids = import_opinions(transaction, table, told)
    ledger = InputLedger(given.ledger)
    again = 0
    for line in told:
        again += "没有重复登记" in line.reason
        if line.action == "refused":
            transaction.problems.append(line.as_problem())
        else:
            ledger.extend([line])
    return EditResult("fees" if given.table == "fees" else "decisions", tuple(ids), (), again, ledger)


def _fee_rows(given: ListTable) -> list[dict[str, Any]]:
    """Fee complaints in the columns of the layer ``decisions``."""
    out = []
    for row in _plain_rows(given):
        amount = row.get("amount_yuan")
        words = word_of("fees", "kind", row.get("kind")) or str(row.get("kind") or "")
        value = words if amount is None else f"{words} {amount:.15g}元"
        out.append({"id": row.get("ref"), "action": "收费", "value": value, "who": row.get("payer"),
                    "date": row.get("day"), "why": row.get("why"), **{name: row.get(name) for name in ORIGIN}})
    return out

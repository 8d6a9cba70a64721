"""A new works list: what came, what moved, what is no longer listed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
import shapely

from siteplan.register.dictionary import register_tables, word_of
from siteplan.register.store import DAY, Transaction, add_rows, edit_rows, read_rows
from siteplan.register.store.values import is_same
from siteplan.register.works.listed import ListedRow, known_works, listed_rows, plain
from siteplan.register.works.matching import DONE
from siteplan.register.works.rates import JointWorks, load_joint_works

_KEPT = ("list_name", "is_current")
_SAME_SHAPE_M = 0.05
"""Shapes no further apart than this are one: a list in degrees comes back with rounded places."""
_DAYS = {"start_on": "开工", "end_on": "完工"}


@dataclass(frozen=True)
class WorksMove:
    """What changed of one works.

    Attributes
    ----------
    work_id, name : str
    start_days, end_days : int or None
        How far the start and the end moved (later is positive); None where one of the two days is not known.
    is_elsewhere : bool
        Its geometry is another one.
    fields : tuple of str
        Columns that changed.
    text : str
        All of it in Chinese.
    """

    work_id: str
    name: str
    start_days: int | None
    end_days: int | None
    is_elsewhere: bool
    fields: tuple[str, ...]
    text: str


@dataclass(frozen=True)
class WorksChange:
    """What a works list changed in the register.

    Attributes
    ----------
    list_name : str
    day : date
    added, gone, returned : tuple of str
        Ids of works that are new, no longer listed (now not current), listed again.
    changed : tuple of WorksMove
    same : int
        Rows that changed nothing.
    affected : tuple of (site id, works id)
        Sites not yet on air whose accepted works moved, changed its window or left the list.
    notes : tuple of str
        What was assumed in reading, and what the list does not touch.
    """

    list_name: str
    day: dt.date
    added: tuple[str, ...] = ()
    changed: tuple[WorksMove, ...] = ()
    gone: tuple[str, ...] = ()
    returned: tuple[str, ...] = ()
    same: int = 0
    affected: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()


def import_works(transaction: Transaction, rows: Iterable[Mapping[str, Any]], list_name: str, day: dt.date, *,
                 replaces: Iterable[str] = (), settings: JointWorks | None = None) -> WorksChange:
    """Take over a works list.

    Parameters
    ----------
    transaction : Transaction
    rows : iterable of mapping
        Columns of ``works`` with ``geometry`` in the register's CRS; ``source_file`` and ``source_row`` name the row.
        A column that no row fills is not given and changes nothing; an empty cell of another one empties.
    list_name : str
        Name of the list. When a list of this name comes again, works of that name that it does not hold are no longer
        current. Works of other lists stay as they are.
    day : date
        The day from which the list holds.
    replaces : iterable of str
        Other lists that this one takes the place of.
    settings : JointWorks, optional

    Returns
    -------
    WorksChange
        Empty where rows have problems: they are in the transaction, all of them, and nothing of the list is written.

    Notes
    -----
    A row is a known works by its number; without one by name, kind and place. Kinds that the register does not spell
    are taken by the words of ``tables/joint_works.toml``, which is noted. Sites that count on works that moved or left
    are told (``affected``); their decision stands until somebody changes it.
    """
    rules = (settings or load_joint_works()).list
    before = len(transaction.problems)
    listed, problems, notes = listed_rows(rows, list_name)
    transaction.problems += problems
    if len(transaction.problems) > before:
        return WorksChange(list_name, day)
    known = read_rows(transaction.register, "works", connection=transaction.connection)
    ended = [row for row in listed if row.values.get("is_current") is False]
    listed = [row for row in listed if row.values.get("is_current") is not False]
    found, problems = known_works(listed, known, rules)
    transaction.problems += problems
    if problems:
        return WorksChange(list_name, day)
    why = f"工程清单“{list_name}”({day})"
    scope = {list_name, *replaces}
    added = add_rows(transaction, "works", [
        {**row.values, **row.origin, "list_name": list_name, "is_current": True, DAY: day}
        for row, key in zip(listed, found, strict=True) if key is None], why)
    given = {name for row in listed for name, value in row.values.items() if value is not None} - set(_KEPT)
    pairs = [(row, key) for row, key in zip(listed, found, strict=True) if key is not None]
    moves, edits, returned = _moves(pairs, known, given)
    current = known.index[known["is_current"].fillna(True).astype(bool) & known["list_name"].isin(scope)].astype("str")
    gone = tuple(sorted(set(current) - {key for _, key in pairs}))
    edits = {key: {**edit, "list_name": list_name, "is_current": True, DAY: day} for key, edit in edits.items()}
    edits |= {key: {"is_current": False, DAY: day} for key in gone}
    edit_rows(transaction, "works", edits, why)
    other = int((known["is_current"].fillna(True).astype(bool) & ~known["list_name"].isin(scope)).sum()) - sum(
        known.at[key, "list_name"] not in scope for _, key in pairs)
    notes += [f"{len(ended)}行注明非现行,不列入"] * bool(ended) + [f"其他清单的{other}项工程不受影响"] * (other > 0)
    touched = {move.work_id for move in moves if {"start_on", "end_on", "geometry"} & set(move.fields)} | set(gone)
    return WorksChange(list_name, day, tuple(added), tuple(moves), gone, returned, len(pairs) - len(moves),
                       _affected(transaction, touched), tuple(notes))


def change_lines(change: WorksChange, works: pd.DataFrame) -> tuple[str, ...]:
    """What a list changed, line by line in Chinese.

    Parameters
    ----------
    change : WorksChange
    works : DataFrame
        The table ``works`` after it, for the names.
    """
    def named(key: str) -> str:
        return f"{works.at[key, 'name']}({key})"
    head = (f"工程清单“{change.list_name}”({change.day}):新增{len(change.added)}项、变更{len(change.changed)}项、"
            f"不再列入{len(change.gone)}项、重新列入{len(change.returned)}项、未变{change.same}项")
    return (head, *(f"新增:{named(key)}" for key in change.added), *(f"变更:{move.text}" for move in change.changed),
            *(f"不再列入:{named(key)}" for key in change.gone), *(f"重新列入:{named(key)}" for key in change.returned),
            *(f"须复核:站址 {site} 已定与 {named(key)} 同步实施" for site, key in change.affected), *change.notes)


def _moves(pairs: Iterable[tuple[ListedRow, str]], known: pd.DataFrame, given: set[str],
           ) -> tuple[list[WorksMove], dict[str, dict[str, Any]], tuple[str, ...]]:
    """What changes of each works that is known: told, and as edits."""
    moves, edits, returned = list[WorksMove](), dict[str, dict[str, Any]](), []
    cells = {name: dict(zip(known.index, known[name], strict=True)) for name in (*given, *_KEPT)}
    for row, key in pairs:
        old = {name: plain(cells[name][key]) for name in given}
        new = {name: value for name, value in row.values.items() if name in given and not _same(name, old[name], value)}
        if row.values.get("work_no") is None:
            new.pop("work_no", None)
        edits[key] = {**new, **row.origin}
        if plain(cells["is_current"][key]) is False:
            returned.append(key)
        if new:
            moves.append(_move(key, str(known.at[key, "name"]), {name: old[name] for name in new}, new))
    return moves, edits, tuple(returned)


def _same(name: str, old: Any, new: Any) -> bool:
    if old is None or new is None:
        return old is None and new is None
    if name != "geometry" and isinstance(old, float):
        return old == float(new)
    if isinstance(old, shapely.Geometry) and isinstance(new, shapely.Geometry):
        return old.geom_type == new.geom_type and bool(shapely.hausdorff_distance(old, new) <= _SAME_SHAPE_M)
    return is_same(old, new)


def _move(key: str, name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> WorksMove:
    days: dict[str, int | None] = dict.fromkeys(_DAYS)
    words = []
    for field, value in new.items():
        if field in _DAYS:
            if old[field] is not None and value is not None:
                days[field] = (value - old[field]).days
            words.append(_day_words(_DAYS[field], old[field], value))
        elif field == "geometry":
            words.append("位置有变")
        else:
            zh = register_tables()["works"].fields[field].spec.zh
            words.append(f"{zh}由“{_spelled(field, old[field])}”改为“{_spelled(field, value)}”")
    return WorksMove(key, name, days["start_on"], days["end_on"], "geometry" in new, tuple(new),
                     f"{name}({key}):{','.join(words)}")


def _day_words(what: str, old: dt.date | None, new: dt.date | None) -> str:
    if old is None or new is None:
        return f"{what}日期由{old or '未提供'}改为{new or '未提供'}"
    days = (new - old).days
    return f"{what}{'推迟' if days > 0 else '提前'}{abs(days)}天({old}→{new})"


def _spelled(field: str, value: Any) -> str:
    if value is None:
        return "未填"
    if isinstance(value, float):
        return f"{value:.15g}"
    return word_of("works", field, value) if isinstance(value, str) else str(value)


def _affected(transaction: Transaction, touched: set[str]) -> tuple[tuple[str, str], ...]:
    """Sites not yet on air that are to be built with one of some works."""
    if not touched:
        return ()
    sites = read_rows(transaction.register, "sites", connection=transaction.connection)
    hit = sites[sites["joint_work"].isin(touched) & ~sites["state"].isin(DONE)]
    return tuple((str(site), str(work)) for site, work in hit["joint_work"].items())

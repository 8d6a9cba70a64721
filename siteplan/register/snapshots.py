"""Snapshots of the register, its state on a day, and the difference between two of them."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
from sqlalchemy import Connection, func, select

from siteplan.errors import Problem, RegisterError
from siteplan.register.dictionary import register_tables, word_of
from siteplan.register.rules.site_states import STATES
from siteplan.register.store import (
    Register,
    Stamp,
    add_rows,
    raise_problems,
    read_events,
    read_rows,
    reading,
    writing,
)
from siteplan.register.store.values import text_of
from siteplan.register.sync.cells import plain_cells
from siteplan.register.sync.matching import xy_of
from siteplan.register.sync.record import place_setting

CHANGES: Mapping[str, str] = {
    "added": "新增", "dropped": "未再列入", "taken_up": "重新列入", "state": "状态变化", "moved": "移位", "year": "年度调整",
    "cost": "投资调整"}
"""Kinds of changes of a site, and their words."""
COLUMNS = ("id", "name", "county", "town", "change", "change_zh", "before", "after", "words")


def take_snapshot(register: Register, name: str, day: dt.date, stamp: Stamp) -> str:
    """Note how the sites stood at the end of a day, so that later entries about the time before are noticed.

    Parameters
    ----------
    register : Register
    name : str
        Such as ``2026年上半年``; every name once.
    day : date
        Not later than the stamp's day.
    stamp : Stamp

    Returns
    -------
    str
        Id of the snapshot.

    Raises
    ------
    RegisterError
        The name is taken or empty, or the day lies ahead.
    """
    with writing(register, stamp) as transaction:
        if day > stamp.day:
            transaction.problems.append(Problem("snapshots", register.shown, name, "day",
                                                f"截止日 {day} 晚于登记日 {stamp.day}", "到期后再存快照"))
            raise_problems(transaction)
        sites = read_rows(register, "sites", day, connection=transaction.connection)
        newest = select(func.coalesce(func.max(register.layout.events.c.seq), 0))
        last = int(transaction.connection.execute(newest).scalar_one())
        (row_id,) = add_rows(transaction, "snapshots", [{
            "name": name, "day": day, "last_event": last, "digest": _digest(sites), "counts": counts_sentence(sites)}])
    return row_id


def counts_sentence(sites: pd.DataFrame) -> str:
    """How many sites there are in each state.

    >>> counts_sentence(pd.DataFrame({"state": ["reserve", "on_air", "reserve"]}))
    '共 3 处:储备 2、已开通 1'
    """
    counts = sites["state"].value_counts()
    told = "、".join(f"{word_of('sites', 'state', state)} {counts[state]}" for state in STATES if state in counts)
    return f"共 {len(sites)} 处{':' if told else ''}{told}"


def _digest(sites: pd.DataFrame) -> str:
    """Digest of a table of sites; columns that a later version adds are empty and do not count."""
    spec = register_tables()["sites"]
    cells = plain_cells(sites, spec, [name for name in spec.columns if name in sites])
    lines: list[list[str]] = [[str(row_id)] for row_id in sites.index]
    for name in sorted(cells):
        for line, cell in zip(lines, cells[name], strict=True):
            if cell is not None:
                line.append(f"{name}={text_of(cell)}")
    told = "\n".join("\x1f".join(line) for line in sorted(lines))
    return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def state_on(register: Register, when: dt.date | str, *, connection: Connection | None = None) -> gpd.GeoDataFrame:
    """The sites as they stood at the end of a day, as far as is known now.

    Parameters
    ----------
    register : Register
    when : date or str
        A day, or the name of a snapshot. Entries that came later about the time before count;
        :func:`late_entries` tells of them.
    connection : Connection, optional

    Raises
    ------
    RegisterError
        There is no snapshot of this name.
    """
    if connection is None:
        with reading(register) as own:
            return state_on(register, when, connection=own)
    day = when if isinstance(when, dt.date) else _snapshot(register, when, connection)["day"].date()
    return gpd.GeoDataFrame(read_rows(register, "sites", day, connection=connection))


def _snapshot(register: Register, name: str, connection: Connection) -> pd.Series:
    table = read_rows(register, "snapshots", connection=connection)
    found = table[table["name"] == name]
    if found.empty:
        listed = "、".join(table["name"]) or "还没有快照"
        raise RegisterError("没有这个快照:", [
            Problem("snapshots", register.shown, name, "name", "没有这个名称的快照", f"可用:{listed}")])
    return found.iloc[0]


def late_entries(register: Register, name: str) -> pd.DataFrame:
    """What was entered after a snapshot was taken about the time before its day: the log; no rows while it holds.

    Parameters
    ----------
    register : Register
    name : str
        Of the snapshot.

    Returns
    -------
    DataFrame
        Events of sites, see :func:`read_events`; corrections among them.
    """
    with reading(register) as connection:
        snapshot = _snapshot(register, name, connection)
        day = snapshot["day"].date()
        events = read_events(register, table="sites", until=day, with_void=True, connection=connection)
        late = pd.concat([events, _completions(register, day, connection)])
        late = late[late["seq"] > snapshot["last_event"]]
        again = _digest(state_on(register, name, connection=connection))
    return late.reset_index(drop=True) if again != snapshot["digest"] else late.iloc[:0].reset_index(drop=True)


def _completions(register: Register, day: dt.date, connection: Connection) -> pd.DataFrame:
    """Events dated after a day that tell of a completion up to it."""
    meant = register_tables()["sites"].completion
    if meant is None:
        return read_events(register, table="sites", until=dt.date.min, connection=connection)
    events = read_events(register, table="sites", field=meant.day, after=day, connection=connection)
    return events[(events["new"] <= day.isoformat()).to_numpy(bool)]


def snapshot_sentences(register: Register, names: Sequence[str]) -> tuple[str, ...]:
    """A sentence for each snapshot whose past was changed by later entries.

    Where the state differs and no entry explains it (a correction of a later day, another program), that is said.
    """
    out = []
    for name in names:
        with reading(register) as connection:
            snapshot = _snapshot(register, name, connection)
            same = _digest(state_on(register, name, connection=connection)) == snapshot["digest"]
        if same:
            continue
        late = late_entries(register, name)
        day, sites = snapshot["day"].date(), late["row_id"].nunique()
        why = f"存快照后补登了 {len(late)} 条,涉及站址 {sites} 处" if len(late) else "原因须查变更记录(更正,或被其他程序改动)"
        out.append(f"快照“{name}”({day})的内容与存入时不同:{why}。")
    return tuple(out)


def difference(register: Register, one: dt.date | str, other: dt.date | str) -> pd.DataFrame:
    """What changed at the sites between two days or snapshots.

    Parameters
    ----------
    register : Register
    one, other : date or str
        The earlier and the later one.

    Returns
    -------
    DataFrame
        One row for each change of a site: ``id, name, county, town, change`` (added | dropped | taken_up | state |
        moved | year | cost)``, change_zh, before, after, words``; by id, then in this order.

    Raises
    ------
    RegisterError
        There is no such snapshot, or the days are in the wrong order.
    """
    with reading(register) as connection:
        days = [when if isinstance(when, dt.date) else _snapshot(register, when, connection)["day"].date()
                for when in (one, other)]
        if days[0] > days[1]:
            raise RegisterError("不能比较:", [
                Problem("sites", register.shown, "", "day", f"{days[0]} 晚于 {days[1]}", "先写较早的一个")])
        return compare_sites(*(state_on(register, day, connection=connection) for day in days))


def compare_sites(before: gpd.GeoDataFrame, after: gpd.GeoDataFrame) -> pd.DataFrame:
    """The table of :func:`difference` of two tables of sites."""
    same = after.index.intersection(before.index)
    old, new = before.loc[same], after.loc[same]
    rows = list(_added(after.loc[after.index.difference(before.index)]))
    rows += _states(old, new)
    rows += _listing(old, new)
    rows += _moves(old, new)
    rows += _numbers(old, new, "phase_year", "year", "{:.0f} 年度")
    rows += _numbers(old, new, "capex_yuan", "cost", "{:,.0f} 元")
    order = {name: number for number, name in enumerate(CHANGES)}
    rows.sort(key=lambda row: (row[0], order[row[1]]))
    places = after.reindex([row[0] for row in rows])
    told = {name: places[name].fillna("").astype("str").to_numpy() for name in ("name", "county", "town")}
    return pd.DataFrame({
        "id": [row[0] for row in rows], **told, "change": [row[1] for row in rows],
        "change_zh": [CHANGES[row[1]] for row in rows], "before": [row[2] for row in rows],
        "after": [row[3] for row in rows], "words": [row[4] for row in rows]}, columns=list(COLUMNS)).astype("str")


_Row = tuple[str, str, str, str, str]


def _added(sites: pd.DataFrame) -> Iterator[_Row]:
    for row_id, state in zip(sites.index, sites["state"], strict=True):
        word = word_of("sites", "state", state)
        yield str(row_id), "added", "", word, f"新增,{word}"


def _states(old: pd.DataFrame, new: pd.DataFrame) -> Iterator[_Row]:
    changed = (old["state"] != new["state"]).to_numpy(bool)
    table = new[changed]
    states = zip(table.index, old["state"][changed], table["state"], table["state_reason"], strict=True)
    for row_id, was, now, why in states:
        one, other = word_of("sites", "state", was), word_of("sites", "state", now)
        reason = f"({why})" if isinstance(why, str) and now in ("blocked", "withdrawn") else ""
        yield str(row_id), "state", one, other, f"{one}→{other}{reason}"


def _listing(old: pd.DataFrame, new: pd.DataFrame) -> Iterator[_Row]:
    was, now = (np.asarray(table["in_plan"].fillna(False), dtype=bool) for table in (old, new))
    told = np.asarray(old["in_plan"].notna(), dtype=bool)
    for row_id in new.index[was & ~now]:
        yield str(row_id), "dropped", "在规划中", "不在规划中", "新方案不再列入"
    for row_id in new.index[~was & now & told]:
        yield str(row_id), "taken_up", "不在规划中", "在规划中", "新方案重新列入"


def _moves(old: gpd.GeoDataFrame, new: gpd.GeoDataFrame) -> Iterator[_Row]:
    here, there = xy_of(old.geometry.to_numpy()), xy_of(new.geometry.to_numpy())
    away = np.hypot(*(there - here).T)
    for number in np.flatnonzero(away > place_setting("moved_m")):
        was, now = (f"{x:.1f}, {y:.1f}" for x, y in (here[number], there[number]))
        yield str(new.index[number]), "moved", was, now, f"移动 {away[number]:.1f} 米"


def _numbers(old: pd.DataFrame, new: pd.DataFrame, column: str, change: str, form: str) -> Iterator[_Row]:
    one, other = old[column].to_numpy(float), new[column].to_numpy(float)
    for number in np.flatnonzero(~((one == other) | (np.isnan(one) & np.isnan(other)))):
        was, now = (_shown(value, form) for value in (one[number], other[number]))
        yield str(new.index[number]), change, was, now, f"{was or '未定'}→{now or '未定'}"


def _shown(value: Any, form: str) -> str:
    return "" if np.isnan(value) else form.format(value)


def difference_counts(changes: pd.DataFrame) -> dict[str, int]:
    """How many sites have each kind of change.

    >>> difference_counts(pd.DataFrame({"change": ["state", "state", "moved"]}))["state"]
    2
    """
    counts = changes["change"].value_counts()
    return {name: int(counts.get(name, 0)) for name in CHANGES}

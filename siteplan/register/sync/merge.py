"""Bring a plan into the register, in one transaction."""

from __future__ import annotations

import datetime as dt
import gc
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, NamedTuple

import pandas as pd

from siteplan.errors import Problem
from siteplan.register.dictionary import register_tables
from siteplan.register.opinions import link_opinions
from siteplan.register.store import (
    Register,
    Stamp,
    Transaction,
    add_rows,
    edit_rows,
    known_names,
    raise_problems,
    read_rows,
    require_sealed,
    writing,
)
from siteplan.register.store.names import organisation_words
from siteplan.register.sync.held import held_table
from siteplan.register.sync.link_changes import LinkChanges, link_changes
from siteplan.register.sync.matching import match_sites, mount_family, xy_of
from siteplan.register.sync.office import SYNC_WHY, office_values
from siteplan.register.sync.record import (
    INDICATOR_FIELDS,
    SITE_FIELDS,
    VENUE_FIELDS,
    PlanRecord,
    TypedTable,
    record_faults,
    typed_table,
)
from siteplan.register.sync.result import COLUMNS, HELD_COLUMNS, SyncResult, no_rows
from siteplan.register.sync.site_changes import FACTS, SiteChanges, site_changes
from siteplan.register.sync.venue_changes import FACTS as VENUE_FACTS
from siteplan.register.sync.venue_changes import FILLED as VENUE_FILLED
from siteplan.register.sync.venue_changes import VenueChanges, venue_changes

_REFUSED = "方案没有并入储备库:"


def sync_plan(register: Register, record: PlanRecord, stamp: Stamp) -> SyncResult:
    """Bring a new plan into the register: all of it, or nothing.

    Sites are matched by :func:`match_sites`. Those matched keep their id and history: the plan sets its results (order,
    gain, reason) and its facts (place, height, owner ...), but for what the office wrote itself and for sites that are
    approved, being built or on air; ``SyncResult.held`` tells what was not followed. States, progress and status
    columns, deadlines, builders and notes are never touched. New sites come as ``reserve``. Those that the plan does
    not list any more are no longer ``in_plan`` and keep their state; committed ones stay as they are. The same plan
    again changes nothing.

    Parameters
    ----------
    register : Register
    record : PlanRecord
    stamp : Stamp
        Who brings it in, on which day.

    Returns
    -------
    SyncResult

    Raises
    ------
    RegisterError
        Something is wrong with the plan, it is earlier than the last one, or another program changed the register;
        nothing was written.
    """
    with _uncollected(), writing(register, stamp) as transaction:
        require_sealed(register, ("plans",), connection=transaction.connection)
        plans = read_rows(register, "plans", connection=transaction.connection)
        incoming = _typed(transaction, record, plans)
        raise_problems(transaction, _REFUSED)
        found = _compared(transaction, incoming)
        raise_problems(transaction, _REFUSED)
        latest = _latest(plans)
        if latest is not None and _says_the_same(latest, record) and not found.any():
            return _result(record, str(latest.name), found, is_same=True)
        return _written(transaction, record, found)


@contextmanager
def _uncollected() -> Iterator[None]:
    """The search for circles of objects rests: millions of cells are made here, none of them in circles."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


class _Incoming(NamedTuple):
    sites: TypedTable
    venues: TypedTable
    link_shapes: dict[str, Any]


class _Found(NamedTuple):
    """What is to be written."""

    sites: SiteChanges
    venues: VenueChanges
    links: LinkChanges

    def any(self) -> bool:
        return bool(self.sites.added or self.sites.edits or self.venues.added or self.venues.edits or self.links.added
                    or self.links.ended)


def _typed(transaction: Transaction, record: PlanRecord, plans: pd.DataFrame) -> _Incoming:
    """The tables of a record in types and CRS of the register; everything that is wrong with it becomes a problem."""
    tables, source, problems = register_tables(), _source(record), transaction.problems
    crs = record.crs, transaction.register.crs
    columns = (*SITE_FIELDS, "phase_year")
    given = record.sites.assign(phase_year=record.sites["build_year"]) if "build_year" in record.sites else record.sites
    sites = typed_table(given, tables["sites"], columns, crs, problems, source)
    venue = record.sites["venue"].to_numpy(object) if "venue" in record.sites else [None] * len(sites.ids)
    cells = {**sites.cells, "build_year": sites.cells["phase_year"],
             "venue": [text if isinstance(text, str) and text else None for text in venue]}
    sites = replace(sites, cells=cells)
    venues = typed_table(record.venues, tables["venues"], VENUE_FIELDS, crs, problems, source)
    sites, venues = (_named(transaction, table) for table in (sites, venues))
    links = typed_table(record.links, tables["links"], (), crs, problems, source)
    problems += record_faults(record, sites, source)
    unknown = sorted({text for text in cells["venue"] if text} - set(venues.ids))
    problems += [Problem("sites", source, "", "venue", f"方案的场所中没有 {text}", "核对成果,重新运行 siteplan run")
                 for text in unknown]
    problems += _day_faults(transaction.stamp.day, record, plans, source)
    shapes = {key: shape for key, shape in zip(links.ids, links.shapes, strict=True) if shape is not None}
    return _Incoming(sites, venues, shapes)


def _source(record: PlanRecord) -> str:
    """What problems name as the file."""
    return record.folder or record.name.strip() or "方案"


def _named(transaction: Transaction, table: TypedTable) -> TypedTable:
    """Departments under the names that the register has for them."""
    known, words = known_names(transaction, "organisations"), organisation_words(transaction)
    meant = {text: words[text][0] for text in table.cells["department"]
             if text and text not in known and len(words.get(text, ())) == 1}
    named = [meant.get(text, text) for text in table.cells["department"]]
    return replace(table, cells={**table.cells, "department": named})


def _day_faults(day: dt.date, record: PlanRecord, plans: pd.DataFrame, source: str) -> Iterable[Problem]:
    if not record.name.strip():
        yield Problem("plans", source, "", "name", "规划没有名称", "在研究文件中写明 name")
    if record.day > day:
        yield Problem("plans", source, record.name, "day", f"规划的数据日期 {record.day} 晚于并入日期 {day}", "核对两个日期")
    latest = _latest(plans)
    if latest is not None and latest["day"].date() > day:
        yield Problem("plans", source, record.name, "day",
                      f"并入日期 {day} 早于上一次并入 {latest['day'].date()}(“{latest['name']}”)", "改用不早于该日的日期")


def _latest(plans: pd.DataFrame) -> pd.Series | None:
    """The plan that was brought in last."""
    return None if plans.empty else plans.sort_values("day", kind="stable").iloc[-1]


def _plan_row(record: PlanRecord) -> dict[str, Any]:
    years = record.years
    return {"name": record.name.strip(), "version": record.version.strip() or None, "sites": len(record.sites),
            "first_year": min(years) if years else None, "last_year": max(years) if years else None,
            "notices": "\n".join(record.notices) or None}


def _says_the_same(latest: pd.Series, record: PlanRecord) -> bool:
    """Whether the last plan is this one, as far as its own row tells."""
    return all((value is None and pd.isna(latest[name])) or latest[name] == value
               for name, value in _plan_row(record).items())


def _compared(transaction: Transaction, incoming: _Incoming) -> _Found:
    """What the plan changes, without writing anything."""
    held_venues, held, held_links = (held_table(transaction, name) for name in ("venues", "sites", "links"))
    venues = venue_changes(incoming.venues, held_venues, office_values(
        transaction, "venues", (*VENUE_FACTS, *VENUE_FILLED)))
    transaction.problems += _same_study_ids(held, transaction.register.shown)
    raise_problems(transaction, _REFUSED)
    matches = match_sites(_to_match(incoming.sites), _held_to_match(held, held_venues, venues))
    rows = {**{text: text for text in incoming.venues.ids}, **venues.rows}
    sites = site_changes(incoming.sites, rows, held, matches, office_values(
        transaction, "sites", (*FACTS, "geometry", "is_hard")))
    _tell(sites, transaction, incoming)
    moved = {row_id for row_id in sites.tables["moved"].index if "geometry" in sites.edits.get(row_id, ())}
    stands = set(sites.tables["moved"].index) - moved
    over = stands | set(sites.tables["withdrawn"].index)
    kept = {study_id: row_id for study_id, row_id in sites.rows.items() if row_id not in over}
    asked = {key: line for key, line in incoming.link_shapes.items() if sites.rows.get(key) not in over}
    return _Found(sites, venues, link_changes(asked, held_links, kept, sites.out, moved))


def _same_study_ids(held: TypedTable, shown: str) -> Iterable[Problem]:
    """Sites of the register that were entered with the same study id: which of them is meant cannot be told."""
    rows_of: dict[str, list[str]] = {}
    for row_id, text in zip(held.ids, held.cells["study_id"], strict=True):
        rows_of.setdefault(text or "", []).append(row_id)
    for text, rows in ((text, rows) for text, rows in rows_of.items() if text and len(rows) > 1):
        yield Problem("sites", shown, "、".join(rows), "study_id", f"几行的成果编号都是 {text}", "只留一行,其余改空")


def _to_match(sites: TypedTable) -> pd.DataFrame:
    """A plan's sites as `match_sites` takes them."""
    xy, cells = xy_of(sites.shapes), sites.cells
    return pd.DataFrame({
        "name": _texts(cells["name"]), "venue": _texts(cells["venue"]), "build": _texts(cells["build"]),
        "family": _texts(mount_family(text or "") for text in cells["mount"]), "x": xy[:, 0], "y": xy[:, 1]},
        index=pd.Index(sites.ids, dtype="str", name="study_id"))


def _held_to_match(held: TypedTable, venues: TypedTable, changes: VenueChanges) -> pd.DataFrame:
    """The register's sites as `match_sites` takes them; venues by the study id that they have in this plan."""
    study_of = {row_id: text for row_id, text in zip(venues.ids, venues.cells["study_id"], strict=True)
                if row_id not in changes.freed}
    study_of |= {row_id: text for text, row_id in changes.rows.items()}
    xy, cells = xy_of(held.shapes), held.cells
    same = {name: _texts(cells[name]) for name in ("name", "study_id", "former_ids", "state")}
    return pd.DataFrame({
        **same, "venue": _texts(study_of.get(text) for text in cells["venue_id"]),
        "family": _texts(mount_family(text or "") for text in cells["mount"]), "x": xy[:, 0], "y": xy[:, 1]},
        index=pd.Index(held.ids, dtype="str", name="id"))


def _texts(cells: Iterable[Any]) -> Any:
    return pd.array([text or "" for text in cells], dtype="str")


def _tell(sites: SiteChanges, transaction: Transaction, incoming: _Incoming) -> None:
    """Counties that the register does not know, sites without one."""
    counties = {text for text in incoming.sites.cells["county"] if text}
    known = read_rows(transaction.register, "organisations", connection=transaction.connection)
    listed = set(known.loc[known["kind"] == "county", "name"])
    if listed and counties - listed:
        sites.told.append(f"责任单位中没有这些县区:{'、'.join(sorted(counties - listed))}。核对名称,或先登记")
    left = incoming.sites.cells["county"].count(None)
    if left and counties:
        sites.told.append(f"{left} 处站址不知所属县区")


def _written(transaction: Transaction, record: PlanRecord, found: _Found) -> SyncResult:
    """Write what was found; the plan's own row first."""
    why = f"{SYNC_WHY}“{record.name}”"
    row = {**_plan_row(record), "day": transaction.stamp.day, "folder": record.folder or None}
    (plan_id,) = add_rows(transaction, "plans", [row], why)
    new = _add_departments(transaction, found, why)
    if new:
        found.sites.told.append(f"责任单位中新登记了部门:{'、'.join(new)}(来自方案,核对是否为工作组成员)")
    edit_rows(transaction, "venues", {row_id: {"study_id": None} for row_id in found.venues.freed}, why)
    ids = add_rows(transaction, "venues", [_with_origin(entry, record) for entry in found.venues.added], why)
    venue_of = {entry["study_id"]: row_id for entry, row_id in zip(found.venues.added, ids, strict=True)}
    edit_rows(transaction, "venues", found.venues.edits, why)
    over = set(found.sites.tables["withdrawn"].index)
    listed = [row_id for row_id in found.sites.rows.values() if row_id not in over]
    edits = {row_id: _with_venue(edit, venue_of) for row_id, edit in found.sites.edits.items()}
    for row_id in listed:
        edits.setdefault(row_id, {})["plan_id"] = plan_id
    edit_rows(transaction, "sites", edits, why)
    every_venue = {**venue_of, **found.venues.rows}
    added = [_with_venue({**entry, "plan_id": plan_id}, every_venue) for entry in found.sites.added]
    site_ids = add_rows(transaction, "sites", [_with_origin(entry, record) for entry in added], why)
    site_of = {**found.sites.rows, **{entry["study_id"]: row_id for entry, row_id in zip(added, site_ids, strict=True)}}
    edit_rows(transaction, "links", {row_id: {"is_current": False} for row_id in found.links.ended}, why)
    add_rows(transaction, "links", [
        {"site_id": site_of[study_id], "length_m": round(float(shape.length), 3), "is_current": True, "geometry": shape}
        for study_id, shape in found.links.added.items()], why)
    rows = record.indicators[[*INDICATOR_FIELDS]].to_dict("records")
    add_rows(transaction, "indicators", [{**entry, "plan_id": plan_id, "day": record.day} for entry in rows], why)
    linked = link_opinions(transaction, why)
    if linked:
        found.sites.told.append(f"先前登记的意见和收费投诉 {linked} 条,按编号对上了站址或场所。")
    raise_problems(transaction, _REFUSED)
    return _result(record, plan_id, found, site_ids)


def _with_origin(values: Mapping[str, Any], record: PlanRecord) -> dict[str, Any]:
    """Values that problems name by their study id."""
    return {**values, "source_file": _source(record), "source_row": values["study_id"]}


def _with_venue(values: Mapping[str, Any], venue_of: Mapping[str, str]) -> dict[str, Any]:
    """Values with the register's id of a venue in place of its study id."""
    out = dict(values)
    venue = out.pop("venue", None)
    if venue:
        out["venue_id"] = venue_of[venue]
    if out.get("venue_id") in venue_of:
        out["venue_id"] = venue_of[out["venue_id"]]
    return out


def _add_departments(transaction: Transaction, found: _Found, why: str) -> list[str]:
    """Departments of the plan that the register does not know are entered, outside of the group."""
    rows = [*found.sites.added, *found.sites.edits.values(), *found.venues.added, *found.venues.edits.values()]
    named = {row["department"] for row in rows if row.get("department")}
    new = sorted(named - known_names(transaction, "organisations"))
    add_rows(transaction, "organisations",
             [{"name": name, "kind": "department", "in_group": False} for name in new], why)
    return new


def _result(record: PlanRecord, plan_id: str, found: _Found, ids: Iterable[str] = (), *, is_same: bool = False,
            ) -> SyncResult:
    """The result in tables."""
    rows = [(row_id, entry["name"] or "", entry["study_id"], entry["county"] or "", entry["town"] or "", "储备",
             entry["reason"] or "") for row_id, entry in zip(ids, found.sites.added, strict=True)]
    added = pd.DataFrame(rows, columns=["id", *COLUMNS]).set_index("id") if rows else no_rows()
    held = pd.DataFrame([*found.sites.held, *found.venues.held], columns=list(HELD_COLUMNS))
    return SyncResult(record.name, plan_id, is_same, added, held=held, told=tuple(found.sites.told),
                      **found.sites.tables)

"""Sites of a plan beside those of the register: what each keeps, what changes, what is new."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from siteplan.register.dictionary import RegisterTable, register_tables, word_of
from siteplan.register.sync.cells import joined_ids, shown, zh_of
from siteplan.register.sync.matching import HOW_ZH, SiteMatches
from siteplan.register.sync.office import OfficeValues
from siteplan.register.sync.record import TypedTable, place_setting
from siteplan.register.sync.result import COLUMNS, SHOWN, no_rows

FACTS = ("name", "kind", "build", "mount", "antenna_height_m", "azimuths", "networks", "bands", "station_count",
         "venue_id", "venue_class", "owner", "department", "is_free", "is_public", "county", "town", "address",
         "unit_code", "parcel_code", "land_use_code", "land_m2", "capex_yuan")
"""What a plan says of a site: a value that the office wrote itself stands, all of them once the site is approved."""
RESULTS = ("rank_no", "gain_demand", "reason")
"""What a plan computes: always that of the latest plan."""
COMMITTED = ("approved", "building", "on_air")
READ = ("study_id", "former_ids", "plan_id", "in_plan", "state", "blocked_from", "is_hard", "first_year", "phase_year",
        "plan_year", *FACTS, *RESULTS)
_TOLD = ("name", "study_id", "former_ids", "county", "town", "state", "blocked_from", "in_plan")
_AS_STATION = "已开通,新方案作为现有站址"
_COMMITTED_WHY, _OFFICE_WHY = "已批准、在建或已开通,以储备库为准", "办公室登记的取值"


@dataclass
class SiteChanges:
    """What the sites of a plan change.

    Attributes
    ----------
    added : list of dict
        New rows; ``venue`` (study id) is still to be replaced by ``venue_id``.
    edits : dict of str to dict
        Register id -> values.
    tables : dict of str to DataFrame
        Those of ``SyncResult`` but ``added``.
    held : list of tuple
        Rows of ``SyncResult.held``.
    rows : dict of str to str
        Study id -> register id of matched sites.
    out, stay : set of str
        Register ids of sites that the plan does not list: dropped, and committed ones.
    years : list of str
        Sites that the office gave a year which the plan's new year replaces.
    told : list of str
    """

    added: list[dict[str, Any]] = field(default_factory=list)
    edits: dict[str, dict[str, Any]] = field(default_factory=dict)
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    held: list[tuple[str, ...]] = field(default_factory=list)
    rows: dict[str, str] = field(default_factory=dict)
    out: set[str] = field(default_factory=set)
    stay: set[str] = field(default_factory=set)
    years: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)


def is_committed(state: str | None, blocked_from: str | None) -> bool:
    """Whether a site was approved, whatever has blocked it since.

    >>> is_committed("building", None), is_committed("blocked", "approved"), is_committed("blocked", "ready")
    (True, True, False)
    """
    return state in COMMITTED or (state == "blocked" and blocked_from in COMMITTED)


def site_changes(plan: TypedTable, venue_rows: Mapping[str, str], held: TypedTable, matches: SiteMatches,
                 office: OfficeValues) -> SiteChanges:
    """Compare matched sites, cell by cell.

    Parameters
    ----------
    plan : TypedTable
        Sites of the plan; among its cells ``build_year`` and ``venue``.
    venue_rows : mapping of str to str
        Study id of a venue -> its id in the register; new venues map to their study id until they have one.
    held : TypedTable
        Sites of the register.
    matches : SiteMatches
    office : OfficeValues
        What of ``FACTS`` the office wrote itself.
    """
    cells = {name: held.cells[name] for name in READ} | {"geometry": list(held.shapes)}
    row_number = {row_id: number for number, row_id in enumerate(held.ids)}
    out, lists = SiteChanges(), {name: list[tuple[Any, ...]]() for name in ("kept", "moved", "taken_up", "withdrawn")}
    pairs = zip(plan.ids, matches.pairs["row_id"], matches.pairs["how"], matches.pairs["distance_m"], strict=True)
    for number, (study_id, row_id, how, distance_m) in enumerate(pairs):
        own = {name: column[number] for name, column in plan.cells.items()} | {"geometry": plan.shapes[number]}
        own["venue_id"] = venue_rows.get(own.get("venue") or "")
        if not row_id:
            out.added.append(_new_site(study_id, own))
            continue
        now = {name: column[row_number[row_id]] for name, column in cells.items()}
        out.rows[study_id] = row_id
        _compare(out, lists, _Pair(row_id, study_id, now, own, HOW_ZH[how], float(distance_m)), office)
    _unlisted(out, held, cells, set(plan.ids))
    out.tables |= {"kept": _table(lists["kept"], "how", "distance_m"), "moved": _table(lists["moved"], "distance_m"),
                   "taken_up": _table(lists["taken_up"]), "withdrawn": _table(lists["withdrawn"])}
    if out.years:
        more = " 等" if len(out.years) > SHOWN else ""
        out.told.append(f"{len(out.years)} 处站址的计划年度先前由办公室调整过,现按新方案:{'、'.join(out.years[:SHOWN])}{more}。")
    names = dict(zip(held.ids, cells["name"], strict=True))
    out.told += [f"站址 {row.study_id} 与储备库 {row.row_id}({names[row.row_id]})编号相同,但相距 {row.distance_m:.0f} 米且名称不同,"
                 f"按两处站址处理" for row in matches.distrusted.itertuples()]
    return out


@dataclass(frozen=True)
class _Pair:
    """A site of the plan (``own``) and of the register (``now``)."""

    row_id: str
    study_id: str
    now: Mapping[str, Any]
    own: Mapping[str, Any]
    how: str
    distance_m: float

    def line(self, why: str, *more: Any) -> tuple[Any, ...]:
        now = self.now
        return (self.row_id, now["name"] or "", self.study_id, now["county"] or self.own["county"] or "",
                now["town"] or self.own["town"] or "", word_of("sites", "state", now["state"]), why, *more)


def _new_site(study_id: str, own: Mapping[str, Any]) -> dict[str, Any]:
    """A row of the register for a site that it does not have."""
    year = own["build_year"]
    return {**{name: own[name] for name in (*FACTS, *RESULTS, "geometry") if name != "venue_id"},
            "is_hard": own["is_hard"], "study_id": study_id, "venue": own.get("venue"), "origin": "plan",
            "in_plan": True, "state": "reserve", "first_year": year, "phase_year": year, "plan_year": year}


def _compare(out: SiteChanges, lists: dict[str, list[tuple[Any, ...]]], pair: _Pair, office: OfficeValues) -> None:
    """One matched site: its edits, and the lists that it stands in."""
    now, own, edit = pair.now, pair.own, _new_ids(pair)
    if now["state"] == "withdrawn":
        lists["withdrawn"].append(pair.line(f"{pair.how};已撤销"))
    else:
        firm = is_committed(now["state"], now["blocked_from"])
        edit |= _facts(out, lists, pair, firm, office) | _years(out, pair, firm)
        edit |= {name: own[name] for name in RESULTS if now[name] != own[name]}
        if now["in_plan"] is not True:
            edit["in_plan"] = True
            if now["in_plan"] is False:
                lists["taken_up"].append(pair.line("以前的方案未列入,本次重新列入"))
        if own["is_hard"] and not now["is_hard"] and not office.keeps(
                pair.row_id, "is_hard", now["is_hard"], True):
            edit["is_hard"] = True
        lists["kept"].append(pair.line(pair.how, pair.how, pair.distance_m))
    if edit:
        out.edits[pair.row_id] = edit


def _new_ids(pair: _Pair) -> dict[str, Any]:
    now = pair.now
    if now["study_id"] == pair.study_id:
        return {}
    former = joined_ids(now["former_ids"], [now["study_id"]], pair.study_id)
    return {"study_id": pair.study_id, **({} if former == now["former_ids"] else {"former_ids": former})}


def _facts(out: SiteChanges, lists: dict[str, list[tuple[Any, ...]]], pair: _Pair, firm: bool, office: OfficeValues,
           ) -> dict[str, Any]:
    """What the plan says otherwise of a site: taken, or held by the register and told."""
    spec, now, own, edit = register_tables()["sites"], pair.now, pair.own, dict[str, Any]()
    for name in (*FACTS, "geometry"):
        new, old = own[name], now[name]
        is_near = name == "geometry" and pair.distance_m <= place_setting("moved_m")
        if new is None or is_near or _same(spec, name, old, new):
            continue
        holds = (firm and old is not None) or office.keeps(pair.row_id, name, old, new)
        why = _COMMITTED_WHY if firm and old is not None else _OFFICE_WHY
        if name == "geometry" and old is not None:
            words = f"储备库位置不变({why})" if holds else "随方案移动"
            lists["moved"].append(pair.line(f"相距 {pair.distance_m:.1f} 米,{words}", pair.distance_m))
        if holds:
            out.held.append(("sites", pair.row_id, now["name"] or "", name, zh_of(spec, name), shown(spec, name, old),
                             shown(spec, name, new), why))
            continue
        edit[name] = new
        if name == "county" and old is not None:
            out.told.append(f"站址 {pair.row_id}({now['name']})所属县区由“{old}”改为“{new}”")
    return edit


def _same(spec: RegisterTable, name: str, old: Any, new: Any) -> bool:
    """Whether two values say the same; of several values the order says nothing."""
    several = name in spec.fields and spec.fields[name].many
    if several and isinstance(old, str) and isinstance(new, str):
        return set(old.split("|")) == set(new.split("|"))
    return bool(old == new)


def _years(out: SiteChanges, pair: _Pair, firm: bool) -> dict[str, Any]:
    """Years: the year of the plan is followed when the plan changes it, until the site is approved."""
    now, year = pair.now, pair.own["build_year"]
    if year is None or year == now["plan_year"]:
        return {}
    edit: dict[str, Any] = {"plan_year": year}
    if now["first_year"] is None:
        edit["first_year"] = year
    if now["phase_year"] is None or (not firm and now["phase_year"] != year):
        edit["phase_year"] = year
        if now["phase_year"] not in (None, now["plan_year"]):
            out.years.append(f"{now['name']}({pair.row_id},{now['phase_year']}→{year})")
    elif firm and now["phase_year"] != year:
        out.held.append(("sites", pair.row_id, now["name"] or "", "phase_year", "计划年度", str(now["phase_year"]),
                         str(year), _COMMITTED_WHY))
    return edit


def _unlisted(out: SiteChanges, held: TypedTable, cells: Mapping[str, Sequence[Any]], listed: set[str]) -> None:
    """Sites of the register that the plan does not list."""
    matched, dropped, firm = set(out.rows.values()), list[tuple[Any, ...]](), list[tuple[Any, ...]]()
    for number, row_id in enumerate(held.ids):
        if row_id in matched:
            continue
        now = {name: cells[name][number] for name in _TOLD}
        edit: dict[str, Any] = {}
        if now["study_id"] in listed:  # the id is another site's by now
            edit = {"study_id": None, "former_ids": joined_ids(now["former_ids"], [now["study_id"]], None)}
        line = (row_id, now["name"] or "", now["study_id"] or "", now["county"] or "", now["town"] or "",
                word_of("sites", "state", now["state"]))
        if is_committed(now["state"], now["blocked_from"]):
            out.stay.add(row_id)
            if now["in_plan"] is True:
                firm.append((*line, _AS_STATION if now["state"] == "on_air" else "已落实而新方案未列入"))
        elif now["in_plan"] is True:
            edit["in_plan"] = False
            out.out.add(row_id)
            dropped.append((*line, "已撤销,新方案不再列入" if now["state"] == "withdrawn" else "新方案不再列入"))
        if edit:
            out.edits[row_id] = edit
    out.tables |= {"dropped": _table(dropped), "committed": _table(firm)}


def _table(rows: Sequence[tuple[Any, ...]], *more: str) -> pd.DataFrame:
    """Rows of people's tables by their id."""
    if not rows:
        return no_rows(*more)
    return pd.DataFrame(rows, columns=["id", *COLUMNS, *more]).set_index("id").sort_index()

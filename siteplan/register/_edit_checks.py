"""Checks of lists beyond those of single rows: natural keys, days, counties, one site listed twice."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import geopandas as gpd
import pandas as pd
import shapely

from siteplan.errors import Problem
from siteplan.register._edit_cells import EMPTIED, ORIGIN, REVISION, Record
from siteplan.register._edit_names import Names, Tell
from siteplan.register.dictionary import RegisterTable
from siteplan.register.store import Transaction
from siteplan.schema import normalise_word

KEYS: Mapping[str, tuple[str, ...]] = {
    "organisations": ("name",), "venues": ("study_id",), "works": ("work_no",),
    "quotas": ("title", "level", "area", "measure", "by"), "reports": ("quota_id", "day", "organisation")}
"""Fields by which a row without id is known again."""
_MAY_LACK = ("organisation",)
SAME_NAME_M = 50.0
"""Two sites of one name that lie nearer are one."""
SAME_PLACE_M = 1.0
"""Two sites of one kind that lie nearer are one, whatever their names."""
_FACTS: Mapping[str, tuple[tuple[str, tuple[str, ...]], ...]] = {
    "sites": (("state_on", ("state", "state_reason")), ("on_air_on", ("state",)), ("completed_on", ("construction",)),
              ("started_on", ("state", "construction")), ("procedures_on", ("procedures",)),
              ("funding_on", ("funding",))),
    "tasks": (("done_on", ("state", "reply")), ("blocked_on", ("state", "blocked_reason")),
              ("replied_on", ("reply", "promised_on"))),
    "cases": (("closed_on", ("outcome",)), ("level3_on", ("level",)), ("level2_on", ("level",)),
              ("reported_on", ("reported",))),
    "fees": (("resolved_on", ("outcome",)), ("told_on", ())), "venues": (("agreed_on", ("opened",)),),
    "decisions": (("withdrawn_on", ()),)}
"""Days of facts by table, and the fields that came true on them; the first day that a row gives takes a field."""


class Keys:
    """Rows of a table by their natural key."""

    def __init__(self, names: tuple[str, ...], current: Mapping[str, Record]) -> None:
        self.names = names
        self._ids = {key: row_id for row_id, row in current.items() if (key := self._key(row)) is not None}

    @property
    def first(self) -> str:
        """The first field of the key."""
        return self.names[0] if self.names else ""

    def _key(self, row: Mapping[str, Any]) -> tuple[Any, ...] | None:
        key = tuple(row.get(name) for name in self.names)
        lacks = any(value is None and name not in _MAY_LACK for name, value in zip(self.names, key, strict=True))
        return None if not key or lacks else key

    def find(self, row: Mapping[str, Any]) -> str | None:
        """Id of the row that this one means."""
        key = self._key(row)
        return None if key is None else self._ids.get(key)

    def mark(self, row: Mapping[str, Any]) -> tuple[Any, ...] | None:
        """What two rows of one list must not share: the natural key, or else everything they say."""
        key = self._key(row)
        return key or tuple((name, str(value)) for name, value in row.items()
                            if name not in (*ORIGIN, REVISION, EMPTIED))

    def told(self, row: Mapping[str, Any], target: str | None) -> str:
        """The key in words."""
        words = [str(row[name]) for name in self.names if row.get(name) is not None]
        return target or "、".join(words) or "内容完全相同"


def key_of(spec: RegisterTable, current: Mapping[str, Record]) -> Keys:
    """Rows of a table by their natural key."""
    return Keys(KEYS.get(spec.name, ()), current)


def dated(table: str, cells: Mapping[str, Any], day: dt.date) -> list[tuple[dt.date, Record]]:
    """Changes of a row by the day on which they came true: facts on the day that the row gives, the rest on `day`.

    >>> given = {"done_on": dt.date(2026, 6, 30), "state": "done", "note": "x"}
    >>> [(str(on), sorted(part)) for on, part in dated("tasks", given, dt.date(2026, 7, 2))]
    [('2026-06-30', ['done_on', 'state']), ('2026-07-02', ['note'])]
    """
    left, parts = dict(cells), dict[dt.date, Record]()
    if table == "sites" and "state" not in cells:
        left.pop("state_on", None)
    for name, fields in _FACTS.get(table, ()):
        on = cells.get(name)
        if isinstance(on, dt.date) and _belongs(table, name, cells):
            parts.setdefault(on, {}).update({key: left.pop(key) for key in (name, *fields) if key in left})
    if left:
        parts.setdefault(day, {}).update(left)
    return sorted((pair for pair in parts.items() if pair[1]), key=lambda pair: pair[0])


def _belongs(table: str, name: str, cells: Mapping[str, Any]) -> bool:
    """Whether a day of a site says when its new state began."""
    wanted = {"on_air_on": "on_air", "started_on": "building"}.get(name)
    return table != "sites" or wanted is None or cells.get("state") in (None, wanted)


def days_to_come(spec: RegisterTable, cells: Mapping[str, Any], day: dt.date) -> Iterator[tuple[str, str, str]]:
    """Facts that are dated after the day of entering."""
    for name in dict.fromkeys(name for name, _ in _FACTS.get(spec.name, ())):
        on = cells.get(name)
        if isinstance(on, dt.date) and on > day:
            yield name, f"{spec.fields[name].spec.zh} {on} 晚于登记日 {day}", "核对日期;到那一天以后再登记"


def check_rows(spec: RegisterTable, row: Record, names: Names, tell: Tell) -> None:
    """A county that nobody knows, where the register knows counties."""
    county = row.get("county")
    if "county" in spec.fields and names.counties and isinstance(county, str) and county not in names.counties:
        tell(row, "county", f"没有登记的县区“{county}”", f"是不是 {names.near_county(county)}?否则先登记该县区")


def check_places(transaction: Transaction, spec: RegisterTable, news: Sequence[Record], current: Mapping[str, Record],
                 ) -> None:
    """New sites that another row of the list, or the register, has already: two counties may list the same one."""
    if spec.name != "sites" or not news:
        return
    shown = transaction.register.shown
    all_rows = [(row_id, row) for row_id, row in current.items()] + [("", row) for row in news]
    by_name: dict[str, list[int]] = {}
    for place, (_, row) in enumerate(all_rows):
        by_name.setdefault(normalise_word(str(row.get("name", ""))), []).append(place)
    shapes = [row.get("geometry") for _, row in all_rows]
    tree = shapely.STRtree([shape if shape is not None else shapely.Point() for shape in shapes])
    for place in range(len(current), len(all_rows)):
        row, shape = all_rows[place][1], shapes[place]
        near = [] if shape is None else [int(other) for other in tree.query(shape, "dwithin", SAME_PLACE_M)]
        alike = [other for other in dict.fromkeys([*by_name[normalise_word(str(row.get("name", "")))], *near])
                 if other < place and _is_one(row, all_rows[other][1])]
        if not alike:
            continue
        row_id, other_row = all_rows[alike[0]]
        counties = [str(one.get("county") or "(未写)") for one in (other_row, row)]
        where = row_id or f"第 {other_row.get(ORIGIN[1], '?')} 行"
        reason = (f"同一处站址列在两个县区:{where}在{counties[0]},本行在{counties[1]}" if counties[0] != counties[1]
                  else f"与{where}是同一处站址({other_row.get('name')})")
        remedy = (f"是同一处:写储备库编号 {row_id};不是:改名称或坐标" if row_id
                  else "查明归哪一个县区,只留一行" if counties[0] != counties[1] else "只留一行;不是同一处的改名称或坐标")
        transaction.problems.append(Problem(spec.name, str(row.get(ORIGIN[0]) or shown), str(row.get(ORIGIN[1]) or ""),
                                            "county" if counties[0] != counties[1] else "name", reason, remedy))


def _is_one(one: Record, other: Record) -> bool:
    """Whether two rows are the same site: by name and place, or by place alone where they are of one kind."""
    first, second = one.get("geometry"), other.get("geometry")
    metres = None if first is None or second is None else float(shapely.distance(first, second))
    if normalise_word(str(one.get("name", ""))) == normalise_word(str(other.get("name", ""))):
        return metres is None or metres <= SAME_NAME_M
    return metres is not None and metres <= SAME_PLACE_M and one.get("kind") == other.get("kind")


def place_problems(spec: RegisterTable, rows: pd.DataFrame, current: Mapping[str, Record],
                   counties: gpd.GeoDataFrame | None, problems: list[Problem]) -> None:
    """Rows whose county is not the one that their place lies in."""
    if counties is None or spec.geometry != "point" or "county" not in spec.fields:
        return
    names, shapes = counties["name"].tolist(), counties.geometry.to_numpy()
    for row in rows.to_dict("records"):
        old = current.get(str(row.get("id")), {})
        shape = row.get("geometry") if row.get("geometry") is not None else old.get("geometry")
        said = row["county"] if isinstance(row.get("county"), str) else old.get("county")
        if shape is None or not isinstance(said, str):
            continue
        lies = [name for name, area in zip(names, shapes, strict=True) if shapely.intersects(area, shape)]
        if lies and said not in lies:
            problems.append(Problem(spec.name, str(row.get(ORIGIN[0]) or ""), str(row.get(ORIGIN[1]) or ""), "county",
                                    f"所属县区写的是{said},位置在{'、'.join(map(str, lies))}", "核对坐标和所属县区"))

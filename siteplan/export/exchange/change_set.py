"""A change set between two exports: what came, went, moved, and which attributes changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from siteplan.crs import to_study_crs
from siteplan.errors import CrsError, ExportError, Problem
from siteplan.export.master.plan_layers import PlanLayers
from siteplan.schema import load_columns
from siteplan.tables import read_table

DERIVED = ("version", "lon", "lat", "x_north_m", "y_east_m")
"""Columns that follow from the place, the CRS or the run: never compared."""
WHY_DERIVED, WHY_ONE_SIDE = "随坐标或版本变化,不比较", "只有一方有这个字段,不比较"
SAME_PLACE_M = 1.0
MOVED_COLUMNS = ("name", "distance_m", "x_old", "y_old", "x_new", "y_new")
CHANGED_COLUMNS = ("key", "name", "field", "field_zh", "old", "new")
ALIKE_COLUMNS = ("old_key", "new_key", "old_name", "new_name", "distance_m")
_VENUE = ("venue_class", "owner")
"""Columns that tell the venue of a site apart, beside its name and the id that its own id ends in."""


@dataclass(frozen=True)
class ChangeSet:
    """What differs between one layer of two exports; rows belong together by their key.

    Attributes
    ----------
    layer, key : str
        Name of the master layer, and of its index.
    added, removed : GeoDataFrame
        Rows of the new, and of the old export, that the other one does not have; in the CRS of the new one.
    moved : GeoDataFrame
        Index as the layer; ``MOVED_COLUMNS`` and lines from the old to the new place. Of layers that are no points,
        ``distance_m`` is the Hausdorff distance of the shapes, and places are points inside them.
    shapes : GeoSeries
        New geometry of the moved rows.
    changed : DataFrame
        ``CHANGED_COLUMNS``, a row for each value that differs; numbered.
    alike : DataFrame
        ``ALIKE_COLUMNS``: removed and added rows that are perhaps the same place under another key (可能同一处).
    unchanged : int
        Rows of both exports that are neither moved nor changed.
    fields : tuple of str
        Columns that were compared.
    left_out : mapping of str to str
        Columns that were not compared, and why.
    titles : mapping of str to str
        Column -> what planners call it.
    old_facts, new_facts : mapping
        ``study`` of both, and ``old_crs``.
    """

    layer: str
    key: str
    added: gpd.GeoDataFrame
    removed: gpd.GeoDataFrame
    moved: gpd.GeoDataFrame
    shapes: gpd.GeoSeries
    changed: pd.DataFrame
    alike: pd.DataFrame
    unchanged: int
    fields: tuple[str, ...]
    left_out: Mapping[str, str]
    titles: Mapping[str, str]
    old_facts: Mapping[str, Any]
    new_facts: Mapping[str, Any]

    def counts(self) -> dict[str, int]:
        """Number of rows by what became of them; a row may be moved and changed."""
        return {"added": len(self.added), "removed": len(self.removed), "moved": len(self.moved),
                "changed": int(self.changed["key"].nunique()), "unchanged": self.unchanged, "alike": len(self.alike)}


def change_set(old: PlanLayers, new: PlanLayers, layer: str = "sites", moved_m: float = SAME_PLACE_M) -> ChangeSet:
    """What changed in a layer from one export to the next.

    Parameters
    ----------
    old, new : PlanLayers
        From :func:`plan_layers` or :func:`read_plan_layers`. The CRS may differ: the old places are brought into that
        of the new export.
    layer : str
        A master layer with a key.
    moved_m : float
        A row whose place differs by more than this has moved, m; 0 = at all.

    Returns
    -------
    ChangeSet
        Numbers and texts are compared as they are; an empty text and a missing one are the same.

    Raises
    ------
    ExportError
        One of the exports does not have the layer, the layer has no key, or the places cannot be brought together.

    Examples
    --------
    >>> from shapely import Point
    >>> def export(names, east):
    ...     table = gpd.GeoDataFrame({"name": names}, geometry=[Point(x, 0) for x in east], crs=4547)
    ...     return PlanLayers({}, {"sites": table.set_index(pd.Index(list("ABCD")[:len(names)], name="site_id"))})
    >>> change_set(export(["甲", "乙"], [0, 9]), export(["甲", "丙", "丁"], [5, 9, 20])).counts()
    {'added': 1, 'removed': 0, 'moved': 1, 'changed': 1, 'unchanged': 0, 'alike': 0}
    """
    if not moved_m >= 0:
        raise ExportError(f"移动的判定距离应为不小于0的米数,给出的是 {moved_m!r}")
    before, after = _tables(old, new, layer)
    key = str(after.index.name)
    both = after.index.intersection(before.index)
    added, removed = after.loc[~after.index.isin(before.index)], before.loc[~before.index.isin(after.index)]
    here, there = before.loc[both], after.loc[both]
    titles = field_titles(layer, {key, *before.columns, *after.columns})
    fields = tuple(name for name in after.columns if name in before and name not in (*DERIVED, "geometry"))
    left_out = {name: WHY_DERIVED if name in DERIVED else WHY_ONE_SIDE for name in
                dict.fromkeys([*before.columns, *after.columns]) if name not in (*fields, "geometry")}
    moved, shapes = _moves(here, there, moved_m)
    changed = _changes(here, there, fields, titles)
    unchanged = len(both) - len(set(moved.index) | set(changed["key"]))
    facts = [{"crs": table.crs.name, **dict(layers.facts.get("study") or {})}
             for layers, table in ((old, old.layers[layer]), (new, after))]
    return ChangeSet(layer, key, added, removed, moved, shapes, changed, _alike(removed, added, moved_m), unchanged,
                     fields, left_out, titles, facts[0], facts[1])


def apply_changes(old: gpd.GeoDataFrame, changes: ChangeSet) -> gpd.GeoDataFrame:
    """The old layer with a change set applied: the new one, in its compared columns, sorted by key.

    Rows that lie less than ``moved_m`` apart keep their old place.
    """
    table = _in_crs(old, changes.added.crs)[[*changes.fields, "geometry"]]
    table = table.loc[~table.index.isin(changes.removed.index)].astype(dict.fromkeys(changes.fields, "object"))
    table = table.set_geometry(table.geometry.where(~table.index.isin(changes.shapes.index),
                                                    changes.shapes.reindex(table.index)))
    for name, rows in changes.changed.groupby("field"):
        table.loc[list(rows["key"]), name] = pd.Series(list(rows["new"]), index=list(rows["key"]), dtype="object")
    fresh = changes.added[[*changes.fields, "geometry"]].astype(dict.fromkeys(changes.fields, "object"))
    parts = [part for part in (table, fresh) if len(part)] or [fresh]
    return gpd.GeoDataFrame(pd.concat(parts), geometry="geometry", crs=changes.added.crs).sort_index()


def field_titles(layer: str, names: set[str]) -> dict[str, str]:
    """Column -> title: of ``tables/export_fields.toml``, else of the column dictionary, else the column itself.

    >>> sorted(field_titles("all_sites", {"status", "name", "own"}).items())
    [('name', '站址名称'), ('own', 'own'), ('status', '状态代码')]
    """
    table = read_table("export_fields")
    section = {"gaps_before": "gaps", "indoor_gaps": "gaps"}.get(layer, layer)
    known: dict[str, str] = {}
    if layer in load_columns():
        known |= {name: field.zh for name, field in load_columns()[layer].fields.items()}
    for part in (("sites", "all_sites") if layer == "all_sites" else (section,)):
        known |= {name: str(entry["zh"]) for name, entry in table.get(part, {}).items()}
    return {name: known.get(name, name) for name in names}


def _tables(old: PlanLayers, new: PlanLayers, layer: str) -> tuple[gpd.GeoDataFrame, gpd.GeoDataFrame]:
    """The layer of both exports in the CRS of the new one."""
    problems = [Problem(layer, who, "", "", "没有这一图层", "换一个两次成果都有的图层")
                for who, layers in (("前一次成果", old), ("后一次成果", new)) if layer not in layers.layers]
    if not problems:
        for who, layers in (("前一次成果", old), ("后一次成果", new)):
            table = layers.layers[layer]
            if not table.index.name:
                problems.append(Problem(layer, who, "", "", "图层没有编号,不能逐行比较", "比较 sites、villages 等有编号的图层"))
            elif not table.index.is_unique:
                problems.append(Problem(layer, who, "", str(table.index.name), "编号重复", "重新运行 siteplan run"))
            if table.crs is None or not table.crs.is_projected:
                problems.append(Problem(layer, who, "", "geometry", "没有投影坐标系,不能量距离", "重新运行 siteplan run"))
    if problems:
        raise ExportError("两次成果不能比较:", problems)
    after = new.layers[layer]
    try:
        return _in_crs(old.layers[layer], after.crs), after
    except CrsError as error:
        raise ExportError(f"两次成果的坐标系不能统一:{error}") from error


def _in_crs(table: gpd.GeoDataFrame, crs: Any) -> gpd.GeoDataFrame:
    return table if table.crs == crs else to_study_crs(table, crs)


def _moves(here: gpd.GeoDataFrame, there: gpd.GeoDataFrame, moved_m: float) -> tuple[gpd.GeoDataFrame, gpd.GeoSeries]:
    """Rows whose shape differs by more than the distance, and their new shapes."""
    one, other = here.geometry.to_numpy(), there.geometry.to_numpy()
    nothing = [shapely.is_missing(shapes) | shapely.is_empty(shapes) for shapes in (one, other)]
    away = np.where(nothing[0] & nothing[1], 0.0, np.where(nothing[0] | nothing[1], np.inf, 0.0))
    known = np.flatnonzero(~nothing[0] & ~nothing[1])
    points = shapely.get_type_id(one[known]) == shapely.GeometryType.POINT
    points &= shapely.get_type_id(other[known]) == shapely.GeometryType.POINT
    away[known] = np.where(points, shapely.distance(one[known], other[known]),
                           shapely.hausdorff_distance(one[known], other[known]))
    rows = np.flatnonzero(away > moved_m)
    start, end = (shapely.point_on_surface(shapes[rows]) for shapes in (one, other))
    lines = [None if shapely.is_missing(a) or shapely.is_missing(b) or a.is_empty or b.is_empty
             else shapely.LineString([a, b]) for a, b in zip(start, end, strict=True)]
    metres = np.where(np.isinf(away[rows]), np.nan, np.round(away[rows], 3))
    table = pd.DataFrame({"name": _names(there.iloc[rows]), "distance_m": metres,
                          "x_old": shapely.get_x(start), "y_old": shapely.get_y(start), "x_new": shapely.get_x(end),
                          "y_new": shapely.get_y(end)}, index=there.index[rows])
    return gpd.GeoDataFrame(table, geometry=lines, crs=there.crs), there.geometry.iloc[rows]


def _names(table: pd.DataFrame) -> list[str]:
    """What each row is called; empty where it has no name."""
    column = next((name for name in ("name", "unit_name") if name in table), None)
    return [""] * len(table) if column is None else table[column].astype("object").where(
        table[column].notna(), "").astype("str").tolist()


def _changes(here: pd.DataFrame, there: pd.DataFrame, fields: Sequence[str],
             titles: Mapping[str, str]) -> pd.DataFrame:
    """A row for each value that differs, by key and in the order of the fields."""
    names, parts = np.asarray(_names(there), object), []
    for number, name in enumerate(fields):
        old, new = (_comparable(table[name]) for table in (here, there))
        rows = np.flatnonzero([one != other for one, other in zip(old, new, strict=True)])
        parts.append(pd.DataFrame({"key": there.index[rows].astype("str"), "name": names[rows], "field": name,
                                   "field_zh": titles[name], "old": old[rows], "new": new[rows],
                                   "order": number}, dtype="object"))
    table = pd.concat(parts) if parts else pd.DataFrame(columns=[*CHANGED_COLUMNS, "order"], dtype="object")
    return table.sort_values(["key", "order"], kind="stable", ignore_index=True)[list(CHANGED_COLUMNS)]


def _comparable(column: pd.Series) -> np.ndarray:
    """Values as they are compared: None for what is missing or an empty text."""
    values = column.astype("object").where(column.notna(), None).to_numpy(object)
    return np.array([None if value is None or value == "" else value.item() if isinstance(value, np.generic) else value
                     for value in values] + [None], dtype=object)[:-1]


def _alike(removed: gpd.GeoDataFrame, added: gpd.GeoDataFrame, within_m: float) -> pd.DataFrame:
    """Pairs of a removed and an added row at one place and of one venue, nearest first, each row once."""
    one, other = (table[~(table.geometry.isna() | table.geometry.is_empty)] for table in (removed, added))
    if not len(one) or not len(other):
        return pd.DataFrame(columns=list(ALIKE_COLUMNS))
    here, there = one.geometry.to_numpy(), other.geometry.to_numpy()
    first, second = shapely.STRtree(there).query(here, "dwithin", max(within_m, SAME_PLACE_M))
    same = _same_venue(one, other, first, second)
    first, second = first[same], second[same]
    keys = [table.index.astype("str").to_numpy(object) for table in (one, other)]
    names = [_names(table) for table in (one, other)]
    metres = (round(float(away), 3) for away in shapely.distance(here[first], there[second]))
    found = sorted(zip(metres, keys[0][first], keys[1][second], first, second, strict=True))
    used: tuple[set[str], set[str]] = (set(), set())
    rows = []
    for away, before, after, row, column in found:
        if before not in used[0] and after not in used[1]:
            used[0].add(before)
            used[1].add(after)
            rows.append((before, after, names[0][row], names[1][column], away))
    return pd.DataFrame(rows, columns=list(ALIKE_COLUMNS))


def _same_venue(one: pd.DataFrame, other: pd.DataFrame, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Whether pairs of rows speak of one venue: the same own id behind the colon, the same name, or class and owner."""
    own = [np.array([str(key).rpartition(":")[2] for key in table.index], dtype=object) for table in (one, other)]

    def agrees(name: str) -> np.ndarray:
        told = [_told(table, name) for table in (one, other)]
        return np.asarray((told[0][first] != "") & (told[0][first] == told[1][second]), dtype=bool)

    same = np.asarray(own[0][first] == own[1][second], dtype=bool)
    return same | agrees("name") | np.logical_and.reduce([agrees(name) for name in _VENUE])


def _told(table: pd.DataFrame, name: str) -> np.ndarray:
    """Texts of a column; empty where it says nothing or is not there."""
    if name not in table:
        return np.full(len(table), "", dtype=object)
    column = table[name]
    return np.array(["" if nothing else str(value) for value, nothing in zip(column, column.isna(), strict=True)],
                    dtype=object)

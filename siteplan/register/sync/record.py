"""What a finished plan brings into the register."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import shapely

from siteplan.crs import transform_geometry
from siteplan.errors import Problem
from siteplan.register.dictionary import RegisterTable
from siteplan.register.store.values import ValueFault, readers_of, typed_shapes
from siteplan.tables import read_table

SITE_FIELDS = ("name", "kind", "build", "mount", "antenna_height_m", "azimuths", "networks", "bands", "station_count",
               "venue_class", "owner", "department", "is_free", "is_public", "is_hard", "county", "town", "address",
               "unit_code", "parcel_code", "land_use_code", "land_m2", "capex_yuan", "rank_no", "gain_demand", "reason")
"""Columns of ``PlanRecord.sites`` that are fields of the register; any of them may be absent."""
SITE_EXTRAS = ("build_year", "venue")
"""Further columns: the year of the plan; the study id of the venue, empty where the site stands on none."""
VENUE_FIELDS = ("name", "venue_class", "owner", "department", "county", "town", "address", "must_open", "must_be_free",
                "opened", "agreed_on", "is_chosen")
INDICATOR_FIELDS = ("level", "area", "name", "now", "planned", "rule")
_SEVERAL = ("|", "、", ",", ";", "/", "\uff0c", "\uff1b")


@dataclass(frozen=True)
class PlanRecord:
    """What the register takes of a plan.

    Attributes
    ----------
    name : str
        Name of the study.
    day : date
        Day of the plan's data; that of the indicators.
    version : str
        Version of the deliverables.
    crs : pyproj.CRS
        CRS of the tables; the register brings them into its own.
    years : tuple of int
        Years of the plan, none where it gives no years.
    sites : GeoDataFrame
        Proposed sites by their study id: ``SITE_FIELDS`` and ``SITE_EXTRAS``, points.
    venues : GeoDataFrame
        All public facilities of the opening ledger by their study id: ``VENUE_FIELDS``, points. Not the chosen ones
        alone: tasks, refusals and the counts of what was opened are about venues that no site stands on. Poles and
        private places are sites, no venues.
    links : GeoDataFrame
        Study id of a site -> straight line to the nearest fibre; sites whose fibre is not known have none.
    indicators : DataFrame
        ``level, area, name, now, planned, rule``.
    folder : str
        Folder of the deliverables, as told; empty when not known.
    notices : tuple of str
        Sentences that every output of the study carries, such as that its data are invented.
    """

    name: str
    day: dt.date
    version: str
    crs: pyproj.CRS
    years: tuple[int, ...]
    sites: gpd.GeoDataFrame
    venues: gpd.GeoDataFrame
    links: gpd.GeoDataFrame
    indicators: pd.DataFrame
    folder: str = ""
    notices: tuple[str, ...] = ()


def empty_record(crs: Any, name: str = "", day: dt.date = dt.date(2000, 1, 1), version: str = "") -> PlanRecord:
    """A plan without anything, to be filled with ``dataclasses.replace``.

    >>> empty_record(4547, "示例").sites.empty
    True
    """
    def places(columns: tuple[str, ...]) -> gpd.GeoDataFrame:
        index = pd.Index([], dtype="str", name="study_id")
        return gpd.GeoDataFrame({column: [] for column in columns}, geometry=gpd.GeoSeries([], crs=crs), index=index)

    return PlanRecord(name, day, version, pyproj.CRS.from_user_input(crs), (), places((*SITE_FIELDS, *SITE_EXTRAS)),
                      places(VENUE_FIELDS), places(()), pd.DataFrame({name: [] for name in INDICATOR_FIELDS}))


@dataclass(frozen=True)
class TypedTable:
    """A table of a record in the types of the register: study ids, a list of cells for each column, shapes."""

    ids: tuple[str, ...]
    cells: Mapping[str, list[Any]]
    shapes: np.ndarray


def typed_table(table: gpd.GeoDataFrame, spec: RegisterTable, columns: tuple[str, ...], crs: tuple[Any, Any],
                problems: list[Problem], source: str) -> TypedTable:
    """Columns of a record's table as the register keeps them, places in its CRS; what cannot be kept is a problem.

    Parameters
    ----------
    table : GeoDataFrame
    spec : RegisterTable
    columns : tuple of str
        Columns wanted; one that the table does not have is empty.
    crs : (any, any)
        CRS of the record and of the register.
    problems : list of Problem
        Takes what is wrong, with the study id of the row.
    source : str
        What problems name as the file.
    """
    ids = tuple(str(key) for key in table.index)
    cells: dict[str, list[Any]] = {}
    for name in columns:
        if name not in table:
            cells[name] = [None] * len(ids)
            continue
        column, read = [], readers_of(spec.name)[name]
        for key, value in zip(ids, table[name].to_numpy(object), strict=True):
            found = read(value)
            if isinstance(found, ValueFault):
                problems.append(Problem(spec.name, source, key, name, found.reason, found.remedy))
                found = None
            column.append(found)
        cells[name] = column
    shapes = table.geometry.to_numpy()
    if len(shapes) and not _same_crs(*crs):
        known = ~(shapely.is_missing(shapes) | shapely.is_empty(shapes))
        shapes = shapes.copy()
        shapes[known] = transform_geometry(shapes[known], *crs)
    kept = np.full(len(ids), None, dtype=object)
    for number, found in enumerate(typed_shapes(spec.geometry, list(shapes))):
        if isinstance(found, ValueFault):
            problems.append(Problem(spec.name, source, ids[number], "geometry", found.reason, found.remedy))
        else:
            kept[number] = found
    return TypedTable(ids, cells, kept)


def _same_crs(one: Any, other: Any) -> bool:
    return pyproj.CRS.from_user_input(one) == pyproj.CRS.from_user_input(other)


def record_faults(record: PlanRecord, sites: TypedTable, source: str) -> Iterator[Problem]:
    """What is wrong with a record as a whole: ids twice, sites without a place, one place in two counties."""
    for layer, table in (("sites", record.sites), ("venues", record.venues), ("links", record.links)):
        keys = table.index.astype("str")
        for key in keys[keys.duplicated()].unique():
            yield Problem(layer, source, key, "study_id", "编号在方案中出现多次", "核对成果,重新运行 siteplan run")
        if (keys == "").any() or table.index.isna().any():
            yield Problem(layer, source, "", "study_id", "有的行没有编号", "核对成果,重新运行 siteplan run")
    for key, shape, county in zip(sites.ids, sites.shapes, sites.cells["county"], strict=True):
        if shape is None:
            yield Problem("sites", source, key, "geometry", "站址没有位置", "核对成果,重新运行 siteplan run")
        if county is not None and any(mark in county for mark in _SEVERAL):
            yield Problem("sites", source, key, "county", f"一个站址只能属于一个县区,现为“{county}”", "核对站址位置和县区边界")
    unknown = sorted(set(record.links.index.astype("str")) - set(sites.ids))
    for key in unknown:
        yield Problem("links", source, key, "study_id", "方案中没有这个站址", "核对成果,重新运行 siteplan run")
    yield from _counties_of_places(sites, source)


def _counties_of_places(sites: TypedTable, source: str) -> Iterator[Problem]:
    """Sites on one spot that are said to lie in different counties."""
    placed = np.flatnonzero([shape is not None for shape in sites.shapes])
    if not len(placed):
        return
    tree = shapely.STRtree(sites.shapes[placed])
    moved_m = place_setting("moved_m")
    left, right = tree.query(sites.shapes[placed], predicate="dwithin", distance=moved_m)
    county = sites.cells["county"]
    for one, other in sorted(zip(placed[left].tolist(), placed[right].tolist(), strict=True)):
        if one < other and county[one] and county[other] and county[one] != county[other]:
            yield Problem("sites", source, sites.ids[other], "county",
                          f"与站址 {sites.ids[one]} 在同一处,一个属“{county[one]}”,一个属“{county[other]}”", "核对站址位置和县区边界")


def place_setting(name: str) -> float:
    """A distance of ``tables/register_sync.toml``, m.

    >>> place_setting("same_place_m")
    15.0
    """
    return float(read_table("register_sync")["places"][name]["value"])

"""The noun, and reading it back from the folder of a finished plan."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pyogrio

from siteplan.errors import ExportError, Problem
from siteplan.params import DeliverParams

FILES: Mapping[str, tuple[str, str, str]] = {
    "sites": ("sites.gpkg", "sites", "site_id"), "all_sites": ("candidates.gpkg", "sites", "site_id"),
    "gaps": ("gaps.gpkg", "gaps_after", "gap_id"), "gaps_before": ("gaps.gpkg", "gaps_before", "gap_id"),
    "indoor_gaps": ("gaps.gpkg", "indoor_gaps", "gap_id"), "stretches": ("gaps.gpkg", "stretches", "stretch_id"),
    "complaints": ("gaps.gpkg", "complaints", "complaint_id"), "hot_spots": ("gaps.gpkg", "hot_spots", "hot_spot_id"),
    "indoor_buildings": ("gaps.gpkg", "indoor_buildings", "building_id"),
    "boundary": ("areas.gpkg", "boundary", ""),
    "villages": ("areas.gpkg", "villages", "village_code"), "zones": ("areas.gpkg", "zones", "zone_id"),
    "units": ("areas.gpkg", "units", "unit_code"),
    "towns": ("areas.gpkg", "towns", ""), "counties": ("areas.gpkg", "counties", ""),
    "roads": ("areas.gpkg", "roads", ""), "rail": ("areas.gpkg", "rail", ""), "water": ("areas.gpkg", "water", ""),
    "restricted": ("areas.gpkg", "restricted", ""), "works": ("areas.gpkg", "works", ""),
    "planned_buildings": ("areas.gpkg", "planned_buildings", ""),
    "fibre_links": ("areas.gpkg", "fibre_links", "site_id"), "venues": ("ledger.gpkg", "venues", "venue_id"),
}
"""Master layer -> file, layer in it, and the column that is its index (none: numbered rows)."""
REQUIRED = ("sites", "all_sites")
AGAIN = "重新运行 siteplan run"
_FACTS: Mapping[str, type] = {"study": dict, "parameters": dict, "indicators": dict, "versions": dict}
_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "sites": ("name", "rank_no", "kind", "mount", "build", "networks", "cost_yuan", "notice"),
    "all_sites": ("status", "name", "rank_no", "kind", "mount", "build", "networks"),
    "gaps": ("rank_no", "gap_type"), "villages": ("name", "verdict_after"), "zones": ("name", "verdict_after"),
    "units": ("unit_name", "sites_new"),
}
"""Columns that a layer cannot be used without; those that later versions add may be absent."""
_NAMED = 5


@dataclass(frozen=True)
class PlanLayers:
    """A finished plan as tables: what exchange files, survey sheets and printed sheets are made from.

    Attributes
    ----------
    facts : mapping
        ``plan.json`` as it is read: ``study`` (name, crs, notices, synthetic, map_approval_no, threshold_dbm ...),
        ``parameters`` (all settings, ``deliver`` among them), ``indicators``, ``results``, ``bound``, ``versions``.
    layers : mapping of str to GeoDataFrame
        Master layers by the names of ``FILES``, in the CRS of the study; those that the plan does not have are absent.
    """

    facts: Mapping[str, Any]
    layers: Mapping[str, gpd.GeoDataFrame]


def plain(table: gpd.GeoDataFrame, key: str = "") -> gpd.GeoDataFrame:
    """A table with the types that a GeoPackage gives back, so that tables of a plan and of its folder are equal.

    Parameters
    ----------
    table : GeoDataFrame
    key : str
        Column that becomes the index; without one the rows are numbered and a named index becomes the first column.

    Returns
    -------
    GeoDataFrame
        Texts ``str`` with NaN where there is none, whole numbers ``int64`` (``float64`` where some are missing),
        numbers ``float64``, days ``datetime64[ms]``, yes and no ``bool`` (``boolean`` where some are missing); the
        geometry is the last column and called ``geometry``.

    Examples
    --------
    >>> from shapely import Point
    >>> rows = gpd.GeoDataFrame({"id": ["a"], "n": pd.array([None], dtype="Int64")}, geometry=[Point(1, 2)], crs=4547)
    >>> plain(rows, "id").dtypes.astype(str).to_dict()
    {'n': 'float64', 'geometry': 'geometry'}
    """
    flat = table.reset_index() if table.index.name else table.reset_index(drop=True)
    columns = {name: _plain_column(flat[name]) for name in flat.columns if name != flat.active_geometry_name}
    out = gpd.GeoDataFrame(columns, geometry=flat.geometry.to_numpy(), crs=flat.crs, index=flat.index)
    return out.set_index(pd.Index(out.pop(key).fillna("").astype("str"), name=key)) if key else out


def _plain_column(column: pd.Series) -> pd.Series:
    """One column in its plain type."""
    kinds, missing = pd.api.types, column.isna()
    if kinds.is_object_dtype(column) and set(column[~missing].map(type)) == {bool}:
        column = column.astype("boolean")
    if kinds.is_bool_dtype(column):
        return column.astype("boolean" if missing.any() else "bool")
    if kinds.is_datetime64_any_dtype(column):
        return column.astype("datetime64[ms]")
    if kinds.is_integer_dtype(column) and not missing.any():
        return column.astype("int64")
    return column.astype("float64" if kinds.is_numeric_dtype(column) else "str")


def read_plan_layers(folder: Path) -> PlanLayers:
    """The master layers of a finished plan, from its folder.

    Parameters
    ----------
    folder : Path
        Written by ``siteplan run``. A folder of an earlier version may lack columns and layers that were added since;
        its settings of deliverables (``parameters.deliver``) are the defaults then.

    Returns
    -------
    PlanLayers
        Equal to what :func:`plan_layers` gives of the plan itself.

    Raises
    ------
    ExportError
        Something of it is missing or cannot be read; every problem is listed.

    Examples
    --------
    >>> import tempfile
    >>> try:
    ...     read_plan_layers(Path(tempfile.mkdtemp()))
    ... except ExportError as error:
    ...     sorted({(problem.layer, problem.file) for problem in error.problems})
    [('all_sites', 'candidates.gpkg'), ('plan', 'plan.json'), ('sites', 'sites.gpkg')]
    """
    folder = Path(folder)
    facts, problems = _read_facts(folder)
    held, faults = _layers_in(folder)
    problems += faults
    layers: dict[str, gpd.GeoDataFrame] = {}
    for name, (file, layer, _) in FILES.items():
        if file not in held or layer not in held[file]:
            if name in REQUIRED and not any(fault.file == file for fault in faults):
                problems.append(Problem(name, file, "", "", "成果目录中没有这一图层", AGAIN))
            continue
        table, found = _read_layer(folder, name)
        problems += found
        if table is not None:
            layers[name] = table
    problems += _other_crs(layers)
    if problems:
        raise ExportError(f"成果目录 {folder} 不能使用:", problems)
    return PlanLayers(facts, layers)


def _read_facts(folder: Path) -> tuple[dict[str, Any], list[Problem]]:
    """``plan.json`` with the settings that an earlier version did not know, and what is wrong with it."""
    where = ("plan", "plan.json")
    try:
        facts = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
    except OSError as error:
        return {}, [Problem(*where, "", "", f"不能读取:{error.strerror or error}", "指定 siteplan run 写出的成果目录")]
    except ValueError as error:
        return {}, [Problem(*where, "", "", f"不是有效的 JSON:{error}", AGAIN)]
    if not isinstance(facts, dict):
        return {}, [Problem(*where, "", "", "内容不是 siteplan 的成果说明", "指定 siteplan run 写出的成果目录")]
    wrong = [key for key, kind in _FACTS.items() if not isinstance(facts.get(key), kind)]
    if wrong:
        return {}, [Problem(*where, "", key, "缺少这一项,或与本版本的结构不同", AGAIN) for key in wrong]
    default = DeliverParams().model_dump(mode="json")
    return {**facts, "parameters": {"deliver": default, **facts["parameters"]}}, []


def _layers_in(folder: Path) -> tuple[dict[str, set[str]], list[Problem]]:
    """Layers of each GeoPackage that is there, and those files that are none."""
    held, problems = {}, []
    for file in dict.fromkeys(file for file, _, _ in FILES.values()):
        if not (folder / file).is_file():
            continue
        try:
            held[file] = {str(row[0]) for row in pyogrio.list_layers(folder / file)}
        except (pyogrio.errors.DataSourceError, OSError, ValueError, RuntimeError) as error:
            name = next(name for name, entry in FILES.items() if entry[0] == file)
            problems.append(Problem(name, file, "", "", f"文件损坏,不能读取:{error}", AGAIN))
    return held, problems


def _read_layer(folder: Path, name: str) -> tuple[gpd.GeoDataFrame | None, list[Problem]]:
    """One layer by its key, and what is wrong with it."""
    file, layer, key = FILES[name]
    try:
        table = gpd.read_file(folder / file, layer=layer, use_arrow=True)
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, pyogrio.errors.FeatureError,
            pyogrio.errors.GeometryError, OSError, ValueError, RuntimeError) as error:
        return None, [Problem(name, file, "", "", f"图层 {layer} 不能读取:{error}", AGAIN)]
    if not isinstance(table, gpd.GeoDataFrame) or table.crs is None:
        return None, [Problem(name, file, "", "geometry", "没有几何或坐标系", AGAIN)]
    wanted = [column for column in (key, *_COLUMNS.get(name, ())) if column]
    missing = [column for column in wanted if column not in table]
    if missing:
        return None, [Problem(name, file, "", column, "缺少这个字段,或与本版本的结构不同", AGAIN) for column in missing]
    if not key:
        return plain(table), []
    keys = table[key].astype("str").where(table[key].notna(), "")
    problems = []
    if (keys == "").any():
        problems.append(Problem(name, file, "", key, f"{int((keys == '').sum())} 行没有编号", AGAIN))
    twice = keys[keys.duplicated() & (keys != "")].unique()
    if len(twice):
        problems.append(Problem(name, file, "、".join(twice[:_NAMED]), key, f"编号重复({len(twice)} 个)", AGAIN))
    return (None if problems else plain(table, key)), problems


def _other_crs(layers: Mapping[str, gpd.GeoDataFrame]) -> list[Problem]:
    """Layers that are not in the CRS of the sites."""
    if "sites" not in layers:
        return []
    wanted = layers["sites"].crs
    return [Problem(name, FILES[name][0], "", "", f"坐标系为 {table.crs.name},站址图层为 {wanted.name}", AGAIN)
            for name, table in layers.items() if table.crs != wanted]

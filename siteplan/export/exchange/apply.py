"""A master layer under a profile: its rows, fields, types and CRS as the bureau wants them."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
from numpy.typing import NDArray

from siteplan.errors import ExportError, Problem
from siteplan.export.exchange.field_shapes import inner_points, moved_shapes, place_columns, tidy_shapes, usable_rows
from siteplan.export.exchange.field_values import field_column, plain_column, words_column
from siteplan.export.exchange.findings import Findings, Rows, raise_problems, rows_of, shown
from siteplan.export.exchange.out_layer import Adjustment, OutLayer
from siteplan.export.exchange.zones import parts_of, study_crs, tell_outside
from siteplan.export.master.plan_layers import PlanLayers
from siteplan.params import DeliverParams
from siteplan.profiles import PLACE_COLUMNS, Profile, ProfileField, master_columns
from siteplan.setting_faults import suggestion

METRIC = ("x_north_m", "y_east_m")


def apply_profile(layers: PlanLayers, profile: Profile, settings: DeliverParams) -> tuple[OutLayer, ...]:
    """A master layer as its profile wants it; more than one layer where counties leave in other zones.

    Every value is checked before anything is written: what cannot be said under the profile is a problem, what is
    changed on purpose an :class:`Adjustment`. ``x_north_m`` and ``y_east_m`` are those of the layer's own CRS (of the
    study's where the layer is in degrees), X = north.

    Parameters
    ----------
    layers : PlanLayers
    profile : Profile
    settings : DeliverParams
        ``crs`` and ``county_crs`` are asked.

    Returns
    -------
    tuple of OutLayer
        See there for the types of columns; rows in the order of the master.

    Raises
    ------
    ExportError
        With all problems of all rows, at most 200 of them listed: no such layer or column, CRS that cannot be used,
        values of another type, without a code, infinite, lists, whole numbers beyond 2**53, mandatory fields empty,
        keys twice, shapes that are empty, of another kind or cannot be mended.

    Examples
    --------
    >>> from siteplan.profiles import ProfileField
    >>> sites = gpd.GeoDataFrame({"kind": ["宏站"]}, geometry=gpd.points_from_xy([437507.6], [2491176.7]), crs=4547)
    >>> profile = Profile("a", "站址", "sites", "a", "Point", "BH", (
    ...     ProfileField("BH", "编号", "编号", "text", 9, source="site_id", mandatory=True),
    ...     ProfileField("XZB", "X坐标", "X坐标", "float", 14, 3, source="x_north_m")))
    >>> plan = PlanLayers({}, {"sites": sites.set_index(pd.Index(["S1"], name="site_id"))})
    >>> layer, = apply_profile(plan, profile, DeliverParams())
    >>> layer.name, layer.table[["BH", "XZB"]].values.tolist()
    ('a', [['S1', 2491176.7]])
    """
    table = _rows_taken(layers, profile)
    study = study_crs(table, layers.facts, profile.out)
    table = table.set_crs(study) if table.crs is None else table
    labels = _labels(table, profile)
    whole = Findings(profile.out, labels)
    parts = parts_of(table, profile, settings, layers.layers, whole)
    found = [Findings(part.name, labels[part.rows]) for part in parts]
    tables = [_applied(table.iloc[part.rows].reset_index(drop=True), part.crs, profile, findings)
              for part, findings in zip(parts, found, strict=True)]
    _check_keys(pd.concat([table[profile.key] for table in tables if profile.key in table], ignore_index=True)
                if all(profile.key in table for table in tables) else None,
                np.concatenate([part.rows for part in parts]), profile.key, whole)
    raise_problems(profile.out, [whole, *found])
    found[0].adjustments[:0] = whole.adjustments
    return tuple(OutLayer(profile, part.name, ready, tuple(findings.adjustments))
                 for part, ready, findings in zip(parts, tables, found, strict=True))


def _rows_taken(layers: PlanLayers, profile: Profile) -> gpd.GeoDataFrame:
    """The rows that the profile takes, numbered, the index a column."""
    if profile.layer not in layers.layers:
        raise ExportError(f"图层 {profile.out} 不能导出:", [Problem(
            profile.out, "", "", "layer", f"成果中没有图层 {profile.layer}", suggestion(profile.layer, layers.layers))])
    table = layers.layers[profile.layer]
    table = table.reset_index(drop=table.index.name is None or table.index.name in table)
    unknown = [column for column in profile.where if column not in _names(table)]
    if unknown:
        raise ExportError(f"图层 {profile.out} 不能导出:", [
            Problem(profile.out, "", "", f"where.{column}", f"图层 {profile.layer} 中没有这一列",
                    suggestion(column, _names(table))) for column in unknown])
    taken, untold = np.ones(len(table), dtype=bool), Findings(profile.out, _labels(table, profile))
    for column, values in profile.where.items():
        words = words_column(plain_column(column, table[column], untold))
        taken &= words.isin(values).to_numpy(dtype=bool) | (words.isna().to_numpy() & ("" in values))
    return table[taken].reset_index(drop=True)


def _names(table: gpd.GeoDataFrame) -> list[str]:
    return [str(name) for name in table.columns if name != table.active_geometry_name]


def _labels(table: gpd.GeoDataFrame, profile: Profile) -> NDArray[np.object_]:
    """What tells the rows apart in a message: the key, or the number of the row."""
    key = next((field.source for field in profile.fields if field.name == profile.key), "")
    labels = table[key] if key in _names(table) else pd.Series(np.arange(1, len(table) + 1))
    return np.array([shown(label) for label in labels.tolist()], dtype=object)


def _applied(table: gpd.GeoDataFrame, crs: pyproj.CRS, profile: Profile, findings: Findings) -> gpd.GeoDataFrame:
    """Rows of one CRS under the profile."""
    shapes = table.geometry.to_numpy()
    good = usable_rows(shapes, profile, findings)
    rows = np.flatnonzero(good)
    points = np.full(len(shapes), None, dtype=object)
    points[rows] = inner_points(shapes[rows])
    out = np.full(len(shapes), None, dtype=object)
    moved = moved_shapes(shapes[rows], table.crs, crs, rows, findings)
    out[rows] = tidy_shapes(moved, profile.geometry, rows, findings)
    tell_outside(crs, points, table.crs, findings)
    sources = {field.source for field in profile.fields}
    places = place_columns(points, table.crs, crs, [name for name in PLACE_COLUMNS if name in sources and (
        name in METRIC or name not in table)])
    columns = {}
    for field in profile.fields:
        if field.source in places:
            findings.told.setdefault(field.name, []).append(np.flatnonzero(~good))  # told as a fault of its shape
            columns[field.name] = field_column(field, pd.Series(places[field.source]), len(table), findings)
        elif field.source and field.source not in _names(table):
            _tell_absent(field, table, profile, findings)
            nothing = pd.Series([None] * len(table), dtype="object")
            columns[field.name] = field_column(field, nothing, len(table), findings)
        else:
            source = table[field.source] if field.source else None
            columns[field.name] = field_column(field, source, len(table), findings)
    return gpd.GeoDataFrame(columns, geometry=gpd.GeoSeries(out, crs=crs))


def _tell_absent(field: ProfileField, table: gpd.GeoDataFrame, profile: Profile, findings: Findings) -> None:
    """A column that the plan does not have: an older plan lacks what is new since, anything else is a mistake."""
    if field.source in master_columns(profile.layer) and not field.mandatory:
        written = "空" if field.value in (None, "") else shown(field.value)
        findings.adjustments.append(Adjustment(findings.layer, "", field.name, f"成果中没有列 {field.source}", written,
                                               "成果由较早的版本写出,重新运行 siteplan run 后才有"))
        return
    findings.whole(field.name, f"图层 {profile.layer} 中没有列 {field.source}", suggestion(field.source, _names(table)))
    findings.told.setdefault(field.name, []).append(np.arange(len(table)))


def _check_keys(keys: pd.Series | None, rows: Rows, name: str, findings: Findings) -> None:
    """No key stands twice in the layer, whatever its parts."""
    if keys is None or keys.is_unique:
        return
    words = keys.astype("str")
    for word, here in rows_of(words, words[keys.duplicated() & keys.notna()].unique()).items():
        findings.rows(rows[here[:1]], name, f"主键重复:{shown(word)} 有 {len(here)} 行", "改正数据,使主键唯一")

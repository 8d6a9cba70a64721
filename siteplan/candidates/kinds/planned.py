"""Planned buildings (规划建筑) as roofs of the future: the place for a mast is asked for while the house is drawn."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from siteplan.candidates.context import CandidateContext
from siteplan.candidates.kinds.origins import Fact, few, origin_words, tell_rows
from siteplan.candidates.rules.refuse import metres
from siteplan.candidates.table import empty_sites, site_ids, sites_table, text
from siteplan.schema import layer_schema, match_value

ROOF_HEIGHT = "roof_height"
OWNER = "建设单位(名称待补)"
STANDING_SHARE = 0.5
"""A completed project stands in the layer of buildings where those cover this share of its area (design choice)."""
_USE_ZH = {"residential": "住宅", "commercial": "商业", "office": "办公", "industrial": "工业", "public": "公共",
           "other": "其他"}


def planned_use(words: pd.Series) -> pd.Series:
    """Normalised use of planned buildings, whose column is free text.

    >>> planned_use(pd.Series(["住宅", "体育场馆", None])).tolist()
    ['residential', 'public', 'other']
    """
    field = layer_schema("buildings").fields["use"]
    known = {word: match_value(field, word) or "other" for word in words.dropna().unique()}
    return words.map(known).fillna("other").astype("str")


def planned_height(planned: gpd.GeoDataFrame, use: pd.Series) -> pd.DataFrame:
    """Roof height of planned buildings: storeys times the storey height of their use, else the default of the use.

    Returns
    -------
    DataFrame
        ``height_m``, ``assumed`` (no storeys), ``words`` (where it comes from).
    """
    defaults = layer_schema("buildings").defaults
    storeys = planned["storeys"].astype("float64")
    storey_m, default_m = (use.map(dict(defaults[name])).astype("float64") for name in ("storey_m", "height_m"))
    assumed = storeys.isna()
    words = [f"楼高{default:g}米(层数未提供,按{_USE_ZH[kind]}默认)" if unknown else f"楼高{count * each:g}米({count:g}层×{each:g}米)"
             for unknown, default, kind, count, each in zip(assumed, default_m, use, storeys, storey_m, strict=True)]
    height = (storeys * storey_m).fillna(default_m).round(1)
    return pd.DataFrame({"height_m": height, "assumed": assumed, "words": words}, index=planned.index)


def roof_area_of(planned: gpd.GeoDataFrame) -> pd.Series:
    """Area of the roof, m2: floor area by storeys, at most the polygon; the polygon where one of them is not known.

    The polygon of a project is often its plot, which is larger than the house.
    """
    ground = pd.Series(shapely.area(planned.geometry.to_numpy()), index=planned.index).replace(0.0, np.nan)
    storey = planned["floor_area_m2"].astype("float64") / planned["storeys"].astype("float64")
    return pd.concat([storey.where(storey > 0), ground], axis=1).min(axis=1).round(1)


def already_standing(planned: gpd.GeoDataFrame, context: CandidateContext) -> pd.Series:
    """Projects completed before the day of the study that the layer of buildings holds already."""
    found = pd.Series(False, index=planned.index)
    buildings = context.tables["buildings"]
    if context.as_of is None or buildings.empty:
        return found
    done = (pd.to_datetime(planned["completed_on"]) < pd.Timestamp(context.as_of)).fillna(False).to_numpy()
    shapes, houses = planned.geometry.to_numpy()[done], buildings.geometry.to_numpy()
    area = shapely.area(shapes)
    project, house = buildings.sindex.query(shapes, predicate="intersects")
    common = shapely.area(shapely.intersection(shapes[project], houses[house]))
    share = np.bincount(project, weights=common, minlength=len(shapes)) / np.where(area > 0, area, np.inf)
    found[done] = share >= STANDING_SHARE
    return found


def _when(done: pd.Series, context: CandidateContext) -> list[str]:
    """Words on when the roof will be there."""
    words = []
    for day in pd.to_datetime(done):
        if pd.isna(day):
            words.append("竣工日期未提供,最早可用年份不明")
        elif context.as_of is not None and day.date() < context.as_of:
            words.append(f"竣工日期{day:%Y-%m-%d}已过,现状建筑图层中没有这栋,须核对是否建成")
        else:
            words.append(f"计划竣工{day:%Y-%m-%d},最早{day.year}年可用")
    return words


def _venues_there(planned: gpd.GeoDataFrame, context: CandidateContext) -> pd.Series:
    """Words on the venues that stand within a project today, which are candidates of their own."""
    venues = context.tables["facilities"].sort_index()
    words = pd.Series("", index=planned.index)
    if venues.empty:
        return words
    project, venue = venues.sindex.query(planned.geometry.to_numpy(), predicate="intersects", sort=True)
    for number in np.unique(project).tolist():
        words.iloc[number] = f";范围内现有公共场所 {few(venues.index[venue[project == number]])}"
    return words


def _tell(planned: gpd.GeoDataFrame, height: pd.DataFrame, context: CandidateContext) -> None:
    """What was assumed of planned buildings, one line for each kind of fact."""
    for where, fact in (
        (height["assumed"], Fact("storeys", "assumed", "层数未提供,楼高按用途默认", "补填层数")),
        (text(planned["use"]) == "", Fact("use", "assumed", "用途未提供,按其他", "补填用途")),
        (planned["completed_on"].isna(), Fact("completed_on", "assumed", "竣工日期未提供,按可用候选保留", "补填计划竣工日期")),
    ):
        tell_rows(context.ledger, "planned_buildings", planned[where.to_numpy()], fact)


def propose(context: CandidateContext) -> gpd.GeoDataFrame:
    """Planned buildings as macro candidates on their roofs.

    The class, and with it the duty to open, follows from the use; the owner is the builder, whose name the layer does
    not hold, and the housing department accepts the building. Every project stays open whenever it will be completed,
    because a study has no horizon: the earliest year is told in the evidence. Projects that are completed and stand in
    the layer of buildings are offered there, and told in the ledger. A roof that is too low is refused here
    (``roof_height``), where its height is known; a venue that stands on the plot today is named in the evidence.
    """
    every = context.tables["planned_buildings"].sort_index()
    standing = already_standing(every, context).to_numpy()
    tell_rows(context.ledger, "planned_buildings", every[standing], Fact(
        "completed_on", "note", "已竣工,现状建筑图层中已有,按现状建筑列候选", "从规划建筑图层移出"))
    planned = every[~standing]
    if planned.empty:
        return empty_sites(every.crs)
    use = planned_use(planned["use"])
    height = planned_height(planned, use)
    _tell(planned, height, context)
    classes = use.map(dict(context.venues.building_use)).fillna("other").astype("str")
    traits, named = context.class_columns(classes), text(planned["name"])
    filing = text(planned["filing"])
    evidence = origin_words("planned_buildings", planned) + ";" + height["words"] + ";" + pd.Series(
        _when(planned["completed_on"], context), index=planned.index) + (";通信设施验收备案:" + filing).where(filing != "", "")
    low = height["height_m"] < context.params.roof_min_height_m
    rows = traits.assign(
        name=named.where(named != "", "规划建筑 " + planned.index.astype("str")), kind="macro", source="planned",
        source_id=planned.index, build="new", owner=OWNER, department=context.venues.departments["housing"].zh,
        opens="roof", roof_area_m2=roof_area_of(planned),
        evidence=evidence + _venues_there(planned, context), status=np.where(low, "refused", "candidate"),
        refusal_code=np.where(low, ROOF_HEIGHT, ""), reason=[
            f"楼顶高{metre}米,须不小于{context.params.roof_min_height_m:g}米" if below else ""
            for metre, below in zip(metres(height["height_m"]), low, strict=True)],
    ).join(context.roof_mounts(height["height_m"]))
    rows.index = site_ids("planned", planned.index)
    return sites_table(rows, gpd.GeoSeries(planned.geometry.representative_point().to_numpy(), crs=every.crs))

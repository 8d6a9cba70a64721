"""Existing stations: rows of status existing, and reuse candidates where a mast carries no 5G yet."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd

from siteplan.candidates.context import CandidateContext, load_mounts
from siteplan.candidates.kinds.mast_places import free_places, of_one_tower, operators_that_fit
from siteplan.candidates.kinds.operators import listed, only_words, split_operators, wanted_operators
from siteplan.candidates.kinds.origins import count_words, few, joined
from siteplan.candidates.table import empty_sites, site_ids, sites_table, text
from siteplan.grid import sample

MAST_CLASS = "existing_site"
COST_MODEL = "existing_mast"
_KIND_ORDER = {"macro": 0, "micro": 1, "indoor": 2}


def _first_given(rows: pd.DataFrame, column: str, masts: pd.Index) -> pd.Series:
    """First value of a column that is given on each mast; "" where none is."""
    given = rows.loc[rows[column].notna(), ["source_site", column]].drop_duplicates("source_site")
    return text(given.set_index("source_site")[column].reindex(masts))


def mast_table(sectors: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """One row per mast of a table of sectors.

    Parameters
    ----------
    sectors : GeoDataFrame
        Rows of the stations layer.

    Returns
    -------
    GeoDataFrame
        Index ``source_site``, sorted: ``name, owner`` (first given), ``kind`` (macro where one sector is, else micro,
        else indoor), ``antenna_height_m`` (greatest), ``networks`` (network and technology, joined by ``|``),
        ``operators`` (joined by ``|``), ``free_positions`` (least given; NaN = none given), ``free_unclear`` (the rows
        of the mast give different ones), ``site_numbers`` (of a tower that has several, joined by ``|``, else ""),
        ``rows`` (words on where it stands), ``geometry`` (of the first sector).
    """
    rows = sectors.sort_index()
    site = rows["source_site"].astype("str")
    first = rows.drop_duplicates("source_site").set_index("source_site").sort_index()
    masts = first.index
    order = rows["kind"].map(_KIND_ORDER).fillna(0).groupby(site.to_numpy()).min().reindex(masts)
    measures = rows[["antenna_height_m", "free_positions"]].astype("float64").groupby(site.to_numpy())
    least, most = measures.min().reindex(masts), measures.max().reindex(masts)
    network = rows["network"].astype("str")
    by_operator = network.map(split_operators).explode().fillna("")
    count = site.value_counts().reindex(masts)
    file, row = text(first["source_file"]), text(first["source_row"])
    numbers = text(first["site_numbers"]) if "site_numbers" in first else pd.Series(masts.astype("str"), index=masts)
    several = ("等" + count.astype("str") + "个小区").where(count > 1, "")
    there = (" " + file).where(file != "", "") + (" 第 " + row + " 行").where(row != "", "")
    return gpd.GeoDataFrame({
        "name": _first_given(rows, "name", masts), "owner": _first_given(rows, "owner", masts),
        "kind": order.map({number: kind for kind, number in _KIND_ORDER.items()}).astype("str"),
        "antenna_height_m": most["antenna_height_m"],
        "networks": joined(network + " " + text(rows["technology"]), site).reindex(masts),
        "operators": joined(by_operator, site.reindex(by_operator.index)).reindex(masts),
        "free_positions": least["free_positions"],
        "free_unclear": least["free_positions"] < most["free_positions"],
        "site_numbers": numbers.where(numbers.str.contains("|", regex=False), ""),
        "rows": ("现有基站 " + numbers.str.replace("|", "、", regex=False) + there + several).astype("str"),
    }, geometry=first.geometry, crs=sectors.crs, index=masts)


def existing_sites(context: CandidateContext) -> gpd.GeoDataFrame:
    """One row per mast of the stations layer (status existing); networks are joined by ``|``."""
    stations = context.tables["stations"]
    if stations.empty:
        return empty_sites(stations.crs)
    masts = mast_table(stations)
    rows = pd.DataFrame(masts[["name", "kind", "owner", "antenna_height_m", "networks"]]).assign(
        source="station", source_id=masts.index, status="existing", build="", reason="现有基站", evidence=masts["rows"])
    points = gpd.GeoSeries(masts.geometry.to_numpy(), crs=stations.crs)
    rows.index = site_ids("existing", masts.index)
    return sites_table(rows, points)


def mast_sites(masts: gpd.GeoDataFrame, context: CandidateContext) -> pd.DataFrame:
    """Columns that candidates on existing masts have in common, on the index of the masts.

    A mast on a built pixel stands on a roof, else on the ground; the antenna hangs as high as the highest one there.
    """
    points = masts.geometry
    built = np.nan_to_num(sample(context.surface.clutter_m, context.surface.geobox, points.x, points.y))
    traits = context.class_columns(pd.Series(MAST_CLASS, index=masts.index))
    return traits.assign(
        name=masts["name"], kind="macro", source_id=masts.index, owner=masts["owner"], members=masts["site_numbers"],
        department=traits["class_department"], mount=np.where(built > 0, "roof_tower", "ground_tower"),
        opens=np.where(built > 0, "roof", "ground"), antenna_height_m=masts["antenna_height_m"],
        cost_model=COST_MODEL)


def _tell_low(masts: gpd.GeoDataFrame, least_m: float, context: CandidateContext) -> None:
    if len(masts):
        context.ledger.add("stations", "", count_words(len(masts), masts.index[0], "个站址"), "antenna_height_m",
                           few(masts.index), "note", f"没有5G,挂高不足{least_m:g}米,不作宏站利旧候选",
                           "核对挂高;可作微站时列入杆塔图层")


def propose(context: CandidateContext) -> gpd.GeoDataFrame:
    """Masts of the stations layer without 5G, as macro candidates of build ``reuse``.

    ``networks`` are the operators of the study that the mast has room for, ``*`` where all fit: one that is there takes
    its own place again, further ones need a free place (:func:`~siteplan.candidates.kinds.mast_places.allot_places`).
    Masts with room for none are refused (``no_capacity``).
    """
    stations = of_one_tower(context.tables["stations"])
    outdoor = stations[(stations["kind"] != "indoor").to_numpy()]
    with_5g = outdoor.loc[(outdoor["technology"] == "5G").to_numpy(), "source_site"].unique()
    without = outdoor[~outdoor["source_site"].isin(with_5g).to_numpy()]
    if without.empty:
        return empty_sites(stations.crs)
    masts, least_m = mast_table(without), load_mounts()["mast"].min_antenna_m
    low = masts["antenna_height_m"] < least_m
    _tell_low(masts[low], least_m, context)
    masts = masts[~low]
    if masts.empty:
        return empty_sites(stations.crs)
    places = free_places(masts, context)
    networks = operators_that_fit(masts, places, context)
    full = (networks == "").to_numpy()
    wanted = wanted_operators(context)
    only = networks.map(lambda names: only_words(names, wanted)).where(~full, "")
    height = masts["antenna_height_m"].map("{:g}".format)
    evidence = masts["rows"] + ";没有5G,现有 " + masts["networks"].str.replace("|", "、", regex=False) + ";挂高" + height + (
        "米按现有最高一副;") + places["places_words"] + only
    rows = mast_sites(masts, context).assign(
        source="station", build="reuse", networks=networks.where(~full, "|".join(wanted)), evidence=evidence,
        status=np.where(full, "refused", "candidate"), refusal_code=np.where(full, "no_capacity", ""),
        reason=[f"没有空余挂载位:塔上已有{listed(there)},容不下{'、'.join(wanted)}" if none else ""
                for none, there in zip(full, masts["operators"], strict=True)])
    rows.index = site_ids("station", masts.index)
    return sites_table(rows, gpd.GeoSeries(masts.geometry.to_numpy(), crs=stations.crs))

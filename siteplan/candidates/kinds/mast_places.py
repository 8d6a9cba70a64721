"""Room on masts: which operators come together, who fits, and which site numbers are one tower."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd

from siteplan.candidates.context import CandidateContext
from siteplan.candidates.kinds.operators import EVERY, split_operators, wanted_operators
from siteplan.candidates.rules.thin import keep_spaced

ONE_MAST_M = 10.0
"""Masts nearer than this are one tower under several site numbers, m (an unverified default: error of cell tables)."""


def of_one_tower(sectors: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Sectors with the first of the site numbers that stand on one tower as ``source_site``.

    Every operator numbers the towers that it shares in its own way. Masts nearer than ``ONE_MAST_M`` to the first one
    by number are the same tower; a mast stands where its first sector does.

    Parameters
    ----------
    sectors : GeoDataFrame
        Rows of the stations layer, in metres.

    Returns
    -------
    GeoDataFrame
        The rows with ``source_site`` of the tower, and ``site_numbers``: all site numbers there, joined by ``|``.

    Examples
    --------
    >>> rows = gpd.GeoDataFrame({"source_site": ["M2", "M1", "M3"]}, index=["b", "a", "c"],
    ...     geometry=gpd.points_from_xy([0, 5, 50], [0, 0, 0]))
    >>> of_one_tower(rows)[["source_site", "site_numbers"]].values.tolist()
    [['M1', 'M1|M2'], ['M1', 'M1|M2'], ['M3', 'M3']]
    """
    site = sectors["source_site"].astype("str")
    first = sectors.geometry[sectors.index.sort_values()].groupby(site.reindex(sectors.index.sort_values())).first()
    masts = first.index.to_numpy(dtype=object)
    other = keep_spaced(np.column_stack([first.x, first.y]), np.arange(len(first)), ONE_MAST_M)
    tower = pd.Series(masts[np.where(other < 0, np.arange(len(masts)), other)], index=first.index, dtype="str")
    numbers = tower.index.to_series().groupby(tower.to_numpy()).agg("|".join)
    own = site.map(tower).astype("str")
    return sectors.assign(source_site=own, site_numbers=own.map(numbers).astype("str"))


def partners_of(networks: pd.Series, wanted: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    """Operators of the study in the groups in which they come to a mast.

    Operators that are named by exactly the same 5G networks run one RAN: they come together. Others come alone.

    Parameters
    ----------
    networks : Series of str
        5G networks of the stations.
    wanted : tuple of str
        Operators that new sites shall serve; their order is kept.

    Returns
    -------
    tuple of tuple of str

    Examples
    --------
    >>> partners_of(pd.Series(["移动", "电信&联通", "移动&广电"]), ("移动", "电信", "联通", "广电"))
    (('移动',), ('电信', '联通'), ('广电',))
    """
    names = sorted(set(networks.astype("str")))
    serving = {name: tuple(text for text in names if name in split_operators(text)) for name in wanted}
    groups: dict[object, list[str]] = {}
    for name in wanted:
        groups.setdefault(serving[name] or name, []).append(name)
    return tuple(tuple(group) for group in groups.values())


def allot_places(missing: tuple[tuple[str, ...], ...], there: set[str], places: int, given: bool) -> tuple[str, ...]:
    """Missing operators that a mast has room for.

    Parameters
    ----------
    missing : tuple of tuple of str
        Groups of operators without 5G there, in the order in which they are tried; a group comes whole or not at all.
    there : set of str
        Operators that have equipment of any kind there: they need no further place.
    places : int
        Free places.
    given : bool
        Whether they are positions that the layer counts (one RAN needs one), else operators that a mast still takes.

    Returns
    -------
    tuple of str

    Examples
    --------
    >>> allot_places((("电信", "联通"), ("广电",)), {"移动"}, 2, given=False)
    ('电信', '联通')
    >>> allot_places((("电信", "联通"), ("广电",)), {"移动"}, 2, given=True)
    ('电信', '联通', '广电')
    """
    offered: list[str] = []
    left = places
    for group in missing:
        newcomers = sum(name not in there for name in group)
        need = min(newcomers, 1) if given else newcomers
        if need <= left:
            offered += group
            left -= need
    return tuple(offered)


def free_places(masts: gpd.GeoDataFrame, context: CandidateContext) -> pd.DataFrame:
    """Free places of every mast: the positions of the layer, else what the setting leaves, and that in words.

    Returns
    -------
    DataFrame
        ``places`` (number), ``places_source`` (given | assumed), ``places_words``.
    """
    takes = context.params.station_operators
    there = masts["operators"].map(lambda text: len([name for name in text.split("|") if name])).astype("int64")
    given = masts["free_positions"].notna()
    places = masts["free_positions"].where(given, (takes - there).clip(lower=0)).astype("int64")
    words = [f"空余挂载位{number}个(资料给出)" if known else
             f"空余挂载位未提供,按每塔{takes}家运营商还可容纳{number}家(假定)"
             for number, known in zip(places, given, strict=True)]
    return pd.DataFrame({"places": places, "places_source": np.where(given, "given", "assumed"),
                         "places_words": words}, index=masts.index)


def operators_that_fit(masts: gpd.GeoDataFrame, places: pd.DataFrame, context: CandidateContext) -> pd.Series:
    """Operators of the study that may have 5G on masts that carry none yet.

    Parameters
    ----------
    masts : GeoDataFrame
        Of :func:`~siteplan.candidates.kinds.stations.mast_table`.
    places : DataFrame
        Of :func:`free_places`.
    context : CandidateContext

    Returns
    -------
    Series of str
        Joined by ``|``; ``*`` where all fit, "" where none does. An operator that is there takes its own place again.
    """
    wanted = wanted_operators(context)
    stations = context.tables["stations"]
    groups = partners_of(stations.loc[(stations["technology"] == "5G").to_numpy(), "network"], wanted)
    cells = []
    for names, free, source in zip(masts["operators"], places["places"], places["places_source"], strict=True):
        there = set(names.split("|"))
        fit = there.union(allot_places(groups, there, int(free), source == "given"))
        serving = [name for name in wanted if name in fit]
        cells.append(EVERY if len(serving) == len(wanted) else "|".join(serving))
    return pd.Series(cells, index=masts.index, dtype="str")

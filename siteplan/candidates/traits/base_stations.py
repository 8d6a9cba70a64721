"""How many base stations (基站: one network's radio at a site) a site carries or will carry."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import geopandas as gpd
import pandas as pd

from siteplan.candidates.table import STATION_5G

EVERY = "*"
SHARED = "&"


def sharing_groups(networks: Iterable[str]) -> dict[str, str]:
    """Operators that share a radio network anywhere in the study -> one name for all of them.

    Where some of their stations are shared, new sites are taken to be shared as well: one set of radio equipment.

    >>> sharing_groups(["移动", "电信&联通", "联通", "移动&广电"])
    {'广电': '广电&移动', '电信': '电信&联通', '移动': '广电&移动', '联通': '电信&联通'}
    """
    groups: list[set[str]] = []
    for network in networks:
        names = set(network.split(SHARED))
        apart = [group for group in groups if not group & names]
        groups = [*apart, names.union(*(group for group in groups if group & names))]
    of = {name: SHARED.join(sorted(group)) for group in groups for name in group}
    return dict(sorted(of.items()))


def station_count(networks: pd.Series, existing: pd.Series, wanted: Sequence[str],
                  shared: Iterable[str] = ()) -> pd.Series:
    """Base stations of every site.

    Parameters
    ----------
    networks : Series of str
        Joined by ``|``. Of candidates the networks that they will serve, ``*`` = all that new sites of the study serve;
        of existing sites what stands there, with its technology.
    existing : Series of bool
    wanted : sequence of str
        Networks that new sites of the study serve; none known = one new network that all share.
    shared : iterable of str
        Radio networks of the study, operators that share one joined by ``&``: they share new sites too.

    Returns
    -------
    Series of int
        A radio network that several operators share counts once. Of existing sites only 5G counts.

    Examples
    --------
    >>> cells = pd.Series(["*", "移动|电信", "移动 4G|移动 5G|电信&联通 5G", "移动 4G", ""])
    >>> old = pd.Series([False, False, True, True, False])
    >>> station_count(cells, old, ("移动", "电信", "联通")).tolist()
    [3, 2, 2, 0, 0]
    >>> station_count(cells, old, ("移动", "电信", "联通"), ["移动", "电信&联通"]).tolist()
    [2, 2, 2, 0, 0]
    """
    groups = sharing_groups(shared)
    every = max(1, len({groups.get(name, name) for name in wanted}))
    found = {(cell, old): _count(cell, old, every, groups) for cell, old in set(zip(networks, existing, strict=True))}
    counts = [found[pair] for pair in zip(networks, existing, strict=True)]
    return pd.Series(counts, index=networks.index, dtype="int64")


def _count(cell: str, old: bool, every: int, groups: dict[str, str]) -> int:
    parts = {part for part in cell.split("|") if part}
    if old:
        return len({part for part in parts if part.endswith(STATION_5G)})
    return every if EVERY in parts else len({groups.get(part, part) for part in parts})


def with_station_count(sites: gpd.GeoDataFrame, wanted: Sequence[str], shared: Iterable[str] = ()) -> gpd.GeoDataFrame:
    """The sites table with ``station_count`` filled in; see :func:`station_count`."""
    count = station_count(sites["networks"], sites["status"] == "existing", wanted, shared)
    return sites.assign(station_count=count)

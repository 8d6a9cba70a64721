"""Kinds of poles, and 多杆合一: poles that stand close together become one place for a site."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import geopandas as gpd
import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from siteplan.candidates.rules.thin import keep_spaced
from siteplan.candidates.table import text
from siteplan.tables import read_table

USUAL_KIND = "lamp"
"""Kind of a pole whose row names none: the layer is that of street lamps."""
_MOST_CHOSEN = 6
"""No more chosen poles than this stand within d of one place, as they are d apart from each other."""


@dataclass(frozen=True)
class PoleKind:
    """One kind of poles; see the head of ``tables/poles.toml`` for the fields."""

    zh: str
    venue_class: str
    spare_load_kg: float
    takes_equipment: bool
    mount: str
    rank: int
    source: str
    why: str = ""


@cache
def load_pole_kinds() -> Mapping[str, PoleKind]:
    """Kinds of poles by id.

    >>> load_pole_kinds()["lamp"].zh, load_pole_kinds()["power"].takes_equipment
    ('灯杆', False)
    """
    return {name: PoleKind(**entry) for name, entry in read_table("poles")["kinds"].items()}


def kinds_of(poles: gpd.GeoDataFrame) -> pd.Series:
    """Kind of every pole (a category): the given one, ``lamp`` where none is given, ``other`` for an unknown word.

    >>> kinds_of(pd.DataFrame({"kind": ["cctv", None, "飞船"]}, index=["P1", "P2", "P3"])).tolist()
    ['cctv', 'lamp', 'other']
    """
    names = list(load_pole_kinds())
    given = pd.Index(names).get_indexer(poles["kind"].to_numpy(dtype=object))
    missing = np.where(poles["kind"].isna() | (poles["kind"] == ""), names.index(USUAL_KIND), names.index("other"))
    return pd.Series(pd.Categorical.from_codes(np.where(given < 0, missing, given), names), index=poles.index)


def of_kind(kinds: pd.Series, values: Mapping[str, object] | str) -> np.ndarray:
    """A value for every pole by its kind: of a mapping by kind, or a field of the table.

    >>> of_kind(kinds_of(pd.DataFrame({"kind": ["power", "sign"]})), "takes_equipment").tolist()
    [False, True]
    """
    table = load_pole_kinds()
    row = [getattr(kind, values) if isinstance(values, str) else values[name] for name, kind in table.items()]
    array = np.array(row, dtype=object if isinstance(row[0], str) else None)
    return array[kinds.cat.codes.to_numpy()]


def best_first(poles: gpd.GeoDataFrame, barred: np.ndarray | None = None, kind_first: bool = True) -> np.ndarray:
    """Numbers of the poles from the best to the worst.

    Poles that are not barred come first, then smart before lamp before other kinds (``rank`` of the table), with power
    (unknown counts as with), not leased, higher, and by id at last.

    Parameters
    ----------
    poles : GeoDataFrame
        Rows of the poles layer, in any order.
    barred : ndarray of bool or int, shape (n,), optional
        Greater is worse.
    kind_first : bool
        False: the kind comes after power and lease. Poles of one crossing are merged into the one that is made for it;
        of poles farther apart the one that is free to use is better, whatever its kind.

    Returns
    -------
    ndarray of int, shape (n,)
    """
    rank = of_kind(kinds_of(poles), "rank")
    power = poles["has_power"].astype("boolean").fillna(True).to_numpy(dtype=bool)
    leased = (text(poles["lessee"]) != "").to_numpy()
    height_m = poles["height_m"].to_numpy(dtype="float64")
    last = np.zeros(len(poles), dtype=np.int64) if barred is None else np.asarray(barred, dtype=np.int64)
    by_id = np.argsort(np.argsort(poles.index.astype("str").to_numpy(dtype=object), kind="stable"))
    middle = (leased, ~power, rank) if kind_first else (rank, leased, ~power)
    return np.lexsort((by_id, -height_m, *middle, last))


def _nearest_chosen(places: np.ndarray, chosen: np.ndarray, distance_m: float) -> tuple[np.ndarray, np.ndarray]:
    """Number and distance of the nearest chosen place, the first listed on a tie; some chosen one is so near."""
    near = min(_MOST_CHOSEN, len(chosen))
    distance, number = cKDTree(chosen).query(places, k=near, distance_upper_bound=distance_m * (1 + 1e-6))
    distance, number = distance.reshape(len(places), near), number.reshape(len(places), near)
    tied = distance <= distance.min(axis=1, keepdims=True) * (1 + 1e-9)
    return np.where(tied, number, len(chosen)).min(axis=1), distance.min(axis=1)


def merge_poles(poles: gpd.GeoDataFrame, distance_m: float, barred: pd.Series | None = None,
                alone: pd.Series | None = None) -> pd.DataFrame:
    """多杆合一: into which pole each pole is merged.

    The best pole of all (:func:`best_first`) is chosen, then the best of those that are not nearer than ``distance_m``
    to a chosen one, and so on. Every other pole joins the chosen pole nearest to it (the better one on a tie). So each
    member is nearer than the distance to the pole that it is merged into, no chain of poles grows longer, chosen poles
    keep the distance from each other, and the order of the rows does not matter.

    Kinds do not matter: a signal, a camera and a lamp at a crossing are one group, and so are two lamps that face each
    other across a lane narrower than the distance, because one place of the two is enough for a site. At exactly the
    distance, as on all wider streets, they stay two.

    Poles of kinds that take no equipment (power), and poles outside the boundary, stay alone.

    Parameters
    ----------
    poles : GeoDataFrame
        Rows of the poles layer in metres, in any order.
    distance_m : float
        Poles nearer than this are merged; 0 merges none.
    barred : Series of bool or int, optional
        By pole id: poles that cannot carry a site, greater is worse. They are merged into others, and chosen only where
        no better one is; none that is less barred is merged into them.
    alone : Series of bool, optional
        By pole id: poles that are not merged at all (where they stand, nothing may).

    Returns
    -------
    DataFrame
        Index ``pole_id``, sorted: ``merged_into`` (id of the chosen pole; its own for a chosen pole),
        ``distance_m`` (to it).

    Examples
    --------
    >>> from shapely.geometry import Point
    >>> rows = gpd.GeoDataFrame({"kind": ["lamp", "cctv", "sign"], "has_power": True, "lessee": None, "height_m": 8.0,
    ...     "inside": None}, geometry=[Point(0, 0), Point(6, 0), Point(12, 0)], index=["L", "C", "S"])
    >>> merge_poles(rows, 8.0)["merged_into"].to_dict()
    {'C': 'L', 'L': 'L', 'S': 'S'}
    """
    poles = poles.sort_index()
    ids = poles.index.astype("str").to_numpy(dtype=object)
    xy = np.column_stack([poles.geometry.x, poles.geometry.y])
    inside = poles["inside"].astype("boolean").fillna(True).to_numpy(dtype=bool)
    free = of_kind(kinds_of(poles), "takes_equipment") & inside
    if alone is not None:
        free &= ~alone.reindex(poles.index).to_numpy(dtype=bool)
    last = np.zeros(len(poles), np.int64) if barred is None else barred.reindex(poles.index).to_numpy(dtype=np.int64)
    into, apart_m = np.arange(len(poles)), np.zeros(len(poles))
    rows = np.flatnonzero(free)
    order = best_first(poles.iloc[rows], last[rows])
    joins = keep_spaced(xy[rows], order, distance_m) >= 0
    if joins.any():
        chosen = rows[order[~joins[order]]]
        for level in np.unique(last[rows[joins]]).tolist():
            members, heads = rows[joins & (last[rows] == level)], chosen[last[chosen] <= level]
            number, apart_m[members] = _nearest_chosen(xy[members], xy[heads], distance_m)
            into[members] = heads[number]
    return pd.DataFrame({"merged_into": pd.array(ids[into], dtype="str"), "distance_m": apart_m},
                        index=pd.Index(ids, dtype="str", name=poles.index.name))


def _mixed_words(kinds: list[str]) -> str:
    """``灯杆1根、信号灯杆2根`` for kinds of poles."""
    table = load_pole_kinds()
    there = sorted(set(kinds), key=lambda kind: (table[kind].rank, list(table).index(kind)))
    return "、".join(f"{table[kind].zh}{kinds.count(kind)}根" for kind in there)


def describe_groups(poles: gpd.GeoDataFrame, groups: pd.DataFrame, answerable: pd.Series,
                    distance_m: float) -> pd.DataFrame:
    """Members of the groups of more than one pole, and what is to be said of them.

    Parameters
    ----------
    poles : GeoDataFrame
        Rows of the poles layer.
    groups : DataFrame
        Of :func:`merge_poles`.
    answerable : Series of str
        By pole id: owner, or the department where the owner is unknown.
    distance_m : float
        Distance that the poles were merged with.

    Returns
    -------
    DataFrame
        Index ``pole_id`` of the chosen pole, sorted: ``members`` (ids of the whole group joined by ``|``, the chosen
        pole first), ``words`` (how many poles of which kinds become one, whose consent that needs, other lessees).
    """
    crowd = groups[groups["merged_into"].duplicated(keep=False)]
    crowd = crowd.assign(other=(crowd.index != crowd["merged_into"])).sort_index()
    crowd = crowd.sort_values(["merged_into", "other"], kind="stable")
    ids = crowd.index
    columns = [ids, kinds_of(poles).reindex(ids), answerable.reindex(ids), text(poles["lessee"]).reindex(ids)]
    pole_ids, kinds, owners, lessees = (column.to_numpy(dtype=object).tolist() for column in columns)
    starts = np.flatnonzero(~crowd["other"].to_numpy()).tolist()
    members, words = [], []
    for start, end in zip(starts, [*starts, len(ids)][1:], strict=True):
        members.append("|".join(pole_ids[start:end]))
        mixed = len(set(kinds[start:end])) > 1
        said = (f"多杆合一:{_mixed_words(kinds[start:end])}合为1根,荷载须另行核算" if mixed else
                f"{distance_m:g}米内{_mixed_words(kinds[start:end])}作为一处")
        who = "、".join(dict.fromkeys(owners[start:end]))
        leased = "、".join(dict.fromkeys(name for name in lessees[start + 1:end] if name))
        words.append(f"{said};须同意:{who}" + (f";并入的杆已租给:{leased}" if leased else ""))
    return pd.DataFrame({"members": members, "words": words}, index=ids[starts], dtype="str")

"""Which site of a plan is which site of the register: by study id, by venue, by place; one to one."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
import pandas as pd
import shapely

from siteplan.register.sync.record import place_setting
from siteplan.tables import read_table

HOW_ZH = {"id": "编号相同", "former": "曾用编号相同", "venue": "场所相同", "place": "位置相同"}
Pairs = tuple[np.ndarray, np.ndarray]
"""Numbers of rows of a plan and of the register that belong together."""
_BUILT_ON = ("share", "reuse")
"""What is built on a site that is on air already is another site of the register."""


class SiteMatches(NamedTuple):
    """How sites of a plan and of the register belong together.

    Attributes
    ----------
    pairs : DataFrame
        Index ``study_id`` of every site of the plan, in order: ``row_id`` (id in the register, empty = none), ``how``
        (``id``, ``former``, ``venue``, ``place``; empty), ``distance_m`` (NaN where a place is not known).
    distrusted : DataFrame
        Pairs with the same id that are named otherwise and too far apart to be the same site, or whose site in the
        plan is another one of the register by name and place: ``study_id, row_id, distance_m``.
    """

    pairs: pd.DataFrame
    distrusted: pd.DataFrame


@cache
def mount_family(words: str) -> str:
    """Family of a way of standing: roof, ground, pole, indoor; empty where it is not known.

    >>> mount_family("楼面抱杆"), mount_family("落地塔"), mount_family("灯杆"), mount_family("")
    ('roof', 'ground', 'pole', '')
    """
    plain = unicodedata.normalize("NFKC", words).casefold()
    return next((family for family, known in read_table("register_sync")["families"].items()
                 if any(word in plain for word in known)), "")


def match_sites(plan: pd.DataFrame, held: pd.DataFrame) -> SiteMatches:
    """Match the sites of a plan with those of the register, one to one.

    First by study id (the present one, then former ones), then by venue and way of standing, then by place: the nearest
    one within ``same_place_m`` whose way of standing is not another. Of several the nearest wins, then the first by id;
    sites that were withdrawn come last. Distances of ``tables/register_sync.toml``.

    Parameters
    ----------
    plan : DataFrame
        Unique index ``study_id``: ``name, venue, family, build, x, y`` (texts empty, numbers NaN where not known).
    held : DataFrame
        Unique index ``id``: the same, and ``study_id, former_ids`` (joined by ``|``), ``state``.

    Returns
    -------
    SiteMatches

    Examples
    --------
    >>> plan = pd.DataFrame({"name": ["甲"], "venue": [""], "family": ["roof"], "build": ["new"], "x": [0.0],
    ...                      "y": [0.0]}, index=["S1"])
    >>> held = plan.set_axis(["ZZ000001"]).assign(study_id="S0", former_ids="", state="reserve", x=4.0)
    >>> match_sites(plan, held).pairs.loc["S1", ["row_id", "how"]].tolist()
    ['ZZ000001', 'place']
    """
    work = _Matching(plan.sort_index(), held.sort_index())
    former = _same_ids(work.plan.index, work.held["former_ids"].str.split("|").explode())
    work.by_id("id", *_same_ids(work.plan.index, work.held["study_id"]), former)
    work.by_id("former", *former)
    work.by_venue()
    work.by_place(place_setting("same_place_m"))
    return SiteMatches(work.pairs().reindex(plan.index), work.distrusted())


def _same_ids(ids: pd.Index, told: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the rows of a plan and of the register with the same id; ``told``: ids by register id."""
    known = told[told.notna() & (told != "")]
    where = ids.get_indexer(pd.Index(known.to_numpy(object)))
    rows = pd.Index(told.index.unique()).get_indexer(known.index)
    return where[where >= 0], rows[where >= 0]


class _Matching:
    """The state of matching: who was taken by whom."""

    def __init__(self, plan: pd.DataFrame, held: pd.DataFrame) -> None:
        self.plan, self.held = plan, held
        self.partner = np.full(len(plan), -1)
        self.how = np.full(len(plan), "", dtype=object)
        self.taken = np.zeros(len(held), dtype=bool)
        self.apart: list[tuple[str, str, float]] = []
        self.here = plan[["x", "y"]].to_numpy(float)
        self.there = held[["x", "y"]].to_numpy(float)
        self.late = (held["state"] == "withdrawn").to_numpy(bool)
        self.on_air = (held["state"] == "on_air").to_numpy(bool)
        self.built_on = plan["build"].isin(_BUILT_ON).to_numpy(bool)

    def distance(self, rows: np.ndarray, others: np.ndarray) -> np.ndarray:
        return np.asarray(np.hypot(*(self.here[rows] - self.there[others]).T), dtype=float)

    def accept(self, rows: np.ndarray, others: np.ndarray, how: str) -> None:
        """Take pairs, the best first: nothing withdrawn, near, first by ids."""
        away = np.nan_to_num(self.distance(rows, others), nan=np.inf)
        for number in np.lexsort((others, rows, away, self.late[others])):
            row, other = rows[number], others[number]
            if self.partner[row] < 0 and not self.taken[other]:
                self.partner[row], self.how[row], self.taken[other] = other, how, True

    def by_id(self, how: str, rows: np.ndarray, others: np.ndarray, former: Pairs | None = None) -> None:
        """Pairs with the same id, unless place and name both say that it is another site."""
        free = (self.partner[rows] < 0) & ~self.taken[others]
        rows, others = rows[free], others[free]
        away = self.distance(rows, others)
        ours, known = _plain(self.plan["name"]), _plain(self.held["name"])
        strange = strange_pairs(rows, others, (self.here, self.there), ours, known, former, self._may_be_same)
        self.apart += [(str(self.plan.index[row]), str(self.held.index[other]), float(metres))
                       for row, other, metres in zip(rows[strange], others[strange], away[strange], strict=True)]
        self.accept(rows[~strange], others[~strange], how)

    def by_venue(self) -> None:
        """Pairs at the same venue that stand in the same way."""
        here = self._open(self.plan[["venue", "family"]], self.partner < 0)
        there = self._open(self.held[["venue", "family"]], ~self.taken)
        found = here.merge(there, on=["venue", "family"], suffixes=("_plan", "_held"))
        rows, others = found["number_plan"].to_numpy(int), found["number_held"].to_numpy(int)
        own = self._may_be_same(rows, others)
        self.accept(rows[own], others[own], "venue")

    @staticmethod
    def _open(table: pd.DataFrame, free: np.ndarray) -> pd.DataFrame:
        known = free & (table != "").all(axis=1).to_numpy(bool)
        return table[known].assign(number=np.flatnonzero(known))

    def by_place(self, within_m: float) -> None:
        """Pairs within a distance whose ways of standing are the same, or one of them not known."""
        mine = np.flatnonzero((self.partner < 0) & np.isfinite(self.here).all(axis=1))
        free = np.flatnonzero(~self.taken & np.isfinite(self.there).all(axis=1))
        if not len(mine) or not len(free):
            return
        found = shapely.STRtree(shapely.points(self.there[free])).query(
            shapely.points(self.here[mine]), predicate="dwithin", distance=within_m)
        rows, others = mine[found[0]], free[found[1]]
        same = self._may_be_same(rows, others)
        self.accept(rows[same], others[same], "place")

    def _may_be_same(self, rows: np.ndarray, others: np.ndarray) -> np.ndarray:
        one, other = (table["family"].to_numpy(object)[numbers]
                      for table, numbers in ((self.plan, rows), (self.held, others)))
        return ((one == other) | (one == "") | (other == "")) & ~(self.built_on[rows] & self.on_air[others])

    def pairs(self) -> pd.DataFrame:
        """Every site of the plan with its partner."""
        found = self.partner >= 0
        keys, away = np.full(len(self.plan), "", dtype=object), np.full(len(self.plan), np.nan)
        keys[found] = self.held.index.to_numpy(object)[self.partner[found]]
        away[found] = self.distance(np.flatnonzero(found), self.partner[found])
        return pd.DataFrame({"row_id": keys, "how": self.how, "distance_m": away},
                            index=pd.Index(self.plan.index, name="study_id"))

    def distrusted(self) -> pd.DataFrame:
        """Pairs with the same id that were not believed."""
        table = pd.DataFrame(self.apart, columns=["study_id", "row_id", "distance_m"])
        return table.sort_values(["study_id", "row_id"], ignore_index=True)


def strange_pairs(rows: np.ndarray, others: np.ndarray, places: tuple[np.ndarray, np.ndarray], mine: np.ndarray,
                  theirs: np.ndarray, former: Pairs | None = None,
                  may_be_same: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None) -> np.ndarray:
    """Pairs with the same id that are not the same: place and name both speak against it.

    They are named otherwise and lie ``id_trust_m`` apart; less is enough where one of them has its name and, within
    ``same_place_m``, its place in another row, and neither belongs to the partner of its id: a list was numbered anew.
    Of several rows of one name and place, that of a former id is meant; one that stands otherwise is not the same.

    >>> spots = np.array([[0.0, 0.0], [300.0, 0.0]])
    >>> old, new = np.array(["甲", "乙"], dtype=object), np.array(["乙", "甲"], dtype=object)
    >>> one = np.array([0, 1])
    >>> strange_pairs(one, one, (spots[::-1], spots), new, old).tolist()
    [True, True]
    >>> strange_pairs(one, one, (spots[::-1] + 50.0, spots), new, old).tolist()
    [False, False]

    Parameters
    ----------
    rows, others : array of int
        Rows of the plan and of the register with the same id.
    places : (array, array)
        Coordinates of the plan and of the register.
    mine, theirs : array of str
        Names of the plan and of the register, plain.
    former : (array of int, array of int), optional
        Rows of the plan and of the register that had the same id once.
    may_be_same : callable, optional
        Of rows of the plan and of the register, pair by pair: whether the way of standing allows it.
    """
    here, there = places
    near_m = place_setting("same_place_m")

    def is_odd(one: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        away = np.hypot(*(here[one] - there[other]).T) if len(one) else np.zeros(0)
        return (mine[one] != theirs[other]) & (away > near_m), away
    odd, away = is_odd(rows, others)
    twins = _twins((here, mine), (there, theirs), near_m) if odd.any() else []
    if may_be_same is not None and twins:
        twins = [pair for pair, fits in zip(twins, may_be_same(*np.array(twins).T), strict=True) if fits]
    sure = set(rows[~odd].tolist()), set(others[~odd].tolist())
    once = np.column_stack(former)[~is_odd(*former)[0]].tolist() if former is not None and twins else []
    own, owner = dict(once), {other: row for row, other in once}
    told = [(row, other) for row, other in twins if row not in sure[0] and other not in sure[1]
            and own.get(row, other) == other and owner.get(other, row) == row]
    is_twin = np.isin(rows, [row for row, _ in told]) | np.isin(others, [other for _, other in told])
    return np.asarray(odd & ((away > place_setting("id_trust_m")) | is_twin), dtype=bool)


def _twins(one: tuple[np.ndarray, np.ndarray], other: tuple[np.ndarray, np.ndarray], near_m: float,
           ) -> list[tuple[int, int]]:
    """Rows of two tables of coordinates and names that have the same name, not empty, and the same place."""
    mine, theirs = (np.flatnonzero(np.isfinite(xy).all(axis=1) & (names != "")) for xy, names in (one, other))
    tree = shapely.STRtree(shapely.points(other[0][theirs]))
    left, right = tree.query(shapely.points(one[0][mine]), predicate="dwithin", distance=near_m)
    pairs = zip(mine[left].tolist(), theirs[right].tolist(), strict=True)
    return [(row, number) for row, number in pairs if one[1][row] == other[1][number]]


def _plain(names: pd.Series) -> np.ndarray:
    """Names without blanks and width, to be compared."""
    return np.array(["".join(unicodedata.normalize("NFKC", str(name)).split()).casefold() for name in names],
                    dtype=object)


def xy_of(shapes: Sequence[shapely.Geometry | None] | np.ndarray) -> np.ndarray:
    """Coordinates of points, (row, 2); NaN where there is no place.

    >>> xy_of([shapely.Point(1, 2), None]).tolist()
    [[1.0, 2.0], [nan, nan]]
    """
    kept = np.asarray(shapes, dtype=object)
    return np.column_stack([shapely.get_x(kept), shapely.get_y(kept)]) if len(kept) else np.zeros((0, 2))

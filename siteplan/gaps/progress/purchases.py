"""Sites bought step by step until enough villages are gained, on plain arrays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

ENOUGH = 1e-9
"""A village is gained when what it lacks falls to this."""


class Links(NamedTuple):
    """Which site helps which village, sorted by village and site, with the way back from a site to its links.

    Attributes
    ----------
    village, site : ndarray of int64, shape (links,)
        Numbers of the village and of the site.
    gain : ndarray of float64, shape (links,)
        What the site adds to the village, in the unit of what villages lack.
    starts : ndarray of int64, shape (villages + 1,)
        First link of each village.
    by_price : ndarray of int64, shape (links,)
        The links sorted by village and cost per gain, those without gain last.
    by_site : ndarray of int64, shape (links,)
        The links sorted by site and village.
    site_starts : ndarray of int64, shape (sites + 1,)
        First place of each site in ``by_site``.
    """

    village: NDArray[np.int64]
    site: NDArray[np.int64]
    gain: NDArray[np.float64]
    starts: NDArray[np.int64]
    by_price: NDArray[np.int64]
    by_site: NDArray[np.int64]
    site_starts: NDArray[np.int64]

    def of_villages(self, villages: NDArray[np.int64]) -> NDArray[np.int64]:
        """Places of the links of some villages, village by village."""
        return _ranges(self.starts[villages], self.starts[villages + 1])

    def of_sites(self, sites: Iterable[int]) -> NDArray[np.int64]:
        """Places of the links of some sites, site by site."""
        numbers = np.fromiter(sites, np.int64)
        return self.by_site[_ranges(self.site_starts[numbers], self.site_starts[numbers + 1])]


def _ranges(first: NDArray[np.int64], end: NDArray[np.int64]) -> NDArray[np.int64]:
    """``first..end - 1`` of each pair, one after the other."""
    length = end - first
    return np.arange(length.sum()) + np.repeat(first - np.cumsum(length) + length, length)


def links_of(table: pd.DataFrame, villages: int, cost: NDArray[np.float64]) -> Links:
    """Links from a table of ``village, site, gain``, sorted by village and site, each pair once.

    >>> links_of(pd.DataFrame({"village": [0, 1], "site": [2, 2], "gain": 1.0}), 2, np.ones(3)).of_sites([2]).tolist()
    [0, 1]
    """
    village, site = (table[name].to_numpy(np.int64) for name in ("village", "site"))
    gain = table["gain"].to_numpy(np.float64)
    price = np.divide(cost[site], gain, out=np.full(len(site), np.inf), where=gain > 0)
    by_site = np.argsort(site, kind="stable")
    return Links(village, site, gain, np.searchsorted(village, np.arange(villages + 1)), np.lexsort((price, village)),
                 by_site, np.searchsorted(site[by_site], np.arange(len(cost) + 1)))


def _least_cost(lack: NDArray[np.float64], cost: NDArray[np.float64], links: Links, free: NDArray[np.bool_],
                villages: NDArray[np.int64]) -> NDArray[np.float64]:
    """What each village costs at least: as if parts of sites could be bought. Infinite where all do not do."""
    rows = links.by_price[links.of_villages(villages)]
    length = links.starts[villages + 1] - links.starts[villages]
    place = np.repeat(np.arange(len(villages)), length)
    gain = np.where(free[links.site[rows]], links.gain[rows], 0.0)
    total = np.cumsum(gain)
    ends = np.cumsum(length)
    before = np.r_[0.0, total][ends - length]
    left = lack[villages][place] - 2 * ENOUGH - (total - gain - before[place])
    part = np.clip(np.divide(left, gain, out=np.zeros(len(rows)), where=gain > 0), 0.0, 1.0)
    least = np.bincount(place, part * cost[links.site[rows]], minlength=len(villages)) * (1.0 - 1e-9)
    enough = np.r_[0.0, total][ends] - before >= lack[villages] - 1e-8
    return np.where(enough & (lack[villages] > ENOUGH), least, np.inf)


def _cheapest_set(lack: float, sites: np.ndarray, gains: np.ndarray, cost: np.ndarray) -> tuple[int, ...]:
    """Sites that together make up what one village lacks: cheapest per useful gain first, then without the needless.

    ``sites`` ascend, so the first of equal prices is that of the smaller id.
    """
    useful = gains > 0
    sites, gains = sites[useful], gains[useful]
    price, left = cost[sites], lack
    bought: list[int] = []
    while left > ENOUGH and len(bought) < len(sites):
        each = price / np.minimum(gains, left)
        each[bought] = np.inf
        best = int(each.argmin())
        left -= float(gains[best])
        bought.append(best)
    if left > ENOUGH:
        return ()
    for place in sorted(bought, key=lambda place: (-price[place], -place)):
        if left + gains[place] <= ENOUGH:
            left += float(gains[place])
            bought.remove(place)
    return tuple(sorted(int(site) for site in sites[bought]))


class _Sets:
    """The set of sites that completes each village; found only where it may be the cheapest of all."""

    def __init__(self, villages: int) -> None:
        self._least = np.full(villages, np.inf)
        self._found: dict[int, tuple[int, ...]] = {}

    def expect(self, villages: NDArray[np.int64], least: NDArray[np.float64]) -> None:
        """Take what villages cost at least in place of the sets found for them before."""
        self._least[villages] = least
        for number in villages.tolist():
            self._found.pop(number, None)

    def cheapest(self, below: float, lack: NDArray[np.float64], cost: NDArray[np.float64], links: Links,
                 free: NDArray[np.bool_]) -> tuple[float, tuple[int, ...]]:
        """Cost and sites of the cheapest set, of the first village where several are; infinite when none is below."""
        while True:
            number = int(self._least.argmin()) if len(self._least) else 0
            best = float(self._least[number]) if len(self._least) else np.inf
            if best >= below or number in self._found:
                return (best, self._found[number]) if best < below else (np.inf, ())
            rows = slice(links.starts[number], links.starts[number + 1])
            there = free[links.site[rows]]
            sites = _cheapest_set(lack[number], links.site[rows][there], links.gain[rows][there], cost)
            self._found[number] = sites
            self._least[number] = cost[list(sites)].sum() if sites else np.inf


def purchases(lack: np.ndarray, cost: np.ndarray, links: Links, needed: int
           ) -> Iterator[tuple[tuple[int, ...], np.ndarray]]:
    """Greedy purchases: the sites of each step, and the villages they complete.

    Each step takes the site of least cost per village that it completes alone (no more villages than are still
    needed), or the sites that together complete one village, where that is cheaper. After a step only the villages
    that its sites help are looked at again.

    Parameters
    ----------
    lack : ndarray of float64, shape (villages,)
        What each village lacks.
    cost : ndarray of float64, shape (sites,)
        Yuan, >= 0.
    links : Links
    needed : int
        Villages to gain.

    Yields
    ------
    bought : tuple of int
        Sites of the step, ascending.
    done : ndarray of int64
        Villages that have enough from this step on, ascending.

    Examples
    --------
    >>> cost = np.array([5.0, 3.0])
    >>> links = links_of(pd.DataFrame({"village": [0, 1], "site": [1, 0], "gain": 1.0}), 2, cost)
    >>> [(bought, done.tolist()) for bought, done in purchases(np.ones(2), cost, links, 2)]
    [((1,), [0]), ((0,), [1])]
    """
    village, site, gain = links.village, links.site, links.gain
    lack, free, gained = lack.copy(), np.ones(len(cost), bool), 0
    sets = _Sets(len(lack))
    alone, completes = np.zeros(len(village), bool), np.zeros(len(cost), np.int64)
    stale = np.unique(village)
    while gained < needed:
        sets.expect(stale, _least_cost(lack, cost, links, free, stale))
        rows = links.of_villages(stale)
        lacks = lack[village[rows]]
        now = (lacks > ENOUGH) & free[site[rows]] & (gain[rows] >= lacks - ENOUGH)
        np.add.at(completes, site[rows], now.astype(np.int64) - alone[rows])
        alone[rows] = now
        count = np.minimum(completes, needed - gained)
        price = np.divide(cost, count, out=np.full(len(cost), np.inf), where=count > 0)
        lowest = price.min(initial=np.inf)
        best, together = sets.cheapest(lowest, lack, cost, links, free)
        if best == np.inf and lowest == np.inf:
            return
        bought = (int(price.argmin()),) if lowest <= best else together
        used = links.of_sites(bought)
        free[list(bought)] = False
        stale = np.unique(village[used])
        was_open = lack[stale] > ENOUGH
        np.subtract.at(lack, village[used], gain[used])
        done = stale[was_open & (lack[stale] <= ENOUGH)]
        gained += len(done)
        yield bought, done


def needful(lack: np.ndarray, cost: np.ndarray, links: Links, needed: int) -> NDArray[np.bool_]:
    """Links of the sites that the greedy order buys, without those that can be left out, the dearest first.

    Leaving one out is tried on the villages that it helps alone: what the others are given stays as it was.

    Parameters
    ----------
    lack, cost, links, needed
        As for :func:`purchases`.

    Returns
    -------
    ndarray of bool, shape (links,)

    Examples
    --------
    >>> cost = np.array([3.0, 7.0])
    >>> links = links_of(pd.DataFrame({"village": [0, 0, 1], "site": [0, 1, 1], "gain": 1.0}), 2, cost)
    >>> needful(np.ones(2), cost, links, 2).tolist()
    [False, True, True]
    """
    steps = list(purchases(lack, cost, links, needed))
    kept = np.zeros(len(cost), bool)
    kept[[site for bought, _ in steps for site in bought]] = True
    given = np.bincount(links.village, np.where(kept[links.site], links.gain, 0.0), minlength=len(lack))
    enough = lack - given <= ENOUGH
    spare = int(np.count_nonzero(enough)) - min(needed, sum(len(done) for _, done in steps))
    for number in sorted(np.flatnonzero(kept).tolist(), key=lambda number: (-cost[number], -number)):
        kept[number] = False
        villages = links.village[links.of_sites([number])]
        rows = links.of_villages(villages)
        place = np.repeat(np.arange(len(villages)), links.starts[villages + 1] - links.starts[villages])
        rest = np.bincount(place, np.where(kept[links.site[rows]], links.gain[rows], 0.0), minlength=len(villages))
        still = lack[villages] - rest <= ENOUGH
        lost = int(np.count_nonzero(enough[villages]) - np.count_nonzero(still))
        if lost > spare:
            kept[number] = True
            continue
        spare -= lost
        enough[villages] = still
    return kept[links.site]

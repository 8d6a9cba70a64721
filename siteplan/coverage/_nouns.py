"""Network and Coverage, and the merging of two coverages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from siteplan.errors import ModelError

EVERY = "*"
"""Network name that stands for all networks of its technology."""


class Network(NamedTuple):
    """One operator's network or one shared RAN, of one technology (``5G`` or ``4G``)."""

    name: str
    technology: str


class Layer(NamedTuple):
    """Signal, server and probability of one network, each (row, col)."""

    rsrp_dbm: NDArray[np.float32]
    server: NDArray[np.int32]
    probability: NDArray[np.float32]


@dataclass(frozen=True)
class Coverage:
    """Predicted coverage of the outdoor receiver, per network.

    Attributes
    ----------
    geobox : GeoBox
    networks : tuple of Network
    rsrp_dbm : ndarray of float32 [network, row, col]
        Best median SS-RSRP, dBm; NaN where no sector reaches or the surface is unknown.
    server : ndarray of int32 [network, row, col]
        Row number in ``sector_ids`` of the best sector, -1 for none.
    probability : ndarray of float32 [network, row, col]
        Best over the sectors of Phi((rsrp - threshold) / sigma), 0..1 in steps of 1/4096; 0 where no sector
        reaches, NaN where the surface is unknown.
    sector_ids : tuple of str
        In the order of the table of sectors.
    threshold_dbm : float
    """

    geobox: GeoBox
    networks: tuple[Network, ...]
    rsrp_dbm: NDArray[np.float32]
    server: NDArray[np.int32]
    probability: NDArray[np.float32]
    sector_ids: tuple[str, ...]
    threshold_dbm: float

    def index_of(self, network: Network) -> int:
        """Position of a network in the arrays; ModelError when it is not there."""
        if network not in self.networks:
            raise ModelError(f"network {tuple(network)} is not one of {[tuple(known) for known in self.networks]}")
        return self.networks.index(network)

    def layer(self, network: Network) -> Layer:
        """Arrays of one network; the network ``*`` of its technology stands in for one that is not listed."""
        if network not in self.networks and (EVERY, network.technology) in self.networks:
            network = Network(EVERY, network.technology)
        number = self.index_of(network)
        return Layer(self.rsrp_dbm[number], self.server[number], self.probability[number])

    def any_5g(self) -> Layer:
        """Best of the 5G networks: (rsrp_dbm, server, probability), each (row, col).

        Without a 5G network the probability is 0 (NaN where the surface is unknown) and no pixel is served.
        """
        numbers = [i for i, network in enumerate(self.networks) if network.technology == "5G"]
        if numbers:
            best = _first_best(self.rsrp_dbm[numbers], self.server[numbers])
            return Layer(best[0], best[1], self.probability[numbers].max(axis=0))
        empty = np.full(tuple(self.geobox.shape), np.nan, np.float32)
        known = ~np.isnan(self.probability[0])
        return Layer(empty, np.full(empty.shape, -1, np.int32), np.where(known, np.float32(0), empty))


def _first_best(rsrp: NDArray[np.float32], server: NDArray[np.int32]) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Greatest signal over the first axis; equal signals go to the lower server number."""
    best, who = rsrp[0], server[0]
    for other, number in zip(rsrp[1:], server[1:], strict=True):
        better = (other > best) | (np.isnan(best) & ~np.isnan(other)) | ((other == best) & (number < who))
        best, who = np.where(better, other, best), np.where(better, number, who)
    return best, who


def _united(a: Coverage, b: Coverage) -> tuple[Network, ...]:
    """Networks of both, sorted; ``*`` goes where its technology has named networks, or where it has no sector."""
    union = {*a.networks, *b.networks}
    named = {network.technology for network in union if network.name != EVERY}
    heard = {network for part in (a, b) if part.sector_ids for network in part.networks}
    kept = [n for n in union if n.name != EVERY or (n in heard and n.technology not in named)]
    return tuple(sorted(kept or union))


def merge_coverage(a: Coverage, b: Coverage) -> Coverage:
    """Best of two coverages on one grid: what both sets of sectors give together.

    Parameters
    ----------
    a, b : Coverage
        On the same grid, with the same threshold; their sectors must be different ones. A network ``*`` of the one
        counts for every network of its technology in the other.

    Returns
    -------
    Coverage
        ``sector_ids`` of ``a`` followed by those of ``b``; equal to predicting all sectors at once.

    Raises
    ------
    ModelError
        When grids or thresholds differ, or a sector is in both.
    """
    if a.geobox != b.geobox or a.threshold_dbm != b.threshold_dbm:
        raise ModelError("coverages of different grids or thresholds cannot be merged")
    twice = sorted(set(a.sector_ids) & set(b.sector_ids))
    if twice:
        raise ModelError(f"sectors in both coverages: {', '.join(twice[:10])}")
    networks = _united(a, b)
    shape = (len(networks), *tuple(a.geobox.shape))
    rsrp, probability = np.empty(shape, np.float32), np.empty(shape, np.float32)
    server = np.empty(shape, np.int32)
    for number, network in enumerate(networks):
        parts = [_layer_or_none(a, network, 0), _layer_or_none(b, network, len(a.sector_ids))]
        found = [part for part in parts if part is not None]
        best = _first_best(np.stack([part.rsrp_dbm for part in found]), np.stack([part.server for part in found]))
        rsrp[number], server[number] = best
        probability[number] = np.stack([part.probability for part in found]).max(axis=0)
    return Coverage(a.geobox, networks, rsrp, server, probability, a.sector_ids + b.sector_ids, a.threshold_dbm)


def _layer_or_none(coverage: Coverage, network: Network, offset: int) -> Layer | None:
    """Arrays of a network with its server numbers moved by ``offset``; None when the coverage does not know it."""
    if network not in coverage.networks and (EVERY, network.technology) not in coverage.networks:
        return None
    layer = coverage.layer(network)
    if offset == 0:
        return layer
    return layer._replace(server=np.where(layer.server >= 0, layer.server + np.int32(offset), layer.server))

"""Network and Coverage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from siteplan.coverage._spectrum import Spectrum
from siteplan.errors import ModelError

EVERY = "*"
"""Network name that stands for all networks of its technology."""
Floats = NDArray[np.float32]
Numbers = NDArray[np.int32]


class Network(NamedTuple):
    """One operator's network or one shared RAN, of one technology (``5G`` or ``4G``)."""

    name: str
    technology: str


class Layer(NamedTuple):
    """Predicted coverage of one network; every array is (row, col).

    Attributes
    ----------
    rsrp_dbm : ndarray of float32
        Best median SS-RSRP of the outdoor receiver in steps of 1/1024 dB, dBm; NaN where no sector reaches or the
        surface is unknown. Pixels inside footprints hold the street-level signal in front of the nearest wall.
    server : ndarray of int32
        Row number in ``sector_ids`` of the best sector, -1 for none; of equal signals the lower number.
    probability : ndarray of float32
        Best over the sectors of Phi((rsrp - threshold) / sigma), 0..1 in steps of 1/4096; 0 where no sector
        reaches, NaN where the surface is unknown.
    second_rsrp_dbm, second_server : ndarray of float32, of int32
        The next sector; NaN and -1 where there is none.
    servers_above : ndarray of int16
        How many sectors come up to the threshold.
    sinr_db : ndarray of float32
        SS-SINR of the best server: interference of all other sectors on overlapping carriers, weighted by their load,
        and noise, per resource element; NaN without a server.
    indoor_rsrp_dbm, indoor_probability : ndarray of float32 or None
        Best signal and probability inside buildings (wall loss and way inwards of TR 38.901); NaN outside of
        buildings. None when not asked for.
    """

    rsrp_dbm: Floats
    server: Numbers
    probability: Floats
    second_rsrp_dbm: Floats
    second_server: Numbers
    servers_above: NDArray[np.int16]
    sinr_db: Floats
    indoor_rsrp_dbm: Floats | None
    indoor_probability: Floats | None


def _stacked(name: str) -> Any:
    """Property: one attribute of every layer as an array [network, row, col]; None where they have none."""
    def stack(coverage: Coverage) -> NDArray[Any] | None:
        parts = [getattr(layer, name) for layer in coverage.layers]
        return None if not parts or parts[0] is None else np.stack(parts)

    return property(stack, doc=f"``{name}`` of every network, [network, row, col]: a copy.")


@dataclass(frozen=True)
class Coverage:
    """Predicted coverage per network.

    Each attribute of :class:`Layer` is a property too: an array [network, row, col], stacked anew at every access.

    Attributes
    ----------
    geobox : GeoBox
    networks : tuple of Network
    layers : tuple of Layer
        One for each network; networks that the same sectors serve share theirs.
    sector_ids : tuple of str
        In the order of the table of sectors.
    threshold_dbm, indoor_threshold_dbm : float
    spectrum : Spectrum
        Carriers and loads of the sectors.
    power : ndarray of int64 [carrier, row, col]
        Load-weighted power of all sectors of each carrier in units of 2^-60 mW: whole numbers, so that coverages can
        be merged without a rounding error.
    """

    geobox: GeoBox
    networks: tuple[Network, ...]
    layers: tuple[Layer, ...]
    sector_ids: tuple[str, ...]
    threshold_dbm: float
    indoor_threshold_dbm: float
    spectrum: Spectrum
    power: NDArray[np.int64]

    rsrp_dbm = _stacked("rsrp_dbm")
    server = _stacked("server")
    probability = _stacked("probability")
    second_rsrp_dbm = _stacked("second_rsrp_dbm")
    second_server = _stacked("second_server")
    servers_above = _stacked("servers_above")
    sinr_db = _stacked("sinr_db")
    indoor_rsrp_dbm = _stacked("indoor_rsrp_dbm")
    indoor_probability = _stacked("indoor_probability")

    @property
    def has_indoor(self) -> bool:
        """Whether the signal inside buildings was asked for."""
        return any(layer.indoor_probability is not None for layer in self.layers)

    def index_of(self, network: Network) -> int:
        """Position of a network in the arrays; ModelError when it is not there."""
        if network not in self.networks:
            raise ModelError(f"network {tuple(network)} is not one of {[tuple(known) for known in self.networks]}")
        return self.networks.index(network)

    def layer(self, network: Network) -> Layer:
        """Arrays of one network; the network ``*`` of its technology stands in for one that is not listed."""
        if network not in self.networks and (EVERY, network.technology) in self.networks:
            network = Network(EVERY, network.technology)
        return self.layers[self.index_of(network)]

    def any_5g(self) -> Layer:
        """Best of the 5G networks, each (row, col).

        Signal, second server, number of servers and SINR are those of the network whose signal is the best at the
        pixel; probabilities are the greatest of the networks. Without a 5G network the probability is 0 (NaN where
        the surface is unknown) and no pixel is served.
        """
        return self.any_of("5G")

    def any_of(self, technology: str) -> Layer:
        """Best of the networks of a technology, as :meth:`any_5g`."""
        if technology not in self._best:
            parts = {id(layer): layer for network, layer in zip(self.networks, self.layers, strict=True)
                     if network.technology == technology}
            self._best[technology] = _strongest(list(parts.values())) if parts else self._nothing()
        return self._best[technology]

    @cached_property
    def _best(self) -> dict[str, Layer]:
        """Layers of :meth:`any_of` that were asked for."""
        return {}

    def _nothing(self) -> Layer:
        """A layer without any server."""
        empty = np.full(tuple(self.geobox.shape), np.nan, np.float32)
        nobody = np.full(empty.shape, -1, np.int32)
        like = self.layers[0]
        inside = None
        if like.indoor_probability is not None:
            inside = np.where(np.isnan(like.indoor_probability), np.float32(np.nan), np.float32(0))
        known = np.where(np.isnan(like.probability), np.float32(np.nan), np.float32(0))
        return Layer(empty, nobody, known, empty, nobody, np.zeros(empty.shape, np.int16), empty,
                     None if inside is None else empty, inside)


def _strongest(parts: Sequence[Layer]) -> Layer:
    """The strongest of networks at every pixel; equal signals go to the lower server number."""
    first, *others = parts
    if not others:
        return first
    best = Layer._make(None if part is None else part.copy() for part in first)
    for other in others:
        take = (other.rsrp_dbm > best.rsrp_dbm) | (np.isnan(best.rsrp_dbm) & ~np.isnan(other.rsrp_dbm))
        take |= (other.rsrp_dbm == best.rsrp_dbm) & (other.server < best.server)
        for name in ("rsrp_dbm", "server", "second_rsrp_dbm", "second_server", "servers_above", "sinr_db"):
            np.copyto(getattr(best, name), getattr(other, name), where=take)
        np.maximum(best.probability, other.probability, out=best.probability)
        best = best._replace(indoor_rsrp_dbm=greater(best.indoor_rsrp_dbm, other.indoor_rsrp_dbm),
                             indoor_probability=greater(best.indoor_probability, other.indoor_probability))
    return best


def greater(a: Floats | None, b: Floats | None) -> Floats | None:
    """The greater of two arrays, NaN only where both are; None when one of them is None."""
    return None if a is None or b is None else np.fmax(a, b)

"""From ranked servers to a Coverage, and the merging of two coverages."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from scipy.special import ndtr

from siteplan._kernels import NO_SERVER, Servers, decode_keys, fill_sinr, merge_servers
from siteplan.coverage._nouns import EVERY, Coverage, Floats, Layer, Network, greater
from siteplan.coverage._spectrum import Spectrum, join_spectra
from siteplan.errors import ModelError

PROBABILITY_STEPS = 4096.0
"""Probabilities are multiples of 1/4096, far below what any model is worth, so that files stay small and exact."""


@dataclass(frozen=True)
class Ground:
    """What a part of the grid says of its pixels, (row, col) each."""

    geobox: GeoBox
    known: NDArray[np.bool_]
    built: NDArray[np.bool_]


def probability_of(z: Floats) -> Floats:
    """Phi(z) in steps of 1/4096."""
    out = np.asarray(ndtr(z), np.float32)
    out *= np.float32(PROBABILITY_STEPS)
    np.rint(out, out=out)
    out /= np.float32(PROBABILITY_STEPS)
    return out


def decode_layers(servers: Servers, ground: Ground, spectrum: Spectrum) -> list[Layer]:
    """Layers of the ranked servers, decoded, with the SINR; what is unknown is blank.

    The arrays of ``servers`` are used up: the layers take their memory.
    """
    hidden = ~ground.known if not ground.known.all() else None
    air, power = _air(spectrum), _flat(servers.power)
    out = []
    for number in range(len(servers.best)):
        best, second, above = servers.best[number], servers.second[number], servers.above[number]
        probability = probability_of(servers.z[number])
        if hidden is not None:
            best[hidden], second[hidden], above[hidden], probability[hidden] = NO_SERVER, NO_SERVER, 0, np.nan
        rsrp, server = _decode(best)
        second_rsrp, second_server = _decode(second)
        sinr = servers.z[number]
        fill_sinr(rsrp.reshape(-1), server.reshape(-1), power, air, sinr.reshape(-1))
        inside = _inside(servers, number, ground) if servers.indoor.size else (None, None)
        out.append(Layer(rsrp, server, probability, second_rsrp, second_server, above, sinr, *inside))
    return out


def _inside(servers: Servers, number: int, ground: Ground) -> tuple[Floats, Floats]:
    """Signal and probability inside buildings, NaN elsewhere and where the surface is unknown."""
    there = ground.built & ground.known
    rsrp, probability = servers.indoor[number], servers.indoor_z[number]
    probability[there] = probability_of(probability[there])
    probability[~there] = rsrp[~there] = np.nan
    rsrp[np.isneginf(rsrp)] = np.nan
    return rsrp, probability


def _air(spectrum: Spectrum) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.float64], NDArray[np.float64]]:
    return spectrum.carrier_of, spectrum.load, spectrum.overlap(), spectrum.noise_mw()


def _flat(power: NDArray[np.int64]) -> NDArray[np.int64]:
    """Power as (carriers, pixels)."""
    return power.reshape(len(power), -1 if len(power) else 0)


def _decode(keys: NDArray[np.int64]) -> tuple[Floats, NDArray[np.int32]]:
    """Signal and sector number of keys, which their memory then holds one after the other."""
    found = np.empty((2, *keys.shape), np.float32)
    decode_keys(keys.reshape(-1), found[0].reshape(-1), found[1].view(np.int32).reshape(-1))
    room = keys.view(np.float32).reshape(found.shape)
    room[:] = found
    return room[0], room[1].view(np.int32)


def merge_coverage(a: Coverage, b: Coverage) -> Coverage:
    """Both coverages together: what both sets of sectors give at once.

    Parameters
    ----------
    a, b : Coverage
        On the same grid, with the same thresholds; their sectors must be different ones. A network ``*`` of the one
        counts for every network of its technology in the other.

    Returns
    -------
    Coverage
        ``sector_ids`` of ``a`` followed by those of ``b``; equal, bit for bit, to predicting all sectors at once, save
        that sectors of ``*`` serve the named networks of their own coverage alone where it has such.
        Layers of ``a`` that ``b`` does not touch are shared with it.

    Raises
    ------
    ModelError
        When grids, thresholds or noise figures differ, a sector is in both, or only one knows the signal inside.
    """
    _check_pair(a, b)
    spectrum, to_a, to_b = join_spectra(a.spectrum, b.spectrum)
    power = np.zeros((len(spectrum.carriers), *a.geobox.shape), np.int64)
    for part, to in ((a, to_a), (b, to_b)):
        for carrier, at in enumerate(to.tolist()):
            power[at] += part.power[carrier]
    overlap = spectrum.overlap()
    alone = set(to_a[~overlap[np.ix_(to_a, to_b)].any(axis=1)].tolist())  # carriers of a that b leaves undisturbed
    networks, layers = _united(a, b), []
    made: dict[tuple[int, int], Layer] = {}
    for network in networks:
        one, two = (_layer_or_none(coverage, network) for coverage in (a, b))
        key = id(one), id(two)
        if key not in made:
            if two is None and one is not None and set(spectrum.carrier_of[_numbers(one)].tolist()) <= alone:
                made[key] = one
            else:
                made[key] = with_sinr(_together(one, two, len(a.sector_ids)), power, spectrum)
        layers.append(made[key])
    return replace(a, networks=networks, layers=tuple(layers), sector_ids=a.sector_ids + b.sector_ids,
                   spectrum=spectrum, power=power)


def _check_pair(a: Coverage, b: Coverage) -> None:
    if (a.geobox != b.geobox or a.threshold_dbm != b.threshold_dbm or
            a.indoor_threshold_dbm != b.indoor_threshold_dbm):
        raise ModelError("coverages of different grids or thresholds cannot be merged")
    if a.spectrum.noise_figure_db != b.spectrum.noise_figure_db:
        raise ModelError("coverages of different noise figures cannot be merged")
    if a.has_indoor != b.has_indoor:
        raise ModelError("a coverage with the signal inside and one without cannot be merged")
    twice = sorted(set(a.sector_ids) & set(b.sector_ids))
    if twice:
        raise ModelError(f"sectors in both coverages: {', '.join(twice[:10])}")


def _numbers(layer: Layer) -> NDArray[np.int32]:
    """Numbers of the sectors that serve anywhere."""
    return np.flatnonzero(np.bincount(layer.server.ravel() + 1)[1:]).astype(np.int32)


def _together(a: Layer | None, b: Layer | None, offset: int) -> Layer:
    """What two sets of sectors give one network; the SINR is not worked out yet."""
    if b is None or a is None:
        one = a if a is not None else b
        if one is None:
            raise ModelError("a network that neither coverage knows")
        return one if b is None else one._replace(server=_moved(one.server, offset),
                                                  second_server=_moved(one.second_server, offset))
    servers = tuple(np.empty(a.rsrp_dbm.shape, kind) for kind in (np.float32, np.int32, np.float32, np.int32))
    merge_servers((a.rsrp_dbm, a.server, a.second_rsrp_dbm, a.second_server),
                  (b.rsrp_dbm, b.server, b.second_rsrp_dbm, b.second_server), offset, servers)
    found: Any = dict(zip(("rsrp_dbm", "server", "second_rsrp_dbm", "second_server"), servers, strict=True))
    return Layer(**found, probability=np.maximum(a.probability, b.probability),
                 servers_above=a.servers_above + b.servers_above, sinr_db=a.sinr_db,
                 indoor_rsrp_dbm=greater(a.indoor_rsrp_dbm, b.indoor_rsrp_dbm),
                 indoor_probability=greater(a.indoor_probability, b.indoor_probability))


def _moved(server: NDArray[np.int32], offset: int) -> NDArray[np.int32]:
    return np.where(server >= 0, server + np.int32(offset), np.int32(-1))


def with_sinr(layer: Layer, power: NDArray[np.int64], spectrum: Spectrum) -> Layer:
    """The layer with the SINR that the power of all sectors makes."""
    sinr = np.empty(layer.rsrp_dbm.shape, np.float32)
    fill_sinr(np.ascontiguousarray(layer.rsrp_dbm).reshape(-1), np.ascontiguousarray(layer.server).reshape(-1),
              _flat(power), _air(spectrum), sinr.reshape(-1))
    return layer._replace(sinr_db=sinr)


def _united(a: Coverage, b: Coverage) -> tuple[Network, ...]:
    """Networks of both, sorted; ``*`` goes where its technology has named networks, or where it has no sector."""
    union = {*a.networks, *b.networks}
    named = {network.technology for network in union if network.name != EVERY}
    heard = {network for part in (a, b) if part.sector_ids for network in part.networks}
    kept = [n for n in union if n.name != EVERY or (n in heard and n.technology not in named)]
    return tuple(sorted(kept or union))


def _layer_or_none(coverage: Coverage, network: Network) -> Layer | None:
    """Layer of a network; None when the coverage does not know it."""
    known = network in coverage.networks or (EVERY, network.technology) in coverage.networks
    return coverage.layer(network) if known else None


def crop_coverage(coverage: Coverage, region: tuple[slice, slice]) -> Coverage:
    """A part of a coverage; its arrays are views."""
    rows, cols = region
    cut = {id(layer): Layer._make(None if part is None else part[rows, cols] for part in layer)
           for layer in coverage.layers}
    return replace(coverage, geobox=coverage.geobox[rows, cols], layers=tuple(cut[id(x)] for x in coverage.layers),
                   power=coverage.power[:, rows, cols])

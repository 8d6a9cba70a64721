"""From ranked servers to a Coverage, and the merging of two coverages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from scipy.special import ndtr

from siteplan._kernels import NO_SERVER, decode_keys, encode_keys, fill_sinr
from siteplan.coverage._nouns import EVERY, Coverage, Floats, Layer, Network, greater
from siteplan.coverage._spectrum import Spectrum, join_spectra
from siteplan.errors import ModelError

PROBABILITY_STEPS = 4096.0
"""Probabilities are multiples of 1/4096, far below what any model is worth, so that files stay small and exact."""


@dataclass(frozen=True)
class Ranked:
    """Servers of every network on a grid before they are decoded; arrays [network, row, col]."""

    best: NDArray[np.int64]
    second: NDArray[np.int64]
    above: NDArray[np.int16]
    power: NDArray[np.int64]
    probability: Floats
    indoor_rsrp_dbm: Floats | None
    indoor_probability: Floats | None


def probability_of(z: Floats) -> Floats:
    """Phi(z) in steps of 1/4096, network by network."""
    out = np.empty(z.shape, np.float32)
    for number, layer in enumerate(z):
        out[number] = np.rint(ndtr(layer) * np.float32(PROBABILITY_STEPS)) / np.float32(PROBABILITY_STEPS)
    return out


def assemble(geobox: GeoBox, networks: tuple[Network, ...], ranked: Ranked, sector_ids: tuple[str, ...],
             thresholds_dbm: tuple[float, float], spectrum: Spectrum) -> Coverage:
    """Decode servers and signals and work out the SINR."""
    rsrp, server = _decode(ranked.best)
    second_rsrp, second_server = _decode(ranked.second)
    sinr = np.empty(rsrp.shape, np.float32)
    air = spectrum.carrier_of, spectrum.load, spectrum.overlap(), spectrum.noise_mw()
    flat = ranked.power.reshape(len(ranked.power), rsrp[0].size if len(networks) else 0)
    for number in range(len(networks)):
        fill_sinr(rsrp[number].ravel(), server[number].ravel(), flat, air, sinr[number].reshape(-1))
    return Coverage(geobox, networks, rsrp, server, ranked.probability, second_rsrp, second_server, ranked.above, sinr,
                    ranked.indoor_rsrp_dbm, ranked.indoor_probability, sector_ids, *thresholds_dbm, spectrum,
                    ranked.power)


def _decode(keys: NDArray[np.int64]) -> tuple[Floats, NDArray[np.int32]]:
    rsrp, server = np.empty(keys.shape, np.float32), np.empty(keys.shape, np.int32)
    decode_keys(keys.reshape(-1), rsrp.reshape(-1), server.reshape(-1))
    return rsrp, server


def _encode(rsrp: Floats, server: NDArray[np.int32]) -> NDArray[np.int64]:
    keys = np.empty(rsrp.shape, np.int64)
    encode_keys(np.ascontiguousarray(rsrp).reshape(-1), np.ascontiguousarray(server).reshape(-1), keys.reshape(-1))
    return keys


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
        ``sector_ids`` of ``a`` followed by those of ``b``; equal, bit for bit, to predicting all sectors at once.

    Raises
    ------
    ModelError
        When grids, thresholds or noise figures differ, a sector is in both, or only one knows the signal inside.
    """
    if (a.geobox != b.geobox or a.threshold_dbm != b.threshold_dbm or
            a.indoor_threshold_dbm != b.indoor_threshold_dbm):
        raise ModelError("coverages of different grids or thresholds cannot be merged")
    if a.spectrum.noise_figure_db != b.spectrum.noise_figure_db:
        raise ModelError("coverages of different noise figures cannot be merged")
    if (a.indoor_probability is None) != (b.indoor_probability is None):
        raise ModelError("a coverage with the signal inside and one without cannot be merged")
    twice = sorted(set(a.sector_ids) & set(b.sector_ids))
    if twice:
        raise ModelError(f"sectors in both coverages: {', '.join(twice[:10])}")
    spectrum, to_a, to_b = join_spectra(a.spectrum, b.spectrum)
    shape = tuple(a.geobox.shape)
    power = np.zeros((len(spectrum.carriers), *shape), np.int64)
    power[to_a] += a.power
    power[to_b] += b.power
    networks = _united(a, b)
    inside = a.indoor_probability is not None
    out: dict[str, Any] = {name: np.empty((len(networks), *shape), dtype) for name, dtype in _TYPES.items()
           if inside or not name.startswith("indoor")}
    air = spectrum.carrier_of, spectrum.load, spectrum.overlap(), spectrum.noise_mw()
    for number, network in enumerate(networks):
        layers = [layer for layer in (_layer_or_none(a, network, 0), _layer_or_none(b, network, len(a.sector_ids)))
                  if layer is not None]
        layer = layers[0] if len(layers) == 1 else _merge_layers(layers[0], layers[1])
        for name, values in out.items():
            values[number] = getattr(layer, name)
        fill_sinr(out["rsrp_dbm"][number].reshape(-1), out["server"][number].reshape(-1),
                  power.reshape(len(power), -1) if len(power) else power.reshape(0, 0), air,
                  out["sinr_db"][number].reshape(-1))
    return replace(a, networks=networks, sector_ids=a.sector_ids + b.sector_ids, spectrum=spectrum, power=power, **out)


_TYPES: Mapping[str, Any] = MappingProxyType({
    name: {"server": np.int32, "second_server": np.int32, "servers_above": np.int16}.get(name, np.float32)
    for name in Layer._fields})


def _merge_layers(a: Layer, b: Layer) -> Layer:
    """What two sets of sectors give one network together; the SINR is not worked out yet."""
    keys = [_encode(rsrp, server) for layer in (a, b)
            for rsrp, server in ((layer.rsrp_dbm, layer.server), (layer.second_rsrp_dbm, layer.second_server))]
    best, second = np.maximum(keys[0], keys[2]), np.maximum(keys[1], keys[3])
    np.maximum(second, np.minimum(keys[0], keys[2]), out=second)
    rsrp, server = _decode(best)
    second_rsrp, second_server = _decode(second)
    return Layer(rsrp, server, np.maximum(a.probability, b.probability), second_rsrp, second_server,
                 a.servers_above + b.servers_above, a.sinr_db, greater(a.indoor_rsrp_dbm, b.indoor_rsrp_dbm),
                 greater(a.indoor_probability, b.indoor_probability))


def _united(a: Coverage, b: Coverage) -> tuple[Network, ...]:
    """Networks of both, sorted; ``*`` goes where its technology has named networks, or where it has no sector."""
    union = {*a.networks, *b.networks}
    named = {network.technology for network in union if network.name != EVERY}
    heard = {network for part in (a, b) if part.sector_ids for network in part.networks}
    kept = [n for n in union if n.name != EVERY or (n in heard and n.technology not in named)]
    return tuple(sorted(kept or union))


def _layer_or_none(coverage: Coverage, network: Network, offset: int) -> Layer | None:
    """Arrays of a network with its server numbers moved by ``offset``; None when the coverage does not know it."""
    if network not in coverage.networks and (EVERY, network.technology) not in coverage.networks:
        return None
    layer = coverage.layer(network)
    if offset == 0:
        return layer
    moved = {name: np.where(getattr(layer, name) >= 0, getattr(layer, name) + np.int32(offset), np.int32(-1))
             for name in ("server", "second_server")}
    return layer._replace(**moved)


def crop_coverage(coverage: Coverage, region: tuple[slice, slice]) -> Coverage:
    """A part of a coverage; its arrays are views."""
    rows, cols = region
    found = {name: getattr(coverage, name) for name in (*Layer._fields, "power")}
    arrays: dict[str, Any] = {name: None if value is None else value[:, rows, cols] for name, value in found.items()}
    return replace(coverage, geobox=coverage.geobox[rows, cols], **arrays)


def hide_unknown(ranked: Ranked, known: NDArray[np.bool_]) -> None:
    """Blank the pixels whose surface is unknown, in arrays that are nobody else's yet."""
    hidden = ~known
    if not hidden.any():
        return
    ranked.best[:, hidden], ranked.second[:, hidden], ranked.above[:, hidden] = NO_SERVER, NO_SERVER, 0
    ranked.probability[:, hidden] = np.nan
    if ranked.indoor_rsrp_dbm is not None and ranked.indoor_probability is not None:
        ranked.indoor_rsrp_dbm[:, hidden], ranked.indoor_probability[:, hidden] = np.nan, np.nan

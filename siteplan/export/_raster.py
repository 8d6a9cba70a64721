"""Raster files: coverage and demand as cloud-optimised GeoTIFF."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import rasterio
from odc.geo.geobox import GeoBox
from rasterio.enums import Resampling
from rasterio.shutil import copy as copy_raster

from siteplan.coverage import Coverage
from siteplan.errors import ExportError

RSRP_STEPS, SINR_STEPS = 64.0, 16.0
"""Signal is written in steps of 1/64 dB, SINR of 1/16 dB: the files are a third of the size."""
TILE = 256
"""Edge of a tile, pixels."""

CACHE_MB = 32
"""GDAL keeps so much of a file in memory as it is written; its own limit is a share of the machine's memory."""


def coverage_bands(coverage: Coverage) -> dict[str, np.ndarray]:
    """Bands of a coverage file: what holds for the best 5G network at each pixel; then each network's probability."""
    best = coverage.any_5g()
    bands = {"best_rsrp_dbm 任一5G网络": np.rint(best.rsrp_dbm * RSRP_STEPS) / RSRP_STEPS,
             "best_server 主服小区序号 任一5G网络": best.server.astype(np.float32),
             "probability 覆盖概率 任一5G网络": best.probability,
             "second_server 次强小区序号 任一5G网络": best.second_server.astype(np.float32),
             "servers_above 达标小区数 任一5G网络": best.servers_above.astype(np.float32),
             "sinr_db 信干噪比 任一5G网络": np.rint(best.sinr_db * SINR_STEPS) / SINR_STEPS}
    if best.indoor_rsrp_dbm is not None and best.indoor_probability is not None:
        bands["indoor_rsrp_dbm 室内信号 任一5G网络"] = np.rint(best.indoor_rsrp_dbm * RSRP_STEPS) / RSRP_STEPS
        bands["indoor_probability 室内覆盖概率 任一5G网络"] = best.indoor_probability
    for network, layer in zip(coverage.networks, coverage.layers, strict=True):
        bands[f"probability 覆盖概率 {network.name} {network.technology}"] = layer.probability
    return bands


def unit_of(name: str) -> str:
    """Unit of a band by the end of its English name; empty for numbers without one.

    >>> unit_of("best_rsrp_dbm 任一5G网络"), unit_of("sinr_db 信干噪比"), unit_of("probability 覆盖概率")
    ('dBm', 'dB', '')
    """
    word = name.partition(" ")[0]
    return next((unit for end, unit in (("_dbm", "dBm"), ("_db", "dB")) if word.endswith(end)), "")


def write_cog(bands: Mapping[str, np.ndarray], geobox: GeoBox, path: Path, tags: Mapping[str, str]) -> None:
    """Write float32 bands with descriptions and units as a COG (NaN = no data), then read them back.

    The overviews are made in an uncompressed draft, band by band, which takes half the time of having the COG driver
    make them.

    Raises
    ------
    ExportError
        The file does not read back bit for bit.
    """
    rows, cols = geobox.shape
    if geobox.crs is None:
        raise ExportError(f"{path.name}:栅格没有坐标系")
    profile = {"driver": "GTiff", "height": rows, "width": cols, "count": len(bands), "dtype": "float32",
               "crs": geobox.crs.to_wkt(), "transform": geobox.affine, "nodata": float("nan"), "tiled": True,
               "blockxsize": TILE, "blockysize": TILE, "interleave": "band"}
    draft = path.with_name(f"{path.stem}.draft.tif")
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=False, GDAL_CACHEMAX=CACHE_MB), warnings.catch_warnings():
        warnings.simplefilter("error")
        with rasterio.open(draft, "w", **profile) as target:
            for number, (name, array) in enumerate(bands.items(), start=1):
                target.write(np.asarray(array, dtype=np.float32), number)
                target.set_band_description(number, name)
                target.set_band_unit(number, unit_of(name))
            target.update_tags(**tags)
            target.build_overviews(overview_factors(rows, cols), Resampling.nearest)
        copy_raster(draft, path, driver="COG", compress="DEFLATE", level=1, predictor="STANDARD",
                    blocksize=TILE)
    draft.unlink()
    with rasterio.open(path) as read:
        for number, (name, array) in enumerate(bands.items(), start=1):
            if (read.read(number).view(np.uint32) != np.asarray(array, dtype=np.float32).view(np.uint32)).any():
                raise ExportError(f"{path.name} 波段“{name}”读回不一致")


def overview_factors(rows: int, cols: int) -> list[int]:
    """Powers of two by which a raster is thinned until it fits into a tile.

    >>> overview_factors(1000, 200), overview_factors(256, 256)
    ([2, 4], [])
    """
    factors: list[int] = []
    while max(rows, cols) > TILE * 2 ** len(factors):
        factors.append(2 ** (len(factors) + 1))
    return factors

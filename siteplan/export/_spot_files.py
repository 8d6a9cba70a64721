"""Files of the certificate that let anyone recompute the reach of any pair: surface, sectors, antennas, settings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import rasterio

from siteplan.constants import EARTH_RADIUS_EFFECTIVE_M, LIGHT_METRES_GHZ
from siteplan.coverage import MODEL_NAMES, Calibration
from siteplan.coverage._antennas import Antenna, AntennaPattern
from siteplan.coverage._spot_facts import SpotFacts
from siteplan.errors import ExportError
from siteplan.radio import shadow_sigma_db
from siteplan.surface import Surface

SPOT_FILES = ("surface.tif", "sectors.csv", "antennas.json", "radio.json")
"""Names of the files, all inside the folder of the certificate."""
_COLUMNS = ("site_id", "x", "y", "antenna_height_m", "azimuth_deg", "tilt_electrical_deg", "tilt_mechanical_deg",
            "freq_mhz", "epre_dbm", "feeder_db", "antenna", "kind")
_SETTINGS = ("threshold_dbm", "receiver_height_m", "max_range_m", "micro_range_m", "model_macro", "built_share_uma",
             "building_weight", "diffraction_weight", "diffraction_cap_db", "terrain_diffraction", "pattern_depth_db",
             "pattern_scale", "body_loss_db", "model_sigma_db")


def write_spot_files(facts: SpotFacts, folder: Path) -> tuple[Path, ...]:
    """Write what a recomputation of single pairs needs, numbers in full.

    Parameters
    ----------
    facts : SpotFacts
    folder : Path
        Folder of the certificate; must be there.

    Returns
    -------
    tuple of Path
        ``SPOT_FILES`` in their order.

    Raises
    ------
    ExportError
        The surface has no CRS, or does not read back bit for bit.
    """
    surface, sectors, antennas, radio = (folder / name for name in SPOT_FILES)
    _write_surface(facts.surface, surface)
    _write_sectors(facts, sectors)
    _write_json(_antenna_facts(facts), antennas)
    _write_json(_radio_facts(facts), radio)
    return surface, sectors, antennas, radio


def _write_surface(surface: Surface, path: Path) -> None:
    """Bands ground_m and clutter_m; classes and known where the study has something to say there."""
    bands = {"ground_m": surface.ground_m, "clutter_m": surface.clutter_m}
    if surface.classes is not None:
        bands["class"] = surface.classes.astype(np.float32)
    if not surface.known.all():
        bands["known"] = surface.known.astype(np.float32)
    if surface.geobox.crs is None:
        raise ExportError(f"{path.name}:栅格没有坐标系")
    rows, cols = surface.geobox.shape
    with rasterio.open(path, "w", driver="GTiff", height=rows, width=cols, count=len(bands), dtype="float32",
                       crs=surface.geobox.crs.to_wkt(), transform=surface.geobox.affine, tiled=True, blockxsize=256,
                       blockysize=256, interleave="band", compress="deflate", zlevel=1, predictor=3) as target:
        for number, (name, values) in enumerate(bands.items(), start=1):
            target.write(np.asarray(values, np.float32), number)
            target.set_band_description(number, name)
    with rasterio.open(path) as read:
        for number, (name, values) in enumerate(bands.items(), start=1):
            if (read.read(number).view(np.uint32) != np.asarray(values, np.float32).view(np.uint32)).any():
                raise ExportError(f"{path.name} 波段“{name}”读回不一致")


def _write_sectors(facts: SpotFacts, path: Path) -> None:
    """One row for each sector; an empty azimuth is an omni sector."""
    table = facts.sectors.loc[:, list(_COLUMNS)].copy()
    table["model"] = _own_models(facts)
    planned = facts.sectors["planned"] if "planned" in facts.sectors else np.zeros(len(table), bool)
    table["planned"] = np.asarray(planned, object).astype(bool).astype(np.int8)
    table.to_csv(path, index_label="sector_id", encoding="utf-8-sig", lineterminator="\n")


def _own_models(facts: SpotFacts) -> list[str]:
    """Models that sectors name themselves; empty where the study decides."""
    if "model" not in facts.sectors:
        return [""] * len(facts.sectors)
    return [name if name in MODEL_NAMES else "" for name in facts.sectors["model"].astype(str)]


def _antenna_facts(facts: SpotFacts) -> dict[str, Any]:
    """Antennas that occur, by name."""
    equipment = facts.equipment
    names = sorted(set(facts.sectors["antenna"].astype(str)))
    return {name: _antenna(equipment.antennas[name], equipment.pattern_of(name)) for name in names}


def _antenna(antenna: Antenna, pattern: AntennaPattern | None) -> dict[str, Any]:
    """Numbers of one antenna, and its measured planes."""
    measured = None
    if pattern is not None:
        measured = {"name": pattern.name, "tilt_deg": pattern.tilt_deg, "horizontal_db": pattern.horizontal_db.tolist(),
                    "vertical_db": pattern.vertical_db.tolist()}
    return {"gain_dbi": antenna.gain_dbi, "horizontal_deg": antenna.horizontal_deg,
            "vertical_deg": antenna.vertical_deg, "side_lobe_db": antenna.side_lobe_db, "depth_db": antenna.depth_db,
            "beams": [beam.model_dump() for beam in antenna.beams], "measured": measured, "source": antenna.source}


def _radio_facts(facts: SpotFacts) -> dict[str, Any]:
    """Settings, constants and the calibration."""
    settings = {name: getattr(facts.params, name) for name in _SETTINGS}
    fading = {name: [float(shadow_sigma_db(name, True, beyond)) for beyond in (False, True)]
              + [float(shadow_sigma_db(name, False))] for name in MODEL_NAMES if name != "p2108"}
    return {"format": "siteplan radio", "version": 1, "settings": settings,
            "served_probability": facts.served_probability, "has_clutter": facts.surface.has_clutter,
            "earth_radius_m": EARTH_RADIUS_EFFECTIVE_M, "wavelength_m_ghz": LIGHT_METRES_GHZ,
            "models": list(MODEL_NAMES), "fading_db": fading, "calibration": _calibration_facts(facts.calibration)}


def _calibration_facts(calibration: Calibration | None) -> dict[str, Any] | None:
    """A calibration, its provenance left out."""
    if calibration is None:
        return None
    return calibration.model_dump(mode="json", exclude={"provenance"})


def _write_json(facts: dict[str, Any], path: Path) -> None:
    path.write_text(json.dumps(facts, ensure_ascii=False, indent=1, allow_nan=False) + "\n", encoding="utf-8")

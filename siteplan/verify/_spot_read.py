"""The files of the certificate that the spot check reads: surface, sectors, antennas, settings, reach."""

from __future__ import annotations

import csv
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import rasterio

from siteplan.verify._antenna import Antenna, Beam, MeasuredPattern
from siteplan.verify._calibrated import FittedModel
from siteplan.verify._chance import Radio, Sector, Settings
from siteplan.verify._formulas import EARTH_RADIUS_M, FADING_DB, MODELS, WAVE_GHZ_M
from siteplan.verify._profile import Heights

SPOT_FILES = ("surface.tif", "sectors.csv", "antennas.json", "radio.json")
"""Files that tell how the reach came about, in the folder of the certificate."""
_NUMBERS = ("x", "y", "antenna_height_m", "tilt_electrical_deg", "tilt_mechanical_deg", "freq_mhz", "epre_dbm",
            "feeder_db")


def read_facts(folder: Path) -> dict[str, Any]:
    """Contents of ``radio.json``."""
    facts = json.loads((folder / "radio.json").read_text(encoding="utf-8"))
    if not isinstance(facts, dict) or facts.get("format") != "siteplan radio" or facts.get("version") != 1:
        raise ValueError("radio.json 不是本程序能读的格式（siteplan radio 第 1 版）")
    return facts


def not_rewritten(facts: Mapping[str, Any], models: Collection[str]) -> list[str]:
    """Models and constants of the study that this check does not know, in words; ``models``: those of the sectors."""
    settings = facts["settings"]
    told = [f"模型 {name}" for name in sorted({settings["model_macro"], *models} - {"auto", "", *MODELS})]
    if settings["terrain_diffraction"] not in ("bullington", "knife_edge"):
        told.append(f"地形绕射 {settings['terrain_diffraction']}")
    fitted = facts.get("calibration")
    if fitted and fitted["base"] not in ("table", *MODELS):
        told.append(f"校正的底 {fitted['base']}")
    return told


def differing_constants(facts: Mapping[str, Any]) -> list[str]:
    """Constants in ``radio.json`` that are not those of the published texts, in words."""
    told = [f"{name} {facts[name]!r}（应为 {own!r}）" for name, own in (
        ("earth_radius_m", EARTH_RADIUS_M), ("wavelength_m_ghz", WAVE_GHZ_M)) if facts[name] != own]
    return told + [f"{name} 的阴影衰落 {facts['fading_db'].get(name)}（应为 {list(own)}）"
                   for name, own in FADING_DB.items() if facts["fading_db"].get(name) != list(own)]


def read_radio(folder: Path, facts: Mapping[str, Any]) -> Radio:
    """Settings, heights and the calibration."""
    settings = Settings(**{field.name: facts["settings"][field.name] for field in fields(Settings)})
    return Radio(settings, _read_heights(folder / "surface.tif", bool(facts["has_clutter"])),
                 None if facts["calibration"] is None else _fitted(facts["calibration"]))


def _read_heights(path: Path, has_clutter: bool) -> Heights:
    with rasterio.open(path) as source:
        bands = dict(zip(source.descriptions, source.indexes, strict=True))
        ground, clutter = source.read(bands["ground_m"]), source.read(bands["clutter_m"])
        classes = source.read(bands["class"]) if "class" in bands else None
        known = source.read(bands["known"]) > 0.5 if "known" in bands else np.ones(ground.shape, np.bool_)
        place = source.transform
    if not all(np.isfinite(values).all() for values in (ground, clutter, classes) if values is not None):
        raise ValueError(f"{path.name} 有不是数的高程、地物高度或地物类别")
    if place.b or place.d or place.a != -place.e:
        raise ValueError(f"{path.name} 的像元不是正北的正方形")
    return Heights(ground, clutter, known, classes, place.c, place.f, place.a, has_clutter)


def _fitted(facts: Mapping[str, Any]) -> FittedModel:
    """A calibration as ``radio.json`` holds it."""
    def curve(knots: str, values: str) -> tuple[list[float], list[float]]:
        return facts[knots], facts[values]

    return FittedModel(
        facts["base"], (facts["freq_low_mhz"], facts["freq_high_mhz"]), tuple(facts["domain"]["kinds"]),
        facts["offset_db"], facts["slope_db_per_decade"], curve("distance_m", "clear_db"),
        curve("distance_m", "blocked_db"), facts["building_weight"],
        (facts["diffraction_weight"], facts["diffraction_cap_db"]),
        (facts["pattern_scale_horizontal"], facts["pattern_scale_vertical"]), facts["pattern_depth_db"],
        (facts["power_weight"], facts["power_reference_dbm"]),
        {int(code): loss for code, loss in facts["clutter_db"].items()},
        {name: (term["knots"], term["db"]) for name, term in facts["pixel_terms"].items()},
        curve("sigma_distance_m", "sigma_clear_db"), curve("sigma_distance_m", "sigma_blocked_db"))


def read_antennas(folder: Path) -> dict[str, Antenna]:
    """Antennas by name."""
    return {name: _antenna(facts) for name, facts in
            json.loads((folder / "antennas.json").read_text(encoding="utf-8")).items()}


def _antenna(facts: Mapping[str, Any]) -> Antenna:
    beams = tuple(Beam(beam["azimuth_deg"], beam["width_deg"], beam["gain_db"]) for beam in facts["beams"])
    measured = facts["measured"]
    planes = None if measured is None else MeasuredPattern(
        tuple(measured["horizontal_db"]), tuple(measured["vertical_db"]), measured["tilt_deg"])
    return Antenna(facts["gain_dbi"], facts["horizontal_deg"], facts["vertical_deg"], facts["side_lobe_db"],
                   facts["depth_db"], beams, planes)


def rows_of(path: Path) -> Iterator[dict[str, str]]:
    """Rows of a table, as text."""
    with path.open(encoding="utf-8-sig", newline="") as lines:
        yield from csv.DictReader(lines)


def sector_of(row: Mapping[str, str], antennas: Mapping[str, Antenna]) -> Sector:
    """A row of ``sectors.csv``."""
    numbers = {name: float(row[name]) for name in _NUMBERS}
    azimuth = float(row["azimuth_deg"]) if row["azimuth_deg"] else None
    return Sector(sector_id=row["sector_id"], azimuth_deg=azimuth, antenna=antennas[row["antenna"]], kind=row["kind"],
                  model=row["model"], planned=row["planned"] == "1", **numbers)

"""Spot check of the reach: its plain formulas against published tables, and against the engine by hundreds of pairs."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from conftest import CRS
from test_calibrated_engine import made_up_calibration
from test_coverage import params, random_sectors, town

from siteplan.coverage import (
    AntennaPattern,
    Calibration,
    equipment_of,
    load_equipment,
    reach_probability,
    sectors_of_sites,
)
from siteplan.coverage._spot_facts import SpotFacts, gather_spot_facts
from siteplan.export._spot_files import write_spot_files
from siteplan.params import CoverageParams, EquipmentParams
from siteplan.surface import Surface
from siteplan.verify import _formulas as plain
from siteplan.verify._chance import Settings, site_chance
from siteplan.verify._profile import bullington_nu
from siteplan.verify._spot import EDGE_P
from siteplan.verify._spot_read import read_antennas, read_facts, read_radio, rows_of, sector_of

PACKAGE = Path(__file__).parents[1] / "siteplan"
CITY = Path(__file__).parents[1] / "data" / "xikou"


def recomputed(facts: SpotFacts, folder: Path, pairs: list[tuple[str, int, int]]) -> np.ndarray:
    """Probability of pairs (site, row, column) by way of the written files and the plain profile."""
    write_spot_files(facts, folder)
    radio, antennas = read_radio(folder, read_facts(folder)), read_antennas(folder)
    sectors: dict[str, list] = {}
    for row in rows_of(folder / "sectors.csv"):
        sectors.setdefault(row["site_id"], []).append(sector_of(row, antennas))
    return np.array([site_chance(radio, sectors[site], (row, col)).probability for site, row, col in pairs])


def agree(surface: Surface, sectors: pd.DataFrame, settings: CoverageParams, folder: Path, equipment: Any = None,
          calibration: Calibration | None = None, count: int = 300) -> None:
    """Random pairs agree with the engine to its single precision, far ones and those out of range too."""
    table = load_equipment() if equipment is None else equipment
    rng = np.random.default_rng(7)
    rows, cols = (rng.integers(0, edge, 400) for edge in surface.geobox.shape)
    reach = reach_probability(surface, sectors, settings, rows, cols, floor=1e-9, equipment=table,
                              calibration=calibration)
    want = reach.matrix.toarray()
    point, site = rng.integers(0, len(rows), count), rng.integers(0, len(reach.site_ids), count)
    pairs = [(reach.site_ids[k], int(rows[p]), int(cols[p])) for p, k in zip(point, site, strict=True)]
    got = recomputed(gather_spot_facts(surface, sectors, settings, table, calibration, 0.75), folder, pairs)
    assert (want[point, site] > 0.01).sum() > count // 3
    assert np.abs(got - want[point, site]).max() < EDGE_P / 2


def mixed(surface: Surface, count: int = 6) -> pd.DataFrame:
    """Macro sites of three sectors and omni micro sites, four bands, some with mechanical tilt."""
    sectors = random_sectors(surface, count, 3)
    rng = np.random.default_rng(3)
    axis = sectors["azimuth_deg"].notna()
    return sectors.assign(freq_mhz=rng.choice([773.0, 2130.0, 2565.0, 3500.0], len(sectors)),
                          tilt_mechanical_deg=np.where(axis, rng.choice([0.0, 4.0], len(sectors)), 0.0))


SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "as a study has it": {"building_weight": 0.25, "pattern_scale": 0.5},
    "roofs diffract": {"diffraction_weight": 0.4, "diffraction_cap_db": 12.0},
    "single edges": {"terrain_diffraction": "knife_edge", "building_weight": 0.0},
    "high receivers": {"receiver_height_m": 16.0, "body_loss_db": 3.0, "model_sigma_db": 0.0},
    **{model: {"model_macro": model} for model in ("uma", "rma", "cost231", "p2108", "free_space")}}


@pytest.mark.parametrize("changes", SETTINGS.values(), ids=SETTINGS)
def test_hills_and_buildings(changes, tmp_path):
    surface = town()
    agree(surface, mixed(surface), params(900.0, **changes), tmp_path)


@pytest.mark.parametrize("edge", ["bullington", "knife_edge"])
def test_nothing_is_known_of_buildings(edge, tmp_path):
    surface = replace(town(), clutter_m=np.zeros((121, 121), np.float32), has_clutter=False)
    agree(surface, mixed(surface), params(900.0, terrain_diffraction=edge, diffraction_weight=0.3), tmp_path)


def test_receivers_in_buildings_and_unknown_ground(tmp_path):
    """Wide blocks, and the western third of the ground unknown: nothing is served there."""
    surface = town(81)
    clutter, known = surface.clutter_m.copy(), surface.known.copy()
    clutter[20:60, 30:60] = np.where(np.random.default_rng(2).random((40, 30)) < 0.9, 15.0, 0.0)
    known[:, :27] = False
    agree(replace(surface, clutter_m=clutter, known=known), mixed(surface), params(600.0), tmp_path)


def test_named_models_beams_and_measured_patterns(tmp_path):
    surface, rng = town(), np.random.default_rng(4)
    pattern = AntennaPattern("m", rng.uniform(0, 30, 360), rng.uniform(0, 40, 360), tilt_deg=3.3)
    equipment = equipment_of(EquipmentParams(antennas={"own": {
        "pattern": "m.msi", "gain_dbi": 15.5, "horizontal_deg": 65.0, "vertical_deg": 7.0}}), {"m.msi": pattern})
    sectors = mixed(surface)
    sectors["antenna"] = np.where(sectors["azimuth_deg"].isna(), sectors["antenna"],
                                  rng.choice(["macro_ssb", "own", "panel_700"], len(sectors)))
    sectors["model"] = rng.choice(np.array(["uma", "rma", "umi", None, "p2108"], object), len(sectors))
    agree(surface, sectors, params(700.0, pattern_depth_db=12.0), tmp_path, equipment)


@pytest.mark.parametrize("base", ["table", "uma"])
def test_a_calibration(base, tmp_path):
    """For 2.6 GHz only; powers of the stations that stand are trusted by 0.6."""
    surface = town()
    codes = np.random.default_rng(1).choice([0, 3, 7], surface.geobox.shape).astype(np.int16)
    sectors = mixed(surface).assign(planned=lambda table: np.arange(len(table)) % 2 == 0)
    model = made_up_calibration()
    if base != "table":
        model = model.model_copy(update={"base": base, "distance_m": (), "clear_db": (), "blocked_db": ()})
    agree(replace(surface, classes=codes), sectors.assign(freq_mhz=sectors["freq_mhz"].replace(2130.0, 2600.0)),
          params(900.0), tmp_path, calibration=model)


def test_the_sample_city(tmp_path):
    """Masts on hills and roofs of the sample city; its settings, ground and buildings as the study reads them."""
    from siteplan.study import Study, build_scene, read_layers

    study = Study.from_toml(CITY / "study.toml")
    layers = {name: study.params.layers[name] for name in ("boundary", "zones", "ground", "buildings")}
    study = replace(study, params=study.params.model_copy(update={"layers": layers}))
    scene = build_scene(study.params, read_layers(study), study.equipment, study.calibration, study.venues)
    surface, rng = scene.surface, np.random.default_rng(5)
    built = np.argwhere(surface.built)
    places = np.concatenate([built[rng.integers(0, len(built), 12)],
                             rng.integers(0, surface.geobox.shape, (12, 2))])
    x, y = surface.geobox.affine * (places[:, 1] + 0.5, places[:, 0] + 0.5)
    sites = gpd.GeoDataFrame({"kind": np.where(np.arange(24) % 4 == 0, "micro", "macro"), "antenna_height_m": 28.0},
                             geometry=gpd.points_from_xy(x, y), crs=CRS,
                             index=pd.Index([f"S{k}" for k in range(24)], name="site_id"))
    sectors = sectors_of_sites(sites, scene.equipment)
    rows, cols = np.concatenate([built[rng.integers(0, len(built), 2000)],
                                 rng.integers(0, surface.geobox.shape, (2000, 2))]).T
    reach = reach_probability(surface, sectors, scene.params.coverage, rows, cols, equipment=scene.equipment).matrix
    entry = rng.choice(reach.nnz, 300, replace=False)
    site = np.searchsorted(reach.indptr, entry, side="right") - 1
    names = sorted(sites.index)
    pairs = [(names[k], int(rows[p]), int(cols[p])) for k, p in zip(site, reach.indices[entry], strict=True)]
    facts = gather_spot_facts(surface, sectors, scene.params.coverage, scene.equipment, None, 0.75)
    assert np.abs(recomputed(facts, tmp_path, pairs) - reach.data[entry]).max() < EDGE_P / 2


@pytest.mark.shared
@pytest.mark.parametrize("name", ["tr38901_checks", "tr38901_ns3_run", "tr38901_ns3_testvectors"])
def test_path_loss_tables(name, shared):
    table = pd.read_csv(shared(f"checks/{name}.csv"))
    compared = 0
    for model, freq, *place, state, loss in table.iloc[:, :7].itertuples(index=False):
        model = str(model).lower().split("-")[0].split()[0]
        d, h_bs, h_ut = place if name == "tr38901_checks" else (place[2], place[0], place[1])
        if model in plain.MODELS:
            got = plain.MODELS[model](plain.Link(d, freq, h_bs, h_ut))[state != "LOS"]
            assert got == pytest.approx(loss, abs=0.01)
            compared += 1
    assert compared > len(table) // 2


@pytest.mark.shared
def test_edges(shared):
    for row in pd.read_csv(shared("checks/knife_edge_J.csv")).itertuples():
        assert plain.knife_edge_db(row.nu) == pytest.approx(row.J_itu_approx_db, abs=1e-3)
    for case in pd.read_csv(shared("checks/bullington/cases.csv")).itertuples():
        d, h = pd.read_csv(shared(f"checks/bullington/path{case.path}.csv")).to_numpy(float).T
        inner, total = 1000.0 * d[1:-1], 1000.0 * d[-1]
        lifted = h[1:-1] + inner * (total - inner) / (2.0 * plain.EARTH_RADIUS_M)
        nu = bullington_nu(inner, lifted, (h[0] + case.tx_agl_m, h[-1] + case.rx_agl_m), total, case.freq_mhz / 1000)
        assert plain.bullington_db(nu, d[-1]) == pytest.approx(case.expected_L_bullington_actual_db, abs=0.1)


def test_nothing_is_shared_with_the_engine():
    """Modules that the recomputation is made of import nothing of the package but one another."""
    for name in ("_spot", "_spot_draw", "_spot_read", "_chance", "_profile", "_formulas", "_antenna", "_calibrated",
                 "_check"):
        tree = ast.parse((PACKAGE / "verify" / f"{name}.py").read_text(encoding="utf-8"))
        asked = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
        asked += [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
        own = {module for module in asked if module.startswith("siteplan")}
        assert all(module.startswith("siteplan.verify.") or module == "siteplan.errors" for module in own), (name, own)


def test_every_setting_that_the_probability_reads_is_written(tmp_path):
    """The study's own names; a new setting of the coverage must be placed here: read by the reach, or not."""
    unread = {"sight", "load_share", "noise_figure_db", "indoor", "wall", "indoor_threshold_dbm", "calibration",
              "raise_above_roofs", "tile_px"}
    assert {field.name for field in fields(Settings)} == set(CoverageParams.model_fields) - unread

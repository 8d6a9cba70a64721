"""One link: its signal is that of the exact prediction, its budget adds up, its profile is that of the geometry."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import get_args

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from slow_engine import mixed_sectors
from test_calibrated_engine import made_up_calibration
from test_coverage import CRS, flat, omni, params, town

from siteplan import radio
from siteplan.coverage import MODEL_NAMES, LinkProfile, link_profile, load_equipment, predict_coverage
from siteplan.errors import ModelError
from siteplan.grid import pixel_xy, study_geobox
from siteplan.params import CoverageParams, MacroModel
from siteplan.surface import Surface

EARTH_M = 8_500_000.0


def predicted(surface: Surface, sector: pd.DataFrame, settings: CoverageParams, **more) -> tuple[np.ndarray, ...]:
    """Signal, probability, and both inside, of one sector by exact profiles."""
    got = predict_coverage(surface, sector, settings.model_copy(update={"sight": "exact"}), **more)
    inside = got.indoor_rsrp_dbm, got.indoor_probability
    return got.rsrp_dbm[0], got.probability[0], *(np.full(got.rsrp_dbm[0].shape, np.nan) if part is None else part[0]
                                                  for part in inside)


def link_to(surface: Surface, sector: pd.DataFrame, pixel: tuple[int, int], settings: CoverageParams,
            **more) -> LinkProfile:
    x, y = pixel_xy(surface.geobox, *pixel)
    return link_profile(surface, sector, float(x), float(y), settings, **more)


def compare(surface: Surface, sector: pd.DataFrame, settings: CoverageParams, count: int = 25,
            **more) -> list[LinkProfile]:
    """Links to some pixels within reach, half of them built, held to the prediction."""
    rsrp, probability, inside_rsrp, inside_probability = predicted(surface, sector, settings, **more)
    rng = np.random.default_rng(2)
    found = []
    for built in (False, True):
        places = np.argwhere(np.isfinite(rsrp) & (surface.built == built))
        for row, col in places[rng.permutation(len(places))[:count]]:
            link = link_to(surface, sector, (row, col), settings, **more)
            assert link.within_reach
            assert link.rsrp_dbm == pytest.approx(float(rsrp[row, col]), abs=0.01)
            assert link.probability == pytest.approx(float(probability[row, col]), abs=5e-4)
            assert math.isnan(link.indoor_rsrp_dbm) == math.isnan(inside_rsrp[row, col])
            if built and settings.indoor:
                assert link.indoor_rsrp_dbm == pytest.approx(float(inside_rsrp[row, col]), abs=0.01)
                assert link.indoor_probability == pytest.approx(float(inside_probability[row, col]), abs=5e-4)
            assert sum(line.value for line in link.budget) == pytest.approx(link.rsrp_dbm, abs=1e-9)
            found.append(link)
    return found


def test_signal_of_a_link_is_that_of_the_exact_prediction() -> None:
    """On a town with hills and buildings: macro and micro, several carriers, both tilts; every state occurs."""
    surface = town()
    surface = replace(surface, ground_m=300.0 + 4.0 * (surface.ground_m - 300.0))  # hills that cost more than roofs
    sectors = mixed_sectors(surface)
    links = []
    for name in sectors.index[::2]:
        links += compare(surface, sectors.loc[[name]], params(), 12)
    assert {link.blocked for link in links} == {True, False}
    lost = [next(line.value for line in link.budget if line.name == "地形附加损耗") for link in links]
    assert min(lost) < -3.0
    assert any(link.facade_m > 0.0 for link in links)
    assert any(link.indoor for link in links)


@pytest.mark.parametrize("more", [
    {"building_weight": 0.3, "diffraction_weight": 0.4, "diffraction_cap_db": 12.0},
    {"terrain_diffraction": "knife_edge"},
    {"pattern_scale": 0.4, "pattern_depth_db": 9.0, "body_loss_db": 3.0}, {"indoor": False, "receiver_height_m": 4.0},
    *({"model_macro": model, "building_weight": 0.6} for model in MODEL_NAMES if model != "umi"),
])
def test_signal_of_a_link_follows_the_settings(more) -> None:
    surface = town(81)
    compare(surface, omni(405, 405, azimuth_deg=40.0, antenna="macro_64t", tilt_deg=4.0), params(**more), 12)


@pytest.mark.parametrize("terrain", ["bullington", "knife_edge"])
def test_without_buildings_sight_is_that_of_the_ground(terrain) -> None:
    surface = replace(town(81), clutter_m=np.zeros((81, 81), np.float32), has_clutter=False)
    settings = params(terrain_diffraction=terrain, diffraction_weight=0.3)
    links = compare(surface, omni(405, 405, antenna_height_m=12.0), settings)
    assert {link.blocked for link in links} == {True, False}
    assert all(link.top_edge is None for link in links)


def test_a_calibrated_link() -> None:
    surface = town(81)
    model = made_up_calibration()
    for planned in (False, True):
        sector = omni(405, 405, azimuth_deg=200.0, antenna="macro_64t", tilt_deg=4.0, freq_mhz=2600.0, planned=planned)
        links = compare(surface, sector, params(), calibration=model)
        names = {line.name for line in links[0].budget}
        assert ("工参功率校正" in names) == (not planned)
        assert "像元修正" in names
        assert links[0].model == "calibration"


def test_a_row_and_a_table_of_one_row_are_the_same_link() -> None:
    surface, sectors = town(), mixed_sectors(town())
    name = sectors.index[3]
    a, b = (link_profile(surface, row, 600.0, 600.0, params()) for row in (sectors.loc[name], sectors.loc[[name]]))
    assert a.budget == b.budget
    assert a.sector_id == b.sector_id == name


def corridor(lengths: int, **heights: float) -> Surface:
    """A strip of 10 m pixels, 3 wide; ``heights``: clutter (c) or ground (g) of a column, as ``c40=25``."""
    box = study_geobox((0, 0, lengths * 10, 30), CRS, 10.0)
    ground, clutter = np.zeros(box.shape, np.float32), np.zeros(box.shape, np.float32)
    for key, height in heights.items():
        (ground if key[0] == "g" else clutter)[:, int(key[1:])] = height
    return Surface(box, ground, clutter, np.ones(box.shape, bool), True)


def test_profile_over_flat_ground_is_the_bulge_of_the_earth() -> None:
    link = link_profile(corridor(501), omni(5, 15), 5005.0, 15.0, params(5000.0))
    d = link.distance_m
    assert d[0] == 0.0
    assert d[1] == 10.0
    assert d[-2] == 4995.0
    assert d[-1] == 5000.0
    np.testing.assert_allclose(link.ground_m, d * (5000.0 - d) / (2 * EARTH_M), atol=1e-9)
    np.testing.assert_allclose(link.top_m, link.ground_m)
    np.testing.assert_allclose(link.sight_m, 25.0 + (1.5 - 25.0) * d / 5000.0)
    middle = np.argmin(np.abs(d - 2500.0))
    assert link.fresnel_m[middle] == pytest.approx(math.sqrt(0.2998 / 3.5 * 2500.0 * 2500.0 / 5000.0))
    assert link.azimuth_deg == 90.0
    assert not link.blocked
    assert link.ground_edge.nu == pytest.approx(max(
        (b - s) * math.sqrt(2 * 5000.0 / (0.2998 / 3.5 * x * (5000.0 - x)))
        for b, s, x in zip(link.ground_m[1:-1], link.sight_m[1:-1], d[1:-1], strict=True)))


@given(st.integers(5, 70), st.floats(-6, 60), st.booleans())
def test_one_wall_or_one_ridge_is_the_dominant_edge(column: int, over: float, wall: bool) -> None:
    """Its height over the line, nu and knife-edge loss by the textbook; only a ridge loses anything over the ground."""
    settings = params(900.0)
    d = column * 10.0
    line = 25.0 + (1.5 - 25.0) * d / 800.0
    bulge = d * (800.0 - d) / (2 * EARTH_M)
    height = max(line + over - bulge, 0.0)
    link = link_profile(corridor(81, **{f"{'c' if wall else 'g'}{column}": height}), omni(5, 15), 805.0, 15.0, settings)
    over = float(np.float32(height)) + bulge - line
    assume(abs(over) > 1e-3)
    nu = over * math.sqrt(2 * 800.0 / (0.2998 / 3.5 * d * (800.0 - d)))
    assert link.blocked == (over > 0)
    edge = link.top_edge
    if over > 0:
        assert edge.distance_m == d
        assert edge.over_m == pytest.approx(over, abs=1e-4)
        assert edge.nu == pytest.approx(nu, abs=1e-4)
        assert edge.loss_db == pytest.approx(float(radio.knife_edge_loss_db(nu)), abs=1e-3)
    if wall:
        assert link.ground_edge.distance_m != d or height == 0.0
    elif over > 0:
        assert link.ground_edge == edge
        knife = edge.loss_db
        assert link.terrain_db["knife_edge"] == knife
        want = knife + (1 - math.exp(-knife / 6)) * (10 + 0.02 * 0.8)  # one edge: Bullington's is the edge itself
        assert link.terrain_db["bullington"] == pytest.approx(want, abs=0.3)  # its foot is two samples wide
        assert link.terrain_db["delta_bullington"] >= link.terrain_db["bullington"] - 1e-9
        assert link.terrain_db["deygout"] >= knife


def test_path_loss_is_its_parts() -> None:
    """Free space, environment, building, hill: the greater of the last two stories, never their sum."""
    surface = corridor(81, g40=60.0, c60=30.0)
    link = link_profile(surface, omni(5, 15), 805.0, 15.0, params(900.0, model_macro="uma"))
    clear, blocked = link.environment_db
    free = float(radio.free_space_loss_db(math.hypot(800.0, 23.5), 3.5))
    assert [clear, blocked] == pytest.approx(radio.path_loss_db("uma", 800.0, 3.5, 25.0, 1.5, [True, False]), abs=1e-4)
    assert link.loss_db == pytest.approx(max(blocked, free + link.terrain_db["bullington"]), abs=1e-3)
    lines = {line.name: line.value for line in link.budget}
    assert lines["自由空间损耗"] == pytest.approx(-free, abs=1e-4)
    assert lines["环境附加损耗"] == pytest.approx(free - clear, abs=1e-4)
    assert lines["遮挡附加"] == pytest.approx(clear - blocked, abs=1e-4)
    power = 17.86 + load_equipment().antennas["macro_omni"].gain_dbi
    assert lines["EPRE"] + lines["天线增益"] == pytest.approx(power)
    assert link.rsrp_dbm == pytest.approx(power + lines["馈线损耗"] + lines["方向图衰减"] - link.loss_db)


def test_clutter_of_p2108_comes_where_the_view_is_blocked_only() -> None:
    """With full trust in the surface; and never on top of UMa, whose blocked form holds it."""
    settings = params(900.0, model_macro="p2108", model_sigma_db=0.0)
    free = float(radio.free_space_loss_db(math.hypot(800.0, 23.5), 3.5))
    seen = link_profile(corridor(81), omni(5, 15), 805.0, 15.0, settings)
    hidden = link_profile(corridor(81, c40=60.0), omni(5, 15), 805.0, 15.0, settings)
    assert seen.loss_db == pytest.approx(free, abs=1e-3)
    away_km = math.hypot(0.8, 0.0235)
    clutter = float(radio.statistical_clutter_db(3.5, away_km))
    assert hidden.loss_db == pytest.approx(free + clutter, abs=1e-3)
    assert hidden.sigma_db == pytest.approx(float(radio.statistical_clutter_sigma_db(3.5, away_km)), abs=1e-3)
    urban = link_profile(corridor(81, c40=60.0), omni(5, 15), 805.0, 15.0, params(900.0, model_macro="uma"))
    assert urban.loss_db == pytest.approx(float(radio.path_loss_db("uma", 800.0, 3.5, 25.0, 1.5, False)), abs=1e-3)


def test_the_table_of_sectors_names_models_too() -> None:
    """Its word goes before that of the study and of the kind; one table of names for both."""
    surface = town(81)
    for kind, model in (("macro", "cost231"), ("micro", "free_space"), ("macro", "umi")):
        links = compare(surface, omni(405, 405, kind=kind, model=model), params(), 5)
        assert {link.model for link in links} == {model}
    with pytest.raises(ModelError, match=", ".join(MODEL_NAMES)):
        link_profile(surface, omni(405, 405, model="okumura"), 605.0, 605.0, params())
    assert set(MODEL_NAMES) == {*get_args(MacroModel), "umi"} == set(radio.MODELS) - {"inh"}


def test_what_is_out_of_range_is_told() -> None:
    link = link_profile(corridor(81), omni(5, 15), 805.0, 15.0, params(400.0, model_macro="cost231"))
    assert not link.within_reach
    words = radio.VALIDITY_WORDS
    assert link.validity == (words[radio.Validity.NEAR], words[radio.Validity.MAST], words[radio.Validity.FREQUENCY])


def test_the_foot_of_the_mast() -> None:
    surface = flat(21)
    link = link_to(surface, omni(105, 105), (10, 10), params())
    assert link.distance_m.tolist() == [0.0]
    assert link.rsrp_dbm == pytest.approx(float(predicted(surface, omni(105, 105), params())[0][10, 10]), abs=0.01)
    assert link.ground_edge is None
    assert set(link.terrain_db.values()) == {0.0}


def test_links_that_cannot_be_are_refused() -> None:
    surface = flat(21)
    blank = replace(surface, known=np.zeros((21, 21), bool))
    for where, sector, match in ((blank, omni(105, 105), "unknown"), (surface, omni(105, 105, kind="indoor"), "indoor"),
                                 (surface, pd.concat([omni(5, 5), omni(5, 5, "B")]), "one sector"),
                                 (surface, omni(105, 105, antenna="none"), "antenna")):
        with pytest.raises(ModelError, match=match):
            link_profile(where, sector, 55.0, 55.0, params())
    with pytest.raises(ModelError, match="outside"):
        link_profile(surface, omni(105, 105), -5.0, 55.0, params())

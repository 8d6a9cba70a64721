"""Exposure screening: numbers worked out by hand, a plain loop, laws of the far field, who is screened."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from conftest import X0, Y0, at, rect, table
from hypothesis import given, settings
from hypothesis import strategies as st

from siteplan.coverage import load_equipment
from siteplan.coverage._antennas import AntennaPattern
from siteplan.coverage._exposure import Exposure, screen_exposure
from siteplan.coverage._exposure_sectors import beam_loss_db, sector_power_w, traffic_beam
from siteplan.coverage._sensitive import ExposureAntenna, ExposureRules, load_exposure
from siteplan.errors import ModelError
from siteplan.radio import epre_dbm
from siteplan.surface import Surface

RULES = load_exposure()
EQUIPMENT = load_equipment()
NO_VENUES = table("facilities", {})


def house(shape: Any, height: float = 12.0, use: str = "residential", source: str = "measured",
          name: str | None = None) -> dict[str, Any]:
    return {"geometry": shape, "height_m": height, "use": use, "height_source": source, "name": name}


def sector(**changes: Any) -> dict[str, Any]:
    """A 5G macro sector in the middle of the town: 200 W at 3.5 GHz, pointing east without tilt."""
    east, north = changes.pop("east", 500.0), changes.pop("north", 500.0)
    return {"x": X0 + east, "y": Y0 + north, "antenna_height_m": 20.0, "azimuth_deg": 90.0, "tilt_deg": 0.0,
            "freq_mhz": 3500.0, "epre_dbm": float(epre_dbm(200.0, 273)), "antenna": "macro_64t", "kind": "macro",
            "technology": "5G", "site_id": "A", **changes}


def sectors(**rows: Mapping[str, Any]) -> pd.DataFrame:
    frame = pd.DataFrame.from_dict({key.replace("_", "-"): dict(row) for key, row in rows.items()}, orient="index")
    return frame.rename_axis("sector_id")


def screen(flat: Surface, masts: pd.DataFrame, houses: Mapping[str, Mapping[str, Any]],
           venues: gpd.GeoDataFrame = NO_VENUES, params: ExposureRules | None = None) -> Exposure:
    return screen_exposure(masts, venues, table("buildings", houses), flat, EQUIPMENT, params)


def only(exposure: Exposure) -> pd.Series:
    assert len(exposure.pairs) == 1
    return exposure.pairs.iloc[0]


# arithmetic


@pytest.mark.parametrize(("freq_mhz", "power_w", "gain_dbi", "factor", "limit_m", "fifth_m"), [
    (700.0, 160.0, 14.0, 1.0, 28.3, 63.2), (2600.0, 240.0, 24.0, 1.0, 109.5, 244.9),
    (2600.0, 240.0, 24.0, 0.1875, 47.4, 106.0), (3500.0, 200.0, 24.0, 1.0, 92.6, 207.0),
    (3500.0, 200.0, 24.0, 0.1875, 40.1, 89.6), (3500.0, 320.0, 24.0, 0.1875, 50.7, 113.4),
    (3500.0, 20.0, 8.0, 0.75, 4.0, 9.0), (4900.0, 200.0, 24.0, 0.1875, 33.9, 75.7)])
def test_distances_on_axis(flat: Surface, freq_mhz: float, power_w: float, gain_dbi: float, factor: float,
                           limit_m: float, fifth_m: float) -> None:
    """The worked table of the domain reference; power goes in as EPRE on the resource blocks of the band."""
    own = ExposureAntenna(factor=factor, gain_dbi=gain_dbi, source="test")
    params = RULES.model_copy(update={"antennas": {"macro_64t": own}})
    band = min((band for band in EQUIPMENT.bands.values() if band.technology == "5G"),
               key=lambda band: abs(band.freq_mhz - freq_mhz))
    mast = sector(freq_mhz=freq_mhz, epre_dbm=float(epre_dbm(power_w, band.resource_blocks)))
    row = screen(flat, sectors(A_1=mast), {}, params=params).sectors.iloc[0]
    assert row["power_w"] == pytest.approx(power_w)
    assert (round(row["limit_distance_m"], 1), round(row["managed_distance_m"], 1)) == (limit_m, fifth_m)
    assert row["radius_m"] == max(50.0, row["managed_distance_m"])


def test_power_follows_width_and_feeder() -> None:
    """Half the carrier holds half the blocks; twice the subcarrier spacing too; 3 dB of feeder take half the power."""
    rows = pd.DataFrame({"epre_dbm": 17.86, "freq_mhz": 3500.0, "technology": "5G",
                         "bandwidth_mhz": [100.0, 50.0, 100.0, np.nan], "scs_khz": [30.0, 30.0, 60.0, np.nan],
                         "feeder_db": [0.0, 0.0, 0.0, 10.0 * math.log10(2.0)]})
    whole, *others = sector_power_w(rows, EQUIPMENT)
    assert whole == pytest.approx(200.0, rel=1e-3)
    assert others == pytest.approx([whole / 2.0] * 3)


def test_beam_within_the_steering_range_has_its_full_gain() -> None:
    own = ExposureAntenna(factor=1.0, gain_dbi=24.0, horizontal_deg=10.0, vertical_deg=8.0, steer_horizontal_deg=40.0,
                          steer_vertical_deg=5.0, source="test")
    beam = traffic_beam(EQUIPMENT.antennas["macro_64t"], own)
    around, below = np.array([0.0, 40.0, -45.0, 0.0, 50.0, 170.0]), np.array([0.0, -5.0, 0.0, 9.0, 0.0, 0.0])
    loss, main = beam_loss_db(beam, own, around, below)
    assert loss.tolist() == pytest.approx([0.0, 0.0, 3.0, 3.0, 12.0, beam.depth_db])
    assert main.tolist() == [True, True, True, True, False, False]


def test_measured_pattern_is_read_where_an_antenna_has_one() -> None:
    """A lobe to the right only: the plane counts with its sign, not the parabola of its half-power width."""
    degrees = np.arange(360)
    horizontal = np.where(degrees <= 60, 0.0, 25.0)
    vertical = np.minimum(2.0 * np.abs((degrees - 4 + 180) % 360 - 180), 30.0)
    pattern = AntennaPattern("made up", horizontal, vertical, tilt_deg=4.0)
    antenna = EQUIPMENT.antennas["panel_passive"].model_copy(update={"pattern": "x.msi", "depth_db": 40.0})
    loss, _ = beam_loss_db(antenna, None, np.array([50.0, -50.0, 0.0]), np.array([0.0, 0.0, 7.0]), pattern)
    assert loss.tolist() == pytest.approx([0.0, 25.0, 14.0])


# one pair worked out by hand


def test_slope_and_gain_off_the_axis_count(flat: Surface) -> None:
    """A kindergarten 30 m away and 25 m below the beam: r = hypot(30, 25), and the gain 40 degrees below the axis."""
    own = ExposureAntenna(factor=0.1875, gain_dbi=24.0, horizontal_deg=65.0, vertical_deg=12.0, source="test")
    params = RULES.model_copy(update={"antennas": {"macro_64t": own}})
    venue = table("facilities", {"F1": {"geometry": at(535, 500), "name": "溪口幼儿园", "venue_class": "school"}})
    row = only(screen(flat, sectors(A_1=sector(antenna_height_m=26.7)),
                      {"B1": house(rect(530, 490, 560, 510), 3.0, "public")}, venue, params))
    slope, down = math.hypot(30.0, 25.0), math.degrees(math.atan2(25.0, 30.0))
    loss = min(12.0 * (down / 12.0) ** 2, EQUIPMENT.antennas["macro_64t"].side_lobe_db)
    expected = 200.0 * 10.0 ** ((24.0 - loss) / 10.0) * 0.1875 / (4.0 * math.pi * slope**2)
    assert row["slope_m"] == pytest.approx(slope)
    assert row["s_w_m2"] == pytest.approx(expected)
    assert row["s_uw_cm2"] == pytest.approx(100.0 * expected)
    assert row["share"] == pytest.approx(expected / (3500.0 / 7500.0))
    assert (row["target_class"], row["justify"], row["in_main_beam"], row["above_limit"]) == (
        "kindergarten", True, False, False)
    on_axis = 200.0 * 10.0**2.4 * 0.1875 / (4.0 * math.pi * 30.0**2)
    assert row["s_w_m2"] < on_axis / 10.0


def test_toy_scene(flat: Surface) -> None:
    """Round a mast of 20 m that looks east: two towers beyond 30 m, a school behind, a house of unknown height.

    A shed, a shop and a far house do not count.
    """
    found = screen(flat, sectors(A_1=sector(tilt_deg=6.0)), {
        "tower35": house(rect(529, 470, 545, 480.5), 45.0),
        "tower31": house(rect(531, 495, 545, 505), 45.0),
        "school": house(rect(480, 540, 500, 560), 9.0, "public", name="东村小学"),
        "shed": house(rect(520, 500, 525, 505), 6.0, "other"),
        "shop": house(rect(520, 505, 525, 510), 6.0, "commercial"),
        "guess": house(rect(540, 520, 550, 530), 9.0, source="default"),
        "far": house(rect(800, 490, 810, 510))}).pairs.set_index("target_id")
    assert set(found.index) == {"tower35", "tower31", "school", "guess"}
    assert found.loc["tower35", "distance_m"] == pytest.approx(math.hypot(29.0, 19.5))
    assert found["taller_near"].to_dict() == {"tower35": False, "tower31": False, "school": False, "guess": False}
    # the beam is steered over 0 to 12 degrees below the horizon: the nearest storey in it is 0.3 m below the antenna
    assert found.loc["tower31", "worst_height_m"] == pytest.approx(19.7)
    assert found.loc["tower31", "drop_m"] == pytest.approx(0.3)
    assert found.loc["tower31", "in_main_beam"]
    assert found.loc["tower31", "above_limit"]
    assert found.loc["school", "target_class"] == "school"
    assert found["justify"].to_dict() == {"tower35": False, "tower31": False, "school": True, "guess": False}
    assert found.loc["guess", "height_source"] == "default"
    assert found["above_managed"].tolist() == (found["share"] > 0.2).tolist()


@pytest.mark.parametrize(("east", "height", "taller"), [(30.0, 20.5, True), (30.5, 20.5, False), (30.0, 19.5, False)])
def test_no_sensitive_building_higher_than_the_antenna_within_30_m(flat: Surface, east: float, height: float,
                                                                   taller: bool) -> None:
    shape = rect(500 + east, 490, 560, 510)
    assert bool(only(screen(flat, sectors(A_1=sector()), {"B": house(shape, height)}))["taller_near"]) is taller


def test_ground_of_mast_and_building_counts(flat: Surface) -> None:
    """The building stands 15 m lower: its storeys fall below the antenna by that much, and it is no longer taller."""
    ground_m = flat.ground_m.copy()
    ground_m[:, 52:] -= 15.0
    sloped = Surface(flat.geobox, ground_m, flat.clutter_m, flat.known, True)
    shape = {"B": house(rect(525, 490, 560, 510), 24.0)}
    level, low = (only(screen(surface, sectors(A_1=sector()), shape)) for surface in (flat, sloped))
    assert level["taller_near"]
    assert not low["taller_near"]
    assert low["drop_m"] == pytest.approx(20.0 + 15.0 - low["worst_height_m"])


def test_roof_slab_counts_on_the_building_itself_only(flat: Surface) -> None:
    """An antenna 4 m above the roof: the same storeys without the slab get 10 dB more."""
    own = {"B": house(rect(490, 490, 510, 510), 16.0)}
    open_roof = RULES.model_copy(update={"screening": RULES.screening.model_copy(update={"roof_loss_db": 0.0})})
    row, bare = (only(screen(flat, sectors(A_1=sector()), own, params=params)) for params in (RULES, open_roof))
    assert row["distance_m"] == 0.0
    assert bare["s_w_m2"] == pytest.approx(10.0 * row["s_w_m2"])
    beside = {"B": house(rect(501, 490, 510, 510), 16.0)}
    near, same = (only(screen(flat, sectors(A_1=sector()), beside, params=params)) for params in (RULES, open_roof))
    assert near["s_w_m2"] == same["s_w_m2"]


# the plain loop


def plain_share(mast: Mapping[str, Any], box: tuple[float, float, float, float], probe: float) -> float:
    """S / limit of one sector at one storey of a rectangle, on flat ground, written out."""
    dx = min(max(mast["x"], box[0]), box[2]) - mast["x"]
    dy = min(max(mast["y"], box[1]), box[3]) - mast["y"]
    away, drop = math.hypot(dx, dy), mast["antenna_height_m"] - probe
    antenna, own = EQUIPMENT.antennas[mast["antenna"]], RULES.antennas[mast["antenna"]]
    around = abs((math.degrees(math.atan2(dx, dy)) - mast["azimuth_deg"] + 180.0) % 360.0 - 180.0)
    around = 0.0 if antenna.omni or math.isnan(around) or away == 0.0 else around
    down = math.degrees(math.atan2(drop, away))
    around = max(around - own.steer_horizontal_deg, 0.0)
    above = max(abs(down - mast["tilt_deg"]) - own.steer_vertical_deg, 0.0)
    flat_loss = min(12.0 * (around / (own.horizontal_deg or antenna.horizontal_deg)) ** 2, antenna.depth_db)
    tall_loss = min(12.0 * (above / (own.vertical_deg or antenna.vertical_deg)) ** 2, antenna.side_lobe_db)
    loss = min(flat_loss + tall_loss, antenna.depth_db)
    if own.element_deg is not None:
        loss = max(loss, min(12.0 * (down / own.element_deg) ** 2, antenna.depth_db))
    blocks = EQUIPMENT.bands["n28" if mast["freq_mhz"] < 1000 else "n78"].resource_blocks
    power = 10.0 ** ((mast["epre_dbm"] + 10.0 * math.log10(12 * blocks)) / 10.0) / 1000.0
    gain = (own.gain_dbi if own.gain_dbi is not None else antenna.gain_dbi) - loss
    density = power * 10.0 ** (gain / 10.0) * own.factor / (4.0 * math.pi * max(math.hypot(away, drop), 1.0) ** 2)
    return density / (mast["freq_mhz"] / 7500.0 if mast["freq_mhz"] > 3000.0 else 0.4)


def random_town(seed: int) -> tuple[pd.DataFrame, dict[str, dict[str, Any]], dict[str, tuple[float, ...]]]:
    """Five sites of one to three sectors and thirty rectangles round them; no antenna over a rectangle."""
    rng = np.random.default_rng(seed)
    houses, boxes = {}, {}
    for number in range(30):
        left, bottom = rng.uniform(300, 680, 2)
        right, top = left + rng.uniform(5, 30), bottom + rng.uniform(5, 30)
        houses[f"B{number}"] = house(rect(left, bottom, right, top), float(rng.uniform(2.5, 60)))
        boxes[f"B{number}"] = (X0 + left, Y0 + bottom, X0 + right, Y0 + top)
    rows = {}
    for name in "PQRST":
        x, y = next((x, y) for x, y in (rng.uniform(300, 700, (200, 2)) + (X0, Y0))
                    if not any(b[0] <= x <= b[2] and b[1] <= y <= b[3] for b in boxes.values()))
        height = float(rng.uniform(6, 50))
        kinds = [("macro_64t", 3500.0), ("panel_700", 773.0), ("pole_micro", 3500.0)]
        for number in range(int(rng.integers(1, 4))):
            antenna, freq = kinds[int(rng.integers(3))]
            rows[f"{name}-{number}"] = sector(
                east=x - X0, north=y - Y0, antenna_height_m=height, azimuth_deg=float(rng.uniform(0, 360)),
                site_id=name, tilt_deg=float(rng.uniform(0, 12)), antenna=antenna, freq_mhz=freq,
                epre_dbm=float(rng.uniform(5, 21)))
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("sector_id"), houses, boxes


@pytest.mark.parametrize("seed", range(6))
def test_equals_the_plain_loop(flat: Surface, seed: int) -> None:
    masts, houses, boxes = random_town(seed)
    found = screen(flat, masts, houses)
    radius = found.sectors.groupby("site_id")["radius_m"].max()
    expected, totals = {}, {}
    for key, box in boxes.items():
        storeys = [1.7 + 3.0 * k for k in range(max(1, int(houses[key]["height_m"] // 3.0)))]
        sums = {}
        for site, rows in masts.groupby("site_id"):
            x, y = rows["x"].iloc[0], rows["y"].iloc[0]
            away = math.hypot(min(max(x, box[0]), box[2]) - x, min(max(y, box[1]), box[3]) - y)
            if away <= radius[site]:
                sums[site] = [sum(plain_share(row, box, probe) for row in rows.to_dict("records")) for probe in storeys]
                best = int(np.argmax(sums[site]))
                expected[site, key] = (away, storeys[best], sums[site][best])
        if sums:
            totals[key] = max(map(sum, zip(*sums.values(), strict=True)))
    pairs = found.pairs.set_index(["site_id", "target_id"])
    assert set(pairs.index) == set(expected)
    assert len(expected) > 5
    for (site, key), (away, probe, share) in expected.items():
        row = pairs.loc[(site, key)]
        assert row["distance_m"] == pytest.approx(away, abs=1e-6)
        assert row["worst_height_m"] == pytest.approx(probe)
        assert row["share"] == pytest.approx(share, rel=1e-9)
        assert row["total_share"] == pytest.approx(totals[key], rel=1e-9)
        assert row["above_limit"] == (totals[key] > 1.0)


def test_order_of_the_rows_does_not_matter_and_arguments_stay(flat: Surface) -> None:
    masts, houses, _ = random_town(7)
    layer = table("buildings", houses)
    before = masts.copy(), layer.copy()
    found = screen_exposure(masts, NO_VENUES, layer, flat, EQUIPMENT)
    again = screen_exposure(masts[::-1], NO_VENUES, layer[::-1], flat, EQUIPMENT)
    pd.testing.assert_frame_equal(found.pairs, again.pairs)
    pd.testing.assert_frame_equal(found.sectors, again.sectors)
    pd.testing.assert_frame_equal(masts, before[0])
    pd.testing.assert_frame_equal(pd.DataFrame(layer), pd.DataFrame(before[1]))


# laws


@settings(max_examples=12)
@given(seed=st.integers(0, 50), more_db=st.floats(0.1, 10.0))
def test_more_power_never_less_exposure(flat: Surface, seed: int, more_db: float) -> None:
    """Every pair stays and grows by exactly that much; further pairs may come, as the radius grows."""
    masts, houses, _ = random_town(seed)
    weak = screen(flat, masts, houses).pairs.set_index(["site_id", "target_id"])
    strong = screen(flat, masts.assign(epre_dbm=masts["epre_dbm"] + more_db), houses).pairs
    strong = strong.set_index(["site_id", "target_id"])
    assert set(weak.index) <= set(strong.index)
    same = strong.loc[weak.index]
    np.testing.assert_allclose(same["s_w_m2"], weak["s_w_m2"] * 10.0 ** (more_db / 10.0), rtol=1e-9)
    assert (same["total_share"] >= weak["total_share"]).all()
    assert (same["above_limit"] >= weak["above_limit"]).all()


@settings(max_examples=12)
@given(metres=st.floats(2.0, 20.0))
def test_far_field_falls_with_the_square_of_the_distance(flat: Surface, metres: float) -> None:
    """An omni antenna level with the only storey."""
    mast = sectors(A_1=sector(antenna="pole_micro", kind="micro", antenna_height_m=1.7))
    near, far = (only(screen(flat, mast, {"B": house(rect(500 + away, 400, 600, 600), 3.0)}))
                 for away in (metres, 2.0 * metres))
    assert near["s_w_m2"] == pytest.approx(4.0 * far["s_w_m2"])
    assert near["in_main_beam"]


@settings(max_examples=12)
@given(turn=st.floats(0, 359))
def test_turning_everything_changes_nothing(flat: Surface, turn: float) -> None:
    """A square building far smaller than its distance, moved round the mast with the beam."""
    angle = math.radians(turn)
    shape = at(500 + 40 * math.sin(angle), 500 + 40 * math.cos(angle)).buffer(1.0, quad_segs=90)
    row = only(screen(flat, sectors(A_1=sector(azimuth_deg=turn)), {"B": house(shape)}))
    north = {"B": house(at(500, 540).buffer(1.0, quad_segs=90))}
    still = only(screen(flat, sectors(A_1=sector(azimuth_deg=0.0)), north))
    assert row["s_w_m2"] == pytest.approx(still["s_w_m2"], rel=2e-4)


# who is screened


def test_nothing_near_gives_empty_tables_with_their_columns(flat: Surface) -> None:
    far = {"B": house(rect(10, 10, 20, 20))}
    for masts, houses in ((sectors(A_1=sector()), far), (sectors(A_1=sector()), {}), (sectors(A_1=sector())[:0], far)):
        found = screen(flat, masts, houses)
        full = screen(flat, sectors(A_1=sector()), {"B": house(rect(520, 490, 530, 510))})
        assert len(found.pairs) == 0
        assert found.pairs.dtypes.to_dict() == full.pairs.dtypes.to_dict()
        assert set(found.sectors.columns) == set(full.sectors.columns)
        assert list(full.pairs.columns) == [name for name in RULES.columns if name not in ("rank_no", "note")]
        assert set(found.counts().values()) == {0}


def test_existing_sites_are_screened_where_new_ones_are_near(flat: Surface) -> None:
    """Both radiate at the house between them: two rows, and the total is the sum. A house at the old site alone is not
    the plan's business."""
    masts = sectors(N_1=sector(site_id="N", site_status="proposed"),
                    O_1=sector(site_id="O", site_status="existing", east=570.0, azimuth_deg=270.0))
    between, beyond = house(rect(530, 495, 540, 505), 3.0), house(rect(655, 495, 660, 505))
    found = screen(flat, masts, {"between": between, "beyond": beyond}).pairs
    assert found[["site_id", "target_id"]].to_numpy().tolist() == [["N", "between"], ["O", "between"]]
    assert found["total_share"].tolist() == pytest.approx([found["share"].sum()] * 2)
    alone = screen(flat, masts.assign(site_status="existing"), {"between": between})
    assert len(alone.pairs) == 0
    assert len(alone.sectors) == 0


def test_indoor_sectors_are_passed_over(flat: Surface) -> None:
    found = screen(flat, sectors(A_1=sector(kind="indoor", antenna="indoor")), {"B": house(rect(501, 490, 520, 510))})
    assert len(found.pairs) == len(found.sectors) == 0


@pytest.mark.parametrize(("change", "word"), [
    ({"antenna": "balloon"}, "balloon"), ({"epre_dbm": np.nan}, "power_w"), ({"freq_mhz": 20_000.0}, "limit_w_m2"),
    ({"antenna_height_m": np.nan}, "antenna_height_m")])
def test_unusable_sectors_are_named(flat: Surface, change: dict[str, Any], word: str) -> None:
    with pytest.raises(ModelError, match=word):
        screen(flat, sectors(A_1=sector(**change)), {})
    with pytest.raises(ModelError, match="site_id"):
        screen(flat, sectors(A_1=sector()).drop(columns="site_id"), {})

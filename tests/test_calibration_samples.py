"""Samples of measured signals: against geometry worked by hand, and every row that cannot be used is told."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from siteplan.coverage._features import SAMPLE_COLUMNS, draw_measurements, measurement_samples
from siteplan.coverage._surroundings import surroundings
from siteplan.errors import ModelError
from siteplan.input_ledger import InputLedger
from siteplan.params import CoverageParams
from siteplan.surface import Surface
from tests.calibration_data import points, sector
from tests.conftest import X0


def test_geometry_of_a_sample_worked_by_hand(flat: Surface) -> None:
    rows = points({"east": (505.0, 505.0), "north": (205.0, 805.0), "mast": (203.0, 508.0)},
                  sector_id="A", rsrp_dbm=[-80.0, -85.0, -60.0])
    out = measurement_samples(rows, pd.DataFrame([sector()], index=["A"]), flat, CoverageParams(body_loss_db=2.0))
    assert tuple(out.columns) == SAMPLE_COLUMNS
    assert out["distance_m"].tolist() == [300.0, 300.0, 10.0]  # a receiver on the mast's pixel counts as 10 m away
    assert out.loc[["east", "north"], "azimuth_off_deg"].tolist() == [0.0, -90.0]
    down = math.degrees(math.atan2(28.5, 300.0))
    assert out["down_deg"].iloc[:2].to_numpy() == pytest.approx([down, down])
    gain = 15.0  # of the passive panel, checked by the next line's difference alone
    assert out["power_dbm"].to_numpy() == pytest.approx(np.full(3, 18.0 + gain - 1.5 - 2.0), abs=3.0)
    assert out["power_dbm"].nunique() == 1
    assert out.loc["east", "horizontal_db"] == 0.0
    # across, the mechanical tilt does not lean the beam: 2 degrees are left of 6
    narrow, wide = out.loc["north", "vertical_db"], out.loc["east", "vertical_db"]
    assert narrow / wide == pytest.approx(((down - 2.0) / (down - 6.0)) ** 2, rel=0.05)
    assert not out["blocked"].any()


def test_a_wall_blocks_what_lies_behind_it_and_nothing_else(flat: Surface) -> None:
    roofs = flat.clutter_m.copy()
    roofs[:, 40] = 60.0  # a wall from north to south, 205 m east of the mast
    walled = Surface(flat.geobox, flat.ground_m, roofs, flat.known, True)
    places = {"before": (385.0, 505.0), "behind": (505.0, 505.0), "west": (55.0, 505.0)}
    rows = points(places, sector_id="A", rsrp_dbm=-90.0)
    out = measurement_samples(rows, pd.DataFrame([sector()], index=["A"]), walled)
    assert out["blocked"].to_dict() == {"before": False, "behind": True, "west": False}
    line = 30.0 + (1.5 - 30.0) * 200.0 / 300.0  # height of the sight line at the wall
    nu = (60.0 - line) * math.sqrt(2.0 * 300.0 / (0.2998 * 200.0 * 100.0))
    assert out.loc["behind", "nu_top"] == pytest.approx(nu, rel=0.02)
    assert (out["nu_ground"] < -0.78).all()  # the ground alone is in nobody's way
    unknown = Surface(flat.geobox, flat.ground_m, roofs, flat.known, False)
    assert not measurement_samples(rows, pd.DataFrame([sector()], index=["A"]), unknown)["blocked"].any()


def test_rows_that_cannot_be_used_are_told(flat: Surface) -> None:
    sectors = pd.DataFrame([sector(), sector(x=X0 - 5000.0), sector(kind="indoor", antenna="indoor")],
                           index=["A", "far", "in"])
    rows = points({"good": (505.0, 505.0), "nan": (505.0, 505.0), "who": (505.0, 505.0), "out": (5000.0, 505.0),
                   "mast": (505.0, 505.0), "room": (505.0, 505.0)},
                  sector_id=["A", "A", "Z", "A", "far", "in"], rsrp_dbm=[-80.0, np.nan, -80.0, -80.0, -80.0, -80.0])
    ledger = InputLedger()
    out = measurement_samples(rows, sectors, flat, ledger=ledger)
    assert out.index.tolist() == ["good"]
    assert ledger.count("refused", "measurements") == 5  # one line for each reason
    assert len(rows) == len(out) + sum(int(line.value.split()[0]) for line in ledger)
    nothing = measurement_samples(rows.iloc[:0], sectors, flat)
    assert nothing.empty
    assert tuple(nothing.columns) == SAMPLE_COLUMNS


def test_samples_need_their_columns_and_a_fitting_clutter_raster(flat: Surface) -> None:
    sectors = pd.DataFrame([sector()], index=["A"])
    with pytest.raises(ModelError, match="rsrp_dbm"):
        measurement_samples(points({"a": (5.0, 5.0)}, sector_id="A"), sectors, flat)
    with pytest.raises(ModelError, match="clutter classes"):
        measurement_samples(points({"a": (5.0, 5.0)}, sector_id="A", rsrp_dbm=-90.0), sectors, flat,
                            clutter_code=np.zeros((3, 3), np.int16))


def test_surroundings_are_means_of_a_square(flat: Surface) -> None:
    roofs = np.random.default_rng(3).choice([0.0, 12.0, 30.0], flat.clutter_m.shape).astype(np.float32)
    near = surroundings(Surface(flat.geobox, flat.ground_m, roofs, flat.known, True))
    for row, col in ((10, 20), (50, 50), (97, 3)):
        part = roofs[row - 2:row + 3, col - 2:col + 3]  # 25 m of pixels of 10 m: two to each side
        if part.shape == (5, 5):
            assert near.clutter_mean_m[row, col] == pytest.approx(part.mean(), rel=1e-5)
            assert near.built_share[row, col] == pytest.approx((part > 0).mean(), rel=1e-5)


def test_a_report_from_beyond_the_neighbours_has_a_great_reach_ratio(flat: Surface) -> None:
    masts = {"A": 105.0, "B": 705.0, "C": 755.0, "D": 805.0}
    sectors = pd.DataFrame([sector(x=X0 + east) for east in masts.values()], index=list(masts))
    rows = points({"own": (755.0, 515.0), "wrong": (756.0, 515.0)}, sector_id=["C", "A"], rsrp_dbm=-90.0)
    ratio = measurement_samples(rows, sectors, flat)["reach_ratio"]
    assert ratio["own"] < 1.0
    assert ratio["wrong"] == pytest.approx(650.0 / math.hypot(50.0, 10.0), rel=0.05)


def test_drawing_is_seeded_and_bounded() -> None:
    rows = pd.DataFrame({"sector_id": np.repeat(["a", "b"], [80, 7])}, index=[f"r{i}" for i in range(87)])
    one, two, other = (draw_measurements(rows, 20, seed) for seed in (5, 5, 6))
    assert one.index.equals(two.index)
    assert not one.index.equals(other.index)
    assert one["sector_id"].value_counts().to_dict() == {"a": 20, "b": 7}
    assert one.index.tolist() == sorted(one.index, key=lambda name: int(name[1:]))


def test_samples_of_faulty_sectors_and_on_unknown_ground_are_told(flat: Surface) -> None:
    known = flat.known.copy()
    known[:, 70:] = False
    surface = Surface(flat.geobox, flat.ground_m, flat.clutter_m, known, True)
    sectors = pd.DataFrame([sector(), sector(antenna="zzz"), sector(antenna_height_m=np.nan)],
                           index=["A", "strange", "low"])
    rows = points({"good": (505.0, 505.0), "blank": (905.0, 505.0), "a": (505.0, 505.0), "b": (505.0, 505.0)},
                  sector_id=["A", "A", "strange", "low"], rsrp_dbm=-90.0)
    ledger = InputLedger()
    assert measurement_samples(rows, sectors, surface, ledger=ledger).index.tolist() == ["good"]
    told = [line.reason for line in ledger]
    assert any("没有地面高程" in text and "1 行" in text for text in told)
    assert any("天线不在设备表" in text and "2 行" in text for text in told)


def test_no_sector_at_all_gives_no_sample(flat: Surface) -> None:
    rows = points({"a": (505.0, 505.0)}, sector_id="A", rsrp_dbm=-90.0)
    ledger = InputLedger()
    assert measurement_samples(rows, pd.DataFrame([sector()], index=["A"]).iloc[:0], flat, ledger=ledger).empty
    assert any("找不到" in line.reason for line in ledger)

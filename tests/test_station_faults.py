"""Wrong stations through a whole tiny study: a line per row, an answer for every pixel, never NaN in silence."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import SIZE_M, X0
from hypothesis import given, settings
from hypothesis import strategies as st
from test_minimal_studies import CRS, STATION, ground, rows, stations, study, zones

from siteplan.coverage import load_equipment
from siteplan.study import build_scene, cover_existing, read_layers, run

SECTOR = {"方位角": 90, "机械下倾角": 2, "电子下倾角": 4, "带宽": 100, "子载波间隔": 30, "经度": "", "纬度": ""}


def scene_of(folder, *changes):
    opened = study(folder, {**ground(folder), **zones(folder), **stations(folder, *({**SECTOR, **c} for c in changes))})
    return build_scene(opened.params, read_layers(opened), opened.equipment)


def lines(scene, row="2"):
    """Lines on a row of the stations, or on all rows at once: (field, action) and what is said."""
    return [(line.field, line.action, f"{line.value} {line.reason}") for line in scene.ledger
            if line.layer == "stations" and line.row == row]


def covered(scene):
    """Best 5G signal; checked: a value or a plain "not reached" everywhere, and a probability for each pixel."""
    found = cover_existing(scene).any_5g()
    assert np.isfinite(found.probability).all()
    assert ((found.probability >= 0.0) & (found.probability <= 1.0)).all()
    for values in (found.rsrp_dbm, found.sinr_db):
        np.testing.assert_array_equal(np.isnan(values), found.server < 0)
        assert not np.isinf(values).any()
    return found.rsrp_dbm


def test_a_good_station_has_no_line_of_its_own(tmp_path):
    scene = scene_of(tmp_path, {})
    assert [line for line in lines(scene) if line[1] in ("refused", "repaired")] == []
    got = scene.sectors.loc["A-1"]
    assert got[["azimuth_deg", "tilt_mechanical_deg", "tilt_electrical_deg", "tilt_deg"]].tolist() == [90, 2, 4, 6]
    assert got[["bandwidth_mhz", "scs_khz", "feeder_db"]].tolist() == [100.0, 30.0, 0.0]
    assert np.isfinite(covered(scene)).all()


OMNI = {"azimuth_deg": np.nan, "antenna": "macro_omni"}
KEPT = [
    ({"挂高": 0}, "antenna_height_m", "repaired", "0 “挂高”超出 2 至 300", {"antenna_height_m": 25.0}),
    ({"挂高": -30}, "antenna_height_m", "repaired", "-30 “挂高”超出", {"antenna_height_m": 25.0}),
    ({"挂高": 500}, "antenna_height_m", "repaired", "500 “挂高”超出", {"antenna_height_m": 25.0}),
    ({"挂高": "很高"}, "antenna_height_m", "repaired", "很高 “挂高”无法识别", {"antenna_height_m": 25.0}),
    ({"挂高": ""}, "antenna_height_m", "assumed", "没有挂高", {"antenna_height_m": 25.0}),
    ({"方位角": 720}, "azimuth_deg", "repaired", "720 “方位角”超过一整圈", {"azimuth_deg": 0.0}),
    ({"方位角": 361}, "azimuth_deg", "repaired", "361 “方位角”超过一整圈", {"azimuth_deg": 1.0}),
    ({"方位角": "363.5°"}, "azimuth_deg", "repaired", "363.5° “方位角”超过一整圈", {"azimuth_deg": 3.5}),
    ({"方位角": 400}, "azimuth_deg", "repaired", "400 “方位角”超出 0 至 360 度，已置空", OMNI),
    ({"方位角": 400}, "azimuth_deg", "assumed", "按全向天线", OMNI),
    ({"方位角": -10}, "azimuth_deg", "repaired", "-10 “方位角”超出 0 至 360 度，已置空", OMNI),
    ({"方位角": 99999}, "azimuth_deg", "repaired", "99999 “方位角”超出 0 至 360 度，已置空", OMNI),
    ({"方位角": "东"}, "azimuth_deg", "repaired", "东 “方位角”无法识别，已置空", OMNI),
    ({"方位角": ""}, "azimuth_deg", "assumed", "全向", OMNI),
    ({"参考信号功率": "", "发射功率": 0}, "power_w", "repaired", "0 “发射功率”超出", {"epre_dbm": 17.86}),
    ({"参考信号功率": "", "发射功率": 1e6}, "power_w", "repaired", "超出 0.1 至 2000", {"epre_dbm": 17.86}),
    ({"参考信号功率": "", "发射功率dBm": 0}, "power_dbm", "repaired", "0 “发射功率dBm”超出", {"epre_dbm": 17.86}),
    ({"参考信号功率": ""}, "epre_dbm", "assumed", "没有功率", {"epre_dbm": 17.86}),
    ({"参考信号功率": -99}, "epre_dbm", "repaired", "-99 “参考信号功率”超出", {"epre_dbm": 17.86}),
    ({"参考信号功率": 35}, "epre_dbm", "note", "35.0 每 RE 功率折合总功率超过 2000 W", {"epre_dbm": 35.0}),
    ({"频段": "n999", "制式": "5G"}, "band", "note", "n999 频段写法不认识", {"freq_mhz": 2565.0}),
    ({"频段": "", "中心频率": 99999}, "freq_mhz", "repaired", "99999 “中心频率”超出", {"freq_mhz": 2565.0}),
    ({"频段": "", "中心频率": -1}, "freq_mhz", "repaired", "-1 “中心频率”超出", {"freq_mhz": 2565.0}),
    ({"带宽": 0}, "bandwidth_mhz", "repaired", "0 “带宽”超出", {"bandwidth_mhz": 100.0}),
    ({"子载波间隔": 20}, "scs_khz", "repaired", "只能是 15、30 或 60", {"scs_khz": 30.0}),
    ({"子载波间隔": "很宽"}, "scs_khz", "repaired", "很宽 “子载波间隔”无法识别", {"scs_khz": 30.0}),
    ({"下行负荷": "很忙"}, "load_share", "repaired", "很忙 “下行负荷”无法识别", {"load_share": np.nan}),
    ({"PRB利用率": "150%"}, "load_share", "repaired", "1.5 “下行负荷”超出 0 至 1", {"load_share": np.nan}),
    ({"PRB利用率": "35%"}, "load_share", "repaired", "35% 负荷是百分数", {"load_share": 0.35}),
    ({"PRB利用率": 35}, "load_share", "repaired", "35 负荷是百分数", {"load_share": 0.35}),
    ({"馈线损耗": -3}, "feeder_db", "repaired", "-3 “馈线损耗”超出", {"feeder_db": 0.0}),
    ({"机械下倾角": 80}, "tilt_mechanical_deg", "repaired", "80 “机械下倾角”超出", {"tilt_deg": 4.0}),
    ({"天线型号": "XYZ"}, "antenna", "assumed", "XYZ 设备表没有这个天线型号", {"antenna": "macro_64t"}),
]


@pytest.mark.parametrize(("change", "field", "action", "said", "taken"), KEPT, ids=lambda value: str(value)[:40])
def test_a_wrong_value_is_told_and_the_sector_still_serves(tmp_path, change, field, action, said, taken):
    scene = scene_of(tmp_path, {"参考信号功率": 17.0, **change})
    assert [text for name, kind, text in lines(scene) if (name, kind) == (field, action) and said in text]
    for column, value in taken.items():
        got = scene.sectors[column].iloc[0]
        assert got == value or (isinstance(value, float) and np.isnan(value) and np.isnan(got)), column
    assert np.isfinite(covered(scene)).all()


@pytest.mark.parametrize(("change", "field", "said"), [
    ({"x": ""}, "geometry", ""), ({"x": "nan"}, "geometry", ""), ({"x": X0 + 90_000.0}, "geometry", ""),
    ({"状态": "拆除"}, "status", "不在网")], ids=str)
def test_a_refused_sector_is_told_and_the_others_serve(tmp_path, change, field, said):
    scene = scene_of(tmp_path, change, {"小区号": "B-1", "站号": "B"})
    assert [text for name, kind, text in lines(scene) if (name, kind) == (field, "refused") and said in text]
    assert scene.sectors.index.tolist() == ["B-1"]
    assert np.isfinite(covered(scene)).all()


def scene_with_columns(folder, columns):
    """A study whose cell table has these columns beside the usual ones, and no others for operator and technology."""
    row = {name: value for name, value in {**STATION, **SECTOR}.items() if name not in {"运营商", "服务运营商", "制式"}}
    rows(folder / "stations.csv", {**row, **columns})
    layers = {**ground(folder), **zones(folder), "stations": {"path": "stations.csv", "crs": CRS}}
    opened = study(folder, layers)
    return build_scene(opened.params, read_layers(opened), opened.equipment)


@pytest.mark.parametrize("columns", [{"网络": "中国移动", "制式": "5G"}, {"网络": "移动、广电"}])
def test_a_column_of_networks_that_holds_operators_is_read_as_such(tmp_path, columns):
    scene = scene_with_columns(tmp_path, columns)
    assert set(scene.sectors["networks"]) == {"移动" if "制式" in columns else "广电|移动"}
    assert any("里是运营商" in line.reason for line in scene.ledger)


def test_a_column_of_networks_that_holds_technologies_stays_the_technology(tmp_path):
    scene = scene_with_columns(tmp_path, {"网络": "4G", "运营商": "联通"})
    assert set(scene.sectors["technology"]) == {"4G"}
    assert set(scene.sectors["networks"]) == {"联通"}
    assert not any("里是运营商" in line.reason for line in scene.ledger)


@pytest.mark.parametrize(("cell", "networks", "left_out"), [
    ("5G", "移动", "5G"), ("n41", "移动", "n41"), ("2.6 GHz", "移动", "2.6 GHz"), ("5G NR (n41)", "移动", "5G NR (n41)"),
    ("联通/5G", "联通", "5G"), ("中国电信5G", "电信", ""), ("FL1", "FL1", ""), ("3", "3", "")])
def test_a_technology_or_a_band_is_no_operator(tmp_path, cell, networks, left_out):
    """Such a cell counts as blank: the band (n41, 移动's) tells the network."""
    scene = scene_of(tmp_path, {"运营商": cell, "频段": "n41"})
    assert scene.sectors["networks"].tolist() == [networks]
    told = [line.reason for line in scene.ledger if (line.field, line.action) == ("operators", "repaired")]
    assert len(told) == bool(left_out)
    assert all(f"里的 {left_out} 是制式或频段" in reason for reason in told)


def test_a_station_outside_of_the_grid_is_refused_with_a_line(tmp_path):
    """A 4G station within the range of the boundary: it does not widen the grid of 5G."""
    away = {"小区号": "B-1", "站号": "B", "制式": "4G", "频段": "FDD1800", "x": X0 + SIZE_M + 700.0}
    scene = scene_of(tmp_path, {}, away)
    assert [text for name, kind, text in lines(scene, "3") if (name, kind) == ("geometry", "refused")
            and text.startswith("B-1 基站在计算范围")]
    assert scene.sectors.index.tolist() == ["A-1"]
    covered(scene)


def test_repeated_sectors(tmp_path):
    """The same row again is refused; the same sector under another id is kept and told; an indoor one is not."""
    inside = {"小区号": "C-1", "站型": "室分"}
    scene = scene_of(tmp_path, {}, {}, {"小区号": "B-1"}, {"小区号": "D-1", "方位角": 210}, inside, {**inside, "小区号": "C-2"})
    assert [text for name, kind, text in lines(scene, "3") if (name, kind) == ("sector_id", "refused")]
    assert scene.sectors.index.tolist() == ["A-1", "B-1", "D-1", "C-1", "C-2"]
    told = [(f"{line.row}: {line.value}", line.reason) for line in scene.ledger
            if line.action == "note" and line.field == "sector_id"]
    assert [row for row, _ in told] == ["2: 3 个小区，另在第 3、4 行"]
    assert "像是重复" in told[0][1]


def test_no_stations_at_all_is_a_study_where_everything_is_a_gap(tmp_path):
    plan = run(study(tmp_path, {**ground(tmp_path), **zones(tmp_path)}))
    said = plan.indicators["before"]
    assert said["area_share"] == said["demand_share"] == 0.0
    assert (said["gap_count"], said["gap_area_m2"]) == (1, pytest.approx(SIZE_M * SIZE_M))
    assert (plan.before.probability == 0.0).all()
    assert any(line.layer == "stations" for line in plan.ledger)
    assert list(said["networks"]) == list(plan.indicators["after"]["networks"]) == ["新建共享网 5G"]


CELLS = st.one_of(st.sampled_from(["", "nan", "-1", "0", "1e9", "-inf", "全向", "0/120/240", "720", "三十", "#N/A",
                                   "361°", "5 6"]),
                  st.floats(allow_nan=False, allow_infinity=False).map(str), st.integers(-1000, 1000).map(str),
                  st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=6))


COLUMNS = ("挂高", "方位角", "机械下倾角", "电子下倾角", "总下倾角", "参考信号功率", "发射功率", "频段", "中心频率", "带宽",
           "子载波间隔", "馈线损耗", "下行负荷", "天线型号", "制式", "站型", "运营商")


@settings(max_examples=12)
@given(st.dictionaries(st.sampled_from(COLUMNS), CELLS))
def test_whatever_stands_in_a_cell_every_pixel_has_an_answer(tmp_path_factory, change):
    """The second station is good: its pixels are covered whatever the first one holds, and the row is accounted for."""
    scene = scene_of(tmp_path_factory.mktemp("cells"), {**change, "小区号": "A-1"}, {"小区号": "B-1", "站号": "B"})
    assert np.isfinite(covered(scene)).all()
    kept = scene.tables["stations"]["source_row"]
    assert (kept == "3").any()
    told = [line for line in scene.ledger if line.layer == "stations" and line.row == "2" and line.action == "refused"]
    assert bool(told) != kept.str.startswith("2").any()
    numbers = scene.sectors.drop(columns=["azimuth_deg", "load_share", "antenna", "kind", "networks", "technology"])
    assert np.isfinite(numbers.to_numpy(float)).all()
    assert set(scene.sectors["antenna"]) <= set(load_equipment().antennas)

"""Equipment: the package's table, what a study changes in it, tables of sectors made with it."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from conftest import at, table
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from test_antennas import HEAD, msi
from test_minimal_studies import ground, stations, study, zones

from siteplan.coverage import SECTOR_COLUMNS, load_equipment, predict_coverage, sectors_of_sites, sectors_of_stations
from siteplan.coverage._antennas import AntennaPattern
from siteplan.coverage._equipment import Band, equipment_of
from siteplan.coverage._sectors import antenna_names, check_sectors, complete_sectors
from siteplan.errors import ModelError, StudyError
from siteplan.params import EquipmentParams
from siteplan.study import Study, build_scene, read_layers

FLAT_PATTERN = AntennaPattern("Flat", np.zeros(360), np.minimum(np.abs((np.arange(360) + 180.0) % 360 - 180) / 2, 30.0),
                              gain_dbi=12.5)
STATION = {"geometry": at(505, 505), "network": "移动", "technology": "5G", "freq_mhz": 2565.0, "epre_dbm": 17.86,
           "azimuth_deg": 30.0, "tilt_deg": 6.0, "kind": "macro", "antenna_height_m": 30.0, "source_site": "A",
           "source_file": "工参.xlsx"}


def stations_of(*changes):
    return table("stations", {f"S{number}": {**STATION, "source_row": str(number + 2), **change}
                              for number, change in enumerate(changes)})


def sites():
    return stations_of({}, {"kind": "micro", "antenna_height_m": 8.0})[["kind", "antenna_height_m", "geometry"]]


# ---------------------------------------------------------------- bands

def test_every_band_fits_its_carrier_and_says_where_it_is_from():
    bands = load_equipment().bands
    for band in bands.values():
        assert 0.8 * band.bandwidth_mhz < band.resource_blocks * 12 * band.scs_khz / 1000 <= band.bandwidth_mhz
        assert band.technology == "5G" or band.scs_khz == 15
        assert band.source
    assert {round(band.freq_mhz, -2) for band in bands.values() if band.technology == "5G"} == {
        800, 2100, 2600, 3500, 4900}
    with pytest.raises(ValidationError, match=r"98\.28 MHz wide"):
        Band(freq_mhz=2600, bandwidth_mhz=60, scs_khz=30, resource_blocks=273, technology="5G", source="wrong")


@given(st.floats(300, 7000), st.sampled_from(["5G", "4G"]))
def test_the_nearest_band_of_the_technology(freq, technology):
    band = load_equipment().band_of(freq, technology)
    assert band.technology == technology
    assert all(abs(band.freq_mhz - freq) <= abs(other.freq_mhz - freq) for other in load_equipment().bands.values()
               if other.technology == technology)


def test_no_band_of_a_technology():
    with pytest.raises(ModelError, match="6G"):
        load_equipment().band_of(7000.0, "6G")


# ---------------------------------------------------------------- what a study changes

def test_an_entry_of_a_known_name_changes_single_keys():
    old = load_equipment()
    new = equipment_of(EquipmentParams(antennas={"macro_64t": {"gain_dbi": 19}}, bands={"n78": {"freq_mhz": 3350}},
                                       site_types={"macro": {"band": "n41", "azimuths_deg": [60, 180, 300]}}), {})
    assert new.antennas["macro_64t"] == old.antennas["macro_64t"].model_copy(update={"gain_dbi": 19.0})
    assert (new.bands["n78"].freq_mhz, new.bands["n78"].resource_blocks) == (3350.0, 273)
    assert {name: antenna for name, antenna in new.antennas.items() if name != "macro_64t"} == {
        name: antenna for name, antenna in old.antennas.items() if name != "macro_64t"}
    got = sectors_of_sites(sites(), new)
    assert got["freq_mhz"].tolist() == [2565.0] * 3 + [3350.0]
    assert got["azimuth_deg"].tolist()[:3] == [60.0, 180.0, 300.0]
    assert equipment_of(EquipmentParams(), {}) == old
    assert old == load_equipment()


def test_a_measured_antenna_takes_from_the_file_what_its_entry_does_not_say():
    changes = EquipmentParams(antennas={"AAU": {"pattern": "a.msi"}, "AAU+": {"pattern": "a.msi", "gain_dbi": 20},
                                        "macro_ssb": {"pattern": "a.msi"}})
    new = equipment_of(changes, {"a.msi": FLAT_PATTERN})
    assert [new.antennas[name].gain_dbi for name in ("AAU", "AAU+", "macro_ssb")] == [12.5, 20.0, 12.5]
    assert new.antennas["AAU"].omni
    assert new.antennas["AAU"].vertical_deg == pytest.approx(12.0)
    assert new.antennas["macro_ssb"].beams == ()
    assert new.pattern_of("AAU") is FLAT_PATTERN
    assert new.pattern_of("indoor") is None
    again = equipment_of(EquipmentParams(antennas={"macro_64t": {"beams": [{"azimuth_deg": 0, "width_deg": 20}]}}), {})
    assert len(again.antennas["macro_64t"].beams) == 1
    with pytest.raises(ModelError, match=r"macro_64t \(a\.msi\)"):
        equipment_of(EquipmentParams(antennas={"macro_64t": {"pattern": "a.msi"}}), {})


def toml(value):
    """A value as TOML, tables inline."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {toml(entry)}" for key, entry in value.items()) + "}"
    return f"[{', '.join(map(toml, value))}]" if isinstance(value, list) else json.dumps(value)


def mistakes(folder, **tables):
    """Problems of a study file by key; those of one key in the order in which they are told."""
    text = "[study]\nname = 'x'\n[layers.ground]\npath = 'g.tif'\n[layers.zones]\npath = 'z.gpkg'\n"
    for name, keys in tables.items():
        text += f"[equipment.{name}]\n" + "".join(f"{key} = {toml(value)}\n" for key, value in keys.items())
    (folder / "study.toml").write_text(text, encoding="utf-8")
    with pytest.raises(StudyError) as caught:
        Study.from_toml(folder / "study.toml")
    assert all(problem.file == "study.toml" and problem.remedy for problem in caught.value.problems)
    found = {}
    for problem in caught.value.problems:
        found.setdefault(problem.field, []).append((problem.reason, problem.remedy))
    return found


@pytest.mark.parametrize(("entry", "keys", "field", "reason", "remedy"), [
    ("antennas.macro_64t", {"gian_dbi": 17}, ".gian_dbi", "没有这个键", "gain_dbi"),
    ("antennas.macro_64t", {"gain_dbi": 99}, ".gain_dbi", "不得大于 35", "范围"),
    ("antennas.macro_64t", {"gain_dbi": "high"}, ".gain_dbi", "应为数", "范围"),
    ("antennas.macro_64", {"gain_dbi": 17}, "", "自带的天线没有 macro_64", "macro_64t"),
    ("antennas.macro_64t", {"pattern": "none.msi"}, ".pattern", "文件不存在", "none.msi"),
    ("antennas.macro_64t", {"pattern": 5}, ".pattern", "应为方向图文件的路径", "msi"),
    ("antennas.macro_64t", {"pattern": "bad.msi"}, ".pattern", "bad.msi 第 7 行:水平面写明 360 行，只有 0 行", "重新取得"),
    ("antennas.x", {"pattern": "nogain.msi"}, "", "gain_dbi", "补齐"),
    ("antennas.macro_ssb", {"beams": [{"azimuth_deg": 0}]}, ".beams.0.width_deg", "缺少必需的键", "width_deg"),
    ("antennas.macro_64t", {"pattern": "good.msi", "beams": [{"azimuth_deg": 0, "width_deg": 9}]}, "", "只能写一个", "删去"),
    ("bands.n41", {"bandwidth_mhz": 20}, "", "比带宽还宽", "resource_blocks"),
    ("bands.n41", {"scs_khz": 25}, ".scs_khz", "只能写 15、30、60", "范围"),
    ("bands.n77", {"freq_mhz": 3700}, "", "自带的频段没有 n77", "n78"),
    ("site_types.macro", {"band": "n77"}, ".band", "没有这个频段:n77", "n78"),
    ("site_types.micro", {"antenna": "lamp"}, ".antenna", "没有这个天线:lamp", "pole_micro"),
    ("site_types.micro", {"power": 5}, ".power", "没有这个键", "power_w"),
    ("site_types.micro", {"azimuths_deg": [0, 720]}, ".azimuths_deg.1", "不得大于 360", "范围"),
])
def test_mistakes_name_the_key_the_reason_and_a_remedy(tmp_path, entry, keys, field, reason, remedy):
    (tmp_path / "bad.msi").write_text(f"{HEAD}HORIZONTAL 360\n", encoding="utf-8")
    (tmp_path / "nogain.msi").write_text(msi().replace("GAIN 17.5 dBi\n", ""), encoding="utf-8")
    (tmp_path / "good.msi").write_text(msi(), encoding="utf-8")
    found = mistakes(tmp_path, **{entry: keys})
    said, mend = found[f"equipment.{entry}{field}"][0]
    assert reason in said
    assert remedy in mend
    assert len(found) == 1


def test_all_mistakes_are_told_at_once(tmp_path):
    found = mistakes(tmp_path, **{"bands.n41": {"scs_khz": 25}, "antennas.a": {"pattern": "no.msi"}, "kinds": {},
                                  "site_types.macro": {"band": "n77"}})
    assert set(found) == {"equipment.bands.n41.scs_khz", "equipment.antennas.a.pattern", "equipment.kinds",
                          "equipment.site_types.macro.band"}


def test_a_study_with_its_own_antennas(tmp_path):
    """Stations name a measured antenna, one of the table and one that nobody knows."""
    (tmp_path / "antennas").mkdir()
    (tmp_path / "antennas" / "x.msi").write_text(msi().replace("\n7 0.1392\n", "\n7 0.1392\n\n"), encoding="gbk")
    layers = {**ground(tmp_path), **zones(tmp_path), **stations(
        tmp_path, {"天线型号": "aau-5613"}, {"小区号": "B", "天线型号": "ODP-065"}, {"小区号": "C", "天线型号": "ODP-065"},
        {"小区号": "D", "天线型号": "panel_700", "馈线损耗(dB)": 1.5})}
    opened = study(tmp_path, layers, **{"equipment.antennas.AAU5613": {"pattern": "antennas/x.msi", "feeder_db": 0.5}})
    scene = build_scene(opened.params, read_layers(opened), opened.equipment)
    assert scene.sectors["antenna"].tolist() == ["AAU5613", "macro_omni", "macro_omni", "panel_700"]
    assert scene.sectors["feeder_db"].tolist() == [0.5, 0.0, 0.0, 1.5]
    assert scene.equipment.antennas["AAU5613"].gain_dbi == 17.5
    said = [(line.row, line.value, line.action) for line in scene.ledger if line.field == "antenna"]
    assert said == [("共 2 行", "ODP-065", "assumed")]
    coverage = predict_coverage(scene.surface, scene.sectors, scene.params.coverage, equipment=scene.equipment)
    assert np.isfinite(coverage.rsrp_dbm).any()
    with pytest.raises(ModelError, match="were not read"):  # a measured pattern is never left out in silence
        build_scene(opened.params, read_layers(opened))


def test_doubts_about_a_pattern_are_in_the_ledger(tmp_path):
    (tmp_path / "x.msi").write_text(msi(tilt=0.0), encoding="utf-8")
    opened = study(tmp_path, {**ground(tmp_path), **zones(tmp_path)}, **{"equipment.antennas.a": {"pattern": "x.msi"}})
    ledger = build_scene(opened.params, read_layers(opened), opened.equipment).ledger
    line, = (line for line in ledger if line.file == "x.msi")
    assert (line.action, line.value) == ("note", "Panel 17")
    assert "按主瓣" in line.reason


# ---------------------------------------------------------------- sectors

def test_sectors_of_stations_keep_what_the_stations_say():
    got = sectors_of_stations(stations_of(
        {}, {"tilt_mechanical_deg": 2.0, "tilt_electrical_deg": 4.0}, {"tilt_mechanical_deg": 6.0},
        {"bandwidth_mhz": 60.0, "scs_khz": 15.0, "feeder_db": 2.0}, {"technology": "4G", "freq_mhz": 1840.0}))
    assert tuple(got.columns) == SECTOR_COLUMNS
    assert got["tilt_electrical_deg"].tolist() == [6.0, 4.0, 0.0, 6.0, 6.0]
    assert got["tilt_mechanical_deg"].tolist() == [0.0, 2.0, 6.0, 0.0, 0.0]
    assert got["tilt_deg"].tolist() == [6.0] * 5
    assert got["bandwidth_mhz"].tolist() == [100.0, 100.0, 100.0, 60.0, 20.0]
    assert got["scs_khz"].tolist() == [30.0, 30.0, 30.0, 15.0, 15.0]
    assert got["feeder_db"].tolist() == [0.0, 0.0, 0.0, 2.0, 0.0]
    assert got["load_share"].isna().all()


def test_feeder_follows_the_antenna_unless_given():
    lossy = equipment_of(EquipmentParams(antennas={"macro_64t": {"feeder_db": 3}}), {})
    assert sectors_of_stations(stations_of({}, {"feeder_db": 0.5}), lossy)["feeder_db"].tolist() == [3.0, 0.5]
    assert sectors_of_sites(sites(), lossy)["feeder_db"].tolist() == [3.0, 3.0, 3.0, 0.0]


def test_new_sites_tilt_electrically():
    got = sectors_of_sites(sites())
    assert tuple(got.columns) == (*SECTOR_COLUMNS, "planned", "site_id")
    assert (got["tilt_mechanical_deg"] == 0.0).all()
    assert (got["tilt_electrical_deg"].iloc[:3] > 0.0).all()
    np.testing.assert_array_equal(got["tilt_deg"], got["tilt_electrical_deg"])
    assert got["bandwidth_mhz"].unique().tolist() == [100.0]
    assert tuple(sectors_of_sites(sites().iloc[:0]).columns) == tuple(got.columns)
    assert sectors_of_stations(stations_of()).shape == (0, len(SECTOR_COLUMNS))


def test_names_of_antennas():
    named = antenna_names(pd.Series(["MACRO 64T", "pole-micro", "铁塔", None]), load_equipment())
    assert named.fillna("").tolist() == ["macro_64t", "pole_micro", "", ""]


def test_completing_changes_neither_the_argument_nor_what_is_full():
    short = sectors_of_stations(stations_of({}, {})).drop(columns=[
        "bandwidth_mhz", "scs_khz", "feeder_db", "load_share", "tilt_electrical_deg", "tilt_mechanical_deg"])
    before = short.copy()
    full = complete_sectors(short.assign(remark="x"), load_equipment())
    pd.testing.assert_frame_equal(short, before)
    assert tuple(full.columns) == (*SECTOR_COLUMNS, "remark")
    pd.testing.assert_frame_equal(complete_sectors(full, load_equipment()), full)


@pytest.mark.parametrize(("column", "value"), [
    ("x", np.nan), ("y", np.inf), ("antenna_height_m", 0.0), ("antenna_height_m", -3.0), ("antenna_height_m", 5000.0),
    ("tilt_electrical_deg", np.inf), ("tilt_mechanical_deg", 91.0), ("azimuth_deg", np.inf), ("freq_mhz", 2.6),
    ("freq_mhz", np.nan), ("bandwidth_mhz", 0.0), ("scs_khz", 1.0), ("epre_dbm", np.nan), ("epre_dbm", 500.0),
    ("feeder_db", -1.0), ("load_share", 1.5), ("antenna", "AAU5613"), ("kind", "tower"), ("model", "hata"), ("x", 0.0),
    ("technology", "6G")])
def test_a_wrong_value_is_refused_with_its_column_and_sector(flat, column, value):
    sectors = sectors_of_stations(stations_of({}, {})).assign(model=pd.Series(["uma", None], index=["S0", "S1"]))
    if column == "technology":
        sectors = sectors.drop(columns=["bandwidth_mhz"])
    check_sectors(flat, sectors, load_equipment())
    sectors.loc["S1", column] = value
    named = {"technology": "bandwidth_mhz"}.get(column, column) if value != 0.0 or column != "x" else "outside"
    with pytest.raises(ModelError, match=rf"{named}.*S1") as caught:
        check_sectors(flat, sectors, load_equipment())
    assert "S0" not in str(caught.value)


def test_missing_columns_and_doubled_ids_are_refused(flat):
    sectors = sectors_of_stations(stations_of({}))
    with pytest.raises(ModelError, match="lacks the columns epre_dbm, kind, tilt_electrical_deg"):
        check_sectors(flat, sectors.drop(columns=["epre_dbm", "kind", "tilt_deg", "tilt_electrical_deg"]),
                      load_equipment())
    with pytest.raises(ModelError, match="not unique"):
        check_sectors(flat, pd.concat([sectors, sectors]), load_equipment())
    check_sectors(flat, sectors.iloc[:0], load_equipment())

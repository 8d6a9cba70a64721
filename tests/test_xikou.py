"""The sample city: files unchanged, counts, attribute habits, planted faults, and the same data when made again."""

from __future__ import annotations

import csv
import hashlib
import subprocess
import sys
import tomllib
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely

from siteplan.datums import to_wgs84
from siteplan.gaps import Target, load_rules
from siteplan.params import StudyParams
from tests.longer import only_with

ROOT = Path(__file__).resolve().parents[1]
CITY = ROOT / "data" / "xikou"
CSV_LAYERS = ("poles", "facilities", "village_points", "zone_points", "population", "measurements", "complaints",
              "demands", "decisions", "secrecy")


def csv_rows(name: str) -> pd.DataFrame:
    encoding = "gbk" if name == "poles" else "utf-8-sig"
    return pd.read_csv(CITY / f"{name}.csv", encoding=encoding, dtype=str, keep_default_na=False)


def study() -> StudyParams:
    return StudyParams.model_validate(tomllib.loads((CITY / "study.toml").read_text("utf-8")))


def layer_table(name: str) -> pd.DataFrame:
    """A layer of the study file as it stands in its file, everything read."""
    source, = study().layers[name]
    if isinstance(source.path, list):
        parts = [gpd.read_file(CITY / part, layer=source.layer) for part in source.path]
        return pd.concat(parts, ignore_index=True)
    path = CITY / source.path
    if path.suffix == ".csv":
        return csv_rows(name)
    if path.suffix == ".xlsx":
        return pd.read_excel(path, sheet_name=source.layer, dtype=object)
    if path.suffix == ".shp":
        return gpd.read_file(path, encoding="GBK")
    return gpd.read_file(path, layer=source.layer) if source.layer else gpd.read_file(path)


def test_files_are_the_ones_that_were_made() -> None:
    with (CITY / "manifest.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 23
    for row in rows:
        assert int(row["bytes"]) < 3e6, row["file"]
        assert hashlib.sha256((CITY / row["file"]).read_bytes()).hexdigest() == row["sha256"], row["file"]
    assert sum(int(row["bytes"]) for row in rows) < 12e6


def test_study_file_names_every_layer_and_says_synthetic() -> None:
    params = study()
    assert params.study.synthetic
    assert params.study.crs == "EPSG:4547"
    assert "合成数据" in params.study.name
    assert set(params.layers) == {
        "boundary", "buildings", "ground", "poles", "facilities", "villages", "village_points", "zones", "stations",
        "population", "towns", "counties", "roads", "rail", "water", "complaints", "measurements", "works",
        "planned_buildings", "units", "parcels", "restricted", "zone_points", "fibre", "power", "demands", "decisions",
        "secrecy"}
    assert params.gaps.village_rule == "village_miit_2025"
    assert all("合成" in (CITY / name).read_text("utf-8") for name in ("README.md", "study.toml"))


@pytest.mark.parametrize(("layer", "low", "high"), [
    ("boundary", 1, 1), ("buildings", 24000, 26000), ("poles", 12400, 12700), ("facilities", 480, 560),
    ("villages", 36, 36), ("village_points", 180, 240), ("zones", 14, 14), ("stations", 200, 250),
    ("population", 1500, 3000), ("towns", 8, 8), ("counties", 2, 2), ("roads", 500, 1500), ("rail", 1, 3),
    ("water", 6, 12), ("complaints", 150, 150), ("measurements", 4800, 5500), ("works", 25, 25),
    ("planned_buildings", 30, 30), ("units", 38, 46), ("parcels", 1300, 1700), ("restricted", 6, 12), ("fibre", 30, 60),
    ("zone_points", 10, 14), ("power", 400, 800), ("demands", 72, 72), ("decisions", 17, 17), ("secrecy", 2, 2)])
def test_layer_holds_about_what_the_readme_says(layer: str, low: int, high: int) -> None:
    assert low <= len(layer_table(layer)) <= high


def test_villages_are_gbk_without_cpg_and_leave_no_holes() -> None:
    assert not (CITY / "villages.cpg").exists()
    villages = layer_table("villages")
    assert shapely.coverage_is_valid(villages.geometry.to_numpy())
    codes = villages["行政村代码"]
    assert codes.is_unique
    assert codes.str.fullmatch(r"4499\d{8}").all()
    assert villages["所属镇街"].nunique() == 8
    assert villages["所属县区"].nunique() == 2
    points = layer_table("village_points")
    assert set(points["行政村代码"]) == set(codes)
    lacking = set(codes) - set(points.loc[points["点位类型"] == "卫生室", "行政村代码"])
    assert len(lacking) == 3
    none = points[points["是否设有"] == "否"]
    assert 5 <= len(none) <= 9
    assert (none["点位类型"] == "小学").all()
    assert (none["经度"] == "").all()


def test_place_and_relief() -> None:
    outline = layer_table("boundary")
    centre = outline.to_crs(4547).centroid.to_crs(4326).iloc[0]
    assert abs(centre.x - 113.4) < 0.02
    assert abs(centre.y - 22.5) < 0.02
    assert outline.to_crs(4547).area.iloc[0] == pytest.approx(1.15e8, rel=0.1)
    with rasterio.open(CITY / "ground.tif") as ground:
        height = ground.read(1)
        assert ground.crs.to_epsg() == 4547
        assert ground.bounds.left < outline.to_crs(4547).total_bounds[0]
    assert 5.0 <= height.min() <= 15.0
    assert 300.0 <= height.max() <= 400.0


def test_buildings_have_the_habits_of_a_bureau_table() -> None:
    buildings = layer_table("buildings")
    assert set(buildings["用途"]) == {"住宅", "商业", "办公", "工业", "公共服务", "其他"}
    no_height, no_storeys = buildings["高度"].isna(), buildings["层数"].isna()
    assert 0.15 < no_height.mean() < 0.25
    assert 0.02 < (no_height & no_storeys).mean() < 0.06
    shapes = buildings.geometry
    assert shapes.isna().sum() == 1
    assert (~shapes.dropna().is_valid).sum() == 1
    good = shapes.dropna()[shapes.dropna().is_valid].drop_duplicates().to_numpy()
    first, second = shapely.STRtree(good).query(good, predicate="intersects")
    assert (first == second).all(), "buildings overlap"


def test_facilities_stand_on_their_buildings_once_gcj02_is_undone() -> None:
    facilities = csv_rows("facilities")
    buildings = layer_table("buildings").dropna(subset=["名称", "geometry"]).drop_duplicates("名称").set_index("名称")
    facilities = facilities[facilities["名称"].isin(buildings.index)]
    lon, lat = to_wgs84(facilities["经度"].astype(float), facilities["纬度"].astype(float), "gcj02")
    points = gpd.GeoSeries(gpd.points_from_xy(lon, lat), crs=4326).to_crs(4547).to_numpy()
    away = shapely.distance(points, buildings.loc[facilities["名称"]].geometry.to_numpy())
    assert len(facilities) > 450
    assert np.quantile(away, 0.99) < 15.0


def test_population_and_poles() -> None:
    assert csv_rows("population")["人口"].astype(float).sum() == pytest.approx(300_000, rel=0.01)
    poles = csv_rows("poles")
    hoarder = poles[poles["租用单位"] == "溪口智联杆塔租赁有限公司"]
    assert len(hoarder) > 500
    assert (hoarder["安装日期"] == "").mean() > 0.9


def test_stations_cover_two_generations_and_three_operators() -> None:
    stations = layer_table("stations")
    assert 65 <= stations["站址编号"].nunique() <= 75
    assert set(stations["制式"].dropna()) == {"5G", "4G"}
    assert set("、".join(stations["服务运营商"]).split("、")) == {"移动", "电信", "联通", "广电"}
    assert set(csv_rows("measurements")["小区编号"]) <= set(stations["小区编号"])


def test_targets_and_rules_of_the_study_are_known() -> None:
    params = study()
    targets = {key: Target(id=key, **entry) for key, entry in params.targets.items()}
    assert {target.measure for target in targets.values()} == {"village_rate", "full_coverage", "site_quota"}
    assert {target.rule for target in targets.values()} - {None} <= set(load_rules())
    assert set(params.gaps.zone_rules.values()) <= set(load_rules())
    assert set(params.gaps.zone_rules) <= set(layer_table("zones")["区域类型"])
    asked = {word for target in targets.values() for word in target.zone_types}
    assert asked <= set(layer_table("zones")["区域类型"])


def test_some_villages_report_no_access_and_some_nothing() -> None:
    villages = layer_table("villages")
    for head in ("是否通4G", "是否通光纤"):
        words = villages[head].fillna("").value_counts()
        assert set(words.index) == {"是", "否", ""}
        assert 2 <= words["否"] <= 4
        assert 2 <= words[""] <= 4
    zones = layer_table("zones")
    resettled = zones["区域类型"].str.contains("安置")
    assert zones.loc[~resettled, ["是否通4G", "是否通光纤"]].isna().all(axis=None)
    assert zones.loc[resettled, "是否通4G"].isna().sum() == 1


def test_fibre_leads_to_most_village_committees_and_follows_roads() -> None:
    fibre = layer_table("fibre")
    roads = layer_table("roads")
    away = shapely.distance(shapely.line_interpolate_point(fibre.geometry.to_numpy(), 0.5, normalized=True),
                            roads.geometry.union_all())
    assert away.max() < 3.0
    committees = csv_rows("village_points").query("点位类型 == '村委会'")
    places = gpd.GeoSeries(gpd.points_from_xy(committees["经度"].astype(float), committees["纬度"].astype(float)),
                           index=committees["行政村代码"], crs=4326).to_crs(4547)
    near = places.distance(fibre.geometry.union_all()) <= 500.0
    assert (~near).sum() == 4
    says_no = layer_table("villages").set_index("行政村代码")["是否通光纤"] == "否"
    assert (near & says_no).sum() == 1, "the trunk passes one village that has no access"


def test_key_points_lie_in_their_zones() -> None:
    points = csv_rows("zone_points")
    zones = layer_table("zones").to_crs(4326).set_index("区域编号").geometry
    places = gpd.points_from_xy(points["经度"].astype(float), points["纬度"].astype(float))
    assert points["点位编号"].is_unique
    assert points["所属区域编号"].nunique() == 3
    assert all(zones[zone].contains(place) for zone, place in zip(points["所属区域编号"], places, strict=True))


def test_new_facts_are_filled_in_as_a_bureau_would() -> None:
    stations = layer_table("stations")
    opened = pd.to_datetime(stations["开通日期"])
    assert 0 < opened.isna().sum() < 25
    year = opened.dt.year.groupby(stations["制式"]).agg(["min", "max"])
    assert year.loc["4G", "max"] <= 2019 < year.loc["5G", "min"]
    projects = layer_table("planned_buildings")
    assert set(projects["备案状态"].dropna()) == {"已备案", "未备案", "办理中"}
    assert projects["竣工日期"].isna().sum() == 3
    buildings = layer_table("buildings").dropna(subset=["有无室分"])
    assert set(buildings["有无室分"]) == {"有", "无"}
    assert set(buildings["用途"]) <= {"公共服务", "商业", "办公"}


def test_every_planted_fault_is_in_its_file() -> None:
    faults = csv_rows("planted_faults")
    keys = {"buildings": "建筑编号", "stations": "小区编号", "poles": "杆号", "facilities": "设施编号", "population": "格网编号",
            "measurements": "采样编号", "complaints": "工单编号", "village_points": "点位编号",
            "demands": "需求编号", "decisions": "站址编号"}
    assert set(faults["layer"]) == set(keys)
    tables = {layer: layer_table(layer) for layer in keys}
    for row in faults.itertuples():
        table = tables[row.layer]
        if row.field == "卫生室":
            assert row.key not in set(table.loc[table["点位类型"] == "卫生室", "行政村代码"])
            continue
        rows = table[table[keys[row.layer]].astype(str) == row.key]
        assert len(rows) == (2 if "重复" in row.fault or "两个金额" in row.fault else 1), row
    stations = tables["stations"].set_index("小区编号")
    listed = faults[faults["layer"] == "stations"].set_index("field")["key"]
    assert "30米" in set(stations["挂高(m)"])
    assert 400 in set(stations["方位角"])
    assert stations.loc[listed["经度/纬度"], "经度"] < 90.0


@pytest.mark.slow
@only_with("cities", "ten seconds of making")
def test_making_it_again_gives_the_same_data(tmp_path: Path) -> None:
    script = CITY / "make_xikou.py"
    subprocess.run([sys.executable, str(script), "--out", str(tmp_path)], check=True, capture_output=True, timeout=300)
    for name in CSV_LAYERS:
        assert (tmp_path / f"{name}.csv").read_bytes() == (CITY / f"{name}.csv").read_bytes(), name
    for file, layer in (("buildings_xixi", "建筑物"), ("buildings_xidong", "建筑物"), ("planning", "parcels"),
                        ("basemap", "roads")):
        old, new = (gpd.read_file(folder / f"{file}.gpkg", layer=layer) for folder in (CITY, tmp_path))
        assert old.drop(columns="geometry").equals(new.drop(columns="geometry")), layer
        assert shapely.equals_exact(old.geometry.dropna().to_numpy(), new.geometry.dropna().to_numpy(), 0.02).all()
    assert (tmp_path / "stations.xlsx").read_bytes() == (CITY / "stations.xlsx").read_bytes()

"""The writers one by one: nothing is lost, shortened or taken for a formula without being told."""

from __future__ import annotations

import csv
import dataclasses
import json
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import geopandas as gpd
import numpy as np
import openpyxl
import pandas as pd
import pytest
import rasterio
from conftest import CRS, X0, Y0, at, rect
from odc.geo.geobox import GeoBox
from shapely.geometry import MultiPolygon, Point, Polygon
from test_minimal_studies import ground, poles, stations, study, villages, zones

from siteplan.candidates.table import SITE_COLUMNS, empty_sites, sites_table
from siteplan.errors import ExportError
from siteplan.export import _plan as plan_writers
from siteplan.export import _vector, export_table, write_plan, write_shapefile
from siteplan.export._detailed_plan import site_fields
from siteplan.export._indicators import write_indicators
from siteplan.export._plan import FILES
from siteplan.export._raster import write_cog
from siteplan.export._sheets import write_ledger
from siteplan.export._vector import write_geopackage, write_shp
from siteplan.gaps import load_rules
from siteplan.input_ledger import InputLedger
from siteplan.plan import Plan
from siteplan.study import run

FORMULAS = ["=1+1", "@x", "-2", "+3", "=HYPERLINK(\"http://a\")", "\t=1", "http://a.cn", "{=1}"]
RARE = "䶮𠮷"
"""Characters outside of GBK: a river's name, and a surname outside of the basic plane."""


def points(**columns: list[Any]) -> gpd.GeoDataFrame:
    count = len(next(iter(columns.values())))
    return gpd.GeoDataFrame(columns, geometry=[at(10 * number, 5) for number in range(count)], crs=CRS)


def sites(*changes: dict[str, Any]) -> gpd.GeoDataFrame:
    """Proposed sites as candidates and selection give them."""
    rows = pd.DataFrame([{"name": f"站{number}", "kind": "macro", "source": "facility", "source_id": f"F{number}",
                          "status": "proposed", "tier": 1, "tier_name": "免费开放公共场所", "venue_class": "school",
                          "mount": "roof_pole", "antenna_height_m": 18.04, "ground_m": 20.0, "networks": "移动",
                          "cost_yuan": 250_000.0, "reason": "第1位", "rank_no": number, "gain": 12.34567,
                          "must_open": True, "lon": 113.123456789, "lat": 22.1, **change}
                         for number, change in enumerate(changes or ({},), start=1)])
    rows.index = pd.Index([f"V-facility:F{number}" for number in rows["rank_no"]], dtype="str")
    return sites_table(rows, gpd.GeoSeries([at(100 * n + 0.25, 200 * n + 0.5) for n in rows["rank_no"]], crs=CRS))


# Shapefile


@pytest.mark.parametrize("encoding", ["UTF-8", "GBK"])
def test_shapefile_keeps_chinese(tmp_path: Path, encoding: str) -> None:
    table = points(MC=["溪口镇中心小学", "", "㎡①—“引号”"], RS=[1.5, np.nan, -3e9], SL=[1, 2, -2**31])
    write_shp(table, tmp_path / "学校.shp", encoding)
    read = gpd.read_file(tmp_path / "学校.shp")
    assert read["MC"].fillna("").tolist() == table["MC"].tolist()
    assert read["RS"].tolist() == pytest.approx(table["RS"].tolist(), nan_ok=True)
    assert read["SL"].tolist() == table["SL"].tolist()
    assert read.crs.to_epsg(20) == 4547
    assert (tmp_path / "学校.cpg").read_text().strip().upper() in (encoding, "936", "CP936")
    assert encoding != "GBK" or "溪口镇".encode("gbk") in (tmp_path / "学校.dbf").read_bytes()


def refused(table: gpd.GeoDataFrame, path: Path, encoding: str = "UTF-8") -> str:
    with pytest.raises(ExportError) as caught:
        write_shp(table, path, encoding)
    assert not path.exists()
    return str(caught.value)


def test_character_outside_of_the_encoding_is_named(tmp_path: Path) -> None:
    said = refused(points(XM=["王", f"{RARE[1]}野家"]), tmp_path / "a.shp", "GBK")
    assert RARE[1] in said
    assert "XM" in said
    assert "GBK" in said
    write_shp(points(XM=["王", f"{RARE}野家"]), tmp_path / "a.shp", "UTF-8")
    assert gpd.read_file(tmp_path / "a.shp")["XM"][1] == f"{RARE}野家"


@pytest.mark.parametrize(("table", "words"), [
    (points(ABCDEFGHIJK=[1]), ["ABCDEFGHIJK", "10"]),
    (points(站址编号=[1]), ["站址编号", "10"]),
    (points(LY=["长" * 85]), ["LY", "255"]),
    (points(GG=[np.inf, 1.0]), ["GG", "无穷大"]),
    (points(GG=[1.0, -np.inf]), ["GG", "无穷大"]),
    (points(A=[1]).set_crs(None, allow_override=True), ["没有坐标系"]),
    (gpd.GeoDataFrame({"A": [1, 2, 3]}, geometry=[None, at(0, 0), Point()], crs=CRS), ["2 行几何"]),
    (gpd.GeoDataFrame({"A": [1]}, geometry=[Polygon([(0, 0), (1, 1), (1, 0), (0, 1)])], crs=CRS), ["1 行几何"]),
], ids=["ascii name", "Chinese name", "long text", "inf", "-inf", "no crs", "no geometry", "bow tie"])
def test_shapefile_refuses_what_it_cannot_hold(tmp_path: Path, table: gpd.GeoDataFrame, words: list[str]) -> None:
    said = refused(table, tmp_path / "a.shp")
    assert [word for word in words if word not in said] == []


def test_shapefile_tells_all_faults_at_once(tmp_path: Path) -> None:
    table = points(ABCDEFGHIJK=["长" * 100], GG=[np.inf]).set_crs(None, allow_override=True)
    said = refused(table, tmp_path / "a.shp")
    assert [word for word in ("ABCDEFGHIJK 超过10", "300 字节", "GG 含无穷大", "没有坐标系") if word not in said] == []


def test_text_at_the_limits_of_a_shapefile(tmp_path: Path) -> None:
    """254 bytes and 10-byte names are the last that fit."""
    table = points(ABCDEFGHIJ=["a" * 254, "长" * 84 + "ab"])
    write_shp(table, tmp_path / "a.shp")
    assert gpd.read_file(tmp_path / "a.shp")["ABCDEFGHIJ"].tolist() == table["ABCDEFGHIJ"].tolist()


def test_shapefile_without_a_row(tmp_path: Path) -> None:
    write_shp(points(MC=["a"], GG=[1.0]).iloc[:0], tmp_path / "a.shp")
    read = gpd.read_file(tmp_path / "a.shp")
    assert len(read) == 0
    assert {"MC", "GG"} <= set(read.columns)
    assert read.crs.to_epsg(20) == 4547


def test_writing_a_shapefile_leaves_the_table_alone(tmp_path: Path) -> None:
    table = points(MC=["甲", None], GG=[1.0, np.nan])
    before = table.copy()
    write_shp(table, tmp_path / "a.shp")
    pd.testing.assert_frame_equal(pd.DataFrame(table), pd.DataFrame(before))


# the master table


def test_master_is_never_cut_and_the_shapefile_is_on_a_character(tmp_path: Path) -> None:
    texts = {"reason": "很长的理由" * 40, "name": f"{RARE}村" * 30, "owner": "a" * 161}
    table = export_table(sites(texts), ["注" * 200])
    assert table.iloc[0][[*texts, "notice"]].tolist() == [*texts.values(), "注" * 200]
    write_shapefile(table, tmp_path / "a.shp")
    row = gpd.read_file(tmp_path / "a.shp").iloc[0]
    for name, (field, width) in {"name": ("ZZMC", 160), "owner": ("QSDW", 160)}.items():
        assert row[field].endswith("…"), name
        assert width - 6 <= len(row[field].encode()) <= width
        assert table.iloc[0][name].startswith(row[field][:-1])
    write_shapefile(export_table(sites({"owner": "a" * 160})), tmp_path / "b.shp")
    assert gpd.read_file(tmp_path / "b.shp")["QSDW"].tolist() == ["a" * 160]


@pytest.mark.parametrize(("reason", "whole", "told"), [
    ("第1位:很…", "第1位:很长", "第1位:很长"), ("第1位:很…", "", "第1位:很…"), ("第1位", "第1位:很长", "第1位"),
    ("原文有…", "别的", "原文有…")], ids=["cut", "no whole text", "not cut", "another text"])
def test_a_cut_reason_is_told_in_full(reason: str, whole: str, told: str) -> None:
    assert export_table(sites({"reason": reason, "choice_text": whole}))["reason"].tolist() == [told]


def test_coordinates_are_x_north_and_y_east() -> None:
    row = export_table(sites()).iloc[0]
    assert (row["x_north_m"], row["y_east_m"]) == (Y0 + 200.5, X0 + 100.25)
    assert (row.geometry.x, row.geometry.y) == (X0 + 100.25, Y0 + 200.5)


def test_export_table_speaks_chinese_and_rounds() -> None:
    row = export_table(sites({"kind": "micro", "mount": "pole", "build": "share", "must_be_free": False,
                              "class_name": "中小学"})).iloc[0]
    assert (row["kind"], row["mount"], row["build"], row["must_open"], row["must_be_free"]) == (
        "微站", "灯杆", "共址", "是", "否")
    assert row["venue_class"] == "中小学"
    assert (row["lon"], row["antenna_height_m"], row["gain"]) == (113.1234568, 18.0, 12.346)


def test_export_table_keeps_words_it_does_not_know() -> None:
    row = export_table(sites({"venue_class": "lighthouse", "mount": "balloon", "town": None})).iloc[0]
    assert (row["venue_class"], row["mount"], row["town"]) == ("lighthouse", "balloon", "")


def test_dictionary_lists_every_field(tmp_path: Path) -> None:
    write_shapefile(export_table(sites({}, {"name": "=1+1"})), tmp_path / "sites.shp")
    assert (tmp_path / "sites_fields.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    with (tmp_path / "sites_fields.csv").open(encoding="utf-8-sig", newline="") as handle:
        listed = list(csv.DictReader(handle))
    read = gpd.read_file(tmp_path / "sites.shp")
    assert [row["字段"] for row in listed] == [name for name in read.columns if name != "geometry"]
    assert [row["主文件字段"] for row in listed] == [name for name, field in site_fields().items() if "out" in field]
    assert all(row["中文名"] and row["类型"] in ("text", "int", "float") for row in listed)
    assert next(row["取值"] for row in listed if row["字段"] == "ZZLX") == "宏站/微站/室分"
    assert read["ZZMC"].tolist() == ["站1", "=1+1"]
    assert all(len(row["字段"].encode()) <= 10 for row in listed)


def test_fields_of_the_opening_tell_words_money_and_what_is_not_known(tmp_path: Path) -> None:
    """The cost is that of building and of the years; a distance that nobody measured is empty, never 0."""
    one = {"opens": "roof", "scene": "county", "capex_yuan": 200_000.0, "yearly_yuan": 10_000.0, "cost_yuan": 250_000.0,
           "power_m": 120.4, "azimuths": "0|120|240", "operators": "移动|电信", "choice_code": "public_weaker",
           "address": "新街1号"}
    write_shapefile(export_table(sites(one, {"azimuths": "omni", "choice_code": ""})), tmp_path / "a.shp")
    table = gpd.read_file(tmp_path / "a.shp")
    told = ["KFNR", "CJ", "TZJS", "NFY", "TZ", "GDJL", "FWJ", "XQYYS", "XZLX", "DZ"]
    assert table.loc[0, told].tolist() == ["楼顶", "县城", 200_000.0, 10_000.0, 250_000.0, 120.0, "0、120、240", "移动、电信",
                                           "附近公共候选能服务的少得多", "新街1号"]
    assert table["GLJL"].isna().all()
    assert np.isnan(table.loc[1, "GDJL"])
    assert table.loc[1, "FWJ"] == "全向"
    assert "建设投资+计费年数×年费用" in site_fields()["cost_yuan"]["zh"]


def test_shapefile_of_no_site(tmp_path: Path) -> None:
    write_shapefile(export_table(empty_sites(CRS), ["合成数据"]), tmp_path / "sites.shp")
    read = gpd.read_file(tmp_path / "sites.shp")
    assert len(read) == 0
    assert "ZZBH" in read.columns


def test_every_site_column_has_a_default_that_can_be_exported() -> None:
    table = sites_table(pd.DataFrame(index=pd.Index(["x"], dtype="str")), gpd.GeoSeries([at(0, 0)], crs=CRS))
    assert set(SITE_COLUMNS) <= set(table.columns)
    assert len(export_table(table)) == 1


# GeoPackage


def test_geopackage_keeps_every_layer(tmp_path: Path) -> None:
    many = gpd.GeoDataFrame({"name": ["甲村", RARE], "share": [0.5, np.nan], "open": [True, False]},
                            geometry=[rect(0, 0, 10, 10), MultiPolygon([rect(0, 0, 5, 5), rect(20, 0, 25, 5)])],
                            index=pd.Index(["1", "2"], name="village_code"), crs=CRS)
    nothing = many.iloc[:0]
    write_geopackage({"villages": many, "zones": nothing, "sites": points(name=FORMULAS).rename_axis("id")},
                     tmp_path / "a.gpkg")
    read = gpd.read_file(tmp_path / "a.gpkg", layer="villages")
    assert read["village_code"].tolist() == ["1", "2"]
    assert read["name"].tolist() == ["甲村", RARE]
    assert read.geometry.geom_type.tolist() == ["Polygon", "MultiPolygon"]
    assert len(gpd.read_file(tmp_path / "a.gpkg", layer="zones")) == 0
    assert gpd.read_file(tmp_path / "a.gpkg", layer="sites")["name"].tolist() == FORMULAS


def test_geopackage_replaces_an_old_file(tmp_path: Path) -> None:
    for name in ("old", "new"):
        write_geopackage({name: points(a=[1]).rename_axis("id")}, tmp_path / "a.gpkg")
    assert gpd.list_layers(tmp_path / "a.gpkg")["name"].tolist() == ["new"]


def damage(monkeypatch: pytest.MonkeyPatch, how: Any) -> None:
    """What the writer is given is not what it writes."""
    real = _vector.pyogrio.write_dataframe
    monkeypatch.setattr(_vector.pyogrio, "write_dataframe",
                        lambda table, path, **options: real(how(table.copy()), path, **options))


@pytest.mark.parametrize(("how", "word"), [
    (lambda table: table.iloc[:-1], "读回 1 行"),
    (lambda table: table.assign(MC=["甲", "丙"]), "MC"),
    (lambda table: table.assign(GG=table["GG"] + 0.01), "GG"),
    (lambda table: table.drop(columns="GG"), "缺少字段 GG"),
    (lambda table: table.set_geometry(table.translate(1.0)), "几何"),
    (lambda table: table.set_crs("EPSG:4549", allow_override=True), "坐标系"),
], ids=["row lost", "text", "number", "field lost", "moved", "crs"])
@pytest.mark.parametrize("kind", ["shp", "gpkg"])
def test_reading_back_catches_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: Any, word: str,
                                     kind: str) -> None:
    damage(monkeypatch, how)
    table = points(MC=["甲", "乙"], GG=[1.0, 2.0])
    write = {"shp": lambda: write_shp(table, tmp_path / "a.shp"),
             "gpkg": lambda: write_geopackage({"a": table.rename_axis("id")}, tmp_path / "a.gpkg")}[kind]
    with pytest.raises(ExportError, match="读回检查未通过") as caught:
        write()
    assert word in str(caught.value)


# raster


def grid(rows: int = 300, cols: int = 530) -> GeoBox:
    return GeoBox.from_bbox((X0, Y0, X0 + cols * 10, Y0 + rows * 10), CRS, resolution=10)


def test_raster_is_a_cog_bit_for_bit(tmp_path: Path) -> None:
    geobox = grid()
    values = np.random.default_rng(1).normal(-100, 20, geobox.shape).astype(np.float32)
    values[:40, :50] = np.nan
    values[100, 100], values[100, 101] = -0.0, np.float32(1e-38)
    bands = {"rsrp 信号": values, "概率": np.full(geobox.shape, np.nan, np.float32), "零": np.zeros(geobox.shape)}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write_cog(bands, geobox, tmp_path / "覆盖 a.tif", {"notices": "合成数据"})
    with rasterio.open(tmp_path / "覆盖 a.tif") as source:
        assert source.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert source.profile["tiled"]
        assert source.overviews(1) == [2, 4]
        assert source.descriptions == tuple(bands)
        assert np.isnan(source.nodata)
        assert source.tags()["notices"] == "合成数据"
        assert source.crs.to_epsg() == 4547
        assert tuple(source.transform)[:6] == tuple(geobox.affine)[:6]
        for number, array in enumerate(bands.values(), start=1):
            read = source.read(number)
            np.testing.assert_array_equal(read, array.astype(np.float32))
    for level, factor in enumerate((2, 4)):  # an overview holds pixels of the raster, each from where it stands
        with rasterio.open(tmp_path / "覆盖 a.tif", overview_level=level) as source:
            thin = source.read(1)
            rows, cols = (np.arange(size) * full // size for size, full in zip(thin.shape, values.shape, strict=True))
            near = [values[np.ix_(np.minimum(rows + down, 299), np.minimum(cols + right, 529))]
                    for down in range(factor + 1) for right in range(factor + 1)]
            assert source.shape == (300 // factor, -(-530 // factor))
            assert np.any([(part == thin) | (np.isnan(part) & np.isnan(thin)) for part in near], axis=0).all()
    assert [path.name for path in tmp_path.iterdir()] == ["覆盖 a.tif"]


def test_bands_have_units(tmp_path: Path) -> None:
    """GDAL copies the units of the draft into the COG; numbers without a unit have none."""
    flat = np.zeros((20, 20), np.float32)
    bands = {"best_rsrp_dbm 任一5G网络": flat, "sinr_db 信干噪比": flat, "probability": flat}
    write_cog(bands, grid(20, 20), tmp_path / "a.tif", {})
    with rasterio.open(tmp_path / "a.tif") as source:
        assert [unit or "" for unit in source.units] == ["dBm", "dB", ""]


def test_raster_of_one_pixel(tmp_path: Path) -> None:
    write_cog({"a": np.array([[np.nan]], np.float32)}, grid(1, 1), tmp_path / "a.tif", {})
    with rasterio.open(tmp_path / "a.tif") as source:
        assert source.shape == (1, 1)


def test_raster_without_crs_is_refused(tmp_path: Path) -> None:
    bare = GeoBox((2, 2), grid().affine, None)
    with pytest.raises(ExportError, match="没有坐标系"):
        write_cog({"a": np.zeros((2, 2))}, bare, tmp_path / "a.tif", {})
    assert list(tmp_path.iterdir()) == []


def test_damaged_raster_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from siteplan.export import _raster

    real = _raster.copy_raster

    def lossy(draft: Path, path: Path, **options: Any) -> None:
        with rasterio.open(draft, "r+") as target:
            target.write(target.read(1) + 1, 1)
        real(draft, path, **options)

    monkeypatch.setattr(_raster, "copy_raster", lossy)
    with pytest.raises(ExportError, match="“信号”读回不一致"):
        write_cog({"信号": np.zeros((20, 20), np.float32)}, grid(20, 20), tmp_path / "a.tif", {})


# workbook


def fake_plan(table: gpd.GeoDataFrame, ledger: InputLedger, notices: tuple[str, ...] = ("合成数据",)) -> Any:
    """As much of a plan as the workbook reads."""
    areas = gpd.GeoDataFrame({"name": []}, geometry=[], crs=CRS)
    return SimpleNamespace(
        study={"name": "=试验", "notices": list(notices), "demand_zh": "人口(人)", "threshold_dbm": -105.0},
        parameters={}, indicators={}, proposed=table, ledger=ledger, inputs=(
            {"layer": "poles", "file": "=a.csv", "encoding": None, "crs": None, "datum": "", "rows_in": 3,
             "rows_made": 0, "rows_kept": 2, "rows_refused": 1, "verdict": "可用，有拒收", "why": "=拒收 1 行",
             "bytes": 10, "sha256": "00"},), villages=areas, zones=areas, exposure=None,
        gaps_before=areas, gaps_after=areas, results={}, rules=load_rules(), opening=None)


def cells(path: Path, sheet: str) -> list[list[Any]]:
    return [[cell.value for cell in row] for row in openpyxl.load_workbook(path)[sheet].iter_rows()]


def test_formula_like_text_stays_text_in_the_workbook(tmp_path: Path) -> None:
    ledger = InputLedger()
    for text in FORMULAS:
        ledger.add("poles", text, text, text, text, "refused", text, text)
    write_ledger(fake_plan(sites(), ledger, ("=1+1",)), tmp_path / "a.xlsx")
    book = openpyxl.load_workbook(tmp_path / "a.xlsx")
    assert {cell.data_type for sheet in book for row in sheet.iter_rows() for cell in row} <= {"s", "n"}
    assert not any(cell.hyperlink for sheet in book for row in sheet.iter_rows() for cell in row)
    lines = cells(tmp_path / "a.xlsx", "数据问题清单")
    assert [row[4] for row in lines[-len(FORMULAS):]] == FORMULAS


def test_workbook_of_no_site_and_no_line(tmp_path: Path) -> None:
    write_ledger(fake_plan(empty_sites(CRS), InputLedger()), tmp_path / "a.xlsx")
    book = openpyxl.load_workbook(tmp_path / "a.xlsx")
    assert book.sheetnames == ["数据问题清单", "输入文件"]
    heading, row = cells(tmp_path / "a.xlsx", "数据问题清单")[-2:]
    assert heading[0] == "图层"
    assert row[0] == "没有记录"


def test_sheet_of_networks_has_each_once_and_never_rounds_up(tmp_path: Path) -> None:
    told = fake_plan(sites(), InputLedger())
    shares = {"area_share": 0.94999, "demand_share": None, "indoor_share": 0.99999, "sinr_share": 0.5}
    told.indicators = {"before": {**shares, "networks": {"移动 5G": shares, "联通 4G": shares}},
                       "after": {**shares, "networks": {"移动 5G": shares, "联通 4G": shares, "新网 5G": shares}}}
    write_indicators(told, tmp_path / "a.xlsx")
    lines = cells(tmp_path / "a.xlsx", "分运营商")
    head = next(number for number, row in enumerate(lines) if row[0] == "网络(运营商)")
    rows = {(row[0], row[1]): row[2:] for row in lines[head + 1:]}
    assert list(rows) == [("任一5G网络", "5G"), ("新网", "5G"), ("移动", "5G"), ("联通", "4G")]
    assert rows["移动", "5G"] == [94.9, 94.9, "无数据", "无数据", 99.9, 99.9, 50, 50]
    assert rows["新网", "5G"][::2] == ["—"] * 4
    notes = "".join(str(row[0]) for row in lines[:head])
    for words in ("-105 dBm", "预测值,非实测", "建筑内", "SINR"):
        assert words in notes


def test_workbook_takes_text_without_end(tmp_path: Path) -> None:
    """A cell of a workbook holds 32,767 characters: longer text must not get lost or stop the job."""
    ledger = InputLedger()
    ledger.add("poles", "a.csv", "1", "name", "x", "note", "长" * 40_000, "")
    write_ledger(fake_plan(sites(), ledger), tmp_path / "a.xlsx")
    assert any(str(row[6]).startswith("长长") for row in cells(tmp_path / "a.xlsx", "数据问题清单"))


# whole plans


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    """A plan with some sites."""
    folder = tmp_path_factory.mktemp("plan")
    layers = {**ground(folder), **villages(folder), **zones(folder), **poles(folder),
              **stations(folder, {"x": X0 + 50.0, "参考信号功率": 0.0})}
    made = run(study(folder, layers, selection={"min_gain": 0.0, "max_yuan_per_gain": 1e8}))
    assert len(made.proposed)
    return made


def renamed(plan: Plan, words: list[str]) -> Plan:
    """The plan with these texts as names of areas and sites."""
    def named(table: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
        return table.assign(name=(words * len(table))[: len(table)])

    return dataclasses.replace(plan, villages=named(plan.villages), zones=named(plan.zones), sites=named(plan.sites))


@pytest.mark.parametrize("word", FORMULAS)
def test_formula_like_text_stays_text_in_csv(plan: Plan, tmp_path: Path, word: str) -> None:
    """A spreadsheet takes =, +, -, @ and tab at the start of a cell for a formula; an apostrophe stops that."""
    write_plan(renamed(plan, [word]), tmp_path)
    for file in ("villages.csv", "zones.csv"):
        assert (tmp_path / file).read_bytes().startswith(b"\xef\xbb\xbf")
        with (tmp_path / file).open(encoding="utf-8-sig", newline="") as handle:
            listed = list(csv.DictReader(handle))
        assert listed
        numbers = set(plan.villages.select_dtypes("number").columns)
        for row in listed:
            assert row["name"] == (f"'{word}" if word[0] in "=+-@\t" else word)
            texts = [value for name, value in row.items() if name not in numbers]
            assert not [value for value in texts if value[:1] in ("=", "@", "\t", "\r")]
    assert set(gpd.read_file(tmp_path / "areas.gpkg", layer="villages")["name"]) == {word}
    assert set(gpd.read_file(tmp_path / "shp" / "sites.shp")["ZZMC"].str.strip()) == {word.strip()}


def test_negative_numbers_stay_numbers_in_csv(plan: Plan, tmp_path: Path) -> None:
    write_plan(dataclasses.replace(plan, villages=plan.villages.assign(shortfall_after=-0.25)), tmp_path)
    table = pd.read_csv(tmp_path / "villages.csv", encoding="utf-8-sig")
    assert (table["shortfall_after"] == -0.25).all()


def test_plan_without_a_site_writes_everything(plan: Plan, tmp_path: Path) -> None:
    none = dataclasses.replace(plan, sites=plan.sites[plan.sites["status"] != "proposed"],
                               gaps_after=plan.gaps_after.iloc[:0], gaps_before=plan.gaps_before.iloc[:0])
    written = write_plan(none, tmp_path / "out")
    assert set(written) == {name for name, _ in FILES}
    assert all(path.is_file() and path.stat().st_size for path in written.values())
    assert len(gpd.read_file(tmp_path / "out" / "shp" / "sites.shp")) == 0
    assert gpd.read_file(tmp_path / "out" / "gaps.gpkg", layer="gaps_after").crs.to_epsg() == 4547
    assert json.loads((tmp_path / "out" / "plan.json").read_text(encoding="utf-8"))["sites"] == []


def test_plan_json_holds_no_nan(plan: Plan, tmp_path: Path) -> None:
    values = [np.float32("nan"), np.inf, np.int64(3), np.bool_(True), (1, {"a": -np.inf})]
    odd = dataclasses.replace(plan, indicators={**plan.indicators, "odd": values})
    write_plan(odd, tmp_path)
    text = (tmp_path / "plan.json").read_text(encoding="utf-8")
    assert json.loads(text)["indicators"]["odd"] == [None, None, 3, True, [1, {"a": None}]]
    assert "NaN" not in text
    assert "Infinity" not in text


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), ExportError("读回不一致"), ValueError("odd")],
                         ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("at_file", ["sites.gpkg", "plan.json"])
def test_a_writer_that_fails_touches_nothing(plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                             error: Exception, at_file: str) -> None:
    def fail(_: Plan, path: Path) -> None:
        path.write_bytes(b"half")
        raise error

    files = tuple((name, fail if name == at_file else writer) for name, writer in FILES)
    files = tuple(entry for entry in files if entry[0] in (at_file, "servers.csv", "villages.csv"))
    monkeypatch.setattr(plan_writers, "FILES", files)
    (tmp_path / "plan.json").write_text("old", encoding="utf-8")
    with pytest.raises(ValueError if isinstance(error, ValueError) else ExportError):
        write_plan(plan, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["plan.json"]
    assert (tmp_path / "plan.json").read_text(encoding="utf-8") == "old"


def test_same_plan_same_texts(plan: Plan, tmp_path: Path) -> None:
    """Text files are equal byte for byte, rasters too; plan.json but for the seconds spent."""
    for name in ("a", "b"):
        write_plan(plan, tmp_path / name)
    first, second = (json.loads((tmp_path / name / "plan.json").read_text(encoding="utf-8")) for name in ("a", "b"))
    assert first["timings"].keys() == second["timings"].keys() >= {"write"}
    assert {**first, "timings": 0} == {**second, "timings": 0}
    for name in ("villages.csv", "zones.csv", "servers.csv", "coverage.tif", "demand.tif", "certificate/candidates.csv",
                 "certificate/reach.npz", "certificate/multipliers.npz", "certificate/certificate.json",
                 "certificate/surface.tif", "shp/sites.shp", "shp/sites_fields.csv"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name


def test_a_read_only_place_is_one_sentence(plan: Plan, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="成果目录"):
        write_plan(plan, Path("/proc/siteplan") if Path("/proc").is_dir() else tmp_path / "\0")


def test_a_folder_in_the_place_of_a_file(plan: Plan, tmp_path: Path) -> None:
    (tmp_path / "plan.json").mkdir()
    with pytest.raises(ExportError, match=r"plan\.json"):
        write_plan(plan, tmp_path)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]

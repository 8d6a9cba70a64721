"""GeoPackage, File GDB, MapInfo, KMZ, GeoJSON: what is written reads back equal, what is changed is noticed."""

from __future__ import annotations

import dataclasses
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
import shapely
from exchange_layers import CRS, FIELDS, layers, out_layer, plain_layer, renamed
from hypothesis import given
from hypothesis import strategies as st
from shapely import affinity

from siteplan.errors import ExportError
from siteplan.export.exchange import bundle
from siteplan.export.exchange.compare import differences
from siteplan.export.exchange.formats.filegdb import GDB
from siteplan.export.exchange.formats.geojson import GEOJSON
from siteplan.export.exchange.formats.geopackage import GPKG
from siteplan.export.exchange.formats.kmz import KMZ
from siteplan.export.exchange.formats.mapinfo import TAB
from siteplan.export.exchange.formats.registry import Format
from siteplan.export.exchange.out_layer import OutLayer
from siteplan.tables import read_table

FORMATS = {form.id: form for form in (GPKG, GDB, TAB, KMZ, GEOJSON)}
each_format = pytest.mark.parametrize("form", FORMATS.values(), ids=FORMATS)


def round_trip(form: Format, layer: OutLayer, *more: OutLayer) -> gpd.GeoDataFrame:
    with tempfile.TemporaryDirectory() as folder:
        form.write([layer, *more], Path(folder))
        return form.read(Path(folder), layer)


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@each_format
@given(data=st.data())
def test_whatever_is_written_reads_back_equal(form: Format, data: st.DataObject) -> None:
    layer = data.draw(layers(narrow=form.narrow))
    read = round_trip(form, layer)
    assert differences(layer, read, form.kept) == []
    assert list(read.columns) == list(layer.table.columns)
    assert read.dtypes.to_dict() == layer.table.dtypes.to_dict()
    assert read.crs == layer.table.crs


@each_format
def test_two_layers_do_not_mix(form: Format) -> None:
    one = plain_layer(MC="甲")
    other = dataclasses.replace(plain_layer(BH="B1", MC="乙"), name="ghzz_4526")
    with tempfile.TemporaryDirectory() as folder:
        form.write([one, other], Path(folder))
        for layer in (one, other):
            assert differences(layer, form.read(Path(folder), layer), form.kept) == []


@each_format
def test_same_layers_same_bytes(form: Format, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        form.write([plain_layer()], tmp_path / name)
    assert files_in(tmp_path / "one") == files_in(tmp_path / "two")


def moved(table: gpd.GeoDataFrame, way_m: float) -> gpd.GeoDataFrame:
    return table.set_geometry(table.translate(way_m, 0.0))


CHANGES: dict[str, Callable[[gpd.GeoDataFrame], gpd.GeoDataFrame]] = {
    "a letter": lambda table: table.assign(MC=pd.array(["溪口镇政符", np.nan], dtype="str")),
    "a number": lambda table: table.assign(GG=[35.51, np.nan]),
    "a year": lambda table: table.assign(NF=pd.array([2027, pd.NA], dtype="Int64")),
    "a zero for nothing": lambda table: table.assign(NF=pd.array([2026, 0], dtype="Int64")),
    "a day": lambda table: table.assign(RQ=pd.Series(["2026-07-01", None], dtype="datetime64[s]")),
    "a row less": lambda table: table.iloc[:1],
    "rows swapped keys": lambda table: table.assign(BH=pd.array(["A2", "A1"], dtype="str")),
    "half a metre": lambda table: moved(table, 0.5),
}


@each_format
@pytest.mark.parametrize("change", CHANGES)
def test_a_file_that_says_something_else_is_noticed(form: Format, change: str, tmp_path: Path) -> None:
    layer = plain_layer()
    form.write([dataclasses.replace(layer, table=CHANGES[change](layer.table))], tmp_path)
    assert differences(layer, form.read(tmp_path, layer), form.kept) != []


@each_format
def test_twice_the_tolerance_is_noticed(form: Format, tmp_path: Path) -> None:
    layer = plain_layer()
    way_m = max(2 * form.kept.geometry_m, 1e-6)
    form.write([dataclasses.replace(layer, table=moved(layer.table, way_m))], tmp_path)
    assert differences(layer, form.read(tmp_path, layer), form.kept) != []


@each_format
def test_another_zone_is_noticed(form: Format, tmp_path: Path) -> None:
    """The same numbers under the CRS of the next zone are another place."""
    layer = plain_layer()
    wrong = dataclasses.replace(layer, table=layer.table.set_crs("EPSG:4546", allow_override=True))
    form.write([wrong], tmp_path)
    try:
        found = differences(layer, form.read(tmp_path, layer), form.kept)
    except ExportError as error:
        found = [str(error)]
    assert found != []


@each_format
def test_a_cut_file_is_noticed(form: Format, tmp_path: Path) -> None:
    layer = plain_layer()
    form.write([layer], tmp_path)
    data = {"gpkg": "plan.gpkg", "gdb": "plan.gdb/a00000009.gdbtable", "tab": "ghzz.dat", "kmz": "plan.kmz",
            "geojson": "ghzz.geojson"}
    cut = tmp_path / data[form.id]
    cut.write_bytes(cut.read_bytes()[:cut.stat().st_size // 2])
    try:
        found = differences(layer, form.read(tmp_path, layer), form.kept)
    except ExportError as error:
        found = [str(error)]
    assert found != []


@each_format
def test_a_missing_file_is_told(form: Format, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="不能读回"):
        form.read(tmp_path, plain_layer())


@each_format
def test_all_that_cannot_be_held_is_listed_before_writing(form: Format, tmp_path: Path) -> None:
    layer = plain_layer(GG=np.inf, MC="头\0尾", BH="坏")
    layer = dataclasses.replace(layer, table=layer.table.set_crs(None, allow_override=True))
    with pytest.raises(ExportError) as told:
        form.write([layer], tmp_path)
    assert {(problem.field, problem.row) for problem in told.value.problems} == {("", ""), ("GG", "坏"), ("MC", "坏")}
    assert not list(tmp_path.iterdir())


@each_format
def test_numbers_with_many_nines_and_zeros_stay(form: Format) -> None:
    """GDAL's GeoJSON of seven decimals has 114 for 113.9999995: a tenth of a metre."""
    near = [round(113 + tenth / 10 + ulps * 1e-7, 7) for tenth in range(10) for ulps in range(-40, 41)]
    empty: list[Any] = [None] * len(near)
    data = {field.name: empty for field in FIELDS} | {"BH": [f"P{number}" for number in range(len(near))], "JD": near}
    layer = out_layer(data, [shapely.Point(lon, 22.5 + (lon - 113) / 2) for lon in near], crs="EPSG:4490")
    assert differences(layer, round_trip(form, layer), form.kept) == []


@pytest.mark.parametrize("form", [GDB, TAB], ids=lambda form: form.id)
def test_whole_numbers_that_a_double_does_not_hold(form: Format, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"A1 / RK: 整数超过"):
        form.write([plain_layer(RK=2**53 + 1)], tmp_path)


@pytest.mark.parametrize("form", [GPKG, GEOJSON, KMZ], ids=lambda form: form.id)
def test_whole_numbers_of_64_bits_stay(form: Format) -> None:
    layer = plain_layer(RK=2**53 + 1)
    assert round_trip(form, layer)["RK"].iloc[0] == 2**53 + 1


@pytest.mark.parametrize(("change", "words"), [
    ({"MC": "䶮村𬭎㙍站"}, "“䶮𬭎㙍”不在 CP936 字符集内"),
    ({"MC": "长" * 128}, "文本有 256 字节,超过 254"),
], ids=["rare letters", "long text"])
def test_mapinfo_tells_what_it_cannot_hold(change: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(ExportError) as told:
        TAB.write([plain_layer(**change)], tmp_path)
    assert [(problem.row, problem.field, problem.reason) for problem in told.value.problems] == [("A1", "MC", words)]


def test_mapinfo_with_chinese_names_of_fields() -> None:
    layer = renamed(plain_layer())
    assert differences(layer, round_trip(TAB, layer), TAB.kept) == []


def test_mapinfo_has_no_empty_number_so_none_becomes_zero(tmp_path: Path) -> None:
    """A field with an empty number is a text in the file; one without stays a number with its decimals."""
    layer = plain_layer()
    whole = dataclasses.replace(layer, name="whole", table=layer.table.iloc[:1])
    TAB.write([layer, whole], tmp_path)
    heads = [(tmp_path / name).read_text("gbk") for name in ("ghzz.tab", "whole.tab")]
    found = [dict(re.findall(r"^ +([A-Z]+) (.+) ;$", head, re.MULTILINE)) for head in heads]
    assert [found[0][name] for name in ("NF", "GG", "RQ")] == ["Char (4)", "Char (10)", "Date"]
    assert [found[1][name] for name in ("NF", "GG", "RQ")] == ["Integer", "Decimal (10,2)", "Date"]


@pytest.mark.parametrize("crs", CRS)
def test_mapinfo_moves_no_coordinate_by_more_than_a_millimetre(crs: str) -> None:
    """Coordinates are steps of the bounds: with GDAL's own bounds they move by centimetres."""
    rng = np.random.default_rng(7)
    count = 500
    data = {field.name: [f"P{n}" if field.name == "BH" else None for n in range(count)] for field in FIELDS}
    places = gpd.points_from_xy(rng.uniform(112.9, 114.1, count), rng.uniform(21.9, 23.3, count)).tolist()
    layer = out_layer(data, places, crs=crs)
    way = shapely.distance(layer.table.geometry.to_numpy(), round_trip(TAB, layer).geometry.to_numpy()).max()
    way *= 111_000 if crs == "EPSG:4490" else 1
    assert 0 < way <= TAB.kept.geometry_m


def test_mapinfo_says_wgs84_with_the_projection_of_the_layer(tmp_path: Path) -> None:
    TAB.write([plain_layer()], tmp_path)
    said = gpd.read_file(tmp_path / "ghzz.tab").crs
    assert "World Geodetic System 1984" in said.to_wkt()
    facts = {value.name: value.value for value in said.coordinate_operation.params}
    assert (facts["Longitude of natural origin"], facts["False easting"]) == (114.0, 500000.0)


@pytest.mark.parametrize(("form", "file"), [(GPKG, "plan.gpkg"), (GDB, "plan.gdb")], ids=["gpkg", "gdb"])
def test_types_that_older_programs_know(form: Format, file: str, tmp_path: Path) -> None:
    form.write([plain_layer()], tmp_path)
    facts = pyogrio.read_info(tmp_path / file, layer="ghzz")
    types = dict(zip(facts["fields"], facts["ogr_types"], strict=True))
    assert types["NF"] == "OFTInteger"
    assert types["RK"] == {"gpkg": "OFTInteger64", "gdb": "OFTReal"}[form.id]
    assert types["RQ"] == {"gpkg": "OFTDate", "gdb": "OFTDateTime"}[form.id]
    assert facts["geometry_type"] == "Point"


def test_geojson_is_lon_lat_with_seven_decimals_and_knows_no_crs_member(tmp_path: Path) -> None:
    GEOJSON.write([plain_layer()], tmp_path)
    text = (tmp_path / "ghzz.geojson").read_text("utf-8")
    assert '"coordinates": [ 113.3928, 22.5168 ]' in text
    assert '"crs"' not in text


def islands(count: int) -> OutLayer:
    """One row of many islands, each with a lake."""
    island = shapely.box(0, 0, 0.001, 0.001) - shapely.box(0.0004, 0.0004, 0.0006, 0.0006)
    parts = [affinity.translate(island, 113 + number % 15 * 0.002, 22.5 + number // 15 * 0.002)
             for number in range(count)]
    blank: dict[str, list[Any]] = {field.name: [None] for field in FIELDS}
    return out_layer(blank | {"BH": ["A1"]}, [shapely.MultiPolygon(parts)], "Polygon")


@pytest.mark.parametrize("form", bundle.FORMATS.values(), ids=bundle.FORMATS)
def test_hundreds_of_islands_with_lakes_stay(form: Format) -> None:
    """GDAL warns of more than 100 parts that it will be slow; that is no loss."""
    layer = islands(150)
    read = round_trip(form, layer)
    assert differences(layer, read, form.kept) == []
    if "Polygon" in form.kept.kinds:
        assert len(shapely.get_parts(read.geometry.iloc[0])) == 150
        assert read.area.iloc[0] == pytest.approx(layer.table.area.iloc[0], rel=1e-3)


def test_mapinfo_refuses_rows_of_several_points(tmp_path: Path) -> None:
    layer = plain_layer()
    first, second = layer.table.geometry
    table = layer.table.set_geometry([shapely.MultiPoint([first, second]), shapely.MultiPoint([second])],
                                     crs=layer.table.crs)
    with pytest.raises(ExportError) as told:
        TAB.write([dataclasses.replace(layer, table=table)], tmp_path)
    assert [(problem.row, problem.field) for problem in told.value.problems] == [("A1", "geometry")]
    assert not list(tmp_path.iterdir())


def test_geojson_refuses_lines_over_the_180th_meridian(tmp_path: Path) -> None:
    blank: dict[str, list[Any]] = {field.name: [None, None] for field in FIELDS}
    lines = [shapely.LineString([(179.9, 22.0), (-179.9, 22.1)]), shapely.LineString([(113.0, 22.0), (113.1, 22.1)])]
    layer = out_layer(blank | {"BH": ["A1", "A2"]}, lines, "LineString", crs="EPSG:4490")
    with pytest.raises(ExportError) as told:
        GEOJSON.write([layer], tmp_path)
    assert [(problem.row, problem.field) for problem in told.value.problems] == [("A1", "geometry")]
    assert not list(tmp_path.iterdir())


TABLE = read_table("export_formats")


def test_every_format_is_in_the_table_with_every_content() -> None:
    assert set(TABLE["formats"]) == {*bundle.FORMATS, "tif"}
    for form in TABLE["formats"].values():
        assert set(form) == {"zh", "file", "opens", *TABLE["contents"]}


@pytest.mark.parametrize("form", bundle.FORMATS.values(), ids=bundle.FORMATS)
def test_the_table_of_formats_says_what_is_kept(form: Format) -> None:
    said = TABLE["formats"][form.id]
    assert said["zh"] == form.zh
    assert form.kept.crs == ("WGS 84" not in said["crs"])
    assert ("代表点" in said["geometry"]) == (form.kept.kinds == ("Point",))


def test_the_page_of_formats_shows_the_table() -> None:
    page = (Path(__file__).parents[1] / "docs" / "exchange.md").read_text("utf-8")
    for form in TABLE["formats"].values():
        cells = " | ".join(form[content] for content in TABLE["contents"])
        assert f"\n| {form['zh']} | {cells} |\n" in page
        assert f"\n| {form['zh']} | `{form['file']}` | {form['opens']} |\n" in page

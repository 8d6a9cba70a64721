"""Debian's GDAL (``ogrinfo``, ``ogr2ogr``), not the version that wrote them, reads every vector file back."""

from __future__ import annotations

import csv
import dataclasses
import io
import re
import shutil
import subprocess
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from exchange_layers import CRS, FIELDS, out_layer

from siteplan.export.exchange.bundle import FORMATS
from siteplan.export.exchange.out_layer import OutLayer

pytestmark = pytest.mark.skipif(
    shutil.which("ogrinfo") is None or shutil.which("ogr2ogr") is None,
    reason="gdal-bin is not installed: no file was read by another GDAL (apt-get install gdal-bin)")

FILE = {"shp": "ghzz.shp", "gpkg": "plan.gpkg", "gdb": "plan.gdb", "tab": "ghzz.tab", "kmz": "plan.kmz",
        "geojson": "ghzz.geojson"}
NARROW = {"shp", "tab"}
MOVED_M = {"geojson": 0.01, "gdb": 1e-4}
"""How far a coordinate may move; 1 mm in the others, as 15 digits of degrees and of metres show."""


def told(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, check=False, timeout=120)
    errors = done.stderr.decode("utf-8", "replace")
    assert done.returncode == 0, errors
    assert "ERROR" not in errors
    return done.stdout.decode("utf-8")


def rows_of(path: Path, layer: str) -> list[dict[str, str]]:
    text = told("ogr2ogr", "-f", "CSV", "/vsistdout/", str(path), layer, "-lco", "GEOMETRY=AS_WKT")
    csv.field_size_limit(10**7)
    return list(csv.DictReader(io.StringIO(text, newline="")))


def hostile_layer(form: str, crs: str, kind: str) -> OutLayer:
    """Three rows; the last has all that may be missing missing."""
    narrow = form in NARROW
    name = "站<script>`${x}`</script>=1+1 ../../\"'&amp;" + ("" if form == "tab" else "䶮𬭎㙍")
    data = {
        "BH": ["甲1", "乙2", "丙3"], "MC": [name, "长" * (80 if narrow else 3000), None], "LX": ["1", "2", None],
        "NF": [2026, 2030, None], "RK": [2**40, -5, None], "GG": [35.25, -0.5, None], "JD": [113.3928001, 113.6, None],
        "RQ": ["2026-06-30", "1999-12-31", None],
    }
    if kind == "Point":
        places = [shapely.Point(113.3928, 22.5168), shapely.Point(113.41, 22.52), shapely.Point(113.6, 22.7)]
        return out_layer(data, places, "Point", crs)
    holed = shapely.box(113.3, 22.3, 113.31, 22.31) - shapely.box(113.302, 22.302, 113.304, 22.305)
    parts = shapely.MultiPolygon([holed, shapely.box(113.4, 22.4, 113.41, 22.41)])
    return out_layer(data, [holed, parts, shapely.box(113.5, 22.5, 113.51, 22.51)], "Polygon", crs)


def layers_in(form: str, path: Path) -> list[str]:
    """Names of the layers: of KMZ, those of the values."""
    if form != "kmz":
        return ["ghzz"]
    return [name for name in re.findall(r"^Layer name: (.+)$", told("ogrinfo", "-al", "-so", str(path)), re.MULTILINE)
            if name != "规划站址"]


def agrees(field_type: str, here: object, there: str) -> bool:
    if here is pd.NaT or here is pd.NA or here is None or (isinstance(here, float) and np.isnan(here)):
        return there == ""
    if field_type == "text":
        return here == there
    if field_type == "date":
        return str(here)[:10] == there[:10].replace("/", "-")
    return there != "" and float(here) == float(there)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["Point", "Polygon"])
@pytest.mark.parametrize("crs", CRS)
@pytest.mark.parametrize("form", FILE)
def test_another_gdal_reads_every_value_and_shape(form: str, crs: str, kind: str, tmp_path: Path) -> None:
    layer = hostile_layer(form, crs, kind)
    FORMATS[form].write([layer], tmp_path)
    path = tmp_path / FILE[form]
    rows = {row["BH"]: row for name in layers_in(form, path) for row in rows_of(path, name)}
    assert set(rows) == set(layer.table["BH"])
    for number, key in enumerate(layer.table["BH"]):
        wrong = {field.name: rows[key][field.name] for field in FIELDS
                 if not agrees(field.type, layer.table[field.name].iloc[number], rows[key][field.name])}
        assert wrong == {}
    shapes = np.array([shapely.from_wkt(rows[key]["WKT"]) for key in layer.table["BH"]])
    if form in ("kmz", "geojson"):
        shapes = gpd.GeoSeries(shapes, crs="EPSG:4326").to_crs(crs).to_numpy()
    here = layer.table.geometry.to_numpy()
    room = MOVED_M.get(form, 1e-3) / (111_000 if crs == "EPSG:4490" else 1)
    assert (shapely.hausdorff_distance(here, shapes) <= room * 2**0.5).all()
    assert shapely.get_num_coordinates(here).tolist() == shapely.get_num_coordinates(shapes).tolist()
    assert shapely.area(here).tolist() == pytest.approx(shapely.area(shapes).tolist(), rel=1e-4)


@pytest.mark.parametrize("form", ["shp", "gpkg", "gdb"])
@pytest.mark.parametrize("crs", CRS)
def test_another_gdal_names_the_crs(form: str, crs: str, tmp_path: Path) -> None:
    FORMATS[form].write([hostile_layer(form, crs, "Point")], tmp_path)
    said = told("ogrinfo", "-so", str(tmp_path / FILE[form]), "ghzz")
    assert f'ID["EPSG",{crs.removeprefix("EPSG:")}]]' in said


@pytest.mark.parametrize("form", FILE)
def test_another_gdal_reads_a_layer_without_rows(form: str, tmp_path: Path) -> None:
    layer = hostile_layer(form, CRS[0], "Point")
    FORMATS[form].write([dataclasses.replace(layer, table=layer.table.iloc[:0])], tmp_path)
    said = told("ogrinfo", "-al", "-so", str(tmp_path / FILE[form]))
    assert set(re.findall(r"^Feature Count: (\d+)$", said, re.MULTILINE)) <= {"0", "1"}
    if form != "geojson":  # it has fields only where it has rows
        assert re.search(r"^GG: Real", said, re.MULTILINE)


def test_another_gdal_shows_titles_of_fields_in_the_file_gdb(tmp_path: Path) -> None:
    FORMATS["gdb"].write([hostile_layer("gdb", CRS[0], "Point")], tmp_path)
    said = told("ogrinfo", "-so", str(tmp_path / "plan.gdb"), "ghzz")
    found = dict(re.findall(r'^([A-Z]+): .*alternative name="(.+)"$', said, re.MULTILINE))
    assert found == {field.name: field.zh for field in FIELDS}


def test_titles_and_styles_in_the_geopackage(tmp_path: Path) -> None:
    FORMATS["gpkg"].write([hostile_layer("gpkg", CRS[0], "Point")], tmp_path)
    said = told("ogrinfo", "-q", str(tmp_path / "plan.gpkg"), "-sql",
                "SELECT column_name, name, description FROM gpkg_data_columns")
    assert re.findall(r" name \(String\) = (.+)", said) == [field.zh for field in FIELDS]
    assert "description (String) = 以批复为准" in said
    head = told("ogrinfo", "-so", str(tmp_path / "plan.gpkg"), "ghzz")
    assert "IDENTIFIER=规划站址" in head
    style = told("ogrinfo", "-q", "-al", str(tmp_path / "plan.gpkg"), "layer_styles")
    assert "f_geometry_column (String) = geom" in style
    assert "useAsDefault (Integer(Boolean)) = 1" in style
    assert '<category type="string" value="1" symbol="0" label="宏站"' in style


def test_mapinfo_in_another_gdal_has_the_projection_of_the_layer(tmp_path: Path) -> None:
    FORMATS["tab"].write([hostile_layer("tab", CRS[1], "Point")], tmp_path)
    said = told("ogrinfo", "-so", str(tmp_path / "ghzz.tab"), "ghzz")
    assert 'METHOD["Transverse Mercator"' in said
    assert re.search(r'"Longitude of natural origin",114,', said)
    assert re.search(r'"False easting",38500000,', said)


def test_another_gdal_finds_the_sites_of_a_drawing_and_their_names(tmp_path: Path) -> None:
    """DXF: a block for each site at its place, on the layer of its kind, its name beside it in Chinese."""
    layer = hostile_layer("tab", CRS[0], "Point")
    FORMATS["dxf"].write([layer], tmp_path)
    text = told("ogr2ogr", "-f", "CSV", "/vsistdout/", str(tmp_path / "plan.dxf"), "entities",
                "-lco", "GEOMETRY=AS_WKT", "-select", "Layer,Text,SubClasses", "--config", "DXF_INLINE_BLOCKS", "FALSE")
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    blocks = {row["Layer"]: shapely.from_wkt(row["WKT"]) for row in rows
              if row["SubClasses"].endswith("BlockReference")}
    for name, place in zip(("规划站址_宏站", "规划站址_微站", "规划站址"), layer.table.geometry, strict=True):
        assert shapely.distance(blocks.pop(name), place) < 1e-3
    assert blocks == {}
    assert layer.table["MC"].iloc[0] in {row["Text"] for row in rows}

"""DXF: what CAD shows is readable, what the drawing keeps comes back exactly, GDAL reads the same places."""

from __future__ import annotations

import dataclasses
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import pyogrio
import pytest
import shapely
from exchange_layers import LONG, RARE, layers, out_layer, plain_layer
from ezdxf.filemanagement import readfile
from ezdxf.lldxf.encoding import decode_dxf_unicode
from hypothesis import given
from hypothesis import strategies as st

from siteplan.errors import ExportError
from siteplan.export.exchange.compare import differences
from siteplan.export.exchange.formats.dxf import DXF
from siteplan.export.exchange.formats.dxf_texts import label_text, layer_names
from siteplan.export.exchange.out_layer import OutLayer

PROJECTED = ("EPSG:4547", "EPSG:4526")
HOLED = shapely.box(113.0, 22.5, 113.01, 22.51) - shapely.box(113.002, 22.502, 113.004, 22.505)


def areas(*shapes: shapely.Geometry) -> OutLayer:
    rows = len(shapes)
    blank = {name: [None] * rows for name in ("LX", "NF", "RK", "GG", "JD", "RQ")}
    layer = out_layer({"BH": [f"C{number}" for number in range(rows)], "MC": ["桐坪村"] * rows, **blank}, list(shapes),
                      "Polygon", name="cun")
    return dataclasses.replace(layer, profile=dataclasses.replace(layer.profile, zh="行政村", out="cun", style=""))


def text_of(path: Path) -> str:
    return path.read_bytes().decode("gbk")


@given(layer=layers(crs=PROJECTED))
def test_whatever_is_written_reads_back_equal(layer: OutLayer) -> None:
    with tempfile.TemporaryDirectory() as folder:
        DXF.write([layer], Path(folder))
        read = DXF.read(Path(folder), layer)
    assert differences(layer, read, DXF.kept) == []
    assert read.dtypes.to_dict() == layer.table.dtypes.to_dict()
    assert read.crs == layer.table.crs


@given(text=st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=300))
def test_any_text_survives_in_the_extended_data(text: str) -> None:
    """Quotes, backslashes, line ends, control characters, codes of CAD: the label may change, the value does not."""
    layer = plain_layer(MC=text)
    with tempfile.TemporaryDirectory() as folder:
        DXF.write([layer], Path(folder))
        assert DXF.read(Path(folder), layer)["MC"].iloc[0] == text


@given(text=st.text(max_size=80))
def test_labels_are_one_line_of_gbk_without_codes(text: str) -> None:
    label = label_text(text)
    assert label.encode("gbk") is not None
    assert not set(label) & set("\n\r{}^")
    assert "%%" not in label
    assert not re.sub(r"\\U\+[0-9A-F]{4}", "", label).count("\\")


@given(titles=st.lists(st.text(max_size=90), max_size=8))
def test_names_of_cad_layers_are_allowed_and_told_apart(titles: list[str]) -> None:
    names = layer_names(titles)
    assert set(names) == set(titles)
    assert len({name.casefold() for name in names.values()}) == len(names)
    for name in names.values():
        assert not set(name) & set("<>/\\\":;?*|=',`")
        assert 0 < len(name.encode("gbk")) <= 255


def test_letters_outside_gbk_show_in_gdal(tmp_path: Path) -> None:
    r"""䶮 as ``\U+4DAE`` is read by ezdxf and GDAL; 𬭎 has no notation in R2000, its number is told."""
    first, second, _ = RARE
    DXF.write([out_layer({"BH": ["1", "2"], "MC": [first, second], **{
        name: [None, None] for name in ("LX", "NF", "RK", "GG", "JD", "RQ")}},
        [shapely.Point(113.39, 22.51), shapely.Point(113.4, 22.52)])], tmp_path)
    space = readfile(tmp_path / "plan.dxf").modelspace()
    labels = {decode_dxf_unicode(entity.plain_text()) for entity in space.query("MTEXT")}
    assert {first, "〔U+2CB4E〕㙍站"} <= labels
    gdal = set(pyogrio.read_dataframe(tmp_path / "plan.dxf")["Text"].dropna())
    assert {first, "〔U+2CB4E〕㙍站"} <= gdal
    assert any("以〔U+码位〕代替" in text for text in gdal)


def test_gdal_finds_sites_and_layers(tmp_path: Path) -> None:
    """Chinese names of layers, and coordinates x east, y north, in metres."""
    layer = plain_layer(LX="1")
    DXF.write([layer, areas(HOLED)], tmp_path)
    pyogrio.set_gdal_config_options({"DXF_INLINE_BLOCKS": "NO"})
    try:
        found = pyogrio.read_dataframe(tmp_path / "plan.dxf", layer="entities")
    finally:
        pyogrio.set_gdal_config_options({"DXF_INLINE_BLOCKS": None})
    blocks = found[found["BlockName"].notna()]
    assert set(blocks["Layer"]) == {"规划站址_宏站", "规划站址"}  # the second site has no kind
    assert np.allclose(sorted(blocks.geometry.x), sorted(layer.table.geometry.x), atol=1e-6)
    assert np.allclose(sorted(blocks.geometry.y), sorted(layer.table.geometry.y), atol=1e-6)
    rings = found[found["Layer"] == "行政村"]
    assert len(rings) == 2
    assert all(line.is_ring for line in rings.geometry.boundary if not line.is_empty) or all(
        line.is_ring for line in rings.geometry)


@pytest.mark.skipif(shutil.which("ogrinfo") is None, reason="ogrinfo (gdal-bin) is absent")
def test_ogrinfo_of_the_machine_reads_it(tmp_path: Path) -> None:
    DXF.write([plain_layer()], tmp_path)
    told = subprocess.run(["ogrinfo", "-q", "-al", str(tmp_path / "plan.dxf")], capture_output=True, check=True)
    assert "规划站址_宏站" in told.stdout.decode("utf-8")
    assert "溪口镇政府" in told.stdout.decode("utf-8")


def test_the_drawing_says_what_it_is(tmp_path: Path) -> None:
    DXF.write([plain_layer(), areas(HOLED)], tmp_path)
    doc = readfile(tmp_path / "plan.dxf")
    assert (doc.dxfversion, doc.encoding, doc.header["$INSUNITS"]) == ("AC1015", "gbk", 6)
    assert doc.audit().errors == []
    text = text_of(tmp_path / "plan.dxf")
    for words in ("EPSG:4547", "横轴 x 为东", "单位:米", "图层 行政村:1 个", "图层 规划站址_宏站:1 个"):
        assert words in text


def test_sites_are_blocks_with_attributes(tmp_path: Path) -> None:
    DXF.write([plain_layer()], tmp_path)
    insert = readfile(tmp_path / "plan.dxf").modelspace().query("INSERT").first
    assert {attribute.dxf.tag: attribute.dxf.text for attribute in insert.attribs} == {"BH": "A1", "MC": "溪口镇政府"}


def test_polygons_are_closed_polylines_with_holes_and_parts(tmp_path: Path) -> None:
    """A hole and two parts: three closed polylines, and the same shape comes back."""
    layer = areas(shapely.MultiPolygon([HOLED, shapely.box(113.1, 22.5, 113.2, 22.6)]), HOLED)
    DXF.write([layer], tmp_path)
    lines = readfile(tmp_path / "plan.dxf").modelspace().query("LWPOLYLINE")
    assert [line.closed for line in lines] == [True] * 5
    read = DXF.read(tmp_path, layer)
    assert read.geom_type.tolist() == ["MultiPolygon", "Polygon"]
    assert read.geometry.geom_equals_exact(layer.table.geometry, 1e-9).all()


def test_same_layers_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        DXF.write([plain_layer()], tmp_path / name)
    assert (tmp_path / "one/plan.dxf").read_bytes() == (tmp_path / "two/plan.dxf").read_bytes()


def test_two_zones_make_two_drawings(tmp_path: Path) -> None:
    one, other = plain_layer(), dataclasses.replace(plain_layer(BH="B1"), name="ghzz_4546")
    other = dataclasses.replace(other, table=other.table.to_crs("EPSG:4546"))
    DXF.write([one, other], tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["plan_4546.dxf", "plan_4547.dxf"]
    for layer in (one, other):
        assert differences(layer, DXF.read(tmp_path, layer), DXF.kept) == []


def in_degrees(layer: OutLayer) -> OutLayer:
    return dataclasses.replace(layer, table=layer.table.to_crs("EPSG:4490"))


@given(layer=layers(crs=("EPSG:4490",)))
def test_degrees_are_drawn_in_metres_and_come_back(layer: OutLayer) -> None:
    with tempfile.TemporaryDirectory() as folder:
        DXF.write([layer], Path(folder))
        read = DXF.read(Path(folder), layer)
    assert differences(layer, read, DXF.kept) == []
    assert read.crs == layer.table.crs


def test_degrees_are_drawn_in_the_zone_of_their_middle_beside_others(tmp_path: Path) -> None:
    """113.4 E lies in the zone of 114 E (EPSG:4547); the notes say so; a layer in another zone is another drawing."""
    one, metric = in_degrees(plain_layer()), dataclasses.replace(plain_layer(BH="B1"), name="ghzz_4547")
    other = dataclasses.replace(metric, name="ghzz_4546", table=metric.table.to_crs("EPSG:4546"))
    DXF.write([one, metric, other], tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["plan_4546.dxf", "plan_4547.dxf"]
    assert "原为经纬度(EPSG:4490),图中按中间经度换成EPSG:4547的平面坐标" in text_of(tmp_path / "plan_4547.dxf")
    places = [entity.dxf.insert.x for entity in readfile(tmp_path / "plan_4547.dxf").modelspace().query("INSERT")]
    assert np.allclose(sorted(places), sorted([*metric.table.geometry.x] * 2), atol=1e-6)
    for layer in (one, metric, other):
        assert differences(layer, DXF.read(tmp_path, layer), DXF.kept) == []


def test_degrees_outside_of_all_zones_are_told(tmp_path: Path) -> None:
    layer = in_degrees(plain_layer())
    far = dataclasses.replace(layer, table=layer.table.set_geometry(layer.table.translate(-100.0)))
    with pytest.raises(ExportError, match="不在 CGCS2000 三度带范围"):
        DXF.write([far], tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_crs_that_is_not_known_is_refused_with_a_remedy(tmp_path: Path) -> None:
    layer = plain_layer()
    with pytest.raises(ExportError, match="3度带"):
        DXF.write([dataclasses.replace(layer, table=layer.table.set_crs(None, allow_override=True))], tmp_path)


@pytest.mark.parametrize("fault", ["label moved", "label says another", "label gone", "attribute says another"])
def test_what_the_eye_sees_is_held_against_the_rows(fault: str, tmp_path: Path) -> None:
    layer = plain_layer()
    DXF.write([layer], tmp_path)
    doc = readfile(tmp_path / "plan.dxf")
    label = next(entity for entity in doc.modelspace().query("MTEXT") if entity.text == "溪口镇政府")
    if fault == "label moved":
        label.dxf.insert = (label.dxf.insert.x + 500_000, label.dxf.insert.y)
    elif fault == "label says another":
        label.text = "白河镇政府"
    elif fault == "label gone":
        doc.modelspace().delete_entity(label)
    else:
        doc.modelspace().query("INSERT")[0].attribs[0].dxf.text = "A9"
    doc.saveas(tmp_path / "plan.dxf")
    with pytest.raises(ExportError, match=r"A1 / (BH|MC): (注记|块属性)"):
        DXF.read(tmp_path, layer)


def test_the_chinese_side_of_a_code_names_its_layer(tmp_path: Path) -> None:
    layer = plain_layer(LX="达标")
    fields = tuple(dataclasses.replace(field, codes={"pass": "达标"}) if field.name == "LX" else field
                   for field in layer.profile.fields)
    DXF.write([dataclasses.replace(layer, profile=dataclasses.replace(layer.profile, fields=fields))], tmp_path)
    assert "规划站址_达标" in text_of(tmp_path / "plan.dxf")


def test_every_row_that_cannot_be_drawn_is_named(tmp_path: Path) -> None:
    """16 KB of extended data, no place, a height, an endless number: all told at once."""
    layer = plain_layer(MC=LONG * 4)
    raised = shapely.force_3d(layer.table.geometry.iloc[1], 3.0)
    places = [layer.table.geometry.iloc[0], raised]
    table = layer.table.assign(GG=[1.0, np.inf]).set_geometry(places, crs=layer.table.crs)
    gone = dataclasses.replace(plain_layer(BH="B1"), name="gone")
    gone.table.geometry = [None, gone.table.geometry.iloc[1]]
    with pytest.raises(ExportError) as told:
        DXF.write([dataclasses.replace(layer, table=table), gone], tmp_path)
    assert {(problem.row, problem.field) for problem in told.value.problems} == {
        ("A1", ""), ("A2", "geometry"), ("A2", "GG"), ("B1", "geometry")}


@pytest.mark.parametrize("fault", ["cut", "absent", "a value changed"])
def test_a_drawing_that_says_something_else_is_noticed(fault: str, tmp_path: Path) -> None:
    layer = plain_layer()
    DXF.write([layer], tmp_path)
    path = tmp_path / "plan.dxf"
    if fault == "absent":
        path.unlink()
    elif fault == "cut":
        path.write_bytes(path.read_bytes()[:path.stat().st_size // 2])
    else:
        path.write_bytes(path.read_bytes().replace(b"GG=35.5", b"GG=35.6"))
    try:
        found = differences(layer, DXF.read(tmp_path, layer), DXF.kept)
    except ExportError as error:
        found = [str(error)]
    assert found

"""Rasters with one fault each, written here and named for it; the malformed and the real ones beside the project."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from odc.geo.geobox import GeoBox
from rasterio.control import GroundControlPoint
from rasterio.enums import ColorInterp

from siteplan import crs as crs_module
from siteplan.grid import resample
from siteplan.input_ledger import InputLedger
from siteplan.layers.file_log import FileLog
from siteplan.layers.formats.raster_grids import MAX_PX
from siteplan.layers.formats.raster_values import find_spikes
from siteplan.layers.formats.rasters import SUFFIXES, fill_voids, join_rasters, read_raster
from siteplan.params import LayerSource

SHARED = Path(__file__).parents[2] / "shared" / "data"
BAD = SHARED / "badinput"
EPSG = 4547
EAST, NORTH = 437000.0, 2491000.0
PLACE = Affine(10, 0, EAST, 0, -10, NORTH)
needs_bad = pytest.mark.skipif(not BAD.exists(), reason="../shared/data/badinput is not here")


def hills(rows: int = 30, cols: int = 40) -> np.ndarray:
    """Smooth ground between 40 and 160 m."""
    y, x = np.mgrid[:rows, :cols]
    return (100 + 60 * np.sin(x / 9.0) * np.cos(y / 7.0)).astype(np.float32)


def write(path: Path, array: np.ndarray, *, driver: str = "GTiff", **options: Any) -> Path:
    bands = array if array.ndim == 3 else array[None]
    options = {"crs": f"EPSG:{EPSG}", "transform": PLACE} | options
    with rasterio.open(path, "w", driver=driver, height=bands.shape[1], width=bands.shape[2], count=len(bands),
                       dtype=bands.dtype, **options) as data:
        data.write(bands)
    return path


class Read:
    """What reading one file gave."""

    def __init__(self, path: Path, kind: str = "ground", bounds: Any = None, **source: Any) -> None:
        self.log = FileLog(kind, path.name, InputLedger())
        self.found = read_raster(path, LayerSource(path=str(path), **source), self.log, bounds)
        told = list(self.log.ledger)
        self.lines = [line for line in told if line.field != "unit" or line.action != "assumed"]
        self.metres_assumed = len(self.lines) < len(told)  # said of every raster that names no unit

    @property
    def array(self) -> np.ndarray:
        assert self.found is not None, self.log.problems
        assert self.found[0].dtype == np.float32
        assert self.found[0].shape == tuple(self.found[1].shape)
        return self.found[0]

    @property
    def box(self) -> GeoBox:
        assert self.found is not None, self.log.problems
        return self.found[1]

    def told(self, action: str, *words: str) -> bool:
        return any(line.action == action and all(word in line.reason + line.remedy for word in words)
                   for line in self.lines)

    def problem(self) -> str:
        assert self.found is None
        (problem,) = self.log.problems
        assert problem.remedy
        return f"{problem.reason} -> {problem.remedy}"


# a good raster


@pytest.mark.parametrize(("kind", "source", "assumed"), [
    ("ground", {}, True), ("heights", {}, True), ("ground", {"unit": "m"}, False), ("clutter", {}, False)])
def test_metres_are_told_where_neither_file_nor_study_names_a_unit(
        tmp_path: Path, kind: str, source: dict[str, Any], assumed: bool) -> None:
    path = write(tmp_path / "dem.tif", np.full((40, 40), 12.0, np.float32))
    assert Read(path, kind, **source).metres_assumed is assumed

def test_a_good_raster_is_read_as_it_is_without_a_line(tmp_path: Path) -> None:
    read = Read(write(tmp_path / "dem.tif", hills(), nodata=-9999.0))
    assert np.array_equal(read.array, hills())
    assert read.box == GeoBox((30, 40), PLACE, f"EPSG:{EPSG}")
    assert not read.lines


@pytest.mark.parametrize("name", ["!山 高'\"; drop.tif", "高" * 80 + ".tif", "a#b?c=1&d%20.tif", "zip:x.tif"])
def test_hostile_names_are_names(tmp_path: Path, name: str) -> None:
    assert np.array_equal(Read(write(tmp_path / "plain.tif", hills()).rename(tmp_path / name)).array, hills())


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "int32", "uint32", "float32", "float64", "int8"])
def test_every_kind_of_number(tmp_path: Path, dtype: str) -> None:
    values = np.rint(hills() / 2).astype(dtype)
    values[5, 5] = 1
    read = Read(write(tmp_path / "h.tif", values, nodata=1), "heights")
    assert np.isnan(read.array[5, 5])
    assert np.nansum(read.array) == values.sum(dtype=float) - 1
    assert [line.action for line in read.lines] == ["note"]
    assert read.told("note", "1 个像元无数据", "0.083 %")


# no data

@pytest.mark.parametrize(("value", "dtype", "words"), [
    (-9999.0, "float32", "-9999"), (-32768.0, "int16", "-32768"), (9.9e9, "float32", "9.9e+09"),
    (-3.4028234663852886e38, "float32", "-3.40282e+38"), (1.7e308, "float64", "1.7e+308"), (65535, "uint16", "65535"),
    (-2147483648, "int32", "-2.14748e+09"), (np.inf, "float32", "inf"), (-np.inf, "float64", "-inf")])
def test_unlabelled_no_data_is_masked_and_counted(tmp_path: Path, value: float, dtype: str, words: str) -> None:
    array = np.rint(hills()).astype(dtype)
    array[3, 4:9] = value
    read = Read(write(tmp_path / "dem.tif", array))
    assert np.isnan(read.array[3, 4:9]).all()
    assert np.isnan(read.array).sum() == 5
    assert len(read.lines) == 1
    assert read.told("assumed", "5 个像元", words)


def test_nan_declared_and_named_no_data(tmp_path: Path) -> None:
    array = hills()
    array[0, 0], array[1, 1], array[2, 2] = np.nan, -777.0, 55.0
    read = Read(write(tmp_path / "dem.tif", array, nodata=-777.0), nodata=55.0)
    assert np.argwhere(np.isnan(read.array)).tolist() == [[0, 0], [1, 1], [2, 2]]
    assert read.told("note", "至多有 2 个像元无数据")
    assert Read(tmp_path / "dem.tif", nodata=-1.0).told("note", "没有一个像元是这个值")


def test_zero_is_kept_and_told_where_it_stands_apart(tmp_path: Path) -> None:
    array = hills() + 400
    array[:4, :6] = 0.0
    read = Read(write(tmp_path / "dem.tif", array))
    assert (read.array == 0).sum() == 24
    assert read.told("note", "24 个像元恰为 0 m", "nodata = 0")
    array[:4, :6] = np.linspace(0.0, 60.0, 6)
    assert not Read(write(tmp_path / "sea.tif", array)).told("note", "恰为 0 m")


def test_an_inner_mask_is_no_data(tmp_path: Path) -> None:
    path = write(tmp_path / "dem.tif", hills())
    with rasterio.open(path, "r+") as data:
        mask = np.full((30, 40), 255, np.uint8)
        mask[2:4, 2:5] = 0
        data.write_mask(mask)
    read = Read(path)
    assert np.isnan(read.array).sum() == 6


def test_nothing_but_no_data_is_a_problem(tmp_path: Path) -> None:
    assert "没有任何有效值" in Read(write(tmp_path / "dem.tif", np.full((5, 5), -9999.0, np.float32))).problem()
    assert "没有任何有效值" in Read(write(tmp_path / "w.tif", np.full((5, 5), 40000, np.uint16))).problem()


def test_blocks_left_out_of_the_file_are_no_data_not_sea_level(tmp_path: Path) -> None:
    path = tmp_path / "sparse.tif"
    with rasterio.open(path, "w", driver="GTiff", height=512, width=512, count=1, dtype="float32", crs=EPSG, tiled=True,
                       transform=PLACE, blockxsize=256, blockysize=256, sparse_ok=True) as data:
        data.write(np.full((256, 256), 80.0, np.float32), 1, window=rasterio.windows.Window(256, 0, 256, 256))
    read = Read(path)
    assert np.isfinite(read.array).sum() == 256 * 256
    assert (read.array[:256, 256:] == 80).all()
    assert read.told("assumed", f"{3 * 256 * 256} 个像元", "稀疏")


# units, scale, kinds of value

def test_feet_of_the_study_and_of_the_file(tmp_path: Path) -> None:
    path = write(tmp_path / "dem.tif", hills())
    assert Read(path, unit="ft").array == pytest.approx(hills() * 0.3048, rel=1e-6)
    for word in ("ft", "US survey foot", "英尺"):
        with rasterio.open(path, "r+") as data:
            data.units = (word,)
        read = Read(path)
        assert read.array == pytest.approx(hills() * 0.3048, rel=1e-6)
        assert read.told("repaired", word, "换算为米")
    read = Read(path, unit="m")
    assert np.array_equal(read.array, hills())
    assert read.told("note", "按研究文件的 m")
    with rasterio.open(path, "r+") as data:
        data.units = ("cubit",)
    assert Read(path).told("note", "cubit")


def test_feet_of_a_compound_crs(tmp_path: Path) -> None:
    read = Read(write(tmp_path / "dem.tif", hills(), crs="EPSG:26911+6360", transform=Affine(10, 0, 5e5, 0, -10, 4e6)))
    assert read.box.crs.epsg == 26911
    assert read.array == pytest.approx(hills() * 0.3048, rel=1e-5)
    assert read.told("repaired", "foot")


def test_scale_and_offset_after_no_data(tmp_path: Path) -> None:
    raw = np.rint(hills() * 10).astype(np.int16)
    raw[0, 0] = -32768
    path = write(tmp_path / "dem.tif", raw)
    with rasterio.open(path, "r+") as data:
        data.scales, data.offsets = (0.1,), (100.0,)
    read = Read(path)
    assert np.isnan(read.array[0, 0])
    assert read.array[1:] == pytest.approx(raw[1:] * 0.1 + 100, rel=1e-6)
    assert read.told("repaired", "0.1", "100")
    with rasterio.open(path, "r+") as data:
        data.scales = (0.0,)
    assert "比例 0" in Read(path).problem()


def test_values_no_ground_and_no_building_has(tmp_path: Path) -> None:
    array = hills()
    array[0, 0], array[9, 9] = 20000.0, -600.0
    read = Read(write(tmp_path / "dem.tif", array))
    assert np.isnan(read.array).sum() == 2
    assert read.told("repaired", "2 个像元超出 -500–9000 m")
    array[:] = 0.0
    array[0, :7] = 480.0
    array[5, 5] = 1200.0
    read = Read(write(tmp_path / "h.tif", array), "heights")
    assert (read.array == 480).sum() == 7
    assert read.told("note", "7 个像元超过 300 m")
    assert read.told("repaired", "1 个像元超出 -50–1000 m")
    assert Read(write(tmp_path / "high.tif", hills()), "heights").told("note", "像是海拔高程")


def test_pictures_and_complex_numbers_are_refused(tmp_path: Path) -> None:
    image = np.stack([hills()] * 4).astype(np.uint8)
    for bands in (3, 4):
        path = write(tmp_path / f"rgb{bands}.tif", image[:bands], photometric="RGB")
        for layer in ("ground", "heights", "clutter"):
            assert "彩色图片" in Read(path, layer).problem()
    path = write(tmp_path / "palette.tif", image[0])
    with rasterio.open(path, "r+") as data:
        data.colorinterp = (ColorInterp.palette,)
        data.write_colormap(1, {value: (value, 0, 0, 255) for value in range(256)})
    assert "彩色图片" in Read(path, "heights").problem()
    assert np.array_equal(Read(path, "clutter").array, image[0])
    assert "复数" in Read(write(tmp_path / "c.tif", hills().astype(np.complex64))).problem()


def test_bands(tmp_path: Path) -> None:
    path = write(tmp_path / "two.tif", np.stack([hills(), hills() + 7]))
    read = Read(path)
    assert np.array_equal(read.array, hills())
    assert read.told("note", "有 2 个波段，读第一个")
    read = Read(path, layer="2")
    assert np.array_equal(read.array, hills() + 7)
    assert not read.lines
    for band in ("3", "0", "dem"):
        read = Read(path, layer=band)
        assert "只有 2 个" in read.problem()
        assert read.log.mistakes


def test_classes_are_whole_numbers_in_no_unit(tmp_path: Path) -> None:
    codes = np.full((5, 5), 7.0, np.float32)
    codes[1, 1], codes[2, 2] = 6.5, -3.0
    read = Read(write(tmp_path / "c.tif", codes), "clutter")
    assert np.argwhere(np.isnan(read.array)).tolist() == [[1, 1], [2, 2]]
    assert read.told("repaired", "1 个像元的地物类别不是整数", "6.5")
    assert read.told("repaired", "1 个像元超出")
    assert "没有长度单位" in Read(tmp_path / "c.tif", "clutter", unit="ft").problem()


def test_words_of_the_study_that_rasters_do_not_have(tmp_path: Path) -> None:
    path = write(tmp_path / "dem.tif", hills())
    for words in ({"datum": "gcj02"}, {"where": "a > 1"}):
        read = Read(path, **words)
        assert read.problem()
        assert read.log.mistakes


# places

def test_south_up_and_mirrored_rasters_are_flipped(tmp_path: Path) -> None:
    south = Read(write(tmp_path / "south.tif", hills()[::-1], transform=Affine(10, 0, EAST, 0, 10, NORTH - 300)))
    assert south.told("repaired", "南北颠倒")
    both = Read(write(tmp_path / "both.tif", hills()[::-1, ::-1],
                      transform=Affine(-10, 0, EAST + 400, 0, 10, NORTH - 300)))
    assert both.told("repaired", "东西颠倒")
    for read in (south, both):
        assert np.array_equal(read.array, hills())
        assert read.box == GeoBox((30, 40), PLACE, f"EPSG:{EPSG}")


def turned(degrees: float) -> Affine:
    return Affine.translation(EAST, NORTH) @ Affine.rotation(degrees) @ Affine.scale(10, -10)


@pytest.mark.parametrize("degrees", [10.0, 90.0, -133.0])
def test_rotated_rasters_are_resampled_to_north_up(tmp_path: Path, degrees: float) -> None:
    """A tilted plane over a rotated grid: each pixel of the answer lies on the plane."""
    x, y = turned(degrees) @ np.array([(col + 0.5, row + 0.5) for row in range(60) for col in range(80)]).T
    plane = (100 + (x - EAST) * 0.05 + (y - NORTH) * 0.02).reshape(60, 80).astype(np.float32)
    read = Read(write(tmp_path / "turned.tif", plane, transform=turned(degrees)))
    assert read.told("repaired", "旋转", "双线性")
    affine = read.box.affine
    assert (affine.b, affine.d) == (0.0, 0.0)
    assert (affine.a, affine.e) == pytest.approx((10.0, -10.0))
    rows, cols = np.nonzero(np.isfinite(read.array))
    want = 100 + (affine.c + (cols + 0.5) * 10 - EAST) * 0.05 + (affine.f - (rows + 0.5) * 10 - NORTH) * 0.02
    assert len(rows) == pytest.approx(60 * 80, rel=0.06)
    error = np.abs(read.array[rows, cols] - want)
    assert np.percentile(error, 90) < 0.01
    assert error.max() < 0.51  # at the rim, less than a pixel


def test_rotated_classes_stay_classes_and_rotated_people_are_refused(tmp_path: Path) -> None:
    codes = np.where(hills() > 100, 10, 20).astype(np.uint8)
    path = write(tmp_path / "turned.tif", codes, transform=turned(30.0))
    array = Read(path, "clutter").array
    assert set(np.unique(array[np.isfinite(array)])) == {10.0, 20.0}
    assert "改变人数" in Read(path, "population").problem()


def test_a_raster_without_crs_asks_for_the_likely_one(tmp_path: Path) -> None:
    bounds = (109.0, 22.3, 109.6, 22.8)
    x, y = (float(value) for value in crs_module.transform_points(109.3, 22.5, 4326, 4545))
    for name, place, near, words in [
            ("deg", Affine(0.001, 0, 113.3, 0, -0.001, 22.6), None, "EPSG:4490"),
            ("swapped", Affine(0.001, 0, 22.6, 0, -0.001, 84.5), None, "写反"),
            ("zone3", Affine(10, 0, 38437000, 0, -10, NORTH), None, "EPSG:4526"),
            ("zone6", Affine(10, 0, 19437000, 0, -10, NORTH), None, "EPSG:4497"),
            ("metres", PLACE, None, "4534–4554"), ("near", Affine(10, 0, x, 0, -10, y), bounds, "EPSG:4545"),
            ("odd", Affine(10, 0, 3.0, 0, -10, 9e7), None, "例如")]:
        read = Read(write(tmp_path / f"{name}.tif", hills(), crs=None, transform=place), bounds=near)
        assert words in read.problem(), name
        assert read.log.problems[0].field == "crs"
    assert Read(tmp_path / "metres.tif", crs=f"EPSG:{EPSG}").box.crs.epsg == EPSG


def test_a_crs_that_cannot_be_is_told(tmp_path: Path) -> None:
    metres = write(tmp_path / "metres.tif", hills())
    for code in (4490, 4526):
        assert "与坐标数值不符" in Read(metres, crs=f"EPSG:{code}").problem()
    read = Read(write(tmp_path / "deg.tif", hills(), crs="EPSG:4490", transform=Affine(0.001, 0, 113, 0, -0.001, 23)))
    assert read.box.crs.epsg == 4490
    assert "像经纬度" in Read(tmp_path / "deg.tif", crs="EPSG:4547").problem()
    prefixed = write(tmp_path / "zone.tif", hills(), transform=Affine(10, 0, 38437000, 0, -10, NORTH))
    assert "EPSG:4526" in Read(prefixed).problem()
    other = Read(metres, crs="EPSG:4546")
    assert other.told("repaired", "按研究文件改为")
    assert not Read(metres, crs="EPSG:4547").lines
    assert "无法识别" in Read(metres, crs="EPSG:1").problem()


def test_xian80_needs_parameters(tmp_path: Path) -> None:
    path = write(tmp_path / "xian.tif", hills(), crs="EPSG:2382")
    assert "西安80" in Read(path).problem()
    read = Read(path, towgs84=[20.0, -30.0, 10.0])
    bound = crs_module.read_crs("EPSG:2382", [20.0, -30.0, 10.0])
    plain = crs_module.transform_points(EAST + 200, NORTH - 150, "EPSG:4546", EPSG)
    x, y = crs_module.transform_points(EAST + 200, NORTH - 150, bound, EPSG)
    assert np.hypot(x - plain[0], y - plain[1]) > 15
    target = GeoBox((1, 1), Affine(2, 0, float(x) - 1, 0, -2, float(y) + 1), f"EPSG:{EPSG}")
    want = hills()[14:16, 19:21].mean()
    assert resample(read.array, read.box, target)[0, 0] == pytest.approx(want, abs=0.5)
    assert abs(resample(hills(), GeoBox((30, 40), PLACE, "EPSG:4546"), target)[0, 0] - want) > 3


def test_no_place_and_control_points_only(tmp_path: Path) -> None:
    with pytest.warns(rasterio.errors.NotGeoreferencedWarning):
        path = write(tmp_path / "bare.tif", hills(), transform=Affine.identity())
    assert "没有坐标" in Read(path).problem()
    points = [GroundControlPoint(row, col, EAST + 10 * col, NORTH - 10 * row, 0)
              for row, col in ((0, 0), (0, 9), (9, 0))]
    with rasterio.open(tmp_path / "gcp.tif", "w", driver="GTiff", height=30, width=40, count=1, dtype="float32",
                       gcps=points, crs=EPSG) as data:
        data.write(hills(), 1)
    assert "3 个控制点" in Read(tmp_path / "gcp.tif", crs=f"EPSG:{EPSG}").problem()


# .hgt, ASCII grid and other formats

def write_hgt(path: Path, size: int = 1201) -> Path:
    y, x = np.mgrid[:size, :size]
    heights = (500 + x // 4 + y // 8).astype(">i2")
    heights[10, 20:25] = -32768
    path.write_bytes(heights.tobytes())
    return path


@pytest.mark.parametrize("name", ["N22E113.hgt", "n22e113.HGT", "N22E113.SRTMGL1.hgt"])
def test_hgt(tmp_path: Path, name: str) -> None:
    read = Read(write_hgt(tmp_path / name))
    assert read.array.shape == (1201, 1201)
    assert np.isnan(read.array).sum() == 5
    assert read.told("note", "5 个像元无数据")
    box = read.box.boundingbox
    assert (box.left, box.bottom) == pytest.approx((113, 22), abs=1e-3)


def test_hgt_of_another_name_or_size_is_told(tmp_path: Path) -> None:
    assert "N22E113.hgt" in Read(write_hgt(tmp_path / "dem.hgt")).problem()
    path = write_hgt(tmp_path / "N22E113.hgt")
    path.write_bytes(path.read_bytes()[:-100])
    assert "2884702 字节" in Read(path).problem()
    empty = tmp_path / "N23E113.hgt"
    empty.write_bytes(b"")
    assert "0 字节" in Read(empty).problem()


ASCII = "ncols 4\nnrows 3\nxllcorner 437000\nyllcorner 2491000\ncellsize 10\n"


def test_ascii_grid(tmp_path: Path) -> None:
    path = tmp_path / "dem.asc"
    path.write_text(ASCII + "NODATA_value -1\n1.5 2 3 4\n5 -1 -9999 8\n9 10 11 12\n")
    assert "没有坐标系" in Read(path).problem()
    read = Read(path, crs=f"EPSG:{EPSG}")
    assert read.array[0].tolist() == [1.5, 2, 3, 4]
    assert np.isnan(read.array).sum() == 2
    assert read.box.affine.f == 2491030
    assert read.told("assumed", "-9999")
    (tmp_path / "dem.prj").write_text(rasterio.crs.CRS.from_epsg(EPSG).to_wkt(version="WKT1_ESRI"))
    assert Read(path).box.crs.epsg == EPSG


@pytest.mark.parametrize("text", [
    "", "ncols 4\n", "ncols 4\nnrows 3\n", ASCII + "1 2 3\n", ASCII + "a b c d\n" * 3, ASCII + "1,5 2,5 3 4\n" * 3,
    ASCII + "1 2 3 #REF!\n" * 3,
    ASCII.replace("ncols 4", "ncols 99999999999").replace("nrows 3", "nrows 99999999999") + "1 2",
    ASCII.replace("ncols 4", "ncols 9000000").replace("nrows 3", "nrows 9000000") + "1 2",
    ASCII.replace("ncols 4", "ncols -4") + "1 2", ASCII.replace("cellsize 10", "cellsize 0") + "1 2 3 4\n" * 3,
    ASCII.replace("cellsize 10", "cellsize nan") + "1 2 3 4\n" * 3,
    ASCII.replace("xllcorner 437000", "xllcorner 1e400") + "1 2 3 4\n" * 3, "\0" * 500])
def test_broken_ascii_grids_are_one_problem(tmp_path: Path, text: str) -> None:
    path = tmp_path / "dem.asc"
    path.write_text(text)
    assert Read(path, crs=f"EPSG:{EPSG}").problem()


@pytest.mark.parametrize(("name", "driver"), [("dem.img", "HFA"), ("dem.bil", "EHdr"), ("dem.grd", "GSBG"),
                                              ("dem.asc", "AAIGrid"), ("dem.tiff", "GTiff")])
def test_other_formats(tmp_path: Path, name: str, driver: str) -> None:
    from rasterio.shutil import copy

    path = write(tmp_path / "from.tif", hills()).rename(tmp_path / "source.tif")
    copy(path, tmp_path / name, driver=driver)
    assert Read(tmp_path / name, crs=f"EPSG:{EPSG}").array == pytest.approx(hills(), abs=1e-3)
    assert Path(name).suffix in SUFFIXES


def test_a_cut_bil_is_a_problem(tmp_path: Path) -> None:
    from rasterio.shutil import copy

    path = tmp_path / "dem.bil"
    copy(write(tmp_path / "from.tif", hills()), path, driver="EHdr")
    path.write_bytes(path.read_bytes()[:2000])
    assert Read(path, crs=f"EPSG:{EPSG}").problem()


# broken and hostile files

def test_a_tif_that_is_xml_is_not_followed(tmp_path: Path) -> None:
    good = write(tmp_path / "good.tif", hills())
    vrt = (f'<VRTDataset rasterXSize="40" rasterYSize="30"><VRTRasterBand dataType="Float32" band="1"><SimpleSource>'
           f'<SourceFilename>{good}</SourceFilename><SourceBand>1</SourceBand></SimpleSource></VRTRasterBand>'
           '</VRTDataset>')
    wms = '<GDAL_WMS><Service name="TMS"><ServerUrl>http://127.0.0.1:9/x</ServerUrl></Service></GDAL_WMS>'
    for text in (vrt, wms, '{"type": "stac"}', "%PDF-1.4", "GIF89a", "<html>"):
        for ending in (".tif", ".asc", ".img", ".bil", ".dem", ".grd"):
            path = tmp_path / f"x{ending}"
            path.write_text(text)
            assert any(words in Read(path).problem() for words in ("读不出来", "不是数字"))


def test_cut_files_are_one_problem(tmp_path: Path) -> None:
    whole = write(tmp_path / "dem.tif", np.tile(hills(), (8, 8)), compress="deflate").read_bytes()
    for size in [0, 1, 8, 100, 300, len(whole) // 2, len(whole) - 20]:
        path = tmp_path / "cut.tif"
        path.write_bytes(whole[:size])
        assert Read(path).problem(), size


def with_size(data: bytes, width: int, height: int) -> bytes:
    """A little-endian TIFF whose header claims another size."""
    out = bytearray(data)
    (start,) = struct.unpack_from("<I", data, 4)
    (number,) = struct.unpack_from("<H", data, start)
    for entry in range(start + 2, start + 2 + 12 * number, 12):
        tag = struct.unpack_from("<H", data, entry)[0]
        if tag in (256, 257):
            struct.pack_into("<HHII", out, entry, tag, 4, 1, width if tag == 256 else height)
    return bytes(out)


@pytest.mark.parametrize("compress", [None, "deflate"])
@pytest.mark.parametrize("size", [(2**31 - 1, 2**31 - 1), (10**6, 10**6), (40, 10**7), (30000, 30000), (6000, 6000)])
def test_a_header_that_claims_too_much(tmp_path: Path, compress: str | None, size: tuple[int, int]) -> None:
    data = write(tmp_path / "dem.tif", hills(), compress=compress).read_bytes()
    (tmp_path / "big.tif").write_bytes(with_size(data, *size))
    assert Read(tmp_path / "big.tif").problem()


def test_mutated_rasters_give_an_answer_or_one_problem(tmp_path: Path) -> None:
    random = np.random.default_rng(7)
    good = [write(tmp_path / f"{compress}.tif", hills(), compress=compress).read_bytes() for compress in (None, "lzw")]
    for case in range(60):
        data = bytearray(good[case % 2])
        for place in random.integers(0, min(len(data), 600), size=random.integers(1, 6)):
            data[place] ^= 1 << int(random.integers(8))
        path = tmp_path / "mutant.tif"
        path.write_bytes(data)
        read = Read(path)
        assert (read.found is None) == (len(read.log.problems) == 1), case


# spikes

def test_spikes_of_the_ground_are_masked_and_cliffs_are_kept(tmp_path: Path) -> None:
    array = hills()
    array[:, 30:] += 400  # a cliff
    array[5, 5], array[20, 10:12], array[0, 0] = 0.0, 900.0, 700.0
    read = Read(write(tmp_path / "dem.tif", array))
    assert sorted(np.argwhere(np.isnan(read.array)).tolist()) == [[0, 0], [5, 5], [20, 10], [20, 11]]
    (line,) = read.lines
    assert line.action == "repaired"
    assert "4 个孤立像元" in line.reason
    assert "437005.0, 2490995.0" in line.reason
    assert not Read(write(tmp_path / "h.tif", np.where(array == 0, 0, array - 40)), "heights").told("repaired")


def test_an_array_without_neighbourhood_is_no_ground(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).uniform(0, 5000, (350, 350)).astype(np.float32)
    assert find_spikes(noise, 10.0) is None
    assert Read(write(tmp_path / "noise.tif", noise)).told("note", "处处突变")


def test_spikes_do_not_depend_on_where_strips_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    array = hills(200, 100)
    places = np.random.default_rng(3).choice(array.size, 60, replace=False)
    array.ravel()[places] += 500
    whole = find_spikes(array, 10.0)
    monkeypatch.setattr("siteplan.layers.formats.raster_values._STRIP_PX", 700)
    parts = find_spikes(array, 10.0)
    assert whole is not None
    assert parts is not None
    assert np.array_equal(whole, parts)
    assert len(whole[0]) > 50


# windows

def test_only_the_study_area_is_read(tmp_path: Path) -> None:
    array = np.add.outer(np.arange(900.0), np.arange(800.0)).astype(np.float32) / 4
    path = write(tmp_path / "dem.tif", array, tiled=True)
    lon, lat = crs_module.transform_points([EAST + 4000, EAST + 4500], [NORTH - 5000, NORTH - 4600], EPSG, 4326)
    read = Read(path, bounds=(lon[0], lat[0], lon[1], lat[1]))
    assert read.array.shape == pytest.approx((72, 82), abs=3)
    col, row = ~PLACE @ (read.box.affine.c, read.box.affine.f)
    assert (round(row), round(col)) == (pytest.approx(444, abs=2), pytest.approx(384, abs=2))
    part = array[round(row):, round(col):][:read.array.shape[0], :read.array.shape[1]]
    assert np.array_equal(read.array, part)
    assert not read.lines
    far = Read(path, bounds=(100.0, 30.0, 100.1, 30.1))
    assert far.found is None
    assert not far.log.problems
    assert far.told("refused", "研究范围之外")


def test_a_raster_of_the_whole_country_is_read_by_its_window(tmp_path: Path) -> None:
    path = tmp_path / "china.tif"
    with rasterio.open(path, "w", driver="GTiff", height=100_000, width=100_000, count=1, dtype="int16", tiled=True,
                       crs=4326, transform=Affine(0.0005, 0, 85, 0, -0.0005, 60), sparse_ok=True, nodata=-32768,
                       compress="deflate") as data:
        data.write(np.full((512, 512), 33, np.int16), 1, window=rasterio.windows.Window(56_832, 75_008, 512, 512))
    assert "太大" in Read(path).problem()
    read = Read(path, bounds=(113.45, 22.3, 113.5, 22.4))
    assert read.array.size < 40_000
    assert np.nanmax(read.array) == 33
    assert "太大" in Read(path, bounds=(85.0, 10.0, 135.0, 60.0)).problem()


def test_strips_of_any_height_give_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    array = hills(700, 300)
    array[100:140, 50:60], array[699, 299] = -9999.0, -32768.0
    path = write(tmp_path / "dem.tif", array, nodata=-9999.0, blockysize=16, tiled=False)
    whole = Read(path)
    monkeypatch.setattr("siteplan.layers.formats.raster_values._STRIP_PX", 5000)
    parts = Read(path)
    assert np.array_equal(whole.array, parts.array, equal_nan=True)
    assert whole.lines == parts.lines
    assert whole.told("note", "至多有 400 个像元无数据")


# tiles

def tile(col: int, row: int, value: float | np.ndarray, *, size: int = 20, pixel: float = 10.0, shift: float = 0.0,
         ) -> tuple[np.ndarray, GeoBox]:
    array = np.full((size, size), value, np.float32)
    place = Affine(pixel, 0, EAST + 10 * col + shift, 0, -pixel, NORTH - 10 * row)
    return array, GeoBox(array.shape, place, f"EPSG:{EPSG}")


def join(*parts: tuple[np.ndarray, GeoBox], layer: str = "ground") -> tuple[Any, FileLog]:
    log = FileLog(layer, "a.tif、b.tif", InputLedger())
    return join_rasters(list(parts), log), log


def reasons(log: FileLog) -> str:
    return "；".join([line.reason for line in log.ledger] + [problem.reason for problem in log.problems])


def test_tiles_side_by_side_with_a_gap_between() -> None:
    (array, box), log = join(tile(25, 0, 2.0), tile(0, 0, 1.0))
    assert array.shape == (20, 45)
    assert (array[:, :20] == 1).all()
    assert (array[:, 25:] == 2).all()
    assert np.isnan(array[:, 20:25]).all()
    assert (box.affine.c, box.affine.f) == (EAST, NORTH)
    assert not len(log.ledger)


def test_where_tiles_overlap_the_first_counts_and_voids_are_filled_by_the_next() -> None:
    first = tile(0, 0, 100.0)
    first[0][5, 15] = np.nan
    before = first[0].copy()
    (array, _), log = join(first, tile(10, 0, 140.0))
    assert array[5, 15] == 140
    assert array[6, 15] == 100
    assert np.array_equal(first[0], before, equal_nan=True)
    assert "相差中位数 40 m" in reasons(log)


def test_a_tile_given_twice() -> None:
    (array, _), log = join(tile(0, 0, 1.0), tile(20, 0, 1.0), tile(0, 0, 1.0))
    assert array.shape == (20, 40)
    assert "第 3 个栅格与第 1 个完全相同" in reasons(log)


def test_tiles_of_another_pixel_size_crs_or_offset_are_resampled() -> None:
    (array, box), log = join(tile(0, 0, 50.0), tile(20, 0, 50.0, size=40, pixel=5.0), tile(0, 20, 50.0, shift=3.0))
    assert box.affine.a == 10
    assert array.shape == (40, 41) or array.shape == (40, 40)
    assert (array[:20, :40] == 50).all()
    assert "像元大小不同，已按平均重采样" in reasons(log)
    assert "像元位置不同，已双线性重采样" in reasons(log)
    lon, lat = crs_module.transform_points(EAST + 200, NORTH, EPSG, 4326)
    degrees = GeoBox((30, 30), Affine(1e-4, 0, float(lon), 0, -1e-4, float(lat)), "EPSG:4490")
    (array, box), log = join(tile(0, 0, 50.0), (np.full((30, 30), 50.0, np.float32), degrees))
    assert box.crs.epsg == EPSG
    assert np.nanmin(array) == pytest.approx(50)
    assert "坐标系不同" in reasons(log)


def test_classes_are_joined_by_the_nearest_and_people_not_at_all() -> None:
    codes = np.where(np.arange(40) % 2, 3.0, 9.0)
    (array, _), _ = join(tile(0, 0, 3.0), tile(20, 0, codes, size=40, pixel=5.0), layer="clutter")
    assert set(np.unique(array[np.isfinite(array)])) <= {3.0, 9.0}
    found, log = join(tile(0, 0, 3.0), tile(20, 0, 1.0, size=40, pixel=5.0), layer="population")
    assert found is None
    assert "改变人数" in reasons(log)


def test_a_tile_in_feet_is_found_by_its_neighbour() -> None:
    ground = hills(20, 20)
    found, log = join(tile(0, 0, ground), tile(0, 0, ground / 0.3048))
    assert found is None
    assert "第 2 个栅格像是英尺" in reasons(log)
    assert "unit" in log.problems[0].remedy
    found, log = join(tile(0, 0, ground / 0.3048), tile(0, 0, ground))
    assert "前面的栅格像是英尺" in reasons(log)
    assert join(tile(0, 0, ground), tile(0, 0, ground + 1))[0] is not None


def test_tiles_too_far_apart(tmp_path: Path) -> None:
    found, log = join(tile(0, 0, 1.0), tile(int(MAX_PX**0.5), int(MAX_PX**0.5), 1.0))
    assert found is None
    assert "太大" in reasons(log)


# voids

def test_voids_are_filled_near_known_heights_only() -> None:
    x = np.mgrid[:200, :200][1]
    plane = (100 + x * 0.5).astype(np.float32)
    holed = plane.copy()
    holed[50:60, 50:60] = np.nan
    holed[:, 120:] = np.nan
    before = holed.copy()
    log = FileLog("ground", "dem.tif", InputLedger())
    filled, mask = fill_voids(holed, GeoBox(plane.shape, PLACE, f"EPSG:{EPSG}"), log)
    assert np.array_equal(holed, before, equal_nan=True)
    assert mask[50:60, 50:60].all()
    assert mask[:, 120:170].all()
    assert np.isnan(filled[:, 171:]).all()
    assert not mask[~np.isnan(holed)].any()
    assert np.array_equal(np.isnan(filled), np.isnan(holed) & ~mask)
    assert filled[50:60, 50:60] == pytest.approx(plane[50:60, 50:60], abs=1.5)
    (line,) = log.ledger
    assert str(int(mask.sum())) in line.reason
    nothing = FileLog("ground", "dem.tif", InputLedger())
    assert not fill_voids(plane, GeoBox(plane.shape, PLACE, f"EPSG:{EPSG}"), nothing)[1].any()
    assert not len(nothing.ledger)


# files beside the project

@pytest.mark.shared
@needs_bad
@pytest.mark.parametrize(("path", "layer", "source", "words"), [
    ("generated/dem_no_crs_no_nodata.tif", "ground", {}, "没有坐标"),
    ("rasterio/corrupt.tif", "ground", {}, "彩色图片"),
    ("rasterio/float_nan.tif", "ground", {}, "没有坐标系"),
    ("rasterio/float_nan.tif", "ground", {"crs": "EPSG:4547"}, "与坐标数值不符"),
    ("rasterio/float_raster_with_extra_nodata.tif", "heights", {}, "基准")])
def test_bad_rasters_that_are_refused(path: str, layer: str, source: dict[str, Any], words: str) -> None:
    assert words in Read(BAD / path, layer, **source).problem()


@pytest.mark.shared
@needs_bad
def test_bad_rasters_that_can_be_read() -> None:
    feet = Read(BAD / "generated" / "dem_feet_4326.tif", unit="ft")
    assert feet.array[feet.array > 0] == pytest.approx(50.0, abs=1e-3)
    assert np.isnan(feet.array).sum() == 4
    assert feet.told("repaired", "2 个像元超出")
    assert feet.told("assumed", "绝对值极大")
    assert np.isfinite(Read(BAD / "rasterio" / "test_esri_wkt.tif").array).all()
    assert Read(BAD / "rasterio" / "byte.tif").told("note", "灰度图")


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.exists(), reason="../shared/data is not here")
def test_real_rasters() -> None:
    """The one pixel of 0 m in Chengdu and the one of 1367 m beside a void in the Alps are found, and no cliff."""
    alps = Read(SHARED / "liechtenstein" / "N47E009.hgt")
    assert np.isnan(alps.array).sum() == 15299 + 1
    assert np.isnan(alps.array[1156, 961])
    assert alps.told("repaired", "1 个孤立像元", "1367 m")
    radio = SHARED / "chengdu" / "radio"
    ground = Read(radio / "altitude_m_5m.tif")
    assert np.isfinite(ground.array).sum() == 4_320_336 - 1
    assert np.nanmin(ground.array) > 400
    assert ground.told("repaired", "1 个孤立像元", "397837.5, 3393757.5", "值 0 m")
    heights = Read(radio / "building_height_m_5m.tif", "heights")
    assert np.nanmax(heights.array) == 480
    assert heights.told("note", "59 个像元超过 300 m")
    assert set(np.unique(Read(radio / "clutter_index_5m.tif", "clutter").array)[:-1]) <= set(range(2, 21))

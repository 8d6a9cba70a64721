"""The study grid."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from siteplan.errors import CrsError, ModelError
from siteplan.grid import inside, pixel_of, pixel_xy, rasterize, resample, sample, study_geobox, tiles

CRS = "EPSG:4547"


@given(st.floats(4e5, 6e5), st.floats(2e6, 3e6), st.floats(1, 5000), st.floats(1, 5000),
       st.sampled_from([5.0, 10.0, 30.0]))
def test_grid_holds_its_bounds_and_snaps(left, bottom, width, height, resolution):
    box = study_geobox((left, bottom, left + width, bottom + height), CRS, resolution)
    got = box.boundingbox
    assert got.left <= left < got.left + resolution
    assert got.bottom <= bottom
    assert got.top >= bottom + height > got.top - resolution - 1e-6
    assert got.left % resolution == 0
    assert got.top % resolution == 0
    assert box.affine.e == -resolution


def test_degrees_and_empty_bounds_are_refused():
    with pytest.raises(CrsError):
        study_geobox((113.0, 22.0, 114.0, 23.0), "EPSG:4490", 10.0)
    with pytest.raises(ModelError):
        study_geobox((0.0, 0.0, 0.0, 5.0), CRS, 10.0)


def test_points_and_pixels_go_there_and_back():
    box = study_geobox((500000, 2500000, 500200, 2500100), CRS, 10.0)
    rows, cols = np.mgrid[-1:12, -2:22]
    back = pixel_of(box, *pixel_xy(box, rows, cols))
    np.testing.assert_array_equal(back, [rows, cols])
    assert inside(box, rows, cols).sum() == 10 * 20
    x, y = pixel_xy(box, 0, 0)
    assert (x, y) == (500005.0, 2500095.0)


def test_sample_is_nan_outside():
    box = study_geobox((0, 0, 30, 20), CRS, 10.0)
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    got = sample(array, box, [5, 25, 35], [15, 5, 5])
    np.testing.assert_array_equal(got, [0.0, 5.0, np.nan])
    with pytest.raises(ModelError):
        sample(array.T, box, 5, 5)


def test_rasterize_gives_holes_parts_and_heights_of_corners_their_due():
    from rasterio.features import rasterize as burn

    box = study_geobox((0, 0, 400, 300), CRS, 10.0)
    points = np.random.default_rng(4).uniform((0, 0), (400, 300), (60, 2))
    shapes = [shapely.buffer(shapely.Point(xy), 5.0 + number) for number, xy in enumerate(points)]
    shapes[7] = shapes[59].difference(shapely.buffer(shapely.Point(points[59]), 30.0))
    shapes[8] = shapely.MultiPolygon([shapes[8], shapes[40]])
    shapes[9] = shapely.force_3d(shapes[30], 12.0)
    shapes[10] = shapely.LineString(points[:5])
    for number, shape in enumerate(shapes):
        alone = burn([(shape, 1.0)], out_shape=tuple(box.shape), transform=box.affine, fill=np.nan, dtype="float32")
        np.testing.assert_array_equal(rasterize([shape], 1.0, box, "last"), alone, str(number))
    every = [rasterize([shape], 1.0 + number, box, "last") for number, shape in enumerate(shapes)]
    np.testing.assert_array_equal(rasterize(shapes, 1.0 + np.arange(60), box, "sum"),
                                  np.where(np.isnan(every).all(axis=0), np.nan, np.nansum(every, axis=0)))


def test_rasterize_takes_centres_and_keeps_small_buildings():
    box = study_geobox((0, 0, 40, 40), CRS, 10.0)
    big, low, tiny = shapely.box(0, 0, 24, 24), shapely.box(10, 10, 30, 30), shapely.box(31, 31, 33, 33)
    got = rasterize([big, low, tiny, None, shapely.Polygon()], [9.0, 5.0, 3.0, 1.0, 1.0], box, "max")
    nan = np.nan
    want = [[nan, nan, nan, 3], [nan, 5, 5, nan], [9, 9, 5, nan], [9, 9, nan, nan]]
    np.testing.assert_array_equal(got, want)
    last = rasterize([big, low, tiny], [9.0, 5.0, 3.0], box, "last")
    assert last[2, 1] == 5.0
    assert np.isnan(last[0, 3])
    total = rasterize([big, low], [9.0, 5.0], box, "sum")
    assert total[2, 1] == 14.0
    assert np.isnan(rasterize([], 1.0, box)).all()
    with pytest.raises(ModelError):
        rasterize([big], 1.0, box, "min")


@pytest.mark.parametrize("method", ["bilinear", "max", "average", "nearest"])
def test_resample_keeps_no_data(method):
    fine = study_geobox((0, 0, 80, 80), CRS, 10.0)
    coarse = study_geobox((0, 0, 120, 80), CRS, 20.0)
    array = np.full((8, 8), 4.0, np.float32)
    array[:2, :2] = np.nan
    array[4, 4] = 10.0
    got = resample(array, fine, coarse, method)
    assert np.isnan(got[0, 0])
    assert np.isnan(got[:, 5]).all()
    assert got[1, 1] == 4.0
    assert got[2, 2] == {"max": 10.0, "average": 5.5}.get(method, got[2, 2])
    assert np.isnan(array[0, 0])
    with pytest.raises(ModelError):
        resample(array, fine, coarse, "cubic")


def test_tiles_cover_the_grid_once():
    box = study_geobox((0, 0, 500, 300), CRS, 10.0)
    seen = np.zeros(box.shape, int)
    for tile in tiles(box, 16, 3):
        seen[tile.own] += 1
        assert tile.halo[0].start == max(tile.own[0].start - 3, 0)
        assert tile.halo[1].stop == min(tile.own[1].stop + 3, 50)
        assert tuple(tile.geobox.shape) == seen[tile.own].shape
    assert (seen == 1).all()
    with pytest.raises(ModelError):
        list(tiles(box, 0))

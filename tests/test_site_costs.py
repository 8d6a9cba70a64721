"""Costs of candidates worked out by hand, and the distances to power and fibre that they rest on."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from conftest import CRS, X0, Y0, at, rect, table
from hypothesis import given
from hypothesis import strategies as st

from siteplan.candidates import CandidateContext
from siteplan.candidates.context import load_mounts
from siteplan.candidates.table import sites_table
from siteplan.candidates.traits.costs import cost_model_named, cost_models_of, line_yuan, with_costs
from siteplan.candidates.traits.distances import nearest_feature_m, with_distances, with_power_on_poles
from siteplan.coverage import load_equipment
from siteplan.errors import ModelError
from siteplan.params import LAYER_NAMES, RASTER_LAYERS, CandidateParams
from siteplan.study._site_tables import site_table_problems
from siteplan.surface import Surface
from siteplan.tables import read_table
from siteplan.venues import load_venues

KEYS = ["free_public", "public_pole", "public_other", "existing_mast", "commercial_roof", "industrial_roof",
        "housing_roof", "open_land"]
ENERGY = {"macro": 1.25 * 8760 * 0.75, "micro": 0.175 * 8760 * 0.75}
"""Electricity per year, yuan: 8212.5 and 1149.75."""


def context(flat: Surface, params: CandidateParams | None = None, **layers) -> CandidateContext:
    tables = {name: table(name, layers.get(name, {})) for name in LAYER_NAMES if name not in RASTER_LAYERS}
    return CandidateContext(tables, tables["boundary"], flat, np.zeros(flat.geobox.shape, bool), load_venues(),
                            load_equipment(), params or CandidateParams())


def sites_of(*rows: dict) -> gpd.GeoDataFrame:
    usual = {"kind": "macro", "source": "facility", "mount": "roof_pole", "cost_model": "free_public"}
    frame = pd.DataFrame([{**usual, **row} for row in rows])
    frame.index = pd.Index([f"X{number}" for number in range(len(rows))], dtype="str")
    place = frame.pop("geometry") if "geometry" in frame else [at(0, 0)] * len(rows)
    return sites_table(frame, gpd.GeoSeries(list(place), crs=CRS))


def test_a_roof_of_a_free_venue_a_lamp_pole_and_a_shop_by_hand(flat: Surface) -> None:
    sites = sites_of({"must_be_free": True}, {"kind": "micro", "mount": "pole", "cost_model": "public_pole"},
                     {"cost_model": "commercial_roof", "fibre_m": 600.0, "power_m": 150.0})
    got = with_costs(sites, context(flat))
    assert got["capex_yuan"].tolist() == [
        250_000 + 30_000 + 5_000, 40_000 + 8_000 + 2_000,
        250_000 + 30_000 + 20_000 + (600 - 100) * 30 + (150 - 100) * 100]
    assert got["yearly_yuan"].tolist() == [
        round(ENERGY["macro"]), round(ENERGY["micro"]), round(15_000 + ENERGY["macro"])]
    np.testing.assert_allclose(got["cost_yuan"], got["capex_yuan"] + 5 * got["yearly_yuan"], atol=3)
    assert (sites["capex_yuan"] == 0.0).all()
    for years in (0.0, 10.0):
        other = with_costs(sites, context(flat, CandidateParams(cost_years=years)))
        np.testing.assert_allclose(other["cost_yuan"], got["capex_yuan"] + years * got["yearly_yuan"], atol=6)


def test_a_venue_that_must_be_free_pays_no_rent_but_electricity(flat: Surface) -> None:
    rows = [{"cost_model": key, "must_be_free": free} for key in KEYS for free in (True, False)]
    got = with_costs(sites_of(*rows), context(flat))["yearly_yuan"].to_numpy().reshape(-1, 2)
    assert (got[:, 0] == round(ENERGY["macro"])).all()
    rents = {key: model.rent_yuan_per_year for key, model in cost_models_of({}).items()}
    np.testing.assert_allclose(got[:, 1] - got[:, 0], [rents[key] for key in KEYS], atol=1)
    assert [key for key in KEYS if rents[key] == 0.0] == ["free_public", "public_pole"]


def test_the_models_have_their_keys_and_say_that_they_are_not_verified() -> None:
    assert list(cost_models_of({})) == KEYS
    data = read_table("costs")
    assert "unverified" in data["source"]
    assert all(entry["source"] for entry in data["costs"].values())
    private = [cost_models_of({})[key].rent_yuan_per_year for key in ("industrial_roof", "commercial_roof",
                                                                      "housing_roof")]
    assert private == sorted(private)
    assert private[0] > cost_models_of({})["public_other"].rent_yuan_per_year


def test_a_mast_that_stands_is_not_built_again(flat: Surface) -> None:
    sites = sites_of({"mount": "ground_tower", "cost_model": "existing_mast"},
                     {"mount": "ground_tower", "cost_model": "open_land"})
    got = with_costs(sites, context(flat))["capex_yuan"].tolist()
    assert got == [250_000 + load_mounts()["mast"].cost_yuan + 5_000, 250_000 + 260_000 + 40_000]


def test_unknown_distances_cost_nothing_and_far_ones_are_capped(flat: Surface) -> None:
    sites = sites_of({}, {"power_m": 0.0, "fibre_m": 100.0}, {"power_m": 101.0}, {"fibre_m": 2000.0}, {"fibre_m": 1e6})
    got = with_costs(sites, context(flat))["capex_yuan"]
    assert (got - got.iloc[0]).tolist() == [0, 0, 100, 57_000, 57_000]
    assert got.notna().all()


def test_line_costs_nothing_when_all_of_it_is_included() -> None:
    assert line_yuan(np.array([500.0]), np.array([30.0]), np.array([100.0]), np.array([50.0])).tolist() == [0.0]


def test_existing_sites_cost_nothing_and_need_no_model(flat: Surface) -> None:
    sites = sites_of({"status": "existing", "cost_model": "", "kind": "indoor"}, {"status": "refused"})
    got = with_costs(sites, context(flat))
    assert got["cost_yuan"].iloc[0] == 0.0
    assert got["cost_yuan"].iloc[1] > 250_000
    assert with_costs(sites.iloc[:0], context(flat)).empty


@pytest.mark.parametrize(("row", "word"), [
    ({"cost_model": "gratis"}, "'gratis'"), ({"cost_model": ""}, "X0"), ({"mount": "balloon"}, "'balloon'"),
    ({"kind": "nano"}, "'nano'")])
def test_what_is_unknown_is_named(flat: Surface, row: dict, word: str) -> None:
    with pytest.raises(ModelError, match=word):
        with_costs(sites_of(row), context(flat))


def test_a_study_changes_single_keys_and_adds_models(flat: Surface) -> None:
    costs = {"commercial_roof": {"rent_yuan_per_year": 40_000},
             "temple": {"like": "commercial_roof", "zh": "寺庙", "fixed_yuan": 0, "macro_w": 0}}
    sites = sites_of({"cost_model": "commercial_roof"}, {"cost_model": "temple"})
    got = with_costs(sites, context(flat, CandidateParams(costs=costs)))
    assert got["yearly_yuan"].tolist() == [round(40_000 + ENERGY["macro"]), 40_000]
    assert got["capex_yuan"].diff().iloc[1] == -20_000
    with pytest.raises(ModelError, match="nothing"):
        cost_model_named("nothing", costs)
    with pytest.raises(ModelError, match="balloon"):
        with_costs(sites, context(flat, CandidateParams(costs={
            "temple": {"like": "open_land", "civil_mount": "balloon"}})))


def test_faults_of_cost_models_in_a_study_file_are_told() -> None:
    raw = {"candidates": {"costs": {
        "open_land": {"fixed_yuan": -1}, "a": {"like": "free_publik"}, "b": {"zh": "甲", "fixed_yuan": 5},
        "c": {"like": "free_public", "rent": 0}, "d": {"like": "free_public", "civil_mount": "masst"},
        "good": {"like": "free_public", "civil_mount": "mast"}}}}
    told = {problem.field: problem.reason + problem.remedy for problem in site_table_problems(raw, "study.toml")}
    assert "不得小于 0" in told["candidates.costs.open_land.fixed_yuan"]
    assert "free_public" in told["candidates.costs.a.like"]
    assert "缺少" in told["candidates.costs.b.rent_yuan_per_year"]
    assert "没有这个键" in told["candidates.costs.c.rent"]
    assert "mast" in told["candidates.costs.d.civil_mount"]
    assert len(told) == 5


# ---------------------------------------------------------------- distances

def shapes_of(rng: np.random.Generator, count: int) -> list[shapely.Geometry]:
    """Points, lines, polygons and collections of them, now and then nothing."""
    made: list[shapely.Geometry] = []
    for _ in range(count):
        xy = rng.uniform(0.0, 1000.0, (rng.integers(2, 9), 2))
        made.append([shapely.Point(xy[0]), shapely.LineString(xy), shapely.box(*xy.min(axis=0), *xy.max(axis=0)),
                     shapely.MultiLineString([xy, xy + 50.0]), shapely.GeometryCollection(
                         [shapely.MultiPoint(xy), shapely.LineString(xy[::-1])]), shapely.Point(), None,
                     shapely.LinearRing(np.vstack([xy, xy.mean(axis=0) + 1.0]))][rng.integers(0, 8)])
    return made


@given(st.integers(0, 2**32 - 1), st.integers(0, 12))
def test_nearest_feature_is_the_least_of_all_distances(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    shapes = shapes_of(rng, count)
    layer = gpd.GeoDataFrame(geometry=gpd.GeoSeries(shapes, crs=CRS))
    points = gpd.GeoSeries.from_xy(*rng.uniform(-200.0, 1200.0, (2, 20)), crs=CRS)
    real = [shape for shape in shapes if shape is not None and not shape.is_empty]
    want = [min((point.distance(shape) for shape in real), default=np.nan) for point in points]
    np.testing.assert_allclose(nearest_feature_m(points, layer), want, atol=1e-6)


def test_missing_points_have_no_distance() -> None:
    layer = gpd.GeoDataFrame(geometry=[at(0, 0)], crs=CRS)
    got = nearest_feature_m(gpd.GeoSeries([at(3, 4), None], crs=CRS), layer)
    np.testing.assert_array_equal(got, [5.0, np.nan])


def test_power_is_on_the_pole_that_has_it(flat: Surface) -> None:
    poles = {"D1": {"geometry": at(0, 0), "has_power": True}, "D2": {"geometry": at(0, 0), "has_power": False},
             "D3": {"geometry": at(0, 0)}}
    power = {"W1": {"geometry": rect(30, 0, 50, 10), "name": "箱变"}}
    cable = {"K1": {"geometry": shapely.LineString([(X0, Y0 + 70), (X0 + 900, Y0 + 70)])}}
    sites = sites_of(*({"source": "pole", "source_id": name, "members": members} for name, members in (
        ("D1", ""), ("D2", ""), ("D3", ""), ("D2", "D2|D1"), ("D2", "D2|D3"))),
        {"source": "facility", "source_id": "D1"})
    full = context(flat, poles=poles, power=power, fibre=cable)
    got = with_distances(sites, full)
    assert len(full.ledger) == 0
    assert got["power_m"].tolist() == [0.0, 30.0, 30.0, 0.0, 30.0, 30.0]
    assert got["fibre_m"].tolist() == [70.0] * 6
    bare = context(flat, poles=poles)
    without = with_distances(sites, bare)
    np.testing.assert_array_equal(without["power_m"], [0.0, np.nan, np.nan, 0.0, np.nan, np.nan])
    assert without["fibre_m"].isna().all()
    assert [(line.layer, line.row) for line in bare.ledger] == [("power", "共 4 行"), ("fibre", "共 6 行")]
    assert sites["power_m"].isna().all()


def test_answers_of_poles_may_be_missing() -> None:
    answers = pd.Series([True, False, pd.NA, None], dtype="object")
    np.testing.assert_array_equal(with_power_on_poles([9.0, 9.0, np.nan, 9.0], answers), [0.0, 9.0, np.nan, 9.0])

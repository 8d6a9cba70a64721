"""The toy town: a flat square kilometre in code, small enough to work its answers out by hand."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, settings
from shapely import box
from shapely.geometry import Point

from siteplan.grid import study_geobox
from siteplan.surface import Surface

CRS = "EPSG:4547"
X0, Y0 = 437_000.0, 2_491_000.0
SIZE_M = 1000.0

settings.register_profile("default", max_examples=20, deadline=None,
                          suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
settings.register_profile("fuzz", max_examples=2000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

SHARED = Path(__file__).parents[2] / "shared"


def at(east: float, north: float) -> Point:
    """A point of the toy town, metres from its south-west corner."""
    return Point(X0 + east, Y0 + north)


def rect(left: float, bottom: float, right: float, top: float) -> Any:
    """A rectangle of the toy town."""
    return box(X0 + left, Y0 + bottom, X0 + right, Y0 + top)


def table(layer: str, rows: Mapping[str, Mapping[str, Any]]) -> gpd.GeoDataFrame:
    """A layer table as reading gives it: every canonical column, index = key."""
    from siteplan.layers.kinds import empty_table

    empty = empty_table(layer, CRS)
    if not rows:
        return empty
    frame = pd.DataFrame.from_dict({key: dict(row) for key, row in rows.items()}, orient="index")
    columns = {}
    for name in empty.columns:
        if name == "geometry":
            continue
        values = frame[name] if name in frame else pd.Series([None] * len(frame), index=frame.index, dtype="object")
        if name in ("source_file", "source_row"):
            values = values.fillna("")
        columns[name] = values.astype(empty[name].dtype)
    index = pd.Index([str(key) for key in frame.index], name=empty.index.name, dtype="str")
    return gpd.GeoDataFrame({name: values.to_numpy() if values.dtype != "str" else values.array
                             for name, values in columns.items()}, geometry=list(frame["geometry"]), crs=CRS,
                            index=index)


@pytest.fixture(scope="session")
def flat() -> Surface:
    """100 x 100 pixels of 10 m, ground at 20 m, nothing built (but building heights are known)."""
    grid = study_geobox((X0, Y0, X0 + SIZE_M, Y0 + SIZE_M), CRS, 10.0)
    ground = np.full(grid.shape, 20.0, np.float32)
    return Surface(grid, ground, np.zeros(grid.shape, np.float32), np.ones(grid.shape, bool), True)


@pytest.fixture
def shared() -> Callable[[str], Path]:
    """Path below ../shared; skips the test, saying so, where it is absent."""

    def find(name: str) -> Path:
        path = SHARED / name
        if not path.exists():
            pytest.skip(f"../shared/{name} is absent")
        return path

    return find


@pytest.fixture(params=["gpkg", "postgis"])
def register_place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Where a test may make a register: once as a GeoPackage, once as a schema of PostGIS."""
    from tests.registers import place, server_address

    if request.param == "postgis" and server_address() is None:
        pytest.skip("no PostGIS server to be had (make postgis, or SITEPLAN_TEST_POSTGIS)")
    with place(request.param, tmp_path) as where:
        yield where


@pytest.fixture
def register(register_place: str) -> Any:
    """A register with organisations and nothing else, in each store."""
    from tests.registers import toy_register

    return toy_register(register_place)


@pytest.fixture(scope="session")
def sample_run_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """File with the plan of the sample city: run once for all workers."""
    from tests.sample_run import folder_of_all_workers, sample_run_file

    return sample_run_file(folder_of_all_workers(tmp_path_factory))


@pytest.fixture(scope="module")
def sample_run(sample_run_path: Path) -> Any:
    """The plan of the sample city, its study and layers; nobody changes them."""
    from tests.sample_run import read_sample_run

    return read_sample_run(sample_run_path)


@pytest.fixture(scope="session")
def report_register(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The register of the tests of reports; nobody writes to it."""
    from report_city import report_city

    return report_city(tmp_path_factory.mktemp("report_city") / "register.gpkg")


@pytest.fixture(scope="session")
def june_pack(report_register: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Its pack of 2026-06-30: written once for all tests of reports, changed by none."""
    import datetime as dt

    from siteplan.report import write_report

    return write_report(report_register, dt.date(2026, 6, 30), tmp_path_factory.mktemp("june"))

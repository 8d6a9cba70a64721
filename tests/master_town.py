"""A study of the toy town with every layer that the master layers tell of, run once per test file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from conftest import SIZE_M, X0, at, rect
from shapely import LineString
from test_minimal_studies import ground, poles, rows, shapes, stations, study, villages, zones

from siteplan.plan import Plan
from siteplan.study import run

RARE = "䶮𬭎㙍村"
FORMULA = "=1+1\"</script>"


def study_layers(folder: Path, *, units: bool = True, secret: str = "") -> dict[str, Any]:
    """Layers of the town: west and east half are counties, villages and units; a weak station in the west."""
    halves = [rect(0, 0, 500, SIZE_M), rect(500, 0, SIZE_M, SIZE_M)]
    layers = {**ground(folder), **villages(folder), **zones(folder), **poles(folder),
              **stations(folder, {"x": X0 + 50.0, "参考信号功率": 0.0})}
    shapes(folder / "counties.gpkg", halves, county_code=["449901", None], name=["西县", "东县"])
    shapes(folder / "towns.gpkg", [rect(0, 0, SIZE_M, SIZE_M)], town_code=["449901100"], name=[RARE])
    shapes(folder / "parcels.gpkg", [rect(0, 0, 400, 400)], parcel_code=["P-1"], land_use_code=["0701/1403"])
    shapes(folder / "roads.gpkg", [LineString([at(0, 500), at(SIZE_M, 500)])], road_id=["R1"], name=[FORMULA],
           road_class=["main"])
    shapes(folder / "works.gpkg", [LineString([at(0, 900), at(900, 900)])], work_id=["W1"], name=["大道改造"],
           kind=["道路"], start_date=["2026-03-01"])
    shapes(folder / "planned.gpkg", [rect(600, 600, 640, 640), rect(600, 800, 640, 840)], project_id=["N1", "N2"],
           name=["新商场", "保密楼"], use=["商业", "办公"], floor_area_m2=[30_000.0, 12_000.0], storeys=[5.0, 6.0],
           completed_on=["2025-06-01", "2025-07-01"], filing=["已备案", "未备案"])
    layers |= {"counties": "counties.gpkg", "towns": "towns.gpkg", "parcels": "parcels.gpkg", "roads": "roads.gpkg",
               "works": "works.gpkg", "planned_buildings": "planned.gpkg"}
    if units:
        shapes(folder / "units.gpkg", [*halves, rect(2000, 2000, 2100, 2100)], unit_code=["U-W", "U-E", "U-X"],
               name=["西单元", None, "界外"])
        layers["units"] = "units.gpkg"
    if secret:
        rows(folder / "secrecy.csv", {"名称": secret})
        layers["secrecy"] = "secrecy.csv"
    return layers


def town_plan(folder: Path, *, units: bool = True, secret: str = "", **tables: Any) -> Plan:
    """The plan of the town: lamp poles are chosen without asking what they bring."""
    wanted = {"min_gain": 0.0, "max_yuan_per_gain": 1e8, **tables.pop("selection", {})}
    return run(study(folder, study_layers(folder, units=units, secret=secret), selection=wanted, **tables))

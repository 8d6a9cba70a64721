"""Studies with almost nothing, or with one thing wrong: the job ends well and says what it did.

Each study is a square kilometre of 10 m pixels (10 000 of them) written to files; its answers are worked out by hand.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import openpyxl
import pandas as pd
import pytest
import rasterio
from conftest import CRS, SIZE_M, X0, Y0, at, rect
from rasterio.transform import from_origin

from siteplan.errors import ExportError, LayerError, ModelError, StudyError
from siteplan.export import write_plan
from siteplan.export._plan import FILES
from siteplan.maps import write_review_map
from siteplan.plan import Plan
from siteplan.study import Study, read_layers, run

WHOLE = rect(0, 0, SIZE_M, SIZE_M)
KM2 = SIZE_M * SIZE_M
MARGIN_M = 200.0
STATION = {"小区号": "A-1", "站号": "A", "运营商": "移动", "制式": "5G", "频段": "n41", "挂高": 25.0, "参考信号功率": 35.0,
           "站型": "宏站", "x": X0 + 500.0, "y": Y0 + 500.0}


def raster(path: Path, value: float = 20.0, pixel: float = 20.0, margin: float = 400.0) -> None:
    size = round((SIZE_M + 2 * margin) / pixel)
    with rasterio.open(path, "w", driver="GTiff", width=size, height=size, count=1, dtype="float32", crs=CRS,
                       transform=from_origin(X0 - margin, Y0 + SIZE_M + margin, pixel, pixel)) as target:
        target.write(np.full((size, size), value, np.float32), 1)


def shapes(path: Path, geometry: list[Any], **columns: list[Any]) -> None:
    gpd.GeoDataFrame(columns, geometry=geometry, crs=CRS).to_file(path, driver="GPKG")


def rows(path: Path, *records: Mapping[str, Any]) -> None:
    pd.DataFrame(list(records)).to_csv(path, index=False, encoding="utf-8-sig")


def zones(folder: Path) -> dict[str, Any]:
    shapes(folder / "zones.gpkg", [WHOLE], 编号=["Z1"], 名称=["中心区"])
    return {"zones": "zones.gpkg"}


def villages(folder: Path) -> dict[str, Any]:
    """West and east half."""
    shapes(folder / "villages.gpkg", [rect(0, 0, 500, 1000), rect(500, 0, 1000, 1000)],
           村代码=["449901", "449902"], 村名=["西村", "东村"])
    return {"villages": "villages.gpkg"}


def ground(folder: Path) -> dict[str, Any]:
    raster(folder / "dem.tif")
    return {"ground": "dem.tif"}


def stations(folder: Path, *changes: Mapping[str, Any]) -> dict[str, Any]:
    rows(folder / "stations.csv", *({**STATION, **change} for change in changes or ({},)))
    return {"stations": {"path": "stations.csv", "crs": CRS}}


def poles(folder: Path) -> dict[str, Any]:
    """Four lamp poles in the middle of the quarters."""
    rows(folder / "poles.csv", *({"杆号": f"D{x}-{y}", "杆高": 10, "x": X0 + x, "y": Y0 + y}
                                 for x in (255, 755) for y in (255, 755)))
    return {"poles": {"path": "poles.csv", "crs": CRS}}


def study(folder: Path, layers: Mapping[str, Any], **tables: Mapping[str, Any]) -> Study:
    """Write a study file and open it."""
    everything: dict[str, Any] = {
        "study": {"name": "最小研究", "crs": CRS, "margin_m": MARGIN_M, **tables.pop("study", {})},
        "coverage": {"max_range_m": 1500.0, **tables.pop("coverage", {})}, **tables}
    for name, source in layers.items():
        everything[f"layers.{name}"] = {"path": source} if isinstance(source, str) else source
    lines = []
    for name, entries in everything.items():
        lines += [f"[{name}]", *(f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in entries.items())]
    file = folder / "study.toml"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return Study.from_toml(file)


@dataclass(frozen=True)
class Done:
    """A finished run and its folder."""

    plan: Plan
    facts: dict[str, Any]
    out: Path

    def csv(self, name: str) -> pd.DataFrame:
        return pd.read_csv(self.out / name, encoding="utf-8-sig", dtype={"village_code": "str", "zone_id": "str"},
                           keep_default_na=False)

    def lines(self, layer: str, action: str | None = None) -> list[str]:
        return [f"{line.field} {line.reason}" for line in self.plan.ledger
                if line.layer == layer and action in (None, line.action)]


def refuse_nan(word: str) -> float:
    raise AssertionError(f"{word} in plan.json")


def no_nan(value: Any, where: str = "plan.json") -> None:
    if isinstance(value, dict):
        for key, entry in value.items():
            no_nan(entry, f"{where}.{key}")
    elif isinstance(value, list):
        for number, entry in enumerate(value):
            no_nan(entry, f"{where}[{number}]")
    elif isinstance(value, float):
        assert math.isfinite(value), where


def finish(opened: Study, out: Path) -> Done:
    """Run a study, write everything, and check what holds for every plan."""
    plan = run(opened)
    write_plan(plan, out, extra=(("review_map.html", write_review_map),))
    facts = json.loads((out / "plan.json").read_text(encoding="utf-8"), parse_constant=refuse_nan)
    no_nan(facts)
    written = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    assert {name for name, _ in FILES} <= written
    assert not [name for name in written if name.startswith(".")]
    page = (out / "review_map.html").read_text(encoding="utf-8")
    assert page.lstrip().lower().startswith("<!doctype html>")
    assert page.rstrip().endswith("</html>")
    for state in ("before", "after"):
        said = facts["indicators"][state]
        for share in ("area_share", "demand_share"):
            assert said[share] is None or 0.0 <= said[share] <= 1.0
        for name in ("villages", "zones"):
            counts = said[name]
            assert counts["passed"] + counts["failed"] + counts["not_assessable"] == counts["total"]
            assert counts["rate"] == (counts["passed"] / counts["total"] if counts["total"] else None)
    assert len(gpd.read_file(out / "sites.gpkg", layer="sites")) == len(facts["sites"])
    assert len(gpd.read_file(out / "shp" / "sites.shp")) == len(facts["sites"])
    assert len(gpd.read_file(out / "candidates.gpkg", layer="sites")) == len(plan.sites)
    book = openpyxl.load_workbook(out / "ledger.xlsx", read_only=True)
    assert {"开放台账", "部门汇总", "数据问题清单", "输入文件"} <= set(book.sheetnames)
    return Done(plan, facts, out)


def nothing_proposed(done: Done) -> None:
    assert done.facts["sites"] == []
    assert done.facts["bound"]["covered"] == 0
    assert done.facts["bound"]["optimality_gap"] == 0
    assert done.facts["indicators"]["after"]["sites"]["proposed"] == 0
    assert done.facts["indicators"]["after"]["sites"]["proposed_cost_yuan"] == 0
    before, after = done.facts["indicators"]["before"], dict(done.facts["indicators"]["after"])
    del after["sites"]
    assert before == after


def test_ground_and_zones_alone(tmp_path: Path) -> None:
    """No station: nothing is covered, the whole zone is one gap, and there is no place for a site."""
    done = finish(study(tmp_path, {**ground(tmp_path), **zones(tmp_path)}), tmp_path / "out")
    nothing_proposed(done)
    said = done.facts["indicators"]["before"]
    assert said["area_share"] == 0.0
    assert said["demand_share"] == 0.0
    assert said["zones"]["failed"] == said["zones"]["total"] == 1
    assert said["villages"]["total"] == 0
    assert said["gap_count"] == 1
    assert said["gap_area_m2"] == pytest.approx(KM2)
    assert done.facts["study"]["demand_kind"] == "area_m2"
    assert done.facts["study"]["demand_total"] == pytest.approx(KM2)
    # 100 people per km2 of empty land, doubled inside a key zone
    assert done.facts["bound"]["total_weight"] == pytest.approx(200.0)
    zone, = done.csv("zones.csv").to_dict("records")
    assert zone["zone_id"] == "Z1"
    assert zone["verdict_before"] == zone["verdict_after"] == "fail"
    assert float(zone["shortfall_before"]) == pytest.approx(0.95)
    assert float(zone["known_share_before"]) == 1.0
    assert done.csv("villages.csv").empty
    assert done.plan.before.geobox.shape == (140, 140)
    assert any("并集" in line for line in done.lines("boundary", "assumed"))


def test_heights_and_villages_without_anything_to_stand_on(tmp_path: Path) -> None:
    raster(tmp_path / "heights.tif", 0.0)
    done = finish(study(tmp_path, {"heights": "heights.tif", **villages(tmp_path)}), tmp_path / "out")
    nothing_proposed(done)
    assert done.facts["bound"]["candidates"] == 0
    assert done.facts["bound"]["total_weight"] == pytest.approx(100.0)
    table = done.csv("villages.csv").set_index("village_code")
    assert table.index.tolist() == ["449901", "449902"]
    assert (table["verdict_before"] == "fail").all()
    assert (table["area_m2"] == KM2 / 2).all()
    assert table["reason_after"].str.contains("低于95%").all()
    assert any("平地" in line for line in done.lines("ground", "assumed"))
    assert len(done.plan.sites) == 0


def test_stations_but_no_buildings(tmp_path: Path) -> None:
    """A strong 25 m macro mast in the middle of a flat square kilometre covers it."""
    done = finish(study(tmp_path, {**ground(tmp_path), **villages(tmp_path), **stations(tmp_path)}), tmp_path / "out")
    nothing_proposed(done)
    said = done.facts["indicators"]["before"]
    assert said["area_share"] > 0.95
    assert said["demand_share"] == pytest.approx(said["area_share"])
    assert said["villages"]["passed"] == said["villages"]["total"] == 2
    assert list(said["networks"]) == ["移动 5G"]
    assert said["networks"]["移动 5G"]["area_share"] == pytest.approx(said["area_share"])
    assert done.facts["indicators"]["after"]["sites"]["existing"] == 1
    assert any("视距概率" in line for line in done.lines("buildings", "assumed"))
    shares = done.csv("villages.csv")["area_share_before"].astype(float)
    assert shares[0] == pytest.approx(shares[1], abs=0.02)  # an omni mast on the border: both halves alike
    assert said["area_share"] == pytest.approx(shares.mean(), abs=1e-6)


def test_villages_without_points_are_not_assessable(tmp_path: Path) -> None:
    """Even where everything is covered: without points the rule has nothing to judge."""
    layers = {**ground(tmp_path), **villages(tmp_path), **stations(tmp_path)}
    done = finish(study(tmp_path, layers, gaps={"village_rule": "village_miit_2025"}), tmp_path / "out")
    said = done.facts["indicators"]["after"]["villages"]
    assert (said["not_assessable"], said["total"], said["rate"]) == (2, 2, 0.0)
    table = done.csv("villages.csv")
    assert (table["verdict_after"] == "not_assessable").all()
    assert table["reason_after"].str.contains("村委会、学校、卫生室缺点位数据").all()
    assert (table["shortfall_after"] == "").all()


def break_optional_layers(folder: Path) -> dict[str, Any]:
    """Six optional layers, each broken in its own way."""
    (folder / "buildings.gpkg").write_bytes(b"not a geopackage at all" * 50)
    (folder / "facilities.csv").write_bytes(bytes(range(256)) * 20)
    (folder / "people.xlsx").write_bytes(b"PK\x03\x04 broken")
    rows(folder / "poles.csv", {"杆号": "D1", "杆高": 8})
    (folder / "towns.geojson").write_text('{"type": "FeatureCollection", "features": [', encoding="utf-8")
    rows(folder / "village_points.csv", {"编号": "1", "村代码": "449901", "类型": "码头", "经度": 500, "纬度": 900})
    return {"buildings": "buildings.gpkg", "facilities": "facilities.csv",
            "poles": "poles.csv", "population": "people.xlsx", "towns": "towns.geojson",
            "village_points": "village_points.csv"}


def test_broken_optional_layers_are_left_out_and_told(tmp_path: Path) -> None:
    broken = break_optional_layers(tmp_path)
    done = finish(study(tmp_path, {**ground(tmp_path), **villages(tmp_path), **broken}), tmp_path / "out")
    nothing_proposed(done)
    assert {layer: bool(done.lines(layer, "refused")) for layer in broken} == dict.fromkeys(broken, True)
    for line in done.plan.ledger:
        if line.action == "refused":
            assert line.remedy, line
            assert "Traceback" not in line.reason
    book = openpyxl.load_workbook(done.out / "ledger.xlsx")
    told = {row[0].split()[-1] for row in book["数据问题清单"].iter_rows(values_only=True) if row[5] == "拒收"}
    assert set(broken) <= told


def test_broken_required_layers_are_one_error_with_every_problem(tmp_path: Path) -> None:
    (tmp_path / "dem.tif").write_bytes(b"II*\x00 no raster")
    (tmp_path / "zones.gpkg").write_bytes(b"no geopackage")
    rows(tmp_path / "poles.csv", {"杆号": "D1", "杆高": 8})
    opened = study(tmp_path, {"ground": "dem.tif", "villages": "none.shp", "zones": "zones.gpkg", "poles": "poles.csv"})
    with pytest.raises(LayerError) as caught:
        run(opened)
    problems = {problem.layer: problem for problem in caught.value.problems}
    assert set(problems) == {"ground", "villages", "zones", "poles"}
    assert len(caught.value.problems) == 4
    for layer, file in (("ground", "dem.tif"), ("villages", "none.shp"), ("zones", "zones.gpkg")):
        assert problems[layer].file == file
        assert problems[layer].reason
        assert problems[layer].remedy
    assert "none.shp" in str(caught.value)


def test_required_layer_without_a_usable_row(tmp_path: Path) -> None:
    """Villages that are points are no areas."""
    shapes(tmp_path / "villages.gpkg", [at(500, 500)], 村代码=["1"], 村名=["点村"])
    with pytest.raises(LayerError, match="villages"):
        run(study(tmp_path, {**ground(tmp_path), "villages": "villages.gpkg"}))


def test_a_station_out_of_reach_is_told_and_left_out(tmp_path: Path) -> None:
    away = {"小区号": "B-1", "站号": "B", "x": X0 + 5000.0}
    layers = {**ground(tmp_path), **villages(tmp_path), **stations(tmp_path, {}, away)}
    done = finish(study(tmp_path, layers), tmp_path / "out")
    line, = [line for line in done.plan.ledger if line.layer == "stations" and line.action == "refused"]
    assert line.row == "3"
    assert line.file == "stations.csv"
    assert "范围外" in line.reason
    assert done.plan.before.sector_ids == ("A-1",)
    assert done.facts["indicators"]["before"]["villages"]["passed"] == 2


def test_stations_that_all_lie_elsewhere_stop_the_run(tmp_path: Path) -> None:
    """A layer of stations without one usable station is a mistake of the data, not a city without stations."""
    layers = {**ground(tmp_path), **villages(tmp_path), **stations(tmp_path, {"x": X0 + 50_000.0}), **poles(tmp_path)}
    with pytest.raises(LayerError, match="没有一行可用"):
        run(study(tmp_path, layers))


def test_no_station_is_named(tmp_path: Path) -> None:
    layers = {**ground(tmp_path), **villages(tmp_path), **poles(tmp_path)}
    done = finish(study(tmp_path, layers, selection={"min_gain": 1.0, "max_yuan_per_gain": 1e9}), tmp_path / "out")
    assert done.facts["indicators"]["before"]["area_share"] == 0.0
    assert done.facts["indicators"]["after"]["area_share"] > 0.0
    assert done.facts["sites"]


def test_ground_that_lies_elsewhere_stops_the_run(tmp_path: Path) -> None:
    with rasterio.open(tmp_path / "dem.tif", "w", driver="GTiff", width=50, height=50, count=1, dtype="float32",
                       crs=CRS, transform=from_origin(X0 + 50_000, Y0 + 50_000, 20, 20)) as target:
        target.write(np.full((50, 50), 20.0, np.float32), 1)
    opened = study(tmp_path, {"ground": "dem.tif", **villages(tmp_path), **stations(tmp_path), **poles(tmp_path)})
    with pytest.raises(LayerError, match="没有一个栅格落在研究范围内") as caught:
        read_layers(opened)
    assert {problem.layer for problem in caught.value.problems} == {"ground"}


def test_ground_that_is_nowhere_near_makes_everything_unknown(tmp_path: Path) -> None:
    """No height within 500 m: coverage is no data, and nothing is judged as covered or not."""
    with rasterio.open(tmp_path / "dem.tif", "w", driver="GTiff", width=20, height=20, count=1, dtype="float32",
                       crs=CRS, transform=from_origin(X0 + SIZE_M + 1000, Y0 + 400, 20, 20)) as target:
        target.write(np.full((20, 20), 20.0, np.float32), 1)
    layers = {"ground": "dem.tif", **villages(tmp_path), **stations(tmp_path), **poles(tmp_path)}
    done = finish(study(tmp_path, layers), tmp_path / "out")
    nothing_proposed(done)
    said = done.facts["indicators"]["before"]
    assert said["area_share"] is None
    assert said["demand_share"] is None
    assert said["villages"]["not_assessable"] == 2
    assert said["gap_count"] == 0
    assert any("没有重叠" in line for line in done.lines("ground", "assumed"))
    assert (done.csv("villages.csv")["reason_before"] == "面积覆盖率无数据,无法判定").all()


@pytest.mark.parametrize(("limits", "stopped"), [
    ({"max_sites": 0}, "max_sites"), ({"min_gain": 1e6}, "min_gain"), ({"max_yuan_per_gain": 0.01}, "too_dear")])
def test_limits_that_leave_no_site(tmp_path: Path, limits: dict[str, float], stopped: str) -> None:
    layers = {**ground(tmp_path), **villages(tmp_path), **poles(tmp_path)}
    loose = {"min_gain": 0.0, "max_yuan_per_gain": 1e9}
    done = finish(study(tmp_path, layers, selection={**loose, **limits}), tmp_path / "out")
    nothing_proposed(done)
    assert done.facts["bound"]["upper_bound"] == 0.0  # no choice within these limits serves anything
    assert done.facts["bound"]["stopped"] == stopped
    assert done.facts["bound"]["candidates"] == 4
    assert (done.plan.sites["status"] == "candidate").all()
    assert (done.plan.sites["reason"] != "").all()


@pytest.mark.parametrize("budget_yuan", [0.0, 1000.0])
def test_a_budget_below_the_cheapest_site_is_said(tmp_path: Path, budget_yuan: float) -> None:
    layers = {**ground(tmp_path), **villages(tmp_path), **poles(tmp_path)}
    loose = {"min_gain": 0.0, "max_yuan_per_gain": 1e9}
    with pytest.raises(ModelError, match=rf"投资上限 {budget_yuan:g} 元低于最便宜的候选站址 P-pole:\S+\(\d+ 元\)"):
        finish(study(tmp_path, layers, selection={**loose, "budget_yuan": budget_yuan}), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_village_codes_twice(tmp_path: Path) -> None:
    """Both villages are kept and told apart; the ledger names the new code."""
    shapes(tmp_path / "villages.gpkg", [rect(0, 0, 500, 1000), rect(500, 0, 1000, 1000)],
           村代码=["449901", "449901"], 村名=["西村", "东村"])
    layers = {**ground(tmp_path), "villages": "villages.gpkg", **stations(tmp_path)}
    done = finish(study(tmp_path, layers), tmp_path / "out")
    table = done.csv("villages.csv")
    assert table["village_code"].tolist() == ["449901", "449901-2"]
    assert table["name"].tolist() == ["西村", "东村"]
    assert any("449901-2" in line for line in done.lines("villages", "repaired"))
    assert done.facts["indicators"]["before"]["villages"]["total"] == 2


def test_a_village_next_door_is_context_and_not_counted(tmp_path: Path) -> None:
    """The boundary says what is judged; a village 1 km off it is read as neighbour, and stands in no rate."""
    shapes(tmp_path / "boundary.gpkg", [WHOLE], 名称=["范围"])
    shapes(tmp_path / "villages.gpkg", [WHOLE, rect(2000, 0, 2500, 1000)], 村代码=["1", "2"], 村名=["内村", "外村"])
    layers = {**ground(tmp_path), "boundary": "boundary.gpkg", "villages": "villages.gpkg", **stations(tmp_path)}
    done = finish(study(tmp_path, layers), tmp_path / "out")
    table = done.csv("villages.csv").set_index("village_code")
    assert table["verdict_before"].to_dict() == {"1": "pass"}
    assert done.facts["indicators"]["before"]["villages"]["rate"] == 1.0
    assert any("1" in line and "范围" in line for line in done.lines("villages", "note"))


def test_a_4g_network_alone_is_no_5g_coverage(tmp_path: Path) -> None:
    old = stations(tmp_path, {"制式": "4G", "频段": "B3"})
    layers = {**ground(tmp_path), **villages(tmp_path), **poles(tmp_path), **old}
    done = finish(study(tmp_path, layers, selection={"min_gain": 1.0, "max_yuan_per_gain": 1e9}), tmp_path / "out")
    said = done.facts["indicators"]["before"]
    assert said["area_share"] == 0.0
    assert said["villages"]["failed"] == 2
    assert set(said["networks"]) == {"移动 4G", "新建共享网 5G"}
    assert said["networks"]["新建共享网 5G"]["area_share"] == 0.0
    assert said["networks"]["移动 4G"]["area_share"] > 0.9
    assert done.facts["indicators"]["after"]["area_share"] > 0.5
    reuse = [site for site in done.facts["sites"] if site["build"] == "reuse"]
    assert [site["source_id"] for site in reuse] == ["A"]
    assert set(done.plan.proposed["networks"]) == {"新建共享网"}
    after = done.facts["indicators"]["after"]["networks"]
    assert list(after) == list(said["networks"])
    assert after["移动 4G"] == said["networks"]["移动 4G"]


@pytest.mark.parametrize("serves", [["中国电信"], ["CTCC", "电信"], ["*"]])
def test_new_sites_serve_the_operator_however_it_is_spelled(tmp_path: Path, serves: list[str]) -> None:
    weak = stations(tmp_path, {"运营商": "中国电信", "参考信号功率": -20.0})
    layers = {**ground(tmp_path), **villages(tmp_path), **poles(tmp_path), **weak}
    plan = run(study(tmp_path, layers, candidates={"serves": serves}, selection={"min_gain": 1.0,
                                                                                 "max_yuan_per_gain": 1e9}))
    assert set(plan.proposed["networks"]) == {"电信"}
    assert list(plan.indicators["after"]["networks"]) == list(plan.indicators["before"]["networks"]) == ["电信 5G"]
    assert not any(line.field == "network" for line in plan.ledger)


def test_4g_stands_in_for_5g_only_when_told(tmp_path: Path) -> None:
    layers = {**ground(tmp_path), **villages(tmp_path), **stations(tmp_path, {"制式": "4G", "频段": "B3"})}
    done = finish(study(tmp_path, layers, study={"stand_in_5g": True}), tmp_path / "out")
    assert done.facts["indicators"]["before"]["area_share"] > 0.9
    assert any("4G小区代替5G" in notice for notice in done.facts["study"]["notices"])
    assert any("stand_in_5g" in line for line in done.lines("stations", "assumed"))
    assert "4G小区代替5G" in (done.out / "review_map.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(("tables", "word"), [
    ({"study": {"crs": "EPSG:4490"}}, "投影"), ({"study": {"crs": "EPSG:99999"}}, "99999"),
    ({"gaps": {"village_rule": "area_share_96"}}, "area_share_9")])
def test_settings_that_name_something_unknown(tmp_path: Path, tables: dict[str, Any], word: str) -> None:
    """A siteplan error with the word in it, not a trace."""
    from siteplan.errors import SiteplanError

    layers = {**ground(tmp_path), **villages(tmp_path), **stations(tmp_path), **poles(tmp_path)}
    with pytest.raises(SiteplanError) as caught:
        run(study(tmp_path, layers, **tables))
    assert word in str(caught.value)


def test_a_second_run_gives_the_same_plan(tmp_path: Path) -> None:
    """Every fact but the times; of the whole sample city: make cities."""
    layers = {**ground(tmp_path), **villages(tmp_path), **stations(tmp_path, {"参考信号功率": -20.0}), **poles(tmp_path)}
    opened = study(tmp_path, layers, selection={"min_gain": 1.0, "max_yuan_per_gain": 1e9})
    one, other = (finish(opened, tmp_path / name).facts for name in ("one", "other"))
    assert one["sites"]
    assert {key: facts for key, facts in one.items() if key != "timings"} == {
        key: facts for key, facts in other.items() if key != "timings"}


def test_nothing_is_left_half_written(tmp_path: Path) -> None:
    """A writer that fails leaves the folder as it was."""
    out = tmp_path / "out"
    out.mkdir()
    (out / "plan.json").write_text("old", encoding="utf-8")

    def fail(plan: Plan, path: Path) -> None:
        raise ExportError("disk full")
    plan = run(study(tmp_path, {**ground(tmp_path), **zones(tmp_path)}))
    with pytest.raises(ExportError, match="disk full"):
        write_plan(plan, out, extra=(("broken", fail),))
    assert [path.name for path in out.iterdir()] == ["plan.json"]
    assert (out / "plan.json").read_text(encoding="utf-8") == "old"


def test_crs_is_chosen_from_the_data_when_absent(tmp_path: Path) -> None:
    opened = study(tmp_path, {**ground(tmp_path), **villages(tmp_path)})
    file = tmp_path / "study.toml"
    file.write_text(file.read_text(encoding="utf-8").replace(f'crs = "{CRS}"\n', "", 1), encoding="utf-8")
    layers = read_layers(Study.from_toml(file))
    assert layers.crs == read_layers(opened).crs
    assert any(line.layer == "study" and line.field == "crs" for line in layers.ledger)


def test_required_layers_must_be_named(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="ground 或 heights"):
        study(tmp_path, zones(tmp_path))

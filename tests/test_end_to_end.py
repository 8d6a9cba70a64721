"""The whole job: every number of plan.json is recomputed here from the written files, by other means if there are any.

Shares are recounted with shapely on the pixels of coverage.tif, verdicts from the points, gains and bound from
certificate/ in plain loops. The sample city; with `make cities` also two real places (where ../shared is present) and a
second run of the same plan.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import openpyxl
import pandas as pd
import pytest
import rasterio
import shapely
from certificate_recount import apart_m, bound_of, counted, gains_of, read_certificate, too_near
from rasterio.features import geometry_mask

from siteplan.candidates.rules.rule_table import site_rules
from siteplan.export import write_plan
from siteplan.maps import write_review_map
from siteplan.plan import Plan
from siteplan.selection import CHOICE_ZH
from siteplan.study import Study, run
from siteplan.tables import read_table
from siteplan.verify import verify
from tests.longer import asked

ROOT = Path(__file__).parents[1]
CITIES = {
    "xikou": None, "chengdu": "data/chengdu/radio/cells.csv", "liechtenstein": "data/liechtenstein/N47E009.hgt"}
LONG = asked("cities")


class Written:
    """A finished run and what a reader finds in its folder."""

    def __init__(self, plan: Plan, out: Path, study: Study) -> None:
        self.plan, self.out, self.study = plan, out, study
        self.facts: dict[str, Any] = json.loads((out / "plan.json").read_text(encoding="utf-8"))

    def layer(self, file: str, layer: str) -> gpd.GeoDataFrame:
        return gpd.read_file(self.out / file, layer=layer)

    def band(self, file: str, word: str) -> tuple[np.ndarray, rasterio.Affine]:
        with rasterio.open(self.out / file) as source:
            number = next(i for i, name in enumerate(source.descriptions, 1) if word in name)
            return source.read(number).astype(float), source.transform


@pytest.fixture(scope="module", params=list(CITIES))
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Written:
    needed = CITIES[request.param]
    if needed is not None and not (ROOT.parent / "shared" / needed).exists():
        pytest.skip(f"../shared/{needed} is absent")
    if request.param != "xikou" and not LONG:
        pytest.skip("one or two minutes long: make cities")
    study = Study.from_toml(ROOT / "data" / request.param / "study.toml")
    out = tmp_path_factory.mktemp(request.param)
    plan = request.getfixturevalue("sample_run").plan if request.param == "xikou" else run(study)
    write_plan(plan, out, extra=(("review_map.html", write_review_map),))
    return Written(plan, out, study)


@cache
def parts_of_cells(wkb: bytes, transform: rasterio.Affine, first: tuple[int, int], shape: tuple[int, int],
                   ) -> np.ndarray:
    """Which part of each pixel of a block lies in an area."""
    area = shapely.from_wkb(wkb)
    y, x = np.mgrid[first[0]:first[0] + shape[0], first[1]:first[1] + shape[1]]
    x0, y0 = transform.c + x * transform.a, transform.f + y * transform.e
    here = transform @ rasterio.Affine.translation(first[1], first[0])
    part = geometry_mask([area], shape, here, invert=True).astype(float)
    edge = geometry_mask([area.boundary], shape, here, invert=True, all_touched=True)
    boxes = shapely.box(x0[edge], y0[edge] + transform.e, x0[edge] + transform.a, y0[edge])
    shapely.prepare(area)
    part[edge] = shapely.area(shapely.intersection(boxes, area)) / (transform.a * -transform.e)
    return part


def share_by_cells(values: np.ndarray, weight: np.ndarray, transform: rasterio.Affine, area: Any) -> float:
    """Oracle of a share: cut the pixels of the raster with the polygon one by one with shapely."""
    left, bottom, right, top = area.bounds
    cols = slice(max(int((left - transform.c) // transform.a), 0), int((right - transform.c) // transform.a) + 1)
    rows = slice(max(int((transform.f - top) // -transform.e), 0), int((transform.f - bottom) // -transform.e) + 1)
    block, w = values[rows, cols], weight[rows, cols]
    part = parts_of_cells(shapely.to_wkb(area), transform, (rows.start, cols.start), block.shape)
    known = part * w * ~np.isnan(block)
    total = float(known.sum())
    return float((known * np.nan_to_num(block)).sum() / total) if total > 0 else float("nan")


@pytest.mark.parametrize("state", ["before", "after"])
def test_shares_of_villages_and_zones(written: Written, state: str) -> None:
    values, transform = written.band("coverage.tif" if state == "after" else "coverage_before.tif", "probability")
    people, _ = written.band("demand.tif", "demand")
    for name in ("villages", "zones"):
        table = written.layer("areas.gpkg", name)
        for row in table.iloc[:: max(1, len(table) // 8)].itertuples():
            for column, weight in ((f"area_share_{state}", np.ones_like(people)), (f"demand_share_{state}", people)):
                want = share_by_cells(values, weight, transform, row.geometry)
                assert getattr(row, column) == pytest.approx(want, abs=2e-4, nan_ok=True), (row.name, column)


@pytest.mark.parametrize("state", ["before", "after"])
def test_city_indicators(written: Written, state: str) -> None:
    said = written.facts["indicators"][state]
    file = "coverage.tif" if state == "after" else "coverage_before.tif"
    values, transform = written.band(file, "probability")
    people, _ = written.band("demand.tif", "demand")
    boundary = written.layer("areas.gpkg", "boundary").geometry.union_all()
    everywhere = np.ones_like(people)
    assert said["area_share"] == pytest.approx(share_by_cells(values, everywhere, transform, boundary), abs=1e-4)
    assert said["demand_share"] == pytest.approx(share_by_cells(values, people, transform, boundary), abs=1e-4)
    for name in ("villages", "zones"):
        verdicts = written.layer("areas.gpkg", name)[f"verdict_{state}"]
        assert said[name]["total"] == len(verdicts)
        for key, verdict in (("passed", "pass"), ("failed", "fail"), ("not_assessable", "not_assessable")):
            assert said[name][key] == (verdicts == verdict).sum()
        assert said[name]["rate"] == pytest.approx((verdicts == "pass").mean() if len(verdicts) else None)
    gaps = written.layer("gaps.gpkg", f"gaps_{state}")
    assert said["gap_count"] == len(gaps)
    assert said["gap_area_m2"] == pytest.approx(gaps.area.sum(), rel=1e-9)
    with rasterio.open(written.out / file) as source:
        numbers = {str(name).split(" ")[0]: number for number, name in enumerate(source.descriptions, start=1)
                   if "任一5G网络" in str(name)}
        sinr, indoor = (source.read(numbers[name]).astype(float) for name in ("sinr_db", "indoor_probability"))
    low, high = (share_by_cells(np.where(np.isnan(values), np.nan, sinr >= least), everywhere, transform, boundary)
                 for least in (1 / 16, 0.0))  # the file holds steps of 1/16 dB: 0 dB may have been a little less
    assert low - 1e-4 <= said["sinr_share"] <= high + 1e-4
    assert said["indoor_share"] == pytest.approx(share_by_cells(indoor, everywhere, transform, boundary), abs=1e-4)
    for network, shares in said["networks"].items():
        own, _ = written.band(file, f"probability 覆盖概率 {network}")
        want = share_by_cells(own, everywhere, transform, boundary)
        assert shares["area_share"] == pytest.approx(want, abs=1e-4)
        assert shares["demand_share"] == pytest.approx(share_by_cells(own, people, transform, boundary), abs=1e-4)
    assert written.facts["study"]["demand_total"] == pytest.approx(people.sum(), rel=1e-6)


@pytest.mark.parametrize("state", ["before", "after"])
def test_verdicts_follow_from_the_rule(written: Written, state: str) -> None:
    """Share rules: recount from the shares; the share that is unknown is tried both ways."""
    for name in ("villages", "zones"):
        rule = written.facts["indicators"][state][name]["rule"]
        if rule not in ("area_share_95", "population_share_95"):
            continue
        table = written.layer("areas.gpkg", name)
        column = "area_share" if rule.startswith("area") else "demand_share"
        share, known = table[f"{column}_{state}"].fillna(0), table[f"known_share_{state}"]
        want = np.where(share * known >= 0.95, "pass", np.where(share * known + 1 - known < 0.95, "fail",
                                                                "not_assessable"))
        assert table[f"verdict_{state}"].tolist() == want.tolist()


def test_village_points_under_the_miit_rule(written: Written) -> None:
    facts = written.facts["indicators"]["after"]["villages"]
    if facts["rule"] != "village_miit_2025":
        pytest.skip("this study judges villages by another rule")
    values, transform = written.band("coverage.tif", "probability")
    points = written.plan.context["village_points"]
    for row in written.layer("areas.gpkg", "villages").itertuples():
        states = []
        for kind in ("committee", "school", "clinic"):
            here = points[(points["village_code"] == row.village_code) & (points["kind"] == kind)]
            there = here[here["exists"]]
            if here.empty:
                states.append(None)
            elif len(there):
                cells = [values[int((transform.f - p.y) // -transform.e), int((p.x - transform.c) // transform.a)]
                         for p in there.geometry]
                states.append(min(cells) >= 0.75)
        want = "fail" if False in states else "not_assessable" if None in states or not states else "pass"
        assert row.verdict_after == want, row.name


def test_gaps_hold_no_covered_pixel(written: Written) -> None:
    """Gap areas hold pixels below the gap probability alone; with the pieces too small to be listed, all of them."""
    values, transform = written.band("coverage.tif", "probability")
    people, _ = written.band("demand.tif", "demand")
    gaps = written.layer("gaps.gpkg", "gaps_after")
    inside = np.zeros(values.shape, bool)
    if len(gaps):
        inside = geometry_mask(gaps.geometry, values.shape, transform, invert=True)
    assert (values[inside] < written.study.params.gaps.gap_probability).all()
    assert inside.sum() * transform.a * -transform.e == pytest.approx(gaps.area.sum())
    assert people[inside].sum() == pytest.approx(gaps["demand"].sum(), rel=1e-6)
    assert gaps["rank_no"].tolist() == list(range(1, len(gaps) + 1))
    boundary = written.layer("areas.gpkg", "boundary").geometry
    weak = (values < written.study.params.gaps.gap_probability) & geometry_mask(boundary, values.shape, transform,
                                                                                 invert=True)
    said = written.facts["indicators"]["after"]
    assert weak.sum() * transform.a * -transform.e == pytest.approx(said["gap_area_m2"] + said["gap_small_area_m2"])
    assert people[weak].sum(dtype=float) == pytest.approx(said["gap_demand"] + said["gap_small_demand"], rel=1e-5)
    shares = gaps[["share_no_site", "share_terrain", "share_buildings", "share_weak"]]
    assert shares.sum(axis=1).to_numpy() == pytest.approx(np.ones(len(gaps)))


def test_lines_recounted_by_points_every_metre(written: Written) -> None:
    lines = written.plan.results.get("lines")
    named = [] if lines is None else [key for key in lines.index if lines.at[key, "length_m"] > 0][:6]
    if not named:
        pytest.skip("this study has no line that is judged")
    values, transform = written.band("coverage.tif", "probability")
    inside = written.layer("areas.gpkg", "boundary").geometry.union_all()
    for key in named:
        table = written.plan.context[lines.at[key, "layer"]]
        mine = table[table["name"].fillna("") == lines.at[key, "name"]] if "#" not in key else table.loc[
            [key.rpartition(":")[2]]]
        line = shapely.intersection(shapely.line_merge(shapely.union_all(mine.geometry.to_numpy())), inside)
        points = shapely.line_interpolate_point(line, np.arange(0.5, line.length, 1.0)) if (
            line.geom_type == "LineString") else np.concatenate([shapely.line_interpolate_point(
                part, np.arange(0.5, part.length, 1.0)) for part in shapely.get_parts(line)])
        cols = ((shapely.get_x(points) - transform.c) // transform.a).astype(int)
        rows = ((transform.f - shapely.get_y(points)) // -transform.e).astype(int)
        assert lines.at[key, "length_m"] == pytest.approx(line.length, rel=2e-3), key
        assert lines.at[key, "length_share"] == pytest.approx(np.nanmean(values[rows, cols]), abs=4e-3), key


def test_targets_count_the_verdicts_of_the_tables(written: Written) -> None:
    targets = written.plan.results.get("targets")
    if targets is None:
        pytest.skip("this study has no targets")
    villages = written.layer("areas.gpkg", "villages")
    for row in targets[targets["measure"] == "village_rate"].itertuples():
        for state in ("before", "after"):
            passed = int((villages[f"verdict_{state}"] == "pass").sum())
            assert getattr(row, f"reached_{state}") == passed
            assert getattr(row, f"needed_{state}") == max(0, -(-int(row.value) * len(villages) // 100) - passed)


def test_annex_lists_every_village_once_and_its_subtotals_add_up(written: Written) -> None:
    villages = written.layer("areas.gpkg", "villages")
    if villages.empty:
        pytest.skip("this study has no villages")
    sheet = openpyxl.load_workbook(written.out / "indicators.xlsx", read_only=True)["行政村"]
    rows = [list(row) for row in sheet.iter_rows(values_only=True)]
    head = next(number for number, row in enumerate(rows) if row[0] == "序号")
    code, verdict = rows[head].index("行政村代码"), rows[head].index("现状结论")
    listed = [row for row in rows[head + 1:] if isinstance(row[0], int)]
    assert sorted(row[code] for row in listed) == sorted(villages["village_code"])
    total = rows[-1]
    passed = sum(row[verdict] == "达标" for row in listed)
    assert total[1] == "合计"
    assert f"达标 {passed} 个" in total[verdict]
    notes = "".join(str(row[0]) for row in rows[:head])
    for rule in villages["rule"].unique():
        assert f"规则 {rule}:" in notes


def test_complaints_in_gaps_lie_on_uncovered_pixels(written: Written) -> None:
    told = written.plan.results.get("complaints")
    if told is None:
        pytest.skip("this study has no complaints")
    values, transform = written.band("coverage_before.tif", "probability")
    cols = ((told.geometry.x - transform.c) // transform.a).astype(int)
    rows = ((transform.f - told.geometry.y) // -transform.e).astype(int)
    weak = values[rows.clip(0, values.shape[0] - 1), cols.clip(0, values.shape[1] - 1)] < (
        written.study.params.gaps.gap_probability)
    assert weak[(told["finding"] == "in_gap").to_numpy() & (told["gap_distance_m"] != 0).to_numpy()].all()
    assert not weak[(told["finding"] == "no_gap").to_numpy()].any()


def test_gains_and_bound_recounted_from_the_certificate(written: Written) -> None:
    """Plain loops over the certificate: gains one by one, prices, costs, the value, the bound from the multipliers."""
    papers, bound, asked = read_certificate(written.out), written.facts["bound"], written.study.params.selection
    assert papers.facts["objective"] == {"kind": "coverage", "backup": 0.0, "levels": [1.0]}
    assert not papers.facts["floors"]
    gains = gains_of(papers)
    assert [papers.rows[number]["site_id"] for number in papers.ranked] == [
        site["site_id"] for site in written.facts["sites"]]
    assert [site["gain"] for site in written.facts["sites"]] == pytest.approx(gains, abs=1e-3)
    assert bound["covered"] == pytest.approx(sum(gains))
    assert bound["total_weight"] == pytest.approx(papers.weight.sum())
    for row in papers.rows:
        least = max(asked.min_gain, float(row["cost_yuan"]) / asked.max_yuan_per_gain)
        assert float(row["price"]) == pytest.approx(least / float(row["preference"]))
    prices, costs = papers.numbers("price"), papers.numbers("cost_yuan")
    value = sum(gains) - sum(prices[number] for number in papers.ranked)
    assert bound["value"] == pytest.approx(value)
    spent = written.facts["indicators"]["after"]["sites"]["proposed_cost_yuan"]
    assert spent == pytest.approx(sum(costs[number] for number in papers.ranked))
    again = bound_of(papers)
    if bound["proof"] == "multipliers":
        assert bound["upper_bound"] == pytest.approx(max(again, value))
    assert value - 1e-6 <= bound["upper_bound"] <= again + 1e-6
    assert bound["optimality_gap"] == pytest.approx((bound["upper_bound"] - value) / abs(value), abs=1e-9)
    assert (bound["status"] == "optimal") <= (bound["optimality_gap"] <= 1e-9 or bound["proof"] == "search")


def test_limits_recounted_from_the_certificate(written: Written) -> None:
    """Every limit: what the plan has of it, by plain loops; spacing and venues pair by pair."""
    papers = read_certificate(written.out)
    told = {row["limit"]: row for row in written.facts["results"]["limits"]}
    for limit in papers.facts["limits"]:
        amounts, row = counted(papers, limit), told[limit["name"]]
        has = limit["already"] + sum(amounts[number] for number in papers.ranked)
        sides = [] if limit["least"] is None else [has - limit["least"]]
        sides += [] if limit["most"] is None else [limit["most"] - has]
        assert row["has"] == pytest.approx(has)
        assert row["room"] == pytest.approx(min(sides))
        assert row["held"]
        assert min(sides) >= -1e-6 * abs(has)
    for one, other in combinations(papers.ranked, 2):
        assert not too_near(papers, one, other)
    for row in papers.rows:
        assert (row["state"] == "locked") <= (row["chosen"] == "1")
        assert (row["state"] == "barred") <= (row["chosen"] == "0")


def test_what_is_lost_without_a_site(written: Written) -> None:
    """Taken out one by one, by plain loops; the rival named serves some of it and is no site of the plan."""
    papers, ranked = read_certificate(written.out), read_certificate(written.out).ranked
    number_of = {row["site_id"]: number for number, row in enumerate(papers.rows)}
    servers = np.zeros(len(papers.weight), int)
    for number in ranked:
        servers[papers.cells[number]] += 1
    for site, number in zip(written.facts["sites"], ranked, strict=True):
        mine = papers.cells[number][servers[papers.cells[number]] == 1]
        assert site["loss"] == pytest.approx(papers.weight[mine].sum(), abs=1e-3)
        assert site["loss"] <= site["gain"] + 1e-3
        assert site["rival_text"]
        if site["rival_id"]:
            rival = number_of[site["rival_id"]]
            assert rival not in ranked
            assert np.isin(papers.cells[rival], mine).any()
            assert site["rival_id"] in site["rival_text"]


def test_the_verifier_agrees(written: Written) -> None:
    verdict = verify(written.out)
    assert verdict.ok, verdict.sentences
    assert verdict.failed() == ()
    assert verdict.status == written.facts["bound"]["status"]
    assert verdict.value == pytest.approx(written.facts["bound"]["value"])


def test_the_workbook_tells_why_each_site_is_in(written: Written) -> None:
    """Sheets of the choice: every site, every limit, every decision, and the sentences over them."""
    book = openpyxl.load_workbook(written.out / "indicators.xlsx", read_only=True)
    facts = written.facts

    def sheet(name: str, first: str) -> tuple[str, list[dict[str, Any]]]:
        rows = [list(row) for row in book[name].iter_rows(values_only=True)]
        head = next(number for number, row in enumerate(rows) if row[0] == first)
        return "".join(str(row[0]) for row in rows[:head]), [
            dict(zip(rows[head], row, strict=True)) for row in rows[head + 1:]]

    notes, rows = sheet("选址理由", "次序")
    assert facts["bound"]["meaning"] in notes
    assert facts["bound"]["objective"] in notes
    assert [row["站址编号"] for row in rows] == [site["site_id"] for site in facts["sites"]]
    for row, site in zip(rows, facts["sites"], strict=True):
        assert row["次序"] == site["rank_no"]
        assert row["投资(万元)"] == pytest.approx(site["cost_yuan"] / 1e4, abs=0.051)
        assert row["缺它少服务加权需求"] == pytest.approx(site["loss"], abs=0.51)
        assert (row["入选理由"], row["最强替代及其落选原因"]) == (site["choice_text"], site["rival_text"])
        stays = facts["bound"]["stability"]["kept_share"][site["site_id"]]
        assert row["抗误差(%)"] == pytest.approx(100 * stays, abs=0.051)
    _, rows = sheet("限制落实", "限制")
    assert [row["限制"] for row in rows] == [limit["zh"] for limit in facts["results"]["limits"]]
    assert {row["满足"] for row in rows} == {"是"}
    notes, rows = sheet("投资曲线", "站数")
    assert facts["bound"]["knee"]["meaning"] in notes
    knees = [row for row in rows if row["备注"] == "拐点"]
    assert [row["站数"] for row in knees] == [facts["bound"]["knee"]["step"]] * bool(facts["bound"]["knee"]["step"])
    notes, rows = sheet("稳定性", "试算")
    assert facts["bound"]["stability"]["meaning"] in notes
    assert max(row["换下站址(处)"] for row in rows) == facts["bound"]["stability"]["max_changed"]
    told = facts["results"].get("decision_effects", [])
    given = written.study.params.layers.get("decisions")
    assert bool(told) == bool(given)
    if given:
        _, rows = sheet("会议决定落实", "编号")
        assert [row["落实"] for row in rows] == ["是" if row["followed"] else "否" for row in told]
        assert all(row["落实情况"] for row in rows)


def test_counts_of_sites(written: Written) -> None:
    sites = written.layer("candidates.gpkg", "sites").set_index("site_id")
    counts = written.facts["indicators"]["after"]["sites"]
    for status in ("existing", "candidate", "proposed", "refused"):
        assert counts[status] == (sites["status"] == status).sum()
    proposed = sites[sites["status"] == "proposed"].sort_values("rank_no")
    assert counts["proposed_cost_yuan"] == proposed["cost_yuan"].sum()
    assert counts["proposed_free_venues"] == (proposed["must_be_free"] == "是").sum()
    assert sum(counts["proposed_by_tier_name"].values()) == len(proposed) == len(written.facts["sites"])
    assert counts["proposed_by_tier_name"] == proposed["tier_name"].value_counts().to_dict()
    assert counts["proposed_by_source"] == proposed["source"].value_counts().to_dict()
    assert counts["proposed_by_kind"] == {{"宏站": "macro", "微站": "micro"}[kind]: count for kind, count in
                                          proposed["kind"].value_counts().items()}
    for fact in written.facts["sites"]:
        row = proposed.loc[fact["site_id"]]
        for name in ("rank_no", "name", "source_id", "tier", "tier_name", "owner", "department", "cost_yuan"):
            assert row[name] == fact[name], (fact["site_id"], name)
        assert row["antenna_height_m"] == pytest.approx(fact["antenna_height_m"], abs=0.05)
        assert (row.geometry.x, row.geometry.y) == pytest.approx((fact["x"], fact["y"]), abs=1e-6)
    assert proposed.index.tolist() == [site["site_id"] for site in written.facts["sites"]]
    master = written.layer("sites.gpkg", "sites").set_index("site_id")
    same = [name for name in master.columns if name not in ("geometry", "notice")]
    assert proposed[same].equals(master[same])
    refused = sites[sites["status"] == "refused"]
    assert (refused["reason"].str.len() > 0).all()
    limits = written.study.params.selection
    assert len(proposed) <= limits.max_sites
    xy = np.column_stack([proposed.geometry.x, proposed.geometry.y])
    apart = np.hypot(*(xy[:, None] - xy[None]).transpose(2, 0, 1)) + np.eye(len(xy)) * 1e9
    assert apart.min() >= limits.spacing_m


def test_shapefile_equals_the_master(written: Written) -> None:
    master = written.layer("sites.gpkg", "sites")
    exchanged = gpd.read_file(written.out / "shp" / "sites.shp")
    fields = pd.read_csv(written.out / "shp" / "sites_fields.csv", encoding="utf-8-sig")
    assert exchanged.crs.to_epsg(20) == master.crs.to_epsg(20)
    assert master.geometry.geom_equals_exact(exchanged.geometry, 1e-6).all()
    assert fields["字段"].str.encode("utf-8").str.len().max() <= 10
    fields = fields[fields["主文件字段"].notna()]  # a mark that the profile writes itself comes from no column
    entries = read_table("export_fields")["sites"]
    not_out = {name for name, entry in entries.items() if "out" not in entry}  # whole texts, of which parts leave
    assert set(fields["主文件字段"]) == set(master.columns) - {"geometry"} - not_out
    for field, name in zip(fields["字段"], fields["主文件字段"], strict=True):
        if pd.api.types.is_numeric_dtype(master[name]):
            room = 0.5 if "out_decimals" in entries[name] else 1e-6  # people leave as whole numbers
            assert exchanged[field].to_numpy(float) == pytest.approx(
                master[name].to_numpy(float), abs=room, nan_ok=True), name
        else:
            told = master[name].fillna("")
            told = told.str.replace("|", "、") if entries[name].get("list") else told
            pairs = zip(exchanged[field].fillna(""), told, strict=True)
            assert [pair for pair in pairs if pair[0] != pair[1] and not (
                pair[0].endswith("…") and pair[1].startswith(pair[0][:-1]))] == [], name
    assert master["site_id"].tolist() == [site["site_id"] for site in written.facts["sites"]]
    assert np.allclose(master["y_east_m"], master.geometry.x, atol=1e-3)
    assert np.allclose(master["x_north_m"], master.geometry.y, atol=1e-3)


def test_shapefile_opens_in_ogr(written: Written) -> None:
    if shutil.which("ogrinfo") is None:
        pytest.skip("ogrinfo is not installed (Debian package gdal-bin)")
    said = subprocess.run(["ogrinfo", "-ro", "-al", "-so", str(written.out / "shp" / "sites.shp")], check=True,
                          capture_output=True, text=True).stdout
    assert f"Feature Count: {len(written.facts['sites'])}" in said
    assert "ZZBH" in said


def test_coverage_file_is_a_cog_with_servers_that_exist(written: Written) -> None:
    with rasterio.open(written.out / "coverage.tif") as source:
        assert source.profile["tiled"]
        assert source.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert "notices" in source.tags()
        rsrp, server, probability = source.read([1, 2, 3])
    names = pd.read_csv(written.out / "servers.csv", encoding="utf-8-sig")
    found = np.unique(server[server >= 0]).astype(int)
    assert set(found) <= set(names["server"])
    planned = set(names.loc[names["status"] == "规划", "sector_id"])
    assert planned == set(written.plan.after.sector_ids) - set(written.plan.before.sector_ids)
    assert set(names["status"]) <= {"现有", "规划"}
    assert np.isnan(rsrp[server < 0]).all()
    assert ((probability[~np.isnan(probability)] >= 0) & (probability[~np.isnan(probability)] <= 1)).all()


def test_adding_sites_never_lowers_coverage(written: Written) -> None:
    for word in ("best_rsrp", "probability"):
        before, _ = written.band("coverage_before.tif", word)
        after, _ = written.band("coverage.tif", word)
        both = ~np.isnan(before)
        assert (after[both] >= before[both]).all()


def test_inputs_add_up_and_are_digested(written: Written) -> None:
    for file in written.facts["inputs"]:
        assert file["rows_in"] == file["rows_kept"] + file["rows_refused"], file["file"]
        path = written.study.root / file["file"]
        parts = sorted(path.parent.glob(f"{path.stem}.*")) if path.suffix == ".shp" else [path]
        assert hashlib.sha256(b"".join(part.read_bytes() for part in parts)).hexdigest() == file["sha256"]
    refused = {(line.layer, line.file, line.row) for line in written.plan.ledger if line.action == "refused"}
    for file in written.facts["inputs"]:
        lines = sum((layer, name) == (file["layer"], file["file"]) for layer, name, _ in refused)
        assert lines >= file["rows_refused"], file["file"]


def test_workbook_lists_every_proposed_venue_and_every_ledger_line(written: Written) -> None:
    book = openpyxl.load_workbook(written.out / "ledger.xlsx")
    rows = list(book["开放台账"].iter_rows(values_only=True))
    head = next(row for row in rows if "站址编号" in row)
    ids = {word for row in rows for word in str(row[head.index("站址编号")] or "").replace("、", "|").split("|")}
    assert {site["site_id"] for site in written.facts["sites"]} <= ids
    actions = {"拒收", "修复", "假定", "提示"}
    lines = [row for row in book["数据问题清单"].iter_rows(values_only=True) if row[5] in actions]
    assert len(lines) == len(written.plan.ledger)
    said = {"拒收": "refused", "修复": "repaired", "假定": "assumed", "提示": "note"}
    counted: dict[str, dict[str, int]] = {}
    for row in lines:
        layer = row[0].split()[-1]  # 路灯杆 poles
        counted.setdefault(layer, {}).setdefault(said[row[5]], 0)
        counted[layer][said[row[5]]] += 1
    assert written.facts["ledger"] == counted
    assert all(cell.data_type != "f" for sheet in book for row in sheet.iter_rows() for cell in row)


def test_every_output_carries_the_notices(written: Written) -> None:
    page = (written.out / "review_map.html").read_text(encoding="utf-8")
    for notice in written.facts["study"]["notices"]:
        assert notice.split("(")[0].split("(")[0][:12] in page
    if written.facts["study"]["synthetic"]:
        assert "合成数据" in page
        assert "合成数据" in written.layer("sites.gpkg", "sites")["notice"].iloc[0]


def test_a_rerun_gives_the_same_plan(written: Written, tmp_path: Path) -> None:
    if written.study.params.study.name.startswith(("成都", "列支")) or not LONG:
        pytest.skip("the sample city is enough for this, with make cities; a small study: test_minimal_studies.py")
    again = run(written.study)
    write_plan(again, tmp_path)
    facts = json.loads((tmp_path / "plan.json").read_text(encoding="utf-8"))
    for key in written.facts:
        if key != "timings":
            assert facts[key] == written.facts[key], key


def test_unwritable_folder_is_one_sentence(written: Written, tmp_path: Path) -> None:
    from siteplan.errors import ExportError

    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(ExportError, match="成果目录"):
        write_plan(written.plan, tmp_path / "file" / "out")


# venues: why there, why this owner, who is asked to open


def test_every_proposed_site_says_why_there_and_why_this_owner(written: Written) -> None:
    sites = written.plan.proposed
    assert (sites["choice_code"].isin(list(CHOICE_ZH))).all()
    free = sites[sites["choice_code"] != "kept"]
    assert (free["must_open"].astype(bool) == (free["choice_code"] == "public")).all()
    for row in sites.itertuples():
        assert f"第{row.rank_no}位" in row.reason, "why there: rank, what it serves"
        assert "新增服务" in row.reason
        assert row.tier_name in row.reason
        assert len(row.reason.encode()) <= 254
        assert len(row.choice_text) >= len(row.reason.rstrip("…")) - 1
        assert row.evidence


def test_a_private_roof_is_chosen_only_where_public_rivals_fail(written: Written) -> None:
    """By rank: no public candidate within 1 km serves 80 % of what a private site newly does and could stand instead.

    It could not where it is too near to another site of the plan or of its venue, a limit would break, or it would
    newly serve less than a site has to.
    """
    papers, sites, asked = read_certificate(written.out), written.plan.sites, written.study.params.selection
    public = [bool(sites.at[row["site_id"], "must_open"]) for row in papers.rows]
    ranked, left = papers.ranked, papers.weight.copy()
    for number in ranked:
        cells = papers.cells[number]
        total = left[cells].sum()
        others = [other for other in ranked if other != number]
        for rival, row in enumerate(papers.rows):
            if public[number] or papers.rows[number]["state"] == "locked" or not public[rival] or rival in ranked:
                continue
            theirs = papers.cells[rival]
            least = max(asked.min_gain, float(row["cost_yuan"]) / asked.max_yuan_per_gain)
            able = (row["state"] == "free" and apart_m(papers, number, rival) <= 1000.0
                    and left[theirs].sum() >= least
                    and not any(too_near(papers, rival, other) for other in others)
                    and all(sum(amounts[site] for site in (*others, rival)) <= limit["most"] for limit in papers.facts[
                        "limits"] if limit["most"] is not None for amounts in [counted(papers, limit)]))
            if able:
                assert left[np.intersect1d(theirs, cells)].sum() < 0.8 * total + 1e-6, (number, rival)
        left[cells] = 0.0
    proposed = {site["site_id"] for site in written.facts["sites"]}
    for gone, instead in written.facts["bound"]["gave_way"].items():
        assert gone not in proposed
        assert instead in proposed
        assert sites.at[instead, "must_open"]
        assert not sites.at[gone, "must_open"] or sites.at[instead, "must_be_free"] > sites.at[gone, "must_be_free"]


def test_every_refused_candidate_is_kept_with_its_reasons(written: Written) -> None:
    sites, rules = written.plan.sites, site_rules(written.study.params.candidates.rules)
    candidates = sites[sites["status"] != "existing"]
    assert ((candidates["status"] == "refused") == (candidates["refusal_code"] != "")).all()
    refused = candidates[candidates["status"] == "refused"]
    assert set("|".join(refused["refusal_code"]).split("|")) - {""} <= set(rules)
    assert (refused["reason"].str.count(";") + 1 >= refused["refusal_code"].str.count("[|]") + 1).all()
    facilities = written.plan.sites[written.plan.sites["source"] == "facility"]["source_id"]
    assert facilities.is_unique
    assert len(facilities) == sum(file["rows_kept"] for file in written.plan.inputs if file["layer"] == "facilities")


def test_costs_add_up(written: Written) -> None:
    sites = written.plan.sites[written.plan.sites["status"] != "existing"]
    years = written.study.params.candidates.cost_years
    assert np.allclose(sites["cost_yuan"], sites["capex_yuan"] + years * sites["yearly_yuan"], atol=0.51)
    assert (sites["capex_yuan"] > 0).all()
    macro = sites[(sites["kind"] == "macro") & (sites["source"] == "facility") & (sites["mount"] == "roof_pole")]
    free, paid = macro[macro["must_be_free"]], macro[~macro["must_be_free"]]
    if len(free) and len(paid):
        assert free["yearly_yuan"].max() < paid["yearly_yuan"].min(), "a free venue pays electricity and no rent"


def test_the_opening_ledger_adds_up(written: Written) -> None:
    opening, sites = written.plan.opening, written.plan.sites
    assert opening is not None
    venues = written.layer("ledger.gpkg", "venues")
    kept = opening.venues[~opening.venues["secret"]]
    assert len(venues) == len(kept)
    assert venues.groupby("department").size().to_dict() == kept.groupby("department").size().to_dict()
    proposed = set("|".join(venues.loc[venues["status"] == "proposed", "site_ids"]).split("|"))
    assert set(written.plan.proposed.index) <= proposed | set(sites.index[sites["source"] == "ground"])
    counts = opening.venues.groupby("department").size()
    told = opening.departments.set_index("department")["venues"]
    assert told[told > 0].to_dict() == counts.to_dict()
    public = pd.read_csv(written.out / "public_list.csv", dtype=str)
    marked = ["备注"] if written.facts["study"]["synthetic"] or not opening.screened else []
    assert list(public.columns) == ["序号", "基站地址", "物业所属单位", "场所类别", *marked]
    text = (written.out / "public_list.csv").read_text("utf-8-sig")
    for row in written.plan.sites[written.plan.sites["source"] == "facility"].itertuples():
        assert f"{row.lon:.4f}" not in text
    letters = sorted(path.name for path in (written.out / "letters").glob("*.docx"))
    listed = pd.read_csv(written.out / "letters" / "letters.csv", dtype=str)
    assert sorted(listed["文件"]) == letters
    silent = written.plan.results.get("no_letter", pd.DataFrame({"department": []}))
    asked = set(listed["主管部门"]) | set(silent["department"])
    assert set(opening.venues.loc[opening.venues["status"] == "proposed", "department"]) == asked


def test_the_price_of_preference_is_that_of_the_plan(written: Written) -> None:
    """The favoured plan of the comparison is the plan; the other one, chosen here by a plain greedy, is its rival."""
    price, plan = written.plan.selection.price, written.plan
    whole = price.table.set_index(["basis", "plan"]).loc[("same_limits", "favoured")]
    assert whole["sites"] == len(plan.proposed)
    assert whole["cost_yuan"] == pytest.approx(plan.proposed["cost_yuan"].sum())
    assert whole["served_weight"] == pytest.approx(plan.selection.covered)
    assert whole["free_sites"] == plan.proposed["must_be_free"].sum()
    curve = price.curve[price.curve["strength"] == 1.0]
    assert curve["served_weight"].iloc[-1] == pytest.approx(plan.selection.covered)
    assert (curve["served_weight"].diff().dropna() >= 0).all()


def test_secret_units_stand_in_no_file(written: Written) -> None:
    listed = written.study.params.layers.get("secrecy")
    if not listed:
        pytest.skip("this study lists no secret unit")
    sites = written.plan.sites
    secret = sites[sites["refusal_code"].str.split("|").map(lambda codes: "secrecy" in codes)]
    assert len(secret) >= 2
    plain = (".csv", ".json", ".html")
    texts = [path.read_text("utf-8-sig") for path in written.out.rglob("*") if path.suffix in plain]
    for name in ("ledger.xlsx", "indicators.xlsx"):
        book = openpyxl.load_workbook(written.out / name)
        texts.append("\n".join(str(cell) for sheet in book for row in sheet.iter_rows(values_only=True) for cell in row
                               if cell is not None))
    for path in written.out.glob("*.gpkg"):
        for layer in gpd.list_layers(path)["name"]:
            texts.append(gpd.read_file(path, layer=layer).drop(columns="geometry").to_csv())
    for row in secret[secret["source"] == "facility"].itertuples():
        for text in texts:
            assert row.Index not in text
            assert not row.address or row.address not in text

"""Two states, two plans, two folders: what changed, under which rule, and what does not compare."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import geopandas as gpd
import openpyxl
import pandas as pd
import pytest
from conftest import CRS, at, rect
from hypothesis import given
from hypothesis import strategies as st
from test_minimal_studies import ground, poles, stations, study, villages
from typer.testing import CliRunner, Result

from siteplan.cli import app
from siteplan.errors import ExportError, ModelError
from siteplan.export._comparison import INDICATOR_HEAD, compare_folders, indicator_rows, write_comparison
from siteplan.export._vector import write_geopackage
from siteplan.gaps.progress.comparison import CHANGE_ZH, NOT_COMPARABLE, area_state, changed_areas, compare_states
from siteplan.gaps.progress.matching import compare_gaps, compare_sites
from siteplan.gaps.progress.plan_comparison import PlanTables, compare_plans

WORDS = st.sampled_from(["pass", "fail", "not_assessable", None])


# indicators


def block(passed: int, total: int = 4, rule: str = "points", zh: str = "点位规则") -> dict[str, Any]:
    return {"rule": rule, "rule_zh": zh, "total": total, "passed": passed, "failed": total - passed,
            "not_assessable": 0, "rate": passed / total}


def test_every_indicator_side_by_side() -> None:
    before = {"area_share": 0.5, "villages": block(1), "gap_area_m2": 5e4, "networks": {"移动 5G": {"area_share": 0.25}}}
    after = {"area_share": 0.75, "villages": block(3), "gap_area_m2": 2e4, "networks": {"移动 5G": {"area_share": 0.5}},
             "sites": {"proposed": 7, "proposed_cost_yuan": 3e5}}
    table = compare_states(before, after)
    assert table["comparable"].all()
    assert table["change"].drop(["sites.proposed", "sites.proposed_cost_yuan"]).to_dict() == {
        "area_share": 0.25, "villages.rate": 0.5, "villages.passed": 2, "villages.failed": -2,
        "villages.not_assessable": 0, "villages.total": 0, "gap_area_m2": -3e4, "networks.移动 5G.area_share": 0.25}
    assert table.loc["villages.rate", ["label_zh", "unit", "rule_before"]].tolist() == [
        "行政村达标率", "share", "points:点位规则"]
    assert table.loc["networks.移动 5G.area_share", "label_zh"] == "移动 5G 面积覆盖率"
    new = table.loc["sites.proposed_cost_yuan"]
    assert math.isnan(new["before"])
    assert math.isnan(new["change"])
    assert new["note"] == "前者没有这项指标"


def test_rates_under_two_rules_are_not_compared() -> None:
    table = compare_states({"villages": block(1)}, {"villages": block(3, rule="area", zh="面积规则")})
    for name in ("rate", "passed", "failed", "not_assessable"):
        row = table.loc[f"villages.{name}"]
        assert not row["comparable"]
        assert math.isnan(row["change"])
        assert row["note"] == f"{NOT_COMPARABLE}:points:点位规则 / area:面积规则"
    assert table.loc["villages.total", "change"] == 0, "the number of villages needs no rule"


def test_zones_under_several_rules_are_told_one_by_one() -> None:
    """Three zones by area, one by points: the whole is 2 of 4, by area 2 of 3."""
    zones = {**block(2, rule="area|points", zh="面积;点位"), "by_rule": [block(2, 3, "area", "面积"), block(0, 1)]}
    table = compare_states({"zones": zones}, {"zones": zones})
    assert table.loc["zones.area.rate", ["label_zh", "rule_before"]].tolist() == ["重点区域(面积)达标率", "area:面积"]
    assert table.loc["zones.area.rate", "before"] == pytest.approx(2 / 3)
    redefined = compare_states({"zones": zones}, {"zones": zones}, parts_before={"rule:area": "95%"},
                               parts_after={"rule:area": "90%"})["comparable"]
    rates = [redefined[f"zones.{name}"] for name in ("rate", "area.rate", "points.rate")]
    assert rates == [False, False, True]


def test_what_a_share_rests_on_decides_as_well() -> None:
    first, second = {"signal": "≥-105dBm"}, {"signal": "≥-95dBm"}
    values = {"area_share": 0.5, "gap_count": 3, "sites": {"proposed": 4}}
    table = compare_states(values, values, parts_before=first, parts_after=second)
    assert table["comparable"].to_dict() == {"area_share": False, "gap_count": False, "sites.proposed": True}
    assert compare_states(values, values, parts_before=first)["comparable"].all()
    demand = compare_states({"demand_share": 0.5}, {"demand_share": 0.5}, parts_before={"demand": "人口"},
                            parts_after={"demand": "建筑面积"})
    assert demand.loc["demand_share", "note"] == f"{NOT_COMPARABLE}:人口 / 建筑面积"


def test_no_data_is_no_number() -> None:
    table = compare_states({"area_share": None, "zones": {"rule": "a", "total": 0, "rate": None}}, {"area_share": 0.5})
    assert table.loc["area_share", ["before", "change"]].isna().all()
    assert math.isnan(table.loc["zones.rate", "before"])
    assert next(row[3] for row in indicator_rows(table.assign(state="before"))) == "无数据"


def test_unknown_numbers_keep_their_key_and_words_are_left_out() -> None:
    table = compare_states({"sites_per_10000": 2.0, "note": "x", "flag": True}, {"sites_per_10000": 3.0, "list": [1]})
    assert table["label_zh"].to_dict() == {"sites_per_10000": "sites_per_10000"}
    assert table["change"].item() == 1.0


# areas


def judged(**verdicts: str | None) -> pd.DataFrame:
    return pd.DataFrame({"verdict": verdicts.values(), "reason": [f"因为{word}" for word in verdicts.values()],
                         "rule": "r", "name": [f"{code}村" for code in verdicts]}, index=list(verdicts))


def test_each_kind_of_change_worked_by_hand() -> None:
    before = judged(A="fail", B="pass", C="not_assessable", D="pass", E="pass", F="fail", G="fail")
    after = judged(A="pass", B="fail", C="fail", D=None, E="pass", F="fail", H="pass")
    found = changed_areas(before, after)
    assert found["change"].to_dict() == {"A": "gained", "B": "lost", "C": "became_assessable",
                                         "D": "became_not_assessable", "H": "added", "G": "removed"}
    assert list(found["change_zh"]) == [CHANGE_ZH[change] for change in found["change"]]
    assert found.loc["B", ["name", "reason_before", "reason_after"]].tolist() == ["B村", "因为pass", "因为fail"]
    assert found.loc["G", ["name", "verdict_after", "reason_after"]].tolist() == ["G村", "", ""]


def test_another_rule_or_basis_is_no_gain() -> None:
    other = judged(A="pass").assign(rule="milder")
    found = changed_areas(judged(A="fail"), other).loc["A"]
    assert (found["change"], found["rule_before"], found["rule_after"]) == ("not_comparable", "r", "milder")
    found = changed_areas(judged(A="fail"), judged(A="pass"), basis=("-105", "-110")).loc["A"]
    assert (found["change"], found["rule_after"]) == ("not_comparable", "r;-110")


def test_tables_that_hold_no_verdicts_are_refused() -> None:
    good = judged(A="pass")
    for bad in (good.drop(columns="verdict"), judged(A="passt"), pd.concat([good, good])):
        with pytest.raises(ModelError):
            changed_areas(good, bad)
    with pytest.raises(ModelError):
        area_state(good, "after")


@given(st.dictionaries(st.sampled_from("ABCDEF"), WORDS), st.dictionaries(st.sampled_from("ABCDEF"), WORDS))
def test_changes_explain_the_difference_of_the_counts(one: dict[str, str | None], other: dict[str, str | None]) -> None:
    """Slow twin: the count of passed villages changes by exactly what the rows say."""
    found = changed_areas(judged(**one), judged(**other))
    gain = sum((row.verdict_after == "pass") - (row.verdict_before == "pass") for row in found.itertuples())
    assert gain == list(other.values()).count("pass") - list(one.values()).count("pass")
    unknown = {None: "not_assessable"}
    same = {code for code in one.keys() & other.keys()
            if unknown.get(one[code], one[code]) == unknown.get(other[code], other[code])}
    assert set(found.index) == (one.keys() | other.keys()) - same


# sites and gap areas


def sites(**places: tuple[float, float]) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame({"name": [f"{site}站" for site in places], "kind": "macro", "cost_yuan": 5.0},
                            geometry=[at(*place) for place in places.values()], index=list(places), crs=CRS)


def test_sites_kept_moved_and_only_in_one() -> None:
    before = sites(a=(0, 0), b=(100, 0), c=(300, 0), d=(500, 0), e=(900, 0))
    after = sites(a=(0, 0), b=(150, 0), c=(300, 0), x=(560, 0), y=(530, 0), z=(0, 900))
    after.loc["c", "kind"] = "micro"
    found = compare_sites(before, after)
    rows = {(row.site_before, row.site_after): (row.change, row.distance_m) for row in found.itertuples()
            if row.site_before and row.site_after}
    assert rows == {("a", "a"): ("kept", 0.0), ("b", "b"): ("moved", 50.0), ("c", "c"): ("changed", 0.0),
                    ("d", "y"): ("moved", 30.0)}
    assert set(found.loc[found["change"] == "only_before", "site_before"]) == {"e"}
    assert set(found.loc[found["change"] == "only_after", "site_after"]) == {"x", "z"}
    assert found["cost_before_yuan"].sum() == before["cost_yuan"].sum()
    assert found["cost_after_yuan"].sum() == after["cost_yuan"].sum()


PLACES = st.dictionaries(st.sampled_from("abcdef"), st.tuples(st.integers(0, 300), st.integers(0, 300)), max_size=5)


@given(PLACES, PLACES)
def test_every_site_stands_in_one_row(one: dict[str, tuple[int, int]], other: dict[str, tuple[int, int]]) -> None:
    found, back = compare_sites(sites(**one), sites(**other)), compare_sites(sites(**other), sites(**one))
    assert sorted(filter(None, found["site_before"])) == sorted(one)
    assert sorted(filter(None, found["site_after"])) == sorted(other)
    assert (found["change"] == "kept").sum() == (back["change"] == "kept").sum()
    new = found[(found["change"] == "moved") & (found["site_before"] != found["site_after"])]
    assert (new["distance_m"] <= 100.0).all()


def gap_areas(**shapes: Any) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame({"demand": 10.0}, geometry=list(shapes.values()), index=list(shapes), crs=CRS)


def test_gap_areas_gone_new_carried_and_split() -> None:
    """big falls apart into p and q; only 5 of the 100 m2 of r overlap thin: not the same gap."""
    before = gap_areas(big=rect(0, 0, 100, 10), gone=rect(200, 0, 210, 10), thin=rect(300, 0, 310, 10))
    after = gap_areas(p=rect(0, 0, 30, 10), q=rect(70, 0, 100, 10), r=rect(309.5, 0, 319.5, 10),
                      touching=rect(210, 0, 220, 10))
    found = compare_gaps(before, after)
    carried = found[found["change"] == "carried"]
    assert set(zip(carried["gap_before"], carried["gap_after"], strict=True)) == {("big", "p"), ("big", "q")}
    assert carried["overlap_m2"].tolist() == pytest.approx([300.0, 300.0])
    assert set(found.loc[found["change"] == "gone", "gap_before"]) == {"gone", "thin"}
    assert set(found.loc[found["change"] == "new", "gap_after"]) == {"r", "touching"}
    assert compare_gaps(before, before)["change"].eq("carried").all()
    assert compare_gaps(before, gap_areas())["change"].eq("gone").all()


def test_different_crs_and_repeated_ids_are_refused() -> None:
    one = sites(a=(0, 0))
    for bad in (one.to_crs(4490), pd.concat([one, one])):
        with pytest.raises(ModelError):
            compare_sites(one, bad)


# plans


def areas(verdict: str, rule: str = "points", share: float = 0.5) -> gpd.GeoDataFrame:
    shape = rect(0, 0, 500, 1000)
    columns = {"name": "东村", "rule": rule, "area_m2": shape.area, "county": "东县", "town": "甲镇"}
    for state, word in (("before", "fail"), ("after", verdict)):
        columns |= {f"verdict_{state}": word, f"reason_{state}": f"因为{word}", f"area_share_{state}": share}
    return gpd.GeoDataFrame({key: [value] for key, value in columns.items()}, geometry=[shape],
                            index=pd.Index(["V1"], name="village_code"), crs=CRS)


def plan(verdict: str = "fail", **settings: Any) -> PlanTables:
    """A plan of one village and one zone; ``settings`` of [coverage] and [gaps] under their names."""
    coverage = {"threshold_dbm": -105.0, "max_range_m": 5000.0, "load_share": 0.5, "tile_px": 1024}
    gaps = {"gap_probability": 0.75, "village_rule": "points", "rules": {}}
    for table in (coverage, gaps):
        table.update({key: value for key, value in settings.items() if key in table})
    indicators = {state: {"area_share": 0.5, "sinr_share": 0.4, "villages": block(int(word == "pass"), 1),
                          "gap_count": 1, "sites": {"proposed": 1}}
                  for state, word in (("before", "fail"), ("after", verdict))}
    zones = areas("pass").rename_axis("zone_id").assign(zone_type="产业园区")
    return PlanTables(
        name="方案", study={"name": "方案", "threshold_dbm": coverage["threshold_dbm"], "demand_zh": "人口(人)",
                          "resolution_m": 10.0, "notices": ["合成数据"]},
        parameters={"coverage": coverage, "gaps": gaps, "selection": {"max_sites": 9}}, indicators=indicators,
        versions={"siteplan": "0.1.0"}, inputs=({"layer": "poles", "file": "p.csv", "sha256": "aa"},),
        boundary=gpd.GeoDataFrame({"name": ["市"]}, geometry=[rect(0, 0, 1000, 1000)],
                                  index=pd.Index(["1"], name="boundary_id"), crs=CRS),
        villages=areas(verdict), zones=zones, gaps=gap_areas(g=rect(0, 0, 50, 50)).rename_axis("gap_id"),
        sites=sites(s=(10, 10)).rename_axis("site_id"))


def incomparable(one: PlanTables, other: PlanTables) -> set[str]:
    """Indicators of the planned state that are told as not comparable."""
    table = compare_plans(one, other).indicators
    return {key.removeprefix("after.") for key in table.index[~table["comparable"]] if key.startswith("after.")}


RATES = {f"villages.{key}" for key in ("rate", "passed", "failed", "not_assessable")}


def test_plans_of_one_kind_compare_fully() -> None:
    found = compare_plans(plan("fail"), plan("pass"))
    assert found.indicators["comparable"].all()
    assert found.indicators.loc["after.villages.rate", "change"] == 1.0
    assert found.villages[["state", "change"]].to_numpy().tolist() == [["after", "gained"]]
    assert found.zones.empty
    assert found.sites["change"].tolist() == ["kept"]
    assert found.gaps["change"].tolist() == ["carried"]
    assert (found.area_note, found.gap_note, found.notes, found.notices) == ("", "", (), ("合成数据",))


@pytest.mark.parametrize(("settings", "hit"), [
    ({"threshold_dbm": -95.0}, {"area_share", "gap_count", *RATES}),
    ({"max_range_m": 3000.0}, {"area_share", "sinr_share", "gap_count", *RATES}),
    ({"gap_probability": 0.5}, {"gap_count"}), ({"load_share": 0.9}, {"sinr_share"}),
    ({"rules": {"points": {"measure": "points"}}}, RATES), ({"tile_px": 512}, set())])
def test_settings_decide_which_numbers_compare(settings: dict[str, Any], hit: set[str]) -> None:
    assert incomparable(plan(), plan(**settings)) == hit


def test_gained_village_under_another_threshold_or_definition_is_no_gain() -> None:
    for settings in ({"threshold_dbm": -110.0}, {"rules": {"points": {"measure": "points"}}}):
        found = compare_plans(plan("fail"), plan("pass", **settings))
        assert found.villages["change"].tolist() == ["not_comparable"]
    found = compare_plans(plan(), plan(threshold_dbm=-110.0))
    assert NOT_COMPARABLE in found.area_note
    assert NOT_COMPARABLE in found.gap_note
    assert "-105" in found.gap_note
    assert "-110" in found.gap_note


def test_other_boundary_villages_or_rules_do_not_compare() -> None:
    base = plan()
    wider = replace(base, boundary=base.boundary.set_geometry([rect(0, 0, 1000, 1100)], crs=CRS))
    assert incomparable(base, wider) == {"area_share", "sinr_share", "gap_count"}
    more = pd.concat([base.villages, base.villages.rename(index={"V1": "V2"})])
    assert incomparable(base, replace(base, villages=more)) == RATES
    assert incomparable(base, replace(base, villages=base.villages.assign(area_m2=9.0))) == RATES
    assert incomparable(base, replace(base, villages=base.villages.assign(rule="area"))) == RATES
    shaken = base.boundary.set_geometry([rect(0, 0, 1000, 1000.2)], crs=CRS)
    assert incomparable(base, replace(base, boundary=shaken)) == set()


def test_plan_in_another_crs_is_taken_over() -> None:
    base = plan()
    names = ("boundary", "villages", "zones", "gaps", "sites")
    moved = replace(base, **{name: getattr(base, name).to_crs("EPSG:4548") for name in names})
    found = compare_plans(base, moved)
    assert found.sites["change"].tolist() == ["kept"]
    assert found.gaps["change"].tolist() == ["carried"]
    assert found.indicators["comparable"].all()


def test_what_else_differs_is_told() -> None:
    other = replace(plan(), versions={"siteplan": "0.2.0"},
                    parameters={**plan().parameters, "selection": {"max_sites": 3}},
                    inputs=({"layer": "poles", "file": "p.csv", "sha256": "bb"},))
    notes = "\n".join(compare_plans(plan(), other).notes)
    assert "0.1.0、0.2.0" in notes
    assert "路灯杆" in notes
    assert "selection.max_sites=9 / selection.max_sites=3" in notes


# folders


def test_plans_without_areas_gaps_or_sites(tmp_path: Path) -> None:
    base = plan()
    bare = replace(base, **{name: getattr(base, name).iloc[:0] for name in ("villages", "zones", "gaps", "sites")})
    for one, other in ((bare, bare), (base, bare), (bare, base)):
        found = compare_plans(one, other)
        assert len(found.villages) == 2 * (one is not other), "added or removed, now and as planned"
        assert len(found.sites) == len(found.gaps) == (one is not other)
    found = compare_folders(write_folder(tmp_path / "a", bare), write_folder(tmp_path / "b", bare))
    assert found.villages.empty
    assert found.sites.empty


@pytest.mark.parametrize("strange", [
    {"villages": {"rule": 3, "rate": "x", "by_rule": 7}},
    {"villages": {"rule": "a", "rate": "1", "by_rule": [1, {"rate": 2}]}}, {"area_share": math.inf},
    {"area_share": "much"}, {"networks": [1]}, {"sites": {"proposed": True}}])
def test_strange_indicators_are_no_fault_of_the_program(strange: dict[str, Any]) -> None:
    table = compare_states(strange, strange).assign(state="after")
    told = table.drop("villages.None.rate", errors="ignore")
    assert told["before"].isna().all(), "words, truths and infinities are no numbers"
    assert len(indicator_rows(table)) == len(table)


def write_folder(folder: Path, tables: PlanTables) -> Path:
    """The files of a plan that a comparison reads."""
    folder.mkdir()
    write_geopackage({"boundary": tables.boundary, "villages": tables.villages, "zones": tables.zones},
                     folder / "areas.gpkg")
    write_geopackage({"gaps_after": tables.gaps}, folder / "gaps.gpkg")
    write_geopackage({"sites": tables.sites}, folder / "sites.gpkg")
    facts = {name: getattr(tables, name) for name in ("study", "parameters", "indicators", "versions")}
    (folder / "plan.json").write_text(json.dumps({**facts, "inputs": list(tables.inputs)}), encoding="utf-8")
    return folder


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    return write_folder(tmp_path / "a", plan("fail")), write_folder(tmp_path / "b", plan("pass"))


def test_folders_give_what_the_plans_give(pair: tuple[Path, Path]) -> None:
    found, want = compare_folders(*pair), compare_plans(plan("fail"), plan("pass"))
    pd.testing.assert_frame_equal(found.indicators, want.indicators)
    pd.testing.assert_frame_equal(found.villages, want.villages)
    pd.testing.assert_frame_equal(found.sites, want.sites)
    pd.testing.assert_frame_equal(found.gaps, want.gaps)


def test_workbook_reads_back(pair: tuple[Path, Path], tmp_path: Path) -> None:
    other = write_folder(tmp_path / "c", plan("pass", threshold_dbm=-95.0))
    book = openpyxl.load_workbook(write_comparison(compare_folders(pair[0], other), tmp_path / "new" / "对比.xlsx"))
    assert book.sheetnames == ["指标对比", "行政村变化", "重点区域变化", "站址对比", "空洞对比"]
    cells = [[cell.value for cell in row] for row in book["指标对比"].iter_rows()]
    head = cells.index(INDICATOR_HEAD)
    assert "合成数据" in [row[0] for row in cells[:head]]
    rows = {(row[0], row[1]): row for row in cells[head + 1:]}
    share = rows["规划后", "面积覆盖率"]
    assert share[2:6] == ["%", 50, 50, NOT_COMPARABLE]
    assert share[6].startswith("SS-RSRP≥-105dBm的概率 / SS-RSRP≥-95dBm的概率")
    assert rows["规划后", "规划站址"][3:6] == [1, 1, 0]
    gap_notes = [row[0].value for row in book["空洞对比"].iter_rows() if isinstance(row[0].value, str)]
    assert any(NOT_COMPARABLE in text for text in gap_notes)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["对比.xlsx"]


def spoil(folder: Path, fault: str) -> None:
    facts = json.loads((folder / "plan.json").read_text("utf-8"))
    if fault == "no indicators":
        (folder / "plan.json").write_text(json.dumps({**facts, "indicators": [1]}), encoding="utf-8")
    elif fault == "no state":
        (folder / "plan.json").write_text(json.dumps({**facts, "indicators": {}}), encoding="utf-8")
    elif fault == "not json":
        (folder / "plan.json").write_bytes(b"\xff{")
    elif fault == "a list":
        (folder / "plan.json").write_text("[]", encoding="utf-8")
    elif fault == "no layer":
        shutil.copy(folder / "sites.gpkg", folder / "gaps.gpkg")
    elif fault == "not a database":
        (folder / "areas.gpkg").write_bytes(b"nothing")
    elif fault == "no column":
        poor = sites(s=(0, 0)).drop(columns="cost_yuan")
        write_geopackage({"sites": poor.rename_axis("site_id")}, folder / "sites.gpkg")
    elif fault == "twice":
        twice = sites(s=(0, 0))
        write_geopackage({"sites": pd.concat([twice, twice]).rename_axis("site_id")}, folder / "sites.gpkg")
    elif fault == "odd verdict":
        base = replace(plan(), villages=areas("好"))
        layers = {name: getattr(base, name) for name in ("boundary", "villages", "zones")}
        write_geopackage(layers, folder / "areas.gpkg")


FAULTS = {"no indicators": "indicators", "no state": "indicators.before", "not json": "JSON", "a list": "plan.json",
          "no layer": "gaps_after", "not a database": "areas.gpkg", "no column": "cost_yuan", "twice": "编号重复",
          "odd verdict": "好"}


@pytest.mark.parametrize("fault", FAULTS)
def test_another_schema_is_told(pair: tuple[Path, Path], fault: str) -> None:
    spoil(pair[1], fault)
    with pytest.raises(ExportError, match=FAULTS[fault]) as caught:
        compare_folders(*pair)
    assert all(problem.file and problem.reason and problem.remedy for problem in caught.value.problems)


def test_all_problems_of_both_folders_are_told_at_once(pair: tuple[Path, Path]) -> None:
    (pair[0] / "plan.json").unlink()
    (pair[0] / "gaps.gpkg").unlink()
    spoil(pair[1], "no column")
    with pytest.raises(ExportError) as caught:
        compare_folders(*pair)
    assert [Path(problem.file).relative_to(pair[0].parent).as_posix() for problem in caught.value.problems] == [
        "a/plan.json", "a/gaps.gpkg", "b/sites.gpkg"]


# the command


def call(*words: str | Path) -> Result:
    return CliRunner().invoke(app, ["compare", *map(str, words)], env={"COLUMNS": "200", "NO_COLOR": "1"})


def test_command_prints_and_writes(pair: tuple[Path, Path], tmp_path: Path) -> None:
    result = call(*pair, "--out", tmp_path / "c.xlsx")
    assert result.exit_code == 0, result.output + result.stderr
    for words in ("合成数据", "行政村达标率", "规划后行政村 V1 东村:新达标(未达标→达标);A:因为fail;B:因为pass", "规划站址:相同1", "c.xlsx"):
        assert words in result.output
    assert (tmp_path / "c.xlsx").is_file()


@pytest.mark.parametrize(("spoiled", "name", "words"), [
    (lambda a, b: (b / "plan.json").unlink(), "c.xlsx", "文件不存在"),
    (lambda a, b: shutil.rmtree(b), "c.xlsx", "不是文件夹"),
    (lambda a, b: None, "c.txt", ".xlsx"), (lambda a, b: None, "a/ledger.xlsx", "不能被对比结果覆盖"),
    (lambda a, b: (a.parent / "c.xlsx").mkdir(), "c.xlsx", "同名文件夹"),
    (lambda a, b: (a.parent / "file").write_text(""), "file/c.xlsx", "不能写入")])
def test_command_tells_what_is_wrong(pair: tuple[Path, Path], tmp_path: Path, spoiled: Callable[[Path, Path], Any],
                                     name: str, words: str) -> None:
    spoiled(*pair)
    before = sorted(path.as_posix() for path in tmp_path.rglob("*"))
    result = call(*pair, "--out", tmp_path / name)
    text = result.output + result.stderr
    assert result.exit_code == 2, text
    assert words in text
    assert "Traceback" not in text
    assert sorted(path.as_posix() for path in tmp_path.rglob("*")) == before


def test_one_folder_is_not_compared_with_itself(pair: tuple[Path, Path], tmp_path: Path) -> None:
    assert "同一个" in (result := call(pair[0], pair[0], "--out", tmp_path / "c.xlsx")).stderr
    assert result.exit_code == 2


@pytest.mark.slow
def test_folder_that_siteplan_wrote_equals_its_copy(tmp_path: Path) -> None:
    folder = tmp_path / "town"
    folder.mkdir()
    layers = {**ground(folder), **villages(folder), **stations(folder), **poles(folder)}
    opened = study(folder, layers, selection={"min_gain": 1.0, "max_yuan_per_gain": 1e9})
    done = CliRunner().invoke(app, ["run", str(opened.path), "--out", str(tmp_path / "a")])
    assert done.exit_code == 0, done.output + done.stderr
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    found = compare_folders(tmp_path / "a", tmp_path / "b")
    assert found.indicators["comparable"].all()
    assert (found.indicators["change"].dropna() == 0).all()
    assert {"before.area_share", "after.villages.rate", "after.sites.proposed"} <= set(found.indicators.index)
    assert found.villages.empty
    assert set(found.sites["change"]) <= {"kept"}
    assert found.gap_note == ""

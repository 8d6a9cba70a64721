"""A change set between two exports: nothing comes, goes, moves or changes without being told."""

from __future__ import annotations

import csv
import time
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import openpyxl
import pandas as pd
import pytest
from conftest import CRS, X0, Y0, at, rect
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Transformer

from siteplan.errors import ExportError
from siteplan.export.exchange.changes import ChangeSet, apply_changes, change_list, change_set, write_changes
from siteplan.export.master import PlanLayers
from tests.pace import allowed_s

HOSTILE = ["=1+1", "@x", "<script>alert(1)</script>", "${x}", "`x`", "../../x", "q\"u'o;te", "两\n行", "䶮𬭎㙍", "长" * 300]


def export(rows: dict[str, dict[str, Any]], layer: str = "sites", key: str = "site_id", crs: Any = CRS,
           **study: Any) -> PlanLayers:
    """As much of an export as a change set reads; a row's place is its ``at`` (a shape)."""
    places = [row["at"] for row in rows.values()]
    columns = {name: [row.get(name) for row in rows.values()] for row in rows.values() for name in row if name != "at"}
    table = gpd.GeoDataFrame(columns, geometry=places, crs=CRS, index=pd.Index(rows, name=key, dtype="str"))
    return PlanLayers({"study": study}, {layer: table.to_crs(crs)})


def site(name: str, east: float, north: float = 0.0, **more: Any) -> dict[str, Any]:
    return {"name": name, "venue_class": "中小学", "owner": "", "cost_yuan": 10.0, "at": at(east, north), **more}


OLD = export({
    "V-facility:F1": site("一小", 0), "V-facility:F2": site("二小", 100), "V-facility:F3": site("三小", 200),
    "V-facility:F4": site("四小", 300), "P-pole:D1": site("灯杆", 400), "V-facility:F6": site("六小", 600, owner=None)})
NEW = export({
    "V-facility:F1": site("一小", 0),                                  # unchanged
    "V-facility:F2": site("二小", 103, 4),                             # moved by 5 m
    "V-facility:F3": site("三小", 200.5, cost_yuan=12.5, owner="三小学校"),  # two values; half a metre is no move
    "V-facility:F9": site("四小", 300.25),                             # F4 under another id
    "V-facility:F7": site("七小", 700),                                # came; D1 went
    "V-facility:F6": site("第六小学", 590, owner="")})                  # moved, and another name
TOLD = change_set(OLD, NEW)


def test_everything_in_one_toy() -> None:
    assert TOLD.counts() == {"added": 2, "removed": 2, "moved": 2, "changed": 2, "unchanged": 1, "alike": 1}
    assert TOLD.added.index.tolist() == ["V-facility:F9", "V-facility:F7"]
    assert TOLD.removed.index.tolist() == ["V-facility:F4", "P-pole:D1"]
    assert TOLD.moved["distance_m"].to_dict() == {"V-facility:F2": 5.0, "V-facility:F6": 10.0}
    two = TOLD.moved.loc["V-facility:F2"]
    assert two[["x_old", "y_old", "x_new", "y_new"]].tolist() == [X0 + 100, Y0, X0 + 103, Y0 + 4]
    assert list(two.geometry.coords) == [(X0 + 100, Y0), (X0 + 103, Y0 + 4)]
    assert TOLD.changed[["key", "field", "field_zh", "old", "new"]].to_numpy().tolist() == [
        ["V-facility:F3", "owner", "权属单位", None, "三小学校"],
        ["V-facility:F3", "cost_yuan", "投资估算(元,建设投资+计费年数×年费用)", 10.0, 12.5],
        ["V-facility:F6", "name", "站址名称", "六小", "第六小学"]]
    assert TOLD.alike.to_numpy().tolist() == [["V-facility:F4", "V-facility:F9", "四小", "四小", 0.25]]


def test_the_distance_of_a_move_is_the_planners() -> None:
    assert change_set(OLD, NEW, moved_m=5.0).moved.index.tolist() == ["V-facility:F6"]
    assert change_set(OLD, NEW, moved_m=0.0).moved.index.tolist() == ["V-facility:F2", "V-facility:F3", "V-facility:F6"]
    with pytest.raises(ExportError, match="移动"):
        change_set(OLD, NEW, moved_m=float("nan"))


def test_columns_that_follow_from_the_place_are_not_compared_and_named() -> None:
    old = export({"A": site("甲", 0, lon=113.0, version="a", extra=1)})
    new = export({"A": site("甲", 0, lon=114.0, version="b", later="x")})
    found = change_set(old, new)
    assert found.counts()["unchanged"] == 1
    assert found.left_out == {"lon": "随坐标或版本变化,不比较", "version": "随坐标或版本变化,不比较", "extra": "只有一方有这个字段,不比较",
                              "later": "只有一方有这个字段,不比较"}


@pytest.mark.parametrize(("new", "alike"), [
    ({"V-facility:N": site("学校", 0.5)}, 1), ({"G-ground:F1": site("学校场地", 0.5)}, 1),
    ({"V-facility:N": site("别处", 0.5, owner="教育局")}, 1), ({"V-facility:N": site("别处", 0.5)}, 0),
    ({"V-facility:N": site("学校", 1.5)}, 0), ({"V-facility:N": site("学校", 0.5), "V-facility:M": site("学校", 0.2)}, 1),
], ids=["name", "own id", "class and owner", "another venue", "too far", "each once"])
def test_another_id_at_the_same_place_is_perhaps_the_same(new: dict[str, Any], alike: int) -> None:
    found = change_set(export({"V-facility:F1": site("学校", 0, owner="教育局")}), export(new))
    assert len(found.alike) == alike
    assert len(found.removed) == 1
    if len(new) > 1:
        assert found.alike["new_key"].tolist() == ["V-facility:M"]


def test_exports_in_two_zones_are_compared_in_that_of_the_new_one() -> None:
    """The same places under EPSG:4549 (CM 120E) are the same places; a move is measured in the new CRS."""
    old = PlanLayers(OLD.facts, {"sites": OLD.layers["sites"].to_crs("EPSG:4549")})
    found = change_set(old, NEW)
    assert found.counts() == TOLD.counts()
    assert found.removed.crs.to_epsg() == found.moved.crs.to_epsg() == 4547
    east, north = Transformer.from_crs("EPSG:4549", CRS, always_xy=True).transform(
        *old.layers["sites"].geometry.loc["V-facility:F2"].coords[0])
    assert found.moved.loc["V-facility:F2", ["x_old", "y_old"]].tolist() == pytest.approx([east, north], abs=1e-3)
    assert found.moved.loc["V-facility:F2", "distance_m"] == pytest.approx(5.0, abs=1e-3)


def test_areas_that_changed_their_shape_have_moved() -> None:
    """A village that grew by 40 m to the east: its outlines are 40 m apart at most."""
    def villages(right: float, verdict: str) -> PlanLayers:
        return export({"4499": {"name": "西村", "verdict_after": verdict, "at": rect(0, 0, right, 100)}}, "villages",
                      "village_code")

    found = change_set(villages(100, "fail"), villages(140, "pass"), "villages")
    assert found.moved["distance_m"].tolist() == [40.0]
    assert found.changed[["field_zh", "old", "new"]].to_numpy().tolist() == [["规划后判定", "fail", "pass"]]
    assert apply_changes(villages(100, "fail").layers["villages"], found).geometry.iloc[0].equals(rect(0, 0, 140, 100))


def test_empty_exports() -> None:
    none = PlanLayers({}, {"sites": NEW.layers["sites"].iloc[:0]})
    assert change_set(none, none).counts() == dict.fromkeys(TOLD.counts(), 0)
    assert change_set(none, NEW).counts()["added"] == 6
    assert change_set(OLD, none).counts()["removed"] == 6
    assert len(apply_changes(OLD.layers["sites"], change_set(OLD, none))) == 0


@pytest.mark.parametrize(("old", "words"), [
    (PlanLayers({}, {}), "前一次成果: 没有这一图层"),
    (PlanLayers({}, {"sites": OLD.layers["sites"].reset_index(drop=True)}), "没有编号"),
    (PlanLayers({}, {"sites": pd.concat([OLD.layers["sites"]] * 2)}), "编号重复"),
    (PlanLayers({}, {"sites": OLD.layers["sites"].to_crs(4490)}), "没有投影坐标系"),
    (PlanLayers({}, {"sites": OLD.layers["sites"].set_crs(None, allow_override=True)}), "没有投影坐标系"),
], ids=["no layer", "no key", "key twice", "degrees", "no crs"])
def test_what_cannot_be_compared_is_said(old: PlanLayers, words: str) -> None:
    with pytest.raises(ExportError, match="两次成果不能比较") as caught:
        change_set(old, NEW)
    assert words in str(caught.value)


def test_a_secret_row_without_a_place_is_compared_by_its_words() -> None:
    old, new = (export({"secret:1": {"name": "涉密单位(不列名)", "town": town, "at": None}}) for town in ("东镇", "西镇"))
    found = change_set(old, new)
    assert found.counts() == {"added": 0, "removed": 0, "moved": 0, "changed": 1, "unchanged": 0, "alike": 0}
    place = change_set(old, export({"secret:1": {"name": "涉密单位(不列名)", "town": "东镇", "at": at(0, 0)}}))
    assert place.moved.geometry.tolist() == [None]
    assert np.isnan(place.moved["distance_m"]).all()


values = st.one_of(st.none(), st.sampled_from(["", "甲", *HOSTILE]), st.integers(-5, 5), st.floats(allow_nan=False),
                   st.booleans())
row = st.fixed_dictionaries({"name": st.sampled_from(["甲", "乙", ""]), "a": values, "b": values,
                             "at": st.builds(at, st.integers(0, 9), st.integers(0, 9))})
rows = st.dictionaries(st.sampled_from("ABCDEFGH"), row, max_size=8)
EMPTY = {"name": "", "a": None, "b": None, "at": at(0, 0)}


def filled(table: dict[str, dict[str, Any]]) -> PlanLayers:
    made = export({**table, "_": EMPTY})
    return PlanLayers({}, {"sites": made.layers["sites"].astype({"a": "object", "b": "object"}).drop(index="_")})


@given(rows, rows)
def test_the_change_set_applied_to_the_old_gives_the_new(old: dict[str, Any], new: dict[str, Any]) -> None:
    before, after = filled(old), filled(new)
    changes = change_set(before, after, moved_m=0.0)
    made = apply_changes(before.layers["sites"], changes)
    wanted = after.layers["sites"].sort_index()
    assert made.index.tolist() == wanted.index.tolist()
    assert [tuple(point.coords) for point in made.geometry] == [tuple(point.coords) for point in wanted.geometry]
    for name in ("name", "a", "b"):
        assert [plain(value) for value in made[name]] == [plain(value) for value in wanted[name]], name
    counts = changes.counts()
    assert counts["added"] + counts["unchanged"] + len({*changes.moved.index, *changes.changed["key"]}) == len(wanted)
    assert change_set(after, after, moved_m=0.0).counts()["unchanged"] == len(wanted)


def plain(value: Any) -> Any:
    return None if value is None or value == "" or value != value else value


# files


@pytest.mark.parametrize("odd", [np.inf, -np.inf, np.nan])
def test_numbers_that_are_none_and_lost_places_are_written(tmp_path: Path, odd: float) -> None:
    old, new = export({"A": site("甲", 0, cost_yuan=odd)}), export({"A": {**site("甲", 0), "at": None}})
    written = write_changes(change_set(old, new), tmp_path)
    assert cells(written["changes.xlsx"], "移动")[-1][:3] == ["A", "甲", ""]
    assert cells(written["changes.xlsx"], "属性变更")[-1][3:] == ["" if np.isnan(odd) else str(odd), 10]
    assert gpd.read_file(written["changes.gpkg"], layer="moved").geometry.isna().all()


def cells(path: Path, sheet: str) -> list[list[Any]]:
    return [[cell.value for cell in row] for row in openpyxl.load_workbook(path)[sheet].iter_rows()]


def hostile() -> ChangeSet:
    old = export({f"S{number}": site(word, 10 * number, owner="旧") for number, word in enumerate(HOSTILE)}, name="=a",
                 notices=["合成数据"])
    new = export({f"S{number}": site(word, 10 * number + 3, owner=word) for number, word in enumerate(HOSTILE)} |
                 {word[:40]: site(word, 999) for word in HOSTILE}, name="=b", notices=["合成数据", "第二条"])
    return change_set(old, new)


def test_files_hold_every_change(tmp_path: Path) -> None:
    written = write_changes(TOLD, tmp_path)
    assert set(written) == {"changes.xlsx", "changes.gpkg", "changes.csv"} == {path.name for path in tmp_path.iterdir()}
    sheets = openpyxl.load_workbook(written["changes.xlsx"]).sheetnames
    assert sheets == ["汇总", "新增", "取消", "移动", "属性变更", "可能同一处"]
    summary = {row[0]: row[1] for row in cells(written["changes.xlsx"], "汇总")}
    assert [summary[name] for name in ("新增(处)", "取消(处)", "移动(处)", "属性变更(涉及处数)", "未变(处)")] == [2, 2, 2, 2, 1]
    moved = cells(written["changes.xlsx"], "移动")[-2]
    assert moved == ["V-facility:F2", "二小", 5, Y0, X0 + 100, Y0 + 4, X0 + 103]
    changed = cells(written["changes.xlsx"], "属性变更")[-3:]
    assert changed[0][2:] == ["权属单位", "", "三小学校"]
    for layer, count in (("added", 2), ("removed", 2), ("moved", 2)):
        read = gpd.read_file(written["changes.gpkg"], layer=layer)
        assert len(read) == count
        assert read.crs.to_epsg() == 4547
    assert set(gpd.read_file(written["changes.gpkg"], layer="moved").geom_type) == {"LineString"}
    with written["changes.csv"].open(encoding="utf-8-sig", newline="") as handle:
        listed = list(csv.DictReader(handle))
    assert len(listed) == len(change_list(TOLD)) == 2 + 2 + 2 + 3 + 1
    assert [row["变更"] for row in listed] == ["新增"] * 2 + ["取消"] * 2 + ["移动"] * 2 + ["属性变更"] * 3 + ["可能同一处"]


def test_no_text_is_a_formula_and_none_is_lost(tmp_path: Path) -> None:
    written = write_changes(hostile(), tmp_path)
    book = openpyxl.load_workbook(written["changes.xlsx"])
    assert {cell.data_type for sheet in book for row in sheet.iter_rows() for cell in row} <= {"s", "n"}
    assert not any(cell.hyperlink for sheet in book for row in sheet.iter_rows() for cell in row)
    told = [row[4] for row in cells(written["changes.xlsx"], "属性变更")[-len(HOSTILE):]]
    assert told == HOSTILE
    read = gpd.read_file(written["changes.gpkg"], layer="added")
    assert read["name"].tolist() == HOSTILE
    with written["changes.csv"].open(encoding="utf-8-sig", newline="") as handle:
        values = [value for row in csv.DictReader(handle) for value in row.values()]
    assert not [value for value in values if value[:1] in ("=", "+", "-", "@", "\t", "\r")]


def test_equal_change_sets_are_equal_files(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_changes(hostile(), tmp_path / name)
    for name in ("changes.xlsx", "changes.gpkg", "changes.csv"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name


def test_no_change_writes_files_that_say_so(tmp_path: Path) -> None:
    written = write_changes(change_set(NEW, NEW), tmp_path)
    assert cells(written["changes.xlsx"], "新增")[-1][0] == "没有记录"
    assert len(gpd.read_file(written["changes.gpkg"], layer="moved")) == 0
    assert written["changes.csv"].read_text(encoding="utf-8-sig").strip() == "变更,编号,名称,字段,原值,新值,距离(米)"


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file", encoding="utf-8")
    with pytest.raises(ExportError, match="成果目录"):
        write_changes(TOLD, tmp_path / "out")



def alike_row_by_row(removed: gpd.GeoDataFrame, added: gpd.GeoDataFrame) -> list[tuple[str, str, float]]:
    """The pairs as their definition says them, each with each: one metre at most, nearest first, each row once."""
    def same(one: Any, other: Any) -> bool:
        def told(name: str) -> bool:
            return bool(one[name]) and one[name] == other[name]
        own = str(one.name).rpartition(":")[2] == str(other.name).rpartition(":")[2]
        return own or told("name") or (told("venue_class") and told("owner"))

    pairs = sorted((round(one.geometry.distance(other.geometry), 3), before, after)
                   for before, one in removed.iterrows() for after, other in added.iterrows()
                   if one.geometry.distance(other.geometry) <= 1.0 and same(one, other))
    found: list[tuple[str, str, float]] = []
    for metres, before, after in pairs:
        if all(before != pair[0] and after != pair[1] for pair in found):
            found.append((before, after, metres))
    return found


crowd = st.lists(st.tuples(st.sampled_from(["甲", "乙", ""]), st.sampled_from(["镇政府", ""]), st.integers(0, 6),
                           st.sampled_from("ABCDEFGH")), max_size=8)


@given(crowd, crowd)
def test_pairs_are_those_of_a_search_row_by_row(old: list[Any], new: list[Any]) -> None:
    before, after = (export({f"{letter}:{own}": site(name, 0.3 * place, owner=owner)
                             for name, owner, place, own in rows} | {f"{letter}:X": site("远处", 900)})
                     for letter, rows in (("a", old), ("b", new)))
    found = change_set(before, after)
    wanted = alike_row_by_row(found.removed, found.added)
    assert found.alike[["old_key", "new_key", "distance_m"]].to_numpy().tolist() == [list(pair) for pair in wanted]


def test_ten_thousand_new_ids_are_compared_at_once() -> None:
    """Row by row it took 104 cpu s."""
    count = 10_000
    places = gpd.points_from_xy(X0 + 10.0 * np.arange(count), np.full(count, Y0))
    tables = [gpd.GeoDataFrame({"name": [f"站{number}" for number in range(count)]}, geometry=places, crs=CRS,
                               index=pd.Index([f"{letter}{number}" for number in range(count)], name="site_id"))
              for letter in "ab"]
    start = time.process_time()
    found = change_set(*(PlanLayers({}, {"sites": table}) for table in tables))
    spent = time.process_time() - start
    assert spent < allowed_s(3.0)
    assert found.counts()["alike"] == count

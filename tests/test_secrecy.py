"""Secret units in every deliverable: counted with their town, never named or placed; nothing else is lost."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import geopandas as gpd
import openpyxl
import pandas as pd
import pyogrio
import pytest
from conftest import CRS, X0, Y0
from map_plan import unpacked
from test_minimal_studies import ground, rows, stations, study, villages

from siteplan.export import write_plan
from siteplan.input_ledger import InputLedger
from siteplan.maps import render_review_map
from siteplan.maps._layers import collect_layers
from siteplan.plan import Plan
from siteplan.secrecy import HIDDEN, hide_secret_units, secret_units, secret_units_of
from siteplan.study import run, write_deliverables

SECRET = ("F2", "保密局甲", "秘路2号", "F3", "保密局乙", "秘路3号")
"""Ids, names and addresses of the two secret units: the first is listed by its id, the second by its name."""


def facilities(folder: Path) -> dict[str, Any]:
    places = (("F1", "镇政府", "明路1号", "镇政府", 300), ("F2", "保密局甲", "秘路2号", "保密局甲", 500),
              ("F3", "保密局乙", "秘路3号", "保密局乙", 700), ("F4", "第一小学", "明路4号", "第一小学", 800))
    rows(folder / "facilities.csv", *(
        {"设施编号": key, "名称": name, "设施类型": "党政机关", "地址": address, "权属单位": owner, "主管部门": "", "楼顶高度": 20,
         "x": X0 + east, "y": Y0 + 400} for key, name, address, owner, east in places))
    rows(folder / "secrecy.csv", {"设施编号": "F2", "单位名称": "", "依据": "审查"}, {"设施编号": "", "单位名称": "保密局乙", "依据": "审查"})
    return {"facilities": {"path": "facilities.csv", "crs": CRS}, "secrecy": {"path": "secrecy.csv"}}


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    folder = tmp_path_factory.mktemp("plan")
    layers = {**ground(folder), **villages(folder), **facilities(folder),
              **stations(folder, {"x": X0 + 50.0, "参考信号功率": 0.0})}
    made = run(study(folder, layers, selection={"min_gain": 0.0, "max_yuan_per_gain": 1e8}))
    ledger = InputLedger(made.ledger)
    ledger.add("facilities", "facilities.csv", "3", "name", "保密局甲", "note", "与F2同一位置", "核对")
    return dataclasses.replace(made, ledger=ledger)


@pytest.fixture(scope="module")
def out(plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("out")
    write_deliverables(plan, folder)
    return folder


def told(path: Path) -> str:
    """All text of a file, by its kind."""
    if path.suffix == ".gpkg":
        return "\n".join(pyogrio.read_dataframe(path, layer=name).drop(columns="geometry").to_csv()
                         for name, _ in pyogrio.list_layers(path))
    if path.suffix == ".xlsx":
        return "\n".join(str(cell) for sheet in openpyxl.load_workbook(path)
                         for row in sheet.iter_rows(values_only=True) for cell in row if cell is not None)
    if path.suffix == ".docx":
        with zipfile.ZipFile(path) as parts:
            return "\n".join(parts.read(name).decode("utf-8", "ignore") for name in parts.namelist())
    return path.read_bytes().decode("utf-8", "ignore")


def test_the_study_refuses_both(plan: Plan) -> None:
    """Otherwise the other tests could not fail."""
    refused = plan.sites[plan.sites["refusal_code"] == "secrecy"]
    assert set(refused["source_id"]) == {"F2", "F3"}
    assert {"F1", "F4"} <= set(plan.sites["source_id"])
    assert plan.opening is not None
    assert plan.opening.venues["secret"].sum() == 2


def test_no_file_names_a_secret_unit(out: Path) -> None:
    files = [path for path in out.rglob("*") if path.is_file() and path.suffix not in (".tif", ".npz", ".shp", ".shx")]
    assert len(files) > 15
    texts = {path.name: told(path) for path in files}
    assert "明路1号" in texts["candidates.gpkg"]
    assert "镇政府" in texts["review_map.html"]
    names = [word for word in SECRET if len(word) > 2]
    assert not {(name, word) for name, text in texts.items() for word in names if word in text}
    ids = [f"facility:{word}" for word in ("F2", "F3")]
    assert not {(name, word) for name, text in texts.items() for word in ids if word in text}


def test_a_secret_unit_is_a_row_with_its_town_and_no_place(plan: Plan, out: Path) -> None:
    table = gpd.read_file(out / "candidates.gpkg")
    assert len(table) == len(plan.sites)
    hidden = table[table["refusal_code"] == "secrecy"]
    assert hidden["name"].tolist() == [HIDDEN] * 2
    assert hidden.geometry.isna().all()
    assert hidden[["lon", "lat", "x_north_m", "y_east_m"]].isna().all(axis=None)
    assert set(hidden["status"]) == {"refused"}
    words = hidden[["owner", "department", "address", "evidence", "source_id"]]
    assert not words.replace("", None).notna().any(axis=None)


def test_secret_units_have_no_point_on_the_map(plan: Plan) -> None:
    shown = collect_layers(hide_secret_units(plan))
    places = {tuple(row[:2]) for name in ("candidates", "refused") for row in unpacked(shown[name])}
    places |= {tuple(item["at"]) for item in shown["proposed"]["items"]}
    secret = plan.sites[plan.sites["refusal_code"] == "secrecy"].to_crs("EPSG:4326").geometry
    assert not places & {(round(point.y, 6), round(point.x, 6)) for point in secret}
    open_places = plan.sites[(plan.sites["refusal_code"] != "secrecy") & (plan.sites["status"] != "existing")]
    assert len(places) == len(open_places)
    assert all(tier["tier"] for tier in shown["tiers"])


def test_counts_and_lines_stay(plan: Plan) -> None:
    hidden = hide_secret_units(plan)
    assert len(hidden.ledger) == len(plan.ledger)
    assert list(hidden.ledger)[-1].value == HIDDEN
    assert list(hidden.ledger)[-1].reason == f"与{HIDDEN}同一位置"
    assert hidden.sites["status"].value_counts().to_dict() == plan.sites["status"].value_counts().to_dict()
    assert hidden.sites.dtypes.to_dict() == plan.sites.dtypes.to_dict()
    assert plan.opening is not None
    assert hidden.opening is not None
    assert hidden.opening.towns["venues"].sum() == plan.opening.towns["venues"].sum()
    sums = hidden.opening.departments.set_index("department")["venues"]
    assert sums.sum() == plan.opening.departments["venues"].sum()
    assert sums[HIDDEN] == 2
    assert sums["机关事务管理局"] == (hidden.opening.venues["department"] == "机关事务管理局").sum()
    assert hidden.opening.venues["number"].tolist() == list(range(1, len(plan.opening.venues) - 1))
    pd.testing.assert_frame_equal(hidden.opening.public, plan.opening.public)


def test_hidden_twice_is_hidden_once_and_nothing_secret_changes_nothing(plan: Plan) -> None:
    hidden = hide_secret_units(plan)
    assert hide_secret_units(hidden) is hidden
    assert render_review_map(hidden) == render_review_map(plan)
    opened = dataclasses.replace(plan, opening=None, sites=plan.sites[plan.sites["refusal_code"] != "secrecy"])
    assert hide_secret_units(opened) is opened


def test_the_plan_itself_is_not_changed(plan: Plan) -> None:
    before = plan.sites.copy()
    hide_secret_units(plan)
    pd.testing.assert_frame_equal(pd.DataFrame(plan.sites), pd.DataFrame(before))


UNITS = {"V-facility:F2": ("F2", "保密局甲"), "V-facility:12": ("12", "某局")}


@pytest.mark.parametrize(("sentence", "wanted"), [
    ("最优的 保密局甲(V-facility:F2):涉密单位", f"最优的 {HIDDEN}:涉密单位"),
    ("与F2、F21同楼", f"与{HIDDEN}、F21同楼"), ("距保密局甲12米", "距保密局甲12米"), ("距 保密局甲 12米", f"距 {HIDDEN} 12米"),
    ("第12位", "第12位"), ("与V-facility:12过近", f"与{HIDDEN}过近"), ("保密局甲（2）", "保密局甲（2）"), ("没有", "没有")])
def test_sentences_lose_ids_and_names_and_nothing_else(sentence: str, wanted: str) -> None:
    """A number alone is no id, a longer name is another unit, a name inside of other words is not taken apart."""
    assert secret_units_of(UNITS, open_words=()).text(sentence) == wanted


def test_a_name_that_owns_an_open_place_is_told_of_that_place_only() -> None:
    units = secret_units_of(UNITS, open_words=["保密局甲"])
    assert units.text("权属 保密局甲") == "权属 保密局甲"
    table = pd.DataFrame({"name": ["保密局甲", "学校"], "owner": ["保密局甲", "保密局甲"], "target_id": ["F2", "F4"]})
    shown = units.table(table)
    assert shown.to_dict("list") == {"name": ["", "学校"], "owner": ["保密局甲", "保密局甲"], "target_id": ["", "F4"]}


def test_the_nearest_venue_of_a_gap_is_not_told_where_it_is_secret() -> None:
    gaps = pd.DataFrame({"nearest_venue": ["12", "13"], "venue_name": ["某局所在", "小学"]})
    shown = secret_units_of(UNITS, open_words=()).table(gaps)
    assert shown.to_dict("list") == {"nearest_venue": ["", "13"], "venue_name": ["", "小学"]}


def test_a_table_without_rules_has_no_secrets() -> None:
    assert secret_units(pd.DataFrame({"name": ["某局"]})).site_ids == frozenset()


def test_plan_json_lists_no_secret_site(out: Path) -> None:
    facts = json.loads((out / "plan.json").read_text(encoding="utf-8"))
    assert {site["source_id"] for site in facts["sites"]}.isdisjoint({"F2", "F3"})


def test_a_second_run_leaves_the_letters_that_the_office_changed(plan: Plan, tmp_path: Path) -> None:
    letters = write_plan(plan, tmp_path)["letters/letters.csv"].parent
    first, *_ = sorted(letters.glob("*.docx"))
    first.write_bytes(b"sealed")
    (letters / "01_sent.docx").write_bytes(b"own")
    (letters / "02_old.docx").write_bytes(b"old")
    listed = pd.read_csv(letters / "letters.csv", dtype=str)
    digest = hashlib.sha256(b"old").hexdigest()
    pd.concat([listed, pd.DataFrame({"文件": ["02_old.docx"], "摘要": [digest]})]).to_csv(
        letters / "letters.csv", index=False, encoding="utf-8-sig")
    write_plan(plan, tmp_path)
    assert first.read_bytes() == b"sealed"
    assert first.with_stem(f"{first.stem}_新").exists()
    assert (letters / "01_sent.docx").exists()
    assert not (letters / "02_old.docx").exists()


@pytest.mark.parametrize("synthetic", [True, False])
def test_a_public_list_of_invented_data_says_so_in_every_row(plan: Plan, tmp_path: Path, synthetic: bool) -> None:
    write_plan(dataclasses.replace(plan, study={**plan.study, "synthetic": synthetic}), tmp_path)
    table = pd.read_csv(tmp_path / "public_list.csv", dtype=str)
    assert len(table) > 0
    assert ("备注" in table) is synthetic
    assert not synthetic or table["备注"].str.startswith("合成数据").all()

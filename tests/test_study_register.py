"""A study that stands on a register: what was said, what is committed and what is built."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pytest
from conftest import CRS, X0, Y0, at
from test_minimal_studies import ground, poles, rows, stations, study, villages

from siteplan.decisions import read_decisions
from siteplan.errors import StudyError
from siteplan.input_ledger import InputLedger
from siteplan.layers import file_verdicts
from siteplan.plan import Plan
from siteplan.register import Register, add_rows, edit_rows, open_register, writing
from siteplan.register.opinions import import_opinions
from siteplan.study import Study, check_layers, read_layers, run
from siteplan.study._register import read_state
from tests.registers import day, stamp, toy_register

SCHOOL, HALL, POLE = "V-facility:F1", "V-facility:F2", "P-pole:D255-255"
SAID = (("F1", "拒绝", "业主拒绝", "某街道", "2026-02-10", "不同意在楼顶施工"),
        ("D255-255", "保留", "", "例会", "2026-02-12", "群众反映"),
        ("F2", "收费", "进场费 12000", "铁塔溪口分公司", "2026-03-01", "物业要求"),
        ("F2", "疑难", "", "例会", "2026-03-05", "群众反对"))
SELECTION = {"min_gain": 1.0, "max_yuan_per_gain": 1e9, "max_sites": 3}


def said_table(*said: tuple[str, ...]) -> pd.DataFrame:
    return pd.DataFrame(list(said), columns=["id", "action", "value", "who", "date", "why"])


def town(folder: Path) -> dict[str, Any]:
    """Four poles, a school in the west and a village hall in the east."""
    rows(folder / "facilities.csv",
         {"编号": "F1", "名称": "甲小学", "类型": "学校", "x": X0 + 250, "y": Y0 + 500, "已开放内容": "光纤"},
         {"编号": "F2", "名称": "乙村村委会", "类型": "村委会", "x": X0 + 750, "y": Y0 + 500})
    return {**ground(folder), **villages(folder), **poles(folder), "facilities": {"path": "facilities.csv", "crs": CRS}}


def opened(folder: Path, register: Mapping[str, Any] | None = None, **layers: Any) -> Study:
    tables: dict[str, Any] = {} if register is None else {"register": dict(register)}
    return study(folder, {**town(folder), **layers}, study={"resolution_m": 25.0}, selection=SELECTION,
                 candidates={"kinds": ["facility", "ground", "pole"]}, **tables)


def import_said(register: Register, *said: tuple[str, ...]) -> None:
    with writing(register, stamp("2026-06-01")) as transaction:
        import_opinions(transaction, said_table(*said))


def add_site(register: Register, east: float, north: float, states: tuple[str, ...], **cells: Any) -> str:
    """A site that went through some states, a month each from 2026-01-10."""
    with writing(register, stamp("2026-01-10")) as transaction:
        (site,) = add_rows(transaction, "sites", [{"name": "某站", "state": "储备", "geometry": at(east, north), **cells}])
    for month, state in enumerate(states, 2):
        with writing(register, stamp(f"2026-{month:02d}-10")) as transaction:
            edit_rows(transaction, "sites", {site: {"state": state}}, "例会")
    return site


ON_AIR = ("具备条件", "已批准", "在建", "已开通")


def proposed(plan: Plan) -> list[str]:
    table = plan.sites[plan.sites["status"] == "proposed"].sort_values("rank_no")
    return [str(site_id) for site_id in table.index]


def problems_of(folder: Path, register: Mapping[str, Any], **layers: Any) -> list[tuple[str, str]]:
    with pytest.raises(StudyError) as caught:
        opened(folder, register, **layers)
    return [(problem.field, f"{problem.reason} {problem.remedy}") for problem in caught.value.problems]


@pytest.fixture(scope="module")
def by_file(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    folder = tmp_path_factory.mktemp("file")
    said_table(*SAID).to_csv(folder / "decisions.csv", index=False, encoding="utf-8-sig")
    return run(opened(folder, decisions="decisions.csv"))


@pytest.fixture(scope="module")
def by_register(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    folder = tmp_path_factory.mktemp("register")
    import_said(toy_register(folder / "register.gpkg"), *SAID)
    return run(opened(folder, {"path": "register.gpkg", "as_of": "2026-06-30"}))


@pytest.fixture(scope="module")
def re_plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    """The hall is on air, a pole is approved for 2027, another one withdrawn."""
    folder = tmp_path_factory.mktemp("replan")
    register = toy_register(folder / "register.gpkg")
    add_site(register, 750, 500, ON_AIR, study_id=HALL, kind="macro", antenna_height_m=15.0, networks="移动")
    add_site(register, 255, 255, ("具备条件", "已批准"), study_id=POLE, phase_year=2027)
    dropped = add_site(register, 255, 755, (), study_id="P-pole:D255-755")
    with writing(register, stamp("2026-05-20")) as transaction:
        edit_rows(transaction, "sites", {dropped: {"state": "撤销", "state_reason": "道路改造"}})
    import_said(register, (HALL, "保留", "", "例会", "2026-01-20", "首批"))
    return run(opened(folder, {"path": "register.gpkg", "as_of": "2026-06-30"}))


def test_the_register_and_the_table_that_was_imported_give_the_same_plan(by_file: Plan, by_register: Plan) -> None:
    assert proposed(by_file) == proposed(by_register)
    columns = ["status", "refusal_code", "reason", "rank_no", "gain", "cost_yuan", "build_year"]
    pd.testing.assert_frame_equal(by_file.sites[columns], by_register.sites[columns])
    told = [plan.results["decision_effects"] for plan in (by_file, by_register)]
    same = ["id", "action", "value", "who", "date", "why", "site_ids", "effect", "followed"]
    assert sorted(told[0][same].to_numpy().tolist()) == sorted(told[1][same].to_numpy().tolist())
    for name in ("fees", "refusals", "hard"):
        one, other = getattr(by_file.opening, name), getattr(by_register.opening, name)
        assert len(one) == 1
        assert one["venue_id"].tolist() == other["venue_id"].tolist()


def test_a_venue_that_the_register_says_refused_is_not_proposed(by_register: Plan) -> None:
    assert by_register.sites.loc[SCHOOL, "refusal_code"] == "refused_by_owner"
    assert SCHOOL not in proposed(by_register)
    assert POLE in proposed(by_register)


def test_the_plan_says_on_which_state_of_the_register_it_rests(by_register: Plan) -> None:
    said = by_register.study["register"]
    assert {name: said[name] for name in ("name", "city", "as_of", "opinions", "sites")} == {
        "name": "register.gpkg", "city": "溪口市", "as_of": "2026-06-30", "opinions": 4, "sites": 0}
    assert said["last_event"] >= 20  # 16 organisations and 4 opinions came
    assert by_register.parameters["register"]["path"] == "register.gpkg"
    assert [entry["rows_kept"] for entry in by_register.inputs if entry["file"] == "register.gpkg"] == [0, 4]
    assert json.dumps(said)


def test_an_approved_site_is_kept_in_its_year(re_plan: Plan) -> None:
    assert POLE in proposed(re_plan)
    assert re_plan.sites.loc[POLE, "build_year"] == 2027
    effects = re_plan.results["decision_effects"].set_index(["id", "action"])
    assert effects.loc[(POLE, "保留"), "followed"]
    assert effects.loc[(POLE, "保留"), "row"] == "ZZ000002-keep"


def test_a_withdrawn_site_is_banned_with_its_reason(re_plan: Plan) -> None:
    row = re_plan.sites.loc["P-pole:D255-755"]
    assert row["refusal_code"] == "banned"
    assert row["reason"].endswith("道路改造")


def test_a_site_on_air_is_an_existing_station(re_plan: Plan) -> None:
    assert re_plan.sites.loc["E-station:ZZ000001", ["status", "networks"]].tolist() == ["existing", "移动 5G"]
    assert re_plan.indicators["after"]["sites"]["existing"] == 1
    assert re_plan.indicators["before"]["area_share"] > 0.3
    assert list(re_plan.indicators["before"]["networks"]) == ["移动 5G"]
    assert HALL not in proposed(re_plan)
    lines = [(line.action, line.reason) for line in re_plan.ledger if line.layer == "stations" and line.file]
    assert any(action == "assumed" and "1 处 3 个小区补入现有基站" in reason for action, reason in lines)


def test_what_was_decided_of_a_site_on_air_is_done_and_told(re_plan: Plan) -> None:
    assert HALL not in re_plan.results["decision_effects"]["id"].tolist()
    assert [line.row for line in re_plan.ledger if "决定已经落实" in line.reason] == ["JD000001"]


@pytest.fixture
def place(tmp_path: Path) -> Register:
    return toy_register(tmp_path / "register.gpkg")


def test_a_decisions_table_beside_a_register_is_refused(place: Register, tmp_path: Path) -> None:
    (field, words), = problems_of(tmp_path, {"path": "register.gpkg"}, decisions="decisions.csv")
    assert field == "layers.decisions"
    assert "siteplan register import decisions" in words


@pytest.mark.parametrize(("table", "field", "words"), [
    ({}, "register", "没有写储备库在哪里"),
    ({"path": "register.gpkg", "url_env": "X"}, "register.url_env", "只写一个"),
    ({"path": "postgresql://me:geheim@db/city"}, "register.path", "不能写数据库密码"),
    ({"path": "postgresql://db/city?password=geheim"}, "register.path", "不能写数据库密码"),
    ({"url_env": "SITEPLAN_NOWHERE"}, "register.url_env", "环境变量 SITEPLAN_NOWHERE 没有设置"),
    ({"path": "none.gpkg"}, "register.path", "打不开储备库"),
    ({"path": "villages.gpkg"}, "register.path", "不是储备库"),
    ({"path": "dem.tif"}, "register.path", "不是储备库"),
    ({"path": "register.gpkg", "use_buit": True}, "register.use_buit", "没有这个键"),
    ({"path": 5}, "register.path", "应为文字")])
def test_faults_of_the_table_are_told_at_once(place: Register, tmp_path: Path, table: Mapping[str, Any], field: str,
                                              words: str) -> None:
    found = problems_of(tmp_path, table)
    assert found[0][0] == field
    assert words in found[0][1]
    assert "geheim" not in str(found)


def test_a_row_that_another_program_changed_is_a_problem_with_its_id(place: Register, tmp_path: Path) -> None:
    import sqlite3

    import_said(place, *SAID)
    with sqlite3.connect(tmp_path / "register.gpkg") as connection:
        connection.execute("UPDATE decisions SET action = 'agreed' WHERE id = 'JD000001'")
    connection.close()
    with pytest.raises(StudyError) as caught:
        opened(tmp_path, {"path": "register.gpkg"})
    assert [(problem.layer, problem.row) for problem in caught.value.problems][1:] == [("decisions", "JD000001")]


def test_check_reads_the_register_as_a_file_of_its_layers(place: Register, tmp_path: Path) -> None:
    import_said(place, *SAID)
    found = check_layers(opened(tmp_path, {"path": "register.gpkg"}))
    words = [(verdict.layer, verdict.word) for verdict in file_verdicts(found) if verdict.file == "register.gpkg"]
    assert words == [("stations", "可用"), ("decisions", "可用")]
    assert found.tables["decisions"].index.tolist() == ["JD000001", "JD000002", "JD000003", "SF000001"]
    assert not found.problems


def test_an_empty_register_is_no_fault(place: Register, tmp_path: Path) -> None:
    layers = read_layers(opened(tmp_path, {"path": "register.gpkg"}))
    assert not layers.has("decisions")
    assert not layers.has("stations")


def test_the_day_is_that_of_the_table_else_of_the_study(place: Register, tmp_path: Path) -> None:
    import_said(place, *SAID)
    own = opened(tmp_path, {"path": "register.gpkg", "as_of": "2026-02-11"})
    assert own.register is not None
    assert own.register.opinions["id"].tolist() == ["F1"]
    text = own.path.read_text(encoding="utf-8").replace('as_of = "2026-02-11"', "").replace(
        "[study]", "[study]\nas_of = 2026-03-01")
    own.path.write_text(text, encoding="utf-8")
    other = Study.from_toml(own.path).register
    assert other is not None
    assert (other.as_of, len(other.opinions)) == (day("2026-03-01"), 3)


def test_a_station_in_both_counts_once_and_lacking_operators_are_added(place: Register, tmp_path: Path) -> None:
    add_site(place, 530, 500, ON_AIR, study_id=HALL, kind="macro", antenna_height_m=20.0, networks="移动|电信")
    found = read_layers(opened(tmp_path, {"path": "register.gpkg"}, **stations(tmp_path)))
    table = found.tables["stations"]
    assert table[["source_site", "network"]].drop_duplicates().to_numpy().tolist() == [["A", "移动"], ["A", "电信"]]
    assert (table.loc[table["source_file"] == "register.gpkg", "built_on"] == pd.Timestamp("2026-05-10")).all()
    facts = {file.file: file for file in found.files if file.layer == "stations"}
    assert [facts[name].rows_kept for name in ("stations.csv", "register.gpkg")] == [1, 3]
    assert any("不重复计算" in line.reason for line in found.ledger)


def test_built_stations_and_commitments_can_be_left_out(place: Register, tmp_path: Path) -> None:
    add_site(place, 750, 500, ON_AIR, study_id=HALL, networks="移动")
    add_site(place, 255, 255, ("具备条件", "已批准"), study_id=POLE)
    layers = read_layers(opened(tmp_path, {"path": "register.gpkg", "use_built": False, "use_commitments": False}))
    assert not layers.has("stations")
    assert not layers.has("decisions")


def test_a_station_far_outside_of_the_study_is_refused_as_one_of_a_file(place: Register, tmp_path: Path) -> None:
    """A register is a city's, a study may be a county's: the run goes on."""
    add_site(place, 60_000, 500, ON_AIR, networks="移动")
    found = read_layers(opened(tmp_path, {"path": "register.gpkg"}))
    assert not found.has("stations")
    fact, = (file for file in found.files if file.layer == "stations")
    assert (fact.rows_in, fact.rows_kept, fact.rows_refused) == (3, 0, 3)


def test_agreements_of_the_register_reach_the_facilities(place: Register, tmp_path: Path) -> None:
    with writing(place, stamp("2026-05-01")) as transaction:
        add_rows(transaction, "venues", [
            {"name": "甲小学", "study_id": "F1", "agreed_on": "2026-05-01", "opened": "基站"},
            {"name": "乙村村委会", "study_id": HALL, "agreed_on": "2026-05-02"},
            {"name": "丙", "study_id": "F9", "opened": "全部"}])
    found = read_layers(opened(tmp_path, {"path": "register.gpkg", "as_of": "2026-05-01"}))
    table = found.tables["facilities"]
    assert table["opens"].fillna("").to_dict() == {"F1": "基站", "F2": ""}
    assert table["agreed_on"].tolist() == [pd.Timestamp("2026-05-01"), pd.NaT]
    told = [(line.row, line.field, line.value, line.action) for line in found.ledger if line.file == "register.gpkg"
            and line.layer == "facilities"]
    assert told == [("", "", "1 处", "note"), ("CS000001", "opens", "光纤", "repaired"),
                    ("CS000001", "agreed_on", "", "repaired")]


def test_both_stores_give_the_same_state(register: Register, register_place: str, tmp_path: Path,
                                         monkeypatch: pytest.MonkeyPatch) -> None:
    """By the address that an environment variable holds, or as a file."""
    import_said(register, *SAID)
    add_site(register, 255, 255, ("具备条件",), study_id=POLE)
    shown = open_register(register_place).shown
    if "://" in register_place:
        monkeypatch.setenv("SITEPLAN_REGISTER", register_place)
        found = opened(tmp_path, {"url_env": "SITEPLAN_REGISTER"}).register
    else:
        found = opened(tmp_path, {"path": Path(register_place).name}).register
    assert found is not None
    assert found.shown in (shown, "register.gpkg")
    rows_ = read_decisions(found.opinions, InputLedger()).rows
    assert [row.id for row in rows_] == ["F1", "D255-255", "F2", "F2"]
    assert isinstance(found.sites, gpd.GeoDataFrame)
    assert read_state(register_place, "库", day("2026-01-31")).sites["state"].tolist() == ["reserve"]

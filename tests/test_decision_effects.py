"""What became of the decisions: one line for every row, true of the plan; the comments of the map read back."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import geopandas as gpd
import pandas as pd
import pytest
from conftest import CRS, X0, Y0, at
from hypothesis import given
from hypothesis import strategies as st

from siteplan.candidates.table import sites_table
from siteplan.decisions import (
    COMMENT_COLUMNS,
    EFFECT_COLUMNS,
    Decision,
    Decisions,
    comment_table,
    decision_effects,
    kept_groups,
    kept_sites,
    read_decisions,
)
from siteplan.input_ledger import InputLedger
from siteplan.layers import inspect_layers
from siteplan.params import LayerSource
from siteplan.study._decisions import tell_past_years

SITES: dict[str, dict[str, Any]] = {
    "V-facility:F1": {"status": "proposed", "rank_no": 3},
    "G-ground:F1": {"status": "candidate", "reason": "备选:同一场所已选 V-facility:F1"},
    "V-facility:F2": {"status": "candidate", "reason": "备选:新增服务量不及入选站址"},
    "V-facility:F3": {"status": "refused", "refusal_code": "water", "reason": "位于水域“小河”内"},
    "V-facility:F4": {"status": "refused", "refusal_code": "banned", "reason": "会议决定不用"},
    "V-facility:F5": {"status": "refused", "refusal_code": "refused_by_owner", "reason": "权属单位拒绝"},
    "V-facility:F6": {"status": "refused", "refusal_code": "secrecy", "reason": "涉密单位"},
    "P-pole:P1": {"status": "proposed", "rank_no": 1, "members": "P1|P2", "demand_ids": "Q1|Q2", "moved_m": 50.0,
                  "build_year": 2027},
    "E-station:S1": {"status": "existing", "reason": "现有基站"},
    "S-sharing:S2": {"status": "candidate"},
}
HERE = (X0 + 500, Y0 + 500)


def plan(**more: dict[str, Any]) -> gpd.GeoDataFrame:
    """Sites of a plan, all in one place."""
    rows = {**SITES, **more}
    parts = [key.split("-", 1)[1].split(":") for key in rows]
    table = pd.DataFrame(rows.values(), index=pd.Index(rows)).assign(
        source=[part[0] for part in parts], source_id=[part[1] for part in parts])
    return sites_table(table, gpd.GeoSeries([at(500, 500)] * len(rows), crs=CRS)).fillna({"moved_m": 0.0})


def rows_of(*rows: tuple[str, ...]) -> Decisions:
    """Rows of id, action, value, who, date, why as the layer has them, read."""
    table = pd.DataFrame(list(rows), columns=list(COMMENT_COLUMNS))
    table = table.assign(date=pd.to_datetime(table["date"].replace("", None)), source_file="decisions.csv",
                         source_row=[str(number) for number in range(2, len(rows) + 2)])
    return read_decisions(table, InputLedger())


def row(site: str, action: str, value: str = "", date: str = "2026-06-05", why: str = "说明") -> tuple[str, ...]:
    return site, action, value, "例会", date, why


def told(*rows: tuple[str, ...], sites: gpd.GeoDataFrame | None = None, **more: Any) -> list[tuple[str, bool]]:
    found = decision_effects(rows_of(*rows), plan() if sites is None else sites, **more)
    assert tuple(found.columns) == EFFECT_COLUMNS
    assert len(found) == len(rows)
    return list(zip(found["effect"], found["followed"], strict=True))


@pytest.mark.parametrize(("site", "effect", "followed"), [
    ("F1", "已保留为必选，入选第3位", True),
    ("F2", "未能保留，未入选：新增服务量不及入选站址", False),
    ("F3", "未能保留，不可用：位于水域“小河”内；会议决定不取代场址规则", False),
    ("S1", "现有站址，已在网", True),
    ("P2", "已保留为必选，入选第1位", True),   # merged into P1
    ("F9", "没有这个编号的站址或设施", False), ("V-facility:F9", "没有这个编号的站址或设施", False),
    ("F8", "该场所没有候选站址，未起作用", False),
    ("Q2", "该需求已并入 P-pole:P1，请改用站址编号", False), ("D-demand:Q1", "该需求已并入 P-pole:P1，请改用站址编号", False)])
def test_keep(site: str, effect: str, followed: bool) -> None:
    assert told(row(site, "保留"), known={"F8"}) == [(effect, followed)]


@pytest.mark.parametrize(("site", "action", "effect", "followed"), [
    ("F4", "禁用", "已排除", True), ("F5", "拒绝", "已排除，记入拒绝台账", True),
    ("F4", "拒绝", "已排除，记入拒绝台账", True),    # banned as well: the ban is what the rule tells
    ("F2", "禁用", "V-facility:F2 没有排除：研究文件已停用或改动这条规则", False),
    ("F5", "禁用", "V-facility:F5 没有排除：研究文件已停用或改动这条规则", False),
    ("S1", "禁用", "现有站址，决定不涉及拆除，未执行", False)])
def test_ban_and_refused(site: str, action: str, effect: str, followed: bool) -> None:
    assert told(row(site, action, "业主拒绝")) == [(effect, followed)]


def test_a_ban_of_a_venue_counts_its_roof_and_its_land() -> None:
    both = plan(**{"G-ground:F4": {"status": "refused", "refusal_code": "water|banned", "reason": "会议决定不用"}})
    assert told(row("F4", "禁用"), sites=both) == [("已排除 2 处候选", True)]


@pytest.mark.parametrize(("years", "site", "value", "effect", "followed"), [
    ((2026, 2027), "P1", "2027", "建设年度定为 2027；入选第1位", True),
    ((2026, 2027), "P1", "2026", "建设年度为 2027，没有按 2026；入选第1位", False),
    ((2026, 2027), "P1", "2035", "2035 年不在规划年度（2026、2027）内，没有据此安排；入选第1位", False),
    ((), "P1", "2027", "建设年度定为 2027（本方案不分年度，只作记载）；入选第1位", True),
    ((2026,), "F1", "2026", "建设年度为 未定，没有按 2026；入选第3位", False),
    ((2026,), "F2", "2026", "建设年度 2026 未起作用，未入选：新增服务量不及入选站址", False),
    ((2026,), "F3", "2026", "建设年度 2026 未起作用，不可用：位于水域“小河”内", False),
    ((2026,), "S1", "2026", "现有站址，建设年度不起作用", False)])
def test_year(years: tuple[int, ...], site: str, value: str, effect: str, followed: bool) -> None:
    assert told(row(site, "年度", value), years=years) == [(effect, followed)]


def test_move() -> None:
    x, y = HERE
    there = f"{x},{y}"
    assert told(row("P1", "移动", there), row("F3", "移动", there), row("S1", "移动", there),
                row("F2", "移动", f"{x + 9},{y}"), row("F9", "移动", there)) == [
        (f"已移至 东坐标 {x:,.1f}、北坐标 {y:,.1f}，移动 50 米；入选第1位", True),
        (f"已移至 东坐标 {x:,.1f}、北坐标 {y:,.1f}，移动 0 米；不可用：位于水域“小河”内", True),
        ("现有站址不移动，未执行", False),
        ("未移动：站在现有塔上，或新位置不在研究坐标系内；未入选：新增服务量不及入选站址", False),
        ("没有这个编号的站址或设施", False)]
    spelled = told(row("P1", "移动", f"{x + 9},{y}", "2026-05-01"), row("P-pole:P1", "移动", there))
    assert spelled == [("与第 3 行“移动”不一致，以第 3 行为准", False), (f"已移至 东坐标 {x:,.1f}、北坐标 {y:,.1f}，移动 50 米；入选第1位", True)]
    merged = told(row("P2", "移动", f"{x + 9},{y}", "2026-05-01"), row("P1", "移动", there))  # two ids of one site
    assert merged == [("未移动：另有更晚的移动决定；入选第1位", False), (f"已移至 东坐标 {x:,.1f}、北坐标 {y:,.1f}，移动 50 米；入选第1位", True)]


def test_a_far_move_is_followed_with_a_doubt() -> None:
    """The rules of the study say what is far (the flag); the sentence asks for a look at the coordinates."""
    x, y = HERE
    sites = plan(**{"P-pole:P9": {"status": "proposed", "rank_no": 2, "moved_m": 2725.6}})
    flags = [("ecology_red_line|moved_far", "，请核对坐标"), ("moved_off_roof", "")]
    for flag, doubt in flags:
        flagged = sites.assign(flags=[flag if site == "P-pole:P9" else "" for site in sites.index])
        assert told(row("P9", "移动", f"{x},{y}"), sites=flagged) == [
            (f"已移至 东坐标 {x:,.1f}、北坐标 {y:,.1f}，移动 2,726 米{doubt}；入选第2位", True)]


@pytest.mark.parametrize(("as_of", "years", "note"), [
    (dt.date(2026, 6, 30), (2024, 2022, 2026), ["分期年度 2022、2024 已早于研究日期 2026-06-30"]),
    (dt.date(2026, 6, 30), (2026, 2027), []), (dt.date(2026, 6, 30), (), []), (None, (2022,), [])])
def test_phases_in_past_years_are_told(as_of: dt.date | None, years: tuple[int, ...], note: list[str]) -> None:
    ledger = InputLedger()
    tell_past_years(SimpleNamespace(params=SimpleNamespace(study=SimpleNamespace(as_of=as_of)), ledger=ledger), years)
    assert [line.reason for line in ledger] == note


def test_records_of_the_opening_ledger() -> None:
    assert told(row("F1", "收费", "进场费 2万"), row("F2", "疑难", "手续"), row("F1", "收费", "协调费"), row("F8", "疑难", "手续"),
                row("F9", "收费", "进场费 300"), known={"F8"}) == [
        ("已记入收费记录（进场费20000元），不影响选址；入选第3位", True),
        ("已记入疑难站址（手续），不影响选址；未入选：新增服务量不及入选站址", True),
        ("已记入收费记录（协调费），不影响选址；入选第3位", True),
        ("记入开放台账；该场所没有候选站址", True), ("没有这个编号的站址或设施", False)]


def test_consent_withdraws_an_earlier_refusal() -> None:
    assert told(row("F1", "拒绝", "业主拒绝", "2026-01-01"), row("V-facility:F1", "同意"), row("F2", "同意")) == [
        ("与第 3 行“同意”不一致，以第 3 行为准", False), ("已撤回第 2 行的拒绝；入选第3位", True),
        ("已记入开放台账；未入选：新增服务量不及入选站址", True)]


def test_rows_that_are_not_used_are_listed_with_the_reason() -> None:
    assert told(row("F1", "涨价"), row("", "保留"), row("F1", "年度", "明年"), row("F1", "移动", "往东"),
                row("F4", "保留", date="2026-01-01"), row("F4", "禁用"), row("F2", "收费", "进场费 300"),
                row("F2", "收费", "进场费 200")) == [
        ("“涨价”不是可用的决定，这一行没有使用", False), ("站址编号为空，这一行没有使用", False),
        ("取值不是年份，这一行没有使用", False), ("不是两个坐标，这一行没有使用", False),
        ("与第 7 行“禁用”不一致，以第 7 行为准", False), ("已排除", True),
        ("已记入收费记录（进场费300元），不影响选址；未入选：新增服务量不及入选站址", True),
        ("与第 8 行同一天同一进场费金额不同，按较大的 300 元计，本行不计", False)]


def test_rows_keep_their_cells() -> None:
    found = decision_effects(rows_of(row("F1", "KEEP"), ("F2", "涨价", "5", "", "", "")), plan())
    assert found.iloc[0][list(EFFECT_COLUMNS[:9])].tolist() == [
        "decisions.csv", "2", "F1", "保留", "", "例会", "2026-06-05", "说明", "G-ground:F1|V-facility:F1"]
    assert found.iloc[1][["row", "action", "value", "date", "site_ids"]].tolist() == [
        "3", "涨价", "5", "", "V-facility:F2"]


def test_secret_units_tell_nothing() -> None:
    rows = rows_of(row("F6", "移动", "437000,2491000"), row("F6", "禁用"),
                   row("V-facility:F7", "移动", "113.1,22.1"), row("F1", "保留"))
    found = decision_effects(rows, plan(), secret={"F7"})
    assert len(found) == 4
    assert found["followed"].tolist() == [False, True, False, True]
    cells = found.iloc[:3].drop(columns=["file", "row", "action", "followed"]).astype(str).to_numpy().ravel().tolist()
    assert set(cells) == {"涉密单位(不列名)", "", "涉密单位，不作候选，决定的内容不列出"}


actions = st.sampled_from(["保留", "禁用", "移动", "年度", "拒绝", "同意", "收费", "疑难", "胡写", ""])
texts = st.one_of(st.sampled_from(["2027", "进场费 200", "-5", "100,200", "113.4,22.5", "业主"]), st.text(max_size=6))
ids = st.sampled_from(["F1", "V-facility:F1", "G-ground:F1", "F3", "F6", "P2", "S1", "S2", "Q1", "F9", ""])


days = st.sampled_from(["2026-01-01", "2026-02-01", ""])


@given(st.lists(st.tuples(ids, actions, texts, texts, days, texts), max_size=10), st.sampled_from([(), (2026, 2027)]))
def test_every_row_has_its_effect(rows: list[tuple[str, ...]], years: tuple[int, ...]) -> None:
    """Property: as many lines as rows, in their order, each with a sentence; none overruled is called followed."""
    decisions = rows_of(*rows)
    found = decision_effects(decisions, plan(), years=years, known={"F8"})
    assert found["row"].tolist() == [str(number) for number in range(2, len(rows) + 2)]
    assert (found["effect"] != "").all()
    aside = {row.row for row in (*decisions.unused, *(row for row in decisions.rows if row.overruled))}
    assert not set(found.loc[found["followed"], "row"]) & aside


# ---------------------------------------------------------------- what has to be in the plan

OPEN = {"V-facility:F1": {"status": "candidate"}, "P-pole:P1": {"status": "candidate"}}


@pytest.mark.parametrize(("rows", "groups"), [
    ([("F1", "")], (("G-ground:F1", "V-facility:F1"),)),
    ([("V-facility:F1", "")], (("V-facility:F1",),)),
    ([("F1", "2026-02-01"), ("V-facility:F1", "2026-01-01")], (("G-ground:F1", "V-facility:F1"),)),   # the later stands
    ([("F1", ""), ("G-ground:F1", "2026-01-01"), ("V-facility:F1", "2026-02-01")], (("V-facility:F1",),)),
    ([("G-ground:F1", "2026-02-01"), ("V-facility:F1", "2026-01-01")], (("G-ground:F1",),)),   # one venue, one site
    ([("F3", ""), ("F4", ""), ("S1", ""), ("F9", "")], ()),   # refused, banned, standing, unknown
    ([("F2", ""), ("P1", "")], (("P-pole:P1",), ("V-facility:F2",))), ([], ())])
def test_what_is_kept_among_open_candidates(rows: list[tuple[str, str]], groups: tuple[tuple[str, ...], ...]) -> None:
    decisions = rows_of(*[row(site, "保留", date=day) for site, day in rows])
    sites = plan(**OPEN)
    assert kept_groups(decisions, sites) == groups
    assert {site for group in groups for site in group} <= set(kept_sites(decisions, sites))


def test_the_other_alternative_of_a_venue_says_which_one_stands() -> None:
    rows = (row("G-ground:F1", "保留", date="2026-01-01"), row("V-facility:F1", "保留", date="2026-02-01"))
    assert told(*rows) == [("未能保留，同一场所已保留 V-facility:F1", False), ("已保留为必选，入选第3位", True)]


# ---------------------------------------------------------------- comments of the review map

def test_comments_of_the_map_read_as_decisions(tmp_path: Path) -> None:
    """Exactly its headers, UTF-8 with BOM, empty days, commas and line feeds in a cell, several rows for one id."""
    (tmp_path / "comments.csv").write_text(
        'id,action,value,who,date,why\n'
        'V-facility:F1,keep,,规划科,,"已谈妥,须列入"\n'
        'V-facility:F1,year,2027,规划科,2026-06-05,\n'
        'V-facility:F1,move,"113.3926,22.517",,,"避让\n古树"\n'
        'P-pole:7,ban,,"李,张",2026/6/5,拆除\n', encoding="utf-8-sig")
    layers = inspect_layers({"decisions": [LayerSource(path="comments.csv")]}, CRS, tmp_path)
    found = read_decisions(layers.tables["decisions"], InputLedger())
    assert [(row.id, row.action, row.year, row.who, row.why) for row in found.rows] == [
        ("V-facility:F1", "keep", 0, "规划科", "已谈妥,须列入"), ("V-facility:F1", "year", 2027, "规划科", ""),
        ("V-facility:F1", "move", 0, "", "避让\n古树"), ("P-pole:7", "ban", 0, "李,张", "拆除")]
    assert [row.date for row in found.rows] == [None, dt.date(2026, 6, 5), None, dt.date(2026, 6, 5)]
    assert found.rows[2].place == (113.3926, 22.517)
    assert found.unused == ()


cells = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=8).map(str.strip)


@given(st.lists(st.builds(
    Decision, id=st.sampled_from(["F1", "V-facility:F2"]),
    action=st.sampled_from(["keep", "ban", "refused", "agreed", "hard"]), value=cells, who=cells, why=cells,
    date=st.one_of(st.none(), st.dates(dt.date(2000, 1, 1), dt.date(2099, 12, 31)))), max_size=6))
def test_what_is_written_reads_back(rows: list[Decision]) -> None:
    """Property: the table of comments says what the decisions say."""
    table = comment_table(rows)
    assert tuple(table.columns) == COMMENT_COLUMNS
    again = comment_table(read_decisions(table, InputLedger()).every)
    for name in ("action", "date"):
        assert again[name].tolist() == table[name].tolist()
    assert comment_table(read_decisions(again, InputLedger()).every).equals(again)

"""Decisions in a study: what has to be in and when, the years of sites, the effect of every row."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
from candidate_town import town_context
from conftest import at
from test_decision_effects import plan, row, rows_of

from siteplan.decisions import COMMENT_COLUMNS, Decisions
from siteplan.export import export_table
from siteplan.input_ledger import InputLedger
from siteplan.study._decisions import effects_of, fixed_years, kept_candidates, with_build_years, write_comments
from siteplan.surface import Surface

OPEN = {"V-facility:F1": {"status": "candidate"}, "P-pole:P1": {"status": "candidate"}}


def scene(decisions: Decisions, tables: Any = None) -> Any:
    empty = {"facilities": pd.DataFrame(index=pd.Index([], dtype="str")), "secrecy": pd.DataFrame()}
    params = SimpleNamespace(study=SimpleNamespace(as_of=None))
    return SimpleNamespace(decisions=decisions, tables=tables or empty, ledger=InputLedger(), params=params)


def test_what_the_choice_is_told() -> None:
    here = scene(rows_of(row("F2", "保留"), row("F2", "年度", "2027"), row("P1", "年度", "2035"), row("F3", "年度", "2026"),
                         row("S1", "年度", "2026")))
    sites = plan(**OPEN)
    assert kept_candidates(here, sites) == (("V-facility:F2",),)
    assert fixed_years(here, sites, [2026, 2027]) == {"V-facility:F2": 2027}  # 2035 is no year of the plan
    assert fixed_years(here, sites, []) == {}


def test_years_are_those_of_the_phases_else_of_the_decisions() -> None:
    """P1 and the roof of F1 are proposed; what is not proposed has no year."""
    here = scene(rows_of(row("F1", "年度", "2027"), row("F2", "年度", "2026")))
    noted = with_build_years(here, plan())["build_year"]
    assert noted[noted > 0].to_dict() == {"V-facility:F1": 2027}
    phased = with_build_years(here, plan(), {"V-facility:F1": 2027, "P-pole:P1": 2026})["build_year"]
    assert phased[phased > 0].to_dict() == {"V-facility:F1": 2027, "P-pole:P1": 2026}


def test_rows_that_were_not_followed_are_told_once(flat: Surface) -> None:
    venues = {"F8": {"geometry": at(1, 1), "name": "无候选"}, "F7": {"geometry": at(2, 2), "name": "某局"}}
    tables = town_context(flat, facilities=venues, secrecy={"M1": {"geometry": None, "id": "F7"}}).tables
    here = scene(rows_of(row("F1", "保留"), row("F2", "保留"), row("F9", "保留"), row("F8", "拒绝", "安全"),
                         row("F7", "移动", "1,2"), row("F2", "年度", "2027"), row("F2", "年度", "2028"),
                         row("F2", "收费", "进场费 300")), tables)
    effects = effects_of(here, plan(), [2026])
    assert len(effects) == 8
    assert effects["followed"].tolist() == [True, False, False, True, False, False, False, True]
    assert effects.loc[4, ["id", "value"]].tolist() == ["涉密单位(不列名)", ""]
    lines = [(line.row, line.action, line.reason) for line in here.ledger]
    assert lines == [("3", "note", "未能保留，未入选：新增服务量不及入选站址"),
                     ("8", "note", "2028 年不在规划年度（2026）内，没有据此安排；未入选：新增服务量不及入选站址")]


def test_a_study_without_decisions_has_no_effects() -> None:
    assert effects_of(scene(Decisions()), plan()).empty


def test_comments_are_written_as_the_map_writes_them(tmp_path: Path) -> None:
    path = tmp_path / "comments.csv"
    write_comments(rows_of(row("F1", "保留", "", ""), row("F1", "年度", "2027"), row("F1", "涨价")), path)
    assert path.read_bytes().startswith(b"\xef\xbb\xbfid,action,value,who,date,why\n")
    table = pd.read_csv(path, dtype="str", keep_default_na=False, encoding="utf-8-sig")
    assert tuple(table.columns) == COMMENT_COLUMNS
    assert table.to_numpy().tolist() == [
        ["F1", "keep", "", "例会", "", "说明"], ["F1", "year", "2027", "例会", "2026-06-05", "说明"],
        ["F1", "涨价", "", "例会", "2026-06-05", "说明"]]


def test_the_detailed_plan_has_years_and_base_stations() -> None:
    table = export_table(plan().assign(station_count=2))
    assert table.loc["P-pole:P1", ["build_year", "station_count"]].tolist() == [2027, 2]
    types = [str(table[name].dtype) for name in ("build_year", "station_count")]
    assert types == ["Int64", "int64"]  # a year may be absent

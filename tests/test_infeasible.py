"""What is told of wishes that no plan meets: conflicts first, then what to relax, with amounts a planner can write."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from siteplan.errors import PlanError
from siteplan.params import SelectionParams
from siteplan.selection import Wishes, select_sites
from siteplan.selection.infeasible import plan_error
from siteplan.selection.methods import advice_model
from siteplan.selection.model import Answer, Effort, Floor, Wanted
from siteplan.selection.task import Task, task_of

ALONE = "“可行的放宽”每项的放宽幅度已由一个方案验证,其余各项不动。"


def sites(x: list[float], **columns: object) -> pd.DataFrame:
    """Sites on a line, m; each serves one cell of its own."""
    base = {"cost_yuan": 10.0, "preference": 1.0, "x": x, "y": 0.0, "tier": 4}
    return pd.DataFrame({**base, **columns}, index=list("ABCDEFGH"[:len(x)]))


def asked(table: pd.DataFrame, wishes: Wishes | None = None, **settings: object) -> tuple[Task, Effort]:
    params = SelectionParams(**{"min_gain": 0, "spacing_m": 0, **settings})
    task = task_of(table, sp.eye(len(table)).tocsc(), np.ones(len(table)), params, wishes)
    return task, Effort(seconds=params.seconds)


def told(table: pd.DataFrame, wishes: Wishes | None = None, **settings: object) -> PlanError:
    params = SelectionParams(**{"min_gain": 0, "spacing_m": 0, **settings})
    with pytest.raises(PlanError) as caught:
        select_sites(table, sp.eye(len(table)).tocsc(), np.ones(len(table)), params, wishes)
    return caught.value


def remedy(error: PlanError, name: str) -> str:
    return next(problem.remedy for problem in error.problems if problem.field == name)


def test_conflicts_carry_their_own_relaxation_and_nothing_else_is_listed() -> None:
    """Two sites of 10,000 yuan are wanted for 15,000."""
    error = told(sites([0, 500], cost_yuan=10_000.0), budget_yuan=15_000.0, quotas=[{"least": 2}])
    lines = str(error).splitlines()
    assert lines[0] == "没有满足全部限制的方案。以下 2 项不能同时成立:"
    assert [line.startswith("  - ") for line in lines] == [False, True, True, False]
    assert lines[-1] == ALONE
    assert remedy(error, "selection:budget_yuan").endswith("的上限从1.5万元提高到2万元(增加5,000元)")
    assert remedy(error, "selection:all/sites/new").endswith("的下限从2处降到1处(减少1处)")
    assert all(problem.remedy.startswith("可行的放宽(任选一项):") for problem in error.problems)


def test_the_spacing_that_does_is_the_greatest() -> None:
    """Of 0, 100, 300, 700 m three are wanted 900 m apart: 0, 300, 700 are 300 m apart; no three are farther apart."""
    error = told(sites([0, 100, 300, 700]), spacing_m=900, quotas=[{"least": 3}], max_sites=3)
    words = remedy(error, "selection:near")
    assert "selection.spacing_m 从 900 改为 300;方案中有 3 对站址小于原来的站间距:" in words
    assert words.rsplit(":", 1)[1] == "A、C、D", "each once"
    kept = select_sites(sites([0, 100, 300, 700]), sp.eye(4).tocsc(), np.ones(4),
                        SelectionParams(min_gain=0, spacing_m=300, max_sites=3))
    assert sorted(kept.site_ids) == ["A", "C", "D"]
    told(sites([0, 100, 300, 700]), spacing_m=301, quotas=[{"least": 3}], max_sites=3)


def test_what_sites_ask_for_themselves_is_kept_where_it_can_be() -> None:
    """A and B ask for 250 m of each other and stand 200 m apart; A and C, 700 m apart, need not break that."""
    words = remedy(told(sites([0, 200, 700], spacing_m=[250.0, 250.0, 0.0]), spacing_m=900, quotas=[{"least": 2}]),
                   "selection:near")
    assert words.endswith("selection.spacing_m 从 900 改为 700;方案中有 1 对站址小于原来的站间距:A、C")


def test_spacing_that_sites_ask_for_themselves_is_named() -> None:
    error = told(sites([0, 250], spacing_m=400.0), spacing_m=100, quotas=[{"least": 2}])
    assert "候选站型自身的站间距(最大 400 米)降到 250 米;方案中有 1 对站址" in remedy(error, "selection:near")
    assert "selection.spacing_m" not in remedy(error, "selection:near")


def two_wants(count: int = 4) -> Wishes:
    """All four cells served, while two sites may be built; and a second area out of reach of its own accord."""
    floors = tuple(Floor(f"z{k}", np.array([k]), np.ones(1), 1.0, False) for k in range(count))
    hard = Floor("hard", np.array([0]), np.ones(1), 2.0, zh="甲区覆盖")
    return Wishes(floors=(*floors, hard),
                  wanted=(Wanted("pass", tuple(range(count)), 3, "重点区域达标不少于 8 个(现已达标 5 个)"),))


def test_what_has_to_be_relaxed_together_is_a_list_of_its_own() -> None:
    """Neither helps alone: one area asks for twice what is there, three areas need three sites of two."""
    error = told(sites([0, 500, 1000, 1500]), two_wants(), max_sites=2)
    lines = str(error).splitlines()
    at = lines.index("须同时放宽以下 2 项(放宽幅度已由一个方案验证):")
    assert all("selection:" in line for line in lines[1:at])
    assert all("放宽:" in line for line in lines[at + 1:])
    assert {problem.field for problem in error.problems[at - 1:]} == {"放宽:hard", "放宽:pass"}
    assert remedy(error, "放宽:pass") == "把“重点区域达标不少于 8 个(现已达标 5 个)”少要求 1 个", "not from 3 to 2"
    assert ALONE not in lines
    for problem in error.problems[:at - 1]:
        assert problem.remedy.startswith("只放宽这一项不够;须同时放宽:把“")


def test_share_of_an_area_is_relaxed_by_what_is_still_to_be_covered() -> None:
    """The floor is what is missing: 2 of 2 cells, one site. Half of what is to be added has to go."""
    floor = Floor("shares#1/zones:z", np.array([0, 1]), np.ones(2), 2.0, zh="甲区 面积覆盖率不少于 60%")
    wishes = Wishes(floors=(floor,), floor_facts=({"name": "shares#1/zones:z", "share": 0.6},))
    error = told(sites([0, 500]), wishes, max_sites=1)
    assert remedy(error, "selection:shares#1/zones:z").endswith("把“甲区 面积覆盖率不少于 60%”还须新增的覆盖减少 50%")


@pytest.mark.parametrize(("stations", "words"), [
    ([2, 2, 2, 2], "(入选站址最多2处,每处2个基站,共4个)"),
    ([3, 2, 1, 1], "(入选站址最多2处,每处最多3个基站,至多共5个)")])
def test_stations_against_sites_tell_the_sum(stations: list[int], words: str) -> None:
    error = told(sites([0, 500, 1000, 1500], stations=stations), max_sites=2, quotas=[{"unit": "基站", "least": 6}])
    line = next(problem for problem in error.problems if problem.field == "selection:all/stations/new")
    assert line.reason.endswith(words)
    limit = int(words.rsplit("共", 1)[1].rstrip("个)"))
    assert line.remedy.endswith(f"从6个降到{limit}个(减少{6 - limit}个)"), "the sum is what is reached"


def nothing(status: str = "unknown", **more: object) -> Answer:
    return Answer(status, np.zeros(0, np.int64), np.zeros(0, np.int32), -math.inf, **more)  # type: ignore[arg-type]


def test_time_that_ran_out_says_which_and_what_to_write(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(advice_model, "MOST_SECONDS", 0.0)
    task, effort = asked(sites([0, 500]), quotas=[{"least": 2}], max_sites=2, budget_yuan=15.0)
    error = plan_error(task, nothing(), effort)
    assert str(error).startswith("在给定的计算量内没有找到满足全部限制的方案,也没有证明无解\n说明:\n")
    (late,) = error.problems
    assert late.field == "selection.seconds"
    assert late.reason.startswith("没有写 selection.seconds,默认限时 60 秒已用完:")
    assert late.remedy == "写 selection.seconds = 600"
    own = plan_error(task, nothing(cut="到达用时上限（90秒），精确搜索未做完"), Effort(seconds=90.0)).problems[-1]
    assert own.reason.startswith("selection.seconds = 90 已用完:")
    assert own.remedy == "写 selection.seconds = 900"


def test_more_time_is_not_advised_where_it_would_not_help(monkeypatch: pytest.MonkeyPatch) -> None:
    """A floor of three cells for one site: the bound proves it, and tells how many sites at least."""
    monkeypatch.setattr(advice_model, "MOST_ENTRIES", 0)
    wishes = Wishes(floors=(Floor("zone", np.arange(3), np.ones(3), 3.0, zh="重点区"),))
    task, _ = asked(sites([0, 500, 1000, 1500]), wishes, max_sites=1)
    error = plan_error(task, nothing("infeasible"), Effort(passes=200, threads=1))
    assert "seconds" not in str(error)
    assert remedy(error, "selection:max_sites") == "至少须放宽:把“最多新建1处”的上限从1处提高到3处(增加2处)(至少如此,未必足够)"
    assert remedy(error, "selection:zone").startswith("可行的放宽:把“重点区”的覆盖要求从100.00%降到33.33%")


def test_a_plan_that_was_not_found_is_told_to_exist() -> None:
    task, effort = asked(sites([0, 500]), max_sites=1, method="swap")
    error = plan_error(task, nothing(), effort)
    assert str(error).startswith("满足全部限制的方案是有的,这次选址没有找到\n")
    assert 'selection.method = "auto"' in error.problems[0].remedy

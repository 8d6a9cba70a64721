"""``siteplan register task``, ``remind`` and plans of work: what is done on the day of the cut-off counts."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_cli import is_told
from test_cli_register import call, ok, small_register
from test_lists import csv
from test_register_edits import bring
from test_register_ledger import edit, give_back

from siteplan.errors import RegisterError
from siteplan.export.register_ledger import write_ledger
from siteplan.register import Register, add_rows, open_register, read_rows, writing
from tests.registers import day, stamp


@pytest.fixture
def where(tmp_path: Path) -> Path:
    """One task: 开放学校楼顶 of the 教育和体育局, due on 31 May."""
    return small_register(tmp_path / "register.gpkg")


def test_a_task_done_on_the_cut_off_counts_and_on_the_day_after_does_not(where: Path) -> None:
    assert "逾期 30 天" in ok(where, "task", "list", "--as-of", "2026-06-30")
    assert "RW000001 已办结,自 2026-06-30 起生效" in ok(where, "task", "done", "RW000001", day="2026-06-30")
    assert "全部任务:已完成 1" in ok(where, "task", "list", "--as-of", "2026-06-30")
    assert "全部任务:逾期 1" in ok(where, "task", "list", "--as-of", "2026-06-29")
    assert "RW000001 没有变化" in ok(where, "task", "done", "RW000001", day="2026-06-30")


def test_a_task_is_blocked_opened_again_and_called_off_with_a_reason(where: Path) -> None:
    for verb in ("block", "reopen", "cancel"):
        is_told(call(where, "task", verb, "RW000001"), "--why", "没有写")
    ok(where, "task", "block", "RW000001", "--why", "权属争议", day="2026-06-10")
    text = ok(where, "task", "list", "--as-of", "2026-06-10", "--status", "受阻")
    assert "RW000001  开放学校楼顶  教育和体育局  2026-05-31 前  受阻,逾期 10 天" in text
    ok(where, "task", "reopen", "RW000001", "--why", "已协调", day="2026-06-20")
    ok(where, "task", "cancel", "RW000001", "--why", "并入另一项", day="2026-06-25")
    assert "已取消 1" in ok(where, "task", "list", "--as-of", "2026-06-30")
    is_told(call(where, "task", "done", "RW000001", "RW000099"), "没有编号 RW000099")
    is_told(call(where, "task", "list", "--status", "飞"), "可用:已完成、受阻、逾期、办理中、已取消")
    assert "没有“教育局”牵头的任务" in ok(where, "task", "list", "--organisation", "教育局")


def test_a_reminder_that_was_sent_is_answered(where: Path) -> None:
    assert "发出后用 --send 登记" in ok(where, "remind", "--as-of", "2026-06-30", day="2026-06-30")
    ok(where, "remind", "--as-of", "2026-06-30", "--send", day="2026-06-30")
    is_told(call(where, "task", "reply", "RW000001", "正在协调", "--promised", "2026-07-01"), "早于反馈日期")
    ok(where, "task", "reply", "RW000001", "正在协调", "--promised", "2026-08-31", day="2026-07-05")
    row = read_rows(open_register(where), "tasks").loc["RW000001"]
    assert (row["reminders"], row["reply"], str(row["promised_on"].date())) == (1, "正在协调", "2026-08-31")
    assert "应发催办函 0 份" in ok(where, "remind", "--as-of", "2026-07-20", day="2026-07-20")
    assert "应发催办函 1 份" in ok(where, "remind", "--as-of", "2026-09-01", day="2026-09-01"), "the promise is over"


PLAN = "任务,责任单位,配合单位,完成期限\n公布目录,教育和体育局,卫生健康局,2027-03-31\n开放屋面,卫生健康局,,\n"


def test_a_plan_of_work_becomes_tasks_once(register: Register, tmp_path: Path) -> None:
    path = csv(tmp_path, "plan.csv", PLAN)
    done = bring(register, path, "work-plan", "2027-01-08")
    tasks = read_rows(register, "tasks", ids=done.added)
    assert [f"{due:%Y-%m-%d}" for due in tasks["due_on"]] == ["2027-03-31", "2027-12-31"]
    assert set(tasks["kind"]) == {"work_plan"}
    assert tasks["note"].tolist()[1] == "计划未写期限,按年底"
    again = bring(register, path, "work-plan", "2027-02-01")
    assert (again.added, again.unchanged) == ((), 2)
    assert [line.reason for line in again.ledger if "已有这一项" in line.reason] == [
        "2027年计划已有这一项(RW000001),没有重复登记", "2027年计划已有这一项(RW000002),没有重复登记"]


def test_a_plan_of_work_of_another_year_is_a_problem_with_its_row(register: Register, tmp_path: Path) -> None:
    with pytest.raises(RegisterError) as caught:
        bring(register, csv(tmp_path, "plan.csv", PLAN), "work-plan", "2027-01-08", year=2028)
    assert [(problem.file, problem.row, problem.field) for problem in caught.value.problems] == [
        ("plan.csv", "2", "due_on")]
    assert "不在 2028 年计划期内" in caught.value.problems[0].reason


def test_a_plan_handed_in_earlier_counts_from_its_own_day(register: Register, tmp_path: Path) -> None:
    text = "任务,责任单位,下达日期,完成期限\n公布目录,教育和体育局,2026-01-20,2026-03-31\n"
    bring(register, csv(tmp_path, "plan.csv", text), "work-plan", "2026-07-02")
    assert read_rows(register, "tasks", day("2026-01-20"))["title"].tolist() == ["公布目录"]


def test_a_decision_typed_into_the_ledger_knows_its_site(register: Register, tmp_path: Path) -> None:
    with writing(register, stamp("2026-02-01")) as transaction:
        add_rows(transaction, "venues", [{"name": "锦溪小学", "study_id": "V-facility:F0012"}])
        add_rows(transaction, "sites", [{"name": "锦溪小学", "state": "储备", "study_id": "V-facility:F0012"},
                                        {"name": "东岸", "state": "储备", "study_id": "P-pole:D7"}])
        add_rows(transaction, "decisions", [{"ref": "P-pole:D7", "site_id": "ZZ000002", "action": "保留"}])
    path = write_ledger(register, tmp_path / "ledger.xlsx", ("decisions", "fees"))
    edit(path, "会议决定与场所意见", 2, 站址编号="ZZ000001")
    edit(path, "会议决定与场所意见", 3, 站址编号="F0012", 决定="拒绝")
    edit(path, "会议决定与场所意见", 4, 站址编号="P-pole:D7", 决定="禁用")
    edit(path, "收费投诉", 2, 场所或站址编号="F0012", 费用名目="进场费")
    give_back(register, path)
    table = read_rows(register, "decisions").fillna("")
    assert table[["ref", "site_id", "venue_id"]].to_numpy().tolist() == [
        ["ZZ000001", "ZZ000001", ""], ["F0012", "ZZ000001", "CS000001"], ["P-pole:D7", "ZZ000002", ""]]
    assert read_rows(register, "fees")["venue_id"].tolist() == ["CS000001"]


def test_a_decision_on_a_site_that_is_not_there_is_a_problem(register: Register, tmp_path: Path) -> None:
    path = write_ledger(register, tmp_path / "ledger.xlsx", ("decisions",))
    edit(path, "会议决定与场所意见", 2, 站址编号="ZZ000099", 决定="禁用")
    with pytest.raises(RegisterError, match="储备库中没有编号 ZZ000099"):
        give_back(register, path)

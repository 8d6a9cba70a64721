"""Opinions in the register: taken from a decisions table, read back as its rows, cut off at a day."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from siteplan.decisions import Decisions, read_decisions, words_of
from siteplan.errors import RegisterError
from siteplan.input_ledger import InputLedger
from siteplan.register import Register, add_rows, edit_rows, read_rows, writing
from siteplan.register.duties import venue_stands
from siteplan.register.opinions import OPINION_COLUMNS, fee_words, import_opinions, opinion_rows
from siteplan.register.sync import sync_plan
from tests.registers import day, stamp
from tests.sync_plans import plan, site, venue

COLUMNS = ("id", "action", "value", "who", "date", "why")
ROWS = (
    ("F1", "拒绝", "业主拒绝", "某街道", "2026-02-10", "不同意在楼顶施工"),
    ("V-facility:F2", "保留", "", "例会", "2026-02-12", "缺口最大"),
    ("P-pole:D1", "年度", "2027", "例会", "2026-02-12", ""),
    ("F3", "收费", "进场费 12000", "铁塔溪口分公司", "2026-03-01", "物业要求"),
    ("F3", "收费", "绿化补偿费 3000元", "铁塔溪口分公司", "2026-03-02", ""),
    ("F1", "同意", "", "某街道", "2026-05-20", "已谈妥"),
)


def table(*rows: tuple[str, ...]) -> pd.DataFrame:
    """Rows of a decisions table as the layer has them."""
    frame = pd.DataFrame(list(rows), columns=list(COLUMNS), dtype="str")
    return frame.assign(date=pd.to_datetime(frame["date"].replace("", None)), source_file="decisions.csv",
                        source_row=[str(number) for number in range(2, len(rows) + 2)])


def told(rows: pd.DataFrame) -> list[tuple[Any, ...]]:
    """What the rows say, whoever keeps them."""
    found = read_decisions(rows, InputLedger())
    return sorted((row.id, row.action, row.kind, row.year, f"{row.amount_yuan:g}", row.value, row.who, row.why,
                   str(row.date), row.overruled) for row in found.rows)


def test_what_is_imported_is_read_back_as_it_was(register: Register) -> None:
    with writing(register, stamp("2026-06-01")) as transaction:
        ids = import_opinions(transaction, table(*ROWS))
    rows = opinion_rows(register)
    assert tuple(rows.columns) == OPINION_COLUMNS
    assert sorted(ids) == sorted(rows.index) == ["JD000001", "JD000002", "JD000003", "JD000004", "SF000001", "SF000002"]
    assert set(rows["source_file"]) == {register.shown}
    assert rows["source_row"].tolist() == rows.index.tolist()
    assert told(rows) == told(table(*ROWS))
    assert len(read_rows(register, "decisions")) == 4
    assert read_rows(register, "fees")["kind"].tolist() == ["entry", "other"]


def test_the_same_table_again_adds_nothing_and_says_so(register: Register) -> None:
    for month in ("05", "06"):
        ledger = InputLedger()
        with writing(register, stamp(f"2026-{month}-01")) as transaction:
            ids = import_opinions(transaction, table(*ROWS[:5]), ledger)
    assert ids == []
    assert [line.reason for line in ledger if line.action == "note"] == ["储备库已有同样的一条,没有重复登记"] * 5
    assert len(opinion_rows(register)) == 5


def test_rows_that_cannot_be_read_stay_outside_and_are_told(register: Register) -> None:
    ledger = InputLedger()
    with writing(register, stamp("2026-06-01")) as transaction:
        ids = import_opinions(transaction, table(("F1", "涨价", "", "", "", ""), ("F1", "年度", "某年", "", "", ""),
                                                 ("", "保留", "", "", "", ""), ROWS[0]), ledger)
    assert len(ids) == 1
    lines = [line for line in ledger if line.reason.startswith("没有登记")]
    assert [(line.row, line.action) for line in lines] == [("2", "refused"), ("3", "refused"), ("4", "refused")]


def test_a_row_that_a_later_one_overrules_is_kept_too(register: Register) -> None:
    """The refusal of February and the agreement of May: both are history, the agreement stands."""
    with writing(register, stamp("2026-06-01")) as transaction:
        import_opinions(transaction, read_decisions(table(ROWS[0], ROWS[5]), InputLedger()))
    found = read_decisions(opinion_rows(register), InputLedger())
    assert [(row.action, row.overruled) for row in found.rows] == [("refused", True), ("agreed", False)]


def test_a_day_cuts_off_what_was_said_later(register: Register) -> None:
    """The agreement is of 2026-05-20: it counts on that day and not on the day before, whenever it was entered."""
    with writing(register, stamp("2026-06-01")) as transaction:
        import_opinions(transaction, table(*ROWS))
    assert (opinion_rows(register, day("2026-05-20"))["action"] == "agreed").sum() == 1
    assert (opinion_rows(register, day("2026-05-19"))["action"] == "agreed").sum() == 0
    assert len(opinion_rows(register, day("2026-02-11"))) == 1
    assert opinion_rows(register, day("2026-02-09")).empty


def test_a_withdrawn_decision_counts_until_the_day_before(register: Register) -> None:
    with writing(register, stamp("2026-02-01")) as transaction:
        (row,) = add_rows(transaction, "decisions", [{"ref": "F1", "action": "禁用", "day": "2026-02-01"}])
    with writing(register, stamp("2026-04-01")) as transaction:
        edit_rows(transaction, "decisions", {row: {"withdrawn_on": day("2026-04-01")}})
    assert len(opinion_rows(register, day("2026-03-31"))) == 1
    assert opinion_rows(register, day("2026-04-01")).empty
    assert opinion_rows(register).empty


def test_tasks_of_a_meeting_say_nothing_of_a_site(register: Register) -> None:
    with writing(register, stamp("2026-02-01")) as transaction:
        add_rows(transaction, "decisions", [{"action": "交办", "why": "一周内踏勘", "day": "2026-02-01"}])
    assert opinion_rows(register).empty


def _site(register: Register, **cells: Any) -> str:
    with writing(register, stamp("2026-01-10")) as transaction:
        return add_rows(transaction, "sites", [{"name": "甲", "state": "储备", **cells}])[0]


@pytest.mark.parametrize("ref", ["F0012", "V-facility:F0012"])
@pytest.mark.parametrize("study_id", ["F0012", "V-facility:F0012"])
def test_ids_with_and_without_layer_are_tied_to_site_and_venue(register: Register, ref: str, study_id: str) -> None:
    site = _site(register, study_id="V-facility:F0012")
    with writing(register, stamp("2026-01-10")) as transaction:
        (venue,) = add_rows(transaction, "venues", [{"name": "甲小学", "study_id": study_id}])
    with writing(register, stamp("2026-06-01")) as transaction:
        import_opinions(transaction, table((ref, "拒绝", "安全", "校方", "2026-05-01", "承重"),
                                           (ref, "收费", "协调费 800元", "某公司", "2026-05-02", "")))
    assert read_rows(register, "decisions")[["ref", "site_id", "venue_id"]].to_numpy().tolist() == [[ref, site, venue]]
    assert read_rows(register, "fees")["venue_id"].tolist() == [venue]
    assert opinion_rows(register)["id"].tolist() == [ref, ref]


def test_a_bare_id_with_two_sites_is_tied_to_none_of_them(register: Register) -> None:
    """Roof and land of one venue: the decision means both, and says so by its own id."""
    _site(register, study_id="V-facility:F1")
    _site(register, study_id="G-ground:F1")
    with writing(register, stamp("2026-06-01")) as transaction:
        import_opinions(transaction, table(ROWS[0]))
    assert read_rows(register, "decisions")["site_id"].isna().all()
    assert opinion_rows(register)["id"].tolist() == ["F1"]


def test_ids_of_the_register_and_former_ids_become_those_of_the_plan(register: Register) -> None:
    site = _site(register, study_id="P-pole:D9", former_ids="P-pole:D1|P-pole:D2")
    with writing(register, stamp("2026-06-01")) as transaction:
        import_opinions(transaction, table(("P-pole:D2", "保留", "", "例会", "2026-05-01", ""),
                                           (site, "年度", "2027", "例会", "2026-05-01", "")))
        add_rows(transaction, "decisions", [{"site_id": site, "action": "疑难", "day": "2026-05-02", "who": "例会"}])
    assert opinion_rows(register)["id"].tolist() == ["P-pole:D9"] * 3
    assert set(read_rows(register, "decisions")["site_id"]) == {site}


def test_every_kind_of_fee_is_read_as_the_kind_that_was_registered(register: Register) -> None:
    kinds = tuple(words_of("fees"))
    with writing(register, stamp("2026-06-01")) as transaction:
        add_rows(transaction, "fees", [{"ref": f"F{number}", "kind": kind, "amount_yuan": 12000.5}
                                       for number, kind in enumerate(kinds)])
        add_rows(transaction, "fees", [{"ref": "F9", "kind": "entry"}])
    found: Decisions = read_decisions(opinion_rows(register), InputLedger())
    assert [row.kind for row in found.rows] == [*kinds, "entry"]
    assert [row.amount_yuan for row in found.rows[:-1]] == [12000.5] * len(kinds)
    assert found.rows[-1].amount_yuan != found.rows[-1].amount_yuan


def test_a_corrected_amount_replaces_what_was_stated(register: Register) -> None:
    with writing(register, stamp("2026-06-01")) as transaction:
        (fee,) = import_opinions(transaction, table(ROWS[3]))
    assert opinion_rows(register)["value"].tolist() == ["进场费 12000"]
    with writing(register, stamp("2026-06-02", "核实")) as transaction:
        edit_rows(transaction, "fees", {fee: {"amount_yuan": 1200.0}})
    assert opinion_rows(register)["value"].tolist() == [fee_words("entry", 1200.0)] == ["进场费 1200元"]


def test_a_hostile_name_is_text_or_a_problem_with_its_row(register: Register) -> None:
    name = "F1'; DROP TABLE decisions; --"
    with writing(register, stamp("2026-06-01")) as transaction:
        import_opinions(transaction, table((name, "保留", "", "=1+1", "2026-05-01", '"; --')))
    assert opinion_rows(register)[["id", "who"]].to_numpy().tolist() == [[name, "=1+1"]]
    with pytest.raises(RegisterError) as caught, writing(register, stamp("2026-06-01")) as transaction:
        import_opinions(transaction, table(("F1", "保留", "", "例\x07会", "2026-05-01", "")))
    assert [(problem.file, problem.row, problem.field) for problem in caught.value.problems] == [
        ("decisions.csv", "2", "who")]
    assert len(opinion_rows(register)) == 1


def test_an_id_that_the_register_does_not_know_is_told_and_refuses_no_venue(register: Register) -> None:
    _site(register, study_id="V-facility:F1")
    with writing(register, stamp("2026-01-10")) as transaction:
        add_rows(transaction, "venues", [{"name": "甲小学", "study_id": "F1"}])
    ledger = InputLedger()
    with writing(register, stamp("2026-06-01")) as transaction:
        import_opinions(transaction, table(("F9999", "拒绝", "", "某街道", "2026-05-01", "安全"), ROWS[1],
                                           ("F1", "涨价", "", "某街道", "2026-05-01", "安全")), ledger)
    assert [(line.row, line.action) for line in ledger if line.field == "id"] == [("2", "note"), ("3", "note")]
    assert len([line for line in ledger if line.row == "4"]) == 1, "an unknown action is told once"
    stands = venue_stands(read_rows(register, "venues"), read_rows(register, "decisions"), day("2026-06-01"))
    assert "refused" not in stands.tolist()


def test_opinions_that_came_before_their_plan_are_linked_when_it_comes(register: Register) -> None:
    with writing(register, stamp("2026-01-05")) as transaction:
        import_opinions(transaction, table(("F1", "拒绝", "", "某街道", "2026-01-04", "安全"), ROWS[3], ROWS[2],
                                           ("F9", "拒绝", "", "某街道", "2026-01-04", "编号有误")))
    record = plan({"V-facility:F1": site(0.0, venue="F1"), "P-pole:D1": site(500.0)},
                  {"F1": venue(0.0), "F3": venue(900.0)})
    result = sync_plan(register, record, stamp("2026-02-01"))
    assert result.told == ("先前登记的意见和收费投诉 3 条,按编号对上了站址或场所。",)
    rows = read_rows(register, "decisions").set_index("ref")
    sites, venues = (read_rows(register, name) for name in ("sites", "venues"))
    venue_of = dict(zip(venues["study_id"], venues.index, strict=True))
    site_of = dict(zip(sites["study_id"], sites.index, strict=True))
    assert rows.loc["F1", ["site_id", "venue_id"]].tolist() == [site_of["V-facility:F1"], venue_of["F1"]]
    assert rows.loc["P-pole:D1", "site_id"] == site_of["P-pole:D1"]
    assert rows.loc["F9", ["site_id", "venue_id"]].isna().all()
    assert read_rows(register, "fees")["venue_id"].tolist() == [venue_of["F3"]]
    stands = venue_stands(venues, read_rows(register, "decisions"), day("2026-02-01"))
    assert stands[venue_of["F1"]] == "refused"
    assert sync_plan(register, record, stamp("2026-03-01")).is_same

"""The three-year story of the sample city: told once, its facts read from the files that it wrote, by other means."""

from __future__ import annotations

import csv
import datetime as dt
import importlib
import json
import re
import sqlite3
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pyogrio
import pytest
from docx import Document
from openpyxl import load_workbook

from tests.longer import only_with
from tests.registers import place, server_address

CITY = Path(__file__).resolve().parents[1] / "data" / "xikou"
STORY = CITY / "story"
CUT_OFFS = ("2026-06-30", "2026-12-31", "2027-06-30", "2027-12-31", "2028-06-30", "2028-12-31")
pytestmark = [pytest.mark.slow, only_with("story", "two plan runs, six reports")]


@pytest.fixture(scope="module")
def script() -> Iterator[Any]:
    """The script, as a module."""
    sys.path.insert(0, str(CITY))
    yield importlib.import_module("three_years")
    sys.path.remove(str(CITY))


@pytest.fixture(scope="module")
def told(script: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The story, told once on a GeoPackage: folder, what it said, what it found."""
    lines: list[str] = []
    office = script.tell_story(tmp_path_factory.mktemp("three_years"), say=lines.append)
    office.lines = lines
    return office


def table(office: Any, name: str) -> list[dict[str, Any]]:
    """Rows of a table of the register, read by SQLite alone."""
    with closing(sqlite3.connect(f"file:{office.out / 'register.gpkg'}?mode=ro", uri=True)) as base:
        base.row_factory = sqlite3.Row
        return [dict(row) for row in base.execute(f'SELECT * FROM "{name}"')]


def sheet(office: Any, as_of: str, title: str) -> list[dict[str, Any]]:
    """Rows of a sheet of the half-year workbook under its headings."""
    book = load_workbook(office.out / "reports" / as_of / "half_year.xlsx", read_only=True)
    rows = list(book[title].iter_rows(values_only=True))
    head = next(number for number, row in enumerate(rows) if sum(cell is not None for cell in row) > 3)
    full = [row for row in rows[head + 1:] if any(cell is not None for cell in row)]
    return [dict(zip(rows[head], row, strict=False)) for row in full]


def totals(office: Any, as_of: str) -> dict[str, float]:
    """The first sheet: what is counted -> number."""
    return {row["项目"]: row["数值"] for row in sheet(office, as_of, "总体情况")}


def words(path: Path) -> str:
    """All text of a document, tables too."""
    document = Document(str(path))
    cells = [cell.text for table in document.tables for row in table.rows for cell in row.cells]
    return "\n".join([*(paragraph.text for paragraph in document.paragraphs), *cells])


def plan_ids(office: Any, year: int) -> set[str]:
    path = office.plans[year] / "sites.gpkg"
    return set(pyogrio.read_dataframe(path, layer="sites", read_geometry=False)["site_id"])


def day_of(text: str | None) -> str:
    return (text or "")[:10]


def listed(path: Path) -> list[dict[str, str]]:
    """Rows of a CSV file."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_every_step_says_a_sentence_with_its_day(told: Any) -> None:
    steps = [line for line in told.lines if not line.startswith("核对:")]
    assert len(steps) > 40
    assert all(re.match(r"20\d\d-\d\d-\d\d \S.*。$", line) for line in steps)
    assert sum(line.startswith("核对:") for line in told.lines) >= 9


def test_inputs_are_invented_and_name_no_person() -> None:
    names = sorted(path.name for path in STORY.iterdir())
    assert len(names) >= 20
    for path in STORY.glob("*.csv"):
        text = path.read_bytes().decode("gb18030" if path.name == "work_plan_2027.csv" else "utf-8-sig")
        assert not re.search(r"(同志|先生|女士|1[3-9]\d{9})", text), path.name
    known = {row["设施编号"] for row in listed(CITY / "facilities.csv")}
    for path in STORY.glob("opinions_*.csv"):
        for row in listed(path):
            assert row["站址编号"] in known


def test_quotas_add_up_and_a_split_that_does_not_is_refused_with_its_row(told: Any) -> None:
    quotas = {row["title"]: row for row in table(told, "quotas") if row["is_current"]}
    for title, total in (("免费开放公共区域站址", 13), ("疑难站址攻坚", 6), ("2026至2027年新建基站", 30)):
        parts = [row["value"] for row in quotas.values() if row["parent_id"] == quotas[title]["id"]]
        assert len(parts) == 2
        assert sum(parts) == quotas[title]["value"] == total
    (fault,) = told.found["refused_split"]
    assert "合计 12,应为 13,少 1" in fault


def test_need_based_split_follows_the_demand_of_the_first_plan(told: Any) -> None:
    found = pyogrio.read_dataframe(told.plans[2026] / "sites.gpkg", layer="sites", read_geometry=False)
    need = found.groupby("county")["gain_demand"].sum()
    exact = 9 * need / need.sum()
    parts = {row["area"]: row["value"] for row in table(told, "quotas")
             if row["title"].startswith("2026年新建站址(") and row["is_current"]}
    assert sum(parts.values()) == 9
    assert all(abs(parts[county] - exact[county]) < 1.0 for county in exact.index)


def test_cut_off_counts_the_task_of_june_30_and_not_that_of_july_1(told: Any) -> None:
    at_june, at_december = ({row["任务"]: row for row in sheet(told, as_of, "任务台账")} for as_of in CUT_OFFS[:2])
    assert at_june["组织卫生院、村卫生室开放屋面"]["状态"] == "已完成"
    assert at_june["车站、服务区开放站址并落实用电"]["状态"] == "办理中"
    assert at_december["车站、服务区开放站址并落实用电"]["状态"] == "已完成"
    done = [row for row in table(told, "tasks") if day_of(row["done_on"]) and day_of(row["done_on"]) <= "2026-06-30"]
    assert totals(told, "2026-06-30")["已完成"] == len(done) == 4


@pytest.mark.parametrize("as_of", CUT_OFFS)
def test_each_pack_counts_what_the_register_says_of_its_day(told: Any, as_of: str) -> None:
    numbers = totals(told, as_of)
    on_air = [row for row in table(told, "sites") if row["on_air_on"] and day_of(row["on_air_on"]) <= as_of]
    first = f"{as_of[:4]}-{'01' if as_of[5:] == '06-30' else '07'}-01"
    assert numbers["已开通"] == len(on_air)
    assert numbers["其中本期开通"] == sum(day_of(row["on_air_on"]) >= first for row in on_air)
    tasks = [row for row in table(told, "tasks") if day_of(row["issued_on"]) <= as_of]
    done = sum(bool(row["done_on"]) and day_of(row["done_on"]) <= as_of for row in tasks)
    assert numbers["在册任务"] == len(tasks)
    assert numbers["已完成"] == done
    overdue = [row for row in tasks if day_of(row["due_on"]) < as_of and not (
        row["done_on"] and day_of(row["done_on"]) <= as_of)]
    assert numbers["逾期合计"] == len(overdue) == len(sheet(told, as_of, "逾期清单"))
    cases = [row for row in table(told, "cases") if row["closed_on"] and first <= day_of(row["closed_on"]) <= as_of]
    days = [(dt.date.fromisoformat(day_of(row["closed_on"])) - dt.date.fromisoformat(day_of(row["opened_on"]))).days
            for row in cases]
    assert numbers["本期办结"] == len(days)
    if days:
        assert numbers["平均办结天数"] == pytest.approx(sum(days) / len(days), abs=0.06)


@pytest.mark.parametrize("as_of", CUT_OFFS)
def test_quota_sheet_counts_the_sites_that_went_on_air(told: Any, as_of: str) -> None:
    quotas = {row["id"]: row for row in table(told, "quotas")}
    sites = table(told, "sites")
    checked = 0
    for row in sheet(told, as_of, "指标进度"):
        quota = quotas[row["编号"]]
        if quota["measure"] not in ("new", "free_public") or quota["counted"] != "register":
            continue
        last = min(as_of, day_of(quota["by"]))
        mine = [site for site in sites
                if site["on_air_on"] and day_of(quota["since"]) <= day_of(site["on_air_on"]) <= last
                and quota["area"] in ("溪口市", site["county"]) and (quota["measure"] == "new" or site["is_free"])]
        done = sum(site["station_count"] for site in mine) if quota["unit"] == "基站" else len(mine)
        assert row["已完成"] == done, (as_of, row["指标"])
        assert row["完成(%)"] == pytest.approx(100 * done / quota["value"], abs=0.06)
        checked += 1
    assert checked >= 11


def test_ids_are_kept_over_the_re_plan_and_no_site_is_lost(told: Any) -> None:
    sites = {row["id"]: row for row in table(told, "sites")}
    first = {row["study_id"]: row["id"] for row in sites.values() if int(row["id"][2:]) <= len(plan_ids(told, 2026))}
    assert plan_ids(told, 2026) <= set(first) | {
        old for row in sites.values() for old in (row["former_ids"] or "").split("|")}
    again = {row["study_id"]: row["id"] for row in sites.values()}
    assert plan_ids(told, 2027) <= set(again)
    both = plan_ids(told, 2026) & plan_ids(told, 2027)
    assert len(both) == told.found["replan"]["kept"] > 5
    assert all(int(again[name][2:]) <= len(plan_ids(told, 2026)) for name in both)
    news = plan_ids(told, 2027) - plan_ids(told, 2026)
    assert len(sites) == len(plan_ids(told, 2026)) + len(news)
    states = Counter(row["state"] for row in sites.values())
    assert sum(states.values()) == len(sites)


def test_refused_and_banned_venues_are_not_proposed_again(told: Any) -> None:
    last: dict[str, str] = {}
    for row in sorted(table(told, "decisions"), key=lambda row: day_of(row["day"])):
        if row["action"] in ("refused", "agreed", "ban") and day_of(row["day"]) <= "2027-01-13":
            last[row["ref"]] = row["action"]
    away = {ref for ref, action in last.items() if action != "agreed"}
    assert {"F0097", "F0466", "F0015", "F0042"} <= away
    assert not away & {name.rpartition(":")[2] for name in plan_ids(told, 2027)}
    assert {"V-facility:F0097", "V-facility:F0466"} <= plan_ids(told, 2026)


def test_built_sites_are_existing_coverage_and_committed_ones_stay(told: Any) -> None:
    shares = [json.loads((told.plans[year] / "plan.json").read_text("utf-8"))["indicators"]["before"]["area_share"]
              for year in (2026, 2027)]
    assert shares[1] > shares[0] + 0.005
    rows = table(told, "sites")
    built = {row["study_id"] for row in rows if row["on_air_on"] and day_of(row["on_air_on"]) <= "2027-01-13"}
    assert len(built) == 5
    assert not built & plan_ids(told, 2027)
    before = told.found["before_replan"]
    committed = set(before.loc[before["state"].isin(["approved", "building"]), "study_id"])
    assert len(committed) == 2
    assert committed <= plan_ids(told, 2027)


def test_target_of_the_re_plan_counts_the_stations_that_the_register_has_on_air(told: Any) -> None:
    results = json.loads((told.plans[2027] / "plan.json").read_text("utf-8"))["results"]["targets"]
    (target,) = [row for row in results if row["target"] == "new_stations_2027"]
    stations = sum(row["station_count"] for row in table(told, "sites")
                   if row["on_air_on"] and day_of(row["on_air_on"]) <= "2026-12-31")
    assert target["reached_before"] == stations == 9


def test_new_works_list_tells_moved_windows_and_what_counts_on_them(told: Any) -> None:
    heads = "工程编号", "计划开工", "计划完工"
    new = {row[heads[0]]: row for row in listed(STORY / "works_2027.csv")}
    old = pyogrio.read_dataframe(CITY / "planning.gpkg", layer="works", read_geometry=False).set_index("工程编号")
    moved = [key for key in new if key in old.index and new[key]["计划开工"] != day_of(str(old.loc[key, "计划开工"]))]
    lines = told.found["works_2027-01-06"]
    assert len(moved) == 6
    for key in moved:
        late = (dt.date.fromisoformat(new[key]["计划开工"]) - dt.date.fromisoformat(day_of(str(old.loc[key, "计划开工"])))).days
        assert any(old.loc[key, "工程名称"] in line and f"开工推迟{late}天" in line for line in lines), key
    gone = set(old.index) - set(new)
    assert sum(line.startswith("不再列入") for line in lines) == len(gone) == 3
    accepted = [row for row in table(told, "joint_matches") if row["state"] == "accepted"]
    assert len(accepted) == 5


def test_log_gives_the_tables_again(told: Any) -> None:
    held: dict[str, dict[str, Any]] = {}
    for event in sorted(table(told, "events"), key=lambda event: event["seq"]):
        row = held.setdefault(event["row_id"], {})
        row.update(json.loads(event["new"]) if event["field"] == "*" else {event["field"]: event["new"]})
    cells = 0
    for name in ("sites", "tasks", "cases", "quotas", "decisions", "fees"):
        for row in table(told, name):
            for field, value in row.items():
                if field in held[row["id"]] and field not in ("geometry", "geom"):
                    said = held[row["id"]][field]
                    assert plain(said) == plain(value), (row["id"], field)
                    cells += 1
    assert cells > 2000


def plain(value: Any) -> Any:
    """Numbers as numbers, days without their time, nothing as None."""
    if value is None or value == "":
        return None
    try:
        return float(value)
    except ValueError:
        return re.sub(r"^(\d{4}-\d\d-\d\d)[T ].*$", r"\1", value)


def test_letters_go_to_those_who_are_late_and_name_their_tasks(told: Any) -> None:
    for as_of in CUT_OFFS:
        letters = sorted((told.out / "reports" / as_of / "reminders").glob("*.docx"))
        assert [path.stem.partition("_")[2] for path in letters] == told.found[f"letters_{as_of}"]
        late = {}
        for row in sheet(told, as_of, "逾期清单"):
            late.setdefault(row["责任单位"], []).append(row["任务"])
        for path in letters:
            text = words(path)
            assert any(title in text for title in late[path.stem.partition("_")[2]]), path.name
    first = words(next((told.out / "reports" / "2026-06-30" / "reminders").glob("*溪东县.docx")))
    assert "完成本县年度站址征地和青苗补偿" in first


def test_documents_of_the_year_are_written_in_december_and_say_the_same_numbers(told: Any) -> None:
    for as_of in CUT_OFFS:
        folder = told.out / "reports" / as_of
        assert (folder / "annual_report.docx").is_file() == as_of.endswith("12-31")
        assert (folder / "year_plan.docx").is_file() == as_of.endswith("12-31")
        text = re.sub(r"\s", "", words(folder / "half_year_report.docx"))
        numbers = totals(told, as_of)
        assert f"已开通{numbers['已开通']:.0f}处" in text
        assert f"在册任务{numbers['在册任务']:.0f}项:已完成{numbers['已完成']:.0f}项" in text.replace("：", ":")
        if as_of <= "2027-12-31":
            assert f"尚缺{13 - free_public(told, as_of)}" in text
    assert "2027年度工作计划" in re.sub(r"\s", "", words(told.out / "reports" / "2026-12-31" / "year_plan.docx"))


def free_public(office: Any, as_of: str) -> int:
    last = min(as_of, "2027-12-31")
    return sum(bool(row["is_free"] and row["on_air_on"]) and day_of(row["on_air_on"]) <= last
               for row in table(office, "sites"))


def test_same_story_on_postgis_without_the_plan_runs(told: Any, script: Any, tmp_path: Path) -> None:
    if server_address() is None:
        pytest.skip("没有可用的 PostGIS 服务器")
    from siteplan.register import read_events, read_rows

    lines: list[str] = []
    with place("postgis", tmp_path) as where:
        office = script.tell_story(tmp_path, where, plans=told.plans, with_reports=False, say=lines.append)
        sites, events = read_rows(office.register, "sites"), read_events(office.register)
    own = {row["id"]: row for row in table(told, "sites")}
    assert sites["state"].to_dict() == {key: row["state"] for key, row in own.items()}
    assert sites["study_id"].to_dict() == {key: row["study_id"] for key, row in own.items()}
    assert len(events) == len(table(told, "events"))
    short = [re.sub(r";写出 \d+ 个文件", "", line) for line in told.lines]
    assert lines == short


def test_story_files_are_listed_in_the_readme_of_the_city() -> None:
    text = (CITY / "README.md").read_text("utf-8")
    assert "three_years.py" in text
    for path in STORY.iterdir():
        assert path.name in text

"""Plans that cannot be brought in: every fault named, nothing written; killed programs; ids stay whatever comes."""

from __future__ import annotations

import dataclasses
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from shapely import Point

from siteplan.errors import RegisterError
from siteplan.register import Register, add_rows, check_seals, edit_rows, open_register, read_events, read_rows, writing
from siteplan.register.sync import PlanRecord, sync_plan
from tests.registers import day, stamp, toy_register
from tests.sync_plans import plan, site, venue

GOOD = plan({"S1": site(0), "S2": site(100)})


def faults(register: Register, record: PlanRecord, when: str = "2026-02-01") -> list[tuple[str, str, str]]:
    """Layer, row and field of each problem; nothing was written."""
    before = len(read_events(register))
    with pytest.raises(RegisterError, match="方案没有并入储备库") as caught:
        sync_plan(register, record, stamp(when))
    assert all(problem.reason and problem.remedy and problem.file for problem in caught.value.problems)
    assert len(read_events(register)) == before
    return [(problem.layer, problem.row, problem.field) for problem in caught.value.problems]


def sites_with(**rows: dict[str, Any]) -> PlanRecord:
    return plan(rows)


def twice(record: PlanRecord) -> PlanRecord:
    return dataclasses.replace(record, sites=gpd.GeoDataFrame(pd.concat([record.sites, record.sites.iloc[:1]])))


BAD: dict[str, tuple[Callable[[], PlanRecord], list[tuple[str, str, str]]]] = {
    "id twice": (lambda: twice(GOOD), [("sites", "S1", "study_id")]),
    "no place": (lambda: sites_with(S1=site(0, geometry=None)), [("sites", "S1", "geometry")]),
    "place outside of every map": (lambda: sites_with(S1=site(0, geometry=Point(1e15, 0.0))),
                                   [("sites", "S1", "geometry")]),
    "two counties in one cell": (lambda: sites_with(S1=site(0, county="溪西县、溪东县")), [("sites", "S1", "county")]),
    "one place in two counties": (lambda: sites_with(S1=site(0), S2=site(0.5, county="溪东县")),
                                  [("sites", "S2", "county")]),
    "unknown code": (lambda: sites_with(S1=site(0, kind="飞艇")), [("sites", "S1", "kind")]),
    "number out of bounds": (lambda: sites_with(S1=site(0, antenna_height_m=3000.0)),
                             [("sites", "S1", "antenna_height_m")]),
    "unknown venue": (lambda: sites_with(S1=site(0, venue="V-7")), [("sites", "", "venue")]),
    "link of no site": (lambda: dataclasses.replace(GOOD, links=plan({"S3": site(0)}, None, {"S3": 5.0}).links),
                        [("links", "S3", "study_id")]),
    "no name": (lambda: dataclasses.replace(GOOD, name=" "), [("plans", "", "name")]),
    "data of a later day": (lambda: dataclasses.replace(GOOD, day=day("2026-02-02")), [("plans", "溪口市规划", "day")]),
}


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Register:
    """A register for plans that are refused: it stays as it is."""
    return toy_register(tmp_path_factory.mktemp("faults") / "register.gpkg")


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_with_a_plan_is_named(own: Register, name: str) -> None:
    make, expected = BAD[name]
    found = faults(own, make())
    assert set(expected) <= set(found)
    assert {row for _, row, _ in found} == {row for _, row, _ in expected}


def test_all_faults_of_a_plan_are_told_at_once(own: Register) -> None:
    record = sites_with(S1=site(0, kind="飞艇", geometry=None), S2=site(9, county="甲县|乙县"))
    assert set(faults(own, dataclasses.replace(record, name=""))) >= {
        ("sites", "S1", "kind"), ("sites", "S1", "geometry"), ("sites", "S2", "county"), ("plans", "", "name")}


def test_a_site_without_a_name_is_named(own: Register) -> None:
    with pytest.raises(RegisterError) as caught:
        sync_plan(own, sites_with(S1=site(0, name="")), stamp("2026-02-01"))
    assert [(problem.row, problem.field) for problem in caught.value.problems] == [("S1", "name")]
    assert not len(read_rows(own, "sites"))


def test_a_plan_may_not_come_before_the_last_one(register: Register) -> None:
    sync_plan(register, GOOD, stamp("2026-03-01"))
    assert faults(register, dataclasses.replace(GOOD, version="v2"), "2026-02-28") == [("plans", "溪口市规划", "day")]
    assert not sync_plan(register, dataclasses.replace(GOOD, version="v2"), stamp("2026-03-01")).is_same


def test_two_sites_of_the_register_with_one_study_id(register: Register) -> None:
    with writing(register, stamp("2026-01-20")) as transaction:
        add_rows(transaction, "sites", [{"name": name, "state": "储备", "study_id": "S1"} for name in ("甲", "乙")])
    assert faults(register, GOOD) == [("sites", "ZZ000001、ZZ000002", "study_id")]


def test_a_register_that_was_edited_by_another_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "register.gpkg"
    register = toy_register(path)
    sync_plan(register, GOOD, stamp("2026-02-01"))
    with sqlite3.connect(path) as other:
        other.execute("UPDATE sites SET owner = '别人' WHERE id = 'ZZ000002'")
    other.close()
    with pytest.raises(RegisterError, match="其他程序") as caught:
        sync_plan(register, dataclasses.replace(GOOD, version="v2"), stamp("2026-03-01"))
    assert [problem.row for problem in caught.value.problems] == ["ZZ000002"]
    assert len(read_rows(register, "plans")) == 1


def test_a_change_that_is_dated_later_is_named(register: Register) -> None:
    """The office wrote an owner for June; a plan of March may not change it behind its back."""
    sync_plan(register, GOOD, stamp("2026-02-01"))
    sync_plan(register, plan({"S1": site(0, owner="乙"), "S2": site(100)}, version="v2"), stamp("2026-06-01"))
    with pytest.raises(RegisterError, match="早于"):
        sync_plan(register, plan({"S1": site(0, owner="丙"), "S2": site(100)}, version="v3"), stamp("2026-03-01"))


KILLED = """
import os, signal, sys
from siteplan.register import open_register
from siteplan.register.sync import merge
from tests.registers import stamp
from tests.sync_plans import plan, site
which = int(sys.argv[2])
calls = 0
def watched(inner):
    def call(*args, **more):
        global calls
        calls += 1
        if calls == which:
            os.kill(os.getpid(), signal.SIGKILL)
        return inner(*args, **more)
    return call
for name in ("add_rows", "edit_rows", "raise_problems", "_result"):
    setattr(merge, name, watched(getattr(merge, name)))
sites = {f"N{k}": site(100.0 * k + 3) for k in range(40)}
merge.sync_plan(open_register(sys.argv[1]), plan(sites, version="v2"), stamp("2026-03-01"))
"""


@pytest.mark.parametrize("call", [7, 12])
def test_a_killed_sync_leaves_the_register_as_it_was(tmp_path: Path, call: int) -> None:
    path = tmp_path / "register.gpkg"
    register = toy_register(path)
    sync_plan(register, plan({f"S{k}": site(100.0 * k) for k in range(40)}), stamp("2026-02-01"))
    before = read_rows(register, "sites"), read_events(register)
    root = Path(__file__).resolve().parents[1]
    done = subprocess.run([sys.executable, "-c", KILLED, str(path), str(call)], cwd=root, check=False,
                          env={**os.environ, "PYTHONPATH": str(root)}, capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    again = open_register(path)
    pd.testing.assert_frame_equal(pd.DataFrame(read_rows(again, "sites")), pd.DataFrame(before[0]))
    assert len(read_events(again)) == len(before[1])
    assert check_seals(again) == ()
    sync_plan(again, plan({f"N{k}": site(100.0 * k + 3) for k in range(40)}, version="v2"), stamp("2026-03-01"))
    assert read_rows(again, "sites")["former_ids"].tolist() == [f"S{k}" for k in range(40)]


HOSTILE = ["'; DROP TABLE sites; --", "=1+1\"</script>", "%s %(x)s :name", "䶮𬭎㙍村", "a|b", "\u202e反", "x" * 500]


def test_hostile_names_are_texts(register: Register) -> None:
    rows = {f"{number}{name}": site(100.0 * number, name=name, owner=name, department=name, reason=name)
            for number, name in enumerate(HOSTILE)}
    record = plan(rows)
    sync_plan(register, record, stamp("2026-02-01"))
    assert read_rows(register, "sites")["owner"].tolist() == HOSTILE
    assert sync_plan(register, record, stamp("2026-02-02")).is_same


choices = st.dictionaries(st.sampled_from(["A", "B", "C", "D"]), st.tuples(
    st.integers(0, 6), st.sampled_from(["楼面抱杆", "灯杆"]), st.sampled_from([2026, 2027])), max_size=4)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A register to be copied."""
    path = tmp_path_factory.mktemp("empty") / "register.gpkg"
    toy_register(path)
    return path


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(choices, choices)
@example({"B": (2, "楼面抱杆", 2026), "A": (0, "楼面抱杆", 2026), "C": (0, "楼面抱杆", 2026)},
         {"A": (3, "楼面抱杆", 2026), "C": (2, "楼面抱杆", 2026)})  # two sites of one name at one place
@example({"A": (1, "灯杆", 2026), "C": (3, "楼面抱杆", 2026)},
         {"B": (0, "楼面抱杆", 2026), "C": (1, "楼面抱杆", 2026), "A": (4, "楼面抱杆", 2026)})  # one stands otherwise
def test_ids_stay_and_no_site_is_ever_lost(tmp_path: Path, empty: Path, one: dict[str, Any],
                                           other: dict[str, Any]) -> None:
    """Plan A, plan B, plan A again: every site of A has the id that it had, and the register never gets smaller."""
    register = open_register(shutil.copy(empty, tmp_path / "register.gpkg"))
    records = [plan({key: site(12.0 * x, mount=mount, build_year=year) for key, (x, mount, year) in rows.items()},
                    {"V": venue(0)}, version=version) for rows, version in ((one, "v1"), (other, "v2"))]
    known, states = set[str](), list[dict[str, str]]()
    for number, record in enumerate((*records, records[0]), 2):
        found = sync_plan(register, record, stamp(f"2026-{number:02d}-01"))
        sites = read_rows(register, "sites")
        assert known <= set(sites.index)
        assert set(sites.loc[sites["in_plan"].astype(bool), "study_id"]) == set(record.sites.index)
        assert len(found.added) + len(found.kept) == len(record.sites)
        known = set(sites.index)
        states.append({study_id: row_id for row_id, study_id in sites["study_id"].items()})
    assert {key: states[2][key] for key in one} == {key: states[0][key] for key in one}


def test_edits_between_two_plans_are_not_lost(register: Register) -> None:
    sync_plan(register, GOOD, stamp("2026-02-01"))
    with writing(register, stamp("2026-02-10", "成熟")) as transaction:
        edit_rows(transaction, "sites", {"ZZ000001": {"state": "具备条件"}})
    sync_plan(register, plan({"S2": site(100)}, version="v2"), stamp("2026-03-01"))
    row = read_rows(register, "sites").loc["ZZ000001"]
    assert (row["state"], row["in_plan"]) == ("ready", False)

"""What other programs (QGIS, a database tool, pyogrio) do to a register: every row is named, taken over or undone."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pyogrio
import pytest
import shapely

from siteplan.errors import RegisterError
from siteplan.register import (
    Register,
    add_rows,
    adopt_edits,
    check_seals,
    edit_rows,
    hand_edits,
    open_register,
    read_events,
    read_rows,
    require_sealed,
    restore_edits,
    writing,
)
from siteplan.register.store import adopt_rows, restore_rows
from tests.registers import day, stamp


@pytest.fixture
def filled(register: Register) -> Register:
    """Three sites, ZZ000001 to ZZ000003, moved on once."""
    with writing(register, stamp("2026-02-01")) as transaction:
        ids = add_rows(transaction, "sites", [{
            "name": name, "state": "储备", "geometry": shapely.Point(1, 2), "station_count": 2} for name in "甲乙丙"])
    with writing(register, stamp("2026-03-01")) as transaction:
        edit_rows(transaction, "sites", {row_id: {"state": "具备条件"} for row_id in ids})
    return register


def by_hand(register: Register, *statements: str) -> None:
    """As another program writes: no seal, no log."""
    with register.engine.begin() as connection:
        for statement in statements:
            table = statement.split()[{"UPDATE": 1}.get(statement.split()[0], 2)]
            name = f'"{register.place.schema}".{table}' if register.place.schema else table
            connection.exec_driver_sql(statement.replace(table, name, 1))


def found(register: Register) -> list[tuple[str, str, object, object]]:
    edits = hand_edits(register).astype(object)
    return [(row.id, row.field, row.logged, row.found) for row in edits.where(edits.notna(), None).itertuples()]


def test_a_changed_row_is_named_with_the_logged_and_the_found_value(filled: Register) -> None:
    by_hand(filled, "UPDATE sites SET name = '手改', note = '备注' WHERE id = 'ZZ000002'")
    (problem,) = check_seals(filled)
    assert (problem.layer, problem.row) == ("sites", "ZZ000002")
    with pytest.raises(RegisterError, match="ZZ000002"):
        require_sealed(filled, ["sites"])
    assert check_seals(filled, ["venues"]) == ()
    assert found(filled) == [("ZZ000002", "name", "乙", "手改"), ("ZZ000002", "note", None, "备注")]


def test_a_changed_row_takes_no_further_change_until_it_is_settled(filled: Register) -> None:
    by_hand(filled, "UPDATE sites SET name = '手改' WHERE id = 'ZZ000002'")
    with pytest.raises(RegisterError, match="被其他程序改动过") as caught, writing(filled, stamp("2026-04-01")) as transaction:
        edit_rows(transaction, "sites", {row_id: {"note": "x"} for row_id in ("ZZ000001", "ZZ000002")})
    assert [problem.row for problem in caught.value.problems] == ["ZZ000002"]


def test_edits_by_hand_become_changes_of_an_author_where_they_are_valid(filled: Register) -> None:
    by_hand(filled, "UPDATE sites SET state = '已批准', name = '手改' WHERE id = 'ZZ000002'",
            "UPDATE sites SET station_count = 3 WHERE id = 'ZZ000003'")
    with writing(filled, stamp("2026-04-01", "QGIS 中修改", author="规划员")) as transaction:
        assert adopt_edits(transaction, ["ZZ000002"]) == ["ZZ000002"]
    assert read_rows(filled, "sites").loc["ZZ000002", "state"] == "approved", "spelled as the register does"
    log = read_events(filled, row_id="ZZ000002", after=day("2026-03-01"))
    assert log[["field", "old", "new", "author"]].to_numpy().tolist() == [
        ["name", "乙", "手改", "规划员"], ["state", "ready", "approved", "规划员"],
        ["state_on", "2026-03-01", "2026-04-01", "规划员"]]
    assert [problem.row for problem in check_seals(filled)] == ["ZZ000003"]
    assert adopt_rows(filled, stamp("2026-04-02", "QGIS 中修改")) == 1
    assert check_seals(filled) == ()
    assert read_rows(filled, "sites", day("2026-03-31"))[["name", "state", "station_count"]].to_numpy().tolist() == [
        [name, "ready", 2.0] for name in "甲乙丙"]


def test_an_edit_by_hand_that_may_not_be_is_told_and_nothing_is_taken_over(filled: Register) -> None:
    by_hand(filled, "UPDATE sites SET state = 'on_air', name = '手改' WHERE id = 'ZZ000001'",
            "UPDATE sites SET name = '' WHERE id = 'ZZ000002'", "DELETE FROM sites WHERE id = 'ZZ000003'")
    with pytest.raises(RegisterError) as caught:
        adopt_rows(filled, stamp("2026-04-01", "认定"))
    assert [(problem.row, problem.field) for problem in caught.value.problems] == [
        ("ZZ000001", "state"), ("ZZ000002", "name"), ("ZZ000003", "id")]
    assert read_rows(filled, "sites").loc["ZZ000001", "state"] == "on_air", "as found"
    assert len(check_seals(filled)) == 3


def test_added_rows_get_ids_of_their_own(filled: Register) -> None:
    by_hand(filled, "INSERT INTO sites (id, name, state) VALUES ('ZZ009999', '手加', '储备')",
            "INSERT INTO sites (id, name, state) VALUES ('', '无号', 'reserve')",
            "INSERT INTO sites (id, name, state) VALUES ('随便', '坏', '飞行')")
    assert {problem.row for problem in check_seals(filled)} == {"ZZ009999", "", "随便"}
    assert {(row_id, json.loads(str(new))["name"]) for row_id, _, _, new in found(filled)} == {
        ("ZZ009999", "手加"), ("", "无号"), ("随便", "坏")}
    with pytest.raises(RegisterError, match="随便 / state"):
        adopt_rows(filled, stamp("2026-04-01", "认定"))
    with writing(filled, stamp("2026-04-01", "认定")) as transaction:
        assert sorted(adopt_edits(transaction, ["", "ZZ009999"])) == ["ZZ000004", "ZZ000005"]
    with writing(filled, stamp("2026-04-01", "删去")) as transaction:
        assert restore_edits(transaction, ["随便"]) == 1
    assert sorted(read_rows(filled, "sites")["name"]) == sorted(["甲", "乙", "丙", "手加", "无号"])
    assert check_seals(filled) == ()


def test_everything_done_by_hand_can_be_undone(filled: Register) -> None:
    before = read_rows(filled, "sites")
    by_hand(filled, "UPDATE sites SET state = 'on_air', name = '手改', geometry = NULL WHERE id = 'ZZ000001'",
            "DELETE FROM sites WHERE id = 'ZZ000003'", "INSERT INTO sites (id, name) VALUES ('ZZ000007', '手加')")
    assert [(row, field) for row, field, _, _ in found(filled)] == [
        ("ZZ000001", "name"), ("ZZ000001", "state"), ("ZZ000001", "geometry"), ("ZZ000007", "*"), ("ZZ000003", "*")]
    assert restore_rows(filled, stamp("2026-04-01", "改回")) == 3
    assert read_rows(filled, "sites").equals(before)
    assert check_seals(filled) == ()
    assert len(read_events(filled, after=day("2026-03-31"))) == 0, "what never was leaves no trace in the log"


def test_the_log_changed_cut_or_lengthened_by_hand_is_told(filled: Register) -> None:
    last = int(read_events(filled)["seq"].max())
    by_hand(filled, "UPDATE events SET author = '别人' WHERE seq = 17", "DELETE FROM events WHERE seq = 18",
            f"DELETE FROM events WHERE seq = {last}",
            "INSERT INTO events (seq, at, day, author, kind, row_id, field) "
            "VALUES (999, '2026-01-05T12:00:00.000Z', '2026-01-05', 'x', 'sites', 'ZZ000001', 'name')")
    told = {problem.row: problem.reason for problem in check_seals(filled) if problem.layer == "events"}
    assert "改动" in told["17"]
    assert "删除" in told["18"]
    assert "删除" in told[str(last)]
    assert "添加" in told["999"]


def test_cells_of_a_wrong_kind_are_told_and_read_as_nothing(tmp_path: Path) -> None:
    from tests.registers import toy_register

    register = toy_register(tmp_path / "register.gpkg")
    cells = {"station_count": 2.5, "due_on": "明天", "is_hard": 7, "capex_yuan": "贵", "geometry": b"no shape",
             "name": b"\x01"}
    with writing(register, stamp("2026-02-01")) as transaction:
        add_rows(transaction, "sites", [{"name": "甲", "state": "储备"}] * len(cells))
    with closing(sqlite3.connect(tmp_path / "register.gpkg")) as plain, plain:
        for number, (name, cell) in enumerate(cells.items(), 1):
            plain.execute(f"UPDATE sites SET {name} = ? WHERE id = ?", (cell, f"ZZ{number:06d}"))
    table = read_rows(register, "sites")
    assert [(problem.row, problem.field) for problem in check_seals(register)] == [
        (f"ZZ{number:06d}", name) for number, name in enumerate(cells, 1)]
    for number, name in enumerate(cells, 1):
        cell = table.loc[f"ZZ{number:06d}", name]
        assert cell == 2.5 if name == "station_count" else pd.isna(cell)
    with pytest.raises(RegisterError, match="“明天”不是日期"):
        adopt_rows(register, stamp("2026-04-01", "认定"))
    assert restore_rows(register, stamp("2026-04-01", "改回")) == len(cells)
    assert check_seals(register) == ()


def test_rows_appended_and_rewritten_by_gdal_are_found(tmp_path: Path) -> None:
    from tests.registers import toy_register

    path = tmp_path / "register.gpkg"
    register = toy_register(path)
    with writing(register, stamp("2026-02-01")) as transaction:
        add_rows(transaction, "sites", [{"name": "甲", "state": "储备", "geometry": shapely.Point(1, 2)}])
    more = gpd.GeoDataFrame({"id": ["ZZ000002"], "name": ["追加"], "state": ["储备"], "revision": [1]},
                            geometry=[shapely.Point(3, 4)], crs="EPSG:4547")
    more.to_file(path, layer="sites", mode="a")
    assert [problem.row for problem in check_seals(open_register(path))] == ["ZZ000002"]
    assert adopt_rows(register, stamp("2026-03-01", "QGIS 中添加")) == 1
    assert read_rows(register, "sites")["name"].tolist() == ["甲", "追加"]
    assert check_seals(register) == ()
    layer = pyogrio.read_dataframe(path, layer="sites")
    pyogrio.write_dataframe(pd.concat([layer, layer.iloc[:1]]), path, layer="sites", append=False,
                           layer_options={"GEOMETRY_NAME": "geometry"})  # loses UNIQUE
    doubled = open_register(path)
    assert [(problem.row, problem.reason) for problem in check_seals(doubled)] == [("ZZ000001", "编号重复,不是本程序登记的")]
    assert len(read_rows(doubled, "sites")) == 2
    assert restore_rows(doubled, stamp("2026-04-01", "改回")) == 1
    assert check_seals(doubled) == ()

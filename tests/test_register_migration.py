"""A register of an older version is brought to the present one, with a backup, by one program alone."""

from __future__ import annotations

import datetime as dt
import multiprocessing
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import shapely

from siteplan.errors import RegisterError
from siteplan.register import (
    Register,
    add_rows,
    check_seals,
    create_register,
    edit_rows,
    open_register,
    read_events,
    read_rows,
    register_tables,
    writing,
)
from siteplan.register.dictionary import layout_version
from siteplan.register.store import migrate as migrating
from tests.registers import CITY, CRS, day, moment, stamp

NOW = moment(day("2026-07-01"))


def old_register(where: str) -> Register:
    """A register of version 1 with an organisation, sites and changes."""
    register = create_register(where, CITY, CRS, moment(day("2026-01-05")), version=1)
    with writing(register, stamp("2026-02-01")) as transaction:
        add_rows(transaction, "organisations", [{"name": "教育和体育局", "kind": "部门"}])
        ids = add_rows(transaction, "sites", [{"name": f"站{number}", "state": "储备", "department": "教育和体育局",
                                               "geometry": shapely.Point(number, 1)} for number in range(5)])
    with writing(register, stamp("2026-03-01")) as transaction:
        edit_rows(transaction, "sites", {ids[0]: {"state": "具备条件"}, ids[1]: {"name": "改名"}})
    return register


def places(where: str) -> list[str]:
    """Registers that lie beside."""
    if "://" not in where:
        return sorted(path.name for path in Path(where).parent.iterdir())
    from sqlalchemy import inspect

    register = open_register(where)
    with register.engine.connect() as connection:
        return sorted(name for name in inspect(connection).get_schema_names()
                      if name.startswith(register.place.schema or ""))


@pytest.fixture
def where(register_place: str) -> Iterator[str]:
    """A place whose backups go with it."""
    yield register_place
    if "://" in register_place:
        from sqlalchemy import inspect, text

        from siteplan.register.store.connect import engine_of, place_of

        place = place_of(register_place)
        with engine_of(place).begin() as connection:
            for name in inspect(connection).get_schema_names():
                if name.startswith(f"{place.schema}_v"):
                    connection.execute(text(f'DROP SCHEMA "{name}" CASCADE'))


def test_the_old_layout_is_refused_without_a_moment_and_untouched(where: str) -> None:
    old_register(where)
    with pytest.raises(RegisterError, match="旧版本 1:先运行 siteplan register migrate"):
        open_register(where)
    assert open_register(where, NOW).version == layout_version()


def test_rows_log_and_seals_stay_and_the_new_fields_are_there(where: str) -> None:
    before = old_register(where)
    rows, log = read_rows(before, "sites"), read_events(before)
    register = open_register(where, NOW)
    assert register.migrated.endswith("v1_20260701" if "://" in where else "register.v1-20260701.gpkg")
    assert check_seals(register) == ()
    now = read_rows(register, "sites")
    new = {name for name, field in register_tables()["sites"].fields.items() if field.since > 1}
    assert new == set(now.columns) - set(rows.columns) != set()
    pd.testing.assert_frame_equal(pd.DataFrame(now)[list(rows.columns)], pd.DataFrame(rows))
    columns = ["seq", "day", "field", "old", "new"]
    assert read_events(register)[columns].equals(log[columns])
    with writing(register, stamp("2026-07-02")) as transaction:
        edit_rows(transaction, "sites", {rows.index[0]: {"note": "新字段"}})
        add_rows(transaction, "links", [{"site_id": rows.index[0], "geometry": shapely.LineString([(0, 0), (1, 1)])}])
    assert read_rows(register, "sites", day("2026-02-28")).loc[rows.index[0], "state"] == "reserve"
    assert check_seals(register) == ()
    assert open_register(where).migrated == "", "once is enough"


def test_the_backup_is_the_old_register(where: str) -> None:
    rows = read_rows(old_register(where), "sites")
    backup = open_register(where, NOW).migrated
    if "://" in where:
        backup = where.rpartition("schema=")[0] + backup.rpartition("/")[2].rpartition("?")[2].rpartition("&")[2]
    with pytest.raises(RegisterError, match="旧版本 1"):
        open_register(backup)
    again = open_register(backup, NOW)
    assert read_rows(again, "sites")[["name", "state", "geometry"]].equals(rows[["name", "state", "geometry"]])
    with writing(again, stamp("2026-07-02")) as transaction:
        assert add_rows(transaction, "sites", [{"name": "续", "state": "储备"}]) == ["ZZ000006"]


def test_a_backup_never_takes_a_name_that_is_there(where: str) -> None:
    old_register(where)
    if "://" in where:
        from siteplan.register.store.connect import engine_of, place_of

        place = place_of(where)
        with engine_of(place).begin() as connection:
            connection.exec_driver_sql(f'CREATE SCHEMA "{place.schema}_v1_20260701"')
        assert open_register(where, NOW).migrated.endswith("_v1_20260701_2")
    else:
        taken = Path(where).with_name("register.v1-20260701.gpkg")
        taken.write_text("mine", encoding="utf-8")
        assert open_register(where, NOW).migrated.endswith("register.v1-20260701-2.gpkg")
        assert taken.read_text(encoding="utf-8") == "mine"


def _open(where: str, answers: Any) -> None:
    answers.put(open_register(where, NOW).migrated)


def test_of_two_programs_that_migrate_at_once_one_does_it(where: str) -> None:
    old_register(where)
    fork = multiprocessing.get_context("fork")
    answers = fork.Queue()
    both = [fork.Process(target=_open, args=(where, answers)) for _ in range(2)]
    for process in both:
        process.start()
    told = sorted(answers.get(timeout=60) for _ in both)
    for process in both:
        process.join(60)
    assert told[0] == ""
    assert "v1" in told[1]
    assert len(places(where)) == 2
    assert check_seals(open_register(where)) == ()


def test_a_migration_that_fails_changes_nothing(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from sqlalchemy import text

    old_register(where)

    def fail(connection: Any, layout: Any) -> None:
        connection.execute(text("SELECT * FROM no_such_table_here"))

    monkeypatch.setitem(migrating._STEPS, 2, (fail,))  # type: ignore[index]
    with pytest.raises(RegisterError):
        open_register(where, NOW)
    monkeypatch.undo()
    with pytest.raises(RegisterError, match="旧版本 1"):
        open_register(where)
    register = open_register(where, NOW)
    assert check_seals(register) == ()
    assert len(places(where)) == 2, "the failed one left no backup behind"


def test_nothing_is_migrated_where_no_backup_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "register.gpkg"
    old_register(str(path))
    kept = path.read_bytes()

    def no_room(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(migrating, "put_new", no_room)
    with pytest.raises(RegisterError, match="不能写备份"):
        open_register(path, NOW)
    assert path.read_bytes() == kept
    assert [found.name for found in tmp_path.iterdir()] == ["register.gpkg"]


def test_a_backup_holds_every_row_and_is_whole(tmp_path: Path) -> None:
    old_register(str(tmp_path / "register.gpkg"))
    backup = open_register(tmp_path / "register.gpkg", dt.datetime(2026, 7, 1, 23, tzinfo=dt.UTC)).migrated
    with closing(sqlite3.connect(backup)) as plain:
        assert plain.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert plain.execute("SELECT count(*) FROM sites").fetchall() == [(5,)]
        assert plain.execute("SELECT value FROM register_meta WHERE key = 'version'").fetchall() == [("1",)]

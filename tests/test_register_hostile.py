"""Names that look like SQL, placeholders or formulas are only names, in both stores; no identifier comes from data."""

from __future__ import annotations

from typing import Any

import pytest

from siteplan.errors import RegisterError
from siteplan.register import (
    Register,
    Stamp,
    add_rows,
    check_seals,
    create_register,
    edit_rows,
    open_register,
    read_events,
    read_rows,
    writing,
)
from tests.registers import CRS, day, moment, stamp

HOSTILE = ("'; DROP TABLE sites; --", '"; DROP SCHEMA public CASCADE; --', "%s", "%(name)s", ":name", "?", "%", "100%",
           "{}", "{0.__class__}", "$1", "\\'", "' OR '1'='1", "sites", "events", "*", "=1+1", "@SUM(A1)",
           "<script>alert(1)</script>", "../../etc/passwd", "file:///etc/passwd", "postgresql://me:x@db/city",
           "\u202e倒", "ＮＦＫＣ", "١٢٣", "nul", "😀" * 50)


def test_hostile_names_are_kept_as_they_are_and_do_nothing(register: Register) -> None:
    with writing(register, stamp("2026-02-01", "'; DROP TABLE events; --", author="%s:name'; --")) as transaction:
        add_rows(transaction, "organisations", [{"name": name, "kind": "企业", "words": f"简称{name.replace('|', '')}"}
                                                for name in HOSTILE])
        ids = add_rows(transaction, "sites", [{
            "name": name, "state": "储备", "enterprise": name, "note": name, "county": name, "source_file": name,
            "source_row": name} for name in HOSTILE])
    with writing(register, stamp("2026-03-01")) as transaction:
        edit_rows(transaction, "sites", {row_id: {"address": name, "enterprise": f"简称{name}"}
                                         for row_id, name in zip(ids, HOSTILE, strict=True)}, why="%(why)s'; --")
    table = read_rows(register, "sites")
    for name in ("name", "enterprise", "note", "county", "address"):
        assert table[name].tolist() == list(HOSTILE), name
    assert set(read_events(register, table="sites", after=day("2026-02-28"))["why"]) == {"%(why)s'; --"}
    assert read_rows(register, "sites", day("2026-02-28"))["address"].isna().all()
    assert check_seals(register) == ()


@pytest.mark.parametrize("word", [*HOSTILE[:6], "ZZ000001' --", "\x00", "\ud800", "x" * 100_000])
def test_hostile_ids_are_no_ids(register: Register, word: str) -> None:
    with pytest.raises(RegisterError) as caught, writing(register, stamp("2026-02-01")) as transaction:
        edit_rows(transaction, "sites", {word: {"name": "甲"}})
    assert [problem.field for problem in caught.value.problems] == ["id"]
    assert not len(read_rows(register, "sites", ids=[word]))


def test_a_hostile_city_is_a_city_and_control_codes_are_none(register_place: str) -> None:
    for city in ("", "  ", "甲\x00乙", "甲\n乙", "\ud800"):
        with pytest.raises(RegisterError, match="城市名称"):
            create_register(register_place, city, CRS, moment(day("2026-01-05")))
    create_register(register_place, HOSTILE[0], CRS, moment(day("2026-01-05")))
    assert open_register(register_place).city == HOSTILE[0]


@pytest.mark.parametrize("changes", [{"author": " "}, {"author": "甲\x00"}, {"author": "甲\n乙"}, {"why": "\x00"}])
def test_a_stamp_that_cannot_be_kept_is_told(register: Register, changes: dict[str, Any]) -> None:
    facts: dict[str, Any] = {"author": "测试员", "day": day("2026-02-01"), "at": moment(day("2026-02-01")), **changes}
    with pytest.raises(RegisterError, match="不能写入储备库"), writing(register, Stamp(**facts)):
        pass


def test_columns_and_tables_that_the_dictionary_does_not_have_are_refused(register: Register) -> None:
    with pytest.raises(RegisterError, match="has no column"), writing(register, stamp("2026-02-01")) as transaction:
        add_rows(transaction, "sites", [{"name": "甲", "state": "储备", "name\" = 'x'; --": 1}])
    with pytest.raises(KeyError):
        read_rows(register, "sites; DROP TABLE sites")
    assert not len(read_rows(register, "sites"))


@pytest.mark.parametrize("schema", ["a;b", 'x"y', "X", "a b", "1a", "a" * 60, "a'"])
def test_schema_names_are_plain(schema: str) -> None:
    with pytest.raises(RegisterError, match=r"模式名|连接不上"):
        create_register(f"postgresql://nobody@127.0.0.1:1/none?schema={schema}", "甲", CRS, moment(day("2026-01-05")))

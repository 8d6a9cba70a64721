"""A register as it stood at the end of a day: worked by hand, and against a slow replay of the log."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pandas as pd
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from siteplan.errors import RegisterError
from siteplan.register import (
    Register,
    add_rows,
    correct_event,
    edit_rows,
    read_events,
    read_rows,
    register_tables,
    writing,
)
from siteplan.register.store.values import text_of, value_of
from tests.registers import day, stamp

FIRST = day("2026-03-01")


def replay(register: Register, ids: list[str], as_of: dt.date) -> dict[str, dict[str, str]]:
    """Rows as the log tells them, line by line from the beginning; lines that a later one voids do not count."""
    fields = register_tables()["sites"].fields
    log = read_events(register, table="sites", with_void=True)
    void = {int(seq) for seq in log["voids"].dropna()}
    out: dict[str, dict[str, str]] = {}
    for line in log.sort_values("seq").itertuples():
        if line.seq in void or line.day.date() > as_of or line.row_id not in ids:
            continue
        if line.field == "*":
            out[line.row_id] = json.loads(line.new)
        else:
            out[line.row_id].pop(line.field, None)
            if not pd.isna(line.new):
                out[line.row_id][line.field] = text_of(value_of(fields.get(line.field), line.new)) or ""
    return out


def spelled(register: Register, ids: list[str], as_of: dt.date) -> dict[str, dict[str, str]]:
    """Rows as `read_rows` gives them, spelled as the log spells them."""
    spec, table = register_tables()["sites"], read_rows(register, "sites", as_of, ids=ids)
    out: dict[str, dict[str, str]] = {}
    for row_id, row in table.iterrows():
        out[str(row_id)] = {}
        for name, cell in row.items():
            if cell is None or pd.isna(cell):
                continue
            kind = spec.fields[name].spec.type if name in spec.fields else "geometry"
            plain = {"date": lambda cell: cell.date(), "int": int, "bool": bool}.get(kind, lambda cell: cell)(cell)
            out[str(row_id)][str(name)] = text_of(plain) or ""
    return out


VALUES = st.fixed_dictionaries({}, optional={
    "name": st.sampled_from(["甲", "乙", "丙"]), "note": st.sampled_from(["一", "二", None]), "is_hard": st.booleans(),
    "station_count": st.sampled_from([1, 2, None]),
    "due_on": st.sampled_from([day("1969-01-01"), day("2027-01-01"), None]),
    "capex_yuan": st.sampled_from([0.1, 7.0, None]), "state": st.sampled_from(["储备", "具备条件", "已批准"])})
STEPS = st.lists(st.tuples(st.sampled_from(["add", "edit", "correct day", "correct value"]), st.integers(0, 2),
                           st.integers(0, 9), VALUES), min_size=1, max_size=12)


def act(register: Register, ids: list[str], step: tuple[str, int, int, dict[str, Any]]) -> None:
    what, which, after, values = step
    on = FIRST + dt.timedelta(days=after)
    with writing(register, stamp(on.isoformat(), "缘由")) as transaction:
        if what == "add" or not ids:
            ids += add_rows(transaction, "sites", [{"name": "甲", "state": "储备", **values}])
        elif what == "edit":
            edit_rows(transaction, "sites", {ids[which % len(ids)]: values})
        else:
            log = read_events(register, row_id=ids[which % len(ids)], connection=transaction.connection)
            line = log.iloc[-1]
            seq = int(line["seq"])
            if what == "correct day":
                correct_event(transaction, seq, day=on)
            else:
                correct_event(transaction, seq, values.get(line["field"], ""))


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_every_day_of_a_random_history_is_what_a_replay_of_the_log_gives(register: Register, steps: Any) -> None:
    ids: list[str] = []
    for step in steps:
        try:
            act(register, ids, step)
        except RegisterError:  # an order of days or a state that may not be: nothing was written
            ids = [row_id for row_id in ids if row_id in read_rows(register, "sites", ids=ids).index]
    for after in range(-1, 11):
        as_of = FIRST + dt.timedelta(days=after)
        assert spelled(register, ids, as_of) == replay(register, ids, as_of), as_of
    assert spelled(register, ids, day("2100-01-01")) == spelled(register, ids, FIRST + dt.timedelta(days=20))


def test_what_is_dated_the_cut_off_counts_the_day_after_does_not(register: Register) -> None:
    with writing(register, stamp("2026-02-01")) as transaction:
        one, other = add_rows(transaction, "sites", [{"name": "甲", "state": "建设中"}, {"name": "乙", "state": "建设中"}])
    with writing(register, stamp("2026-07-03")) as transaction:
        edit_rows(transaction, "sites", {one: {"state": "已开通", "event_day": day("2026-06-30")},
                                         other: {"state": "已开通", "event_day": day("2026-07-01")}})
    assert read_rows(register, "sites", day("2026-06-30"))["state"].tolist() == ["on_air", "building"]
    assert read_rows(register, "sites", day("2026-07-01"))["state"].tolist() == ["on_air", "on_air"]


def test_of_several_changes_on_one_day_the_last_one_counts(register: Register) -> None:
    with writing(register, stamp("2026-02-01")) as transaction:
        (site,) = add_rows(transaction, "sites", [{"name": "甲", "state": "储备"}])
        edit_rows(transaction, "sites", {site: {"name": "乙"}})
    for name in ("丙", "丁"):
        with writing(register, stamp("2026-02-02")) as transaction:
            edit_rows(transaction, "sites", {site: {"name": name}})
    assert read_rows(register, "sites", day("2026-02-01")).loc[site, "name"] == "乙"
    assert read_rows(register, "sites", day("2026-02-02")).loc[site, "name"] == "丁"


def test_places_go_back_too(register: Register) -> None:
    import shapely

    with writing(register, stamp("2026-02-01")) as transaction:
        (site,) = add_rows(transaction, "sites", [{"name": "甲", "state": "储备"}])
    for on, x in (("2026-03-01", 1.0), ("2026-04-01", 2.0)):
        with writing(register, stamp(on)) as transaction:
            edit_rows(transaction, "sites", {site: {"geometry": shapely.Point(x, 0)}})
    found = [read_rows(register, "sites", day(on)).geometry.loc[site]
             for on in ("2026-02-28", "2026-03-31", "2026-04-01")]
    assert found == [None, shapely.Point(1, 0), shapely.Point(2, 0)]


def test_a_site_has_a_day_of_going_on_air_only_when_it_is_on_air(register: Register) -> None:
    """A planned day would count as done: reports count what is dated up to the cut-off and entered later."""
    site = {"name": "甲", "state": "在建", "geometry": shapely.Point(5e5, 2.5e6)}
    with pytest.raises(RegisterError, match="却写了开通日期 2026-06-20"), writing(register, stamp("2026-06-01")) as t:
        add_rows(t, "sites", [{**site, "on_air_on": day("2026-06-20")}])
    with writing(register, stamp("2026-06-01")) as transaction:
        (row_id,) = add_rows(transaction, "sites", [site])
    with pytest.raises(RegisterError, match="却写了开通日期"), writing(register, stamp("2026-06-02")) as transaction:
        edit_rows(transaction, "sites", {row_id: {"on_air_on": day("2026-06-20")}})
    for when, state in (("2026-06-20", "已开通"), ("2026-07-01", "已撤销"), ("2026-07-02", "储备")):
        with writing(register, stamp(when, "拆迁")) as transaction:
            edit_rows(transaction, "sites", {row_id: {"state": state, "state_reason": "拆迁"}})
    assert pd.isna(read_rows(register, "sites").loc[row_id, "on_air_on"]), "it is not on air again with its old day"
    assert read_rows(register, "sites", day("2026-07-01")).loc[row_id, "on_air_on"] == pd.Timestamp("2026-06-20")

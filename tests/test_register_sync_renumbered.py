"""Lists that were numbered anew, values that the office emptied: no plan mixes histories or fills them again."""

from __future__ import annotations

from siteplan.register import Register, check_seals, edit_rows, read_events, read_rows, writing
from siteplan.register.sync import sync_plan
from tests.registers import day, stamp
from tests.sync_plans import plan, site, venue


def edit(register: Register, table: str, row_id: str, **values: object) -> None:
    with writing(register, stamp("2026-02-02")) as transaction:
        edit_rows(transaction, table, {row_id: values}, "核对")


def names_of(register: Register, table: str) -> dict[str, list[object]]:
    rows = read_rows(register, table)[["name", "study_id"]]
    return {row_id: ["" if value != value else value for value in cells]
            for row_id, cells in zip(rows.index, rows.to_numpy().tolist(), strict=True)}


def test_sites_that_exchanged_their_ids_keep_their_histories(register: Register) -> None:
    """300 m apart is near enough to believe an id, but here name and place say which site is meant."""
    sync_plan(register, plan({"A": site(0, name="甲"), "B": site(300, name="乙")}), stamp("2026-02-01"))
    found = sync_plan(register, plan({"B": site(0, name="甲"), "A": site(300, name="乙")}, version="v2"),
                      stamp("2026-03-01"))
    assert names_of(register, "sites") == {"ZZ000001": ["甲", "B"], "ZZ000002": ["乙", "A"]}
    assert (len(found.kept), len(found.moved), len(found.added)) == (2, 0, 0)


def test_an_id_is_believed_where_the_site_was_moved_and_renamed(register: Register) -> None:
    sync_plan(register, plan({"A": site(0, name="甲"), "B": site(300, name="乙")}), stamp("2026-02-01"))
    sync_plan(register, plan({"A": site(200, name="丙"), "B": site(300, name="乙")}, version="v2"), stamp("2026-03-01"))
    assert names_of(register, "sites") == {"ZZ000001": ["丙", "A"], "ZZ000002": ["乙", "B"]}


def test_venues_of_a_list_that_was_numbered_anew_keep_their_agreements(register: Register) -> None:
    """V2 is the number of another school now: what was agreed with the second school stays with the second school."""
    sync_plan(register, plan({}, {"V1": venue(0), "V2": venue(900, agreed_on=day("2026-01-10"))}), stamp("2026-02-01"))
    again = plan({}, {"V2": venue(0), "V3": venue(900)}, version="v2")
    sync_plan(register, again, stamp("2026-03-01"))
    assert names_of(register, "venues") == {"CS000001": ["学校0", "V2"], "CS000002": ["学校900", "V3"]}
    assert read_rows(register, "venues")["agreed_on"].notna().tolist() == [False, True]
    assert sync_plan(register, again, stamp("2026-03-02")).is_same
    assert check_seals(register) == ()


def test_venues_may_exchange_their_ids(register: Register) -> None:
    sync_plan(register, plan({}, {"V1": venue(0), "V2": venue(900)}), stamp("2026-02-01"))
    sync_plan(register, plan({}, {"V2": venue(0), "V1": venue(900)}, version="v2"), stamp("2026-03-01"))
    assert names_of(register, "venues") == {"CS000001": ["学校0", "V2"], "CS000002": ["学校900", "V1"]}


def test_a_new_venue_under_the_number_of_one_that_is_gone(register: Register) -> None:
    first = plan({"S1": site(0, venue="V1")}, {"V1": venue(0)})
    sync_plan(register, first, stamp("2026-02-01"))
    sync_plan(register, plan({"S9": site(2000, venue="V1", mount="楼面抱杆")}, {"V1": venue(2000)}, version="v2"),
              stamp("2026-03-01"))
    assert names_of(register, "venues") == {"CS000001": ["学校0", ""], "CS000002": ["学校2000", "V1"]}
    venues = read_rows(register, "sites")["venue_id"].tolist()
    assert venues == ["CS000001", "CS000002"], "the old site is not the new one"


def test_what_the_office_struck_out_does_not_come_back_with_the_same_plan(register: Register) -> None:
    first = plan({"S1": site(0, venue="V1", is_hard=True)}, {"V1": venue(0, agreed_on=day("2026-01-10"), opened="光纤")})
    sync_plan(register, first, stamp("2026-02-01"))
    edit(register, "sites", "ZZ000001", owner=None, is_hard=False)
    edit(register, "venues", "CS000001", agreed_on=None, opened=None)
    found = sync_plan(register, plan({"S1": site(0, venue="V1", is_hard=True)},
                                     {"V1": venue(0, agreed_on=day("2026-01-10"), opened="光纤")}, version="v2"),
                      stamp("2026-03-01"))
    row, place = read_rows(register, "sites").loc["ZZ000001"], read_rows(register, "venues").loc["CS000001"]
    assert row[["owner"]].isna().all()
    assert not row["is_hard"]
    assert place[["agreed_on", "opened"]].isna().all(), "an agreement called off does not come back with a plan"
    assert found.held[["field", "kept", "planned"]].values.tolist() == [["owner", "", "业主甲"]]


def test_a_value_that_the_office_never_touched_is_filled_by_a_plan(register: Register) -> None:
    sync_plan(register, plan({"S1": site(0, owner="")}), stamp("2026-02-01"))
    sync_plan(register, plan({"S1": site(0)}, version="v2"), stamp("2026-03-01"))
    assert read_rows(register, "sites").loc["ZZ000001", "owner"] == "业主甲"


def test_the_order_of_networks_says_nothing(register: Register) -> None:
    """A plan joins networks as its stations stand; no site of it has changed."""
    sync_plan(register, plan({"S1": site(0, networks="移动|联通")}), stamp("2026-02-01"))
    before = len(read_events(register, table="sites"))
    found = sync_plan(register, plan({"S1": site(0, networks="联通|移动")}, version="v2"), stamp("2026-03-01"))
    log = read_events(register, table="sites")
    assert log["field"].tolist()[before:] == ["plan_id"]
    assert found.held.empty


def test_a_site_on_air_is_told_as_existing_and_a_withdrawn_one_as_withdrawn(register: Register) -> None:
    sync_plan(register, plan({"S1": site(0), "S2": site(900)}), stamp("2026-02-01"))
    for number, state in enumerate(("ready", "approved", "building", "on_air"), 3):
        with writing(register, stamp(f"2026-02-{number:02d}")) as transaction:
            edit_rows(transaction, "sites", {"ZZ000001": {"state": state}})
    edit(register, "sites", "ZZ000002", state="withdrawn", state_reason="拆迁")
    found = sync_plan(register, plan({"S3": site(2000)}, version="v2"), stamp("2026-03-01"))
    assert found.committed["why"].tolist() == ["已开通,新方案作为现有站址"]
    assert found.dropped["why"].tolist() == ["已撤销,新方案不再列入"]
